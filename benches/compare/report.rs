//! Collects the samples, forms ratios and prints the table.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::Result;
use crate::args::Args;
use crate::sample::{Lane, Sample};
use crate::scenario::Scenario;
use crate::server;

/// A quantity of a sample that is compared.
pub struct Metric {
    pub name: &'static str,
    pub of: fn(&Sample) -> Option<f64>,
}

/// What the table compares, in its order. CPU and system calls are per message.
pub const METRICS: [Metric; 9] = [
    Metric { name: "thr", of: |s| Some(s.throughput()) },
    Metric { name: "user", of: |s| Some(s.per_million(s.cpu.user)) },
    Metric { name: "sys", of: |s| Some(s.per_million(s.cpu.system)) },
    Metric { name: "total", of: |s| Some(s.per_million(s.cpu.total)) },
    Metric { name: "calls", of: |s| s.syscalls },
    Metric { name: "p50", of: |s| s.p50_us },
    Metric { name: "p99", of: |s| s.p99_us },
    Metric { name: "rss", of: |s| Some(s.rss_peak_bytes as f64) },
    Metric { name: "each", of: |s| s.bytes_each },
];

/// The median of the per-round ratios and their range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

#[derive(Serialize)]
struct Entry {
    scenario: &'static str,
    lane: Lane,
    round: usize,
    #[serde(flatten)]
    sample: Sample,
}

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub core: bool,
}

/// All results of a run and the conditions they were taken under.
pub struct Report<'a> {
    args: &'a Args,
    entries: Vec<Entry>,
    pub rows: Vec<Row>,
    conditions: Vec<(&'static str, String)>,
}

impl<'a> Report<'a> {
    /// Notes the conditions; fails if a server does not even state its version.
    pub fn new(args: &'a Args, open_files: u64) -> Result<Report<'a>> {
        let load = read("/proc/loadavg").split(' ').next().unwrap_or("?").to_owned();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or("unknown").trim_start_matches(['\t', ' ', ':']).to_owned();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = read("/proc/sys/kernel/osrelease");
        let kernel = kernel.split(['-', '\n']).next().unwrap_or("?").to_owned();
        let rounds = format!("{} of {} s each, after 0.5 s of warm-up", args.rounds, args.seconds);
        let conditions = vec![
            ("ours", server::version(&args.ours)?),
            ("upstream", server::version(&args.upstream)?),
            ("processor", format!("{model}, {cores} cores, shared by server and generator")),
            ("kernel", format!("Linux {kernel}")),
            ("load average before the run", load),
            ("open files allowed", open_files.to_string()),
            ("rounds", rounds),
        ];
        Ok(Report { args, entries: Vec::new(), rows: Vec::new(), conditions })
    }

    pub fn add(&mut self, scenario: &Scenario, lane: Lane, round: usize, sample: Sample) {
        self.entries.push(Entry { scenario: scenario.name, lane, round, sample });
    }

    /// The median of a quantity over the rounds.
    pub fn value(&self, row: &str, lane: Lane, metric: &Metric) -> Option<f64> {
        let of_row = |e: &&Entry| e.sample.row == row && e.lane == lane;
        median(self.entries.iter().filter(of_row).filter_map(|e| (metric.of)(&e.sample)).collect())
    }

    /// How `lane` relates to `to`, round by round.
    pub fn ratio(&self, row: &str, lane: Lane, to: Lane, metric: &Metric) -> Option<Ratio> {
        let value = |lane, round| {
            let same = |e: &&Entry| e.sample.row == row && e.lane == lane && e.round == round;
            self.entries.iter().find(same).and_then(|e| (metric.of)(&e.sample))
        };
        let ratio = |round| Some(value(lane, round)? / value(to, round)?);
        let ratios: Vec<f64> =
            (0..self.args.rounds).filter_map(ratio).filter(|r| r.is_finite()).collect();
        Some(Ratio {
            least: ratios.iter().copied().reduce(f64::min)?,
            most: ratios.iter().copied().reduce(f64::max)?,
            median: median(ratios)?,
        })
    }

    /// The geometric mean of the medians over the core rows, and how many rows those are.
    pub fn mean(&self, lane: Lane, to: Lane, metric: &Metric) -> Option<(f64, usize)> {
        let core = self.rows.iter().filter(|row| row.core);
        let ratios = core.filter_map(|row| self.ratio(row.name, lane, to, metric));
        geometric_mean(ratios.map(|r| r.median))
    }

    pub fn conditions(&self) -> String {
        self.conditions.iter().map(|(name, text)| format!("{name}: {text}\n")).collect()
    }

    pub fn conditions_list(&self) -> &[(&'static str, String)] {
        &self.conditions
    }

    /// Prints the finished rows of a scenario, the head of the table before the first.
    pub fn print_rows(&mut self, scenario: &Scenario) {
        if self.rows.is_empty() {
            println!("{}", head());
        }
        for name in scenario.rows() {
            println!("{}", self.line(name, Lane::Ours, Lane::Upstream));
            for (lane, to) in [(Lane::Control, Lane::Upstream), (Lane::Ours, Lane::OursPlain)] {
                if self.ratio(name, lane, to, &METRICS[0]).is_some() {
                    println!("{}", self.line(name, lane, to));
                }
            }
            self.rows.push(Row { name, title: scenario.title, core: scenario.core });
        }
    }

    fn line(&self, row: &str, lane: Lane, to: Lane) -> String {
        let label = match (lane, to) {
            (Lane::Control, _) => "  A=A",
            (_, Lane::OursPlain) => "  to plain",
            _ => row,
        };
        let mut line = format!("{label:<18}");
        for at in [0, 3] {
            for lane in [lane, to] {
                line += &cell(self.value(row, lane, &METRICS[at]), 9, if at == 0 { 0 } else { 3 });
            }
        }
        for metric in &METRICS {
            line += &cell(self.ratio(row, lane, to, metric).map(|r| r.median), 7, 2);
        }
        if let Some(total) = self.ratio(row, lane, to, &METRICS[3]) {
            line += &format!("  {:.2}-{:.2}", total.least, total.most);
        }
        for lane in [lane, to] {
            if let Some(each) = self.value(row, lane, &METRICS[8]) {
                line += &format!("  {} {each:.0} B each", lane.name());
            }
        }
        for lane in [lane, to] {
            let time = |at: usize| self.value(row, lane, &METRICS[at]);
            if let (Some(p50), Some(p99)) = (time(5), time(6)) {
                line += &format!("  {} {p50:.0}/{p99:.0} us", lane.name());
            }
        }
        line
    }

    /// Prints the geometric means.
    pub fn summary(&self) {
        for (label, lane) in [("geometric mean", Lane::Ours), ("  A=A", Lane::Control)] {
            let Some((_, rows)) = self.mean(lane, Lane::Upstream, &METRICS[0]) else { continue };
            let mut line = format!("{label:<18}{:>36}", format!("(over {rows} rows)"));
            for metric in &METRICS {
                let mean = self.mean(lane, Lane::Upstream, metric).map(|(mean, _)| mean);
                line += &cell(mean, 7, 2);
            }
            println!("{line}");
        }
    }

    /// Writes every single result as a line of JSON.
    pub fn write_json(&self) -> Result<()> {
        let path = &self.args.json;
        let say = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|e| say(&e))?;
        let mut text = String::new();
        for entry in &self.entries {
            text += &serde_json::to_string(entry).map_err(|e| say(&e))?;
            text.push('\n');
        }
        fs::write(path, text).map_err(|e| say(&e))
    }
}

fn head() -> String {
    let mut head =
        format!("{:<18}{:>18}{:>18}  ratios ours/upstream\n", "", "messages/s", "CPU s/M");
    head += &format!("{:<18}", "scenario");
    for name in ["ours", "upstream", "ours", "upstream"] {
        head += &format!("{name:>9}");
    }
    for metric in &METRICS {
        head += &format!("{:>7}", metric.name);
    }
    head + "  range of total"
}

/// A number in a field of the table, or a dash.
fn cell(value: Option<f64>, width: usize, digits: usize) -> String {
    value.map_or_else(|| format!("{:>width$}", "-"), |v| format!("{v:>width$.digits$}"))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (upper, lower) = (values.len() / 2, values.len().checked_sub(1)? / 2);
    Some((values[lower] + values[upper]) / 2.0)
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<(f64, usize)> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + v.ln(), count + 1));
    (count > 0).then(|| ((sum / count as f64).exp(), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_means() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(geometric_mean([1.0, 4.0].into_iter()), Some((2.0, 2)));
        assert_eq!(geometric_mean(std::iter::empty()), None);
    }
}

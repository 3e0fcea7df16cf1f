//! The page with the results of the last run.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::report::{METRICS, Report};
use crate::sample::Lane;

const PREFACE: &str = "\
# Performance

Written by `scripts/compare --write docs/performance.md`; do not edit. Both servers ran in turn in
the same run on the same machine, a fresh process for every round. A ratio is ours to upstream's:
the median over the rounds of the ratio within a round. Below 1 is better, except for throughput.
CPU time is the server's, per delivered message (per published message where many reach nobody:
publish only and the million subjects; per request, connection or subscription where the row is
about those; per message of the flood where there is one); its total is exact, its split into user and system is sampled by the kernel's clock
tick. System calls are counted with `perf stat` right after the measured window. Publishers run in
a closed loop over what subscribers have received; every message is checked for loss, duplication
and order. Generator and server share the machine, so throughput is what both reach together.
";

/// Writes the page to `path`.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let mut text = String::from(PREFACE);
    text += "\n## Conditions\n\n";
    for (name, value) in report.conditions_list() {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text += "\n## Ratios to upstream\n\n";
    text += &ratios(report, Lane::Ours, Lane::Upstream);
    text += "\n## Figures\n\n";
    text += &figures(report);
    let compared = |lane, to| {
        report.rows.iter().any(|row| report.ratio(row.name, lane, to, &METRICS[0]).is_some())
    };
    if compared(Lane::Ours, Lane::OursPlain) {
        text += "\n## With features configured, to ours without\n\n";
        text += &ratios(report, Lane::Ours, Lane::OursPlain);
    }
    if compared(Lane::Control, Lane::Upstream) {
        text += "\n## Noise: upstream to itself, in the same rounds\n\n";
        text += &ratios(report, Lane::Control, Lane::Upstream);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn ratios(report: &Report, lane: Lane, to: Lane) -> String {
    let mut text = String::from(
        "| scenario | throughput | user | system | total | range of total | system calls | p50 | p99 \
         | peak RSS |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let [throughput, user, system, total, calls, p50, p99, rss, _] = &METRICS;
    for row in &report.rows {
        let Some(range) = report.ratio(row.name, lane, to, total) else { continue };
        let mut cells =
            vec![format!("{} ({}){}", row.title, row.name, if row.core { " *" } else { "" })];
        let median = |metric| show(report.ratio(row.name, lane, to, metric).map(|r| r.median), 2);
        cells.extend([throughput, user, system, total].map(median));
        cells.push(format!("{:.2}-{:.2}", range.least, range.most));
        cells.extend([calls, p50, p99, rss].map(median));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if let Some((_, rows)) = report.mean(lane, to, total) {
        let mean = |metric| show(report.mean(lane, to, metric).map(|(mean, _)| mean), 3);
        let mut cells = vec![format!("**geometric mean of the {rows} rows with \\***")];
        cells.extend([throughput, user, system, total].map(mean));
        cells.push(String::new());
        cells.extend([calls, p50, p99, rss].map(mean));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn figures(report: &Report) -> String {
    let mut text = String::from(
        "Medians, ours / upstream. CPU in seconds per million messages, round trips in \
         microseconds.\n\n| scenario | messages/s | user | system | total | system calls per message \
         | p50 | p99 | peak RSS, MiB | bytes each |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    // Decimals and divisor of each metric.
    let style =
        [(0, 1.0), (3, 1.0), (3, 1.0), (3, 1.0), (4, 1.0), (0, 1.0), (0, 1.0), (1, MIB), (0, 1.0)];
    for row in &report.rows {
        let mut cells = vec![format!("{} ({})", row.title, row.name)];
        for (metric, (digits, unit)) in METRICS.iter().zip(style) {
            let value = |lane| report.value(row.name, lane, metric).map(|v| v / unit);
            let (ours, upstream) = (value(Lane::Ours), value(Lane::Upstream));
            cells.push(match (ours, upstream) {
                (None, None) => String::new(),
                _ => format!("{} / {}", show(ours, digits), show(upstream, digits)),
            });
        }
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

const MIB: f64 = 1024.0 * 1024.0;

fn show(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |v| format!("{v:.digits$}"))
}

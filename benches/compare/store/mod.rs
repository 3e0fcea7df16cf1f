//! The store: what it costs to fill a stream and to open it again, upstream's server beside our
//! store on the very same directory.
//!
//! Upstream is filled over its API and restarted as a server. Ours has no API yet: its store is
//! filled and opened by this program, in a process of its own ([`ours`]), so that CPU and memory
//! are that work's alone. Both open copies of the directory that upstream wrote, once as a kill
//! left it and once as a stop did, and must find the same messages.

mod always;
mod ours;
mod upstream;

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::Result;
use crate::measure::{Account, Memory};
use crate::sample::Cpu;
use upstream::Upstream;

/// The text of `store --help`.
const USAGE: &str = "\
usage: compare store [options]

  --upstream PATH    upstream's server     ($NATS_SERVER_UPSTREAM)
  --messages N       messages of the stream (5000000)
  --subjects N       subjects of the stream (1000000)
  --size BYTES       payload of a message  (128)
  --rounds N         rounds                (3)
  --json PATH        where the single results go, one JSON object a line
                     (target/compare/store.jsonl)
  --help             show this";

/// What a stream is filled with.
#[derive(Clone, Copy)]
struct Load {
    messages: u64,
    subjects: u64,
    size: usize,
}

impl Load {
    /// The subject of the n-th message: every subject once before any comes again.
    fn subject(self, n: u64) -> [u8; 14] {
        let mut subject = *b"orders.0000000";
        let mut rest = n.wrapping_mul(7_368_787) % self.subjects;
        for digit in subject[7..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        subject
    }
}

/// Writers who wait until what they stored is durable, as many messages each as their window.
#[derive(Clone, Copy)]
struct Always {
    stores: usize,
    writers: usize,
    window: usize,
    seconds: f64,
}

/// What something cost, and what was there in the end.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Cost {
    messages: u64,
    subjects: u64,
    seconds: f64,
    cpu: Cpu,
    rss_peak_bytes: u64,
    /// Microseconds that a sync of one message takes where nothing else is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    lone_sync_us: Option<f64>,
    /// Microseconds that one in a hundred reads beside it takes at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    reader_p99_us: Option<f64>,
}

/// Reads clock and books around something.
struct Watch {
    pid: u32,
    before: Option<Account>,
    begun: std::time::Instant,
}

impl Watch {
    /// From now on, of a process that runs.
    fn running(pid: u32) -> Result<Self> {
        let before = Some(Account::read(pid)?);
        Ok(Self { pid, before, begun: std::time::Instant::now() })
    }

    /// From the beginning of a process that was started at `begun`.
    fn started(pid: u32, begun: std::time::Instant) -> Self {
        Self { pid, before: None, begun }
    }

    fn read(&self, messages: u64, subjects: u64) -> Result<Cost> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let now = Account::read(self.pid)?;
        let cpu = now.since(self.before.as_ref().unwrap_or(&Account::zero()));
        let rss_peak_bytes = Memory::read(self.pid)?.peak;
        Ok(Cost {
            messages,
            subjects,
            seconds,
            cpu,
            rss_peak_bytes,
            lone_sync_us: None,
            reader_p99_us: None,
        })
    }
}

/// A line of the table.
struct Row {
    name: &'static str,
    ours: Vec<Cost>,
    upstream: Vec<Cost>,
}

/// How the syncs are compared. Upstream gets as many messages at once over one connection, but for
/// the last: those are ours beside ours.
const ALWAYS: [(&str, Always); 4] = [
    ("1,000 in flight", Always { stores: 1, writers: 8, window: 125, seconds: 2.0 }),
    ("64 in flight", Always { stores: 1, writers: 64, window: 1, seconds: 2.0 }),
    ("1 in flight", Always { stores: 1, writers: 1, window: 1, seconds: 2.0 }),
    (SPREAD, Always { stores: 64, writers: 64, window: 1, seconds: 2.0 }),
];
/// The row whose other lane is ours, one store after the other.
const SPREAD: &str = "64 stores";

/// Runs `compare store ...`.
pub fn main(mut words: impl Iterator<Item = String>) -> Result<()> {
    let mut load = Load { messages: 5_000_000, subjects: 1_000_000, size: 128 };
    let mut rounds = 3;
    let mut binary = std::env::var("NATS_SERVER_UPSTREAM").unwrap_or_default();
    let mut json = String::from("target/compare/store.jsonl");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--upstream" => binary = value()?,
            "--messages" => load.messages = number(&value()?)?,
            "--subjects" => load.subjects = number(&value()?)?,
            "--size" => load.size = number(&value()?)?,
            "--rounds" => rounds = number(&value()?)?,
            "--json" => json = value()?,
            "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            "child" => return ours::child(words),
            other => return Err(format!("unknown option {other}\n\n{USAGE}")),
        }
    }
    if binary.is_empty() {
        return Err("name upstream's server: --upstream PATH or NATS_SERVER_UPSTREAM".into());
    }
    let mut rows = ["fill", "open after a kill", "open after a stop"].map(|name| Row {
        name,
        ours: Vec::new(),
        upstream: Vec::new(),
    });
    let mut always = ALWAYS.map(|(name, _)| Row { name, ours: Vec::new(), upstream: Vec::new() });
    for _ in 0..rounds {
        round(Path::new(&binary), load, &mut rows)?;
        always_round(Path::new(&binary), &mut always)?;
    }
    report(load, &rows);
    report_always(&always);
    write_json(Path::new(&json), rows.iter().chain(&always))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

fn round(binary: &Path, load: Load, rows: &mut [Row; 3]) -> Result<()> {
    let folder = TempDir::with_prefix("compare-store-").map_err(|e| e.to_string())?;
    let live = folder.path().join("live");
    let [fill, killed, stopped] = rows;
    // Both fill, ours into a folder of its own.
    let mut server = Upstream::start(binary, &live)?;
    fill.upstream.push(server.fill(load)?);
    server.kill();
    fill.ours.push(ours::fill(&folder.path().join("ours"), load)?);
    let left = folder.path().join("killed");
    copy(&live, &left)?;

    let mut server = Upstream::start(binary, &live)?;
    killed.upstream.push(server.opened()?);
    server.stop()?;
    killed.ours.push(ours::open(&left)?);
    copy(&live, &folder.path().join("stopped"))?;

    let mut server = Upstream::start(binary, &live)?;
    stopped.upstream.push(server.opened()?);
    server.kill();
    stopped.ours.push(ours::open(&folder.path().join("stopped"))?);
    for row in rows {
        let (Some(ours), Some(theirs)) = (row.ours.last(), row.upstream.last()) else { continue };
        if (ours.messages, ours.subjects) != (theirs.messages, theirs.subjects) {
            return Err(format!("{}: they differ: {ours:?}, {theirs:?}", row.name));
        }
    }
    Ok(())
}

fn always_round(binary: &Path, rows: &mut [Row]) -> Result<()> {
    for ((_, load), row) in ALWAYS.iter().zip(rows) {
        let folder = TempDir::with_prefix("compare-store-").map_err(|e| e.to_string())?;
        row.ours.push(ours::always(&folder.path().join("ours"), *load)?);
        row.upstream.push(if row.name == SPREAD {
            let lone = Always { writers: 1, ..*load };
            ours::always(&folder.path().join("lone"), lone)?
        } else {
            let store = folder.path().join("upstream");
            let mut server = Upstream::start_always(binary, &store)?;
            server.fill_for(load.writers * load.window, load.seconds)?
        });
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status();
    let copied = status.map_err(|e| format!("cp: {e}"))?.success();
    if copied { Ok(()) } else { Err(format!("{} is not copied", from.display())) }
}

fn report(load: Load, rows: &[Row]) {
    let Load { messages, subjects, size } = load;
    println!(
        "{messages} messages of {size} bytes, {subjects} subjects; medians, ratios by round\n"
    );
    println!(
        "| | seconds, ours / upstream | ratio | user CPU | system CPU | total CPU, us a message | \
         ratio | peak RSS, MiB | ratio |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for row in rows {
        let both = |of: fn(&Cost) -> f64| {
            let ours = row.ours.iter().map(of);
            (median(ours), median(row.upstream.iter().map(of)))
        };
        let ratio = |of: fn(&Cost) -> f64| {
            median(row.ours.iter().zip(&row.upstream).map(|(ours, theirs)| of(ours) / of(theirs)))
        };
        let seconds = both(|cost| cost.seconds);
        let cpu = both(|cost| cost.cpu.total / cost.messages as f64 * 1e6);
        let memory = both(|cost| cost.rss_peak_bytes as f64 / 1048576.0);
        println!(
            "| {} | {:.3} / {:.3} | {:.3} | {:.3} | {:.3} | {:.3} / {:.3} | {:.3} | {:.0} / {:.0} | \
             {:.3} |",
            row.name,
            seconds.0,
            seconds.1,
            ratio(|cost| cost.seconds),
            ratio(|cost| cost.cpu.user),
            ratio(|cost| cost.cpu.system),
            cpu.0,
            cpu.1,
            ratio(|cost| cost.cpu.total),
            memory.0,
            memory.1,
            ratio(|cost| cost.rss_peak_bytes as f64),
        );
    }
}

fn report_always(rows: &[Row]) {
    println!("\nWith a sync before every acknowledgement, 128 bytes:\n");
    println!(
        "| | acknowledged a second, ours / upstream | ratio | total CPU, us a message | ratio | \
         a lone sync, us | p99 of a reader, us |\n|---|--:|--:|--:|--:|--:|--:|"
    );
    for row in rows {
        let rate = |cost: &Cost| cost.messages as f64 / cost.seconds;
        let cpu = |cost: &Cost| cost.cpu.total / cost.messages as f64 * 1e6;
        let both = |of: fn(&Cost) -> f64| {
            let pairs = row.ours.iter().zip(&row.upstream);
            let ratio = median(pairs.map(|(ours, theirs)| of(ours) / of(theirs)));
            (median(row.ours.iter().map(of)), median(row.upstream.iter().map(of)), ratio)
        };
        let (rate, cpu) = (both(rate), both(cpu));
        let of_ours = |of: fn(&Cost) -> Option<f64>| median(row.ours.iter().filter_map(of));
        println!(
            "| {} | {:.0} / {:.0} | {:.2} | {:.3} / {:.3} | {:.3} | {:.0} | {:.0} |",
            row.name,
            rate.0,
            rate.1,
            rate.2,
            cpu.0,
            cpu.1,
            cpu.2,
            of_ours(|cost| cost.lone_sync_us),
            of_ours(|cost| cost.reader_p99_us),
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn write_json<'r>(path: &Path, rows: impl Iterator<Item = &'r Row>) -> Result<()> {
    let mut text = String::new();
    for row in rows {
        for (lane, costs) in [("ours", &row.ours), ("upstream", &row.upstream)] {
            for cost in costs {
                let line = serde_json::json!({ "row": row.name, "lane": lane, "cost": cost });
                text += &format!("{line}\n");
            }
        }
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    }
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

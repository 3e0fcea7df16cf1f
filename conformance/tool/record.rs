//! Running the cases and keeping what became of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Outcome;
use crate::database;
use crate::source::{SourceCase, Sources};
use crate::tree::{CaseResult, STATUSES, Target, Tree, results_text};

/// Passes in a row that make a case's word on the oracle count.
const ORACLE_TIMES: u32 = 3;

/// `record`: runs cases on a target and merges the outcomes into its results file.
pub(crate) fn record(root: &Path, args: &[String]) -> Outcome {
    let mut target = Target::Rust;
    let mut filter = None;
    let mut times = None;
    for pair in args.chunks(2) {
        match pair {
            [flag, name] if flag == "--server" => {
                let named = Target::ALL.into_iter().find(|target| target.name() == name.as_str());
                target = named.ok_or_else(|| format!("--server {name}: rust or upstream"))?;
            }
            [flag, text] if flag == "--filter" => filter = Some(text.as_str()),
            [flag, count] if flag == "--times" => times = Some(count.parse::<u32>()?),
            _ => return Err(format!("record: {pair:?} is not understood").into()),
        }
    }
    let times = times.unwrap_or(if target == Target::Upstream { ORACLE_TIMES } else { 1 });
    let before = hashes(root)?;
    let runs = run_cases(root, target.name(), filter, times)?;
    if hashes(root)? != before {
        return Err("the cases changed while they ran: nothing is recorded".into());
    }
    let mut kept = Tree::read(root)?.results_of(target);
    let failed = runs.iter().filter(|run| run.outcome != "passed").count();
    println!("{}: {} ran, {failed} failed", target.name(), runs.len());
    for run in runs {
        let Some(hash) = before.get(&run.case).cloned() else { continue };
        let Run { case, outcome, mut passes, version } = run;
        if let Some(earlier) = kept.get(&case) {
            let continues = earlier.hash == hash && earlier.version == version;
            if continues && outcome == "passed" {
                passes = passes.max(earlier.passes);
            }
        }
        kept.insert(case, CaseResult { hash, outcome, passes, version });
    }
    fs::write(target.path(root), results_text(&kept))?;
    note_history(root)?;
    Ok(failed == 0)
}

/// `negative`: no case but a library one may pass on a server that does nothing.
pub(crate) fn negative(root: &Path) -> Outcome {
    let runs = run_cases(root, "fake", None, 1)?;
    let shallow: Vec<&Run> = runs.iter().filter(|run| run.outcome == "passed").collect();
    for run in &shallow {
        println!("rejected: {} passes on a server that does nothing", run.case);
    }
    println!("{} cases ran, {} rejected", runs.len(), shallow.len());
    Ok(shallow.is_empty() && !runs.is_empty())
}

struct Run {
    case: String,
    outcome: String,
    passes: u32,
    version: String,
}

/// Runs the test binary, and returns what it says of each case that ran.
fn run_cases(
    root: &Path,
    server: &str,
    filter: Option<&str>,
    times: u32,
) -> Result<Vec<Run>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let record = folder.path().join("runs");
    let quiet = server == "fake";
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command
        .current_dir(root)
        .args(["test", "--quiet", "--features", "conformance", "--test", "conformance", "--"])
        .args(filter)
        .env("CONFORMANCE_SERVER", server)
        .env("CONFORMANCE_TIMES", times.to_string())
        .env("CONFORMANCE_RECORD", &record);
    if quiet {
        // Nearly all of them fail, and should.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    }
    command.status()?;
    let text = fs::read_to_string(&record).unwrap_or_default();
    if text.is_empty() {
        return Err(format!("no case ran on {server}").into());
    }
    text.lines()
        .map(|line| match line.split('\t').collect::<Vec<_>>().as_slice() {
            [case, outcome, passes, version] => Ok(Run {
                case: (*case).to_owned(),
                outcome: (*outcome).to_owned(),
                passes: passes.parse()?,
                version: (*version).to_owned(),
            }),
            _ => Err(format!("not a record: {line:?}").into()),
        })
        .collect()
}

fn hashes(root: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let cases = Sources::read(root)?.cases;
    Ok(cases.into_iter().map(|SourceCase { name, hash, .. }| (name, hash)).collect())
}

/// Keeps one line a day of how far the port is, for the dashboard's trend.
fn note_history(root: &Path) -> Result<(), Box<dyn Error>> {
    let tree = Tree::read(root)?;
    let counts = database::counts(&database::statuses(&database::build(&tree)?)?);
    let today = today()?;
    let mut rows = tree.history;
    rows.retain(|row| row.day != today);
    rows.push(crate::tree::HistoryRow { day: today, counts });
    let mut text = format!("day\t{}\n", STATUSES.join("\t"));
    for row in rows {
        let count = |status: &&str| row.counts.get(*status).copied().unwrap_or(0).to_string();
        let counts: Vec<String> = STATUSES.iter().map(count).collect();
        text.push_str(&format!("{}\t{}\n", row.day, counts.join("\t")));
    }
    Ok(fs::write(root.join("conformance/results/history.tsv"), text)?)
}

/// Today's date (UTC) as `YYYY-MM-DD`.
fn today() -> Result<String, Box<dyn Error>> {
    let days = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    Ok(civil(days as i64))
}

/// The civil date so many days after 1970-01-01, by Howard Hinnant's algorithm.
fn civil(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    format!("{:04}-{month:02}-{day:02}", yoe + era * 400 + i64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    #[test]
    fn civil_dates() {
        assert_eq!(super::civil(0), "1970-01-01");
        assert_eq!(super::civil(11_016), "2000-02-29");
        assert_eq!(super::civil(20_781), "2026-11-24");
    }
}

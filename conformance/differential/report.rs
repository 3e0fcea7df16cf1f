//! `conformance diff`: both servers side by side.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::answers::{Answer, Difference, differences};
use super::{Suite, golden, suites};

/// What is asked of whom.
struct Plan {
    here: PathBuf,
    upstream: PathBuf,
    filter: Option<String>,
    record: bool,
}

/// Runs `diff [FILTER] [--record]`: prints every difference and a summary. `Ok(true)` when every
/// difference is meant.
pub(crate) fn diff(args: &[String]) -> Result<bool, String> {
    let mut plan = Plan {
        here: our_binary()?,
        upstream: oracle()?,
        filter: None,
        record: args.iter().any(|arg| arg == "--record"),
    };
    plan.filter = args.iter().find(|arg| !arg.starts_with("--")).cloned();
    let all: Vec<Suite> = suites().into_iter().filter(|suite| plan.names(&suite.name)).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = 3 * thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(all.len()) {
            scope.spawn(|| {
                while let Some(suite) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = plan.run(suite);
                    let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                    results.push((suite.name.clone(), result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(tell(&results))
}

/// What became of a suite.
#[derive(Default)]
struct Outcome {
    compared: usize,
    varying: Vec<String>,
    differences: Vec<Difference>,
}

impl Plan {
    fn names(&self, suite: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| suite.contains(filter))
    }

    fn run(&self, suite: &Suite) -> Result<Outcome, String> {
        let wanted = |script: &str| !self.record || suite.sampled(script);
        let theirs =
            suite.ask(&self.upstream, &wanted).map_err(|error| format!("upstream: {error}"))?;
        let again =
            suite.ask(&self.upstream, &wanted).map_err(|error| format!("upstream: {error}"))?;
        let varying: HashSet<&str> = theirs
            .iter()
            .zip(&again)
            .filter(|(first, second)| first != second)
            .map(|(first, _)| first.script.as_str())
            .collect();
        let steady = |script: &str| !varying.contains(script);
        if self.record {
            golden::record(suite, &theirs, &steady).map_err(|error| error.to_string())?;
            let compared = theirs.len();
            return Ok(Outcome { compared, varying: names(&varying), ..Outcome::default() });
        }
        let ours = suite.ask(&self.here, &wanted).map_err(|error| format!("here: {error}"))?;
        let pair = |a: &'_ Answer| steady(&a.script);
        let theirs = theirs.iter().filter(|a| pair(a));
        let theirs = theirs.map(|a| (a.script.as_str(), a.text.as_str()));
        let differences = differences(&suite.name, theirs, &ours);
        Ok(Outcome { compared: ours.len(), varying: names(&varying), differences })
    }
}

fn names(scripts: &HashSet<&str>) -> Vec<String> {
    let mut names: Vec<String> = scripts.iter().map(|&name| name.to_owned()).collect();
    names.sort();
    names
}

fn tell(results: &[(String, Result<Outcome, String>)]) -> bool {
    let (mut compared, mut varying, mut open, mut meant, mut failed) = (0, 0, 0, 0, 0);
    for (name, result) in results {
        match result {
            Err(error) => {
                failed += 1;
                println!("{name}: could not run: {error}");
            }
            Ok(outcome) => {
                compared += outcome.compared;
                varying += outcome.varying.len();
                for script in &outcome.varying {
                    println!("{name}::{script}: the oracle varies");
                }
                for difference in &outcome.differences {
                    match difference.row {
                        Some(_) => meant += 1,
                        None => {
                            open += 1;
                            println!("{name}::{difference}");
                        }
                    }
                }
            }
        }
    }
    for (name, result) in results {
        if let Ok(outcome) = result {
            let open = outcome.differences.iter().filter(|d| d.row.is_none()).count();
            if open > 0 {
                println!("{open:5} of {:5}  {name}", outcome.compared);
            }
        }
    }
    println!(
        "{} suites, {compared} scripts, {varying} left out since the oracle varies, \
         {meant} differences meant, {open} not, {failed} suites could not run",
        results.len()
    );
    open == 0 && failed == 0
}

/// The server beside this tool.
fn our_binary() -> Result<PathBuf, String> {
    let tool = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = tool.with_file_name("nats-server");
    if path.exists() { Ok(path) } else { Err(format!("{}: cargo build first", path.display())) }
}

/// `NATS_SERVER_UPSTREAM`, or what `scripts/upstream` has or fetches.
fn oracle() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("NATS_SERVER_UPSTREAM").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/upstream");
    let output = std::process::Command::new(&script).arg("2.15.1").output();
    let output = output.map_err(|error| format!("{}: {error}", script.display()))?;
    match output.status.success() {
        true => Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

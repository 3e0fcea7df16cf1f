//! Turns the cases into libtest-mimic trials and runs them.

use std::cell::RefCell;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::case::{Body, Case, Kind};
use crate::kit::{Cx, Target, patience};
use crate::{cases, differential, source};

/// How long one run of a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(90);

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(crate) fn main() {
    let mut args = Arguments::from_args();
    // A wire case mostly waits for its server: more of them than cores, but not all at once.
    let cores = thread::available_parallelism().map_or(2, usize::from);
    args.test_threads.get_or_insert((2 * cores).clamp(2, 16));
    let plan = Arc::new(Plan::from_env(args.list));
    panic::set_hook(Box::new(|info| {
        PANIC.with(|slot| *slot.borrow_mut() = Some(info.to_string()));
    }));
    let mut trials: Vec<Trial> = cases::cases()
        .into_iter()
        .filter(|case| case.kind != Kind::NotApplicable)
        .map(|case| {
            let plan = Arc::clone(&plan);
            Trial::ignorable_test(case.name.clone(), move || plan.run(&case))
        })
        .collect();
    trials.extend(differential::suites().into_iter().map(|suite| {
        let plan = Arc::clone(&plan);
        let name = format!("differential::{}", suite.name);
        Trial::ignorable_test(name, move || plan.compare(&suite))
    }));
    trials.push(Trial::test("harness::the_text_of_the_cases_is_what_runs", text_is_what_runs));
    libtest_mimic::run(&args, trials).exit();
}

/// What this run is to do, from the environment.
struct Plan {
    /// The server under test, or why there is none.
    target: Result<Target, String>,
    required: bool,
    times: u32,
    record: Option<Mutex<std::fs::File>>,
}

impl Plan {
    fn from_env(listing: bool) -> Self {
        let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let target = match listing {
            true => Err("only listing".to_owned()),
            false => Target::from_env(),
        };
        let record = var("CONFORMANCE_RECORD").map(|path| {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
            Mutex::new(file.unwrap_or_else(|error| panic!("CONFORMANCE_RECORD {path}: {error}")))
        });
        let times = var("CONFORMANCE_TIMES").and_then(|n| n.parse().ok()).unwrap_or(1);
        Self { target, required: var("CONFORMANCE_REQUIRE").is_some(), times, record }
    }

    fn run(&self, case: &Case) -> Result<Completion, Failed> {
        let target = match (&self.target, case.kind) {
            (Ok(target), Kind::Library) if !target.is_rust() => {
                return Ok(Completion::ignored_with("a library case: there is no oracle for it"));
            }
            (Ok(target), _) => target,
            (Err(reason), _) if self.required => return Err(Failed::from(reason.clone())),
            (Err(reason), _) => return Ok(Completion::ignored_with(reason.clone())),
        };
        for passes in 0..self.times {
            if let Err(message) = run_once(case, target) {
                self.note(case, "failed", passes, target);
                return Err(Failed::from(message));
            }
        }
        self.note(case, "passed", self.times, target);
        Ok(Completion::Completed)
    }

    /// A suite of the differential mode, against the oracle's answers that are kept.
    fn compare(&self, suite: &differential::Suite) -> Result<Completion, Failed> {
        match &self.target {
            Ok(target) if target.is_fake() => {
                Ok(Completion::ignored_with("differences from a server that does nothing"))
            }
            Ok(target) if !target.is_rust() => {
                Ok(Completion::ignored_with("these answers are the oracle's own"))
            }
            Ok(target) => differential::compare_with_golden(suite, target.binary())
                .map(|()| Completion::Completed)
                .map_err(Failed::from),
            Err(reason) if self.required => Err(Failed::from(reason.clone())),
            Err(reason) => Ok(Completion::ignored_with(reason.clone())),
        }
    }

    fn note(&self, case: &Case, outcome: &str, passes: u32, target: &Target) {
        if let Some(file) = &self.record {
            let line = format!("{}\t{outcome}\t{passes}\t{}\n", case.name, target.version());
            file.lock().unwrap().write_all(line.as_bytes()).expect("the record file is writable");
        }
    }
}

/// Runs a case and returns what it panicked with, with the servers' logs below it.
fn run_once(case: &Case, target: &Target) -> Result<(), String> {
    let cx = Cx::new(target.clone());
    let for_case = cx.clone();
    let body = case.body;
    PANIC.with(|slot| slot.borrow_mut().take());
    let outcome = panic::catch_unwind(AssertUnwindSafe(move || match body {
        Body::Sync(function) => function(),
        Body::Async(function) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async move {
                let limit = patience(CASE_TIMEOUT);
                if tokio::time::timeout(limit, function(for_case)).await.is_err() {
                    panic!("not done after {limit:?}");
                }
            });
        }
        Body::Nothing => {}
    }));
    let said = PANIC.with(|slot| slot.borrow_mut().take());
    match (outcome, said) {
        (Ok(()), None) => cx.unexpected_errors().map_or(Ok(()), Err),
        // The runtime swallows the panic of a task that the case spawned.
        (_, Some(said)) => Err(said),
        (Err(_), None) => Err("panicked".to_owned()),
    }
    .map_err(|message| format!("{message}\n{}", cx.logs()))
}

/// The tool reads the cases as text; this holds it to what the compiler sees.
fn text_is_what_runs() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = source::Sources::read(root).map_err(Failed::from)?;
    let mut written: Vec<String> = text
        .cases
        .iter()
        .map(|case| {
            let tests: Vec<&str> = case.go_tests.iter().map(|test| test.written.as_str()).collect();
            format!("{} {} {} {tests:?}", case.kind, case.name, case.go_file)
        })
        .collect();
    let mut compiled: Vec<String> = cases::cases()
        .iter()
        .map(|case| {
            let kind = format!("{:?}", case.kind).to_lowercase().replace("notapplic", "not_applic");
            format!("{kind} {} {} {:?}", case.name, case.go_file, case.go_tests)
        })
        .collect();
    written.sort();
    compiled.sort();
    if let Some(twice) = compiled.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Failed::from(format!("collected twice: {}", twice[0])));
    }
    for name in &compiled {
        if !written.contains(name) {
            return Err(Failed::from(format!("compiled, but not found in the text: {name}")));
        }
    }
    for name in &written {
        if !compiled.contains(name) {
            return Err(Failed::from(format!(
                "in the text, but not compiled (a missing `mod` or `collect!` line?): {name}"
            )));
        }
    }
    Ok(())
}

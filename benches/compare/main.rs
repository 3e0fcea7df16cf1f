//! Runs our server and upstream's in turn on the same load and prints what each of them costs.
//!
//! Every scenario gets a fresh server in every round, and the servers alternate within a round, so
//! that a disturbance of the machine hits them alike; what counts is the median of the per-round
//! ratios. Every payload carries its publisher and its sequence number: a message that is lost,
//! duplicated or out of order fails the run. Publishers run in a closed loop over what the
//! subscribers have received, so no server ever sees a slow consumer.
//!
//! `scripts/compare` builds and runs it; `compare --help` lists the options.

// The load generator is no part of the server: it stands outside of `base::Env` on purpose.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod args;
mod conn;
mod crowd;
mod flow;
mod frames;
mod gauge;
mod markdown;
mod measure;
mod publish;
mod report;
mod request;
mod sample;
mod scenario;
mod server;
mod settings;
mod store;
mod subscribe;

use std::process::ExitCode;

use args::{Args, Command};
use report::Report;
use sample::Lane;
use scenario::Scenario;

/// What every fallible step of the tool returns; the text is for the person who runs it.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "store").is_some() {
        return match store::main(words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("compare: {why}");
                ExitCode::FAILURE
            }
        };
    }
    match args::parse(words) {
        Ok(Command::Help) => {
            println!("{}", args::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::List) => {
            for scenario in scenario::all() {
                println!("{:<22} {}", scenario.name, scenario.title);
            }
            ExitCode::SUCCESS
        }
        Ok(Command::Run(args)) => match run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("compare: {why}");
                ExitCode::FAILURE
            }
        },
        Err(why) => {
            eprintln!("compare: {why}\n\n{}", args::USAGE);
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let limit = server::raise_open_files();
    let mut report = Report::new(args, limit)?;
    let scenarios: Vec<Scenario> =
        scenario::all().into_iter().filter(|s| args.selects(s.name)).collect();
    if scenarios.is_empty() {
        return Err("no scenario has such a name (--list shows them)".into());
    }
    println!("{}", report.conditions());
    let mut failures = Vec::new();
    for scenario in &scenarios {
        if let Err(why) = rounds(args, scenario, &mut report) {
            eprintln!("{}: FAILED: {why}", scenario.name);
            failures.push(scenario.name);
        }
        report.write_json()?; // What there is so far: the run may be broken off.
    }
    report.summary();
    if let Some(path) = &args.write {
        if failures.is_empty() {
            markdown::write(&report, path)?;
        } else {
            eprintln!("{} is not written", path.display());
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(format!("failed: {}", failures.join(", "))) }
}

/// All rounds of one scenario, the lanes alternating within each, then its lines of the table.
fn rounds(args: &Args, scenario: &Scenario, report: &mut Report) -> Result<()> {
    for round in 0..args.rounds {
        for lane in scenario.lanes(args) {
            let samples = scenario
                .run(args, lane)
                .map_err(|why| format!("{} (round {}): {why}", lane.name(), round + 1))?;
            for sample in samples {
                report.add(scenario, lane, round, sample);
            }
        }
    }
    report.print_rows(scenario);
    Ok(())
}

impl Args {
    /// The binary a lane runs.
    fn binary(&self, lane: Lane) -> &std::path::Path {
        match lane {
            Lane::Ours | Lane::OursPlain => &self.ours,
            Lane::Upstream | Lane::Control => &self.upstream,
        }
    }
}

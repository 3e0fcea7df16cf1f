//! The command line.

use std::path::PathBuf;

use crate::Result;

/// The text of `--help`.
pub const USAGE: &str = "\
usage: compare [options]
       compare store [options]   a filled and reopened stream (compare store --help)

  --ours PATH        our server            (target/release/nats-server)
  --upstream PATH    upstream's server     ($NATS_SERVER_UPSTREAM)
  --scenario PART    only scenarios whose name contains PART (repeatable; =NAME is exact)
  --rounds N         rounds per scenario   (7)
  --seconds S        seconds measured per run (3)
  --quick            1 round of 1 s: is everything all right?
  --control          run upstream a second time in every round: the A=A ratio is the noise
  --no-syscalls      do not count system calls with perf
  --json PATH        where the single results go, one JSON object a line
                     (target/compare/results.jsonl)
  --write PATH       write the results as a page, such as docs/performance.md
  --list             list the scenarios
  --help             show this";

/// What the command line asks for.
pub enum Command {
    Help,
    List,
    Run(Args),
}

/// The options of a run.
pub struct Args {
    pub ours: PathBuf,
    pub upstream: PathBuf,
    pub scenarios: Vec<String>,
    pub rounds: usize,
    /// Length of the measured window of each run.
    pub seconds: f64,
    pub quick: bool,
    pub control: bool,
    pub syscalls: bool,
    pub json: PathBuf,
    pub write: Option<PathBuf>,
}

impl Default for Args {
    fn default() -> Self {
        Args {
            ours: "target/release/nats-server".into(),
            upstream: std::env::var_os("NATS_SERVER_UPSTREAM").unwrap_or_default().into(),
            scenarios: Vec::new(),
            rounds: 7,
            seconds: 3.0,
            quick: false,
            control: false,
            syscalls: true,
            json: "target/compare/results.jsonl".into(),
            write: None,
        }
    }
}

impl Args {
    /// Whether the scenario of this name is to run.
    pub fn selects(&self, name: &str) -> bool {
        let matches = |part: &String| match part.strip_prefix('=') {
            Some(exact) => name == exact,
            None => name.contains(part.as_str()),
        };
        self.scenarios.is_empty() || self.scenarios.iter().any(matches)
    }
}

/// Reads the arguments after the program's name.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Command> {
    let mut args = Args::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--ours" => args.ours = value()?.into(),
            "--upstream" => args.upstream = value()?.into(),
            "--scenario" => args.scenarios.push(value()?),
            "--rounds" => args.rounds = number(&word, &value()?)?,
            "--seconds" => args.seconds = number(&word, &value()?)?,
            "--quick" => (args.quick, args.rounds, args.seconds) = (true, 1, 1.0),
            "--control" => args.control = true,
            "--no-syscalls" => args.syscalls = false,
            "--json" => args.json = value()?.into(),
            "--write" => args.write = Some(value()?.into()),
            "--list" => return Ok(Command::List),
            "-h" | "--help" => return Ok(Command::Help),
            other => return Err(format!("unknown option {other}")),
        }
    }
    if args.rounds == 0 || !(0.1..=600.0).contains(&args.seconds) {
        return Err("--rounds must be at least 1 and --seconds between 0.1 and 600".into());
    }
    if args.upstream.as_os_str().is_empty() {
        return Err("name upstream's server: --upstream PATH or NATS_SERVER_UPSTREAM".into());
    }
    Ok(Command::Run(args))
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("{option}: {text:?} is not a number"))
}

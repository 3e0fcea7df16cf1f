//! The differential mode: one script, two servers, every difference shown.
//!
//! A *script* is bytes for connections, a configuration to check, arguments to run with, or
//! requests to the monitoring port. Scripts come in *suites*: tables here, and code that damages
//! what the tables hold. What a server answers is written down as text with the volatile parts
//! masked ([`mask`]); two answers differ when their texts do.
//!
//! ```text
//! cargo run --features conformance --bin conformance -- diff              # both servers, all scripts
//! cargo run --features conformance --bin conformance -- diff wire::limits # some suites
//! cargo run --features conformance --bin conformance -- diff --record     # golden/*.txt, from the oracle
//! ```
//!
//! The oracle is asked twice, and what it answers differently the second time is left out.
//! `cargo test --features conformance` asks one server alone (`differential::*`) and compares a
//! sample of each suite with the oracle's answers in `golden/`. Differences that are meant are
//! listed in [`accepted`], each with its row of docs/deviations.md.

// The test binary and the tool each use their half.
#![allow(dead_code)]

mod accepted;
mod answers;
mod check;
mod damage;
mod flags;
mod golden;
mod keys;
mod mask;
mod monitor;
mod process;
mod report;
mod wire;
mod wire_auth;
mod wire_limits;
mod wire_operations;

use accepted::accepted;
use answers::Answer;
#[allow(unused_imports)]
pub(crate) use golden::compare_with_golden;
#[allow(unused_imports)]
pub(crate) use report::diff;

use std::path::Path;

/// Scripts that share a server, or a kind of process to run.
pub(crate) struct Suite {
    /// `wire::limits`; also the name of the golden file, with `-` for `::`.
    pub(crate) name: String,
    pub(crate) work: Work,
}

/// What a suite is made of.
pub(crate) enum Work {
    /// Connections to one server.
    Wire(wire::Wire),
    /// Configurations, each checked by `-t`: names and texts.
    Check(Vec<(String, String)>),
    /// Arguments of processes that end by themselves.
    Flags(Vec<flags::Flags>),
    /// Requests to the monitoring port of one server.
    Monitor(monitor::Monitor),
}

/// Every suite there is.
pub(crate) fn suites() -> Vec<Suite> {
    let mut all = Vec::new();
    all.extend(wire_operations::suites());
    all.extend(wire_limits::suites());
    all.extend(wire_auth::suites());
    all.extend(monitor::suites());
    all.extend(flags::suites());
    all.extend(check::suites());
    all.extend(keys::suites());
    all
}

impl Suite {
    /// Asks the server `binary` all scripts that `wanted` names, and returns its answers in the
    /// order of the scripts.
    pub(crate) fn ask(
        &self,
        binary: &Path,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Answer>, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let place = process::Place::new(binary, dir.path())?;
        match &self.work {
            Work::Wire(wire) => wire::ask(wire, &place, wanted),
            Work::Check(texts) => Ok(texts
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, text)| check::ask(name, text, &place))
                .collect()),
            Work::Flags(all) => Ok(all
                .iter()
                .filter(|flags| wanted(&flags.name))
                .map(|flags| flags::ask(flags, &place))
                .collect()),
            Work::Monitor(monitor) => monitor::ask(monitor, &place, wanted),
        }
    }

    /// Whether a script is in the sample that is kept in `golden/`. Large suites keep a part,
    /// chosen by name, so that a script added or removed does not change the choice.
    pub(crate) fn sampled(&self, script: &str) -> bool {
        let part = match &self.work {
            Work::Check(texts) => (texts.len() / SAMPLE).max(1) as u64,
            _ => 1,
        };
        fnv(script).is_multiple_of(part)
    }
}

/// About how many configurations of a suite are kept in `golden/`.
const SAMPLE: usize = 24;

/// FNV-1a.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

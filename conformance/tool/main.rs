//! The `conformance` tool: keeps the map from Go tests to cases, and tells how far the port is.
//!
//! ```text
//! conformance record [--server rust|upstream] [--filter TEXT] [--times N]
//! conformance sync         mappings.db from the text under conformance/
//! conformance report       GAPS.md
//! conformance dashboard    the static site in target/dashboard
//! conformance check        fails when any of these disagree, or a result is stale
//! conformance negative     fails when a case passes on a server that does nothing
//! conformance diff [FILTER] [--record]
//!                          this server and the oracle side by side, or the oracle's answers kept
//! ```
//!
//! It works from the text of the cases alone ([`source`]); `record` and `negative` run the test
//! binary through cargo.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod check;
mod config_states;
mod dashboard;
mod database;
#[path = "../differential/mod.rs"]
mod differential;
mod fake;
mod record;
mod report;
#[path = "../source.rs"]
mod source;
mod tree;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use tree::Tree;

/// What a command comes to: the process succeeds only with `Ok(true)`.
type Outcome = Result<bool, Box<dyn Error>>;

const USAGE: &str = "conformance record [--server rust|upstream] [--filter TEXT] [--times N] \
                     | sync | report | dashboard | check | negative \
                     | diff [FILTER] [--record]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("", &[][..]), |(c, rest)| (c.as_str(), rest));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outcome = match command {
        "record" => record::record(root, rest),
        "negative" => record::negative(root),
        "diff" => differential::diff(rest).map_err(Into::into),
        "fake-server" => fake::serve(rest),
        "sync" => with_tree(root, |tree| database::sync(tree, &root.join("mappings.db"))),
        "report" => with_tree(root, |tree| report::write(tree, &root.join("GAPS.md"))),
        "dashboard" => {
            with_tree(root, |tree| dashboard::write(tree, &root.join("target/dashboard")))
        }
        "check" => with_tree(root, check::check),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn with_tree(root: &Path, command: impl FnOnce(&Tree) -> Outcome) -> Outcome {
    command(&Tree::read(root)?)
}

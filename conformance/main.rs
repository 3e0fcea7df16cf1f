//! The conformance suite: upstream's tests, ported, run against this server and the oracle.
//!
//! ```text
//! cargo test --features conformance                        # our server
//! CONFORMANCE_SERVER=upstream cargo test --features conformance --test conformance
//! cargo test --features conformance --test conformance -- --list
//! ```
//!
//! | variable | meaning |
//! | --- | --- |
//! | `CONFORMANCE_SERVER` | `rust` (default), `upstream`, or `fake` (see `conformance negative`) |
//! | `NATS_SERVER_UPSTREAM` | an upstream `nats-server` to use as the oracle |
//! | `CONFORMANCE_REQUIRE` | `1`: a case skipped for want of the oracle fails |
//! | `CONFORMANCE_TIMES` | run each case so many times in a row (default 1) |
//! | `CONFORMANCE_RECORD` | append one line per case (name, outcome, passes, version) to this file |

#![recursion_limit = "256"]
// The harness stands outside the server: it drives processes, files and sockets of its own.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]
// The kit is a vocabulary: not every word is in use at all times.
#![allow(dead_code, unused_imports)]

mod case;
mod cases;
mod differential;
mod kit;
mod run;
mod source;

pub(crate) use case::{Case, cases, collect, exercises};
pub(crate) use kit::Cx;

fn main() {
    run::main()
}

//! A NATS server: the core of `nats-server` in Rust, as a library.
//!
//! The binary of the same name is a thin shell around [`run`]. Programs that embed a server use
//! [`Server::start`] with an [`Options`] value.
//!
//! The crate is one house with floors; a module imports only from floors below its own
//! (`tests/tidy.rs` enforces it, ARCHITECTURE.md explains it):
//!
//! ```text
//! L7  server cli          assembly, listeners, reload, lame duck, signals
//! L6  monitor             HTTP endpoints
//! L5  conn                connection roles
//! L4  broker              accounts, match, fan out, outbound
//! L3  store               messages and consumer states on disk
//! L2  conf config auth tls logging
//! L1  wire ds model       codecs and data structures without I/O
//! L0  base                clock, randomness, file system, network, tasks, locks
//! ```

#[doc(hidden)]
pub mod auth;
#[doc(hidden)]
pub mod base;
#[doc(hidden)]
pub mod broker;
#[doc(hidden)]
pub mod conf;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod conn;
#[doc(hidden)]
pub mod ds;
#[doc(hidden)]
pub mod logging;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod monitor;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod tls;
#[doc(hidden)]
pub mod wire;

pub use config::options::Options;
pub use server::cli::run;
pub use server::{ReloadError, Server, StartError};

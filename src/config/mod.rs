//! The server's options: typed, validated, with upstream's defaults and error texts.
//!
//! Text becomes [`crate::conf::Map`], that becomes [`Options`] (plain data, never changed once it
//! runs), flags are laid over it, and a reload is a comparison of two values of [`Options`].
//! Go: server/opts.go, server/reload.go, main.go.

pub mod accounts;
mod authorization;
pub mod cluster;
pub mod diff;
pub mod feature_flags;
pub mod flags;
pub mod gateway;
mod go;
pub mod jetstream;
mod keys;
pub mod leafnode;
pub mod mqtt;
pub mod operator;
pub mod options;
mod parse;
mod read;
pub mod secret;
pub mod signal;
pub mod states;
mod tls;
pub mod url;
pub mod validate;
pub mod websocket;

pub use diff::reload_diff;
pub use flags::{CliError, Command, parse_args, reread, tls_usage, usage};
pub use options::{Options, Unsupported, WriteTimeoutPolicy};
pub use parse::{ConfigErrors, load, load_str};
pub use read::{ConfigError, Warning};
pub use secret::Secret;
pub use url::Url;

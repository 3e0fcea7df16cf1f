//! The server's options: typed, validated, with upstream's defaults and error texts.
//!
//! Text becomes [`crate::conf::Map`], that becomes [`Options`] (plain data, never changed once it
//! runs), flags are laid over it, and a reload is a comparison of two values of [`Options`].
//! Go: server/opts.go, server/reload.go, main.go.

pub mod accounts;
pub mod cluster;
pub mod gateway;
pub mod jetstream;
pub mod leafnode;
pub mod mqtt;
pub mod operator;
pub mod options;
pub mod secret;
pub mod url;
pub mod websocket;

pub use options::{Options, Unsupported, WriteTimeoutPolicy};
pub use secret::Secret;
pub use url::Url;

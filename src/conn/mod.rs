//! Connections: what a server and its clients say to each other.
//!
//! A connection is a stream (see [`crate::base::net`]), a protocol ([`crate::wire`]) and a role.
//! Roles have a folder each; what they share is here.

pub mod client;
pub mod context;
pub mod registry;
pub mod settings;
pub mod timers;

pub use client::Client;
pub use context::{Context, Phase};
pub use registry::Registry;
pub use settings::Settings;

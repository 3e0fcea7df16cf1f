//! The only door out of the server: clock, randomness, disk, network, tasks and locks.
//!
//! Nothing above this module names `std::fs`, `tokio::net`, `tokio::spawn` or `Instant::now`
//! (clippy's disallowed lists enforce it), so a whole server can run in memory, on one thread,
//! from a seed.

// The door itself is made of the things the rest of the crate may not touch.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cached_clock;
pub mod clock;
pub mod codec;
pub mod duration;
pub mod env;
pub mod fs;
pub mod json;
pub mod limits;
pub mod lock;
pub mod net;
pub mod queue;
pub mod rng;
pub mod signals;
pub mod tasks;
pub mod text;
pub mod zone;

pub use clock::{Clock, Mono};
pub use env::Env;
pub use rng::Rng;

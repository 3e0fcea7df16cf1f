//! Storage of streams and consumers: the interfaces of their stores, the memory stores, and
//! upstream's store directories.
//!
//! What touches a disk does it through [`crate::base::fs`] alone; codecs work on bytes.

pub mod archive;
pub mod commit;
pub mod consumer;
pub mod file;
pub mod memory;
pub mod message;
#[cfg(test)]
mod model_tests;
mod proposals;
pub mod scheduled;
pub mod schedules;
pub mod sources;
pub mod stream;
pub mod stream_state;

//! State of consumers.

pub mod codec;
pub mod core;
mod store;

pub use store::{ConsumerStore, MemoryConsumerStore};

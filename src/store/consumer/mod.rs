//! State of consumers.

pub mod codec;
pub mod core;

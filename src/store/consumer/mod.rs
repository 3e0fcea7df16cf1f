//! State of consumers.

pub mod codec;

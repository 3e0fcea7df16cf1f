//! Storage of streams and consumers.
//!
//! The file store reads and writes upstream's directories. It does its I/O through
//! [`crate::base::fs`] alone; codecs work on bytes.

pub mod archive;
pub mod consumer;
pub mod file;
pub mod schedules;
pub mod sources;
pub mod stream_state;

//! Where messages and consumer states are kept.
//!
//! The file store reads and writes upstream's directories. It does its I/O through
//! [`crate::base::fs`] alone; codecs work on bytes.

pub mod file;

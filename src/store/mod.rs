//! Storage of streams and consumers. So far the codecs of what lies in a store's files.

pub mod archive;
pub mod consumer;
pub mod schedules;
pub mod sources;
pub mod stream_state;

//! Storage of streams and consumers. The interfaces of their stores, the memory stores,
//! and the codecs of what lies in a store's files.

pub mod archive;
pub mod consumer;
pub mod memory;
pub mod message;
pub mod schedules;
pub mod sources;
pub mod stream;
pub mod stream_state;

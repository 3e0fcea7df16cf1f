//! Streams and consumers as plain data: their configurations and states, and the JSON that
//! upstream's files and API hold of them, field for field and byte for byte.
//!
//! Fields have the names they have in JSON. Every struct is read with what is missing at its zero
//! value, as in Go; whether that makes sense is for those to say who get a configuration from a
//! client.

mod consumer;
mod file_info;
mod policies;
mod state;
mod stream;
mod time;

pub use consumer::ConsumerConfig;
pub use file_info::{FileConsumerInfo, FileStreamInfo};
pub use policies::{
    AckPolicy, DeliverPolicy, DiscardPolicy, PersistMode, PriorityPolicy, ReplayPolicy,
    RetentionPolicy, StorageType, StoreCompression,
};
pub use state::{ConsumerState, LostStreamData, Pending, SequencePair, SimpleState, StreamState};
pub use stream::{
    ExternalStream, Placement, RePublish, StreamConfig, StreamConsumerLimits, StreamConsumerSource,
    StreamSource, SubjectTransformConfig,
};
pub use time::{Time, TimeError};

#[cfg(test)]
mod tests;

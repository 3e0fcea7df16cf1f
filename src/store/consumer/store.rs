//! Where a consumer's state is kept. Go: `server/store.go` `ConsumerStore`.

use super::codec;
use super::core::ConsumerCore;
use crate::model::ConsumerConfig;
use crate::store::stream::StoreError;

/// Keeps the state of a consumer.
pub trait ConsumerStore: Send {
    /// The state, and what its configuration says of it.
    fn core(&self) -> Result<&ConsumerCore, StoreError>;
    /// Changes the state by one of its transitions, and keeps the result if that succeeds.
    fn change(
        &mut self,
        transition: &mut dyn FnMut(&mut ConsumerCore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
    /// Whether it was ever told where to begin, or to go on.
    fn has_state(&self) -> bool {
        self.core().is_ok_and(ConsumerCore::has_state)
    }
    /// The state as files and replicas hold it; `now_ns` is what its times are counted from.
    fn encoded_state(&self, now_ns: i64) -> Result<Vec<u8>, StoreError> {
        Ok(codec::encode(self.core()?.state(), now_ns))
    }
    /// Ends it; what is durable stays.
    fn stop(&mut self) -> Result<(), StoreError>;
    /// Ends it and removes everything.
    fn delete(&mut self) -> Result<(), StoreError>;
}

/// A consumer's state in memory; none when it is stopped.
#[derive(Debug)]
pub struct MemoryConsumerStore(Option<ConsumerCore>);

impl MemoryConsumerStore {
    /// One of a consumer that has delivered nothing.
    pub fn new(config: &ConsumerConfig) -> Self {
        Self(Some(ConsumerCore::new(config)))
    }
}

impl ConsumerStore for MemoryConsumerStore {
    fn core(&self) -> Result<&ConsumerCore, StoreError> {
        self.0.as_ref().ok_or(StoreError::Closed)
    }

    fn change(
        &mut self,
        transition: &mut dyn FnMut(&mut ConsumerCore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        transition(self.0.as_mut().ok_or(StoreError::Closed)?)
    }

    fn stop(&mut self) -> Result<(), StoreError> {
        self.0 = None;
        Ok(())
    }

    fn delete(&mut self) -> Result<(), StoreError> {
        self.stop()
    }
}

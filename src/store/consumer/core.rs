//! How the state of a consumer changes, wherever it is kept. Go: `server/memstore.go`
//! `consumerMemStore`, `server/filestore.go` `consumerFileStore`.

use crate::model::{AckPolicy, ConsumerConfig, ConsumerState, Pending, SequencePair};
use crate::store::stream::StoreError;

/// A consumer's state under its configuration.
#[derive(Clone, Debug, Default)]
pub struct ConsumerCore {
    /// How it acknowledges, and how often it delivers.
    pub config: ConsumerConfig,
    state: ConsumerState,
}

impl ConsumerCore {
    /// One that has delivered nothing.
    pub fn new(config: &ConsumerConfig) -> Self {
        Self { config: config.clone(), state: ConsumerState::default() }
    }

    /// One that goes on from a state that was kept.
    pub fn with_state(config: &ConsumerConfig, state: ConsumerState) -> Self {
        Self { config: config.clone(), state }
    }

    /// The state.
    pub fn state(&self) -> &ConsumerState {
        &self.state
    }

    /// Whether it has delivered or skipped anything.
    pub fn has_state(&self) -> bool {
        self.state.delivered != SequencePair::default()
    }

    /// Nothing is delivered up to stream sequence `seq`.
    pub fn set_starting(&mut self, seq: u64) {
        self.state.delivered.stream_seq = seq;
        self.state.ack_floor.stream_seq = seq;
    }

    /// As [`ConsumerCore::set_starting`], but never backwards, and what is pending stays.
    pub fn update_starting(&mut self, seq: u64) {
        if seq > self.state.delivered.stream_seq {
            self.state.delivered.stream_seq = seq;
            if self.config.ack_policy == AckPolicy::None {
                self.state.ack_floor.stream_seq = seq;
            }
        }
    }

    /// Forgets everything and begins after stream sequence `seq`.
    pub fn reset(&mut self, seq: u64) {
        self.state = ConsumerState::default();
        self.set_starting(seq);
    }

    /// Takes over a state that is not older.
    pub fn update(&mut self, state: &ConsumerState) -> Result<(), StoreError> {
        validate(state)?;
        if state.delivered.consumer_seq < self.state.delivered.consumer_seq
            || state.ack_floor.stream_seq < self.state.ack_floor.stream_seq
        {
            return Err(StoreError::OldUpdate);
        }
        self.state = state.clone();
        Ok(())
    }

    /// Takes over a state whatever there was.
    pub fn force_update(&mut self, state: &ConsumerState) -> Result<(), StoreError> {
        validate(state)?;
        self.state = state.clone();
        Ok(())
    }

    /// Stream message `stream_seq` was delivered as `consumer_seq`, for the `deliveries`-th time.
    pub fn update_delivered(
        &mut self,
        consumer_seq: u64,
        stream_seq: u64,
        deliveries: u64,
        time_ns: i64,
    ) -> Result<(), StoreError> {
        let acks = self.config.ack_policy != AckPolicy::None;
        if !acks && deliveries != 1 {
            return Err(StoreError::NoAckPolicy);
        }
        let state = &mut self.state;
        if consumer_seq <= state.ack_floor.consumer_seq {
            return Ok(());
        }
        if acks {
            if stream_seq > state.delivered.stream_seq {
                let pending = Pending { sequence: consumer_seq, timestamp: time_ns };
                state.pending.insert(stream_seq, pending);
            } else if let Some(pending) = state.pending.get_mut(&stream_seq) {
                pending.timestamp = time_ns;
            }
        }
        let delivered = &mut state.delivered;
        if consumer_seq > delivered.consumer_seq {
            delivered.consumer_seq = consumer_seq;
            if !acks {
                state.ack_floor.consumer_seq = consumer_seq;
            }
        }
        if stream_seq > delivered.stream_seq {
            delivered.stream_seq = stream_seq;
            if !acks {
                state.ack_floor.stream_seq = stream_seq;
            }
        }
        if deliveries > 1 {
            let most = u64::try_from(self.config.max_deliver).unwrap_or(0);
            if most > 0 && deliveries > most {
                state.pending.remove(&stream_seq);
            }
            let again = state.redelivered.entry(stream_seq).or_default();
            *again = (*again).max(deliveries - 1);
        }
        Ok(())
    }

    /// Message `stream_seq`, delivered as `consumer_seq`, is acknowledged.
    pub fn update_acks(&mut self, consumer_seq: u64, stream_seq: u64) -> Result<(), StoreError> {
        if self.config.ack_policy == AckPolicy::None {
            return Err(StoreError::NoAckPolicy);
        }
        let state = &mut self.state;
        state.redelivered.remove(&stream_seq);
        if consumer_seq <= state.ack_floor.consumer_seq {
            return Ok(());
        }
        let Some(pending) = state.pending.get(&stream_seq) else {
            return Err(StoreError::NotFound);
        };
        if self.config.ack_policy != AckPolicy::Explicit {
            let floor = state.ack_floor.stream_seq;
            state.ack_floor = SequencePair { consumer_seq, stream_seq };
            let done = |seq: u64| seq > floor && seq <= stream_seq;
            state.pending.retain(|seq, _| !done(*seq));
            state.redelivered.retain(|seq, _| !done(*seq));
            return Ok(());
        }
        // A message that was delivered again counts as the first time.
        let first = if pending.sequence > 0 { pending.sequence } else { consumer_seq };
        let consumer_seq = consumer_seq.min(first);
        state.pending.remove(&stream_seq);
        if state.pending.is_empty() {
            state.ack_floor = state.delivered;
        } else if consumer_seq == state.ack_floor.consumer_seq + 1 {
            state.ack_floor = SequencePair { consumer_seq, stream_seq };
            // What was acknowledged before its turn is below the floor now.
            let next = state.pending.range(stream_seq..).next();
            if let Some((seq, pending)) = next.filter(|(_, pending)| pending.sequence > 0) {
                let consumer_seq = pending.sequence - 1;
                state.ack_floor = SequencePair { consumer_seq, stream_seq: seq - 1 };
            }
        }
        Ok(())
    }

    /// Forgets how often messages below `seq` were delivered again.
    pub fn remove_redelivered_below(&mut self, seq: u64) {
        self.state.redelivered.retain(|at, _| *at >= seq);
    }
}

fn validate(state: &ConsumerState) -> Result<(), StoreError> {
    let (floor, delivered) = (state.ack_floor, state.delivered);
    if floor.consumer_seq > delivered.consumer_seq {
        return Err(StoreError::BadState("bad ack floor for consumer"));
    }
    if floor.stream_seq > delivered.stream_seq {
        return Err(StoreError::BadState("bad ack floor for stream"));
    }
    let out = |seq: &&u64| **seq <= floor.stream_seq || **seq > delivered.stream_seq;
    match state.pending.keys().find(out) {
        Some(seq) => Err(StoreError::BadPending(*seq)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_out_of_order_raise_the_floor_together() {
        let config = ConsumerConfig { ack_policy: AckPolicy::Explicit, ..Default::default() };
        let mut core = ConsumerCore::new(&config);
        (1..=3).for_each(|n| core.update_delivered(n, n * 10, 1, 7).unwrap());
        core.update_acks(2, 20).unwrap();
        assert_eq!(core.state().ack_floor, SequencePair::default());
        core.update_acks(1, 10).unwrap();
        let floor = SequencePair { consumer_seq: 2, stream_seq: 29 };
        assert_eq!(core.state().ack_floor, floor);
        assert!(matches!(core.update_acks(4, 40), Err(StoreError::NotFound)));
        core.update_acks(3, 30).unwrap();
        assert_eq!(core.state().ack_floor, core.state().delivered);
    }

    #[test]
    fn one_acknowledgement_may_stand_for_all_before() {
        let config = ConsumerConfig { ack_policy: AckPolicy::All, ..Default::default() };
        let mut core = ConsumerCore::new(&config);
        (1..=3).for_each(|n| core.update_delivered(n, n, 1, 7).unwrap());
        core.update_delivered(4, 1, 2, 8).unwrap();
        assert_eq!(core.state().redelivered.get(&1), Some(&1));
        core.update_acks(2, 2).unwrap();
        assert!(core.state().pending.keys().eq([&3]) && core.state().redelivered.is_empty());
    }
}

//! The store of a stream's messages in memory. Go: `server/memstore.go`.
//!
//! Messages are in segments by sequence, and linked to their neighbours of the same subject: first
//! and last of a subject are never searched. What is deleted is what is not there.

mod limits;
mod messages;
mod queries;
mod store;
mod subjects;
#[cfg(test)]
mod tests;

use crate::base::Env;
use crate::ds::expiries::Expiries;
use crate::model::{StorageType, StreamConfig, Time};
use crate::store::message;
use crate::store::proposals::Proposals;
use crate::store::schedules::Schedules;
use crate::store::sources::Sources;
use crate::store::stream::{Effects, NewMessage, StoreError};
use messages::{Message, Messages};
use subjects::Subjects;

/// The messages of a stream, in memory.
pub struct MemoryStore {
    env: Env,
    config: StreamConfig,
    messages: Messages,
    subjects: Subjects,
    bytes: u64,
    first_seq: u64,
    last_seq: u64,
    last_time: Time,
    /// Times to live that have not ended.
    expiries: Expiries,
    /// Messages below are gone, left to the owner to remove, or never too old.
    aged_seq: u64,
    /// Messages that are left to the owner to remove.
    proposals: Proposals,
    schedules: Option<Schedules>,
    sources: Sources,
    effects: Effects,
    closed: bool,
}

impl MemoryStore {
    /// An empty one. `env` is where the time zones of schedules are looked up.
    ///
    /// # Errors
    /// When the configuration is not for memory.
    pub fn new(env: &Env, config: &StreamConfig) -> Result<Self, StoreError> {
        if config.storage != StorageType::Memory {
            return Err(StoreError::WrongType);
        }
        Ok(Self {
            env: env.clone(),
            config: config.clone(),
            messages: Messages::default(),
            subjects: Subjects::default(),
            bytes: 0,
            first_seq: config.first_seq,
            last_seq: config.first_seq.saturating_sub(1),
            last_time: Time::default(),
            expiries: Expiries::new(),
            aged_seq: 0,
            proposals: Proposals::default(),
            schedules: config.allow_msg_schedules.then(Schedules::new),
            sources: Sources::default(),
            effects: Effects::default(),
            closed: false,
        })
    }

    fn open(&self) -> Result<(), StoreError> {
        if self.closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// The next sequence, if `seq` is it or 0.
    fn next_seq(&self, seq: u64) -> Result<u64, StoreError> {
        // There is always one after the last.
        let next = self.last_seq.checked_add(1).filter(|next| *next < u64::MAX);
        let next = next.ok_or(StoreError::SequenceMismatch)?;
        if seq == 0 || seq == next { Ok(next) } else { Err(StoreError::SequenceMismatch) }
    }

    /// Stores a message that nothing speaks against.
    fn append(&mut self, new: NewMessage<'_>, seq: u64, time_ns: i64) {
        if self.messages.len() == 0 {
            self.first_seq = seq;
        }
        let prev = self.subjects.add(new.subject, seq);
        if let Some(before) = self.messages.get_mut(prev) {
            before.next = seq;
        }
        let message = Message::new(new, time_ns, prev);
        let size = message.size();
        if let Some(expires) = message.expires_ns().filter(|_| self.config.allow_msg_ttl) {
            self.expiries.add(seq, expires);
        }
        self.messages.insert(seq, message);
        self.bytes += size;
        self.last_seq = seq;
        self.last_time = Time::from_unix_ns(time_ns);
        self.effects.messages += 1;
        self.effects.bytes += size as i64;
    }

    /// What a message that was stored means to schedules and sources.
    fn note(&mut self, new: NewMessage<'_>, seq: u64, time_ns: i64) {
        let stays = self.messages.get(seq).is_some();
        if let Some(schedules) = self.schedules.as_mut().filter(|_| stays) {
            let (env, stored) = (&self.env, (seq, time_ns));
            message::note_schedule(env, schedules, stored, new.subject, new.headers, time_ns);
        }
        if self.sources.0.is_empty() {
            return;
        }
        if let Some((name, state)) = message::source(new.headers)
            && let Some(known) = self.sources.0.get_mut(&name)
        {
            *known = state;
        }
    }

    /// Reads the times to live from the headers: times to live did not count so far.
    fn read_ttls(&mut self) {
        for (seq, message) in self.messages.iter_mut() {
            message.ttl_s = message::ttl_s(message.headers());
            message.expires_ns().into_iter().for_each(|at_ns| self.expiries.add(seq, at_ns));
        }
    }

    /// Takes a message out of everything that knows of it but the first sequence and the effects.
    fn unlink(&mut self, seq: u64) -> Option<Message> {
        let message = self.messages.remove(seq)?;
        self.bytes -= message.size();
        if let Some(before) = self.messages.get_mut(message.prev) {
            before.next = message.next;
        }
        if let Some(after) = self.messages.get_mut(message.next) {
            after.prev = message.prev;
        }
        self.subjects.remove(message.subject(), message.prev, message.next);
        self.proposals.remove(seq, message.subject());
        if let Some(expires) = message.expires_ns() {
            self.expiries.remove(seq, expires);
        }
        if let Some(schedules) = &mut self.schedules {
            schedules.remove(seq);
        }
        self.effects.messages -= 1;
        self.effects.bytes -= message.size() as i64;
        Some(message)
    }

    /// Moves the first sequence to the first message that there is.
    fn settle_first(&mut self) {
        let first = self.messages.range(self.first_seq..=self.last_seq).next();
        self.first_seq = first.map_or(self.last_seq.saturating_add(1), |(seq, _)| seq);
    }

    /// Removes a message and says so.
    fn remove_one(&mut self, seq: u64, wipe: bool) -> bool {
        let Some(mut message) = self.unlink(seq) else { return false };
        if seq == self.first_seq {
            self.settle_first();
        }
        self.effects.push_removed(seq, message.subject());
        if wipe {
            message.wipe();
        }
        true
    }

    /// Removes these messages, which have to be there; they count in the totals.
    fn remove_many(&mut self, seqs: &[u64]) -> u64 {
        if let [seq] = seqs {
            return u64::from(self.remove_one(*seq, false));
        }
        let removed = seqs.iter().filter_map(|seq| self.unlink(*seq)).count();
        self.settle_first();
        removed as u64
    }

    /// Forgets all messages; the next sequence will be `next`.
    fn clear(&mut self, next: u64) -> u64 {
        let purged = self.messages.len();
        self.effects.messages -= purged as i64;
        self.effects.bytes -= self.bytes as i64;
        self.messages = Messages::default();
        self.subjects = Subjects::default();
        self.expiries = Expiries::new();
        (self.aged_seq, self.proposals) = (0, Proposals::default());
        if let Some(schedules) = &mut self.schedules {
            *schedules = Schedules::new();
        }
        self.bytes = 0;
        (self.first_seq, self.last_seq) = (next, next.saturating_sub(1));
        purged
    }
}

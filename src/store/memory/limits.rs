//! What a stream's limits refuse or remove.

use super::MemoryStore;
use super::messages::size_of;
use crate::model::{DiscardPolicy, SimpleState};
use crate::store::message;
use crate::store::stream::{Expired, Filter, NewMessage, StoreError};

const SECOND_NS: i64 = 1_000_000_000;

/// A limit; none if it is not positive.
fn limit(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|limit| *limit > 0)
}

impl MemoryStore {
    /// Whether limits that refuse new messages allow this one.
    pub(super) fn check(&self, new: &NewMessage<'_>) -> Result<(), StoreError> {
        if self.config.discard != DiscardPolicy::New {
            return Ok(());
        }
        // A message whose subject is full replaces one.
        let subject = self.subjects.get(new.subject);
        let full = |state: &&SimpleState| {
            limit(self.config.max_msgs_per_subject).is_some_and(|max| state.messages >= max)
        };
        let replaced = subject.filter(full).and_then(|state| self.messages.get(state.first_seq));
        if replaced.is_some()
            && self.config.discard_new_per_subject
            && !message::is_rollup(new.headers)
        {
            return Err(StoreError::MaxMsgsPerSubject);
        }
        let max_msgs = limit(self.config.max_msgs);
        if replaced.is_none() && max_msgs.is_some_and(|max| self.messages.len() >= max) {
            return Err(StoreError::MaxMsgs);
        }
        let size = size_of(new);
        if limit(self.config.max_bytes).is_some_and(|max| self.bytes + size > max)
            && replaced.is_none_or(|old| old.size() < size)
        {
            return Err(StoreError::MaxBytes);
        }
        Ok(())
    }

    /// Removes the oldest messages of a subject that has too many.
    pub(super) fn enforce_subject(&mut self, subject: &[u8]) {
        let Some(max) = limit(self.config.max_msgs_per_subject) else { return };
        while let Some(first) = self
            .subjects
            .get(subject)
            .filter(|state| state.messages > max)
            .map(|state| state.first_seq)
        {
            if !self.remove_one(first, false) {
                return;
            }
        }
    }

    /// As [`MemoryStore::enforce_subject`], all subjects.
    pub(super) fn enforce_subjects(&mut self) {
        let Some(max) = limit(self.config.max_msgs_per_subject) else { return };
        let mut over = Vec::new();
        self.subjects.for_each(Filter::All, |subject, state| {
            if state.messages > max {
                over.push(subject.to_vec());
            }
        });
        over.iter().for_each(|subject| self.enforce_subject(subject));
    }

    /// Removes the oldest messages of a stream that has too many or too large ones.
    pub(super) fn enforce_totals(&mut self) {
        if self.config.discard != DiscardPolicy::Old {
            return;
        }
        let (max_msgs, max_bytes) = (limit(self.config.max_msgs), limit(self.config.max_bytes));
        while max_msgs.is_some_and(|max| self.messages.len() > max)
            || max_bytes.is_some_and(|max| self.bytes > max)
        {
            if !self.remove_one(self.first_seq, false) {
                return;
            }
        }
    }

    /// Removes what is too old or has lived as long as it was to, or leaves that to the owner;
    /// when there is more, if ever.
    pub(super) fn expire_at(&mut self, now_ns: i64) -> Option<i64> {
        let mut due = self.take_old(now_ns);
        self.expiries.expire(now_ns, |seq, _| {
            due.push(seq);
            true
        });
        due.extend(self.proposals.due(now_ns));
        due.sort_unstable();
        due.dedup();
        if self.marks_ends() {
            due.iter().for_each(|seq| self.propose(*seq, now_ns));
        } else {
            due.iter().for_each(|seq| _ = self.remove_one(*seq, false));
        }
        self.next_due()
    }

    /// Whether the end of a subject is marked, which is the owner's to do.
    fn marks_ends(&self) -> bool {
        self.config.subject_delete_marker_ttl.0 >= SECOND_NS
    }

    /// The messages that have become older than the stream allows.
    fn take_old(&mut self, now_ns: i64) -> Vec<u64> {
        let mut old = Vec::new();
        let Some(oldest_ns) = self.oldest_ns(now_ns) else { return old };
        for (seq, message) in self.messages.range(self.aged_seq..=self.last_seq) {
            if message.ttl_s >= 0 {
                if message.time_ns > oldest_ns {
                    break;
                }
                old.push(seq);
            }
            self.aged_seq = seq + 1;
        }
        old
    }

    /// From when on messages are not too old, if they ever are.
    fn oldest_ns(&self, now_ns: i64) -> Option<i64> {
        limit(self.config.max_age.0).map(|max_age| now_ns.saturating_sub_unsigned(max_age))
    }

    /// Whether a message is too old, or has lived as long as it was to.
    fn is_due(&self, seq: u64, now_ns: i64) -> bool {
        let oldest_ns = self.oldest_ns(now_ns);
        self.messages.get(seq).is_some_and(|message| {
            let ended = message.expires_ns().is_some_and(|at_ns| at_ns <= now_ns);
            let old = oldest_ns.is_some_and(|oldest_ns| message.time_ns <= oldest_ns);
            (self.config.allow_msg_ttl && ended) || (old && message.ttl_s >= 0)
        })
    }

    /// Takes back what the owner was asked to remove and need not by another configuration: it
    /// stays, or goes without him.
    pub(super) fn reconsider(&mut self, now_ns: i64) {
        // What was too old need not be any more, or the other way round.
        self.aged_seq = 0;
        let marks = self.marks_ends();
        let asked: Vec<u64> = self.proposals.iter().collect();
        for seq in asked {
            if marks && self.is_due(seq, now_ns) {
                continue;
            }
            let Some(message) = self.messages.get(seq) else { continue };
            self.proposals.remove(seq, message.subject());
            if let Some(at_ns) = message.expires_ns().filter(|_| self.config.allow_msg_ttl) {
                self.expiries.add(seq, at_ns);
            }
        }
    }

    fn next_due(&self) -> Option<i64> {
        let age = limit(self.config.max_age.0).and_then(|max_age| {
            let mut young = self.messages.range(self.aged_seq..=self.last_seq);
            let (_, first) = young.find(|(_, message)| message.ttl_s >= 0)?;
            Some(first.time_ns.saturating_add_unsigned(max_age))
        });
        [self.proposals.next(), self.expiries.next(), age].into_iter().flatten().min()
    }

    /// Leaves the removal of a message to the owner, who may have been asked before.
    fn propose(&mut self, seq: u64, now_ns: i64) {
        let Some(found) = self.messages.get(seq) else { return };
        let subject = found.subject();
        let messages = self.subjects.get(subject).map_or(0, |state| state.messages);
        if let Some(last) = self.proposals.propose(seq, subject, messages, now_ns) {
            let marker = last && !message::is_delete_marker(found.headers());
            self.effects.expired.push(Expired { seq, subject: subject.into(), marker });
        }
    }
}

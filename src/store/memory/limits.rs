//! What a stream's limits refuse or remove.

use super::messages::size_of;
use super::{MemoryStore, Proposal};
use crate::model::{DiscardPolicy, SimpleState};
use crate::store::message;
use crate::store::stream::{Expired, Filter, NewMessage, StoreError};

/// How long the owner has to remove what it was asked to, before it is asked again.
const PROPOSAL_NS: i64 = 2_000_000_000;

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
        let mut due = self.too_old(now_ns);
        due.extend(self.expiries.due(now_ns).map(|(seq, _)| seq));
        due.sort_unstable();
        due.dedup();
        if self.config.subject_delete_marker_ttl.0 < 1_000_000_000 {
            due.iter().for_each(|seq| _ = self.remove_one(*seq, false));
        } else {
            due.iter().for_each(|seq| self.propose(*seq, now_ns));
        }
        self.next_due(now_ns)
    }

    /// The messages that are older than the stream allows.
    fn too_old(&self, now_ns: i64) -> Vec<u64> {
        let Some(max_age) = limit(self.config.max_age.0) else { return Vec::new() };
        let oldest_ns = now_ns.saturating_sub_unsigned(max_age);
        let all = self.messages.range(self.first_seq..=self.last_seq);
        all.take_while(|(_, message)| message.time_ns <= oldest_ns)
            .filter(|(_, message)| message.ttl_s >= 0)
            .map(|(seq, _)| seq)
            .collect()
    }

    fn next_due(&self, now_ns: i64) -> Option<i64> {
        // What was left to the owner is due already, and asked for again if nothing happens.
        let again = self.proposed.values().map(|proposal| proposal.at_ns + PROPOSAL_NS).min();
        let ttl = self.expiries.iter().map(|(_, at_ns)| at_ns).find(|at_ns| *at_ns > now_ns);
        let age = limit(self.config.max_age.0).and_then(|max_age| {
            let all = self.messages.range(self.first_seq..=self.last_seq);
            let mut ends = all
                .filter(|(_, message)| message.ttl_s >= 0)
                .map(|(_, message)| message.time_ns.saturating_add_unsigned(max_age));
            ends.find(|at_ns| *at_ns > now_ns)
        });
        [again, ttl, age].into_iter().flatten().min()
    }

    /// Leaves the removal of a message to the owner.
    fn propose(&mut self, seq: u64, now_ns: i64) {
        let Some(found) = self.messages.get(seq) else { return };
        let before = self.proposed.get(&seq).copied();
        if before.is_some_and(|before| now_ns - before.at_ns < PROPOSAL_NS) {
            return;
        }
        // The last one of its subject is the one after which nothing stays.
        let last = self.stays_none_but(seq);
        let last = last && before.is_none_or(|before| before.marker);
        self.proposed.insert(seq, Proposal { marker: last, at_ns: now_ns });
        let marker = last && !message::is_delete_marker(found.headers());
        let subject = found.subject().into();
        self.effects.expired.push(Expired { seq, subject, marker });
    }

    /// Whether all other messages of the subject are left to the owner to remove.
    fn stays_none_but(&self, seq: u64) -> bool {
        let chain = |step: fn(&super::Message) -> u64| {
            let next = move |at: &u64| self.messages.get(*at).map(step).filter(|at| *at != 0);
            std::iter::successors(next(&seq), next)
        };
        chain(|message| message.prev)
            .chain(chain(|message| message.next))
            .all(|other| self.proposed.contains_key(&other))
    }
}

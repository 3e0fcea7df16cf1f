//! What the stream's limits refuse or remove, and what expires.

use super::super::record::message_len;
use super::remove::Why;
use super::{FileStore, Proposal};
use crate::model::DiscardPolicy;
use crate::store::message;
use crate::store::stream::{Filter, NewMessage, StoreError};
use std::ops::ControlFlow;

/// How long the owner has to remove what it was asked to, before it is asked again.
const PROPOSAL_NS: i64 = 2_000_000_000;

/// A limit; none if it is not positive.
fn limit(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|limit| *limit > 0)
}

impl FileStore {
    /// Whether limits that refuse new messages allow this one.
    pub(super) fn check_limits(&mut self, new: &NewMessage<'_>) -> Result<(), StoreError> {
        if self.config.discard != DiscardPolicy::New {
            return Ok(());
        }
        // A message whose subject is full replaces one.
        let mut replaced = None;
        if let Some(max) = limit(self.config.max_msgs_per_subject)
            && let Some(id) = self.subjects.find(new.subject)
            && self.subjects.state(id).messages >= max
        {
            if self.config.discard_new_per_subject && !message::is_rollup(new.headers) {
                return Err(StoreError::MaxMsgsPerSubject);
            }
            replaced = Some(self.first_of(id)?);
        }
        let max_msgs = limit(self.config.max_msgs);
        if replaced.is_none() && max_msgs.is_some_and(|max| self.totals.messages >= max) {
            return Err(StoreError::MaxMsgs);
        }
        let len = message_len(new.subject.len(), new.headers.len(), new.payload.len()) as u64;
        let too_large = |max| self.totals.bytes.saturating_add(len) > max;
        if limit(self.config.max_bytes).is_some_and(too_large) {
            let room = match replaced.flatten() {
                Some(seq) => self.len_of(seq)?,
                None => 0,
            };
            if room < len {
                return Err(StoreError::MaxBytes);
            }
        }
        Ok(())
    }

    /// Bytes of a message's record.
    fn len_of(&mut self, seq: u64) -> Result<u64, StoreError> {
        let at = self.block_of(seq);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(0) };
        Ok(block.peek(&mut self.disk, seq)?.map_or(0, |record| record.len as u64))
    }

    /// Removes the oldest messages of a subject that has too many.
    pub(super) fn enforce_subject(&mut self, subject: &[u8]) -> Result<(), StoreError> {
        let Some(max) = limit(self.config.max_msgs_per_subject) else { return Ok(()) };
        let Some(id) = self.subjects.find(subject) else { return Ok(()) };
        while self.subjects.state(id).messages > max {
            let Some(first) = self.first_of(id)? else { break };
            if !self.remove_one(first, Why::Limits)? {
                break;
            }
        }
        Ok(())
    }

    /// As [`FileStore::enforce_subject`], all subjects.
    pub(super) fn enforce_subjects(&mut self) -> Result<(), StoreError> {
        let Some(max) = limit(self.config.max_msgs_per_subject) else { return Ok(()) };
        let mut over = Vec::new();
        let _ = self.subjects.try_for_each(Filter::All, |_, subject, state| {
            if state.messages > max {
                over.push(subject.to_vec());
            }
            ControlFlow::<()>::Continue(())
        });
        over.iter().try_for_each(|subject| self.enforce_subject(subject))
    }

    /// Removes the oldest messages of a stream that has too many or too large ones.
    pub(super) fn enforce_totals(&mut self) -> Result<(), StoreError> {
        if self.config.discard != DiscardPolicy::Old {
            return Ok(());
        }
        let max_msgs = limit(self.config.max_msgs).unwrap_or(u64::MAX);
        let max_bytes = limit(self.config.max_bytes).unwrap_or(u64::MAX);
        loop {
            let (messages, bytes) = (self.totals.messages, self.totals.bytes);
            if messages == 0 || (messages <= max_msgs && bytes <= max_bytes) {
                return Ok(());
            }
            // As long as all of a block is too much, it goes as it is.
            let whole = self.blocks.front().is_some_and(|block| {
                messages - block.messages > max_msgs || bytes.saturating_sub(block.bytes) > max_bytes
            });
            if whole && self.blocks.len() > 1 {
                self.remove_block(0)?;
            } else if !self.remove_one(self.totals.first_seq, Why::Limits)? {
                return Ok(());
            }
        }
    }

    /// Removes what is too old or has lived as long as it was to, or leaves that to the owner;
    /// when there is more, if ever.
    pub(super) fn expire_at(&mut self, now_ns: i64) -> Result<Option<i64>, StoreError> {
        let marks = self.config.subject_delete_marker_ttl.0 >= 1_000_000_000;
        if !marks {
            self.expire_blocks(now_ns)?;
        }
        let (mut due, next_age) = self.too_old(now_ns)?;
        let expired: Vec<(u64, i64)> = self.expiries.due(now_ns).collect();
        due.extend(expired.iter().map(|(seq, _)| *seq));
        due.sort_unstable();
        due.dedup();
        for seq in due {
            if marks {
                self.propose(seq, now_ns)?;
            } else {
                self.remove_one(seq, Why::Limits)?;
            }
        }
        for (seq, at_ns) in expired {
            if !marks || self.next_held(seq) != Some(seq) {
                self.expiries.remove(seq, at_ns);
            }
        }
        // What was left to the owner is due already, and asked for again if nothing happens.
        let again = self.proposed.values().map(|proposal| proposal.at_ns + PROPOSAL_NS).min();
        let ttl = self.expiries.after(now_ns);
        Ok([again, ttl, next_age].into_iter().flatten().min())
    }

    /// Messages stored at that time or before are too old.
    fn oldest_ns(&self, now_ns: i64) -> Option<i64> {
        limit(self.config.max_age.0).map(|max_age| now_ns.saturating_sub_unsigned(max_age))
    }

    /// Removes blocks of which all messages are too old.
    fn expire_blocks(&mut self, now_ns: i64) -> Result<(), StoreError> {
        let Some(oldest) = self.oldest_ns(now_ns) else { return Ok(()) };
        while self.blocks.len() > 1
            && self.blocks.front().is_some_and(|block| block.last.1 <= oldest && block.ttls == 0)
            && !self.config.allow_msg_ttl
        {
            self.remove_block(0)?;
        }
        Ok(())
    }

    /// The messages that are too old, and when the next one will be.
    fn too_old(&mut self, now_ns: i64) -> Result<(Vec<u64>, Option<i64>), StoreError> {
        let mut due = Vec::new();
        let Some(oldest) = self.oldest_ns(now_ns) else { return Ok((due, None)) };
        let max_age = now_ns.saturating_sub(oldest);
        let mut next = self.next_held(self.totals.first_seq);
        while let Some(seq) = next {
            next = self.next_held(seq + 1);
            let at = self.block_of(seq);
            let Some(block) = self.blocks.get_mut(at) else { break };
            let (time_ns, ttl_s) = match block.peek(&mut self.disk, seq) {
                Ok(Some(record)) => (record.time_ns, message::ttl_s(record.headers)),
                Ok(None) | Err(StoreError::BadMessage(_)) => continue,
                Err(e) => return Err(e),
            };
            // One that lives for ever does not count.
            if ttl_s < 0 {
                continue;
            }
            if time_ns > oldest {
                return Ok((due, Some(time_ns.saturating_add(max_age))));
            }
            due.push(seq);
        }
        Ok((due, None))
    }

    /// Leaves the removal of a message to the owner.
    fn propose(&mut self, seq: u64, now_ns: i64) -> Result<(), StoreError> {
        let at = self.block_of(seq);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        let Some(record) = block.peek(&mut self.disk, seq)? else { return Ok(()) };
        let before = self.proposed.get(&seq).copied();
        if before.is_some_and(|before| now_ns - before.at_ns < PROPOSAL_NS) {
            return Ok(());
        }
        self.subject.clear();
        self.subject.extend_from_slice(record.subject);
        let is_marker = message::is_delete_marker(record.headers);
        // The last one of its subject is the one after which nothing stays.
        let last = self.stays_none_but(seq) && before.is_none_or(|before| before.marker);
        self.proposed.insert(seq, Proposal { marker: last, at_ns: now_ns });
        self.effects.push_expired(seq, &self.subject, last && !is_marker);
        Ok(())
    }
}

//! What the stream's limits refuse or remove, and what expires.

use super::super::record::message_len;
use super::super::state::Totals;
use super::super::subjects::Subjects;
use super::FileStore;
use super::remove::Why;
use crate::model::{DiscardPolicy, StreamConfig};
use crate::store::message;
use crate::store::stream::{Expired, Filter, NewMessage, StoreError};
use std::ops::ControlFlow;

const SECOND_NS: i64 = 1_000_000_000;

/// A limit; none if it is not positive.
fn limit(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|limit| *limit > 0)
}

/// Whether a configuration allows less than there is.
pub(super) fn removes(
    config: &StreamConfig,
    totals: &Totals,
    subjects: &Subjects,
    now_ns: i64,
) -> bool {
    let over = |max: i64, found: u64| limit(max).is_some_and(|max| found > max);
    let totals_over = config.discard == DiscardPolicy::Old
        && (over(config.max_msgs, totals.messages) || over(config.max_bytes, totals.bytes));
    let oldest_ns = limit(config.max_age.0).map(|max_age| now_ns.saturating_sub_unsigned(max_age));
    let is_old = totals.messages > 0 && oldest_ns.is_some_and(|oldest| totals.first_ns <= oldest);
    let subject_over = subjects.try_for_each(Filter::All, |_, _, state| {
        match over(config.max_msgs_per_subject, state.messages) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    totals_over || is_old || subject_over.is_break()
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
        self.touch(at);
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
        while self.totals.messages > max_msgs || self.totals.bytes > max_bytes {
            if !self.remove_one(self.totals.first_seq, Why::Limits)? {
                break;
            }
        }
        Ok(())
    }

    /// Removes what is too old or has lived as long as it was to, or leaves that to the owner;
    /// when there is more, if ever.
    pub(super) fn expire_at(&mut self, now_ns: i64) -> Result<Option<i64>, StoreError> {
        let marks = self.marks_ends();
        let mut due = self.take_old(now_ns)?;
        self.expiries.expire(now_ns, |seq, _| {
            due.push(seq);
            true
        });
        due.extend(self.proposals.due(now_ns));
        due.sort_unstable();
        due.dedup();
        for seq in due {
            if marks {
                self.propose(seq, now_ns)?;
            } else {
                self.remove_one(seq, Why::Limits)?;
            }
        }
        self.next_due()
    }

    /// Whether the end of a subject is marked, which is the owner's to do.
    pub(super) fn marks_ends(&self) -> bool {
        self.config.subject_delete_marker_ttl.0 >= SECOND_NS
    }

    /// Messages stored at that time or before are too old, if any ever are.
    fn oldest_ns(&self, now_ns: i64) -> Option<i64> {
        limit(self.config.max_age.0).map(|max_age| now_ns.saturating_sub_unsigned(max_age))
    }

    /// The messages that have become older than the stream allows.
    fn take_old(&mut self, now_ns: i64) -> Result<Vec<u64>, StoreError> {
        let mut old = Vec::new();
        let Some(oldest_ns) = self.oldest_ns(now_ns) else { return Ok(old) };
        let mut next = self.next_held(self.aged_seq);
        while let Some(seq) = next {
            if let Some((time_ns, _)) = self.age_of(seq)?.filter(|(_, ttl_s)| *ttl_s >= 0) {
                if time_ns > oldest_ns {
                    break;
                }
                old.push(seq);
            }
            self.aged_seq = seq + 1;
            next = self.next_held(seq + 1);
        }
        Ok(old)
    }

    /// When a message was stored, and its own time to live in seconds; nothing if it is unreadable.
    pub(super) fn age_of(&mut self, seq: u64) -> Result<Option<(i64, i64)>, StoreError> {
        let at = self.block_of(seq);
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(None) };
        match block.peek(&mut self.disk, seq) {
            Ok(record) => Ok(record.map(|r| (r.time_ns, message::ttl_s(r.headers)))),
            Err(StoreError::BadMessage(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether a message is too old, or has lived as long as it was to.
    fn is_due(&mut self, seq: u64, now_ns: i64) -> Result<bool, StoreError> {
        let Some((time_ns, ttl_s)) = self.age_of(seq)? else { return Ok(false) };
        let ended = ttl_s > 0 && message::expiry_ns(time_ns, ttl_s) <= now_ns;
        let old = self.oldest_ns(now_ns).is_some_and(|oldest_ns| time_ns <= oldest_ns);
        Ok((self.config.allow_msg_ttl && ended) || (old && ttl_s >= 0))
    }

    /// Takes back what the owner was asked to remove and need not by another configuration: it
    /// stays, or goes without him.
    pub(super) fn reconsider(&mut self, now_ns: i64) -> Result<(), StoreError> {
        // What was too old need not be any more, or the other way round.
        self.aged_seq = 0;
        let marks = self.marks_ends();
        let asked: Vec<u64> = self.proposals.iter().collect();
        for seq in asked {
            if marks && self.is_due(seq, now_ns)? {
                continue;
            }
            let Some((time_ns, ttl_s)) = self.age_of(seq)? else { continue };
            self.read_subject(seq)?;
            self.proposals.remove(seq, &self.subject);
            if ttl_s > 0 && self.config.allow_msg_ttl {
                self.expiries.add(seq, message::expiry_ns(time_ns, ttl_s));
            }
        }
        Ok(())
    }

    fn next_due(&mut self) -> Result<Option<i64>, StoreError> {
        let mut age = None;
        if let Some(max_age) = limit(self.config.max_age.0) {
            let mut next = self.next_held(self.aged_seq);
            while let Some(seq) = next {
                if let Some((time_ns, _)) = self.age_of(seq)?.filter(|(_, ttl_s)| *ttl_s >= 0) {
                    age = Some(time_ns.saturating_add_unsigned(max_age));
                    break;
                }
                next = self.next_held(seq + 1);
            }
        }
        Ok([self.proposals.next(), self.expiries.next(), age].into_iter().flatten().min())
    }

    /// Leaves the removal of a message to the owner, who may have been asked before.
    fn propose(&mut self, seq: u64, now_ns: i64) -> Result<(), StoreError> {
        let at = self.block_of(seq);
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        let Some(record) = block.peek(&mut self.disk, seq)? else { return Ok(()) };
        let subject = record.subject;
        let messages = self.subjects.get(subject).map_or(0, |state| state.messages);
        if let Some(last) = self.proposals.propose(seq, subject, messages, now_ns) {
            let marker = last && !message::is_delete_marker(record.headers);
            self.effects.expired.push(Expired { seq, subject: subject.into(), marker });
        }
        Ok(())
    }
}

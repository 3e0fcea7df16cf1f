//! The next and the last message that a filter means.
//!
//! Nearby messages are looked at first. Then the subjects say whether there is anything to find,
//! and in which blocks; in those, the messages of few subjects are found by their block's
//! [`super::postings`], those of many by looking at one after the other.

use super::FileStore;
use crate::store::file::subjects::{SubjectId, SubjectState};
use crate::store::stream::{Filter, StoreError};
use std::ops::{ControlFlow, RangeInclusive};

/// Messages that are looked at before the subjects are asked.
const NEAR: usize = 64;
/// Subjects that are looked for one by one.
const FEW: usize = 32;
/// In `first_seq` of a subject: it is behind this one, where is not known.
const BEHIND: u64 = 1 << 63;

/// The first sequence of a subject, if it is known.
pub(super) fn known(first_seq: u64) -> Option<u64> {
    (first_seq != 0 && first_seq & BEHIND == 0).then_some(first_seq)
}

/// Says that the first message of a subject is behind `seq`.
pub(super) fn behind(seq: u64) -> u64 {
    seq | BEHIND
}

/// Where messages of the subjects that are meant may be.
struct Candidates {
    /// The subjects, if they are few.
    few: Option<Vec<SubjectId>>,
    blocks: RangeInclusive<u32>,
}

impl FileStore {
    /// The first message from `start` on that is meant.
    pub(super) fn find_next(
        &mut self,
        filter: Filter<'_>,
        start: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut next = self.next_held(start.max(self.totals.first_seq));
        if matches!(filter, Filter::All) {
            return Ok(next);
        }
        if let Some(state) = self.state_of_literal(filter) {
            match known(state.first_seq) {
                Some(first) if first >= start => return Ok(Some(first)),
                _ if state.last_seq != 0 && state.last_seq < start => return Ok(None),
                _ => {}
            }
        }
        for _ in 0..NEAR {
            let Some(seq) = next else { return Ok(None) };
            if self.means(filter, seq)? {
                return Ok(Some(seq));
            }
            next = self.next_held(seq + 1);
        }
        let Some(rest) = next else { return Ok(None) };
        let at = self.block_of(rest);
        let from = self.blocks.get(at).map_or(0, |block| block.index);
        let end = self.blocks.back().map_or(from, |block| block.index);
        let Some(found) = self.candidates(filter, from..=end, rest..=u64::MAX) else {
            return Ok(None);
        };
        for at in at..self.blocks.len() {
            let Some(block) = self.blocks.get(at).filter(|block| block.messages > 0) else {
                continue;
            };
            if block.index > *found.blocks.end() {
                break;
            }
            if block.index < *found.blocks.start() {
                continue;
            }
            let seq = match &found.few {
                Some(few) => self.next_of_few(at, few, rest)?,
                None => self.next_in_block(at, filter, rest)?,
            };
            if seq.is_some() {
                return Ok(seq);
            }
        }
        Ok(None)
    }

    /// The last message up to `start` that is meant.
    pub(super) fn find_prev(
        &mut self,
        filter: Filter<'_>,
        start: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut prev = self.prev_held(start);
        if matches!(filter, Filter::All) {
            return Ok(prev);
        }
        if let Some(state) = self.state_of_literal(filter) {
            if state.last_seq != 0 && state.last_seq <= start {
                return Ok(Some(state.last_seq));
            }
            if known(state.first_seq).is_some_and(|first| first > start) {
                return Ok(None);
            }
        }
        for _ in 0..NEAR {
            let Some(seq) = prev else { return Ok(None) };
            if self.means(filter, seq)? {
                return Ok(Some(seq));
            }
            prev = seq.checked_sub(1).and_then(|seq| self.prev_held(seq));
        }
        let Some(rest) = prev else { return Ok(None) };
        let at = self.block_of(rest);
        let to = self.blocks.get(at).map_or(0, |block| block.index);
        let Some(found) = self.candidates(filter, 0..=to, 0..=rest) else { return Ok(None) };
        for at in (0..=at).rev() {
            let Some(block) = self.blocks.get(at).filter(|block| block.messages > 0) else {
                continue;
            };
            if block.index < *found.blocks.start() {
                break;
            }
            if block.index > *found.blocks.end() {
                continue;
            }
            let seq = match &found.few {
                Some(few) => self.prev_of_few(at, few, rest)?,
                None => self.prev_in_block(at, filter, rest)?,
            };
            if seq.is_some() {
                return Ok(seq);
            }
        }
        Ok(None)
    }

    /// What is known of the only subject that is meant, if it is one and has messages.
    fn state_of_literal(&self, filter: Filter<'_>) -> Option<SubjectState> {
        let Filter::Literal(subject) = filter else { return None };
        self.subjects.get(subject).copied()
    }

    /// The first message from `seq` on.
    pub(super) fn next_held(&self, seq: u64) -> Option<u64> {
        let at = self.block_of(seq);
        self.blocks.range(at..).find_map(|block| block.next_held(seq))
    }

    /// The last message up to `seq`.
    pub(super) fn prev_held(&self, seq: u64) -> Option<u64> {
        let at = self.block_of(seq);
        let end = self.blocks.len().min(at + 1);
        self.blocks.range(..end).rev().find_map(|block| block.prev_held(seq))
    }

    /// The first message of a subject that has some.
    pub(super) fn first_of(&mut self, id: SubjectId) -> Result<Option<u64>, StoreError> {
        let state = *self.subjects.state(id);
        if let Some(seq) = known(state.first_seq) {
            return Ok(Some(seq));
        }
        let from = (state.first_seq & !BEHIND).saturating_add(1);
        let begin = self.blocks.partition_point(|block| block.index < state.first_block);
        for at in begin.max(self.block_of(from))..self.blocks.len() {
            if let Some(seq) = self.next_of_few(at, &[id], from)? {
                let index = self.blocks.get(at).map_or(state.first_block, |block| block.index);
                let state = self.subjects.state_mut(id);
                (state.first_seq, state.first_block) = (seq, index);
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    /// The last message up to `max_seq` of a subject.
    pub(super) fn last_of(
        &mut self,
        id: SubjectId,
        max_seq: u64,
    ) -> Result<Option<u64>, StoreError> {
        let state = *self.subjects.state(id);
        if state.last_seq != 0 && state.last_seq <= max_seq {
            return Ok(Some(state.last_seq));
        }
        if known(state.first_seq).is_some_and(|first| first > max_seq) {
            return Ok(None);
        }
        let behind = self.blocks.partition_point(|block| block.index <= state.last_block);
        let end = behind.min(self.block_of(max_seq).saturating_add(1));
        for at in (0..end).rev() {
            let Some(block) = self.blocks.get(at) else { continue };
            if block.index < state.first_block {
                break;
            }
            let index = block.index;
            if let Some(seq) = self.prev_of_few(at, &[id], max_seq)? {
                if max_seq >= self.totals.last_seq {
                    let state = self.subjects.state_mut(id);
                    (state.last_seq, state.last_block) = (seq, index);
                }
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    /// Reads the subject of a message into `self.subject`; whether there is one.
    pub(super) fn read_subject(&mut self, seq: u64) -> Result<bool, StoreError> {
        self.subject.clear();
        let at = self.block_of(seq);
        if !self.blocks.get(at).is_some_and(|block| block.holds(seq)) {
            return Ok(false);
        }
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        let Some(record) = block.peek(&mut self.disk, seq)? else { return Ok(false) };
        self.subject.extend_from_slice(record.subject);
        Ok(true)
    }

    /// Whether a message is meant.
    fn means(&mut self, filter: Filter<'_>, seq: u64) -> Result<bool, StoreError> {
        let at = self.block_of(seq);
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        match block.peek(&mut self.disk, seq) {
            Ok(record) => Ok(record.is_some_and(|record| filter.matches(record.subject))),
            // Who reads it is told; who looks for others passes it.
            Err(StoreError::BadMessage(_)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The subjects that are meant and may have messages in these blocks and sequences.
    fn candidates(
        &self,
        filter: Filter<'_>,
        blocks: RangeInclusive<u32>,
        seqs: RangeInclusive<u64>,
    ) -> Option<Candidates> {
        let (mut from, mut to) = (u32::MAX, 0);
        let mut few = Vec::new();
        let all = (*blocks.start(), *blocks.end());
        let _ = self.subjects.try_for_each(filter, |id, _, state| {
            let out = state.last_block < all.0
                || state.first_block > all.1
                || (state.last_seq != 0 && state.last_seq < *seqs.start())
                || known(state.first_seq).is_some_and(|first| first > *seqs.end());
            if out {
                return ControlFlow::Continue(());
            }
            from = from.min(state.first_block.max(all.0));
            to = to.max(state.last_block.min(all.1));
            if few.len() <= FEW {
                few.push(id);
            }
            // More than a few, everywhere: there is nothing more to learn.
            match few.len() > FEW && from == all.0 && to == all.1 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let few = (few.len() <= FEW).then_some(few);
        (from <= to).then_some(Candidates { few, blocks: from..=to })
    }

    fn next_in_block(
        &mut self,
        at: usize,
        filter: Filter<'_>,
        start: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut next = self.blocks.get(at).and_then(|block| block.next_held(start));
        while let Some(seq) = next {
            if self.means(filter, seq)? {
                return Ok(Some(seq));
            }
            next = self.blocks.get(at).and_then(|block| block.next_held(seq + 1));
        }
        Ok(None)
    }

    fn prev_in_block(
        &mut self,
        at: usize,
        filter: Filter<'_>,
        start: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut prev = self.blocks.get(at).and_then(|block| block.prev_held(start));
        while let Some(seq) = prev {
            if self.means(filter, seq)? {
                return Ok(Some(seq));
            }
            let before = seq.checked_sub(1);
            prev = before.and_then(|seq| self.blocks.get(at)?.prev_held(seq));
        }
        Ok(None)
    }

    fn next_of_few(
        &mut self,
        at: usize,
        ids: &[SubjectId],
        start: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.load_postings(at)?;
        let Some(block) = self.blocks.get(at) else { return Ok(None) };
        let Some(postings) = &block.postings else { return Ok(None) };
        let start = start.max(block.first.0);
        let of = |id: &SubjectId| postings.from(*id, start).find(|seq| block.holds(*seq));
        Ok(ids.iter().filter_map(of).min())
    }

    fn prev_of_few(
        &mut self,
        at: usize,
        ids: &[SubjectId],
        start: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.load_postings(at)?;
        let Some(block) = self.blocks.get(at) else { return Ok(None) };
        let Some(postings) = &block.postings else { return Ok(None) };
        let of = |id: &SubjectId| postings.up_to(*id, start).find(|seq| block.holds(*seq));
        Ok(ids.iter().filter_map(of).max())
    }

    /// Makes the postings of a block, or adds what is missing.
    pub(super) fn load_postings(&mut self, at: usize) -> Result<(), StoreError> {
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        let mut postings = block.postings.take().unwrap_or_default();
        let mut next = block.next_held(postings.end());
        while let Some(seq) = next {
            match block.peek(&mut self.disk, seq) {
                Ok(Some(record)) => {
                    if let Some(id) = self.subjects.find(record.subject) {
                        postings.push(id, seq);
                    }
                }
                Ok(None) | Err(StoreError::BadMessage(_)) => {}
                Err(e) => return Err(e),
            }
            next = block.next_held(seq + 1);
        }
        postings.settle(block.last.0);
        block.postings = Some(postings);
        Ok(())
    }
}

//! Counts and states.

use super::FileStore;
use super::find::known;
use crate::ds::seq_set::SeqSet;
use crate::model::{SimpleState, StreamState, Time};
use crate::store::file::state::Gaps;
use crate::store::file::subjects::SubjectId;
use crate::store::stream::{Filter, StoreError};
use crate::store::stream_state::DeleteBlock;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// A gap as long is written as a run, shorter ones as members of a set.
const LONG_GAP: u64 = 2048;

impl FileStore {
    /// The messages from `seq` on that are meant, counting only the last of each subject if
    /// `last_per_subject`.
    pub(super) fn count(
        &mut self,
        seq: u64,
        filter: Filter<'_>,
        last_per_subject: bool,
    ) -> Result<SimpleState, StoreError> {
        let seq = seq.max(self.totals.first_seq);
        if seq > self.totals.last_seq || self.totals.messages == 0 {
            return Ok(SimpleState::default());
        }
        if last_per_subject {
            return self.count_last(seq, filter);
        }
        let Some(first_seq) = self.find_next(filter, seq)? else {
            return Ok(SimpleState::default());
        };
        if matches!(filter, Filter::All) {
            let last_seq = self.totals.last_seq;
            return Ok(SimpleState { messages: self.count_all(seq), first_seq, last_seq });
        }
        let last_seq = self.find_prev(filter, u64::MAX)?.unwrap_or(first_seq);
        let messages = self.count_meant(seq, filter)?;
        Ok(SimpleState { messages, first_seq, last_seq })
    }

    /// The messages from `seq` on.
    fn count_all(&self, seq: u64) -> u64 {
        if seq <= self.totals.first_seq {
            return self.totals.messages;
        }
        let at = self.block_of(seq);
        let mut blocks = self.blocks.range(at..);
        let partial = blocks.next().map_or(0, |block| match block.next_held(seq) {
            Some(first) => {
                let deleted = block.deleted.iter_from(first).count() as u64;
                block.last.0 - first + 1 - deleted
            }
            None => 0,
        });
        partial + blocks.map(|block| block.messages).sum::<u64>()
    }

    /// The messages from `seq` on that are meant, by what is known of their subjects; only for
    /// those that have messages on both sides blocks are looked through, on the shorter side.
    fn count_meant(&mut self, seq: u64, filter: Filter<'_>) -> Result<u64, StoreError> {
        let at = self.block_of(seq);
        let here = self.blocks.get(at).map_or(u32::MAX, |block| block.index);
        let mut messages = 0;
        let mut both = HashSet::new();
        let (mut first_block, mut last_block) = (u32::MAX, 0);
        let (mut either, mut all) = (0, 0);
        let _ = self.subjects.try_for_each(filter, |id, _, state| {
            let first = known(state.first_seq);
            all += state.messages;
            if first.is_some_and(|first| first >= seq) || state.first_block > here {
                messages += state.messages;
            } else if (state.last_seq == 0 || state.last_seq >= seq) && state.last_block >= here {
                both.insert(id);
                either += state.messages;
                first_block = first_block.min(state.first_block);
                last_block = last_block.max(state.last_block);
            }
            ControlFlow::<()>::Continue(())
        });
        if both.is_empty() {
            return Ok(messages);
        }
        if all == self.totals.messages {
            // There are no others.
            return Ok(self.count_all(seq));
        }
        let begin = self.blocks.partition_point(|block| block.index < first_block);
        let end = self.blocks.partition_point(|block| block.index <= last_block);
        if at.saturating_sub(begin) < end.saturating_sub(at + 1) {
            let before = self.count_of(&both, begin, at + 1, |found| found < seq)?;
            return Ok(messages + either.saturating_sub(before));
        }
        Ok(messages + self.count_of(&both, at, end, |found| found >= seq)?)
    }

    /// The messages of these subjects in these blocks.
    fn count_of(
        &mut self,
        ids: &HashSet<SubjectId>,
        begin: usize,
        end: usize,
        counts: impl Fn(u64) -> bool,
    ) -> Result<u64, StoreError> {
        let mut messages = 0;
        for at in begin..end.min(self.blocks.len()) {
            if self.blocks.get(at).is_none_or(|block| block.messages == 0) {
                continue;
            }
            self.load_postings(at)?;
            let Some(block) = self.blocks.get(at) else { continue };
            let Some(postings) = &block.postings else { continue };
            let here = |seq: &u64| counts(*seq) && block.holds(*seq);
            messages += match ids.len() {
                ..=1024 => {
                    let of = |id: &SubjectId| postings.from(*id, 0).filter(here).count();
                    ids.iter().map(of).sum::<usize>()
                }
                _ => postings.all().filter(|(id, seq)| ids.contains(id) && here(seq)).count(),
            } as u64;
        }
        Ok(messages)
    }

    /// The last messages of their subjects that are meant and not before `seq`.
    fn count_last(&mut self, seq: u64, filter: Filter<'_>) -> Result<SimpleState, StoreError> {
        let mut sum = SimpleState::default();
        for last in self.last_seqs(filter, u64::MAX, 0)? {
            if last >= seq {
                sum.messages += 1;
                sum.first_seq = if sum.first_seq == 0 { last } else { sum.first_seq };
                sum.last_seq = last;
            }
        }
        Ok(sum)
    }

    /// The last sequences up to `max_seq` of the subjects that are meant, ascending.
    pub(super) fn last_seqs(
        &mut self,
        filter: Filter<'_>,
        max_seq: u64,
        max_allowed: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let (mut seqs, mut unknown) = (Vec::new(), Vec::new());
        let enough = |count: usize| max_allowed > 0 && count > max_allowed;
        let flow = self.subjects.try_for_each(filter, |id, _, state| {
            if known(state.first_seq).is_some_and(|first| first > max_seq) {
                return ControlFlow::Continue(());
            }
            if state.last_seq != 0 && state.last_seq <= max_seq {
                seqs.push(state.last_seq);
            } else {
                unknown.push((state.last_block, id));
            }
            if enough(seqs.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if flow.is_break() {
            return Err(StoreError::TooManyResults);
        }
        // Block by block, so that each is loaded once.
        unknown.sort_unstable();
        for (_, id) in unknown {
            seqs.extend(self.last_of(id, max_seq)?);
            if enough(seqs.len()) {
                return Err(StoreError::TooManyResults);
            }
        }
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// The state of each subject that is meant.
    pub(super) fn states(
        &mut self,
        filter: Filter<'_>,
    ) -> Result<Vec<(Vec<u8>, SimpleState)>, StoreError> {
        let mut found = Vec::new();
        let _ = self.subjects.try_for_each(filter, |id, name, state| {
            found.push((state.last_block, id, name.to_vec(), state.messages));
            ControlFlow::<()>::Continue(())
        });
        found.sort_unstable();
        let mut states = Vec::with_capacity(found.len());
        for (_, id, name, messages) in found {
            let first_seq = self.first_of(id)?.unwrap_or(0);
            let last_seq = self.last_of(id, u64::MAX)?.unwrap_or(0);
            states.push((name, SimpleState { messages, first_seq, last_seq }));
        }
        Ok(states)
    }

    /// The first message stored at `time_ns` or later; the next one if there is none.
    pub(super) fn find_time(&mut self, time_ns: i64) -> Result<u64, StoreError> {
        let none = self.totals.last_seq + 1;
        let at = self.blocks.partition_point(|block| block.last.1 < time_ns);
        for at in at..self.blocks.len() {
            self.touch(at);
            let Some(block) = self.blocks.get_mut(at) else { break };
            // Times ascend, so halve the sequences until one is left.
            let (mut from, mut to) = (block.first.0, block.last.0 + 1);
            while from < to {
                let middle = from + (to - from) / 2;
                match block.next_held(middle) {
                    Some(seq) if block.time_of(&mut self.disk, seq)? < time_ns => from = seq + 1,
                    _ => to = middle,
                }
            }
            if let Some(seq) = block.next_held(from) {
                return Ok(seq);
            }
        }
        Ok(none)
    }

    /// The state without the deleted sequences.
    pub(super) fn short_state(&self) -> StreamState {
        let totals = &self.totals;
        let time = |ns: i64| if ns == 0 { Time::default() } else { Time::from_unix_ns(ns) };
        let empty = totals.messages == 0;
        let span = if empty { 0 } else { totals.last_seq - totals.first_seq + 1 };
        StreamState {
            messages: totals.messages,
            bytes: totals.bytes,
            first_seq: totals.first_seq,
            first_ts: time(totals.first_ns),
            last_seq: totals.last_seq,
            last_ts: time(totals.last_ns),
            num_subjects: self.subjects.len() as u64,
            num_deleted: span.saturating_sub(totals.messages),
            ..StreamState::default()
        }
    }

    /// The sequences between first and last that are gone.
    pub(super) fn gaps(&self) -> Gaps {
        let mut gaps = Gaps::default();
        if self.totals.messages == 0 {
            return gaps;
        }
        let mut next = self.totals.first_seq;
        for block in self.blocks.iter().filter(|block| block.messages > 0) {
            gaps.push(next, block.first.0.saturating_sub(1));
            block.deleted.iter().for_each(|seq| gaps.push(seq, seq));
            next = block.last.0.saturating_add(1);
        }
        gaps.push(next, self.totals.last_seq);
        gaps
    }

    /// The same as replicas exchange it.
    pub(super) fn delete_blocks(&self) -> Vec<DeleteBlock> {
        let mut blocks = Vec::new();
        for (first, last) in self.gaps().ranges() {
            let count = last - first + 1;
            if count >= LONG_GAP {
                blocks.extend(DeleteBlock::run(*first, count));
                continue;
            }
            if !matches!(blocks.last(), Some(DeleteBlock::Set(_))) {
                blocks.push(DeleteBlock::Set(SeqSet::starting_at(*first)));
            }
            if let Some(DeleteBlock::Set(set)) = blocks.last_mut() {
                set.extend(*first..=*last);
            }
        }
        blocks
    }
}

//! Finding messages.

use super::MemoryStore;
use super::messages::Message;
use crate::ds::seq_set::SeqSet;
use crate::model::SimpleState;
use crate::store::stream::{Filter, StoreError};
use crate::store::stream_state::DeleteBlock;
use std::iter;
use std::ops::ControlFlow;

/// Messages that are looked at before the subjects are asked.
const NEAR: usize = 256;
/// A gap as long is written as a run, shorter ones as members of a set.
const LONG_GAP: u64 = 2048;

impl MemoryStore {
    /// The first message from `start` on that is meant.
    pub(super) fn find_next(&self, filter: Filter<'_>, start: u64) -> Option<(u64, &Message)> {
        let start = start.max(self.first_seq);
        if start > self.last_seq {
            return None;
        }
        if let Filter::Literal(subject) = filter {
            let state = self.subjects.get(subject)?;
            let back = self.chain(state.last_seq, |message| message.prev);
            let along = self.messages.range(start..=state.last_seq);
            return self.meet(back.take_while(|seq| *seq >= start), along, subject);
        }
        let meant = |(_, message): &(u64, &Message)| filter.matches(message.subject());
        let mut all = self.messages.range(start..=self.last_seq);
        if let Some(near) = all.by_ref().take(NEAR).find(meant) {
            return Some(near);
        }
        let (mut from, mut to) = (u64::MAX, 0);
        let rest = all.next()?.0;
        let _ = self.subjects.try_for_each(filter, |_, state| {
            if state.last_seq >= rest {
                from = from.min(state.first_seq.max(rest));
                to = to.max(state.last_seq);
            }
            // There is nothing before the rest.
            if from == rest && to == self.last_seq {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if from > to {
            return None;
        }
        self.messages.range(from..=to).find(meant)
    }

    /// The last message up to `start` that is meant.
    pub(super) fn find_prev(&self, filter: Filter<'_>, start: u64) -> Option<(u64, &Message)> {
        let start = start.min(self.last_seq);
        if start < self.first_seq {
            return None;
        }
        if let Filter::Literal(subject) = filter {
            let state = self.subjects.get(subject)?;
            let on = self.chain(state.first_seq, |message| message.next);
            let along = self.messages.range(state.first_seq..=start).rev();
            return self.meet(on.take_while(|seq| *seq <= start), along, subject);
        }
        let meant = |(_, message): &(u64, &Message)| filter.matches(message.subject());
        let mut all = self.messages.range(self.first_seq..=start).rev();
        if let Some(near) = all.by_ref().take(NEAR).find(meant) {
            return Some(near);
        }
        let rest = all.next()?.0;
        let (mut from, mut to) = (u64::MAX, 0);
        self.subjects.for_each(filter, |_, state| {
            if state.first_seq <= rest {
                from = from.min(state.first_seq);
                to = to.max(state.last_seq.min(rest));
            }
        });
        if from > to {
            return None;
        }
        self.messages.range(from..=to).rev().find(meant)
    }

    /// The first message of a subject `along` the others, or the last one along its own, which
    /// come to meet it from the other end: whichever takes fewer steps.
    fn meet<'a>(
        &'a self,
        own: impl Iterator<Item = u64>,
        mut along: impl Iterator<Item = (u64, &'a Message)>,
        subject: &[u8],
    ) -> Option<(u64, &'a Message)> {
        let mut last = None;
        for seq in own {
            last = Some(seq);
            let found = along.next().filter(|(_, message)| message.subject() == subject);
            if found.is_some() {
                return found;
            }
        }
        Some((last?, self.messages.get(last?)?))
    }

    /// The last message up to `max_seq` of a subject.
    pub(super) fn last_of(&self, state: &SimpleState, max_seq: u64) -> Option<u64> {
        self.chain(state.last_seq, |message| message.prev).find(|seq| *seq <= max_seq)
    }

    /// The sequences of a subject from one of them on, or back.
    fn chain(&self, from: u64, step: fn(&Message) -> u64) -> impl Iterator<Item = u64> {
        iter::successors(Some(from).filter(|seq| *seq != 0), move |seq| {
            self.messages.get(*seq).map(step).filter(|seq| *seq != 0)
        })
    }

    /// The messages from `seq` on that are meant, counting only the last of each subject if
    /// `last_per_subject`.
    pub(super) fn count(
        &self,
        seq: u64,
        filter: Filter<'_>,
        last_per_subject: bool,
    ) -> SimpleState {
        let seq = seq.max(self.first_seq);
        if seq > self.last_seq || self.messages.len() == 0 {
            return SimpleState::default();
        }
        match (filter, last_per_subject) {
            (Filter::All, false) => return self.count_all(seq),
            (Filter::All, true) if seq == self.first_seq => {
                let messages = self.subjects.len() as u64;
                return SimpleState { messages, first_seq: seq, last_seq: self.last_seq };
            }
            _ => {}
        }
        let mut sum = SimpleState::default();
        self.subjects.for_each(filter, |_, state| {
            if state.last_seq < seq {
                return;
            }
            let (messages, first) = if last_per_subject {
                (1, state.last_seq)
            } else if state.first_seq >= seq {
                (state.messages, state.first_seq)
            } else {
                let back = self.chain(state.last_seq, |message| message.prev);
                let after = back.take_while(|at| *at >= seq);
                after.fold((0, 0), |(messages, _), at| (messages + 1, at))
            };
            sum.messages += messages;
            sum.first_seq = if sum.first_seq == 0 { first } else { sum.first_seq.min(first) };
            sum.last_seq = sum.last_seq.max(state.last_seq);
        });
        sum
    }

    fn count_all(&self, seq: u64) -> SimpleState {
        if seq == self.first_seq {
            let messages = self.messages.len();
            return SimpleState { messages, first_seq: seq, last_seq: self.last_seq };
        }
        let messages = self.messages.count_from(seq);
        let mut range = self.messages.range(seq..=self.last_seq);
        let Some((first_seq, _)) = range.next() else { return SimpleState::default() };
        let last_seq = range.next_back().map_or(first_seq, |(seq, _)| seq);
        SimpleState { messages, first_seq, last_seq }
    }

    /// The last sequences up to `max_seq` of the subjects that are meant, ascending.
    pub(super) fn last_seqs(
        &self,
        filter: Filter<'_>,
        max_seq: u64,
        max_allowed: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let max_seq = if max_seq == 0 { self.last_seq } else { max_seq };
        let mut seqs = Vec::new();
        let flow = self.subjects.try_for_each(filter, |_, state| {
            seqs.extend(self.last_of(state, max_seq));
            if max_allowed > 0 && seqs.len() > max_allowed {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if flow.is_break() {
            return Err(StoreError::TooManyResults);
        }
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// The sequences between first and last that are gone: first and count of each gap.
    fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut next = self.first_seq;
        let seqs = (self.messages.len() > 0).then(|| {
            let seqs = self.messages.range(self.first_seq..=self.last_seq).map(|(seq, _)| seq);
            seqs.chain(self.last_seq.checked_add(1))
        });
        seqs.into_iter().flatten().filter_map(move |seq| {
            let gap = (next, seq - next);
            next = seq.saturating_add(1);
            (gap.1 > 0).then_some(gap)
        })
    }

    /// The sequences between first and last that are gone.
    pub(super) fn deleted(&self) -> Vec<u64> {
        self.gaps().flat_map(|(first, count)| first..first + count).collect()
    }

    /// The same as replicas exchange it.
    pub(super) fn delete_blocks(&self) -> Vec<DeleteBlock> {
        let mut blocks = Vec::new();
        for (first, count) in self.gaps() {
            if count >= LONG_GAP {
                blocks.extend(DeleteBlock::run(first, count));
                continue;
            }
            if !matches!(blocks.last(), Some(DeleteBlock::Set(_))) {
                blocks.push(DeleteBlock::Set(SeqSet::starting_at(first)));
            }
            if let Some(DeleteBlock::Set(set)) = blocks.last_mut() {
                set.extend(first..first + count);
            }
        }
        blocks
    }
}

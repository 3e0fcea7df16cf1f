//! The subjects of a memory store: a hash for one, an ordered tree for those that a filter means.

use crate::ds::subject_tree::SubjectTree;
use crate::model::SimpleState;
use crate::store::stream::Filter;
use hashbrown::HashMap;
use std::ops::ControlFlow;

/// What there is of each subject.
#[derive(Debug, Default)]
pub struct Subjects {
    states: HashMap<Box<[u8]>, SimpleState>,
    names: SubjectTree<()>,
}

impl Subjects {
    pub fn len(&self) -> usize {
        self.states.len()
    }

    pub fn get(&self, subject: &[u8]) -> Option<&SimpleState> {
        self.states.get(subject)
    }

    /// Message `seq` is the last one of the subject now; the one that was.
    pub fn add(&mut self, subject: &[u8], seq: u64) -> u64 {
        if let Some(state) = self.states.get_mut(subject) {
            state.messages += 1;
            return std::mem::replace(&mut state.last_seq, seq);
        }
        // Replicas must agree about what cannot be indexed: it has no per-subject state.
        if !subject.is_empty() && !subject.contains(&0x7f) {
            self.names.insert(subject, ());
            let state = SimpleState { messages: 1, first_seq: seq, last_seq: seq };
            self.states.insert(subject.into(), state);
        }
        0
    }

    /// A message of the subject is gone, whose neighbours were these.
    pub fn remove(&mut self, subject: &[u8], prev: u64, next: u64) {
        let Some(state) = self.states.get_mut(subject) else { return };
        state.messages -= 1;
        if state.messages == 0 {
            self.states.remove(subject);
            self.names.remove(subject);
            return;
        }
        if prev == 0 {
            state.first_seq = next;
        }
        if next == 0 {
            state.last_seq = prev;
        }
    }

    /// Calls `f` with every subject that is meant until it breaks.
    pub fn try_for_each<B>(
        &self,
        filter: Filter<'_>,
        mut f: impl FnMut(&[u8], &SimpleState) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut each = |subject: &[u8], (): &()| match self.states.get(subject) {
            Some(state) => f(subject, state),
            None => ControlFlow::Continue(()),
        };
        match filter {
            Filter::All => self.names.try_for_each(each),
            Filter::Literal(subject) => each(subject, &()),
            Filter::Pattern(pattern) => self.names.try_for_each_match(pattern, each),
            Filter::Set(set) => self.names.try_for_each_interest(set, each),
        }
    }

    /// Calls `f` with every subject that is meant.
    pub fn for_each(&self, filter: Filter<'_>, mut f: impl FnMut(&[u8], &SimpleState)) {
        let _ = self.try_for_each(filter, |subject, state| {
            f(subject, state);
            ControlFlow::<()>::Continue(())
        });
    }
}

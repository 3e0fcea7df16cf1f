//! A map from literal subjects to values that answers wildcard filters by walking only the
//! branches that can match: a path-compressed radix tree over bytes.
//!
//! Upstream has five node sizes; here one node keeps its children sorted by their first byte, with
//! up to 22 of those bytes inside the node, where a vectorised search finds them. So walks are
//! always in lexicographic order, and memory is what the children need. Nothing recurses: a
//! client that chooses subjects to be prefixes of one another makes a deep tree, not a deep stack.
//! Go: `server/stree`.

mod fragment;
mod node;
mod pattern;
mod walk;

use crate::ds::generic_sublist::GenericSublist;
use node::Node;
use pattern::Pattern;
use std::fmt;
use std::ops::ControlFlow;
use walk::{Filter, Next, walk};

/// A subject with this byte (DEL) is not indexed. Upstream cannot store it, and replicas of a
/// stream must agree on what per-subject limits count.
const UNINDEXED: u8 = 0x7f;

/// Values by literal subject.
pub struct SubjectTree<T> {
    root: Option<Node<T>>,
    len: usize,
}

impl<T> Default for SubjectTree<T> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<T: fmt::Debug> fmt::Debug for SubjectTree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.for_each(|subject, value| {
            map.entry(&String::from_utf8_lossy(subject), value);
        });
        map.finish()
    }
}

impl<T> SubjectTree<T> {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many subjects there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no subject.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        if let Some(root) = self.root.take() {
            root.dismantle();
        }
        self.len = 0;
    }

    /// Sets the value of `subject` and returns the one it had. A subject that contains DEL is not
    /// stored.
    pub fn insert(&mut self, subject: &[u8], value: T) -> Option<T> {
        if memchr::memchr(UNINDEXED, subject).is_some() {
            return None;
        }
        let old = match &mut self.root {
            Some(root) => root.insert(subject, value),
            None => {
                self.root = Some(Node::leaf(subject, value));
                None
            }
        };
        self.len += usize::from(old.is_none());
        old
    }

    /// The value of `subject`, which is taken literally.
    pub fn get(&self, subject: &[u8]) -> Option<&T> {
        self.root.as_ref()?.get(subject)
    }

    /// As [`SubjectTree::get`], to change the value.
    pub fn get_mut(&mut self, subject: &[u8]) -> Option<&mut T> {
        self.root.as_mut()?.get_mut(subject)
    }

    /// Removes `subject` and returns its value.
    pub fn remove(&mut self, subject: &[u8]) -> Option<T> {
        let root = self.root.as_mut()?;
        let removed = if root.is_leaf() {
            if root.path() != subject {
                return None;
            }
            self.root.take()?.into_value()
        } else {
            root.remove(subject)
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Calls `f` for every subject, in lexicographic order.
    pub fn for_each(&self, mut f: impl FnMut(&[u8], &T)) {
        let _ = self.try_for_each(|subject, value| {
            f(subject, value);
            ControlFlow::<()>::Continue(())
        });
    }

    /// As [`SubjectTree::for_each`], until `f` breaks.
    pub fn try_for_each<B>(&self, f: impl FnMut(&[u8], &T) -> ControlFlow<B>) -> ControlFlow<B> {
        self.walk(&mut Pattern::Everything, f)
    }

    /// Calls `f` for every subject that `filter`, which may have wildcards, matches. An empty
    /// filter matches nothing.
    pub fn for_each_match(&self, filter: &[u8], mut f: impl FnMut(&[u8], &T)) {
        let _ = self.try_for_each_match(filter, |subject, value| {
            f(subject, value);
            ControlFlow::<()>::Continue(())
        });
    }

    /// As [`SubjectTree::for_each_match`], until `f` breaks.
    pub fn try_for_each_match<B>(
        &self,
        filter: &[u8],
        f: impl FnMut(&[u8], &T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if filter.is_empty() {
            return ControlFlow::Continue(());
        }
        self.walk(&mut Pattern::Matching(filter), f)
    }

    /// Calls `f` once for every subject that some subject of `interest` matches, until it breaks.
    pub fn try_for_each_interest<I: Ord, B>(
        &self,
        interest: &GenericSublist<I>,
        f: impl FnMut(&[u8], &T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.walk(&mut Interest(interest), f)
    }

    /// Calls `f` for every subject that both trees have: walks the smaller, looks up in the other.
    pub fn for_each_common<U>(&self, other: &SubjectTree<U>, mut f: impl FnMut(&[u8], &T, &U)) {
        if self.len <= other.len {
            self.for_each(|subject, mine| {
                if let Some(theirs) = other.get(subject) {
                    f(subject, mine, theirs);
                }
            });
        } else {
            other.for_each(|subject, theirs| {
                if let Some(mine) = self.get(subject) {
                    f(subject, mine, theirs);
                }
            });
        }
    }

    fn walk<F: Filter, B>(
        &self,
        filter: &mut F,
        f: impl FnMut(&[u8], &T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match &self.root {
            Some(root) => walk(root, filter, f),
            None => ControlFlow::Continue(()),
        }
    }
}

impl<T> Drop for SubjectTree<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Follows a sublist: a branch is left as soon as nobody is interested in anything below it.
struct Interest<'a, I>(&'a GenericSublist<I>);

impl<I: Ord> Filter for Interest<'_, I> {
    type State = ();

    fn start(&self) {}

    fn advance(&mut self, (): (), path: &[u8], from: usize) -> Option<()> {
        // Fragments end anywhere, so only tokens that a separator completes are looked at.
        memchr::memchr_iter(b'.', &path[from..])
            .all(|at| self.0.has_interest_starting_in(&path[..from + at]))
            .then_some(())
    }

    fn next(&self, (): ()) -> Next {
        Next::Any
    }

    fn accepts(&self, (): (), path: &[u8]) -> bool {
        self.0.has_interest(path)
    }
}

#[cfg(test)]
mod tests;

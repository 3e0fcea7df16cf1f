//! Walking the branches of a tree that a filter lets through.

use super::node::{Inner, Node};
use smallvec::SmallVec;
use std::ops::{ControlFlow, Range};

/// Decides which subjects to visit, from fragments of them.
pub(super) trait Filter {
    /// What is known about the path so far.
    type State: Copy;

    /// The state before anything.
    fn start(&self) -> Self::State;

    /// The state for `path`, whose part up to `from` led to `state`; `None` to leave the branch.
    fn advance(&mut self, state: Self::State, path: &[u8], from: usize) -> Option<Self::State>;

    /// Which bytes may follow.
    fn next(&self, state: Self::State) -> Next;

    /// Whether the subject `path`, which led to `state`, is to be visited.
    fn accepts(&self, state: Self::State, path: &[u8]) -> bool;
}

/// Bytes that may follow a path.
pub(super) enum Next {
    Any,
    Only(u8),
    Nothing,
}

/// A branching point whose children are being visited.
struct Frame<'t, T, S> {
    inner: &'t Inner<T>,
    children: Range<usize>,
    path_len: usize,
    state: S,
}

/// Calls `f` for the subjects at and below `root` that `filter` accepts, in lexicographic order,
/// until `f` breaks.
pub(super) fn walk<'t, T, F: Filter, B>(
    root: &'t Node<T>,
    filter: &mut F,
    mut f: impl FnMut(&[u8], &'t T) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut path: SmallVec<[u8; 256]> = SmallVec::new();
    let mut stack: SmallVec<[Frame<'t, T, F::State>; 12]> = SmallVec::new();
    let mut next = Some((root, filter.start()));
    loop {
        let Some((node, state)) = next.take() else {
            let Some(frame) = stack.last_mut() else { return ControlFlow::Continue(()) };
            path.truncate(frame.path_len);
            match frame.children.next() {
                Some(at) => next = Some((&frame.inner.children[at], frame.state)),
                None => drop(stack.pop()),
            }
            continue;
        };
        let from = path.len();
        path.extend_from_slice(node.path());
        let Some(state) = filter.advance(state, &path, from) else { continue };
        let value = match node {
            Node::Leaf { value, .. } => Some(value),
            Node::Inner(inner) => {
                let children = match filter.next(state) {
                    Next::Any => 0..inner.children.len(),
                    Next::Only(key) => inner.find(key).map_or(0..0, |at| at..at + 1),
                    Next::Nothing => 0..0,
                };
                stack.push(Frame { inner, children, path_len: path.len(), state });
                inner.end.as_deref()
            }
        };
        if let Some(value) = value
            && filter.accepts(state, &path)
        {
            f(&path, value)?;
        }
    }
}

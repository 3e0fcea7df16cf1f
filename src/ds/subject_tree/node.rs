//! Nodes, and the changes that keep the tree in shape.

use super::fragment::Fragment;
use std::mem;

/// A subtree. Its path is what it adds to the path of its parent, first byte included.
pub(super) enum Node<T> {
    Leaf { suffix: Fragment, value: T },
    Inner(Box<Inner<T>>),
}

/// A branching point. It has at least two of: a value of its own, children.
pub(super) struct Inner<T> {
    pub(super) prefix: Fragment,
    /// The value of the subject that ends here. Boxed because few nodes have one.
    pub(super) end: Option<Box<T>>,
    /// First bytes of the children's paths, ascending.
    keys: Fragment,
    /// In the order of `keys`.
    pub(super) children: Vec<Node<T>>,
}

impl<T> Inner<T> {
    fn new(prefix: &[u8]) -> Self {
        let prefix = Fragment::new(prefix);
        Self { prefix, end: None, keys: Fragment::EMPTY, children: Vec::new() }
    }

    /// Index of the child whose path begins with `key`.
    #[inline]
    pub(super) fn find(&self, key: u8) -> Option<usize> {
        memchr::memchr(key, &self.keys)
    }

    fn add(&mut self, child: Node<T>) {
        let key = child.path()[0];
        let at = self.keys.partition_point(|k| *k < key);
        self.keys.insert(at, key);
        // Grow by half, not by double: most nodes have few children and there are many nodes.
        if self.children.len() == self.children.capacity() {
            self.children.reserve_exact(2.max(self.children.len() / 2));
        }
        self.children.insert(at, child);
    }

    fn take(&mut self, at: usize) -> Node<T> {
        self.keys.remove(at);
        let child = self.children.remove(at);
        if self.children.len() < self.children.capacity() / 2 {
            self.children.shrink_to(self.children.len() + 2);
        }
        child
    }
}

impl<T> Node<T> {
    pub(super) fn leaf(suffix: &[u8], value: T) -> Self {
        Self::Leaf { suffix: Fragment::new(suffix), value }
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf { .. })
    }

    #[inline]
    pub(super) fn path(&self) -> &[u8] {
        match self {
            Self::Leaf { suffix, .. } => suffix,
            Self::Inner(inner) => &inner.prefix,
        }
    }

    fn path_mut(&mut self) -> &mut Fragment {
        match self {
            Self::Leaf { suffix, .. } => suffix,
            Self::Inner(inner) => &mut inner.prefix,
        }
    }

    /// The value of a leaf.
    pub(super) fn into_value(self) -> Option<T> {
        match self {
            Self::Leaf { value, .. } => Some(value),
            Self::Inner(_) => None,
        }
    }

    pub(super) fn get(&self, subject: &[u8]) -> Option<&T> {
        let (mut node, mut rest) = (self, subject);
        loop {
            match node {
                Self::Leaf { suffix, value } => return (**suffix == *rest).then_some(value),
                Self::Inner(inner) => {
                    rest = rest.strip_prefix(&*inner.prefix)?;
                    let Some(key) = rest.first() else { return inner.end.as_deref() };
                    node = &inner.children[inner.find(*key)?];
                }
            }
        }
    }

    pub(super) fn get_mut(&mut self, subject: &[u8]) -> Option<&mut T> {
        let (mut node, mut rest) = (self, subject);
        loop {
            match node {
                Self::Leaf { suffix, value } => return (**suffix == *rest).then_some(value),
                Self::Inner(inner) => {
                    rest = rest.strip_prefix(&*inner.prefix)?;
                    let Some(key) = rest.first() else { return inner.end.as_deref_mut() };
                    let at = inner.find(*key)?;
                    node = &mut inner.children[at];
                }
            }
        }
    }

    pub(super) fn insert(&mut self, subject: &[u8], value: T) -> Option<T> {
        let (mut node, mut rest) = (self, subject);
        loop {
            let common = common_prefix_len(node.path(), rest);
            if common < node.path().len() || (node.is_leaf() && common < rest.len()) {
                node.split(common);
            }
            // Now the node's path begins `rest`, and a leaf's is all of it.
            rest = &rest[common..];
            match node {
                Self::Leaf { value: slot, .. } => return Some(mem::replace(slot, value)),
                Self::Inner(inner) => {
                    let Some(key) = rest.first() else {
                        return inner.end.replace(Box::new(value)).map(|old| *old);
                    };
                    let Some(at) = inner.find(*key) else {
                        inner.add(Self::leaf(rest, value));
                        return None;
                    };
                    node = &mut inner.children[at];
                }
            }
        }
    }

    /// Puts a branching point in front of this node, after `at` bytes of its path. The caller adds
    /// the other branch.
    fn split(&mut self, at: usize) {
        let front = Inner::new(&self.path()[..at]);
        let below = mem::replace(self, Self::Inner(Box::new(front)));
        let Self::Inner(front) = self else { return };
        match below {
            Self::Leaf { suffix, value } if suffix.len() == at => {
                front.end = Some(Box::new(value));
            }
            mut below => {
                below.path_mut().trim_front(at);
                front.add(below);
            }
        }
    }

    /// Removes a subject from below this node, which is no leaf.
    pub(super) fn remove(&mut self, subject: &[u8]) -> Option<T> {
        let (mut node, mut rest) = (self, subject);
        loop {
            let Self::Inner(inner) = &*node else { return None };
            rest = rest.strip_prefix(&*inner.prefix)?;
            let at = match rest.first() {
                Some(key) => Some(inner.find(*key)?),
                None => None,
            };
            match at.map(|at| (at, &inner.children[at])) {
                Some((at, Self::Inner(_))) => node = node.child_mut(at)?,
                Some((_, Self::Leaf { suffix, .. })) if **suffix != *rest => return None,
                here => {
                    let at = here.map(|(at, _)| at);
                    let removed = node.take(at);
                    node.collapse();
                    return removed;
                }
            }
        }
    }

    fn child_mut(&mut self, at: usize) -> Option<&mut Self> {
        match self {
            Self::Inner(inner) => Some(&mut inner.children[at]),
            Self::Leaf { .. } => None,
        }
    }

    /// Takes the value of the leaf at `at`, or the branching point's own.
    fn take(&mut self, at: Option<usize>) -> Option<T> {
        let Self::Inner(inner) = self else { return None };
        match at {
            Some(at) => inner.take(at).into_value(),
            None => inner.end.take().map(|value| *value),
        }
    }

    /// Merges a branching point that has only one thing left with that thing.
    fn collapse(&mut self) {
        let Self::Inner(inner) = self else { return };
        if inner.children.is_empty() {
            if let Some(value) = inner.end.take() {
                let suffix = mem::replace(&mut inner.prefix, Fragment::EMPTY);
                *self = Self::Leaf { suffix, value: *value };
            }
        } else if inner.end.is_none()
            && inner.children.len() == 1
            && let Some(mut only) = inner.children.pop()
        {
            *only.path_mut() = Fragment::concat(&inner.prefix, only.path());
            *self = only;
        }
    }

    /// Drops the subtree without recursion.
    pub(super) fn dismantle(self) {
        let mut left = vec![self];
        while let Some(node) = left.pop() {
            if let Self::Inner(mut inner) = node {
                left.append(&mut inner.children);
            }
        }
    }
}

fn common_prefix_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stay_small() {
        assert_eq!(size_of::<Fragment>(), 24);
        assert_eq!(size_of::<Node<()>>(), 24);
        assert_eq!(size_of::<Node<u64>>(), 32);
        assert_eq!(size_of::<Inner<u64>>(), 80);
    }
}

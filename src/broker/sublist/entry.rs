//! The subscriptions of one subject.

use super::Collect;
use crate::broker::sub::Subscription;
use std::sync::Arc;

/// The subscriptions of one subject: mostly one, so one costs a pointer.
#[derive(Clone, Debug, Default)]
pub(super) enum Entry {
    #[default]
    Empty,
    One(Arc<Subscription>),
    Many(Box<Many>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Many {
    plain: Vec<Arc<Subscription>>,
    groups: Vec<Vec<Arc<Subscription>>>,
}

impl Entry {
    /// Whether its subscriptions are to `subject`.
    #[inline]
    pub(super) fn is(&self, subject: &[u8]) -> bool {
        self.subject() == Some(subject)
    }

    /// What its subscriptions are to.
    #[inline]
    pub(super) fn subject(&self) -> Option<&[u8]> {
        let first = match self {
            Self::Empty => None,
            Self::One(sub) => Some(sub),
            Self::Many(many) => many.plain.first().or_else(|| many.groups.first()?.first()),
        };
        first.map(|sub| sub.subject())
    }

    /// Whether there are members of `queue`, or, if that is empty, subscriptions outside of groups.
    pub(super) fn has(&self, queue: &[u8]) -> bool {
        match self {
            Self::Empty => false,
            Self::One(sub) => sub.queue() == queue,
            Self::Many(many) if queue.is_empty() => !many.plain.is_empty(),
            Self::Many(many) => many.groups.iter().any(|group| group[0].queue() == queue),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn insert(&mut self, sub: Arc<Subscription>) {
        match std::mem::take(self) {
            Self::Empty => *self = Self::One(sub),
            Self::One(first) => {
                let mut many = Box::<Many>::default();
                many.insert(first);
                many.insert(sub);
                *self = Self::Many(many);
            }
            Self::Many(mut many) => {
                many.insert(sub);
                *self = Self::Many(many);
            }
        }
    }

    pub(super) fn remove(&mut self, sub: &Arc<Subscription>) -> bool {
        match self {
            Self::Empty => false,
            Self::One(held) => {
                let same = Arc::ptr_eq(held, sub);
                if same {
                    *self = Self::Empty;
                }
                same
            }
            Self::Many(many) => {
                let removed = many.remove(sub);
                if many.plain.is_empty() && many.groups.is_empty() {
                    *self = Self::Empty;
                }
                removed
            }
        }
    }

    #[inline]
    pub(super) fn collect(&self, found: &mut impl Collect) {
        match self {
            Self::Empty => {}
            Self::One(sub) if sub.queue().is_empty() => found.plain(std::slice::from_ref(sub)),
            Self::One(sub) => found.group(std::slice::from_ref(sub)),
            Self::Many(many) => {
                if !many.plain.is_empty() {
                    found.plain(&many.plain);
                }
                many.groups.iter().for_each(|group| found.group(group));
            }
        }
    }
}

impl Many {
    fn insert(&mut self, sub: Arc<Subscription>) {
        let list = if sub.queue().is_empty() {
            &mut self.plain
        } else {
            match self.groups.iter().position(|g| g[0].queue() == sub.queue()) {
                Some(at) => &mut self.groups[at],
                None => {
                    self.groups.push(Vec::new());
                    self.groups.last_mut().expect("just pushed")
                }
            }
        };
        sub.set_slot(list.len());
        list.push(sub);
    }

    fn remove(&mut self, sub: &Arc<Subscription>) -> bool {
        if sub.queue().is_empty() {
            return take(&mut self.plain, sub);
        }
        let Some(at) = self.groups.iter().position(|g| g[0].queue() == sub.queue()) else {
            return false;
        };
        let removed = take(&mut self.groups[at], sub);
        if self.groups[at].is_empty() {
            self.groups.remove(at);
        }
        removed
    }
}

/// Takes `sub` out of its list without a search: it knows its place.
fn take(list: &mut Vec<Arc<Subscription>>, sub: &Arc<Subscription>) -> bool {
    let slot = sub.slot();
    if !list.get(slot).is_some_and(|held| Arc::ptr_eq(held, sub)) {
        return false;
    }
    list.swap_remove(slot);
    if let Some(moved) = list.get(slot) {
        moved.set_slot(slot);
    }
    true
}

//! [`Ring`]: the last so many of something, for example closed connections.
//! Go: `server/ring.go`.

use std::collections::VecDeque;

/// Keeps the newest `max` items, and counts all it ever got.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    items: VecDeque<T>,
    max: usize,
    total: u64,
}

impl<T> Ring<T> {
    /// A ring of at most `max` items; of none, it only counts.
    pub fn new(max: usize) -> Self {
        Self { items: VecDeque::new(), max, total: 0 }
    }

    /// Adds an item; a full ring returns the oldest.
    pub fn push(&mut self, item: T) -> Option<T> {
        self.total += 1;
        if self.max == 0 {
            return Some(item);
        }
        let oldest = if self.items.len() == self.max { self.items.pop_front() } else { None };
        self.items.push_back(item);
        oldest
    }

    /// How many items are kept.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no item is kept.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items were ever added.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The items, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ring_of_none_counts() {
        let mut ring = Ring::new(0);
        assert_eq!(ring.push(1), Some(1));
        assert_eq!((ring.len(), ring.total()), (0, 1));
        assert!(ring.is_empty());
    }

    proptest! {
        #[test]
        fn keeps_the_newest(max in 1..8usize, count in 0..30u32) {
            let mut ring = Ring::new(max);
            for i in 0..count {
                prop_assert_eq!(ring.push(i), i.checked_sub(max as u32));
                let first = (i + 1).saturating_sub(max as u32);
                prop_assert!(ring.iter().copied().eq(first..=i));
                prop_assert_eq!(ring.total(), u64::from(i) + 1);
            }
        }
    }
}

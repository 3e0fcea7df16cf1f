//! Which messages of a block each subject has.

use crate::store::file::subjects::SubjectId;

/// Messages that are not sorted in until there are as many.
const FRESH_MAX: usize = 1024;

/// The messages of a block by subject, those that are deleted meanwhile among them. Sixteen bytes a
/// message, there only while somebody asks.
#[derive(Debug, Default)]
pub(super) struct Postings {
    sorted: Vec<(SubjectId, u64)>,
    /// In the order in which they came, behind all that are sorted.
    fresh: Vec<(SubjectId, u64)>,
    end: u64,
}

impl Postings {
    /// The first sequence that is not known here.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// A message behind all before.
    pub fn push(&mut self, id: SubjectId, seq: u64) {
        self.fresh.push((id, seq));
    }

    /// All up to `last` are known here.
    pub fn settle(&mut self, last: u64) {
        self.end = last.saturating_add(1);
        if self.fresh.len() >= FRESH_MAX {
            self.sorted.append(&mut self.fresh);
            // Two runs, of which one is sorted already.
            self.sorted.sort();
        }
    }

    /// All messages.
    pub fn all(&self) -> impl Iterator<Item = (SubjectId, u64)> {
        self.sorted.iter().chain(&self.fresh).copied()
    }

    /// The messages of a subject from `seq` on, ascending.
    pub fn from(&self, id: SubjectId, seq: u64) -> impl Iterator<Item = u64> {
        let at = self.sorted.partition_point(|entry| *entry < (id, seq));
        let sorted = self.sorted[at..].iter().take_while(move |entry| entry.0 == id);
        let fresh = self.fresh.iter().filter(move |entry| entry.0 == id && entry.1 >= seq);
        sorted.chain(fresh).map(|entry| entry.1)
    }

    /// The messages of a subject up to `seq`, descending.
    pub fn up_to(&self, id: SubjectId, seq: u64) -> impl Iterator<Item = u64> {
        let fresh = self.fresh.iter().rev().filter(move |entry| entry.0 == id && entry.1 <= seq);
        let at = self.sorted.partition_point(|entry| *entry <= (id, seq));
        let sorted = self.sorted[..at].iter().rev().take_while(move |entry| entry.0 == id);
        fresh.chain(sorted).map(|entry| entry.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_came(
            ids in prop::collection::vec(0..5u32, 0..4000), settled in prop::collection::vec(1..4000u64, 0..5),
            id in 0..5u32, from in 0..4000u64,
        ) {
            let mut postings = Postings::default();
            for (seq, of) in (1..).zip(&ids) {
                postings.push(*of, seq);
                if settled.contains(&seq) {
                    postings.settle(seq);
                    prop_assert_eq!(postings.end(), seq + 1);
                }
            }
            let of = (1..).zip(&ids).filter(|(_, of)| **of == id).map(|(seq, _)| seq);
            let all: Vec<u64> = of.collect();
            prop_assert!(postings.from(id, from).eq(all.iter().copied().filter(|s| *s >= from)));
            let down = all.iter().rev().copied().filter(|seq| *seq <= from);
            prop_assert!(postings.up_to(id, from).eq(down));
        }
    }
}

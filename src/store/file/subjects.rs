//! How many messages each subject has, and in which blocks they are: as `index.db` holds it.
//!
//! One arena for all subjects, 24 bytes an entry beside it, and 4 in the hash table.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// The messages of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubjectTotals {
    /// How many.
    pub messages: u64,
    /// The block of the first, or one before it.
    pub first_block: u32,
    /// The block of the last, or one behind it.
    pub last_block: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the subject ends in the arena; it begins where the one before it ends.
    end: usize,
    totals: SubjectTotals,
}

/// All subjects of a stream.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
    hasher: DefaultHashBuilder,
}

fn subject<'a>(entries: &[Entry], arena: &'a [u8], at: u32) -> &'a [u8] {
    let at = at as usize;
    let start = if at == 0 { 0 } else { entries[at - 1].end };
    &arena[start..entries[at].end]
}

impl Subjects {
    /// Room for so many subjects.
    pub fn with_capacity(subjects: usize) -> Self {
        Self {
            table: HashTable::with_capacity(subjects),
            entries: Vec::with_capacity(subjects),
            ..Self::default()
        }
    }

    /// How many subjects there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The messages of a subject.
    pub fn get(&self, subject: &[u8]) -> Option<SubjectTotals> {
        self.find(subject).map(|at| self.entries[at].totals)
    }

    /// All subjects, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SubjectTotals)> {
        (0_u32..)
            .zip(&self.entries)
            .map(|(at, entry)| (subject(&self.entries, &self.arena, at), entry.totals))
    }

    /// Adds a subject that is not there yet, which is not looked at.
    pub fn insert_unique(&mut self, name: &[u8], totals: SubjectTotals) {
        let Ok(at) = u32::try_from(self.entries.len()) else { return };
        self.arena.extend_from_slice(name);
        self.entries.push(Entry { end: self.arena.len(), totals });
        let (entries, arena, hasher) = (&self.entries, &self.arena, &self.hasher);
        self.table.insert_unique(hasher.hash_one(name), at, |at| {
            hasher.hash_one(subject(entries, arena, *at))
        });
    }

    /// Counts a message in a block. Returns how many there were before.
    pub fn add(&mut self, subject: &[u8], block: u32) -> u64 {
        let Some(at) = self.find(subject) else {
            let totals = SubjectTotals { messages: 1, first_block: block, last_block: block };
            self.insert_unique(subject, totals);
            return 0;
        };
        let totals = &mut self.entries[at].totals;
        totals.messages += 1;
        totals.first_block = totals.first_block.min(block);
        totals.last_block = totals.last_block.max(block);
        totals.messages - 1
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        let is = |at: &u32| subject(&self.entries, &self.arena, *at) == name;
        self.table.find(self.hasher.hash_one(name), is).map(|at| *at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_finds() {
        let mut subjects = Subjects::with_capacity(1);
        for n in 0..5000_u32 {
            let before = subjects.add(format!("a.{}", n % 1000).as_bytes(), 5 - n / 1000);
            assert_eq!(before, u64::from(n / 1000));
        }
        assert_eq!(subjects.len(), 1000);
        let totals = SubjectTotals { messages: 5, first_block: 1, last_block: 5 };
        assert_eq!(subjects.get(b"a.999"), Some(totals));
        assert_eq!(subjects.get(b"a.1000"), None);
        assert_eq!(subjects.iter().next(), Some((&b"a.0"[..], totals)));
        subjects.insert_unique(b"", SubjectTotals::default());
        assert_eq!(subjects.get(b""), Some(SubjectTotals::default()));
    }
}

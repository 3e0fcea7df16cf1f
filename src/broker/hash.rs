//! A fast, seeded hash for subjects and subscription ids.
//!
//! Clients choose these bytes, so the seed is drawn from the machine's entropy once per server:
//! nobody outside can prepare collisions.

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, VacantEntry};
use std::hash::{BuildHasher, Hasher};

/// The seed of all subject hashes of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    let mut buf = [0; 8];
    buf[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(buf)
}

impl Seed {
    /// The hash of `bytes`.
    #[inline]
    pub fn hash(self, bytes: &[u8]) -> u64 {
        let mut state = self.0 ^ (bytes.len() as u64).wrapping_mul(K1);
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            state = fold(state ^ u64::from_le_bytes(*chunk), K0);
        }
        if !rest.is_empty() {
            state = fold(state ^ word(rest), K1);
        }
        fold(state ^ K0, K1)
    }
}

/// Maps of byte strings with this seed iterate in an order that depends on it and on what was put
/// in, on nothing else.
impl BuildHasher for Seed {
    type Hasher = SeedHasher;

    fn build_hasher(&self) -> SeedHasher {
        SeedHasher(self.0)
    }
}

/// See [`Seed`]'s `BuildHasher`.
#[derive(Debug)]
pub struct SeedHasher(u64);

impl Hasher for SeedHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = Seed(self.0).hash(bytes);
    }

    /// Slices hash their length first; `write` knows it anyway.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// An entry that keeps 32 bits of its hash, so that a growing table never looks at its keys.
#[derive(Clone, Debug)]
pub struct Hashed<T> {
    hash: u32,
    /// What was put in.
    pub value: T,
}

/// A table of entries found by hash and comparison.
#[derive(Clone, Debug)]
pub struct Table<T>(HashTable<Hashed<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(HashTable::new())
    }
}

/// Where a probe of a [`Table`] ended.
pub enum Place<'a, T> {
    /// At an entry.
    Held(&'a mut T),
    /// Where there is none.
    Free(Free<'a, T>),
}

/// Room for an entry.
pub struct Free<'a, T> {
    hash: u32,
    free: VacantEntry<'a, Hashed<T>>,
}

impl<T> Free<'_, T> {
    /// Puts an entry here.
    #[inline]
    pub fn insert(self, value: T) {
        self.free.insert(Hashed { hash: self.hash, value });
    }
}

/// `HashTable` takes its control bits from the top of the hash: spread the stored half again.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(K0 | 1)
}

impl<T> Table<T> {
    /// The entry of `hash` for which `eq` holds.
    #[inline]
    pub fn find(&self, hash: u64, mut eq: impl FnMut(&T) -> bool) -> Option<&T> {
        let hash = hash as u32;
        self.0.find(spread(hash), |e| e.hash == hash && eq(&e.value)).map(|e| &e.value)
    }

    /// As [`Table::find`], to change it.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, mut eq: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let hash = hash as u32;
        self.0.find_mut(spread(hash), |e| e.hash == hash && eq(&e.value)).map(|e| &mut e.value)
    }

    /// The place of `hash`, found by one probe: the entry for which `eq` holds, or where to put
    /// one.
    #[inline]
    pub fn place(&mut self, hash: u64, mut eq: impl FnMut(&T) -> bool) -> Place<'_, T> {
        let hash = hash as u32;
        let found =
            self.0.entry(spread(hash), |e| e.hash == hash && eq(&e.value), |e| spread(e.hash));
        match found {
            Entry::Occupied(held) => Place::Held(&mut held.into_mut().value),
            Entry::Vacant(free) => Place::Free(Free { hash, free }),
        }
    }

    /// Adds an entry; the caller knows that it is not there yet.
    #[inline]
    pub fn insert(&mut self, hash: u64, value: T) {
        let hash = hash as u32;
        self.0.insert_unique(spread(hash), Hashed { hash, value }, |e| spread(e.hash));
    }

    /// Takes an entry out.
    #[inline]
    pub fn remove(&mut self, hash: u64, mut eq: impl FnMut(&T) -> bool) -> Option<T> {
        let hash = hash as u32;
        let found = self.0.find_entry(spread(hash), |e| e.hash == hash && eq(&e.value)).ok()?;
        Some(found.remove().0.value)
    }

    /// Changes the entry of `hash` for which `eq` holds, and takes it out when `change` returns
    /// false; tells whether it was there.
    #[inline]
    pub fn retain_one(
        &mut self,
        hash: u64,
        mut eq: impl FnMut(&T) -> bool,
        change: impl FnOnce(&mut T) -> bool,
    ) -> bool {
        let hash = hash as u32;
        let found = self.0.find_entry(spread(hash), |e| e.hash == hash && eq(&e.value));
        let Ok(mut found) = found else { return false };
        if !change(&mut found.get_mut().value) {
            found.remove();
        }
        true
    }

    /// Gives memory back once the table is mostly empty.
    pub fn shrink(&mut self) {
        if self.0.is_empty() {
            self.0 = HashTable::new();
        } else if self.0.capacity() > 64 && self.0.len() < self.0.capacity() / 8 {
            self.0.shrink_to(self.0.len() * 2, |e| spread(e.hash));
        }
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|e| &e.value)
    }

    /// Takes all entries out.
    pub fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.0).into_iter().map(|e| e.value)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_lengths_matter() {
        let (a, b) = (Seed(1), Seed(2));
        assert_eq!(a.hash(b"foo.bar"), a.hash(b"foo.bar"));
        assert_ne!(a.hash(b"foo.bar"), b.hash(b"foo.bar"));
        assert_ne!(a.hash(b"foo"), a.hash(b"foo\0"));
    }

    #[test]
    fn one_probe_changes_adds_and_removes() {
        let (hash, mut table) = (Seed(3).hash(b"one"), Table::default());
        for expected in [1, 2] {
            match table.place(hash, |v| *v > 0) {
                Place::Held(value) => *value += 1,
                Place::Free(free) => free.insert(1),
            }
            assert_eq!(table.find(hash, |_| true), Some(&expected));
        }
        assert!(!table.retain_one(hash, |v| *v == 3, |_| false));
        assert!(table.retain_one(hash, |v| *v == 2, |v| std::mem::replace(v, 3) == 2));
        assert!(table.retain_one(hash, |v| *v == 3, |_| false));
        assert!(table.is_empty());
    }

    #[test]
    fn table_finds_what_it_holds() {
        let (seed, mut table) = (Seed(3), Table::default());
        for i in 0..1000_u32 {
            table.insert(seed.hash(&i.to_le_bytes()), i);
        }
        for i in 0..1000_u32 {
            let hash = seed.hash(&i.to_le_bytes());
            assert_eq!(table.find(hash, |v| *v == i), Some(&i));
            assert_eq!(table.remove(hash, |v| *v == i), Some(i));
        }
        assert!(table.is_empty());
    }
}

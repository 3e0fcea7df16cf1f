//! Who is interested in a subject.
//!
//! Literal subjects are found by one hash probe; only wildcard subscriptions stand in a trie. A
//! change bumps the generation, by which the workers' match caches notice that they are stale.

mod entry;
mod trie;

use super::hash::{Seed, Table};
use super::sub::Subscription;
use crate::base::limits;
use crate::base::lock::{Rank, RwLock};
use crate::wire::subject;
use entry::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trie::Trie;

/// The subscriptions of one account.
#[derive(Debug)]
pub struct Sublist {
    seed: Seed,
    generation: AtomicU64,
    index: RwLock<Index>,
    stats: Stats,
}

#[derive(Debug)]
struct Index {
    literals: Table<Entry>,
    wildcards: Trie,
    count: usize,
}

#[derive(Debug, Default)]
struct Stats {
    inserts: AtomicU64,
    removes: AtomicU64,
    matches: AtomicU64,
    cache_hits: AtomicU64,
}

/// Figures for /subsz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SublistStats {
    /// Subscriptions held.
    pub count: usize,
    /// Subscriptions ever added.
    pub inserts: u64,
    /// Subscriptions ever removed.
    pub removes: u64,
    /// Look-ups, answered from a cache or not.
    pub matches: u64,
    /// Look-ups answered from a worker's cache.
    pub cache_hits: u64,
}

/// What a look-up finds, piece by piece.
pub trait Collect {
    /// Subscriptions outside of groups.
    fn plain(&mut self, subs: &[Arc<Subscription>]);
    /// Members of one queue group.
    fn group(&mut self, subs: &[Arc<Subscription>]);
}

/// The subject of a subscription is no valid subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid subject")]
pub struct InvalidSubject;

impl Sublist {
    /// An empty list.
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            generation: AtomicU64::new(1),
            index: RwLock::new(Rank::Sublist, Index::new(seed)),
            stats: Stats::default(),
        }
    }

    /// Changes with every change of subscriptions; never 0.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes every cached result stale (mappings or permissions changed).
    pub fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Adds a subscription.
    ///
    /// # Errors
    /// [`InvalidSubject`] for empty tokens or a `>` that is not last.
    pub fn insert(&self, sub: Arc<Subscription>) -> Result<(), InvalidSubject> {
        if !subject::is_valid_subject(sub.subject()) {
            return Err(InvalidSubject);
        }
        let literal = subject::is_literal(sub.subject());
        if !literal && subject::token_count(sub.subject()) > limits::MAX_PATTERN_TOKENS {
            return Err(InvalidSubject);
        }
        let hash = if literal { self.seed.hash(sub.subject()) } else { 0 };
        {
            let mut index = self.index.write();
            index.count += 1;
            if literal {
                index.insert_literal(hash, sub);
            } else {
                index.wildcards.entry(sub.subject()).insert(sub);
            }
        }
        self.invalidate();
        self.stats.inserts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a subscription; tells whether it was there.
    pub fn remove(&self, sub: &Arc<Subscription>) -> bool {
        let removed = self.index.write().remove(self.seed, sub);
        self.removed(u64::from(removed));
        removed
    }

    /// Removes many under one hold of the lock.
    pub fn remove_batch<'a>(&self, subs: impl IntoIterator<Item = &'a Arc<Subscription>>) {
        let mut removed = 0;
        {
            let mut index = self.index.write();
            for sub in subs {
                removed += u64::from(index.remove(self.seed, sub));
            }
        }
        self.removed(removed);
    }

    fn removed(&self, n: u64) {
        if n > 0 {
            self.invalidate();
            self.stats.removes.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Hands everything that matches the literal `subject` to `found`. A subject with an empty
    /// token matches nothing, not even `>`.
    pub fn collect(&self, subject: &[u8], found: &mut impl Collect) {
        let index = self.index.read();
        if let Some(entry) = index.literals.find(self.seed.hash(subject), |e| e.is(subject)) {
            entry.collect(found);
        }
        if !index.wildcards.is_empty() && !subject::has_empty_token(subject) {
            index.wildcards.walk(subject, &mut |entry| entry.collect(found));
        }
    }

    /// Whether anything matches the literal `subject`.
    pub fn has_interest(&self, subject: &[u8]) -> bool {
        let (plain, groups) = self.num_interest(subject);
        plain + groups > 0
    }

    /// How many subscriptions outside and inside of queue groups match the literal `subject`.
    pub fn num_interest(&self, subject: &[u8]) -> (usize, usize) {
        struct Count(usize, usize);
        impl Collect for Count {
            fn plain(&mut self, subs: &[Arc<Subscription>]) {
                self.0 += subs.len();
            }
            fn group(&mut self, subs: &[Arc<Subscription>]) {
                self.1 += subs.len();
            }
        }
        let mut count = Count(0, 0);
        self.collect(subject, &mut count);
        (count.0, count.1)
    }

    /// All subscriptions, in no particular order.
    pub fn all(&self) -> Vec<Arc<Subscription>> {
        struct All(Vec<Arc<Subscription>>);
        impl Collect for All {
            fn plain(&mut self, subs: &[Arc<Subscription>]) {
                self.0.extend_from_slice(subs);
            }
            fn group(&mut self, subs: &[Arc<Subscription>]) {
                self.0.extend_from_slice(subs);
            }
        }
        let index = self.index.read();
        let mut all = All(Vec::with_capacity(index.count));
        index.literals.iter().for_each(|entry| entry.collect(&mut all));
        index.wildcards.for_each(&mut |entry| entry.collect(&mut all));
        all.0
    }

    /// Number of subscriptions.
    pub fn len(&self) -> usize {
        self.index.read().count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Deepest level of the wildcard trie.
    pub fn levels(&self) -> usize {
        self.index.read().wildcards.levels()
    }

    /// Adds the look-ups of one batch.
    pub fn count_matches(&self, matches: u64, cache_hits: u64) {
        self.stats.matches.fetch_add(matches, Ordering::Relaxed);
        self.stats.cache_hits.fetch_add(cache_hits, Ordering::Relaxed);
    }

    /// Figures for /subsz.
    pub fn stats(&self) -> SublistStats {
        SublistStats {
            count: self.len(),
            inserts: self.stats.inserts.load(Ordering::Relaxed),
            removes: self.stats.removes.load(Ordering::Relaxed),
            matches: self.stats.matches.load(Ordering::Relaxed),
            cache_hits: self.stats.cache_hits.load(Ordering::Relaxed),
        }
    }
}

impl Index {
    fn new(seed: Seed) -> Self {
        Self { literals: Table::default(), wildcards: Trie::new(seed), count: 0 }
    }

    fn insert_literal(&mut self, hash: u64, sub: Arc<Subscription>) {
        match self.literals.find_mut(hash, |e| e.is(sub.subject())) {
            Some(entry) => entry.insert(sub),
            None => self.literals.insert(hash, Entry::One(sub)),
        }
    }

    fn remove(&mut self, seed: Seed, sub: &Arc<Subscription>) -> bool {
        let removed = if subject::is_literal(sub.subject()) {
            let hash = seed.hash(sub.subject());
            let removed = self.literals.update(
                hash,
                |e| e.is(sub.subject()),
                |entry| (entry.remove(sub), entry.is_empty()),
            );
            self.literals.shrink();
            removed.unwrap_or(false)
        } else {
            self.wildcards.remove(sub)
        };
        self.count -= usize::from(removed);
        removed
    }
}

#[cfg(test)]
mod tests;

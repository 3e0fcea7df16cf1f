//! Who is interested in a subject.
//!
//! Literal subjects are found by one hash probe; only wildcard subscriptions stand in a trie. A
//! change bumps the generation, by which the workers' match caches notice that they are stale.

mod change;
mod entry;
mod trie;
mod watch;

use super::hash::{Place, Seed, Table};
use super::sub::Subscription;
use crate::base::lock::{Rank, RwLock};
use crate::wire::subject;
pub use change::Change;
use entry::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch::Receiver;
use trie::Trie;
use watch::Watches;

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
    watches: Watches,
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

    /// Hands every subscription that some subject under `pattern` could reach to `found`. It looks
    /// at all of them: for rare questions, not for messages.
    pub fn collect_colliding(&self, pattern: &[u8], found: &mut impl Collect) {
        let index = self.index.read();
        let mut check = |entry: &Entry| {
            if entry.subject().is_some_and(|subject| subject::collide(subject, pattern)) {
                entry.collect(found);
            }
        };
        index.literals.iter().for_each(&mut check);
        index.wildcards.for_each(&mut check);
    }

    /// Watches whether anybody subscribes to just this literal `subject` (wildcard subscriptions
    /// do not count), outside of groups or, if `queue` is not empty, in that group. The watch
    /// ends with its receiver.
    ///
    /// # Errors
    /// [`InvalidSubject`] for subjects with wildcards or empty tokens.
    pub fn watch(&self, subject: &[u8], queue: &[u8]) -> Result<Receiver<bool>, InvalidSubject> {
        if !subject::is_valid_publish_subject(subject) {
            return Err(InvalidSubject);
        }
        let mut index = self.index.write();
        let entry = index.literals.find(self.seed.hash(subject), |e| e.is(subject));
        let interest = entry.is_some_and(|entry| entry.has(queue));
        Ok(index.watches.add(subject, queue, interest))
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
        Self {
            literals: Table::default(),
            wildcards: Trie::new(seed),
            count: 0,
            watches: Watches::default(),
        }
    }

    fn insert_literal(&mut self, hash: u64, sub: Arc<Subscription>) {
        if !self.watches.is_empty() {
            self.watches.set(sub.subject(), sub.queue(), true);
        }
        match self.literals.place(hash, |e| e.is(sub.subject())) {
            Place::Held(entry) => entry.insert(sub),
            Place::Free(free) => free.insert(Entry::One(sub)),
        }
    }

    fn remove_literal(&mut self, hash: u64, sub: &Arc<Subscription>) -> bool {
        let (mut removed, mut interest) = (false, false);
        let watches = &self.watches;
        self.literals.retain_one(
            hash,
            |e| e.is(sub.subject()),
            |entry| {
                removed = entry.remove(sub);
                interest = !watches.is_empty() && entry.has(sub.queue());
                !entry.is_empty()
            },
        );
        if removed {
            self.literals.shrink();
            if !self.watches.is_empty() {
                self.watches.set(sub.subject(), sub.queue(), interest);
            }
        }
        removed
    }
}

#[cfg(test)]
mod tests;

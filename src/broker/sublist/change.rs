//! Subscriptions that come and go, many under one hold of the lock.
//!
//! A client that subscribes to much sends much at once. What one read brought is checked and
//! hashed outside of the lock and applied together, so that connections which subscribe at the
//! same time wait for each other once in a while and not at every line.

use super::{Index, InvalidSubject, Sublist};
use crate::base::limits;
use crate::broker::sub::Subscription;
use crate::wire::subject::{self, Shape};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Changes under one hold of the lock: who matches meanwhile waits no longer than for these.
const CHANGES_PER_HOLD: usize = 64;

/// A subscription that comes or goes.
#[derive(Debug)]
pub struct Change {
    sub: Arc<Subscription>,
    comes: bool,
    /// The hash of a literal subject.
    literal: Option<u64>,
}

impl Sublist {
    /// `sub` as one that is added.
    ///
    /// # Errors
    /// [`InvalidSubject`] for empty tokens, white space, or a `>` that is not last.
    pub fn coming(&self, sub: Arc<Subscription>) -> Result<Change, InvalidSubject> {
        let literal = match subject::shape(sub.subject()).ok_or(InvalidSubject)? {
            Shape::Literal => Some(self.seed.hash(sub.subject())),
            Shape::Pattern => {
                if subject::token_count(sub.subject()) > limits::MAX_PATTERN_TOKENS {
                    return Err(InvalidSubject);
                }
                None
            }
        };
        Ok(Change { sub, comes: true, literal })
    }

    /// `sub`, which was added, as one that is removed.
    pub fn going(&self, sub: Arc<Subscription>) -> Change {
        let literal = subject::is_literal(sub.subject()).then(|| self.seed.hash(sub.subject()));
        Change { sub, comes: false, literal }
    }

    /// Applies `changes` in their order and leaves none; tells how many subscriptions were added
    /// and how many were there to be removed.
    pub fn apply(&self, changes: &mut Vec<Change>) -> (u64, u64) {
        let (mut inserted, mut removed) = (0, 0);
        for some in changes.chunks(CHANGES_PER_HOLD) {
            let mut index = self.index.write();
            for change in some {
                if change.comes {
                    index.insert(change.literal, change.sub.clone());
                    inserted += 1;
                } else {
                    removed += u64::from(index.remove(change.literal, &change.sub));
                }
            }
        }
        // The last holder of a subscription frees it: not under the lock.
        changes.clear();
        if inserted + removed > 0 {
            self.invalidate();
            self.stats.inserts.fetch_add(inserted, Ordering::Relaxed);
            self.stats.removes.fetch_add(removed, Ordering::Relaxed);
        }
        (inserted, removed)
    }

    /// Adds a subscription.
    ///
    /// # Errors
    /// As [`Sublist::coming`].
    pub fn insert(&self, sub: Arc<Subscription>) -> Result<(), InvalidSubject> {
        let change = self.coming(sub)?;
        self.apply(&mut vec![change]);
        Ok(())
    }

    /// Removes a subscription; tells whether it was there.
    pub fn remove(&self, sub: &Arc<Subscription>) -> bool {
        self.remove_batch([sub]) == 1
    }

    /// Removes many; tells how many of them were there.
    pub fn remove_batch<'a>(&self, subs: impl IntoIterator<Item = &'a Arc<Subscription>>) -> u64 {
        let mut changes = subs.into_iter().map(|sub| self.going(sub.clone())).collect();
        self.apply(&mut changes).1
    }
}

impl Index {
    fn insert(&mut self, literal: Option<u64>, sub: Arc<Subscription>) {
        self.count += 1;
        match literal {
            Some(hash) => self.insert_literal(hash, sub),
            None => self.wildcards.entry(sub.subject()).insert(sub),
        }
    }

    fn remove(&mut self, literal: Option<u64>, sub: &Arc<Subscription>) -> bool {
        let removed = match literal {
            Some(hash) => self.remove_literal(hash, sub),
            None => self.wildcards.remove(sub),
        };
        self.count -= usize::from(removed);
        removed
    }
}

//! Ranked locks.
//!
//! A thread may take a lock only if its rank is above every rank it already holds. Debug builds
//! check it and panic on a violation, so that a deadlock is found by the first test that walks
//! into the wrong order, not by an operator. Ranks and their order are listed in ARCHITECTURE.md.

use std::ops::{Deref, DerefMut};

/// The order in which locks may be taken, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// One reload at a time.
    Reload,
    /// The server's tables: connections, listeners, options.
    ServerRegistry,
    /// The table of accounts.
    AccountRegistry,
    /// One account's configuration.
    Account,
    /// What monitoring and timers share with a connection.
    Client,
    /// What delivery shares with a connection.
    ConnCtl,
    /// An account's subscriptions.
    Sublist,
    /// The TLS session of a connection.
    Tls,
    /// A connection's unwritten output.
    Outbound,
    /// Timer queue.
    Timers,
    /// Log file and its rotation.
    Logger,
    /// The tree of an in-memory file system, which the log file may live in.
    Disk,
    /// Leaf locks that call nothing.
    Leaf,
}

#[cfg(debug_assertions)]
mod held {
    use super::Rank;
    use std::cell::RefCell;

    thread_local! {
        static HELD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn push(rank: Rank) {
        HELD.with_borrow_mut(|held| {
            if let Some(top) = held.iter().max()
                && *top >= rank
            {
                panic!("lock order: {rank:?} taken while {top:?} is held");
            }
            held.push(rank);
        });
    }

    pub(super) fn pop(rank: Rank) {
        HELD.with_borrow_mut(|held| {
            if let Some(at) = held.iter().rposition(|r| *r == rank) {
                held.remove(at);
            }
        });
    }
}

#[cfg(not(debug_assertions))]
mod held {
    #[inline(always)]
    pub(super) fn push(_: super::Rank) {}
    #[inline(always)]
    pub(super) fn pop(_: super::Rank) {}
}

/// A mutex with a [`Rank`]. Not poisoned by panics; see design rules on panics in ARCHITECTURE.md.
#[derive(Debug)]
pub struct Mutex<T> {
    rank: Rank,
    inner: parking_lot::Mutex<T>,
}

impl<T> Mutex<T> {
    /// A mutex of the given rank.
    pub const fn new(rank: Rank, value: T) -> Self {
        Self { rank, inner: parking_lot::Mutex::new(value) }
    }

    /// Takes the lock.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        held::push(self.rank);
        Guard { rank: self.rank, inner: self.inner.lock() }
    }

    /// The value, without locking: the borrow proves nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

/// Holds a [`Mutex`]; gives it back when dropped.
#[derive(Debug)]
pub struct Guard<'a, T> {
    rank: Rank,
    inner: parking_lot::MutexGuard<'a, T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

/// A reader-writer lock with a [`Rank`]; only where readers were measured to matter.
#[derive(Debug)]
pub struct RwLock<T> {
    rank: Rank,
    inner: parking_lot::RwLock<T>,
}

impl<T> RwLock<T> {
    /// A lock of the given rank.
    pub const fn new(rank: Rank, value: T) -> Self {
        Self { rank, inner: parking_lot::RwLock::new(value) }
    }

    /// Shared access.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T> {
        held::push(self.rank);
        ReadGuard { rank: self.rank, inner: self.inner.read() }
    }

    /// Exclusive access.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T> {
        held::push(self.rank);
        WriteGuard { rank: self.rank, inner: self.inner.write() }
    }
}

/// Shared hold of a [`RwLock`].
#[derive(Debug)]
pub struct ReadGuard<'a, T> {
    rank: Rank,
    inner: parking_lot::RwLockReadGuard<'a, T>,
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

/// Exclusive hold of a [`RwLock`].
#[derive(Debug)]
pub struct WriteGuard<'a, T> {
    rank: Rank,
    inner: parking_lot::RwLockWriteGuard<'a, T>,
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascending_ranks_are_fine() {
        let (a, b) = (Mutex::new(Rank::Account, 1), Mutex::new(Rank::Sublist, 2));
        let (ga, gb) = (a.lock(), b.lock());
        assert_eq!(*ga + *gb, 3);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "lock order")]
    fn descending_ranks_panic() {
        let (a, b) = (Mutex::new(Rank::Account, 1), Mutex::new(Rank::Sublist, 2));
        let _gb = b.lock();
        let _ga = a.lock();
    }
}

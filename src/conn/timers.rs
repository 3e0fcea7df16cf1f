//! The timers of all connections: one queue, one task.
//!
//! A connection owns no timer. It is entered here with the time of its next deadline; whether a
//! deadline that came is still meant is asked of the connection, so nothing is ever cancelled.

use crate::base::lock::{Mutex, Rank};
use crate::base::{Clock, Mono};
use std::collections::BTreeSet;
use tokio::sync::Notify;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Authentication should be done.
    Auth,
    /// Time for a PING.
    Ping,
}

/// A deadline of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When.
    pub at: Mono,
    /// Which connection.
    pub cid: u64,
    /// What.
    pub kind: Kind,
}

/// The queue.
#[derive(Debug)]
pub struct Timers {
    queue: Mutex<BTreeSet<Due>>,
    earlier: Notify,
}

impl Default for Timers {
    fn default() -> Self {
        Self { queue: Mutex::new(Rank::Timers, BTreeSet::new()), earlier: Notify::new() }
    }
}

impl Timers {
    /// Enters a deadline.
    pub fn set(&self, due: Due) {
        let first = {
            let mut queue = self.queue.lock();
            queue.insert(due);
            queue.first() == Some(&due)
        };
        if first {
            self.earlier.notify_one();
        }
    }

    /// Takes a deadline out that will not be needed.
    pub fn clear(&self, due: Due) {
        self.queue.lock().remove(&due);
    }

    /// Hands everything that comes due to `fire`, forever.
    pub async fn run(&self, clock: &Clock, fire: impl Fn(Due)) {
        loop {
            let now = clock.now();
            let (due, next) = {
                let mut queue = self.queue.lock();
                let later = queue.split_off(&Due { at: Mono(now.0 + 1), cid: 0, kind: Kind::Auth });
                let due = std::mem::replace(&mut *queue, later);
                (due, queue.first().map(|d| d.at))
            };
            due.into_iter().for_each(&fire);
            match next {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.earlier.notified() => {}
                        () = clock.sleep_until(at) => {}
                    }
                }
                None => self.earlier.notified().await,
            }
        }
    }
}

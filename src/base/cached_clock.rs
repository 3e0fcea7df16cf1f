//! [`CachedClock`]: wall time for those who ask very often and need not know exactly.
//! Go: `server/ats`.

use super::Clock;
use super::lock::{Mutex, Rank};
use super::tasks::TaskScope;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often the time is refreshed.
pub const REFRESH_INTERVAL: Duration = Duration::from_millis(100);

/// Gives out readers of a cached wall time. A task refreshes it while there is a reader.
#[derive(Clone, Debug)]
pub struct CachedClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    tasks: TaskScope,
    current: Mutex<Weak<AtomicI64>>,
}

/// Reads the cached time, and keeps it fresh for as long as it lives.
#[derive(Clone, Debug)]
pub struct CachedTime(Arc<AtomicI64>);

impl CachedClock {
    /// A cache of `clock`, refreshed in `tasks`.
    pub fn new(clock: Clock, tasks: TaskScope) -> Self {
        Self(Arc::new(Inner { clock, tasks, current: Mutex::new(Rank::Leaf, Weak::new()) }))
    }

    /// A reader. The first one starts the refreshing; within an interval after the last one is
    /// gone it ends.
    pub fn register(&self) -> CachedTime {
        let mut current = self.0.current.lock();
        if let Some(time) = current.upgrade() {
            return CachedTime(time);
        }
        let clock = self.0.clock.clone();
        let time = Arc::new(AtomicI64::new(clock.wall_ns()));
        *current = Arc::downgrade(&time);
        self.0.tasks.spawn_abortable(refresh(clock, Arc::downgrade(&time)));
        CachedTime(time)
    }
}

async fn refresh(clock: Clock, time: Weak<AtomicI64>) {
    loop {
        clock.sleep(REFRESH_INTERVAL).await;
        let Some(time) = time.upgrade() else { return };
        time.store(clock.wall_ns(), Ordering::Relaxed);
    }
}

impl CachedTime {
    /// Nanoseconds since the Unix epoch, late by [`REFRESH_INTERVAL`] at most.
    pub fn wall_ns(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

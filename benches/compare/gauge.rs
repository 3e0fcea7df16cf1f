//! Closes the loop between a publisher and those who receive from it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

/// Counts what has arrived from one publisher and wakes it when it may go on.
#[derive(Default)]
#[repr(align(128))]
pub struct Gauge {
    arrived: AtomicU64,
    /// The count the publisher sleeps for; 0 when it does not sleep.
    wanted: AtomicU64,
    publisher: OnceLock<Thread>,
}

impl Gauge {
    pub fn arrived(&self) -> u64 {
        self.arrived.load(SeqCst)
    }

    /// Adds what a reader has just received.
    pub fn add(&self, count: u64) {
        let arrived = self.arrived.fetch_add(count, SeqCst) + count;
        let wanted = self.wanted.load(SeqCst);
        if wanted != 0
            && wanted <= arrived
            && self.wanted.swap(0, SeqCst) != 0
            && let Some(publisher) = self.publisher.get()
        {
            publisher.unpark();
        }
    }

    /// Blocks the publisher until `count` have arrived; false if `stop` was set meanwhile.
    pub fn wait(&self, count: u64, stop: &AtomicBool) -> bool {
        while self.arrived() < count {
            if stop.load(SeqCst) {
                return false;
            }
            self.publisher.get_or_init(thread::current);
            self.wanted.store(count, SeqCst);
            if self.arrived() < count {
                thread::park_timeout(Duration::from_millis(50));
            }
            self.wanted.store(0, SeqCst);
        }
        !stop.load(SeqCst)
    }
}

//! What every endpoint of a server shares.

use super::hash::Seed;
use crate::base::tasks::TaskScope;
use crate::base::{Env, Rng};
use crate::logging::Logger;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// The surroundings of the engine, and the server-wide counters it keeps.
#[derive(Debug)]
pub struct Hub {
    /// Clock and randomness.
    pub env: Env,
    /// The server's log.
    pub log: Logger,
    /// Where transient drain tasks live.
    pub tasks: TaskScope,
    /// The seed of subject hashes.
    pub seed: Seed,
    /// Counters for /varz.
    pub stats: ServerStats,
    /// Producers skip a stalled consumer instead of waiting for it (`no_fast_producer_stall`).
    pub no_stall: AtomicBool,
    /// Workers keep no match results (`disable_sublist_cache`).
    pub no_match_cache: AtomicBool,
}

/// Server-wide counters.
#[derive(Debug, Default)]
pub struct ServerStats {
    /// Messages received from clients.
    pub in_msgs: AtomicU64,
    /// Payload bytes received from clients.
    pub in_bytes: AtomicU64,
    /// Messages sent to clients.
    pub out_msgs: AtomicU64,
    /// Payload bytes sent to clients.
    pub out_bytes: AtomicU64,
    /// Clients found slow, for either reason.
    pub slow_consumers: AtomicI64,
    /// Clients that went stale.
    pub stale_connections: AtomicI64,
    /// Times a producer waited for a consumer.
    pub stalls: AtomicI64,
}

impl Hub {
    /// The surroundings of one server.
    pub fn new(env: Env, log: Logger, tasks: TaskScope) -> Self {
        Self {
            seed: Seed(env.rng().next_u64()),
            env,
            log,
            tasks,
            stats: ServerStats::default(),
            no_stall: AtomicBool::new(false),
            no_match_cache: AtomicBool::new(false),
        }
    }

    /// A generator for one thread's picks.
    pub fn rng(&self) -> Rng {
        self.env.rng()
    }
}

/// Adds to a counter that is only ever read for monitoring.
#[inline]
pub(crate) fn count(counter: &AtomicU64, n: u64) {
    if n > 0 {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

//! What the connections of a server share.

use super::registry::Registry;
use super::settings::Settings;
use super::timers::Timers;
use crate::base::lock::{Mutex, Rank};
use crate::base::tasks::TaskScope;
use crate::broker::Hub;
use crate::broker::account::Accounts;
use crate::ds::rate_counter::RateCounter;
use crate::wire::info::Info;
use arc_swap::ArcSwap;
use hashbrown::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Serves.
    Running,
    /// Takes no new connections and closes the others one by one.
    LameDuck,
    /// Ends.
    ShuttingDown,
}

/// What the connections of a server share.
#[derive(Debug)]
pub struct Context {
    /// The engine's surroundings.
    pub hub: Arc<Hub>,
    /// Accounts.
    pub accounts: Accounts,
    /// The configuration.
    pub settings: ArcSwap<Settings>,
    /// The INFO every client's own is made from.
    pub info: ArcSwap<Info>,
    /// Open and closed connections.
    pub registry: Registry,
    /// Deadlines.
    pub timers: Timers,
    /// Where connections run.
    pub tasks: TaskScope,
    /// Clients that take INFO at any time.
    pub async_info_clients: AtomicU64,
    phase: AtomicU8,
    said: Mutex<HashMap<String, crate::base::Mono>>,
    tls_rate: Mutex<Option<TlsRate>>,
}

#[derive(Debug)]
struct TlsRate {
    limit: u64,
    counter: RateCounter,
}

/// A log line that repeats is logged once in this time.
const REPEAT_INTERVAL: Duration = Duration::from_secs(1);

impl Context {
    /// A context for a server that is about to serve.
    pub fn new(
        hub: Arc<Hub>,
        accounts: Accounts,
        settings: Settings,
        info: Info,
        tasks: TaskScope,
    ) -> Self {
        let closed_max = usize::try_from(settings.options.max_closed_clients).unwrap_or(0);
        Self {
            hub,
            accounts,
            settings: ArcSwap::from_pointee(settings),
            info: ArcSwap::from_pointee(info),
            registry: Registry::new(closed_max),
            timers: Timers::default(),
            tasks,
            async_info_clients: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Running as u8),
            said: Mutex::new(Rank::Leaf, HashMap::new()),
            tls_rate: Mutex::new(Rank::Leaf, None),
        }
    }

    /// Where the server is in its life.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::LameDuck,
            _ => Phase::ShuttingDown,
        }
    }

    /// Moves on; never back.
    pub fn set_phase(&self, phase: Phase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8
    }

    /// Whether a line was not logged lately: what many connections can provoke is logged once a
    /// second.
    pub fn first_in_a_while(&self, line: &str) -> bool {
        /// More different lines than this are not told apart.
        const LINES_MAX: usize = 1024;
        let now = self.hub.env.clock().now();
        let mut said = self.said.lock();
        if let Some(at) = said.get(line)
            && now.since(*at) < REPEAT_INTERVAL
        {
            return false;
        }
        if said.len() >= LINES_MAX {
            said.retain(|_, at| now.since(*at) < REPEAT_INTERVAL);
            if said.len() >= LINES_MAX {
                said.clear();
            }
        }
        said.insert(line.to_owned(), now);
        true
    }

    /// Whether one more TLS connection may start in this second; `limit` 0 is unlimited.
    pub fn tls_connection_allowed(&self, limit: i64) -> bool {
        let Some(limit) = u64::try_from(limit).ok().filter(|limit| *limit > 0) else {
            return true;
        };
        let now = self.hub.env.clock().now();
        let mut rate = self.tls_rate.lock();
        if rate.as_ref().is_none_or(|rate| rate.limit != limit) {
            let counter = RateCounter::new(limit, Duration::from_secs(1));
            *rate = Some(TlsRate { limit, counter });
        }
        rate.as_mut().is_some_and(|rate| rate.counter.allow(now))
    }

    /// TLS connections that were refused for their rate since this was last asked.
    pub fn take_refused_tls(&self) -> u64 {
        self.tls_rate.lock().as_mut().map_or(0, |rate| rate.counter.take_blocked())
    }
}

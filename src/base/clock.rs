//! Wall and monotonic time.

use std::sync::Arc;
use std::time::Duration;

/// A point of monotonic time, in nanoseconds since the clock was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// Time passed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This point moved `d` into the future.
    pub fn after(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The server's clock. Real, or virtual: then wall time starts at a fixed date and follows the
/// runtime's paused time, so a run depends on nothing but its seed.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: tokio::time::Instant,
    /// Wall time at `origin` for a virtual clock; `None` reads the machine's clock.
    virtual_wall_ns: Option<i64>,
}

/// 2026-01-01T00:00:00Z, where virtual wall time starts.
const VIRTUAL_EPOCH_NS: i64 = 1_767_225_600_000_000_000;

impl Clock {
    /// The machine's clock.
    pub fn os() -> Self {
        Self(Arc::new(Inner { origin: tokio::time::Instant::now(), virtual_wall_ns: None }))
    }

    /// A clock that follows the (paused) time of the runtime it is made on.
    pub fn simulated() -> Self {
        Self(Arc::new(Inner {
            origin: tokio::time::Instant::now(),
            virtual_wall_ns: Some(VIRTUAL_EPOCH_NS),
        }))
    }

    /// Monotonic now.
    pub fn now(&self) -> Mono {
        Mono(u64::try_from(self.0.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Wall clock, nanoseconds since the Unix epoch.
    pub fn wall_ns(&self) -> i64 {
        match self.0.virtual_wall_ns {
            Some(base) => base + i64::try_from(self.now().0).unwrap_or(i64::MAX - base),
            None => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)),
        }
    }

    /// Completes at `when`.
    pub async fn sleep_until(&self, when: Mono) {
        tokio::time::sleep_until(self.0.origin + Duration::from_nanos(when.0)).await;
    }

    /// Completes after `d`.
    pub async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }

    /// Runs `f` for at most `d`; `None` when time ran out.
    pub async fn timeout<F: Future>(&self, d: Duration, f: F) -> Option<F::Output> {
        tokio::time::timeout(d, f).await.ok()
    }
}

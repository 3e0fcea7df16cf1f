//! Waiting without sleeping: for a condition, for its absence, for a port.

use std::net::TcpListener;
use std::panic::Location;
use std::time::{Duration, Instant};

use super::patience;

/// How long the kit waits for what should come at once, before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Polls `condition` until it holds; fails the case when it does not within `deadline`.
#[track_caller]
pub(crate) fn eventually(
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let at = Location::caller();
    async move {
        let end = Instant::now() + patience(deadline);
        while !condition().await {
            if Instant::now() >= end {
                fail(at, &format!("the condition did not hold within {deadline:?}"));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// Fails the case when `condition` comes to hold within `duration`.
#[track_caller]
pub(crate) fn never(
    duration: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let at = Location::caller();
    async move {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            if condition().await {
                fail(at, "a condition that must never hold came to hold");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// A port that was free a moment ago, for what must know its port before it starts. Port -1 in
/// the configuration is better wherever it will do.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Fails the case, naming the line of the case rather than the kit's.
pub(super) fn fail(at: &Location<'_>, message: &str) -> ! {
    panic!("{at}: {message}")
}

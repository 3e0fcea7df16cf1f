//! The cached clock. Upstream has one a process, with a count of its users; here a server has one,
//! and a user holds a reader.

use nats_server::base::Clock;
use nats_server::base::cached_clock::{CachedClock, REFRESH_INTERVAL};
use nats_server::base::tasks::TaskScope;

crate::cases! {
    "server/ats/ats_test.go",
    library has_a_time_at_once => ["TestNotRunningValue"],
    library runs_while_there_are_readers => ["TestRegisterAndUnregister"],
    not_applicable "TestUnbalancedUnregister" => "expects a panic when more users leave than came; here a user is a value that is dropped once, so no program that does it compiles",
}

/// On time that passes only when everything waits for it.
fn paused<F: Future<Output = ()>>(test: impl FnOnce(CachedClock, Clock, TaskScope) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (clock, tasks) = (Clock::simulated(), TaskScope::new());
        test(CachedClock::new(clock.clone(), tasks.clone()), clock, tasks).await;
    });
}

fn has_a_time_at_once() {
    paused(|cached, clock, _| async move {
        let time = cached.register();
        let first = time.wall_ns();
        assert_eq!(first, clock.wall_ns());
        // It stays until the next refreshment.
        clock.sleep(REFRESH_INTERVAL / 2).await;
        assert_eq!(time.wall_ns(), first);
        assert!(clock.wall_ns() > first);
    });
}

fn runs_while_there_are_readers() {
    paused(|cached, clock, tasks| async move {
        assert_eq!(tasks.live(), 0);
        for _ in 0..2 {
            let time = cached.register();
            let another = cached.register();
            assert_eq!(tasks.live(), 1);
            let first = time.wall_ns();
            clock.sleep(REFRESH_INTERVAL * 5 / 2).await;
            let late = clock.wall_ns() - time.wall_ns();
            assert!(time.wall_ns() > first);
            assert!(late <= i64::try_from(REFRESH_INTERVAL.as_nanos()).unwrap(), "{late} ns");
            assert_eq!(another.wall_ns(), time.wall_ns());
            drop(time);
            let before = another.wall_ns();
            clock.sleep(REFRESH_INTERVAL * 2).await;
            assert!(another.wall_ns() > before, "one is left");
            drop(another);
            // The task ends by itself, and starts again with the next reader.
            tasks.wait().await;
        }
        let time = cached.register();
        tasks.cancel();
        tasks.wait().await;
        assert!(time.wall_ns() > 0);
    });
}

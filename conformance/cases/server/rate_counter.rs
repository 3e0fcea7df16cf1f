use std::time::Duration;

use nats_server::base::Mono;
use nats_server::ds::rate_counter::RateCounter;

crate::cases! {
    "server/rate_counter_test.go",
    library ten_per_interval => ["TestRateCounter"],
}

fn ten_per_interval() {
    let mut counter = RateCounter::new(10, Duration::from_millis(100));
    let now = Mono(7);
    assert!((0..10).all(|_| counter.allow(now)));
    assert!((0..5).all(|_| !counter.allow(now)));
    assert_eq!(counter.take_blocked(), 5);
    assert_eq!(counter.take_blocked(), 0);
    assert!(!counter.allow(now.after(Duration::from_millis(100))));
    assert!(counter.allow(now.after(Duration::from_millis(150))));
}

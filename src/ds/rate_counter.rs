//! [`RateCounter`]: allows so many events per interval, and counts those it did not allow.
//! Go: `server/rate_counter.go`.

use crate::base::Mono;
use std::time::Duration;

/// A limit on events per interval. Time is passed in; intervals begin with the first event after
/// the last one ended.
#[derive(Clone, Debug)]
pub struct RateCounter {
    limit: u64,
    interval: Duration,
    /// Events after the first in this interval.
    count: u64,
    end: Option<Mono>,
    blocked: u64,
}

impl RateCounter {
    /// Allows `limit` events per `interval`.
    pub fn new(limit: u64, interval: Duration) -> Self {
        Self { limit, interval, count: 0, end: None, blocked: 0 }
    }

    /// Whether an event at `now` is within the limit.
    pub fn allow(&mut self, now: Mono) -> bool {
        if self.end.is_none_or(|end| now > end) {
            self.count = 0;
            self.end = Some(now.after(self.interval));
        } else {
            self.count += 1;
        }
        let allowed = self.count < self.limit;
        self.blocked += u64::from(!allowed);
        allowed
    }

    /// How many events were not allowed since this was last asked.
    pub fn take_blocked(&mut self) -> u64 {
        std::mem::take(&mut self.blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_more_than_the_limit(limit in 0..5u64, steps in prop::collection::vec(0..40u64, 1..60)) {
            let mut counter = RateCounter::new(limit, Duration::from_nanos(100));
            let (mut now, mut start, mut allowed, mut blocked) = (0, 0, 0, 0);
            for (i, step) in steps.into_iter().enumerate() {
                now += step;
                if i == 0 || now > start + 100 {
                    (start, allowed) = (now, 0);
                }
                let expected = allowed < limit;
                allowed += u64::from(expected);
                blocked += u64::from(!expected);
                prop_assert_eq!(counter.allow(Mono(now)), expected);
            }
            prop_assert_eq!(counter.take_blocked(), blocked);
            prop_assert_eq!(counter.take_blocked(), 0);
        }
    }
}

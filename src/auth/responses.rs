//! Which reply subjects a connection may answer on (`allow_responses`).

use super::users::ResponsePermission;
use crate::base::Mono;
use hashbrown::HashMap;
use std::time::Duration;

/// Stale subjects are looked for after this many new ones,
const PRUNE_EVERY: usize = 4096;
/// or after this time.
const PRUNE_AFTER: Duration = Duration::from_secs(1);

/// Reply subjects of the requests delivered to one connection. Owned by whoever serializes the
/// connection's deliveries and publishes; knows no clock and no lock.
#[derive(Debug)]
pub struct ReplyTracker {
    permission: ResponsePermission,
    replies: HashMap<Box<[u8]>, Reply>,
    since_prune: usize,
    pruned_at: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Reply {
    since: Mono,
    answers: i32,
}

impl ReplyTracker {
    /// Nothing delivered yet.
    pub fn new(permission: ResponsePermission, now: Mono) -> Self {
        Self { permission, replies: HashMap::new(), since_prune: 0, pruned_at: now }
    }

    /// A request with this reply subject was delivered: it may be answered anew. Only for subjects
    /// that may not be published to anyway.
    pub fn delivered(&mut self, reply: &[u8], now: Mono) {
        self.replies.insert(reply.into(), Reply { since: now, answers: 0 });
        self.since_prune += 1;
        if self.since_prune > PRUNE_EVERY || now.since(self.pruned_at) > PRUNE_AFTER {
            self.prune(now);
        }
    }

    /// Whether an answer on `subject` may be published now, and counts it.
    pub fn allow(&mut self, subject: &[u8], now: Mono) -> bool {
        let permission = self.permission;
        let Some(reply) = self.replies.get_mut(subject) else { return false };
        reply.answers = reply.answers.saturating_add(1);
        let spent = permission.max_msgs > 0 && reply.answers > permission.max_msgs;
        if spent || is_expired(permission, *reply, now) {
            self.replies.remove(subject);
            return false;
        }
        true
    }

    /// Reply subjects that are remembered.
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    fn prune(&mut self, now: Mono) {
        let permission = self.permission;
        self.replies.retain(|_, reply| {
            let spent = permission.max_msgs > 0 && reply.answers >= permission.max_msgs;
            !spent && !is_expired(permission, *reply, now)
        });
        (self.since_prune, self.pruned_at) = (0, now);
    }
}

fn is_expired(permission: ResponsePermission, reply: Reply, now: Mono) -> bool {
    permission.expires.is_some_and(|after| now.since(reply.since) > after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn answers_are_counted_and_expire() {
        let permission = ResponsePermission { max_msgs: 2, expires: Some(Duration::from_secs(5)) };
        let mut tracker = ReplyTracker::new(permission, Mono(0));
        assert!(!tracker.allow(b"r", Mono(0)));
        tracker.delivered(b"r", Mono(0));
        assert!(tracker.allow(b"r", Mono(S)) && tracker.allow(b"r", Mono(S)));
        assert!(!tracker.allow(b"r", Mono(S)) && tracker.is_empty());
        tracker.delivered(b"r", Mono(S));
        assert!(!tracker.allow(b"r", Mono(7 * S)), "too late");
    }

    #[test]
    fn unlimited_means_unlimited() {
        let permission = ResponsePermission { max_msgs: -1, expires: None };
        let mut tracker = ReplyTracker::new(permission, Mono(0));
        tracker.delivered(b"r", Mono(0));
        assert!((0..100).all(|i| tracker.allow(b"r", Mono(i * S))));
    }

    #[test]
    fn stale_ones_are_forgotten() {
        let permission = ResponsePermission { max_msgs: 1, expires: Some(Duration::from_secs(1)) };
        let mut tracker = ReplyTracker::new(permission, Mono(0));
        for i in 0..10_000u64 {
            tracker.delivered(format!("r{i}").as_bytes(), Mono(i * S / 1000));
        }
        assert!(tracker.len() <= 2100, "{}", tracker.len());
    }
}

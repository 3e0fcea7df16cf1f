//! One subscription.

use super::Endpoint;
use smallvec::SmallVec;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Bytes of subject, queue group and id that need no allocation of their own: with them a
/// subscription and its counts fill a block of 104 bytes.
const INLINE_TEXT: usize = 40;

/// A subscription of an endpoint to a subject, alone or in a queue group.
///
/// Small on purpose (a busy server holds millions), and mostly one allocation: looking at the texts
/// of one in a million costs a cache miss, and so would every pointer on the way to them.
#[derive(Debug)]
pub struct Subscription {
    endpoint: Weak<Endpoint>,
    /// Subject, queue group, subscription id.
    text: SmallVec<[u8; INLINE_TEXT]>,
    subject_len: u32,
    queue_len: u32,
    delivered: AtomicU64,
    /// Deliveries after which it ends; 0 is never.
    max: AtomicU64,
    /// Where it stands in its list in the sublist; kept under the sublist's lock.
    slot: AtomicU32,
    closed: AtomicBool,
}

impl Subscription {
    /// A subscription; `queue` is empty outside of groups.
    pub fn new(endpoint: Weak<Endpoint>, subject: &[u8], queue: &[u8], sid: &[u8]) -> Self {
        let mut text = SmallVec::with_capacity(subject.len() + queue.len() + sid.len());
        text.extend_from_slice(subject);
        text.extend_from_slice(queue);
        text.extend_from_slice(sid);
        Self {
            endpoint,
            text,
            subject_len: subject.len() as u32,
            queue_len: queue.len() as u32,
            delivered: AtomicU64::new(0),
            max: AtomicU64::new(0),
            slot: AtomicU32::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Subject, wildcards included.
    #[inline]
    pub fn subject(&self) -> &[u8] {
        &self.text[..self.subject_len as usize]
    }

    /// Queue group; empty if none.
    #[inline]
    pub fn queue(&self) -> &[u8] {
        &self.text[self.subject_len as usize..][..self.queue_len as usize]
    }

    /// The id its client chose.
    #[inline]
    pub fn sid(&self) -> &[u8] {
        &self.text[(self.subject_len + self.queue_len) as usize..]
    }

    /// Whose it is.
    #[inline]
    pub fn endpoint(&self) -> &Weak<Endpoint> {
        &self.endpoint
    }

    /// Messages delivered so far.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Deliveries after which it ends; 0 is never.
    #[inline]
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Ends it after `max` deliveries; 0 takes the limit back.
    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Counts `n` deliveries and tells how many of them its limit allows.
    #[inline]
    pub fn deliver(&self, n: u64) -> u64 {
        let before = self.delivered.fetch_add(n, Ordering::Relaxed);
        match self.max() {
            0 => n,
            max => n.min(max.saturating_sub(before)),
        }
    }

    /// Whether its limit is used up.
    pub fn exhausted(&self) -> bool {
        let max = self.max();
        max > 0 && self.delivered() >= max
    }

    /// No more deliveries.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether it was closed.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed) as usize
    }

    pub(super) fn set_slot(&self, slot: usize) {
        self.slot.store(slot as u32, Ordering::Relaxed);
    }
}

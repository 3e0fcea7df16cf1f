//! [`Queue`]: an inbox that its reader empties a batch at a time, with optional limits, and the
//! [`QueueRegistry`] that monitoring lists. Go: `server/ipqueue.go`.

use super::lock::{Mutex, Rank};
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// Emptied buffers of a larger capacity are freed rather than kept.
const RECYCLE_MAX: usize = 4 * 1024;

/// What a queue accepts, and how it counts.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits<T> {
    /// Most items waiting; 0 for any number.
    pub len: usize,
    /// Most bytes waiting, by `size_of`; 0 for any number.
    pub bytes: u64,
    /// The size of an item, bytes; `None` counts nothing.
    pub size_of: Option<fn(&T) -> u64>,
}

impl<T> Default for QueueLimits<T> {
    fn default() -> Self {
        Self { len: 0, bytes: 0, size_of: None }
    }
}

/// Why a queue did not accept an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// As many items wait as may.
    #[error("IPQ len limit reached")]
    Len,
    /// As many bytes wait as may.
    #[error("IPQ size limit reached")]
    Bytes,
}

/// Items in the order they were pushed. Any number of tasks may push and pop.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    ready: Notify,
    limits: QueueLimits<T>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    bytes: u64,
    /// An emptied buffer, for when `items` is taken.
    spare: Option<VecDeque<T>>,
}

/// What monitoring sees of a queue.
#[derive(Debug, Default)]
struct Counts {
    pending: AtomicUsize,
    in_progress: AtomicUsize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new(QueueLimits::default())
    }
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(limits: QueueLimits<T>) -> Self {
        let waiting = Waiting { items: VecDeque::new(), bytes: 0, spare: None };
        Self {
            waiting: Mutex::new(Rank::Leaf, waiting),
            ready: Notify::new(),
            limits,
            counts: Arc::default(),
        }
    }

    /// Appends an item and returns how many wait.
    pub fn push(&self, item: T) -> Result<usize, QueueFull> {
        self.push_all([item])
    }

    /// Appends all items, or none if they do not all fit, and returns how many wait. The items are
    /// produced while the queue is locked: the iterator must not touch it.
    pub fn push_all(&self, items: impl IntoIterator<Item = T>) -> Result<usize, QueueFull> {
        let mut waiting = self.waiting.lock();
        let (before, bytes_before) = (waiting.items.len(), waiting.bytes);
        for item in items {
            if let Err(full) = self.admit(&mut waiting, &item) {
                // Items may own anything: drop them after the lock.
                let rejected = waiting.items.split_off(before);
                waiting.bytes = bytes_before;
                drop(waiting);
                drop(rejected);
                return Err(full);
            }
            waiting.items.push_back(item);
        }
        let len = self.publish_len(&waiting);
        drop(waiting);
        if before == 0 && len > 0 {
            self.ready.notify_one();
        }
        Ok(len)
    }

    fn admit(&self, waiting: &mut Waiting<T>, item: &T) -> Result<(), QueueFull> {
        if self.limits.len > 0 && waiting.items.len() >= self.limits.len {
            return Err(QueueFull::Len);
        }
        let bytes = waiting.bytes.saturating_add(self.size_of(item));
        if self.limits.bytes > 0 && bytes > self.limits.bytes {
            return Err(QueueFull::Bytes);
        }
        waiting.bytes = bytes;
        Ok(())
    }

    fn size_of(&self, item: &T) -> u64 {
        self.limits.size_of.map_or(0, |size_of| size_of(item))
    }

    fn publish_len(&self, waiting: &Waiting<T>) -> usize {
        self.counts.pending.store(waiting.items.len(), Ordering::Relaxed);
        waiting.items.len()
    }

    /// Takes everything that waits; `None` if nothing does. The items count as in progress until
    /// the batch is dropped.
    pub fn pop(&self) -> Option<Batch<'_, T>> {
        let mut waiting = self.waiting.lock();
        if waiting.items.is_empty() {
            return None;
        }
        let spare = waiting.spare.take().unwrap_or_default();
        let items = std::mem::replace(&mut waiting.items, spare);
        waiting.bytes = 0;
        self.publish_len(&waiting);
        let taken = items.len();
        self.counts.in_progress.fetch_add(taken, Ordering::Relaxed);
        Some(Batch { queue: self, items, taken })
    }

    /// Takes the oldest item. It does not count as in progress.
    pub fn pop_one(&self) -> Option<T> {
        let mut waiting = self.waiting.lock();
        let item = waiting.items.pop_front()?;
        waiting.bytes = waiting.bytes.saturating_sub(self.size_of(&item));
        let more = self.publish_len(&waiting) > 0;
        if !more && waiting.items.capacity() > RECYCLE_MAX {
            waiting.items = VecDeque::new();
        }
        drop(waiting);
        if more {
            self.ready.notify_one();
        }
        Some(item)
    }

    /// Drops everything that waits and returns how much that was.
    pub fn drain(&self) -> usize {
        let mut waiting = self.waiting.lock();
        let items = std::mem::take(&mut waiting.items);
        waiting.bytes = 0;
        self.publish_len(&waiting);
        self.take_signal();
        drop(waiting);
        items.len()
    }

    /// Completes when something waits. Safe to cancel.
    pub async fn ready(&self) {
        while self.is_empty() {
            self.ready.notified().await;
        }
    }

    /// Takes the signal that something was pushed, if there is one: [`Queue::ready`] without
    /// waiting. A signal may be stale, so popping can still yield nothing.
    pub fn take_signal(&self) -> bool {
        pin!(self.ready.notified()).enable()
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.waiting.lock().items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes wait; 0 if sizes are not counted.
    pub fn bytes(&self) -> u64 {
        self.waiting.lock().bytes
    }

    /// How many items are in batches that have not been dropped.
    pub fn in_progress(&self) -> usize {
        self.counts.in_progress.load(Ordering::Relaxed)
    }
}

/// Everything that waited in a queue at one moment, oldest first.
#[derive(Debug)]
pub struct Batch<'q, T> {
    queue: &'q Queue<T>,
    items: VecDeque<T>,
    taken: usize,
}

impl<T> Batch<'_, T> {
    /// How many items are left.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether all items were taken out.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<T> Iterator for Batch<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.iter().size_hint()
    }
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        self.queue.counts.in_progress.fetch_sub(self.taken, Ordering::Relaxed);
        // Items may own anything: drop them before the lock is taken.
        self.items.clear();
        if self.items.capacity() <= RECYCLE_MAX {
            self.queue.waiting.lock().spare = Some(std::mem::take(&mut self.items));
        }
    }
}

/// The named queues of a server. A queue that is dropped leaves the registry.
#[derive(Debug)]
pub struct QueueRegistry(Mutex<BTreeMap<String, Weak<Counts>>>);

/// One queue, as monitoring reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueReport {
    /// Name of the queue.
    pub name: String,
    /// Items that wait.
    pub pending: usize,
    /// Items taken but not done with.
    pub in_progress: usize,
}

impl Default for QueueRegistry {
    fn default() -> Self {
        Self(Mutex::new(Rank::Leaf, BTreeMap::new()))
    }
}

impl QueueRegistry {
    /// Lists `queue` under `name`, in place of one that has the name already.
    pub fn register<T>(&self, name: impl Into<String>, queue: &Queue<T>) {
        self.0.lock().insert(name.into(), Arc::downgrade(&queue.counts));
    }

    /// Takes a name off the list; its queue goes on.
    pub fn unregister(&self, name: &str) {
        self.0.lock().remove(name);
    }

    /// All queues, by name.
    pub fn report(&self) -> Vec<QueueReport> {
        let mut queues = self.0.lock();
        queues.retain(|_, counts| counts.strong_count() > 0);
        let report = |(name, counts): (&String, &Weak<Counts>)| {
            let counts = counts.upgrade()?;
            Some(QueueReport {
                name: name.clone(),
                pending: counts.pending.load(Ordering::Relaxed),
                in_progress: counts.in_progress.load(Ordering::Relaxed),
            })
        };
        queues.iter().filter_map(report).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sized(len: usize, bytes: u64) -> Queue<u64> {
        Queue::new(QueueLimits { len, bytes, size_of: Some(|n| *n) })
    }

    #[tokio::test]
    async fn readers_are_woken() {
        let queue = Arc::new(Queue::default());
        let scope = crate::base::tasks::TaskScope::new();
        for producer in 0..4u32 {
            let queue = queue.clone();
            scope.spawn(async move {
                for n in 0..100 {
                    queue.push(producer * 100 + n).unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut seen = Vec::new();
        while seen.len() < 400 {
            queue.ready().await;
            seen.extend(queue.pop_one());
            seen.extend(queue.pop().into_iter().flatten());
        }
        for producer in 0..4 {
            let own = seen.iter().filter(|n| **n / 100 == producer).map(|n| n % 100);
            assert!(own.eq(0..100), "order of a producer is kept");
        }
        scope.wait().await;
        assert!(queue.is_empty() && queue.in_progress() == 0);
    }

    #[tokio::test]
    async fn several_readers_share_one_queue() {
        let queue = Arc::new(Queue::default());
        let scope = crate::base::tasks::TaskScope::new();
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let (queue, done) = (queue.clone(), done.clone());
            scope.spawn(async move {
                loop {
                    queue.ready().await;
                    match queue.pop_one() {
                        Some(true) => done.fetch_add(1, Ordering::Relaxed),
                        Some(false) => return,
                        None => continue,
                    };
                }
            });
        }
        queue.push_all([true; 50].into_iter().chain([false; 3])).unwrap();
        scope.wait().await;
        assert_eq!(done.load(Ordering::Relaxed), 50);
    }

    #[test]
    fn the_registry_forgets_dropped_queues() {
        let registry = QueueRegistry::default();
        let (a, b) = (Queue::default(), Queue::<()>::default());
        registry.register("a", &a);
        registry.register("b", &b);
        a.push_all(0..3).unwrap();
        let batch = a.pop();
        a.push(9).unwrap();
        let report = |name: &str, pending, in_progress| QueueReport {
            name: name.to_owned(),
            pending,
            in_progress,
        };
        assert_eq!(registry.report(), [report("a", 1, 3), report("b", 0, 0)]);
        drop((b, batch));
        assert_eq!(registry.report(), [report("a", 1, 0)]);
    }

    proptest! {
        #[test]
        fn follows_a_list(steps in prop::collection::vec((0..6u8, 0..9u64), 0..60)) {
            let queue = sized(6, 20);
            let mut model: VecDeque<u64> = VecDeque::new();
            for (what, n) in steps {
                match what {
                    0 | 1 => {
                        let fits = |m: &VecDeque<u64>| m.len() < 6 && m.iter().sum::<u64>() + n <= 20;
                        prop_assert_eq!(queue.push(n).is_ok(), fits(&model));
                        if fits(&model) {
                            model.push_back(n);
                        }
                    }
                    2 => {
                        let fits = model.len() + 2 <= 6 && model.iter().sum::<u64>() + 2 * n <= 20;
                        prop_assert_eq!(queue.push_all([n, n]).is_ok(), fits);
                        if fits {
                            model.extend([n, n]);
                        }
                    }
                    3 => prop_assert_eq!(queue.pop_one(), model.pop_front()),
                    4 => {
                        let all: Option<Vec<_>> = queue.pop().map(Iterator::collect);
                        prop_assert_eq!(all, (!model.is_empty()).then(|| model.drain(..).collect()));
                    }
                    _ => {
                        prop_assert_eq!(queue.drain(), model.len());
                        model.clear();
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.bytes(), model.iter().sum::<u64>());
                prop_assert_eq!(queue.in_progress(), 0);
                prop_assert!(!queue.take_signal() || what < 3 || what == 3 && !model.is_empty() || what == 4);
            }
        }
    }
}

//! Group commit: what many wait for is made durable by one sync.
//!
//! A store that has written asks for a sync up to a sequence ([`CommitHandle::request`]) and goes
//! on. It is queued once, however often it asks; a thread of the pool takes it, syncs everything
//! that it has written by then, lets it deliver what waited for that ([`Syncable::committed`]), and
//! queues it again behind the others if more was asked for meanwhile. Several threads pay since file
//! systems merge syncs of different files. Stores that sync now and then ask the same way, by a
//! timer.
//!
//! A sync that fails may have lost what it should have written, and a later one that succeeds does
//! not bring it back. So the first failure is final: whoever asks after it gets the same error.

use crate::base::lock::{Mutex, Rank};
use crate::base::tasks::TaskScope;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use tokio::sync::watch;

/// What can be made durable.
pub trait Syncable: Send + Sync {
    /// Makes everything durable that was written before the call; its highest sequence. Blocks.
    /// It is never called twice at once.
    ///
    /// # Errors
    ///
    /// What the system says; it is not called again.
    fn sync(&self) -> io::Result<u64>;

    /// The outcome of a sync, on the thread that made it and before the next one: acknowledgements
    /// are sent, or never will be.
    fn committed(&self, outcome: Result<u64, &CommitError>) {
        let _ = outcome;
    }
}

/// Why something is not durable and will not be.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CommitError(Arc<io::Error>);

impl CommitError {
    /// What the system said.
    pub fn source(&self) -> &io::Error {
        &self.0
    }
}

/// Threads that sync stores.
#[derive(Clone)]
pub struct CommitPool(Arc<Pool>);

struct Pool {
    tasks: TaskScope,
    threads: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<Member>>,
    /// Threads at work. They end when nothing waits.
    active: usize,
}

/// Times that a thread steps back for those who ask, before it syncs.
const GATHER_MAX: usize = 64;

/// A store in a pool.
struct Member {
    store: Arc<dyn Syncable>,
    asked: Mutex<Asked>,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Asked {
    /// The highest sequence that was asked for.
    seq: u64,
    /// It waits in the queue or is being synced.
    is_scheduled: bool,
}

#[derive(Clone, Debug, Default)]
struct Progress {
    durable: u64,
    failed: Option<CommitError>,
}

impl CommitPool {
    /// A pool of at most so many threads (1 if it is 0), which belong to `tasks`. They are there
    /// only while there is something to do.
    pub fn new(tasks: &TaskScope, threads: usize) -> Self {
        let queue = Mutex::new(Rank::Leaf, Queue::default());
        Self(Arc::new(Pool { tasks: tasks.clone(), threads: threads.max(1), queue }))
    }

    /// Takes a store in.
    pub fn join(&self, store: Arc<dyn Syncable>) -> CommitHandle {
        let asked = Mutex::new(Rank::Leaf, Asked::default());
        let member = Arc::new(Member { store, asked, progress: watch::Sender::default() });
        CommitHandle { pool: self.clone(), member }
    }

    /// Queues a store that is marked as scheduled.
    fn schedule(&self, member: Arc<Member>) {
        self.0.queue.lock().waiting.push_back(member);
        self.start_thread();
    }

    /// Starts a thread, if something waits and there are not enough.
    fn start_thread(&self) {
        {
            let mut queue = self.0.queue.lock();
            if queue.waiting.is_empty() || queue.active >= self.0.threads {
                return;
            }
            queue.active += 1;
        }
        let pool = self.clone();
        self.0.tasks.spawn_blocking(move || pool.work());
    }

    /// Syncs what waits until nothing does.
    fn work(&self) {
        let _active = Active(self);
        loop {
            let member = {
                let mut queue = self.0.queue.lock();
                let Some(member) = queue.waiting.pop_front() else {
                    // Under the lock in which it was seen: who queues after it counts right.
                    queue.active -= 1;
                    return;
                };
                member
            };
            if member.sync() {
                let mut queue = self.0.queue.lock();
                queue.waiting.push_back(member);
            }
        }
    }
}

/// Counts its thread out when a store panics, and lets another go on.
struct Active<'a>(&'a CommitPool);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.0.0.queue.lock().active -= 1;
        self.0.start_thread();
    }
}

impl Member {
    /// Syncs; whether more was asked for meanwhile.
    fn sync(&self) -> bool {
        let target = self.gather();
        // A request may have come just as it failed.
        let mut has_failed = self.progress.borrow().failed.is_some();
        if !has_failed {
            let _panic = FailOnPanic(self);
            let outcome = self.store.sync().map_err(|e| CommitError(Arc::new(e)));
            self.store.committed(outcome.as_ref().copied());
            has_failed = outcome.is_err();
            self.progress.send_modify(|progress| match outcome {
                Ok(seq) => progress.durable = progress.durable.max(seq),
                Err(e) => progress.failed = Some(e),
            });
        }
        let mut asked = self.asked.lock();
        asked.is_scheduled = !has_failed && asked.seq > target;
        asked.is_scheduled
    }

    /// Lets those go first who are about to ask too: a sync releases many at once, and the first
    /// of them to ask again would have the next sync nearly for itself. What is asked for then.
    fn gather(&self) -> u64 {
        let mut target = self.asked.lock().seq;
        for _ in 0..GATHER_MAX {
            std::thread::yield_now();
            let now = self.asked.lock().seq;
            if now == target {
                break;
            }
            target = now;
        }
        target
    }
}

/// Fails what waits when the store panics.
struct FailOnPanic<'a>(&'a Member);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let error = CommitError(Arc::new(io::Error::other("the sync panicked")));
        self.0.progress.send_modify(|progress| progress.failed = Some(error));
    }
}

/// A store's way to its pool.
#[derive(Clone)]
pub struct CommitHandle {
    pool: CommitPool,
    member: Arc<Member>,
}

impl CommitHandle {
    /// Asks for a sync up to `seq`, which is written already. Never blocks. Nothing happens when
    /// that is durable already, or after a failure. To be called from within the runtime.
    pub fn request(&self, seq: u64) {
        {
            let progress = self.member.progress.borrow();
            if progress.durable >= seq || progress.failed.is_some() {
                return;
            }
        }
        let mut asked = self.member.asked.lock();
        asked.seq = asked.seq.max(seq);
        let was_scheduled = std::mem::replace(&mut asked.is_scheduled, true);
        drop(asked);
        if !was_scheduled {
            self.pool.schedule(Arc::clone(&self.member));
        }
    }

    /// Waits until `seq`, which was asked for, is durable.
    ///
    /// # Errors
    ///
    /// When a sync failed before it was.
    pub async fn durable(&self, seq: u64) -> Result<(), CommitError> {
        let mut progress = self.member.progress.subscribe();
        let done = progress.wait_for(|now| now.durable >= seq || now.failed.is_some()).await;
        // The handle holds the other end.
        let now = done.map_err(|_| CommitError(Arc::new(ErrorKind::BrokenPipe.into())))?;
        match &now.failed {
            Some(e) if now.durable < seq => Err(e.clone()),
            _ => Ok(()),
        }
    }

    /// The highest sequence that is known to be durable; why there will not be a higher one, if it
    /// is so.
    pub fn progress(&self) -> (u64, Option<CommitError>) {
        let progress = self.member.progress.borrow();
        (progress.durable, progress.failed.clone())
    }
}

impl fmt::Debug for CommitPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitPool").field("threads", &self.0.threads).finish_non_exhaustive()
    }
}

impl fmt::Debug for CommitHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = self.member.progress.borrow();
        f.debug_struct("CommitHandle").field("progress", &*progress).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;

//! Tasks that belong to someone.
//!
//! Every task is spawned in a [`TaskScope`]; closing the scope cancels its tasks and waits for
//! them, so a server that shut down has left nothing running.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::sync::Notify;

/// Task turns after which a worker looks for new input on other sockets.
const EVENT_INTERVAL: u32 = 8;

/// The runtime of a server program.
///
/// It has more workers than the machine has cores: while some are busy with flooding connections,
/// another sleeps on the sockets, and the kernel lets it run at once when a quiet connection has
/// something to say. With a worker per core such a connection waited for the floods' turns, a
/// millisecond and more.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2 * cores + 2)
        .enable_all()
        .thread_name("net")
        // A turn of a flooding connection is long: look for other sockets after few of them.
        .event_interval(EVENT_INTERVAL)
        .build()
}

/// How many threads the current runtime serves the network with.
pub fn workers() -> usize {
    tokio::runtime::Handle::current().metrics().num_workers()
}

/// A group of tasks with one cancellation.
#[derive(Clone, Debug, Default)]
pub struct TaskScope(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    cancel: Notify,
    live: AtomicUsize,
    idle: Notify,
    panicked: AtomicUsize,
}

struct Live(Arc<Inner>);

impl Drop for Live {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.fetch_add(1, Ordering::Relaxed);
        }
        if self.0.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// A task that its scope counts for as long as it lives.
struct Counted<F> {
    _live: Live,
    task: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Future for Counted<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.task.as_mut().poll(cx)
    }
}

impl TaskScope {
    /// An empty scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends; it is expected to watch [`TaskScope::cancelled`] itself.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.live.fetch_add(1, Ordering::AcqRel);
        // Boxed: an async block around it would hold the task's state twice.
        tokio::spawn(Counted { _live: Live(self.0.clone()), task: Box::pin(task) });
    }

    /// Runs `task` until it ends or the scope is cancelled, whichever is first.
    pub fn spawn_abortable<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let scope = self.clone();
        self.spawn(async move {
            tokio::select! {
                biased;
                () = scope.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Runs blocking work (password hashing, slow disk) off the network threads.
    pub async fn blocking<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Runs work that blocks again and again (syncs of files) on a thread of its own until it ends.
    /// What shall end with the scope watches [`TaskScope::is_cancelled`].
    pub fn spawn_blocking<F>(&self, work: F)
    where
        F: FnOnce() + Send + 'static,
    {
        self.0.live.fetch_add(1, Ordering::AcqRel);
        let live = Live(self.0.clone());
        tokio::task::spawn_blocking(move || {
            let _live = live;
            work();
        });
    }

    /// True once the scope was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Completes when the scope is cancelled.
    pub async fn cancelled(&self) {
        let mut waiting = pin!(self.0.cancel.notified());
        waiting.as_mut().enable();
        if self.is_cancelled() {
            return;
        }
        waiting.await;
    }

    /// Asks every task to stop.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.cancel.notify_waiters();
    }

    /// Completes when no task is left.
    pub async fn wait(&self) {
        loop {
            let mut idle = pin!(self.0.idle.notified());
            idle.as_mut().enable();
            if self.live() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Tasks still running.
    pub fn live(&self) -> usize {
        self.0.live.load(Ordering::Acquire)
    }

    /// Tasks that ended in a panic.
    pub fn panicked(&self) -> usize {
        self.0.panicked.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancel_ends_and_wait_sees_it() {
        let scope = TaskScope::new();
        scope.spawn_abortable(std::future::pending());
        let own = scope.clone();
        scope.spawn(async move { own.cancelled().await });
        assert_eq!(scope.live(), 2);
        scope.cancel();
        scope.wait().await;
        assert_eq!(scope.live(), 0);
    }
}

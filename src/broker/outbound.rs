//! The output of one connection.
//!
//! Whoever has bytes for a connection writes them to its socket itself, without a queue and
//! without waking a task. Only what cannot be written now, because another writer is at it or
//! because the peer reads too slowly, is copied into a list of chunks:
//!
//! ```text
//!            send(bytes)
//!                |
//!      busy? ----+---- no -> claim `busy`, write -----> all written: release `busy`
//!       |                          |
//!       | yes                      | would block
//!       v                          v
//!   chunks.push(copy)        chunks.push_front(rest), drain task keeps `busy`
//! ```
//!
//! The holder of `busy` is the only one that touches the socket, and it is never held across the
//! lock. Pending bytes are bounded: past the limit the connection is a slow consumer and closed.

use super::chunks::Chunks;
use super::endpoint::{CloseReason, Endpoint};
use super::hub::Hub;
use crate::base::Mono;
use crate::base::limits::WRITE_ROUNDS;
use crate::base::lock::{Guard, Mutex, Rank};
use crate::base::net::Stream;
use crate::tls::session::TlsSession;
use smallvec::SmallVec;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The output of one connection. See the module's text.
#[derive(Debug)]
pub struct Outbound {
    stream: Stream,
    tls: OnceLock<Box<TlsSession>>,
    hub: Arc<Hub>,
    state: Mutex<State>,
    max_pending: AtomicUsize,
    write_deadline_ms: AtomicU32,
    stalls: AtomicU32,
    retry_on_deadline: AtomicBool,
    /// A write deadline passed and nothing was completed in time since.
    late: AtomicBool,
    pending_mirror: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    busy: bool,
    /// Nothing is taken any more.
    closed: bool,
    chunks: Chunks,
    /// Bytes in `chunks` and in the drain task's hands.
    pending: usize,
    /// Wakes stalled producers and whoever waits for the end of output.
    waiting: Option<Arc<Notify>>,
}

/// What became of bytes given to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Written or queued.
    Ok,
    /// Queued, and so much is queued that the producer should wait a little.
    Stalled,
    /// Not taken: `no_fast_producer_stall` is set and the connection is behind.
    Skipped,
    /// Not taken: it is closed or closing.
    Closed,
}

/// How far a write got.
struct Progress {
    /// Bytes of the caller's that need no further attention.
    written: usize,
    /// The socket takes no more.
    blocked: bool,
}

impl Outbound {
    pub(super) fn new(stream: Stream, hub: Arc<Hub>) -> Self {
        Self {
            stream,
            tls: OnceLock::new(),
            hub,
            state: Mutex::new(Rank::Outbound, State::default()),
            max_pending: AtomicUsize::new(crate::base::limits::MAX_PENDING),
            write_deadline_ms: AtomicU32::new(10_000),
            stalls: AtomicU32::new(0),
            retry_on_deadline: false.into(),
            late: false.into(),
            pending_mirror: AtomicUsize::new(0),
        }
    }

    /// The limits of the configuration.
    pub fn configure(&self, max_pending: usize, write_deadline: Duration, retry: bool) {
        self.max_pending.store(max_pending, Ordering::Relaxed);
        let ms = u32::try_from(write_deadline.as_millis()).unwrap_or(u32::MAX).max(1);
        self.write_deadline_ms.store(ms, Ordering::Relaxed);
        self.retry_on_deadline.store(retry, Ordering::Relaxed);
    }

    /// The connection's stream.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Everything written from now on, and read, goes through `session`.
    pub fn set_tls(&self, session: TlsSession) {
        // A second handshake on one connection does not exist in the protocol.
        let _ = self.tls.set(Box::new(session));
    }

    /// The TLS session, if there is one.
    pub fn tls(&self) -> Option<&TlsSession> {
        self.tls.get().map(|b| &**b)
    }

    /// Unwritten bytes.
    pub fn pending(&self) -> usize {
        self.pending_mirror.load(Ordering::Relaxed)
    }

    /// Times producers waited for this connection.
    pub fn stalls(&self) -> u32 {
        self.stalls.load(Ordering::Relaxed)
    }

    /// Reads clear text; `Ready(Ok(0))` is the end.
    #[inline]
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.tls() {
            None => self.stream.poll_read(cx, buf),
            Some(tls) => tls.poll_read(&self.stream, cx, buf),
        }
    }

    /// Writes or queues `parts`, `len` bytes in all.
    pub fn send(&self, endpoint: &Arc<Endpoint>, parts: &[IoSlice<'_>], len: usize) -> Sent {
        {
            let mut state = self.state.lock();
            if state.closed {
                return Sent::Closed;
            }
            if state.busy {
                return self.queue(state, endpoint, parts, len);
            }
            state.busy = true;
        }
        match self.write(parts, 0) {
            Ok(Progress { written, blocked: false }) if written == len => self.release(endpoint),
            Ok(progress) => self.leave_to_drain(endpoint, parts, progress.written),
            Err(_) => {
                self.fail(endpoint, CloseReason::WriteError);
                Sent::Closed
            }
        }
    }

    /// Writes or queues one piece.
    pub fn send_bytes(&self, endpoint: &Arc<Endpoint>, bytes: &[u8]) -> Sent {
        self.send(endpoint, &[IoSlice::new(bytes)], bytes.len())
    }

    /// Sends what the TLS session wants to send of its own (tickets, key updates, alerts).
    pub fn flush_tls(&self, endpoint: &Arc<Endpoint>) {
        if self.tls().is_some_and(TlsSession::wants_write) {
            self.send(endpoint, &[], 0);
        }
    }

    fn queue(
        &self,
        mut state: Guard<'_, State>,
        endpoint: &Arc<Endpoint>,
        parts: &[IoSlice<'_>],
        len: usize,
    ) -> Sent {
        let max = self.max_pending.load(Ordering::Relaxed);
        let stall_at = max / 4 * 3;
        let skip = self.hub.no_stall.load(Ordering::Relaxed);
        if skip && state.pending > stall_at {
            return Sent::Skipped;
        }
        if state.pending + len > max {
            state.closed = true;
            state.chunks = Chunks::default();
            drop(state);
            self.slow_consumer(endpoint, max);
            return Sent::Closed;
        }
        parts.iter().for_each(|part| state.append(part));
        self.pending_mirror.store(state.pending, Ordering::Relaxed);
        if state.pending > stall_at && !skip { Sent::Stalled } else { Sent::Ok }
    }

    fn slow_consumer(&self, endpoint: &Arc<Endpoint>, max: usize) {
        if endpoint.close(CloseReason::SlowConsumerPendingBytes) {
            self.hub.stats.slow_consumers.fetch_add(1, Ordering::Relaxed);
            endpoint.note_slow_consumer();
            self.hub.log.info(format_args!(
                "{} - Slow Consumer Detected: MaxPending of {max} Exceeded",
                endpoint.label()
            ));
        }
    }

    /// One attempt to write `parts` from byte `skip` on.
    fn write(&self, parts: &[IoSlice<'_>], skip: usize) -> io::Result<Progress> {
        if let Some(tls) = self.tls() {
            let (written, blocked) = tls.write(&self.stream, parts, skip)?;
            return Ok(Progress { written, blocked });
        }
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let mut done = skip;
        while done < total {
            let rest = tail(parts, done);
            let wrote = match &rest[..] {
                [one] => self.stream.try_write(one),
                many => self.stream.try_write_vectored(many),
            };
            match wrote {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress { written: done, blocked: true });
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Progress { written: done, blocked: false })
    }

    /// Writes what others queued meanwhile and gives `busy` back; after some rounds a task takes
    /// over, so that one producer does not end up writing for all others.
    fn release(&self, endpoint: &Arc<Endpoint>) -> Sent {
        for _ in 0..WRITE_ROUNDS {
            let chunks = {
                let mut state = self.state.lock();
                if state.chunks.is_empty() {
                    self.idle(state);
                    return Sent::Ok;
                }
                std::mem::take(&mut state.chunks)
            };
            match self.write_chunks(chunks, endpoint) {
                Round::Done => {}
                Round::Blocked => return Sent::Ok,
                Round::Failed => return Sent::Closed,
            }
        }
        self.spawn_drain(endpoint);
        Sent::Ok
    }

    fn write_chunks(&self, mut chunks: Chunks, endpoint: &Arc<Endpoint>) -> Round {
        while !chunks.is_empty() {
            let result = self.write(&chunks.front(), 0);
            match result {
                Ok(progress) => {
                    chunks.advance(progress.written);
                    let mut state = self.state.lock();
                    state.pending = state.pending.saturating_sub(progress.written);
                    self.pending_mirror.store(state.pending, Ordering::Relaxed);
                    if progress.blocked {
                        chunks.put_before(&mut state.chunks);
                        drop(state);
                        self.spawn_drain(endpoint);
                        return Round::Blocked;
                    }
                }
                Err(_) => {
                    self.fail(endpoint, CloseReason::WriteError);
                    return Round::Failed;
                }
            }
        }
        Round::Done
    }

    /// Nothing is left to write: `busy` ends and those who wait are told.
    fn idle(&self, mut state: Guard<'_, State>) {
        state.busy = false;
        // A list that grew in a burst is not kept by an idle connection.
        state.chunks = Chunks::default();
        state.pending = 0;
        self.pending_mirror.store(0, Ordering::Relaxed);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
    }

    fn leave_to_drain(
        &self,
        endpoint: &Arc<Endpoint>,
        parts: &[IoSlice<'_>],
        written: usize,
    ) -> Sent {
        let max = self.max_pending.load(Ordering::Relaxed);
        let mut rest = State::default();
        tail(parts, written).iter().for_each(|part| rest.append(part));
        let mut state = self.state.lock();
        state.pending += rest.pending;
        rest.chunks.put_before(&mut state.chunks);
        self.pending_mirror.store(state.pending, Ordering::Relaxed);
        let stalled = state.pending > max / 4 * 3;
        if state.pending > max {
            state.closed = true;
            drop(state);
            self.slow_consumer(endpoint, max);
            self.fail(endpoint, CloseReason::SlowConsumerPendingBytes);
            return Sent::Closed;
        }
        drop(state);
        self.spawn_drain(endpoint);
        if stalled && !self.hub.no_stall.load(Ordering::Relaxed) { Sent::Stalled } else { Sent::Ok }
    }

    /// The socket is of no use any more.
    fn fail(&self, endpoint: &Arc<Endpoint>, reason: CloseReason) {
        let mut state = self.state.lock();
        state.closed = true;
        self.idle_closed(&mut state);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
        endpoint.close(reason);
    }

    fn idle_closed(&self, state: &mut State) {
        state.busy = false;
        state.chunks = Chunks::default();
        state.pending = 0;
        self.pending_mirror.store(0, Ordering::Relaxed);
    }

    fn spawn_drain(&self, endpoint: &Arc<Endpoint>) {
        let endpoint = endpoint.clone();
        self.hub.tasks.spawn(async move { endpoint.out.drain(&endpoint).await });
    }

    /// Writes the chunks as the peer takes them, then gives `busy` back.
    async fn drain(&self, endpoint: &Arc<Endpoint>) {
        loop {
            let mut chunks = {
                let mut state = self.state.lock();
                if state.chunks.is_empty() && !self.tls().is_some_and(TlsSession::wants_write) {
                    self.idle(state);
                    return;
                }
                std::mem::take(&mut state.chunks)
            };
            if let Err(reason) = self.drain_chunks(endpoint, &mut chunks).await {
                self.fail(endpoint, reason);
                return;
            }
        }
    }

    async fn drain_chunks(
        &self,
        endpoint: &Arc<Endpoint>,
        chunks: &mut Chunks,
    ) -> Result<(), CloseReason> {
        let clock = self.hub.env.clock();
        let mut attempt = Attempt::new(chunks, clock.now());
        loop {
            let progress = self.write(&chunks.front(), 0).map_err(|_| CloseReason::WriteError)?;
            attempt.written += progress.written;
            chunks.advance(progress.written);
            {
                let mut state = self.state.lock();
                state.pending = state.pending.saturating_sub(progress.written);
                self.pending_mirror.store(state.pending, Ordering::Relaxed);
                let calm = state.pending <= self.max_pending.load(Ordering::Relaxed) / 2;
                if let Some(waiting) = state.waiting.as_ref().filter(|_| calm) {
                    waiting.notify_waiters();
                }
                if endpoint.closing().is_some_and(CloseReason::skips_flush) {
                    return Err(CloseReason::WriteError);
                }
            }
            if !progress.blocked {
                if chunks.is_empty() {
                    self.recovered(endpoint, &attempt);
                    return Ok(());
                }
                continue;
            }
            let deadline = self.write_deadline();
            let left = attempt.start.after(deadline).since(clock.now());
            // A peer that takes a little again and again is late all the same.
            let writable = match left.is_zero() {
                true => None,
                false => clock.timeout(left, self.stream.writable()).await,
            };
            match writable {
                Some(Ok(())) => {}
                Some(Err(_)) => return Err(CloseReason::WriteError),
                None => {
                    self.deadline_passed(endpoint, deadline, &attempt)?;
                    attempt = Attempt::new(chunks, clock.now());
                }
            }
        }
    }

    /// An attempt took too long: the connection ends, unless it may be retried and the peer took
    /// at least something.
    fn deadline_passed(
        &self,
        endpoint: &Arc<Endpoint>,
        deadline: Duration,
        attempt: &Attempt,
    ) -> Result<(), CloseReason> {
        self.hub.stats.slow_consumers.fetch_add(1, Ordering::Relaxed);
        endpoint.note_slow_consumer();
        let again = self.late.swap(true, Ordering::Relaxed);
        self.hub.log.info(format_args!(
            "{} - Slow Consumer {}: WriteDeadline of {} exceeded with {} chunks of {} total bytes.",
            endpoint.label(),
            if again { "State" } else { "Detected" },
            crate::base::text::go_duration(deadline),
            attempt.chunks,
            attempt.bytes,
        ));
        // Before the first of these, the producer itself wrote until the socket was full.
        let took_something = attempt.written > 0 || !again;
        match self.retry_on_deadline.load(Ordering::Relaxed) && took_something {
            true => Ok(()),
            false => Err(CloseReason::SlowConsumerWriteDeadline),
        }
    }

    /// An attempt was completed in time.
    fn recovered(&self, endpoint: &Arc<Endpoint>, attempt: &Attempt) {
        if self.late.swap(false, Ordering::Relaxed) {
            let took = self.hub.env.clock().now().since(attempt.start);
            self.hub.log.info(format_args!(
                "{} - Slow Consumer Recovered: Flush took {:.3}s with {} chunks of {} total bytes.",
                endpoint.label(),
                took.as_secs_f64(),
                attempt.chunks,
                attempt.bytes,
            ));
        }
    }

    fn write_deadline(&self) -> Duration {
        Duration::from_millis(u64::from(self.write_deadline_ms.load(Ordering::Relaxed)))
    }

    /// Completes when the output is (nearly) written; `None` if it is already. Made under the
    /// lock, so no notification after this look at `busy` can be missed.
    fn waiting(&self) -> Option<OwnedNotified> {
        let mut state = self.state.lock();
        if !state.busy {
            return None;
        }
        Some(state.waiting.get_or_insert_with(Arc::default).clone().notified_owned())
    }

    /// Lets a producer wait until the connection caught up, for at most `longest`; tells whether
    /// it did.
    pub async fn stall(&self, longest: Duration) -> bool {
        self.stalls.fetch_add(1, Ordering::Relaxed);
        self.hub.stats.stalls.fetch_add(1, Ordering::Relaxed);
        match self.waiting() {
            Some(waiting) => self.hub.env.clock().timeout(longest, waiting).await.is_some(),
            None => true,
        }
    }

    /// Takes nothing more; completes when what was taken is written, or after the write deadline.
    pub async fn finish(&self, flush: bool) {
        self.state.lock().closed = true;
        if flush {
            let clock = self.hub.env.clock();
            let end = clock.now().after(self.write_deadline());
            while let Some(waiting) = self.waiting() {
                let left = end.since(clock.now());
                if left.is_zero() || clock.timeout(left, waiting).await.is_none() {
                    break;
                }
            }
        }
        if let Some(tls) = self.tls() {
            tls.close(&self.stream);
        }
        self.stream.shutdown();
    }
}

/// The writing of what was queued at one time: the write deadline is for all of it.
struct Attempt {
    start: Mono,
    chunks: usize,
    bytes: usize,
    written: usize,
}

impl Attempt {
    fn new(chunks: &Chunks, start: Mono) -> Self {
        Self { start, chunks: chunks.count(), bytes: chunks.len(), written: 0 }
    }
}

enum Round {
    Done,
    Blocked,
    Failed,
}

impl State {
    fn append(&mut self, part: &[u8]) {
        self.pending += part.len();
        self.chunks.append(part);
    }
}

/// `parts` without their first `skip` bytes.
fn tail<'a>(parts: &'a [IoSlice<'a>], mut skip: usize) -> SmallVec<[IoSlice<'a>; 8]> {
    let mut rest = SmallVec::new();
    for part in parts {
        if skip >= part.len() {
            skip -= part.len();
            continue;
        }
        rest.push(IoSlice::new(&part[skip..]));
        skip = 0;
    }
    rest
}

//! Requests and replies: a requester with a fixed number in flight and a responder.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;
use crate::conn::{Conn, PATIENCE, Target};
use crate::frames::{Frame, TAG, look, push_pub};

/// Bytes of payload in a request and in its reply.
const SIZE: usize = 128;
/// Both sides look this often whether they are to stop.
const TICK: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Shared {
    replies: AtomicU64,
    /// Round trips are recorded while this is set.
    recording: AtomicBool,
    /// No new requests; the requester ends when all replies are there.
    stop: AtomicBool,
    /// The responder ends.
    done: AtomicBool,
}

/// Requests that are running.
pub struct Requests {
    shared: Arc<Shared>,
    requester: JoinHandle<Result<Vec<u32>>>,
    responder: JoinHandle<Result<()>>,
}

impl Requests {
    /// Starts a responder and a requester with `in_flight` requests under way at any time.
    pub fn start(target: &Target, in_flight: usize) -> Result<Requests> {
        let shared = Arc::new(Shared::default());
        let mut responder = Client::new(target, "SUB work.requests 1\r\n")?;
        let mut requester = Client::new(target, "SUB _INBOX.compare.* 1\r\n")?;
        let (one, other) = (shared.clone(), shared.clone());
        let responder = std::thread::spawn(move || responder.respond(&one));
        let requester = std::thread::spawn(move || requester.request(in_flight, &other));
        Ok(Requests { shared, requester, responder })
    }

    /// Replies so far.
    pub fn count(&self) -> u64 {
        self.shared.replies.load(SeqCst)
    }

    /// Round trips are recorded while this is set.
    pub fn recording(&self) -> &AtomicBool {
        &self.shared.recording
    }

    /// Awaits the open replies and returns the recorded round trips, in nanoseconds and sorted.
    pub fn finish(self) -> Result<Vec<u32>> {
        let panicked = |_| "a thread of the generator panicked".to_owned();
        self.shared.stop.store(true, SeqCst);
        let requester = self.requester.join().map_err(panicked)?;
        self.shared.done.store(true, SeqCst);
        self.responder.join().map_err(panicked)??;
        let mut times = requester?;
        times.sort_unstable();
        Ok(times)
    }
}

/// The given share of sorted nanoseconds, in microseconds.
pub fn percentile(sorted: &[u32], share: f64) -> Option<f64> {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map(|ns| f64::from(*ns) / 1e3)
}

/// One side: a connection with its input and its prepared output.
struct Client {
    conn: Conn,
    input: Vec<u8>,
    /// Bytes of `input` that are in use.
    filled: usize,
    output: Vec<u8>,
}

impl Client {
    fn new(target: &Target, subscription: &str) -> Result<Client> {
        let mut conn = target.connect()?;
        conn.send(subscription.as_bytes())?;
        conn.sync()?;
        conn.set_read_timeout(TICK)?;
        Ok(Client { conn, input: vec![0; 256 * 1024], filled: 0, output: Vec::new() })
    }

    /// One read; false if nothing came within a tick.
    fn read(&mut self) -> Result<bool> {
        match self.conn.read(&mut self.input[self.filled..]) {
            Ok(0) => Err("the server closed the connection".into()),
            Ok(count) => {
                self.filled += count;
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(false)
            }
            Err(e) => Err(format!("reading from the server: {e}")),
        }
    }

    /// Hands every complete message (control line, payload) to `take` with the output buffer,
    /// then writes the output at once.
    fn answer(
        &mut self,
        mut take: impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let mut at = 0;
        loop {
            let rest = &self.input[at..self.filled];
            match look(rest)? {
                Frame::Part => break,
                Frame::Msg { head, size } if rest.len() < head + size + 2 => break,
                Frame::Msg { head, size } => {
                    take(&rest[..head], &rest[head..head + size], &mut self.output)?;
                    at += head + size + 2;
                }
                Frame::Ping(len) => {
                    self.output.extend_from_slice(b"PONG\r\n");
                    at += len;
                }
                Frame::Other(len) => at += len,
            }
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        if !self.output.is_empty() {
            self.conn.send(&self.output)?;
            self.output.clear();
        }
        Ok(())
    }

    fn respond(&mut self, shared: &Shared) -> Result<()> {
        while !shared.done.load(SeqCst) {
            if !self.read()? {
                continue;
            }
            self.answer(|head, payload, output| {
                let reply = head.split(|b| *b == b' ').nth(3).ok_or("a request without reply")?;
                push_pub(output, reply, b"", payload.len(), leading(payload));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn request(&mut self, in_flight: usize, shared: &Shared) -> Result<Vec<u32>> {
        // Every place in flight has its own inbox; its payload counts the requests made there.
        let mut places = vec![(0, Instant::now()); in_flight];
        let mut open = in_flight;
        let mut times = Vec::with_capacity(1 << 20);
        for (place, (number, sent)) in places.iter_mut().enumerate() {
            *sent = Instant::now();
            ask(&mut self.output, place, *number);
        }
        self.answer(|_, _, _| Ok(()))?;
        let mut heard = Instant::now();
        while open > 0 {
            if !self.read()? {
                if heard.elapsed() > PATIENCE {
                    return Err(format!("{open} requests are without a reply"));
                }
                continue;
            }
            heard = Instant::now();
            let (stop, record) = (shared.stop.load(SeqCst), shared.recording.load(SeqCst));
            let mut replies = 0;
            self.answer(|head, payload, output| {
                let place = place_of(head).filter(|place| *place < in_flight);
                let place = place.ok_or("a reply to no request")?;
                let (number, sent) = &mut places[place];
                if leading(payload) != *number {
                    return Err(format!("reply {} came to request {number}", leading(payload)));
                }
                if record {
                    let spent = heard.duration_since(*sent).as_nanos();
                    times.push(spent.try_into().unwrap_or(u32::MAX));
                }
                replies += 1;
                if stop {
                    *number = u64::MAX; // Another reply to it would be a duplicate.
                    open -= 1;
                } else {
                    (*number, *sent) = (*number + 1, heard);
                    ask(output, place, *number);
                }
                Ok(())
            })?;
            shared.replies.fetch_add(replies, SeqCst);
        }
        Ok(times)
    }
}

fn ask(output: &mut Vec<u8>, place: usize, number: u64) {
    let reply = format!("_INBOX.compare.{place:03}");
    push_pub(output, b"work.requests", reply.as_bytes(), SIZE, number);
}

/// The place in flight to which a reply belongs, from its subject.
fn place_of(head: &[u8]) -> Option<usize> {
    let subject = head.split(|b| *b == b' ').nth(1)?;
    std::str::from_utf8(subject.rsplit(|b| *b == b'.').next()?).ok()?.parse().ok()
}

fn leading(payload: &[u8]) -> u64 {
    payload.first_chunk::<TAG>().map_or(0, |tag| u64::from_le_bytes(*tag))
}

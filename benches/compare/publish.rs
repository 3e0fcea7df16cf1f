//! The sending half of a flow: one thread for each publisher, writing large prepared batches.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;

use crate::Result;
use crate::conn::Conn;
use crate::flow::{MILLION, Topics, address};
use crate::frames::{TAG, push_pub, tag};
use crate::subscribe::Shared;

/// Bytes of one write, about.
const BATCH: usize = 64 * 1024;
/// Bytes that one publisher may have published beyond what has arrived, at a fan-out of one.
const WINDOW: usize = 1024 * 1024;
/// Bytes that may be under way to all subscribers: far below any server's pending limit.
const UNDER_WAY: usize = 48 * 1024 * 1024;

/// A write's worth of messages of equal length.
struct Batch {
    bytes: Vec<u8>,
    stride: usize,
    /// Where in a message its payload begins.
    payload: usize,
    topics: Topics,
    publisher: usize,
}

impl Batch {
    fn new(topics: &Topics, size: usize, publisher: usize, bytes: usize) -> Batch {
        let mut one = Vec::new();
        push_pub(&mut one, topics.subject(0).as_bytes(), b"", size, 0);
        let stride = one.len();
        // Whole turns over the mixed subjects, so that a batch may be repeated as it is.
        let turn = topics.turn();
        let messages = (bytes / stride).max(1).next_multiple_of(turn);
        let mut bytes = Vec::with_capacity(messages * stride);
        for message in 0..messages {
            push_pub(&mut bytes, topics.subject(message as u64).as_bytes(), b"", size, 0);
        }
        Batch { bytes, stride, payload: stride - size - 2, topics: topics.clone(), publisher }
    }

    fn messages(&self) -> u64 {
        (self.bytes.len() / self.stride) as u64
    }

    /// Numbers the messages from `first` on.
    fn stamp(&mut self, first: u64) {
        let (payload, publisher) = (self.payload, self.publisher);
        let million = matches!(self.topics, Topics::Million);
        for (message, sequence) in self.bytes.chunks_exact_mut(self.stride).zip(first..) {
            if million {
                let digits = address(sequence);
                message["PUB ".len()..][..digits.len()].copy_from_slice(&digits);
            }
            message[payload..payload + TAG]
                .copy_from_slice(&tag(publisher, sequence).to_le_bytes());
        }
    }
}

/// What a publisher has done. The connection stays open until all has been verified: closing a
/// socket with unread input (a PING, say) resets it, and the server loses what it had not yet read.
pub struct Published {
    pub sent: u64,
    _open: Conn,
}

/// Starts publisher number `publisher`.
pub fn start(
    mut conn: Conn,
    topics: &Topics,
    size: usize,
    publisher: usize,
    fan_out: usize,
    shared: Arc<Shared>,
) -> JoinHandle<Result<Published>> {
    let window = WINDOW.min(UNDER_WAY / fan_out.max(1));
    let mut batch = Batch::new(topics, size, publisher, BATCH.min(window / 2));
    let topics = topics.clone();
    std::thread::spawn(move || {
        let open = (window / batch.stride).max(2) as u64;
        let owed = |sent: u64| topics.deliveries_before(sent, fan_out);
        let mut sent = 0;
        let gauge = &shared.gauges[publisher];
        while gauge.wait(owed((sent + batch.messages()).saturating_sub(open)), &shared.stop) {
            batch.stamp(sent);
            if let Err(why) = conn.send(&batch.bytes) {
                shared.stop.store(true, SeqCst);
                return Err(why);
            }
            sent += batch.messages();
        }
        Ok(Published { sent, _open: conn })
    })
}

/// Starts a publisher to which nobody listens: the server's PONGs count for the arrivals.
pub fn start_unheard(
    mut conn: Conn,
    size: usize,
    shared: Arc<Shared>,
) -> JoinHandle<Result<Published>> {
    let mut batch = Batch::new(&Topics::One("load.none".into()), size, 0, BATCH);
    std::thread::spawn(move || {
        let between_pings = (WINDOW / batch.bytes.len()).max(1) as u64;
        let (mut batches, mut pings, mut pongs) = (0, 0, 0);
        let mut answers = Answers::default();
        while !shared.stop.load(SeqCst) {
            batch.stamp(batches * batch.messages());
            conn.send(&batch.bytes)?;
            batches += 1;
            if batches % between_pings == 0 {
                conn.send(b"PING\r\n")?;
                pings += 1;
                while pings - pongs > 1 {
                    let fresh = answers.read(&mut conn)?;
                    pongs += fresh;
                    shared.gauges[0].add(fresh * between_pings * batch.messages());
                }
            }
        }
        while pongs < pings {
            pongs += answers.read(&mut conn)?;
        }
        Ok(Published { sent: batches * batch.messages(), _open: conn })
    })
}

/// Reads PONGs and whatever else a server says to one who only publishes.
#[derive(Default)]
struct Answers {
    carry: Vec<u8>,
}

impl Answers {
    /// Blocks for one read and returns the number of PONGs in it.
    fn read(&mut self, conn: &mut Conn) -> Result<u64> {
        let mut piece = [0; 4096];
        let count = conn.read(&mut piece).map_err(|e| format!("awaiting a PONG: {e}"))?;
        if count == 0 {
            return Err("the server closed a publisher's connection".into());
        }
        self.carry.extend_from_slice(&piece[..count]);
        let mut pongs = 0;
        while let Some(end) = memchr::memchr(b'\n', &self.carry) {
            let line: Vec<u8> = self.carry.drain(..=end).collect();
            match line.as_slice() {
                b"PONG\r\n" => pongs += 1,
                b"PING\r\n" => conn.send(b"PONG\r\n")?,
                _ if line.starts_with(b"-ERR") => {
                    return Err(format!("the server says {}", line.escape_ascii()));
                }
                _ => {}
            }
        }
        Ok(pongs)
    }
}

/// The million subjects are visited in an order without locality, each once in a turn.
pub fn visit(sequence: u64) -> u64 {
    sequence.wrapping_mul(618_033) % MILLION
}

//! The bytes of the load: batches of PUBs to send, a cheap parser for what comes back.
//!
//! A payload starts with a tag of 8 bytes: the publisher in the upper 16 bits, the sequence
//! number below.

use std::io::Write;

use crate::Result;

/// Bytes of a payload that the tag takes.
pub const TAG: usize = 8;
const SEQUENCE_BITS: u32 = 48;

/// Puts publisher and sequence number into one number.
pub fn tag(publisher: usize, sequence: u64) -> u64 {
    (publisher as u64) << SEQUENCE_BITS | sequence
}

/// Appends `PUB subject [reply] size` and the payload with its tag.
pub fn push_pub(out: &mut Vec<u8>, subject: &[u8], reply: &[u8], size: usize, tag: u64) {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject);
    if !reply.is_empty() {
        out.push(b' ');
        out.extend_from_slice(reply);
    }
    let _ = write!(out, " {size}\r\n"); // A Vec takes everything.
    out.extend_from_slice(&tag.to_le_bytes());
    out.resize(out.len() + size - TAG, b'x');
    out.extend_from_slice(b"\r\n");
}

/// A frame from the server, as far as the load cares.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// More bytes are needed.
    Part,
    /// A message: its control line with CRLF is `head` bytes long, its payload `size`.
    Msg {
        head: usize,
        size: usize,
    },
    /// Something else of this length.
    Ping(usize),
    Other(usize),
}

/// Looks at the start of `bytes`; fails on `-ERR` and on what is no protocol.
pub fn look(bytes: &[u8]) -> Result<Frame> {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() > 8192 { Err("a line without end".into()) } else { Ok(Frame::Part) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or("a line without CR")?;
    let head = end + 1;
    if line.starts_with(b"MSG ") {
        let digits = line.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let digits = &line[line.len() - digits..];
        let size = digits.iter().fold(0, |n, d| n * 10 + usize::from(d - b'0'));
        return if size < TAG || digits.len() > 9 {
            Err(format!("a message without a tag: {}", line.escape_ascii()))
        } else {
            Ok(Frame::Msg { head, size })
        };
    }
    match line {
        b"PING" => Ok(Frame::Ping(head)),
        b"PONG" | b"+OK" => Ok(Frame::Other(head)),
        _ if line.starts_with(b"INFO ") => Ok(Frame::Other(head)),
        _ => Err(format!("the server says {}", line.escape_ascii())),
    }
}

/// What one subscriber has received from one publisher.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Track {
    pub count: u64,
    /// Sum of the squares of the sequence numbers, wrapping: duplicates cannot make up for losses.
    pub squares: u64,
    /// The least sequence number that may come next.
    next: u64,
}

/// The receiving side of a subscriber: checks order, counts, keeps what is incomplete.
pub struct Inbox {
    /// The start of an incomplete frame, to be put before the next bytes.
    pub carry: Vec<u8>,
    /// Bytes of the current payload that are still to come.
    skip: usize,
    /// The last control line: the next is mostly the same.
    head: Vec<u8>,
    size: usize,
    pub tracks: Vec<Track>,
    /// The server sent PING and waits for PONG.
    pub pinged: bool,
}

impl Inbox {
    pub fn new(publishers: usize) -> Inbox {
        Inbox {
            carry: Vec::new(),
            skip: 0,
            head: b"?".to_vec(),
            size: 0,
            tracks: vec![Track::default(); publishers],
            pinged: false,
        }
    }

    /// Takes `bytes` (which begin with `carry`) and adds to `fresh`, by publisher, the messages
    /// whose tag was seen.
    pub fn feed(&mut self, bytes: &[u8], fresh: &mut [u64]) -> Result<()> {
        self.carry.clear();
        let mut at = self.skip.min(bytes.len());
        self.skip -= at;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if !rest.starts_with(&self.head) {
                if self.turn(rest, &mut at)? {
                    continue;
                }
                self.carry.extend_from_slice(rest);
                break;
            }
            let payload = &rest[self.head.len()..];
            let Some(tag) = payload.first_chunk::<TAG>() else {
                self.carry.extend_from_slice(rest);
                break;
            };
            self.note(u64::from_le_bytes(*tag), fresh)?;
            let whole = self.size + 2;
            self.skip = whole.saturating_sub(payload.len());
            at += self.head.len() + whole - self.skip;
        }
        Ok(())
    }

    /// Learns a new control line, or passes over a frame that is no message; false if incomplete.
    fn turn(&mut self, rest: &[u8], at: &mut usize) -> Result<bool> {
        match look(rest)? {
            Frame::Part => return Ok(false),
            Frame::Msg { head, size } => {
                self.head.clear();
                self.head.extend_from_slice(&rest[..head]);
                self.size = size;
            }
            Frame::Ping(len) => {
                self.pinged = true;
                *at += len;
            }
            Frame::Other(len) => *at += len,
        }
        Ok(true)
    }

    #[inline]
    fn note(&mut self, tag: u64, fresh: &mut [u64]) -> Result<()> {
        let publisher = (tag >> SEQUENCE_BITS) as usize;
        let sequence = tag & ((1 << SEQUENCE_BITS) - 1);
        let track = self.tracks.get_mut(publisher).ok_or("a payload was damaged")?;
        if sequence < track.next {
            return Err(format!(
                "message {sequence} of publisher {publisher} came twice or late ({} was due)",
                track.next
            ));
        }
        track.next = sequence + 1;
        track.count += 1;
        track.squares = track.squares.wrapping_add(sequence.wrapping_mul(sequence));
        fresh[publisher] += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str, sequence: u64, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        push_pub(&mut out, format!("{subject} 1").as_bytes(), b"", size, tag(1, sequence));
        out[0..3].copy_from_slice(b"MSG");
        out
    }

    /// Feeds `bytes` in pieces of `step`.
    fn feed(bytes: &[u8], step: usize) -> Result<(Inbox, Vec<u64>)> {
        let (mut inbox, mut fresh) = (Inbox::new(2), vec![0; 2]);
        for piece in bytes.chunks(step) {
            let whole = [inbox.carry.as_slice(), piece].concat();
            inbox.feed(&whole, &mut fresh)?;
        }
        Ok((inbox, fresh))
    }

    #[test]
    fn counts_the_same_however_the_bytes_are_split() {
        let mut bytes = message("a.b", 0, 16);
        bytes.extend(message("a.b", 1, 16));
        bytes.extend(b"PING\r\n+OK\r\n");
        bytes.extend(message("a.c", 5, 400));
        bytes.extend(message("a.b", 9, 16));
        for step in 1..=bytes.len() {
            let (inbox, fresh) = feed(&bytes, step).expect("in order");
            assert_eq!(fresh, [0, 4], "step {step}");
            assert_eq!(inbox.tracks[1].squares, 1 + 25 + 81);
            assert!(inbox.pinged && inbox.carry.is_empty() && inbox.skip == 0);
        }
    }

    #[test]
    fn sees_duplicates_disorder_and_errors() {
        for (first, second) in [(3, 3), (3, 2)] {
            let bytes = [message("a", first, 16), message("a", second, 16)].concat();
            assert!(feed(&bytes, 7).is_err());
        }
        assert!(feed(b"-ERR 'Slow Consumer'\r\n", 100).is_err());
        assert!(feed(b"MSG a 1 0\r\n\r\n", 100).is_err());
    }
}

//! Messages as they go out: `MSG` and `HMSG` lines with their payload.

use super::batch::Message;
use super::sub::Subscription;
use crate::base::limits::BORROW_THRESHOLD;
use smallvec::SmallVec;
use std::io::IoSlice;
use std::ops::Range;

/// The output for one target: formatted bytes, with long payloads left where they are.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub bytes: Vec<u8>,
    /// Pieces in order; empty means all of `bytes`.
    pieces: Vec<Piece>,
    /// Where the piece of `bytes` that is being formatted starts.
    open: usize,
    pub len: usize,
}

#[derive(Clone, Debug)]
enum Piece {
    Formatted(Range<usize>),
    Input(Range<usize>),
    Side(Range<usize>),
}

/// Where the bytes of messages are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The read batch.
    pub input: &'a [u8],
    /// Messages that were rebuilt.
    pub side: &'a [u8],
}

impl<'a> Source<'a> {
    #[inline]
    fn of(&self, message: &Message) -> &'a [u8] {
        let from = if message.in_side() { self.side } else { self.input };
        &from[message.at()..message.at() + message.len as usize]
    }

    /// The published subject.
    #[inline]
    pub(super) fn subject(&self, message: &Message) -> &'a [u8] {
        &self.of(message)[..message.subject_len as usize]
    }

    /// Everything after the subject and its space.
    #[inline]
    pub(super) fn tail(&self, message: &Message) -> &'a [u8] {
        &self.of(message)[message.subject_len as usize + 1..]
    }

    /// The arguments after the subject, and the payload with its CRLF.
    pub(super) fn args_and_payload(&self, message: &Message) -> (&'a [u8], &'a [u8]) {
        let tail = self.tail(message);
        let (args, body) = tail.split_at(tail.len() - message.size as usize - 4);
        (args, &body[2..])
    }
}

impl Output {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.open = 0;
        self.len = 0;
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// One delivery.
    #[inline]
    pub(super) fn message(
        &mut self,
        source: &Source<'_>,
        message: &Message,
        deliver_as: Option<&[u8]>,
        sub: &Subscription,
    ) {
        let verb: &[u8] = if message.has_headers() { b"HMSG " } else { b"MSG " };
        let (tail, sid) = (source.tail(message), sub.sid());
        let subject = deliver_as.unwrap_or_else(|| source.subject(message));
        self.len += verb.len() + subject.len() + sid.len() + tail.len() + 2;
        self.bytes.extend_from_slice(verb);
        self.bytes.extend_from_slice(subject);
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(sid);
        self.bytes.push(b' ');
        if tail.len() < BORROW_THRESHOLD {
            self.bytes.extend_from_slice(tail);
        } else {
            self.borrow(message, tail.len());
        }
    }

    #[cold]
    fn borrow(&mut self, message: &Message, tail_len: usize) {
        self.pieces.push(Piece::Formatted(self.open..self.bytes.len()));
        self.open = self.bytes.len();
        let end = message.at() + message.len as usize;
        let range = end - tail_len..end;
        self.pieces.push(if message.in_side() { Piece::Side(range) } else { Piece::Input(range) });
    }

    /// One delivery to a connection that does not understand headers: they are taken off.
    pub(super) fn message_without_headers(
        &mut self,
        source: &Source<'_>,
        message: &Message,
        deliver_as: Option<&[u8]>,
        sub: &Subscription,
    ) {
        let (args, payload) = source.args_and_payload(message);
        let args = split(args);
        let header_len = header_len(&args);
        let body = &payload[header_len.min(message.size as usize)..];
        let subject = deliver_as.unwrap_or_else(|| source.subject(message));
        let before = self.bytes.len();
        self.bytes.extend_from_slice(b"MSG ");
        self.bytes.extend_from_slice(subject);
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(sub.sid());
        self.bytes.push(b' ');
        if args.len() > 2 {
            self.bytes.extend_from_slice(args[0]);
            self.bytes.push(b' ');
        }
        self.bytes.extend_from_slice(itoa::Buffer::new().format(body.len() - 2).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(body);
        self.len += self.bytes.len() - before;
    }

    /// The pieces in order.
    pub(super) fn parts<'a>(&'a self, source: &Source<'a>) -> SmallVec<[IoSlice<'a>; 4]> {
        let mut parts = SmallVec::new();
        for piece in &self.pieces {
            parts.push(IoSlice::new(match piece {
                Piece::Formatted(range) => &self.bytes[range.clone()],
                Piece::Input(range) => &source.input[range.clone()],
                Piece::Side(range) => &source.side[range.clone()],
            }));
        }
        parts.push(IoSlice::new(&self.bytes[self.open..]));
        parts
    }
}

/// Arguments of a canonical line.
pub(super) fn split(args: &[u8]) -> SmallVec<[&[u8]; 4]> {
    args.split(|b| *b == b' ').collect()
}

fn header_len(args: &[&[u8]]) -> usize {
    let at = args.len().saturating_sub(2);
    args.get(at).and_then(|arg| crate::wire::parser::parse_size(arg)).unwrap_or(0)
}

//! The messages of a memory store by sequence, in segments that exist only where messages are, so
//! that a gap costs nothing however long it is.

use crate::store::stream::{NewMessage, StoredMessage};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use zeroize::Zeroize;

/// Sequences in a segment.
const SLOTS: u64 = 512;
/// Counted beside its bytes for every message: sequence and time.
const OVERHEAD: u64 = 16;

/// A message in memory. The messages of a subject are linked, so that the first and the last of
/// each are always known; 0 ends the chain.
#[derive(Debug)]
pub struct Message {
    bytes: Box<[u8]>,
    subject_len: usize,
    headers_len: usize,
    pub time_ns: i64,
    /// Seconds to live; less than 0 is for ever, whatever the stream's limit of age.
    pub ttl_s: i64,
    pub prev: u64,
    pub next: u64,
}

impl Message {
    pub fn new(message: NewMessage<'_>, time_ns: i64, prev: u64) -> Self {
        Self {
            bytes: [message.subject, message.headers, message.payload].concat().into(),
            subject_len: message.subject.len(),
            headers_len: message.headers.len(),
            time_ns,
            ttl_s: message.ttl_s,
            prev,
            next: 0,
        }
    }

    pub fn subject(&self) -> &[u8] {
        &self.bytes[..self.subject_len]
    }

    pub fn headers(&self) -> &[u8] {
        &self.bytes[self.subject_len..][..self.headers_len]
    }

    /// What it counts for.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 + OVERHEAD
    }

    /// When its own time to live ends.
    pub fn expires_ns(&self) -> Option<i64> {
        let ttl_ns = self.ttl_s.saturating_mul(1_000_000_000);
        (self.ttl_s > 0).then(|| self.time_ns.saturating_add(ttl_ns))
    }

    pub fn copy_to(&self, seq: u64, out: &mut StoredMessage) {
        out.set(seq, self.time_ns, &self.bytes, (self.subject_len, self.headers_len));
    }

    /// Overwrites its bytes.
    pub fn wipe(&mut self) {
        self.bytes.zeroize();
    }
}

/// What a message that is to be stored will count for.
pub fn size_of(message: &NewMessage<'_>) -> u64 {
    (message.subject.len() + message.headers.len() + message.payload.len()) as u64 + OVERHEAD
}

/// Messages by sequence.
#[derive(Debug, Default)]
pub struct Messages {
    segments: BTreeMap<u64, Segment>,
    len: u64,
}

#[derive(Debug)]
struct Segment {
    slots: Box<[Option<Message>]>,
    len: u64,
}

fn place(seq: u64) -> (u64, usize) {
    (seq / SLOTS, (seq % SLOTS) as usize)
}

impl Messages {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn get(&self, seq: u64) -> Option<&Message> {
        let (segment, slot) = place(seq);
        self.segments.get(&segment)?.slots[slot].as_ref()
    }

    pub fn get_mut(&mut self, seq: u64) -> Option<&mut Message> {
        let (segment, slot) = place(seq);
        self.segments.get_mut(&segment)?.slots[slot].as_mut()
    }

    pub fn insert(&mut self, seq: u64, message: Message) {
        let (segment, slot) = place(seq);
        let segment = self
            .segments
            .entry(segment)
            .or_insert_with(|| Segment { slots: (0..SLOTS).map(|_| None).collect(), len: 0 });
        let new = u64::from(segment.slots[slot].replace(message).is_none());
        segment.len += new;
        self.len += new;
    }

    pub fn remove(&mut self, seq: u64) -> Option<Message> {
        let (at, slot) = place(seq);
        let segment = self.segments.get_mut(&at)?;
        let message = segment.slots[slot].take()?;
        segment.len -= 1;
        self.len -= 1;
        if segment.len == 0 {
            self.segments.remove(&at);
        }
        Some(message)
    }

    /// The messages of these sequences, ascending.
    pub fn range(
        &self,
        seqs: RangeInclusive<u64>,
    ) -> impl DoubleEndedIterator<Item = (u64, &Message)> {
        let (first, last) = seqs.into_inner();
        // A range that ends before it begins would be refused by the map.
        let segments = self.segments.range(first / SLOTS..=(last / SLOTS).max(first / SLOTS));
        segments.flat_map(move |(at, segment)| {
            let base = at * SLOTS;
            let from = first.saturating_sub(base) as usize;
            let to = last.saturating_add(1).saturating_sub(base).min(SLOTS) as usize;
            let slots = segment.slots.get(from..to).unwrap_or_default();
            slots.iter().enumerate().filter_map(move |(slot, message)| {
                Some((base + (from + slot) as u64, message.as_ref()?))
            })
        })
    }

    /// All messages, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Message)> {
        self.segments.iter_mut().flat_map(|(at, segment)| {
            let slots = segment.slots.iter_mut().enumerate();
            slots.filter_map(move |(slot, message)| {
                Some((at * SLOTS + slot as u64, message.as_mut()?))
            })
        })
    }

    /// How many messages there are from `seq` on.
    pub fn count_from(&self, seq: u64) -> u64 {
        let (segment, slot) = place(seq);
        let partial = self.segments.get(&segment).map_or(0, |segment| {
            segment.slots[slot..].iter().filter(|message| message.is_some()).count() as u64
        });
        let full = self.segments.range(segment.saturating_add(1)..).map(|(_, s)| s.len);
        partial + full.sum::<u64>()
    }
}

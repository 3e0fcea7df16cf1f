//! What every store of a stream's messages does. Go: `server/store.go` `StreamStore`.
//!
//! Nothing here reads a clock or calls back: times come in, and what a write removed is kept as
//! [`Effects`] for the owner, who takes them when the stream's lock is released. Times are
//! nanoseconds since the Unix epoch.

use super::schedules::Schedules;
use super::sources::Sources;
use super::stream_state::DeleteBlock;
use crate::ds::generic_sublist::SimpleSublist;
use crate::model::{SimpleState, StorageType, StreamConfig, StreamState};
use crate::wire::subject;
use std::collections::BTreeMap;
use std::mem;
use std::ops::ControlFlow;

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It was stopped or deleted.
    #[error("store is closed")]
    Closed,
    /// There is no such message.
    #[error("no message found")]
    NotFound,
    /// There is a message, but what is in its place is damaged.
    #[error("message {0} is damaged")]
    BadMessage(u64),
    /// There is no further message.
    #[error("stream store EOF")]
    Eof,
    /// The stream is full, and new messages are refused.
    #[error("maximum messages exceeded")]
    MaxMsgs,
    /// As [`StoreError::MaxMsgs`], by bytes.
    #[error("maximum bytes exceeded")]
    MaxBytes,
    /// As [`StoreError::MaxMsgs`], of one subject.
    #[error("maximum messages per subject exceeded")]
    MaxMsgsPerSubject,
    /// Nothing is removed while a snapshot is made.
    #[error("snapshot in progress")]
    SnapshotInProgress,
    /// Larger than a record may be.
    #[error("message too large")]
    TooLarge,
    /// The configuration asks for another kind of store.
    #[error("wrong storage type")]
    WrongType,
    /// The consumer does not acknowledge.
    #[error("ack policy is none")]
    NoAckPolicy,
    /// The sequence is not the next one.
    #[error("expected sequence does not match store")]
    SequenceMismatch,
    /// More subjects match than were allowed.
    #[error("too many matching results for request")]
    TooManyResults,
    /// A consumer's state older than the one there is.
    #[error("old update ignored")]
    OldUpdate,
    /// A consumer's state that contradicts itself.
    #[error("{0}")]
    BadState(&'static str),
    /// A pending message outside of what was delivered and not acknowledged.
    #[error("bad pending entry, sequence [{0}] out of range")]
    BadPending(u64),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A message to be stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewMessage<'a> {
    /// Literal.
    pub subject: &'a [u8],
    /// The header block, or nothing.
    pub headers: &'a [u8],
    /// The rest.
    pub payload: &'a [u8],
    /// Seconds to live; 0 is as long as the stream's limits allow, less is for ever.
    pub ttl_s: i64,
}

/// A message that was read. One is read into again and again: it keeps its buffer.
#[derive(Clone, Debug, Default)]
pub struct StoredMessage {
    /// Its sequence.
    pub seq: u64,
    /// When it was stored.
    pub time_ns: i64,
    buffer: Vec<u8>,
    subject_len: usize,
    headers_len: usize,
}

impl StoredMessage {
    /// Takes a message's place: `bytes` are subject, headers and payload.
    pub(crate) fn set(&mut self, seq: u64, time_ns: i64, bytes: &[u8], lens: (usize, usize)) {
        (self.seq, self.time_ns) = (seq, time_ns);
        (self.subject_len, self.headers_len) = lens;
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
    }

    /// As [`StoredMessage::set`], of parts.
    pub(crate) fn set_parts(
        &mut self,
        seq: u64,
        time_ns: i64,
        subject: &[u8],
        headers: &[u8],
        payload: &[u8],
    ) {
        (self.seq, self.time_ns) = (seq, time_ns);
        (self.subject_len, self.headers_len) = (subject.len(), headers.len());
        self.buffer.clear();
        [subject, headers, payload].iter().for_each(|part| self.buffer.extend_from_slice(part));
    }

    /// Its subject.
    pub fn subject(&self) -> &[u8] {
        &self.buffer[..self.subject_len]
    }

    /// Its headers; empty if there are none.
    pub fn headers(&self) -> &[u8] {
        &self.buffer[self.subject_len..][..self.headers_len]
    }

    /// Its payload.
    pub fn payload(&self) -> &[u8] {
        &self.buffer[self.subject_len + self.headers_len..]
    }
}

/// Which messages are meant, by subject.
#[derive(Clone, Copy, Debug)]
pub enum Filter<'a> {
    /// All.
    All,
    /// Those of one subject.
    Literal(&'a [u8]),
    /// Those of the subjects that a pattern matches.
    Pattern(&'a [u8]),
    /// Those of the subjects that any of several patterns matches.
    Set(&'a SimpleSublist),
}

impl<'a> Filter<'a> {
    /// By a subject that may have wildcards; all if it is empty.
    pub fn of(subject: &'a [u8]) -> Self {
        match subject {
            b"" | b">" => Self::All,
            _ if subject::has_wildcard(subject) => Self::Pattern(subject),
            _ => Self::Literal(subject),
        }
    }

    /// Whether messages of this subject are meant.
    pub fn matches(&self, subject: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Literal(literal) => *literal == subject,
            Self::Pattern(pattern) => subject::matches(subject, pattern),
            Self::Set(set) => set.has_interest(subject),
        }
    }
}

/// A message whose time is over but whose subject's end shall be marked, so that the owner removes
/// it: with a marker after it, or by agreement with the other replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Its sequence.
    pub seq: u64,
    /// Its subject.
    pub subject: Box<[u8]>,
    /// Whether a marker shall replace it: it is the last one of its subject.
    pub marker: bool,
}

/// What has become of the stream since the owner last asked. One is filled again and again: it
/// keeps its buffers, so that a message that makes room for another costs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Messages more, or less.
    pub messages: i64,
    /// Bytes more, or less.
    pub bytes: i64,
    /// Messages for the owner to remove.
    pub expired: Vec<Expired>,
    /// Sequence, and where its subject ends in `subjects`.
    removed: Vec<(u64, usize)>,
    subjects: Vec<u8>,
}

impl Effects {
    /// Notes that message `seq` went by itself.
    pub fn push_removed(&mut self, seq: u64, subject: &[u8]) {
        self.subjects.extend_from_slice(subject);
        self.removed.push((seq, self.subjects.len()));
    }

    /// Messages that went one by one, in that order: sequence and subject. Those of a purge are in
    /// the totals only.
    pub fn removed(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut start = 0;
        self.removed.iter().map(move |(seq, end)| {
            let subject = &self.subjects[start..*end];
            start = *end;
            (*seq, subject)
        })
    }

    /// Moves everything into `out`, whose buffers are filled the next time.
    pub fn take_into(&mut self, out: &mut Self) {
        (out.messages, out.bytes) = (0, 0);
        out.expired.clear();
        out.removed.clear();
        out.subjects.clear();
        mem::swap(self, out);
    }
}

/// The messages of a stream.
pub trait StreamStore: Send {
    /// Where they are.
    fn kind(&self) -> StorageType;
    /// What has become of the stream since the last call, in the place of what `out` holds.
    fn take_effects(&mut self, out: &mut Effects);

    /// Says which subjects are stored next, up to 64 of them: where there are many, the processor
    /// then waits for the memory of all at once. It only saves time.
    fn look_ahead(&self, subjects: &[&[u8]]) {
        let _ = subjects;
    }
    /// Stores a message as the next one, if limits that refuse new messages allow it; its sequence.
    fn store(&mut self, message: NewMessage<'_>, now_ns: i64) -> Result<u64, StoreError>;
    /// Stores a message as `seq`, which must be the next, or 0 for it. `check` is whether limits
    /// that refuse new messages apply; replicas check before they agree.
    fn store_raw(
        &mut self,
        message: NewMessage<'_>,
        seq: u64,
        time_ns: i64,
        check: bool,
    ) -> Result<(), StoreError>;
    /// Uses up the next sequence, which must be `seq` or 0 for any. `no_interest` is that nobody
    /// wanted the message, which counts as the last activity.
    fn skip(&mut self, seq: u64, now_ns: i64, no_interest: bool) -> Result<u64, StoreError>;
    /// Uses up `count` sequences from `seq`, which must be the next or 0 for it.
    fn skip_many(&mut self, seq: u64, count: u64, now_ns: i64) -> Result<(), StoreError>;
    /// Writes what is still buffered.
    fn flush(&mut self) -> Result<(), StoreError>;

    /// Reads message `seq`.
    fn load(&mut self, seq: u64, out: &mut StoredMessage) -> Result<(), StoreError>;
    /// Reads the first message from `start` on that is meant.
    fn load_next(
        &mut self,
        filter: Filter<'_>,
        start: u64,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError>;
    /// Reads the last message up to `start` that is meant.
    fn load_prev(
        &mut self,
        filter: Filter<'_>,
        start: u64,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError>;
    /// Reads the last message that is meant.
    fn load_last(&mut self, filter: Filter<'_>, out: &mut StoredMessage) -> Result<(), StoreError>;
    /// The subject of message `seq`.
    fn subject_for_seq(&mut self, seq: u64) -> Result<Vec<u8>, StoreError>;

    /// Removes a message; whether there was one.
    fn remove(&mut self, seq: u64) -> Result<bool, StoreError>;
    /// Removes a message so that its bytes cannot be found again.
    fn erase(&mut self, seq: u64) -> Result<bool, StoreError>;
    /// Removes all messages; how many.
    fn purge(&mut self) -> Result<u64, StoreError>;
    /// Removes the messages that are meant, below `seq` if it is not 0, and all but the last `keep`
    /// of them; how many.
    fn purge_ex(&mut self, filter: Filter<'_>, seq: u64, keep: u64) -> Result<u64, StoreError>;
    /// Removes all messages below `seq`, which may be beyond the last; how many.
    fn compact(&mut self, seq: u64) -> Result<u64, StoreError>;
    /// Forgets everything after `seq`; all, the sequences too, if it is 0.
    fn truncate(&mut self, seq: u64, now_ns: i64) -> Result<(), StoreError>;
    /// Removes what is too old; when to ask again, if ever.
    fn expire(&mut self, now_ns: i64) -> Result<Option<i64>, StoreError>;
    /// Removes what another replica does not have.
    fn sync_deleted(&mut self, deleted: &[DeleteBlock]) -> Result<(), StoreError>;

    /// The first sequence stored at `time_ns` or later; the next one if there is none.
    fn seq_from_time(&mut self, time_ns: i64) -> u64;
    /// The messages that are meant from `seq` on.
    fn filtered_state(&mut self, seq: u64, filter: Filter<'_>) -> Result<SimpleState, StoreError>;
    /// The state of each subject that is meant.
    ///
    /// # Errors
    /// When messages that are looked for cannot be read.
    fn subjects_state(
        &mut self,
        filter: Filter<'_>,
    ) -> Result<BTreeMap<Vec<u8>, SimpleState>, StoreError>;
    /// The number of messages of each subject that is meant.
    fn subjects_totals(&self, filter: Filter<'_>) -> BTreeMap<Vec<u8>, u64>;
    /// The last sequence of every subject, ascending.
    fn all_last_seqs(&mut self) -> Result<Vec<u64>, StoreError>;
    /// The last sequence up to `max_seq` (0 is all) of each subject that is meant, ascending.
    ///
    /// # Errors
    /// When there are more than `max_allowed`, if that is not 0.
    fn multi_last_seqs(
        &mut self,
        filter: Filter<'_>,
        max_seq: u64,
        max_allowed: usize,
    ) -> Result<Vec<u64>, StoreError>;
    /// Reads the messages of [`StreamStore::multi_last_seqs`] from `min_seq` on, and gives each to
    /// `visit` with how many are still to come, until that breaks. How many there are, those
    /// before `min_seq` included, and how many were not come to.
    ///
    /// # Errors
    /// As that; nothing is visited then.
    fn multi_last_msgs(
        &mut self,
        filter: Filter<'_>,
        (min_seq, max_seq): (u64, u64),
        max_allowed: usize,
        visit: &mut dyn FnMut(&StoredMessage, u64) -> ControlFlow<()>,
    ) -> Result<(u64, u64), StoreError> {
        let seqs = self.multi_last_seqs(filter, max_seq, max_allowed)?;
        let total = seqs.len() as u64;
        let mut message = StoredMessage::default();
        for (seq, left) in seqs.into_iter().zip((0..total).rev()) {
            if seq < min_seq {
                continue;
            }
            self.load(seq, &mut message)?;
            if visit(&message, left).is_break() {
                return Ok((total, left));
            }
        }
        Ok((total, 0))
    }
    /// How many messages from `seq` on are meant, counting only the last of each subject if
    /// `last_per_subject`; and up to which sequence that is so.
    fn num_pending(
        &mut self,
        seq: u64,
        filter: Filter<'_>,
        last_per_subject: bool,
    ) -> Result<(u64, u64), StoreError>;

    /// The state with the deleted sequences.
    fn state(&self) -> StreamState;
    /// The state without them.
    fn fast_state(&self) -> StreamState;
    /// The state as replicas exchange it.
    fn encoded_stream_state(&self, failed: u64, with_sources: bool) -> Result<Vec<u8>, StoreError>;
    /// Bytes in use, and those of them that messages use.
    fn utilization(&self) -> (u64, u64);

    /// Takes over a configuration, and enforces its limits.
    fn update_config(&mut self, config: &StreamConfig, now_ns: i64) -> Result<(), StoreError>;
    /// Which sources are followed, by the names in their messages' headers.
    fn track_sources(&mut self, names: &[Vec<u8>]);
    /// How far the sources are read; without those of which nothing has been read.
    fn sources_state(&self) -> Sources;
    /// Takes over how far the sources are read, if any are followed.
    fn apply_sources_state(&mut self, sources: &Sources);
    /// The schedules, if messages may be that.
    fn schedules(&mut self) -> Option<&mut Schedules>;
    /// Another server leads: what was on its way will not come back.
    fn reset_state(&mut self);
    /// Ends it; what is durable stays.
    fn stop(&mut self) -> Result<(), StoreError>;
    /// Ends it and removes everything.
    fn delete(&mut self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_filled_again_in_their_buffers() {
        let (mut effects, mut out) = (Effects::default(), Effects::default());
        let mut capacities = Vec::new();
        for round in 0..6u64 {
            effects.messages -= 2;
            effects.push_removed(round, b"a.longer.subject");
            effects.push_removed(round + 1, b"");
            effects.take_into(&mut out);
            assert_eq!(out.messages, -2);
            assert!(out.removed().eq([(round, &b"a.longer.subject"[..]), (round + 1, b"")]));
            assert_eq!(effects.removed().count(), 0);
            capacities.push((out.removed.capacity(), out.subjects.capacity()));
        }
        assert!(capacities.iter().all(|capacity| *capacity == capacities[0]));
        assert!(capacities[0].1 >= 16);
    }
}

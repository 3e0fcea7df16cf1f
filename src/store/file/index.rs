//! `index.db`: the state of a stream as it was when it was last written.
//!
//! ```text
//! 11, version (1 to 4)
//! uvarint messages, bytes, first sequence; varint first time
//! uvarint last sequence; varint last time
//! uvarint subjects, for each:
//!     uvarint length, subject, uvarint messages, first block,
//!     last block (version 4, or with more than one message)
//! uvarint blocks, for each:
//!     uvarint number, bytes, first sequence; varint first time since the stream's first;
//!     uvarint last sequence; varint last time since the stream's first; uvarint deleted,
//!     messages with a time to live (version 2), schedules (version 3);
//!     a sequence set if any are deleted
//! uvarint number of the last block, hash of its last record (8 bytes)
//! ```
//!
//! All of it is sealed in an encrypted store; behind it stand 8 bytes, the hash of what is on disk.
//!
//! Go: server/filestore.go _writeFullState, recoverFullState.

use super::crypt::{AssetKey, CryptError};
use super::hash::{HASH_LEN, KeyedHash};
use super::state::{BlockState, Totals};
use super::subjects::{SubjectState, Subjects};
use crate::base::codec::{Cursor, put_bytes, put_uvarint, put_varint};
use crate::ds::seq_set::SeqSet;

const MAGIC: u8 = 11;
const VERSION: u8 = 4;
/// Bytes of the shortest file.
const LEN_MIN: usize = 32;

/// The state of a stream as `index.db` holds it.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The stream.
    pub totals: Totals,
    /// Its subjects.
    pub subjects: Subjects,
    /// Its blocks, in ascending order.
    pub blocks: Vec<BlockState>,
    /// The block that was written to.
    pub last_block: u32,
    /// The hash of the last record in it.
    pub last_hash: [u8; HASH_LEN],
}

/// Why bytes are no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Too few bytes.
    #[error("{0} bytes are too few for an index")]
    TooShort(usize),
    /// The hash of the file is another one.
    #[error("checksum mismatch")]
    Hash,
    /// It does not open.
    #[error(transparent)]
    Crypt(#[from] CryptError),
    /// No index, or of a version that is not known.
    #[error("unknown format {0}, version {1}")]
    Version(u8, u8),
    /// It ends early, or holds what cannot be.
    #[error("corrupt")]
    Corrupt,
    /// The stream is not the sum of its blocks.
    #[error("totals and blocks disagree")]
    Inconsistent,
}

impl Index {
    /// Reads a file. `hash` is keyed by the stream's name, `key` is the stream's, if it is
    /// encrypted.
    ///
    /// # Errors
    ///
    /// When it is none. Counts are checked against the bytes that there are.
    pub fn decode(
        file: &[u8],
        hash: &KeyedHash,
        key: Option<&AssetKey>,
    ) -> Result<Self, IndexError> {
        let (content, sum) = file
            .split_last_chunk::<HASH_LEN>()
            .filter(|_| file.len() >= LEN_MIN)
            .ok_or(IndexError::TooShort(file.len()))?;
        if hash.sum(&[content]) != *sum {
            return Err(IndexError::Hash);
        }
        let opened = key.map(|key| key.unseal(content)).transpose()?;
        let content = opened.as_deref().unwrap_or(content);
        let mut cursor = Cursor::new(content);
        let [magic, version] = cursor.array().ok_or(IndexError::Corrupt)?;
        if magic != MAGIC || !(1..=VERSION).contains(&version) {
            return Err(IndexError::Version(magic, version));
        }
        let index = body(version, &mut cursor).ok_or(IndexError::Corrupt)?;
        if index.is_consistent() { Ok(index) } else { Err(IndexError::Inconsistent) }
    }

    /// Appends the content of a file, see [`encode`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Self { totals, subjects, blocks, last_block, last_hash } = self;
        encode(out, totals, subjects, blocks, *last_block, *last_hash);
    }

    fn is_consistent(&self) -> bool {
        let sum = |of: fn(&BlockState) -> u64| {
            self.blocks.iter().map(of).try_fold(0_u64, u64::checked_add)
        };
        let first = self.blocks.iter().find(|block| block.first_ns != 0);
        let first = first.or(self.blocks.first()).map_or(0, |block| block.first_seq);
        let last = self.blocks.iter().map(|block| block.last_seq).max().unwrap_or(0);
        sum(|block| block.messages) == Some(self.totals.messages)
            && sum(|block| block.bytes) == Some(self.totals.bytes)
            && last == self.totals.last_seq
            && (first <= 1 || first == self.totals.first_seq)
    }
}

/// Appends the content of a file, to be sealed with the stream's key if it is encrypted, and to be
/// followed by its hash.
pub fn encode(
    out: &mut Vec<u8>,
    totals: &Totals,
    subjects: &Subjects,
    blocks: &[BlockState],
    last_block: u32,
    last_hash: [u8; HASH_LEN],
) {
    out.extend_from_slice(&[MAGIC, VERSION]);
    put_uvarint(out, totals.messages);
    put_uvarint(out, totals.bytes);
    put_uvarint(out, totals.first_seq);
    put_varint(out, totals.first_ns);
    put_uvarint(out, totals.last_seq);
    put_varint(out, totals.last_ns);
    put_uvarint(out, subjects.len() as u64);
    for (subject, state) in subjects.iter() {
        put_bytes(out, subject);
        put_uvarint(out, state.messages);
        put_uvarint(out, state.first_block.into());
        put_uvarint(out, state.last_block.into());
    }
    put_uvarint(out, blocks.len() as u64);
    for block in blocks {
        put_block(out, block, totals.first_ns);
    }
    put_uvarint(out, last_block.into());
    out.extend_from_slice(&last_hash);
}

fn put_block(out: &mut Vec<u8>, block: &BlockState, base_ns: i64) {
    put_uvarint(out, block.index.into());
    put_uvarint(out, block.bytes);
    put_uvarint(out, block.first_seq);
    put_varint(out, block.first_ns.wrapping_sub(base_ns));
    put_uvarint(out, block.last_seq);
    put_varint(out, block.last_ns.wrapping_sub(base_ns));
    put_uvarint(out, block.deleted.len());
    put_uvarint(out, block.ttls);
    put_uvarint(out, block.schedules);
    if !block.deleted.is_empty() {
        let mut set = SeqSet::new();
        block.deleted.iter().for_each(|seq| {
            set.insert(seq);
        });
        set.encode(out);
    }
}

fn body(version: u8, cursor: &mut Cursor<'_>) -> Option<Index> {
    let totals = Totals {
        messages: cursor.uvarint()?,
        bytes: cursor.uvarint()?,
        first_seq: cursor.uvarint()?,
        first_ns: cursor.varint()?,
        last_seq: cursor.uvarint()?,
        last_ns: cursor.varint()?,
    };
    let count = cursor.uvarint()?;
    // An entry takes three bytes at least.
    let room = usize::try_from(count).ok()?.min(cursor.rest().len() / 3);
    let mut subjects = Subjects::with_capacity(room, cursor.rest().len() - 3 * room);
    for _ in 0..count {
        let subject = cursor.prefixed()?;
        if subject.is_empty() {
            continue;
        }
        let (messages, first_block) = (cursor.uvarint()?, u32::try_from(cursor.uvarint()?).ok()?);
        let last_block = match version {
            ..=3 if messages <= 1 => first_block,
            _ => u32::try_from(cursor.uvarint()?).ok()?,
        };
        let state = SubjectState { messages, first_block, last_block, ..Default::default() };
        subjects.insert_unique(subject, state);
    }
    let count = cursor.uvarint()?;
    let mut blocks = Vec::new();
    for i in 1..=count {
        let block = block(version, cursor, totals.first_ns)?;
        // Blocks that are empty were kept only if they are the last.
        if block.messages > 0 || i == count {
            blocks.push(block);
        }
    }
    let last_block = u32::try_from(cursor.uvarint()?).ok()?;
    let last_hash = cursor.array()?;
    let ascending = blocks.is_sorted_by(|a, b| a.index < b.index && a.last_seq < b.first_seq);
    ascending.then_some(Index { totals, subjects, blocks, last_block, last_hash })
}

fn block(version: u8, cursor: &mut Cursor<'_>, base_ns: i64) -> Option<BlockState> {
    let mut block = BlockState {
        index: u32::try_from(cursor.uvarint()?).ok()?,
        bytes: cursor.uvarint()?,
        first_seq: cursor.uvarint()?,
        first_ns: cursor.varint()?.wrapping_add(base_ns),
        last_seq: cursor.uvarint()?,
        last_ns: cursor.varint()?.wrapping_add(base_ns),
        ..BlockState::default()
    };
    let deleted = cursor.uvarint()?;
    if version >= 2 {
        block.ttls = cursor.uvarint()?;
    }
    if version >= 3 {
        block.schedules = cursor.uvarint()?;
    }
    let span = block.last_seq.checked_add(1)?.checked_sub(block.first_seq)?;
    block.messages = span.saturating_sub(deleted);
    if deleted > 0 {
        let (set, len) = SeqSet::decode(cursor.rest()).ok()?;
        cursor.bytes(len)?;
        set.iter().for_each(|seq| block.deleted.push(seq, seq));
        let ranges = block.deleted.ranges();
        let inside = |seq: &(u64, u64)| block.first_seq <= seq.0 && seq.1 <= block.last_seq;
        if block.deleted.len() != deleted || !ranges.iter().all(inside) {
            return None;
        }
    }
    Some(block)
}

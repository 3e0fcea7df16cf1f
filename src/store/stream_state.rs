//! The state of a stream as its replicas exchange it: counts, and which sequences are deleted.
//! Go: `server/store.go` `DecodeStreamState`, `filestore.EncodedStreamState`.
//!
//! ```text
//! 42, version, uvarint messages, bytes, first, last, failed,
//! version 2: uvarint sources, and each of them (store::sources)
//! uvarint deleted sequences, then, if there are any, blocks of them up to the end:
//!     22...: a sequence set (ds::seq_set)   |   33, uvarint first, uvarint count: a run
//! ```
//!
//! Servers before 2.10 wrote JSON instead, which is still read.

use super::sources::Sources;
use crate::base::codec::{Cursor, put_uvarint};
use crate::base::json;
use crate::ds::seq_set::SeqSet;
use serde::Deserialize;

const MAGIC: u8 = 42;
const VERSION: u8 = 1;
const VERSION_SOURCES: u8 = 2;
const SET_MAGIC: u8 = 22;
const RUN_MAGIC: u8 = 33;

/// What a replica has to know of a stream to take over its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedStreamState {
    /// Messages.
    pub msgs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// First sequence.
    pub first_seq: u64,
    /// Last sequence.
    pub last_seq: u64,
    /// How many proposals failed, which takes the log's index and the last sequence apart.
    pub failed: u64,
    /// What is deleted between first and last, ascending.
    pub deleted: Vec<DeleteBlock>,
    /// How far each source has been read. When there are none, version 1 is written, which all
    /// servers read.
    pub sources: Sources,
}

/// Deleted sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteBlock {
    /// Scattered ones.
    Set(SeqSet),
    /// A run of `count` from `first` on.
    Run {
        /// First sequence.
        first: u64,
        /// How many; the last is within 64 bits.
        count: u64,
    },
    /// Those that an old server listed, ascending.
    List(Vec<u64>),
}

impl DeleteBlock {
    /// A run; None when it is empty or ends beyond 64 bits.
    pub fn run(first: u64, count: u64) -> Option<Self> {
        first.checked_add(count.checked_sub(1)?)?;
        Some(Self::Run { first, count })
    }

    /// How many sequences.
    pub fn count(&self) -> u64 {
        match self {
            Self::Set(set) => set.len(),
            Self::Run { count, .. } => *count,
            Self::List(seqs) => seqs.len() as u64,
        }
    }

    /// First and last sequence; None if there is none.
    pub fn bounds(&self) -> Option<(u64, u64)> {
        match self {
            Self::Set(set) => Some((set.first()?, set.last()?)),
            Self::Run { first, count } => Some((*first, first + count.checked_sub(1)?)),
            Self::List(seqs) => Some((*seqs.first()?, *seqs.last()?)),
        }
    }

    /// The sequences, ascending. A run may be very long: see [`DeleteBlock::bounds`] first.
    pub fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Self::Set(set) => Box::new(set.iter()),
            // The end of a run is a number, the one after it need not be.
            Self::Run { .. } => match self.bounds() {
                Some((first, last)) => Box::new(first..=last),
                None => Box::new(std::iter::empty()),
            },
            Self::List(seqs) => Box::new(seqs.iter().copied()),
        }
    }

    /// Appends the block; one of an old server becomes a set.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Set(set) => set.encode(out),
            Self::Run { first, count } => {
                out.push(RUN_MAGIC);
                put_uvarint(out, *first);
                put_uvarint(out, *count);
            }
            Self::List(seqs) => seqs.iter().copied().collect::<SeqSet>().encode(out),
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.rest().first() == Some(&SET_MAGIC) {
            let (set, len) = SeqSet::decode(cursor.rest()).ok()?;
            cursor.bytes(len)?;
            return Some(Self::Set(set));
        }
        if cursor.u8()? != RUN_MAGIC {
            return None;
        }
        match (cursor.uvarint()?, cursor.uvarint()?) {
            (first, 0) => Some(Self::Run { first, count: 0 }),
            (first, count) => Self::run(first, count),
        }
    }
}

/// Why bytes are no state.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The beginning of one, but not the rest.
    #[error("stream state snapshot is corrupt")]
    Corrupt,
    /// Neither the encoding nor JSON.
    #[error("bad stream state encoding")]
    Json(#[from] serde_json::Error),
}

impl EncodedStreamState {
    /// How many sequences are deleted.
    pub fn num_deleted(&self) -> u64 {
        self.deleted.iter().map(DeleteBlock::count).fold(0, u64::saturating_add)
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        let version = if self.sources.0.is_empty() { VERSION } else { VERSION_SOURCES };
        let mut out = vec![MAGIC, version];
        for number in [self.msgs, self.bytes, self.first_seq, self.last_seq, self.failed] {
            put_uvarint(&mut out, number);
        }
        if version == VERSION_SOURCES {
            put_uvarint(&mut out, self.sources.0.len() as u64);
            self.sources.encode_entries(&mut out);
        }
        let deleted = self.num_deleted();
        put_uvarint(&mut out, deleted);
        if deleted > 0 {
            self.deleted.iter().for_each(|block| block.encode(&mut out));
        }
        out
    }

    /// Whether `bytes` begin as the encoding does; if not, they may be an old server's JSON.
    pub fn is_encoded(bytes: &[u8]) -> bool {
        matches!(bytes, [MAGIC, VERSION | VERSION_SOURCES, ..])
    }

    /// A state in any of the forms there have been.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if !Self::is_encoded(bytes) {
            return Ok(json::from_slice::<Legacy>(bytes)?.into());
        }
        Self::decode_binary(bytes).ok_or(DecodeError::Corrupt)
    }

    fn decode_binary(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let [_, version] = cursor.array()?;
        let mut state = Self {
            msgs: cursor.uvarint()?,
            bytes: cursor.uvarint()?,
            first_seq: cursor.uvarint()?,
            last_seq: cursor.uvarint()?,
            failed: cursor.uvarint()?,
            ..Self::default()
        };
        if version == VERSION_SOURCES {
            for _ in 0..cursor.uvarint()? {
                state.sources.decode_entry(&mut cursor)?;
            }
        }
        // Upstream reads no count at all as none.
        if !cursor.is_empty() && cursor.uvarint()? > 0 {
            while !cursor.is_empty() {
                state.deleted.push(DeleteBlock::decode(&mut cursor)?);
            }
        }
        Some(state)
    }
}

/// The form of servers before 2.10.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Legacy {
    messages: u64,
    bytes: u64,
    first_seq: u64,
    last_seq: u64,
    clfs: u64,
    deleted: Vec<u64>,
}

impl From<Legacy> for EncodedStreamState {
    fn from(old: Legacy) -> Self {
        let deleted = (!old.deleted.is_empty()).then_some(DeleteBlock::List(old.deleted));
        Self {
            msgs: old.messages,
            bytes: old.bytes,
            first_seq: old.first_seq,
            last_seq: old.last_seq,
            failed: old.clfs,
            deleted: deleted.into_iter().collect(),
            sources: Sources::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sources::tests::sources;
    use proptest::prelude::*;

    #[test]
    fn old_servers_are_understood() {
        let json = br#"{"messages":3,"bytes":90,"first_seq":2,"last_seq":6,"clfs":1,"deleted":[3,5],"x":0}"#;
        let state = EncodedStreamState::decode(json).unwrap();
        let expected = EncodedStreamState {
            msgs: 3,
            bytes: 90,
            first_seq: 2,
            last_seq: 6,
            failed: 1,
            deleted: vec![DeleteBlock::List(vec![3, 5])],
            sources: Sources::default(),
        };
        assert_eq!(state, expected);
        let again = EncodedStreamState::decode(&state.encode()).unwrap();
        assert_eq!(again.deleted, [DeleteBlock::Set(SeqSet::from_iter([3, 5]))]);
        for bytes in [&b"{}"[..], b"null", br#"{"deleted":null}"#] {
            let state = EncodedStreamState::decode(bytes).unwrap();
            assert_eq!(state, EncodedStreamState::default());
        }
        for bytes in [&b""[..], b"*", b"*\x03\0\0\0\0\0\0", b"[]", br#"{"messages":-1}"#] {
            assert!(matches!(EncodedStreamState::decode(bytes), Err(DecodeError::Json(_))));
        }
    }

    #[test]
    fn runs_end_within_the_numbers() {
        assert_eq!(DeleteBlock::run(u64::MAX, 2), None);
        assert_eq!(DeleteBlock::run(1, 0), None);
        let last = DeleteBlock::run(u64::MAX, 1).unwrap();
        assert_eq!(last.iter().collect::<Vec<_>>(), [u64::MAX]);
        let mut bytes = EncodedStreamState { deleted: vec![last], ..Default::default() }.encode();
        assert!(EncodedStreamState::decode(&bytes).is_ok());
        *bytes.last_mut().unwrap() = 2;
        assert!(matches!(EncodedStreamState::decode(&bytes), Err(DecodeError::Corrupt)));
        // An empty run is nothing, but no damage.
        *bytes.last_mut().unwrap() = 0;
        let state = EncodedStreamState::decode(&bytes).unwrap();
        assert_eq!((state.num_deleted(), state.deleted[0].bounds()), (0, None));
        assert_eq!(state.deleted[0].iter().next(), None);
    }

    fn block() -> impl Strategy<Value = DeleteBlock> {
        prop_oneof![
            prop::collection::btree_set(0..10_000u64, 1..50)
                .prop_map(|seqs| DeleteBlock::Set(seqs.into_iter().collect())),
            (any::<u64>(), 1..100u64).prop_filter_map("in range", |(f, n)| DeleteBlock::run(f, n)),
        ]
    }

    fn state() -> impl Strategy<Value = EncodedStreamState> {
        (any::<[u64; 5]>(), prop::collection::vec(block(), 0..4), sources()).prop_map(
            |([msgs, bytes, first_seq, last_seq, failed], deleted, sources)| EncodedStreamState {
                msgs,
                bytes,
                first_seq,
                last_seq,
                failed,
                deleted,
                sources,
            },
        )
    }

    proptest! {
        #[test]
        fn is_read_back(state in state(), bit in any::<prop::sample::Index>()) {
            let mut bytes = state.encode();
            prop_assert_eq!(EncodedStreamState::decode(&bytes).unwrap(), state.clone());
            for block in &state.deleted {
                prop_assert_eq!(block.iter().count() as u64, block.count());
                prop_assert_eq!(block.bounds(), block.iter().next().zip(block.iter().last()));
            }
            for len in 0..bytes.len() {
                // Cut between blocks it is a state, with fewer of them.
                if let Ok(part) = EncodedStreamState::decode(&bytes[..len]) {
                    prop_assert!(part.deleted.len() < state.deleted.len() || state.deleted.is_empty());
                    prop_assert!(state.deleted.starts_with(&part.deleted));
                }
            }
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = EncodedStreamState::decode(&bytes);
        }
    }
}

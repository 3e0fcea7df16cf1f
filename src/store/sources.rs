//! How far the sources of a stream have been read, as `sources.db` and replicas hold it. It
//! cannot be told from the messages, which may be gone.
//! Go: `server/filestore.go` `writeSourcesState`.

use crate::base::codec::{Cursor, put_bytes, put_uvarint};
use crate::ds::state_file::{self, DecodeError};
use std::collections::BTreeMap;

/// How far each source has been read, by the name that tells a stream's sources apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub BTreeMap<Vec<u8>, SourceState>);

/// How far a source has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceState {
    /// Last sequence of the source that was seen.
    pub seq: u64,
    /// Identity of the source's stream, by which it is noticed when that was made anew. Empty if
    /// the source does not tell.
    pub ident: Vec<u8>,
}

impl Sources {
    /// The bytes of `sources.db`: a [`state_file`] with the entries of [`Sources::encode_entries`].
    pub fn encode(&self, high_seq: u64) -> Vec<u8> {
        let mut out = state_file::begin(self.0.len(), high_seq);
        self.encode_entries(&mut out);
        out
    }

    /// What [`Sources::encode`], or upstream, wrote, and the high sequence with it.
    ///
    /// # Errors
    /// When the bytes are not that.
    pub fn decode(bytes: &[u8]) -> Result<(Self, u64), DecodeError> {
        let mut sources = Self::default();
        let high_seq = state_file::read(bytes, |cursor| sources.decode_entry(cursor))?;
        Ok((sources, high_seq))
    }

    /// Appends for each source its name, a uvarint of the sequence, and its identity; the length
    /// of either text is a uvarint before it.
    pub fn encode_entries(&self, out: &mut Vec<u8>) {
        for (name, source) in &self.0 {
            put_bytes(out, name);
            put_uvarint(out, source.seq);
            put_bytes(out, &source.ident);
        }
    }

    /// Takes in one of those entries; `None` if there is none.
    pub fn decode_entry(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let name = cursor.prefixed()?.to_vec();
        let (seq, ident) = (cursor.uvarint()?, cursor.prefixed()?.to_vec());
        self.0.insert(name, SourceState { seq, ident });
        Some(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::store) fn sources() -> impl Strategy<Value = Sources> {
        let source = (any::<u64>(), any::<Vec<u8>>());
        let source = source.prop_map(|(seq, ident)| SourceState { seq, ident });
        prop::collection::btree_map(any::<Vec<u8>>(), source, 0..4).prop_map(Sources)
    }

    proptest! {
        #[test]
        fn is_read_back(sources in sources(), high: u64, bit in any::<prop::sample::Index>()) {
            let mut bytes = sources.encode(high);
            prop_assert_eq!(Sources::decode(&bytes), Ok((sources, high)));
            for len in 0..bytes.len() {
                prop_assert!(Sources::decode(&bytes[..len]).is_err());
            }
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = Sources::decode(&bytes);
        }
    }
}

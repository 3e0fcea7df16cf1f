//! The bytes of a set.
//!
//! ```text
//! 22, version, u32 nodes, u32 sequences,
//! per node: u64 first sequence, 32 (version 1: 64) words of 64 bits, u16 height
//! ```
//!
//! Everything is little-endian. Upstream puts the nodes back into a search tree in the order in
//! which they are written and takes their heights as they are, so they have to be those of a
//! balanced tree, every node before its children.

use super::{NODE_BITS, SeqSet, WORDS, ones};
use crate::base::codec::Cursor;

const MAGIC: u8 = 22;
const VERSION: u8 = 2;
/// Words of a node of version 1.
const WORDS_V1: usize = 64;
const HEADER_LEN: usize = 2 + 4 + 4;
/// Bytes of a node in the encoding that is written.
pub const NODE_ENCODED_LEN: usize = node_len(WORDS);

const fn node_len(words: usize) -> usize {
    8 + words * 8 + 2
}

/// Why bytes are no set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not the bytes of a set, or not all of them.
    #[error("ss: bad encoding")]
    Encoding,
    /// A version that there is not.
    #[error("ss: bad version")]
    Version(u8),
}

impl SeqSet {
    /// Bytes that [`SeqSet::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN + self.nodes.len() * NODE_ENCODED_LEN
    }

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        out.extend_from_slice(&[MAGIC, VERSION]);
        // Both fit: a set with more of either does not fit into memory or a stream.
        out.extend_from_slice(&(self.nodes.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.len as u32).to_le_bytes());
        let nodes: Vec<_> = self.nodes.iter().collect();
        // Subtrees still to be written, the next one last. Of a tree that is split in the middle
        // the halves differ by at most one node, so their heights differ by at most one.
        let mut trees = vec![&nodes[..]];
        while let Some(tree) = trees.pop() {
            let (left, [(place, bits), right @ ..]) = tree.split_at(tree.len() / 2) else {
                continue;
            };
            out.extend_from_slice(&self.base(**place).to_le_bytes());
            for word in bits.iter() {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(&height(tree.len()).to_le_bytes());
            trees.extend([right, left]);
        }
    }

    /// The set at the start of `bytes`, and how many of them it takes.
    ///
    /// # Errors
    /// When there is none. Counts are checked against the bytes there are, so nothing is allocated
    /// that is not there.
    pub fn decode(bytes: &[u8]) -> Result<(SeqSet, usize), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let set = match (cursor.u8(), cursor.u8()) {
            // What is shorter than a header is no set, of whatever version.
            _ if bytes.len() < HEADER_LEN => None,
            (Some(MAGIC), Some(1)) => decode_nodes::<WORDS_V1>(&mut cursor)
                .filter(|(set, size)| set.len == u64::from(*size)),
            (Some(MAGIC), Some(VERSION)) => decode_nodes::<WORDS>(&mut cursor),
            (Some(MAGIC), Some(version)) => return Err(DecodeError::Version(version)),
            _ => None,
        };
        let (set, _) = set.ok_or(DecodeError::Encoding)?;
        Ok((set, bytes.len() - cursor.rest().len()))
    }
}

/// The height of the tree of `nodes` nodes that [`SeqSet::encode`] writes.
fn height(nodes: usize) -> u16 {
    (usize::BITS - nodes.leading_zeros()) as u16
}

/// The set, and how many members it is said to have. Upstream counts a sequence twice when nodes
/// overlap, so only what is found counts.
fn decode_nodes<const N: usize>(cursor: &mut Cursor<'_>) -> Option<(SeqSet, u32)> {
    let (nodes, size) = (cursor.u32()?, cursor.u32()?);
    if usize::try_from(nodes).ok()? > cursor.rest().len() / node_len(N) {
        return None;
    }
    let mut set = SeqSet::new();
    for n in 0..nodes {
        let base = cursor.u64()?;
        if n == 0 {
            set = SeqSet::starting_at(base);
        }
        for at in 0..N as u64 {
            let word = cursor.u64()?;
            if word != 0 {
                set.insert_word(base.checked_add(at * 64)?, word)?;
            }
        }
        cursor.u16()?;
    }
    Some((set, size))
}

impl SeqSet {
    /// Takes in up to 64 sequences from `first` on. None when one is beyond 64 bits.
    fn insert_word(&mut self, first: u64, word: u64) -> Option<()> {
        first.checked_add(u64::from(63 - word.leading_zeros()))?;
        if first >= self.shift && (first - self.shift).is_multiple_of(64) {
            let (place, at, _) = self.locate(first);
            let bits = self.nodes.entry(place).or_insert_with(|| Box::new([0; WORDS]));
            self.len += u64::from((word & !bits[at]).count_ones());
            bits[at] |= word;
        } else {
            self.extend(ones(word).map(|bit| first + bit));
        }
        Some(())
    }
}

const _: () = assert!(WORDS as u64 * 64 == NODE_BITS);

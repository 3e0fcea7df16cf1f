//! The hash that guards records and state files: HighwayHash-64 under a key that is the SHA-256 of
//! a name, written as 8 bytes, little endian.

use highway::{HighwayHash, HighwayHasher, Key};
use sha2::{Digest, Sha256};

/// Bytes of a hash.
pub const HASH_LEN: usize = 8;

/// A hash under one key, prepared once and used for many inputs.
#[derive(Clone, Debug)]
pub struct KeyedHash(HighwayHasher);

impl KeyedHash {
    /// Keyed by a name: a stream's for its `meta.sum` and `index.db`, `<stream>/<consumer>` for a
    /// consumer's, a group's for its snapshots.
    pub fn named(name: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        let words: [u64; 4] = std::array::from_fn(|i| {
            u64::from_le_bytes(std::array::from_fn(|byte| digest[8 * i + byte]))
        });
        Self(HighwayHasher::new(Key(words)))
    }

    /// Keyed for the records of a stream's block.
    pub fn for_block(stream: &str, index: u32) -> Self {
        Self::named(&format!("{stream}-{index}"))
    }

    /// The hash of `parts`, one after the other.
    pub fn sum(&self, parts: &[&[u8]]) -> [u8; HASH_LEN] {
        let mut hasher = self.0.clone();
        for part in parts {
            hasher.append(part);
        }
        hasher.finalize64().to_le_bytes()
    }

    /// [`KeyedHash::sum`] in hexadecimal, as `meta.sum` has it.
    pub fn hex(&self, content: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(&self.sum(&[content]))
    }
}

//! Compressed blocks.
//!
//! ```text
//! "cmp" | algorithm u8 (0 none, 1 S2) | uvarint original length | body
//! body of S2: an S2 stream of all but the block's last 8 bytes | those 8 bytes
//! ```
//!
//! The last 8 bytes, the hash of the last record, stay readable without unpacking. A block that
//! does not begin so is not compressed. (No record does: its length would be 7 MiB and its
//! sequence absurd, unless it is a message that large, whose fourth byte is 0; algorithm 0 is
//! therefore told from a record by what follows, see [`decompress`].)
//!
//! Go: server/filestore.go CompressionInfo, StoreCompression.

use super::hash::HASH_LEN;
use super::record::{RECORD_LEN_MAX, Record};
use crate::base::codec::{Cursor, put_uvarint};
use crate::wire::s2;

/// Bytes that a block holds at most, unpacked: 8 MiB and the record that went past it, with room
/// for what other settings allow.
pub const BLOCK_LEN_MAX: usize = 2 * RECORD_LEN_MAX;

const MAGIC: &[u8] = b"cmp";
const NONE: u8 = 0;
const S2: u8 = 1;

/// Why a compressed block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// It ends within its header, or has no room for the last hash.
    #[error("a compressed block of {have} bytes")]
    TooShort {
        /// Bytes of the block.
        have: usize,
    },
    /// An algorithm that is not known.
    #[error("unknown compression algorithm {0}")]
    Algorithm(u8),
    /// The stream is damaged.
    #[error("compressed block: {0}")]
    Stream(#[from] s2::StreamError),
    /// It unpacks to another length than it says.
    #[error("a block of {found} bytes instead of {expected}")]
    Length {
        /// What its header says.
        expected: u64,
        /// What was found.
        found: usize,
    },
}

/// What [`decompress`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// The block is not compressed; nothing was appended.
    Plain,
    /// The block was unpacked.
    Whole,
    /// The block is damaged; what comes before the damage was appended.
    Damaged(CompressError),
}

/// Bytes of a block that say whether it is compressed.
pub const HEAD_LEN: usize = MAGIC.len() + 1;

/// Whether a block that begins with these bytes is compressed, by the algorithms that servers use.
pub fn is_packed(head: &[u8]) -> bool {
    matches!(head.strip_prefix(MAGIC), Some([S2, ..]))
}

/// Appends the records of a block to `out`, if it is compressed.
pub fn decompress(block: &[u8], out: &mut Vec<u8>) -> Unpacked {
    let Some([algorithm, rest @ ..]) = block.strip_prefix(MAGIC) else { return Unpacked::Plain };
    if *algorithm == NONE && Record::decode_unverified(block).is_ok() {
        return Unpacked::Plain;
    }
    match unpack(*algorithm, rest, block.len(), out) {
        Ok(()) => Unpacked::Whole,
        Err(e) => Unpacked::Damaged(e),
    }
}

fn unpack(algorithm: u8, rest: &[u8], have: usize, out: &mut Vec<u8>) -> Result<(), CompressError> {
    let short = CompressError::TooShort { have };
    let mut rest = Cursor::new(rest);
    let expected = rest.uvarint().ok_or(short)?;
    let body = rest.rest();
    let (packed, last) = body.split_last_chunk::<HASH_LEN>().ok_or(short)?;
    match algorithm {
        NONE => out.extend_from_slice(body),
        S2 => {
            let from = out.len();
            s2::decode(packed, BLOCK_LEN_MAX, out)?;
            out.extend_from_slice(last);
            let found = out.len() - from;
            if found as u64 != expected {
                return Err(CompressError::Length { expected, found });
            }
        }
        other => return Err(CompressError::Algorithm(other)),
    }
    Ok(())
}

/// Appends the compressed form of a block's records to `out`. Nothing when there are too few bytes
/// for a record; such a block stays as it is.
pub fn compress(records: &[u8], out: &mut Vec<u8>) {
    let Some((body, last)) = records.split_last_chunk::<HASH_LEN>() else { return };
    out.extend_from_slice(MAGIC);
    out.push(S2);
    put_uvarint(out, records.len() as u64);
    s2::encode(body, out);
    out.extend_from_slice(last);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file::hash::KeyedHash;
    use crate::store::file::record::append_message;

    fn records() -> Vec<u8> {
        let (mut block, hash) = (Vec::new(), KeyedHash::for_block("S", 1));
        for seq in 1..2000 {
            append_message(&mut block, &hash, seq, 0, b"orders.new", b"", &[b'x'; 100]).unwrap();
        }
        block
    }

    fn unpacked(block: &[u8]) -> (Unpacked, Vec<u8>) {
        let mut out = Vec::new();
        (decompress(block, &mut out), out)
    }

    #[test]
    fn there_and_back() {
        let records = records();
        let mut packed = Vec::new();
        compress(&records, &mut packed);
        assert!(packed.len() < records.len() / 2);
        assert_eq!(packed[packed.len() - 8..], records[records.len() - 8..]);
        assert_eq!(unpacked(&packed), (Unpacked::Whole, records.clone()));
        assert_eq!(unpacked(&records), (Unpacked::Plain, Vec::new()));
    }

    #[test]
    fn damage_is_told() {
        let mut packed = Vec::new();
        compress(&records(), &mut packed);
        let damaged = |block: &[u8]| match unpacked(block).0 {
            Unpacked::Damaged(e) => e,
            other => panic!("{other:?}"),
        };
        let mut bad = packed.clone();
        bad[3] = 7;
        assert_eq!(damaged(&bad), CompressError::Algorithm(7));
        bad[3] = 1;
        bad[4] ^= 1;
        assert!(matches!(damaged(&bad), CompressError::Length { .. }));
        let cut = &packed[..packed.len() / 2];
        assert!(matches!(damaged(cut), CompressError::Stream(_)));
        assert_eq!(damaged(&packed[..5]), CompressError::TooShort { have: 5 });
        assert_eq!(damaged(b"cmp\x00\x00abc"), CompressError::TooShort { have: 8 });
    }

    #[test]
    fn a_record_that_begins_like_a_header_is_a_record() {
        let len = u32::from_le_bytes(*b"cmp\0") as usize;
        let (mut block, hash) = (Vec::new(), KeyedHash::for_block("S", 1));
        let payload = vec![0; len - super::super::record::message_len(1, 0, 0)];
        append_message(&mut block, &hash, 1, 0, b"a", b"", &payload).unwrap();
        assert!(block.starts_with(b"cmp"));
        assert_eq!(unpacked(&block).0, Unpacked::Plain);
    }
}

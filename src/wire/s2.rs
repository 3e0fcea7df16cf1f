//! S2's stream format: frames of compressed blocks, each with its checksum. Snappy's framed
//! streams are read as well.
//!
//! ```text
//! stream: identifier (ff 06 00 00 "S2sTwO") chunk...
//! chunk:  type u8 | length u24 LE | body
//! body:   of data (types 00 compressed, 01 plain): masked CRC-32C u32 LE | at most 4 MiB of it
//!         of all types from 80 up: skipped
//! ```
//!
//! The blocks themselves are the codec crate's; the frames are read here, because what comes from
//! disks and peers must neither recurse nor allocate by what it claims.

/// Bytes that a block holds at most, decoded.
const BLOCK_MAX: usize = 4 << 20;
/// Bytes of a block as written.
pub const BLOCK_WRITTEN: usize = 1 << 20;
/// Bytes of a chunk before its body: type and length.
pub const CHUNK_HEADER_LEN: usize = 4;
/// What a block may need when it does not compress.
const CHUNK_MAX: usize = (1 << 24) - 1;

const COMPRESSED: u8 = 0x00;
const PLAIN: u8 = 0x01;
const IDENTIFIER: u8 = 0xff;
const MAGIC: &[u8] = b"S2sTwO";
const MAGIC_SNAPPY: &[u8] = b"sNaPpY";

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It does not begin as a stream does.
    #[error("not an S2 stream")]
    Identifier,
    /// It ends within a chunk.
    #[error("the stream is cut at byte {at}")]
    Cut {
        /// Where the chunk begins.
        at: usize,
    },
    /// A chunk of a type that may not be skipped.
    #[error("unknown chunk type {kind:#04x} at byte {at}")]
    Kind {
        /// Where the chunk begins.
        at: usize,
        /// Its type.
        kind: u8,
    },
    /// A block that does not decode, or is larger than blocks are.
    #[error("bad block at byte {at}")]
    Block {
        /// Where the chunk begins.
        at: usize,
    },
    /// A block's checksum does not match.
    #[error("bad checksum of the block at byte {at}")]
    Checksum {
        /// Where the chunk begins.
        at: usize,
    },
    /// There is more than the caller takes.
    #[error("more than {limit} bytes when decoded")]
    TooLong {
        /// The caller's limit, bytes.
        limit: usize,
    },
}

/// Appends what a stream holds, but no more than `limit` bytes of it, to `out`. After an error
/// `out` has what the chunks before the bad one hold.
pub fn decode(stream: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), StreamError> {
    let end = out.len().saturating_add(limit);
    let mut at = 0;
    while at < stream.len() {
        let cut = StreamError::Cut { at };
        let [kind, a, b, c] = *stream[at..].first_chunk::<CHUNK_HEADER_LEN>().ok_or(cut)?;
        let len = u32::from_le_bytes([a, b, c, 0]) as usize;
        let body =
            stream.get(at + CHUNK_HEADER_LEN..).and_then(|rest| rest.get(..len)).ok_or(cut)?;
        chunk_within(kind, body, at, end, limit, out)?;
        at += CHUNK_HEADER_LEN + len;
    }
    if at == 0 { Err(StreamError::Identifier) } else { Ok(()) }
}

/// Appends what one chunk of a stream holds to `out`, 4 MiB at most. `at` is where the chunk begins
/// in the stream: the first one says what it is.
pub fn decode_chunk(
    kind: u8,
    body: &[u8],
    at: usize,
    out: &mut Vec<u8>,
) -> Result<(), StreamError> {
    let end = out.len().saturating_add(BLOCK_MAX);
    chunk_within(kind, body, at, end, BLOCK_MAX, out)
}

fn chunk_within(
    kind: u8,
    body: &[u8],
    at: usize,
    end: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), StreamError> {
    match kind {
        IDENTIFIER if body == MAGIC || body == MAGIC_SNAPPY => Ok(()),
        _ if at == 0 || kind == IDENTIFIER => Err(StreamError::Identifier),
        COMPRESSED | PLAIN => block(kind, body, at, end, limit, out),
        0x80.. => Ok(()),
        _ => Err(StreamError::Kind { at, kind }),
    }
}

fn block(
    kind: u8,
    body: &[u8],
    at: usize,
    end: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), StreamError> {
    let bad = StreamError::Block { at };
    let (crc, data) = body.split_first_chunk::<4>().ok_or(bad)?;
    let len = match kind {
        PLAIN => data.len(),
        _ => minlz::s2::decode_len(data).map_err(|_| bad)?.0,
    };
    if len > BLOCK_MAX {
        return Err(bad);
    }
    let from = out.len();
    if end - from < len {
        return Err(StreamError::TooLong { limit });
    }
    let decoded = if kind == PLAIN {
        out.extend_from_slice(data);
        true
    } else {
        out.resize(from + len, 0);
        minlz::s2::decode_into(&mut out[from..], data).is_ok()
    };
    let whole = decoded && minlz::crc::crc(&out[from..]) == u32::from_le_bytes(*crc);
    if !whole {
        out.truncate(from);
    }
    match (decoded, whole) {
        (false, _) => Err(bad),
        (_, false) => Err(StreamError::Checksum { at }),
        _ => Ok(()),
    }
}

/// Appends a stream that holds `data`.
pub fn encode(data: &[u8], out: &mut Vec<u8>) {
    encode_identifier(out);
    data.chunks(BLOCK_WRITTEN).for_each(|block| encode_block(block, out));
}

/// Appends what a stream begins with.
pub fn encode_identifier(out: &mut Vec<u8>) {
    chunk(out, IDENTIFIER, &[MAGIC]);
}

/// Appends a chunk that holds `block`, of at most [`BLOCK_WRITTEN`] bytes.
pub fn encode_block(block: &[u8], out: &mut Vec<u8>) {
    let crc = minlz::crc::crc(block).to_le_bytes();
    let packed = minlz::s2::encode(block);
    // As upstream's encoder: what saves less than this is not worth unpacking.
    if packed.len() + block.len() / 32 + 5 <= block.len() {
        chunk(out, COMPRESSED, &[&crc, &packed]);
    } else {
        chunk(out, PLAIN, &[&crc, block]);
    }
}

fn chunk(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    debug_assert!(len <= CHUNK_MAX);
    let [a, b, c, ..] = (len as u32).to_le_bytes();
    out.extend_from_slice(&[kind, a, b, c]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn stream(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(data, &mut out);
        out
    }

    fn unpack(stream: &[u8]) -> (Result<(), StreamError>, Vec<u8>) {
        let mut out = Vec::new();
        (decode(stream, usize::MAX, &mut out), out)
    }

    /// Compressible at first, then noise: both kinds of chunk, several of each.
    fn sample() -> Vec<u8> {
        let mut data = b"orders.eu.new ".repeat(200_000);
        let noise = data.len();
        data.resize(noise + BLOCK_WRITTEN + 17, 0);
        Rng::from_seed(3).fill(&mut data[noise..]);
        data
    }

    #[test]
    fn there_and_back() {
        for data in [&b""[..], b"a", b"abcabcabcabcabcabcabcabcabcabcabcabcabc", &sample()] {
            let packed = stream(data);
            assert_eq!(unpack(&packed), (Ok(()), data.to_vec()));
        }
        assert!(stream(&sample()).len() < sample().len() / 2);
    }

    #[test]
    fn what_is_before_the_damage_is_kept() {
        let data = sample();
        let mut packed = stream(&data);
        let last = packed.len() - 1;
        packed[last] ^= 1;
        let (error, out) = unpack(&packed);
        assert!(matches!(error, Err(StreamError::Checksum { .. })), "{error:?}");
        assert!(out.len() > BLOCK_WRITTEN && data.starts_with(&out));
        let (error, out) = unpack(&packed[..last]);
        assert!(matches!(error, Err(StreamError::Cut { .. })), "{error:?}");
        assert!(data.starts_with(&out));
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        let whole = stream(b"abcabcabcabcabcabcabcabcabcabcabcabcabc");
        assert_eq!(unpack(b"").0, Err(StreamError::Identifier));
        assert_eq!(unpack(&whole[10..]).0, Err(StreamError::Identifier));
        assert_eq!(unpack(&whole[..3]).0, Err(StreamError::Cut { at: 0 }));
        let with = |chunk: &[u8]| unpack(&[&whole[..10], chunk].concat()).0;
        assert_eq!(with(&[2, 0, 0, 0]), Err(StreamError::Kind { at: 10, kind: 2 }));
        assert_eq!(with(&[0x99, 2, 0, 0, 1, 2]), Ok(()));
        // A block that claims 4 GiB, one without a checksum, one that claims more than it has.
        let huge = [0, 9, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(with(&huge), Err(StreamError::Block { at: 10 }));
        assert_eq!(with(&[1, 3, 0, 0, 0, 0, 0]), Err(StreamError::Block { at: 10 }));
        assert_eq!(with(&[0, 5, 0, 0, 0, 0, 0, 0, 9]), Err(StreamError::Block { at: 10 }));
    }

    #[test]
    fn the_limit_holds() {
        let packed = stream(&[7; 3_000_000]);
        let mut out = vec![1];
        assert_eq!(decode(&packed, 3_000_000, &mut out), Ok(()));
        let mut out = vec![1];
        let error = decode(&packed, 2_999_999, &mut out);
        assert_eq!(error, Err(StreamError::TooLong { limit: 2_999_999 }));
        assert_eq!(out.len(), 1 + 2 * BLOCK_WRITTEN);
    }
}

//! A record of a block.
//!
//! ```text
//! total length  u32   of the record; bit 31: there are headers
//! sequence      u64   bit 63: skipped or erased, bit 62: a tombstone
//! time          i64   nanoseconds since the Unix epoch
//! subject len   u16
//! subject
//! [header len   u32]  with bit 31 only
//! [headers]
//! payload
//! hash          u64   of bytes 4..20, subject, headers, payload, under the block's key
//! ```
//!
//! Numbers are little endian. A tombstone says that a sequence, written to this block or to one
//! before it, is deleted; it and a skipped sequence have neither subject nor payload.
//!
//! The hash does not cover the lengths. A total length that is wrong is found by the hash that is
//! then looked for in the wrong place; a subject length that is wrong only moves the border
//! between subject and payload and cannot be told from a right one.
//!
//! Go: server/filestore.go writeMsgRecordLocked, msgFromBufEx.

use super::hash::{HASH_LEN, KeyedHash};

/// Bytes before the subject.
pub const HEADER_LEN: usize = 22;
/// Bytes of a record with nothing in it: a tombstone, a skipped sequence.
pub const EMPTY_LEN: usize = HEADER_LEN + HASH_LEN;
/// Bytes of the longest record.
pub const RECORD_LEN_MAX: usize = 32 << 20;
/// Largest sequence that a record can hold.
pub const SEQ_MAX: u64 = TOMBSTONE - 1;

const HAS_HEADERS: u32 = 1 << 31;
const ERASED: u64 = 1 << 63;
const TOMBSTONE: u64 = 1 << 62;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message.
    Message,
    /// The message of this sequence, written before, is deleted.
    Tombstone,
    /// No message has this sequence (any more); 0 when it is not known which.
    Erased,
}

/// A record as it lies in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its sequence, without the bits that say its kind.
    pub seq: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Empty for what is no message, and in the logs of Raft groups.
    pub subject: &'a [u8],
    /// The header block, or nothing.
    pub headers: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
    /// Bytes of the record.
    pub len: usize,
    /// Its hash as stored.
    pub hash: [u8; HASH_LEN],
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Less than the shortest record is left.
    #[error("{have} bytes are too few for a record")]
    TooShort {
        /// Bytes that are left.
        have: usize,
    },
    /// A length that no record has.
    #[error("a record of {len} bytes")]
    Length {
        /// The length it claims.
        len: usize,
    },
    /// It goes on past the end of the block.
    #[error("a record of {len} bytes, {have} are left")]
    Overrun {
        /// The length it claims.
        len: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// The subject does not fit into the record.
    #[error("a subject of {subject} bytes in a record of {len}")]
    Subject {
        /// The length of the subject.
        subject: usize,
        /// The length of the record.
        len: usize,
    },
    /// The headers do not fit into the record.
    #[error("headers of {headers} bytes in a record of {len}")]
    Headers {
        /// The length of the headers.
        headers: usize,
        /// The length of the record.
        len: usize,
    },
    /// The hash is another one.
    #[error("checksum mismatch")]
    Hash,
}

/// What does not fit into a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit into a record")]
pub struct TooLarge;

/// Bytes of the record of a message.
pub fn message_len(subject: usize, headers: usize, payload: usize) -> usize {
    let headers = if headers == 0 { 0 } else { headers.saturating_add(4) };
    EMPTY_LEN.saturating_add(subject).saturating_add(headers).saturating_add(payload)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_le_bytes(*bytes)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

impl<'a> Record<'a> {
    /// The record that `bytes` begin with, its hash verified.
    pub fn decode(bytes: &'a [u8], hash: &KeyedHash) -> Result<Self, RecordError> {
        let record = Self::decode_unverified(bytes)?;
        let sum = hash.sum(&[&bytes[4..20], record.subject, record.headers, record.payload]);
        if sum == record.hash { Ok(record) } else { Err(RecordError::Hash) }
    }

    /// The record that `bytes` begin with; its lengths are right, its hash is not looked at.
    pub fn decode_unverified(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let have = bytes.len();
        let short = RecordError::TooShort { have };
        if have < EMPTY_LEN {
            return Err(short);
        }
        let Header { kind, seq, time_ns, len, subject_len, has_headers } = Header::decode(bytes)?;
        let Some(record) = bytes.get(..len) else {
            return Err(RecordError::Overrun { len, have });
        };
        let (body, hash) = record.split_last_chunk().ok_or(short)?;
        let body = &body[HEADER_LEN..];
        let (subject, mut payload) = body
            .split_at_checked(subject_len)
            .ok_or(RecordError::Subject { subject: subject_len, len })?;
        let mut headers = &[][..];
        if has_headers {
            let headers_len = u32_at(payload, 0)
                .ok_or(RecordError::Subject { subject: subject_len, len })?
                as usize;
            (headers, payload) = payload[4..]
                .split_at_checked(headers_len)
                .ok_or(RecordError::Headers { headers: headers_len, len })?;
        }
        Ok(Self { kind, seq, time_ns, subject, headers, payload, len, hash: *hash })
    }
}

/// What stands before the subject of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Its sequence, without the bits that say its kind.
    pub seq: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Bytes of the record.
    pub len: usize,
    /// Bytes of the subject.
    pub subject_len: usize,
    has_headers: bool,
}

impl Header {
    /// The header that `bytes` begin with; the record's length is one that a record can have.
    ///
    /// # Errors
    ///
    /// Less than [`HEADER_LEN`] bytes, or an impossible length.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let short = RecordError::TooShort { have: bytes.len() };
        let flagged = u32_at(bytes, 0).ok_or(short)?;
        let bits = u64_at(bytes, 4).ok_or(short)?;
        let time_ns = u64_at(bytes, 12).ok_or(short)?.cast_signed();
        let subject_len = u16_at(bytes, 20).ok_or(short)?;
        let (len, has_headers) = ((flagged & !HAS_HEADERS) as usize, flagged & HAS_HEADERS != 0);
        if !(EMPTY_LEN..=RECORD_LEN_MAX).contains(&len) {
            return Err(RecordError::Length { len });
        }
        let (kind, seq) = if bits & TOMBSTONE != 0 {
            (Kind::Tombstone, bits & !(TOMBSTONE | ERASED))
        } else if bits & ERASED != 0 || bits == 0 {
            (Kind::Erased, bits & !ERASED)
        } else {
            (Kind::Message, bits)
        };
        Ok(Self { kind, seq, time_ns, len, subject_len, has_headers })
    }
}

/// Appends the record of a message to a block's bytes. Returns its hash; allocates nothing when
/// `block` has [`message_len`] bytes to spare.
///
/// # Errors
///
/// A subject longer than 65,535 bytes, a record longer than [`RECORD_LEN_MAX`], a sequence that is
/// 0 or above [`SEQ_MAX`]; nothing is appended.
pub fn append_message(
    block: &mut Vec<u8>,
    hash: &KeyedHash,
    seq: u64,
    time_ns: i64,
    subject: &[u8],
    headers: &[u8],
    payload: &[u8],
) -> Result<[u8; HASH_LEN], TooLarge> {
    if seq == 0 || seq > SEQ_MAX {
        return Err(TooLarge);
    }
    append(block, hash, seq, time_ns, subject, headers, payload)
}

/// Appends a tombstone: the message `seq` is deleted.
///
/// # Errors
///
/// A sequence above [`SEQ_MAX`].
pub fn append_tombstone(
    block: &mut Vec<u8>,
    hash: &KeyedHash,
    seq: u64,
    time_ns: i64,
) -> Result<[u8; HASH_LEN], TooLarge> {
    let seq = Some(seq).filter(|seq| *seq <= SEQ_MAX).ok_or(TooLarge)?;
    append(block, hash, seq | TOMBSTONE, time_ns, b"", b"", b"")
}

/// Appends the record of a sequence that no message has.
///
/// # Errors
///
/// A sequence above [`SEQ_MAX`].
pub fn append_skipped(
    block: &mut Vec<u8>,
    hash: &KeyedHash,
    seq: u64,
    time_ns: i64,
) -> Result<[u8; HASH_LEN], TooLarge> {
    let seq = Some(seq).filter(|seq| *seq <= SEQ_MAX).ok_or(TooLarge)?;
    append(block, hash, seq | ERASED, time_ns, b"", b"", b"")
}

/// Overwrites the message `record` in place with a sequence that no message has and `noise`, which
/// is as long as subject, headers and payload were with the length of the headers.
pub fn erase(record: &mut [u8], hash: &KeyedHash, seq: u64, noise: &[u8]) {
    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&(record.len() as u32).to_le_bytes());
    header[4..12].copy_from_slice(&(seq | ERASED).to_le_bytes());
    let sum = hash.sum(&[&header[4..20], noise]);
    record[..HEADER_LEN].copy_from_slice(&header);
    let noise_end = HEADER_LEN + noise.len();
    record[HEADER_LEN..noise_end].copy_from_slice(noise);
    record[noise_end..].copy_from_slice(&sum);
}

fn append(
    block: &mut Vec<u8>,
    hash: &KeyedHash,
    bits: u64,
    time_ns: i64,
    subject: &[u8],
    headers: &[u8],
    payload: &[u8],
) -> Result<[u8; HASH_LEN], TooLarge> {
    let len = message_len(subject.len(), headers.len(), payload.len());
    if len > RECORD_LEN_MAX {
        return Err(TooLarge);
    }
    let subject_len = u16::try_from(subject.len()).map_err(|_| TooLarge)?;
    let flag = if headers.is_empty() { 0 } else { HAS_HEADERS };
    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&(len as u32 | flag).to_le_bytes());
    header[4..12].copy_from_slice(&bits.to_le_bytes());
    header[12..20].copy_from_slice(&time_ns.to_le_bytes());
    header[20..].copy_from_slice(&subject_len.to_le_bytes());
    let sum = hash.sum(&[&header[4..20], subject, headers, payload]);
    block.reserve(len);
    block.extend_from_slice(&header);
    block.extend_from_slice(subject);
    if !headers.is_empty() {
        block.extend_from_slice(&(headers.len() as u32).to_le_bytes());
        block.extend_from_slice(headers);
    }
    block.extend_from_slice(payload);
    block.extend_from_slice(&sum);
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &[u8] = b"NATS/1.0\r\nA: b\r\n\r\n";

    fn key() -> KeyedHash {
        KeyedHash::for_block("ORDERS", 1)
    }

    #[test]
    fn there_and_back() {
        let mut block = Vec::new();
        append_message(&mut block, &key(), 1, 17, b"a.b", b"", b"hello").unwrap();
        append_message(&mut block, &key(), SEQ_MAX, -1, b"", HEADERS, b"").unwrap();
        append_tombstone(&mut block, &key(), 1, 18).unwrap();
        append_skipped(&mut block, &key(), 9, 19).unwrap();
        let mut rest = &block[..];
        let mut next = || {
            let record = Record::decode(rest, &key()).unwrap();
            rest = &rest[record.len..];
            record
        };
        let record = next();
        assert_eq!((record.kind, record.seq, record.time_ns), (Kind::Message, 1, 17));
        assert_eq!((record.subject, record.headers), (&b"a.b"[..], &b""[..]));
        assert_eq!((record.payload, record.len), (&b"hello"[..], message_len(3, 0, 5)));
        let record = next();
        assert_eq!((record.kind, record.seq, record.time_ns), (Kind::Message, SEQ_MAX, -1));
        assert_eq!((record.headers, record.payload), (HEADERS, &b""[..]));
        let record = next();
        assert_eq!((record.kind, record.seq, record.len), (Kind::Tombstone, 1, EMPTY_LEN));
        let record = next();
        assert_eq!((record.kind, record.seq, record.time_ns), (Kind::Erased, 9, 19));
        assert!(rest.is_empty());
    }

    #[test]
    fn a_changed_byte_is_found() {
        let mut block = Vec::new();
        append_message(&mut block, &key(), 7, 17, b"a.b", HEADERS, b"payload").unwrap();
        for at in 0..block.len() {
            // The lengths within a record are not covered: see the module's documentation.
            if (20..22).contains(&at) || (25..29).contains(&at) {
                continue;
            }
            let mut bad = block.clone();
            bad[at] ^= 0x04;
            let found = Record::decode(&bad, &key());
            assert!(found.is_err(), "byte {at}: {found:?}");
        }
        let other = KeyedHash::for_block("ORDERS", 2);
        assert_eq!(Record::decode(&block, &other), Err(RecordError::Hash));
    }

    #[test]
    fn bad_lengths_are_told_apart() {
        let mut block = Vec::new();
        append_message(&mut block, &key(), 7, 17, b"a.b", HEADERS, b"payload").unwrap();
        let decode = |bytes: &[u8]| Record::decode(bytes, &key()).unwrap_err();
        let len = block.len();
        assert_eq!(decode(&block[..29]), RecordError::TooShort { have: 29 });
        let have = len - 1;
        assert_eq!(decode(&block[..have]), RecordError::Overrun { len, have });
        let with = |at: usize, bytes: &[u8]| {
            let mut bad = block.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            decode(&bad)
        };
        assert_eq!(with(0, &29_u32.to_le_bytes()), RecordError::Length { len: 29 });
        let huge = RECORD_LEN_MAX as u32 + 1;
        assert_eq!(with(0, &huge.to_le_bytes()), RecordError::Length { len: huge as usize });
        let subject = usize::from(u16::MAX);
        assert_eq!(with(20, &[0xff, 0xff]), RecordError::Subject { subject, len });
        // Room for the subject, but not for the length of the headers after it.
        let subject = len - EMPTY_LEN - 3;
        let bytes = (subject as u16).to_le_bytes();
        assert_eq!(with(20, &bytes), RecordError::Subject { subject, len });
        let headers = u32::MAX as usize;
        assert_eq!(with(25, &[0xff; 4]), RecordError::Headers { headers, len });
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut block = Vec::new();
        let mut try_one = |seq, subject: usize, payload: usize| {
            append_message(&mut block, &key(), seq, 0, &vec![b'a'; subject], b"", &vec![0; payload])
        };
        assert_eq!(try_one(0, 1, 0), Err(TooLarge));
        assert_eq!(try_one(SEQ_MAX + 1, 1, 0), Err(TooLarge));
        assert_eq!(try_one(1, 65_536, 0), Err(TooLarge));
        assert_eq!(try_one(1, 1, RECORD_LEN_MAX - EMPTY_LEN), Err(TooLarge));
        assert!(try_one(1, 65_535, 0).is_ok());
        assert!(try_one(1, 1, RECORD_LEN_MAX - EMPTY_LEN - 1).is_ok());
        assert_eq!(append_tombstone(&mut block, &key(), SEQ_MAX + 1, 0), Err(TooLarge));
        assert_eq!(append_skipped(&mut block, &key(), SEQ_MAX + 1, 0), Err(TooLarge));
    }
}

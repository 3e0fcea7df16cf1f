//! What is common to the files in which a stream remembers something about its messages
//! (`thw.db`, `sched.db`, `sources.db`):
//!
//! ```text
//! 1 (version), u64 entries, u64 high sequence, the entries
//! ```
//!
//! The high sequence is the first that is not covered, one more than the stream's last when the
//! file was written: messages from there on have to be looked at.

use crate::base::codec::Cursor;

const VERSION: u8 = 1;
/// Bytes before the entries.
pub const HEADER_LEN: usize = 1 + 8 + 8;

/// Why bytes are no such file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than a header has.
    #[error("short buffer")]
    Header,
    /// A version that there is not.
    #[error("encoded version {0} not known")]
    Version(u8),
    /// The bytes end within the entries, or an entry is none.
    #[error("unexpected EOF")]
    Entries,
}

/// A file with its header, for `entries` entries to be appended.
pub fn begin(entries: usize, high_seq: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN + entries * 16);
    out.push(VERSION);
    out.extend_from_slice(&(entries as u64).to_le_bytes());
    out.extend_from_slice(&high_seq.to_le_bytes());
    out
}

/// Has `entry` read every entry of a file; gives the high sequence.
///
/// # Errors
/// When the bytes are no such file, or an entry is not there.
pub fn read<'a>(
    bytes: &'a [u8],
    mut entry: impl FnMut(&mut Cursor<'a>) -> Option<()>,
) -> Result<u64, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let header = (cursor.u8(), cursor.u64(), cursor.u64());
    let (Some(version), Some(entries), Some(high_seq)) = header else {
        return Err(DecodeError::Header);
    };
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    for _ in 0..entries {
        entry(&mut cursor).ok_or(DecodeError::Entries)?;
    }
    Ok(high_seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(read(&[1; 16], |_| None), Err(DecodeError::Header));
        let mut bytes = begin(2, 7);
        assert_eq!(bytes.len(), HEADER_LEN);
        let mut calls = 0;
        let high_seq = read(&bytes, |cursor| {
            calls += 1;
            cursor.is_empty().then_some(())
        });
        assert_eq!((high_seq, calls), (Ok(7), 2));
        assert_eq!(read(&bytes, |cursor| cursor.u8().map(drop)), Err(DecodeError::Entries));
        bytes[0] = 2;
        assert_eq!(read(&bytes, |_| None), Err(DecodeError::Version(2)));
    }
}

//! The state of a consumer as `o.dat` and its replicas hold it.
//! Go: `server/store.go` `encodeConsumerState`, `server/filestore.go` `decodeConsumerState`.
//!
//! ```text
//! 22, version, uvarints: ack floor (consumer, stream), delivered (consumer, stream), pending
//! if any are pending: varint base time, then for each
//!     uvarint stream sequence, version 2: uvarint consumer sequence, varint time
//! uvarint redelivered, for each: uvarint stream sequence, uvarint deliveries
//! ```
//!
//! Sequences are those above the ack floor. Times are whole seconds: version 2 says how long
//! before the base they were, version 1 how long after. Version 1 holds what was delivered as the
//! next to be delivered, also above the ack floor.

use crate::base::codec::{Cursor, put_uvarint, put_varint};
use crate::model::{ConsumerState, Pending, SequencePair};

const MAGIC: u8 = 22;
const VERSION: u8 = 2;
const SECOND_NS: i64 = 1_000_000_000;

/// Why bytes are no state of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not what a state begins with, or damaged.
    #[error("corrupt state file")]
    Corrupt,
    /// A version that there is not.
    #[error("unsupported version: {0}")]
    Version(u8),
}

/// The encoding. Times of pending messages lose what is below a second; `now_ns`, nanoseconds since
/// the Unix epoch, is what they are counted from, and not kept.
pub fn encode(state: &ConsumerState, now_ns: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + state.pending.len() * 12 + state.redelivered.len() * 6);
    out.extend_from_slice(&[MAGIC, VERSION]);
    let (floor, delivered) = (state.ack_floor, state.delivered);
    for seq in [floor.consumer_seq, floor.stream_seq, delivered.consumer_seq, delivered.stream_seq]
    {
        put_uvarint(&mut out, seq);
    }
    put_uvarint(&mut out, state.pending.len() as u64);
    if !state.pending.is_empty() {
        let base = now_ns / SECOND_NS;
        put_varint(&mut out, base);
        for (seq, pending) in &state.pending {
            // What is below the floor wraps, and wraps back when it is read.
            put_uvarint(&mut out, seq.wrapping_sub(floor.stream_seq));
            put_uvarint(&mut out, pending.sequence.wrapping_sub(floor.consumer_seq));
            put_varint(&mut out, base - pending.timestamp / SECOND_NS);
        }
    }
    put_uvarint(&mut out, state.redelivered.len() as u64);
    for (seq, deliveries) in &state.redelivered {
        put_uvarint(&mut out, seq.wrapping_sub(floor.stream_seq));
        put_uvarint(&mut out, *deliveries);
    }
    out
}

/// A state of any version.
///
/// # Errors
/// When the bytes are none.
pub fn decode(bytes: &[u8]) -> Result<ConsumerState, DecodeError> {
    match bytes {
        [MAGIC, version @ (1 | VERSION), rest @ ..] => {
            body(*version, &mut Cursor::new(rest)).ok_or(DecodeError::Corrupt)
        }
        [MAGIC, version, ..] => Err(DecodeError::Version(*version)),
        _ => Err(DecodeError::Corrupt),
    }
}

/// As [`decode`], of a file: what no server leaves is damage. Every server writes how many entries
/// follow, also when there are none, so that a file of version 2 that ends before that was cut; and
/// none writes a sequence twice, or anything behind the end.
///
/// # Errors
/// When the bytes are no state, or not the whole of one.
pub fn decode_file(bytes: &[u8]) -> Result<ConsumerState, DecodeError> {
    let state = decode(bytes)?;
    let whole = bytes[1] != VERSION || is_whole(&bytes[2..], &state) == Some(true);
    if whole { Ok(state) } else { Err(DecodeError::Corrupt) }
}

/// Whether the body of a state of version 2 has its lists, with the entries that were read from it.
fn is_whole(body: &[u8], state: &ConsumerState) -> Option<bool> {
    let mut cursor = Cursor::new(body);
    skip(&mut cursor, 4)?;
    let pending = cursor.uvarint()?;
    if pending > 0 {
        skip(&mut cursor, pending.checked_mul(3)?.checked_add(1)?)?;
    }
    let redelivered = cursor.uvarint()?;
    skip(&mut cursor, redelivered.checked_mul(2)?)?;
    // Entries of redelivered that mean nothing are not kept.
    let entries =
        pending == state.pending.len() as u64 && redelivered >= state.redelivered.len() as u64;
    Some(entries && cursor.is_empty())
}

fn skip(cursor: &mut Cursor<'_>, numbers: u64) -> Option<()> {
    (0..numbers).try_for_each(|_| cursor.uvarint().map(drop))
}

fn body(version: u8, cursor: &mut Cursor<'_>) -> Option<ConsumerState> {
    let mut pair = || {
        let (consumer_seq, stream_seq) = (cursor.uvarint()?, cursor.uvarint()?);
        Some(SequencePair { consumer_seq, stream_seq })
    };
    let (ack_floor, mut delivered) = (pair()?, pair()?);
    if version == 1 {
        for (next, floor) in [
            (&mut delivered.consumer_seq, ack_floor.consumer_seq),
            (&mut delivered.stream_seq, ack_floor.stream_seq),
        ] {
            *next = next.checked_add(floor.saturating_sub(1))?;
        }
    }
    // The sign of a sequence that went below zero once.
    if (ack_floor.stream_seq | delivered.stream_seq) >> 63 != 0 {
        return None;
    }
    let mut state = ConsumerState { delivered, ack_floor, ..ConsumerState::default() };
    read_pending(version, cursor, &mut state)?;
    read_redelivered(cursor, &mut state)?;
    Some(state)
}

/// How many entries follow; none where the state ends, as upstream has it.
fn count(cursor: &mut Cursor<'_>) -> Option<u64> {
    if cursor.is_empty() { Some(0) } else { cursor.uvarint() }
}

fn read_pending(version: u8, cursor: &mut Cursor<'_>, state: &mut ConsumerState) -> Option<()> {
    let count = count(cursor)?;
    let base = if count > 0 { cursor.varint()? } else { 0 };
    for _ in 0..count {
        let seq = cursor.uvarint()?.wrapping_add(state.ack_floor.stream_seq);
        let sequence = match version {
            1 => 0,
            _ => cursor.uvarint()?.wrapping_add(state.ack_floor.consumer_seq),
        };
        let offset = cursor.varint()?;
        let second = match version {
            1 => base.checked_add(offset)?,
            _ => base.checked_sub(offset)?,
        };
        if seq == 0 {
            return None;
        }
        let timestamp = second.checked_mul(SECOND_NS)?;
        state.pending.insert(seq, Pending { sequence, timestamp });
    }
    Some(())
}

fn read_redelivered(cursor: &mut Cursor<'_>, state: &mut ConsumerState) -> Option<()> {
    for _ in 0..count(cursor)? {
        let (seq, deliveries) = (cursor.uvarint()?, cursor.uvarint()?);
        // Old servers wrote entries that mean nothing.
        if seq > 0 && deliveries > 0 {
            state.redelivered.insert(seq.wrapping_add(state.ack_floor.stream_seq), deliveries);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_1_counts_from_the_floor() {
        // Floor 10/20, delivered next 3 and 4 above it, one pending 2 above the floor at 100 + 5 s.
        let mut bytes = vec![22, 1, 10, 20, 3, 4, 1];
        put_varint(&mut bytes, 100);
        bytes.push(2);
        put_varint(&mut bytes, 5);
        bytes.extend_from_slice(&[1, 2, 7]);
        let state = decode(&bytes).unwrap();
        assert_eq!(state.ack_floor, SequencePair { consumer_seq: 10, stream_seq: 20 });
        assert_eq!(state.delivered, SequencePair { consumer_seq: 12, stream_seq: 23 });
        let pending = Pending { sequence: 0, timestamp: 105 * SECOND_NS };
        assert!(state.pending.into_iter().eq([(22, pending)]));
        assert!(state.redelivered.into_iter().eq([(22, 7)]));
    }

    #[test]
    fn the_end_may_be_left_out() {
        let expected = ConsumerState {
            ack_floor: SequencePair { consumer_seq: 1, stream_seq: 2 },
            delivered: SequencePair { consumer_seq: 3, stream_seq: 4 },
            ..ConsumerState::default()
        };
        for bytes in [&[22, 2, 1, 2, 3, 4][..], &[22, 2, 1, 2, 3, 4, 0], &[22, 2, 1, 2, 3, 4, 0, 0]]
        {
            assert_eq!(decode(bytes), Ok(expected.clone()));
        }
    }

    #[test]
    fn a_file_is_whole() {
        let pending = Pending { sequence: 7, timestamp: 9 * SECOND_NS };
        let state = ConsumerState {
            delivered: SequencePair { consumer_seq: 300, stream_seq: 400 },
            ack_floor: SequencePair { consumer_seq: 2, stream_seq: 3 },
            pending: [(5, pending), (9, pending)].into(),
            redelivered: [(5, 2)].into(),
        };
        let mut file = encode(&state, 20 * SECOND_NS);
        assert_eq!(decode_file(&file), Ok(state));
        for len in 0..file.len() {
            assert!(decode_file(&file[..len]).is_err(), "{len}");
        }
        file.push(0);
        assert_eq!(decode_file(&file), Err(DecodeError::Corrupt));
        // Two entries of the same sequence, as zeros where there was something make them.
        let twice = [22, 2, 0, 1, 0, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(decode(&twice).is_ok());
        assert_eq!(decode_file(&twice), Err(DecodeError::Corrupt));
        // Version 1 had its own ways.
        assert!(decode_file(&[22, 1, 1, 2, 3, 4]).is_ok());
    }

    #[test]
    fn damage_has_its_error() {
        for (bytes, error) in [
            (&b""[..], DecodeError::Corrupt),
            (&[22], DecodeError::Corrupt),
            (&[21, 2, 0, 0, 0, 0], DecodeError::Corrupt),
            (&[22, 3, 0, 0, 0, 0], DecodeError::Version(3)),
            (&[22, 2, 0, 0, 0], DecodeError::Corrupt),
            // Pending: the sequence 0, and times beyond 64 bits.
            (&[22, 2, 0, 0, 1, 1, 1, 0, 0, 0, 0], DecodeError::Corrupt),
            (
                &[22, 2, 0, 0, 1, 1, 1, 0, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                DecodeError::Corrupt,
            ),
            // More entries than there are bytes for.
            (&[22, 2, 0, 0, 1, 1, 255, 255, 255, 255, 15, 0], DecodeError::Corrupt),
            (&[22, 2, 0, 0, 1, 1, 0, 255, 255, 255, 255, 15], DecodeError::Corrupt),
        ] {
            assert_eq!(decode(bytes), Err(error), "{bytes:?}");
        }
        let below_zero = ConsumerState {
            delivered: SequencePair { consumer_seq: 1, stream_seq: 1 << 63 },
            ..ConsumerState::default()
        };
        assert_eq!(decode(&encode(&below_zero, 0)), Err(DecodeError::Corrupt));
    }

    fn state() -> impl Strategy<Value = ConsumerState> {
        let seq = || prop_oneof![1..300u64, any::<u64>().prop_map(|n| (n >> 1).max(1))];
        let pair = move || {
            (seq(), seq())
                .prop_map(|(consumer_seq, stream_seq)| SequencePair { consumer_seq, stream_seq })
        };
        let pending = (any::<u64>(), -5_000_000_000..5_000_000_000i64)
            .prop_map(|(sequence, second)| Pending { sequence, timestamp: second * SECOND_NS });
        let pending = prop::collection::btree_map(seq(), pending, 0..6);
        let redelivered = prop::collection::btree_map(seq(), 1..9u64, 0..6);
        (pair(), pair(), pending, redelivered).prop_map(
            |(delivered, ack_floor, pending, mut redelivered)| {
                // Redelivered at the floor would mean nothing.
                redelivered.remove(&ack_floor.stream_seq);
                ConsumerState { delivered, ack_floor, pending, redelivered }
            },
        )
    }

    proptest! {
        #[test]
        fn is_read_back(state in state(), now: i64, bit in any::<prop::sample::Index>()) {
            let mut bytes = encode(&state, now);
            prop_assert_eq!(decode(&bytes), Ok(state.clone()));
            let whole = bytes.len() - usize::from(state.redelivered.is_empty());
            for len in 0..whole {
                if let Ok(part) = decode(&bytes[..len]) {
                    // Cut exactly where a list would begin.
                    prop_assert!(part.redelivered.is_empty());
                    prop_assert!(part.pending.is_empty() || part.pending == state.pending);
                }
            }
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&bytes);
        }
    }
}

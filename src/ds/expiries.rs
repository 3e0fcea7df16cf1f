//! [`Expiries`]: when messages with a time to live expire. Go: `server/thw`, whose file it keeps.
//!
//! Upstream spreads the messages over a wheel of 4096 slots of a second and looks through all of
//! them when one is due. Here they are in order of time: the next one is known, and what is due
//! is found without looking at what is not.

use crate::base::codec::{Cursor, put_uvarint, put_varint};
use std::collections::BTreeSet;

const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + 8 + 8;

/// Sequences by the time of their expiry, nanoseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiries(BTreeSet<(i64, u64)>);

/// Why bytes hold no [`Expiries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than a header has.
    #[error("short buffer")]
    Header,
    /// A version that there is not.
    #[error("thw: encoded version not known")]
    Version(u8),
    /// The bytes end within the entries, or an entry is none.
    #[error("unexpected EOF")]
    Entries,
}

impl Expiries {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `seq` shall expire at `expires`. A sequence has one expiry: to move it, see
    /// [`Expiries::update`].
    pub fn add(&mut self, seq: u64, expires: i64) {
        self.0.insert((expires, seq));
    }

    /// `seq` shall not expire at `expires` any more; false if it was not to.
    pub fn remove(&mut self, seq: u64, expires: i64) -> bool {
        self.0.remove(&(expires, seq))
    }

    /// `seq` shall expire at `new`, not `old`; false, and nothing changed, if it was not to.
    pub fn update(&mut self, seq: u64, old: i64, new: i64) -> bool {
        let found = self.remove(seq, old);
        if found {
            self.add(seq, new);
        }
        found
    }

    /// When the next sequence expires.
    pub fn next(&self) -> Option<i64> {
        self.0.first().map(|(expires, _)| *expires)
    }

    /// What has expired by `now`, earliest first: sequence and time.
    pub fn due(&self, now: i64) -> impl Iterator<Item = (u64, i64)> {
        self.0.range(..=(now, u64::MAX)).map(|(expires, seq)| (*seq, *expires))
    }

    /// Takes out what has expired by `now` and of which `expired` says so; it is given sequence
    /// and time, earliest first. The rest is due again the next time.
    pub fn expire(&mut self, now: i64, mut expired: impl FnMut(u64, i64) -> bool) {
        self.0
            .extract_if(..=(now, u64::MAX), |(expires, seq)| expired(*seq, *expires))
            .for_each(drop);
    }

    /// All of them, earliest first: sequence and time.
    pub fn iter(&self) -> impl Iterator<Item = (u64, i64)> {
        self.0.iter().map(|(expires, seq)| (*seq, *expires))
    }

    /// The bytes of `thw.db`: a version, the count and `high_seq` in eight little-endian bytes
    /// each, then a varint of the time and a uvarint of the sequence for each.
    ///
    /// `high_seq` is the first sequence that is not covered: one more than the stream's last.
    pub fn encode(&self, high_seq: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN + self.len() * 12);
        out.push(VERSION);
        out.extend_from_slice(&(self.len() as u64).to_le_bytes());
        out.extend_from_slice(&high_seq.to_le_bytes());
        for (expires, seq) in &self.0 {
            put_varint(&mut out, *expires);
            put_uvarint(&mut out, *seq);
        }
        out
    }

    /// What [`Expiries::encode`], or upstream, wrote, and the high sequence with it.
    ///
    /// # Errors
    /// When the bytes are not that.
    pub fn decode(bytes: &[u8]) -> Result<(Self, u64), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let header = (cursor.u8(), cursor.u64(), cursor.u64());
        let (Some(version), Some(count), Some(high_seq)) = header else {
            return Err(DecodeError::Header);
        };
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let mut expiries = Self::new();
        for _ in 0..count {
            let (Some(expires), Some(seq)) = (cursor.varint(), cursor.uvarint()) else {
                return Err(DecodeError::Entries);
            };
            expiries.add(seq, expires);
        }
        Ok((expiries, high_seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn time() -> impl Strategy<Value = i64> {
        prop_oneof![0..50i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn follows_a_map(
            steps in prop::collection::vec((0..4u8, 0..30u64, time()), 0..120),
            times in prop::collection::vec(time(), 3),
        ) {
            // The model: the time of each sequence.
            let (mut expiries, mut model) = (Expiries::new(), BTreeMap::new());
            for (what, seq, at) in steps {
                match (what, model.get(&seq).copied()) {
                    (0, Some(old)) => {
                        model.remove(&seq);
                        prop_assert!(expiries.remove(seq, old));
                    }
                    (1, Some(old)) => {
                        model.insert(seq, at);
                        prop_assert!(expiries.update(seq, old, at));
                    }
                    (_, Some(old)) => prop_assert_eq!(expiries.update(seq, at, 0), at == old && {
                        model.insert(seq, 0);
                        true
                    }),
                    (_, None) => {
                        prop_assert!(!expiries.remove(seq, at));
                        model.insert(seq, at);
                        expiries.add(seq, at);
                    }
                }
                prop_assert_eq!(expiries.len(), model.len());
                prop_assert_eq!(expiries.next(), model.values().min().copied());
            }
            for now in times {
                let mut expected: Vec<_> =
                    model.iter().map(|(seq, at)| (*seq, *at)).filter(|(_, at)| *at <= now).collect();
                expected.sort_unstable_by_key(|(seq, at)| (*at, *seq));
                prop_assert!(expiries.due(now).eq(expected.iter().copied()));
                let mut seen = Vec::new();
                expiries.expire(now, |seq, at| {
                    seen.push((seq, at));
                    seq % 2 == 0
                });
                prop_assert_eq!(seen, expected);
                model.retain(|seq, at| *at > now || seq % 2 == 1);
                let left: BTreeMap<_, _> = expiries.iter().collect();
                prop_assert_eq!(left, model.clone());
            }
        }

        #[test]
        fn is_read_back(entries in prop::collection::vec((any::<u64>(), time()), 0..40), high: u64) {
            let mut expiries = Expiries::new();
            for (seq, at) in entries {
                expiries.add(seq, at);
            }
            let bytes = expiries.encode(high);
            prop_assert_eq!(Expiries::decode(&bytes), Ok((expiries, high)));
            for len in 0..bytes.len() {
                let error = if len < HEADER_LEN { DecodeError::Header } else { DecodeError::Entries };
                prop_assert_eq!(Expiries::decode(&bytes[..len]), Err(error));
            }
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let _ = Expiries::decode(&damaged);
            }
        }
    }
}

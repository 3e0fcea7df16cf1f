//! [`Expiries`]: when messages with a time to live expire. Go: `server/thw`, whose file it keeps.
//!
//! Upstream spreads the messages over a wheel of 4096 slots of a second and looks through all of
//! them when one is due. Here they are in order of time: the next one is known, and what is due
//! is found without looking at what is not.

use super::state_file::{self, DecodeError};
use crate::base::codec::{put_uvarint, put_varint};
use std::collections::BTreeSet;

/// Sequences by the time of their expiry, nanoseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiries(BTreeSet<(i64, u64)>);

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

    /// The bytes of `thw.db`: a [`state_file`] with a varint of the time and a uvarint of the
    /// sequence for each.
    pub fn encode(&self, high_seq: u64) -> Vec<u8> {
        let mut out = state_file::begin(self.len(), high_seq);
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
        let mut expiries = Self::new();
        let high_seq = state_file::read(bytes, |cursor| {
            let (expires, seq) = (cursor.varint()?, cursor.uvarint()?);
            expiries.add(seq, expires);
            Some(())
        })?;
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
                let due = model.iter().filter(|(_, at)| **at <= now);
                let mut expected: Vec<_> = due.map(|(seq, at)| (*seq, *at)).collect();
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
        fn is_read_back(
            entries in prop::collection::vec((any::<u64>(), time()), 0..40),
            high: u64,
        ) {
            let mut expiries = Expiries::new();
            for (seq, at) in entries {
                expiries.add(seq, at);
            }
            let bytes = expiries.encode(high);
            prop_assert_eq!(Expiries::decode(&bytes), Ok((expiries, high)));
            for len in 0..bytes.len() {
                let header = len < state_file::HEADER_LEN;
                let error = if header { DecodeError::Header } else { DecodeError::Entries };
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

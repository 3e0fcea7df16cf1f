//! Messages whose removal is left to the stream's owner. Go: `server/sdm.go`.

use crate::ds::expiries::Expiries;
use hashbrown::HashMap;

/// How long the owner has to remove what it was asked to, before it is asked again.
const PATIENCE_NS: i64 = 2_000_000_000;

/// What the owner was asked to remove and has not removed yet.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    by_seq: HashMap<u64, Proposal>,
    /// When to ask again.
    again: Expiries,
    /// How many there are of each subject.
    subjects: HashMap<Box<[u8]>, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Proposal {
    last: bool,
    again_ns: i64,
}

impl Proposals {
    /// Whether to ask for message `seq` now, or to wait. If so, whether it is the last one of its
    /// subject, which has `messages`: the one after which nothing stays.
    pub(super) fn propose(
        &mut self,
        seq: u64,
        subject: &[u8],
        messages: u64,
        now_ns: i64,
    ) -> Option<bool> {
        let before = self.by_seq.get(&seq).copied();
        if before.is_some_and(|before| now_ns < before.again_ns) {
            return None;
        }
        let others = match (self.subjects.get_mut(subject), before) {
            (Some(proposed), Some(_)) => *proposed - 1,
            (Some(proposed), None) => {
                *proposed += 1;
                *proposed - 1
            }
            (None, _) => {
                self.subjects.insert(subject.into(), 1);
                0
            }
        };
        // Once another was the last one, that stays so.
        let last = messages == others + 1 && before.is_none_or(|before| before.last);
        if let Some(before) = before {
            self.again.remove(seq, before.again_ns);
        }
        let again_ns = now_ns.saturating_add(PATIENCE_NS);
        self.again.add(seq, again_ns);
        self.by_seq.insert(seq, Proposal { last, again_ns });
        Some(last)
    }

    /// Nothing is asked of the owner for message `seq` any more.
    pub(super) fn remove(&mut self, seq: u64, subject: &[u8]) {
        let Some(before) = self.by_seq.remove(&seq) else { return };
        self.again.remove(seq, before.again_ns);
        if let Some(proposed) = self.subjects.get_mut(subject) {
            *proposed -= 1;
            if *proposed == 0 {
                self.subjects.remove(subject);
            }
        }
    }

    /// The messages that were asked for.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.by_seq.keys().copied()
    }

    /// The messages to ask for again.
    pub(super) fn due(&self, now_ns: i64) -> impl Iterator<Item = u64> {
        self.again.due(now_ns).map(|(seq, _)| seq)
    }

    /// When to ask again, if ever.
    pub(super) fn next(&self) -> Option<i64> {
        self.again.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_the_one_after_which_nothing_stays() {
        let mut proposals = Proposals::default();
        assert_eq!(proposals.propose(1, b"a", 3, 0), Some(false));
        assert_eq!(proposals.propose(2, b"a", 3, 0), Some(false));
        assert_eq!(proposals.propose(4, b"b", 1, 0), Some(true));
        assert_eq!(proposals.propose(3, b"a", 3, 1), Some(true));
        // The owner has not come to it.
        assert_eq!(proposals.propose(3, b"a", 3, PATIENCE_NS), None);
        assert_eq!(proposals.next(), Some(PATIENCE_NS));
        assert!(proposals.due(PATIENCE_NS).eq([1, 2, 4]));
        assert_eq!(proposals.propose(3, b"a", 3, 1 + PATIENCE_NS), Some(true));
        // A message more has come, and goes: the marker would have been for that.
        assert_eq!(proposals.propose(3, b"a", 4, 1 + 2 * PATIENCE_NS), Some(false));
        assert_eq!(proposals.propose(3, b"a", 3, 1 + 3 * PATIENCE_NS), Some(false));
        for (seq, subject) in [(1, b"a"), (2, b"a"), (3, b"a"), (4, b"b"), (4, b"b")] {
            proposals.remove(seq, subject);
        }
        assert_eq!((proposals.next(), proposals.subjects.len()), (None, 0));
    }
}

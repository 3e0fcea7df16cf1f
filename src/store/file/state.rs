//! What is known of a block and of a stream.

/// Sequences that are not there, as ranges in ascending order, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Vec<(u64, u64)>);

impl Gaps {
    /// Adds a range that begins above all others; one that continues the last is joined to it.
    /// A range that is empty (`first` above `last`) is none.
    pub fn push(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        match self.0.last_mut() {
            Some(before) if before.1.checked_add(1) == Some(first) => before.1 = last,
            before => {
                debug_assert!(before.is_none_or(|before| before.1 < first));
                self.0.push((first, last));
            }
        }
    }

    /// The ranges.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many sequences there are in all; the most that 64 bits hold when there are more.
    pub fn len(&self) -> u64 {
        let sizes = self.0.iter().map(|(first, last)| (last - first).saturating_add(1));
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `seq` is one of them.
    pub fn contains(&self, seq: u64) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < seq);
        self.0.get(at).is_some_and(|(first, _)| *first <= seq)
    }

    /// The sequences one by one.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// A block. Times are nanoseconds since the Unix epoch, 0 when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockState {
    /// Its number, from 1.
    pub index: u32,
    /// Messages that are left.
    pub messages: u64,
    /// Bytes of their records.
    pub bytes: u64,
    /// Sequence of the first of them; one above `last_seq` when there is none.
    pub first_seq: u64,
    /// Its time.
    pub first_ns: i64,
    /// The last sequence that the block knows of.
    pub last_seq: u64,
    /// Its time.
    pub last_ns: i64,
    /// Sequences from first to last that are gone.
    pub deleted: Gaps,
    /// Messages with a time to live.
    pub ttls: u64,
    /// Messages that are schedules.
    pub schedules: u64,
}

impl BlockState {
    /// Whether a message with this sequence is left.
    pub fn holds(&self, seq: u64) -> bool {
        self.messages > 0
            && (self.first_seq..=self.last_seq).contains(&seq)
            && !self.deleted.contains(seq)
    }
}

/// A stream. Times are nanoseconds since the Unix epoch, 0 when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages.
    pub messages: u64,
    /// Bytes of their records.
    pub bytes: u64,
    /// Sequence of the first message; of the next one when there is none; 0 when there never was.
    pub first_seq: u64,
    /// Its time.
    pub first_ns: i64,
    /// Sequence of the last message that there ever was.
    pub last_seq: u64,
    /// Its time.
    pub last_ns: i64,
}

/// The sequences between a stream's first and last that are gone, in and between its blocks.
pub fn deleted(totals: &Totals, blocks: &[BlockState]) -> Gaps {
    let mut gaps = Gaps::default();
    if totals.messages == 0 {
        return gaps;
    }
    let mut next = totals.first_seq;
    for block in blocks.iter().filter(|block| block.messages > 0) {
        if block.first_seq > next {
            gaps.push(next, block.first_seq - 1);
        }
        for (first, last) in block.deleted.ranges() {
            gaps.push((*first).max(next), *last);
        }
        next = next.max(block.last_seq.saturating_add(1));
    }
    gaps.push(next, totals.last_seq);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined_and_searched() {
        let mut gaps = Gaps::default();
        gaps.push(3, 5);
        gaps.push(6, 6);
        gaps.push(9, 8);
        gaps.push(10, 12);
        assert_eq!(gaps.ranges(), [(3, 6), (10, 12)]);
        assert_eq!((gaps.len(), gaps.iter().sum::<u64>()), (7, 18 + 33));
        let found: Vec<u64> = (0..20).filter(|seq| gaps.contains(*seq)).collect();
        assert_eq!(found, gaps.iter().collect::<Vec<_>>());
        let mut all = Gaps::default();
        all.push(0, u64::MAX);
        assert_eq!(all.len(), u64::MAX);
    }

    #[test]
    fn gaps_between_blocks_count() {
        let block = |first_seq, last_seq, gone: &[(u64, u64)]| BlockState {
            messages: 1,
            first_seq,
            last_seq,
            deleted: Gaps(gone.to_vec()),
            ..BlockState::default()
        };
        let blocks = [block(3, 8, &[(4, 4), (8, 8)]), BlockState::default(), block(11, 12, &[])];
        let totals = Totals { messages: 6, first_seq: 3, last_seq: 15, ..Totals::default() };
        assert_eq!(deleted(&totals, &blocks).ranges(), [(4, 4), (8, 10), (13, 15)]);
        assert!(deleted(&Totals::default(), &blocks).is_empty());
    }
}

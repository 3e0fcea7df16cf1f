//! The records of a block, and what is readable of a damaged one. Works on the block's bytes,
//! decrypted and unpacked.

use super::hash::KeyedHash;
use super::record::{Kind, Record, RecordError};

/// Bytes of a block that hold no readable record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where they begin.
    pub from: usize,
    /// Where a record is readable again; the block's length when none is.
    pub until: usize,
    /// What is wrong with what stands there.
    pub cause: RecordError,
}

/// Calls `visit` with every readable record and where it begins, in order. Returns what lies
/// between them.
///
/// Behind a record that is damaged the next one is looked for: where the damaged one says that it
/// ends, else byte by byte. That takes time linear in the block's length, whatever it holds.
pub fn scan<'a>(
    records: &'a [u8],
    hash: &KeyedHash,
    mut visit: impl FnMut(usize, Record<'a>),
) -> Vec<Unreadable> {
    let mut unreadable = Vec::new();
    let mut budget = Budget { bytes: 8 * records.len() };
    let (mut at, mut last) = (0, 0);
    while at < records.len() {
        match Record::decode(&records[at..], hash) {
            Ok(record) => {
                if record.kind != Kind::Tombstone {
                    last = record.seq.max(last);
                }
                let len = record.len;
                visit(at, record);
                at += len;
            }
            Err(cause) => {
                let until = resume(records, at, last, hash, &mut budget);
                unreadable.push(Unreadable { from: at, until, cause });
                at = until;
            }
        }
    }
    unreadable
}

/// Bytes that may still be hashed in search of records.
struct Budget {
    bytes: usize,
}

/// Where the first record behind a damaged one begins; the end when there is none.
fn resume(
    records: &[u8],
    damaged: usize,
    last: u64,
    hash: &KeyedHash,
    budget: &mut Budget,
) -> usize {
    let is_record = |at: usize, budget: &mut Budget| {
        let rest = &records[at..];
        let Ok(record) = Record::decode_unverified(rest) else { return false };
        let later = record.kind == Kind::Tombstone || record.seq > last;
        if !later || budget.bytes < record.len {
            return false;
        }
        budget.bytes -= record.len;
        Record::decode(rest, hash).is_ok()
    };
    let mut search = damaged + 1..records.len();
    if let Ok(record) = Record::decode_unverified(&records[damaged..]) {
        let end = damaged + record.len;
        // What follows must follow, or the length is what is damaged and there is more between.
        let next = Record::decode_unverified(&records[end..]);
        let follows = next.is_ok_and(|next| next.seq == record.seq.saturating_add(1));
        if follows && is_record(end, budget) {
            return end;
        }
        if let Some(at) = (damaged + 1..end).find(|at| is_record(*at, budget)) {
            return at;
        }
        search.start = end;
    }
    search.find(|at| is_record(*at, budget)).unwrap_or(records.len())
}

#[cfg(test)]
mod tests {
    use super::super::record::{append_message, append_skipped, append_tombstone};
    use super::*;

    fn hash() -> KeyedHash {
        KeyedHash::for_block("S", 1)
    }

    /// Ten messages, a skipped sequence, a tombstone; and where each begins.
    fn block() -> (Vec<u8>, Vec<usize>) {
        let (mut block, mut starts) = (Vec::new(), Vec::new());
        for seq in 1..=10 {
            starts.push(block.len());
            append_message(&mut block, &hash(), seq, 0, b"a.b", b"", &[b'x'; 50]).unwrap();
        }
        starts.push(block.len());
        append_skipped(&mut block, &hash(), 11, 0).unwrap();
        starts.push(block.len());
        append_tombstone(&mut block, &hash(), 3, 0).unwrap();
        (block, starts)
    }

    fn found(records: &[u8]) -> (Vec<usize>, Vec<Unreadable>) {
        let mut starts = Vec::new();
        let unreadable = scan(records, &hash(), |at, _| starts.push(at));
        (starts, unreadable)
    }

    #[test]
    fn everything_of_a_sound_block_is_found() {
        let (block, starts) = block();
        assert_eq!(found(&block), (starts, Vec::new()));
        assert_eq!(found(&[]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn one_changed_byte_costs_one_record() {
        let (block, starts) = block();
        for at in 0..block.len() {
            let mut bad = block.clone();
            bad[at] ^= 0x10;
            let hit = starts.iter().rposition(|start| *start <= at).unwrap();
            let (left, unreadable) = found(&bad);
            // A subject's length is not covered by the hash.
            if unreadable.is_empty() {
                assert!((20..22).contains(&(at - starts[hit])), "byte {at}");
                continue;
            }
            let mut expected = starts.clone();
            expected.remove(hit);
            assert_eq!(left, expected, "byte {at}");
            let until = starts.get(hit + 1).copied().unwrap_or(block.len());
            assert_eq!((unreadable[0].from, unreadable[0].until), (starts[hit], until));
        }
    }

    #[test]
    fn a_cut_block_keeps_what_is_before_the_cut() {
        let (block, starts) = block();
        for len in 0..block.len() {
            let (left, unreadable) = found(&block[..len]);
            let whole = starts.iter().skip(1).filter(|start| **start <= len).count();
            assert_eq!(left, starts[..whole]);
            let torn = (starts[whole] < len).then_some((starts[whole], len));
            assert_eq!(unreadable.first().map(|u| (u.from, u.until)), torn);
        }
    }

    #[test]
    fn a_search_ends() {
        // Each byte of the second half looks like a record that takes half of the block.
        let len = 1 << 20;
        let mut bad = vec![0; len];
        for at in 0..len / 2 {
            bad[at] = [0, 0, 8, 0][at % 4];
        }
        let (left, unreadable) = found(&bad);
        assert!(left.is_empty());
        assert_eq!((unreadable[0].from, unreadable.last().unwrap().until), (0, len));
    }
}

//! Which sequences are told to be deleted.

use super::files::{Files, LEN, each, plain, subjects};
use nats_server::ds::seq_set::SeqSet;
use nats_server::store::stream::StreamStore;
use nats_server::store::stream_state::{DeleteBlock, EncodedStreamState};

crate::cases! {
    "server/filestore_test.go",
    library two_gaps => ["TestFileStoreDeleteRangeTwoGaps"],
    library gaps_of_whole_blocks => ["TestFileStoreDeleteBlocksWithSingleMessageBlocks"],
    library gaps_in_blocks => ["TestFileStoreDeleteBlocks"],
    library gaps_and_blocks_without_messages => ["TestFileStoreDeleteBlocksWithManyEmptyBlocks"],
    library gaps_seen_from_outside => ["TestFileStoreDeleteMapView"],
    library what_is_deleted_already_stays_so => [
        "TestPruneDeleteBlock",
        "TestFileStoreSyncDeletedDmapAliasRace",
    ],
    library ranges => ["TestFileStoreRemoveMsgsInRange"],
    library ranges_in_blocks => ["TestFileStoreRemoveMsgsInRangePartialBlocks"],
    library ranges_over_tombstones => ["TestFileStoreRemoveMsgsInRangeWithTombstones"],
    library skipped_after_a_message => ["TestFileStoreDetectDeleteGapWithLastSkipMsg"],
    library skipped_only => ["TestFileStoreDetectDeleteGapWithOnlySkipMsg"],
    library skipped_between_messages => ["TestFileStoreIdxAccountingForSkipMsgs"],
}

/// Replicas and users are told that these ranges are deleted, also when it is opened again.
fn tells(files: &mut Files, ranges: &[(u64, u64)]) {
    let expected: Vec<u64> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
    let check = |files: &Files| {
        assert_eq!(files.state().deleted, expected);
        let bytes = files.store.encoded_stream_state(0, false).unwrap();
        let state = EncodedStreamState::decode(&bytes).unwrap();
        let told: Vec<u64> = state.deleted.iter().flat_map(DeleteBlock::iter).collect();
        assert_eq!(told, expected);
    };
    check(files);
    files.reopen_without_index();
    check(files);
}

/// A stream with a message in each block.
fn single(count: usize) -> Files {
    let mut files = plain(&subjects(&[]), 256);
    (0..count).for_each(|_| _ = files.put_payload("foo", &[0; 256]));
    assert_eq!(files.store.blocks(), count);
    files
}

fn two_gaps() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = single(20);
    files.remove([10, 15]);
    tells(&mut files, &[(10, 10), (15, 15)]);
}

fn gaps_of_whole_blocks() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = single(20);
    files.remove([10]);
    tells(&mut files, &[(10, 10)]);
    files.remove([11]);
    tells(&mut files, &[(10, 11)]);
    files.remove([5]);
    tells(&mut files, &[(5, 5), (10, 11)]);
    files.remove(6..=9);
    tells(&mut files, &[(5, 11)]);
    files.remove([3, 16, 17, 18]);
    tells(&mut files, &[(3, 3), (5, 11), (16, 18)]);
    // Not the first, but the last.
    files.remove([1]);
    tells(&mut files, &[(3, 3), (5, 11), (16, 18)]);
    files.remove([20]);
    tells(&mut files, &[(3, 3), (5, 11), (16, 18), (20, 20)]);
    files.remove([19]);
    tells(&mut files, &[(3, 3), (5, 11), (16, 20)]);
}

fn gaps_in_blocks() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = plain(&subjects(&[]), 256);
    (0..20).for_each(|_| _ = files.put_payload("foo", &[0; 20]));
    assert_eq!(files.store.blocks(), 5);
    files.remove([9]);
    tells(&mut files, &[(9, 9)]);
    files.remove([10]);
    tells(&mut files, &[(9, 10)]);
    files.remove([8]);
    tells(&mut files, &[(8, 10)]);
    files.remove([18, 17]);
    tells(&mut files, &[(8, 10), (17, 18)]);
    files.remove([6, 5, 7]);
    assert!(!files.block(2).exists());
    tells(&mut files, &[(5, 10), (17, 18)]);
    files.remove([20]);
    tells(&mut files, &[(5, 10), (17, 18), (20, 20)]);
    files.remove([19]);
    tells(&mut files, &[(5, 10), (17, 20)]);
    files.remove([11, 12]);
    tells(&mut files, &[(5, 12), (17, 20)]);
    files.remove(1..=4);
    tells(&mut files, &[(17, 20)]);
    assert_eq!(files.span(), (4, 13, 20));
}

fn gaps_and_blocks_without_messages() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = plain(&subjects(&[]), 6 * LEN);
    files.put_many("foo", 6);
    for n in 0..5 {
        files.remove([n + 2]);
        if n > 0 {
            files.remove([5 + 2 * n, 6 + 2 * n]);
        }
        if n < 4 {
            files.put_many("foo", 2);
        }
    }
    assert_eq!(files.span(), (1, 1, 14));
    tells(&mut files, &[(2, 14)]);
    files.store.maintain().unwrap();
    tells(&mut files, &[(2, 14)]);
    assert!(files.block(1).exists());
}

fn gaps_seen_from_outside() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = plain(&subjects(&["foo"]), 10 * (LEN + 5));
    (0..100).for_each(|_| _ = files.put_payload("foo", b"hello"));
    let inner = |block: u64| (block * 10 + 2, block * 10 + 9);
    for block in 0..10 {
        let (first, last) = inner(block);
        files.remove(first..=last);
    }
    let mut gaps: Vec<_> = (0..10).map(inner).collect();
    tells(&mut files, &gaps);
    // A block that is empty is one gap; what is before the first message is none.
    files.remove([31, 40]);
    assert!(!files.block(4).exists());
    gaps[3] = (31, 40);
    gaps[2] = (22, 29);
    tells(&mut files, &gaps);
    assert_eq!(files.store.compact(41).unwrap(), 6);
    tells(&mut files, &gaps[4..]);
}

fn what_is_deleted_already_stays_so() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = plain(&subjects(&[]), 10 * LEN);
    files.put_many("foo", 230);
    let run = |first, count| DeleteBlock::run(first, count).unwrap();
    let set = |seqs: &[u64]| {
        let mut set = SeqSet::new();
        seqs.iter().for_each(|seq| _ = set.insert(*seq));
        DeleteBlock::Set(set)
    };
    files.remove([8, 9, 10]);
    files.remove(139..=160);
    files.remove(170..=175);
    files.remove(200..=210);
    let deleted =
        [run(5, 1), set(&[8]), run(9, 2), run(47, 92), run(139, 22), run(200, 21), run(300, 1)];
    for _ in 0..2 {
        files.store.sync_deleted(&deleted).unwrap();
        tells(&mut files, &[(5, 5), (8, 10), (47, 160), (170, 175), (200, 220)]);
    }
    // As many, between the same ends, and yet others.
    files.store.sync_deleted(&[set(&[11, 14, 15])]).unwrap();
    files.store.sync_deleted(&[set(&[11, 13, 15])]).unwrap();
    let more = [(5, 5), (8, 11), (13, 15), (47, 160), (170, 175), (200, 220)];
    tells(&mut files, &more);
    files.store.maintain().unwrap();
    files.store.sync_deleted(&deleted).unwrap();
    tells(&mut files, &more);
    assert_eq!(files.span(), (230 - 1 - 7 - 114 - 6 - 21, 1, 230));
}

fn remove_range(files: &mut Files, first: u64, last: u64) {
    let run = DeleteBlock::run(first, last - first + 1).unwrap();
    files.store.sync_deleted(&[run]).unwrap();
}

fn ranges() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = single(20);
    for _ in 0..2 {
        remove_range(&mut files, 1, 1);
        assert_eq!(files.span(), (19, 2, 20));
        assert!(!files.block(1).exists() && files.block(2).exists());
    }
    remove_range(&mut files, 1, 2);
    remove_range(&mut files, 3, 4);
    assert_eq!(files.span(), (16, 5, 20));
    assert!(!files.block(4).exists() && files.block(5).exists());
    remove_range(&mut files, 9, 13);
    tells(&mut files, &[(9, 13)]);
    remove_range(&mut files, 8, 8);
    tells(&mut files, &[(8, 13)]);
    remove_range(&mut files, 17, 17);
    tells(&mut files, &[(8, 13), (17, 17)]);
    remove_range(&mut files, 20, 20);
    tells(&mut files, &[(8, 13), (17, 17), (20, 20)]);
    remove_range(&mut files, 7, 18);
    tells(&mut files, &[(7, 18), (20, 20)]);
    assert_eq!(files.span(), (3, 5, 20));
    remove_range(&mut files, 1, 20);
    assert_eq!(files.span(), (0, 21, 20));
    tells(&mut files, &[]);
}

fn ranges_in_blocks() {
    crate::exercises!("gap_areas", "1.7");
    let mut files = plain(&subjects(&[]), 256);
    (0..20).for_each(|_| _ = files.put_payload("foo", &[0; 16]));
    assert_eq!(files.store.blocks(), 4);
    remove_range(&mut files, 5, 6);
    tells(&mut files, &[(5, 6)]);
    remove_range(&mut files, 4, 11);
    assert!(!files.block(2).exists());
    tells(&mut files, &[(4, 11)]);
    remove_range(&mut files, 13, 14);
    tells(&mut files, &[(4, 11), (13, 14)]);
    remove_range(&mut files, 13, 20);
    files.store.maintain().unwrap();
    tells(&mut files, &[(4, 11), (13, 20)]);
    assert_eq!(files.span(), (4, 1, 20));
    remove_range(&mut files, 10, 20);
    tells(&mut files, &[(4, 20)]);
    assert!(files.block(1).exists() && !files.block(3).exists());
    remove_range(&mut files, 1, 30);
    assert_eq!(files.span(), (0, 21, 20));
    files.keeps_its_state();
}

fn ranges_over_tombstones() {
    crate::exercises!("gap_areas", "1.7");
    // Four messages in each block, and four tombstones.
    let mut files = plain(&subjects(&[]), 256);
    let rest = [0; 256 - 4 * LEN as usize];
    let four = |files: &mut Files, removed: &[u64]| {
        files.put_many("foo", 4);
        files.remove(removed.iter().copied());
        files.store.flush().unwrap();
    };
    four(&mut files, &[]);
    files.put_payload("bar", &rest[..50]);
    four(&mut files, &[]);
    four(&mut files, &[4, 3, 2, 11]);
    four(&mut files, &[15, 16]);
    four(&mut files, &[]);
    tells(&mut files, &[(2, 4), (11, 11), (15, 16)]);
    remove_range(&mut files, 4, 18);
    tells(&mut files, &[(2, 18)]);
    assert_eq!(files.span(), (4, 1, 21));
    for _ in 0..2 {
        remove_range(&mut files, 1, 100);
        assert_eq!(files.span(), (0, 22, 21));
        files.keeps_its_state();
    }
    assert_eq!(files.put("foo"), 22);
}

fn skipped_after_a_message() {
    each(&subjects(&["foo"]), 4096, |files| {
        files.put("foo");
        files.store.skip_many(2, 2, files.now).unwrap();
        assert_eq!(files.store.skip(4, files.now, false).unwrap(), 4);
        assert_eq!(files.span(), (1, 1, 4));
        tells(files, &[(2, 4)]);
        files.keeps_its_state();
    });
}

fn skipped_only() {
    each(&subjects(&["foo"]), 4096, |files| {
        assert_eq!(files.store.skip(1, files.now, false).unwrap(), 1);
        files.store.skip_many(2, 2, files.now).unwrap();
        assert_eq!(files.store.skip(4, files.now, false).unwrap(), 4);
        assert_eq!(files.span(), (0, 5, 4));
        tells(files, &[]);
        files.keeps_its_state();
    });
}

fn skipped_between_messages() {
    for at_once in [false, true] {
        each(&subjects(&["foo"]), 4096, |files| {
            files.put("foo");
            if at_once {
                files.store.skip_many(2, 10, files.now).unwrap();
            } else {
                for seq in 2..=11 {
                    assert_eq!(files.store.skip(seq, files.now, false).unwrap(), seq);
                }
            }
            assert_eq!(files.put("foo"), 12);
            let skipped: Vec<u64> = (2..=11).collect();
            files.lacks(&skipped);
            tells(files, &[(2, 11)]);
            files.lacks(&skipped);
        });
    }
}

//! Blocks of which the most is gone.

use super::stream::{Stream, each, subjects};
use nats_server::model::StreamConfig;
use nats_server::store::stream::{Filter, StreamStore};
use std::fs;
use std::os::unix::fs::MetadataExt;

crate::cases! {
    "server/filestore_test.go",
    library what_is_to_be_synced => ["TestFileStoreSyncIntervals"],
    library a_smaller_block_is_synced => ["TestFileStoreSyncBlocksSyncsCompaction", "TestFileStoreInlineCompactionSync"],
    library with_holes => ["TestFileStoreMsgBlockCompactionAndHoles", "TestFileStoreDmapBlockRecoverAfterCompact", "TestFileStoreMsgBlockHolesAndIndexing"],
    library as_small_as_what_is_left => ["TestFileStoreCompactingBlocksOnSync"],
    library whole_blocks => ["TestFileStoreCompactAndPSIMWhenDeletingBlocks"],
    library erased_behind_holes => ["TestFileStoreEraseMsgWithDbitSlots", "TestFileStoreEraseMsgWithAllTrailingDbitSlots"],
    library tombstones_take_room => ["TestFileStoreTombstoneRbytes"],
    library half_a_block => ["TestFileStoreMsgBlockShouldCompact"],
    library not_again_and_again => ["TestFileStoreSyncCompressOnlyIfDirty", "TestFileStoreDontSpamCompactWhenMostlyTombstones"],
    library many_tombstones => ["TestFileStoreRestoreDeleteTombstonesExceedingMaxBlkSize"],
}

fn what_is_to_be_synced() {
    let mut stream = Stream::new(&subjects(&["*"]), 100_000);
    stream.store.sync().unwrap();
    assert!(stream.store.begin_sync().unwrap().is_empty());
    stream.put("Z", b"hello");
    let batch = stream.store.begin_sync().unwrap();
    assert!(!batch.is_empty());
    assert_eq!(batch.run().unwrap(), 1);
    assert!(stream.store.begin_sync().unwrap().is_empty());
}

fn a_smaller_block_is_synced() {
    let mut stream = Stream::new(&subjects(&["foo.*"]), 256);
    (0..13).for_each(|_| _ = stream.put("foo.BB", b"hello"));
    assert_eq!(stream.store.blocks(), 3);
    stream.remove([2, 3, 4, 5]);
    stream.store.sync().unwrap();
    assert_eq!(stream.block_len(1), 6 * 41);
    stream.store.maintain().unwrap();
    assert_eq!(stream.block_len(1), 2 * 41);
    assert!(stream.store.begin_sync().unwrap().is_empty());
}

fn with_holes() {
    crate::exercises!("gap_areas", "1.7");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["foo.*"]) };
    let mut stream = Stream::new(&config, 256);
    stream.put_numbered("foo.", 1..=6, b"hello");
    assert_eq!(stream.store.blocks(), 1);
    stream.put_numbered("foo.", 2..6, b"hello");
    let (total, used) = stream.store.utilization();
    assert_eq!((total, used), (400, 240));
    stream.maintain();
    assert_eq!(stream.store.utilization(), (used, used));
    // Nothing says what is gone but the holes.
    assert_eq!(stream.block_len(1), 2 * 40);
    assert_eq!(stream.state().deleted, [2, 3, 4, 5]);
    stream.stays();
    for seq in 1..=10 {
        assert_eq!(stream.load(seq).is_ok(), !(2..=5).contains(&seq));
    }
    assert_eq!(stream.load(6).unwrap().subject(), b"foo.6");
}

fn as_small_as_what_is_left() {
    crate::exercises!("gap_areas", "1.1");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["*"]) };
    each(&config, 1000, |stream| {
        ('A'..='T').for_each(|name| _ = stream.put(&name.to_string(), &[b'Z'; 19]));
        assert_eq!(stream.store.blocks(), 1);
        let (total, used) = stream.store.utilization();
        assert_eq!((total, used), (1000, 1000));
        ('B'..='S').for_each(|name| _ = stream.put(&name.to_string(), &[b'Z'; 19]));
        assert_eq!(stream.store.blocks(), 2);
        let before = stream.block_len(1);
        stream.maintain();
        let after = stream.block_len(1);
        assert!(after < before);
        if stream.is_plain() {
            assert_eq!((before, after), (1000, 100));
        }
        stream.stays();
        assert_eq!(stream.span(), (20, 1, 38));
    });
}

fn whole_blocks() {
    crate::exercises!("gap_areas", "1.1");
    let mut stream = Stream::new(&subjects(&["*"]), 512);
    (0..10).for_each(|_| _ = stream.put("A", &[b'A'; 99]));
    assert_eq!(stream.store.blocks(), 4);
    assert_eq!(stream.store.compact(10).unwrap(), 9);
    assert_eq!(stream.store.blocks(), 1);
    assert_eq!(stream.filtered("A"), (1, 10, 10));
    stream.stays();
}

fn erased_behind_holes() {
    crate::exercises!("gap_areas", "1.7");
    for (leading, trailing, erased) in [(1, 1, 1), (2, 0, 2)] {
        let mut stream = Stream::new(&subjects(&["foo"]), 36 * 2 + 30 * 10);
        (0..leading).for_each(|_| _ = stream.put("foo", b"abc"));
        (0..10).for_each(|_| _ = stream.store.skip(0, stream.now, false).unwrap());
        (0..trailing).for_each(|_| _ = stream.put("foo", b"abd"));
        stream.put("foo", b"abe");
        assert_eq!(stream.store.blocks(), 2);
        let before = stream.block_len(1);
        stream.maintain();
        assert!(stream.block_len(1) < before);
        assert!(stream.store.erase(erased).unwrap());
        assert!(stream.load(erased).is_err());
        stream.stays();
        assert_eq!(stream.span().0, 2);
    }
}

fn tombstones_take_room() {
    crate::exercises!("gap_areas", "1.7");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 1024);
    (0..34).for_each(|_| _ = stream.put("foo.22", b"hello"));
    assert_eq!((stream.block_len(1), stream.block_len(2)), (24 * 41, 10 * 41));
    stream.remove(11..=24);
    assert_eq!(stream.block_len(2), 10 * 41 + 14 * 30);
    assert_eq!(stream.store.utilization(), (34 * 41 + 14 * 30, 20 * 41));
}

fn half_a_block() {
    crate::exercises!("gap_areas", "1.1");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 127 * 136);
    (0..190).for_each(|_| _ = stream.put("foo.22", &[b'Z'; 100]));
    assert_eq!((stream.store.blocks(), stream.block_len(1)), (2, 127 * 136));
    stream.remove(65..=127);
    stream.maintain();
    assert_eq!(stream.block_len(1), 127 * 136, "more than half of it is left");
    stream.remove([64]);
    stream.maintain();
    assert_eq!(stream.block_len(1), 63 * 136);
    // The last one is written to.
    assert_eq!(stream.block_len(2), 63 * 136 + 64 * 30);
    stream.stays();
}

/// Which files the blocks are: another one, when a block is written anew.
fn files(stream: &Stream) -> Vec<u64> {
    let files = (1..=100).filter_map(|n| fs::metadata(stream.block(n)).ok());
    files.map(|file| file.ino()).collect()
}

fn not_again_and_again() {
    let mut stream = Stream::new(&subjects(&["foo.*"]), 256);
    (0..13).for_each(|_| _ = stream.put("foo.BB", b"hello"));
    // The third block has one message, and tombstones that nobody needs when the blocks before it
    // are small.
    stream.remove([2, 3, 4, 5, 8, 9, 10, 11]);
    (0..6).for_each(|_| _ = stream.put("foo.BB", b"hello"));
    let before = files(&stream);
    stream.store.maintain().unwrap();
    stream.store.maintain().unwrap();
    let after = files(&stream);
    assert_ne!(after, before);
    assert_eq!(stream.block_len(1), 2 * 41);
    stream.store.maintain().unwrap();
    assert_eq!(files(&stream), after);
    stream.stays();
    // When there is something to be gained, it is done again.
    let third = stream.block(3);
    assert!(third.exists());
    stream.remove([13]);
    stream.maintain();
    assert!(!third.exists());
    stream.stays();
}

fn many_tombstones() {
    crate::exercises!("gap_areas", "1.7");
    each(&subjects(&["foo.*"]), 256, |stream| {
        const FIRST: u64 = 1_000_000_000;
        assert_eq!(stream.store.purge_ex(Filter::All, FIRST, 0).unwrap(), 0);
        stream.put_numbered("foo.", 1..=1000, b"hello");
        stream.remove(FIRST + 1..=FIRST + 100);
        stream.store.flush().unwrap();
        let blocks: Vec<usize> = (1..=400).filter(|n| stream.block(*n).exists()).collect();
        let lens: Vec<u64> = blocks.iter().map(|n| stream.block_len(*n)).collect();
        assert!(lens.iter().all(|len| *len <= 256), "{lens:?}");
        // Block 1, blocks 17 to 167, and blocks with tombstones only, which are needed as long as
        // the records are there.
        assert!(lens.len() > 156, "{}", lens.len());
        stream.maintain();
        assert!(stream.store.blocks() <= 153);
        stream.stays();
        stream.remove([FIRST]);
        stream.maintain();
        assert!(!stream.block(1).exists() && stream.store.blocks() <= 152);
        stream.stays();
        // The last message is there, whatever became of the blocks behind it.
        assert_eq!(stream.payload(FIRST + 999), b"hello");
        assert_eq!(stream.span(), (899, FIRST + 101, FIRST + 999));
    });
}

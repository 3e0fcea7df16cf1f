//! What is made of the blocks.

use super::stream::{Stream, each, filter, numbers, subjects};
use nats_server::base::duration::GoDuration;
use nats_server::model::{RetentionPolicy, StreamConfig};
use nats_server::store::stream::{Filter, StoreError, StreamStore};
use std::fs;

crate::cases! {
    "server/filestore_test.go",
    library a_first_sequence => ["TestFileStoreInitialFirstSeq"],
    library other_limits_at_a_restart => ["TestFileStoreRestartWithExpireAndLockingBug"],
    library files_of_older_servers => ["TestFileStoreLargeFullStateMetaCleanup"],
    library subjects_of_records => ["TestFileStoreSubjectCorruption"],
    library skipped => ["TestFileStoreSkipMsgs"],
    library skipped_only => ["TestFileStoreReloadAndLoseLastSequence", "TestFileStoreReloadAndLoseLastSequenceWithSkipMsgs", "TestFileStoreLeftoverSkipMsgInDmap"],
    library removed => ["TestFileStoreRecoverWithRemovesAndNoIndexDB"],
    library every_kind_of_removal => ["TestFileStoreRecoverAfterRemoveOperation"],
    library compacted => ["TestFileStoreRecoverAfterCompact"],
    library a_block_without_messages => ["TestFileStoreRecoverWithEmptyMessageBlock"],
    library files_that_are_no_blocks => ["TestFileStoreRecoverOnlyBlkFiles"],
    library the_only_block_is_gone => ["TestFileStoreRemoveMsgBlockFirst"],
    library a_removed_block_is_back => ["TestFileStoreRemoveMsgBlockLast"],
    library the_last_sequence_is_in_the_index => ["TestFileStoreRecoverDoesNotResetStreamState"],
    library nothing_is_added_for_what_limits_removed => ["TestFileStoreRemoveLastNoDoubleTombstones"],
}

fn a_first_sequence() {
    let config = StreamConfig { first_seq: 1000, ..subjects(&["*"]) };
    each(&config, 100_000, |stream| {
        assert_eq!((stream.put("A", b"OK"), stream.put("B", b"OK")), (1000, 1001));
        assert_eq!(stream.span(), (2, 1000, 1001));
        stream.stays();
    });
}

fn other_limits_at_a_restart() {
    let mut stream = Stream::new(&subjects(&["*"]), 100_000);
    for _ in 0..10 {
        stream.put("A", b"HELLO WORLD");
        stream.put("B", b"HELLO WORLD");
    }
    stream.stop();
    let limits = StreamConfig { max_msgs: 15, max_msgs_per_subject: 2, ..subjects(&["*"]) };
    let limited = Stream::new(&limits, 100_000);
    for name in ["meta.inf", "meta.sum"] {
        fs::copy(limited.file(name), stream.file(name)).unwrap();
    }
    assert!(stream.start().is_empty());
    assert_eq!(stream.span(), (4, 17, 20));
    assert_eq!((stream.filtered("A"), stream.filtered("B")), ((2, 17, 19), (2, 18, 20)));
}

fn files_of_older_servers() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = Stream::new(&subjects(&[">"]), 100_000);
    (0..1000).for_each(|_| _ = stream.put("foo.bar.baz", b""));
    stream.stop();
    let left = ["msgs/1.idx", "msgs/1.fss"].map(|name| stream.file(name));
    left.iter().for_each(|path| fs::write(path, b"ABC").unwrap());
    assert!(stream.start().is_empty());
    assert!(left.iter().all(|path| !path.exists()));
    assert_eq!(stream.span(), (1000, 1, 1000));
}

fn subjects_of_records() {
    let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
    let payloads = [[b'A'; 999].as_slice(), &[b'B'; 2664], &[b'C'; 1665]];
    for n in numbers(300).take(2000) {
        stream.put(&format!("foo.{}", n / 3 + 1), payloads[n % 3]);
    }
    let totals = stream.store.subjects_totals(Filter::All);
    assert_eq!(totals.len(), 100);
    stream.reopen_without_index();
    assert_eq!(stream.store.subjects_totals(Filter::All), totals);
}

fn skipped() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = Stream::new(&subjects(&["*"]), 1024);
    let refused = stream.store.skip_many(10, 100, stream.now);
    assert!(matches!(refused, Err(StoreError::SequenceMismatch)));
    stream.store.skip_many(1, 100, stream.now).unwrap();
    assert_eq!((stream.span(), stream.store.blocks()), ((0, 101, 100), 1));
    stream.store.skip_many(101, 100_000, stream.now).unwrap();
    assert_eq!((stream.span(), stream.store.blocks()), ((0, 100_101, 100_100), 1));

    let mut stream = Stream::new(&subjects(&["*"]), 1024);
    stream.put("foo", b"");
    stream.store.skip_many(2, 10, stream.now).unwrap();
    assert_eq!(stream.span(), (1, 1, 11));
    assert!(stream.state().deleted.into_iter().eq(2..=11));
    assert_eq!(stream.store.fast_state().num_deleted, 10);
    stream.stays();
}

fn skipped_only() {
    crate::exercises!("gap_areas", "1.4");
    for (count, at_once) in [(22, false), (22, true), (1, false)] {
        let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
        if at_once {
            stream.store.skip_many(0, count, stream.now).unwrap();
        } else {
            (0..count).for_each(|_| _ = stream.store.skip(0, stream.now, false).unwrap());
        }
        for _ in 0..5 {
            stream.stays();
            assert_eq!(stream.span(), (0, count + 1, count));
            assert_eq!(stream.state().num_deleted, 0);
        }
    }
}

fn removed() {
    crate::exercises!("gap_areas", "1.7");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 250);
    stream.put_numbered("foo.", 1..=10, b"abc");
    stream.remove([1, 2, 8]);
    assert_eq!(stream.span(), (7, 3, 10));
    stream.maintain();
    stream.stays();
    assert_eq!(stream.state().deleted, [8]);
}

fn every_kind_of_removal() {
    crate::exercises!("gap_areas", "1.4");
    /// What is done; messages, first and last sequence then; what is deleted between.
    type Kind<'a> = (fn(&mut Stream), (u64, u64, u64), &'a [u64]);
    let kinds: [Kind<'_>; 8] = [
        (|_| (), (4, 1, 4), &[]),
        (|stream| stream.remove([1]), (3, 2, 4), &[]),
        (|stream| assert!(stream.store.erase(1).unwrap()), (3, 2, 4), &[]),
        (|stream| assert_eq!(stream.store.purge().unwrap(), 4), (0, 5, 4), &[]),
        (
            |stream| assert_eq!(stream.store.purge_ex(filter("foo.0"), 0, 0).unwrap(), 2),
            (2, 2, 4),
            &[3],
        ),
        (
            |stream| assert_eq!(stream.store.purge_ex(filter("foo.1"), 0, 0).unwrap(), 2),
            (2, 1, 4),
            &[2, 4],
        ),
        (|stream| assert_eq!(stream.store.compact(3).unwrap(), 2), (2, 3, 4), &[]),
        (|stream| stream.store.truncate(2, stream.now).unwrap(), (2, 1, 2), &[]),
    ];
    for (remove, span, deleted) in kinds {
        each(&subjects(&["foo.*"]), 100_000, |stream| {
            stream.put_numbered("foo.", [0, 1, 0, 1], b"");
            remove(stream);
            assert_eq!(stream.span(), span);
            assert_eq!(stream.state().deleted, deleted);
            stream.stays();
            let next = stream.put("foo.2", b"");
            assert_eq!(next, span.2 + 1);
        });
    }
}

fn compacted() {
    crate::exercises!("gap_areas", "1.4");
    for payload in [1024, 100 * 1024] {
        each(&subjects(&["foo"]), 1 << 20, |stream| {
            (0..4).for_each(|_| _ = stream.put("foo", &vec![0; payload]));
            let len = 33 + payload as u64;
            assert_eq!((stream.span(), stream.state().bytes), ((4, 1, 4), 4 * len));
            if stream.is_plain() {
                assert_eq!(stream.block_len(1), 4 * len);
            }
            assert_eq!(stream.store.compact(4).unwrap(), 3);
            assert_eq!((stream.span(), stream.state().bytes), ((1, 4, 4), len));
            stream.stays();
            assert_eq!(stream.payload(4).len(), payload);
        });
    }
}

fn a_block_without_messages() {
    crate::exercises!("gap_areas", "1.4");
    // Four messages fill a block; the next one has tombstones only.
    each(&subjects(&["foo"]), 33 * 4, |stream| {
        (0..4).for_each(|_| _ = stream.put("foo", b""));
        assert_eq!(stream.store.blocks(), 1);
        stream.remove([1, 2]);
        assert_eq!((stream.store.blocks(), stream.span()), (2, (2, 3, 4)));
        stream.stays();
    });
}

fn files_that_are_no_blocks() {
    crate::exercises!("gap_areas", "1.4");
    each(&subjects(&["foo"]), 100_000, |stream| {
        stream.put("foo", b"");
        let state = stream.state();
        stream.stop();
        fs::write(stream.file("msgs/10.blk.random"), b"").unwrap();
        fs::write(stream.file("msgs/10.blk.tmp"), b"").unwrap();
        assert!(stream.start().is_empty());
        assert!(stream.file("msgs/index.db").exists());
        assert_eq!(stream.state(), state);
        stream.stays();
        assert_eq!((stream.state(), stream.store.blocks()), (state, 1));
    });
}

fn the_only_block_is_gone() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = Stream::new(&subjects(&["test"]), 100_000);
    stream.put("test", b"");
    stream.stop();
    fs::remove_file(stream.file("msgs/index.db")).unwrap();
    fs::remove_file(stream.block(1)).unwrap();
    stream.start();
    assert_eq!(stream.span(), (0, 0, 0));
    assert_eq!(stream.put("test", b""), 1);
}

fn a_removed_block_is_back() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = Stream::new(&subjects(&["test"]), 1 << 20);
    // So large that its block does not wait to be removed.
    stream.put("test", &vec![0; 100_000]);
    stream.store.flush().unwrap();
    let block = fs::read(stream.block(1)).unwrap();
    stream.remove([1]);
    assert!(stream.block(2).exists() && !stream.block(1).exists());
    stream.stop();
    fs::remove_file(stream.file("msgs/index.db")).unwrap();
    fs::write(stream.block(1), block).unwrap();
    stream.start();
    assert_eq!(stream.span(), (0, 2, 1));
    stream.maintain();
    assert!(!stream.block(1).exists());
    stream.stays();
}

fn the_last_sequence_is_in_the_index() {
    crate::exercises!("gap_areas", "1.4");
    let config = StreamConfig {
        max_age: GoDuration(2_000_000_000),
        retention: RetentionPolicy::WorkQueue,
        ..subjects(&["ev.1"])
    };
    each(&config, 1024, |stream| {
        (0..500).for_each(|_| _ = stream.put("ev.1", b"Hello World"));
        assert!(stream.store.blocks() > 1);
        stream.wait(2_500_000_000);
        assert_eq!(stream.span(), (0, 501, 500));
        stream.stop();
        let blocks: Vec<usize> = (1..500).filter(|n| stream.block(*n).exists()).collect();
        assert_eq!(blocks.len(), 1);
        fs::remove_file(stream.block(blocks[0])).unwrap();
        stream.start();
        assert_eq!(stream.span(), (0, 501, 500));
        stream.stays();
        assert_eq!(stream.put("ev.1", b""), 501);
    });
}

fn nothing_is_added_for_what_limits_removed() {
    crate::exercises!("gap_areas", "1.7");
    let config = StreamConfig { max_age: GoDuration(1_000_000_000), ..subjects(&["*"]) };
    let mut stream = Stream::new(&config, 100_000);
    stream.put("A", b"hello");
    stream.wait(2_000_000_000);
    assert_eq!(stream.span(), (0, 2, 1));
    assert!(stream.block_len(1) <= 36, "no tombstone beside the record");
    assert_eq!(stream.store.blocks(), 1);
    stream.stays();
}

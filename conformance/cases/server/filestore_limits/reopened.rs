//! What a store that is opened again finds, also after damage and losses.

use super::files::{Files, LEN, each, plain, subjects};
use nats_server::model::StreamConfig;
use nats_server::store::stream::{StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library a_block_is_gone => ["TestFileStoreRemoveBlockWithStaleStreamState"],
    library first_sequence_stays => ["TestFileStoreTombstonesNoFirstSeqRollback"],
    library first_sequence_behind_gaps => [
        "TestFileStoreTombstonesSelectNextFirstCleanup",
        "TestFileStoreTombstonesSelectNextFirstCleanupOnRecovery",
    ],
    library a_block_is_cut => [
        "TestFileStoreTrailingSkipMsgsFromStreamStateFile",
        "TestFileStoreIndexCacheBufIdxMismatch",
    ],
    library an_index_from_before_a_removal => [
        "TestFileStoreIndexCacheBufTombstoneMismatch",
        "TestFileStoreIndexCacheBufTombstoneMismatchAfterCompact",
        "TestFileStoreIndexCacheBufEraseMsgMismatch",
    ],
    library messages_out_of_order => ["TestFileStoreCorruptedNonOrderedSequences"],
    library times_to_live_in_damaged_blocks => [
        "TestFileStoreNoPanicOnRecoverTTLWithCorruptBlocks",
    ],
    library written_before_it_is_cut => ["TestFileStoreAsyncTruncate"],
    library written_before_the_next_block => ["TestFileStoreAsyncFlushOnSkipMsgs"],
    library written_by_a_sync => ["TestFileStoreSyncBlocksFlushesAndSyncsMessages"],
}

fn a_block_is_gone() {
    crate::exercises!("gap_areas", "1.4");
    each(&subjects(&["foo"]), LEN, |files| {
        files.put_many("foo", 3);
        assert_eq!(files.store.blocks(), 3);
        let fixes = files.reopen_after(|files| std::fs::remove_file(files.block(2)).unwrap());
        assert!(!fixes.is_empty());
        assert_eq!(files.span(), (2, 1, 3));
        files.lacks(&[2]);
        files.keeps_its_state();
    });
}

fn first_sequence_stays() {
    crate::exercises!("gap_areas", "1.7");
    each(&subjects(&["foo"]), 10 * LEN, |files| {
        files.put_many("foo", 20);
        assert_eq!(files.store.blocks(), 2);
        files.remove(1..=20);
        assert_eq!(files.span(), (0, 21, 20));
        assert!(!files.block(1).exists() && !files.block(2).exists());
        files.keeps_its_state();
        files.store.maintain().unwrap();
        assert_eq!(files.store.blocks(), 1);
        files.keeps_its_state();
        assert_eq!(files.put("foo"), 21);
    });
}

fn first_sequence_behind_gaps() {
    crate::exercises!("gap_areas", "1.7");
    for lost in [false, true] {
        each(&subjects(&["foo"]), 10 * LEN, |files| {
            files.put_many("foo", 50);
            files.remove(2..=49);
            files.put_many("foo", 50);
            files.remove(50..=100);
            assert_eq!(files.span(), (1, 1, 100));
            files.store.sync().unwrap();
            let block = files.bytes(1);
            let key = std::fs::read(files.path("msgs/1.key")).ok();
            files.remove([1]);
            assert_eq!(files.span(), (0, 101, 100));
            let before = files.state();
            if lost {
                // The removal of the block itself did not survive.
                files.reopen_after(|files| {
                    std::fs::write(files.block(1), &block).unwrap();
                    if let Some(key) = &key {
                        std::fs::write(files.path("msgs/1.key"), key).unwrap();
                    }
                    files.drop_index();
                });
            }
            assert_eq!(files.state(), before);
            files.keeps_its_state();
            assert_eq!(files.put("foo"), 101);
        });
    }
}

fn a_block_is_cut() {
    crate::exercises!("gap_areas", "1.4");
    // Bytes that are left, and the messages in them.
    for (left, messages) in [(0, 0), (5 * LEN, 5), (5 * LEN + 7, 5), (10 * LEN - 1, 9)] {
        each(&subjects(&[">"]), 4096, |files| {
            files.put_many("foo", 10);
            let fixes = files.reopen_after(|files| {
                let file = std::fs::File::options().write(true).open(files.block(1)).unwrap();
                file.set_len(left).unwrap();
            });
            assert!(!fixes.is_empty());
            // No sequence is used twice.
            let first = if messages == 0 { 11 } else { 1 };
            assert_eq!(files.span(), (messages, first, 10), "{left}");
            let lost: Vec<u64> = (messages + 1..=10).collect();
            files.lacks(&lost);
            files.keeps_its_state();
            assert_eq!(files.put("foo"), 11);
            files.keeps_its_state();
        });
    }
}

fn an_index_from_before_a_removal() {
    crate::exercises!("gap_areas", "1.4");
    for (erase, smaller) in [(false, false), (false, true), (true, false), (true, true)] {
        each(&subjects(&[]), 4 * LEN, |files| {
            files.put_many("foo", 5);
            files.store.checkpoint().unwrap();
            let index = std::fs::read(files.path("msgs/index.db")).unwrap();
            let gone = if erase { files.store.erase(2) } else { files.store.remove(2) };
            assert!(gone.unwrap());
            if smaller {
                files.remove([3]);
                files.remove([4]);
                files.store.maintain().unwrap();
            }
            let before = files.state();
            let path = files.path("msgs/index.db");
            files.reopen_after(|_| std::fs::write(path, index).unwrap());
            assert_eq!(files.state(), before);
            files.lacks(if smaller { &[2, 3, 4] } else { &[2] });
            files.keeps_its_state();
        });
    }
}

fn messages_out_of_order() {
    crate::exercises!("gap_areas", "1.4");
    for order in [&[1, 3, 2, 4][..], &[1, 2, 2, 3]] {
        let mut files = plain(&subjects(&["foo"]), 4096);
        files.put_many("foo", 4);
        files.store.flush().unwrap();
        let whole = files.bytes(1);
        let record = |seq: &usize| whole[(seq - 1) * LEN as usize..seq * LEN as usize].to_vec();
        files.reopen_after(|files| {
            files.drop_index();
            std::fs::write(files.block(1), order.iter().flat_map(record).collect::<Vec<_>>())
                .unwrap();
        });
        // One of them is not where it has to be, and the others are there.
        let last = *order.last().unwrap() as u64;
        assert_eq!(files.span(), (3, 1, last), "{order:?}");
        files.lacks(if last == 4 { &[2] } else { &[] });
        files.keeps_its_state();
        assert_eq!(files.put("foo"), last + 1);
    }
}

fn times_to_live_in_damaged_blocks() {
    crate::exercises!("gap_areas", "1.4");
    let config = StreamConfig { allow_msg_ttl: true, ..subjects(&[]) };
    each(&config, 60, |files: &mut Files| {
        for _ in 0..3 {
            files.put_headers("foo", "Nats-TTL: 60");
        }
        assert_eq!(files.store.blocks(), 3);
        let fixes = files.reopen_after(|files| {
            // The last block has the sequences of the first, and the one between is gone.
            std::fs::remove_file(files.block(2)).unwrap();
            std::fs::copy(files.block(1), files.block(3)).unwrap();
            for name in ["index.db", "thw.db"] {
                std::fs::remove_file(files.path(&format!("msgs/{name}"))).unwrap();
            }
        });
        assert!(!fixes.is_empty());
        files.now += 120 * super::files::SECOND;
        files.store.expire(files.now).unwrap();
        assert_eq!(files.state().messages, 0);
        let last = files.state().last_seq;
        assert_eq!(files.put("foo"), last + 1);
        files.keeps_its_state();
    });
}

fn written_before_it_is_cut() {
    crate::exercises!("gap_areas", "1.8");
    each(&subjects(&[]), 8192, |files| {
        for seq in 1..=2 {
            assert_eq!(files.put_payload("foo", &[0; 100]), seq);
        }
        files.store.truncate(1, files.now).unwrap();
        assert_eq!(files.span(), (1, 1, 1));
        assert_eq!(files.bytes(1).len() as u64, LEN + 100);
        assert!(matches!(files.load(2), Err(StoreError::Eof)));
        files.keeps_its_state();
    });
}

fn written_before_the_next_block() {
    crate::exercises!("gap_areas", "1.8");
    each(&subjects(&[]), 8192, |files| {
        files.put("foo");
        assert_eq!(files.bytes(1).len(), 0);
        files.store.skip_many(2, 100_000, files.now).unwrap();
        assert_eq!(files.store.blocks(), 2);
        assert!(!files.bytes(1).is_empty());
        files.store.flush().unwrap();
        assert!(!files.bytes(2).is_empty());
        assert_eq!(files.span(), (1, 1, 100_001));
        files.keeps_its_state();
    });
}

fn written_by_a_sync() {
    crate::exercises!("gap_areas", "1.8");
    each(&subjects(&[]), 8192, |files| {
        assert_eq!(files.put("foo"), 1);
        assert_eq!(files.bytes(1).len(), 0);
        assert_eq!(files.store.sync().unwrap(), 1);
        assert_eq!(files.bytes(1).len() as u64, LEN);
        assert_eq!(files.load(1).unwrap().subject(), b"foo");
    });
}

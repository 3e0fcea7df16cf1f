//! Removals that remove blocks, or write them anew.

use super::files::{Files, LEN, TOMBSTONE, each, plain, subjects};
use nats_server::store::stream::{Filter, StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library truncated_to_a_removed_block => ["TestFileStoreTruncateRemovedBlock"],
    library compressed_after_truncate => ["TestFileStoreCompressionAfterTruncate"],
    library erase_is_whole => ["TestFileStoreAtomicEraseMsg"],
    library erase_keeps_tombstones => [
        "TestFileStoreEraseMsgDoesNotLoseTombstones",
        "TestFileStoreEraseMsgDoesNotLoseTombstonesInEmptyBlock",
    ],
    library erase_forgets_the_subject => ["TestJetStreamFileStoreSubjectsRemovedAfterSecureErase"],
    library blocks_that_limits_remove => [
        "TestFileStorePurgeMsgBlock",
        "TestFileStorePurgeMsgBlockUpdatesSubjects",
    ],
    library limits_are_accounted_for => ["TestFileStorePurgeMsgBlockAccounting"],
    library deleted_in_a_smaller_block => ["TestFileStoreMissingDeletesAfterCompact"],
    library ends_of_a_smaller_block => [
        "TestFileStoreCompactRestoresLastSeq",
        "TestFileStoreCompactFullyResetsFirstAndLastSeq",
    ],
    library tombstones_in_an_empty_block => ["TestFileStoreEmptyBlockContainsPriorTombstones"],
    library spent_tombstones_go => ["TestFileStoreCompactTombstonesBelowFirstSeq"],
    library last_sequence_after_compact => ["TestFileStorePreserveLastSeqAfterCompact"],
    library skip_and_compact => ["TestFileStoreSkipMsgAndCompactRequiresAppend"],
    library compact_makes_the_file_smaller => ["TestFileStoreCompactRewritesFileWithSwap"],
    library compact_in_a_compressed_block => [
        "TestFileStoreCompactHeadReclaimRecompressedBlock",
    ],
    library truncated_file => ["TestFileStoreCorrectChecksumAfterTruncate"],
    library removed_and_maintained => ["TestFileStoreSyncBlocksNoErrorOnConcurrentRemovedBlock"],
    library compact_and_store => ["TestFileStoreCompactStoreMsgRace"],
}

fn truncated_to_a_removed_block() {
    crate::exercises!("gap_areas", "1.1");
    each(&subjects(&["foo"]), 200, |files| {
        files.put_last("foo");
        files.put_last("foo");
        files.put("foo");
        assert_eq!(files.store.blocks(), 3);
        files.remove([2]);
        assert_eq!(files.store.blocks(), 2);
        assert!(!files.block(2).exists());
        assert_eq!(files.span(), (2, 1, 3));
        files.store.truncate(2, files.now).unwrap();
        assert_eq!(files.span(), (1, 1, 2));
        assert_eq!(files.state().deleted, [2]);
        files.keeps_its_state();
        assert_eq!(files.put("foo"), 3);
    });
}

/// All blocks but the last are compressed, if the stream is.
fn is_packed_rightly(files: &mut Files) {
    files.store.flush().unwrap();
    if !files.is_plain() {
        return;
    }
    let blocks = files.block_files();
    let (last, others) = blocks.split_last().unwrap();
    assert!(!files.is_packed(*last));
    for index in others {
        assert_eq!(files.is_packed(*index), files.is_compressed(), "{index}");
    }
}

fn compressed_after_truncate() {
    crate::exercises!("gap_areas", "1.3");
    for erase in [false, true] {
        each(&subjects(&["foo"]), 4096, |files| {
            files.put("foo");
            files.put_last("foo");
            files.put("foo");
            assert_eq!(files.store.blocks(), 2);
            is_packed_rightly(files);
            let gone = if erase { files.store.erase(2) } else { files.store.remove(2) };
            assert!(gone.unwrap());
            assert_eq!(files.span(), (2, 1, 3));
            assert_eq!(files.state().deleted, [2]);
            files.store.truncate(2, files.now).unwrap();
            assert_eq!(files.span(), (1, 1, 2));
            assert_eq!(files.state().deleted, [2]);
            is_packed_rightly(files);
            files.store.checkpoint().unwrap();
            assert_eq!(files.put("foo"), 3);
            is_packed_rightly(files);
            files.keeps_its_state();
            is_packed_rightly(files);
            files.lacks(&[2]);
        });
    }
}

fn erase_is_whole() {
    crate::exercises!("gap_areas", "1.7");
    for in_last in [true, false] {
        each(&subjects(&["foo"]), 4096, |files| {
            files.put_many("foo", 2);
            if in_last {
                files.put("foo");
            } else {
                files.put_last("foo");
            }
            assert_eq!(files.span(), (3, 1, 3));
            assert!(files.store.erase(2).unwrap());
            assert_eq!(files.span(), (2, 1, 3));
            assert_eq!(files.put("foo"), 4);
            assert_eq!(files.state().deleted, [2]);
            is_packed_rightly(files);
            files.keeps_its_state();
            is_packed_rightly(files);
            files.lacks(&[2]);
        });
    }
}

fn erase_keeps_tombstones() {
    crate::exercises!("gap_areas", "1.7");
    let secret = b"secret!";
    for in_own_block in [false, true] {
        each(&subjects(&["foo"]), 4096, |files| {
            files.put("foo");
            if in_own_block {
                files.put_last("foo");
            } else {
                files.put("foo");
            }
            files.put_payload("foo", secret);
            files.remove([2]);
            if !in_own_block {
                files.put("foo");
            }
            files.store.flush().unwrap();
            let holds_it = |files: &Files| {
                let has = |index: u32| files.bytes(index).windows(7).any(|w| w == secret);
                files.block_files().into_iter().any(has)
            };
            assert_eq!(holds_it(files), files.is_plain());
            assert!(files.store.erase(3).unwrap());
            assert!(!holds_it(files));
            let last = if in_own_block { 3 } else { 4 };
            assert_eq!(files.span(), (last - 2, 1, last));
            assert_eq!(files.state().deleted, [2, 3]);
            files.lacks(&[2, 3]);
            files.keeps_its_state();
            files.lacks(&[2, 3]);
            assert!(!holds_it(files));
        });
    }
}

fn erase_forgets_the_subject() {
    each(&subjects(&["test.*"]), 4096, |files| {
        for n in 1..=3 {
            files.put_payload(&format!("test.{n}"), b"msg");
        }
        assert_eq!(files.store.subjects_totals(Filter::All).len(), 3);
        assert!(files.store.erase(1).unwrap());
        for _ in 0..2 {
            assert_eq!(files.state().num_subjects, 2);
            let totals = files.store.subjects_totals(Filter::All);
            let expected = [(b"test.2".to_vec(), 1), (b"test.3".to_vec(), 1)];
            assert_eq!(totals.into_iter().collect::<Vec<_>>(), expected);
            files.reopen_without_index();
        }
    });
}

fn blocks_that_limits_remove() {
    crate::exercises!("gap_areas", "1.1");
    each(&subjects(&["foo"]), 10 * LEN, |files| {
        files.put_many("foo", 20);
        assert_eq!(files.store.blocks(), 2);
        assert_eq!((files.span(), files.state().bytes), ((20, 1, 20), 20 * LEN));
        files.update(|config| config.max_msgs = 10);
        assert_eq!(files.block_files(), [2]);
        assert_eq!((files.span(), files.state().bytes), ((10, 11, 20), 10 * LEN));
        let totals = files.store.subjects_totals(Filter::of(b"foo"));
        assert_eq!(totals.into_values().collect::<Vec<_>>(), [10]);
        files.keeps_its_state();
    });
}

fn limits_are_accounted_for() {
    let one = 33 + 1024;
    for by_bytes in [false, true] {
        each(&subjects(&["foo"]), 4 * one, |files| {
            (0..10).for_each(|_| _ = files.put_payload("foo", &[0; 1024]));
            let (mut usage, mut effects) = (0, Default::default());
            files.store.take_effects(&mut effects);
            usage += effects.bytes;
            assert_eq!((usage, files.state().bytes), (10 * one as i64, 10 * one));
            files.update(|config| match by_bytes {
                true => config.max_bytes = one as i64,
                false => config.max_msgs = 1,
            });
            files.store.take_effects(&mut effects);
            usage += effects.bytes;
            assert_eq!((usage, files.state().bytes), (one as i64, one));
            assert_eq!(effects.messages, -9);
        });
    }
}

fn deleted_in_a_smaller_block() {
    crate::exercises!("gap_areas", "1.7");
    each(&subjects(&["foo"]), 6 * LEN, |files| {
        files.put_many("foo", 6);
        files.remove([1, 3, 4, 6]);
        files.store.flush().unwrap();
        let before = files.bytes(1).len();
        files.store.maintain().unwrap();
        if !files.is_compressed() {
            assert!(files.bytes(1).len() < before);
        }
        assert_eq!(files.span(), (2, 2, 6));
        assert_eq!(files.state().deleted, [3, 4, 6]);
        files.lacks(&[1, 3, 4, 6]);
        files.keeps_its_state();
        files.lacks(&[1, 3, 4, 6]);
        files.remove([5]);
        files.store.maintain().unwrap();
        assert_eq!(files.span(), (1, 2, 6));
        assert_eq!(files.state().deleted, [3, 4, 5, 6]);
        files.keeps_its_state();
        files.lacks(&[1, 3, 4, 5, 6]);
    });
}

fn ends_of_a_smaller_block() {
    each(&subjects(&[]), 4 * LEN, |files| {
        files.put_many("foo", 4);
        files.remove([1, 4]);
        let before = files.state();
        assert_eq!((files.span(), &before.deleted[..]), ((2, 2, 4), &[4][..]));
        files.store.maintain().unwrap();
        assert_eq!(files.state(), before);
        files.keeps_its_state();
        let times: Vec<i64> = [2, 3].map(|seq| files.load(seq).unwrap().time_ns).to_vec();
        assert_eq!(times[1] - times[0], 1_000_000);
        // With nothing left in it, it goes, and its end is not forgotten.
        files.remove([2, 3]);
        files.store.maintain().unwrap();
        assert!(!files.block(1).exists());
        assert_eq!(files.span(), (0, 5, 4));
        files.keeps_its_state();
        assert_eq!(files.put("foo"), 5);
    });
}

fn tombstones_in_an_empty_block() {
    crate::exercises!("gap_areas", "1.7");
    each(&subjects(&["foo"]), 200, |files| {
        files.put("foo");
        files.put_last("foo");
        files.put("foo");
        files.remove([2, 3]);
        assert_eq!(files.span(), (1, 1, 3));
        assert_eq!(files.state().deleted, [2, 3]);
        files.lacks(&[2, 3]);
        files.keeps_its_state();
        files.lacks(&[2, 3]);
        assert_eq!(files.put("foo"), 4);
        files.remove([1]);
        assert_eq!(files.span(), (1, 4, 4));
        files.store.maintain().unwrap();
        assert_eq!(files.store.blocks(), 1);
        files.keeps_its_state();
    });
}

fn spent_tombstones_go() {
    crate::exercises!("gap_areas", "1.7");
    let block_len = LEN + 3 * TOMBSTONE;
    each(&subjects(&["foo"]), block_len, |files| {
        files.put_many("foo", 4);
        files.remove([3, 2]);
        assert_eq!(files.state().deleted, [2, 3]);
        assert_eq!(files.store.blocks(), 2);
        files.remove([1]);
        assert!(!files.block(1).exists());
        // What is written next, is in another block.
        assert_eq!(files.put("foo"), 5);
        if !files.is_compressed() {
            assert_eq!(files.bytes(2).len() as u64, block_len);
        }
        files.store.maintain().unwrap();
        if !files.is_compressed() {
            assert_eq!(files.bytes(2).len() as u64, LEN);
        }
        assert_eq!(files.span(), (2, 4, 5));
        files.keeps_its_state();
    });
}

fn last_sequence_after_compact() {
    each(&subjects(&[]), 4096, |files| {
        files.put("foo");
        assert_eq!(files.store.compact(2).unwrap(), 1);
        assert_eq!(files.span(), (0, 2, 1));
        files.keeps_its_state();
        assert_eq!(files.put("foo"), 2);
    });
}

fn skip_and_compact() {
    each(&subjects(&[]), 8 << 20, |files| {
        files.put_payload("foo", &[0; 256 * 1024]);
        files.store.skip(2, files.now, false).unwrap();
        files.store.compact(2).unwrap();
        assert_eq!(files.span(), (0, 3, 2));
        files.store.skip(3, files.now, false).unwrap();
        assert_eq!(files.span(), (0, 4, 3));
        files.keeps_its_state();
        assert_eq!(files.put("foo"), 4);
        files.keeps_its_state();
        assert_eq!(files.load(4).unwrap().seq, 4);
    });
}

fn compact_makes_the_file_smaller() {
    crate::exercises!("gap_areas", "1.1");
    let mut files = plain(&subjects(&[]), 8 << 20);
    (0..20).for_each(|_| _ = files.put_payload("foo", &[7; 256 * 1024]));
    assert_eq!(files.store.compact(20).unwrap(), 19);
    assert_eq!(files.span(), (1, 20, 20));
    assert_eq!(files.store.blocks(), 1);
    assert_eq!(files.bytes(1).len(), 33 + 256 * 1024);
    assert_eq!(files.load(20).unwrap().payload(), [7; 256 * 1024]);
    files.keeps_its_state();
    assert_eq!(files.load(20).unwrap().payload(), [7; 256 * 1024]);
}

fn compact_in_a_compressed_block() {
    crate::exercises!("gap_areas", "1.3");
    const LEN: usize = 64 * 1024;
    // Nothing that can be compressed.
    let mut state = 1_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut payload = || (0..LEN / 8).flat_map(|_| noise()).collect::<Vec<u8>>();
    let payloads: Vec<Vec<u8>> = (0..50).map(|_| payload()).collect();
    each(&subjects(&["zzz"]), 50 * (33 + LEN as u64), |files| {
        for payload in &payloads {
            files.put_payload("zzz", payload);
        }
        // With the next block, this one is compressed.
        files.put("zzz");
        assert_eq!(files.store.blocks(), 2);
        is_packed_rightly(files);
        let before = files.bytes(1).len();
        assert!(before > 2 << 20);
        assert_eq!(files.store.compact(45).unwrap(), 44);
        assert!(files.bytes(1).len() < before / 2);
        is_packed_rightly(files);
        for _ in 0..2 {
            assert_eq!(files.span(), (7, 45, 51));
            for seq in 45..=50 {
                assert!(files.load(seq).unwrap().payload() == payloads[seq as usize - 1]);
            }
            files.keeps_its_state();
        }
    });
}

fn truncated_file() {
    crate::exercises!("gap_areas", "1.5");
    each(&subjects(&[]), 4096, |files| {
        files.put_many("foo", 3);
        files.store.flush().unwrap();
        let three = files.bytes(1);
        files.put_many("foo", 2);
        files.store.truncate(3, files.now).unwrap();
        files.store.flush().unwrap();
        assert_eq!(files.bytes(1).len(), three.len());
        if files.is_plain() {
            assert_eq!(files.bytes(1), three);
        }
        files.keeps_its_state();
        assert_eq!(files.span(), (3, 1, 3));
    });
}

fn removed_and_maintained() {
    let mut files = plain(&subjects(&[]), 2 * LEN + TOMBSTONE);
    files.put_many("foo", 4);
    files.remove([2]);
    // Nothing is left in a block that was to be made smaller.
    files.remove([3, 4]);
    files.store.maintain().unwrap();
    files.store.maintain().unwrap();
    assert_eq!(files.span(), (1, 1, 4));
    assert_eq!(files.put("foo"), 5);
    files.keeps_its_state();
    files.lacks(&[2, 3, 4]);
}

fn compact_and_store() {
    for stored_first in [false, true] {
        let mut files = plain(&subjects(&[]), 4096);
        files.put_payload("foo", b"first");
        if stored_first {
            assert_eq!(files.put_payload("foo", b"second"), 2);
        }
        assert_eq!(files.store.compact(2).unwrap(), 1);
        if !stored_first {
            assert_eq!(files.put_payload("foo", b"second"), 2);
        }
        assert!(matches!(files.load(1), Err(StoreError::NotFound)));
        assert_eq!(files.load(2).unwrap().payload(), b"second");
        assert_eq!(files.span(), (1, 2, 2));
        files.keeps_its_state();
    }
}

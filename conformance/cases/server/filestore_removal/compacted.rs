//! What is below a sequence goes; and blocks with little left in them become smaller.

use super::disk::each_on_disk;
use crate::cases::server::filestore_basics::files::{
    Files, HELLO, each, filter, simple, size, subjects,
};
use nats_server::store::stream::{StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library below_and_beyond => ["TestFileStoreCompact"],
    library behind_the_last => ["TestFileStoreCompactLastPlusOne"],
    library only_what_is_there_is_counted => ["TestFileStoreCompactMsgCountBug"],
    library most_of_many_blocks => ["TestFileStoreCompactPerf"],
    library room_is_given_back => ["TestFileStoreCompactReclaimHeadSpace"],
    library twice => ["TestFileStoreDoubleCompactWithWriteInBetweenEncryptedBug"],
    library all_when_the_last_is_deleted => ["TestFileStoreCompactAllWithDanglingLMB"],
    library subjects_of_blocks_that_go => ["TestFileStoreStreamCompactMultiBlockSubjectInfo"],
    library a_sparse_block => ["TestFileStoreSparseCompaction"],
    library a_sparse_block_is_read => ["TestFileStoreSparseCompactionWithInteriorDeletes"],
}

/// Bytes that cannot be compressed: the same every time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn below_and_beyond() {
    each(&subjects(&[]), 350, |files| {
        files.put_many(10, "foo", HELLO);
        assert_eq!(files.span(), (10, 1, 10));
        assert_eq!(files.store.compact(6).unwrap(), 5);
        assert_eq!(files.span(), (5, 6, 10));
        assert!(files.is_gone(5));
        assert_eq!(files.payload(6), HELLO);
        // Nothing is below any more.
        assert_eq!(files.store.compact(6).unwrap(), 0);
        files.stays();
        assert_eq!(files.store.compact(100).unwrap(), 5);
        assert_eq!(files.span(), (0, 100, 99));
        files.stays();
        assert_eq!(files.put("foo", HELLO), 100);
    });
}

fn behind_the_last() {
    // A message is larger than a block should be.
    each_on_disk(&subjects(&[]), 8192, |_, files| {
        files.put_many(500, "foo", &[0; 10_000]);
        assert_eq!((files.span(), files.store.blocks()), ((500, 1, 500), 500));
        assert_eq!(files.store.compact(501).unwrap(), 500);
        assert_eq!((files.span(), files.state().bytes), ((0, 501, 500), 0));
        files.put("foo", &[0; 10_000]);
        assert_eq!(files.span(), (1, 501, 501));
        files.stays();
    });
}

fn only_what_is_there_is_counted() {
    each(&subjects(&[]), 0, |files| {
        files.put_many(10, "foo", HELLO);
        files.erase([2, 3, 4]);
        files.remove([7, 8, 9]);
        // 1 and 5.
        assert_eq!(files.store.compact(6).unwrap(), 2);
        assert_eq!((files.span(), files.state().deleted), ((2, 6, 10), vec![7, 8, 9]));
        files.stays();
    });
}

fn most_of_many_blocks() {
    each_on_disk(&subjects(&[]), 8192, |_, files| {
        files.put_many(20_000, "foo", HELLO);
        let (blocks, in_each) = (files.store.blocks(), 8192 / size("foo", 11) as usize);
        assert_eq!(blocks, 20_000_usize.div_ceil(in_each));
        assert_eq!(files.store.compact(18_001).unwrap(), 18_000);
        assert_eq!(files.span(), (2_000, 18_001, 20_000));
        assert_eq!(files.state().bytes, 2_000 * size("foo", 11));
        // Those with something left in them, and one for the tombstones of the first of these.
        assert!(files.store.blocks() <= blocks - 18_000 / in_each + 1);
        assert_eq!(files.store.blocks(), files.block_files().len());
        files.stays();
    });
}

fn room_is_given_back() {
    let payload = noise(64 * 1024);
    let each_size = size("z", payload.len());
    // 63 fit into the first block.
    each(&subjects(&["*"]), 4 << 20, |files| {
        let check = |files: &mut Files, spans: &[(u32, u64, u64)]| {
            files.store.flush().unwrap();
            assert_eq!(files.block_files(), spans.iter().map(|span| span.0).collect::<Vec<_>>());
            for (index, first, last) in spans {
                let len = std::fs::metadata(files.block_path(*index)).unwrap().len();
                let left = (last - first + 1) * each_size;
                match files.store.config().compression {
                    nats_server::model::StoreCompression::None => assert_eq!(len, left),
                    // It cannot be made much smaller, but the rest is gone.
                    _ => assert!(len < left + left / 50, "{len} of {left}"),
                }
                for seq in [*first, *last] {
                    assert!(files.payload(seq) == payload, "{seq}");
                }
            }
        };
        files.put_many(100, "z", &payload);
        check(files, &[(1, 1, 63), (2, 64, 100)]);
        assert_eq!(files.store.compact(33).unwrap(), 32);
        check(files, &[(1, 33, 63), (2, 64, 100)]);
        assert_eq!(files.store.compact(85).unwrap(), 52);
        check(files, &[(2, 85, 100)]);
        assert_eq!(files.put("z", &payload), 101);
        check(files, &[(2, 85, 101)]);
        files.reopen();
        check(files, &[(2, 85, 101)]);
        assert_eq!(files.put("z", &payload), 102);
        check(files, &[(2, 85, 102)]);
        files.stays();
    });
}

fn twice() {
    each(&subjects(&[]), 0, |files| {
        files.put_many(5, "foo", b"ouch");
        assert_eq!(files.store.compact(5).unwrap(), 4);
        assert_eq!(files.span(), (1, 5, 5));
        files.put_many(5, "foo", b"ouch");
        assert_eq!(files.store.compact(10).unwrap(), 5);
        for _ in 0..2 {
            assert_eq!((files.span(), files.payload(10)), ((1, 10, 10), b"ouch".to_vec()));
            assert!(files.is_gone(9));
            files.reopen_without_index();
        }
    });
}

fn all_when_the_last_is_deleted() {
    each(&subjects(&["foo"]), 0, |files| {
        files.put_many(100, "foo", b"ZZ");
        files.remove([100]);
        assert_eq!(files.store.compact(100).unwrap(), 99);
        assert_eq!(files.span(), (0, 101, 100));
        assert_eq!(files.put("foo", b"ZZ"), 101);
        assert_eq!(files.span(), (1, 101, 101));
        files.stays();
    });
}

fn subjects_of_blocks_that_go() {
    each_on_disk(&subjects(&["foo.*"]), 128, |_, files| {
        (0..1000).for_each(|n| _ = files.put(&format!("foo.{n}"), HELLO));
        assert_eq!((files.store.blocks(), files.state().num_subjects), (500, 1000));
        assert_eq!(files.store.compact(501).unwrap(), 500);
        assert_eq!((files.store.blocks(), files.block_files().len()), (250, 250));
        assert_eq!(files.state().num_subjects, 500);
        let totals = files.store.subjects_totals(filter("foo.*"));
        assert!(totals.len() == 500 && totals.values().all(|count| *count == 1));
        assert_eq!(files.filtered(1, "foo.499"), simple(0, 0, 0));
        assert_eq!(files.filtered(1, "foo.500"), simple(1, 501, 501));
    });
}

/// Makes blocks smaller: that changes nothing but the bytes of their files.
fn maintain(files: &mut Files) {
    files.store.flush().unwrap();
    let (state, (total, used)) = (files.state(), files.store.utilization());
    files.store.maintain().unwrap();
    assert_eq!(files.state(), state);
    let (total_after, used_after) = files.store.utilization();
    assert_eq!(used_after, used);
    assert!(total_after < total, "{total_after} of {total}");
}

fn a_sparse_block() {
    let noise = noise(1000 * 99);
    let payload = |seq: u64| &noise[(seq as usize - 1) * 99..][..99];
    // All fit into the first block, and nothing more.
    each(&subjects(&["kv.>"]), 1000 * size("kv.0", 99), |files| {
        (1..=1000).for_each(|n| _ = files.put(&format!("kv.{}", n % 10), payload(n)));
        assert_eq!((files.span(), files.store.blocks()), ((1000, 1, 1000), 1));
        // A block becomes smaller when more than half of it is gone: at its beginning, at its end,
        // and in between.
        files.remove(1..=600);
        maintain(files);
        files.remove((751..=1000).rev());
        maintain(files);
        files.erase(626..=725);
        maintain(files);
        assert_eq!(files.span(), (50, 601, 1000));
        let is_left = |seq: u64| (601..626).contains(&seq) || (726..751).contains(&seq);
        for seq in 1..=1000 {
            match files.load(seq) {
                Ok(found) => {
                    assert!(is_left(seq), "{seq}");
                    assert_eq!(found.subject(), format!("kv.{}", seq % 10).as_bytes());
                    assert_eq!(found.payload(), payload(seq));
                }
                Err(StoreError::NotFound) => assert!(!is_left(seq), "{seq}"),
                Err(error) => panic!("{seq}: {error}"),
            }
        }
        files.stays();
    });
}

fn a_sparse_block_is_read() {
    each(&subjects(&["kv.>"]), 1000 * size("kv.0", 2), |files| {
        let is_left = |seq: u64| (seq.is_multiple_of(3) && seq != 600) || seq == 1000;
        (1..=1000).for_each(|n| _ = files.put(&format!("kv.{}", n % 10), b"OK"));
        files.remove((1..=1000).filter(|seq| !is_left(*seq)));
        assert_eq!(files.load(900).unwrap().subject(), b"kv.0");
        files.store.maintain().unwrap();
        if files.is_plain() {
            let len = std::fs::metadata(files.block_path(1)).unwrap().len();
            assert_eq!(len, 333 * size("kv.0", 2));
        }
        for seq in 1..=1000 {
            match files.load(seq) {
                Ok(found) => {
                    assert!(is_left(seq), "{seq}");
                    assert_eq!(found.subject(), format!("kv.{}", seq % 10).as_bytes());
                }
                Err(StoreError::NotFound) => assert!(!is_left(seq), "{seq}"),
                Err(error) => panic!("{seq}: {error}"),
            }
        }
        files.stays();
    });
}

//! Messages that are removed one by one.

use crate::cases::server::filestore_basics::files::{
    Files, HELLO, each, filter, plain, simple, size, subjects,
};
use nats_server::store::file::hash::KeyedHash;
use nats_server::store::file::record::{Kind, Record};
use nats_server::store::stream::{NewMessage, StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library first_in_another_block => ["TestFileStoreSelectNextFirst"],
    library first_half => ["TestFileStoreRemovePartialRecovery"],
    library every_other => ["TestFileStoreRemoveOutOfOrderRecovery"],
    library gaps_that_close => ["TestFileStoreCollapseDmap"],
    library deleted_ones_are_named => ["TestFileStoreStreamStateDeleted"],
    library first_ones_of_a_block => ["TestFileStoreStateWithBlkFirstDeleted"],
    library counted_after_its_block_is_smaller => ["TestFileStoreRebuildStateDmapAccountingBug"],
    library erased_in_the_file => ["TestFileStoreEraseMsg"],
    library erased_and_found_so => ["TestFileStoreEraseAndNoIndexRecovery"],
    library none_from_there_on => ["TestFileStoreFilteredPendingBug"],
}

/// These are gone, and all others up to the last are there.
fn only_these_are_gone(files: &mut Files, gone: impl Fn(u64) -> bool, payload: &[u8]) {
    for seq in 1..=files.state().last_seq {
        match files.load(seq) {
            Ok(found) => assert!(!gone(seq) && found.payload() == payload, "{seq}"),
            Err(StoreError::NotFound) => assert!(gone(seq), "{seq}"),
            Err(error) => panic!("{seq}: {error}"),
        }
    }
}

fn first_in_another_block() {
    each(&subjects(&[]), 256, |files| {
        files.put_many(10, "zzz", HELLO);
        files.store.flush().unwrap();
        assert_eq!((files.span().0, files.block_files()), (10, vec![1, 2]));
        if files.is_plain() {
            let len = std::fs::metadata(files.block_path(1)).unwrap().len();
            assert_eq!(len, 5 * size("zzz", 11));
        }
        // Beyond the end of the first block.
        files.remove(2..=7);
        assert_eq!(files.span(), (4, 1, 10));
        files.remove([1]);
        assert_eq!(files.span(), (3, 8, 10));
        only_these_are_gone(files, |seq| seq < 8, HELLO);
        files.stays();
        only_these_are_gone(files, |seq| seq < 8, HELLO);
    });
}

fn first_half() {
    each(&subjects(&["foo"]), 0, |files| {
        files.put_many(100, "foo", HELLO);
        files.remove(1..=50);
        assert_eq!(files.span(), (50, 51, 100));
        files.stays();
        only_these_are_gone(files, |seq| seq <= 50, HELLO);
    });
}

fn every_other() {
    let even = |seq| seq % 2 == 0;
    each(&subjects(&["foo"]), 0, |files| {
        files.put_many(100, "foo", HELLO);
        files.remove((1..=100).filter(|seq| even(*seq)));
        assert_eq!(files.span(), (50, 1, 100));
        only_these_are_gone(files, even, HELLO);
        files.stays();
        only_these_are_gone(files, even, HELLO);
    });
}

fn gaps_that_close() {
    let block_len = 4 * size("foo", 12);
    each(&subjects(&[]), block_len, |files| {
        files.put_many(10, "foo", b"Hello World!");
        assert_eq!(files.span(), (10, 1, 10));
        let steps: [(u64, u64, &[u64]); 8] = [
            (2, 1, &[2]),
            (4, 1, &[2, 4]),
            (8, 1, &[2, 4, 8]),
            (1, 3, &[4, 8]),
            (3, 5, &[8]),
            (5, 6, &[8]),
            (7, 6, &[7, 8]),
            (6, 9, &[]),
        ];
        for (n, (seq, first_seq, deleted)) in (1..).zip(steps) {
            files.remove([seq]);
            assert_eq!(files.span(), (10 - n, first_seq, 10), "without {seq}");
            assert_eq!(files.state().deleted, deleted, "without {seq}");
        }
        files.stays();
    });
}

fn deleted_ones_are_named() {
    each(&subjects(&[]), 0, |files| {
        (1..=10).for_each(|n| _ = files.put("foo", format!("[{n:08}] Hello World!").as_bytes()));
        assert!(files.state().deleted.is_empty());
        files.remove([2, 4, 6, 8]);
        assert_eq!(files.state().deleted, [2, 4, 6, 8]);
        files.remove([1, 3]);
        assert_eq!((files.span(), files.state().deleted), ((4, 5, 10), vec![6, 8]));
        files.stays();
        assert_eq!(files.store.purge().unwrap(), 4);
        assert_eq!((files.span(), files.state().deleted), ((0, 11, 10), vec![]));
    });
}

fn first_ones_of_a_block() {
    each(&subjects(&["foo"]), 4096, |files| {
        files.put_many(500, "foo", HELLO);
        assert!(files.store.blocks() > 2);
        // As many fit into a block.
        let first = 4096 / size("foo", 11) + 1;
        files.remove(first..first + 10);
        let deleted: Vec<u64> = (first..first + 10).collect();
        assert_eq!(files.span(), (490, 1, 500));
        assert_eq!(files.store.fast_state().num_deleted, 10);
        assert_eq!((files.state().num_deleted, files.state().deleted), (10, deleted));
        files.stays();
    });
}

fn counted_after_its_block_is_smaller() {
    each(&subjects(&[]), 100 * size("foo", 0), |files| {
        files.put_many(100, "foo", b"");
        files.remove(2..=60);
        let agree = |files: &Files, (messages, first, last)| {
            assert_eq!(files.span(), (messages, first, last));
            let state = files.state();
            assert_eq!(messages, last - first + 1 - state.num_deleted);
            assert_eq!(state.bytes, messages * size("foo", 0));
        };
        agree(files, (41, 1, 100));
        files.store.maintain().unwrap();
        if files.is_plain() {
            let len = std::fs::metadata(files.block_path(1)).unwrap().len();
            assert_eq!(len, 41 * size("foo", 0));
        }
        agree(files, (41, 1, 100));
        files.remove([1]);
        agree(files, (40, 61, 100));
        files.reopen_without_index();
        agree(files, (40, 61, 100));
        assert!(files.state().deleted.is_empty());
    });
}

fn erased_in_the_file() {
    let mut files = plain(&subjects(&[]), 0);
    files.put_many(2, "foo", HELLO);
    assert_eq!(files.payload(1), HELLO);
    let stored = files.load(1).unwrap().time_ns;
    files.erase([1]);
    assert!(files.is_gone(1));
    files.store.flush().unwrap();
    let bytes = std::fs::read(files.block_path(1)).unwrap();
    // What is in its place is a record, and of nothing.
    let record = Record::decode(&bytes, &KeyedHash::for_block("zzz", 1)).unwrap();
    assert_eq!((record.kind, record.len as u64), (Kind::Erased, size("foo", 11)));
    assert_ne!(record.time_ns, stored);
    assert_eq!(record.time_ns, 0);
    assert_ne!(record.subject, b"foo");
    assert!(!bytes[..record.len].windows(3).any(|part| part == b"foo"));
    assert!(!bytes[..record.len].windows(HELLO.len()).any(|part| part == HELLO));
    // The one behind it is where it was.
    let next = Record::decode(&bytes[record.len..], &KeyedHash::for_block("zzz", 1)).unwrap();
    assert_eq!((next.kind, next.seq, next.payload), (Kind::Message, 2, HELLO));
}

fn erased_and_found_so() {
    let even = |seq| seq % 2 == 0;
    each(&subjects(&[]), 0, |files| {
        files.put_many(100, "foo", HELLO);
        files.erase((1..=100).filter(|seq| even(*seq)));
        assert_eq!(files.span(), (50, 1, 100));
        files.reopen_without_index();
        assert_eq!(files.span(), (50, 1, 100));
        only_these_are_gone(files, even, HELLO);
    });
}

fn none_from_there_on() {
    each(&subjects(&["*"]), 0, |files| {
        ["foo", "bar", "baz"].iter().for_each(|subject| _ = files.put(subject, b"msg"));
        assert_eq!(files.filtered(3, "foo"), simple(0, 0, 0));
        assert_eq!(files.store.num_pending(3, filter("foo"), false).unwrap(), (0, 3));
        assert_eq!(files.filtered(1, "foo"), simple(1, 1, 1));
        assert_eq!(files.filtered(3, "baz"), simple(1, 3, 3));
        // It is so when a later one comes.
        let new = NewMessage { subject: b"foo", payload: b"msg", ..NewMessage::default() };
        files.store.store(new, files.now).unwrap();
        assert_eq!(files.filtered(3, "foo"), simple(1, 4, 4));
    });
}

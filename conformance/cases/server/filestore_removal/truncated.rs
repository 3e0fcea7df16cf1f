//! What is behind a sequence is forgotten.

use super::disk::each_on_disk;
use crate::cases::server::filestore_basics::files::{HELLO, each, filter, simple, size, subjects};
use nats_server::base::fs::Fs;
use nats_server::store::stream::{StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library behind_a_sequence => ["TestFileStoreStreamTruncate"],
    library everything => ["TestFileStoreStreamTruncateResetMultiBlock"],
}

fn behind_a_sequence() {
    each(&subjects(&["*"]), 350, |files| {
        files.put_many(49, "foo", b"ok");
        files.put_many(51, "bar", b"ok");
        assert_eq!(files.span(), (100, 1, 100));
        files.store.truncate(50, files.now).unwrap();
        assert_eq!(files.span(), (50, 1, 50));
        assert_eq!(files.filtered(1, "bar"), simple(1, 50, 50));
        assert!(matches!(files.load(51), Err(StoreError::Eof)));
        // With messages that are deleted before it and behind it.
        files.remove([10, 20, 30, 40]);
        files.store.truncate(25, files.now).unwrap();
        assert_eq!((files.span(), files.state().deleted), ((23, 1, 25), vec![10, 20]));
        assert_eq!(files.state().bytes, 23 * size("foo", 2));
        assert_eq!(files.filtered(1, "bar"), simple(0, 0, 0));
        for seq in 1..=25 {
            assert_eq!(files.load(seq).is_ok(), seq != 10 && seq != 20, "{seq}");
        }
        // Without the index too: the tombstones of blocks that are gone are kept.
        files.stays();
        // A sequence is used again, and those that are deleted stay so.
        assert_eq!(files.put("new", b"ok"), 26);
        assert_eq!(files.load(26).unwrap().subject(), b"new");
        files.stays();
    });
}

fn everything() {
    each_on_disk(&subjects(&["foo"]), 128, |disk, files| {
        files.put_many(1000, "foo", HELLO);
        files.store.sync().unwrap();
        assert_eq!(files.store.blocks(), 500);
        files.store.truncate(0, files.now).unwrap();
        // One without anything in it may be there, to be written to.
        let left: u64 = files
            .block_files()
            .into_iter()
            .map(|index| disk.metadata(&files.block_path(index)).unwrap().len)
            .sum();
        assert_eq!((files.store.blocks() <= 1, left), (true, 0));
        assert_eq!((files.span(), files.state().bytes), ((0, 0, 0), 0));
        assert_eq!((files.state().num_subjects, files.state().num_deleted), (0, 0));
        files.reopen();
        assert_eq!(files.span(), (0, 0, 0));
        // Then nobody knows any more when that was.
        files.reopen_without_index();
        assert_eq!(files.span(), (0, 0, 0));
        files.put_many(1000, "foo", HELLO);
        files.store.sync().unwrap();
        let state = files.state();
        assert_eq!((files.span(), state.bytes), ((1000, 1, 1000), 44_000));
        assert_eq!((state.num_subjects, state.num_deleted), (1, 0));
        assert_eq!(files.store.subjects_totals(filter("foo")).into_values().sum::<u64>(), 1000);
        files.stays();
    });
}

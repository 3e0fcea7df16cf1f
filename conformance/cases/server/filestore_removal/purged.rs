//! Purges: of everything, of a subject, and those that a crash ends.

use crate::cases::server::filestore_basics::files::{Files, each, filter, simple, size, subjects};
use nats_server::store::file::layout;
use nats_server::store::file::repair::Purge;
use nats_server::store::stream::StreamStore;
use std::fs;
use std::path::{Path, PathBuf};

crate::cases! {
    "server/filestore_test.go",
    library everything => ["TestFileStorePurge"],
    library undone_after_its_key_was_moved => ["TestFileStoreEncryptedPurgeRecoveryAfterKeyRename"],
    library all_but_one => ["TestFileStorePurgeExKeepOneBug"],
    library a_subject => ["TestFileStorePurgeExWithSubject"],
    library a_subject_with_its_blocks => ["TestFileStorePurgeExNoTombsOnBlockRemoval"],
}

const PAYLOAD: &[u8] = &[0; 8 * 1024];
const BLOCK_LEN: u64 = 64 * 1024;
const COUNT: u64 = 128;

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// A file or a folder of the stream.
fn path(files: &Files, name: &str) -> PathBuf {
    files.dir().join(name)
}

fn everything() {
    each(&subjects(&[]), BLOCK_LEN, |files| {
        let each_size = size("foo", PAYLOAD.len());
        let is_empty = |files: &Files, last: u64| {
            assert_eq!(files.span(), (0, last + 1, last));
            assert_eq!((files.state().bytes, files.state().num_subjects), (0, 0));
            assert_eq!((files.store.blocks(), files.block_files().len()), (1, 1));
        };
        files.put_many(COUNT as usize, "foo", PAYLOAD);
        assert_eq!((files.span().0, files.state().bytes), (COUNT, COUNT * each_size));
        assert!(files.store.blocks() as u64 > COUNT * each_size / BLOCK_LEN);
        assert_eq!(files.store.purge().unwrap(), COUNT);
        is_empty(files, COUNT);
        files.reopen();
        is_empty(files, COUNT);

        // What a crash leaves of the folder that was purged does not come back.
        files.put_many(COUNT as usize, "foo", PAYLOAD);
        assert_eq!((files.span().0, files.state().bytes), (COUNT, COUNT * each_size));
        files.store.flush().unwrap();
        copy(&files.messages_dir(), &path(files, "before"));
        assert_eq!(files.store.purge().unwrap(), COUNT);
        is_empty(files, 2 * COUNT);
        files.stop();
        let left = path(files, layout::PURGED_MESSAGES);
        fs::rename(path(files, "before"), &left).unwrap();
        files.start_sound();
        is_empty(files, 2 * COUNT);
        assert!(!left.exists());
        files.stays();
        assert_eq!(files.put("foo", b""), 2 * COUNT + 1);
    });
}

fn undone_after_its_key_was_moved() {
    each(&subjects(&[]), BLOCK_LEN, |files| {
        if files.keys.is_none() {
            return;
        }
        files.put_many(COUNT as usize, "foo", PAYLOAD);
        files.store.flush().unwrap();
        let before = files.state();
        let messages = files.messages_dir();
        copy(&messages, &path(files, "before"));
        files.store.purge().unwrap();
        let [last] = files.block_files()[..] else { panic!("{:?}", files.block_files()) };
        files.stop();
        // The crash came when the key of the new block was moved, and the block was not.
        fs::rename(&messages, path(files, "after")).unwrap();
        fs::rename(path(files, "before"), &messages).unwrap();
        _ = fs::remove_file(files.index_path());
        let after = path(files, "after");
        fs::rename(layout::block(&after, last), files.block_path(last)).unwrap();
        let new = path(files, layout::NEW_MESSAGES);
        fs::create_dir(&new).unwrap();
        fs::rename(layout::block_key(&after, last), layout::block_key(&new, last)).unwrap();

        let opened = files.start();
        assert_eq!(opened.purge, Some(Purge::Undone));
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        files.store = opened.store;
        assert_eq!(files.state(), before);
        assert_eq!((files.payload(1), files.payload(COUNT)), (PAYLOAD.to_vec(), PAYLOAD.to_vec()));
        assert!(!files.block_path(last).exists() && !new.exists());
        files.stays();
    });
}

fn all_but_one() {
    each(&subjects(&["*"]), 128, |files| {
        for _ in 0..2 {
            files.put("A", b"META");
            files.put("B", &[b'X'; 128]);
        }
        assert_eq!(files.filtered(1, "A"), simple(2, 1, 3));
        assert_eq!(files.store.purge_ex(filter("A"), 0, 1).unwrap(), 1);
        for _ in 0..2 {
            assert_eq!(files.filtered(1, "A"), simple(1, 3, 3));
            assert_eq!(files.filtered(1, "B"), simple(2, 2, 4));
            assert_eq!(files.span(), (3, 2, 4));
            files.reopen_without_index();
        }
    });
}

/// The index as it is now.
fn index(files: &mut Files) -> Vec<u8> {
    files.store.checkpoint().unwrap();
    fs::read(files.index_path()).unwrap()
}

/// As after a crash: what is written at the end, and an index from before.
fn reopen_with_index(files: &mut Files, index: &[u8]) {
    files.stop();
    fs::write(files.index_path(), index).unwrap();
    files.start_sound();
}

fn a_subject() {
    each(&subjects(&["foo.>"]), 1000, |files| {
        files.put("foo.0", &[0; 20]);
        files.put_many(200, "foo.1", &[0; 20]);
        files.put("foo.2", b"xxxxxx");
        let index = index(files);
        assert_eq!(files.store.purge_ex(filter("foo.1"), 0, 0).unwrap(), 200);
        let after = files.state();
        assert_eq!((files.span(), after.num_subjects), ((2, 1, 202), 2));
        assert_eq!(after.deleted, (2..=201).collect::<Vec<u64>>());
        files.stays();
        reopen_with_index(files, &index);
        assert_eq!(files.state(), after);
        assert_eq!((files.payload(1), files.payload(202)), (vec![0; 20], b"xxxxxx".to_vec()));
    });
}

fn a_subject_with_its_blocks() {
    each(&subjects(&["foo.>"]), 1000, |files| {
        files.put_many(100, "foo.1", &[0; 20]);
        files.put("foo.2", &[0; 20]);
        assert_eq!(files.store.blocks(), 6);
        let index = index(files);
        assert_eq!(files.store.purge_ex(filter("foo.1"), 0, 0).unwrap(), 100);
        assert_eq!(files.span(), (1, 101, 101));
        assert_eq!(files.store.blocks(), 1);
        assert_eq!(files.block_files().len(), 1);
        reopen_with_index(files, &index);
        assert_eq!(files.span(), (1, 101, 101));
        assert_eq!(files.payload(101), [0; 20]);
        files.stays();
    });
}

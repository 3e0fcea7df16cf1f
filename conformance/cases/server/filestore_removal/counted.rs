//! What is read once is not read from the disk again and again, and is given up when nobody wants
//! it; and how much work of the disk there is for how many messages.
//!
//! Where upstream's tests print times, the operations of the disk are counted here.

use super::disk::{each_on_disk, operations};
use crate::cases::server::filestore_basics::files::{Files, HELLO, filter, simple, size, subjects};
use nats_server::base::fs::CrashFs;
use nats_server::store::stream::{StoredMessage, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library read_once_while_it_is_wanted => ["TestFileStoreReadCache"],
    library nothing_holds_what_was_looked_at => ["TestFileStoreWeakCachePromotionCleanup"],
    library near_each_other => ["TestFileStoreReadBackMsgPerf"],
    library all_in_order => ["TestFileStoreFetchPerf"],
    library stored_in_small_blocks => ["TestFileStorePubPerfWithSmallBlkSize"],
    library each_replaces_the_last => ["TestFileStoreStoreLimitRemovePerf"],
    library stored_read_and_removed => ["TestFileStorePerf"],
}

/// Operations that a read takes.
fn read(disk: &CrashFs, files: &mut Files, seq: u64) -> u64 {
    operations(disk, || files.payload(seq)).1
}

fn read_once_while_it_is_wanted() {
    let payload = [7; 1024];
    each_on_disk(&subjects(&[]), 500 * size("foo.bar", 1024), |disk, files| {
        // All but the last one are in a block that is not written to any more.
        files.put_many(501, "foo.bar", &payload);
        files.idle();
        assert_eq!(files.store.blocks(), 2);
        assert!(read(disk, files, 1) > 0);
        // While somebody reads, it stays.
        for _ in 0..50 {
            assert_eq!(read(disk, files, 1), 0);
            files.store.maintain().unwrap();
            assert_eq!(read(disk, files, 1), 0);
        }
        // Then it does not, and is read once.
        files.idle();
        assert!(read(disk, files, 1) > 0);
        assert_eq!(read(disk, files, 1), 0);
        assert_eq!(files.payload(500), payload);
    });
}

fn nothing_holds_what_was_looked_at() {
    /// What is done, with its outcome, to four messages of `foo` and one of `bar`.
    type Look = fn(&mut Files);
    let looks: [Look; 5] = [
        |files| files.remove([2]),
        |files| assert_eq!(files.filtered(1, "foo"), simple(4, 1, 4)),
        |files| {
            let mut out = StoredMessage::default();
            files.store.load_last(filter("foo"), &mut out).unwrap();
            assert_eq!(out.seq, 4);
        },
        |files| {
            // Which one is the first is found when it is asked for.
            files.remove([1]);
            assert_eq!(files.filtered(1, "foo"), simple(3, 2, 4));
        },
        |files| {
            let states = files.store.subjects_state(filter("*")).unwrap();
            let expected =
                [("bar", simple(1, 5, 5)), ("baz", simple(1, 6, 6)), ("foo", simple(4, 1, 4))];
            let expected = expected.map(|(subject, state)| (subject.as_bytes().to_vec(), state));
            assert_eq!(states.into_iter().collect::<Vec<_>>(), expected);
        },
    ];
    let block_len = 5 * size("foo", 5);
    for look in looks {
        each_on_disk(&subjects(&["foo", "bar"]), block_len, |disk, files| {
            files.put_many(4, "foo", b"hello");
            files.put("bar", b"hello");
            // In another block.
            files.put("baz", b"hello");
            assert_eq!(files.store.blocks(), 2);
            files.idle();
            look(files);
            // It is given up again as if nobody had looked.
            files.idle();
            assert!(read(disk, files, 4) > 0);
            assert_eq!(read(disk, files, 4), 0);
        });
    }
}

fn near_each_other() {
    each_on_disk(&subjects(&[]), 20_000 * size("foo", 8), |disk, files| {
        files.put_many(40_000, "foo", b"ABCDEFGH");
        assert_eq!(files.store.blocks(), 2);
        files.idle();
        let near_the_end = 20_000 - 22;
        let first = read(disk, files, near_the_end);
        // The file is read in parts, each once.
        let parts = 20_000 * size("foo", 8) / (16 * 1024) + 8;
        assert!((1..=parts).contains(&first), "{first}, {parts} parts");
        assert_eq!(read(disk, files, near_the_end + 2), 0);
    });
}

fn all_in_order() {
    let payload = b"ABC".repeat(600);
    each_on_disk(&subjects(&["*"]), 8192, |disk, files| {
        files.put_many(400, "zzz", &payload);
        assert_eq!(files.store.blocks(), 100);
        files.idle();
        let all = |files: &mut Files| (1..=400).all(|seq| files.payload(seq) == payload);
        let (found, ops) = operations(disk, || all(files));
        assert!(found);
        // Each block is opened with its key, and read in two parts.
        assert!(ops <= 100 * 8, "{ops}");
    });
}

fn stored_in_small_blocks() {
    each_on_disk(&subjects(&[]), 32 * 1024, |disk, files| {
        let (count, each_size) = (1024, 1024);
        let payload = vec![b'D'; each_size - size("foo", 0) as usize];
        let ((), ops) = operations(disk, || files.put_many(count, "foo", &payload));
        let blocks = count * each_size / (32 * 1024);
        assert_eq!(files.store.blocks(), blocks);
        // There is nothing for each message, and a little for each block.
        assert!(ops <= blocks as u64 * 20, "{ops}");
        files.stays();
    });
}

fn each_replaces_the_last() {
    each_on_disk(&subjects(&[]), 64 * 1024, |_, files| {
        let payload = vec![b'D'; 1024 - size("foo", 0) as usize];
        for _ in 0..2_000 {
            let seq = files.put("foo", &payload);
            if seq > 1 {
                files.remove([seq - 1]);
            }
            assert!(files.store.blocks() <= 2);
        }
        assert_eq!((files.span(), files.state().bytes), ((1, 2000, 2000), 1024));
        // Nor do files stay.
        files.store.flush().unwrap();
        assert_eq!(files.block_files().len(), files.store.blocks());
        files.stays();
    });
}

fn stored_read_and_removed() {
    each_on_disk(&subjects(&[]), 256 * 1024, |_, files| {
        files.put_many(2_000, "foo", HELLO);
        files.put_many(1_000, "foo", &[b'D'; 991]);
        files.reopen();
        for _ in 0..2 {
            for seq in 1..=3_000 {
                let len = if seq <= 2_000 { HELLO.len() } else { 991 };
                assert_eq!(files.payload(seq).len(), len);
            }
        }
        files.reopen();
        files.remove(1..=3_000);
        assert_eq!((files.span(), files.state().bytes), ((0, 3_001, 3_000), 0));
        files.stays();
    });
}

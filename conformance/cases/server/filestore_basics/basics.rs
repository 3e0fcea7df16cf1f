//! Messages that are stored, read again, and found after a restart.

use super::files::{HELLO, NOW, SECOND, each, filter, plain, size, subjects};
use nats_server::model::{StorageType, StreamConfig, Time};
use nats_server::store::stream::{NewMessage, StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library basics => ["TestFileStoreBasics"],
    library message_headers => ["TestFileStoreMsgHeaders"],
    library written_and_restored => ["TestFileStoreBasicWriteMsgsAndRestore"],
    library skipped => ["TestFileStoreSkipMsg"],
    library skipped_many_in_few_blocks => ["TestFileStoreSkipMsgAndNumBlocks"],
    library time_stamps => ["TestFileStoreTimeStamps"],
    library last_time => ["TestFileStoreRememberLastMsgTime"],
    library read_at_once => ["TestFileStoreWriteAndReadSameBlock"],
    library read_from_many_blocks => ["TestFileStoreAndRetrieveMultiBlock"],
    library read_after_idle_times => ["TestFileStoreWriteExpireWrite", "TestFileStorePartialCacheExpiration", "TestFileStorePartialIndexes"],
    library read_behind_an_erased_message => ["TestFileStoreStreamDeleteCacheBug"],
    library deleted_with_what_is_written_beside => ["TestFileStoreStreamDeleteDirNotEmpty"],
}

fn basics() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&[]), 0, |files| {
        for seq in 1..=5 {
            assert_eq!(files.put("foo", HELLO), seq);
            assert_eq!(files.state().last_ts, Time::from_unix_ns(files.now));
        }
        assert_eq!(files.span(), (5, 1, 5));
        assert_eq!(files.state().bytes, 5 * size("foo", 11));
        let found = files.load(2).unwrap();
        assert_eq!((found.subject(), found.payload()), (&b"foo"[..], HELLO));
        assert_eq!(files.payload(3), HELLO);
        // The first, the last, and one between.
        for (seq, left) in [(1, (4, 2, 5)), (5, (3, 2, 5)), (3, (2, 2, 5))] {
            files.remove([seq]);
            assert_eq!(files.span(), left);
            assert!(!files.store.remove(seq).unwrap());
        }
        assert_eq!(files.state().deleted, [3, 5]);
    });
}

fn message_headers() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&[]), 0, |files| {
        let headers = b"name:derek";
        let new = NewMessage { subject: b"foo", headers, payload: HELLO, ttl_s: 0 };
        files.store.store(new, NOW).unwrap();
        assert_eq!(files.state().bytes, 22 + 3 + 4 + 10 + 11 + 8);
        let found = files.load(1).unwrap();
        assert_eq!((found.headers(), found.payload()), (&headers[..], HELLO));
        files.erase([1]);
        assert!(files.is_gone(1));
    });
}

fn written_and_restored() {
    crate::exercises!("gap_areas", "1.1");
    each(&subjects(&[]), 0, |files| {
        let wrong = StreamConfig { storage: StorageType::Memory, ..files.store.config().clone() };
        let refused = files.store.update_config(&wrong, NOW);
        assert!(matches!(refused, Err(StoreError::WrongType)));

        let payload = |seq: u64| format!("[{seq:08}] Hello World!").into_bytes();
        let each_size = size("foo", payload(22).len());
        for seq in 1..=100 {
            assert_eq!(files.put("foo", &payload(seq)), seq);
        }
        assert_eq!((files.span(), files.state().bytes), ((100, 1, 100), 100 * each_size));
        files.stop();
        assert!(matches!(files.try_put("foo", b"no work"), Err(StoreError::Closed)));
        files.start_sound();
        assert_eq!((files.span(), files.state().bytes), ((100, 1, 100), 100 * each_size));
        for seq in 101..=200 {
            assert_eq!(files.put("foo", &payload(seq)), seq);
        }
        files.reopen();
        assert_eq!((files.span(), files.state().bytes), ((200, 1, 200), 200 * each_size));
        assert!((1..=200).all(|seq| files.payload(seq) == payload(seq)));

        assert_eq!(files.store.purge().unwrap(), 200);
        files.reopen();
        assert_eq!((files.span(), files.state().bytes), ((0, 201, 200), 0));
        assert_eq!(files.put("foo", b"Hello"), 201);
        files.remove([201]);
        files.reopen();
        assert_eq!(files.span(), (0, 202, 201));
        files.reopen_without_index();
        assert_eq!(files.span(), (0, 202, 201));
    });
}

fn skipped() {
    each(&subjects(&[]), 256, |files| {
        for seq in 1..=10 {
            assert_eq!(files.store.skip(0, NOW, false).unwrap(), seq);
        }
        assert_eq!(files.span(), (0, 11, 10));
        files.put("zzz", HELLO);
        (0..2).for_each(|_| _ = files.store.skip(0, NOW, false).unwrap());
        files.put("zzz", HELLO);
        files.store.skip(0, NOW, false).unwrap();
        assert_eq!(files.span(), (2, 11, 15));
        files.reopen();
        assert_eq!(files.span(), (2, 11, 15));
        assert_eq!(files.state().deleted, [12, 13, 15]);
        assert_eq!(files.payload(11), HELLO);
        assert!(files.is_gone(12));

        files.store.skip(0, NOW, false).unwrap();
        assert_eq!(files.put("AAA", b"Skip?"), 17);
        files.reopen_without_index();
        assert_eq!((files.span(), files.payload(17)), ((3, 11, 17), b"Skip?".to_vec()));
    });
}

fn skipped_many_in_few_blocks() {
    crate::exercises!("gap_areas", "1.1");
    let mut files = plain(&subjects(&["zzz"]), 128);
    files.put("zzz", &[b'X'; 100]);
    files.store.skip_many(0, 10_000, NOW).unwrap();
    assert_eq!(files.put("zzz", &[b'X'; 100]), 10_002);
    files.store.flush().unwrap();
    assert_eq!(files.block_files().len(), 3, "{:?}", files.block_files());
    assert_eq!(files.store.fast_state().num_deleted, 10_000);
    files.reopen_without_index();
    assert_eq!(files.span(), (2, 1, 10_002));
}

fn time_stamps() {
    each(&subjects(&[]), 0, |files| {
        files.put_many(10, "foo", HELLO);
        let times = |files: &mut super::files::Files| -> Vec<i64> {
            (1..=10).map(|seq| files.load(seq).unwrap().time_ns).collect()
        };
        let stored: Vec<i64> = (1..=10).map(|n| NOW + n * 1_000_000).collect();
        assert_eq!(times(files), stored);
        files.reopen();
        assert_eq!(times(files), stored);
    });
}

fn last_time() {
    let max_age = nats_server::base::duration::GoDuration(SECOND);
    each(&StreamConfig { max_age, ..subjects(&[]) }, 0, |files| {
        let payload = vec![b'X'; 64 * 1024];
        // After a removal,
        files.put("foo", &payload);
        let last = Time::from_unix_ns(files.now);
        files.remove([1]);
        assert_eq!(files.state().last_ts, last);
        files.reopen();
        assert_eq!(files.state().last_ts, last);
        // a purge,
        files.put("foo", &payload);
        let last = Time::from_unix_ns(files.now);
        files.store.purge().unwrap();
        files.reopen();
        assert_eq!(files.state().last_ts, last);
        // and when all were too old.
        files.put_many(2, "foo", &payload);
        let last = Time::from_unix_ns(files.now);
        files.wait(2 * SECOND);
        assert_eq!(files.span(), (0, 5, 4));
        files.reopen();
        assert_eq!((files.span(), files.state().last_ts), ((0, 5, 4), last));
        // The last sequence stays too, when the last ones go first.
        files.put_many(2, "foo", &payload);
        let last = Time::from_unix_ns(files.now);
        files.remove([6, 5]);
        files.reopen_without_index();
        assert_eq!((files.span(), files.state().last_ts), ((0, 7, 6), last));
    });
}

fn read_at_once() {
    crate::exercises!("gap_areas", "1.8");
    each(&subjects(&[]), 0, |files| {
        for seq in 1..=10 {
            files.put("foo", HELLO);
            assert_eq!(files.payload(seq), HELLO);
        }
    });
}

fn read_from_many_blocks() {
    crate::exercises!("gap_areas", "1.1");
    each(&subjects(&[]), 4 * size("foo", 12), |files| {
        for n in 1..=20 {
            files.put("foo", format!("Hello World{:1}", n % 10).as_bytes());
        }
        assert_eq!(files.span(), (20, 1, 20));
        files.reopen();
        assert_eq!(files.block_files(), [1, 2, 3, 4, 5]);
        for n in 1..=20 {
            assert_eq!(files.payload(n), format!("Hello World{:1}", n % 10).into_bytes());
        }
        assert!(matches!(files.load(21), Err(StoreError::Eof)));
    });
}

fn read_after_idle_times() {
    crate::exercises!("gap_areas", "1.8");
    each(&subjects(&[]), 0, |files| {
        files.put_many(10, "zzz", HELLO);
        files.idle();
        // What is added does not hide what is in the file only.
        files.put_many(10, "zzz", b"Hello World! - 22");
        assert_eq!(
            (files.payload(1), files.payload(18)),
            (HELLO.into(), b"Hello World! - 22".into())
        );
        files.idle();
        assert_eq!(files.payload(1), HELLO);
        assert_eq!(files.span(), (20, 1, 20));
        files.reopen();
        assert_eq!(files.span(), (20, 1, 20));
        for seq in 1..=20 {
            let found = files.load(seq).unwrap();
            assert_eq!(found.subject(), b"zzz");
            assert_eq!(found.payload(), if seq > 10 { b"Hello World! - 22" } else { HELLO });
        }
        // Nor is the next read of another block taken from this one.
        assert_eq!(files.store.purge_ex(filter("zzz"), 11, 0).unwrap(), 10);
        files.idle();
        assert_eq!(files.payload(11), b"Hello World! - 22");
    });
}

fn read_behind_an_erased_message() {
    crate::exercises!("gap_areas", "1.8");
    each(&subjects(&[]), 0, |files| {
        files.put_many(2, "foo", HELLO);
        files.erase([1]);
        files.idle();
        assert_eq!(files.payload(2), HELLO);
        files.reopen_without_index();
        assert_eq!((files.span(), files.payload(2)), ((1, 2, 2), HELLO.to_vec()));
    });
}

fn deleted_with_what_is_written_beside() {
    each(&subjects(&[]), 0, |files| {
        files.put_many(10, "foo", HELLO);
        let (begun, ready) = std::sync::mpsc::channel();
        let beside = files.dir().join("g");
        let writer = std::thread::spawn(move || {
            for n in 0..100 {
                // It fails when the folder is gone.
                let _ = std::fs::write(&beside, b"OK");
                if n == 0 {
                    begun.send(()).unwrap();
                }
            }
        });
        ready.recv().unwrap();
        files.store.delete().unwrap();
        writer.join().unwrap();
        assert!(!files.dir().exists());
    });
}

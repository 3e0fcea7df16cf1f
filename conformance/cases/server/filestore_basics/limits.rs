//! What limits remove and refuse, and when.

use super::files::{Files, HELLO, SECOND, each, filter, simple, size, subjects};
use nats_server::base::duration::GoDuration;
use nats_server::model::{DiscardPolicy, StreamConfig, Time};
use nats_server::store::stream::{StoreError, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library message_limit => ["TestFileStoreMsgLimit", "TestFileStoreMsgLimitBug"],
    library bytes_limit => ["TestFileStoreBytesLimit"],
    library bytes_limit_refuses => ["TestFileStoreBytesLimitWithDiscardNew"],
    library blocks_under_a_limit => ["TestFileStoreStreamFailToRollBug"],
    library age_limit => ["TestFileStoreAgeLimit"],
    library too_old_when_opened => ["TestFileStoreAgeLimitRecovery", "TestFileStoreShortIndexWriteBug", "TestFileStoreFSSCloseAndKeepOnExpireOnRecoverBug"],
    library some_too_old_when_opened => ["TestFileStoreExpireMsgsOnStart"],
    library subjects_too_old_when_opened => ["TestFileStoreExpireOnRecoverSubjectAccounting"],
    library first_one_deleted_when_opened => ["TestFileStoreBadFirstAndFailedExpireAfterRestart"],
    library written_after_all_were_too_old => ["TestFileStoreEncryptedKeepIndexNeedBekResetBug"],
    library one_per_subject => ["TestFileStoreMaxMsgsPerSubject", "TestFileStoreRebuildStateProperlyWithMaxMsgsPerSubject"],
    library one_per_subject_refuses => ["TestFileStoreMaxMsgsAndMaxMsgsPerSubject"],
    library messages_per_subject_change => ["TestFileStoreUpdateMaxMsgsPerSubject"],
}

fn aged(max_age: i64) -> StreamConfig {
    StreamConfig { max_age: GoDuration(max_age), ..subjects(&["*", "orders.*"]) }
}

fn message_limit() {
    crate::exercises!("gap_areas", "1.9");
    each(&StreamConfig { max_msgs: 10, ..subjects(&[]) }, 0, |files| {
        files.put_many(10, "foo", HELLO);
        assert_eq!(files.span(), (10, 1, 10));
        files.put("foo", HELLO);
        assert_eq!(files.span(), (10, 2, 11));
        assert!(files.is_gone(1));
    });
    each(&StreamConfig { max_msgs: 1, ..subjects(&[]) }, 0, |files| {
        files.put_many(2, "foo", HELLO);
        files.reopen();
        assert_eq!(files.put("foo", HELLO), 3);
        assert_eq!(files.span(), (1, 3, 3));
    });
}

fn bytes_limit() {
    crate::exercises!("gap_areas", "1.9");
    let max_bytes = 1024 * size("foo", 512);
    each(&StreamConfig { max_bytes: max_bytes as i64, ..subjects(&[]) }, 0, |files| {
        files.put_many(1024, "foo", &[0; 512]);
        assert_eq!((files.span(), files.state().bytes), ((1024, 1, 1024), max_bytes));
        files.put_many(10, "foo", &[0; 512]);
        assert_eq!((files.span(), files.state().bytes), ((1024, 11, 1034), max_bytes));
    });
}

fn bytes_limit_refuses() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig { max_bytes: 100, discard: DiscardPolicy::New, ..subjects(&[]) };
    each(&config, 0, |files| {
        for n in 0..10 {
            let stored = files.try_put("tiny", &[0; 7]);
            match n {
                0..2 => assert_eq!(stored.unwrap(), n + 1),
                _ => assert!(matches!(stored, Err(StoreError::MaxBytes))),
            }
        }
        assert_eq!((files.span(), files.state().bytes), ((2, 1, 2), 2 * size("tiny", 7)));
    });
}

fn blocks_under_a_limit() {
    crate::exercises!("gap_areas", "1.1");
    each(&StreamConfig { max_bytes: 300, ..subjects(&[]) }, 512, |files| {
        files.put_many(200, "zzz", &[b'A'; 99]);
        files.store.flush().unwrap();
        assert_eq!(files.span(), (2, 199, 200));
        // Those that have nothing left in them are gone.
        let [index] = files.block_files()[..] else { panic!("{:?}", files.block_files()) };
        assert!(index >= 60, "{index}");
        assert!(std::fs::metadata(files.block_path(index)).unwrap().len() <= 512);
    });
}

fn age_limit() {
    crate::exercises!("gap_areas", "1.9");
    each(&aged(SECOND), 256, |files| {
        files.put_many(500, "foo", HELLO);
        assert_eq!(files.span(), (500, 1, 500));
        files.wait(SECOND / 2);
        assert_eq!(files.span(), (500, 1, 500));
        files.wait(SECOND / 2);
        assert_eq!((files.span(), files.state().bytes), ((0, 501, 500), 0));
        assert_eq!(files.store.expire(files.now).unwrap(), None);
        // Again, and with messages missing between.
        files.put_many(500, "foo", HELLO);
        files.remove([502, 602, 702, 802]);
        assert_eq!(files.span(), (496, 501, 1000));
        files.wait(SECOND);
        assert_eq!((files.span(), files.state().bytes), ((0, 1001, 1000), 0));
    });
}

fn too_old_when_opened() {
    crate::exercises!("gap_areas", "1.4");
    each(&aged(SECOND), 0, |files| {
        files.put_many(100, "foo", HELLO);
        files.stop();
        files.now += SECOND;
        files.start_sound();
        assert_eq!((files.span(), files.state().bytes), ((0, 101, 100), 0));
        assert_eq!(files.state().num_subjects, 0);
        // No sequence is used again, though the index has become shorter.
        files.reopen();
        assert_eq!(files.span(), (0, 101, 100));
        files.reopen_without_index();
        assert_eq!(files.span(), (0, 101, 100));
        assert_eq!(files.put("foo", HELLO), 101);
    });
}

/// Messages to ten subjects.
fn orders(files: &mut Files, count: u64) {
    (1..=count).for_each(|n| _ = files.put(&format!("orders.{}", n % 10), &[b'A'; 99]));
}

fn some_too_old_when_opened() {
    crate::exercises!("gap_areas", "1.4");
    // Between the two puts half the time passes, and from the second to the opening nearly all.
    let between = |files: &mut Files| files.now += SECOND;
    let restart = |files: &mut Files| {
        files.stop();
        files.now += SECOND + SECOND / 2;
        files.start_sound();
    };
    let config = aged(2 * SECOND);
    each(&config, 8 * 1024, |files| {
        orders(files, 10);
        between(files);
        orders(files, 10);
        assert_eq!(files.filtered(1, "orders.*"), simple(20, 1, 20));
        restart(files);
        assert_eq!(files.span(), (10, 11, 20));
        assert_eq!(files.filtered(1, "orders.*"), simple(10, 11, 20));
        assert_eq!(files.filtered(1, "orders.5"), simple(1, 15, 15));
        assert_eq!(files.block_files().len(), 1);
    });
    // A block whose last messages are deleted goes as a whole.
    each(&config, 8 * 1024, |files| {
        orders(files, 150);
        between(files);
        orders(files, 100);
        files.store.flush().unwrap();
        assert_eq!(files.block_files(), [1, 2, 3, 4, 5]);
        files.remove((50..60).rev());
        restart(files);
        assert_eq!(files.span(), (100, 151, 250));
        assert_eq!(files.block_files(), [3, 4, 5]);
    });
    // Deleted ones are not counted again.
    each(&config, 8 * 1024, |files| {
        orders(files, 10);
        files.remove([2, 4, 6]);
        between(files);
        orders(files, 10);
        restart(files);
        assert_eq!(files.span(), (10, 11, 20));
        assert!(files.state().deleted.is_empty());
    });
    each(&config, 8 * 1024, |files| {
        orders(files, 7);
        between(files);
        orders(files, 3);
        files.remove([8, 9, 10]);
        restart(files);
        assert_eq!(files.span(), (0, 11, 10));
    });
    // All, and the last sequence is known nevertheless.
    each(&config, 8 * 1024, |files| {
        orders(files, 500);
        files.stop();
        files.now += 2 * SECOND;
        files.start_sound();
        assert_eq!(files.span(), (0, 501, 500));
        assert_eq!(files.block_files().len(), 1);
    });
    // Compacting counts as it.
    each(&config, 8 * 1024, |files| {
        orders(files, 100);
        assert_eq!(files.filtered(1, "orders.5"), simple(10, 5, 95));
        assert_eq!(files.store.compact(51).unwrap(), 50);
        assert_eq!(files.filtered(1, "orders.*"), simple(50, 51, 100));
        assert_eq!(files.filtered(1, "orders.5"), simple(5, 55, 95));
    });
}

fn subjects_too_old_when_opened() {
    crate::exercises!("gap_areas", "1.4");
    each(&aged(2 * SECOND), 100, |files| {
        files.put("A", &[b'A'; 19]);
        files.put("B", &[b'A'; 19]);
        files.now += SECOND;
        files.put("C", &[b'A'; 19]);
        files.stop();
        assert_eq!(files.block_files(), [1, 2]);
        files.now += SECOND + SECOND / 2;
        files.start_sound();
        assert_eq!((files.span(), files.state().num_subjects), ((1, 3, 3), 1));
        assert_eq!(files.store.subjects_totals(filter("*")), [(b"C".to_vec(), 1)].into());
    });
}

fn first_one_deleted_when_opened() {
    crate::exercises!("gap_areas", "1.4");
    each(&aged(SECOND), 256, |files| {
        files.put_many(7, "foo", b"ZZ");
        files.now += SECOND + SECOND / 2;
        files.put_many(2, "foo", b"ZZ");
        let last = Time::from_unix_ns(files.now);
        files.remove([8]);
        files.stop();
        assert_eq!(files.block_files(), [1, 2]);
        files.start_sound();
        assert_eq!((files.span(), files.state().first_ts), ((1, 9, 9), last));
        files.wait(SECOND);
        assert_eq!((files.span(), files.state().last_ts), ((0, 10, 9), last));
    });
}

fn written_after_all_were_too_old() {
    crate::exercises!("gap_areas", "1.2");
    each(&aged(SECOND), 0, |files| {
        files.put_many(5, "foo", b"ouch");
        files.wait(SECOND);
        assert_eq!(files.span(), (0, 6, 5));
        files.put_many(5, "foo", b"ouch");
        files.idle();
        assert_eq!(files.payload(10), b"ouch");
        files.reopen_without_index();
        assert_eq!((files.span(), files.payload(10)), ((5, 6, 10), b"ouch".to_vec()));
    });
}

fn one_per_subject() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["kv.>"]) };
    each(&config, 128, |files| {
        for n in (1..=100).chain(1..=100) {
            files.put(&format!("kv.{n}"), b"value");
        }
        assert_eq!(files.span(), (100, 101, 200));
        assert!(files.state().deleted.is_empty());
        // Three in a block.
        files.store.flush().unwrap();
        assert_eq!(files.block_files().len(), 34);
    });
    each(&config, 4096, |files| {
        files.put("baz", b"");
        (0..1000).for_each(|_| _ = (files.put("foo", b""), files.put("bar", b"")));
        assert_eq!(files.span(), (3, 1, 2001));
        assert_eq!(files.state().num_subjects, 3);
        files.reopen_without_index();
        assert_eq!(files.span(), (3, 1, 2001));
        assert_eq!(files.state().num_subjects, 3);
    });
}

fn one_per_subject_refuses() {
    crate::exercises!("gap_areas", "1.9");
    let config = StreamConfig {
        max_msgs: 100,
        max_msgs_per_subject: 1,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        ..subjects(&["kv.>"])
    };
    each(&config, 128, |files| {
        (1..=100).for_each(|n| _ = files.put(&format!("kv.{n}"), b"value"));
        assert!(matches!(files.try_put("kv.101", b"value"), Err(StoreError::MaxMsgs)));
        for n in 1..=100 {
            let stored = files.try_put(&format!("kv.{n}"), b"value");
            assert!(matches!(stored, Err(StoreError::MaxMsgsPerSubject)), "{stored:?}");
        }
        assert_eq!(files.span(), (100, 1, 100));
    });
}

fn messages_per_subject_change() {
    crate::exercises!("gap_areas", "1.9");
    each(&StreamConfig { max_msgs_per_subject: 10, ..subjects(&["foo"]) }, 0, |files| {
        let mut config = files.store.config().clone();
        config.max_msgs_per_subject = 50;
        files.store.update_config(&config, files.now).unwrap();
        files.put_many(22, "foo", b"");
        assert_eq!(files.filtered(1, "foo").messages, 22);
        config.max_msgs_per_subject = 10;
        files.store.update_config(&config, files.now).unwrap();
        assert_eq!(files.filtered(1, "foo"), simple(10, 13, 22));
        files.reopen();
        assert_eq!(files.store.config().max_msgs_per_subject, 10);
        assert_eq!(files.span(), (10, 13, 22));
    });
}

//! Reading: which blocks it needs, and what damage means to it.

use super::files::{Files, LEN, each, plain, subjects};
use nats_server::ds::generic_sublist::SimpleSublist;
use nats_server::model::StreamConfig;
use nats_server::store::stream::{Effects, Filter, StoreError, StoredMessage, StreamStore};

crate::cases! {
    "server/filestore_test.go",
    library subject_of_a_sequence => ["TestFileStoreSubjectForSeq"],
    library subjects_of_many_blocks => ["TestFileStoreSubjectForSeqAliasRace"],
    library each_sequence_has_its_block => ["TestFileStoreSelectMsgBlockBinarySearch"],
    library blocks_are_skipped => [
        "TestFileStoreLoadNextMsgSkipAhead",
        "TestFileStoreLoadNextMsgMultiSkipAhead",
    ],
    library purge_looks_where_the_subject_is => [
        "TestFileStoreDontLoadSubjectStateIfNotPurged",
        "TestFileStoreOnlyLoadSubjectStateOnBlocksWithinInterestRange",
    ],
    library first_of_a_subject => ["TestFileStoreRemovePerSubjectWithMultipleBlocks"],
    library damage_does_not_stop_writes => [
        "TestFileStoreSetWriteErrIgnoresReadErrors",
        "TestFileStoreMsgBlockWErrNotSetOnReadErrors",
        "TestFileStoreGeneratePerSubjectInfoFssNilOnError",
    ],
    library removed_by_limits => ["TestFileStoreRemoveMsgViaLimitsCallbackAliasedSubj"],
    library subjects_keep_their_order => ["TestFileStoreMultiLastSeqsDoesNotReorderConfigSubjects"],
    library replaced_and_removed => ["TestFileStoreStoreRawMsgVsConcurrentBlockRemovalNoWriteErr"],
    library replaced_and_expired => ["TestFileStoreStoreRawMsgVsAgeExpiryNoWriteErr"],
    library no_message_in_an_empty_stream => ["TestFileStoreCacheLookupOnEmptyBlock"],
}

fn subject_of_a_sequence() {
    crate::exercises!("gap_areas", "1.10");
    let mut files = plain(&subjects(&["foo.>"]), 4096);
    assert_eq!(files.put("foo.bar"), 1);
    assert!(matches!(files.store.subject_for_seq(0), Err(StoreError::NotFound)));
    assert_eq!(files.store.subject_for_seq(1).unwrap(), b"foo.bar");
    assert!(matches!(files.store.subject_for_seq(2), Err(StoreError::NotFound)));
}

fn subjects_of_many_blocks() {
    crate::exercises!("gap_areas", "1.10");
    let subject = |seq: u64| format!("foo.seq-{seq:05}-{}", "A".repeat(40));
    each(&subjects(&["foo.>"]), 1024, |files| {
        (1..=256).for_each(|seq| _ = files.put(&subject(seq)));
        // More than are kept in memory.
        assert!(files.store.blocks() > 20);
        for n in 0..1024 {
            let seq = n * 37 % 256 + 1;
            assert_eq!(files.store.subject_for_seq(seq).unwrap(), subject(seq).as_bytes());
        }
    });
}

fn each_sequence_has_its_block() {
    each(&subjects(&[">"]), 2 * LEN, |files| {
        files.put_many("foo", 32);
        files.remove([2, 5]);
        files.put_many("foo", 34);
        for _ in 0..2 {
            assert_eq!(files.span(), (64, 1, 66));
            files.lacks(&[2, 5]);
            files.reopen();
        }
        files.reopen_without_index();
        files.lacks(&[2, 5]);
    });
}

/// Blocks with two messages each, opened anew; the files of all but some blocks are spoilt then.
fn spoilt(of_one: bool, needed: &[u32]) -> Files {
    let mut files = plain(&subjects(&[">"]), 2 * 31);
    for n in 0..10 {
        files.put(if of_one || n % 2 == 1 { "a" } else { "c" });
    }
    files.put("b");
    assert_eq!(files.store.blocks(), 6);
    files.reopen();
    for index in files.block_files() {
        if !needed.contains(&index) {
            std::fs::write(files.block(index), [0; 62]).unwrap();
        }
    }
    files
}

fn blocks_are_skipped() {
    crate::exercises!("gap_areas", "1.10");
    let mut set = SimpleSublist::new();
    for subject in ["b", "d"] {
        set.insert(subject.as_bytes(), ()).unwrap();
    }
    for of_one in [true, false] {
        for (start, needed) in [(0, &[6][..]), (3, &[2, 6])] {
            for filter in [Filter::of(b"b"), Filter::Set(&set)] {
                let mut files = spoilt(of_one, needed);
                let mut out = StoredMessage::default();
                files.store.load_next(filter, start, &mut out).unwrap();
                assert_eq!((out.seq, out.subject()), (11, &b"b"[..]));
                // The others were not needed.
                assert!(matches!(files.load(1), Err(StoreError::BadMessage(1))));
            }
        }
    }
}

fn purge_looks_where_the_subject_is() {
    crate::exercises!("gap_areas", "1.10");
    for (subject, purged) in [("none", 0), ("b", 1)] {
        let mut files = spoilt(true, &[6]);
        let filter = Filter::of(subject.as_bytes());
        assert_eq!(files.store.purge_ex(filter, 0, 0).unwrap(), purged);
        assert_eq!(files.state().messages, 11 - purged);
    }
}

fn first_of_a_subject() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&[">"]), LEN, |files| {
        files.put_many("foo", 2);
        assert_eq!(files.store.blocks(), 2);
        let first = |files: &mut Files| {
            files.store.subjects_state(Filter::of(b"foo")).unwrap()[&b"foo"[..]].first_seq
        };
        assert_eq!(first(files), 1);
        files.remove([2]);
        assert_eq!(first(files), 1);
        files.reopen_without_index();
        assert_eq!(first(files), 1);
    });
}

fn damage_does_not_stop_writes() {
    crate::exercises!("gap_areas", "1.5");
    let config = StreamConfig { max_msgs_per_subject: 3, ..subjects(&["foo"]) };
    let mut files = plain(&config, 2 * LEN);
    files.put_many("foo", 3);
    files.reopen();
    let sound = files.bytes(1);
    std::fs::write(files.block(1), vec![0; sound.len()]).unwrap();
    assert!(matches!(files.load(1), Err(StoreError::BadMessage(1))));
    assert!(files.store.subjects_state(Filter::All).is_ok());
    // The first one has to go, and can.
    assert_eq!(files.put("foo"), 4);
    assert_eq!(files.put("foo"), 5);
    files.store.sync().unwrap();
    assert_eq!(files.load(5).unwrap().seq, 5);
    // What cannot be written does stop them.
    files.store.fail(&std::io::ErrorKind::WriteZero.into());
    let stored = files
        .try_put(nats_server::store::stream::NewMessage { subject: b"foo", ..Default::default() });
    let Err(StoreError::Io(error)) = stored else { panic!("{stored:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    assert_eq!(files.load(5).unwrap().seq, 5);
}

fn removed_by_limits() {
    let mut files = plain(&StreamConfig { max_msgs: 1, ..subjects(&[">"]) }, 4096);
    files.put_payload("foo.bar", b"payload-1");
    files.put_payload("foo.baz", b"payload-2");
    let mut effects = Effects::default();
    files.store.take_effects(&mut effects);
    assert_eq!(effects.removed().collect::<Vec<_>>(), [(1, &b"foo.bar"[..])]);
    assert_eq!(effects.messages, 1);
}

fn subjects_keep_their_order() {
    let names = ["orders.*", "billing.*"];
    let mut files = plain(&subjects(&names), 4096);
    files.put("orders.1");
    files.put("billing.1");
    let mut set = SimpleSublist::new();
    for name in names {
        set.insert(name.as_bytes(), ()).unwrap();
    }
    assert_eq!(files.store.multi_last_seqs(Filter::Set(&set), 0, 0).unwrap(), [1, 2]);
    assert_eq!(files.store.config().subjects, names);
    files.reopen();
    assert_eq!(files.store.config().subjects, names);
}

fn replaced_and_removed() {
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["foo.>"]) };
    let mut files = plain(&config, 256);
    for n in 0..400_u64 {
        let seq = files.put_payload(&format!("foo.{}", n % 4), &[0; 128]);
        // Before it is replaced, after it was, or not at all.
        match n % 3 {
            0 => files.remove([seq]),
            1 if seq > 4 => _ = files.store.remove(seq - 4).unwrap(),
            _ => {}
        }
        if seq > 2 {
            let loaded = files.load(seq - 2);
            assert!(matches!(loaded, Ok(_) | Err(StoreError::NotFound)), "{loaded:?}");
        }
    }
    assert!(files.state().messages <= 4);
    assert_eq!(files.put("foo.healthy"), 401);
    files.keeps_its_state();
}

fn replaced_and_expired() {
    use nats_server::base::duration::GoDuration;
    let max_age = GoDuration(16_000_000);
    let config = StreamConfig { max_msgs_per_subject: 1, max_age, ..subjects(&["foo.>"]) };
    let mut files = plain(&config, 256);
    for n in 0..400_u64 {
        // Its subject's last one is as old as may be.
        files.put_payload(&format!("foo.{}", n % (15 + n % 3)), &[0; 128]);
        files.store.expire(files.now).unwrap();
        assert!(files.state().messages <= 17);
    }
    assert_eq!(files.put("foo.healthy"), 401);
    files.store.expire(files.now + max_age.0).unwrap();
    assert_eq!(files.span(), (0, 402, 401));
}

fn no_message_in_an_empty_stream() {
    each(&subjects(&["foo"]), 4096, |files| {
        assert!(matches!(files.load(0), Err(StoreError::NotFound)));
        assert!(matches!(files.load(1), Err(StoreError::Eof)));
        files.put("foo");
        files.remove([1]);
        assert!(matches!(files.load(1), Err(StoreError::NotFound)));
        files.reopen();
        assert!(matches!(files.load(1), Err(StoreError::NotFound)));
    });
}

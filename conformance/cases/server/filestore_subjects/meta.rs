//! What is known of subjects, and for how long messages are kept in memory to know it.

use crate::cases::server::filestore_damage::stream::{Stream, each, filter, options, subjects};
use nats_server::ds::generic_sublist::SimpleSublist;
use nats_server::model::{SimpleState, StreamConfig};
use nats_server::store::stream::{Filter, StoreError, StoredMessage, StreamStore};
use std::fs;

crate::cases! {
    "server/filestore_test.go",
    library subjects_after_a_restart => ["TestFileStoreExpireSubjectMeta"],
    library states_of_many_blocks => ["TestFileStoreSubjectStateCacheExpiration"],
    library messages_without_subjects => ["TestFileStoreNoFSSWhenNoSubjects", "TestFileStoreNoFSSAfterRecover"],
    library a_subject_whose_only_message_is_gone => ["TestFileStoreNoFSSBugAfterRemoveFirst"],
    library stored_when_memory_was_given_up => ["TestFileStoreFSSExpireNumPendingBug"],
    library a_second_subject_in_a_block => ["TestFileStoreFilteredFirstMatchingBug"],
    library subjects_after_a_truncation => ["TestFileStoreDoesntRebuildSubjectStateWithNoTrack"],
    library blocks_in_use_are_kept => ["TestFileStoreFSSExpire"],
    library blocks_that_a_set_walked_through => ["TestFileStoreFirstMatchingMultiExpiry"],
    library what_was_just_stored_is_kept => ["TestFileStoreDontExpireCacheWithRecentWrite"],
}

/// The state of a subject, the only one that is found.
fn state_of(stream: &mut Stream, subject: &str) -> (u64, u64, u64) {
    let states = stream.store.subjects_state(filter(subject)).unwrap();
    assert_eq!(states.len(), 1);
    let SimpleState { messages, first_seq, last_seq } = states[subject.as_bytes()];
    (messages, first_seq, last_seq)
}

fn subjects_after_a_restart() {
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["kv.>"]) };
    each(&config, 1024, |stream| {
        stream.put_numbered("kv.", 1..=100, b"value");
        stream.reopen();
        assert_eq!(stream.store.fast_state().num_subjects, 100);
        for n in 1..=100 {
            let found = stream.last(&format!("kv.{n}"));
            assert_eq!((found.seq, found.payload()), (n, &b"value"[..]));
        }
        stream.maintain();
        assert_eq!(stream.last("kv.22").seq, 22);
        stream.maintain();
        assert_eq!(stream.store.fast_state().num_subjects, 100);
        // What was read last may be there, of one block.
        assert!(stream.store.blocks() > 3);
        assert!(stream.in_memory(100) <= 1024 / 38);
        assert_eq!(stream.store.subjects_totals(Filter::All).len(), 100);
    });
}

fn states_of_many_blocks() {
    let config = StreamConfig { max_msgs_per_subject: 2, ..subjects(&["kv.>"]) };
    each(&config, 32, |stream| {
        stream.put_numbered("kv.foo.", 1..=100, b"value");
        stream.put_numbered("kv.bar.", 1..=100, b"value");
        assert_eq!(stream.store.blocks(), 200);
        stream.maintain();
        assert_eq!(stream.store.subjects_state(filter("kv.bar.>")).unwrap().len(), 100);
        assert_eq!(state_of(stream, "kv.bar.99"), (1, 199, 199));
        stream.put("kv.foo.1", b"value22");
        for _ in 0..2 {
            assert_eq!(stream.state().messages, 201);
            assert_eq!(state_of(stream, "kv.foo.1"), (2, 1, 201));
            assert_eq!(state_of(stream, "kv.bar.99"), (1, 199, 199));
            stream.reopen_without_index();
        }
    });
}

fn messages_without_subjects() {
    for configured in [&[][..], &["foo"]] {
        each(&subjects(configured), 100_000, |stream| {
            (0..100).for_each(|_| _ = stream.put("", b"raft state"));
            assert_eq!(stream.span(), (100, 1, 100));
            stream.stop();
            // All but the last record is spoilt: who looks at them says so.
            let path = stream.block(1);
            let mut block = fs::read(&path).unwrap();
            let spoilt = block.len() - 40;
            block[..spoilt].fill(0);
            fs::write(&path, block).unwrap();
            let fixes = stream.start();
            assert!(fixes.is_empty(), "{fixes:?}");
            assert_eq!(stream.span(), (100, 1, 100));
            assert_eq!(stream.state().num_subjects, 0);
            assert!(stream.store.subjects_totals(Filter::All).is_empty());
            assert!(matches!(stream.load(1), Err(StoreError::BadMessage(1))));
        });
    }
}

fn a_subject_whose_only_message_is_gone() {
    each(&subjects(&["foo.bar.*"]), 8 << 20, |stream| {
        stream.put_numbered("foo.bar.", 0..100, &[b'Z'; 99]);
        assert_eq!(stream.state().messages, 100);
        stream.maintain();
        stream.remove([1]);
        for _ in 0..2 {
            assert_eq!(stream.next("foo.>", 1), Some(2));
            assert_eq!(stream.load(2).unwrap().subject(), b"foo.bar.1");
            assert_eq!(stream.next("foo.bar.0", 1), None);
            assert!(stream.store.subjects_state(filter("foo.bar.0")).unwrap().is_empty());
            assert!(stream.store.subjects_totals(filter("foo.bar.0")).is_empty());
            assert_eq!(stream.state().num_subjects, 99);
            stream.stays();
        }
    });
}

fn stored_when_memory_was_given_up() {
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["KV.>"]) };
    each(&config, 100_000, |stream| {
        stream.maintain();
        for seq in 1..=3 {
            stream.put("KV.X", b"Y");
            assert_eq!(stream.filtered("KV.X"), (1, seq, seq));
            assert_eq!(stream.store.num_pending(1, filter("KV.X"), false).unwrap(), (1, seq));
            stream.store.sync().unwrap();
            stream.maintain();
        }
    });
}

fn a_second_subject_in_a_block() {
    each(&subjects(&["foo.>"]), 100_000, |stream| {
        [b"A", b"B", b"C"].iter().for_each(|payload| _ = stream.put("foo.foo", *payload));
        // What is known of the block is found anew, with one subject in it.
        stream.reopen();
        assert_eq!(state_of(stream, "foo.foo"), (3, 1, 3));
        stream.put("foo.bar", b"X");
        assert_eq!(stream.next("foo.foo", 4), None);
        assert_eq!(stream.next("foo.foo", 3), Some(3));
        assert_eq!(stream.next("foo.bar", 1), Some(4));
        assert_eq!(state_of(stream, "foo.bar"), (1, 4, 4));
    });
}

fn subjects_after_a_truncation() {
    each(&subjects(&[]), 100_000, |stream| {
        stream.put("", b"");
        stream.store.truncate(1, stream.now).unwrap();
        assert_eq!(stream.state().num_subjects, 0);
        stream.put("foo", b"");
        let state = stream.state();
        stream.store.truncate(2, stream.now).unwrap();
        assert_eq!(stream.state(), state);
        stream.put("foo", b"");
        stream.put("bar", b"");
        stream.store.truncate(2, stream.now).unwrap();
        assert_eq!(stream.state(), state);
        stream.stays();
    });
}

fn blocks_in_use_are_kept() {
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["foo.*"]) };
    let mut stream = Stream::on_disk(&config, options(None, 8192));
    stream.put_numbered("foo.", 1..=1000, b"abc");
    assert!(stream.store.blocks() > 4);
    stream.store.sync().unwrap();
    stream.maintain();
    let replace = |stream: &mut Stream, subject| stream.operations(|s| s.put(subject, b"abc")).1;
    // The message that goes is in the first block.
    let cold = replace(&mut stream, "foo.11");
    stream.store.maintain().unwrap();
    assert!(replace(&mut stream, "foo.22") < cold);
    // It was in use since.
    stream.store.maintain().unwrap();
    let warm = replace(&mut stream, "foo.33");
    assert!(warm < cold, "{warm} operations after {cold}");
    stream.maintain();
    assert!(replace(&mut stream, "foo.44") > warm);
    assert_eq!(stream.state().messages, 1000);
}

fn blocks_that_a_set_walked_through() {
    let mut set = SimpleSublist::new();
    set.insert(b"foo.foo", ()).unwrap();
    // A record is of 38 bytes: two in a block.
    each(&subjects(&["foo.>"]), 100, |stream| {
        (b'A'..=b'T').for_each(|payload| _ = stream.put("foo.foo", &[payload]));
        let mut out = StoredMessage::default();
        for (seq, payload) in (1..).zip(b'A'..=b'T') {
            stream.store.load_next(Filter::Set(&set), seq, &mut out).unwrap();
            assert_eq!((out.seq, out.payload()), (seq, &[payload][..]));
        }
        let end = stream.store.load_next(Filter::Set(&set), 21, &mut out);
        assert!(matches!(end, Err(StoreError::Eof)));
        stream.maintain();
        // Those of the last block stay, and what was read last may.
        assert!(stream.in_memory(20) <= 4);
    });
}

fn what_was_just_stored_is_kept() {
    // A record is of 52 bytes: one in a block.
    each(&subjects(&[">"]), 100, |stream| {
        stream.put("foo", &[b'Z'; 19]);
        stream.store.sync().unwrap();
        stream.maintain();
        stream.blank([1]);
        assert_eq!(stream.next("", 0), Some(1));
        assert_eq!(stream.payload(1), [b'Z'; 19]);
        // Until others are stored.
        stream.put("foo", &[b'Z'; 19]);
        stream.store.sync().unwrap();
        stream.maintain();
        stream.blank([2]);
        assert!(stream.load(1).is_err());
        assert_eq!(stream.payload(2), [b'Z'; 19]);
    });
}

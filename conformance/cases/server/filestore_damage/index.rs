//! The file that has the whole state: written, missing, older than the blocks, wrong.

use super::stream::{Stream, each, subjects};
use nats_server::model::StreamConfig;
use nats_server::store::file::recover::Cause;
use nats_server::store::stream::{Filter, StoreError, StreamStore};
use std::fs;

crate::cases! {
    "server/filestore_test.go",
    library an_older_one => ["TestFileStoreFullStateBasics"],
    library an_older_one_by_blocks => ["TestFileStoreFullStateMultiBlockPastWAL"],
    library an_older_one_by_a_removal => ["TestFileStoreFullStateMidBlockPastWAL"],
    library an_older_one_by_removals => ["TestFileStoreFullStateTestUserRemoveWAL"],
    library an_older_one_of_blocks_that_are_gone => ["TestFileStoreRestoreIndexWithMatchButLeftOverBlocks"],
    library what_limits_removed => ["TestFileStoreFullStateTestSysRemovals"],
    library purges => ["TestFileStoreFullStatePurge", "TestFileStoreFullStatePurgeFullRecovery"],
    library written_again_at_the_end => ["TestFileStoreIndexDBExistsAfterShutdown"],
    library written_after_a_purge => ["TestFileStoreWriteFullStateAfterPurgeEx", "TestFileStoreMsgBlockFirstAndLastSeqCorrupt"],
    library a_wrong_count => ["TestFileStoreRecoverFullStateDetectCorruptState"],
    library one_of_many_subjects => ["TestFileStoreTrackSubjLenForPSIM", "TestFileStoreLargeFullStatePSIM"],
    library last_of_a_subject_after_a_restart => ["TestFileStoreMaxMsgsPerSubjectOneStaleFblkAfterRestart"],
    library what_cannot_be_written_is_said => ["TestFileStoreStoreRawMessageThrowsPermissionErrorIfFSModeReadOnly", "TestFileStoreWriteFullStateThrowsPermissionErrorIfFSModeReadOnly"],
    not_applicable "TestFileStoreWriteFullStateHighSubjectCardinality" => "skipped by upstream; prints how long the state of a million subjects takes to be written, and asserts nothing",
    not_applicable "TestFileStoreAccessTimeSpinUp" => "counts the goroutines of a shared clock that ticks while a store is open; the store has no task and reads no clock, times come in with every call",
}

const A: &[u8] = &[b'A'; 19];
const Z: &[u8] = &[b'Z'; 19];

fn an_older_one() {
    crate::exercises!("gap_areas", "1.4");
    // A record is of 50 bytes: two in a block.
    each(&subjects(&["*"]), 100, |stream| {
        stream.put("A", A);
        stream.put("A", Z);
        assert_eq!(stream.store.blocks(), 1);
        stream.reopen();
        assert_eq!(stream.span(), (2, 1, 2));
        assert_eq!((stream.payload(1), stream.payload(2)), (A.to_vec(), Z.to_vec()));
        stream.put("A", Z);
        let index = stream.index();
        assert!(!index.is_empty());
        for (seq, blocks) in [(4, 2), (5, 3)] {
            stream.put("A", Z);
            stream.reopen_with_index(&index);
            assert_eq!(stream.span(), (seq, 1, seq));
            assert_eq!(stream.state().bytes, 50 * seq);
            assert_eq!(stream.store.blocks(), blocks);
            assert_eq!(stream.filtered("A"), (seq, 1, seq));
        }
    });
}

fn an_older_one_by_blocks() {
    crate::exercises!("gap_areas", "1.4");
    each(&subjects(&["*"]), 100, |stream| {
        stream.put("A", A);
        stream.put("B", Z);
        let index = stream.index();
        for subject in ["C", "D", "E", "F", "G", "H"] {
            stream.put(subject, A);
        }
        assert_eq!(stream.store.blocks(), 4);
        let state = stream.state();
        stream.reopen_with_index(&index);
        assert_eq!(stream.state(), state);
        assert_eq!(stream.last("H").seq, 8);
    });
}

fn an_older_one_by_a_removal() {
    crate::exercises!("gap_areas", "1.4");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["*"]) };
    each(&config, 100_000, |stream| {
        for subject in ["A", "B", "C", "D", "E"] {
            stream.put(subject, Z);
        }
        let index = stream.index();
        for subject in ["F", "G", "H", "I", "J"] {
            stream.put(subject, Z);
        }
        stream.remove([2]);
        assert_eq!(stream.store.blocks(), 1);
        let state = stream.state();
        stream.reopen_with_index(&index);
        assert_eq!(stream.state(), state);
        assert_eq!(stream.state().deleted, [2]);
    });
}

fn an_older_one_by_removals() {
    crate::exercises!("gap_areas", "1.4");
    each(&subjects(&["*"]), 132, |stream| {
        stream.put("A", A);
        stream.put("Z", Z);
        stream.remove([1]);
        assert_eq!(stream.payload(2), Z);
        let state = stream.state();
        let index = stream.index();
        assert_eq!(stream.state(), state);
        assert_eq!(stream.payload(2), Z);
        assert!(matches!(stream.load(1), Err(StoreError::NotFound)));
        stream.put("A", A);
        stream.put("Z", Z);
        stream.remove([2, 4]);
        let state = stream.state();
        assert_eq!((stream.span(), state.num_deleted), ((1, 3, 4), 1));
        stream.reopen();
        assert_eq!(stream.state(), state);
        stream.stop();
        fs::write(stream.file("msgs/index.db"), index).unwrap();
        stream.start();
        assert_eq!(stream.state(), state);
        assert!(matches!(stream.load(2), Err(StoreError::NotFound)));
    });
}

fn an_older_one_of_blocks_that_are_gone() {
    crate::exercises!("gap_areas", "1.4");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["foo.*"]) };
    let mut stream = Stream::new(&config, 256);
    stream.put_numbered("foo.", 1..=12, b"hello");
    assert_eq!(stream.store.blocks(), 2);
    let index = stream.index();
    // The first block goes, the second one ends as the index says.
    stream.put_numbered("foo.", 1..=6, b"hello");
    assert!(!stream.block(1).exists());
    let state = stream.state();
    assert_eq!(stream.span(), (12, 7, 18));
    stream.stop();
    fs::write(stream.file("msgs/index.db"), index).unwrap();
    stream.start();
    assert_eq!(stream.state(), state);
    for n in 1..=12 {
        stream.last(&format!("foo.{n}"));
    }
}

fn what_limits_removed() {
    crate::exercises!("gap_areas", "1.4");
    let config = StreamConfig { max_msgs: 10, max_msgs_per_subject: 1, ..subjects(&["*"]) };
    each(&config, 100, |stream| {
        ["A", "B", "A", "B"].iter().for_each(|subject| _ = stream.put(subject, A));
        assert_eq!(stream.span(), (2, 3, 4));
        stream.stays();
        for subject in ["C", "D", "E", "F", "G", "H", "I", "J"] {
            stream.put(subject, A);
        }
        assert_eq!(stream.span(), (10, 3, 12));
        stream.stays();
        stream.put("ZZZ", A);
        assert_eq!(stream.span(), (10, 4, 13));
        stream.stays();
    });
}

fn purges() {
    crate::exercises!("gap_areas", "1.4");
    each(&subjects(&["*"]), 132, |stream| {
        (0..10).for_each(|_| _ = stream.put("A", A));
        assert_eq!(stream.store.purge().unwrap(), 10);
        assert_eq!(stream.span(), (0, 11, 10));
        stream.stays();
        for _ in 0..5 {
            stream.put("B", A);
            stream.put("C", A);
        }
        assert_eq!(stream.store.purge_ex(Filter::Literal(b"B"), 0, 0).unwrap(), 5);
        stream.stays();
        assert_eq!(stream.store.purge_ex(Filter::All, 0, 2).unwrap(), 3);
        assert_eq!(stream.span(), (2, 18, 20));
        stream.stays();
        assert_eq!(stream.store.purge().unwrap(), 2);
        assert_eq!(stream.span(), (0, 21, 20));
        stream.stays();
    });
}

fn written_again_at_the_end() {
    crate::exercises!("gap_areas", "1.6");
    let mut stream = Stream::new(&subjects(&[">"]), 100_000);
    (0..1000).for_each(|_| _ = stream.put("foo.bar.baz", b""));
    stream.store.checkpoint().unwrap();
    stream.put("foo.bar.baz", b"");
    fs::remove_file(stream.file("msgs/index.db")).unwrap();
    stream.stop();
    assert!(stream.file("msgs/index.db").exists());
    assert!(stream.start().is_empty());
    assert_eq!(stream.span(), (1001, 1, 1001));
}

fn written_after_a_purge() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
    stream.put_numbered("foo.", 1..=10, b"abc");
    stream.remove([8, 9, 10]);
    assert_eq!(stream.store.purge_ex(Filter::All, 8, 0).unwrap(), 7);
    assert_eq!(stream.span(), (0, 11, 10));
    stream.store.checkpoint().unwrap();
    assert_eq!(stream.span(), (0, 11, 10));
    stream.stays();
    stream.store.purge().unwrap();
    stream.stays();
    assert_eq!(stream.put("foo.1", b""), 11);
}

fn a_wrong_count() {
    crate::exercises!("gap_areas", "1.4");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
    stream.put_numbered("foo.", 1..=10, b"abc");
    let state = stream.state();
    // Behind magic and version.
    let fixes = stream.forge_index(|index| {
        assert_eq!(index[2], 10);
        index[2] = 0;
    });
    assert!(matches!(fixes.first().map(|fix| &fix.damage.cause), Some(Cause::Index(_))));
    assert_eq!(stream.state(), state);
}

fn one_of_many_subjects() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&[">"]), 1 << 20);
    let mut numbers = super::stream::numbers(1 << 40);
    for n in 0..20_000 {
        let mut subject = n.to_string();
        for _ in 0..numbers.next().unwrap() % 6 {
            subject.push('.');
            subject.push_str(&numbers.next().unwrap().to_string());
        }
        stream.put(&subject, b"");
    }
    let totals = stream.store.subjects_totals(Filter::All);
    assert_eq!(totals.len(), 20_000);
    assert!(totals.values().all(|count| *count == 1));
    stream.reopen();
    assert!(stream.store.subjects_totals(Filter::All) == totals);
    stream.remove((1..=20_000).filter(|seq| seq % 40 == 0));
    let totals = stream.store.subjects_totals(Filter::All);
    assert_eq!((totals.len(), stream.state().num_subjects), (19_500, 19_500));
    stream.stays();
    assert!(stream.store.subjects_totals(Filter::All) == totals);
    stream.store.purge().unwrap();
    assert_eq!(stream.state().num_subjects, 0);
}

fn last_of_a_subject_after_a_restart() {
    crate::exercises!("gap_areas", "1.10");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["foo.*"]) };
    let mut stream = Stream::new(&config, 256);
    stream.put_numbered("foo.", 0..7, b"hello");
    assert_eq!(stream.store.blocks(), 2);
    let seq = stream.put("foo.0", b"hello");
    assert_eq!(stream.last("foo.0").seq, seq);
    stream.reopen();
    // It is not looked for where it was.
    stream.blank([1]);
    assert_eq!(stream.last("foo.0").seq, seq);
    assert_eq!(stream.filtered("foo.0"), (1, seq, seq));
}

fn what_cannot_be_written_is_said() {
    // Whoever may write everywhere cannot write where a directory is.
    let mut stream = Stream::new(&subjects(&["ev.1"]), 1024);
    fs::create_dir(stream.block(2)).unwrap();
    let refused = loop {
        let new = nats_server::store::stream::NewMessage {
            subject: b"ev.1",
            payload: &[b'Z'; 300],
            ..Default::default()
        };
        if let Err(error) = stream.try_put(new) {
            break error;
        }
    };
    assert!(matches!(refused, StoreError::Io(_)), "{refused}");
    // What was stored before is still read.
    assert_eq!(stream.payload(1), [b'Z'; 300]);

    let mut stream = Stream::new(&subjects(&["ev.1"]), 1 << 20);
    stream.put("ev.1", b"");
    let index = stream.file("msgs/index.db");
    _ = fs::remove_file(&index);
    fs::create_dir(&index).unwrap();
    assert!(matches!(stream.store.checkpoint(), Err(StoreError::Io(_))));
    assert!(stream.load(1).is_ok());
}

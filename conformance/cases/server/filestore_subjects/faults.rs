//! Files that are gone or damaged, and disks that fail.

use crate::cases::server::filestore_damage::stream::{
    Stream, each, each_on_disk, filter, subjects,
};
use nats_server::base::fs::Fault;
use nats_server::ds::seq_set::SeqSet;
use nats_server::store::file::index::IndexError;
use nats_server::store::file::recover::Cause;
use nats_server::store::file::repair::Fix;
use nats_server::store::stream::{Filter, NewMessage, StoreError, StreamStore};
use std::cell::Cell;
use std::fs;

crate::cases! {
    "server/filestore_test.go",
    library no_space_for_a_message => ["TestFileStoreOutOfSpaceRebuildState"],
    library blocks_that_are_gone_are_reported => ["TestFileStoreMsgBlkFailOnKernelFaultLostDataReporting"],
    library a_wrong_subject_in_the_index => ["TestFileStoreCorruptPSIMOnDisk"],
    library a_block_that_the_totals_contradict => ["TestFileStoreWriteFullStateDetectCorruptState"],
    library headers_that_are_not_there => ["TestFileStoreCorruptionSetsHbitWithoutHeaders"],
    library erasing_fails => ["TestFileStoreEraseMsgErr"],
}

fn no_space_for_a_message() {
    let refused = Cell::new(0);
    // For a new block, at whatever operation; for what waits to be written when it is much.
    for (block_len, len) in [(60, 1), (8 << 20, 300_000)] {
        for at in 1..=8 {
            each_on_disk(&subjects(&["*"]), block_len, |stream| {
                stream.put("foo", b"A");
                stream.put("bar", b"B");
                stream.store.sync().unwrap();
                stream.disk.fail_at(at, Fault::NoSpace);
                // What there was after each message.
                let known = |stream: &mut Stream| {
                    (stream.state(), stream.store.subjects_totals(Filter::All))
                };
                let mut before = vec![known(stream)];
                for seq in 3..=6 {
                    let payload = vec![b'C'; len];
                    let new =
                        NewMessage { subject: b"baz", payload: &payload, ..NewMessage::default() };
                    match stream.try_put(new) {
                        Ok(stored) => assert_eq!(stored, seq),
                        Err(error) => {
                            assert!(matches!(error, StoreError::Io(_)), "{error}");
                            // What waited to be written may be gone with it, as if it had not been.
                            let now = known(stream);
                            assert!(before.contains(&now), "{now:?}");
                            for gone in now.0.last_seq + 1..=seq {
                                assert!(matches!(stream.load(gone), Err(StoreError::Eof)));
                            }
                            for left in 3..=now.0.last_seq {
                                assert_eq!(stream.payload(left), payload);
                            }
                            assert_eq!(stream.payload(1), b"A");
                            assert_eq!(stream.payload(2), b"B");
                            refused.set(refused.get() + 1);
                            break;
                        }
                    }
                    before.push(known(stream));
                }
                // What was there is there after a restart.
                let disk = stream.disk.kill();
                stream.continue_on(disk);
                assert_eq!(stream.payload(1), b"A");
                assert_eq!(stream.payload(2), b"B");
            });
        }
    }
    assert!(refused.get() > 40, "{refused:?}");
}

fn blocks_that_are_gone_are_reported() {
    // What was lost, by what opening the stream says when a block is gone.
    let lose = |stream: &mut Stream, index| {
        stream.stop();
        fs::remove_file(stream.block(index)).unwrap();
        let fixes = stream.start();
        let lost = |fix: &Fix| match fix.damage.cause {
            Cause::Missing | Cause::Behind => fix.damage.seqs,
            _ => None,
        };
        fixes.iter().filter_map(lost).collect::<Vec<_>>()
    };
    // A record is of 44 bytes.
    each(&subjects(&["foo"]), 4096, |stream| {
        (0..500).for_each(|_| _ = stream.put("foo", b"Hello World"));
        assert_eq!(stream.store.blocks(), 6);
        assert_eq!(lose(stream, 1), [(1, 93)]);
        assert!(matches!(stream.load(1), Err(StoreError::NotFound)));
        assert_eq!(stream.span(), (407, 94, 500));
        assert_eq!(stream.state().num_deleted, 0);
        // The last sequence is not used again.
        assert_eq!(lose(stream, 6), [(466, 500)]);
        assert_eq!(stream.span(), (372, 94, 500));
        assert!(stream.state().deleted.into_iter().eq(466..=500));
        assert_eq!(lose(stream, 4), [(280, 372)]);
        assert_eq!(stream.span(), (279, 94, 500));
        assert_eq!(stream.state().num_deleted, 128);
        assert!(stream.state().deleted.into_iter().eq((280..=372).chain(466..=500)));
        assert!(matches!(stream.load(300), Err(StoreError::NotFound)));
        assert_eq!(stream.next("foo", 280), Some(373));
        assert_eq!(stream.filtered("foo"), (279, 94, 465));
        // It was said, and is not said again.
        stream.stays();
        assert_eq!(stream.put("foo", b"Hello World"), 501);
    });
}

fn a_wrong_subject_in_the_index() {
    for wrong in ["foo\u{fffd}bar".as_bytes(), b"foo.b\0r", b"foo.b\xffr", b"foo.b r", b"foo..ar"] {
        let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
        stream.put("foo.bar", b"ABC");
        stream.put("foo.baz", b"XYZ");
        let fixes = stream.forge_index(|index| {
            let right = b"\x07foo.bar";
            let at = index.windows(right.len()).position(|bytes| bytes == right).unwrap();
            let wrong = [&[wrong.len() as u8], wrong].concat();
            index.splice(at..at + right.len(), wrong);
        });
        // Nothing but the index knew of it.
        assert!(fixes.is_empty(), "{fixes:?}");
        for _ in 0..2 {
            assert_eq!(stream.last("foo.bar").payload(), b"ABC");
            assert_eq!(stream.last("foo.baz").payload(), b"XYZ");
            let totals = stream.store.subjects_totals(Filter::All);
            assert!(totals.keys().eq([b"foo.bar", b"foo.baz"]));
            stream.reopen();
        }
    }
}

fn a_block_that_the_totals_contradict() {
    let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
    stream.put_numbered("foo.", 1..=10, b"abc");
    let state = stream.state();
    // A message is deleted in the block, of which the totals do not know. At the end there are how
    // many are, two more counts, which of them are, then the last block and a hash.
    let fixes = stream.forge_index(|index| {
        let at = index.len() - 12;
        assert_eq!(index[at..at + 4], [0, 0, 0, 1]);
        index[at] = 1;
        let mut deleted = Vec::new();
        SeqSet::from_iter([5]).encode(&mut deleted);
        index.splice(at + 3..at + 3, deleted);
    });
    let cause = fixes.first().map(|fix| &fix.damage.cause);
    assert!(matches!(cause, Some(Cause::Index(IndexError::Inconsistent))), "{cause:?}");
    assert_eq!(stream.state(), state);
    assert!((1..=10).all(|seq| stream.load(seq).is_ok()));
    // The index that is written now is right.
    stream.store.checkpoint().unwrap();
    stream.stays();
}

fn headers_that_are_not_there() {
    each(&subjects(&[">"]), 100_000, |stream| {
        stream.put("", b"");
        assert_eq!(stream.block_len(1), 30);
        stream.stop();
        // Of the record's length, the bit that says that headers follow; no hash covers it, and
        // there is no room for their length.
        let mut block = fs::read(stream.block(1)).unwrap();
        block[3] ^= 0x80;
        fs::write(stream.block(1), block).unwrap();
        assert!(stream.start().is_empty());
        assert_eq!(stream.span(), (1, 1, 1));
        // Read, looked for, counted.
        assert!(matches!(stream.load(1), Err(StoreError::BadMessage(1))));
        assert_eq!(stream.next("foo", 1), None);
        assert!(stream.store.subjects_state(filter("foo")).unwrap().is_empty());
        // What is in the block is found again.
        stream.stop();
        fs::remove_file(stream.file("msgs/index.db")).unwrap();
        let fixes = stream.start();
        assert_eq!(fixes.len(), 1, "{fixes:?}");
        assert!(matches!(fixes[0].damage.cause, Cause::Record(_) | Cause::Block(_)));
        assert_eq!(stream.state().messages, 0);
    });
}

fn erasing_fails() {
    let failed = Cell::new(0);
    for at in 1..=16 {
        each_on_disk(&subjects(&["foo"]), 100_000, |stream| {
            stream.put("foo", b"first");
            stream.put("foo", b"second");
            stream.store.sync().unwrap();
            stream.disk.fail_at(at, Fault::Io);
            match stream.store.erase(2) {
                Ok(erased) => assert!(erased),
                Err(error) => {
                    assert!(matches!(error, StoreError::Io(_)), "{error}");
                    failed.set(failed.get() + 1);
                    assert_eq!(stream.payload(1), b"first");
                }
            }
            let files = stream.disk.files();
            let left_over = |path: &std::path::Path| path.extension().is_some_and(|e| e == "tmp");
            assert!(!files.iter().any(|(path, _)| left_over(path)), "operation {at}");
            let disk = stream.disk.kill();
            let fixes = stream.continue_on(disk);
            assert!(fixes.is_empty(), "operation {at}: {fixes:?}");
            assert_eq!(stream.payload(1), b"first");
            match stream.load(2) {
                Ok(found) => assert_eq!(found.payload(), b"second"),
                Err(error) => assert!(matches!(error, StoreError::NotFound), "{error}"),
            }
            assert_eq!(stream.put("foo", b"third"), 3);
        });
    }
    // In the clear, those that take the file's place; encrypted files stay as they are.
    assert!(failed.get() > 5, "{failed:?}");
}

//! Files that are not as they were written.

use super::disk::{each_on_disk, env};
use crate::cases::server::filestore_basics::files::{Files, HELLO, filter, simple, size, subjects};
use nats_server::base::fs::{CrashFs, Fs};
use nats_server::store::stream::{StoreError, StoredMessage, StreamStore};
use std::sync::Arc;

crate::cases! {
    "server/filestore_test.go",
    library a_byte_has_turned => ["TestFileStoreBitRot"],
    library read_again_when_it_was_not_right => ["TestFileStoreInvalidIndexesRebuilt"],
}

/// The bits of a byte of a file in the other order; whether that changes anything.
fn turn(disk: &CrashFs, files: &Files, at: usize) -> bool {
    let path = files.block_path(1);
    let mut bytes = disk.read(&path).unwrap();
    let turned = bytes[at].reverse_bits();
    let changes = turned != bytes[at];
    bytes[at] = turned;
    disk.write(&path, &bytes, 0).unwrap();
    changes
}

fn a_byte_has_turned() {
    let each_size = size("foo", 11);
    each_on_disk(&subjects(&[]), 0, |disk, files| {
        files.put_many(100, "foo", HELLO);
        files.stop();
        assert!(files.verified().damage.is_empty());
        let len = 100 * each_size as usize;
        // The first ones, the last ones, and some of all parts of records between.
        let between = (0..len).filter(|at| at % 263 == 7);
        for at in (0..44).chain(between).chain((len - 44..len).step_by(3)) {
            let disk = disk.kill();
            // A wrong length of a subject cannot be told from a right one.
            let is_told = !(20..22).contains(&(at as u64 % each_size));
            if !is_told || !turn(&disk, files, at) {
                continue;
            }
            let found = files.verified_on(&disk);
            assert!(!found.damage.is_empty(), "byte {at} is not noticed");
            let left = found.totals.messages;
            // Opened without its index, the store mends it, and keeps what is not concerned.
            disk.remove_file(&files.index_path()).unwrap();
            let (mut after, fixes) = files.opened_on(&env(Arc::new(disk)));
            assert!(!fixes.is_empty(), "byte {at}");
            assert_eq!(after.state().messages, left, "byte {at}");
            assert!((98..100).contains(&left), "byte {at}: {left}");
            let damaged = at as u64 / each_size + 1;
            for seq in (1..=100_u64).filter(|seq| seq.abs_diff(damaged) > 1) {
                assert_eq!(after.payload(seq), HELLO, "byte {at}: {seq}");
            }
            // Then nothing is wrong any more.
            after.stop();
            let found = after.verified();
            assert!(found.damage.is_empty(), "byte {at}: {:?}", found.damage);
        }
    });
}

fn read_again_when_it_was_not_right() {
    each_on_disk(&subjects(&[]), 5 * size("foo", 4), |disk, files| {
        files.put_many(5, "foo", b"ok-1");
        files.put("foo", b"ok-2");
        assert_eq!(files.store.blocks(), 2);
        let path = files.block_path(1);
        // In the sequence of the first message, in its payload, in the length of the second one,
        // in the sum of the last one.
        let each = size("foo", 4) as usize;
        for byte in [4, 26, each, 5 * each - 1] {
            let compressed =
                !files.is_plain() && files.store.config().compression != Default::default();
            // Nothing of the block is in memory.
            files.reopen();
            // A compressed block is damaged anywhere.
            let byte = if compressed { 20 } else { byte };
            disk.flip_bit(&path, byte as u64 * 8).unwrap();
            let wrong: Vec<u64> = (1..=5).filter(|seq| files.load(*seq).is_err()).collect();
            assert!(!wrong.is_empty(), "byte {byte}");
            assert!(!files.is_gone(wrong[0]));
            // It was the way from the disk: what is there is right.
            disk.flip_bit(&path, byte as u64 * 8).unwrap();
            for seq in 1..=5 {
                let found = files.load(seq).unwrap_or_else(|error| panic!("byte {byte}: {error}"));
                assert_eq!((found.seq, found.payload()), (seq, &b"ok-1"[..]));
            }
        }
        assert_eq!(files.filtered(1, "foo"), simple(6, 1, 6));
        let mut out = StoredMessage::default();
        assert!(matches!(files.store.load_next(filter("bar"), 1, &mut out), Err(StoreError::Eof)));
        files.stays();
    });
}

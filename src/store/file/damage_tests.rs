//! Directories that were damaged, on a file system in memory: what is read, what is reported, and
//! that nothing is lost without a word.

use super::consumers::{ConsumerError, consumers};
use super::crypt::{CryptError, KeyRing};
use super::files::{BlockError, FileError};
use super::hash::KeyedHash;
use super::index::{Index, IndexError};
use super::layout;
use super::record::{append_message, append_skipped, append_tombstone};
use super::recover::{Cause, Damage, IndexUse, Options, Recovered, Remedy, stream};
use super::state::{BlockState, Totals};
use crate::base::Rng;
use crate::base::fs::{CrashFs, Fault, Fs, OpenMode};
use crate::config::jetstream::StoreCipher;
use crate::model::{FileStreamInfo, StreamConfig};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub(super) const DIR: &str = "/js/$G/streams/S";

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

pub(super) fn put(fs: &CrashFs, name: &str, content: &[u8]) {
    fs.create_dir_all(path(name).parent().unwrap()).unwrap();
    fs.write(&path(name), content, 0).unwrap();
}

/// A block with these messages, then tombstones.
pub(super) fn block(index: u32, seqs: impl IntoIterator<Item = u64>, gone: &[u64]) -> Vec<u8> {
    let (mut block, hash) = (Vec::new(), KeyedHash::for_block("S", index));
    for seq in seqs {
        let subject = format!("s.{}", seq % 3);
        let headers: &[u8] = if seq % 2 == 0 { b"NATS/1.0\r\nA: b\r\n\r\n" } else { b"" };
        let time_ns = seq.cast_signed();
        append_message(&mut block, &hash, seq, time_ns, subject.as_bytes(), headers, &[b'x'; 20])
            .unwrap();
    }
    for seq in gone {
        append_tombstone(&mut block, &hash, *seq, 99).unwrap();
    }
    block
}

/// Three blocks: 1 to 10, 11 to 20, 21 to 30; 4 and 15 are deleted.
fn store_with(config: StreamConfig) -> CrashFs {
    let fs = CrashFs::default();
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    let meta = info.encode();
    put(&fs, "meta.inf", &meta);
    put(&fs, "meta.sum", KeyedHash::named("S").hex(&meta).as_bytes());
    put(&fs, "msgs/1.blk", &block(1, 1..=10, &[]));
    put(&fs, "msgs/2.blk", &block(2, 11..=20, &[4]));
    put(&fs, "msgs/3.blk", &block(3, 21..=30, &[15]));
    fs
}

pub(super) fn config() -> StreamConfig {
    StreamConfig { name: "S".to_owned(), ..StreamConfig::default() }
}

fn store() -> CrashFs {
    store_with(config())
}

fn open(fs: &CrashFs) -> Recovered {
    stream(fs, Path::new(DIR), Options { verify: true, ..Options::default() }).unwrap()
}

fn seqs(fs: &CrashFs, found: &Recovered) -> BTreeSet<u64> {
    let mut seqs = BTreeSet::new();
    let visit = |record: &super::record::Record<'_>| {
        assert!(seqs.insert(record.seq));
        ControlFlow::Continue(())
    };
    found.messages(fs, None, (0, u64::MAX), visit).unwrap();
    assert_eq!(seqs.len() as u64, found.totals.messages);
    assert!(seqs.iter().all(|seq| found.holds(*seq)));
    let gaps: u64 = found.deleted().len();
    if let Some(first) = seqs.first() {
        assert_eq!(found.totals.first_seq, *first);
        assert_eq!(found.totals.last_seq + 1 - first, seqs.len() as u64 + gaps);
    }
    let by_subject: u64 = found.subjects.iter().map(|(_, totals)| totals.messages).sum();
    assert_eq!(by_subject, found.totals.messages);
    seqs
}

fn sound() -> BTreeSet<u64> {
    (1..=30).filter(|seq| ![4, 15].contains(seq)).collect()
}

fn the_one(damage: &[Damage]) -> &Damage {
    assert_eq!(damage.len(), 1, "{damage:?}");
    &damage[0]
}

#[test]
fn a_sound_store_is_sound() {
    let fs = store();
    let found = open(&fs);
    assert_eq!(seqs(&fs, &found), sound());
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    assert_eq!(found.index, IndexUse::Absent);
    assert_eq!(found.deleted().ranges(), [(4, 4), (15, 15)]);
    assert_eq!(found.subjects.get(b"s.1").unwrap().messages, 9);
}

#[test]
fn any_bit_may_flip() {
    let sizes: Vec<(u32, u64)> = (1..=3)
        .map(|i| (i, store().metadata(&layout::block(&path("msgs"), i)).unwrap().len))
        .collect();
    for (index, len) in sizes {
        for bit in 0..len * 8 {
            if bit % 5 != 0 {
                continue;
            }
            let fs = store();
            let file = layout::block(&path("msgs"), index);
            fs.flip_bit(&file, bit).unwrap();
            let found = open(&fs);
            let left = seqs(&fs, &found);
            let at = format!("block {index} bit {bit}: {:?}", found.damage);
            let missing: Vec<u64> = sound().difference(&left).copied().collect();
            let revived: Vec<u64> = left.difference(&sound()).copied().collect();
            assert!(missing.len() + revived.len() <= 1, "{at} {missing:?} {revived:?}");
            // The lengths inside a record are not covered by its hash.
            let Some(damage) = found.damage.first() else {
                assert_eq!(missing.len() + revived.len(), 0, "{at}");
                continue;
            };
            assert_eq!(damage.file, file, "{at}");
            assert!((damage.offset..damage.offset + damage.len).contains(&(bit / 8)), "{at}");
            for seq in missing.iter().filter(|seq| **seq < 30) {
                let (first, last) = damage.seqs.unwrap();
                assert!((first..=last).contains(seq), "{at} {seq}");
            }
            let at_the_end = index == 3 && damage.offset + damage.len == len;
            let remedy = if at_the_end { Remedy::Cut } else { Remedy::Quarantine };
            assert_eq!(damage.remedy, remedy, "{at}");
        }
    }
}

#[test]
fn only_the_end_of_the_last_block_is_cut() {
    for index in 1..=3 {
        let file = layout::block(&path("msgs"), index);
        let whole = store().read(&file).unwrap();
        for len in 0..whole.len() as u64 {
            let fs = store();
            fs.truncate(&file, len).unwrap();
            let found = open(&fs);
            let left = seqs(&fs, &found);
            let others = sound().into_iter().filter(|seq| (seq - 1) / 10 + 1 != u64::from(index));
            assert!(others.into_iter().all(|seq| left.contains(&seq)), "block {index} len {len}");
            let Some(damage) = found.damage.first() else { continue };
            assert_eq!(damage.offset + damage.len, len);
            let remedy = if index == 3 { Remedy::Cut } else { Remedy::Quarantine };
            assert_eq!(damage.remedy, remedy, "block {index} len {len}");
        }
    }
}

#[test]
fn sequences_between_blocks_that_are_missing_show_as_a_gap() {
    let fs = store();
    fs.remove_file(&path("msgs/2.blk")).unwrap();
    let found = open(&fs);
    assert_eq!(found.deleted().ranges(), [(11, 20)]);
    assert!(found.holds(4), "its tombstone is gone too");
}

/// The index of what `store` makes.
pub(super) fn index_file(fs: &CrashFs) -> Vec<u8> {
    let found = open(fs);
    let last = fs.read(&path("msgs/3.blk")).unwrap();
    let index = Index {
        totals: found.totals,
        subjects: found.subjects,
        blocks: found.blocks,
        last_block: 3,
        last_hash: *last.last_chunk().unwrap(),
    };
    let mut file = Vec::new();
    index.encode(&mut file);
    file.extend_from_slice(&KeyedHash::named("S").sum(&[&file]));
    file
}

fn trusting(fs: &CrashFs) -> Recovered {
    stream(fs, Path::new(DIR), Options::default()).unwrap()
}

#[test]
fn a_sound_index_saves_the_scan() {
    let fs = store();
    put(&fs, "msgs/index.db", &index_file(&fs));
    let before = fs.operations();
    let found = trusting(&fs);
    assert_eq!(found.index, IndexUse::Sound);
    assert_eq!(seqs(&fs, &found), sound());
    // Opening and reading every block costs three operations each, at least.
    let fs2 = store();
    put(&fs2, "msgs/index.db", &index_file(&fs2));
    let before_scan = fs2.operations();
    trusting(&fs2);
    let trusted = fs2.operations() - before_scan;
    let before_scan = fs2.operations();
    open(&fs2);
    assert!(trusted < fs2.operations() - before_scan, "{before}");
    // What it does not look at is found when it is asked for.
    fs2.flip_bit(&path("msgs/1.blk"), 300).unwrap();
    assert!(trusting(&fs2).damage.is_empty());
    assert_eq!(open(&fs2).damage.len(), 1);
}

#[test]
fn an_index_that_does_not_fit_is_not_believed() {
    let fs = store();
    let file = index_file(&fs);
    put(&fs, "msgs/index.db", &file);
    // Written to after it.
    let hash = KeyedHash::for_block("S", 3);
    let mut more = Vec::new();
    append_message(&mut more, &hash, 31, 31, b"s.1", b"", b"").unwrap();
    let open_mode = OpenMode { append: true, ..OpenMode::default() };
    fs.open(&path("msgs/3.blk"), open_mode).unwrap().append(&more).unwrap();
    let found = trusting(&fs);
    assert_eq!((found.index, found.totals.last_seq), (IndexUse::Outdated, 31));
    assert!(found.damage.is_empty());
    // A block after it.
    let fs = store();
    put(&fs, "msgs/index.db", &file);
    put(&fs, "msgs/4.blk", &block(4, 31..=32, &[]));
    let found = trusting(&fs);
    assert_eq!((found.index, found.totals.last_seq), (IndexUse::Outdated, 32));
    // A block of it is missing.
    let fs = store();
    put(&fs, "msgs/index.db", &file);
    fs.remove_file(&path("msgs/2.blk")).unwrap();
    let found = trusting(&fs);
    let damage = the_one(&found.damage);
    assert!(matches!(damage.cause, Cause::Missing));
    assert_eq!((damage.seqs, damage.remedy), (Some((11, 20)), Remedy::Lost));
    // The same, but with messages after the index: the block may have become empty since.
    put(&fs, "msgs/4.blk", &block(4, 31..=32, &[]));
    let found = trusting(&fs);
    assert_eq!((found.index, found.damage.len()), (IndexUse::Outdated, 0));
    assert_eq!(found.deleted().ranges(), [(11, 20)]);
    // Messages of it are missing: sequences do not go back.
    let fs = store();
    put(&fs, "msgs/index.db", &file);
    put(&fs, "msgs/3.blk", &block(3, 21..=25, &[15]));
    let found = trusting(&fs);
    let damage = the_one(&found.damage);
    assert!(matches!(damage.cause, Cause::Behind), "{damage:?}");
    assert_eq!((damage.seqs, found.totals.last_seq), (Some((26, 30)), 30));
    assert_eq!(found.deleted().ranges().last(), Some(&(26, 30)));
}

#[test]
fn an_index_with_a_strange_subject_is_not_believed() {
    let (fs, hash) = (store(), KeyedHash::named("S"));
    let file = index_file(&fs);
    let at = file.windows(4).position(|bytes| bytes == b"\x03s.0").unwrap();
    for strange in [&b"s.\0"[..], b"s.\xff", b"s. ", b"s..", "\u{fffd}".as_bytes()] {
        let mut content = file[..file.len() - 8].to_vec();
        content[at + 1..at + 4].copy_from_slice(strange);
        put(&fs, "msgs/index.db", &[&content[..], &hash.sum(&[&content])].concat());
        let found = trusting(&fs);
        assert_eq!((found.index, found.damage.len()), (IndexUse::Outdated, 0), "{strange:?}");
        let names: BTreeSet<_> = found.subjects.iter().map(|(name, _)| name.to_vec()).collect();
        assert_eq!(names, [b"s.0", b"s.1", b"s.2"].map(|name| name.to_vec()).into());
    }
}

#[test]
fn a_damaged_index_is_reported_and_done_without() {
    let fs = store();
    let file = index_file(&fs);
    for bit in 0..file.len() as u64 * 8 {
        let fs = store();
        put(&fs, "msgs/index.db", &file);
        fs.flip_bit(&path("msgs/index.db"), bit).unwrap();
        let found = trusting(&fs);
        assert!(matches!(the_one(&found.damage).cause, Cause::Index(IndexError::Hash)));
        assert_eq!((found.index, seqs(&fs, &found)), (IndexUse::Damaged, sound()));
    }
    for len in 0..file.len() {
        let fs = store();
        put(&fs, "msgs/index.db", &file[..len]);
        let found = trusting(&fs);
        assert_eq!(the_one(&found.damage).remedy, Remedy::Rewrite);
        assert_eq!(seqs(&fs, &found), sound());
    }
}

#[test]
fn a_hash_does_not_make_an_index() {
    // Sound by its hash, but with other content.
    let hash = KeyedHash::named("S");
    let sign = |content: &[u8]| [content, &hash.sum(&[content])].concat();
    let file = index_file(&store());
    let content = &file[..file.len() - 8];
    let decode = |content: &[u8]| Index::decode(&sign(content), &hash, None).map(|_| ());
    assert_eq!(decode(content), Ok(()));
    let mut rng = Rng::from_seed(5);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bad = content.to_vec();
        for _ in 0..=rng.below(3) {
            let at = rng.below(bad.len() as u64) as usize;
            bad[at] = rng.next_u64() as u8;
        }
        refused += u64::from(decode(&bad).is_err());
    }
    assert!(refused > 10_000);
    assert_eq!(decode(&[content[0] + 1, 4, 0]), Err(IndexError::TooShort(11)));
    let version = |version: u8| [&[11, version], &content[2..]].concat();
    assert_eq!(decode(&version(5)), Err(IndexError::Version(11, 5)));
    assert_eq!(decode(&version(0)), Err(IndexError::Version(11, 0)));
    // Counts that nothing stands for.
    let mut huge = vec![11, 4, 0, 0, 0, 0, 0, 0];
    huge.extend_from_slice(&[0xff; 9]);
    huge.resize(40, 1);
    assert_eq!(decode(&huge), Err(IndexError::Corrupt));
    let totals = Totals { messages: 5, ..Totals::default() };
    let blocks = vec![BlockState { index: 1, first_seq: 1, ..BlockState::default() }];
    let mut wrong = Vec::new();
    Index { totals, blocks, ..Index::default() }.encode(&mut wrong);
    wrong.resize(40, 0);
    assert_eq!(decode(&wrong), Err(IndexError::Inconsistent));
}

#[test]
fn limits_leave_the_newest() {
    let with = |change: fn(&mut StreamConfig)| {
        let mut config = config();
        change(&mut config);
        let fs = store_with(config);
        let options = Options { now_ns: Some(30), verify: true, ..Options::default() };
        let found = stream(&fs, Path::new(DIR), options).unwrap();
        seqs(&fs, &found)
    };
    assert_eq!(with(|c| c.max_msgs = 3), (28..=30).collect());
    assert_eq!(with(|c| c.max_msgs_per_subject = 1), (28..=30).collect());
    assert_eq!(with(|c| c.max_age.0 = 4), (26..=30).collect());
    // Messages of an even sequence have 22 bytes of headers.
    assert_eq!(with(|c| c.max_bytes = 2 * (53 + 53 + 22)), (27..=30).collect());
    assert_eq!(with(|c| c.max_msgs = -1), sound());
}

#[test]
fn what_cannot_be_decrypted_is_set_aside() {
    let keys = KeyRing::new("$G", &"k".into(), &"".into(), StoreCipher::ChaCha).unwrap();
    let mut rng = Rng::from_seed(1);
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    let fs = store();
    let (key, file) = keys.create("S:2", &mut entropy);
    let mut encrypted = block(2, 11..=20, &[4]);
    key.apply(0, &mut encrypted);
    put(&fs, "msgs/2.blk", &encrypted);
    put(&fs, "msgs/2.key", &file);
    let options = Options { keys: Some(&keys), verify: true, now_ns: None };
    let found = stream(&fs, Path::new(DIR), options).unwrap();
    assert_eq!((found.totals.messages, found.damage.len()), (28, 0));
    for (len, error) in [(40, CryptError::KeyFile(40)), (70, CryptError::WrongKey)] {
        put(&fs, "msgs/2.key", &file[..len]);
        let found = stream(&fs, Path::new(DIR), options).unwrap();
        let damage = the_one(&found.damage);
        assert!(matches!(damage.cause, Cause::Block(BlockError::Key(e)) if e == error));
        assert_eq!((damage.seqs, damage.remedy), (Some((11, 20)), Remedy::Quarantine));
        assert_eq!(found.totals.messages, 20);
    }
    // Its key is lost: what is left looks like no block at all.
    fs.remove_file(&path("msgs/2.key")).unwrap();
    let found = stream(&fs, Path::new(DIR), options).unwrap();
    assert!(matches!(the_one(&found.damage).cause, Cause::Record(_)));
}

#[test]
fn a_purge_that_came_far_enough_is_done() {
    let fs = store();
    put(&fs, "__new_msgs__/5.key", b"");
    assert_eq!(open(&fs).totals.messages, 28, "no block yet: not purged");
    put(&fs, "__new_msgs__/4.blk", &block(4, [], &[30]));
    let found = open(&fs);
    let (messages, totals) = (found.totals.messages, found.totals);
    assert_eq!((messages, totals.first_seq, totals.last_seq), (0, 31, 30));
}

#[test]
fn skipped_sequences_and_old_copies() {
    let fs = store();
    let hash = KeyedHash::for_block("S", 4);
    let mut last = Vec::new();
    append_skipped(&mut last, &hash, 31, 31).unwrap();
    append_skipped(&mut last, &hash, 32, 32).unwrap();
    put(&fs, "msgs/4.blk", &last);
    let found = open(&fs);
    assert_eq!((found.totals.last_seq, found.totals.last_ns), (32, 32));
    assert_eq!(found.deleted().ranges().last(), Some(&(31, 32)));
    assert!(found.damage.is_empty());
    // A block whose sequences a later one has: the later one counts.
    put(&fs, "msgs/4.blk", &block(4, 25..=33, &[]));
    let found = open(&fs);
    assert_eq!(found.totals.last_seq, 33);
    let damage = the_one(&found.damage);
    assert!(matches!(damage.cause, Cause::Overlap));
    assert_eq!(damage.seqs, Some((25, 30)));
    assert_eq!(seqs(&fs, &found).len(), 31);
}

#[test]
fn a_sequence_far_ahead_costs_nothing() {
    let fs = store();
    put(&fs, "msgs/4.blk", &block(4, [31, 1 << 61], &[1 << 60]));
    let found = open(&fs);
    assert_eq!((found.totals.messages, found.totals.last_seq), (30, 1 << 61));
    assert_eq!(found.deleted().len(), (1 << 61) - 30);
}

#[test]
fn the_meta_files_are_checked() {
    let fs = store();
    fs.flip_bit(&path("meta.sum"), 1).unwrap();
    let found = open(&fs);
    assert!(matches!(the_one(&found.damage).cause, Cause::MetaSum));
    assert_eq!(found.totals.messages, 28);
    put(&fs, "meta.inf", b"");
    let error = stream(&fs, Path::new(DIR), Options::default()).unwrap_err().to_string();
    assert!(error.contains("meta.inf"), "{error}");
}

#[test]
fn files_that_follow_from_messages_are_checked() {
    for name in ["msgs/thw.db", "msgs/sched.db", "sources.db"] {
        let fs = store();
        put(&fs, name, &[&[1][..], &[0; 16]].concat());
        assert!(trusting(&fs).damage.is_empty(), "{name}");
        put(&fs, name, b"\x01\x05");
        let found = trusting(&fs);
        let damage = the_one(&found.damage);
        assert!(matches!(damage.cause, Cause::Derived));
        assert_eq!((&damage.file, damage.remedy), (&path(name), Remedy::Rewrite));
    }
}

#[test]
fn a_damaged_consumer_is_still_one() {
    let fs = store();
    put(&fs, "obs/bad/meta.inf", b"{\"Name\":\"bad\",\"Created\":\"2026-01-01T00:00:00Z\"}");
    put(&fs, "obs/bad/o.dat", b"\x16\x07");
    put(&fs, "obs/none/o.dat", b"");
    let found = consumers(&fs, Path::new(DIR), "S", None).unwrap();
    let names: Vec<&str> = found.iter().map(|consumer| &consumer.name[..]).collect();
    assert_eq!(names, ["bad", "none"]);
    assert_eq!(found[0].info.as_ref().unwrap().name, "bad");
    assert!(matches!(found[0].state, Err(ConsumerError::State { .. })));
    assert!(!found[0].sum_matches);
    assert!(matches!(found[1].info, Err(ConsumerError::File(FileError::Io { .. }))));
    // An empty file is no state of one that begins anew.
    assert!(matches!(found[1].state, Err(ConsumerError::State { .. })));
}

#[test]
fn errors_of_the_disk_are_told() {
    let fs = store();
    put(&fs, "msgs/index.db", &index_file(&fs));
    let before = fs.operations();
    trusting(&fs);
    let count = fs.operations() - before;
    let mut told = 0;
    for n in 1..=count {
        fs.fail_at(n, Fault::Io);
        told += u64::from(stream(&fs, Path::new(DIR), Options::default()).is_err());
    }
    assert_eq!(told, count);
}

/// Appends to the last block in batches, synced every third, in a new block every fourth; with
/// the n-th operation the machine stops. Returns the last sequence that was synced.
fn write_until_the_end(fs: &CrashFs) -> u64 {
    let (mut synced, mut seq) = (30, 30);
    for batch in 0..12_u32 {
        let index = 3 + batch / 4;
        let (mut records, hash) = (Vec::new(), KeyedHash::for_block("S", index));
        for _ in 0..5 {
            seq += 1;
            append_message(&mut records, &hash, seq, 1, b"s.0", b"", &[b'x'; 150]).unwrap();
        }
        let mode = OpenMode { append: true, create: true, ..OpenMode::default() };
        let Ok(file) = fs.open(&layout::block(&path("msgs"), index), mode) else { return synced };
        if file.append(&records).is_err() {
            return synced;
        }
        if batch % 3 == 2 || batch % 4 == 3 {
            if file.sync_data().is_err() || fs.sync_dir(&path("msgs")).is_err() {
                return synced;
            }
            synced = seq;
        }
    }
    synced
}

/// Makes all that is there durable.
pub(super) fn settle(fs: CrashFs) -> CrashFs {
    let mut dirs = vec![PathBuf::from("/")];
    while let Some(dir) = dirs.pop() {
        for path in fs.read_dir(&dir).unwrap() {
            if fs.metadata(&path).unwrap().is_dir {
                dirs.push(path);
            } else {
                fs.open(&path, OpenMode::default()).unwrap().sync_all().unwrap();
            }
        }
        fs.sync_dir(&dir).unwrap();
    }
    fs
}

#[test]
fn what_was_synced_is_there_after_a_crash_at_any_operation() {
    let fs = settle(store());
    let before = fs.operations();
    write_until_the_end(&fs);
    let operations = fs.operations() - before;
    let (mut cut, mut set_aside) = (0, 0);
    for n in 1..=operations + 1 {
        let fs = settle(store());
        fs.fail_at(n, Fault::Freeze);
        let synced = write_until_the_end(&fs);
        for seed in 0..30 {
            let after = fs.crash(seed);
            let found = open(&after);
            let left = seqs(&after, &found);
            let wanted = sound().into_iter().chain(31..=synced);
            let missing: Vec<u64> = wanted.filter(|seq| !left.contains(seq)).collect();
            assert!(missing.is_empty(), "operation {n} seed {seed}: {missing:?}");
            for damage in &found.damage {
                // What is damaged is what was not synced.
                assert!(damage.seqs.is_none_or(|(first, _)| first > synced), "{n} {seed}");
                cut += u64::from(damage.remedy == Remedy::Cut);
                set_aside += u64::from(damage.remedy == Remedy::Quarantine);
            }
        }
        // Death of the process alone loses nothing that was written.
        assert!(open(&fs.kill()).damage.is_empty());
    }
    assert!(cut > 50 && set_aside > 0, "{cut} {set_aside}");
}

use super::super::crypt::KeyRing;
use super::super::damage_tests::{DIR, block, config, index_file, path, put, settle};
use super::super::record::Record;
use super::*;
use crate::base::Rng;
use crate::base::fs::{CrashFs, Fault};
use crate::config::jetstream::StoreCipher;
use crate::model::{FileStreamInfo, StreamConfig};
use std::ops::ControlFlow;

const CIPHERS: [Option<StoreCipher>; 2] = [None, Some(StoreCipher::ChaCha)];

fn ring(cipher: Option<StoreCipher>) -> Option<KeyRing> {
    cipher.and_then(|cipher| KeyRing::new("$G", &"k".into(), &"".into(), cipher))
}

fn put_block(fs: &CrashFs, keys: Option<&KeyRing>, index: u32, mut content: Vec<u8>) {
    if let Some(keys) = keys {
        let mut rng = Rng::from_seed(index.into());
        let asset = layout::block_asset("S", index);
        let (key, file) = keys.create(&asset, &mut |buf: &mut [u8]| rng.fill(buf));
        key.apply(0, &mut content);
        put(fs, &format!("msgs/{index}.key"), &file);
    }
    put(fs, &format!("msgs/{index}.blk"), &content);
}

/// Three blocks: 1 to 10, 11 to 20, 21 to 30; 4 and 15 are deleted.
fn store(keys: Option<&KeyRing>, config: StreamConfig) -> CrashFs {
    let fs = CrashFs::default();
    let mut meta = FileStreamInfo { config, ..FileStreamInfo::default() }.encode();
    if let Some(keys) = keys {
        let mut rng = Rng::from_seed(0);
        let mut entropy = |buf: &mut [u8]| rng.fill(buf);
        let (key, file) = keys.create("S", &mut entropy);
        meta = key.seal(&meta, &mut entropy);
        put(&fs, "meta.key", &file);
    }
    put(&fs, "meta.inf", &meta);
    put(&fs, "meta.sum", KeyedHash::named("S").hex(&meta).as_bytes());
    put_block(&fs, keys, 1, block(1, 1..=10, &[]));
    put_block(&fs, keys, 2, block(2, 11..=20, &[4]));
    put_block(&fs, keys, 3, block(3, 21..=30, &[15]));
    settle(fs)
}

fn mend(fs: &CrashFs, keys: Option<&KeyRing>) -> Result<Repaired, RecoverError> {
    let mut rng = Rng::from_seed(9);
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    let mut place = Place { fs, dir: Path::new(DIR), keys, entropy: &mut entropy };
    repair(&mut place, true, None)
}

fn open(fs: &CrashFs, keys: Option<&KeyRing>) -> Recovered {
    let options = Options { keys, verify: true, now_ns: None };
    recover::stream(fs, Path::new(DIR), options).unwrap()
}

fn seqs(fs: &CrashFs, keys: Option<&KeyRing>, found: &Recovered) -> BTreeSet<u64> {
    let mut seqs = BTreeSet::new();
    let visit = |record: &Record<'_>| {
        assert!(seqs.insert(record.seq));
        ControlFlow::Continue(())
    };
    found.messages(fs, keys, (0, u64::MAX), visit).unwrap();
    assert_eq!(seqs.len() as u64, found.totals.messages);
    seqs
}

/// The copies of damaged blocks, in the clear, sorted.
fn copies(fs: &CrashFs, keys: Option<&KeyRing>, found: &Recovered) -> Vec<Vec<u8>> {
    let content = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let index = name.split('.').next().unwrap();
        let key = path.with_file_name(name.replace(".blk.", ".key."));
        let mut bytes = fs.read(path).unwrap();
        if let Ok(Some(key)) = files::asset_key(fs, &key, &format!("S:{index}"), keys) {
            key.apply(0, &mut bytes);
        }
        bytes
    };
    let mut all: Vec<Vec<u8>> = found.set_aside.iter().map(content).collect();
    all.sort();
    all
}

type Damaging = fn(&CrashFs);

fn flip(fs: &CrashFs, name: &str, byte: u64) {
    fs.flip_bit(&path(name), byte * 8).unwrap();
}

fn cut(fs: &CrashFs, name: &str, bytes: u64) {
    let len = fs.metadata(&path(name)).unwrap().len;
    fs.truncate(&path(name), len - bytes).unwrap();
}

/// What may happen to a store, encrypted or not, and what is done about each damage.
fn cases() -> Vec<(&'static str, Damaging, &'static [&'static str])> {
    vec![
        ("a record within", |fs| flip(fs, "msgs/2.blk", 200), &["2: 10"]),
        ("the first record", |fs| flip(fs, "msgs/1.blk", 30), &["1: 9"]),
        ("the last record", |fs| flip(fs, "msgs/1.blk", 600), &["1: 9"]),
        ("a torn end", |fs| cut(fs, "msgs/3.blk", 40), &["cut 65"]),
        ("a torn end of nothing", |fs| cut(fs, "msgs/3.blk", 30), &[]),
        (
            "a torn end and more",
            |fs| {
                cut(fs, "msgs/3.blk", 40);
                flip(fs, "msgs/3.blk", 100);
            },
            &["3: 8", "3: 8"],
        ),
        (
            "two records and another block",
            |fs| {
                flip(fs, "msgs/1.blk", 10);
                flip(fs, "msgs/1.blk", 500);
                flip(fs, "msgs/2.blk", 500);
            },
            &["2: 10", "1: 8", "1: 8"],
        ),
        ("a short block", |fs| fs.truncate(&path("msgs/1.blk"), 20).unwrap(), &["1: 0"]),
        (
            "files that follow from others",
            |fs| {
                put(fs, "meta.sum", b"0");
                put(fs, "msgs/index.db", b"no index");
                put(fs, "msgs/thw.db", b"\x01\x05");
                put(fs, "sources.db", b"\x01\x05");
            },
            &["rewritten", "removed", "removed", "removed"],
        ),
        ("what was left aside", |fs| put(fs, "msgs/1.blk.tmp", b"x"), &[]),
    ]
}

fn words(fixes: &[Fix]) -> Vec<String> {
    let word = |fix: &Fix| match &fix.done {
        Done::Cut { bytes } => format!("cut {bytes}"),
        Done::SetAside { kept, records } => {
            let name = kept.file_name().unwrap().to_str().unwrap();
            format!("{}: {records}", name.strip_suffix(".blk.damaged").unwrap_or(name))
        }
        Done::Rewritten => "rewritten".to_owned(),
        Done::Removed => "removed".to_owned(),
        Done::Remembered => "remembered".to_owned(),
        Done::Nothing => "nothing".to_owned(),
    };
    fixes.iter().map(word).collect()
}

/// Repairs, and repairs after a crash at every operation: it always ends the same, and what is
/// readable is readable all the time.
fn check(name: &str, keys: Option<&KeyRing>, damaged: CrashFs, expected: &[&str]) {
    let damaged = settle(damaged);
    let before = open(&damaged, keys);
    let readable = seqs(&damaged, keys, &before);
    let fs = damaged.crash(0);
    let repaired = mend(&fs, keys).unwrap();
    let operations = fs.operations();
    assert_eq!(words(&repaired.fixes), expected, "{name}");
    let now = &repaired.stream;
    assert!(now.damage.is_empty(), "{name}: {:?}", now.damage);
    assert_eq!(now.totals, before.totals, "{name}");
    assert_eq!(seqs(&fs, keys, now), readable, "{name}");
    let kept = copies(&fs, keys, now);
    let files = fs.files();
    assert!(files.iter().all(|(path, _)| !path.to_string_lossy().ends_with(".tmp")));
    // There is nothing more to do.
    assert!(mend(&fs, keys).unwrap().fixes.is_empty(), "{name}");
    assert!(fs.files() == files, "{name}");
    // What is encrypted takes its time.
    let (faults, seeds) = match keys {
        None => (&[Fault::Freeze, Fault::NoSpace][..], 2),
        Some(_) => (&[Fault::Freeze][..], 1),
    };
    for n in 1..=operations {
        for fault in faults.iter().copied() {
            let fs = damaged.crash(0);
            fs.fail_at(n, fault);
            let done = mend(&fs, keys).is_ok();
            assert!(!done || fault != Fault::Freeze, "{name} {n}");
            let seeds = if fault == Fault::Freeze { seeds } else { 0 };
            let after = (0..seeds).map(|seed| fs.crash(1000 * seed + n));
            for after in after.chain(keys.is_none().then(|| fs.kill())) {
                let at = format!("{name}: {fault:?} at operation {n}");
                let found = open(&after, keys);
                assert_eq!(seqs(&after, keys, &found), readable, "{at}");
                assert_eq!(found.totals, before.totals, "{at}");
                let again = mend(&after, keys).unwrap();
                assert!(!done || again.fixes.is_empty(), "{at}");
                assert!(again.stream.damage.is_empty(), "{at}");
                assert_eq!(seqs(&after, keys, &again.stream), readable, "{at}");
                assert_eq!(again.stream.totals, now.totals, "{at}");
                assert_eq!(again.stream.blocks, now.blocks, "{at}");
                assert_eq!(copies(&after, keys, &again.stream), kept, "{at}");
            }
        }
    }
}

#[test]
fn a_repair_may_be_cut_short_at_any_operation() {
    for cipher in CIPHERS {
        let keys = ring(cipher);
        let step = if cipher.is_some() { 3 } else { 1 };
        for (name, damage, expected) in cases().into_iter().step_by(step) {
            let fs = store(keys.as_ref(), config());
            damage(&fs);
            check(&format!("{name}, {cipher:?}"), keys.as_ref(), fs, expected);
        }
    }
}

#[test]
fn a_sound_store_is_left_alone() {
    let keys = ring(Some(StoreCipher::Aes));
    let fs = store(keys.as_ref(), config());
    let files = fs.files();
    let repaired = mend(&fs, keys.as_ref()).unwrap();
    assert!(repaired.fixes.is_empty() && repaired.purge.is_none());
    assert_eq!(repaired.stream.totals.messages, 28);
    assert!(fs.files() == files);
}

#[test]
fn a_damaged_block_is_kept_as_it_was() {
    let fs = store(None, config());
    flip(&fs, "msgs/2.blk", 200);
    let damaged = fs.read(&path("msgs/2.blk")).unwrap();
    mend(&fs, None).unwrap();
    assert_eq!(fs.read(&path("msgs/2.blk.damaged")).unwrap(), damaged);
    // And another one of the same number.
    flip(&fs, "msgs/2.blk", 300);
    let again = fs.read(&path("msgs/2.blk")).unwrap();
    let repaired = mend(&fs, None).unwrap();
    assert_eq!(words(&repaired.fixes), ["2.blk.damaged.2: 9"]);
    assert_eq!(fs.read(&path("msgs/2.blk.damaged")).unwrap(), damaged);
    assert_eq!(fs.read(&path("msgs/2.blk.damaged.2")).unwrap(), again);
    assert_eq!(repaired.stream.set_aside.len(), 2);
}

#[test]
fn an_encrypted_copy_has_a_key_of_its_own() {
    for cipher in [StoreCipher::ChaCha, StoreCipher::Aes] {
        let keys = ring(Some(cipher));
        let fs = store(keys.as_ref(), config());
        flip(&fs, "msgs/2.blk", 200);
        let (damaged, key) =
            (fs.read(&path("msgs/2.blk")).unwrap(), fs.read(&path("msgs/2.key")).unwrap());
        let stream = mend(&fs, keys.as_ref()).unwrap().stream;
        assert_eq!(fs.read(&path("msgs/2.key")).unwrap(), key);
        assert_ne!(fs.read(&path("msgs/2.key.damaged")).unwrap(), key);
        let copy = fs.read(&path("msgs/2.blk.damaged")).unwrap();
        let same = copy.iter().zip(&damaged).filter(|(a, b)| a == b).count();
        assert!(same < damaged.len() / 10, "{same}");
        let mut clear = block(2, 11..=20, &[4]);
        clear[200] ^= 1;
        assert_eq!(copies(&fs, keys.as_ref(), &stream), [clear]);
    }
}

#[test]
fn a_block_that_lacks_its_key_is_kept() {
    let keys = ring(Some(StoreCipher::ChaCha));
    // The last block looks as if all of it was torn.
    for (index, is_lost) in [(2, false), (3, true)] {
        let damage = &format!("msgs/{index}.key");
        let fs = store(keys.as_ref(), config());
        let file = format!("msgs/{index}.blk");
        let raw = fs.read(&path(&file)).unwrap();
        let key = fs.read(&path(damage)).unwrap();
        if is_lost {
            fs.remove_file(&path(damage)).unwrap();
        } else {
            fs.truncate(&path(damage), 70).unwrap();
        }
        let fs = settle(fs);
        check(damage, keys.as_ref(), fs.crash(0), &[&format!("{index}: 0")]);
        mend(&fs, keys.as_ref()).unwrap();
        assert_eq!(fs.read(&path(&format!("{file}.damaged"))).unwrap(), raw);
        assert!(fs.read(&path(&file)).is_err() && fs.read(&path(damage)).is_err());
        let kept = fs.read(&path(&format!("{damage}.damaged"))).ok();
        assert_eq!(kept, (!is_lost).then(|| key[..70].to_vec()));
    }
}

#[test]
fn without_the_key_nothing_is_set_aside() {
    let keys = ring(Some(StoreCipher::ChaCha));
    let fs = store(None, config());
    put_block(&fs, keys.as_ref(), 4, block(4, 31..=40, &[]));
    let files = fs.files();
    let refused = mend(&fs, None).unwrap_err();
    assert!(matches!(refused, RecoverError::File(FileError::NoKey(_))), "{refused}");
    assert!(fs.files() == files);
    assert_eq!(mend(&fs, keys.as_ref()).unwrap().stream.totals.messages, 38);
}

#[test]
fn sequences_that_a_later_block_has_go() {
    for cipher in CIPHERS {
        let keys = ring(cipher);
        let fs = store(keys.as_ref(), config());
        put_block(&fs, keys.as_ref(), 4, block(4, 25..=33, &[]));
        // Behind one of them stands an old one that did not count.
        put_block(&fs, keys.as_ref(), 3, block(3, (21..=30).chain([24]), &[15]));
        check("overlap", keys.as_ref(), fs, &["3: 5"]);
    }
}

#[test]
fn a_last_sequence_that_only_the_index_knows_is_not_used_again() {
    let fs = store(None, config());
    put(&fs, "msgs/index.db", &index_file(&fs));
    put_block(&fs, None, 3, block(3, 21..=25, &[15]));
    let fs = settle(fs);
    check("behind", None, fs.crash(0), &["remembered"]);
    flip(&fs, "msgs/1.blk", 100);
    check("behind and damaged", None, fs.crash(0), &["1: 9", "remembered"]);
    mend(&fs, None).unwrap();
    assert!(fs.read(&path("msgs/index.db")).is_err());
    let found = open(&fs, None);
    assert_eq!((found.totals.messages, found.totals.last_seq), (22, 30));
}

#[test]
fn an_index_is_not_believed_after_a_block_was_set_aside() {
    let fs = store(None, config());
    put(&fs, "msgs/index.db", &index_file(&fs));
    let fs = settle(fs);
    flip(&fs, "msgs/1.blk", 100);
    check("index", None, fs, &["1: 9"]);
}

#[test]
fn a_missing_block_may_turn_up() {
    let keys = ring(Some(StoreCipher::ChaCha));
    let fs = store(None, config());
    put(&fs, "msgs/index.db", &index_file(&fs));
    put_block(&fs, keys.as_ref(), 2, block(2, 11..=20, &[4]));
    let moved = fs.read(&path("msgs/2.blk")).unwrap();
    fs.remove_file(&path("msgs/2.blk")).unwrap();
    let repaired = mend(&fs, keys.as_ref()).unwrap();
    assert_eq!(words(&repaired.fixes), ["nothing"]);
    put(&fs, "msgs/2.blk", &moved);
    assert_eq!(mend(&fs, keys.as_ref()).unwrap().stream.totals.messages, 28);
}

#[test]
fn blocks_are_compressed_as_the_stream_asks() {
    let fs = store(None, StreamConfig { compression: StoreCompression::S2, ..config() });
    flip(&fs, "msgs/2.blk", 200);
    flip(&fs, "msgs/3.blk", 200);
    mend(&fs, None).unwrap();
    assert!(fs.read(&path("msgs/2.blk")).unwrap().starts_with(b"cmp"));
    // The last one is written to.
    assert!(!fs.read(&path("msgs/3.blk")).unwrap().starts_with(b"cmp"));
    // One that does not unpack to its end.
    let mut packed = Vec::new();
    compress::compress(&block(1, 1..=2000, &[]), &mut packed);
    let fs = store(None, config());
    for index in 2..=3 {
        fs.remove_file(&path(&format!("msgs/{index}.blk"))).unwrap();
    }
    put_block(&fs, None, 4, block(4, 2001..=2010, &[]));
    let at = packed.len() - 100;
    packed[at] ^= 0xff;
    put(&fs, "msgs/1.blk", &packed);
    let before = open(&fs, None);
    assert!(!before.damage.is_empty());
    let repaired = mend(&fs, None).unwrap();
    assert_eq!(repaired.stream.totals, before.totals);
    assert!(repaired.stream.damage.is_empty());
    assert_eq!(fs.read(&path("msgs/1.blk.damaged")).unwrap(), packed);
}

#[test]
fn what_limits_leave_out_stays_in_the_block() {
    let fs = store(None, StreamConfig { max_msgs: 3, ..config() });
    flip(&fs, "msgs/2.blk", 200);
    check("limits", None, fs, &["2: 10"]);
}

#[test]
fn a_purge_is_finished_or_undone() {
    for cipher in CIPHERS {
        let keys = ring(cipher);
        let keys = keys.as_ref();
        for (stage, expected) in [
            (1, Purge::Undone),
            (2, Purge::Undone),
            (3, Purge::Finished),
            (4, Purge::Finished),
            (5, Purge::Finished),
        ] {
            if stage == 2 && cipher.is_none() {
                continue;
            }
            let fs = store(keys, config());
            put_block(&fs, keys, 4, block(4, [], &[30]));
            fs.create_dir_all(&path("__new_msgs__")).unwrap();
            let rename = |from: &str, to: &str| fs.rename(&path(from), &path(to)).unwrap();
            if stage > 1 && cipher.is_some() {
                rename("msgs/4.key", "__new_msgs__/4.key");
            }
            if stage > 2 {
                rename("msgs/4.blk", "__new_msgs__/4.blk");
            }
            if stage > 3 {
                put(&fs, "__msgs__/1.blk", b"of an older purge");
            }
            if stage > 4 {
                fs.remove_dir_all(&path("__msgs__")).unwrap();
                rename("msgs", "__msgs__");
            }
            let fs = settle(fs);
            let run = |fs: &CrashFs| {
                let repaired = mend(fs, keys)?;
                let (found, totals) = (&repaired.stream, repaired.stream.totals);
                assert!(repaired.fixes.is_empty(), "{:?}", repaired.fixes);
                let names: Vec<_> = fs.read_dir(Path::new(DIR)).unwrap();
                assert!(names.iter().all(|name| !name.to_string_lossy().contains("__")));
                let counted = seqs(fs, keys, found).len();
                Ok::<_, RecoverError>((repaired.purge, (counted, totals.last_seq)))
            };
            let sound = fs.crash(0);
            let (purge, left) = run(&sound).unwrap();
            assert_eq!(purge, Some(expected), "{cipher:?} {stage}");
            // The tombstone of a purge that was given up is one for the last message.
            let messages = match expected {
                Purge::Finished => 0,
                Purge::Undone => 28 - usize::from(stage == 1),
            };
            assert_eq!(left, (messages, 30), "{cipher:?} {stage}");
            let whole = fs.crash(0);
            mend(&whole, keys).unwrap();
            for n in 1..=whole.operations() {
                let fs = fs.crash(0);
                fs.fail_at(n, Fault::Freeze);
                assert!(mend(&fs, keys).is_err());
                for after in [fs.crash(n), fs.crash(n + 1000), fs.kill()] {
                    let (_, again) = run(&after).unwrap();
                    assert_eq!(again, left, "{cipher:?} {stage} operation {n}");
                }
            }
        }
    }
}

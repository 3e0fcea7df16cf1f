use super::super::snapshot::tests::{
    DIR, NO_LIMITS, NOW, archived, consumer as sample, info, made, open, restored, rings, stored,
};
use super::*;
use crate::base::Rng;
use crate::base::fs::{CrashFs, Fault, Fs, MemFs};
use crate::model::{StoreCompression, StreamConfig};
use crate::store::archive::Writer;
use crate::store::tar::tests::entry as tar_entry;
use crate::wire::s2;
use std::path::Path;

fn packed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    s2::encode(content, &mut out);
    out
}

fn seqs(n: u64) -> Vec<u64> {
    (1..=n).collect()
}

/// An archive of 60 messages and a consumer, packed.
fn archive() -> Vec<u8> {
    let fs = MemFs::default();
    made(&fs, None, StoreCompression::None, &seqs(60), None);
    archived(&fs, None, &[sample("C")]).unwrap()
}

/// The entries of an archive in the clear.
fn unpacked(archive: &[u8]) -> Vec<(Entry, Vec<u8>)> {
    let mut content = Vec::new();
    s2::decode(archive, usize::MAX, &mut content).unwrap();
    let mut reader = archive::Reader::new(&content[..]);
    let mut all = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        all.push((entry, body));
    }
    all
}

fn made_of(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, body) in entries {
        writer.entry(entry).unwrap();
        writer.write(body).unwrap();
    }
    packed(&writer.finish().unwrap())
}

/// What is told when `change` was done to an archive; nothing is left of it.
fn refused(change: impl Fn(&mut Vec<(Entry, Vec<u8>)>)) -> RestoreError {
    let mut entries = unpacked(&archive());
    change(&mut entries);
    let fs = MemFs::default();
    let told = restored(&fs, None, &made_of(&entries), NOW).unwrap_err();
    assert_nothing_left(&fs);
    told
}

fn assert_nothing_left(fs: &dyn Fs) {
    let left = fs.read_dir(Path::new("/js")).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn damage_and_cuts_are_refused() {
    let archive = archive();
    let fs = MemFs::default();
    for len in (0..archive.len()).step_by(7) {
        assert!(restored(&fs, None, &archive[..len], NOW).is_err(), "{len}");
        assert_nothing_left(&fs);
        let mut damaged = archive.clone();
        damaged[len] ^= 1;
        assert!(restored(&fs, None, &damaged, NOW).is_err(), "{len}");
        assert_nothing_left(&fs);
    }
}

#[test]
fn what_is_not_in_its_place_is_refused() {
    let told = refused(|entries| drop(entries.pop()));
    assert!(matches!(told, RestoreError::Truncated), "{told}");
    let told = refused(|entries| drop(entries.remove(0)));
    assert!(matches!(told, RestoreError::Unexpected { .. }), "{told}");
    let told = refused(|entries| drop(entries.remove(1)));
    assert!(matches!(told, RestoreError::Unexpected { expected: "a consumer", .. }), "{told}");
    let told = refused(|entries| entries.swap(4, 5));
    assert!(matches!(told, RestoreError::Order(3)), "{told}");
    let told = refused(|entries| entries[5] = entries[4].clone());
    assert!(matches!(told, RestoreError::Order(3)), "{told}");
    let told = refused(|entries| entries[4].0.sequence = 0);
    assert!(matches!(told, RestoreError::Unexpected { expected: "a message", .. }), "{told}");
    let told = refused(|entries| entries[0].1[0] = b'x');
    assert!(matches!(told, RestoreError::Json(..)), "{told}");
}

#[test]
fn hostile_names_and_numbers_are_refused() {
    for name in ["consumers/", "consumers/..", "consumers/../../x", "consumers/a/b", "x/C", "C"] {
        let told = refused(|entries| entries[1].0.name = name.as_bytes().to_vec());
        assert!(matches!(told, RestoreError::Unexpected { .. }), "{told}");
    }
    // Another consumer's name, the same one twice.
    let told = refused(|entries| entries[1].0.name = b"consumers/D".to_vec());
    assert!(matches!(told, RestoreError::Unexpected { .. }), "{told}");
    let set_state = |entries: &mut Vec<(Entry, Vec<u8>)>, json: String| {
        (entries[0].0.payload_size, entries[0].1) = (json.len() as u64, json.into_bytes());
    };
    let told = refused(|entries| {
        set_state(entries, "{\"consumer_count\":2}".to_owned());
        entries.insert(1, entries[1].clone());
    });
    assert!(matches!(told, RestoreError::Twice(_)), "{told}");
    for state in [
        format!("{{\"consumer_count\":{}}}", u64::MAX),
        format!("{{\"consumer_count\":1,\"last_seq\":{}}}", u64::MAX),
        format!("{{\"consumer_count\":1,\"first_seq\":{}}}", u64::MAX),
    ] {
        refused(|entries| set_state(entries, state.clone()));
    }
    let told = refused(|entries| set_state(entries, format!("{{\"bytes\":{}}}", u64::MAX)));
    assert!(matches!(told, RestoreError::StreamTooLarge), "{told}");
    let told = refused(|entries| entries[4].0.sequence = u64::MAX);
    assert!(matches!(told, RestoreError::Build(BuildError::Sequence { .. })), "{told}");
    let told = refused(|entries| entries[4].0.name = vec![b'a'; 70_000]);
    assert!(matches!(told, RestoreError::Build(BuildError::TooLarge(_))), "{told}");
    let state = "{\"config\":{},\"state\":{\"ack_floor\":{\"stream_seq\":9}}}";
    let told = refused(|entries| {
        (entries[1].0.payload_size, entries[1].1) = (state.len() as u64, state.into());
    });
    assert!(matches!(told, RestoreError::Consumer(..)), "{told}");
}

/// An entry that claims more than there is costs no memory; one beyond the limits is not read.
#[test]
fn sizes_are_held_to_limits() {
    let mut head = Vec::new();
    for entry in [
        Entry { name: STATE.into(), payload_size: 1 << 40, ..Entry::default() },
        Entry { name: STATE.into(), payload_size: DOCUMENT_MAX, ..Entry::default() },
    ] {
        head.clear();
        Writer::new(&mut head).entry(&entry).unwrap();
        let fs = MemFs::default();
        assert!(restored(&fs, None, &packed(&head), NOW).is_err());
    }
    let told = |message, stream, max_msg_size| {
        let fs = MemFs::default();
        let mut info = info(StoreCompression::None);
        info.config.max_msg_size = max_msg_size;
        let mut entropy = |_: &mut [u8]| {};
        let place = Place { fs: &fs, dir: Path::new(DIR), keys: None, entropy: &mut entropy };
        let limits = Limits { message, stream };
        restore(place, &info, limits, NOW, &archive()[..]).err()
    };
    assert!(told(1000, 1 << 30, -1).is_none());
    assert!(matches!(told(699, 1 << 30, -1), Some(RestoreError::MessageTooLarge(_))));
    assert!(matches!(told(1000, 1 << 30, 699), Some(RestoreError::MessageTooLarge(_))));
    assert!(matches!(told(1000, 1000, -1), Some(RestoreError::StreamTooLarge)));
}

#[test]
fn a_stream_may_grow_beyond_what_its_state_says() {
    // The state says nothing of bytes: what comes is counted.
    let mut entries = unpacked(&archive());
    let state = "{\"consumer_count\":1}";
    (entries[0].0.payload_size, entries[0].1) = (state.len() as u64, state.into());
    let fs = MemFs::default();
    let mut entropy = |_: &mut [u8]| {};
    let place = Place { fs: &fs, dir: Path::new(DIR), keys: None, entropy: &mut entropy };
    let limits = Limits { message: 1000, stream: 20_000 };
    let info = info(StoreCompression::None);
    let told = restore(place, &info, limits, NOW, &made_of(&entries)[..]).unwrap_err();
    assert!(matches!(told, RestoreError::StreamTooLarge), "{told}");
    assert_nothing_left(&fs);
}

#[test]
fn what_has_outlived_its_time_keeps_its_sequence() {
    let fs = MemFs::default();
    // 1, 5, ... 61 live for 1,000 seconds, and are 500 old.
    made(&fs, None, StoreCompression::None, &seqs(61), None);
    let archive = archived(&fs, None, &[]).unwrap();
    let target = MemFs::default();
    restored(&target, None, &archive, NOW + 400 * SECOND_NS).unwrap();
    assert_eq!(open(&target, None, true).totals.messages, 61);
    let target = MemFs::default();
    restored(&target, None, &archive, NOW + 501 * SECOND_NS).unwrap();
    let found = open(&target, None, true);
    assert_eq!((found.totals.messages, found.totals.last_seq), (45, 61));
    assert!(stored(&target, None, &found).iter().all(|(seq, ..)| seq % 4 != 1));
}

#[test]
fn a_stream_that_is_there_stays() {
    let fs = MemFs::default();
    made(&fs, None, StoreCompression::None, &seqs(3), None);
    let told = restored(&fs, None, &archive(), NOW).unwrap_err();
    assert!(told.to_string().ends_with("file exists"), "{told}");
    assert_eq!(open(&fs, None, true).totals.messages, 3);
}

#[test]
fn a_crash_leaves_nothing_of_its_name_or_all() {
    let archive = archive();
    for keys in rings() {
        let keys = keys.as_ref();
        let run = |fs: &CrashFs| restored(fs, keys, &archive, NOW).is_ok();
        let whole = |fs: &CrashFs| {
            if fs.metadata(Path::new(DIR)).is_err() {
                return false;
            }
            assert_eq!(open(fs, keys, true).totals.messages, 60);
            let dir = Path::new(DIR);
            let consumers = super::super::consumers::consumers(fs, dir, "S", keys).unwrap();
            assert_eq!(consumers[0].state.as_ref().unwrap(), &sample("C").state);
            true
        };
        let sound = CrashFs::default();
        assert!(run(&sound));
        assert!(whole(&sound.crash(0)));
        for n in 1..=sound.operations() {
            let fs = CrashFs::default();
            fs.fail_at(n, Fault::Freeze);
            let done = run(&fs);
            assert!(whole(&fs.kill()) || !done, "operation {n}");
            for after in [fs.crash(n), fs.crash(n + 1000)] {
                if !whole(&after) {
                    assert!(!done, "operation {n}");
                    assert!(run(&after) && whole(&after.crash(n)), "operation {n}");
                }
            }
        }
    }
}

/// Names and contents.
type Files = Vec<(String, Vec<u8>)>;

/// A snapshot as servers before 2.15 make it, of a stream in `fs` in the clear.
fn tar_of(fs: &dyn Fs) -> Files {
    let read = |path: &str| fs.read(&Path::new(DIR).join(path)).unwrap();
    let mut files =
        vec![("meta.inf".to_owned(), read("meta.inf")), ("meta.sum".to_owned(), read("meta.sum"))];
    for path in fs.read_dir(&Path::new(DIR).join("msgs")).unwrap() {
        let name = format!("msgs/{}", path.file_name().unwrap().to_str().unwrap());
        let content = read(&name);
        files.push((name, content));
    }
    let meta = b"{\"Created\":\"2026-01-02T03:04:05Z\",\"Name\":\"C\",\"ack_policy\":\"explicit\"}";
    let sum = KeyedHash::named("S/C").hex(meta);
    let state = codec::encode(&sample("C").state, NOW);
    files.push(("obs/C/meta.inf".to_owned(), meta.to_vec()));
    files.push(("obs/C/meta.sum".to_owned(), sum.into_bytes()));
    files.push(("obs/C/o.dat".to_owned(), state));
    files
}

fn tar_packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (name, file) in files {
        content.extend(tar_entry(name, b'0', file));
    }
    content.resize(content.len() + 1024, 0);
    packed(&content)
}

#[test]
fn the_files_of_older_servers_are_restored() {
    let source = MemFs::default();
    let wanted: Vec<u64> = (5..=95).filter(|seq| seq % 10 != 0).collect();
    made(&source, None, StoreCompression::None, &wanted, Some(99));
    let mut files = tar_of(&source);
    files.push(("msgs/1.fss".to_owned(), b"of older servers".to_vec()));
    for keys in rings() {
        let keys = keys.as_ref();
        let target = CrashFs::default();
        let done = restored(&target, keys, &tar_packed(&files), NOW).unwrap();
        assert_eq!(done.consumers[0].name, "C");
        let target = target.crash(3);
        let (a, b) = (open(&source, None, false), open(&target, keys, false));
        assert_eq!(stored(&source, None, &a), stored(&target, keys, &b));
        assert_eq!(a.totals, b.totals);
        assert_eq!(b.index, recover::IndexUse::Sound);
        let consumer =
            super::super::consumers::consumers(&target, Path::new(DIR), "S", keys).unwrap();
        assert_eq!(consumer[0].state.as_ref().unwrap(), &sample("C").state);
        // Nothing lies in the clear.
        let subject = |(_, content): &(_, Vec<u8>)| memchr::memmem::find(content, b"s.3").is_some();
        assert_eq!(target.files().iter().any(subject), keys.is_none());
    }
}

#[test]
fn the_configuration_is_the_callers() {
    let source = MemFs::default();
    made(&source, None, StoreCompression::None, &seqs(5), None);
    let target = MemFs::default();
    restored(&target, None, &tar_packed(&tar_of(&source)), NOW).unwrap();
    let found = open(&target, None, false);
    assert_eq!(found.info.config.compression, StoreCompression::S2);
    let other = FileStreamInfo {
        config: StreamConfig { name: "T".to_owned(), ..StreamConfig::default() },
        ..FileStreamInfo::default()
    };
    let mut entropy = |_: &mut [u8]| {};
    let place = Place { fs: &target, dir: Path::new("/js/T"), keys: None, entropy: &mut entropy };
    let input = tar_packed(&tar_of(&source));
    let told = restore(place, &other, NO_LIMITS, NOW, &input[..]).unwrap_err();
    assert!(matches!(told, RestoreError::Name), "{told}");
}

#[test]
fn hostile_files_are_refused() {
    let source = MemFs::default();
    made(&source, None, StoreCompression::None, &seqs(60), None);
    let refused = |change: &dyn Fn(&mut Files)| {
        let mut files = tar_of(&source);
        change(&mut files);
        let fs = MemFs::default();
        let told = restored(&fs, None, &tar_packed(&files), NOW).unwrap_err();
        assert_nothing_left(&fs);
        told
    };
    for name in [
        "../x",
        "/etc/x",
        "msgs/../../x",
        "obs/../o.dat",
        "obs/a/b/o.dat",
        "obs/o.dat",
        "obs/C/x",
        "other",
        "",
    ] {
        let told = refused(&|files| files.push((name.to_owned(), Vec::new())));
        assert!(matches!(told, RestoreError::Unexpected { .. }), "{name}: {told}");
    }
    for (at, name) in [(0, "meta.inf"), (2, "1.blk"), (6, "o.dat")] {
        let told = refused(&|files| {
            let file = files.iter().find(|(file, _)| file.ends_with(name)).unwrap().clone();
            files.push(file);
        });
        assert!(matches!(told, RestoreError::Twice(_)), "{at}: {told}");
    }
    let told = refused(&|files| files.swap(0, 1));
    assert!(matches!(told, RestoreError::Unexpected { .. }), "{told}");
    for name in ["meta.sum", "msgs/index.db", "obs/C/meta.sum"] {
        let told = refused(&|files| {
            let file = files.iter_mut().find(|(file, _)| file == name).unwrap();
            file.1[3] ^= 1;
        });
        assert!(matches!(told, RestoreError::Checksum(_)), "{name}: {told}");
    }
    let told = refused(&|files| {
        let file = files.iter_mut().find(|(file, _)| file == "msgs/1.blk").unwrap();
        file.1[1000] ^= 1;
    });
    assert!(matches!(told, RestoreError::Damaged { .. }), "{told}");
    let told = refused(&|files| files.retain(|(file, _)| file != "msgs/1.blk"));
    assert!(matches!(told, RestoreError::Damaged { .. }), "{told}");
    let told = refused(&|files| files.retain(|(file, _)| file != "obs/C/meta.inf"));
    assert!(matches!(told, RestoreError::Unexpected { .. }), "{told}");
    let told = refused(&|files| files.last_mut().unwrap().1.truncate(4));
    assert!(matches!(told, RestoreError::State(..)), "{told}");
    let told = refused(&|files| files.push(("errors.txt".to_owned(), b"no luck".to_vec())));
    assert!(matches!(&told, RestoreError::Failed(why) if why == "no luck"), "{told}");
}

#[test]
fn cut_files_are_refused() {
    let source = MemFs::default();
    made(&source, None, StoreCompression::None, &seqs(60), None);
    let mut content = Vec::new();
    for (name, file) in tar_of(&source) {
        content.extend(tar_entry(&name, b'0', &file));
    }
    let mut rng = Rng::from_seed(1);
    for _ in 0..60 {
        let len = rng.below(content.len() as u64) as usize;
        let fs = MemFs::default();
        assert!(restored(&fs, None, &packed(&content[..len]), NOW).is_err(), "{len}");
        assert_nothing_left(&fs);
    }
    assert!(restored(&MemFs::default(), None, &packed(&content), NOW).is_err(), "without an end");
}

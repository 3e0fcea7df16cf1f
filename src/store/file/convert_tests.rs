use super::super::build::{Builder, Message, Place};
use super::super::recover::{self, Options};
use super::*;
use crate::base::Rng;
use crate::base::fs::{CrashFs, Fault};
use crate::config::jetstream::StoreCipher;
use crate::model::{FileStreamInfo, StoreCompression, StreamConfig};
use std::ops::ControlFlow;

const DIR: &str = "/js/S";
const CONSUMER: &str = "/js/S/obs/C";
/// A long gap begins a block.
const SEQS: [u64; 7] = [1, 2, 3, 4, 6, 100_000, 100_001];

fn ring(key: &str, previous: &str, cipher: StoreCipher) -> Option<KeyRing> {
    KeyRing::new("$G", &key.into(), &previous.into(), cipher)
}

/// Old and new keys.
fn cases() -> Vec<(Option<KeyRing>, Option<KeyRing>)> {
    let [chacha, aes] = [StoreCipher::ChaCha, StoreCipher::Aes];
    vec![
        (None, ring("k", "", chacha)),
        (None, ring("k", "", aes)),
        (ring("k", "", chacha), ring("k", "", aes)),
        (ring("k", "", aes), ring("k", "", chacha)),
        (ring("k", "", chacha), ring("n", "k", chacha)),
        (ring("k", "", chacha), ring("n", "k", aes)),
    ]
}

/// Two blocks and a consumer.
fn made(keys: Option<&KeyRing>, compression: StoreCompression) -> CrashFs {
    let fs = CrashFs::default();
    let mut rng = Rng::from_seed(1);
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    let config = StreamConfig { name: "S".to_owned(), compression, ..StreamConfig::default() };
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    let place = Place { fs: &fs, dir: Path::new(DIR), keys, entropy: &mut entropy };
    let mut builder = Builder::new(place, &info).unwrap();
    for seq in SEQS {
        let payload = &[b'x'; 1000];
        let message = Message { seq, time_ns: 1, subject: b"s.a", headers: b"", payload };
        builder.add(&message).unwrap();
    }
    builder.finish().unwrap();
    let dir = Path::new(CONSUMER);
    fs.create_dir_all(dir).unwrap();
    let key = keys.map(|keys| keys.create("S.C", &mut entropy));
    let mut put = |name: &str, content: &[u8]| {
        let content = match &key {
            Some((key, _)) => key.seal(content, &mut entropy),
            None => content.to_vec(),
        };
        fs.replace(&dir.join(name), &content, 0).unwrap();
        content
    };
    let meta = put(layout::META, b"{\"Name\":\"C\"}");
    put(layout::CONSUMER_STATE, &[22, 2, 1, 2, 3, 4, 0, 0]);
    let sum = KeyedHash::named("S/C").hex(&meta);
    fs.replace(&dir.join(layout::META_SUM), sum.as_bytes(), 0).unwrap();
    if let Some((_, file)) = &key {
        fs.replace(&dir.join(layout::META_KEY), file, 0).unwrap();
    }
    for dir in ["/", "/js", "/js/S", "/js/S/obs"] {
        fs.sync_dir(Path::new(dir)).unwrap();
    }
    fs
}

fn convert(fs: &CrashFs, keys: Option<&KeyRing>) -> Result<Converted, ConvertError> {
    let mut rng = Rng::from_seed(fs.operations());
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    Converter { fs, keys, entropy: &mut entropy }.stream(Path::new(DIR))
}

/// Everything is there, readable with `keys`, and nothing is left aside.
fn assert_whole(fs: &CrashFs, keys: Option<&KeyRing>, verify: bool) {
    let options = Options { keys, verify, now_ns: None };
    let found = recover::stream(fs, Path::new(DIR), options).unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    assert_eq!(found.index, recover::IndexUse::Sound);
    let mut seqs = Vec::new();
    let visit = |record: &super::super::record::Record<'_>| {
        assert_eq!(record.payload, [b'x'; 1000]);
        seqs.push(record.seq);
        ControlFlow::Continue(())
    };
    found.messages(fs, keys, (0, u64::MAX), visit).unwrap();
    assert_eq!(seqs, SEQS);
    let consumer = super::super::consumers::consumer(fs, Path::new(CONSUMER), "S", "C", keys);
    assert_eq!(consumer.state.unwrap().delivered.stream_seq, 4);
    assert!(consumer.sum_matches && consumer.info.unwrap().name == "C");
    for (path, _) in fs.files() {
        assert!(!path.to_string_lossy().contains("/new."), "{}", path.display());
    }
}

/// The keys with the previous one forgotten.
fn alone(keys: &KeyRing) -> KeyRing {
    let [chacha, aes] = [StoreCipher::ChaCha, StoreCipher::Aes];
    let all = [("k", chacha), ("k", aes), ("n", chacha), ("n", aes)];
    let all = all.into_iter().filter_map(|(key, cipher)| ring(key, "", cipher));
    let (_, file) = keys.create("A", &mut |buf| buf.fill(1));
    let mut opening = all.filter(|ring| ring.open("A", &file).is_ok_and(|key| key.is_current()));
    opening.next().unwrap()
}

#[test]
fn everything_gets_the_configured_key() {
    for (old, new) in cases() {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let fs = made(old.as_ref(), compression);
            let blocks = fs.read_dir(Path::new("/js/S/msgs")).unwrap();
            let blocks = blocks.iter().filter(|path| layout::block_index(path).is_some()).count();
            assert!(blocks > 1);
            let done = convert(&fs, new.as_ref()).unwrap();
            assert!(done.refused.is_empty() && done.wrong_sums.is_empty(), "{done:?}");
            assert_eq!(done.assets, blocks + 2);
            let alone = new.as_ref().map(alone);
            for verify in [false, true] {
                assert_whole(&fs, alone.as_ref(), verify);
            }
            // There is nothing left to do.
            let before = fs.files();
            assert_eq!(convert(&fs, alone.as_ref()).unwrap().assets, 0);
            assert_eq!(fs.files(), before);
        }
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing() {
    for (at, (old, new)) in (0..).zip(cases()) {
        let sound = made(old.as_ref(), StoreCompression::None);
        let from = sound.operations();
        convert(&sound, new.as_ref()).unwrap();
        // Each operation in two of the cases.
        for n in (1..=sound.operations() - from).filter(|n| n % 3 == at % 3) {
            let fs = made(old.as_ref(), StoreCompression::None);
            fs.fail_at(n, Fault::Freeze);
            // Some are refused, or the whole; both are told.
            let told = convert(&fs, new.as_ref()).map_or(true, |done| !done.refused.is_empty());
            assert!(told, "operation {n}");
            for after in [fs.kill(), fs.crash(n), fs.crash(n + 1000)] {
                let done = convert(&after, new.as_ref()).unwrap();
                assert!(done.refused.is_empty(), "operation {n}: {done:?}");
                let alone = new.as_ref().map(alone);
                assert_whole(&after, alone.as_ref(), n % 2 == 0);
            }
        }
    }
}

#[test]
fn sealed_is_not_opened_without_a_key() {
    let fs = made(ring("k", "", StoreCipher::Aes).as_ref(), StoreCompression::None);
    let before = fs.files();
    let refused = convert(&fs, None).unwrap_err();
    let path = PathBuf::from("/js/S/meta.key");
    assert!(matches!(refused, ConvertError::File(FileError::NoKey(at)) if at == path));
    let refused = convert(&fs, ring("other", "", StoreCipher::Aes).as_ref()).unwrap_err();
    assert!(matches!(refused, ConvertError::File(FileError::Crypt { .. })), "{refused}");
    assert_eq!(fs.files(), before);
}

#[test]
fn what_cannot_be_read_is_told_and_left_alone() {
    let keys = ring("n", "", StoreCipher::ChaCha);
    let old = ring("k", "", StoreCipher::ChaCha);
    let fs = made(None, StoreCompression::None);
    // A block that is sealed with a key that is lost, and a state that is cut.
    let sealed = made(old.as_ref(), StoreCompression::None);
    let block = Path::new("/js/S/msgs/1.blk");
    let lost = sealed.read(block).unwrap();
    fs.write(block, &lost, 0).unwrap();
    fs.truncate(Path::new("/js/S/obs/C/o.dat"), 3).unwrap();
    let done = convert(&fs, keys.as_ref()).unwrap();
    let refused: Vec<String> = done.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].contains("1.blk") && refused[1].contains("o.dat"), "{refused:?}");
    assert_eq!(fs.read(block).unwrap(), lost);
    assert_eq!(done.assets, 2, "the other block and the stream");
    // A damaged configuration stops the whole.
    let fs = made(None, StoreCompression::None);
    fs.truncate(Path::new("/js/S/meta.inf"), 9).unwrap();
    assert!(matches!(convert(&fs, keys.as_ref()), Err(ConvertError::NotPlain(_))));
}

#[test]
fn damage_is_not_sealed_as_if_it_were_sound() {
    let keys = ring("n", "", StoreCipher::ChaCha);
    let fs = made(None, StoreCompression::None);
    fs.flip_bit(Path::new("/js/S/msgs/index.db"), 100).unwrap();
    fs.flip_bit(Path::new("/js/S/meta.sum"), 1).unwrap();
    let done = convert(&fs, keys.as_ref()).unwrap();
    assert_eq!(done.wrong_sums, [Path::new("/js/S/meta.inf")]);
    let options = Options { keys: keys.as_ref(), ..Options::default() };
    let found = recover::stream(&fs, Path::new(DIR), options).unwrap();
    assert_eq!(found.index, recover::IndexUse::Damaged);
    assert_eq!(found.totals.messages, 7);
}

#[test]
fn a_block_with_a_damaged_record_is_converted_as_it_is() {
    let keys = ring("n", "", StoreCipher::ChaCha);
    let fs = made(None, StoreCompression::None);
    fs.flip_bit(Path::new("/js/S/msgs/1.blk"), 8 * 300).unwrap();
    assert!(convert(&fs, keys.as_ref()).unwrap().refused.is_empty());
    let options = Options { keys: keys.as_ref(), verify: true, now_ns: None };
    let found = recover::stream(&fs, Path::new(DIR), options).unwrap();
    assert_eq!((found.damage.len(), found.totals.messages), (1, 6));
}

use super::*;
use crate::base::Rng;
use crate::base::fs::{CrashFs, Fault};
use crate::config::jetstream::StoreCipher;
use crate::model::{AckPolicy, SequencePair, Time};

const STREAM: &str = "/js/S";
const STATE: &str = "/js/S/obs/C/o.dat";
const SECOND_NS: i64 = 1_000_000_000;

fn ring(key: &str, previous: &str, cipher: StoreCipher) -> Option<KeyRing> {
    KeyRing::new("$G", &key.into(), &previous.into(), cipher)
}

/// In the clear, and encrypted with either cipher.
fn rings() -> [Option<KeyRing>; 3] {
    [None, ring("k", "", StoreCipher::ChaCha), ring("k", "", StoreCipher::Aes)]
}

/// A disk with the folder of a stream.
fn disk() -> CrashFs {
    let fs = CrashFs::default();
    fs.create_dir_all(Path::new(STREAM)).unwrap();
    for dir in ["/", "/js"] {
        fs.sync_dir(Path::new(dir)).unwrap();
    }
    fs
}

fn info(description: &str) -> FileConsumerInfo {
    let config = ConsumerConfig {
        name: "C".to_owned(),
        description: description.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..ConsumerConfig::default()
    };
    FileConsumerInfo { created: Time::from_unix_ns(7), name: "C".to_owned(), config }
}

fn open_as(
    fs: &CrashFs,
    keys: Option<&KeyRing>,
    durable: bool,
) -> Result<FileConsumerStore, OpenError> {
    let mut rng = Rng::from_seed(fs.operations());
    let place = Place {
        fs: Arc::new(fs.clone()),
        stream_dir: Path::new(STREAM),
        keys,
        entropy: Box::new(move |buf| rng.fill(buf)),
        durable,
    };
    FileConsumerStore::open(place, &info("old"))
}

fn open(fs: &CrashFs, keys: Option<&KeyRing>) -> Result<FileConsumerStore, OpenError> {
    open_as(fs, keys, true)
}

/// Delivers message `n` and acknowledges the one before.
fn step(store: &mut FileConsumerStore, n: u64) {
    let delivered =
        store.change(&mut |core| core.update_delivered(n, n * 10, 1, n.cast_signed() * SECOND_NS));
    delivered.unwrap();
    if n > 1 {
        store.change(&mut |core| core.update_acks(n - 1, (n - 1) * 10)).unwrap();
    }
}

/// A consumer that has delivered `n` messages, on disk.
fn made(fs: &CrashFs, keys: Option<&KeyRing>, n: u64) -> FileConsumerStore {
    let mut store = open(fs, keys).unwrap();
    (1..=n).for_each(|n| step(&mut store, n));
    store.flush().unwrap();
    store
}

/// How many messages it had delivered when it was last written.
fn delivered(store: &FileConsumerStore) -> u64 {
    let state = store.core().unwrap().state();
    let pending: Vec<u64> = state.pending.keys().copied().collect();
    let n = state.delivered.consumer_seq;
    let expected = if n == 0 { vec![] } else { vec![n * 10] };
    assert_eq!(pending, expected, "the state is one that there was");
    n
}

/// Does something at each of whose operations the disk may end, and looks at what is found then.
fn at_every_crash(
    before: &dyn Fn() -> CrashFs,
    act: &dyn Fn(&CrashFs) -> bool,
    check: &dyn Fn(&CrashFs, bool),
) {
    let sound = before();
    let from = sound.operations();
    assert!(act(&sound), "it succeeds on a sound disk");
    let operations = sound.operations() - from;
    for n in 1..=operations + 1 {
        let fs = before();
        fs.fail_at(n, Fault::Freeze);
        let done = act(&fs);
        check(&fs.kill(), done);
        for seed in 0..3 {
            check(&fs.crash(seed), done);
        }
    }
}

#[test]
fn a_state_is_found_again() {
    for keys in rings() {
        let (fs, keys) = (disk(), keys.as_ref());
        let mut store = open(&fs, keys).unwrap();
        assert!(!store.has_state() && !store.is_dirty());
        (1..=3).for_each(|n| step(&mut store, n));
        assert!(store.is_dirty());
        let state = store.core().unwrap().state().clone();
        store.stop().unwrap();
        assert!(matches!(store.core(), Err(StoreError::Closed)));
        assert!(matches!(store.flush(), Err(StoreError::Closed)));
        let found = open(&fs, keys).unwrap();
        assert_eq!(found.core().unwrap().state(), &state);
        assert!(found.has_state() && !found.sum_was_wrong());
        let in_the_clear = codec::decode(&fs.read(Path::new(STATE)).unwrap()).is_ok();
        assert_eq!(in_the_clear, keys.is_none());
    }
}

#[test]
fn what_did_not_change_is_not_written() {
    let fs = disk();
    let mut store = made(&fs, None, 2);
    let operations = fs.operations();
    store.flush().unwrap();
    store.stop().unwrap();
    assert_eq!(fs.operations(), operations);
}

#[test]
fn a_refused_acknowledgement_may_change_the_state() {
    let fs = disk();
    let mut store = open(&fs, None).unwrap();
    let config = ConsumerConfig { max_deliver: 1, ..info("old").config };
    store.update_config(&config).unwrap();
    store.change(&mut |core| core.update_delivered(1, 1, 1, 0)).unwrap();
    store.change(&mut |core| core.update_delivered(2, 1, 2, 0)).unwrap();
    store.flush().unwrap();
    let refused = store.change(&mut |core| core.update_acks(2, 1));
    assert!(matches!(refused, Err(StoreError::NotFound)));
    store.stop().unwrap();
    let found = open(&fs, None).unwrap();
    assert!(found.core().unwrap().state().redelivered.is_empty());
}

#[test]
fn a_consumer_that_begins_at_nothing_has_a_state() {
    let fs = disk();
    let mut store = open(&fs, None).unwrap();
    store
        .change(&mut |core| {
            core.set_starting(0);
            Ok(())
        })
        .unwrap();
    assert!(!store.has_state());
    store.flush().unwrap();
    assert!(store.has_state());
    assert!(open(&fs, None).unwrap().has_state());
}

#[test]
fn a_crash_while_it_is_made_leaves_one_that_can_be_made() {
    for keys in rings() {
        let keys = keys.as_ref();
        at_every_crash(&disk, &|fs| open(fs, keys).is_ok(), &|fs, done| {
            let path = Path::new("/js/S/obs/C/meta.inf");
            assert!(!done || fs.metadata(path).is_ok());
            let mut found = open(fs, keys).unwrap();
            assert!(!found.has_state());
            step(&mut found, 1);
            found.stop().unwrap();
            assert_eq!(delivered(&open(&fs.crash(1), keys).unwrap()), 1);
        });
    }
}

#[test]
fn a_crash_while_it_is_written_leaves_the_old_state_or_the_new() {
    for keys in rings() {
        let keys = keys.as_ref();
        let before = || {
            let fs = disk();
            made(&fs, keys, 2);
            fs
        };
        let act = |fs: &CrashFs| {
            let Ok(mut store) = open(fs, keys) else { return false };
            step(&mut store, 3);
            store.flush().is_ok()
        };
        at_every_crash(&before, &act, &|fs, done| {
            let n = delivered(&open(fs, keys).unwrap());
            assert!(n == 3 || (n == 2 && !done), "{n} {done}");
        });
    }
}

#[test]
fn without_durability_a_crash_is_told_or_harmless() {
    for keys in rings() {
        let keys = keys.as_ref();
        let before = || {
            let fs = disk();
            made(&fs, keys, 40);
            fs
        };
        let sound = before();
        let from = sound.operations();
        let act = |fs: &CrashFs| {
            let Ok(mut store) = open_as(fs, keys, false) else { return };
            step(&mut store, 41);
            let _ = store.flush();
        };
        act(&sound);
        let (mut old, mut new, mut told) = (0, 0, 0);
        for n in 1..=sound.operations() - from + 1 {
            let fs = before();
            fs.fail_at(n, Fault::Freeze);
            act(&fs);
            assert!(delivered(&open(&fs.kill(), keys).unwrap()) >= 40);
            for seed in 0..12 {
                match open(&fs.crash(seed), keys) {
                    Ok(found) if delivered(&found) == 41 => new += 1,
                    Ok(found) => {
                        assert_eq!(delivered(&found), 40);
                        old += 1;
                    }
                    Err(OpenError::Consumer(_)) => told += 1,
                    Err(e) => panic!("{e}"),
                }
            }
        }
        assert!(old > 0 && new > 0 && told > 0, "{old} {new} {told}");
    }
}

#[test]
fn a_failed_write_is_tried_again() {
    for fault in [Fault::Io, Fault::NoSpace] {
        for n in 1..4 {
            let fs = disk();
            let mut store = made(&fs, None, 2);
            step(&mut store, 3);
            fs.fail_at(n, fault);
            assert!(store.stop().is_err());
            assert!(store.is_dirty());
            assert_eq!(delivered(&open(&fs.kill(), None).unwrap()), 2);
            store.stop().unwrap();
            assert_eq!(delivered(&open(&fs, None).unwrap()), 3);
        }
    }
}

fn description(fs: &CrashFs, keys: Option<&KeyRing>) -> String {
    let meta = files::meta(fs, Path::new("/js/S/obs/C"), "S.C", "S/C", keys).unwrap();
    FileConsumerInfo::decode(&meta.content).unwrap().config.description
}

#[test]
fn a_crash_while_the_configuration_changes_leaves_the_old_or_the_new() {
    for keys in rings() {
        let keys = keys.as_ref();
        let before = || {
            let fs = disk();
            made(&fs, keys, 2);
            fs
        };
        let act = |fs: &CrashFs| {
            let Ok(mut store) = open(fs, keys) else { return false };
            let updated = store.update_config(&info("new").config).is_ok();
            let now = &store.core().unwrap().config.description;
            assert_eq!(now, if updated { "new" } else { "old" });
            updated
        };
        at_every_crash(&before, &act, &|fs, done| {
            let found = open(fs, keys).unwrap();
            assert_eq!(delivered(&found), 2);
            let text = description(fs, keys);
            assert!(text == "new" || (text == "old" && !done), "{text} {done}");
            // It is told once, and then right.
            assert!(!open(fs, keys).unwrap().sum_was_wrong());
        });
    }
}

#[test]
fn a_wrong_sum_is_told_and_put_right() {
    let fs = disk();
    made(&fs, None, 1);
    let sum = Path::new("/js/S/obs/C/meta.sum");
    let right = fs.read(sum).unwrap();
    for wrong in [Some(&b"0123456789abcdef"[..]), Some(b""), None] {
        match wrong {
            Some(wrong) => fs.write(sum, wrong, 0).unwrap(),
            None => fs.remove_file(sum).unwrap(),
        }
        assert!(open(&fs, None).unwrap().sum_was_wrong());
        assert_eq!(fs.read(sum).unwrap(), right);
    }
}

#[test]
fn what_is_deleted_does_not_come_back() {
    for keys in rings() {
        let keys = keys.as_ref();
        let before = || {
            let fs = disk();
            made(&fs, keys, 2);
            fs
        };
        let act = |fs: &CrashFs| {
            let Ok(mut store) = open(fs, keys) else { return false };
            store.delete().is_ok()
        };
        at_every_crash(&before, &act, &|fs, done| {
            let there = fs.metadata(Path::new("/js/S/obs/C")).is_ok();
            assert!(!there || !done);
            let mut found = open(fs, keys).unwrap();
            // All of it, or one that is new.
            assert_eq!(delivered(&found), if there { 2 } else { 0 });
            assert_eq!(found.has_state(), there);
            remove_deleted(fs, Path::new(STREAM)).unwrap();
            assert_eq!(fs.read_dir(Path::new(STREAM)).unwrap().len(), 1);
            found.delete().unwrap();
            assert!(fs.metadata(Path::new("/js/S/obs/C")).is_err());
        });
    }
}

#[test]
fn damage_is_no_new_beginning() {
    let state = Path::new(STATE);
    for keys in rings() {
        let keys = keys.as_ref();
        let fs = disk();
        made(&fs, keys, 5);
        let len = fs.read(state).unwrap().len();
        for cut in 0..len {
            let damaged = fs.kill();
            damaged.truncate(state, cut as u64).unwrap();
            let refused = open(&damaged, keys).unwrap_err();
            assert!(matches!(refused, OpenError::Consumer(_)), "{refused}");
            assert_eq!(damaged.read(state).unwrap().len(), cut, "it is left as it was");
            let dir = Path::new("/js/S/obs/C");
            let looked_at = super::super::consumers::consumer(&damaged, dir, "S", "C", keys);
            assert!(looked_at.state.is_err(), "{cut}");
        }
        fs.truncate(state, 0).unwrap();
        let refused = open(&fs, keys).unwrap_err().to_string();
        let cause = if keys.is_some() { "the sealed content is damaged" } else { "corrupt state" };
        assert!(refused.contains(STATE) && refused.contains(cause), "{refused}");
        let aside = set_state_aside(&fs, Path::new(STREAM), "C").unwrap();
        assert!(fs.crash(1).metadata(&aside).is_ok());
        assert!(!open(&fs, keys).unwrap().has_state());
    }
}

#[test]
fn a_damaged_configuration_is_told() {
    let meta = Path::new("/js/S/obs/C/meta.inf");
    for keys in rings() {
        let fs = disk();
        made(&fs, keys.as_ref(), 5);
        fs.truncate(meta, 20).unwrap();
        let refused = open(&fs, keys.as_ref()).unwrap_err();
        assert!(matches!(refused, OpenError::Consumer(_)), "{refused}");
    }
}

#[test]
fn a_lost_configuration_is_written_again_and_the_state_stays() {
    let meta = Path::new("/js/S/obs/C/meta.inf");
    for keys in rings() {
        let fs = disk();
        made(&fs, keys.as_ref(), 5);
        fs.remove_file(meta).unwrap();
        assert_eq!(delivered(&open(&fs, keys.as_ref()).unwrap()), 5);
        assert_eq!(description(&fs, keys.as_ref()), "old");
    }
}

#[test]
fn keys_and_ciphers_are_changed_when_it_is_opened() {
    let [chacha, aes] = [StoreCipher::ChaCha, StoreCipher::Aes];
    let cases = [
        (None, ring("k", "", chacha)),
        (None, ring("k", "", aes)),
        (ring("k", "", chacha), ring("k", "", aes)),
        (ring("k", "", aes), ring("k", "", chacha)),
        (ring("k", "", chacha), ring("n", "k", chacha)),
        (ring("k", "", chacha), ring("n", "k", aes)),
    ];
    for (old, new) in cases {
        // What is converted needs no other key than the configured one.
        let alone = [chacha, aes].map(|cipher| [ring("k", "", cipher), ring("n", "", cipher)]);
        let fs = disk();
        made(&fs, old.as_ref(), 3);
        assert!(open(&fs, new.as_ref()).is_ok());
        let key = fs.read(Path::new("/js/S/obs/C/meta.key")).unwrap();
        let current = |keys: &KeyRing| keys.open("S.C", &key).is_ok_and(|key| key.is_current());
        assert_eq!(alone.iter().flatten().flatten().filter(|keys| current(keys)).count(), 1);
        assert!(new.as_ref().is_some_and(current));
        let before = || {
            let fs = disk();
            made(&fs, old.as_ref(), 3);
            fs
        };
        let act = |fs: &CrashFs| open(fs, new.as_ref()).is_ok();
        at_every_crash(&before, &act, &|fs, done| {
            let found = open(fs, new.as_ref()).unwrap();
            assert_eq!(delivered(&found), 3);
            assert!(!found.sum_was_wrong());
            let folder = fs.read_dir(Path::new("/js/S/obs/C")).unwrap();
            assert_eq!(folder.len(), 4, "{folder:?} {done}");
        });
    }
}

#[test]
fn an_unknown_key_is_told() {
    let fs = disk();
    made(&fs, ring("k", "", StoreCipher::Aes).as_ref(), 3);
    for keys in [None, ring("other", "", StoreCipher::Aes)] {
        let before = fs.files();
        let refused = open(&fs, keys.as_ref()).unwrap_err();
        assert!(refused.to_string().contains("meta.key"), "{refused}");
        assert_eq!(fs.files(), before);
    }
    assert_eq!(delivered(&open(&fs, ring("k", "", StoreCipher::Aes).as_ref()).unwrap()), 3);
}

#[test]
fn names_are_names_of_folders() {
    let fs = disk();
    for name in ["", ".", "..", "a/b", "a\\b", "a.b", "a b", "*", ">", "a\0"] {
        let place = Place {
            fs: Arc::new(fs.clone()),
            stream_dir: Path::new(STREAM),
            keys: None,
            entropy: Box::new(|_| {}),
            durable: true,
        };
        let refused = FileConsumerStore::open(
            place,
            &FileConsumerInfo { name: name.to_owned(), ..info("old") },
        );
        assert!(matches!(refused, Err(OpenError::Name(_))), "{name:?}");
    }
    assert!(fs.files().is_empty());
}

#[test]
fn any_version_is_read() {
    let fs = disk();
    made(&fs, None, 1);
    // Floor 1/1, delivered next 3 and 4 above it.
    fs.write(Path::new(STATE), &[22, 1, 1, 1, 3, 4, 0, 0], 0).unwrap();
    let found = open(&fs, None).unwrap();
    let pair = SequencePair { consumer_seq: 3, stream_seq: 4 };
    assert_eq!(found.core().unwrap().state().delivered, pair);
    fs.write(Path::new(STATE), &[22, 3, 1, 1, 3, 4, 0, 0], 0).unwrap();
    assert!(open(&fs, None).unwrap_err().to_string().contains("unsupported version: 3"));
}

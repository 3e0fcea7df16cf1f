//! The store of a consumer in its directory, in the clear and with either cipher.

use nats_server::base::Env;
use nats_server::base::fs::{Fs, OsFs};
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    AckPolicy, ConsumerConfig, ConsumerState, FileConsumerInfo, FileStreamInfo, Pending,
    SequencePair, StreamConfig, Time,
};
use nats_server::store::consumer::ConsumerStore;
use nats_server::store::file::build::{self, Builder};
use nats_server::store::file::consumer_store::{FileConsumerStore, Place};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::hash::KeyedHash;
use nats_server::store::stream::StoreError;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

crate::cases! {
    "server/filestore_test.go",
    library updates => ["TestFileStoreConsumer"],
    library redelivered_is_kept => ["TestFileStoreConsumerRedeliveredLost"],
    library a_refused_acknowledgement_is_kept => ["TestFileStoreConsumerUpdateAcksFlushesRedelivered"],
    library delivered => ["TestFileStoreConsumerDeliveredUpdates"],
    library delivered_and_acknowledged => ["TestFileStoreConsumerDeliveredAndAckUpdates"],
    library after_a_restart => ["TestFileStoreConsumerStoreEncodeAfterRestart"],
    library metas => ["TestFileStoreMeta"],
    library set_back => ["TestFileStoreResetConsumerToStreamState"],
    library deleted_while_written => ["TestFileStoreNoDirectoryNotEmptyError"],
    not_applicable "TestFileStoreConsumerFlusher" => "waits for the start and the end of a goroutine that writes the state; here the consumer's owner writes it, and the store has no task",
    not_applicable "TestFileStoreConsumerPerf" => "skipped by upstream; prints how fast states are encoded, and asserts nothing",
}

const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
const NOW: i64 = 1_795_478_400 * SECOND;

fn pair(consumer_seq: u64, stream_seq: u64) -> SequencePair {
    SequencePair { consumer_seq, stream_seq }
}

/// The folder of stream `zzz`, and the keys of its store.
struct Stream {
    root: TempDir,
    keys: Option<KeyRing>,
}

/// Runs `case` on a store in the clear, and on one encrypted with each cipher.
fn permutations(case: fn(&Stream)) {
    let ring = |cipher| KeyRing::new("$G", &"secret".into(), &"".into(), cipher);
    for keys in [None, ring(StoreCipher::ChaCha), ring(StoreCipher::Aes)] {
        let root = tempfile::tempdir().unwrap();
        OsFs.create_dir_all(&root.path().join("zzz")).unwrap();
        case(&Stream { root, keys });
    }
}

impl Stream {
    fn dir(&self) -> PathBuf {
        self.root.path().join("zzz")
    }

    fn consumer(&self, name: &str, config: &ConsumerConfig) -> FileConsumerStore {
        let env = Env::os();
        let dir = self.dir();
        let place = Place {
            fs: Arc::new(OsFs),
            stream_dir: &dir,
            keys: self.keys.as_ref(),
            entropy: Box::new(move |buf| env.entropy(buf)),
            durable: false,
        };
        let config = ConsumerConfig { name: name.to_owned(), ..config.clone() };
        let info = FileConsumerInfo { created: Time::ZERO, name: name.to_owned(), config };
        FileConsumerStore::open(place, &info).unwrap()
    }
}

fn explicit() -> ConsumerConfig {
    ConsumerConfig { ack_policy: AckPolicy::Explicit, ..ConsumerConfig::default() }
}

fn no_acks() -> ConsumerConfig {
    ConsumerConfig { ack_policy: AckPolicy::None, ..ConsumerConfig::default() }
}

fn state(store: &FileConsumerStore) -> ConsumerState {
    store.core().unwrap().state().clone()
}

fn deliver(
    store: &mut FileConsumerStore,
    (consumer_seq, stream_seq): (u64, u64),
    deliveries: u64,
) -> Result<(), StoreError> {
    store.change(&mut |core| core.update_delivered(consumer_seq, stream_seq, deliveries, NOW))
}

fn acknowledge(
    store: &mut FileConsumerStore,
    consumer_seq: u64,
    stream_seq: u64,
) -> Result<(), StoreError> {
    store.change(&mut |core| core.update_acks(consumer_seq, stream_seq))
}

fn updates() {
    permutations(|stream| {
        let mut store = stream.consumer("obs22", &no_acks());
        assert_eq!(state(&store), ConsumerState::default());
        let mut take = |wanted: &ConsumerState| {
            store.change(&mut |core| core.update(wanted))?;
            store.flush()?;
            assert_eq!(&state(&store), wanted);
            // What is on disk is the same, but for what is below a second.
            assert_eq!(&state(&stream.consumer("obs22", &no_acks())), wanted);
            Ok::<_, StoreError>(())
        };
        let mut wanted = ConsumerState { delivered: pair(1, 22), ..ConsumerState::default() };
        take(&wanted).unwrap();
        wanted.delivered = pair(100, 122);
        for floor in [pair(50, 123), pair(200, 100)] {
            wanted.ack_floor = floor;
            assert!(matches!(take(&wanted), Err(StoreError::BadState(_))), "{floor:?}");
        }
        wanted.ack_floor = pair(50, 72);
        take(&wanted).unwrap();
        // Below the floor, above what is delivered, and at the floor.
        for seq in [70, 140, 72] {
            wanted.pending = [(seq, Pending { sequence: seq, timestamp: NOW })].into();
            assert!(matches!(take(&wanted), Err(StoreError::BadPending(bad)) if bad == seq));
        }
        let mut second = NOW - 30 * SECOND;
        let mut pending = |seqs: &[u64]| {
            let entry = |seq: &u64| {
                second += SECOND;
                (*seq, Pending { sequence: 0, timestamp: second })
            };
            seqs.iter().map(entry).collect()
        };
        // A consumer sequence that is not known is one below the floor, and stays it.
        wanted.pending = pending(&[75, 80, 83, 90, 111]);
        take(&wanted).unwrap();
        wanted.pending.clear();
        wanted.redelivered = [(22, 3), (44, 8)].into();
        take(&wanted).unwrap();
        wanted.pending = pending(&[75, 80, 83, 90, 111]);
        take(&wanted).unwrap();
        (wanted.delivered, wanted.ack_floor) = (pair(10_000, 10_000), pair(100, 100));
        wanted.pending = pending(&(0..8192).map(|n| 101 + n * 9899 / 8192).collect::<Vec<_>>());
        assert_eq!(wanted.pending.len(), 8192);
        take(&wanted).unwrap();
        wanted.pending.clear();
        wanted.ack_floor = pair(10_000, 10_000);
        take(&wanted).unwrap();
    });
}

fn redelivered_is_kept() {
    permutations(|stream| {
        let mut store = stream.consumer("o22", &explicit());
        let restart = |store: &mut FileConsumerStore| {
            store.stop().unwrap();
            *store = stream.consumer("o22", &explicit());
            assert!(!state(store).redelivered.is_empty());
        };
        for (n, deliveries) in (1..).zip([1, 2, 3, 4]) {
            deliver(&mut store, (n, 1), deliveries).unwrap();
        }
        deliver(&mut store, (5, 2), 1).unwrap();
        restart(&mut store);
        deliver(&mut store, (6, 2), 2).unwrap();
        deliver(&mut store, (7, 3), 1).unwrap();
        restart(&mut store);
        assert_eq!(state(&store).pending.len(), 3);
        acknowledge(&mut store, 7, 3).unwrap();
        acknowledge(&mut store, 6, 2).unwrap();
        restart(&mut store);
        acknowledge(&mut store, 4, 1).unwrap();
        let state = state(&store);
        assert!(state.pending.is_empty() && state.redelivered.is_empty());
    });
}

fn a_refused_acknowledgement_is_kept() {
    permutations(|stream| {
        // The second delivery is one too many: it is no longer pending, but known.
        let config = ConsumerConfig { max_deliver: 1, ..explicit() };
        let mut store = stream.consumer("o22", &config);
        deliver(&mut store, (1, 1), 1).unwrap();
        deliver(&mut store, (2, 1), 2).unwrap();
        store.stop().unwrap();
        let mut store = stream.consumer("o22", &config);
        assert!(state(&store).pending.is_empty());
        assert_eq!(state(&store).redelivered.len(), 1);
        assert!(matches!(acknowledge(&mut store, 2, 1), Err(StoreError::NotFound)));
        store.stop().unwrap();
        assert!(state(&stream.consumer("o22", &config)).redelivered.is_empty());
    });
}

fn delivered() {
    permutations(|stream| {
        let mut store = stream.consumer("o22", &no_acks());
        for (consumer_seq, stream_seq) in [(1, 100), (2, 110), (5, 130)] {
            deliver(&mut store, (consumer_seq, stream_seq), 1).unwrap();
            let state = state(&store);
            let at = pair(consumer_seq, stream_seq);
            assert_eq!((state.delivered, state.ack_floor), (at, at));
            assert!(state.pending.is_empty());
        }
        assert!(matches!(acknowledge(&mut store, 1, 100), Err(StoreError::NoAckPolicy)));
        assert!(matches!(deliver(&mut store, (5, 130), 2), Err(StoreError::NoAckPolicy)));
    });
}

fn delivered_and_acknowledged() {
    permutations(|stream| {
        let mut store = stream.consumer("o22", &explicit());
        let mut pending = 0;
        let deliver_next = |store: &mut FileConsumerStore, seqs: (u64, u64), count: &mut usize| {
            deliver(store, seqs, 1).unwrap();
            *count += 1;
            assert_eq!(state(store).delivered, pair(seqs.0, seqs.1));
            assert_eq!(state(store).pending.len(), *count);
        };
        let acknowledge_next = |store: &mut FileConsumerStore,
                                seqs: (u64, u64),
                                floor: (u64, u64),
                                count: &mut usize| {
            acknowledge(store, seqs.0, seqs.1).unwrap();
            *count -= 1;
            assert_eq!(state(store).pending.len(), *count);
            assert_eq!(state(store).ack_floor, pair(floor.0, floor.1), "{seqs:?}");
        };
        for seqs in [(1, 100), (2, 110), (3, 130), (4, 150), (5, 165)] {
            deliver_next(&mut store, seqs, &mut pending);
        }
        assert!(acknowledge(&mut store, 3, 101).is_err());
        assert!(acknowledge(&mut store, 1, 1).is_err());
        for (seqs, floor) in [
            ((1, 100), (1, 109)),
            ((3, 130), (1, 109)),
            // The floor in the stream is the last before what is pending.
            ((2, 110), (3, 149)),
            ((5, 165), (3, 149)),
            ((4, 150), (5, 165)),
        ] {
            acknowledge_next(&mut store, seqs, floor, &mut pending);
        }
        for seqs in [(6, 170), (7, 171), (8, 172), (9, 173), (10, 200)] {
            deliver_next(&mut store, seqs, &mut pending);
        }
        for seqs in [(7, 171), (8, 172)] {
            acknowledge_next(&mut store, seqs, (5, 165), &mut pending);
        }
        let before = state(&store);
        store.stop().unwrap();
        assert_eq!(state(&stream.consumer("o22", &explicit())), before);
    });
}

fn after_a_restart() {
    permutations(|stream| {
        let mut store = stream.consumer("o22", &explicit());
        let wanted = ConsumerState {
            delivered: pair(22, 22),
            ack_floor: pair(11, 11),
            ..ConsumerState::default()
        };
        store.change(&mut |core| core.update(&wanted)).unwrap();
        store.stop().unwrap();
        let store = stream.consumer("o22", &explicit());
        assert_eq!(state(&store), wanted);
        assert!(store.has_state());
    });
}

fn set_back() {
    permutations(|stream| {
        let config = ConsumerConfig { durable_name: "c1".to_owned(), ..no_acks() };
        let mut store = stream.consumer("c1", &config);
        let later = ConsumerState {
            delivered: pair(5, 5),
            ack_floor: pair(5, 5),
            ..ConsumerState::default()
        };
        store.change(&mut |core| core.update(&later)).unwrap();
        assert_eq!(state(&store), later);
        let earlier = ConsumerState {
            delivered: pair(1, 4),
            ack_floor: pair(1, 3),
            ..ConsumerState::default()
        };
        let refused = store.change(&mut |core| core.update(&earlier));
        assert!(matches!(refused, Err(StoreError::OldUpdate)));
        assert_eq!(state(&store), later);
        store.change(&mut |core| core.force_update(&earlier)).unwrap();
        store.stop().unwrap();
        assert_eq!(state(&stream.consumer("c1", &config)), earlier);
    });
}

/// `meta.inf` has the configuration, and `meta.sum` its hash: of a stream, of a consumer.
fn metas() {
    crate::exercises!("gap_areas", "1.5");
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("ZZ-22-33");
    let config = StreamConfig {
        name: "ZZ-22-33".to_owned(),
        subjects: vec!["foo.*".to_owned()],
        num_replicas: 22,
        ..StreamConfig::default()
    };
    let info = FileStreamInfo { created: Time::from_unix_ns(NOW), config };
    let mut entropy = |_: &mut [u8]| {};
    let place = build::Place { fs: &OsFs, dir: &dir, keys: None, entropy: &mut entropy };
    Builder::new(place, &info).unwrap().finish().unwrap();
    let meta = OsFs.read(&dir.join("meta.inf")).unwrap();
    assert_eq!(FileStreamInfo::decode(&meta).unwrap(), info);
    let sum = OsFs.read_to_string(&dir.join("meta.sum")).unwrap();
    assert_eq!(KeyedHash::named("ZZ-22-33").hex(&meta), sum);
    let config = ConsumerConfig {
        name: "obs22".to_owned(),
        deliver_subject: "d".to_owned(),
        filter_subject: "foo".to_owned(),
        ack_policy: AckPolicy::All,
        ..ConsumerConfig::default()
    };
    let info = FileConsumerInfo { created: Time::ZERO, name: "obs22".to_owned(), config };
    let place = Place {
        fs: Arc::new(OsFs),
        stream_dir: &dir,
        keys: None,
        entropy: Box::new(|_| {}),
        durable: true,
    };
    let mut store = FileConsumerStore::open(place, &info).unwrap();
    let read = || {
        let meta = OsFs.read(&dir.join("obs/obs22/meta.inf")).unwrap();
        let sum = OsFs.read_to_string(&dir.join("obs/obs22/meta.sum")).unwrap();
        assert_eq!(KeyedHash::named("ZZ-22-33/obs22").hex(&meta), sum);
        FileConsumerInfo::decode(&meta).unwrap()
    };
    assert_eq!(read(), info);
    let config = ConsumerConfig { max_deliver: 3, ..info.config.clone() };
    store.update_config(&config).unwrap();
    assert_eq!(read(), FileConsumerInfo { config, ..info });
}

fn deleted_while_written() {
    permutations(|stream| {
        for n in 0..100_u64 {
            let name = format!("delcons_{n}");
            let mut store = stream.consumer(&name, &explicit());
            for seq in 1..=n % 7 {
                store
                    .change(&mut |core| {
                        core.set_starting(seq);
                        Ok(())
                    })
                    .unwrap();
                store.flush().unwrap();
            }
            store.delete().unwrap();
            // Who is late does not bring it back.
            let late = store.change(&mut |core| core.update_delivered(1, 1, 1, NOW));
            assert!(matches!(late, Err(StoreError::Closed)));
            assert!(matches!(store.flush(), Err(StoreError::Closed)));
        }
        assert!(OsFs.read_dir(&stream.dir().join("obs")).unwrap().is_empty());
        assert_eq!(OsFs.read_dir(&stream.dir()).unwrap().len(), 1);
        // Its name can be had again, and begins anew.
        let mut store = stream.consumer("delcons_6", &explicit());
        assert!(!store.has_state());
        store.stop().unwrap();
        let sum = OsFs.read(&stream.dir().join("obs/delcons_6/meta.sum")).unwrap();
        let meta = OsFs.read(&stream.dir().join("obs/delcons_6/meta.inf")).unwrap();
        assert_eq!(KeyedHash::named("zzz/delcons_6").hex(&meta).as_bytes(), sum);
    });
}

//! A consumer whose state is damaged is still a consumer.

use super::disk::{CIPHERS, Kind, put, ring};
use nats_server::base::Rng;
use nats_server::base::fs::{CrashFs, Fs};
use nats_server::model::{AckPolicy, ConsumerConfig, FileConsumerInfo, StoreCompression, Time};
use nats_server::store::consumer::ConsumerStore;
use nats_server::store::file::consumer_store::{
    FileConsumerStore, OpenError, Place, remove_deleted, set_state_aside,
};
use nats_server::store::file::consumers;
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::files;
use nats_server::store::stream::StreamStore;
use std::path::Path;
use std::sync::Arc;

crate::cases! {
    "",
    library a_damaged_state => [],
}

pub(super) const STREAM: &str = super::disk::DIR;

/// A disk with the folder of a stream.
pub(super) fn disk() -> CrashFs {
    let fs = CrashFs::default();
    fs.create_dir_all(Path::new(STREAM)).unwrap();
    for dir in ["/", "/js"] {
        fs.sync_dir(Path::new(dir)).unwrap();
    }
    fs
}

/// How the consumer `C` is kept.
pub(super) struct Member {
    pub(super) keys: Option<Arc<KeyRing>>,
    pub(super) durable: bool,
}

impl Member {
    pub(super) fn info(description: &str) -> FileConsumerInfo {
        let config = ConsumerConfig {
            name: "C".into(),
            description: description.into(),
            ack_policy: AckPolicy::Explicit,
            ..ConsumerConfig::default()
        };
        FileConsumerInfo { created: Time::from_unix_ns(7), name: "C".into(), config }
    }

    /// Opens it, or makes it with this description.
    pub(super) fn open(&self, fs: &CrashFs, text: &str) -> Result<FileConsumerStore, OpenError> {
        let mut rng = Rng::from_seed(fs.operations());
        let place = Place {
            fs: Arc::new(fs.clone()),
            stream_dir: Path::new(STREAM),
            keys: self.keys.as_deref(),
            entropy: Box::new(move |buf| rng.fill(buf)),
            durable: self.durable,
        };
        FileConsumerStore::open(place, &Self::info(text))
    }

    /// What its configuration on disk says.
    pub(super) fn description(&self, fs: &CrashFs) -> String {
        let dir = Path::new(STREAM).join("obs/C");
        let meta = files::meta(fs, &dir, "S.C", "S/C", self.keys.as_deref()).unwrap();
        FileConsumerInfo::decode(&meta.content).unwrap().config.description
    }
}

fn a_damaged_state() {
    crate::exercises!("field_statements", "F14b");
    for cipher in CIPHERS {
        let keys = cipher.and_then(|cipher| ring("k", "", cipher));
        let kind = Kind::new(StoreCompression::None, keys.clone());
        let member = Member { keys, durable: true };
        let fs = CrashFs::default();
        let mut stream = kind.create(&fs).unwrap();
        (1..=20).for_each(|n| _ = put(&mut stream, "s", n).unwrap());
        stream.stop().unwrap();
        let mut store = member.open(&fs, "mine").unwrap();
        for n in 1..=5_u64 {
            let at = n.cast_signed() * 1_000_000_000;
            store.change(&mut |core| core.update_delivered(n, n * 2, 1, at)).unwrap();
        }
        store.change(&mut |core| core.update_acks(1, 2)).unwrap();
        store.stop().unwrap();
        let state = Path::new(STREAM).join("obs/C/o.dat");
        let len = fs.read(&state).unwrap().len() as u64;
        assert!(len > 10);
        let cut = (0..len).map(|at| {
            let damaged = fs.kill();
            damaged.truncate(&state, at).unwrap();
            (format!("cut at {at}"), damaged, true)
        });
        // In the clear a state has no checksum: another one may be read of it.
        let flipped = (0..len * 8).step_by(3).map(|bit| {
            let damaged = fs.kill();
            damaged.flip_bit(&state, bit).unwrap();
            (format!("bit {bit}"), damaged, cipher.is_some())
        });
        let zeros = {
            let damaged = fs.kill();
            damaged.write(&state, &vec![0; len as usize], 0).unwrap();
            ("zeros".to_owned(), damaged, true)
        };
        let mut refused = 0;
        for (what, damaged, is_told) in cut.chain(flipped).chain([zeros]) {
            let before = damaged.files();
            // It starts as a server does: the stream, then its consumers.
            let mut stream = kind.open(&damaged).unwrap_or_else(|e| panic!("{what}: {e}")).store;
            remove_deleted(&damaged, Path::new(STREAM)).unwrap();
            let opened = member.open(&damaged, "another");
            assert!(!is_told || opened.is_err(), "{what} is not told");
            refused += usize::from(opened.is_err());
            let of_it = |files: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
                files.into_iter().filter(|(path, _)| path.starts_with("/js/S/obs")).collect()
            };
            assert_eq!(of_it(damaged.files()), of_it(before), "{what}: left as it was");
            stream.stop().unwrap();
            let listed =
                consumers::consumers(&damaged, Path::new(STREAM), "S", member.keys.as_deref());
            let listed = listed.unwrap();
            assert_eq!(listed.len(), 1, "{what}");
            assert_eq!(listed[0].info.as_ref().unwrap().config.description, "mine", "{what}");
            if opened.is_err() {
                // It begins anew when somebody says so, as the consumer that it was.
                let kept = damaged.read(&state).unwrap();
                let aside = set_state_aside(&damaged, Path::new(STREAM), "C").unwrap();
                let store = member.open(&damaged, "another").unwrap();
                assert!(!store.has_state(), "{what}");
                assert_eq!(member.description(&damaged), "mine", "{what}");
                assert_eq!(damaged.read(&aside).unwrap(), kept, "{what}");
            }
        }
        assert!(refused as u64 > len, "{refused}");
    }
}

//! A stream on a disk that ends at any operation.

use nats_server::base::Env;
use nats_server::base::fs::{CrashFs, Fault, Fs};
use nats_server::config::Secret;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{FileStreamInfo, StoreCompression, StreamConfig};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::recover::{self, Damage, Remedy};
use nats_server::store::file::store::{FileStore, OpenError, Opened, Options};
use nats_server::store::stream::{Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// 2026-11-24.
pub(super) const NOW: i64 = 1_795_478_400 * 1_000_000_000;
pub(super) const DIR: &str = "/js/S";
/// Bytes of a block: three messages or so.
const BLOCK_LEN: u64 = 400;

pub(super) const CIPHERS: [Option<StoreCipher>; 3] =
    [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)];

/// What a script ends with when the disk does.
pub(super) type Stopped = Box<dyn Error>;

/// How a disk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With the process: all that was written is there.
    Killed,
    /// With the power: what was not synced may not be there.
    PowerLost,
}

/// The keys of a configuration.
pub(super) fn ring(key: &str, previous: &str, cipher: StoreCipher) -> Option<Arc<KeyRing>> {
    let [key, previous]: [Secret; 2] = [key.into(), previous.into()];
    KeyRing::new("$G", &key, &previous, cipher).map(Arc::new)
}

/// Runs `script` on the disk `before`, stopped at each of its operations in turn and after the
/// last, and shows `check` what is there then: all that was written, what a loss of power leaves,
/// and what an attempt to `open` one of these leaves that was stopped as well. `script` notes in a
/// `K` what it knows. An operation that only reads leaves what the one before left, and is no other
/// end unless something else is known.
pub(super) fn at_every_operation<K: Default + PartialEq>(
    before: &CrashFs,
    script: impl Fn(&CrashFs, &mut K) -> Result<(), Stopped>,
    open: impl Fn(&CrashFs),
    check: impl Fn(&CrashFs, &K, End, &str),
) {
    let sound = before.kill();
    script(&sound, &mut K::default()).expect("done on a sound disk");
    let operations = sound.operations();
    let mut last: Option<(CrashFs, K)> = None;
    for at in 1..=operations + 1 {
        let fs = before.kill();
        fs.fail_at(at, Fault::Freeze);
        let mut known = K::default();
        // A failure that does not matter to the script is no end of it.
        _ = script(&fs, &mut known);
        let disk = fs.kill();
        let is_same =
            |(earlier, knew): &(CrashFs, K)| *knew == known && earlier.holds_the_same(&disk);
        if last.as_ref().is_some_and(is_same) {
            continue;
        }
        let ends = [(End::Killed, fs.kill()), (End::PowerLost, fs.crash(at))];
        let what = format!("operation {at} of {operations}");
        let (end, found) = &ends[at as usize % 2];
        let tried = found.kill();
        open(&tried);
        let again = found.kill();
        again.fail_at(1 + at % tried.operations().max(1), Fault::Freeze);
        open(&again);
        for (end, found) in &ends {
            check(found, &known, *end, &format!("{end:?} at {what}"));
        }
        let what = format!("{end:?} at {what}, and again when it was opened");
        if at % 4 < 2 {
            check(&again.kill(), &known, *end, &what);
        } else {
            check(&again.crash(at), &known, End::PowerLost, &what);
        }
        last = Some((disk, known));
    }
}

/// A kind of stream.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) config: StreamConfig,
    pub(super) options: Options,
}

impl Kind {
    pub(super) fn new(compression: StoreCompression, keys: Option<Arc<KeyRing>>) -> Self {
        let config = StreamConfig { name: "S".into(), compression, ..StreamConfig::default() };
        Self { config, options: Options { keys, block_len_max: Some(BLOCK_LEN) } }
    }

    /// Compressed and not, in the clear and with either cipher.
    pub(super) fn all() -> Vec<Self> {
        let compressions = [StoreCompression::None, StoreCompression::S2];
        let kinds = compressions.map(|compression| {
            CIPHERS.map(|cipher| Self::new(compression, cipher.and_then(|c| ring("k", "", c))))
        });
        kinds.into_iter().flatten().collect()
    }

    /// Each compression and each cipher once.
    pub(super) fn some() -> [Self; 3] {
        let [_, chacha, aes] = CIPHERS.map(|cipher| cipher.and_then(|c| ring("k", "", c)));
        [
            Self::new(StoreCompression::None, None),
            Self::new(StoreCompression::S2, chacha),
            Self::new(StoreCompression::None, aes),
        ]
    }

    pub(super) fn env(fs: &CrashFs) -> Env {
        Env::simulated_on(fs.operations(), Arc::new(fs.clone()))
    }

    pub(super) fn create(&self, fs: &CrashFs) -> Result<FileStore, OpenError> {
        let info = FileStreamInfo { config: self.config.clone(), ..FileStreamInfo::default() };
        FileStore::create(&Self::env(fs), Path::new(DIR), &info, self.options.clone(), NOW)
    }

    pub(super) fn open(&self, fs: &CrashFs) -> Result<Opened, OpenError> {
        FileStore::open(&Self::env(fs), Path::new(DIR), self.options.clone(), NOW)
    }

    /// What is wrong with the records and files of the stream, none of which is left unverified.
    pub(super) fn damage(&self, fs: &dyn Fs) -> Vec<Damage> {
        let keys = self.options.keys.as_deref();
        let options = recover::Options { keys, verify: true, now_ns: None };
        recover::stream(fs, Path::new(DIR), options).expect("a stream").damage
    }
}

/// What is more than a file to be written anew.
pub(super) fn losses(damage: &[Damage]) -> Vec<&Damage> {
    damage.iter().filter(|damage| damage.remedy != Remedy::Rewrite).collect()
}

/// What a stream is seen to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Subject and payload by sequence.
    pub(super) messages: BTreeMap<u64, (Vec<u8>, Vec<u8>)>,
}

/// Reads all that there is.
pub(super) fn look(store: &mut dyn StreamStore) -> Result<Seen, StoreError> {
    let state = store.state();
    let mut seen = Seen { first: state.first_seq, last: state.last_seq, messages: BTreeMap::new() };
    let mut out = StoredMessage::default();
    let mut next = 0;
    loop {
        match store.load_next(Filter::All, next, &mut out) {
            Ok(()) => {}
            Err(StoreError::Eof) => break,
            Err(e) => return Err(e),
        }
        seen.messages.insert(out.seq, (out.subject().to_vec(), out.payload().to_vec()));
        next = out.seq + 1;
    }
    assert_eq!(state.messages, seen.messages.len() as u64, "messages counted");
    let first = seen.messages.keys().next().copied().unwrap_or(state.last_seq + 1);
    let is_new = (state.first_seq, state.last_seq) == (0, 0);
    assert!(state.first_seq == first || is_new, "the first sequence: {state:?}");
    Ok(seen)
}

/// Stores a message whose payload says which one it is.
pub(super) fn put(store: &mut dyn StreamStore, subject: &str, n: u64) -> Result<u64, StoreError> {
    let payload = format!("{n:>90}").into_bytes();
    let new =
        NewMessage { subject: subject.as_bytes(), payload: &payload, ..NewMessage::default() };
    store.store(new, NOW + n.cast_signed())
}

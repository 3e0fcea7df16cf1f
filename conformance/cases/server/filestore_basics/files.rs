//! A stream in files, in the clear and encrypted, compressed and not.

use std::path::PathBuf;
use std::sync::Arc;

use nats_server::base::Env;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    FileStreamInfo, SimpleState, StoreCompression, StreamConfig, StreamState,
};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::layout;
use nats_server::store::file::store::{FileStore, Opened, Options};
use nats_server::store::stream::{Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use tempfile::TempDir;

pub(super) const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
pub(super) const NOW: i64 = 1_795_478_400 * SECOND;
pub(super) const HELLO: &[u8] = b"Hello World";

const NAME: &str = "zzz";

/// Bytes of a record without headers.
pub(super) fn size(subject: &str, payload: usize) -> u64 {
    (22 + subject.len() + payload + 8) as u64
}

/// A configuration with these subjects.
pub(super) fn subjects(subjects: &[&str]) -> StreamConfig {
    StreamConfig {
        name: NAME.into(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        ..StreamConfig::default()
    }
}

pub(super) fn filter(subject: &str) -> Filter<'_> {
    Filter::of(subject.as_bytes())
}

pub(super) fn simple(messages: u64, first_seq: u64, last_seq: u64) -> SimpleState {
    SimpleState { messages, first_seq, last_seq }
}

/// Runs a test with each cipher and none, with and without compression, in blocks of `block_len`
/// bytes if that is not 0.
pub(super) fn each(config: &StreamConfig, block_len: u64, test: impl Fn(&mut Files)) {
    for cipher in [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let config = StreamConfig { compression, ..config.clone() };
            test(&mut Files::new(&config, block_len, cipher));
        }
    }
}

/// As [`each`], in the clear and not compressed.
pub(super) fn plain(config: &StreamConfig, block_len: u64) -> Files {
    Files::new(config, block_len, None)
}

/// A stream in files, with a clock of its own: a millisecond passes with every message.
pub(super) struct Files {
    pub(super) store: FileStore,
    pub(super) now: i64,
    pub(super) keys: Option<Arc<KeyRing>>,
    env: Env,
    options: Options,
    dir: TempDir,
}

impl Files {
    pub(super) fn new(config: &StreamConfig, block_len: u64, cipher: Option<StoreCipher>) -> Self {
        let ring = |cipher| KeyRing::new("A", &"secret".into(), &"".into(), cipher);
        let keys = cipher.and_then(ring).map(Arc::new);
        let block_len_max = (block_len > 0).then_some(block_len);
        let options = Options { keys: keys.clone(), block_len_max };
        let (env, dir) = (Env::os(), tempfile::tempdir().expect("a directory"));
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        let store = FileStore::create(&env, &dir.path().join(NAME), &info, options.clone(), NOW);
        Self { store: store.expect("a store"), now: NOW, keys, env, options, dir }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.keys.is_none() && self.store.config().compression == StoreCompression::None
    }

    /// The stream's folder.
    pub(super) fn dir(&self) -> PathBuf {
        self.dir.path().join(NAME)
    }

    /// The folder of its blocks.
    pub(super) fn messages_dir(&self) -> PathBuf {
        self.dir().join(layout::MESSAGES)
    }

    pub(super) fn index_path(&self) -> PathBuf {
        self.messages_dir().join(layout::INDEX)
    }

    pub(super) fn block_path(&self, index: u32) -> PathBuf {
        layout::block(&self.messages_dir(), index)
    }

    /// The numbers of the blocks that have a file, ascending.
    pub(super) fn block_files(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(self.messages_dir()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut indexes: Vec<u32> = paths.filter_map(|path| layout::block_index(&path)).collect();
        indexes.sort_unstable();
        indexes
    }

    pub(super) fn stop(&mut self) {
        self.store.stop().expect("stopped");
    }

    /// Opens what was stopped.
    pub(super) fn start(&mut self) -> Opened {
        let opened = FileStore::open(&self.env, &self.dir(), self.options.clone(), self.now);
        opened.expect("a store")
    }

    /// As [`Files::start`], and nothing is wrong.
    pub(super) fn start_sound(&mut self) {
        let opened = self.start();
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        self.store = opened.store;
    }

    /// Stops the store and opens it again.
    pub(super) fn reopen(&mut self) {
        self.stop();
        self.start_sound();
    }

    /// As [`Files::reopen`], without the file that has the whole state.
    pub(super) fn reopen_without_index(&mut self) {
        self.stop();
        std::fs::remove_file(self.index_path()).expect("an index");
        self.start_sound();
    }

    /// Gives up what memory has of the messages, as far as it may.
    pub(super) fn idle(&mut self) {
        self.store.flush().expect("written");
        (0..2).for_each(|_| self.store.maintain().expect("maintained"));
    }

    pub(super) fn try_put(&mut self, subject: &str, payload: &[u8]) -> Result<u64, StoreError> {
        self.now += 1_000_000;
        let new = NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() };
        self.store.store(new, self.now)
    }

    /// Stores a message.
    pub(super) fn put(&mut self, subject: &str, payload: &[u8]) -> u64 {
        self.try_put(subject, payload).expect("stored")
    }

    /// As [`Files::put`], `count` of them.
    pub(super) fn put_many(&mut self, count: usize, subject: &str, payload: &[u8]) {
        (0..count).for_each(|_| _ = self.put(subject, payload));
    }

    /// Removes messages that are there.
    pub(super) fn remove(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.remove(seq).expect("removed"), "no message {seq}");
        }
    }

    /// As [`Files::remove`], so that no bytes of them stay.
    pub(super) fn erase(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.erase(seq).expect("erased"), "no message {seq}");
        }
    }

    /// Lets time pass, at whose ends the store is asked to expire messages whenever it wanted to be.
    pub(super) fn wait(&mut self, ns: i64) {
        let until = self.now + ns;
        while let Some(at) = self.store.expire(self.now).expect("expired") {
            if at > until {
                break;
            }
            assert!(at > self.now, "asked for again at once");
            self.now = at;
        }
        self.now = until;
        self.store.expire(until).expect("expired");
    }

    pub(super) fn state(&self) -> StreamState {
        self.store.state()
    }

    /// Messages, first and last sequence.
    pub(super) fn span(&self) -> (u64, u64, u64) {
        let (state, fast) = (self.store.state(), self.store.fast_state());
        let span = (state.messages, state.first_seq, state.last_seq);
        assert_eq!((fast.messages, fast.first_seq, fast.last_seq), span);
        assert_eq!(fast.num_deleted, state.deleted.len() as u64);
        span
    }

    pub(super) fn load(&mut self, seq: u64) -> Result<StoredMessage, StoreError> {
        let mut out = StoredMessage::default();
        self.store.load(seq, &mut out).map(|()| out)
    }

    pub(super) fn payload(&mut self, seq: u64) -> Vec<u8> {
        self.load(seq).expect("a message").payload().to_vec()
    }

    pub(super) fn is_gone(&mut self, seq: u64) -> bool {
        matches!(self.load(seq), Err(StoreError::NotFound))
    }

    pub(super) fn filtered(&mut self, seq: u64, subject: &str) -> SimpleState {
        self.store.filtered_state(seq, filter(subject)).expect("readable")
    }
}

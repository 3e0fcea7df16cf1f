//! A stream in files, in the clear and encrypted, compressed and not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nats_server::base::Env;
use nats_server::base::fs::Fs;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    FileStreamInfo, SimpleState, StoreCompression, StreamConfig, StreamState,
};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::layout;
use nats_server::store::file::recover::{self, Recovered};
use nats_server::store::file::repair::Fix;
use nats_server::store::file::store::{FileStore, Opened, Options};
use nats_server::store::stream::{Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use tempfile::TempDir;

pub(crate) const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
pub(crate) const NOW: i64 = 1_795_478_400 * SECOND;
pub(crate) const HELLO: &[u8] = b"Hello World";

const NAME: &str = "zzz";

/// Bytes of a record without headers.
pub(crate) fn size(subject: &str, payload: usize) -> u64 {
    (22 + subject.len() + payload + 8) as u64
}

/// A configuration with these subjects.
pub(crate) fn subjects(subjects: &[&str]) -> StreamConfig {
    StreamConfig {
        name: NAME.into(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        ..StreamConfig::default()
    }
}

pub(crate) fn filter(subject: &str) -> Filter<'_> {
    Filter::of(subject.as_bytes())
}

pub(crate) fn simple(messages: u64, first_seq: u64, last_seq: u64) -> SimpleState {
    SimpleState { messages, first_seq, last_seq }
}

/// Runs a test with each cipher and none, with and without compression, in blocks of `block_len`
/// bytes if that is not 0.
pub(crate) fn each(config: &StreamConfig, block_len: u64, test: impl Fn(&mut Files)) {
    for cipher in [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let config = StreamConfig { compression, ..config.clone() };
            test(&mut Files::new(&config, block_len, cipher));
        }
    }
}

/// As [`each`], in the clear and not compressed.
pub(crate) fn plain(config: &StreamConfig, block_len: u64) -> Files {
    Files::new(config, block_len, None)
}

/// A stream in files, with a clock of its own: a millisecond passes with every message.
pub(crate) struct Files {
    pub(crate) store: FileStore,
    pub(crate) now: i64,
    pub(crate) keys: Option<Arc<KeyRing>>,
    env: Env,
    options: Options,
    root: PathBuf,
    /// Of the operating system, if it is there.
    temp: Option<TempDir>,
}

impl Files {
    pub(crate) fn new(config: &StreamConfig, block_len: u64, cipher: Option<StoreCipher>) -> Self {
        let temp = tempfile::tempdir().expect("a directory");
        let files = Self::on(&Env::os(), temp.path(), config, block_len, cipher);
        Self { temp: Some(temp), ..files }
    }

    /// As [`Files::new`], in a folder of a given file system.
    pub(crate) fn on(
        env: &Env,
        root: &Path,
        config: &StreamConfig,
        block_len: u64,
        cipher: Option<StoreCipher>,
    ) -> Self {
        let ring = |cipher| KeyRing::new("A", &"secret".into(), &"".into(), cipher);
        let keys = cipher.and_then(ring).map(Arc::new);
        let block_len_max = (block_len > 0).then_some(block_len);
        let options = Options { keys: keys.clone(), block_len_max };
        env.fs().create_dir_all(root).expect("a folder");
        env.fs().sync_dir(root.parent().expect("a parent")).expect("synced");
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        let store = FileStore::create(env, &root.join(NAME), &info, options.clone(), NOW);
        Self {
            store: store.expect("a store"),
            now: NOW,
            keys,
            env: env.clone(),
            options,
            root: root.to_owned(),
            temp: None,
        }
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.keys.is_none() && self.store.config().compression == StoreCompression::None
    }

    /// The stream's folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.join(NAME)
    }

    /// The folder of its blocks.
    pub(crate) fn messages_dir(&self) -> PathBuf {
        self.dir().join(layout::MESSAGES)
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.messages_dir().join(layout::INDEX)
    }

    pub(crate) fn block_path(&self, index: u32) -> PathBuf {
        layout::block(&self.messages_dir(), index)
    }

    /// The numbers of the blocks that have a file, ascending.
    pub(crate) fn block_files(&self) -> Vec<u32> {
        let paths = self.env.fs().read_dir(&self.messages_dir()).expect("a folder");
        let mut indexes: Vec<u32> =
            paths.iter().filter_map(|path| layout::block_index(path)).collect();
        indexes.sort_unstable();
        indexes
    }

    pub(crate) fn stop(&mut self) {
        self.store.stop().expect("stopped");
    }

    /// Opens what was stopped.
    pub(crate) fn start(&self) -> Opened {
        let opened = FileStore::open(&self.env, &self.dir(), self.options.clone(), self.now);
        opened.expect("a store")
    }

    /// As [`Files::start`], and nothing is wrong.
    pub(crate) fn start_sound(&mut self) {
        let opened = self.start();
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        self.store = opened.store;
    }

    /// The stream as another process opens it, perhaps from another disk; what was wrong there.
    pub(crate) fn opened_on(&self, env: &Env) -> (Self, Vec<Fix>) {
        let (options, root) = (self.options.clone(), self.root.clone());
        let opened = FileStore::open(env, &self.dir(), options.clone(), self.now).expect("a store");
        let (keys, env) = (self.keys.clone(), env.clone());
        let files =
            Self { store: opened.store, now: self.now, keys, env, options, root, temp: None };
        (files, opened.fixes)
    }

    /// What is found of the stream in its files when every record of them is looked at.
    pub(crate) fn verified(&self) -> Recovered {
        self.verified_on(self.env.fs())
    }

    /// As [`Files::verified`], of another disk.
    pub(crate) fn verified_on(&self, fs: &dyn Fs) -> Recovered {
        let keys = self.keys.as_deref();
        let options = recover::Options { keys, verify: true, ..recover::Options::default() };
        recover::stream(fs, &self.dir(), options).expect("a stream")
    }

    /// Stops the store and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.stop();
        self.start_sound();
    }

    /// As [`Files::reopen`], without the file that has the whole state.
    pub(crate) fn reopen_without_index(&mut self) {
        self.stop();
        self.env.fs().remove_file(&self.index_path()).expect("an index");
        self.start_sound();
    }

    /// The state is the same when the store is opened again, with its index and without.
    #[track_caller]
    pub(crate) fn stays(&mut self) {
        let state = self.state();
        self.reopen();
        assert_eq!(self.state(), state, "with the index");
        self.reopen_without_index();
        assert_eq!(self.state(), state, "without the index");
    }

    /// Gives up what memory has of the messages, as far as it may.
    pub(crate) fn idle(&mut self) {
        self.store.flush().expect("written");
        (0..2).for_each(|_| self.store.maintain().expect("maintained"));
    }

    pub(crate) fn try_put(&mut self, subject: &str, payload: &[u8]) -> Result<u64, StoreError> {
        self.now += 1_000_000;
        let new = NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() };
        self.store.store(new, self.now)
    }

    /// Stores a message.
    pub(crate) fn put(&mut self, subject: &str, payload: &[u8]) -> u64 {
        self.try_put(subject, payload).expect("stored")
    }

    /// As [`Files::put`], `count` of them.
    pub(crate) fn put_many(&mut self, count: usize, subject: &str, payload: &[u8]) {
        (0..count).for_each(|_| _ = self.put(subject, payload));
    }

    /// Removes messages that are there.
    pub(crate) fn remove(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.remove(seq).expect("removed"), "no message {seq}");
        }
    }

    /// As [`Files::remove`], so that no bytes of them stay.
    pub(crate) fn erase(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.erase(seq).expect("erased"), "no message {seq}");
        }
    }

    /// Lets time pass, at whose ends the store is asked to expire messages whenever it wanted to be.
    pub(crate) fn wait(&mut self, ns: i64) {
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

    pub(crate) fn state(&self) -> StreamState {
        self.store.state()
    }

    /// Messages, first and last sequence.
    pub(crate) fn span(&self) -> (u64, u64, u64) {
        let (state, fast) = (self.store.state(), self.store.fast_state());
        let span = (state.messages, state.first_seq, state.last_seq);
        assert_eq!((fast.messages, fast.first_seq, fast.last_seq), span);
        assert_eq!(fast.num_deleted, state.deleted.len() as u64);
        span
    }

    pub(crate) fn load(&mut self, seq: u64) -> Result<StoredMessage, StoreError> {
        let mut out = StoredMessage::default();
        self.store.load(seq, &mut out).map(|()| out)
    }

    pub(crate) fn payload(&mut self, seq: u64) -> Vec<u8> {
        self.load(seq).expect("a message").payload().to_vec()
    }

    pub(crate) fn is_gone(&mut self, seq: u64) -> bool {
        matches!(self.load(seq), Err(StoreError::NotFound))
    }

    pub(crate) fn filtered(&mut self, seq: u64, subject: &str) -> SimpleState {
        self.store.filtered_state(seq, filter(subject)).expect("readable")
    }
}

//! A stream in files that are looked at and changed while its store is stopped.

use nats_server::base::Env;
use nats_server::config::Secret;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    FileStreamInfo, SimpleState, StoreCompression, StreamConfig, StreamState,
};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::repair::Fix;
use nats_server::store::file::store::{FileStore, Opened, Options};
use nats_server::store::stream::{Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

pub(super) const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
pub(super) const NOW: i64 = 1_795_478_400 * SECOND;

/// A configuration with these subjects.
pub(super) fn subjects(subjects: &[&str]) -> StreamConfig {
    StreamConfig {
        name: "zzz".into(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        ..StreamConfig::default()
    }
}

pub(super) fn filter(subject: &str) -> Filter<'_> {
    Filter::of(subject.as_bytes())
}

/// Runs a test with blocks of so many bytes, in the clear and with either cipher, compressed and
/// not.
pub(super) fn each(config: &StreamConfig, block_len: u64, test: impl Fn(&mut Stream)) {
    let key: Secret = "secret".into();
    for cipher in [None, Some(StoreCipher::Aes), Some(StoreCipher::ChaCha)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let ring = |cipher| KeyRing::new("$G", &key, &Secret::default(), cipher).map(Arc::new);
            let keys = cipher.and_then(ring);
            let options = Options { keys, block_len_max: Some(block_len) };
            test(&mut Stream::with(&StreamConfig { compression, ..config.clone() }, options));
        }
    }
}

/// A stream with a clock of its own: a millisecond passes with every message.
pub(super) struct Stream {
    pub(super) store: FileStore,
    pub(super) now: i64,
    options: Options,
    root: TempDir,
}

impl Stream {
    /// In the clear, with blocks of so many bytes.
    pub(super) fn new(config: &StreamConfig, block_len: u64) -> Self {
        Self::with(config, Options { keys: None, block_len_max: Some(block_len) })
    }

    fn with(config: &StreamConfig, options: Options) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        let dir = root.path().join(&config.name);
        let store = FileStore::create(&Env::os(), &dir, &info, options.clone(), NOW);
        Self { store: store.expect("a file store"), now: NOW, options, root }
    }

    pub(super) fn is_plain(&self) -> bool {
        let compression = self.store.config().compression;
        self.options.keys.is_none() && compression == StoreCompression::None
    }

    /// A file of the stream.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join("zzz").join(name)
    }

    /// A block.
    pub(super) fn block(&self, index: usize) -> PathBuf {
        self.file(&format!("msgs/{index}.blk"))
    }

    /// Bytes of a block's file.
    pub(super) fn block_len(&mut self, index: usize) -> u64 {
        self.store.flush().expect("flushed");
        fs::metadata(self.block(index)).expect("a block").len()
    }

    /// Takes the bytes of a block's file away, while the store is running: a read of it fails.
    pub(super) fn blank(&mut self, indexes: impl IntoIterator<Item = usize>) {
        for index in indexes {
            let file = fs::OpenOptions::new().write(true).truncate(true).open(self.block(index));
            file.expect("a block");
        }
    }

    pub(super) fn stop(&mut self) {
        self.store.stop().expect("stopped");
    }

    /// Opens the store that was stopped; what was wrong with its files.
    pub(super) fn start(&mut self) -> Vec<Fix> {
        let dir = self.root.path().join("zzz");
        let opened = FileStore::open(&Env::os(), &dir, self.options.clone(), self.now);
        let Opened { store, fixes, .. } = opened.expect("a file store");
        self.store = store;
        fixes
    }

    fn start_sound(&mut self) {
        let fixes = self.start();
        assert!(fixes.is_empty(), "{fixes:?}");
    }

    /// Stops the store and opens it again.
    pub(super) fn reopen(&mut self) {
        self.stop();
        self.start_sound();
    }

    /// As [`Stream::reopen`], without the index.
    pub(super) fn reopen_without_index(&mut self) {
        self.stop();
        fs::remove_file(self.file("msgs/index.db")).expect("an index");
        self.start_sound();
    }

    /// As [`Stream::reopen`], with an older index.
    pub(super) fn reopen_with_index(&mut self, index: &[u8]) {
        self.stop();
        fs::write(self.file("msgs/index.db"), index).expect("written");
        self.start_sound();
    }

    /// Asserts that the state is the same when the store is opened again, with its index and
    /// without.
    #[track_caller]
    pub(super) fn stays(&mut self) {
        let state = self.store.state();
        self.reopen();
        assert_eq!(self.store.state(), state, "with the index");
        self.reopen_without_index();
        assert_eq!(self.store.state(), state, "without the index");
    }

    /// The index of the store, which is stopped and opened for that.
    pub(super) fn index(&mut self) -> Vec<u8> {
        self.stop();
        let index = fs::read(self.file("msgs/index.db")).expect("an index");
        self.start_sound();
        index
    }

    pub(super) fn try_put(&mut self, new: NewMessage<'_>) -> Result<u64, StoreError> {
        self.now += 1_000_000;
        self.store.store(new, self.now)
    }

    pub(super) fn put(&mut self, subject: &str, payload: &[u8]) -> u64 {
        let new = NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() };
        self.try_put(new).expect("stored")
    }

    /// Stores messages of subjects that end in these numbers.
    pub(super) fn put_numbered(
        &mut self,
        subject: &str,
        numbers: impl IntoIterator<Item = usize>,
        payload: &[u8],
    ) {
        for n in numbers {
            self.put(&format!("{subject}{n}"), payload);
        }
    }

    /// Removes messages that are there.
    pub(super) fn remove(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.remove(seq).expect("removed"), "no message {seq}");
        }
    }

    /// Lets time pass, at whose end the store is asked to expire messages.
    pub(super) fn wait(&mut self, ns: i64) {
        self.now += ns;
        self.store.expire(self.now).expect("expired");
    }

    /// Gives up memory that was not used since, and makes blocks smaller.
    pub(super) fn maintain(&mut self) {
        self.store.maintain().expect("maintained");
        self.store.maintain().expect("maintained");
    }

    pub(super) fn state(&self) -> StreamState {
        self.store.state()
    }

    /// Messages, first and last sequence.
    pub(super) fn span(&self) -> (u64, u64, u64) {
        let state = self.store.fast_state();
        (state.messages, state.first_seq, state.last_seq)
    }

    pub(super) fn load(&mut self, seq: u64) -> Result<StoredMessage, StoreError> {
        let mut out = StoredMessage::default();
        self.store.load(seq, &mut out).map(|()| out)
    }

    pub(super) fn payload(&mut self, seq: u64) -> Vec<u8> {
        self.load(seq).expect("a message").payload().to_vec()
    }

    /// Sequence of the next message from `start` on that is meant; none at the end.
    pub(super) fn next(&mut self, subject: &str, start: u64) -> Option<u64> {
        let mut out = StoredMessage::default();
        match self.store.load_next(filter(subject), start, &mut out) {
            Ok(()) => Some(out.seq),
            Err(StoreError::Eof) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The last message that is meant.
    pub(super) fn last(&mut self, subject: &str) -> StoredMessage {
        let mut out = StoredMessage::default();
        self.store.load_last(filter(subject), &mut out).expect("a message");
        out
    }

    /// Messages that are meant, the first of them and the last.
    pub(super) fn filtered(&mut self, subject: &str) -> (u64, u64, u64) {
        let SimpleState { messages, first_seq, last_seq } =
            self.store.filtered_state(1, filter(subject)).expect("readable");
        (messages, first_seq, last_seq)
    }
}

/// Numbers that look random, below `below`: the same every time.
pub(super) fn numbers(below: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    })
}

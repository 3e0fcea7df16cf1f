//! A stream in files that are looked at and changed while its store is stopped.

use nats_server::base::Env;
use nats_server::base::fs::{CrashFs, OpenMode};
use nats_server::config::Secret;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    FileStreamInfo, SimpleState, StoreCompression, StreamConfig, StreamState,
};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::hash::KeyedHash;
use nats_server::store::file::repair::Fix;
use nats_server::store::file::store::{FileStore, Opened, Options};
use nats_server::store::stream::{Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const NAME: &str = "zzz";
pub(crate) const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
pub(crate) const NOW: i64 = 1_795_478_400 * SECOND;

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

/// Runs a test with blocks of so many bytes, in the clear and with either cipher, compressed and
/// not.
pub(crate) fn each(config: &StreamConfig, block_len: u64, test: impl Fn(&mut Stream)) {
    permutations(config, block_len, |config, options| test(&mut Stream::with(config, options)));
}

/// As [`each`], on a disk whose operations are counted, and may fail.
pub(crate) fn each_on_disk(config: &StreamConfig, block_len: u64, test: impl Fn(&mut Stream)) {
    permutations(config, block_len, |config, options| test(&mut Stream::on_disk(config, options)));
}

fn permutations(config: &StreamConfig, block_len: u64, test: impl Fn(&StreamConfig, Options)) {
    for cipher in [None, Some(StoreCipher::Aes), Some(StoreCipher::ChaCha)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let config = StreamConfig { compression, ..config.clone() };
            test(&config, options(cipher, block_len));
        }
    }
}

/// Blocks of so many bytes, encrypted or not.
pub(crate) fn options(cipher: Option<StoreCipher>, block_len: u64) -> Options {
    let key: Secret = "secret".into();
    let ring = |cipher| KeyRing::new("$G", &key, &Secret::default(), cipher).map(Arc::new);
    Options { keys: cipher.and_then(ring), block_len_max: Some(block_len) }
}

/// A stream with a clock of its own: a millisecond passes with every message.
pub(crate) struct Stream {
    pub(crate) store: FileStore,
    pub(crate) now: i64,
    pub(crate) options: Options,
    env: Env,
    root: PathBuf,
    /// The disk, if it is not that of the machine.
    pub(crate) disk: CrashFs,
    _dir: Option<TempDir>,
}

impl Stream {
    /// In the clear, with blocks of so many bytes.
    pub(crate) fn new(config: &StreamConfig, block_len: u64) -> Self {
        Self::with(config, options(None, block_len))
    }

    pub(crate) fn with(config: &StreamConfig, options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().to_owned();
        Self::create(Env::os(), CrashFs::default(), root, config, options, Some(dir))
    }

    /// As [`Stream::with`], on a disk whose operations are counted, and may fail.
    pub(crate) fn on_disk(config: &StreamConfig, options: Options) -> Self {
        let disk = CrashFs::default();
        let env = Env::simulated_on(1, Arc::new(disk.clone()));
        let root = PathBuf::from("/streams");
        env.fs().create_dir_all(&root).expect("a directory");
        env.fs().sync_dir(Path::new("/")).expect("synced");
        Self::create(env, disk, root, config, options, None)
    }

    fn create(
        env: Env,
        disk: CrashFs,
        root: PathBuf,
        config: &StreamConfig,
        options: Options,
        dir: Option<TempDir>,
    ) -> Self {
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        let store = FileStore::create(&env, &root.join(NAME), &info, options.clone(), NOW);
        let store = store.expect("a file store");
        Self { store, now: NOW, options, env, root, disk, _dir: dir }
    }

    /// Goes on with what another disk has, as after a crash of the machine; what was wrong.
    pub(crate) fn continue_on(&mut self, disk: CrashFs) -> Vec<Fix> {
        self.env = Env::simulated_on(2, Arc::new(disk.clone()));
        self.disk = disk;
        self.start()
    }

    /// How many operations of the disk something takes.
    pub(crate) fn operations<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> (R, u64) {
        let before = self.disk.operations();
        let result = work(self);
        (result, self.disk.operations() - before)
    }

    pub(crate) fn is_plain(&self) -> bool {
        let compression = self.store.config().compression;
        self.options.keys.is_none() && compression == StoreCompression::None
    }

    /// A file of the stream.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(NAME).join(name)
    }

    /// A block.
    pub(crate) fn block(&self, index: usize) -> PathBuf {
        self.file(&format!("msgs/{index}.blk"))
    }

    /// Bytes of a block's file.
    pub(crate) fn block_len(&mut self, index: usize) -> u64 {
        self.store.flush().expect("flushed");
        self.env.fs().metadata(&self.block(index)).expect("a block").len
    }

    /// Takes the bytes of a block's file away, while the store is running: a read of it fails.
    pub(crate) fn blank(&mut self, indexes: impl IntoIterator<Item = usize>) {
        let mode = OpenMode { write: true, truncate: true, ..OpenMode::default() };
        for index in indexes {
            self.env.fs().open(&self.block(index), mode).expect("a block");
        }
    }

    pub(crate) fn stop(&mut self) {
        self.store.stop().expect("stopped");
    }

    /// Opens the store that was stopped; what was wrong with its files.
    pub(crate) fn start(&mut self) -> Vec<Fix> {
        let dir = self.root.join(NAME);
        let opened = FileStore::open(&self.env, &dir, self.options.clone(), self.now);
        let Opened { store, fixes, .. } = opened.expect("a file store");
        self.store = store;
        fixes
    }

    fn start_sound(&mut self) {
        let fixes = self.start();
        assert!(fixes.is_empty(), "{fixes:?}");
    }

    /// Stops the store and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.stop();
        self.start_sound();
    }

    /// As [`Stream::reopen`], without the index.
    pub(crate) fn reopen_without_index(&mut self) {
        self.stop();
        self.env.fs().remove_file(&self.file("msgs/index.db")).expect("an index");
        self.start_sound();
    }

    /// As [`Stream::reopen`], with an older index.
    pub(crate) fn reopen_with_index(&mut self, index: &[u8]) {
        self.stop();
        self.env.fs().write(&self.file("msgs/index.db"), index, 0).expect("written");
        self.start_sound();
    }

    /// Asserts that the state is the same when the store is opened again, with its index and
    /// without.
    #[track_caller]
    pub(crate) fn stays(&mut self) {
        let state = self.store.state();
        self.reopen();
        assert_eq!(self.store.state(), state, "with the index");
        self.reopen_without_index();
        assert_eq!(self.store.state(), state, "without the index");
    }

    /// The index of the store, which is stopped and opened for that.
    pub(crate) fn index(&mut self) -> Vec<u8> {
        self.stop();
        let index = self.env.fs().read(&self.file("msgs/index.db")).expect("an index");
        self.start_sound();
        index
    }

    /// As [`Stream::reopen_with_index`], with an index that was changed and has a hash that fits;
    /// what was wrong. The stream must be in the clear.
    pub(crate) fn forge_index(&mut self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Fix> {
        self.stop();
        let path = self.file("msgs/index.db");
        let mut index = self.env.fs().read(&path).expect("an index");
        index.truncate(index.len() - 8);
        change(&mut index);
        let sum = KeyedHash::named(NAME).sum(&[&index]);
        index.extend_from_slice(&sum);
        self.env.fs().write(&path, &index, 0).expect("written");
        self.start()
    }

    /// How many messages up to `last` can be read when the bytes of all blocks are taken away.
    pub(crate) fn in_memory(&mut self, last: u64) -> usize {
        self.store.sync().expect("synced");
        let blocks: Vec<usize> = (1..=1000).filter(|n| self.block(*n).exists()).collect();
        assert!(blocks.len() > 1);
        self.blank(blocks);
        (1..=last).filter(|seq| self.load(*seq).is_ok()).count()
    }

    pub(crate) fn try_put(&mut self, new: NewMessage<'_>) -> Result<u64, StoreError> {
        self.now += 1_000_000;
        self.store.store(new, self.now)
    }

    pub(crate) fn put(&mut self, subject: &str, payload: &[u8]) -> u64 {
        let new = NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() };
        self.try_put(new).expect("stored")
    }

    /// Stores messages of subjects that end in these numbers.
    pub(crate) fn put_numbered(
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
    pub(crate) fn remove(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.remove(seq).expect("removed"), "no message {seq}");
        }
    }

    /// Lets time pass, at whose end the store is asked to expire messages.
    pub(crate) fn wait(&mut self, ns: i64) {
        self.now += ns;
        self.store.expire(self.now).expect("expired");
    }

    /// Gives up memory that was not used since, and makes blocks smaller.
    pub(crate) fn maintain(&mut self) {
        self.store.maintain().expect("maintained");
        self.store.maintain().expect("maintained");
    }

    pub(crate) fn state(&self) -> StreamState {
        self.store.state()
    }

    /// Messages, first and last sequence.
    pub(crate) fn span(&self) -> (u64, u64, u64) {
        let state = self.store.fast_state();
        (state.messages, state.first_seq, state.last_seq)
    }

    pub(crate) fn load(&mut self, seq: u64) -> Result<StoredMessage, StoreError> {
        let mut out = StoredMessage::default();
        self.store.load(seq, &mut out).map(|()| out)
    }

    pub(crate) fn payload(&mut self, seq: u64) -> Vec<u8> {
        self.load(seq).expect("a message").payload().to_vec()
    }

    /// Sequence of the next message from `start` on that is meant; none at the end.
    pub(crate) fn next(&mut self, subject: &str, start: u64) -> Option<u64> {
        let mut out = StoredMessage::default();
        match self.store.load_next(filter(subject), start, &mut out) {
            Ok(()) => Some(out.seq),
            Err(StoreError::Eof) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The last message that is meant.
    pub(crate) fn last(&mut self, subject: &str) -> StoredMessage {
        let mut out = StoredMessage::default();
        self.store.load_last(filter(subject), &mut out).expect("a message");
        out
    }

    /// Messages that are meant, the first of them and the last.
    pub(crate) fn filtered(&mut self, subject: &str) -> (u64, u64, u64) {
        let SimpleState { messages, first_seq, last_seq } =
            self.store.filtered_state(1, filter(subject)).expect("readable");
        (messages, first_seq, last_seq)
    }
}

/// Numbers that look random, below `below`: the same every time.
pub(crate) fn numbers(below: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    })
}

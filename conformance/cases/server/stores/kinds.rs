//! The kinds of store, and a stream in one of them.

use std::path::Path;

use nats_server::base::Env;
use nats_server::ds::generic_sublist::SimpleSublist;
use nats_server::model::{FileStreamInfo, SimpleState, StorageType, StreamConfig, StreamState};
use nats_server::store::file::store::{FileStore, Options};
use nats_server::store::memory::MemoryStore;
use nats_server::store::stream::{
    Effects, Filter, NewMessage, StoreError, StoredMessage, StreamStore,
};
use tempfile::TempDir;

pub(super) const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
pub(super) const NOW: i64 = 1_795_478_400 * SECOND;

/// Opens the store of a stream in a directory of its own, new or as it was stopped.
type Open = fn(&Path, &StreamConfig) -> Box<dyn StreamStore>;

const KINDS: &[(StorageType, Open)] = &[
    (StorageType::Memory, |_, config| {
        Box::new(MemoryStore::new(&Env::simulated(1), config).expect("a memory store"))
    }),
    (StorageType::File, |dir, config| {
        Box::new(in_files(&Env::os(), &dir.join(&config.name), config))
    }),
];

/// The store of a stream in files, new or as it was stopped.
fn in_files(env: &Env, dir: &Path, config: &StreamConfig) -> FileStore {
    if !dir.exists() {
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        return FileStore::create(env, dir, &info, Options::default(), NOW).expect("a file store");
    }
    let opened = FileStore::open(env, dir, Options::default(), NOW).expect("a file store");
    assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
    opened.store
}

/// Runs a test on every kind of store.
pub(super) fn each(config: &StreamConfig, test: impl Fn(&mut Stream)) {
    for (kind, open) in KINDS {
        test(&mut Stream::new(*kind, *open, config));
    }
}

/// A stream in memory.
pub(super) fn memory(config: &StreamConfig) -> Stream {
    let (kind, open) = KINDS[0];
    Stream::new(kind, open, config)
}

/// A configuration with these subjects.
pub(super) fn subjects(subjects: &[&str]) -> StreamConfig {
    StreamConfig {
        name: "TEST".into(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        ..StreamConfig::default()
    }
}

/// Several filters at once.
pub(super) fn set(subjects: &[&str]) -> SimpleSublist {
    let mut set = SimpleSublist::new();
    for subject in subjects {
        set.insert(subject.as_bytes(), ()).expect("a subject");
    }
    set
}

pub(super) fn filter(subject: &str) -> Filter<'_> {
    Filter::of(subject.as_bytes())
}

/// A stream in a store, with a clock of its own: a millisecond passes with every message.
pub(super) struct Stream {
    pub(super) store: Box<dyn StreamStore>,
    pub(super) config: StreamConfig,
    pub(super) now: i64,
    open: Open,
    dir: TempDir,
}

impl Stream {
    fn new(kind: StorageType, open: Open, config: &StreamConfig) -> Self {
        let config = StreamConfig { storage: kind, ..config.clone() };
        let dir = tempfile::tempdir().expect("a directory");
        Self { store: open(dir.path(), &config), config, now: NOW, open, dir }
    }

    /// Whether it is in files, and so outlives its store.
    pub(super) fn in_files(&self) -> bool {
        self.config.storage == StorageType::File
    }

    /// Stops the store and opens it again.
    pub(super) fn reopen(&mut self) {
        self.store.stop().expect("stopped");
        self.store = (self.open)(self.dir.path(), &self.config);
    }

    /// As [`Stream::reopen`], without the file that has the whole state.
    pub(super) fn reopen_without_index(&mut self) {
        self.store.stop().expect("stopped");
        std::fs::remove_file(self.dir.path().join(&self.config.name).join("msgs/index.db"))
            .expect("an index");
        self.store = (self.open)(self.dir.path(), &self.config);
    }

    /// Stores a message.
    pub(super) fn try_put(&mut self, new: NewMessage<'_>) -> Result<u64, StoreError> {
        self.now += 1_000_000;
        self.store.store(new, self.now)
    }

    /// Stores a message that has nothing but a subject.
    pub(super) fn put(&mut self, subject: &str) -> u64 {
        self.put_payload(subject, b"")
    }

    /// As [`Stream::put`], `count` of them.
    pub(super) fn put_many(&mut self, subject: &str, count: usize) {
        (0..count).for_each(|_| _ = self.put(subject));
    }

    pub(super) fn put_payload(&mut self, subject: &str, payload: &[u8]) -> u64 {
        let new = NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() };
        self.try_put(new).expect("stored")
    }

    pub(super) fn put_headers(&mut self, subject: &str, headers: &[u8]) -> u64 {
        let new = NewMessage { subject: subject.as_bytes(), headers, ..NewMessage::default() };
        self.try_put(new).expect("stored")
    }

    pub(super) fn put_ttl(&mut self, subject: &str, ttl_s: i64) -> u64 {
        let new = NewMessage { subject: subject.as_bytes(), ttl_s, ..NewMessage::default() };
        self.try_put(new).expect("stored")
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

    pub(super) fn update(&mut self, change: impl FnOnce(&mut StreamConfig)) {
        change(&mut self.config);
        self.store.update_config(&self.config, self.now).expect("updated");
    }

    /// Removes messages that are there.
    pub(super) fn remove(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            assert!(self.store.remove(seq).expect("removed"), "no message {seq}");
        }
    }

    pub(super) fn state(&self) -> StreamState {
        self.store.state()
    }

    /// Messages, first and last sequence.
    pub(super) fn span(&self) -> (u64, u64, u64) {
        let state = self.store.state();
        let fast = self.store.fast_state();
        let span = (state.messages, state.first_seq, state.last_seq);
        assert_eq!((fast.messages, fast.first_seq, fast.last_seq), span);
        assert_eq!(fast.num_deleted, state.deleted.len() as u64);
        span
    }

    pub(super) fn effects(&mut self) -> Effects {
        let mut effects = Effects::default();
        self.store.take_effects(&mut effects);
        effects
    }

    pub(super) fn load(&mut self, seq: u64) -> Result<StoredMessage, StoreError> {
        let mut out = StoredMessage::default();
        self.store.load(seq, &mut out).map(|()| out)
    }

    /// Sequence of the next message from `start` on that is meant.
    pub(super) fn next(&mut self, filter: Filter<'_>, start: u64) -> Option<u64> {
        found(|out| self.store.load_next(filter, start, out))
    }

    /// Sequence of the last message up to `start` that is meant.
    pub(super) fn prev(&mut self, filter: Filter<'_>, start: u64) -> Option<u64> {
        found(|out| self.store.load_prev(filter, start, out))
    }

    /// Sequence of the last message of a subject.
    pub(super) fn last(&mut self, subject: &str) -> Option<u64> {
        let mut out = StoredMessage::default();
        match self.store.load_last(filter(subject), &mut out) {
            Ok(()) => Some(out.seq),
            Err(StoreError::NotFound) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What there is of a subject.
    pub(super) fn subject(&mut self, subject: &str) -> SimpleState {
        let states = self.store.subjects_state(filter(subject)).expect("readable");
        states.get(subject.as_bytes()).copied().unwrap_or_default()
    }

    /// The sequences that are told to replicas to be deleted.
    pub(super) fn deleted_blocks(&self) -> Vec<u64> {
        use nats_server::store::stream_state::{DeleteBlock, EncodedStreamState};
        let bytes = self.store.encoded_stream_state(0, false).expect("encoded");
        let state = EncodedStreamState::decode(&bytes).expect("decoded");
        state.deleted.iter().flat_map(DeleteBlock::iter).collect()
    }
}

/// `None` at the end of the stream.
fn found(load: impl FnOnce(&mut StoredMessage) -> Result<(), StoreError>) -> Option<u64> {
    let mut out = StoredMessage::default();
    match load(&mut out) {
        Ok(()) => Some(out.seq),
        Err(StoreError::Eof) => None,
        Err(error) => panic!("{error}"),
    }
}

//! A stream in files, its directory, and damage to it.

use nats_server::base::Env;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    FileStreamInfo, StorageType, StoreCompression, StreamConfig, StreamState,
};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::repair::Fix;
use nats_server::store::file::store::{FileStore, Options};
use nats_server::store::stream::{NewMessage, StoreError, StoredMessage, StreamStore};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

pub(super) const SECOND: i64 = 1_000_000_000;
/// 2026-11-24.
pub(super) const NOW: i64 = 1_795_478_400 * SECOND;
/// Bytes of a message of subject `foo` that has nothing else.
pub(super) const LEN: u64 = 33;
/// Bytes of a tombstone.
pub(super) const TOMBSTONE: u64 = 30;

/// A configuration with these subjects.
pub(super) fn subjects(subjects: &[&str]) -> StreamConfig {
    StreamConfig {
        name: "TEST".into(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        storage: StorageType::File,
        ..StreamConfig::default()
    }
}

/// A stream in files, with a clock of its own: a millisecond passes with every message.
pub(super) struct Files {
    pub(super) store: FileStore,
    pub(super) config: StreamConfig,
    pub(super) now: i64,
    options: Options,
    block_len: u64,
    root: TempDir,
}

/// Runs a test with every cipher, and with and without compression.
pub(super) fn each(config: &StreamConfig, block_len: u64, test: impl Fn(&mut Files)) {
    for cipher in [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let config = StreamConfig { compression, ..config.clone() };
            test(&mut Files::with(&config, block_len, cipher));
        }
    }
}

/// A stream whose files are plain.
pub(super) fn plain(config: &StreamConfig, block_len: u64) -> Files {
    Files::with(config, block_len, None)
}

impl Files {
    fn with(config: &StreamConfig, block_len: u64, cipher: Option<StoreCipher>) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let ring = |cipher| KeyRing::new("$G", &"secret".into(), &"".into(), cipher).map(Arc::new);
        let options = Options { keys: cipher.and_then(ring), block_len_max: Some(block_len) };
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        let dir = root.path().join(&config.name);
        let store =
            FileStore::create(&Env::os(), &dir, &info, options.clone(), NOW).expect("a store");
        Self { store, config: config.clone(), now: NOW, options, block_len, root }
    }

    /// Whether the bytes of the files are those of the messages.
    pub(super) fn is_plain(&self) -> bool {
        self.options.keys.is_none()
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.config.compression == StoreCompression::S2
    }

    /// A file of the stream's directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(&self.config.name).join(name)
    }

    pub(super) fn block(&self, index: u32) -> PathBuf {
        self.path(&format!("msgs/{index}.blk"))
    }

    /// The bytes of a block's file.
    pub(super) fn bytes(&self, index: u32) -> Vec<u8> {
        std::fs::read(self.block(index)).expect("a block")
    }

    /// The blocks that have a file, ascending.
    pub(super) fn block_files(&self) -> Vec<u32> {
        let dir = std::fs::read_dir(self.path("msgs")).expect("messages");
        let names = dir.map(|entry| entry.expect("an entry").file_name());
        let index = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".blk")?.parse().ok();
        let mut found: Vec<u32> = names.filter_map(index).collect();
        found.sort_unstable();
        found
    }

    /// Whether a block's file is compressed; its bytes must be plain.
    pub(super) fn is_packed(&self, index: u32) -> bool {
        self.bytes(index).starts_with(b"cmp")
    }

    /// Stops the store, does something to its directory, and opens it again: what was mended.
    pub(super) fn reopen_after(&mut self, change: impl FnOnce(&Self)) -> Vec<Fix> {
        self.store.stop().expect("stopped");
        change(self);
        let opened = FileStore::open(&Env::os(), &self.path(""), self.options.clone(), self.now)
            .expect("a store");
        self.store = opened.store;
        opened.fixes
    }

    /// Stops the store and opens it again; nothing is to be mended.
    pub(super) fn reopen(&mut self) {
        let fixes = self.reopen_after(|_| {});
        assert!(fixes.is_empty(), "{fixes:?}");
    }

    /// As [`Files::reopen`], without the file that has the whole state.
    pub(super) fn reopen_without_index(&mut self) {
        let fixes = self.reopen_after(|files| files.drop_index());
        assert!(fixes.is_empty(), "{fixes:?}");
    }

    pub(super) fn drop_index(&self) {
        std::fs::remove_file(self.path("msgs/index.db")).expect("an index");
    }

    /// The state is the same when the store is opened again, with the index and without.
    pub(super) fn keeps_its_state(&mut self) {
        let before = self.store.state();
        self.reopen();
        assert_eq!(self.store.state(), before);
        self.reopen_without_index();
        assert_eq!(self.store.state(), before);
    }

    pub(super) fn try_put(&mut self, new: NewMessage<'_>) -> Result<u64, StoreError> {
        self.now += 1_000_000;
        self.store.store(new, self.now)
    }

    /// Stores a message that has nothing but a subject.
    pub(super) fn put(&mut self, subject: &str) -> u64 {
        self.put_payload(subject, b"")
    }

    /// As [`Files::put`], `count` of them.
    pub(super) fn put_many(&mut self, subject: &str, count: usize) {
        (0..count).for_each(|_| _ = self.put(subject));
    }

    pub(super) fn put_payload(&mut self, subject: &str, payload: &[u8]) -> u64 {
        let new = NewMessage { subject: subject.as_bytes(), payload, ..NewMessage::default() };
        self.try_put(new).expect("stored")
    }

    pub(super) fn put_headers(&mut self, subject: &str, headers: &str) -> u64 {
        let headers = format!("NATS/1.0\r\n{headers}\r\n\r\n");
        let (subject, headers) = (subject.as_bytes(), headers.as_bytes());
        self.try_put(NewMessage { subject, headers, ..NewMessage::default() }).expect("stored")
    }

    /// Stores a message that is as large as there is room in the block.
    pub(super) fn put_last(&mut self, subject: &str) -> u64 {
        self.store.flush().expect("flushed");
        let used = self.block_files().last().map_or(0, |index| self.bytes(*index).len() as u64);
        let room = self.block_len - used % self.block_len - LEN + 3 - subject.len() as u64;
        self.put_payload(subject, &vec![0; room as usize])
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
        (state.messages, state.first_seq, state.last_seq)
    }

    pub(super) fn load(&mut self, seq: u64) -> Result<StoredMessage, StoreError> {
        let mut out = StoredMessage::default();
        self.store.load(seq, &mut out).map(|()| out)
    }

    /// There are no messages with these sequences, and all the others up to the last.
    pub(super) fn lacks(&mut self, seqs: &[u64]) {
        for seq in 1..=self.state().last_seq {
            match self.load(seq) {
                Ok(found) => assert!(!seqs.contains(&seq) && found.seq == seq, "{seq}"),
                Err(StoreError::NotFound) => assert!(seqs.contains(&seq), "{seq}"),
                Err(error) => panic!("{seq}: {error}"),
            }
        }
    }

    pub(super) fn update(&mut self, change: impl FnOnce(&mut StreamConfig)) {
        change(&mut self.config);
        self.store.update_config(&self.config, self.now).expect("updated");
    }
}

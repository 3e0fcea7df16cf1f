//! Writes the directory of a stream from its messages, one after the other.
//!
//! It is made beside its place, under a name that begins with a dot, and renamed when all of it is
//! on disk: a crash leaves no directory of the stream's name or the whole. What has such a name is
//! no stream for a server, upstream's removes it when it starts. Memory is that of one block and
//! of the index.
//!
//! Sequences that no message has need no record: upstream takes those between two records of a
//! block for deleted. As it counts them one by one, a long gap begins a block. A last sequence
//! without a message is written as a skipped one.
//!
//! Go: server/filestore.go dynBlkSize, SkipMsgs; server/stream.go autoTuneFileStorageBlockSize.

use super::compress;
use super::crypt::{AssetKey, KeyRing};
use super::hash::{HASH_LEN, KeyedHash};
use super::index::Index;
use super::layout;
use super::record::{EMPTY_LEN, SEQ_MAX, TooLarge, append_message, append_skipped, message_len};
use super::state::BlockState;
use crate::base::fs::{self, Fs, OpenMode};
use crate::ds::expiries::Expiries;
use crate::model::{
    FileConsumerInfo, FileStreamInfo, RetentionPolicy, StoreCompression, StreamConfig,
};
use crate::store::message;
use crate::store::schedules::Schedules;
use crate::store::sources::Sources;
use crate::wire::{headers, subject};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Sequences that may be missing in one block.
pub(super) const DELETED_MAX: u64 = 64 * 1024;
const BLOCK_MIN: u64 = 32_000;
const BLOCK_MEDIUM: u64 = 4 << 20;
const BLOCK_MAX: u64 = 8 << 20;
const BLOCK_MAX_ENCRYPTED: u64 = 2 << 20;

/// Why a directory cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The system says so.
    #[error("{}: {}", path.display(), fs::reason(source))]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A sequence that is 0, too large, or not above the one before.
    #[error("sequence {seq} after {last}")]
    Sequence {
        /// The sequence.
        seq: u64,
        /// The one before; 0 when there is none.
        last: u64,
    },
    /// The message is too large for a record.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    |source| BuildError::Io { path, source }
}

/// A message to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its sequence, above all before.
    pub seq: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Its subject.
    pub subject: &'a [u8],
    /// The header block, or nothing.
    pub headers: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

/// Where a stream is made, and with which keys.
pub struct Place<'a> {
    /// The file system.
    pub fs: &'a dyn Fs,
    /// The stream's folder, named as the stream.
    pub dir: &'a Path,
    /// The keys of the store; none when it is not encrypted.
    pub keys: Option<&'a KeyRing>,
    /// Gives bytes fit for secrets.
    pub entropy: &'a mut dyn FnMut(&mut [u8]),
}

/// A stream's directory in the making. It is gone when this is dropped before it is finished.
pub struct Builder<'a> {
    place: Place<'a>,
    aside: PathBuf,
    info: &'a FileStreamInfo,
    block_len_max: u64,
    key: Option<AssetKey>,
    records: Vec<u8>,
    hash: KeyedHash,
    block: BlockState,
    index: Index,
    expiries: Expiries,
    schedules: Option<Schedules>,
    sources: Sources,
}

impl<'a> Builder<'a> {
    /// Begins a stream with no messages.
    ///
    /// # Errors
    ///
    /// When something is in its place ([`ErrorKind::AlreadyExists`]), or what the system says.
    pub fn new(place: Place<'a>, info: &'a FileStreamInfo) -> Result<Self, BuildError> {
        let dir = place.dir;
        match place.fs.metadata(dir) {
            Ok(_) => return Err(io_error(dir)(ErrorKind::AlreadyExists.into())),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(io_error(dir)(e)),
        }
        let name = &info.config.name;
        let aside = dir.with_file_name(format!(".{name}.load"));
        match place.fs.remove_dir_all(&aside) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(io_error(&aside)(e)),
            _ => {}
        }
        create_durably(place.fs, &aside.join(layout::MESSAGES))?;
        let block_len_max = block_len_max(&info.config, place.keys.is_some());
        let mut builder = Self {
            place,
            aside,
            info,
            block_len_max,
            key: None,
            records: Vec::new(),
            hash: KeyedHash::for_block(name, 1),
            block: BlockState { index: 1, ..BlockState::default() },
            index: Index::default(),
            expiries: Expiries::new(),
            schedules: None,
            sources: Sources::default(),
        };
        builder.key = builder.create_key(name, layout::META_KEY.as_ref())?;
        Ok(builder)
    }

    /// Adds a message.
    ///
    /// # Errors
    ///
    /// A sequence that is not above all before, a message that is too large, or what the system
    /// says. Nothing can be made of the builder then.
    pub fn add(&mut self, message: &Message<'_>) -> Result<(), BuildError> {
        let Message { seq, time_ns, subject, headers, payload } = *message;
        self.check_seq(seq)?;
        let len = message_len(subject.len(), headers.len(), payload.len());
        self.make_room(seq, len)?;
        append_message(&mut self.records, &self.hash, seq, time_ns, subject, headers, payload)?;
        self.note_gap(seq);
        let block = &mut self.block;
        if block.messages == 0 {
            (block.first_seq, block.first_ns) = (seq, time_ns);
        }
        block.messages += 1;
        block.bytes += len as u64;
        block.ttls += u64::from(headers::value(headers, b"Nats-TTL").is_some());
        block.schedules += u64::from(headers::value(headers, b"Nats-Schedule").is_some());
        self.index.subjects.add(subject, block.index, seq);
        let ttl_s = message::ttl_s(headers);
        if ttl_s > 0 {
            self.expiries.add(seq, message::expiry_ns(time_ns, ttl_s));
        }
        if let Some((name, state)) = message::source(headers) {
            self.sources.0.insert(name, state);
        }
        let totals = &mut self.index.totals;
        if totals.messages == 0 {
            (totals.first_seq, totals.first_ns) = (seq, time_ns);
        }
        totals.messages += 1;
        totals.bytes += len as u64;
        self.set_last(seq, time_ns);
        Ok(())
    }

    /// Says that sequences up to `seq` were used, without messages.
    ///
    /// # Errors
    ///
    /// As [`Builder::add`].
    pub fn skip_to(&mut self, seq: u64) -> Result<(), BuildError> {
        self.check_seq(seq)?;
        self.make_room(seq, EMPTY_LEN)?;
        // As upstream does: at the time of what was there before.
        let time_ns = self.index.totals.last_ns;
        append_skipped(&mut self.records, &self.hash, seq, time_ns)?;
        self.note_gap(seq);
        if self.block.messages > 0 {
            self.block.deleted.push(seq, seq);
        } else {
            self.block.first_seq = seq + 1;
        }
        if self.index.totals.messages == 0 {
            self.index.totals.first_seq = seq + 1;
        }
        self.set_last(seq, time_ns);
        Ok(())
    }

    /// Says which of the messages are schedules. Without a word about it a server looks for them.
    pub fn set_schedules(&mut self, schedules: Schedules) {
        self.schedules = Some(schedules);
    }

    /// Puts the stream in its place. After this returns it is there for good.
    ///
    /// # Errors
    ///
    /// What the system says; nothing is left then, unless the very last step failed, which makes
    /// the name durable.
    pub fn finish(mut self) -> Result<(), BuildError> {
        if !self.records.is_empty() {
            let last_hash: [u8; HASH_LEN] = self.records.last_chunk().copied().unwrap_or_default();
            (self.index.last_block, self.index.last_hash) = (self.block.index, last_hash);
            self.write_block(true)?;
            self.write_derived()?;
            self.write_index()?;
        }
        self.write_meta()?;
        self.take_place()
    }

    /// Adds a consumer; `state` is what its `o.dat` has in the clear, if it has one.
    ///
    /// # Errors
    ///
    /// When it is there already ([`ErrorKind::AlreadyExists`]), or what the system says.
    pub fn add_consumer(
        &mut self,
        info: &FileConsumerInfo,
        state: Option<&[u8]>,
    ) -> Result<(), BuildError> {
        let (stream, name) = (&self.info.config.name, &info.name);
        let (asset, hash) =
            (layout::consumer_asset(stream, name), KeyedHash::named(&format!("{stream}/{name}")));
        let folder = Path::new(layout::CONSUMERS).join(name);
        let dir = self.aside.join(&folder);
        self.place.fs.create_dir_all(&dir).map_err(io_error(&dir))?;
        let key = self.create_key(&asset, &folder.join(layout::META_KEY))?;
        let meta = sealed(key.as_ref(), info.encode(), self.place.entropy);
        self.write(&folder.join(layout::META), &meta)?;
        self.write(&folder.join(layout::META_SUM), hash.hex(&meta).as_bytes())?;
        if let Some(state) = state {
            let state = sealed(key.as_ref(), state.to_vec(), self.place.entropy);
            self.write(&folder.join(layout::CONSUMER_STATE), &state)?;
        }
        self.place.fs.sync_dir(&dir).map_err(io_error(&dir))
    }

    /// Adds a block as it is, its records in the clear.
    pub(super) fn add_block(&mut self, index: u32, mut records: Vec<u8>) -> Result<(), BuildError> {
        let (name, folder) = (&self.info.config.name, Path::new(layout::MESSAGES));
        let asset = layout::block_asset(name, index);
        if let Some(key) = self.create_key(&asset, &layout::block_key(folder, index))? {
            key.apply(0, &mut records);
        }
        self.write(&layout::block(folder, index), &records)
    }

    /// Adds an index as it is, in the clear and without its hash.
    pub(super) fn add_index(&mut self, content: Vec<u8>) -> Result<(), BuildError> {
        let mut file = sealed(self.key.as_ref(), content, self.place.entropy);
        let sum = KeyedHash::named(&self.info.config.name).sum(&[&file]);
        file.extend_from_slice(&sum);
        self.write(&Path::new(layout::MESSAGES).join(layout::INDEX), &file)
    }

    /// Writes the configuration.
    pub(super) fn write_meta(&mut self) -> Result<(), BuildError> {
        let meta = sealed(self.key.as_ref(), self.info.encode(), self.place.entropy);
        self.write(layout::META.as_ref(), &meta)?;
        let sum = KeyedHash::named(&self.info.config.name).hex(&meta);
        self.write(layout::META_SUM.as_ref(), sum.as_bytes())
    }

    /// Where the directory is until it takes its place.
    pub(super) fn aside(&self) -> &Path {
        &self.aside
    }

    /// As [`Builder::finish`], when everything is written.
    pub(super) fn take_place(self) -> Result<(), BuildError> {
        let (fs, dir) = (self.place.fs, self.place.dir);
        let consumers = self.aside.join(layout::CONSUMERS);
        if fs.metadata(&consumers).is_ok() {
            fs.sync_dir(&consumers).map_err(io_error(&consumers))?;
        }
        for dir in [&self.aside.join(layout::MESSAGES), &self.aside] {
            fs.sync_dir(dir).map_err(io_error(dir))?;
        }
        fs.rename(&self.aside, dir).map_err(io_error(dir))?;
        let parent = dir.parent().unwrap_or(dir);
        fs.sync_dir(parent).map_err(io_error(parent))
    }

    fn check_seq(&self, seq: u64) -> Result<(), BuildError> {
        let last = self.index.totals.last_seq;
        if seq > last && seq <= SEQ_MAX {
            return Ok(());
        }
        Err(BuildError::Sequence { seq, last })
    }

    /// Begins a block if the one at hand has no room for a record, or too many gaps.
    fn make_room(&mut self, seq: u64, len: usize) -> Result<(), BuildError> {
        let full = (self.records.len() as u64).saturating_add(len as u64) > self.block_len_max;
        let gap = seq - self.index.totals.last_seq - 1;
        let sparse = self.block.deleted.len().saturating_add(gap) > DELETED_MAX;
        if self.records.is_empty() || !(full || sparse) {
            return Ok(());
        }
        self.write_block(false)?;
        let index = self.block.index.checked_add(1).ok_or(TooLarge)?;
        self.block = BlockState { index, ..BlockState::default() };
        self.hash = KeyedHash::for_block(&self.info.config.name, index);
        Ok(())
    }

    /// Sequences before `seq` that the block at hand skips.
    fn note_gap(&mut self, seq: u64) {
        if self.block.messages > 0 {
            self.block.deleted.push(self.block.last_seq + 1, seq - 1);
        }
    }

    fn set_last(&mut self, seq: u64, time_ns: i64) {
        (self.block.last_seq, self.block.last_ns) = (seq, time_ns);
        (self.index.totals.last_seq, self.index.totals.last_ns) = (seq, time_ns);
    }

    /// Writes the block at hand. The last one stays as it is, to be written to; others are
    /// compressed.
    fn write_block(&mut self, is_last: bool) -> Result<(), BuildError> {
        let index = self.block.index;
        let (name, folder) = (&self.info.config.name, Path::new(layout::MESSAGES));
        let asset = layout::block_asset(name, index);
        let key = self.create_key(&asset, &layout::block_key(folder, index))?;
        let mut packed = Vec::new();
        if !is_last && self.info.config.compression == StoreCompression::S2 {
            compress::compress(&self.records, &mut packed);
        }
        let mut records = std::mem::take(&mut self.records);
        let content = if packed.is_empty() { &mut records } else { &mut packed };
        if let Some(key) = key {
            key.apply(0, content);
        }
        self.write(&layout::block(folder, index), content)?;
        records.clear();
        self.records = records;
        self.index.blocks.push(self.block.clone());
        Ok(())
    }

    /// Writes what a server that stops keeps beside the messages, so that the next one does not look
    /// for it in them.
    fn write_derived(&self) -> Result<(), BuildError> {
        // What is known is known below the next sequence.
        let (config, next_seq) = (&self.info.config, self.index.totals.last_seq + 1);
        let messages = Path::new(layout::MESSAGES);
        if config.allow_msg_ttl {
            self.write(&messages.join(layout::EXPIRIES), &self.expiries.encode(next_seq))?;
        }
        if let Some(schedules) = self.schedules.as_ref().filter(|_| config.allow_msg_schedules) {
            self.write(&messages.join(layout::SCHEDULES), &schedules.encode(next_seq))?;
        }
        if !config.sources.is_empty() && !self.sources.0.is_empty() {
            self.write(layout::SOURCES.as_ref(), &self.sources.encode(next_seq))?;
        }
        Ok(())
    }

    fn write_index(&mut self) -> Result<(), BuildError> {
        let mut content = Vec::new();
        self.index.encode(&mut content);
        self.add_index(content)
    }

    /// A new key for an asset, if the store is encrypted.
    fn create_key(&mut self, asset: &str, path: &Path) -> Result<Option<AssetKey>, BuildError> {
        let Some(keys) = self.place.keys else { return Ok(None) };
        let (key, file) = keys.create(asset, self.place.entropy);
        self.write(path, &file)?;
        Ok(Some(key))
    }

    /// Writes a file of the directory, its content durable.
    fn write(&self, path: &Path, content: &[u8]) -> Result<(), BuildError> {
        let path = self.aside.join(path);
        let mode = OpenMode { write: true, create_new: true, ..OpenMode::default() };
        let written = self.place.fs.open(&path, mode).and_then(|file| {
            file.write_at(content, 0)?;
            file.sync_all()
        });
        written.map_err(io_error(&path))
    }
}

impl Drop for Builder<'_> {
    fn drop(&mut self) {
        // Nothing is there when the stream is in its place. The error that is told is the first.
        let _ = self.place.fs.remove_dir_all(&self.aside);
    }
}

/// What a file holds, sealed if there is a key.
fn sealed(key: Option<&AssetKey>, content: Vec<u8>, entropy: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    match key {
        Some(key) => key.seal(&content, entropy),
        None => content,
    }
}

/// Makes a directory and its parents, and the names of those that were missing durable, but for the
/// two last: they are made durable with what they hold.
fn create_durably(fs: &dyn Fs, dir: &Path) -> Result<(), BuildError> {
    let missing = |path: &&Path| fs.metadata(path).is_err();
    let missing: Vec<&Path> = dir.ancestors().skip(2).take_while(missing).collect();
    fs.create_dir_all(dir).map_err(io_error(dir))?;
    for path in missing.iter().rev().filter_map(|path| path.parent()) {
        fs.sync_dir(path).map_err(io_error(path))?;
    }
    Ok(())
}

/// Bytes of a block at which the next one is begun, as upstream chooses them.
pub(super) fn block_len_max(config: &StreamConfig, is_encrypted: bool) -> u64 {
    let positive = |limit: i64| u64::try_from(limit).ok().filter(|limit| *limit > 0);
    let messages = positive(config.max_msgs);
    let expected = positive(config.max_bytes)
        .or(messages.map(|messages| messages.saturating_mul(message_len_estimate(config))));
    match expected {
        Some(bytes) => {
            let quarter = (bytes / 4 + 1).next_multiple_of(100);
            match quarter {
                ..=BLOCK_MIN => BLOCK_MIN,
                BLOCK_MAX.. => BLOCK_MAX,
                _ => BLOCK_MEDIUM,
            }
        }
        None if config.max_msgs_per_subject > 0 => BLOCK_MEDIUM,
        None if is_encrypted => BLOCK_MAX_ENCRYPTED,
        None if config.retention == RetentionPolicy::Limits => BLOCK_MAX,
        None => BLOCK_MEDIUM,
    }
}

/// Bytes of a message, as far as the configuration tells.
fn message_len_estimate(config: &StreamConfig) -> u64 {
    const SUBJECT: usize = 256;
    const PAYLOAD: u64 = 1 << 20;
    let literal = |subject: &&String| subject::is_valid_literal_subject(subject.as_bytes());
    let subject = config.subjects.iter().filter(literal).map(String::len).max();
    let payload = u64::try_from(config.max_msg_size).ok().filter(|max| *max > 0);
    (EMPTY_LEN + 4 + subject.unwrap_or(SUBJECT)) as u64 + payload.unwrap_or(PAYLOAD)
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;

//! The directory of a running consumer: `obs/<consumer>/`, with its configuration and its state.
//!
//! Nothing here waits, and nothing is written on its own. A changed state is written by the owner's
//! [`FileConsumerStore::flush`], which costs one file, however much has changed. Upstream writes
//! the first change at once and then every 100 ms at most while there are changes; where a
//! consumer begins (`set_starting`, `reset`) and what recovery forces on it (`force_update`) it
//! writes before it goes on. An owner does the same: it flushes after those, and else by a timer
//! that runs while [`FileConsumerStore::is_dirty`].
//!
//! A consumer is deleted by taking its folder out of `obs/` under another name, in one step, so
//! that no part of it is found again under its own.
//!
//! A state that is damaged, cut or empty is an error, not a consumer that begins anew: who wants
//! that says so, see [`set_state_aside`].
//!
//! Go: server/filestore.go consumerFileStore.

use super::consumers::ConsumerError;
use super::convert::{ConvertError, Converter};
use super::crypt::{AssetKey, KeyRing};
use super::files::{self, FileError};
use super::hash::KeyedHash;
use super::layout;
use super::replace;
use crate::base::fs::Fs;
use crate::model::{ConsumerConfig, FileConsumerInfo};
use crate::store::consumer::core::ConsumerCore;
use crate::store::consumer::{ConsumerStore, codec};
use crate::store::stream::StoreError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a state is called that was set aside.
const DAMAGED_STATE: &str = "damaged.o.dat";
/// How the folder of a consumer is called while it is deleted, in the stream's folder.
const DELETED: &str = ".deleted.";

/// Gives bytes fit for secrets.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// Where a consumer is kept.
pub struct Place<'a> {
    /// The file system.
    pub fs: Arc<dyn Fs>,
    /// The folder of its stream, named as the stream.
    pub stream_dir: &'a Path,
    /// The keys of the store; none when it is not encrypted.
    pub keys: Option<&'a KeyRing>,
    /// Gives bytes fit for secrets, as long as the consumer is open.
    pub entropy: Entropy,
    /// Whether what is written is on disk before a call returns: with `sync_interval: always`.
    /// Without it a loss of power may leave a state that is damaged, but no configuration.
    pub durable: bool,
}

/// Why a consumer cannot be opened. Nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its name is none for a folder.
    #[error("consumer name {0:?} is not valid")]
    Name(String),
    /// Its files are unreadable or damaged.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// Its files could not be brought to the configured key.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let error = FileError::io(path);
    |source| ConsumerError::File(error(source)).into()
}

/// A consumer's state, kept in its directory. Use ends with the stream's: after a failed write it
/// stays dirty, and the next flush tries again.
pub struct FileConsumerStore {
    fs: Arc<dyn Fs>,
    entropy: Entropy,
    dir: PathBuf,
    hash: KeyedHash,
    key: Option<AssetKey>,
    /// As `meta.inf` has it, but for the configuration, which is the core's.
    info: FileConsumerInfo,
    /// None when it is stopped.
    core: Option<ConsumerCore>,
    durable: bool,
    dirty: bool,
    has_file: bool,
    sum_was_wrong: bool,
}

impl std::fmt::Debug for FileConsumerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileConsumerStore").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl FileConsumerStore {
    /// Opens the consumer `info.name`, or makes it. A `meta.inf` that is there stays, whatever
    /// `info` says; what does not have the configured key gets it.
    ///
    /// # Errors
    ///
    /// A name that is none, files that are damaged or sealed with an unknown key, or what the
    /// system says. A consumer that could not be made is gone again.
    pub fn open(place: Place<'_>, info: &FileConsumerInfo) -> Result<Self, OpenError> {
        if !layout::is_asset_name(&info.name) {
            return Err(OpenError::Name(info.name.clone()));
        }
        let stream = place.stream_dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let stream = stream.unwrap_or_default();
        let dir = layout::consumer(place.stream_dir, &info.name);
        let mut store = Self {
            fs: place.fs,
            entropy: place.entropy,
            hash: KeyedHash::named(&format!("{stream}/{}", info.name)),
            dir,
            key: None,
            info: info.clone(),
            core: Some(ConsumerCore::new(&info.config)),
            durable: place.durable,
            dirty: false,
            has_file: false,
            sum_was_wrong: false,
        };
        let is_new = store.make_folder()?;
        let opened = store.load(&stream, place.keys);
        if opened.is_err() && is_new {
            // The error that is told is the first.
            let _ = store.fs.remove_dir_all(&store.dir);
        }
        opened.map(|()| store)
    }

    /// Whether the state changed since it was last written.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether `meta.sum` was missing or wrong when it was opened; it was written anew. A crash
    /// between the two files leaves them so, and so does damage to a `meta.inf` in the clear.
    pub fn sum_was_wrong(&self) -> bool {
        self.sum_was_wrong
    }

    /// Writes the state if it has changed.
    ///
    /// # Errors
    ///
    /// What the system says, or that it is stopped.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let core = self.core.as_ref().ok_or(StoreError::Closed)?;
        if !self.dirty {
            return Ok(());
        }
        // Any time will do to count the others from; the latest makes the file short.
        let times = core.state().pending.values().map(|pending| pending.timestamp);
        let content = codec::encode(core.state(), times.max().unwrap_or(0));
        let content = match &self.key {
            Some(key) => key.seal(&content, &mut self.entropy),
            None => content,
        };
        let path = self.dir.join(layout::CONSUMER_STATE);
        replace::file(&*self.fs, &path, &content, self.durable)?;
        (self.dirty, self.has_file) = (false, true);
        Ok(())
    }

    /// Takes over a configuration, when it is written.
    ///
    /// # Errors
    ///
    /// What the system says, or that it is stopped; the configuration is the old one then, here if
    /// not on disk.
    pub fn update_config(&mut self, config: &ConsumerConfig) -> Result<(), StoreError> {
        self.core()?;
        let info = FileConsumerInfo { config: config.clone(), ..self.info.clone() };
        self.write_meta(&info)?;
        self.info = info;
        if let Some(core) = &mut self.core {
            core.config = config.clone();
        }
        Ok(())
    }

    /// Whether from now on what is written is on disk before a call returns.
    pub fn set_durable(&mut self, durable: bool) {
        self.durable = durable;
    }

    /// Makes the folder of the consumer; whether there was none.
    fn make_folder(&self) -> Result<bool, OpenError> {
        if replace::is_there(&*self.fs, &self.dir).map_err(io_error(&self.dir))? {
            return Ok(false);
        }
        self.fs.create_dir_all(&self.dir).map_err(io_error(&self.dir))?;
        Ok(true)
    }

    /// Reads what is there, and writes what is missing.
    fn load(&mut self, stream: &str, keys: Option<&KeyRing>) -> Result<(), OpenError> {
        let [meta, sum, state] =
            [layout::META, layout::META_SUM, layout::CONSUMER_STATE].map(|n| self.dir.join(n));
        let key_path = self.dir.join(layout::META_KEY);
        replace::resume(&*self.fs, &[&meta, &sum, &state], &key_path)
            .map_err(io_error(&self.dir))?;
        let name = self.info.name.clone();
        if !replace::is_there(&*self.fs, &meta).map_err(io_error(&meta))? {
            self.create(stream, keys, &key_path)?;
        }
        let asset = layout::consumer_asset(stream, &name);
        let hashed = format!("{stream}/{name}");
        let found = files::meta(&*self.fs, &self.dir, &asset, &hashed, keys);
        let found = found.map_err(ConsumerError::File)?;
        FileConsumerInfo::decode(&found.content)
            .map_err(|source| ConsumerError::Meta { path: meta.clone(), source })?;
        self.sum_was_wrong = !found.sum_matches;
        if self.sum_was_wrong {
            let raw = self.fs.read(&meta).map_err(io_error(&meta))?;
            self.write_sum(&raw).map_err(io_error(&sum))?;
        }
        let (fs, entropy) = (&*self.fs, &mut *self.entropy);
        let converted = Converter { fs, keys, entropy }.consumer(&self.dir, stream, &name)?;
        self.key = match converted.assets {
            0 => found.key,
            _ => files::asset_key(fs, &key_path, &asset, keys).map_err(ConsumerError::File)?,
        };
        self.load_state(state)
    }

    /// Writes the configuration of a consumer that has none. What is there of a state is its own:
    /// the writes of a crashed process reach the disk in any order.
    fn create(
        &mut self,
        stream: &str,
        keys: Option<&KeyRing>,
        key_path: &Path,
    ) -> Result<(), OpenError> {
        // Its folder may be one that a process made which died before this.
        for folder in self.dir.ancestors().skip(1).take(2).filter(|_| self.durable) {
            self.fs.sync_dir(folder).map_err(io_error(folder))?;
        }
        let asset = layout::consumer_asset(stream, &self.info.name);
        let state = self.dir.join(layout::CONSUMER_STATE);
        let has_state = replace::is_there(&*self.fs, &state).map_err(io_error(&state))?;
        let key = files::asset_key(&*self.fs, key_path, &asset, keys);
        self.key = match (key, keys) {
            (Ok(Some(key)), _) => Some(key),
            // A key that has sealed nothing is no loss. A state in the clear is converted later,
            // together with the configuration.
            (_, Some(keys)) if !has_state => {
                let (key, file) = keys.create(&asset, &mut self.entropy);
                // Before the configuration that it seals, which is nothing without it.
                self.fs.replace(key_path, &file, 0).map_err(io_error(key_path))?;
                Some(key)
            }
            (key, _) => key.map_err(ConsumerError::File)?,
        };
        let info = self.info.clone();
        self.write_meta(&info).map_err(io_error(&self.dir))
    }

    fn load_state(&mut self, path: PathBuf) -> Result<(), OpenError> {
        let file = files::read_if_there(&*self.fs, &path).map_err(ConsumerError::File)?;
        let Some(file) = file else { return Ok(()) };
        self.has_file = true;
        let content = match &self.key {
            Some(key) => key.unseal(&file).map_err(|source| {
                ConsumerError::File(FileError::Crypt { path: path.clone(), source })
            })?,
            None => file,
        };
        let state =
            codec::decode_file(&content).map_err(|source| ConsumerError::State { path, source })?;
        self.core = Some(ConsumerCore::with_state(&self.info.config, state));
        Ok(())
    }

    fn write_meta(&mut self, info: &FileConsumerInfo) -> io::Result<()> {
        let content = info.encode();
        let content = match &self.key {
            Some(key) => key.seal(&content, &mut self.entropy),
            None => content,
        };
        // An empty one, as a loss of power may leave it, would be the end of the consumer.
        replace::whole(&*self.fs, &self.dir.join(layout::META), &content, self.durable)?;
        self.write_sum(&content)
    }

    fn write_sum(&self, content: &[u8]) -> io::Result<()> {
        let sum = self.hash.hex(content);
        replace::file(&*self.fs, &self.dir.join(layout::META_SUM), sum.as_bytes(), self.durable)
    }
}

impl ConsumerStore for FileConsumerStore {
    fn core(&self) -> Result<&ConsumerCore, StoreError> {
        self.core.as_ref().ok_or(StoreError::Closed)
    }

    /// The state counts as changed whatever the transition says: one that is refused may have
    /// forgotten that a message was delivered again.
    fn change(
        &mut self,
        transition: &mut dyn FnMut(&mut ConsumerCore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let core = self.core.as_mut().ok_or(StoreError::Closed)?;
        self.dirty = true;
        transition(core)
    }

    fn has_state(&self) -> bool {
        self.core.as_ref().is_some_and(|core| self.has_file || core.has_state())
    }

    /// Writes what has changed. When that fails it is not stopped.
    fn stop(&mut self) -> Result<(), StoreError> {
        if self.core.is_some() {
            self.flush()?;
        }
        self.core = None;
        Ok(())
    }

    fn delete(&mut self) -> Result<(), StoreError> {
        let (Some(obs), Some(name)) = (self.dir.parent(), self.dir.file_name()) else {
            return Err(StoreError::Closed);
        };
        self.core = None;
        let mut deleted = std::ffi::OsString::from(DELETED);
        deleted.push(name);
        let deleted = obs.with_file_name(deleted);
        remove_all(&*self.fs, &deleted)?;
        match self.fs.rename(&self.dir, &deleted) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        if self.durable {
            self.fs.sync_dir(obs)?;
        }
        remove_all(&*self.fs, &deleted)?;
        Ok(())
    }
}

/// Removes what crashes have left of deleted consumers in a stream's folder.
///
/// # Errors
///
/// What the system says.
pub fn remove_deleted(fs: &dyn Fs, stream_dir: &Path) -> io::Result<()> {
    for path in fs.read_dir(stream_dir)? {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(DELETED)) {
            remove_all(fs, &path)?;
        }
    }
    Ok(())
}

/// Sets the damaged state of a consumer aside, so that it begins anew when it is opened. Says how
/// it is called now.
///
/// # Errors
///
/// What the system says.
pub fn set_state_aside(fs: &dyn Fs, stream_dir: &Path, consumer: &str) -> io::Result<PathBuf> {
    let dir = layout::consumer(stream_dir, consumer);
    let aside = dir.join(DAMAGED_STATE);
    fs.rename(&dir.join(layout::CONSUMER_STATE), &aside)?;
    fs.sync_dir(&dir)?;
    Ok(aside)
}

fn remove_all(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    match fs.remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "consumer_store_tests.rs"]
mod tests;

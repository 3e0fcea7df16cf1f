//! The consumers of a stream from its directory, without changing it. A consumer that is damaged
//! is still a consumer: what is readable of it is told, and what is not.

use super::crypt::{AssetKey, KeyRing};
use super::files::{self, FileError};
use super::layout;
use crate::base::fs::Fs;
use crate::model::{ConsumerState, FileConsumerInfo};
use crate::store::consumer::codec::{self, DecodeError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A consumer as its directory has it.
#[derive(Debug)]
pub struct Consumer {
    /// The name of its directory.
    pub name: String,
    /// Its `meta.inf`.
    pub info: Result<FileConsumerInfo, ConsumerError>,
    /// Its `o.dat`; a state with nothing in it when there is none.
    pub state: Result<ConsumerState, ConsumerError>,
    /// `meta.sum` is there and right.
    pub sum_matches: bool,
}

/// Why a file of a consumer is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no configuration of a consumer.
    #[error("{}: {source}", path.display())]
    Meta {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It is no state of a consumer.
    #[error("{}: {source}", path.display())]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: DecodeError,
    },
    /// The key that it is sealed with is not known, since `meta.inf` is unreadable.
    #[error("{}: sealed with a key that is not known", .0.display())]
    Sealed(PathBuf),
}

/// Reads all consumers of the stream in `dir`, sorted by name.
///
/// # Errors
///
/// When their folder cannot be read.
pub fn consumers(
    fs: &dyn Fs,
    dir: &Path,
    stream: &str,
    keys: Option<&KeyRing>,
) -> Result<Vec<Consumer>, FileError> {
    let folder = dir.join(layout::CONSUMERS);
    let paths = match fs.read_dir(&folder) {
        Ok(paths) => paths,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(FileError::Io { path: folder, source }),
    };
    let mut found = Vec::new();
    for path in paths {
        let is_dir = fs.metadata(&path).is_ok_and(|metadata| metadata.is_dir);
        if is_dir && let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            found.push(consumer(fs, &path, stream, name, keys));
        }
    }
    Ok(found)
}

/// Reads the consumer in `dir`.
pub fn consumer(
    fs: &dyn Fs,
    dir: &Path,
    stream: &str,
    name: &str,
    keys: Option<&KeyRing>,
) -> Consumer {
    let asset = layout::consumer_asset(stream, name);
    let meta = files::meta(fs, dir, &asset, &format!("{stream}/{name}"), keys);
    let path = dir.join(layout::META);
    let (key, sum_matches) = match &meta {
        Ok(meta) => (Some(meta.key.clone()), meta.sum_matches),
        Err(_) => (None, false),
    };
    let info = meta.map_err(ConsumerError::from).and_then(|meta| {
        let decoded = FileConsumerInfo::decode(&meta.content);
        decoded.map_err(|source| ConsumerError::Meta { path, source })
    });
    let state = state(fs, dir, key.as_ref());
    Consumer { name: name.to_owned(), info, state, sum_matches }
}

/// Reads a consumer's state. `key`: nothing when it is not known, `Some(None)` when there is none.
fn state(
    fs: &dyn Fs,
    dir: &Path,
    key: Option<&Option<AssetKey>>,
) -> Result<ConsumerState, ConsumerError> {
    let path = dir.join(layout::CONSUMER_STATE);
    let Some(file) = files::read_if_there(fs, &path)? else {
        return Ok(ConsumerState::default());
    };
    let content = match key {
        Some(Some(key)) => {
            let opened = key.unseal(&file);
            opened.map_err(|source| FileError::Crypt { path: path.clone(), source })?
        }
        None if !file.is_empty() => {
            return codec::decode_file(&file).map_err(|_| ConsumerError::Sealed(path));
        }
        Some(None) | None => file,
    };
    codec::decode_file(&content).map_err(|source| ConsumerError::State { path, source })
}

//! The files of a stream and of its consumers: read, verified, decrypted, unpacked. Nothing here
//! writes.

use super::compress::{CompressError, Unpacked, decompress};
use super::crypt::{AssetKey, CryptError, KeyRing};
use super::hash::{HASH_LEN, KeyedHash};
use super::layout;
use crate::base::fs::{File, Fs, OpenMode};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says so.
    #[error("{}: {}", path.display(), crate::base::fs::reason(source))]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is encrypted and no key is configured.
    #[error("{}: encrypted, and no key is configured", .0.display())]
    NoKey(PathBuf),
    /// Its key file, or what is sealed with the key, does not open.
    #[error("{}: {source}", path.display())]
    Crypt {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: CryptError,
    },
}

impl FileError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }

    /// There is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::NotFound)
    }
}

/// A file's content, or nothing when there is no such file.
pub fn read_if_there(fs: &dyn Fs, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs.read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(FileError::io(path)(e)),
    }
}

/// The key of an asset from its key file; nothing when it has none and is not encrypted.
///
/// # Errors
///
/// [`FileError::NoKey`] when there is a key file and no `keys`, otherwise when the file cannot be
/// read or opened.
pub fn asset_key(
    fs: &dyn Fs,
    path: &Path,
    asset: &str,
    keys: Option<&KeyRing>,
) -> Result<Option<AssetKey>, FileError> {
    let Some(file) = read_if_there(fs, path)? else { return Ok(None) };
    let keys = keys.ok_or_else(|| FileError::NoKey(path.to_owned()))?;
    let opened = keys.open(asset, &file);
    opened.map(Some).map_err(|source| FileError::Crypt { path: path.to_owned(), source })
}

/// A `meta.inf`: its content in the clear, and whether `meta.sum` matches it.
#[derive(Debug)]
pub struct Meta {
    /// JSON.
    pub content: Vec<u8>,
    /// `meta.sum` is there and right.
    pub sum_matches: bool,
    /// The key of what belongs to the same asset.
    pub key: Option<AssetKey>,
}

/// Reads the `meta.inf` of a stream (`asset` and `hashed` are its name) or of a consumer (`asset`
/// from [`layout::consumer_asset`], `hashed` is `<stream>/<consumer>`).
///
/// # Errors
///
/// When a file cannot be read or opened. A wrong `meta.sum` is none.
pub fn meta(
    fs: &dyn Fs,
    dir: &Path,
    asset: &str,
    hashed: &str,
    keys: Option<&KeyRing>,
) -> Result<Meta, FileError> {
    let path = dir.join(layout::META);
    let raw = fs.read(&path).map_err(FileError::io(&path))?;
    let sum = read_if_there(fs, &dir.join(layout::META_SUM))?;
    let sum_matches = sum.is_some_and(|sum| KeyedHash::named(hashed).hex(&raw).as_bytes() == sum);
    let key = asset_key(fs, &dir.join(layout::META_KEY), asset, keys)?;
    let content = match &key {
        Some(key) => key.unseal(&raw).map_err(|source| FileError::Crypt { path, source })?,
        None => raw,
    };
    Ok(Meta { content, sum_matches, key })
}

/// What is wrong with a block as a whole, or with the end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The key file cannot be opened: nothing of the block is readable.
    #[error("key file: {0}")]
    Key(#[from] CryptError),
    /// It is encrypted and no key is configured.
    #[error("encrypted, and no key is configured")]
    NoKey,
    /// It does not unpack.
    #[error(transparent)]
    Compressed(#[from] CompressError),
}

/// Reads the blocks of a stream, one after the other, into buffers that it keeps.
#[derive(Debug)]
pub struct BlockReader<'a> {
    fs: &'a dyn Fs,
    dir: &'a Path,
    stream: &'a str,
    keys: Option<&'a KeyRing>,
    raw: Vec<u8>,
    unpacked: Vec<u8>,
}

/// The records of a block.
#[derive(Debug)]
pub struct Block<'a> {
    /// Its records in the clear; what could be unpacked of them.
    pub records: &'a [u8],
    /// Bytes of the file.
    pub file_len: u64,
    /// Whether places in `records` are places in the file.
    pub is_plain: bool,
    /// What is missing of them.
    pub error: Option<BlockError>,
}

impl<'a> BlockReader<'a> {
    /// Reads from a stream's folder of messages.
    pub fn new(fs: &'a dyn Fs, dir: &'a Path, stream: &'a str, keys: Option<&'a KeyRing>) -> Self {
        Self { fs, dir, stream, keys, raw: Vec::new(), unpacked: Vec::new() }
    }

    /// Reads a block.
    ///
    /// # Errors
    ///
    /// What the system says. What is wrong with the content is in the block.
    pub fn read(&mut self, index: u32) -> Result<Block<'_>, FileError> {
        let path = layout::block(self.dir, index);
        let file = self.open(&path)?;
        fill(&*file, &mut self.raw).map_err(FileError::io(&path))?;
        let file_len = self.raw.len() as u64;
        let nothing = |error| Block { records: &[], file_len, is_plain: true, error: Some(error) };
        match self.key(index) {
            Ok(None) => {}
            Ok(Some(key)) => key.apply(0, &mut self.raw),
            Err(FileError::NoKey(_)) => return Ok(nothing(BlockError::NoKey)),
            Err(FileError::Crypt { source, .. }) => return Ok(nothing(BlockError::Key(source))),
            Err(e) => return Err(e),
        }
        self.unpacked.clear();
        Ok(match decompress(&self.raw, &mut self.unpacked) {
            Unpacked::Plain => Block { records: &self.raw, file_len, is_plain: true, error: None },
            Unpacked::Whole => {
                Block { records: &self.unpacked, file_len, is_plain: false, error: None }
            }
            Unpacked::Damaged(e) => {
                let error = Some(BlockError::Compressed(e));
                Block { records: &self.unpacked, file_len, is_plain: false, error }
            }
        })
    }

    /// The last 8 bytes of a block, the hash of its last record, and its length. Zeros when there
    /// are fewer bytes. Nothing when they cannot be decrypted.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn last_hash(&mut self, index: u32) -> Result<(Option<[u8; HASH_LEN]>, u64), FileError> {
        let path = layout::block(self.dir, index);
        let file = self.open(&path)?;
        let mut hash = [0; HASH_LEN];
        let len = file.len().map_err(FileError::io(&path))?;
        let Some(at) = len.checked_sub(HASH_LEN as u64) else { return Ok((Some(hash), len)) };
        file.read_at(&mut hash, at).map_err(FileError::io(&path))?;
        match self.key(index) {
            Ok(None) => {}
            Ok(Some(key)) => key.apply(at, &mut hash),
            Err(FileError::NoKey(_) | FileError::Crypt { .. }) => return Ok((None, len)),
            Err(e) => return Err(e),
        }
        Ok((Some(hash), len))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>, FileError> {
        self.fs.open(path, OpenMode::default()).map_err(FileError::io(path))
    }

    /// A block without a key file is in the clear, also in an encrypted store: it is from before
    /// the encryption.
    fn key(&self, index: u32) -> Result<Option<AssetKey>, FileError> {
        let asset = layout::block_asset(self.stream, index);
        asset_key(self.fs, &layout::block_key(self.dir, index), &asset, self.keys)
    }
}

/// Reads all of a file into `buf`, which keeps its memory.
fn fill(file: &dyn File, buf: &mut Vec<u8>) -> io::Result<()> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    buf.resize(len, 0);
    let mut done = 0;
    while done < len {
        match file.read_at(&mut buf[done..], done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    buf.truncate(done);
    Ok(())
}

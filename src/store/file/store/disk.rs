//! The files of a running store: how its blocks are opened, read in windows and replaced.

use super::super::compress;
use super::super::crypt::{AssetKey, KeyRing};
use super::super::files::{self, FileError};
use super::super::layout;
use super::super::record::{HEADER_LEN, Header};
use crate::base::Env;
use crate::base::fs::{File, OpenMode};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read at once where nothing says that what follows will be wanted.
const WINDOW_MIN: usize = 4 * 1024;
/// Bytes that are read at once by who reads on and on.
const WINDOW_MAX: usize = 256 * 1024;
/// Permissions of files.
pub(super) const FILE_MODE: u32 = 0o640;

/// Where a stream's messages are, and a window onto one of its blocks.
pub(super) struct Disk {
    pub env: Env,
    /// The folder of the blocks.
    pub dir: PathBuf,
    /// The stream's name.
    pub stream: String,
    pub keys: Option<Arc<KeyRing>>,
    window: Window,
    scratch: Vec<u8>,
}

/// A part of a block's file in the clear.
#[derive(Default)]
struct Window {
    block: u32,
    start: u64,
    bytes: Vec<u8>,
}

/// An open block file.
pub(super) struct BlockFile {
    pub file: Arc<dyn File>,
    pub key: Option<AssetKey>,
}

/// How much of a record is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Header,
    Whole,
}

impl Disk {
    pub fn new(env: &Env, dir: &Path, stream: &str, keys: Option<Arc<KeyRing>>) -> Self {
        Self {
            env: env.clone(),
            dir: dir.to_owned(),
            stream: stream.to_owned(),
            keys,
            window: Window::default(),
            scratch: Vec::new(),
        }
    }

    pub fn block_path(&self, index: u32) -> PathBuf {
        layout::block(&self.dir, index)
    }

    /// Opens a block that is there.
    pub fn open_block(&self, index: u32) -> io::Result<BlockFile> {
        let fs = self.env.fs();
        let path = layout::block_key(&self.dir, index);
        let asset = layout::block_asset(&self.stream, index);
        let key = files::asset_key(fs, &path, &asset, self.keys.as_deref()).map_err(to_io)?;
        let mode = OpenMode { write: true, ..OpenMode::default() };
        let file = Arc::from(fs.open(&self.block_path(index), mode)?);
        Ok(BlockFile { file, key })
    }

    /// Bytes of a block's file, and whether it is compressed.
    pub fn look_at_block(&self, index: u32) -> io::Result<(u64, bool)> {
        let file = self.open_block(index)?;
        let mut head = Vec::new();
        fill(&*file.file, &mut head, 0, compress::HEAD_LEN)?;
        if let Some(key) = &file.key {
            key.apply(0, &mut head);
        }
        Ok((file.file.len()?, compress::is_packed(&head)))
    }

    /// Makes a block, its key first: a block without one would be taken for one in the clear.
    pub fn create_block(&self, index: u32) -> io::Result<BlockFile> {
        let fs = self.env.fs();
        let mut key = None;
        if let Some(keys) = &self.keys {
            let asset = layout::block_asset(&self.stream, index);
            let (created, content) = keys.create(&asset, &mut |buf| self.env.entropy(buf));
            fs.replace(&layout::block_key(&self.dir, index), &content, FILE_MODE)?;
            key = Some(created);
        }
        let mode = OpenMode {
            write: true,
            create: true,
            truncate: true,
            mode: FILE_MODE,
            ..OpenMode::default()
        };
        let file = Arc::from(fs.open(&self.block_path(index), mode)?);
        Ok(BlockFile { file, key })
    }

    /// Replaces what a block's file holds by `records`, which are packed already if they are to
    /// be; for good, when this returns.
    pub fn replace_block(
        &mut self,
        index: u32,
        key: Option<&AssetKey>,
        mut content: Vec<u8>,
    ) -> io::Result<()> {
        if let Some(key) = key {
            key.apply(0, &mut content);
        }
        self.forget(index);
        self.env.fs().replace(&self.block_path(index), &content, FILE_MODE)
    }

    /// Removes a block's files. The names are gone for good when the directory is synced.
    pub fn remove_block(&mut self, index: u32) -> io::Result<()> {
        self.forget(index);
        let fs = self.env.fs();
        gone(fs.remove_file(&self.block_path(index)))?;
        gone(fs.remove_file(&layout::block_key(&self.dir, index)))
    }

    /// What is in the window of this block is not what is in its file any more.
    pub fn forget(&mut self, index: u32) {
        if self.window.block == index {
            self.window.bytes.clear();
        }
    }

    /// Writes at the end of what a block's file holds, encrypted if it is.
    pub fn write(&mut self, file: &BlockFile, bytes: &[u8], at: u64) -> io::Result<()> {
        let Some(key) = &file.key else { return file.file.write_at(bytes, at) };
        self.scratch.clear();
        self.scratch.extend_from_slice(bytes);
        key.apply(at, &mut self.scratch);
        file.file.write_at(&self.scratch, at)
    }

    /// The bytes of a block from `at` on, to `end` at most: a whole record, if there is one, or
    /// its header. Fewer if there are no more.
    pub fn read(
        &mut self,
        index: u32,
        file: &BlockFile,
        at: u64,
        end: u64,
        part: Part,
    ) -> io::Result<&[u8]> {
        let found = self.window.from(index, at);
        if found.is_none_or(|bytes| !suffices(bytes, part)) {
            let reads_on = self.window.block == index
                && at >= self.window.start
                && at <= self.window.end() + WINDOW_MIN as u64
                && !self.window.bytes.is_empty();
            let len = match reads_on {
                true => (self.window.bytes.len() * 2).clamp(WINDOW_MIN, WINDOW_MAX),
                false => WINDOW_MIN,
            };
            self.window.fill(index, file, at, end, len)?;
            let wanted = match Header::decode(&self.window.bytes) {
                Ok(header) if part == Part::Whole => header.len,
                _ => 0,
            };
            if wanted > self.window.bytes.len() {
                self.window.fill(index, file, at, end, wanted)?;
            }
        }
        Ok(self.window.from(index, at).unwrap_or_default())
    }

    /// All of a block's file in the clear.
    pub fn read_all(&self, file: &BlockFile) -> io::Result<Vec<u8>> {
        let len = usize::try_from(file.file.len()?).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        fill(&*file.file, &mut bytes, 0, len)?;
        if let Some(key) = &file.key {
            key.apply(0, &mut bytes);
        }
        Ok(bytes)
    }
}

impl Window {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn from(&self, block: u32, at: u64) -> Option<&[u8]> {
        if self.block != block {
            return None;
        }
        let from = usize::try_from(at.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..).filter(|bytes| !bytes.is_empty())
    }

    fn fill(
        &mut self,
        block: u32,
        file: &BlockFile,
        at: u64,
        end: u64,
        len: usize,
    ) -> io::Result<()> {
        (self.block, self.start) = (block, at);
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let filled = fill(&*file.file, &mut self.bytes, at, len.min(left));
        if filled.is_err() {
            self.bytes.clear();
        }
        filled?;
        if let Some(key) = &file.key {
            key.apply(at, &mut self.bytes);
        }
        Ok(())
    }
}

/// Whether the bytes have what is wanted of the record that they begin with.
fn suffices(bytes: &[u8], part: Part) -> bool {
    match part {
        Part::Header => bytes.len() >= HEADER_LEN,
        Part::Whole => Header::decode(bytes).is_ok_and(|header| header.len <= bytes.len()),
    }
}

/// Reads `len` bytes, or as many as there are.
fn fill(file: &dyn File, buf: &mut Vec<u8>, at: u64, len: usize) -> io::Result<()> {
    buf.resize(len, 0);
    let mut done = 0;
    while done < len {
        match file.read_at(&mut buf[done..], at + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    buf.truncate(done);
    Ok(())
}

/// What is not there need not be removed.
pub(super) fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn to_io(error: FileError) -> io::Error {
    match error {
        FileError::Io { source, .. } => source,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

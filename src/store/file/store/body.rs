//! The records of a block: its file, and what of them is in memory.

use super::super::compress::{self, Unpacked};
use super::super::hash::HASH_LEN;
use super::disk::{BlockFile, Disk, Part};
use std::io;

/// Bytes at the end of the last block that stay in memory when they are written: who reads what
/// was just stored finds it there.
const TAIL_KEPT: usize = 256 * 1024;

/// The records of a block.
#[derive(Default)]
pub(super) struct Body {
    index: u32,
    pub file: Option<BlockFile>,
    /// The file is compressed.
    pub packed: bool,
    /// Bytes of the file.
    pub written: u64,
    /// Records from `tail_at` on; those from `written` on wait to be written.
    pub tail: Vec<u8>,
    tail_at: u64,
    /// The records of a compressed file.
    unpacked: Option<Vec<u8>>,
}

impl Body {
    /// Of a file of `written` bytes.
    pub fn new(index: u32, written: u64, packed: bool) -> Self {
        Self { index, packed, written, tail_at: written, ..Self::default() }
    }

    /// Bytes of the records, or of the file if it is compressed.
    pub fn len(&self) -> u64 {
        self.tail_at + self.tail.len() as u64
    }

    /// The file, opened if need be.
    pub fn file(&mut self, disk: &Disk) -> io::Result<&BlockFile> {
        if self.file.is_none() {
            self.file = Some(disk.open_block(self.index)?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Writes what waits; whether there was anything.
    pub fn flush(&mut self, disk: &mut Disk) -> io::Result<bool> {
        let waits = self.len() > self.written;
        if waits {
            self.file(disk)?;
            let from = (self.written - self.tail_at) as usize;
            if let Some(file) = &self.file {
                disk.write(file, &self.tail[from..], self.written)?;
            }
            self.written = self.len();
        }
        if self.tail.len() >= TAIL_KEPT {
            self.tail_at = self.written;
            self.tail.clear();
        }
        Ok(waits)
    }

    /// Gives up what waits to be written.
    pub fn give_up_unwritten(&mut self) {
        self.tail.truncate((self.written - self.tail_at) as usize);
    }

    /// Gives up the memory for what is added.
    pub fn close(&mut self) {
        if self.len() == self.written {
            self.tail_at = self.written;
            self.tail = Vec::new();
        }
    }

    /// Gives up what was loaded to read it.
    pub fn release(&mut self) {
        (self.unpacked, self.file) = (None, None);
    }

    /// Makes the records readable; how many bytes they are.
    pub fn load(&mut self, disk: &Disk) -> io::Result<u64> {
        if !self.packed {
            return Ok(self.len());
        }
        let records = match self.unpacked.take() {
            Some(records) => records,
            None => self.read_all(disk)?,
        };
        Ok(self.unpacked.insert(records).len() as u64)
    }

    /// The bytes from a place on: a whole record or its header, as far as there is one.
    pub fn read<'a>(&'a mut self, disk: &'a mut Disk, at: u64, part: Part) -> io::Result<&'a [u8]> {
        if self.packed {
            self.load(disk)?;
            let records = self.unpacked.as_deref().unwrap_or_default();
            return Ok(records.get(at as usize..).unwrap_or_default());
        }
        if at >= self.tail_at {
            return Ok(self.tail.get((at - self.tail_at) as usize..).unwrap_or_default());
        }
        self.file(disk)?;
        match &self.file {
            Some(file) => disk.read(self.index, file, at, self.tail_at, part),
            None => Ok(&[]),
        }
    }

    /// All records that are written.
    pub fn read_all(&mut self, disk: &Disk) -> io::Result<Vec<u8>> {
        let content = disk.read_all(self.file(disk)?)?;
        if !self.packed {
            return Ok(content);
        }
        let mut records = Vec::new();
        match compress::decompress(&content, &mut records) {
            Unpacked::Plain => Ok(content),
            Unpacked::Whole => Ok(records),
            Unpacked::Damaged(e) => Err(io::Error::new(io::ErrorKind::InvalidData, e)),
        }
    }

    /// Replaces all records, for good. Those that wait are given up.
    pub fn replace(&mut self, disk: &mut Disk, records: Vec<u8>, packed: bool) -> io::Result<()> {
        let key = self.file(disk)?.key.clone();
        let packed = packed && records.len() > HASH_LEN;
        let mut content = records;
        if packed {
            let mut squeezed = Vec::new();
            compress::compress(&content, &mut squeezed);
            content = squeezed;
        }
        let written = content.len() as u64;
        disk.replace_block(self.index, key.as_ref(), content)?;
        // What was open is the file that was replaced.
        *self = Self::new(self.index, written, packed);
        Ok(())
    }

    /// The hash of the last record that is written.
    pub fn last_hash(&mut self, disk: &Disk) -> io::Result<[u8; HASH_LEN]> {
        let mut hash = [0; HASH_LEN];
        let Some(at) = self.written.checked_sub(HASH_LEN as u64) else { return Ok(hash) };
        let file = self.file(disk)?;
        file.file.read_at(&mut hash, at)?;
        if let Some(key) = &file.key {
            key.apply(at, &mut hash);
        }
        Ok(hash)
    }
}

//! What recovery found is put in order on disk, before a stream is opened for writing.
//!
//! | remedy | what is done |
//! | --- | --- |
//! | [`Remedy::Cut`] | the torn end of the last block is cut off |
//! | [`Remedy::Quarantine`] | the block is kept beside its place, which a block of its readable records takes |
//! | [`Remedy::Rewrite`] | `meta.sum` is written anew; other files are removed, they are written at stop |
//!
//! A purge that was under way is finished or undone first, by upstream's rule.
//!
//! All of it survives a crash at any point: done again, it ends the same, and no record that was
//! readable is unreadable in between. Therefore
//!
//! - a block is copied before its place is taken by one rename;
//! - the index is gone for good before a block changes, or it could be believed again;
//! - if the index alone knows the last sequence, a record that says so is written before;
//! - the new block keeps its key file, since two files cannot be replaced at once. The copy is
//!   encrypted with a new key: two files under one key stream would tell their difference.
//!
//! A copy is called `<N>.blk.damaged`, which is no block to any server, and its key file
//! `<N>.key.damaged`. Only a purge removes it.
//!
//! Go: server/filestore.go recoverPartialPurge.

use super::block;
use super::build::Place;
use super::compress;
use super::crypt::AssetKey;
use super::files::{self, FileError};
use super::hash::KeyedHash;
use super::layout;
use super::record::{Kind, append_skipped};
use super::recover::{self, Cause, Damage, Options, RecoverError, Recovered, Remedy};
use crate::base::fs::{Fs, OpenMode};
use crate::model::StoreCompression;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A stream that is in order.
#[derive(Debug)]
pub struct Repaired {
    /// The stream as its directory has it now. What damage it has is not to be mended.
    pub stream: Recovered,
    /// The purge that was under way, if one was.
    pub purge: Option<Purge>,
    /// What was wrong, and what was done about it.
    pub fixes: Vec<Fix>,
}

/// What was done about damage.
#[derive(Debug)]
pub struct Fix {
    /// What recovery found.
    pub damage: Damage,
    /// What was done.
    pub done: Done,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The torn end was cut off.
    Cut {
        /// How much.
        bytes: u64,
    },
    /// The block is kept as it was.
    SetAside {
        /// Where.
        kept: PathBuf,
        /// Records of the block that is in its place; there is none when it is 0.
        records: u64,
    },
    /// The file was written anew.
    Rewritten,
    /// The file was removed.
    Removed,
    /// The last sequence is in a record now, so that none is used twice.
    Remembered,
    /// Nothing can be done.
    Nothing,
}

/// What became of a purge that was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// It is done: its messages are gone.
    Finished,
    /// It had not come far enough: the messages stay.
    Undone,
}

/// Reads the directory of a stream as [`recover::stream`] does, and mends what can be mended.
///
/// `verify` and `now_ns` are those of [`Options`].
///
/// # Errors
///
/// Those of [`recover::stream`]; a block that lacks its configured key; what the system says. What
/// is on disk is not worse than before, and a later attempt goes on from there.
pub fn repair(
    place: &mut Place<'_>,
    verify: bool,
    now_ns: Option<i64>,
) -> Result<Repaired, RecoverError> {
    let options = Options { keys: place.keys, verify, now_ns };
    let purge = settle_purge(place.fs, place.dir)?;
    let mut stream = recover::stream(place.fs, place.dir, options)?;
    sweep(place.fs, &stream)?;
    if stream.damage.is_empty() {
        return Ok(Repaired { stream, purge, fixes: Vec::new() });
    }
    let done = Repair { name: recover::name(place.dir), place, found: &stream }.run()?;
    let damage = std::mem::take(&mut stream.damage);
    let fixes = damage.into_iter().zip(done).map(|(damage, done)| Fix { damage, done }).collect();
    let stream = recover::stream(place.fs, place.dir, options)?;
    Ok(Repaired { stream, purge, fixes })
}

/// Finishes a purge that came so far that its new block is in place, undoes another.
fn settle_purge(fs: &dyn Fs, dir: &Path) -> Result<Option<Purge>, FileError> {
    let (new, messages) = (dir.join(layout::NEW_MESSAGES), dir.join(layout::MESSAGES));
    let mut purge = None;
    if let Some(paths) = list(fs, &new)? {
        let blocks: Vec<&PathBuf> =
            paths.iter().filter(|path| layout::block_index(path).is_some()).collect();
        if blocks.is_empty() {
            // The block that waits to be moved would be taken for one in the clear.
            for index in paths.iter().filter_map(|path| layout::key_index(path)) {
                remove_if_there(fs, &layout::block(&messages, index))?;
            }
            if list(fs, &messages)?.is_some() {
                sync_dir(fs, &messages)?;
            }
            remove_all(fs, &new)?;
            purge = Some(Purge::Undone);
        } else {
            for path in blocks {
                let file = fs.open(path, OpenMode { write: true, ..OpenMode::default() });
                file.and_then(|file| file.sync_all()).map_err(FileError::io(path))?;
            }
            sync_dir(fs, &new)?;
            sync_dir(fs, dir)?;
            remove_all(fs, &messages)?;
            fs.rename(&new, &messages).map_err(FileError::io(&messages))?;
            purge = Some(Purge::Finished);
        }
        sync_dir(fs, dir)?;
    }
    remove_all(fs, &dir.join(layout::PURGED_MESSAGES))?;
    Ok(purge)
}

/// Files written aside, and what older servers wrote of each block: its index and its subjects.
const LEFT: [&str; 3] = ["tmp", "idx", "fss"];

/// Removes what crashes and older servers left behind, and keys of blocks that were removed. A key
/// whose block is missing stays, the block may turn up.
fn sweep(fs: &dyn Fs, found: &Recovered) -> Result<(), FileError> {
    let paths = list(fs, &found.messages_dir)?.unwrap_or_default();
    let missing = |damage: &&Damage| matches!(damage.cause, Cause::Missing);
    let missing = found.damage.iter().filter(missing).map(|damage| &damage.file);
    let blocks: BTreeSet<u32> =
        paths.iter().chain(missing).filter_map(|path| layout::block_index(path)).collect();
    let is_left = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| LEFT.iter().any(|left| extension == *left))
            || layout::key_index(path).is_some_and(|index| !blocks.contains(&index))
    };
    let left: Vec<&PathBuf> = paths.iter().filter(is_left).collect();
    for path in &left {
        remove_if_there(fs, path)?;
    }
    if left.is_empty() { Ok(()) } else { sync_dir(fs, &found.messages_dir) }
}

struct Repair<'r, 'a> {
    /// The stream's.
    name: String,
    place: &'r mut Place<'a>,
    found: &'r Recovered,
}

/// What is to be done about a block.
#[derive(Default)]
struct Plan {
    set_aside: bool,
    /// Where it is cut.
    cut: Option<u64>,
    /// Later blocks have the sequences from here on.
    below: Option<u64>,
}

/// A block's content.
struct Content {
    /// In the clear, if that can be.
    bytes: Vec<u8>,
    key: Key,
}

enum Key {
    /// There is none.
    None,
    Open(AssetKey),
    /// A key file that does not open.
    Shut(Vec<u8>),
}

impl Repair<'_, '_> {
    /// Mends all damage; what was done about each.
    fn run(mut self) -> Result<Vec<Done>, FileError> {
        let found = self.found;
        if found.damage.iter().any(|damage| matches!(damage.cause, Cause::Behind)) {
            self.remember_last()?;
        }
        let plans = self.plans()?;
        if plans.values().any(|plan| plan.set_aside) {
            self.remove(&found.messages_dir.join(layout::INDEX))?;
        }
        let mut blocks = BTreeMap::new();
        for (index, plan) in plans {
            let done = match plan {
                Plan { set_aside: true, below, .. } => self.set_aside(index, below)?,
                Plan { cut: Some(at), .. } => self.cut(index, at)?,
                _ => continue,
            };
            blocks.insert(index, done);
        }
        let done = found.damage.iter().map(|damage| match damage.remedy {
            Remedy::Cut | Remedy::Quarantine => {
                let index = layout::block_index(&damage.file);
                let done = index.and_then(|index| blocks.get(&index)).cloned();
                Ok(done.unwrap_or(Done::Nothing))
            }
            Remedy::Rewrite if matches!(damage.cause, Cause::MetaSum) => self.write_meta_sum(),
            Remedy::Rewrite => self.remove(&damage.file).map(|()| Done::Removed),
            Remedy::Lost if matches!(damage.cause, Cause::Behind) => Ok(Done::Remembered),
            Remedy::Lost => Ok(Done::Nothing),
        });
        done.collect()
    }

    fn plans(&self) -> Result<BTreeMap<u32, Plan>, FileError> {
        let mut plans: BTreeMap<u32, Plan> = BTreeMap::new();
        for damage in &self.found.damage {
            let Some(index) = layout::block_index(&damage.file) else { continue };
            match damage.remedy {
                Remedy::Cut => {
                    let plan = plans.entry(index).or_default();
                    plan.cut = Some(damage.offset);
                    // Not torn, perhaps: its key file is lost.
                    let key = layout::block_key(&self.found.messages_dir, index);
                    plan.set_aside |= damage.offset == 0
                        && self.place.keys.is_some()
                        && files::read_if_there(self.place.fs, &key)?.is_none();
                }
                Remedy::Quarantine => {
                    let plan = plans.entry(index).or_default();
                    plan.set_aside = true;
                    if let (Cause::Overlap, Some((first, _))) = (&damage.cause, damage.seqs) {
                        plan.below = Some(first);
                    }
                }
                Remedy::Rewrite | Remedy::Lost => {}
            }
        }
        Ok(plans)
    }

    fn cut(&self, index: u32, at: u64) -> Result<Done, FileError> {
        let path = layout::block(&self.found.messages_dir, index);
        let mode = OpenMode { write: true, ..OpenMode::default() };
        let cut = self.place.fs.open(&path, mode).and_then(|file| {
            let bytes = file.len()?.saturating_sub(at);
            file.set_len(at)?;
            file.sync_all()?;
            Ok(bytes)
        });
        Ok(Done::Cut { bytes: cut.map_err(FileError::io(&path))? })
    }

    /// Copies a block and puts one of what is readable in its place.
    fn set_aside(&mut self, index: u32, below: Option<u64>) -> Result<Done, FileError> {
        let (fs, dir) = (self.place.fs, &self.found.messages_dir);
        let (path, key_path) = (layout::block(dir, index), layout::block_key(dir, index));
        let content = self.read(index, &path, &key_path)?;
        let kept = self.keep(index, &content)?;
        let (mut block, records) = match content.key {
            Key::Shut(_) => (Vec::new(), 0),
            _ => self.readable(index, &content.bytes, below),
        };
        if records == 0 {
            self.remove(&path)?;
            self.remove(&key_path)?;
            return Ok(Done::SetAside { kept, records });
        }
        if let Key::Open(key) = &content.key {
            key.apply(0, &mut block);
        }
        fs.replace(&path, &block, 0).map_err(FileError::io(&path))?;
        Ok(Done::SetAside { kept, records })
    }

    /// Keeps a block beside its place; where. A copy that an earlier attempt made will do.
    fn keep(&mut self, index: u32, content: &Content) -> Result<PathBuf, FileError> {
        let (fs, dir) = (self.place.fs, &self.found.messages_dir);
        let mut n = 1;
        let (path, key_path) = loop {
            let path = layout::set_aside(&layout::block(dir, index), n);
            let key_path = layout::set_aside(&layout::block_key(dir, index), n);
            match self.read(index, &path, &key_path) {
                Ok(copy) if copy.bytes == content.bytes => return Ok(path),
                Ok(_) => n += 1,
                Err(e) if e.is_not_found() => break (path, key_path),
                Err(e) => return Err(e),
            }
        };
        let (key_file, bytes) = match &content.key {
            Key::None => (None, content.bytes.clone()),
            Key::Shut(file) => (Some(file.clone()), content.bytes.clone()),
            Key::Open(_) => {
                let keys = self.place.keys.ok_or_else(|| FileError::NoKey(path.clone()))?;
                let asset = layout::block_asset(&self.name, index);
                let (key, file) = keys.create(&asset, self.place.entropy);
                let mut bytes = content.bytes.clone();
                key.apply(0, &mut bytes);
                (Some(file), bytes)
            }
        };
        match key_file {
            Some(file) => fs.replace(&key_path, &file, 0).map_err(FileError::io(&key_path))?,
            None => self.remove(&key_path)?,
        }
        fs.replace(&path, &bytes, 0).map_err(FileError::io(&path))?;
        Ok(path)
    }

    fn read(&self, index: u32, path: &Path, key_path: &Path) -> Result<Content, FileError> {
        let fs = self.place.fs;
        let mut bytes = fs.read(path).map_err(FileError::io(path))?;
        let asset = layout::block_asset(&self.name, index);
        let key = match files::asset_key(fs, key_path, &asset, self.place.keys) {
            Ok(None) => Key::None,
            Ok(Some(key)) => {
                key.apply(0, &mut bytes);
                Key::Open(key)
            }
            Err(FileError::Crypt { .. }) => {
                Key::Shut(fs.read(key_path).map_err(FileError::io(key_path))?)
            }
            Err(e) => return Err(e),
        };
        Ok(Content { bytes, key })
    }

    /// A block of the records that recovery counts, and how many there are.
    fn readable(&self, index: u32, content: &[u8], below: Option<u64>) -> (Vec<u8>, u64) {
        let mut unpacked = Vec::new();
        let records = match compress::decompress(content, &mut unpacked) {
            compress::Unpacked::Plain => content,
            _ => &unpacked,
        };
        let (mut kept, mut count, mut last) = (Vec::new(), 0, 0);
        block::scan(records, &KeyedHash::for_block(&self.name, index), |at, record| {
            // What does not go up was superseded; without what comes before it would count again.
            let goes_up = record.seq > last;
            let is_tombstone = record.kind == Kind::Tombstone;
            if goes_up && !is_tombstone {
                last = record.seq;
            }
            if is_tombstone || goes_up && below.is_none_or(|below| record.seq < below) {
                kept.extend_from_slice(&records[at..at + record.len]);
                count += 1;
            }
        });
        // The last one is written to.
        let is_last = self.found.blocks.last().is_some_and(|block| block.index == index);
        if !is_last && self.found.info.config.compression == StoreCompression::S2 {
            let mut packed = Vec::new();
            compress::compress(&kept, &mut packed);
            return (packed, count);
        }
        (kept, count)
    }

    /// Writes a block that says which sequence was the last, behind all that are there.
    fn remember_last(&mut self) -> Result<(), FileError> {
        let (fs, dir) = (self.place.fs, &self.found.messages_dir);
        let paths = list(fs, dir)?.unwrap_or_default();
        let last = paths.iter().filter_map(|path| layout::block_index(path)).max().unwrap_or(0);
        let invalid = |path: &Path| FileError::io(path)(ErrorKind::InvalidData.into());
        let index = last.checked_add(1).ok_or_else(|| invalid(dir))?;
        let (path, totals) = (layout::block(dir, index), &self.found.totals);
        let (mut block, hash) = (Vec::new(), KeyedHash::for_block(&self.name, index));
        append_skipped(&mut block, &hash, totals.last_seq, totals.last_ns)
            .map_err(|_| invalid(&path))?;
        let key_path = layout::block_key(dir, index);
        match self.place.keys {
            Some(keys) => {
                let asset = layout::block_asset(&self.name, index);
                let (key, file) = keys.create(&asset, self.place.entropy);
                key.apply(0, &mut block);
                fs.replace(&key_path, &file, 0).map_err(FileError::io(&key_path))?;
            }
            None => self.remove(&key_path)?,
        }
        fs.replace(&path, &block, 0).map_err(FileError::io(&path))
    }

    fn write_meta_sum(&self) -> Result<Done, FileError> {
        let (fs, dir) = (self.place.fs, self.place.dir);
        let (meta, sum) = (dir.join(layout::META), dir.join(layout::META_SUM));
        let content = fs.read(&meta).map_err(FileError::io(&meta))?;
        let hex = KeyedHash::named(&self.name).hex(&content);
        fs.replace(&sum, hex.as_bytes(), 0).map_err(FileError::io(&sum))?;
        Ok(Done::Rewritten)
    }

    /// Removes a file for good.
    fn remove(&self, path: &Path) -> Result<(), FileError> {
        remove_if_there(self.place.fs, path)?;
        sync_dir(self.place.fs, path.parent().unwrap_or(path))
    }
}

/// What is in a directory, if there is one.
fn list(fs: &dyn Fs, dir: &Path) -> Result<Option<Vec<PathBuf>>, FileError> {
    absent(fs.read_dir(dir)).map_err(FileError::io(dir))
}

fn remove_if_there(fs: &dyn Fs, path: &Path) -> Result<(), FileError> {
    absent(fs.remove_file(path)).map(|_| ()).map_err(FileError::io(path))
}

fn remove_all(fs: &dyn Fs, dir: &Path) -> Result<(), FileError> {
    absent(fs.remove_dir_all(dir)).map(|_| ()).map_err(FileError::io(dir))
}

fn sync_dir(fs: &dyn Fs, dir: &Path) -> Result<(), FileError> {
    fs.sync_dir(dir).map_err(FileError::io(dir))
}

/// What is not there is no error.
fn absent<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;

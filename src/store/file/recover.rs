//! The state of a stream from its directory, without changing it.
//!
//! A sound `index.db` is believed: its own hash must match, its last block must be the last there
//! is and end in the record that the index says, and no block may be missing. Otherwise, or when
//! asked to, every record of every block is verified and the state is made from them.
//!
//! Nothing is given up silently. What is unreadable is reported as [`Damage`], with what is to be
//! done about it: only the end of the last block, with no readable record behind it, is a write
//! that a crash tore and may be cut; everything else is to be set aside, and the rest stays.
//!
//! Go: server/filestore.go recoverFullState, recoverPartialPurge.

use super::block;
use super::crypt::{AssetKey, KeyRing};
use super::files::{self, BlockError, BlockReader, FileError};
use super::hash::{HASH_LEN, KeyedHash};
use super::index::{Index, IndexError};
use super::layout;
use super::record::{Kind, Record, RecordError};
use super::scan::Scan;
use super::state::{BlockState, Gaps, Totals};
use super::subjects::Subjects;
use crate::base::fs::Fs;
use crate::ds::expiries::Expiries;
use crate::model::FileStreamInfo;
use crate::store::schedules::Schedules;
use crate::store::sources::Sources;
use crate::wire::subject;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How a directory is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The configured keys for the stream's account.
    pub keys: Option<&'a KeyRing>,
    /// Verify every record, whatever the index says.
    pub verify: bool,
    /// The time, nanoseconds since the Unix epoch: what is too old by now is left out of a state
    /// that is made from blocks. Without it nothing is too old.
    pub now_ns: Option<i64>,
}

/// What is wrong with a stream's files.
#[derive(Debug)]
pub struct Damage {
    /// In which file.
    pub file: PathBuf,
    /// Where it begins, bytes.
    pub offset: u64,
    /// How much of it.
    pub len: u64,
    /// The sequences that may be lost, first and last. An upper bound: sequences that were deleted
    /// before are among them.
    pub seqs: Option<(u64, u64)>,
    /// What was found.
    pub cause: Cause,
    /// What is to be done.
    pub remedy: Remedy,
}

/// What was found.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// A record is unreadable.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A block is unreadable, or its end.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The index is unreadable.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The index names a block that is not there.
    #[error("the block is missing")]
    Missing,
    /// Messages with sequences that a later block has too.
    #[error("sequences that a later block has too")]
    Overlap,
    /// The index knows of later messages than there are.
    #[error("the index knows of later messages")]
    Behind,
    /// Expiries, schedules or sources are unreadable; they are found again in the messages.
    #[error("not readable; it is made again from the messages")]
    Derived,
    /// `meta.sum` is missing or wrong.
    #[error("meta.sum does not match meta.inf")]
    MetaSum,
}

/// What is to be done about damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A torn write at the end of the last block: cut the file where it begins.
    Cut,
    /// Set the block aside as it is, and write one of what is readable.
    Quarantine,
    /// Write the file anew from what is known.
    Rewrite,
    /// Nothing can be done here.
    Lost,
}

/// What is known of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexUse {
    /// There is none.
    Absent,
    /// It is sound.
    Sound,
    /// It is readable, but blocks were written after it.
    Outdated,
    /// It is not readable.
    Damaged,
}

/// A stream as its directory has it.
#[derive(Debug)]
pub struct Recovered {
    /// Its `meta.inf`.
    pub info: FileStreamInfo,
    /// Its messages in sum.
    pub totals: Totals,
    /// Its blocks that are there, in ascending order.
    pub blocks: Vec<BlockState>,
    /// Its subjects; empty for streams whose messages have none.
    pub subjects: Subjects,
    /// What the index was worth.
    pub index: IndexUse,
    /// What is wrong, in no order.
    pub damage: Vec<Damage>,
    /// Damaged blocks that an earlier repair has set aside.
    pub set_aside: Vec<PathBuf>,
    /// The folder that holds its blocks.
    pub messages_dir: PathBuf,
    /// The key of its small files.
    pub key: Option<AssetKey>,
}

/// Why a directory is no stream's, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// `meta.inf` is no configuration of a stream.
    #[error("{}: {source}", path.display())]
    Meta {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It was made under another name: the directory was renamed, or is another stream's. Nothing in
    /// it is readable under this one.
    #[error("{}: the stream's name is {name:?}", path.display())]
    Name {
        /// Its `meta.inf`.
        path: PathBuf,
        /// The name in it.
        name: String,
    },
}

/// Reads the directory of a stream. The stream's name is the directory's.
///
/// # Errors
///
/// When there is no `meta.inf`, or it is not readable with the configured keys, or a file cannot
/// be read for a reason that is not its content.
pub fn stream(fs: &dyn Fs, dir: &Path, options: Options<'_>) -> Result<Recovered, RecoverError> {
    stream_named(fs, dir, &name(dir), options)
}

/// As [`stream`], in a directory of another name.
///
/// # Errors
///
/// As [`stream`].
pub fn stream_named(
    fs: &dyn Fs,
    dir: &Path,
    name: &str,
    options: Options<'_>,
) -> Result<Recovered, RecoverError> {
    let meta = files::meta(fs, dir, name, name, options.keys)?;
    let path = dir.join(layout::META);
    let info = FileStreamInfo::decode(&meta.content)
        .map_err(|source| RecoverError::Meta { path: path.clone(), source })?;
    if info.config.name != name {
        return Err(RecoverError::Name { path, name: info.config.name });
    }
    let messages_dir = messages_dir(fs, dir)?;
    let mut recovered = Recovered {
        info,
        totals: Totals::default(),
        blocks: Vec::new(),
        subjects: Subjects::default(),
        index: IndexUse::Absent,
        damage: Vec::new(),
        set_aside: Vec::new(),
        messages_dir: messages_dir.clone(),
        key: meta.key,
    };
    if !meta.sum_matches {
        recovered.report(path, 0..0, None, Cause::MetaSum, Remedy::Rewrite);
    }
    recovered.check_derived(fs, dir)?;
    let paths = list(fs, &messages_dir)?;
    recovered.set_aside = paths.iter().filter(|path| layout::is_set_aside(path)).cloned().collect();
    let present = blocks(&paths);
    let mut reader = BlockReader::new(fs, &messages_dir, name, options.keys);
    let index = recovered.read_index(fs, name, &present, &mut reader)?;
    match index {
        Some(index) if recovered.index == IndexUse::Sound && !options.verify => {
            recovered.totals = index.totals;
            recovered.blocks = index.blocks;
            recovered.subjects = index.subjects;
        }
        index => {
            let mut scan = Scan::new(&mut recovered, name, options.now_ns, index.as_ref());
            for index in present.iter().rev() {
                scan.block(&reader.read(*index)?, *index, Some(index) == present.last());
            }
            scan.finish(index.as_ref());
        }
    }
    Ok(recovered)
}

/// The name of a stream, from its directory.
pub(super) fn name(dir: &Path) -> String {
    dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Where the blocks of a stream are: a purge that came far enough counts as done.
fn messages_dir(fs: &dyn Fs, dir: &Path) -> Result<PathBuf, FileError> {
    let new = dir.join(layout::NEW_MESSAGES);
    let purged = !blocks(&list(fs, &new)?).is_empty();
    Ok(if purged { new } else { dir.join(layout::MESSAGES) })
}

/// What is in a folder; nothing when there is no folder.
pub(super) fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    match fs.read_dir(dir) {
        Ok(paths) => Ok(paths),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(FileError::Io { path: dir.to_owned(), source }),
    }
}

/// The numbers of the blocks among them, in ascending order.
pub(super) fn blocks(paths: &[PathBuf]) -> Vec<u32> {
    let mut found: Vec<u32> = paths.iter().filter_map(|path| layout::block_index(path)).collect();
    found.sort_unstable();
    found
}

impl Recovered {
    /// Whether a message with this sequence is there.
    pub fn holds(&self, seq: u64) -> bool {
        let at = self.blocks.partition_point(|block| block.last_seq < seq);
        self.blocks[at..].iter().take_while(|block| block.first_seq <= seq).any(|b| b.holds(seq))
    }

    /// Calls `visit` with the messages from `first` to `last`, in ascending order, until it breaks
    /// off. What is unreadable is left out.
    ///
    /// # Errors
    ///
    /// When a block cannot be read for a reason that is not its content.
    pub fn messages(
        &self,
        fs: &dyn Fs,
        keys: Option<&KeyRing>,
        (first, last): (u64, u64),
        mut visit: impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        let stream = &self.info.config.name;
        let mut reader = BlockReader::new(fs, &self.messages_dir, stream, keys);
        for state in &self.blocks {
            if state.messages == 0 || state.last_seq < first || state.first_seq > last {
                continue;
            }
            let block = reader.read(state.index)?;
            let mut flow = ControlFlow::Continue(());
            let mut before = 0;
            block::scan(block.records, &KeyedHash::for_block(stream, state.index), |_, record| {
                let newer = record.seq > before && record.kind != Kind::Tombstone;
                let wanted = record.kind == Kind::Message && (first..=last).contains(&record.seq);
                if newer && wanted && flow.is_continue() && state.holds(record.seq) {
                    flow = visit(&record);
                }
                if newer {
                    before = record.seq;
                }
            });
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The sequences between first and last that are gone.
    pub fn deleted(&self) -> Gaps {
        super::state::deleted(&self.totals, &self.blocks)
    }

    pub(super) fn report(
        &mut self,
        file: PathBuf,
        bytes: std::ops::Range<u64>,
        seqs: Option<(u64, u64)>,
        cause: Cause,
        remedy: Remedy,
    ) {
        let (offset, len) = (bytes.start, bytes.end - bytes.start);
        self.damage.push(Damage { file, offset, len, seqs, cause, remedy });
    }

    /// Looks at the files that only save a look at the messages.
    fn check_derived(&mut self, fs: &dyn Fs, dir: &Path) -> Result<(), FileError> {
        type Readable = fn(&[u8]) -> bool;
        let files: [(PathBuf, Readable); 3] = [
            (self.messages_dir.join(layout::EXPIRIES), |file| Expiries::decode(file).is_ok()),
            (self.messages_dir.join(layout::SCHEDULES), |file| Schedules::decode(file).is_ok()),
            (dir.join(layout::SOURCES), |file| Sources::decode(file).is_ok()),
        ];
        for (path, is_readable) in files {
            if let Some(file) = files::read_if_there(fs, &path)?.filter(|file| !is_readable(file)) {
                let bytes = 0..file.len() as u64;
                self.report(path, bytes, None, Cause::Derived, Remedy::Rewrite);
            }
        }
        Ok(())
    }

    /// Reads the index and says in `self.index` what it is worth.
    fn read_index(
        &mut self,
        fs: &dyn Fs,
        name: &str,
        present: &[u32],
        reader: &mut BlockReader<'_>,
    ) -> Result<Option<Index>, FileError> {
        let path = self.messages_dir.join(layout::INDEX);
        let Some(file) = files::read_if_there(fs, &path)? else { return Ok(None) };
        let index = match Index::decode(&file, &KeyedHash::named(name), self.key.as_ref()) {
            Ok(index) => index,
            Err(e) => {
                self.index = IndexUse::Damaged;
                self.report(path, 0..file.len() as u64, None, e.into(), Remedy::Rewrite);
                return Ok(None);
            }
        };
        let is_last = present.last() == Some(&index.last_block)
            && index.blocks.last().is_some_and(|block| block.index == index.last_block);
        let matches = is_last && {
            let (hash, len) = reader.last_hash(index.last_block)?;
            // The last record may be one that was there before, a tombstone written twice.
            // One of zeros is that of a block without records; zeros may be what a crash left.
            let is_empty = index.last_hash == [0; HASH_LEN];
            hash == Some(index.last_hash)
                && (len == 0 || !is_empty)
                && index.blocks.last().is_some_and(|block| block.bytes <= len)
                // There were servers that wrote what their memory had made of a subject. A message
                // may have such a one, so this is no damage.
                && index.subjects.iter().all(|(name, _)| subject::is_valid_stored_subject(name))
        };
        self.index = if matches { IndexUse::Sound } else { IndexUse::Outdated };
        // What was written since may have emptied a block; otherwise one that is missing is lost.
        for block in index.blocks.iter().filter(|block| matches && block.messages > 0) {
            if present.binary_search(&block.index).is_err() {
                self.index = IndexUse::Outdated;
                let file = layout::block(&self.messages_dir, block.index);
                let seqs = Some((block.first_seq, block.last_seq));
                self.report(file, 0..0, seqs, Cause::Missing, Remedy::Lost);
            }
        }
        Ok(Some(index))
    }
}

//! The state of a stream from its directory, without changing it.
//!
//! A sound `index.db` is believed: its own hash must match, its last block must be the last there
//! is and end in the record that the index says, and no block may be missing. Otherwise, or when
//! asked to, every record of every block is verified and the state is made from them.
//!
//! Blocks are scanned from the newest to the oldest: so all tombstones are known before the
//! messages that they delete, and what the stream's limits leave is what comes first.
//!
//! Nothing is given up silently. What is unreadable is reported as [`Damage`], with what is to be
//! done about it: only the end of the last block, with no readable record behind it, is a write
//! that a crash tore and may be cut; everything else is to be set aside, and the rest stays.
//!
//! Go: server/filestore.go recoverFullState, recoverMsgs, rebuildStateFromBufLocked,
//! enforceMsgLimit, enforceBytesLimit, enforceMsgPerSubjectLimit.

use super::block;
use super::crypt::{AssetKey, KeyRing};
use super::files::{self, Block, BlockError, BlockReader, FileError};
use super::hash::KeyedHash;
use super::index::{Index, IndexError};
use super::layout;
use super::record::{Kind, Record, RecordError};
use super::state::{BlockState, Gaps, Totals};
use super::subjects::Subjects;
use crate::base::fs::Fs;
use crate::ds::expiries::Expiries;
use crate::ds::seq_set::SeqSet;
use crate::model::{DiscardPolicy, FileStreamInfo};
use crate::store::schedules::Schedules;
use crate::store::sources::Sources;
use crate::wire::headers;
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
}

/// Reads the directory of a stream. The stream's name is the directory's.
///
/// # Errors
///
/// When there is no `meta.inf`, or it is not readable with the configured keys, or a file cannot
/// be read for a reason that is not its content.
pub fn stream(fs: &dyn Fs, dir: &Path, options: Options<'_>) -> Result<Recovered, RecoverError> {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let meta = files::meta(fs, dir, &name, &name, options.keys)?;
    let path = dir.join(layout::META);
    let info = FileStreamInfo::decode(&meta.content)
        .map_err(|source| RecoverError::Meta { path: path.clone(), source })?;
    let messages_dir = messages_dir(fs, dir)?;
    let mut recovered = Recovered {
        info,
        totals: Totals::default(),
        blocks: Vec::new(),
        subjects: Subjects::default(),
        index: IndexUse::Absent,
        damage: Vec::new(),
        messages_dir: messages_dir.clone(),
        key: meta.key,
    };
    if !meta.sum_matches {
        recovered.report(path, 0..0, None, Cause::MetaSum, Remedy::Rewrite);
    }
    recovered.check_derived(fs, dir)?;
    let present = blocks(fs, &messages_dir)?;
    let mut reader = BlockReader::new(fs, &messages_dir, &name, options.keys);
    let index = recovered.read_index(fs, &name, &present, &mut reader)?;
    match index {
        Some(index) if recovered.index == IndexUse::Sound && !options.verify => {
            recovered.totals = index.totals;
            recovered.blocks = index.blocks;
            recovered.subjects = index.subjects;
        }
        index => {
            let mut scan = Scan::new(&mut recovered, &name, options.now_ns, index.as_ref());
            for index in present.iter().rev() {
                scan.block(&reader.read(*index)?, *index, Some(index) == present.last());
            }
            scan.finish(index.as_ref());
        }
    }
    Ok(recovered)
}

/// Where the blocks of a stream are: a purge that came far enough counts as done.
fn messages_dir(fs: &dyn Fs, dir: &Path) -> Result<PathBuf, FileError> {
    let new = dir.join(layout::NEW_MESSAGES);
    let purged = !blocks(fs, &new)?.is_empty();
    Ok(if purged { new } else { dir.join(layout::MESSAGES) })
}

/// The numbers of the blocks in a folder, in ascending order.
fn blocks(fs: &dyn Fs, dir: &Path) -> Result<Vec<u32>, FileError> {
    let paths = match fs.read_dir(dir) {
        Ok(paths) => paths,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(FileError::Io { path: dir.to_owned(), source }),
    };
    let mut found: Vec<u32> = paths.iter().filter_map(|path| layout::block_index(path)).collect();
    found.sort_unstable();
    Ok(found)
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

    fn report(
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
        let mut missing = false;
        for block in &index.blocks {
            if present.binary_search(&block.index).is_err() && block.messages > 0 {
                missing = true;
                let (file, seqs) =
                    (layout::block(&self.messages_dir, block.index), block_seqs(block));
                self.report(file, 0..0, seqs, Cause::Missing, Remedy::Lost);
            }
        }
        let is_last = present.last() == Some(&index.last_block)
            && index.blocks.last().is_some_and(|block| block.index == index.last_block);
        let matches = is_last && {
            let (hash, len) = reader.last_hash(index.last_block)?;
            // The last record may be one that was there before, a tombstone written twice.
            hash == Some(index.last_hash)
                && index.blocks.last().is_some_and(|block| block.bytes <= len)
        };
        self.index = if matches && !missing { IndexUse::Sound } else { IndexUse::Outdated };
        Ok(Some(index))
    }
}

fn block_seqs(block: &BlockState) -> Option<(u64, u64)> {
    (block.messages > 0).then_some((block.first_seq, block.last_seq))
}

/// A scan of all blocks, from the newest to the oldest.
struct Scan<'r> {
    out: &'r mut Recovered,
    stream: String,
    /// What the index says of the last sequences of blocks, to tell what damage may have cost.
    known: Vec<(u32, u64)>,
    tombstones: SeqSet,
    /// The first sequence of the blocks that were scanned.
    next_seq: Option<u64>,
    limits: Limits,
    entries: Vec<Entry>,
}

/// A record that says something about its sequence.
#[derive(Clone, Copy)]
struct Entry {
    seq: u64,
    at: usize,
    is_message: bool,
}

/// What the stream's configuration lets it hold, and how much it is already.
struct Limits {
    messages_max: u64,
    bytes_max: u64,
    per_subject_max: u64,
    /// Messages from before are too old.
    oldest_ns: i64,
    /// The time to which a message's own time to live is compared.
    ttl_now_ns: Option<i64>,
    messages: u64,
    bytes: u64,
    full: bool,
}

fn limit(configured: i64) -> u64 {
    u64::try_from(configured).ok().filter(|limit| *limit > 0).unwrap_or(u64::MAX)
}

impl Limits {
    fn new(info: &FileStreamInfo, now_ns: Option<i64>) -> Self {
        let config = &info.config;
        let discards_old = config.discard == DiscardPolicy::Old;
        let of = |configured| if discards_old { limit(configured) } else { u64::MAX };
        let age_max = Some(config.max_age.0).filter(|age| *age > 0);
        let oldest = now_ns.zip(age_max).map(|(now, age)| now.saturating_sub(age));
        Self {
            messages_max: of(config.max_msgs),
            bytes_max: of(config.max_bytes),
            per_subject_max: limit(config.max_msgs_per_subject),
            oldest_ns: oldest.unwrap_or(i64::MIN),
            ttl_now_ns: now_ns.filter(|_| config.allow_msg_ttl),
            messages: 0,
            bytes: 0,
            full: false,
        }
    }

    /// Whether the limits on the whole stream leave a message that is older than all before.
    fn leave(&mut self, record: &Record<'_>) -> bool {
        let bytes = self.bytes.saturating_add(record.len as u64);
        self.full |= self.messages >= self.messages_max
            || bytes > self.bytes_max
            || record.time_ns < self.oldest_ns;
        if !self.full {
            self.messages += 1;
            self.bytes = bytes;
        }
        !self.full && !self.is_expired(record)
    }

    fn is_expired(&self, record: &Record<'_>) -> bool {
        let Some(now) = self.ttl_now_ns else { return false };
        let ttl_s = ttl_s(record.headers);
        ttl_s.is_some_and(|ttl| {
            record.time_ns.saturating_add(ttl.saturating_mul(1_000_000_000)) <= now
        })
    }
}

/// A message's own time to live in seconds, if it has one that ends.
fn ttl_s(block: &[u8]) -> Option<i64> {
    let value = headers::value(block, b"Nats-TTL")?;
    let text = std::str::from_utf8(value).ok()?;
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => crate::base::duration::GoDuration::parse(text).ok()?.0 / 1_000_000_000,
    };
    (seconds > 0).then_some(seconds)
}

impl<'r> Scan<'r> {
    fn new(
        out: &'r mut Recovered,
        stream: &str,
        now_ns: Option<i64>,
        index: Option<&Index>,
    ) -> Self {
        let limits = Limits::new(&out.info, now_ns);
        let blocks = index.map_or(&[][..], |index| &index.blocks);
        let known = blocks.iter().map(|block| (block.index, block.last_seq)).collect();
        let stream = stream.to_owned();
        let (tombstones, entries) = (SeqSet::new(), Vec::new());
        Self { out, stream, known, tombstones, next_seq: None, limits, entries }
    }

    /// Takes in a block that is older than all before.
    fn block(&mut self, block: &Block<'_>, index: u32, is_last: bool) {
        let mut state = BlockState { index, ..BlockState::default() };
        let mut newest_tombstone = (0, 0);
        self.entries.clear();
        let hash = KeyedHash::for_block(&self.stream, index);
        let unreadable = block::scan(block.records, &hash, |at, record| {
            if record.kind == Kind::Tombstone {
                self.tombstones.insert(record.seq);
                newest_tombstone = newest_tombstone.max((record.seq, record.time_ns));
            } else if record.seq > state.last_seq {
                // What does not go up was superseded.
                (state.last_seq, state.last_ns) = (record.seq, record.time_ns);
                let is_message = record.kind == Kind::Message;
                self.entries.push(Entry { seq: record.seq, at, is_message });
            }
        });
        self.report_damage(block, index, is_last, &unreadable);
        self.drop_overlap(block, &mut state);
        if self.entries.is_empty() {
            (state.last_seq, state.last_ns) = newest_tombstone;
        }
        self.count(block, &mut state);
        if let Some(first) = self.entries.first() {
            self.next_seq = Some(first.seq.min(self.next_seq.unwrap_or(u64::MAX)));
        }
        self.out.blocks.push(state);
    }

    /// Counts the messages of a block, the newest first.
    fn count(&mut self, block: &Block<'_>, state: &mut BlockState) {
        // Gaps come from the end; they are turned round when all are there.
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        let mut next = state.last_seq.saturating_add(1);
        let entries = std::mem::take(&mut self.entries);
        for entry in entries.iter().rev() {
            let Ok(record) = Record::decode_unverified(&block.records[entry.at..]) else {
                continue;
            };
            if !entry.is_message
                || self.tombstones.contains(entry.seq)
                || !self.limits.leave(&record)
                || !self.keep_for_subject(&record, state.index)
            {
                continue;
            }
            state.messages += 1;
            state.bytes += record.len as u64;
            (state.first_seq, state.first_ns) = (entry.seq, record.time_ns);
            if !record.headers.is_empty() {
                state.ttls += u64::from(headers::value(record.headers, b"Nats-TTL").is_some());
                let schedule = headers::value(record.headers, b"Nats-Schedule");
                state.schedules += u64::from(schedule.is_some());
            }
            if entry.seq + 1 < next {
                gaps.push((entry.seq + 1, next - 1));
            }
            next = entry.seq;
        }
        self.entries = entries;
        if state.messages == 0 {
            (state.first_seq, state.first_ns) = (state.last_seq.saturating_add(1), 0);
        } else {
            gaps.iter().rev().for_each(|(first, last)| state.deleted.push(*first, *last));
        }
    }

    /// Leaves out what a later block has too.
    fn drop_overlap(&mut self, block: &Block<'_>, state: &mut BlockState) {
        let Some(next) = self.next_seq else { return };
        let kept = self.entries.partition_point(|entry| entry.seq < next);
        let Some(first) = self.entries.get(kept) else { return };
        let file = layout::block(&self.out.messages_dir, state.index);
        let (seqs, cause) = (Some((first.seq, state.last_seq)), Cause::Overlap);
        self.out.report(file, 0..block.file_len, seqs, cause, Remedy::Quarantine);
        self.entries.truncate(kept);
        let last = self.entries.last();
        let record =
            last.and_then(|last| Record::decode_unverified(&block.records[last.at..]).ok());
        (state.last_seq, state.last_ns) = record.map_or((0, 0), |r| (r.seq, r.time_ns));
    }

    /// Counts a message for its subject, if the limit on subjects leaves it.
    fn keep_for_subject(&mut self, record: &Record<'_>, block: u32) -> bool {
        if record.subject.is_empty() {
            return true;
        }
        let subjects = &mut self.out.subjects;
        let held = || subjects.get(record.subject).map_or(0, |totals| totals.messages);
        if self.limits.per_subject_max != u64::MAX && held() >= self.limits.per_subject_max {
            return false;
        }
        subjects.add(record.subject, block);
        true
    }

    fn report_damage(
        &mut self,
        block: &Block<'_>,
        index: u32,
        is_last: bool,
        unreadable: &[block::Unreadable],
    ) {
        let file = layout::block(&self.out.messages_dir, index);
        for part in unreadable {
            let torn = is_last && block.is_plain && part.until == block.records.len();
            // Of an encrypted block the places are those of its content: it is as long.
            let bytes = match block.is_plain {
                true => part.from as u64..part.until as u64,
                false => 0..block.file_len,
            };
            let remedy = if torn { Remedy::Cut } else { Remedy::Quarantine };
            let seqs = self.lost(index, part.from);
            self.out.report(file.clone(), bytes, seqs, part.cause.into(), remedy);
        }
        if let Some(error) = block.error {
            let seqs = self.lost(index, block.records.len());
            let cause = error.into();
            self.out.report(file, 0..block.file_len, seqs, cause, Remedy::Quarantine);
        }
    }

    /// The sequences that may be lost with what begins at `at` of a block, as far as it is known.
    fn lost(&self, index: u32, at: usize) -> Option<(u64, u64)> {
        let before = self.entries.iter().rev().find(|entry| entry.at < at).map(|entry| entry.seq);
        // What is before the block is not known yet: see `finish`.
        let first = before.map_or(0, |seq| seq.saturating_add(1));
        let behind = self.entries.iter().find(|entry| entry.at > at).map(|entry| entry.seq);
        let known = self.known.iter().find(|(known, _)| *known == index);
        let known = known.map(|(_, last)| last.saturating_add(1));
        let next = behind.or(self.next_seq).or(known);
        next.map(|next| (first, next.saturating_sub(1))).filter(|(first, last)| first <= last)
    }

    /// Adds the blocks up.
    fn finish(self, index: Option<&Index>) {
        let out = self.out;
        out.blocks.reverse();
        for damage in &mut out.damage {
            // It begins a block: what may be lost begins behind the block before.
            let index = layout::block_index(&damage.file);
            if let (Some(index), Some((0, last))) = (index, damage.seqs) {
                let before = out.blocks.iter().rfind(|block| block.index < index);
                let first = before.map_or(1, |block| block.last_seq.saturating_add(1));
                damage.seqs = Some((first, last)).filter(|(first, last)| first <= last);
            }
        }
        let mut totals = Totals::default();
        for block in &mut out.blocks {
            totals.messages += block.messages;
            totals.bytes += block.bytes;
            if totals.first_seq == 0 && block.messages > 0 {
                (totals.first_seq, totals.first_ns) = (block.first_seq, block.first_ns);
            }
            if block.last_seq >= totals.last_seq && block.last_seq > 0 {
                (totals.last_seq, totals.last_ns) = (block.last_seq, block.last_ns);
            }
            if block.messages == 0 {
                // It stands behind what was there before it.
                (block.last_seq, block.last_ns) = (totals.last_seq, totals.last_ns);
                block.first_seq = totals.last_seq.saturating_add(1);
            }
        }
        if let Some(index) = index.filter(|index| index.totals.last_seq > totals.last_seq) {
            // Sequences never go back.
            let seqs = Some((totals.last_seq + 1, index.totals.last_seq));
            let file = out.messages_dir.join(layout::INDEX);
            (totals.last_seq, totals.last_ns) = (index.totals.last_seq, index.totals.last_ns);
            out.report(file, 0..0, seqs, Cause::Behind, Remedy::Lost);
        }
        if totals.messages == 0 && totals.last_seq > 0 {
            totals.first_seq = totals.last_seq.saturating_add(1);
        }
        out.totals = totals;
        let last = out.blocks.last().map(|block| block.index);
        out.blocks.retain(|block| block.messages > 0 || Some(block.index) == last);
    }
}

//! Opening and creating.

use super::super::build::{self, BuildError, Builder, Place};
use super::super::convert::{ConvertError, Converted, Converter};
use super::super::crypt::KeyRing;
use super::super::files::{self, FileError};
use super::super::layout;
use super::super::recover::{self, IndexUse, RecoverError, Recovered};
use super::super::repair::{self, Fix, Purge};
use super::super::state::{BlockState, Gaps};
use super::FileStore;
use super::disk::Disk;
use super::limits;
use super::message_block::MessageBlock;
use super::places::SPAN_MAX;
use crate::base::Env;
use crate::base::fs::Fs;
use crate::ds::expiries::Expiries;
use crate::model::{FileStreamInfo, StreamConfig, StreamSource};
use crate::store::message;
use crate::store::proposals::Proposals;
use crate::store::schedules::Schedules;
use crate::store::sources::{SourceState, Sources};
use crate::store::stream::{Effects, StoreError};
use std::cell::Cell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a store is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The configured keys for the stream's account.
    pub keys: Option<Arc<KeyRing>>,
    /// Bytes of a block at which the next one is begun; without it, what upstream chooses for the
    /// configuration.
    pub block_len_max: Option<u64>,
}

/// A store that is open.
pub struct Opened {
    /// The store.
    pub store: FileStore,
    /// What was wrong with its files, and what was done about it.
    pub fixes: Vec<Fix>,
    /// What has been brought to the configured key and cipher.
    pub converted: Converted,
    /// The purge that was under way when it was left, if one was.
    pub purge: Option<Purge>,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It cannot be brought to the configured key and cipher.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// Its files cannot be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Its limits cannot be enforced, or what is not in its index not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its configuration does not match its sum, and would remove messages.
    #[error("{}: does not match meta.sum, and its limits would remove messages", .0.display())]
    Limits(PathBuf),
    /// No server writes such a block.
    #[error("block {0} spans too many sequences")]
    Implausible(u32),
}

impl From<FileError> for OpenError {
    fn from(error: FileError) -> Self {
        Self::Recover(error.into())
    }
}

/// Refuses a configuration that is another stream's, and one in the clear that does not match its
/// sum if its limits would remove messages: it may be damaged, and then they are not its limits. One
/// that removes nothing is taken over, a crash between the two files leaves it so. Upstream refuses
/// each that does not match.
fn check_config(
    fs: &dyn Fs,
    dir: &Path,
    keys: Option<&KeyRing>,
    now_ns: i64,
) -> Result<(), OpenError> {
    let (path, name) = (dir.join(layout::META), recover::name(dir));
    // What is not readable yet may be in the middle of a conversion.
    let Ok(meta) = files::meta(fs, dir, &name, &name, keys) else { return Ok(()) };
    let Ok(FileStreamInfo { config, .. }) = FileStreamInfo::decode(&meta.content) else {
        return Ok(());
    };
    if config.name != name {
        return Err(RecoverError::Name { path, name: config.name }.into());
    }
    if meta.sum_matches || meta.key.is_some() {
        return Ok(());
    }
    let found = recover::stream(fs, dir, recover::Options { keys, ..Default::default() })?;
    if limits::removes(&config, &found.totals, &found.subjects, now_ns) {
        return Err(OpenError::Limits(path));
    }
    Ok(())
}

impl FileStore {
    /// Makes a stream's directory, named as the stream, and opens it. It is there for good then.
    ///
    /// # Errors
    /// When something is in its place, or what the system says.
    pub fn create(
        env: &Env,
        dir: &Path,
        info: &FileStreamInfo,
        options: Options,
        now_ns: i64,
    ) -> Result<Self, OpenError> {
        let place = Place {
            fs: env.fs(),
            dir,
            keys: options.keys.as_deref(),
            entropy: &mut |buf| env.entropy(buf),
        };
        let mut builder = Builder::new(place, info)?;
        if info.config.first_seq > 1 {
            builder.skip_to(info.config.first_seq - 1)?;
        }
        builder.finish()?;
        Ok(Self::open(env, dir, options, now_ns)?.store)
    }

    /// Opens a stream's directory, named as the stream. What is damaged is mended or set aside, and
    /// told; what its limits do not allow any more by
    /// `now_ns` goes.
    ///
    /// # Errors
    /// When it is none, is another stream's, or is not readable with the configured keys; when its
    /// configuration may be damaged so that messages would go. Nothing changes then.
    pub fn open(env: &Env, dir: &Path, options: Options, now_ns: i64) -> Result<Opened, OpenError> {
        let mut entropy = |buf: &mut [u8]| env.entropy(buf);
        let mut converted = Converted::default();
        let keys = options.keys.as_deref();
        check_config(env.fs(), dir, keys, now_ns)?;
        if keys.is_some() {
            let mut converter = Converter { fs: env.fs(), keys, entropy: &mut entropy };
            converted = converter.stream(dir)?;
        }
        let mut place = Place { fs: env.fs(), dir, keys, entropy: &mut entropy };
        let repaired = repair::repair(&mut place, false, Some(now_ns))?;
        let Recovered { info, totals, blocks, subjects, index, messages_dir, key, .. } =
            repaired.stream;
        let config = info.config;
        let disk = Disk::new(env, &messages_dir, &config.name, options.keys.clone());
        let block_len_max = options
            .block_len_max
            .unwrap_or_else(|| build::block_len_max(&config, disk.keys.is_some()));
        let mut store = Self {
            dir: dir.to_owned(),
            disk,
            created: info.created,
            key,
            block_len_max,
            blocks: VecDeque::new(),
            recent: Cell::default(),
            subjects,
            totals,
            expiries: Expiries::new(),
            aged_seq: 0,
            proposals: Proposals::default(),
            schedules: config.allow_msg_schedules.then(Schedules::new),
            sources: Sources::default(),
            effects: Effects::default(),
            indexed: true,
            dirty: true,
            dir_unsynced: true,
            durable: Arc::default(),
            reads: 0,
            idle: 0,
            failed: None,
            closed: false,
            subject: Vec::new(),
            config,
        };
        // The index is written when all is durable.
        store.take_blocks(blocks, index != IndexUse::Sound)?;
        store.recover_derived(now_ns)?;
        store.enforce_totals()?;
        store.enforce_subjects()?;
        // Where the owner has a say it is asked when it is there.
        if !store.marks_ends() {
            store.expire_at(now_ns)?;
        }
        store.effects = Effects::default();
        Ok(Opened { store, fixes: repaired.fixes, purge: repaired.purge, converted })
    }

    /// Takes over what was recovered of blocks, and the blocks that are there and were not worth
    /// mentioning: their tombstones may be needed.
    fn take_blocks(&mut self, recovered: Vec<BlockState>, unsynced: bool) -> Result<(), OpenError> {
        let present = recover::blocks(&recover::list(self.disk.env.fs(), &self.disk.dir)?);
        let mut recovered = recovered.into_iter().peekable();
        let mut last = (0, 0);
        for index in present {
            while recovered.peek().is_some_and(|state| state.index < index) {
                // The file is gone; that was reported.
                recovered.next();
            }
            let state = match recovered.next_if(|state| state.index == index) {
                Some(state) => state,
                None => BlockState {
                    index,
                    first_seq: last.0 + 1,
                    last_seq: last.0,
                    last_ns: last.1,
                    deleted: Gaps::default(),
                    ..BlockState::default()
                },
            };
            if state.deleted.len() > SPAN_MAX as u64 {
                return Err(OpenError::Implausible(index));
            }
            last = (state.last_seq, state.last_ns);
            let (written, packed) = self.disk.look_at_block(index).map_err(StoreError::Io)?;
            let mut block = MessageBlock::recovered(&self.disk, &state, written, packed);
            block.unsynced = unsynced;
            self.blocks.push_back(block);
        }
        if let Some(block) = self.blocks.back_mut() {
            block.check_open(&self.disk).map_err(StoreError::Io)?;
        }
        Ok(())
    }

    /// Expiries, schedules and sources, from their files and from the messages that came after.
    fn recover_derived(&mut self, now_ns: i64) -> Result<(), OpenError> {
        let read = |path: &Path| files::read_if_there(self.disk.env.fs(), path);
        let expiries = read(&self.disk.dir.join(layout::EXPIRIES))?;
        let schedules = read(&self.disk.dir.join(layout::SCHEDULES))?;
        let sources = read(&self.dir.join(layout::SOURCES))?;
        let (mut from_ttl, mut from_schedule, mut from_source) = (0, 0, 0);
        // What is not readable was reported, and is made again from the messages. So is what knows
        // of later messages than there are.
        // The number in a file is that of the first message that it does not know.
        let last_seq = self.totals.last_seq;
        if let Some((found, next)) = expiries.and_then(|file| Expiries::decode(&file).ok())
            && next.saturating_sub(1) <= last_seq
        {
            (self.expiries, from_ttl) = (found, next.saturating_sub(1));
        }
        if let Some((found, next)) = schedules.and_then(|file| Schedules::decode(&file).ok())
            && next.saturating_sub(1) <= last_seq
        {
            (self.schedules, from_schedule) = (Some(found), next.saturating_sub(1));
        }
        if let Some((found, next)) = sources.and_then(|file| Sources::decode(&file).ok()) {
            // These cannot be made again from messages that are gone.
            (self.sources, from_source) = (found, next.saturating_sub(1).min(last_seq));
        }
        if !self.config.allow_msg_ttl {
            self.expiries = Expiries::new();
        } else {
            self.read_ttls(from_ttl)?;
        }
        if !self.config.allow_msg_schedules {
            self.schedules = None;
        } else {
            self.read_schedules(from_schedule, now_ns)?;
        }
        if !self.config.sources.is_empty() || !self.sources.0.is_empty() {
            self.read_sources(from_source)?;
        }
        Ok(())
    }

    /// Reads the times to live of the messages behind `high`.
    pub(super) fn read_ttls(&mut self, high: u64) -> Result<(), StoreError> {
        let mut found = Vec::new();
        self.visit_headers(
            high,
            |block| block.ttls > 0,
            |seq, time_ns, _, headers| {
                found.push((seq, time_ns, message::ttl_s(headers)));
            },
        )?;
        for (seq, time_ns, ttl_s) in found.into_iter().filter(|(_, _, ttl_s)| *ttl_s > 0) {
            self.expiries.add(seq, message::expiry_ns(time_ns, ttl_s));
        }
        Ok(())
    }

    /// Reads the schedules among the messages behind `high`.
    pub(super) fn read_schedules(&mut self, high: u64, now_ns: i64) -> Result<(), StoreError> {
        let mut schedules = self.schedules.take().unwrap_or_default();
        let env = self.disk.env.clone();
        let read = self.visit_headers(
            high,
            |_| true,
            |seq, time_ns, subject, headers| {
                let stored = (seq, time_ns);
                message::note_schedule(&env, &mut schedules, stored, subject, headers, now_ns);
            },
        );
        self.schedules = Some(schedules);
        read
    }

    /// Reads how far sources are read from the messages behind `high`.
    fn read_sources(&mut self, high: u64) -> Result<(), StoreError> {
        let mut sources = std::mem::take(&mut self.sources);
        let configured = self.config.sources.clone();
        let read = self.visit_headers(
            high,
            |_| true,
            |_, _, _, headers| {
                if let Some((name, state)) = message::source(headers) {
                    sources.0.insert(name, state);
                } else if let Some((stream, seq)) = message::source_stream(headers) {
                    // It says no more: it may be any of those that read that stream.
                    let reads_it = |source: &&StreamSource| {
                        let names = [source.name.clone(), source.stream_name()];
                        names.iter().any(|name| name.as_bytes() == stream)
                    };
                    for source in configured.iter().filter(reads_it) {
                        let state = SourceState { seq, ident: Vec::new() };
                        sources.0.insert(source.index_name().into_bytes(), state);
                    }
                }
            },
        );
        self.sources = sources;
        read
    }

    /// Calls `visit` with sequence, time, subject and headers of the messages behind `high` in the
    /// blocks that are wanted. What is unreadable is left out.
    fn visit_headers(
        &mut self,
        high: u64,
        wants: impl Fn(&MessageBlock) -> bool,
        mut visit: impl FnMut(u64, i64, &[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let begin = self.block_of(high.saturating_add(1));
        for at in begin..self.blocks.len() {
            if !self.blocks.get(at).is_some_and(&wants) {
                continue;
            }
            self.touch(at);
            let Some(block) = self.blocks.get_mut(at) else { break };
            let mut next = block.next_held(high.saturating_add(1));
            while let Some(seq) = next {
                match block.peek(&mut self.disk, seq) {
                    Ok(Some(record)) => {
                        visit(seq, record.time_ns, record.subject, record.headers);
                    }
                    Ok(None) | Err(StoreError::BadMessage(_)) => {}
                    Err(e) => return Err(e),
                }
                next = block.next_held(seq + 1);
            }
        }
        Ok(())
    }

    /// Takes over another configuration.
    pub(super) fn take_over(
        &mut self,
        config: &StreamConfig,
        now_ns: i64,
    ) -> Result<(), StoreError> {
        let before = std::mem::replace(&mut self.config, config.clone());
        if before != *config {
            self.write_meta()?;
        }
        if !config.allow_msg_ttl {
            self.expiries = Expiries::new();
        } else if !before.allow_msg_ttl {
            self.read_ttls(0)?;
        }
        if !config.allow_msg_schedules {
            self.schedules = None;
        } else if self.schedules.is_none() {
            self.read_schedules(0, now_ns)?;
        }
        self.enforce_totals()?;
        if config.max_msgs_per_subject != before.max_msgs_per_subject {
            self.enforce_subjects()?;
        }
        self.reconsider(now_ns)?;
        self.expire_at(now_ns)?;
        self.flush_last()
    }
}

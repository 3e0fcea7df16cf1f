//! A stream's directory from an archive: that of upstream 2.15 ([`super::snapshot`]), or the files
//! in tar of the servers before, both packed with S2.
//!
//! As [`super::build`] does it: beside its place, renamed when all of it is verified and on disk,
//! sealed with the configured keys from the first byte on. An archive is believed nothing: names
//! are looked up, never joined to a path; sizes are limits that what comes is held to; what is
//! damaged, cut, in disorder or there twice refuses the whole.
//!
//! The configuration is the caller's. Its limits are enforced when the stream is opened, as they
//! are for any stream whose configuration has changed.
//!
//! Go: server/stream_backup.go RestoreStreamV2, server/stream.go RestoreStream.

use super::build::{BuildError, Builder, Message, Place};
use super::hash::{HASH_LEN, KeyedHash};
use super::layout;
use super::record;
use super::recover::{self, Cause, RecoverError};
use super::snapshot::{CONSUMERS, Consumer, STATE};
use crate::base::json;
use crate::model::{ConsumerState, FileConsumerInfo, FileStreamInfo, StreamState, Time};
use crate::store::archive::{self, ArchiveError, Entry};
use crate::store::consumer::codec::{self, DecodeError};
use crate::store::consumer::core::ConsumerCore;
use crate::store::file::compress::BLOCK_LEN_MAX;
use crate::store::message;
use crate::store::s2_stream::Unpacker;
use crate::store::stream::StoreError;
use crate::store::tar::{self, TarError};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read};

/// Bytes of the largest state or configuration that is read: pending messages of a consumer.
const DOCUMENT_MAX: u64 = 64 << 20;
/// Bytes of the largest `index.db` in an archive.
const INDEX_MAX: u64 = 1 << 30;
const SECOND_NS: i64 = 1_000_000_000;

/// How much is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a message, headers and payload (`max_payload`).
    pub message: u64,
    /// Bytes of the stream, as its account allows it.
    pub stream: u64,
}

/// What was restored.
#[derive(Debug, Default)]
pub struct Restored {
    /// When the stream was made, if the archive knows.
    pub created: Option<Time>,
    /// Its consumers. Those without a durable name were ephemeral, and become so again when their
    /// stream is open.
    pub consumers: Vec<FileConsumerInfo>,
}

/// Why an archive is not restored. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is damaged or cut, or cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// As [`RestoreError::Archive`], of the files in tar.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The directory cannot be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The state, a consumer or a configuration is no JSON.
    #[error("error in {0}: {1}")]
    Json(String, serde_json::Error),
    /// The state of a consumer is none.
    #[error("error in {0}: {1}")]
    State(String, DecodeError),
    /// The state of a consumer contradicts itself.
    #[error("error in {0}: {1}")]
    Consumer(String, StoreError),
    /// Something else has to be at this place.
    #[error("expected {expected}, found {found:?}")]
    Unexpected {
        /// What has to be there.
        expected: &'static str,
        /// The name of what is there.
        found: String,
    },
    /// Something is there twice.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// Sequences do not go up.
    #[error("message sequence {0} out of order")]
    Order(u64),
    /// A message is larger than is allowed.
    #[error("message sequence {0} exceeds maximum size")]
    MessageTooLarge(u64),
    /// The stream is larger than is allowed.
    #[error("the stream exceeds the resources of its account")]
    StreamTooLarge,
    /// A document that is too large to be one.
    #[error("{0:?} is too large")]
    DocumentTooLarge(String),
    /// The archive is another stream's.
    #[error("stream names do not match")]
    Name,
    /// It has no end.
    #[error("backup was truncated")]
    Truncated,
    /// A file does not match its hash.
    #[error("{0:?} does not match its checksum")]
    Checksum(String),
    /// The server that made it could not finish it.
    #[error("the snapshot failed where it was made: {0}")]
    Failed(String),
    /// The messages are damaged.
    #[error("{}: {cause}", file)]
    Damaged {
        /// In which file.
        file: String,
        /// What was found first.
        cause: Cause,
    },
    /// The directory that was made cannot be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
}

/// Restores a stream. `now_ns` is the time by which messages have outlived their time to live,
/// nanoseconds since the Unix epoch.
///
/// # Errors
///
/// When the archive is no sound one of this stream, is too large, the stream is there already, or
/// what the system says; nothing is left then.
pub fn restore(
    place: Place<'_>,
    info: &FileStreamInfo,
    limits: Limits,
    now_ns: i64,
    input: impl Read,
) -> Result<Restored, RestoreError> {
    let mut input = Unpacker::new(input);
    let mut head = Vec::new();
    input.by_ref().take(archive::MAGIC.len() as u64).read_to_end(&mut head)?;
    let is_archive = head == archive::MAGIC;
    let input = head.as_slice().chain(input);
    if is_archive {
        entries(place, info, limits, now_ns, archive::Reader::new(input))
    } else {
        files(place, info, limits, tar::Reader::new(input))
    }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn unexpected(expected: &'static str, found: &str) -> RestoreError {
    RestoreError::Unexpected { expected, found: found.to_owned() }
}

/// The content of an entry that is no message.
fn document<R: BufRead>(
    archive: &mut archive::Reader<R>,
    entry: &Entry,
) -> Result<Vec<u8>, RestoreError> {
    if entry.header_size.saturating_add(entry.payload_size) > DOCUMENT_MAX {
        return Err(RestoreError::DocumentTooLarge(text(&entry.name)));
    }
    let mut content = Vec::new();
    archive.read_to_end(&mut content)?;
    Ok(content)
}

fn entries<R: BufRead>(
    place: Place<'_>,
    info: &FileStreamInfo,
    limits: Limits,
    now_ns: i64,
    mut archive: archive::Reader<R>,
) -> Result<Restored, RestoreError> {
    let first = archive.next_entry()?.ok_or(RestoreError::Truncated)?;
    if first.name != STATE.as_bytes() {
        return Err(unexpected(STATE, &text(&first.name)));
    }
    let content = document(&mut archive, &first)?;
    let state: StreamState =
        json::from_slice(&content).map_err(|e| RestoreError::Json(STATE.to_owned(), e))?;
    if state.bytes > limits.stream {
        return Err(RestoreError::StreamTooLarge);
    }
    let Place { fs, dir, keys, entropy } = place;
    let mut builder = Builder::new(Place { fs, dir, keys, entropy }, info)?;
    let mut consumers = BTreeMap::new();
    for _ in 0..state.consumer_count {
        let entry = archive.next_entry()?.ok_or(RestoreError::Truncated)?;
        let content = document(&mut archive, &entry)?;
        let (config, state) = consumer(&text(&entry.name), &content)?;
        let info = FileConsumerInfo { created: Time::from_unix_ns(now_ns), ..config };
        if consumers.contains_key(&info.name) {
            return Err(RestoreError::Twice(info.name));
        }
        builder.add_consumer(&info, Some(&codec::encode(&state, now_ns)))?;
        consumers.insert(info.name.clone(), info);
    }
    messages(&mut archive, &mut builder, info, limits, now_ns, &state)?;
    builder.finish()?;
    Ok(Restored { created: None, consumers: consumers.into_values().collect() })
}

/// A consumer from its entry.
fn consumer(
    entry: &str,
    content: &[u8],
) -> Result<(FileConsumerInfo, ConsumerState), RestoreError> {
    let name = entry.strip_prefix(CONSUMERS).filter(|name| layout::is_asset_name(name));
    let name = name.ok_or_else(|| unexpected("a consumer", entry))?.to_owned();
    let Consumer { config, state } =
        json::from_slice(content).map_err(|e| RestoreError::Json(entry.to_owned(), e))?;
    if !config.name.is_empty() && config.name != name {
        return Err(unexpected("a consumer under its name", entry));
    }
    let mut core = ConsumerCore::new(&config);
    core.update(&state).map_err(|e| RestoreError::Consumer(entry.to_owned(), e))?;
    Ok((FileConsumerInfo { created: Time::ZERO, name, config }, state))
}

fn messages<R: BufRead>(
    archive: &mut archive::Reader<R>,
    builder: &mut Builder<'_>,
    info: &FileStreamInfo,
    limits: Limits,
    now_ns: i64,
    state: &StreamState,
) -> Result<(), RestoreError> {
    let configured = u64::try_from(info.config.max_msg_size).ok().filter(|max| *max > 0);
    let message_max = configured.map_or(limits.message, |max| max.min(limits.message));
    // The sequences before the first one, up to here, are used up.
    let mut last = state.first_seq.saturating_sub(1);
    let (mut stored, mut bytes) = (0, 0_u64);
    let mut content = Vec::new();
    loop {
        let entry = archive.next_entry()?.ok_or(RestoreError::Truncated)?;
        if entry.is_end() {
            break;
        }
        let seq = entry.sequence;
        if seq == 0 {
            return Err(unexpected("a message", &text(&entry.name)));
        }
        if entry.header_size.saturating_add(entry.payload_size) > message_max {
            return Err(RestoreError::MessageTooLarge(seq));
        }
        if seq <= last {
            return Err(RestoreError::Order(seq));
        }
        last = seq;
        content.clear();
        archive.read_to_end(&mut content)?;
        let header_len = usize::try_from(entry.header_size).unwrap_or(usize::MAX);
        let (headers, payload) =
            content.split_at_checked(header_len).ok_or(ArchiveError::Invalid)?;
        let ttl_ns = message::ttl_s(headers).saturating_mul(SECOND_NS);
        if ttl_ns > 0 && now_ns > entry.timestamp.saturating_add(ttl_ns) {
            // It would go at once; its sequence stays used.
            continue;
        }
        let len = record::message_len(entry.name.len(), headers.len(), payload.len());
        bytes = bytes.saturating_add(len as u64);
        if bytes > limits.stream {
            return Err(RestoreError::StreamTooLarge);
        }
        let (time_ns, subject) = (entry.timestamp, &entry.name[..]);
        builder.add(&Message { seq, time_ns, subject, headers, payload })?;
        stored = seq;
    }
    let last = last.max(state.last_seq);
    if last > stored {
        builder.skip_to(last)?;
    }
    Ok(())
}

/// The files of a consumer in tar, as they come.
#[derive(Default)]
struct ConsumerFiles {
    meta: Option<Vec<u8>>,
    sum: Option<Vec<u8>>,
    state: Option<Vec<u8>>,
}

/// What the name of a file in tar says.
enum FileName<'a> {
    Meta,
    MetaSum,
    Block(u32),
    Index,
    Consumer(&'a str, &'a str),
    /// A file that saves a look at the messages, and is made again.
    Derived,
    /// Why there is no more.
    Errors,
}

impl<'a> FileName<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let parts: Vec<&str> = name.strip_prefix("./").unwrap_or(name).split('/').collect();
        Some(match parts[..] {
            [layout::META] => Self::Meta,
            [layout::META_SUM] => Self::MetaSum,
            ["errors.txt"] => Self::Errors,
            [layout::MESSAGES, layout::INDEX] => Self::Index,
            [layout::MESSAGES, file] => match layout::block_index(file.as_ref()) {
                Some(index) => Self::Block(index),
                None => Self::Derived,
            },
            [layout::CONSUMERS, consumer, file] if layout::is_asset_name(consumer) => {
                Self::Consumer(consumer, file)
            }
            _ => return None,
        })
    }
}

fn files<R: Read>(
    place: Place<'_>,
    info: &FileStreamInfo,
    limits: Limits,
    mut tar: tar::Reader<R>,
) -> Result<Restored, RestoreError> {
    let read = |entry: &tar::Entry, tar: &mut tar::Reader<R>, max: u64| {
        if entry.size > max {
            return Err(RestoreError::DocumentTooLarge(entry.name.clone()));
        }
        let mut content = Vec::new();
        tar.read_to_end(&mut content)?;
        Ok(content)
    };
    // The configuration is what every server writes first.
    let first = tar.next_entry()?.ok_or(RestoreError::Truncated)?;
    if !matches!(FileName::parse(&first.name), Some(FileName::Meta)) {
        return Err(unexpected(layout::META, &first.name));
    }
    let meta = read(&first, &mut tar, DOCUMENT_MAX)?;
    let archived = FileStreamInfo::decode(&meta)
        .map_err(|e| RestoreError::Json(layout::META.to_owned(), e))?;
    if archived.config.name != info.config.name {
        return Err(RestoreError::Name);
    }
    let name = info.config.name.clone();
    let created = Some(archived.created).filter(|created| !created.is_zero());
    let info =
        FileStreamInfo { created: created.unwrap_or(info.created), config: info.config.clone() };
    let Place { fs, dir, keys, entropy } = place;
    let mut builder = Builder::new(Place { fs, dir, keys, entropy }, &info)?;
    let mut consumers: BTreeMap<String, ConsumerFiles> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut bytes = 0_u64;
    while let Some(entry) = tar.next_entry()? {
        if !seen.insert(entry.name.clone()) {
            return Err(RestoreError::Twice(entry.name));
        }
        let what = FileName::parse(&entry.name);
        match what.ok_or_else(|| unexpected("a file of a stream", &entry.name))? {
            FileName::Meta => return Err(RestoreError::Twice(entry.name)),
            FileName::MetaSum => {
                let sum = read(&entry, &mut tar, DOCUMENT_MAX)?;
                check_sum(&meta, &sum, &name, layout::META)?;
            }
            FileName::Block(index) => {
                bytes = bytes.saturating_add(entry.size);
                if bytes > limits.stream {
                    return Err(RestoreError::StreamTooLarge);
                }
                builder.add_block(index, read(&entry, &mut tar, BLOCK_LEN_MAX as u64)?)?;
            }
            FileName::Index => {
                let mut content = read(&entry, &mut tar, INDEX_MAX)?;
                let hash = KeyedHash::named(&name);
                let Some(at) = content.len().checked_sub(HASH_LEN) else { continue };
                if hash.sum(&[&content[..at]])[..] != content[at..] {
                    return Err(RestoreError::Checksum(entry.name));
                }
                content.truncate(at);
                builder.add_index(content)?;
            }
            FileName::Consumer(consumer, file) => {
                let content = read(&entry, &mut tar, DOCUMENT_MAX)?;
                let files = consumers.entry(consumer.to_owned()).or_default();
                match file {
                    layout::META => files.meta = Some(content),
                    layout::META_SUM => files.sum = Some(content),
                    layout::CONSUMER_STATE => files.state = Some(content),
                    _ => return Err(unexpected("a file of a consumer", &entry.name)),
                }
            }
            FileName::Derived => {}
            FileName::Errors => {
                let content = read(&entry, &mut tar, DOCUMENT_MAX)?;
                return Err(RestoreError::Failed(text(&content)));
            }
        }
    }
    let mut restored = Restored { created, consumers: Vec::new() };
    for (consumer, files) in consumers {
        let (info, state) = consumer_from_files(&name, consumer, files)?;
        builder.add_consumer(&info, state.as_deref())?;
        restored.consumers.push(info);
    }
    builder.write_meta()?;
    let options = recover::Options { keys, verify: true, now_ns: None };
    let found = recover::stream_named(fs, builder.aside(), &name, options)?;
    // The index is made last, of messages that came after the blocks were read.
    let damage = found.damage.into_iter().find(|damage| !matches!(damage.cause, Cause::Behind));
    if let Some(damage) = damage {
        let file = damage.file.strip_prefix(builder.aside()).unwrap_or(&damage.file);
        let file = file.display().to_string();
        return Err(RestoreError::Damaged { file, cause: damage.cause });
    }
    builder.take_place()?;
    Ok(restored)
}

fn check_sum(content: &[u8], sum: &[u8], hashed: &str, file: &str) -> Result<(), RestoreError> {
    let matches = KeyedHash::named(hashed).hex(content).as_bytes() == sum;
    if matches { Ok(()) } else { Err(RestoreError::Checksum(file.to_owned())) }
}

fn consumer_from_files(
    stream: &str,
    name: String,
    files: ConsumerFiles,
) -> Result<(FileConsumerInfo, Option<Vec<u8>>), RestoreError> {
    let path = |file: &str| format!("{}/{name}/{file}", layout::CONSUMERS);
    let missing = |file| unexpected(file, &format!("{}/{name}", layout::CONSUMERS));
    let meta = files.meta.ok_or_else(|| missing(layout::META))?;
    let sum = files.sum.ok_or_else(|| missing(layout::META_SUM))?;
    check_sum(&meta, &sum, &format!("{stream}/{name}"), &path(layout::META))?;
    let info =
        FileConsumerInfo::decode(&meta).map_err(|e| RestoreError::Json(path(layout::META), e))?;
    if let Some(state) = &files.state {
        codec::decode_file(state)
            .map_err(|e| RestoreError::State(path(layout::CONSUMER_STATE), e))?;
    }
    Ok((FileConsumerInfo { name, ..info }, files.state))
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;

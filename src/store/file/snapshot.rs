//! An archive of a stream and its consumers, as upstream 2.15 makes and takes it: state, consumers
//! and messages one after the other ([`crate::store::archive`]), packed with S2.
//!
//! It is made of what is on disk. The stream's owner writes what it still buffers, and says with
//! the state and the list of blocks how far that goes: what is stored later is left out, and until
//! the end nothing may be removed. Everything in an archive is in the clear, whatever the store is.
//!
//! Every record is verified. One that is not readable ends the snapshot: an archive is whole, or it
//! has no end.
//!
//! Go: server/stream_backup.go streamSnapshotV2.

use super::block::{self, Unreadable};
use super::crypt::KeyRing;
use super::files::{Block, BlockError, BlockReader, FileError};
use super::hash::KeyedHash;
use super::layout;
use super::record::{Kind, RecordError};
use super::state::BlockState;
use crate::base::fs::Fs;
use crate::base::json;
use crate::model::{ConsumerConfig, ConsumerState, StreamState};
use crate::store::archive::{ArchiveError, Entry, Writer};
use crate::store::s2_stream::{Chunks, Packer};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The entry that comes first.
pub(super) const STATE: &str = "state.json";
/// What the names of consumers' entries begin with.
pub(super) const CONSUMERS: &str = "consumers/";

/// Where the messages are.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file system.
    pub fs: &'a dyn Fs,
    /// The folder of the blocks.
    pub messages_dir: &'a Path,
    /// The stream's name.
    pub stream: &'a str,
    /// The keys of the store; none when it is not encrypted.
    pub keys: Option<&'a KeyRing>,
    /// The blocks, in ascending order, as they were together with the state.
    pub blocks: &'a [BlockState],
}

/// A consumer in an archive. Its state may be later than the stream's; it is cut to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consumer {
    /// Its configuration, with its name.
    pub config: ConsumerConfig,
    /// Its state.
    pub state: ConsumerState,
}

/// Why there is no archive, or only the beginning of one.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A block is unreadable.
    #[error("{}: {cause}", path.display())]
    Block {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: BlockError,
    },
    /// A record is unreadable.
    #[error("{}: at byte {offset}: {cause}", path.display())]
    Record {
        /// In which block.
        path: PathBuf,
        /// Where, in the records of the block.
        offset: usize,
        /// Why.
        cause: RecordError,
    },
    /// A block does not hold the messages that it should.
    #[error("{}: {found} messages instead of {expected}", path.display())]
    Missing {
        /// Which block.
        path: PathBuf,
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The sink refused.
    #[error(transparent)]
    Sink(#[from] io::Error),
}

impl From<ArchiveError> for SnapshotError {
    fn from(error: ArchiveError) -> Self {
        Self::Sink(match error {
            ArchiveError::Io(error) => error,
            // Sizes are those of what is written.
            error => io::Error::other(error),
        })
    }
}

/// Makes an archive, and hands it to `sink` in chunks of `chunk_len` bytes. `consumers` is empty
/// when none are asked for; `now_ns` is the time of making, nanoseconds since the Unix epoch.
///
/// # Errors
///
/// When something is unreadable, or `sink` fails. What `sink` was given is no archive then.
pub fn snapshot(
    source: Source<'_>,
    state: &StreamState,
    consumers: &[Consumer],
    now_ns: i64,
    chunk_len: usize,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), SnapshotError> {
    let mut archive = Writer::new(Packer::new(Chunks::new(chunk_len, sink)));
    let mut put = |name: &str, content: &[u8]| {
        let (name, payload_size) = (name.as_bytes().to_vec(), content.len() as u64);
        archive.entry(&Entry { name, timestamp: now_ns, payload_size, ..Entry::default() })?;
        archive.write(content)
    };
    let consumer_count = consumers.len() as u64;
    put(STATE, &json::compact(&StreamState { consumer_count, ..state.clone() }))?;
    for consumer in consumers {
        let name = format!("{CONSUMERS}{}", consumer.config.name);
        put(&name, &json::compact(&bounded(consumer, state.last_seq)))?;
    }
    let Source { fs, messages_dir, stream, keys, blocks } = source;
    let mut reader = BlockReader::new(fs, messages_dir, stream, keys);
    for block in blocks.iter().filter(|block| block.messages > 0) {
        let path = layout::block(messages_dir, block.index);
        let hash = KeyedHash::for_block(stream, block.index);
        let read = reader.read(block.index)?;
        write_block(&mut archive, &read, &hash, block, state.last_seq, path)?;
    }
    archive.entry(&Entry::default())?;
    archive.finish()?.finish()?;
    Ok(())
}

/// A consumer that knows of nothing behind `last_seq`.
fn bounded(consumer: &Consumer, last_seq: u64) -> Consumer {
    let mut consumer = consumer.clone();
    let state = &mut consumer.state;
    for pair in [&mut state.delivered, &mut state.ack_floor] {
        pair.stream_seq = pair.stream_seq.min(last_seq);
    }
    state.pending.retain(|seq, _| *seq <= last_seq);
    state.redelivered.retain(|seq, _| *seq <= last_seq);
    consumer
}

fn write_block<W: io::Write>(
    archive: &mut Writer<W>,
    block: &Block<'_>,
    hash: &KeyedHash,
    state: &BlockState,
    last_seq: u64,
    path: PathBuf,
) -> Result<(), SnapshotError> {
    if let Some(cause) = block.error {
        return Err(SnapshotError::Block { path, cause });
    }
    let (mut before, mut found, mut written) = (0, 0, Ok(()));
    let unreadable = block::scan(block.records, hash, |_, record| {
        if record.kind == Kind::Tombstone || record.seq <= before {
            return;
        }
        before = record.seq;
        let wanted = record.kind == Kind::Message && record.seq <= last_seq;
        if wanted && state.holds(record.seq) && written.is_ok() {
            found += 1;
            written = archive
                .entry(&Entry {
                    name: record.subject.to_vec(),
                    timestamp: record.time_ns,
                    sequence: record.seq,
                    header_size: record.headers.len() as u64,
                    payload_size: record.payload.len() as u64,
                })
                .and_then(|()| archive.write(record.headers))
                .and_then(|()| archive.write(record.payload));
        }
    });
    written?;
    if found == state.messages {
        // What is written meanwhile may be there in part.
        return Ok(());
    }
    match unreadable.first() {
        Some(Unreadable { from, cause, .. }) => {
            Err(SnapshotError::Record { path, offset: *from, cause: *cause })
        }
        None => Err(SnapshotError::Missing { path, expected: state.messages, found }),
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
pub(super) mod tests;

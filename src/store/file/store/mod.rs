//! The running store of a stream's messages in upstream's directory. Go: `server/filestore.go`.
//!
//! | module | owns |
//! | --- | --- |
//! | [`open`] | opening and creating |
//! | [`append`] | storing, skipping, new blocks, what waits to be written and synced |
//! | [`remove`] | removing single messages and whole blocks |
//! | [`purge`] | removing many: purge, compact, truncate |
//! | [`limits`] | what limits refuse and remove, expiry |
//! | [`find`] | the next and the last message that a filter means |
//! | [`queries`] | counts and states |
//! | [`stream_store`] | all of it as a [`crate::store::stream::StreamStore`] |
//! | [`maintain`] | the index, blocks with little left in them, memory |
//! | [`message_block`] | a block: its counts, its records |
//! | [`body`], [`places`], [`disk`] | a block's bytes, where its records are, its file |
//! | [`postings`] | which messages of a block each subject has |
//!
//! Nothing runs on its own. The owner calls `flush` after a batch and before it acknowledges,
//! [`FileStore::begin_sync`] when the batch shall be durable, `expire` when it said so, and
//! [`FileStore::maintain`] now and then.
//!
//! What survives. A message, a removal or a purge is durable when a sync that began after it has
//! ended. Until then a crash may lose it; what was durable before stays whatever is lost. What could
//! not be written is forgotten at once: nobody shall see a message that is gone with the process.
//!
//! So it is kept:
//!
//! - Records are only ever added to the last block's file. Everything else replaces a file by a new
//!   one that is durable before the name is.
//! - `index.db` counts as long as nothing was done that its own check does not see. So it is removed,
//!   for good, before a file is removed or replaced.
//! - A tombstone is given up only when the record that it deletes is gone for good.
//! - A block is removed only when a later sequence is durable in another one.

mod append;
mod body;
#[cfg(test)]
mod crash_tests;
mod disk;
mod find;
mod limits;
mod maintain;
mod message_block;
mod open;
mod places;
mod postings;
mod purge;
mod queries;
mod remove;
mod stream_store;
#[cfg(test)]
mod tests;

pub use append::SyncBatch;
pub use open::{OpenError, Opened, Options};

use super::crypt::AssetKey;
use super::state::Totals;
use super::subjects::Subjects;
use crate::ds::expiries::Expiries;
use crate::model::StreamConfig;
use crate::model::Time;
use crate::store::proposals::Proposals;
use crate::store::schedules::Schedules;
use crate::store::sources::Sources;
use crate::store::stream::{Effects, StoreError};
use disk::Disk;
use message_block::MessageBlock;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The messages of a stream, in files.
pub struct FileStore {
    dir: PathBuf,
    disk: Disk,
    created: Time,
    config: StreamConfig,
    /// Of the files that are not blocks.
    key: Option<AssetKey>,
    block_len_max: u64,
    blocks: VecDeque<MessageBlock>,
    /// The place in `blocks` of the block that was looked for last.
    recent: Cell<usize>,
    subjects: Subjects,
    totals: Totals,
    expiries: Expiries,
    /// Messages below are gone, left to the owner to remove, or never too old.
    aged_seq: u64,
    /// Messages that are left to the owner to remove.
    proposals: Proposals,
    schedules: Option<Schedules>,
    sources: Sources,
    effects: Effects,
    /// There may be an index in the directory.
    indexed: bool,
    /// The state is not what the index has.
    dirty: bool,
    /// Names in the directory may not survive a loss of power.
    dir_unsynced: bool,
    /// A record with this sequence or a later one survives a loss of power.
    durable: Arc<AtomicU64>,
    /// Counts reads, and which of them came before the last look at what is idle.
    reads: u64,
    idle: u64,
    failed: Option<(io::ErrorKind, String)>,
    closed: bool,
    /// The subject of the message at hand.
    subject: Vec<u8>,
}

impl FileStore {
    /// Whether anything can be done with it.
    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Whether anything can be written. A write that failed leaves a store that is only read: what
    /// is on disk is not known any more.
    fn check_writable(&self) -> Result<(), StoreError> {
        self.check_open()?;
        match &self.failed {
            Some((kind, reason)) => Err(io::Error::new(*kind, reason.clone()).into()),
            None => Ok(()),
        }
    }

    /// Does something that writes, and remembers if that fails.
    fn writing<R>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.check_writable()?;
        let written = write(self);
        if let Err(StoreError::Io(e)) = &written {
            self.fail(e);
        }
        written
    }

    /// Says that what was stored could not be made durable: nothing more is stored, and what is
    /// not written is forgotten.
    pub fn fail(&mut self, error: &io::Error) {
        if self.failed.is_none() {
            self.failed = Some((error.kind(), error.to_string()));
            self.give_up_unwritten();
        }
    }

    /// The place in `blocks` of the first block that knows `seq` or a later one.
    fn block_of(&self, seq: u64) -> usize {
        // Mostly the one that was asked for before.
        let recent = self.recent.get();
        let knows = |at: usize| self.blocks.get(at).is_some_and(|block| block.last.0 >= seq);
        if knows(recent) && (recent == 0 || !knows(recent - 1)) {
            return recent;
        }
        let at = self.blocks.partition_point(|block| block.last.0 < seq);
        self.recent.set(at);
        at
    }

    /// The configuration.
    pub fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// Blocks that there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }
}

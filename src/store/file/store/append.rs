//! Storing: records, new blocks, what waits to be written and to be durable.

use super::super::build::DELETED_MAX;
use super::super::record::{EMPTY_LEN, RECORD_LEN_MAX, SEQ_MAX, message_len};
use super::FileStore;
use super::message_block::{MessageBlock, Stamp};
use super::remove::Gone;
use crate::base::Env;
use crate::base::fs::File;
use crate::model::StoreCompression;
use crate::store::message;
use crate::store::stream::{NewMessage, StoreError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that wait at most, but for the last message, before they are written without being asked
/// for.
const PENDING_MAX: u64 = 512 * 1024;

/// What has to reach the disk so that all that was stored is durable. It can be waited for without
/// holding the store.
#[must_use]
pub struct SyncBatch {
    files: Vec<Arc<dyn File>>,
    dir: Option<(Env, PathBuf)>,
    last_seq: u64,
    durable: Arc<AtomicU64>,
}

impl SyncBatch {
    /// Waits until it has; the last sequence that is durable then.
    ///
    /// # Errors
    /// What the system says. Then [`FileStore::fail`] must be told.
    pub fn run(self) -> io::Result<u64> {
        for file in &self.files {
            file.sync_data()?;
        }
        if let Some((env, dir)) = &self.dir {
            env.fs().sync_dir(dir)?;
        }
        self.durable.fetch_max(self.last_seq, Ordering::Relaxed);
        Ok(self.last_seq)
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.dir.is_none()
    }
}

impl FileStore {
    /// The next sequence, if `seq` is it or 0.
    pub(super) fn next_seq(&self, seq: u64) -> Result<u64, StoreError> {
        let next = self.totals.last_seq + 1;
        let fits = (seq == 0 || seq == next) && next <= SEQ_MAX;
        fits.then_some(next).ok_or(StoreError::SequenceMismatch)
    }

    pub(super) fn store_message(
        &mut self,
        new: &NewMessage<'_>,
        seq: u64,
        time_ns: i64,
    ) -> Result<(), StoreError> {
        let len = message_len(new.subject.len(), new.headers.len(), new.payload.len());
        if len > RECORD_LEN_MAX || new.subject.len() > usize::from(u16::MAX) {
            return Err(StoreError::TooLarge);
        }
        // Before anything is known of the message: who is told that it is not stored shall not
        // find it.
        if self.blocks.back().is_some_and(|block| block.pending() >= PENDING_MAX) {
            self.flush_last()?;
        }
        let block = self.room(len as u64)?;
        let len = block.append_message(new, seq, time_ns)?;
        block.ttls += u64::from(new.ttl_s > 0);
        let index = block.index;
        self.subjects.add(new.subject, index, seq);
        let totals = &mut self.totals;
        if totals.messages == 0 {
            (totals.first_seq, totals.first_ns) = (seq, time_ns);
        }
        totals.messages += 1;
        totals.bytes += len;
        (totals.last_seq, totals.last_ns) = (seq, time_ns);
        self.dirty = true;
        self.effects.messages += 1;
        self.effects.bytes += len as i64;
        self.enforce_subject(new.subject)?;
        self.enforce_totals()?;
        self.note(new, seq, time_ns);
        Ok(())
    }

    /// What a message that was stored means to expiries, schedules and sources. Most streams have
    /// none of them.
    fn note(&mut self, new: &NewMessage<'_>, seq: u64, time_ns: i64) {
        if new.ttl_s > 0 && self.config.allow_msg_ttl && self.stays(seq).is_some() {
            self.expiries.add(seq, message::expiry_ns(time_ns, new.ttl_s));
        }
        if self.schedules.is_some() {
            self.note_schedule(new, seq, time_ns);
        }
        if !self.sources.0.is_empty()
            && let Some((name, state)) = message::source(new.headers)
            && let Some(known) = self.sources.0.get_mut(&name)
        {
            *known = state;
        }
    }

    fn note_schedule(&mut self, new: &NewMessage<'_>, seq: u64, time_ns: i64) {
        let Some(at) = self.stays(seq) else { return };
        let Some(schedules) = &mut self.schedules else { return };
        let (env, stored) = (&self.disk.env, (seq, time_ns));
        let is_one =
            message::note_schedule(env, schedules, stored, new.subject, new.headers, time_ns);
        if is_one && let Some(block) = self.blocks.get_mut(at) {
            block.schedules += 1;
        }
    }

    /// The place of the block of a message that was stored, if the limits have left it.
    fn stays(&self, seq: u64) -> Option<usize> {
        let at = self.block_of(seq);
        self.blocks.get(at).is_some_and(|block| block.holds(seq)).then_some(at)
    }

    /// Uses up `count` sequences from `seq` on, the next one. `touch` is that this counts as
    /// activity at that time.
    pub(super) fn skip_messages(
        &mut self,
        seq: u64,
        count: u64,
        now_ns: i64,
        touch: bool,
    ) -> Result<(), StoreError> {
        let Some(more) = count.checked_sub(1) else { return Ok(()) };
        let last = seq.checked_add(more).filter(|last| *last <= SEQ_MAX);
        let last = last.ok_or(StoreError::SequenceMismatch)?;
        let touch = touch || self.totals.last_ns == 0;
        let time_ns = if touch { now_ns } else { self.totals.last_ns };
        // A gap in a block is counted one by one.
        let sparse = self.blocks.back().is_some_and(|block| {
            block.messages > 0 && block.deleted.len().saturating_add(count) > DELETED_MAX
        });
        if sparse {
            self.new_block()?;
        }
        self.room(EMPTY_LEN as u64)?.append_skipped(last, time_ns)?;
        (self.totals.last_seq, self.totals.last_ns) = (last, time_ns);
        if self.totals.messages == 0 {
            (self.totals.first_seq, self.totals.first_ns) = (last + 1, 0);
        }
        self.dirty = true;
        Ok(())
    }

    /// Says in the last block that a message is deleted.
    pub(super) fn add_tombstone(&mut self, stamp: Stamp) -> Result<(), StoreError> {
        self.dirty = true;
        self.room(EMPTY_LEN as u64)?.append_tombstone(stamp)
    }

    /// The last block, or a new one if that has no room for so many bytes.
    fn room(&mut self, len: u64) -> Result<&mut MessageBlock, StoreError> {
        let (max, last_seq) = (self.block_len_max, self.totals.last_seq);
        let fits = self.blocks.back().is_some_and(|block| {
            let lost = last_seq.saturating_sub(block.last.0);
            let has_room = block.len() == 0 || block.len().saturating_add(len) <= max;
            block.open && has_room && lost <= DELETED_MAX
        });
        if !fits {
            self.new_block()?;
        }
        self.blocks.back_mut().ok_or(StoreError::Closed)
    }

    /// Begins a new last block.
    pub(super) fn new_block(&mut self) -> Result<(), StoreError> {
        let last = (self.totals.last_seq, self.totals.last_ns);
        let mut index = 1;
        if let Some(before) = self.blocks.back_mut() {
            index = before.index.checked_add(1).ok_or(StoreError::SequenceMismatch)?;
            before.flush(&mut self.disk)?;
            if self.config.compression == StoreCompression::S2 && before.open {
                self.drop_index()?;
                if let Some(before) = self.blocks.back_mut() {
                    before.pack(&mut self.disk)?;
                }
            }
        }
        if let Some(before) = self.blocks.back_mut() {
            before.close();
        }
        let block = MessageBlock::create(&self.disk, index, last)?;
        self.dir_unsynced = true;
        self.blocks.push_back(block);
        Ok(())
    }

    /// Writes what waits. Only the last block has any.
    pub(super) fn flush_last(&mut self) -> Result<(), StoreError> {
        if let Some(block) = self.blocks.back_mut() {
            block.flush(&mut self.disk)?;
        }
        Ok(())
    }

    /// Forgets what waits to be written and never will be: nobody was told that it is stored.
    pub(super) fn give_up_unwritten(&mut self) {
        let Some(at) = self.blocks.len().checked_sub(1) else { return };
        while let Some(block) = self.blocks.get_mut(at).filter(|block| block.pending() > 0) {
            let flushed = block.flushed;
            let Some(seq) = block.prev_held(u64::MAX).filter(|seq| *seq > flushed.0) else {
                block.give_up_unwritten();
                (self.totals.last_seq, self.totals.last_ns) = flushed;
                break;
            };
            let read = Gone::read(block, &mut self.disk, seq, &mut self.subject);
            let Ok(gone) = read else { break };
            if block.remove(&mut self.disk, seq, gone.len).is_err() {
                break;
            }
            self.forget(gone);
        }
        self.settle_first();
    }

    /// Writes what waits, and says what has to reach the disk for all of it to be durable.
    ///
    /// # Errors
    /// What the system says; nothing more is stored then.
    pub fn begin_sync(&mut self) -> Result<SyncBatch, StoreError> {
        self.writing(Self::sync_batch)
    }

    fn sync_batch(&mut self) -> Result<SyncBatch, StoreError> {
        self.flush_last()?;
        let mut files = Vec::new();
        for block in &mut self.blocks {
            files.extend(block.take_unsynced(&self.disk)?);
        }
        let unsynced = std::mem::take(&mut self.dir_unsynced);
        let dir = unsynced.then(|| (self.disk.env.clone(), self.disk.dir.clone()));
        let (last_seq, durable) = (self.totals.last_seq, self.durable.clone());
        Ok(SyncBatch { files, dir, last_seq, durable })
    }

    /// Makes all that was stored durable; the last sequence.
    ///
    /// # Errors
    /// What the system says; nothing more is stored then.
    pub fn sync(&mut self) -> Result<u64, StoreError> {
        self.writing(Self::sync_now)
    }

    pub(super) fn sync_now(&mut self) -> Result<u64, StoreError> {
        Ok(self.sync_batch()?.run()?)
    }

    /// Makes the names in the directory durable.
    pub(super) fn sync_dir(&mut self) -> Result<(), StoreError> {
        if self.dir_unsynced {
            self.disk.env.fs().sync_dir(&self.disk.dir)?;
            self.dir_unsynced = false;
        }
        Ok(())
    }
}

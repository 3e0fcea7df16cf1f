//! Removing single messages, and whole blocks.

use super::FileStore;
use super::disk::Disk;
use super::find::{behind, known};
use super::message_block::{MessageBlock, Stamp};
use crate::ds::seq_set::SeqSet;
use crate::store::message;
use crate::store::stream::StoreError;
use std::sync::atomic::Ordering;

/// Bytes of a last block whose messages are all gone, from which on a new one is begun so that it
/// can be removed.
const SPENT_LEN: u64 = 64 * 1024;

/// Why a message goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody said so: it must not come back.
    Asked,
    /// The stream's limits: they would remove it again.
    Limits,
}

/// A message that its block does not have any more.
#[derive(Clone, Copy)]
pub(super) struct Gone {
    pub block: u32,
    pub seq: u64,
    pub len: u64,
    pub time_ns: i64,
    pub ttl_s: i64,
}

impl Gone {
    /// Reads what has to be known of a message that goes, and its subject. Also what is damaged
    /// can go; nobody knows then what it was.
    pub fn read(
        block: &mut MessageBlock,
        disk: &mut Disk,
        seq: u64,
        subject: &mut Vec<u8>,
    ) -> Result<Self, StoreError> {
        let mut gone = Self { block: block.index, seq, len: 0, time_ns: 0, ttl_s: 0 };
        subject.clear();
        match block.peek(disk, seq) {
            Ok(Some(record)) => {
                (gone.len, gone.time_ns) = (record.len as u64, record.time_ns);
                gone.ttl_s = message::ttl_s(record.headers);
                subject.extend_from_slice(record.subject);
                Ok(gone)
            }
            Ok(None) | Err(StoreError::BadMessage(_)) => Ok(gone),
            Err(e) => Err(e),
        }
    }
}

impl FileStore {
    /// Removes a message and names it; whether there was one.
    pub(super) fn remove_one(&mut self, seq: u64, why: Why) -> Result<bool, StoreError> {
        let at = self.block_of(seq);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        if !block.holds(seq) {
            return Ok(false);
        }
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        let gone = Gone::read(block, &mut self.disk, seq, &mut self.subject)?;
        if why == Why::Asked {
            self.add_tombstone((seq, gone.time_ns))?;
        }
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        block.remove(&mut self.disk, seq, gone.len)?;
        let is_empty = block.messages == 0;
        self.forget(gone);
        if is_empty {
            self.remove_spent(at)?;
        }
        if seq == self.totals.first_seq {
            self.settle_first();
        }
        self.effects.push_removed(seq, &self.subject);
        Ok(true)
    }

    /// A message is gone, whose subject is in `self.subject`: everybody but its block learns it.
    pub(super) fn forget(&mut self, gone: Gone) {
        self.forget_subject(gone.block, gone.seq);
        if gone.ttl_s > 0 {
            self.expiries.remove(gone.seq, message::expiry_ns(gone.time_ns, gone.ttl_s));
        }
        self.proposals.remove(gone.seq, &self.subject);
        if let Some(schedules) = &mut self.schedules {
            schedules.remove(gone.seq);
        }
        self.dirty = true;
        self.totals.messages = self.totals.messages.saturating_sub(1);
        self.totals.bytes = self.totals.bytes.saturating_sub(gone.len);
        self.effects.messages -= 1;
        self.effects.bytes -= gone.len as i64;
    }

    /// Message `seq` of the subject in `self.subject`, in block `index`, is gone.
    fn forget_subject(&mut self, index: u32, seq: u64) {
        let Some(id) = self.subjects.find(&self.subject) else { return };
        let left = self.subjects.remove(id);
        let state = self.subjects.state_mut(id);
        if left == 0 {
            return;
        }
        if state.first_seq == seq {
            // One that is left is the last one too.
            let only = left == 1 && state.last_seq != seq && state.last_seq != 0;
            state.first_seq = if only { state.last_seq } else { behind(seq) };
            state.first_block = state.first_block.max(index);
        }
        if state.last_seq == seq {
            state.last_seq = known(state.first_seq).filter(|_| left == 1).unwrap_or(0);
            state.last_block = state.last_block.min(index);
        }
    }

    /// Moves the first sequence to the first message that there is.
    pub(super) fn settle_first(&mut self) {
        let first = self.blocks.iter().find(|block| block.messages > 0).map(|block| block.first);
        let next = if self.totals.last_seq == 0 { 0 } else { self.totals.last_seq + 1 };
        (self.totals.first_seq, self.totals.first_ns) = first.unwrap_or((next, 0));
    }

    /// Forgets the messages of a block before sequence `end`; they count in the totals only, and
    /// their stamps come back. The block's own counts are brought up to date.
    pub(super) fn forget_messages(
        &mut self,
        at: usize,
        end: u64,
    ) -> Result<Vec<Stamp>, StoreError> {
        let mut gone = Vec::new();
        let Some(block) = self.blocks.get(at) else { return Ok(gone) };
        let mut next = block.next_held(0);
        while let Some(seq) = next.filter(|seq| *seq < end) {
            let Some(block) = self.blocks.get_mut(at) else { break };
            let message = Gone::read(block, &mut self.disk, seq, &mut self.subject)?;
            next = block.next_held(seq + 1);
            block.remove(&mut self.disk, seq, message.len)?;
            gone.push((seq, message.time_ns));
            self.forget(message);
        }
        Ok(gone)
    }

    /// Messages of a block are gone: it goes too, or tombstones say so.
    pub(super) fn bury(&mut self, index: u32, gone: Vec<Stamp>) -> Result<(), StoreError> {
        let spent = self.blocks.iter().position(|b| b.index == index && b.messages == 0);
        if let Some(at) = spent
            && self.remove_spent(at)?
        {
            return Ok(());
        }
        gone.into_iter().try_for_each(|stamp| self.add_tombstone(stamp))
    }

    /// Removes a block without messages, unless it is needed: for the last sequence, or for its
    /// tombstones. Whether it is gone.
    pub(super) fn remove_spent(&mut self, at: usize) -> Result<bool, StoreError> {
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        // Bytes of messages that were damaged when they went.
        let lost = std::mem::take(&mut block.bytes);
        self.totals.bytes = self.totals.bytes.saturating_sub(lost);
        self.effects.bytes -= lost as i64;
        let (len, last_seq) = (block.len(), block.last.0);
        let is_last = at + 1 == self.blocks.len();
        if (is_last && len < SPENT_LEN) || !self.needed_tombstones(at)?.is_empty() {
            return Ok(false);
        }
        if is_last {
            self.new_block()?;
        }
        // A tombstone would delete the last message, if that is there.
        let holder = self.blocks.get(self.block_of(last_seq));
        let is_there = holder.is_some_and(|block| block.holds(last_seq));
        if last_seq == self.totals.last_seq && !is_there {
            // Another block must have the last sequence for good, before this one may be gone.
            self.add_tombstone((self.totals.last_seq, self.totals.last_ns))?;
            self.sync_now()?;
        }
        self.drop_block(at)?;
        Ok(true)
    }

    /// Removes a block, whatever is in it.
    pub(super) fn drop_block(&mut self, at: usize) -> Result<(), StoreError> {
        self.drop_index()?;
        self.outlast(at)?;
        if let Some(block) = self.blocks.remove(at) {
            self.disk.remove_block(block.index)?;
            self.dir_unsynced = true;
        }
        Ok(())
    }

    /// Makes sure that no sequence of a block can be used again when the block is gone and the
    /// power goes: a later one must be durable.
    pub(super) fn outlast(&mut self, at: usize) -> Result<(), StoreError> {
        let Some(last_seq) = self.blocks.get(at).map(|block| block.last.0) else { return Ok(()) };
        if self.durable.load(Ordering::Relaxed) > last_seq {
            return Ok(());
        }
        let mut later = self.blocks.iter_mut().skip(at + 1);
        let Some(block) = later.find(|block| block.last.0 > last_seq) else { return Ok(()) };
        block.flush(&mut self.disk)?;
        block.sync(&self.disk)?;
        let durable = block.last.0;
        self.sync_dir()?;
        self.durable.fetch_max(durable, Ordering::Relaxed);
        Ok(())
    }

    /// The tombstones of a block whose messages are still in the file of a block before it; the
    /// others can be given up.
    pub(super) fn needed_tombstones(&mut self, at: usize) -> Result<SeqSet, StoreError> {
        let mut needed = SeqSet::new();
        let Some(block) = self.blocks.get_mut(at) else { return Ok(needed) };
        let tombstones = block.tombstones(&mut self.disk)?;
        if !tombstones.is_empty() {
            // A block that was removed may still come back.
            self.sync_dir()?;
        }
        for (seq, _) in tombstones {
            let holder = self.block_of(seq);
            let (disk, before) = (&mut self.disk, self.blocks.iter_mut().take(at).enumerate());
            // One without messages does not know its sequences any more when it is opened again.
            let mut holders = before.filter(|(at, block)| *at == holder || block.messages == 0);
            let found = holders.try_fold(false, |found, (_, block)| {
                Ok::<_, StoreError>(found || block.has_record(disk, seq)?)
            });
            if found? {
                needed.insert(seq);
            }
        }
        Ok(needed)
    }

    /// Erases a message: its bytes are nowhere any more.
    pub(super) fn erase_one(&mut self, seq: u64) -> Result<bool, StoreError> {
        let at = self.block_of(seq);
        if !self.blocks.get(at).is_some_and(|block| block.holds(seq)) {
            return Ok(false);
        }
        // Encrypted files are left as they are, as upstream does it.
        let wipe = self.disk.keys.is_none();
        if wipe {
            self.drop_index()?;
            self.flush_last()?;
        }
        let index = self.blocks.get(at).map(|block| block.index);
        let removed = self.remove_one(seq, Why::Asked)?;
        // It may have been the last one of its block.
        let block = self.blocks.iter_mut().find(|block| Some(block.index) == index);
        if wipe && let Some(block) = block {
            block.erase(&mut self.disk, seq)?;
        }
        Ok(removed)
    }
}

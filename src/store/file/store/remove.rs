//! Removing single messages, and whole blocks.

use super::FileStore;
use super::append::expiry;
use super::message_block::Stamp;
use crate::ds::seq_set::SeqSet;
use crate::store::message;
use crate::store::stream::StoreError;

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

impl FileStore {
    /// Removes a message and names it; whether there was one.
    pub(super) fn remove_one(&mut self, seq: u64, why: Why) -> Result<bool, StoreError> {
        let removed = self.take_out(seq, why)?;
        if removed {
            self.effects.push_removed(seq, &self.subject);
        }
        Ok(removed)
    }

    /// Removes a message, which counts in the totals only; its subject stays in `self.subject`.
    pub(super) fn take_out(&mut self, seq: u64, why: Why) -> Result<bool, StoreError> {
        let at = self.block_of(seq);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        // Also one that is damaged can be removed: its hash does not matter.
        let Some(record) = block.peek(&mut self.disk, seq)? else { return Ok(false) };
        let (len, time_ns) = (record.len as u64, record.time_ns);
        self.subject.clear();
        self.subject.extend_from_slice(record.subject);
        let ttl_s = message::ttl_s(record.headers);
        let gone = Gone { block: block.index, seq, len, time_ns, ttl_s };
        if why == Why::Asked {
            self.add_tombstone((seq, time_ns))?;
        }
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        block.remove(&mut self.disk, seq, len)?;
        let is_empty = block.messages == 0;
        self.forget(gone);
        if is_empty {
            self.remove_spent(at)?;
        }
        if seq == self.totals.first_seq {
            self.settle_first();
        }
        Ok(true)
    }

    /// A message is gone, whose subject is in `self.subject`: everybody but its block learns it.
    pub(super) fn forget(&mut self, gone: Gone) {
        self.forget_subject(gone.block, gone.seq);
        if gone.ttl_s > 0 {
            self.expiries.remove(gone.seq, expiry(gone.time_ns, gone.ttl_s));
        }
        self.proposed.remove(&gone.seq);
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
            state.first_seq = if left == 1 && state.last_seq != seq { state.last_seq } else { 0 };
            state.first_block = state.first_block.max(index);
        }
        if state.last_seq == seq {
            state.last_seq = if left == 1 { state.first_seq } else { 0 };
            state.last_block = state.last_block.min(index);
        }
    }

    /// Moves the first sequence to the first message that there is.
    pub(super) fn settle_first(&mut self) {
        let first = self.blocks.iter().find(|block| block.messages > 0).map(|block| block.first);
        let next = if self.totals.last_seq == 0 { 0 } else { self.totals.last_seq + 1 };
        (self.totals.first_seq, self.totals.first_ns) = first.unwrap_or((next, 0));
    }

    /// Removes all messages of a block, by the limits, and the block.
    pub(super) fn remove_block(&mut self, at: usize) -> Result<(), StoreError> {
        self.forget_messages(at, u64::MAX)?;
        self.remove_spent(at)?;
        self.settle_first();
        Ok(())
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
        let (mut next, index) = (block.next_held(0), block.index);
        while let Some(seq) = next.filter(|seq| *seq < end) {
            let Some(block) = self.blocks.get_mut(at) else { break };
            let mut message = Gone { block: index, seq, len: 0, time_ns: 0, ttl_s: 0 };
            self.subject.clear();
            match block.peek(&mut self.disk, seq) {
                Ok(Some(record)) => {
                    (message.len, message.time_ns) = (record.len as u64, record.time_ns);
                    message.ttl_s = message::ttl_s(record.headers);
                    self.subject.extend_from_slice(record.subject);
                }
                // What is damaged goes too.
                Ok(None) | Err(StoreError::BadMessage(_)) => {}
                Err(e) => return Err(e),
            }
            next = block.next_held(seq + 1);
            block.remove(&mut self.disk, seq, message.len)?;
            gone.push((seq, message.time_ns));
            self.forget(message);
        }
        Ok(gone)
    }

    /// Removes a block without messages, unless it is needed: for the last sequence, or for its
    /// tombstones.
    pub(super) fn remove_spent(&mut self, at: usize) -> Result<(), StoreError> {
        let Some(block) = self.blocks.get(at) else { return Ok(()) };
        let is_last = at + 1 == self.blocks.len();
        if is_last && block.len() < SPENT_LEN {
            return Ok(());
        }
        let last = (self.totals.last_seq, self.totals.last_ns);
        let has_last = block.last.0 == last.0;
        if is_last {
            self.new_block()?;
        }
        if has_last || is_last {
            // Another block must have the last sequence for good, before this one may be gone.
            self.add_tombstone(last)?;
            self.sync_now()?;
        }
        if self.needed_tombstones(at)?.is_empty() {
            self.drop_block(at)?;
        }
        Ok(())
    }

    /// Removes a block, whatever is in it.
    pub(super) fn drop_block(&mut self, at: usize) -> Result<(), StoreError> {
        self.drop_index()?;
        if let Some(block) = self.blocks.remove(at) {
            self.disk.remove_block(block.index)?;
            self.dir_unsynced = true;
        }
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
            if holder < at
                && let Some(holder) = self.blocks.get_mut(holder)
                && holder.has_record(&mut self.disk, seq)?
            {
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

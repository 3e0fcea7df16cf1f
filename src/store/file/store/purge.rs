//! Removing many messages: purge, compact, truncate.

use super::super::layout;
use super::super::record::SEQ_MAX;
use super::FileStore;
use super::disk::gone;
use super::message_block::MessageBlock;
use super::remove::Gone;
use crate::ds::expiries::Expiries;
use crate::ds::seq_set::SeqSet;
use crate::model::StoreCompression;
use crate::store::message;
use crate::store::proposals::Proposals;
use crate::store::schedules::Schedules;
use crate::store::stream::{Filter, StoreError};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Bytes of a block's file from which on it is made smaller at once.
const COMPACT_LEN: u64 = 2 << 20;

impl FileStore {
    /// Removes all messages; the next sequence is `next` at least. How many there were.
    ///
    /// The blocks of the stream are replaced by one, with nothing but the last sequence: it is made
    /// beside them and moved to a folder, which takes their folder's place. A purge that came as
    /// far as to have the block there counts as done.
    pub(super) fn clear(&mut self, next: u64) -> Result<u64, StoreError> {
        let purged = self.totals.messages;
        let last_seq = self.totals.last_seq.max(next.saturating_sub(1));
        if last_seq >= SEQ_MAX {
            return Err(StoreError::SequenceMismatch);
        }
        // What ends before a block that is durable must be so too.
        self.sync_now()?;
        let before = self.totals.last_seq;
        self.totals.last_seq = last_seq;
        let made = self.make_last();
        self.totals.last_seq = before;
        let block = made?;
        let fs = self.disk.env.fs();
        let new = self.dir.join(layout::NEW_MESSAGES);
        let old = self.dir.join(layout::PURGED_MESSAGES);
        for left_over in [&new, &old] {
            gone(fs.remove_dir_all(left_over))?;
        }
        fs.create_dir_all(&new)?;
        fs.sync_dir(&self.dir)?;
        // The block last: when it is there, all is.
        let moves: [fn(&Path, u32) -> PathBuf; 2] = [layout::block_key, layout::block];
        for path in moves {
            gone(fs.rename(&path(&self.disk.dir, block.index), &path(&new, block.index)))?;
            fs.sync_dir(&new)?;
        }
        fs.rename(&self.disk.dir, &old)?;
        fs.rename(&new, &self.disk.dir)?;
        fs.sync_dir(&self.dir)?;
        gone(fs.remove_dir_all(&old))?;
        self.blocks = VecDeque::from([block]);
        (self.indexed, self.dir_unsynced) = (false, false);
        self.forget_all();
        self.totals.last_seq = last_seq;
        self.durable = Arc::new(AtomicU64::new(last_seq));
        (self.totals.first_seq, self.totals.first_ns) = (last_seq + 1, 0);
        Ok(purged)
    }

    /// A block behind all others that holds the last sequence, for good.
    fn make_last(&mut self) -> Result<MessageBlock, StoreError> {
        let index = self.blocks.back().map_or(Some(1), |block| block.index.checked_add(1));
        let index = index.ok_or(StoreError::SequenceMismatch)?;
        let last = (self.totals.last_seq, self.totals.last_ns);
        let mut block = MessageBlock::create(&self.disk, index, last)?;
        if last.0 > 0 {
            block.append_tombstone(last)?;
        }
        block.flush(&mut self.disk)?;
        block.sync(&self.disk)?;
        self.disk.env.fs().sync_dir(&self.disk.dir)?;
        Ok(block)
    }

    /// Nothing is there any more.
    fn forget_all(&mut self) {
        self.effects.messages -= self.totals.messages as i64;
        self.effects.bytes -= self.totals.bytes as i64;
        (self.totals.messages, self.totals.bytes) = (0, 0);
        self.aged_seq = 0;
        self.subjects.clear();
        self.expiries = Expiries::new();
        self.proposals = Proposals::default();
        if let Some(schedules) = &mut self.schedules {
            *schedules = Schedules::new();
        }
        self.dirty = true;
    }

    /// Removes all messages, and forgets that there were any.
    pub(super) fn reset(&mut self, now_ns: i64) -> Result<(), StoreError> {
        self.drop_derived()?;
        (self.totals.last_seq, self.totals.last_ns) = (0, now_ns);
        self.clear(0)?;
        self.totals.first_seq = 0;
        Ok(())
    }

    /// Removes the messages before `seq`, which is not beyond the last. How many there were.
    pub(super) fn compact_to(&mut self, seq: u64) -> Result<u64, StoreError> {
        if self.totals.first_seq >= seq {
            return Ok(0);
        }
        let before = self.totals.messages;
        self.drop_index()?;
        // Those that are whole before it go as they are; the last one is not among them.
        while self.blocks.len() > 1 && self.blocks.front().is_some_and(|b| b.last.0 < seq) {
            self.forget_messages(0, u64::MAX)?;
            // What its tombstones delete was before it: they can be given up when that is gone.
            self.needed_tombstones(0)?;
            self.drop_block(0)?;
        }
        self.compact_block_to(0, seq)?;
        self.settle_first();
        self.flush_last()?;
        Ok(before - self.totals.messages)
    }

    /// Removes the messages of a block before `seq`, from its file if that is worth it.
    fn compact_block_to(&mut self, at: usize, seq: u64) -> Result<(), StoreError> {
        let gone = self.forget_messages(at, seq)?;
        let Some(block) = self.blocks.get(at) else { return Ok(()) };
        let large = block.len() > COMPACT_LEN && block.bytes.saturating_mul(2) < block.len();
        if large && block.messages > 0 {
            return self.rewrite_block(at);
        }
        self.bury(block.index, gone)
    }

    /// Writes a block's file anew with what is left in it.
    pub(super) fn rewrite_block(&mut self, at: usize) -> Result<(), StoreError> {
        let needed = self.needed_tombstones(at)?;
        self.drop_index()?;
        // Sequences at its end may be found nowhere else.
        self.outlast(at)?;
        let last_seq = self.totals.last_seq;
        let is_last = at + 1 == self.blocks.len();
        // The last message is in one block; others, of tombstones, may end with it.
        let holder = self.blocks.iter().position(|block| block.holds(last_seq));
        let is_elsewhere = holder.is_some_and(|holder| holder != at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        // Who has the last sequence keeps it: behind its messages as a skipped one. Of blocks
        // without messages there may be several, and a sequence may be in one only; in a tombstone
        // it may be in all of them.
        let ends = block.last.0 == last_seq && !is_elsewhere;
        let last = Some(block.last).filter(|_| ends && block.messages > 0);
        let mark = Some(block.last).filter(|_| ends && block.messages == 0);
        let packed = self.config.compression == StoreCompression::S2 && !is_last;
        let before = block.len();
        block.rewrite(&mut self.disk, last, mark.as_slice(), packed, |seq| needed.contains(seq))?;
        block.compact = block.len() >= before;
        if block.messages == 0 && mark.is_none() {
            // It has no sequence any more.
            let before = at.checked_sub(1).and_then(|at| self.blocks.get(at));
            let before = before.map_or((0, 0), |block| block.last);
            self.blocks.get_mut(at).into_iter().for_each(|block| block.end_at(before));
        }
        Ok(())
    }

    /// Removes what is meant, as the trait says it.
    pub(super) fn purge_meant(
        &mut self,
        filter: Filter<'_>,
        seq: u64,
        keep: u64,
    ) -> Result<u64, StoreError> {
        let state = self.count(1, filter, false)?;
        if state.messages <= keep {
            return Ok(0);
        }
        let most = state.messages - keep;
        let last = if seq == 0 { state.last_seq } else { (seq - 1).min(state.last_seq) };
        let (mut removed, mut next) = (0, state.first_seq);
        let mut only = None;
        // What is gone from one block; there is nothing to be said of it when the block goes.
        let (mut gone, mut index) = (Vec::new(), 0);
        while removed < most
            && let Some(found) = self.find_next(filter, next)?.filter(|found| *found <= last)
        {
            next = found + 1;
            if self.blocks.get(self.block_of(found)).is_some_and(|block| block.index != index) {
                self.bury(index, std::mem::take(&mut gone))?;
            }
            let at = self.block_of(found);
            let Some(block) = self.blocks.get_mut(at) else { break };
            let message = Gone::read(block, &mut self.disk, found, &mut self.subject)?;
            block.remove(&mut self.disk, found, message.len)?;
            index = block.index;
            gone.push((found, message.time_ns));
            self.forget(message);
            removed += 1;
            only = (removed == 1).then_some(found);
        }
        if let Some(only) = only {
            self.effects.push_removed(only, &self.subject);
        }
        self.bury(index, gone)?;
        self.settle_first();
        self.flush_last()?;
        Ok(removed)
    }

    /// Forgets everything after `seq`, which is before the last.
    ///
    /// Tombstones of what is cut off may be needed: first they are put where they stay, then blocks
    /// are removed, those before others whose tombstones are for them, then the block of `seq` is
    /// cut. A crash in between leaves some of what was to be forgotten, and nothing else.
    pub(super) fn truncate_to(&mut self, seq: u64) -> Result<(), StoreError> {
        self.drop_derived()?;
        self.drop_index()?;
        self.flush_last()?;
        let at = self.block_of(seq).min(self.blocks.len().saturating_sub(1));
        // Records of removed messages, in blocks that may not know any more that they had them.
        for before in 0..at {
            if self.blocks.get(before).is_some_and(|block| block.messages == 0) {
                self.rewrite_block(before)?;
            }
        }
        let (mut carried, mut concerned) = (Vec::new(), false);
        for later in at + 1..self.blocks.len() {
            let needed = self.needed_tombstones(later)?;
            concerned |= !needed.is_empty();
            let Some(block) = self.blocks.get_mut(later) else { break };
            let tombstones = block.tombstones(&mut self.disk)?;
            let is_carried = |of: u64| needed.contains(of) && of <= seq;
            carried.extend(tombstones.into_iter().filter(|stamp| is_carried(stamp.0)));
        }
        let own = self.needed_tombstones(at)?;
        let last = self.last_stamp(at, seq)?;
        if concerned && let Some(block) = self.blocks.get_mut(at) {
            // Without the messages that they delete here.
            let whole = Some(block.last);
            block.rewrite(&mut self.disk, whole, &carried, false, |seq| own.contains(seq))?;
        }
        while self.blocks.len() > at + 1 {
            self.forget_messages(at + 1, u64::MAX)?;
            // What its tombstones delete is before it.
            self.needed_tombstones(at + 1)?;
            self.drop_block(at + 1)?;
        }
        self.sync_dir()?;
        self.cut(at, last, &carried, &own)?;
        (self.totals.last_seq, self.totals.last_ns) = last;
        self.aged_seq = self.aged_seq.min(seq);
        // A sync that is under way speaks of sequences that are gone.
        self.durable = Arc::new(AtomicU64::new(seq));
        self.settle_first();
        Ok(())
    }

    /// The time at which the stream ends with `seq`.
    fn last_stamp(&mut self, at: usize, seq: u64) -> Result<(u64, i64), StoreError> {
        let Some(block) = self.blocks.get_mut(at) else { return Ok((seq, self.totals.last_ns)) };
        let time_ns = match block.holds(seq) {
            true => block.time_of(&mut self.disk, seq)?,
            false => block.last.1,
        };
        Ok((seq, time_ns))
    }

    /// Ends the last block behind `last`.
    fn cut(
        &mut self,
        at: usize,
        last: (u64, i64),
        carried: &[(u64, i64)],
        own: &SeqSet,
    ) -> Result<(), StoreError> {
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        let index = block.index;
        let mut seqs = Vec::new();
        let mut next = block.next_held(last.0 + 1);
        while let Some(seq) = next {
            seqs.push(seq);
            next = block.next_held(seq + 1);
        }
        for seq in seqs.into_iter().rev() {
            let Some(block) = self.blocks.get_mut(at) else { break };
            let Some(record) = block.peek(&mut self.disk, seq)? else { continue };
            let (len, time_ns) = (record.len as u64, record.time_ns);
            let ttl_s = message::ttl_s(record.headers);
            self.subject.clear();
            self.subject.extend_from_slice(record.subject);
            block.remove(&mut self.disk, seq, len)?;
            self.forget(Gone { block: index, seq, len, time_ns, ttl_s });
        }
        let Some(block) = self.blocks.get_mut(at) else { return Ok(()) };
        block.rewrite(&mut self.disk, Some(last), carried, false, |seq| own.contains(seq))?;
        block.end_at(last);
        block.check_open(&self.disk)?;
        Ok(())
    }
}

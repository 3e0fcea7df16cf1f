//! A block of a running store: what is known of it, its records that wait to be written, and
//! where in the file the others are.

use super::super::hash::{HASH_LEN, KeyedHash};
use super::super::record::{
    self, EMPTY_LEN, HEADER_LEN, Header, Kind, Record, RecordError, append_message, append_skipped,
    append_tombstone,
};
use super::super::state::{BlockState, Gaps};
use super::body::Body;
use super::disk::{Disk, Part};
use super::places::Places;
use super::postings::Postings;
use crate::base::fs::File;
use crate::ds::seq_set::SeqSet;
use crate::store::stream::{NewMessage, StoreError};
use std::io;
use std::sync::Arc;

/// A message, a tombstone or a skipped sequence, by sequence and time.
pub(super) type Stamp = (u64, i64);

/// A block. Sequences and times as in [`BlockState`].
pub(super) struct MessageBlock {
    pub index: u32,
    pub messages: u64,
    pub bytes: u64,
    pub first: Stamp,
    pub last: Stamp,
    /// The last one that is written.
    pub flushed: Stamp,
    pub deleted: SeqSet,
    pub ttls: u64,
    pub schedules: u64,
    /// What is in the file may not survive a loss of power.
    pub unsynced: bool,
    /// Rewriting it would not make it smaller.
    pub compact: bool,
    /// When it was last read; by the store's count of reads.
    pub used: u64,
    /// Records can be added: the file is as it is to be written.
    pub open: bool,
    hash: KeyedHash,
    body: Body,
    places: Option<Places>,
    /// Its messages by subject, while somebody asks for them.
    pub postings: Option<Postings>,
}

impl MessageBlock {
    /// A new one, behind all before: `last` is the last sequence that there was.
    pub fn create(disk: &Disk, index: u32, last: Stamp) -> io::Result<Self> {
        let file = disk.create_block(index)?;
        let state = BlockState {
            index,
            first_seq: last.0.saturating_add(1),
            last_seq: last.0,
            last_ns: last.1,
            ..BlockState::default()
        };
        let mut block = Self::recovered(disk, &state, 0, false);
        block.body.file = Some(file);
        block.places = Some(Places::default());
        block.open = true;
        Ok(block)
    }

    /// One that is there, with a file of `written` bytes.
    pub fn recovered(disk: &Disk, state: &BlockState, written: u64, packed: bool) -> Self {
        let mut deleted = SeqSet::new();
        state.deleted.iter().for_each(|seq| _ = deleted.insert(seq));
        Self {
            index: state.index,
            messages: state.messages,
            bytes: state.bytes,
            first: (state.first_seq, state.first_ns),
            last: (state.last_seq, state.last_ns),
            flushed: (state.last_seq, state.last_ns),
            deleted,
            ttls: state.ttls,
            schedules: state.schedules,
            unsynced: false,
            compact: false,
            used: 0,
            open: false,
            hash: KeyedHash::for_block(&disk.stream, state.index),
            body: Body::new(state.index, written, packed),
            places: None,
            postings: None,
        }
    }

    /// What the index holds of it.
    pub fn state(&self) -> BlockState {
        let mut deleted = Gaps::default();
        self.deleted.iter().for_each(|seq| deleted.push(seq, seq));
        BlockState {
            index: self.index,
            messages: self.messages,
            bytes: self.bytes,
            first_seq: self.first.0,
            first_ns: self.first.1,
            last_seq: self.last.0,
            last_ns: self.last.1,
            deleted,
            ttls: self.ttls,
            schedules: self.schedules,
        }
    }

    /// Whether message `seq` is in it.
    pub fn holds(&self, seq: u64) -> bool {
        self.messages > 0
            && (self.first.0..=self.last.0).contains(&seq)
            && !self.deleted.contains(seq)
    }

    /// The first of its messages from `seq` on.
    pub fn next_held(&self, seq: u64) -> Option<u64> {
        let seq = seq.max(self.first.0);
        if self.messages == 0 || seq > self.last.0 {
            return None;
        }
        self.deleted.absent_from(seq).filter(|seq| *seq <= self.last.0)
    }

    /// The last of its messages up to `seq`.
    pub fn prev_held(&self, seq: u64) -> Option<u64> {
        let seq = seq.min(self.last.0);
        if self.messages == 0 || seq < self.first.0 {
            return None;
        }
        self.deleted.absent_to(seq).filter(|seq| *seq >= self.first.0)
    }

    /// Bytes of its records, or of its file if that is compressed, with what waits.
    pub fn len(&self) -> u64 {
        self.body.len()
    }

    /// Bytes that wait to be written.
    pub fn pending(&self) -> u64 {
        self.body.len() - self.body.written
    }

    /// Looks at the file whether records can be added.
    pub fn check_open(&mut self, disk: &Disk) -> io::Result<()> {
        let encrypted = disk.keys.is_some();
        let key = &self.body.file(disk)?.key;
        let right = key.as_ref().map_or(!encrypted, |key| encrypted && key.is_current());
        self.open = right && !self.body.packed;
        Ok(())
    }

    /// Adds a message behind all before; bytes of its record.
    pub fn append_message(
        &mut self,
        new: &NewMessage<'_>,
        seq: u64,
        time_ns: i64,
    ) -> Result<u64, StoreError> {
        let at = self.len();
        let NewMessage { subject, headers, payload, .. } = *new;
        append_message(&mut self.body.tail, &self.hash, seq, time_ns, subject, headers, payload)
            .map_err(|_| StoreError::TooLarge)?;
        if let Some(places) = &mut self.places {
            places.push(seq, at as u32);
        }
        if self.messages == 0 {
            self.first = (seq, time_ns);
            self.deleted.clear();
        } else {
            // Sequences that were used and lost.
            (self.last.0 + 1..seq).for_each(|seq| _ = self.deleted.insert(seq));
        }
        let len = self.len() - at;
        self.messages += 1;
        self.bytes += len;
        self.last = (seq, time_ns);
        Ok(len)
    }

    /// Adds the record of a sequence that no message has, behind all before.
    pub fn append_skipped(&mut self, seq: u64, time_ns: i64) -> Result<(), StoreError> {
        append_skipped(&mut self.body.tail, &self.hash, seq, time_ns)
            .map_err(|_| StoreError::SequenceMismatch)?;
        if self.messages > 0 {
            (self.last.0 + 1..=seq).for_each(|seq| _ = self.deleted.insert(seq));
        } else {
            self.first = (seq.saturating_add(1), 0);
        }
        self.last = (seq, time_ns);
        Ok(())
    }

    /// Adds a tombstone: message `seq`, here or before, is deleted.
    pub fn append_tombstone(&mut self, (seq, time_ns): Stamp) -> Result<(), StoreError> {
        append_tombstone(&mut self.body.tail, &self.hash, seq, time_ns)
            .map_err(|_| StoreError::TooLarge)?;
        Ok(())
    }

    /// Writes what waits.
    pub fn flush(&mut self, disk: &mut Disk) -> io::Result<()> {
        self.unsynced |= self.body.flush(disk)?;
        self.flushed = self.last;
        Ok(())
    }

    /// Gives up the records that wait to be written; their messages are gone already.
    pub fn give_up_unwritten(&mut self) {
        self.body.give_up_unwritten();
        self.end_at(self.flushed);
    }

    /// Nothing is added any more; all must be written. Gives up the memory for that.
    pub fn close(&mut self) {
        self.open = false;
        self.body.close();
    }

    /// The file, to be synced.
    pub fn take_unsynced(&mut self, disk: &Disk) -> io::Result<Option<Arc<dyn File>>> {
        if !self.unsynced {
            return Ok(None);
        }
        let file = self.body.file(disk)?.file.clone();
        self.unsynced = false;
        Ok(Some(file))
    }

    /// Makes what is written durable.
    pub fn sync(&mut self, disk: &Disk) -> io::Result<()> {
        self.body.file(disk)?.file.sync_data()?;
        self.unsynced = false;
        Ok(())
    }

    /// Gives up what was loaded to read it.
    pub fn release(&mut self) {
        (self.places, self.postings) = (None, None);
        self.body.release();
    }

    /// Whether anything is loaded that can be given up.
    pub fn is_loaded(&self) -> bool {
        self.places.is_some() || self.postings.is_some()
    }

    /// The message `seq`, verified; nothing if it is not here.
    pub fn message<'a>(
        &'a mut self,
        disk: &'a mut Disk,
        seq: u64,
    ) -> Result<Option<Record<'a>>, StoreError> {
        self.record(disk, seq, Record::decode)
    }

    /// As [`MessageBlock::message`], without a look at the hash: for what only counts messages or
    /// looks for one.
    pub fn peek<'a>(
        &'a mut self,
        disk: &'a mut Disk,
        seq: u64,
    ) -> Result<Option<Record<'a>>, StoreError> {
        self.record(disk, seq, |bytes, _| Record::decode_unverified(bytes))
    }

    fn record<'a>(
        &'a mut self,
        disk: &'a mut Disk,
        seq: u64,
        decode: impl Fn(&'a [u8], &KeyedHash) -> Result<Record<'a>, RecordError>,
    ) -> Result<Option<Record<'a>>, StoreError> {
        if !self.holds(seq) {
            return Ok(None);
        }
        let at = self.load_place(disk, seq)?.ok_or(StoreError::BadMessage(seq))?;
        let bytes = self.body.read(disk, at, Part::Whole)?;
        let record = decode(bytes, &self.hash).ok().filter(|record| record.seq == seq);
        record.map(Some).ok_or(StoreError::BadMessage(seq))
    }

    /// The time of message `seq`.
    pub fn time_of(&mut self, disk: &mut Disk, seq: u64) -> Result<i64, StoreError> {
        if seq == self.first.0 && self.messages > 0 {
            return Ok(self.first.1);
        }
        let at = self.load_place(disk, seq)?.ok_or(StoreError::BadMessage(seq))?;
        let bytes = self.body.read(disk, at, Part::Header)?;
        let header = Header::decode(bytes).map_err(|_| StoreError::BadMessage(seq))?;
        Ok(header.time_ns)
    }

    /// Whether a record of message `seq` is in the file, deleted or not.
    pub fn has_record(&mut self, disk: &mut Disk, seq: u64) -> Result<bool, StoreError> {
        Ok(self.load_place(disk, seq)?.is_some())
    }

    /// The tombstones in it.
    pub fn tombstones(&mut self, disk: &mut Disk) -> Result<Vec<Stamp>, StoreError> {
        let mut found = Vec::new();
        self.scan(disk, |_, header| {
            if header.kind == Kind::Tombstone {
                found.push((header.seq, header.time_ns));
            }
        })?;
        Ok(found)
    }

    /// Message `seq` is gone: counts it, `len` bytes.
    pub fn remove(&mut self, disk: &mut Disk, seq: u64, len: u64) -> Result<(), StoreError> {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(len);
        self.compact = false;
        if self.messages == 0 {
            self.first = (self.last.0.saturating_add(1), 0);
            self.deleted.clear();
            return Ok(());
        }
        if seq != self.first.0 {
            self.deleted.insert(seq);
            return Ok(());
        }
        let mut next = seq.saturating_add(1);
        while self.deleted.remove(next) {
            next = next.saturating_add(1);
        }
        self.first = (next, 0);
        if let Some(at) = self.load_place(disk, next)? {
            let bytes = self.body.read(disk, at, Part::Header)?;
            self.first.1 = Header::decode(bytes).map_or(0, |header| header.time_ns);
        }
        Ok(())
    }

    /// Replaces the record of message `seq` by noise, in the file too.
    pub fn erase(&mut self, disk: &mut Disk, seq: u64) -> Result<(), StoreError> {
        let at = self.load_place(disk, seq)?.ok_or(StoreError::BadMessage(seq))?;
        let mut records = self.records(disk)?;
        let record = usize::try_from(at).ok().and_then(|at| records.get_mut(at..));
        let record = record.ok_or(StoreError::BadMessage(seq))?;
        let len = Header::decode(record).map_err(|_| StoreError::BadMessage(seq))?.len;
        let record = record.get_mut(..len).ok_or(StoreError::BadMessage(seq))?;
        let mut noise = vec![0; len - EMPTY_LEN];
        disk.env.entropy(&mut noise);
        record::erase(record, &self.hash, seq, &noise);
        self.replace(disk, records, self.body.packed)
    }

    /// Compresses the file. All must be written; nothing can be added then.
    pub fn pack(&mut self, disk: &mut Disk) -> Result<(), StoreError> {
        if self.body.packed {
            return Ok(());
        }
        let records = self.records(disk)?;
        self.replace(disk, records, true)
    }

    /// Writes the file anew with the messages that are left, those tombstones that `keeps` says,
    /// and `more` of them. With `last` it ends there, with a skipped sequence if that is no message;
    /// else with the last message.
    pub fn rewrite(
        &mut self,
        disk: &mut Disk,
        last: Option<Stamp>,
        more: &[Stamp],
        packed: bool,
        keeps: impl Fn(u64) -> bool,
    ) -> Result<(), StoreError> {
        let records = self.records(disk)?;
        let (mut kept, mut rest) = (Vec::with_capacity(records.len() / 2), &records[..]);
        let mut newest = (0, 0);
        let until = last.map_or(u64::MAX, |(seq, _)| seq);
        while let Ok(record) = Record::decode_unverified(rest) {
            let (bytes, after) = rest.split_at(record.len);
            rest = after;
            let keep = match record.kind {
                Kind::Message => {
                    record.seq > newest.0 && record.seq <= until && self.holds(record.seq)
                }
                Kind::Tombstone => record.seq <= until && keeps(record.seq),
                Kind::Erased => false,
            };
            if keep {
                kept.extend_from_slice(bytes);
            }
            if keep && record.kind == Kind::Message {
                newest = (record.seq, record.time_ns);
            }
        }
        for (seq, time_ns) in more {
            append_tombstone(&mut kept, &self.hash, *seq, *time_ns)
                .map_err(|_| StoreError::TooLarge)?;
        }
        if let Some((seq, time_ns)) = last.filter(|(seq, _)| *seq > newest.0) {
            append_skipped(&mut kept, &self.hash, seq, time_ns)
                .map_err(|_| StoreError::TooLarge)?;
        }
        self.replace(disk, kept, packed)?;
        if last.is_none() && self.messages > 0 {
            self.end_at(newest);
        }
        Ok(())
    }

    /// It ends with this sequence; what was behind it is gone already.
    pub fn end_at(&mut self, last: Stamp) {
        if self.messages == 0 {
            self.first = (last.0.saturating_add(1), 0);
            self.deleted.clear();
        } else {
            (self.last.0.saturating_add(1)..=last.0).for_each(|seq| _ = self.deleted.insert(seq));
            let beyond: Vec<u64> = self.deleted.iter_from(last.0.saturating_add(1)).collect();
            beyond.into_iter().for_each(|seq| _ = self.deleted.remove(seq));
        }
        (self.last, self.flushed) = (last, last);
    }

    fn replace(
        &mut self,
        disk: &mut Disk,
        records: Vec<u8>,
        packed: bool,
    ) -> Result<(), StoreError> {
        self.unsynced = false;
        self.open &= !packed;
        self.postings = None;
        self.places = None;
        Ok(self.body.replace(disk, records, packed)?)
    }

    /// All of its records, those that wait included.
    pub fn records(&mut self, disk: &mut Disk) -> Result<Vec<u8>, StoreError> {
        self.flush(disk)?;
        Ok(self.body.read_all(disk)?)
    }

    /// The hash of its last record.
    pub fn last_hash(&mut self, disk: &Disk) -> Result<[u8; HASH_LEN], StoreError> {
        Ok(self.body.last_hash(disk)?)
    }

    /// Calls `visit` with the header of every record and where it is.
    fn scan(
        &mut self,
        disk: &mut Disk,
        mut visit: impl FnMut(u64, Header),
    ) -> Result<(), StoreError> {
        let end = self.body.load(disk)?;
        let mut at = 0;
        while at + HEADER_LEN as u64 <= end {
            let Ok(header) = Header::decode(self.body.read(disk, at, Part::Header)?) else { break };
            let next = at + header.len as u64;
            if next > end {
                break;
            }
            visit(at, header);
            at = next;
        }
        Ok(())
    }

    /// Where the record of message `seq` is, if it is.
    fn load_place(&mut self, disk: &mut Disk, seq: u64) -> Result<Option<u64>, StoreError> {
        if self.places.is_none() {
            let mut places = Places::default();
            self.scan(disk, |at, header| {
                if header.kind == Kind::Message {
                    places.push(header.seq, at as u32);
                }
            })?;
            self.places = Some(places);
        }
        Ok(self.places.as_ref().and_then(|places| places.get(seq)).map(u64::from))
    }
}

//! The memory store as a [`StreamStore`].

use super::MemoryStore;
use crate::ds::expiries::Expiries;
use crate::model::{SimpleState, StorageType, StreamConfig, StreamState, Time};
use crate::store::message;
use crate::store::schedules::Schedules;
use crate::store::sources::{SourceState, Sources};
use crate::store::stream::{Effects, Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use crate::store::stream_state::{DeleteBlock, EncodedStreamState};
use std::collections::BTreeMap;
use std::mem;

impl StreamStore for MemoryStore {
    fn kind(&self) -> StorageType {
        StorageType::Memory
    }

    fn take_effects(&mut self, out: &mut Effects) {
        self.effects.take_into(out);
    }

    fn store(&mut self, message: NewMessage<'_>, now_ns: i64) -> Result<u64, StoreError> {
        self.store_raw(message, 0, now_ns, true)?;
        Ok(self.last_seq)
    }

    fn store_raw(
        &mut self,
        message: NewMessage<'_>,
        seq: u64,
        time_ns: i64,
        check: bool,
    ) -> Result<(), StoreError> {
        self.open()?;
        if check {
            self.check(&message)?;
        }
        let seq = self.next_seq(seq)?;
        self.append(message, seq, time_ns);
        self.enforce_subject(message.subject);
        self.enforce_totals();
        self.note(message, seq, time_ns);
        Ok(())
    }

    fn skip(&mut self, seq: u64, now_ns: i64, no_interest: bool) -> Result<u64, StoreError> {
        self.open()?;
        let seq = self.next_seq(seq)?;
        self.skip_many(seq, 1, now_ns)?;
        if no_interest {
            self.last_time = Time::from_unix_ns(now_ns);
        }
        Ok(seq)
    }

    fn skip_many(&mut self, seq: u64, count: u64, now_ns: i64) -> Result<(), StoreError> {
        self.open()?;
        self.next_seq(seq)?;
        if count == 0 {
            return Ok(());
        }
        let last = self.last_seq.checked_add(count).filter(|last| *last < u64::MAX);
        self.last_seq = last.ok_or(StoreError::SequenceMismatch)?;
        if self.last_time.is_zero() {
            self.last_time = Time::from_unix_ns(now_ns);
        }
        if self.messages.len() == 0 {
            self.first_seq = self.last_seq + 1;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.open()
    }

    fn load(&mut self, seq: u64, out: &mut StoredMessage) -> Result<(), StoreError> {
        self.open()?;
        match self.messages.get(seq) {
            Some(message) => message.copy_to(seq, out),
            None if seq > self.last_seq => return Err(StoreError::Eof),
            None => return Err(StoreError::NotFound),
        }
        Ok(())
    }

    fn load_next(
        &mut self,
        filter: Filter<'_>,
        start: u64,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError> {
        self.open()?;
        let (seq, message) = self.find_next(filter, start).ok_or(StoreError::Eof)?;
        message.copy_to(seq, out);
        Ok(())
    }

    fn load_prev(
        &mut self,
        filter: Filter<'_>,
        start: u64,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError> {
        self.open()?;
        let (seq, message) = self.find_prev(filter, start).ok_or(StoreError::Eof)?;
        message.copy_to(seq, out);
        Ok(())
    }

    fn load_last(&mut self, filter: Filter<'_>, out: &mut StoredMessage) -> Result<(), StoreError> {
        self.open()?;
        let last = match filter {
            // As upstream: not the one before it, if the last message was deleted.
            Filter::All => self.last_seq,
            Filter::Literal(subject) => self.subjects.get(subject).map_or(0, |s| s.last_seq),
            _ => self.count(1, filter, true).last_seq,
        };
        let message = self.messages.get(last).ok_or(StoreError::NotFound)?;
        message.copy_to(last, out);
        Ok(())
    }

    fn subject_for_seq(&mut self, seq: u64) -> Result<Vec<u8>, StoreError> {
        self.open()?;
        let message = self.messages.get(seq).ok_or(StoreError::NotFound)?;
        Ok(message.subject().to_vec())
    }

    fn remove(&mut self, seq: u64) -> Result<bool, StoreError> {
        self.open()?;
        Ok(self.remove_one(seq, false))
    }

    fn erase(&mut self, seq: u64) -> Result<bool, StoreError> {
        self.open()?;
        Ok(self.remove_one(seq, true))
    }

    fn purge(&mut self) -> Result<u64, StoreError> {
        self.open()?;
        Ok(self.clear(self.last_seq.saturating_add(1)))
    }

    fn purge_ex(&mut self, filter: Filter<'_>, seq: u64, keep: u64) -> Result<u64, StoreError> {
        self.open()?;
        if seq == 1 {
            return Ok(0);
        }
        if matches!(filter, Filter::All) {
            match (seq, keep) {
                (0, 0) => return self.purge(),
                (0, _) => {}
                _ => return self.compact(seq),
            }
        }
        let state = self.count(1, filter, false);
        if state.messages <= keep {
            return Ok(0);
        }
        let most = usize::try_from(state.messages - keep).unwrap_or(usize::MAX);
        let last = if seq == 0 { state.last_seq } else { (seq - 1).min(state.last_seq) };
        if last < state.first_seq {
            return Ok(0);
        }
        let range = self.messages.range(state.first_seq..=last);
        let meant = range.filter(|(_, message)| filter.matches(message.subject()));
        let seqs: Vec<u64> = meant.map(|(seq, _)| seq).take(most).collect();
        Ok(self.remove_many(&seqs))
    }

    fn compact(&mut self, seq: u64) -> Result<u64, StoreError> {
        self.open()?;
        if seq == 0 {
            return self.purge();
        }
        if seq < self.first_seq {
            return Ok(0);
        }
        if seq > self.last_seq {
            return Ok(self.clear(seq));
        }
        let below = self.messages.range(self.first_seq..=seq.saturating_sub(1));
        let seqs: Vec<u64> = below.map(|(seq, _)| seq).collect();
        let removed = seqs.iter().filter_map(|seq| self.unlink(*seq)).count();
        self.settle_first();
        Ok(removed as u64)
    }

    fn truncate(&mut self, seq: u64, now_ns: i64) -> Result<(), StoreError> {
        self.open()?;
        if seq == 0 {
            self.clear(0);
            self.last_time = Time::from_unix_ns(now_ns);
            return Ok(());
        }
        if seq >= self.last_seq {
            return Ok(());
        }
        let above: Vec<u64> =
            self.messages.range(seq + 1..=self.last_seq).map(|(seq, _)| seq).collect();
        above.iter().for_each(|seq| _ = self.unlink(*seq));
        self.last_seq = seq;
        self.aged_seq = self.aged_seq.min(seq + 1);
        if let Some(message) = self.messages.get(seq) {
            self.last_time = Time::from_unix_ns(message.time_ns);
        }
        if self.messages.len() == 0 {
            self.first_seq = seq + 1;
        }
        Ok(())
    }

    fn expire(&mut self, now_ns: i64) -> Result<Option<i64>, StoreError> {
        self.open()?;
        Ok(self.expire_at(now_ns))
    }

    fn sync_deleted(&mut self, deleted: &[DeleteBlock]) -> Result<(), StoreError> {
        self.open()?;
        for block in deleted {
            let Some((first, last)) = block.bounds().filter(|(first, _)| *first <= self.last_seq)
            else {
                continue;
            };
            // A run may be longer than all that there is: ask the messages.
            let seqs: Vec<u64> = match block {
                DeleteBlock::Run { .. } => {
                    let range = self.messages.range(first..=last.min(self.last_seq));
                    range.map(|(seq, _)| seq).collect()
                }
                _ => block.iter().collect(),
            };
            seqs.iter().for_each(|seq| _ = self.remove_one(*seq, false));
        }
        Ok(())
    }

    fn seq_from_time(&mut self, time_ns: i64) -> u64 {
        if self.messages.len() == 0 {
            return self.last_seq.saturating_add(1);
        }
        // Times ascend, so halve the sequences until one is left.
        let (mut from, mut to) = (self.first_seq, self.last_seq.saturating_add(1));
        while from < to {
            let middle = from + (to - from) / 2;
            match self.messages.range(middle..=to).next() {
                Some((seq, message)) if message.time_ns < time_ns => from = seq + 1,
                _ => to = middle,
            }
        }
        let found = self.messages.range(from..=self.last_seq).next();
        found.map_or(self.last_seq.saturating_add(1), |(seq, _)| seq)
    }

    fn filtered_state(&mut self, seq: u64, filter: Filter<'_>) -> Result<SimpleState, StoreError> {
        self.open()?;
        Ok(self.count(seq, filter, false))
    }

    fn subjects_state(
        &mut self,
        filter: Filter<'_>,
    ) -> Result<BTreeMap<Vec<u8>, SimpleState>, StoreError> {
        self.open()?;
        let mut all = BTreeMap::new();
        self.subjects.for_each(filter, |subject, state| {
            all.insert(subject.to_vec(), *state);
        });
        Ok(all)
    }

    fn subjects_totals(&self, filter: Filter<'_>) -> BTreeMap<Vec<u8>, u64> {
        let mut all = BTreeMap::new();
        self.subjects.for_each(filter, |subject, state| {
            all.insert(subject.to_vec(), state.messages);
        });
        all
    }

    fn all_last_seqs(&mut self) -> Result<Vec<u64>, StoreError> {
        self.open()?;
        self.last_seqs(Filter::All, 0, 0)
    }

    fn multi_last_seqs(
        &mut self,
        filter: Filter<'_>,
        max_seq: u64,
        max_allowed: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.open()?;
        self.last_seqs(filter, max_seq, max_allowed)
    }

    fn num_pending(
        &mut self,
        seq: u64,
        filter: Filter<'_>,
        last_per_subject: bool,
    ) -> Result<(u64, u64), StoreError> {
        self.open()?;
        Ok((self.count(seq, filter, last_per_subject).messages, self.last_seq))
    }

    fn state(&self) -> StreamState {
        StreamState { deleted: self.deleted(), ..self.fast_state() }
    }

    fn fast_state(&self) -> StreamState {
        let first = self.messages.get(self.first_seq);
        let span = if self.messages.len() == 0 { 0 } else { self.last_seq - self.first_seq + 1 };
        StreamState {
            messages: self.messages.len(),
            bytes: self.bytes,
            first_seq: self.first_seq,
            first_ts: first.map_or(Time::default(), |first| Time::from_unix_ns(first.time_ns)),
            last_seq: self.last_seq,
            last_ts: self.last_time,
            num_subjects: self.subjects.len() as u64,
            num_deleted: span - self.messages.len(),
            ..StreamState::default()
        }
    }

    fn encoded_stream_state(&self, failed: u64, with_sources: bool) -> Result<Vec<u8>, StoreError> {
        self.open()?;
        let sources = if with_sources { self.sources_state() } else { Sources::default() };
        let state = EncodedStreamState {
            msgs: self.messages.len(),
            bytes: self.bytes,
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            failed,
            deleted: self.delete_blocks(),
            sources,
        };
        Ok(state.encode())
    }

    fn utilization(&self) -> (u64, u64) {
        (self.bytes, self.bytes)
    }

    fn update_config(&mut self, config: &StreamConfig, now_ns: i64) -> Result<(), StoreError> {
        self.open()?;
        if config.storage != StorageType::Memory {
            return Err(StoreError::WrongType);
        }
        let before = mem::replace(&mut self.config, config.clone());
        if !config.allow_msg_ttl {
            self.expiries = Expiries::new();
        } else if !before.allow_msg_ttl {
            self.read_ttls();
        }
        if !config.allow_msg_schedules {
            self.schedules = None;
        } else if self.schedules.is_none() {
            let mut schedules = Schedules::new();
            for (seq, message) in self.messages.range(self.first_seq..=self.last_seq) {
                let time_ns = message.time_ns;
                let at_ns = message::schedule(&self.env, message.headers(), time_ns, now_ns);
                at_ns.into_iter().for_each(|at_ns| schedules.set(seq, message.subject(), at_ns));
            }
            self.schedules = Some(schedules);
        }
        self.enforce_totals();
        if config.max_msgs_per_subject != before.max_msgs_per_subject {
            self.enforce_subjects();
        }
        self.reconsider(now_ns);
        self.expire_at(now_ns);
        Ok(())
    }

    fn track_sources(&mut self, names: &[Vec<u8>]) {
        self.sources.0.retain(|name, _| names.contains(name));
        for name in names {
            self.sources.0.entry(name.clone()).or_default();
        }
    }

    fn sources_state(&self) -> Sources {
        let mut sources = self.sources.clone();
        sources.0.retain(|_, source| source.seq > 0);
        sources
    }

    fn apply_sources_state(&mut self, sources: &Sources) {
        if self.sources.0.is_empty() || sources.0.is_empty() {
            return;
        }
        // The leader may know of sources that are yet to be followed here.
        self.sources.0.values_mut().for_each(|source| *source = SourceState::default());
        self.sources.0.extend(sources.0.clone());
    }

    fn schedules(&mut self) -> Option<&mut Schedules> {
        self.schedules.as_mut()
    }

    fn reset_state(&mut self) {
        if let Some(schedules) = &mut self.schedules {
            schedules.clear_inflight();
        }
    }

    fn stop(&mut self) -> Result<(), StoreError> {
        if !self.closed {
            self.clear(self.last_seq.saturating_add(1));
            self.closed = true;
        }
        Ok(())
    }

    fn delete(&mut self) -> Result<(), StoreError> {
        self.stop()
    }
}

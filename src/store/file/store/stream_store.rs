//! The file store as a [`StreamStore`].

use super::FileStore;
use super::remove::Why;
use crate::model::{SimpleState, StorageType, StreamConfig, StreamState};
use crate::store::schedules::Schedules;
use crate::store::sources::{SourceState, Sources};
use crate::store::stream::{Effects, Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use crate::store::stream_state::{DeleteBlock, EncodedStreamState};
use std::collections::BTreeMap;

/// Subjects from which on they are not in the processor's caches.
const MANY_SUBJECTS: usize = 10_000;

impl FileStore {
    fn read(&mut self, seq: u64, out: &mut StoredMessage) -> Result<bool, StoreError> {
        let at = self.block_of(seq);
        if !self.blocks.get(at).is_some_and(|block| block.holds(seq)) {
            return Ok(false);
        }
        self.touch(at);
        let Some(block) = self.blocks.get_mut(at) else { return Ok(false) };
        match block.message(&mut self.disk, seq) {
            Ok(Some(r)) => out.set_parts(seq, r.time_ns, r.subject, r.headers, r.payload),
            Ok(None) => return Ok(false),
            Err(e) => {
                // What is in memory may be what is wrong: who asks again gets it from the disk.
                block.release();
                let index = block.index;
                self.disk.forget(index);
                return Err(e);
            }
        }
        Ok(true)
    }

    /// The sources of which something has been seen.
    pub(super) fn known_sources(&self) -> Sources {
        let mut sources = self.sources.clone();
        sources.0.retain(|_, source| source.seq > 0);
        sources
    }

    fn read_found(
        &mut self,
        found: Option<u64>,
        none: StoreError,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError> {
        match found {
            Some(seq) if self.read(seq, out)? => Ok(()),
            _ => Err(none),
        }
    }
}

impl StreamStore for FileStore {
    fn kind(&self) -> StorageType {
        StorageType::File
    }

    fn take_effects(&mut self, out: &mut Effects) {
        self.effects.take_into(out);
    }

    fn look_ahead(&self, subjects: &[&[u8]]) {
        if self.subjects.len() >= MANY_SUBJECTS {
            self.subjects.look_ahead(subjects.iter().copied());
        }
    }

    fn store(&mut self, message: NewMessage<'_>, now_ns: i64) -> Result<u64, StoreError> {
        self.store_raw(message, 0, now_ns, true)?;
        Ok(self.totals.last_seq)
    }

    fn store_raw(
        &mut self,
        message: NewMessage<'_>,
        seq: u64,
        time_ns: i64,
        check: bool,
    ) -> Result<(), StoreError> {
        self.check_writable()?;
        if check {
            self.check_limits(&message)?;
        }
        let seq = self.next_seq(seq)?;
        self.writing(|store| store.store_message(&message, seq, time_ns))
    }

    fn skip(&mut self, seq: u64, now_ns: i64, no_interest: bool) -> Result<u64, StoreError> {
        self.check_writable()?;
        let seq = self.next_seq(seq)?;
        self.writing(|store| store.skip_messages(seq, 1, now_ns, no_interest))?;
        Ok(seq)
    }

    fn skip_many(&mut self, seq: u64, count: u64, now_ns: i64) -> Result<(), StoreError> {
        self.check_writable()?;
        let seq = self.next_seq(seq)?;
        self.writing(|store| store.skip_messages(seq, count, now_ns, false))
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.writing(Self::flush_last)
    }

    fn load(&mut self, seq: u64, out: &mut StoredMessage) -> Result<(), StoreError> {
        self.check_open()?;
        if self.read(seq, out)? {
            return Ok(());
        }
        Err(if seq > self.totals.last_seq { StoreError::Eof } else { StoreError::NotFound })
    }

    fn load_next(
        &mut self,
        filter: Filter<'_>,
        start: u64,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError> {
        self.check_open()?;
        let found = self.find_next(filter, start)?;
        self.read_found(found, StoreError::Eof, out)
    }

    fn load_prev(
        &mut self,
        filter: Filter<'_>,
        start: u64,
        out: &mut StoredMessage,
    ) -> Result<(), StoreError> {
        self.check_open()?;
        let found = self.find_prev(filter, start)?;
        self.read_found(found, StoreError::Eof, out)
    }

    fn load_last(&mut self, filter: Filter<'_>, out: &mut StoredMessage) -> Result<(), StoreError> {
        self.check_open()?;
        let found = match filter {
            // As upstream: not the one before it, if the last message was deleted.
            Filter::All => Some(self.totals.last_seq),
            Filter::Literal(subject) => match self.subjects.find(subject) {
                Some(id) => self.last_of(id, u64::MAX)?,
                None => None,
            },
            _ => self.find_prev(filter, u64::MAX)?,
        };
        self.read_found(found, StoreError::NotFound, out)
    }

    fn subject_for_seq(&mut self, seq: u64) -> Result<Vec<u8>, StoreError> {
        self.check_open()?;
        match self.read_subject(seq)? {
            true => Ok(self.subject.clone()),
            false => Err(StoreError::NotFound),
        }
    }

    fn remove(&mut self, seq: u64) -> Result<bool, StoreError> {
        self.writing(|store| store.remove_one(seq, Why::Asked))
    }

    fn erase(&mut self, seq: u64) -> Result<bool, StoreError> {
        self.writing(|store| store.erase_one(seq))
    }

    fn purge(&mut self) -> Result<u64, StoreError> {
        self.writing(|store| store.clear(0))
    }

    fn purge_ex(&mut self, filter: Filter<'_>, seq: u64, keep: u64) -> Result<u64, StoreError> {
        self.check_writable()?;
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
        self.writing(|store| store.purge_meant(filter, seq, keep))
    }

    fn compact(&mut self, seq: u64) -> Result<u64, StoreError> {
        self.writing(|store| match seq {
            0 => store.clear(0),
            seq if seq > store.totals.last_seq => store.clear(seq),
            seq => store.compact_to(seq),
        })
    }

    fn truncate(&mut self, seq: u64, now_ns: i64) -> Result<(), StoreError> {
        self.writing(|store| match seq {
            0 => store.reset(now_ns),
            seq if seq >= store.totals.last_seq => Ok(()),
            seq => store.truncate_to(seq),
        })
    }

    fn expire(&mut self, now_ns: i64) -> Result<Option<i64>, StoreError> {
        self.writing(|store| store.expire_at(now_ns))
    }

    fn sync_deleted(&mut self, deleted: &[DeleteBlock]) -> Result<(), StoreError> {
        self.writing(|store| {
            for block in deleted {
                let Some((first, last)) = block.bounds() else { continue };
                let remove = |store: &mut Self, seq| store.remove_one(seq, Why::Asked).map(drop);
                if !matches!(block, DeleteBlock::Run { .. }) {
                    block.iter().try_for_each(|seq| remove(store, seq))?;
                    continue;
                }
                // A run may be longer than all that there is: ask the messages.
                let mut next = store.next_held(first);
                while let Some(seq) = next.filter(|seq| *seq <= last) {
                    remove(store, seq)?;
                    next = store.next_held(seq + 1);
                }
            }
            store.flush_last()
        })
    }

    fn seq_from_time(&mut self, time_ns: i64) -> u64 {
        let none = self.totals.last_seq.saturating_add(1);
        self.find_time(time_ns).unwrap_or(none)
    }

    fn filtered_state(&mut self, seq: u64, filter: Filter<'_>) -> Result<SimpleState, StoreError> {
        self.check_open()?;
        let StreamState { first_seq, last_seq, .. } = self.short_state();
        if seq.max(first_seq) > last_seq {
            // As upstream, whose store in memory says nothing here: where the stream is.
            return Ok(SimpleState { messages: 0, first_seq, last_seq });
        }
        self.count(seq, filter, false)
    }

    fn subjects_state(
        &mut self,
        filter: Filter<'_>,
    ) -> Result<BTreeMap<Vec<u8>, SimpleState>, StoreError> {
        self.check_open()?;
        Ok(self.states(filter)?.into_iter().collect())
    }

    fn subjects_totals(&self, filter: Filter<'_>) -> BTreeMap<Vec<u8>, u64> {
        let mut all = BTreeMap::new();
        let _ = self.subjects.try_for_each(filter, |_, subject, state| {
            all.insert(subject.to_vec(), state.messages);
            std::ops::ControlFlow::<()>::Continue(())
        });
        all
    }

    fn all_last_seqs(&mut self) -> Result<Vec<u64>, StoreError> {
        self.check_open()?;
        self.last_seqs(Filter::All, u64::MAX, 0)
    }

    fn multi_last_seqs(
        &mut self,
        filter: Filter<'_>,
        max_seq: u64,
        max_allowed: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.check_open()?;
        let max_seq = if max_seq == 0 { u64::MAX } else { max_seq };
        self.last_seqs(filter, max_seq, max_allowed)
    }

    fn num_pending(
        &mut self,
        seq: u64,
        filter: Filter<'_>,
        last_per_subject: bool,
    ) -> Result<(u64, u64), StoreError> {
        self.check_open()?;
        Ok((self.count(seq, filter, last_per_subject)?.messages, self.totals.last_seq))
    }

    fn state(&self) -> StreamState {
        StreamState { deleted: self.gaps().iter().collect(), ..self.short_state() }
    }

    fn fast_state(&self) -> StreamState {
        self.short_state()
    }

    fn encoded_stream_state(&self, failed: u64, with_sources: bool) -> Result<Vec<u8>, StoreError> {
        self.check_open()?;
        let sources = if with_sources { self.sources_state() } else { Sources::default() };
        let state = EncodedStreamState {
            msgs: self.totals.messages,
            bytes: self.totals.bytes,
            first_seq: self.totals.first_seq,
            last_seq: self.totals.last_seq,
            failed,
            deleted: self.delete_blocks(),
            sources,
        };
        Ok(state.encode())
    }

    fn utilization(&self) -> (u64, u64) {
        (self.blocks.iter().map(|block| block.len()).sum(), self.totals.bytes)
    }

    fn update_config(&mut self, config: &StreamConfig, now_ns: i64) -> Result<(), StoreError> {
        if config.storage != StorageType::File {
            return Err(StoreError::WrongType);
        }
        self.writing(|store| store.take_over(config, now_ns))
    }

    fn track_sources(&mut self, names: &[Vec<u8>]) {
        let before = self.sources.0.len();
        self.sources.0.retain(|name, _| names.contains(name));
        self.dirty |= self.sources.0.len() != before;
        for name in names {
            self.sources.0.entry(name.clone()).or_default();
        }
    }

    fn sources_state(&self) -> Sources {
        self.known_sources()
    }

    fn apply_sources_state(&mut self, sources: &Sources) {
        if self.sources.0.is_empty() || sources.0.is_empty() {
            return;
        }
        // The leader may know of sources that are yet to be followed here.
        self.sources.0.values_mut().for_each(|source| *source = SourceState::default());
        self.sources.0.extend(sources.0.clone());
        self.dirty = true;
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
        if self.closed {
            return Ok(());
        }
        let written = self.writing(Self::write_state);
        self.closed = true;
        self.blocks.clear();
        written
    }

    fn delete(&mut self) -> Result<(), StoreError> {
        self.closed = true;
        self.blocks.clear();
        self.remove_all()
    }
}

//! A stream as a list of messages: what a store is compared with.

use crate::base::Env;
use crate::model::{DiscardPolicy, StreamConfig, StreamState, Time};
use crate::store::message;
use crate::store::sources::{SourceState, Sources};
use crate::store::stream::{Expired, Filter, NewMessage, StoreError};
use std::collections::{BTreeMap, BTreeSet};

const SECOND_NS: i64 = 1_000_000_000;

/// A message of the list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub subject: Vec<u8>,
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
    pub time_ns: i64,
    pub ttl_s: i64,
    pub size: u64,
}

/// The stream.
pub(super) struct List {
    pub config: StreamConfig,
    /// What a message counts for, by the lengths of subject, headers and payload.
    size: fn(usize, usize, usize) -> u64,
    pub messages: BTreeMap<u64, Entry>,
    pub first_seq: u64,
    pub last_seq: u64,
    /// `None` where stores may differ.
    pub last_time: Option<Time>,
    /// When the owner was last asked to remove a message, and whether as the last of its subject.
    asked: BTreeMap<u64, (i64, bool)>,
    pub schedules: BTreeMap<Vec<u8>, (u64, i64)>,
    pub sources: Sources,
    /// What went since it was last looked at.
    pub gone: BTreeMap<u64, Entry>,
    pub stored: Vec<Entry>,
    pub expired: Vec<Expired>,
}

impl List {
    pub fn new(config: &StreamConfig, size: fn(usize, usize, usize) -> u64) -> Self {
        Self {
            config: config.clone(),
            size,
            messages: BTreeMap::new(),
            first_seq: config.first_seq,
            last_seq: config.first_seq.saturating_sub(1),
            last_time: Some(Time::ZERO),
            asked: BTreeMap::new(),
            schedules: BTreeMap::new(),
            sources: Sources::default(),
            gone: BTreeMap::new(),
            stored: Vec::new(),
            expired: Vec::new(),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.messages.values().map(|entry| entry.size).sum()
    }

    pub fn deleted(&self) -> Vec<u64> {
        if self.messages.is_empty() {
            return Vec::new();
        }
        let all = self.first_seq..=self.last_seq;
        all.filter(|seq| !self.messages.contains_key(seq)).collect()
    }

    pub fn state(&self) -> StreamState {
        let first = self.messages.values().next();
        let deleted = self.deleted();
        let subjects: BTreeSet<_> = self.messages.values().map(|entry| &entry.subject).collect();
        StreamState {
            messages: self.messages.len() as u64,
            bytes: self.bytes(),
            first_seq: self.first_seq,
            first_ts: first.map_or(Time::ZERO, |entry| Time::from_unix_ns(entry.time_ns)),
            last_seq: self.last_seq,
            last_ts: self.last_time.unwrap_or_default(),
            num_subjects: subjects.len() as u64,
            num_deleted: deleted.len() as u64,
            deleted,
            ..StreamState::default()
        }
    }

    /// The messages that are meant, ascending.
    pub fn meant<'a>(
        &'a self,
        filter: &'a Filter<'_>,
    ) -> impl DoubleEndedIterator<Item = (u64, &'a Entry)> {
        let all = self.messages.iter().map(|(seq, entry)| (*seq, entry));
        all.filter(|(_, entry)| filter.matches(&entry.subject))
    }

    /// The last sequences up to `max_seq` of the subjects that are meant, ascending.
    pub fn last_seqs(&self, filter: &Filter<'_>, max_seq: u64) -> Vec<u64> {
        let below = self.meant(filter).take_while(|(seq, _)| *seq <= max_seq);
        let lasts: BTreeMap<_, _> = below.map(|(seq, entry)| (&entry.subject, seq)).collect();
        let mut seqs: Vec<u64> = lasts.into_values().collect();
        seqs.sort_unstable();
        seqs
    }

    pub fn store(
        &mut self,
        env: &Env,
        new: NewMessage<'_>,
        now_ns: i64,
        check: bool,
    ) -> Result<u64, StoreError> {
        let size = (self.size)(new.subject.len(), new.headers.len(), new.payload.len());
        if check && self.config.discard == DiscardPolicy::New {
            self.check(&new, size)?;
        }
        let seq = self.last_seq + 1;
        if self.messages.is_empty() {
            self.first_seq = seq;
        }
        let entry = Entry {
            subject: new.subject.to_vec(),
            headers: new.headers.to_vec(),
            payload: new.payload.to_vec(),
            time_ns: now_ns,
            ttl_s: new.ttl_s,
            size,
        };
        self.stored.push(entry.clone());
        self.messages.insert(seq, entry);
        (self.last_seq, self.last_time) = (seq, Some(Time::from_unix_ns(now_ns)));
        self.enforce_subject(new.subject);
        self.enforce_totals();
        if self.config.allow_msg_schedules && self.messages.contains_key(&seq) {
            match message::schedule(env, new.headers, now_ns, now_ns) {
                Some(at_ns) => _ = self.schedules.insert(new.subject.to_vec(), (seq, at_ns)),
                None => _ = self.schedules.remove(new.subject),
            }
        }
        if let Some((name, state)) = message::source(new.headers)
            && let Some(source) = self.sources.0.get_mut(&name)
        {
            *source = state;
        }
        Ok(seq)
    }

    fn check(&self, new: &NewMessage<'_>, size: u64) -> Result<(), StoreError> {
        let config = &self.config;
        let literal = Filter::Literal(new.subject);
        let mut same = self.meant(&literal).map(|(_, entry)| entry.size);
        let max = config.max_msgs_per_subject;
        let full = max > 0 && self.meant(&literal).count() as i64 >= max;
        if full && config.discard_new_per_subject && !message::is_rollup(new.headers) {
            return Err(StoreError::MaxMsgsPerSubject);
        }
        if !full && config.max_msgs > 0 && self.messages.len() as i64 >= config.max_msgs {
            return Err(StoreError::MaxMsgs);
        }
        let too_large = config.max_bytes > 0 && self.bytes() + size > config.max_bytes as u64;
        if too_large && !(full && same.next().is_some_and(|oldest| oldest >= size)) {
            return Err(StoreError::MaxBytes);
        }
        Ok(())
    }

    fn enforce_subject(&mut self, subject: &[u8]) {
        let Some(max) = Some(self.config.max_msgs_per_subject).filter(|max| *max > 0) else {
            return;
        };
        let seqs: Vec<u64> = self.meant(&Filter::Literal(subject)).map(|(seq, _)| seq).collect();
        let more = seqs.len().saturating_sub(max as usize);
        self.remove_all(&seqs[..more]);
    }

    fn enforce_totals(&mut self) {
        let (msgs, bytes) = (self.config.max_msgs, self.config.max_bytes);
        while self.config.discard == DiscardPolicy::Old
            && (msgs > 0 && self.messages.len() as i64 > msgs
                || bytes > 0 && self.bytes() as i64 > bytes)
        {
            self.remove(self.first_seq);
        }
    }

    pub fn remove(&mut self, seq: u64) -> bool {
        let Some(entry) = self.messages.remove(&seq) else { return false };
        self.asked.remove(&seq);
        self.schedules.retain(|_, (of, _)| *of != seq);
        self.gone.insert(seq, entry);
        self.first_seq = match self.messages.keys().next() {
            Some(first) => *first,
            None => self.last_seq + 1,
        };
        true
    }

    pub fn remove_all(&mut self, seqs: &[u64]) -> u64 {
        seqs.iter().filter(|seq| self.remove(**seq)).count() as u64
    }

    pub fn skip(&mut self, count: u64, now_ns: i64, no_interest: bool) {
        if count == 0 {
            return;
        }
        self.last_seq += count;
        if no_interest || self.last_time.is_some_and(Time::is_zero) {
            self.last_time = Some(Time::from_unix_ns(now_ns));
        }
        if self.messages.is_empty() {
            self.first_seq = self.last_seq + 1;
        }
    }

    pub fn purge(&mut self) -> u64 {
        let all: Vec<u64> = self.messages.keys().copied().collect();
        self.first_seq = self.last_seq + 1;
        self.remove_all(&all)
    }

    pub fn purge_ex(&mut self, filter: &Filter<'_>, seq: u64, keep: u64) -> u64 {
        match (filter, seq, keep) {
            (_, 1, _) => return 0,
            (Filter::All, 0, 0) => return self.purge(),
            (Filter::All, 2.., _) => return self.compact(seq),
            _ => {}
        }
        let mut seqs: Vec<u64> = self.meant(filter).map(|(seq, _)| seq).collect();
        seqs.truncate(seqs.len().saturating_sub(keep as usize));
        seqs.retain(|at| seq == 0 || *at < seq);
        self.remove_all(&seqs)
    }

    pub fn compact(&mut self, seq: u64) -> u64 {
        if seq == 0 {
            return self.purge();
        }
        let below: Vec<u64> = self.messages.range(..seq).map(|(seq, _)| *seq).collect();
        let removed = self.remove_all(&below);
        if seq > self.last_seq {
            (self.first_seq, self.last_seq) = (seq, seq - 1);
        }
        removed
    }

    pub fn truncate(&mut self, seq: u64, now_ns: i64) {
        let above: Vec<u64> = self.messages.range(seq + 1..).map(|(seq, _)| *seq).collect();
        self.remove_all(&above);
        if seq == 0 {
            (self.first_seq, self.last_seq) = (0, 0);
            self.last_time = Some(Time::from_unix_ns(now_ns));
        } else if seq < self.last_seq {
            self.last_seq = seq;
            let last = self.messages.get(&seq);
            self.last_time = last.map(|entry| Time::from_unix_ns(entry.time_ns));
        }
    }

    /// When a message is too old or has lived as long as it was to, if ever.
    fn due_ns(&self, entry: &Entry) -> Option<i64> {
        let max_age = self.config.max_age.0;
        let age = (max_age > 0 && entry.ttl_s >= 0).then(|| entry.time_ns + max_age);
        let ttl = (self.config.allow_msg_ttl && entry.ttl_s > 0)
            .then(|| entry.time_ns + entry.ttl_s * SECOND_NS);
        age.into_iter().chain(ttl).min()
    }

    /// When there is more to do, if ever.
    pub fn expire(&mut self, now_ns: i64) -> Option<i64> {
        let is_due = |entry: &Entry| self.due_ns(entry).is_some_and(|at_ns| at_ns <= now_ns);
        let all = self.messages.iter();
        let due: Vec<u64> = all.filter(|(_, entry)| is_due(entry)).map(|(seq, _)| *seq).collect();
        self.asked.retain(|seq, _| due.contains(seq));
        if self.config.subject_delete_marker_ttl.0 < SECOND_NS {
            self.remove_all(&due);
        } else {
            due.iter().for_each(|seq| self.ask(*seq, now_ns));
        }
        let again = self.asked.values().map(|(at_ns, _)| at_ns + 2 * SECOND_NS);
        let waiting = self.messages.iter().filter(|(seq, _)| !self.asked.contains_key(seq));
        waiting.filter_map(|(_, entry)| self.due_ns(entry)).chain(again).min()
    }

    fn ask(&mut self, seq: u64, now_ns: i64) {
        let before = self.asked.get(&seq).copied();
        if before.is_some_and(|(at_ns, _)| now_ns - at_ns < 2 * SECOND_NS) {
            return;
        }
        let entry = &self.messages[&seq];
        let literal = Filter::Literal(&entry.subject);
        let mut others = self.meant(&literal).filter(|(other, _)| *other != seq);
        let last = others.all(|(other, _)| self.asked.contains_key(&other))
            && before.is_none_or(|(_, last)| last);
        drop(others);
        let marker = last && !message::is_delete_marker(&entry.headers);
        let subject = entry.subject.as_slice().into();
        self.expired.push(Expired { seq, subject, marker });
        self.asked.insert(seq, (now_ns, last));
    }

    pub fn update(&mut self, config: &StreamConfig, now_ns: i64) -> Option<i64> {
        self.config = config.clone();
        self.enforce_totals();
        let subjects: Vec<Vec<u8>> =
            self.messages.values().map(|entry| entry.subject.clone()).collect();
        subjects.iter().for_each(|subject| self.enforce_subject(subject));
        self.expire(now_ns)
    }

    /// The store was stopped and opened again: nobody knows what was asked.
    pub fn reopen(&mut self) {
        self.asked.clear();
    }

    pub fn apply_sources(&mut self, sources: &Sources) {
        if self.sources.0.is_empty() || sources.0.is_empty() {
            return;
        }
        self.sources.0.values_mut().for_each(|source| *source = SourceState::default());
        self.sources.0.extend(sources.0.clone());
    }

    pub fn sources_read(&self) -> Sources {
        let mut sources = self.sources.clone();
        sources.0.retain(|_, source| source.seq > 0);
        sources
    }
}

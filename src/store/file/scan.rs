//! The state of a stream from its blocks, every record verified. Blocks come from the newest to the
//! oldest: so all tombstones are known before the messages that they delete, and what the stream's
//! limits leave is what comes first.
//!
//! Go: server/filestore.go rebuildStateFromBufLocked, recoverMsgs, enforceMsgLimit,
//! enforceBytesLimit, enforceMsgPerSubjectLimit, expireMsgsOnRecover.

use super::block;
use super::files::Block;
use super::hash::KeyedHash;
use super::index::Index;
use super::layout;
use super::record::{Kind, Record};
use super::recover::{Cause, Recovered, Remedy};
use super::state::{BlockState, Totals};
use crate::base::duration::GoDuration;
use crate::ds::seq_set::SeqSet;
use crate::model::{DiscardPolicy, FileStreamInfo};
use crate::wire::headers;

/// Messages whose subjects are looked up together.
const TOGETHER: usize = 64;

/// A scan of all blocks, from the newest to the oldest.
pub(super) struct Scan<'r> {
    out: &'r mut Recovered,
    stream: String,
    /// What the index says of the last sequences of blocks, to tell what damage may have cost.
    known: Vec<(u32, u64)>,
    tombstones: SeqSet,
    /// The highest of them and its time.
    newest_tombstone: (u64, i64),
    /// The first sequence of the blocks that were scanned.
    next_seq: Option<u64>,
    limits: Limits,
    entries: Vec<Entry>,
}

/// A record that says something about its sequence.
#[derive(Clone, Copy)]
struct Entry {
    seq: u64,
    at: usize,
    is_message: bool,
}

/// What the stream's configuration lets it hold, and how much it is already.
struct Limits {
    messages_max: u64,
    bytes_max: u64,
    per_subject_max: u64,
    /// Messages from before are too old.
    oldest_ns: i64,
    /// The time to which a message's own time to live is compared.
    ttl_now_ns: Option<i64>,
    messages: u64,
    bytes: u64,
    full: bool,
}

fn limit(configured: i64) -> u64 {
    u64::try_from(configured).ok().filter(|limit| *limit > 0).unwrap_or(u64::MAX)
}

impl Limits {
    fn new(info: &FileStreamInfo, now_ns: Option<i64>) -> Self {
        let config = &info.config;
        let discards_old = config.discard == DiscardPolicy::Old;
        let of = |configured| if discards_old { limit(configured) } else { u64::MAX };
        let age_max = Some(config.max_age.0).filter(|age| *age > 0);
        let oldest = now_ns.zip(age_max).map(|(now, age)| now.saturating_sub(age));
        Self {
            messages_max: of(config.max_msgs),
            bytes_max: of(config.max_bytes),
            per_subject_max: limit(config.max_msgs_per_subject),
            oldest_ns: oldest.unwrap_or(i64::MIN),
            ttl_now_ns: now_ns.filter(|_| config.allow_msg_ttl),
            messages: 0,
            bytes: 0,
            full: false,
        }
    }

    /// Whether the limits on the whole stream leave a message that is older than all before.
    fn leave(&mut self, record: &Record<'_>) -> bool {
        let bytes = self.bytes.saturating_add(record.len as u64);
        self.full |= self.messages >= self.messages_max
            || bytes > self.bytes_max
            || record.time_ns < self.oldest_ns;
        if !self.full {
            self.messages += 1;
            self.bytes = bytes;
        }
        !self.full && !self.is_expired(record)
    }

    fn is_expired(&self, record: &Record<'_>) -> bool {
        let Some(now) = self.ttl_now_ns else { return false };
        let ttl_s = ttl_s(record.headers);
        ttl_s.is_some_and(|ttl| {
            record.time_ns.saturating_add(ttl.saturating_mul(1_000_000_000)) <= now
        })
    }
}

/// A message's own time to live in seconds, if it has one that ends.
fn ttl_s(block: &[u8]) -> Option<i64> {
    let value = headers::value(block, b"Nats-TTL")?;
    let text = std::str::from_utf8(value).ok()?;
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => GoDuration::parse(text).ok()?.0 / 1_000_000_000,
    };
    (seconds > 0).then_some(seconds)
}

impl<'r> Scan<'r> {
    pub(super) fn new(
        out: &'r mut Recovered,
        stream: &str,
        now_ns: Option<i64>,
        index: Option<&Index>,
    ) -> Self {
        let limits = Limits::new(&out.info, now_ns);
        let blocks = index.map_or(&[][..], |index| &index.blocks);
        let known = blocks.iter().map(|block| (block.index, block.last_seq)).collect();
        let stream = stream.to_owned();
        let (tombstones, entries) = (SeqSet::new(), Vec::new());
        Self {
            out,
            stream,
            known,
            tombstones,
            next_seq: None,
            limits,
            entries,
            newest_tombstone: (0, 0),
        }
    }

    /// Takes in a block that is older than all before.
    pub(super) fn block(&mut self, block: &Block<'_>, index: u32, is_last: bool) {
        let mut state = BlockState { index, ..BlockState::default() };
        let mut newest_tombstone = (0, 0);
        self.entries.clear();
        let hash = KeyedHash::for_block(&self.stream, index);
        let unreadable = block::scan(block.records, &hash, |at, record| {
            if record.kind == Kind::Tombstone {
                self.tombstones.insert(record.seq);
                newest_tombstone = newest_tombstone.max((record.seq, record.time_ns));
            } else if record.seq > state.last_seq {
                // What does not go up was superseded.
                (state.last_seq, state.last_ns) = (record.seq, record.time_ns);
                let is_message = record.kind == Kind::Message;
                self.entries.push(Entry { seq: record.seq, at, is_message });
            }
        });
        self.newest_tombstone = self.newest_tombstone.max(newest_tombstone);
        self.report_damage(block, index, is_last, &unreadable);
        self.drop_overlap(block, &mut state);
        if self.entries.is_empty() {
            (state.last_seq, state.last_ns) = newest_tombstone;
        }
        self.count(block, &mut state);
        if let Some(first) = self.entries.first() {
            self.next_seq = Some(first.seq.min(self.next_seq.unwrap_or(u64::MAX)));
        }
        self.out.blocks.push(state);
    }

    /// Counts the messages of a block, the newest first.
    fn count(&mut self, block: &Block<'_>, state: &mut BlockState) {
        // Gaps come from the end; they are turned round when all are there.
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        let mut next = state.last_seq.saturating_add(1);
        let entries = std::mem::take(&mut self.entries);
        let record = |entry: &Entry| Record::decode_unverified(&block.records[entry.at..]).ok();
        for entries in entries.rchunks(TOGETHER) {
            let subjects = entries.iter().rev().filter_map(record).map(|record| record.subject);
            self.out.subjects.look_ahead(subjects);
            for entry in entries.iter().rev() {
                let Some(record) = record(entry) else { continue };
                if !entry.is_message
                    || self.tombstones.contains(entry.seq)
                    || !self.limits.leave(&record)
                    || !self.keep_for_subject(&record, state.index)
                {
                    continue;
                }
                state.messages += 1;
                state.bytes += record.len as u64;
                (state.first_seq, state.first_ns) = (entry.seq, record.time_ns);
                if !record.headers.is_empty() {
                    state.ttls += u64::from(headers::value(record.headers, b"Nats-TTL").is_some());
                    let schedule = headers::value(record.headers, b"Nats-Schedule");
                    state.schedules += u64::from(schedule.is_some());
                }
                if entry.seq + 1 < next {
                    gaps.push((entry.seq + 1, next - 1));
                }
                next = entry.seq;
            }
        }
        self.entries = entries;
        if state.messages == 0 {
            (state.first_seq, state.first_ns) = (state.last_seq.saturating_add(1), 0);
        } else {
            gaps.iter().rev().for_each(|(first, last)| state.deleted.push(*first, *last));
        }
    }

    /// Leaves out what a later block has too.
    fn drop_overlap(&mut self, block: &Block<'_>, state: &mut BlockState) {
        let Some(next) = self.next_seq else { return };
        let kept = self.entries.partition_point(|entry| entry.seq < next);
        let Some(first) = self.entries.get(kept) else { return };
        let file = layout::block(&self.out.messages_dir, state.index);
        let (seqs, cause) = (Some((first.seq, state.last_seq)), Cause::Overlap);
        self.out.report(file, 0..block.file_len, seqs, cause, Remedy::Quarantine);
        self.entries.truncate(kept);
        let last = self.entries.last();
        let record =
            last.and_then(|last| Record::decode_unverified(&block.records[last.at..]).ok());
        (state.last_seq, state.last_ns) = record.map_or((0, 0), |r| (r.seq, r.time_ns));
    }

    /// Counts a message for its subject, if the limit on subjects leaves it.
    fn keep_for_subject(&mut self, record: &Record<'_>, block: u32) -> bool {
        let subjects = &mut self.out.subjects;
        let max = self.limits.per_subject_max;
        if max != u64::MAX && subjects.get(record.subject).is_some_and(|s| s.messages >= max) {
            return false;
        }
        subjects.add_older(record.subject, block, record.seq);
        true
    }

    fn report_damage(
        &mut self,
        block: &Block<'_>,
        index: u32,
        is_last: bool,
        unreadable: &[block::Unreadable],
    ) {
        let file = layout::block(&self.out.messages_dir, index);
        for part in unreadable {
            let torn = is_last && block.is_plain && part.until == block.records.len();
            // Of an encrypted block the places are those of its content: it is as long.
            let bytes = match block.is_plain {
                true => part.from as u64..part.until as u64,
                false => 0..block.file_len,
            };
            let remedy = if torn { Remedy::Cut } else { Remedy::Quarantine };
            let seqs = self.lost(index, part.from);
            self.out.report(file.clone(), bytes, seqs, part.cause.into(), remedy);
        }
        if let Some(error) = block.error {
            let seqs = self.lost(index, block.records.len());
            let cause = error.into();
            self.out.report(file, 0..block.file_len, seqs, cause, Remedy::Quarantine);
        }
    }

    /// The sequences that may be lost with what begins at `at` of a block, as far as it is known.
    fn lost(&self, index: u32, at: usize) -> Option<(u64, u64)> {
        let before = self.entries.iter().rev().find(|entry| entry.at < at).map(|entry| entry.seq);
        // What is before the block is not known yet: see `finish`.
        let first = before.map_or(0, |seq| seq.saturating_add(1));
        let behind = self.entries.iter().find(|entry| entry.at > at).map(|entry| entry.seq);
        let known = self.known.iter().find(|(known, _)| *known == index);
        let known = known.map(|(_, last)| last.saturating_add(1));
        let next = behind.or(self.next_seq).or(known);
        next.map(|next| (first, next.saturating_sub(1))).filter(|(first, last)| first <= last)
    }

    /// Adds the blocks up.
    pub(super) fn finish(self, index: Option<&Index>) {
        let out = self.out;
        out.blocks.reverse();
        for damage in &mut out.damage {
            // It begins a block: what may be lost begins behind the block before.
            let index = layout::block_index(&damage.file);
            if let (Some(index), Some((0, last))) = (index, damage.seqs) {
                let before = out.blocks.iter().rfind(|block| block.index < index);
                let first = before.map_or(1, |block| block.last_seq.saturating_add(1));
                damage.seqs = Some((first, last)).filter(|(first, last)| first <= last);
            }
        }
        let mut totals = Totals::default();
        for block in &mut out.blocks {
            totals.messages += block.messages;
            totals.bytes += block.bytes;
            if totals.first_seq == 0 && block.messages > 0 {
                (totals.first_seq, totals.first_ns) = (block.first_seq, block.first_ns);
            }
            if block.last_seq >= totals.last_seq && block.last_seq > 0 {
                (totals.last_seq, totals.last_ns) = (block.last_seq, block.last_ns);
            }
            if block.messages == 0 {
                // It stands behind what was there before it.
                (block.last_seq, block.last_ns) = (totals.last_seq, totals.last_ns);
                block.first_seq = totals.last_seq.saturating_add(1);
            }
        }
        let (newest, known) = (self.newest_tombstone.0, totals.last_ns != 0);
        if newest > totals.last_seq || (newest == totals.last_seq && newest > 0 && !known) {
            // Its message was lost, but had that sequence: another one with it would be taken for
            // deleted. Or it was erased, and its time with it.
            (totals.last_seq, totals.last_ns) = self.newest_tombstone;
        }
        if let Some(index) = index.filter(|index| index.totals.last_seq > totals.last_seq) {
            // Sequences never go back.
            let seqs = Some((totals.last_seq + 1, index.totals.last_seq));
            let file = out.messages_dir.join(layout::INDEX);
            (totals.last_seq, totals.last_ns) = (index.totals.last_seq, index.totals.last_ns);
            out.report(file, 0..0, seqs, Cause::Behind, Remedy::Lost);
        }
        if totals.messages == 0 && totals.last_seq > 0 {
            totals.first_seq = totals.last_seq.saturating_add(1);
        }
        out.totals = totals;
        let last = out.blocks.last().map(|block| block.index);
        out.blocks.retain(|block| block.messages > 0 || Some(block.index) == last);
    }
}

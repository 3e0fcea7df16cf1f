//! Random operations on a store against a list of messages. Every kind of store goes through it.

mod list;

use super::memory::MemoryStore;
use super::sources::{SourceState, Sources};
use super::stream::{Effects, Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use super::stream_state::{DeleteBlock, EncodedStreamState};
use crate::base::Env;
use crate::base::duration::GoDuration;
use crate::ds::generic_sublist::SimpleSublist;
use crate::model::{DiscardPolicy, SimpleState, StorageType, StoreCompression, StreamConfig};
use list::List;
use proptest::prelude::*;
use proptest::sample;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

const SECOND_NS: i64 = 1_000_000_000;
const SUBJECTS: [&str; 5] = ["a.1", "a.2", "b.1", "c", "d.e.f"];
const FILTERS: [&str; 6] = [">", "a.1", "a.*", "*.1", "d.>", "none"];
const SETS: [&[&str]; 3] = [&["a.1", "c"], &["*.1", "d.>"], &[">"]];
const SOURCE: &[u8] = b"S > >";

/// A kind of store.
pub(crate) trait Harness {
    /// The store.
    fn store(&mut self) -> &mut dyn StreamStore;
    /// Stops the store and opens it again with this configuration; false if it does not outlive
    /// that, and nothing happened.
    fn reopen(&mut self, config: &StreamConfig) -> bool;
    /// What a message counts for, by the lengths of subject, headers and payload.
    fn size(&self) -> fn(usize, usize, usize) -> u64;
}

/// A stream's configuration, and what is done to it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) config: StreamConfig,
    steps: Vec<Step>,
    /// A sequence and a number to ask about.
    ask: (u64, usize),
}

/// What a message is besides its subject.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Ttl(i64),
    Marker,
    Rollup,
    Schedule,
    Source(u64),
}

/// A sequence: a message that there is, or one between and around them.
type Pick = (bool, sample::Index);

#[derive(Clone, Debug)]
enum Step {
    Store { subject: usize, form: Form, payload: usize, after_ms: i64 },
    StoreRaw { subject: usize, form: Form, payload: usize, next: Next, check: bool },
    Skip { next: Next, no_interest: bool },
    SkipMany { next: Next, count: u64 },
    Remove(Pick),
    Erase(Pick),
    Purge,
    PurgeEx { filter: usize, seq: Option<Pick>, keep: u64 },
    Compact(Option<Pick>),
    Truncate(Option<Pick>),
    Expire { after_ms: i64 },
    Update(Box<StreamConfig>),
    SyncDeleted(Vec<(Pick, u64)>),
    ApplySources(u64),
    Flush,
    Reopen,
    ResetState,
}

/// How the next sequence is given.
#[derive(Clone, Copy, Debug)]
enum Next {
    Any,
    Right,
    Wrong,
}

/// Random scenarios for a kind of store.
pub(crate) fn scenario(storage: StorageType) -> impl Strategy<Value = Scenario> {
    let steps = prop::collection::vec(step(storage), 1..60);
    let first = prop_oneof![3 => Just(0u64), 1 => 1..3000u64];
    let ask = (0..70u64, 0..5usize);
    (config(storage), first, any::<bool>(), steps, ask).prop_map(
        |(config, first_seq, allow_msg_schedules, mut steps, ask)| {
            let config = StreamConfig { first_seq, allow_msg_schedules, ..config };
            for step in &mut steps {
                if let Step::Update(update) = step {
                    (update.first_seq, update.allow_msg_schedules) =
                        (first_seq, allow_msg_schedules);
                }
            }
            Scenario { config, steps, ask }
        },
    )
}

fn config(storage: StorageType) -> impl Strategy<Value = StreamConfig> {
    fn limit(max: i64) -> impl Strategy<Value = i64> {
        prop_oneof![2 => Just(0), 1 => Just(-1), 3 => 1..max]
    }
    let limits = (limit(20), limit(800), limit(5), limit(8));
    let ages = (any::<bool>(), prop_oneof![2 => Just(0), 1 => 1..3i64]);
    (limits, ages, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        move |(
            (msgs, bytes, per_subject, age_s),
            (ttl, marker_s),
            new,
            new_per_subject,
            packed,
        )| {
            let packed = packed && storage == StorageType::File;
            StreamConfig {
                compression: if packed { StoreCompression::S2 } else { StoreCompression::None },
                name: "S".into(),
                storage,
                max_msgs: msgs,
                max_bytes: bytes,
                max_msgs_per_subject: per_subject,
                max_age: GoDuration(age_s.max(0) * SECOND_NS),
                allow_msg_ttl: ttl,
                subject_delete_marker_ttl: GoDuration(marker_s * SECOND_NS),
                discard: if new { DiscardPolicy::New } else { DiscardPolicy::Old },
                discard_new_per_subject: new && new_per_subject && per_subject > 0,
                ..StreamConfig::default()
            }
        },
    )
}

fn step(storage: StorageType) -> impl Strategy<Value = Step> {
    let pick = || any::<Pick>();
    let subject = || 0..SUBJECTS.len();
    let form = || {
        prop_oneof![
            8 => Just(Form::Plain),
            2 => (1..6i64).prop_map(Form::Ttl),
            1 => Just(Form::Ttl(-1)),
            1 => Just(Form::Marker),
            1 => Just(Form::Rollup),
            1 => Just(Form::Schedule),
            1 => (1..100u64).prop_map(Form::Source),
        ]
    };
    let next = || prop_oneof![4 => Just(Next::Any), 4 => Just(Next::Right), 1 => Just(Next::Wrong)];
    let count = prop_oneof![4 => 0..5u64, 1 => 1000..3000u64];
    prop_oneof![
        20 => (subject(), form(), 0..60usize, 0..900i64).prop_map(
            |(subject, form, payload, after_ms)| Step::Store { subject, form, payload, after_ms }
        ),
        4 => (subject(), form(), 0..60usize, next(), any::<bool>()).prop_map(
            |(subject, form, payload, next, check)| {
                Step::StoreRaw { subject, form, payload, next, check }
            }
        ),
        1 => (next(), any::<bool>())
            .prop_map(|(next, no_interest)| Step::Skip { next, no_interest }),
        1 => (next(), count).prop_map(|(next, count)| Step::SkipMany { next, count }),
        6 => pick().prop_map(Step::Remove),
        1 => pick().prop_map(Step::Erase),
        1 => Just(Step::Purge),
        2 => (0..FILTERS.len() + SETS.len(), prop::option::of(pick()), 0..4u64)
            .prop_map(|(filter, seq, keep)| Step::PurgeEx { filter, seq, keep }),
        1 => prop::option::weighted(0.9, pick()).prop_map(Step::Compact),
        1 => prop::option::weighted(0.9, pick()).prop_map(Step::Truncate),
        4 => (0..4000i64).prop_map(|after_ms| Step::Expire { after_ms }),
        2 => config(storage).prop_map(|config| Step::Update(Box::new(config))),
        1 => prop::collection::vec((pick(), 0..6u64), 0..3).prop_map(Step::SyncDeleted),
        1 => (0..100u64).prop_map(Step::ApplySources),
        1 => Just(Step::Flush),
        2 => Just(Step::Reopen),
        1 => Just(Step::ResetState),
    ]
}

fn headers(form: Form, now_ns: i64) -> (Vec<u8>, i64) {
    let (line, ttl_s) = match form {
        Form::Plain => return (Vec::new(), 0),
        Form::Ttl(-1) => ("Nats-TTL: never".to_owned(), -1),
        Form::Ttl(seconds) => (format!("Nats-TTL: {seconds}"), seconds),
        Form::Marker => ("Nats-Marker-Reason: MaxAge".to_owned(), 0),
        Form::Rollup => ("Nats-Rollup: sub".to_owned(), 0),
        Form::Schedule => (format!("Nats-Schedule: @every {}s", 1 + now_ns % 7), 0),
        Form::Source(seq) => (format!("Nats-Stream-Source: S {seq} > > a.1 I{}", seq % 3), 0),
    };
    (format!("NATS/1.0\r\n{line}\r\n\r\n").into_bytes(), ttl_s)
}

/// Does it all to the store and to a list.
pub(crate) fn follows_a_list(harness: &mut dyn Harness, scenario: &Scenario) {
    let mut run = Run {
        env: Env::simulated(1),
        list: List::new(&scenario.config, harness.size()),
        now_ns: 1_790_000_000 * SECOND_NS,
        effects: Effects::default(),
        sets: SETS.map(|subjects| {
            let mut set = SimpleSublist::new();
            subjects.iter().for_each(|subject| _ = set.insert(subject.as_bytes(), ()).unwrap());
            set
        }),
    };
    harness.store().track_sources(&[SOURCE.to_vec()]);
    run.list.sources.0.insert(SOURCE.to_vec(), SourceState::default());
    for step in &scenario.steps {
        run.step(harness, step);
        run.check_effects(harness.store(), step);
        run.check_state(harness.store());
        run.check_messages(harness.store());
        let start = run.list.first_seq.saturating_sub(1) + scenario.ask.0;
        for filter in run.filters() {
            for start in [0, start, run.list.last_seq, u64::MAX] {
                run.check_search(harness.store(), filter, start);
                run.check_counts(harness.store(), filter, start);
            }
            run.check_lasts(harness.store(), filter, start, scenario.ask.1);
        }
    }
}

struct Run {
    env: Env,
    list: List,
    now_ns: i64,
    effects: Effects,
    sets: [SimpleSublist; SETS.len()],
}

impl Run {
    fn filters(&self) -> Vec<Filter<'_>> {
        let of = FILTERS.iter().map(|filter| Filter::of(filter.as_bytes()));
        of.chain(self.sets.iter().map(Filter::Set)).collect()
    }

    /// The sequence that is picked, from the one before the first to the second after the last.
    fn pick(&self, (existing, index): &Pick) -> u64 {
        let list = &self.list;
        if *existing && !list.messages.is_empty() {
            return *index.get(&list.messages.keys().copied().collect::<Vec<_>>());
        }
        let before = list.first_seq.saturating_sub(1);
        before + index.index((list.last_seq + 3 - before) as usize) as u64
    }

    fn next(&self, next: Next) -> u64 {
        match next {
            Next::Any => 0,
            Next::Right => self.list.last_seq + 1,
            Next::Wrong => self.list.last_seq + 2,
        }
    }

    fn step(&mut self, harness: &mut dyn Harness, step: &Step) {
        let store = harness.store();
        let now_ns = self.now_ns;
        match step {
            Step::Store { subject, form, payload, after_ms } => {
                self.now_ns += after_ms * 1_000_000;
                let (headers, ttl_s) = headers(*form, self.now_ns);
                let payload = vec![b'x'; *payload];
                let new = message(*subject, &headers, &payload, ttl_s);
                let stored = store.store(new, self.now_ns);
                same(stored, self.list.store(&self.env, new, self.now_ns, true));
            }
            Step::StoreRaw { subject, form, payload, next, check } => {
                let (headers, ttl_s) = headers(*form, now_ns);
                let payload = vec![b'y'; *payload];
                let new = message(*subject, &headers, &payload, ttl_s);
                let seq = self.next(*next);
                // What is refused is refused before the sequence is looked at.
                let stored = store.store_raw(new, seq, now_ns, *check);
                if matches!(next, Next::Wrong) {
                    assert!(stored.is_err());
                } else {
                    same(stored, self.list.store(&self.env, new, now_ns, *check).map(drop));
                }
            }
            Step::Skip { next, no_interest } => {
                let skipped = store.skip(self.next(*next), now_ns, *no_interest);
                self.skip(*next, skipped.map(drop), 1, *no_interest);
            }
            Step::SkipMany { next, count } => {
                let skipped = store.skip_many(self.next(*next), *count, now_ns);
                self.skip(*next, skipped, *count, false);
            }
            Step::Remove(pick) => {
                let seq = self.pick(pick);
                same(store.remove(seq), Ok(self.list.remove(seq)));
            }
            Step::Erase(pick) => {
                let seq = self.pick(pick);
                same(store.erase(seq), Ok(self.list.remove(seq)));
            }
            Step::Purge => same(store.purge(), Ok(self.list.purge())),
            Step::PurgeEx { filter, seq, keep } => {
                let seq = seq.as_ref().map_or(0, |pick| self.pick(pick));
                let filter = match FILTERS.get(*filter) {
                    Some(filter) => Filter::of(filter.as_bytes()),
                    None => Filter::Set(&self.sets[*filter - FILTERS.len()]),
                };
                let purged = store.purge_ex(filter, seq, *keep);
                same(purged, Ok(self.list.purge_ex(&filter, seq, *keep)));
            }
            Step::Compact(pick) => {
                let seq = pick.as_ref().map_or(0, |pick| self.pick(pick));
                same(store.compact(seq), Ok(self.list.compact(seq)));
            }
            Step::Truncate(pick) => {
                let seq = pick.as_ref().map_or(0, |pick| self.pick(pick));
                // To what there is, or to nothing.
                if seq == 0 || (self.list.first_seq..=self.list.last_seq).contains(&seq) {
                    store.truncate(seq, now_ns).unwrap();
                    self.list.truncate(seq, now_ns);
                }
            }
            Step::Expire { after_ms } => {
                self.now_ns += after_ms * 1_000_000;
                self.expire(store);
            }
            Step::Update(config) => {
                store.update_config(config, now_ns).unwrap();
                self.list.update(config, now_ns);
            }
            Step::SyncDeleted(deleted) => {
                let runs = deleted.iter().enumerate().map(|(n, (pick, count))| {
                    let (first, count) = (self.pick(pick), *count);
                    let run = DeleteBlock::Run { first, count };
                    match n % 3 {
                        0 => run,
                        1 => DeleteBlock::Set(run.iter().collect()),
                        _ => DeleteBlock::List(run.iter().collect()),
                    }
                });
                let runs: Vec<_> = runs.collect();
                store.sync_deleted(&runs).unwrap();
                let seqs: Vec<u64> = runs.iter().flat_map(DeleteBlock::iter).collect();
                self.list.remove_all(&seqs);
            }
            Step::ApplySources(seq) => {
                let state = SourceState { seq: *seq, ident: b"I".to_vec() };
                let sources = Sources([(SOURCE.to_vec(), state)].into());
                store.apply_sources_state(&sources);
                self.list.apply_sources(&sources);
            }
            Step::Flush => store.flush().unwrap(),
            Step::Reopen => {
                // What is due would go while it is opened.
                self.expire(store);
                self.check_effects(harness.store(), step);
                if harness.reopen(&self.list.config) {
                    self.list.reopen();
                    harness.store().track_sources(&[SOURCE.to_vec()]);
                    harness.store().take_effects(&mut self.effects);
                }
            }
            Step::ResetState => store.reset_state(),
        }
    }

    fn skip(&mut self, next: Next, skipped: Result<(), StoreError>, count: u64, no_interest: bool) {
        if matches!(next, Next::Wrong) {
            assert!(matches!(skipped, Err(StoreError::SequenceMismatch)));
        } else {
            skipped.unwrap();
            self.list.skip(count, self.now_ns, no_interest);
        }
    }

    fn expire(&mut self, store: &mut dyn StreamStore) {
        let again = store.expire(self.now_ns).unwrap();
        let expected = self.list.expire(self.now_ns);
        // Earlier is a look for nothing, at once would be one without end.
        assert_eq!(again.is_some(), expected.is_some(), "{again:?} {expected:?}");
        assert!(again <= expected && again.is_none_or(|at_ns| at_ns > self.now_ns));
    }

    fn check_effects(&mut self, store: &mut dyn StreamStore, step: &Step) {
        let list = &mut self.list;
        store.take_effects(&mut self.effects);
        let stored: u64 = list.stored.iter().map(|entry| entry.size).sum();
        let gone: u64 = list.gone.values().map(|entry| entry.size).sum();
        let messages = list.stored.len() as i64 - list.gone.len() as i64;
        let sizes = (self.effects.messages, self.effects.bytes);
        assert_eq!(sizes, (messages, stored as i64 - gone as i64));
        assert_eq!(self.effects.expired, list.expired);
        let named: BTreeMap<_, _> = self.effects.removed().collect();
        assert_eq!(named.len(), self.effects.removed().count());
        for (seq, subject) in &named {
            assert_eq!(Some(*subject), list.gone.get(seq).map(|entry| &*entry.subject));
        }
        let in_totals = matches!(
            step,
            Step::Purge
                | Step::PurgeEx { .. }
                | Step::Compact(_)
                | Step::Truncate(_)
                | Step::SyncDeleted(_)
        );
        if !in_totals {
            assert_eq!(named.len(), list.gone.len());
        }
        list.stored.clear();
        list.gone.clear();
        list.expired.clear();
    }

    fn check_state(&self, store: &mut dyn StreamStore) {
        let mut state = store.state();
        let mut expected = self.list.state();
        if self.list.last_time.is_none() {
            expected.last_ts = state.last_ts;
        }
        if state.last_seq == 0 {
            // Nothing was ever stored: the first one is yet to come, or will be 1.
            assert!(state.first_seq <= 1);
            expected.first_seq = state.first_seq;
        }
        assert_eq!(state, expected);
        let deleted = std::mem::take(&mut state.deleted);
        assert_eq!(store.fast_state(), state);
        let (total, reported) = store.utilization();
        // A compressed file is shorter than what is in it.
        assert!(reported == state.bytes && (total > 0 || reported == 0));
        assert_eq!(store.sources_state(), self.list.sources_read());
        for with_sources in [false, true] {
            let bytes = store.encoded_stream_state(7, with_sources).unwrap();
            let encoded = EncodedStreamState::decode(&bytes).unwrap();
            assert_eq!(
                (encoded.msgs, encoded.bytes, encoded.failed),
                (state.messages, state.bytes, 7)
            );
            assert_eq!((encoded.first_seq, encoded.last_seq), (state.first_seq, state.last_seq));
            let seqs: BTreeSet<u64> = encoded.deleted.iter().flat_map(DeleteBlock::iter).collect();
            assert!(seqs.into_iter().eq(deleted.iter().copied()));
            let sources = if with_sources { self.list.sources_read() } else { Sources::default() };
            assert_eq!(encoded.sources, sources);
        }
        let Some(schedules) = store.schedules() else {
            assert!(!self.list.config.allow_msg_schedules);
            return;
        };
        for subject in SUBJECTS.map(str::as_bytes) {
            let expected = self.list.schedules.get(subject).copied();
            assert_eq!(schedules.of_subject(subject), expected);
        }
    }

    fn check_messages(&self, store: &mut dyn StreamStore) {
        let list = &self.list;
        let mut out = StoredMessage::default();
        for (seq, entry) in &list.messages {
            store.load(*seq, &mut out).unwrap();
            assert_eq!((out.seq, out.time_ns), (*seq, entry.time_ns));
            assert_eq!(out.subject(), entry.subject);
            assert_eq!(out.headers(), entry.headers);
            assert_eq!(out.payload(), entry.payload);
            assert_eq!(store.subject_for_seq(*seq).unwrap(), entry.subject);
            // The first one of that time, and the first one after it.
            for time_ns in [entry.time_ns, entry.time_ns + 1] {
                let mut later = list.messages.iter().filter(|(_, e)| e.time_ns >= time_ns);
                let first = later.next().map_or(list.last_seq + 1, |(seq, _)| *seq);
                assert_eq!(store.seq_from_time(time_ns), first);
            }
        }
        let below = list.first_seq.checked_sub(1).filter(|seq| *seq > 0);
        let deleted = list.deleted();
        let ends = deleted.first().into_iter().chain(deleted.last()).copied();
        for seq in below.into_iter().chain(ends) {
            assert!(matches!(store.load(seq, &mut out), Err(StoreError::NotFound)));
            assert!(matches!(store.subject_for_seq(seq), Err(StoreError::NotFound)));
        }
        assert!(matches!(store.load(list.last_seq + 1, &mut out), Err(StoreError::Eof)));
        assert!(store.subject_for_seq(list.last_seq + 1).is_err());
    }

    fn check_search(&self, store: &mut dyn StreamStore, filter: Filter<'_>, start: u64) {
        let mut out = StoredMessage::default();
        let next = self.list.meant(&filter).find(|(seq, _)| *seq >= start);
        let found = store.load_next(filter, start, &mut out);
        check_found(found, &out, next, StoreError::Eof);
        let prev = self.list.meant(&filter).rev().find(|(seq, _)| *seq <= start);
        let found = store.load_prev(filter, start, &mut out);
        check_found(found, &out, prev, StoreError::Eof);
    }

    fn check_counts(&self, store: &mut dyn StreamStore, filter: Filter<'_>, start: u64) {
        let list = &self.list;
        let meant: Vec<u64> =
            list.meant(&filter).map(|(seq, _)| seq).filter(|seq| *seq >= start).collect();
        let messages = meant.len() as u64;
        let state = store.filtered_state(start, filter).unwrap();
        assert_eq!(state.messages, messages);
        if let (Some(first), Some(last)) = (meant.first(), meant.last()) {
            assert_eq!(state.first_seq, *first);
            // Of all messages, the last one may be one that is gone.
            let gone = matches!(filter, Filter::All) && state.last_seq <= list.last_seq;
            assert!(state.last_seq == *last || (gone && state.last_seq > *last));
        }
        let pending = store.num_pending(start, filter, false).unwrap();
        assert_eq!(pending, (messages, list.last_seq));
        let lasts = list.last_seqs(&filter, u64::MAX);
        let lasts = lasts.iter().filter(|seq| **seq >= start).count() as u64;
        let pending = store.num_pending(start, filter, true).unwrap();
        assert_eq!(pending, (lasts, list.last_seq));
    }

    fn check_lasts(
        &self,
        store: &mut dyn StreamStore,
        filter: Filter<'_>,
        max_seq: u64,
        max_allowed: usize,
    ) {
        let list = &self.list;
        let mut out = StoredMessage::default();
        let last = match filter {
            Filter::All => list.messages.get(&list.last_seq).map(|entry| (list.last_seq, entry)),
            _ => list.meant(&filter).next_back(),
        };
        let found = store.load_last(filter, &mut out);
        check_found(found, &out, last, StoreError::NotFound);

        let mut states = BTreeMap::<Vec<u8>, SimpleState>::new();
        for (seq, entry) in list.meant(&filter) {
            let state = states.entry(entry.subject.clone()).or_default();
            state.messages += 1;
            state.first_seq = if state.first_seq == 0 { seq } else { state.first_seq };
            state.last_seq = seq;
        }
        let totals = states.iter().map(|(subject, state)| (subject.clone(), state.messages));
        assert_eq!(store.subjects_totals(filter), totals.collect());
        assert_eq!(store.subjects_state(filter).unwrap(), states);

        let all = list.last_seqs(&filter, u64::MAX);
        assert_eq!(store.multi_last_seqs(filter, 0, 0).unwrap(), all);
        if matches!(filter, Filter::All) {
            assert_eq!(store.all_last_seqs().unwrap(), all);
        }
        let up_to = list.last_seqs(&filter, if max_seq == 0 { u64::MAX } else { max_seq });
        let found = store.multi_last_seqs(filter, max_seq, max_allowed);
        if max_allowed > 0 && up_to.len() > max_allowed {
            assert!(matches!(found, Err(StoreError::TooManyResults)));
        } else {
            assert_eq!(found.unwrap(), up_to);
        }
        self.check_last_messages(store, filter, max_seq, &up_to);
    }

    fn check_last_messages(
        &self,
        store: &mut dyn StreamStore,
        filter: Filter<'_>,
        max_seq: u64,
        up_to: &[u64],
    ) {
        // All but the first, and no more than two.
        let min_seq = up_to.first().map_or(0, |first| first + 1);
        let mut seen = Vec::new();
        let mut visit = |message: &StoredMessage, left: u64| {
            assert_eq!(message.subject(), self.list.messages[&message.seq].subject);
            seen.push((message.seq, left));
            if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let found = store.multi_last_msgs(filter, (min_seq, max_seq), 0, &mut visit).unwrap();
        let lefts = (0..up_to.len() as u64).rev();
        let expected: Vec<_> = up_to.iter().copied().zip(lefts).skip(1).take(2).collect();
        assert_eq!(seen, expected);
        let left = expected.get(1).map_or(0, |(_, left)| *left);
        assert_eq!(found, (up_to.len() as u64, left));
    }
}

fn message<'a>(subject: usize, headers: &'a [u8], payload: &'a [u8], ttl_s: i64) -> NewMessage<'a> {
    NewMessage { subject: SUBJECTS[subject].as_bytes(), headers, payload, ttl_s }
}

fn same<T: PartialEq + std::fmt::Debug>(
    found: Result<T, StoreError>,
    expected: Result<T, StoreError>,
) {
    let text = |error: StoreError| error.to_string();
    assert_eq!(found.map_err(text), expected.map_err(text));
}

fn check_found(
    found: Result<(), StoreError>,
    out: &StoredMessage,
    expected: Option<(u64, &list::Entry)>,
    none: StoreError,
) {
    same(found, expected.map(drop).ok_or(none));
    if let Some((seq, entry)) = expected {
        assert_eq!((out.seq, out.subject()), (seq, &*entry.subject));
        assert_eq!(out.payload(), entry.payload);
    }
}

struct Memory(MemoryStore);

impl Harness for Memory {
    fn store(&mut self) -> &mut dyn StreamStore {
        &mut self.0
    }

    fn reopen(&mut self, _: &StreamConfig) -> bool {
        false
    }

    fn size(&self) -> fn(usize, usize, usize) -> u64 {
        |subject, headers, payload| (subject + headers + payload + 16) as u64
    }
}

proptest! {
    #[test]
    fn the_memory_store_follows_a_list(scenario in scenario(StorageType::Memory)) {
        let store = MemoryStore::new(&Env::simulated(1), &scenario.config).unwrap();
        follows_a_list(&mut Memory(store), &scenario);
    }
}

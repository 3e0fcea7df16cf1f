//! Random operations against a list of messages, and what is particular to memory.

use super::*;
use crate::model::SimpleState;
use crate::store::stream::{Filter, StoredMessage, StreamStore};
use proptest::prelude::*;

const SUBJECTS: [&str; 4] = ["a.1", "a.2", "b.1", "c"];
const FILTERS: [&str; 5] = [">", "a.*", "*.1", "c", "none"];

#[derive(Clone, Debug)]
enum Op {
    Store(usize),
    Skip(u64),
    Remove(u64),
    Compact(u64),
    Truncate(u64),
    PurgeEx(usize, u64, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..SUBJECTS.len()).prop_map(Op::Store),
        1 => (1..1500u64).prop_map(Op::Skip),
        3 => (1..40u64).prop_map(Op::Remove),
        1 => (1..60u64).prop_map(Op::Compact),
        1 => (1..60u64).prop_map(Op::Truncate),
        1 => (1..FILTERS.len(), 0..50u64, 0..4u64).prop_map(|(f, s, k)| Op::PurgeEx(f, s, k)),
    ]
}

fn apply(store: &mut dyn StreamStore, model: &mut BTreeMap<u64, &'static str>, op: &Op) {
    let last = store.fast_state().last_seq;
    match *op {
        Op::Store(subject) => {
            let subject = SUBJECTS[subject];
            let message = NewMessage { subject: subject.as_bytes(), ..Default::default() };
            let seq = store.store(message, last as i64).unwrap();
            assert_eq!(seq, last + 1);
            model.insert(seq, subject);
        }
        Op::Skip(count) => store.skip_many(0, count, 1).unwrap(),
        Op::Remove(seq) => assert_eq!(store.remove(seq).unwrap(), model.remove(&seq).is_some()),
        Op::Compact(seq) => {
            let before = model.len() as u64;
            model.retain(|at, _| *at >= seq);
            assert_eq!(store.compact(seq).unwrap(), before - model.len() as u64);
        }
        Op::Truncate(seq) if seq <= last => {
            store.truncate(seq, 1).unwrap();
            model.retain(|at, _| *at <= seq);
        }
        Op::Truncate(_) => {}
        Op::PurgeEx(filter, seq, keep) => {
            let filter = Filter::of(FILTERS[filter].as_bytes());
            let meant = model.iter().filter(|(_, subject)| filter.matches(subject.as_bytes()));
            let mut gone: Vec<u64> = meant.map(|(at, _)| *at).collect();
            gone.truncate(gone.len().saturating_sub(keep as usize));
            gone.retain(|at| seq == 0 || *at < seq);
            assert_eq!(store.purge_ex(filter, seq, keep).unwrap(), gone.len() as u64);
            gone.iter().for_each(|at| _ = model.remove(at));
        }
    }
}

fn compare(store: &dyn StreamStore, model: &BTreeMap<u64, &'static str>, start: u64) {
    let mut out = StoredMessage::default();
    let state = store.state();
    assert_eq!(state.messages, model.len() as u64);
    assert_eq!(state.num_deleted, state.deleted.len() as u64);
    assert!(state.deleted.iter().all(|seq| !model.contains_key(seq)));
    for filter in FILTERS.map(|filter| Filter::of(filter.as_bytes())) {
        let meant = |(_, subject): &(&u64, &&str)| filter.matches(subject.as_bytes());
        let next = model.range(start..).find(meant).map(|(seq, _)| *seq);
        assert_eq!(store.load_next(filter, start, &mut out).ok().map(|()| out.seq), next);
        let prev = model.range(..=start).rev().find(meant).map(|(seq, _)| *seq);
        assert_eq!(store.load_prev(filter, start, &mut out).ok().map(|()| out.seq), prev);
        let count = model.range(start..).filter(meant).count() as u64;
        assert_eq!(store.filtered_state(start, filter).unwrap().messages, count);
        let lasts = SUBJECTS.iter().filter(|subject| filter.matches(subject.as_bytes()));
        let last = |subject: &&str| model.iter().rev().find(|(_, s)| *s == subject);
        let mut lasts: Vec<u64> = lasts.filter_map(last).map(|(seq, _)| *seq).collect();
        lasts.sort_unstable();
        assert_eq!(store.multi_last_seqs(filter, 0, 0).unwrap(), lasts);
        let pending = lasts.iter().filter(|seq| **seq >= start).count() as u64;
        assert_eq!(store.num_pending(start, filter, true).unwrap().0, pending);
    }
}

proptest! {
    #[test]
    fn does_what_a_list_does(ops in prop::collection::vec(op(), 1..80), start in 0..80u64) {
        let config = StreamConfig { storage: StorageType::Memory, ..Default::default() };
        let mut store = MemoryStore::new(&Env::simulated(1), &config).unwrap();
        let mut model = BTreeMap::new();
        let mut messages = 0;
        for op in &ops {
            apply(&mut store, &mut model, op);
            messages += store.take_effects().messages;
            prop_assert_eq!(messages, model.len() as i64);
            compare(&store, &model, start);
        }
    }
}

#[test]
fn old_messages_make_room_and_are_named() {
    let config = StreamConfig {
        storage: StorageType::Memory,
        max_msgs_per_subject: 1,
        ..Default::default()
    };
    let mut store = MemoryStore::new(&Env::simulated(1), &config).unwrap();
    let message = NewMessage { subject: b"a", payload: b"x", ..Default::default() };
    store.store(message, 1).unwrap();
    store.store(message, 2).unwrap();
    let effects = store.take_effects();
    assert_eq!((effects.messages, effects.bytes), (1, 18));
    assert_eq!(effects.removed, [Removed { seq: 1, subject: b"a"[..].into() }]);
    let state = SimpleState { messages: 1, first_seq: 2, last_seq: 2 };
    assert_eq!(store.filtered_state(0, Filter::of(b"a")).unwrap(), state);
}

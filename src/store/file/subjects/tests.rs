use super::*;
use crate::wire::subject::tokens;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn counts_and_finds() {
    let mut subjects = Subjects::with_capacity(1, 1);
    for n in 0..5000_u32 {
        let name = format!("a.{}", n % 1000);
        let before = subjects.add_older(name.as_bytes(), 5 - n / 1000, (5000 - n).into());
        assert_eq!(before, u64::from(n / 1000));
    }
    assert_eq!(subjects.len(), 1000);
    let state =
        SubjectState { messages: 5, first_block: 1, last_block: 5, first_seq: 1, last_seq: 4001 };
    assert_eq!(subjects.get(b"a.999"), Some(&state));
    assert_eq!(subjects.get(b"a.1000"), None);
    let state = SubjectState { first_seq: 1000, last_seq: 5000, ..state };
    assert_eq!(subjects.iter().next(), Some((&b"a.0"[..], &state)));
    let id = subjects.add(b"a.0", 7, 9000).unwrap();
    let state = SubjectState { messages: 6, last_block: 7, last_seq: 9000, ..state };
    assert_eq!((subjects.state(id), subjects.name(id)), (&state, &b"a.0"[..]));
}

#[test]
fn a_subject_without_messages_is_gone_until_it_comes_again() {
    let mut subjects = Subjects::default();
    let id = subjects.add(b"a", 1, 1).unwrap();
    subjects.add(b"a", 1, 2).unwrap();
    assert_eq!((subjects.remove(id), subjects.len()), (1, 1));
    assert_eq!((subjects.remove(id), subjects.len()), (0, 0));
    assert_eq!((subjects.remove(id), subjects.len()), (0, 0));
    assert!(subjects.is_empty() && subjects.find(b"a").is_none() && subjects.iter().count() == 0);
    assert_eq!(subjects.add(b"a", 3, 9), Some(id));
    let state =
        SubjectState { messages: 1, first_block: 3, last_block: 3, first_seq: 9, last_seq: 9 };
    assert_eq!(subjects.get(b"a"), Some(&state));
}

#[test]
fn what_upstream_cannot_index_is_not_indexed() {
    let mut subjects = Subjects::default();
    for name in [&b""[..], b"\x7f", b"a.\x7f.b"] {
        assert_eq!(subjects.add(name, 1, 1), None);
        assert_eq!(subjects.add_older(name, 1, 1), 0);
        subjects.insert_unique(name, SubjectState { messages: 1, ..SubjectState::default() });
    }
    assert_eq!((subjects.len(), subjects.find(b"")), (0, None));
}

#[test]
fn compaction_gives_memory_back_and_keeps_the_rest() {
    let mut subjects = Subjects::default();
    let name = |n: u64| format!("orders.{n}");
    for n in 0..20_000 {
        subjects.add(name(n).as_bytes(), 1, n);
    }
    subjects.order.get_mut().sort(&subjects.entries);
    for n in (0..20_000).filter(|n| n % 10 != 0) {
        let id = subjects.find(name(n).as_bytes()).unwrap();
        subjects.remove(id);
    }
    let before = subjects.memory();
    subjects.maintain();
    assert!(subjects.memory() * 4 < before, "{} {before}", subjects.memory());
    assert_eq!((subjects.len(), subjects.entries.len()), (2000, 2000));
    assert!(subjects.order.borrow().unsorted(&subjects.entries).is_empty());
    for n in 0..20_000 {
        let found = subjects.get(name(n).as_bytes()).map(|state| state.last_seq);
        assert_eq!(found, (n % 10 == 0).then_some(n));
    }
    // Few dead ones stay.
    let id = subjects.find(name(0).as_bytes()).unwrap();
    subjects.remove(id);
    subjects.maintain();
    assert_eq!(subjects.entries.len(), 2000);
    subjects.clear();
    assert_eq!((subjects.len(), subjects.memory()), (0, 0));
}

#[test]
fn sorting_waits_until_it_is_worth_it() {
    let mut subjects = Subjects::default();
    for n in 0..1000 {
        subjects.add(format!("a.{n}").as_bytes(), 1, n);
    }
    let found = |subjects: &Subjects| {
        let mut found = Vec::new();
        let _ = subjects.try_for_each(Filter::Pattern(b"*.99*"), |_, name, _| {
            found.push(name.to_vec());
            ControlFlow::<()>::Continue(())
        });
        let exact = subjects.try_for_each(Filter::Pattern(b"*.990"), |id, _, state| {
            ControlFlow::Break((id, state.last_seq))
        });
        assert_eq!((found.len(), exact), (0, ControlFlow::Break((990, 990))));
        subjects.order.borrow().unsorted(&subjects.entries).len()
    };
    assert_eq!(found(&subjects), 1000);
    let walks = (0..100).take_while(|_| found(&subjects) > 0).count();
    assert!((1..20).contains(&walks), "{walks}");
    // Those that came since are too few.
    subjects.add(b"b.990", 1, 1000);
    assert!((0..100).all(|_| found(&subjects) == 1));
}

#[test]
fn a_walk_within_a_walk() {
    let mut subjects = Subjects::default();
    for n in 0..1000 {
        subjects.add(format!("a.{n}").as_bytes(), 1, n);
    }
    let mut pairs = 0;
    let _ = subjects.try_for_each(Filter::Pattern(b"*.*"), |_, name, _| {
        subjects.try_for_each(Filter::Pattern(b"a.*"), |_, other, _| {
            pairs += u64::from(name <= other);
            ControlFlow::<()>::Continue(())
        })
    });
    assert_eq!(pairs, 1000 * 1001 / 2);
}

/// A model of the table.
type Model = BTreeMap<Vec<u8>, SubjectState>;

fn check_filter(subjects: &Subjects, model: &Model, filter: Filter<'_>) {
    let mut found = BTreeMap::new();
    let _ = subjects.try_for_each(filter, |id, name, state| {
        assert_eq!((subjects.name(id), subjects.state(id)), (name, state));
        assert!(found.insert(name.to_vec(), *state).is_none(), "{} twice", name.escape_ascii());
        ControlFlow::<()>::Continue(())
    });
    let expected = model.iter().filter(|(name, _)| filter.matches(name));
    let expected: Model = expected.map(|(name, state)| (name.clone(), *state)).collect();
    assert_eq!(found, expected, "{filter:?}");
}

/// Bytes on both sides of the separator in order, empty tokens among them.
const TOKENS: &str = "[-./ab\0\u{80}]{0,3}";

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(TOKENS, 1..4).prop_map(|tokens| tokens.join(".").into_bytes())
}

fn pattern() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![3 => TOKENS, 3 => Just("*".to_owned()), 1 => Just(">".to_owned())];
    prop::collection::vec(token, 1..5).prop_map(|tokens| tokens.join(".").into_bytes())
}

proptest! {
    #[test]
    fn follows_a_map(
        steps in prop::collection::vec((0..12_u8, name()), 0..120),
        patterns in prop::collection::vec(pattern(), 24),
        few in 0..24_usize,
    ) {
        let (mut subjects, mut model) = (Subjects::default(), Model::new());
        let names = || steps.iter().map(|(_, name)| &name[..]);
        subjects.look_ahead(names());
        for (seq, (what, name)) in (1000_u64..).zip(&steps) {
            let block = (seq / 10) as u32;
            match what {
                0..=4 => {
                    let id = subjects.add(name, block, seq);
                    prop_assert_eq!(id.is_some(), !name.is_empty());
                    if !name.is_empty() {
                        let state = model.entry(name.clone()).or_insert(SubjectState {
                            first_block: block,
                            first_seq: seq,
                            ..SubjectState::default()
                        });
                        state.messages += 1;
                        (state.last_block, state.last_seq) = (block, seq);
                    }
                }
                5 => {
                    let (seq, block) = (2000 - seq, 200 - block);
                    let before = subjects.add_older(name, block, seq);
                    if !name.is_empty() {
                        let state = model.entry(name.clone()).or_insert(SubjectState {
                            last_block: block,
                            last_seq: seq,
                            ..SubjectState::default()
                        });
                        prop_assert_eq!(before, state.messages);
                        state.messages += 1;
                        (state.first_block, state.first_seq) = (block, seq);
                    }
                }
                6..=8 => {
                    let Some(id) = subjects.find(name) else {
                        prop_assert!(!model.contains_key(name));
                        continue;
                    };
                    let left = subjects.remove(id);
                    subjects.state_mut(id).first_seq += 1;
                    let state = model.get_mut(name).unwrap();
                    state.messages -= 1;
                    state.first_seq += 1;
                    prop_assert_eq!(left, state.messages);
                    if left == 0 {
                        model.remove(name);
                    }
                }
                9 => subjects.order.get_mut().sort(&subjects.entries),
                10 => subjects.compact(),
                _ => check_filter(&subjects, &model, Filter::Pattern(name)),
            }
            prop_assert_eq!(subjects.get(name), model.get(name));
            prop_assert_eq!(subjects.len(), model.len());
        }
        // A hint: nothing changes, with names that are there and that are not, few or many.
        subjects.look_ahead(names());
        let mut set = SimpleSublist::new();
        for (i, pattern) in patterns.iter().enumerate() {
            check_filter(&subjects, &model, Filter::Pattern(pattern));
            // More of them than are walked one by one, or not.
            if i < few {
                let _ = set.insert(pattern, ());
            }
        }
        check_filter(&subjects, &model, Filter::Set(&set));
        check_filter(&subjects, &model, Filter::All);
        for (_, name) in &steps {
            check_filter(&subjects, &model, Filter::Literal(name));
        }
        prop_assert!(subjects.iter().count() == model.len());
        for (name, state) in subjects.iter() {
            prop_assert_eq!(model.get(name), Some(state));
        }
    }

    #[test]
    fn the_order_puts_tokens_side_by_side(names in prop::collection::btree_set(name(), 1..40)) {
        let mut subjects = Subjects::default();
        for name in names.iter().filter(|name| !name.is_empty()) {
            subjects.add(name, 1, 1);
        }
        subjects.order.get_mut().sort(&subjects.entries);
        let mut found: Vec<Vec<&[u8]>> = Vec::new();
        let everything = [&b">"[..]];
        let _ = subjects.walk(&everything, |_| true, &mut |id, _, _| {
            found.push(tokens(subjects.name(id)).collect());
            ControlFlow::<()>::Continue(())
        });
        let mut groups: Vec<&[&[u8]]> = found.iter().map(|tokens| &tokens[..1]).collect();
        groups.dedup();
        let count = groups.len();
        groups.sort_unstable();
        groups.dedup();
        prop_assert_eq!(groups.len(), count);
    }
}

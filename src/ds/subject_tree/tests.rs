use super::*;
use crate::wire::subject::matches;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, u32>;

fn collect(tree: &SubjectTree<u32>, filter: &[u8]) -> Model {
    let mut found = Model::new();
    tree.for_each_match(filter, |subject, value| {
        assert_eq!(found.insert(subject.to_vec(), *value), None, "visited twice");
    });
    found
}

#[test]
fn prefixes_of_one_another_make_no_deep_stack() {
    let subject = vec![b'a'; 4_000];
    let mut tree = SubjectTree::new();
    for len in 0..=subject.len() {
        tree.insert(&subject[..len], len);
    }
    let mut expected = 0;
    tree.for_each(|subject, len| {
        assert_eq!((subject.len(), *len), (expected, expected));
        expected += 1;
    });
    assert_eq!(tree.len(), expected);
    assert_eq!(tree.remove(&subject[..7]), Some(7));
    assert_eq!(tree.get(&subject), Some(&4_000));
}

#[test]
fn every_byte_branches() {
    let mut tree = SubjectTree::new();
    for byte in (0..=255).rev().filter(|b| *b != UNINDEXED) {
        assert_eq!(tree.insert(&[b'x', byte], byte), None);
    }
    assert_eq!(tree.insert(&[b'x', UNINDEXED], 0), None);
    assert_eq!(tree.len(), 255);
    let mut last = None;
    tree.for_each(|subject, byte| {
        assert!(last < Some(*byte) && subject == [b'x', *byte]);
        last = Some(*byte);
    });
    for byte in (0..=255).filter(|b| *b != UNINDEXED) {
        assert_eq!(tree.remove(&[b'x', byte]), Some(byte));
    }
    assert!(tree.is_empty() && tree.get(b"xa").is_none());
}

#[test]
fn debug_lists_the_entries() {
    let mut tree = SubjectTree::new();
    tree.insert(b"b", 2);
    tree.insert(b"a.b", 1);
    assert_eq!(format!("{tree:?}"), r#"{"a.b": 1, "b": 2}"#);
    if let Some(value) = tree.get_mut(b"b") {
        *value = 3;
    }
    assert_eq!(tree.get(b"b"), Some(&3));
}

fn subject() -> impl Strategy<Value = String> {
    // Long tokens, so that fragments leave their nodes.
    "(a|b|ab|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab)(\\.(a|b|ba|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaac|\\*)){0,3}"
}

proptest! {
    #[test]
    fn follows_a_map(
        steps in prop::collection::vec((0..4u8, subject()), 0..80),
        filters in prop::collection::vec("([ab*>]|ab|ba|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab)(\\.([ab*>]|ab|)){0,3}", 12),
    ) {
        let (mut tree, mut model) = (SubjectTree::new(), Model::new());
        for (n, (what, subject)) in steps.into_iter().enumerate() {
            let (subject, n) = (subject.into_bytes(), n as u32);
            if what == 0 {
                prop_assert_eq!(tree.remove(&subject), model.remove(&subject));
            } else {
                prop_assert_eq!(tree.insert(&subject, n), model.insert(subject.clone(), n));
            }
            prop_assert_eq!(tree.get(&subject), model.get(&subject));
            prop_assert_eq!(tree.len(), model.len());
        }
        let mut walked = Vec::new();
        tree.for_each(|subject, value| walked.push((subject.to_vec(), *value)));
        prop_assert!(walked.into_iter().eq(model.clone()));

        let mut interest = GenericSublist::new();
        let mut interesting = Model::new();
        for filter in &filters {
            let filter = filter.as_bytes();
            let expected: Model =
                model.iter().filter(|(s, _)| matches(s, filter)).map(|(s, v)| (s.clone(), *v)).collect();
            prop_assert_eq!(&collect(&tree, filter), &expected);
            if filter.len() % 3 == 0 && interest.insert(filter, 0).is_ok() {
                interesting.extend(expected);
            }
        }
        let mut found = Vec::new();
        let _ = tree.try_for_each_interest(&interest, |subject, value| {
            found.push((subject.to_vec(), *value));
            ControlFlow::<()>::Continue(())
        });
        prop_assert!(found.into_iter().eq(interesting));

        let mut other = SubjectTree::new();
        for subject in model.keys().step_by(2) {
            other.insert(subject, ());
        }
        other.insert(b"only here", ());
        let mut common = Vec::new();
        tree.for_each_common(&other, |subject, value, ()| common.push((subject.to_vec(), *value)));
        prop_assert!(common.into_iter().eq(model.into_iter().step_by(2)));
    }

    #[test]
    fn any_bytes_are_fine(
        subjects in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..20),
        filter in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'*'), Just(b'>'), any::<u8>()], 1..6),
    ) {
        let (mut tree, mut model) = (SubjectTree::new(), Model::new());
        for (n, subject) in subjects.iter().enumerate() {
            if !subject.contains(&UNINDEXED) {
                model.insert(subject.clone(), n as u32);
            }
            tree.insert(subject, n as u32);
        }
        prop_assert_eq!(tree.len(), model.len());
        let expected: Model = model.into_iter().filter(|(s, _)| matches(s, &filter)).collect();
        prop_assert_eq!(collect(&tree, &filter), expected);
        for subject in &subjects {
            tree.remove(subject);
        }
        prop_assert!(tree.is_empty());
    }
}

//! The subject tree. Upstream's tests look at its five node sizes; here the same histories are
//! played and their outcome is read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use nats_server::base::Rng;
use nats_server::ds::generic_sublist::GenericSublist;
use nats_server::ds::subject_tree::SubjectTree;

crate::cases! {
    "server/stree/stree_test.go",
    library basics => ["TestSubjectTreeBasics"],
    library nodes_grow => ["TestSubjectTreeNodeGrow", "TestNode256Operations"],
    library nodes_shrink => ["TestSubjectTreeNodeDelete", "TestNode256Shrink", "TestNodeShrinkNotNeeded"],
    library removing_what_is_not_there => ["TestNodeDeleteChildNotFound", "TestDeleteChildEdgeCasesMore"],
    library highest_byte => ["TestSubjectTreeNode48"],
    library prefix_mismatch => ["TestSubjectTreeNodePrefixMismatch"],
    library nodes_and_paths => ["TestSubjectTreeNodesAndPaths"],
    library construction => ["TestSubjectTreeConstruction"],
    library match_one_leaf => ["TestSubjectTreeMatchLeafOnly"],
    library match_nodes => ["TestSubjectTreeMatchNodes"],
    library match_until => ["TestSubjectTreeMatchUntil"],
    library no_prefix => ["TestSubjectTreeNoPrefix"],
    library terminal_wildcard_within_a_token => ["TestSubjectTreePartialTerminalWildcardBugMatch"],
    library match_gives_the_subject => ["TestSubjectTreeMatchSubjectParam"],
    library random_double_wildcards => ["TestSubjectTreeMatchRandomDoublePWC"],
    library walks_are_ordered => ["TestSubjectTreeIterOrdered", "TestSubjectTreeIterFast"],
    library same_branching_byte => ["TestSubjectTreeInsertSamePivotBug", "TestInsertComplexEdgeCases"],
    library separator_then_part_of_a_token => ["TestSubjectTreeMatchTsepSecondThenPartialPartBug"],
    library many_wildcards => ["TestSubjectTreeMatchMultipleWildcardBasic"],
    library wildcards_that_are_none => ["TestSubjectTreeMatchInvalidWildcard"],
    library random_entries => ["TestSubjectTreeRandomTrackEntries"],
    library long_tokens => ["TestSubjectTreeLongTokens"],
    library match_visits_once => ["TestSubjectTreeMatchNoCallbackDupe"],
    library trailing_nulls => ["TestSubjectTreeInsertLongerLeafSuffixWithTrailingNulls"],
    library del_is_not_stored => ["TestSubjectTreeInsertWithNoPivot", "TestInsertEdgeCases"],
    library a_lone_separator_as_filter => ["TestSubjectTreeMatchHasFWCNoPanic"],
    library common_subjects => ["TestSubjectTreeLazyIntersect", "TestSubjectTreeLazyIntersectComprehensive"],
    library interest => ["TestSubjectTreeGSLIntersection"],
    library removing_short_subjects => ["TestSubjectTreeDeleteShortSubjectNoPanic", "TestDeleteEdgeCases", "TestDeleteNilNodePointer"],
    library clearing => ["TestSubjectTreeEmpty"],
    library finding_nothing => ["TestFindEdgeCases", "TestIterOrderedAndIterFastNilRoot"],
    library empty_filter => ["TestMatchEdgeCases"],
    library children_are_all_visited => ["TestNodeIterMethods", "TestIterComplexTree"],
    library walks_stop_early => ["TestIterEdgeCases", "TestNode48IterEarlyTermination", "TestNode10And16IterEarlyTermination"],
    library filters_across_fragments => ["TestMatchPartsEdgeCases", "TestMatchPartsMoreEdgeCases", "TestMatchComplexEdgeCases"],
    not_applicable "TestSubjectTreeMatchAllPerf" => "runs only with a flag of its own, prints timings and asserts nothing",
    not_applicable "TestSubjectTreeIterPerf" => "runs only with a flag of its own, prints timings and asserts nothing",
    not_applicable "TestSubjectTreeMemoryPerf" => "runs only with a flag of its own, prints timings and asserts nothing",
    not_applicable "TestSubjectTreeNilNoPanic" => "calls methods on a nil pointer; a tree is a value here and cannot be nil",
    not_applicable "TestSizeOnNilTree" => "calls a method on a nil pointer; a tree is a value here and cannot be nil",
    not_applicable "TestLeafPanicMethods" => "calls on a leaf what only branching nodes can do and expects a panic; here leaves have no such methods, so no program that does it compiles",
    not_applicable "TestLeafIter" => "walks the children of a leaf; here a leaf has no children to ask for, by type",
    not_applicable "TestNodeAddChildPanic" => "expects a panic when a node of fixed capacity is overfilled past its grow step; nodes have no fixed capacity here",
    not_applicable "TestNodeAddChildPanicOthers" => "expects a panic when a node of fixed capacity is overfilled past its grow step; nodes have no fixed capacity here",
}

/// Seven subjects that make several levels of branches.
const FOO: &[(&str, i32)] = &[
    ("foo.bar.A", 1),
    ("foo.bar.B", 2),
    ("foo.bar.C", 3),
    ("foo.baz.A", 11),
    ("foo.baz.B", 22),
    ("foo.baz.C", 33),
    ("foo.bar", 42),
];

fn tree(entries: &[(&str, i32)]) -> SubjectTree<i32> {
    let mut tree = SubjectTree::new();
    for (subject, value) in entries {
        assert_eq!(tree.insert(subject.as_bytes(), *value), None, "{subject}");
    }
    assert_eq!(tree.len(), entries.len());
    tree
}

fn find(tree: &SubjectTree<i32>, subject: &str) -> Option<i32> {
    tree.get(subject.as_bytes()).copied()
}

fn count(tree: &SubjectTree<i32>, filter: &str) -> usize {
    let mut n = 0;
    tree.for_each_match(filter.as_bytes(), |_, _| n += 1);
    n
}

fn counts(tree: &SubjectTree<i32>, expected: &[(&str, usize)]) {
    for (filter, n) in expected {
        assert_eq!(count(tree, filter), *n, "{filter}");
    }
}

fn walked(tree: &SubjectTree<i32>) -> Vec<(String, i32)> {
    let mut all = Vec::new();
    tree.for_each(|s, v| all.push((String::from_utf8(s.to_vec()).unwrap(), *v)));
    all
}

/// `foo.bar.` and the n-th character from `A`.
fn nth(n: u8) -> String {
    format!("foo.bar.{}", char::from(b'A' + n))
}

fn basics() {
    let mut tree = tree(&[("foo.bar.baz", 22)]);
    assert_eq!(find(&tree, "foo.bar.*"), None);
    assert_eq!(find(&tree, "foo.bar.baz"), Some(22));
    assert_eq!(tree.insert(b"foo.bar.baz", 33), Some(22));
    assert_eq!(tree.len(), 1);
    assert_eq!(tree.insert(b"foo.bar", 22), None);
    assert_eq!(tree.len(), 2);
    assert_eq!(find(&tree, "foo.bar"), Some(22));
    assert_eq!(find(&tree, "foo.bar.baz"), Some(33));
}

fn nodes_grow() {
    let mut tree = SubjectTree::new();
    // Past each of upstream's sizes: 4, 10, 16, 48.
    for n in 0..60 {
        assert_eq!(tree.insert(nth(n).as_bytes(), i32::from(n)), None);
        for earlier in 0..60 {
            let expected = (earlier <= n).then_some(i32::from(earlier));
            assert_eq!(find(&tree, &nth(earlier)), expected);
        }
        assert_eq!(count(&tree, "foo.bar.*"), usize::from(n) + 1);
    }
}

fn nodes_shrink() {
    let mut one = tree(&[("foo.bar.A", 22)]);
    assert_eq!(one.remove(b"foo.bar.A"), Some(22));
    assert_eq!(one.remove(b"foo.bar.A"), None);
    assert_eq!(find(&one, "foo.foo.A"), None);
    assert!(one.is_empty());
    for size in [3, 5, 11, 17, 49, 60u8] {
        let mut tree = SubjectTree::new();
        for n in 0..size {
            tree.insert(nth(n).as_bytes(), i32::from(n));
        }
        for n in 0..size {
            assert_eq!(tree.remove(nth(n).as_bytes()), Some(i32::from(n)));
            assert_eq!(tree.len(), usize::from(size - n - 1));
            for left in 0..size {
                assert_eq!(find(&tree, &nth(left)), (left > n).then_some(i32::from(left)));
            }
        }
    }
}

fn removing_what_is_not_there() {
    for size in [2, 3, 10, 48u8] {
        let mut tree = SubjectTree::new();
        for n in 0..size {
            tree.insert(&[b'x', n], i32::from(n));
        }
        assert_eq!(tree.remove(b"xz"), None);
        assert_eq!(tree.remove(b"x\xff"), None);
        assert_eq!(tree.len(), usize::from(size));
        // The last child, then another.
        assert_eq!(tree.remove(&[b'x', size - 1]), Some(i32::from(size - 1)));
        assert_eq!(tree.len(), usize::from(size - 1));
        assert_eq!(tree.get(&[b'x', 0]), Some(&0));
    }
}

fn highest_byte() {
    let mut tree = SubjectTree::new();
    for (key, value) in [(b'A', 1), (b'B', 2), (b'C', 3)] {
        tree.insert(&[key], value);
        assert_eq!(tree.get(&[key]), Some(&value));
    }
    assert_eq!(tree.remove(b"A"), Some(1));
    assert_eq!((tree.get(b"A"), tree.get(b"B"), tree.get(b"C")), (None, Some(&2), Some(&3)));
    assert_eq!(walked(&tree), [("B".to_owned(), 2), ("C".to_owned(), 3)]);
    tree.insert(&[255], 4);
    for n in 0..60 {
        tree.insert(&[128 + n], 0);
        assert_eq!(tree.get(&[255]), Some(&4));
    }
    for n in 0..60 {
        tree.remove(&[128 + n]);
        assert_eq!(tree.get(&[255]), Some(&4));
    }
}

fn prefix_mismatch() {
    let all = [("foo.bar.A", 11), ("foo.bar.B", 22), ("foo.bar.C", 33), ("foo.foo.A", 44)];
    let tree = tree(&all);
    for (subject, value) in all {
        assert_eq!(find(&tree, subject), Some(value));
    }
}

fn nodes_and_paths() {
    let mut tree = tree(&[("foo.bar.A", 1), ("foo.bar.B", 2), ("foo.bar.C", 3), ("foo.bar", 4)]);
    let check = |tree: &SubjectTree<i32>| {
        for (subject, value) in [("foo.bar.A", 1), ("foo.bar.B", 2), ("foo.bar.C", 3)] {
            assert_eq!(find(tree, subject), Some(value));
        }
    };
    check(&tree);
    assert_eq!(tree.remove(b"foo.bar"), Some(4));
    check(&tree);
}

fn construction() {
    let mut tree = tree(FOO);
    let mut sorted: Vec<_> = FOO.iter().map(|(s, v)| ((*s).to_owned(), *v)).collect();
    sorted.sort();
    assert_eq!(walked(&tree), sorted);
    assert_eq!(tree.remove(b"foo.bar"), Some(42));
    sorted.retain(|(s, _)| s != "foo.bar");
    assert_eq!(walked(&tree), sorted);
    for (subject, value) in sorted {
        assert_eq!(find(&tree, &subject), Some(value));
    }
}

fn match_one_leaf() {
    let tree = tree(&[("foo.bar.baz.A", 1)]);
    for filter in [
        "foo.bar.*.A",
        "foo.*.baz.A",
        "foo.*.*.A",
        "foo.*.*.*",
        "*.*.*.*",
        ">",
        "foo.>",
        "foo.*.>",
        "foo.bar.>",
        "foo.bar.*.>",
    ] {
        assert_eq!(count(&tree, filter), 1, "{filter}");
    }
    assert_eq!(count(&tree, "foo.bar.baz"), 0);
}

fn match_nodes() {
    let mut tree = tree(&FOO[..6]);
    let common = [
        ("foo.bar.A", 1),
        ("foo.baz.A", 1),
        ("foo.*.A", 2),
        ("foo.bar.*", 3),
        ("foo.baz.*", 3),
        ("foo.bar.>", 3),
        ("foo.baz.>", 3),
    ];
    counts(&tree, &common);
    counts(&tree, &[("foo.bar", 0), (">", 6), ("foo.>", 6), ("foo.ba", 0)]);
    tree.insert(b"foo.bar", 42);
    counts(&tree, &common);
    counts(&tree, &[("foo.bar", 1), (">", 7), ("foo.>", 7), ("foo.ba", 0)]);
}

fn match_until() {
    let tree = tree(FOO);
    for (filter, stop_at, calls, stopped) in
        [("foo.>", 3, 3, true), ("foo.bar", 3, 1, false), ("foo.baz.*", 4, 3, false)]
    {
        let mut n = 0;
        let flow = tree.try_for_each_match(filter.as_bytes(), |_, _| {
            n += 1;
            if n < stop_at { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!((n, flow.is_break()), (calls, stopped), "{filter}");
    }
}

fn no_prefix() {
    let mut tree = SubjectTree::new();
    for c in b'A'..=b'Z' {
        assert_eq!(tree.insert(&[c], 22), None);
    }
    assert_eq!(count(&tree, "*"), 26);
    assert_eq!(tree.remove(b"B"), Some(22));
    assert_eq!(count(&tree, "*"), 25);
    assert_eq!(tree.remove(b"Z"), Some(22));
    assert_eq!(count(&tree, "*"), 24);
}

fn terminal_wildcard_within_a_token() {
    let tree = tree(&[
        ("STATE.GLOBAL.CELL1.7PDSGAALXNN000010.PROPERTY-A", 5),
        ("STATE.GLOBAL.CELL1.7PDSGAALXNN000010.PROPERTY-B", 1),
        ("STATE.GLOBAL.CELL1.7PDSGAALXNN000010.PROPERTY-C", 2),
    ]);
    assert_eq!(count(&tree, "STATE.GLOBAL.CELL1.7PDSGAALXNN000010.*"), 3);
}

fn match_gives_the_subject() {
    let expected: BTreeMap<_, _> = FOO.iter().map(|(s, v)| (s.as_bytes().to_vec(), *v)).collect();
    let mut found = BTreeMap::new();
    tree(FOO).for_each_match(b">", |subject, value| {
        found.insert(subject.to_vec(), *value);
    });
    assert_eq!(found, expected);
}

fn random_double_wildcards() {
    let mut rng = Rng::from_seed(20);
    let mut tree = SubjectTree::new();
    for i in 1..=10_000 {
        tree.insert(format!("foo.{}.{i}", rng.below(20) + 1).as_bytes(), 42);
    }
    assert_eq!(count(&tree, "foo.*.*"), 10_000);
    for (filter, token, value) in [("*.2.*", 1, "2"), ("*.*.222", 2, "222")] {
        let all = walked(&tree);
        let tokens = all.iter().map(|(s, _)| s.split('.').collect::<Vec<_>>());
        let expected = tokens.filter(|t| t.len() == 3 && t[token] == value).count();
        assert!(expected > 0);
        assert_eq!(count(&tree, filter), expected);
    }
}

fn walks_are_ordered() {
    let tree = tree(FOO);
    let mut expected: Vec<_> = FOO.iter().map(|(s, v)| ((*s).to_owned(), *v)).collect();
    expected.sort();
    assert_eq!(walked(&tree), expected);
    let mut n = 0;
    let stopped = tree.try_for_each(|_, _| {
        n += 1;
        if n == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((n, stopped.is_break()), (4, true));
}

fn same_branching_byte() {
    let subjects = [
        "0d00.2abbb82c1d.6e16.fa7f85470e.3e46",
        "534b12.3486c17249.4dde0666",
        "6f26aabd.920ee3.d4d3.5ffc69f6",
        "8850.ade3b74c31.aa533f77.9f59.a4bd8415.b3ed7b4111",
        "5a75047dcb.5548e845b6.76024a34.14d5b3.80c426.51db871c3a",
        "825fa8acfc.5331.00caf8bbbd.107c4b.c291.126d1d010e",
        "a",
        "aa",
        "aaa",
    ];
    let mut tree = SubjectTree::new();
    for (n, subject) in (0..).zip(subjects) {
        assert_eq!(tree.insert(subject.as_bytes(), n), None);
        for (earlier, subject) in (0..=n).zip(subjects) {
            assert_eq!(find(&tree, subject), Some(earlier));
        }
    }
    assert_eq!(tree.len(), subjects.len());
}

fn separator_then_part_of_a_token() {
    let tree = tree(&[
        ("foo.xxxxx.foo1234.zz", 22),
        ("foo.yyy.foo123.zz", 22),
        ("foo.yyybar789.zz", 22),
        ("foo.yyy.foo12345.zz", 22),
        ("foo.yyy.foo12345.yy", 22),
        ("foo.yyy.foo123456789.zz", 22),
    ]);
    counts(&tree, &[("foo.*.foo123456789.*", 1), ("foo.*.*.zzz.foo.>", 0)]);
}

fn many_wildcards() {
    let tree = tree(&[("A.B.C.D.0.G.H.I.0", 22), ("A.B.C.D.1.G.H.I.0", 22)]);
    assert_eq!(count(&tree, "A.B.*.D.1.*.*.I.0"), 1);
}

fn wildcards_that_are_none() {
    let tree =
        tree(&[("foo.123", 22), ("one.two.three.four.five", 22), ("'*.123", 22), ("bar", 22)]);
    counts(&tree, &[("invalid.>", 0), ("foo.>.bar", 0), (">", 4), ("'*.*", 1), ("'*.*.*'", 0)]);
    for filter in ["`>`", "\">\"", "'>'", "'*.>'", "'*.>.", "`invalid.>`", "'*.*'"] {
        assert_eq!(count(&tree, filter), 0, "{filter}");
    }
}

fn random_entries() {
    let mut rng = Rng::from_seed(6);
    let (mut tree, mut model) = (SubjectTree::new(), BTreeMap::new());
    for n in 0..1000 {
        let tokens: Vec<String> = (0..=rng.below(6))
            .map(|_| (0..rng.below(4) + 2).map(|_| format!("{:02x}", rng.below(256))).collect())
            .collect();
        let subject = tokens.join(".");
        assert_eq!(tree.insert(subject.as_bytes(), n), model.insert(subject, n));
        assert_eq!(tree.len(), model.len());
        // All at every step is too slow for a debug build: all at some.
        if n % 50 == 0 || n == 999 {
            model.iter().for_each(|(subject, n)| assert_eq!(find(&tree, subject), Some(*n)));
        }
    }
    assert!(walked(&tree).into_iter().eq(model));
}

fn long_tokens() {
    let mut tree = tree(&[
        ("a1.aaaaaaaaaaaaaaaaaaaaaa0", 1),
        ("a2.0", 2),
        ("a1.aaaaaaaaaaaaaaaaaaaaaa1", 3),
        ("a2.1", 4),
    ]);
    assert_eq!(tree.remove(b"a2.0"), Some(2));
    assert_eq!(tree.remove(b"a2.1"), Some(4));
    assert_eq!(tree.len(), 2);
    assert_eq!(find(&tree, "a1.aaaaaaaaaaaaaaaaaaaaaa0"), Some(1));
    assert_eq!(find(&tree, "a1.aaaaaaaaaaaaaaaaaaaaaa1"), Some(3));
}

fn match_visits_once() {
    let tree = tree(&[("foo.bar.A", 1), ("foo.bar.B", 1), ("foo.bar.C", 1), ("foo.bar.>", 1)]);
    for filter in [">", "foo.>", "foo.bar.>"] {
        let mut seen = BTreeSet::new();
        tree.for_each_match(filter.as_bytes(), |subject, _| {
            assert!(seen.insert(subject.to_vec()), "twice: {subject:?}");
        });
        assert_eq!(seen.len(), 4);
    }
}

fn trailing_nulls() {
    let short = [b"foo.bar.baz_".as_slice(), &[0; 10]].concat();
    let long = [short.as_slice(), &[0; 10]].concat();
    let mut tree = SubjectTree::new();
    assert_eq!(tree.insert(&short, 1), None);
    assert_eq!(tree.insert(&long, 2), None);
    assert_eq!((tree.get(&short), tree.get(&long)), (Some(&1), Some(&2)));
}

fn del_is_not_stored() {
    let mut tree = SubjectTree::new();
    for subject in ["foo.bar.baz.\x7f", "foo\x7fbar"] {
        assert_eq!(tree.insert(subject.as_bytes(), 22), None);
        assert_eq!((tree.len(), find(&tree, subject)), (0, None));
    }
    tree.insert(b"a.b", 1);
    tree.insert(b"a.c", 2);
    assert_eq!(tree.len(), 2);
}

fn a_lone_separator_as_filter() {
    let tree = tree(&[("foo", 1)]);
    counts(&tree, &[(".", 0), ("..", 0), (".>", 0), (".*", 0)]);
}

fn common_subjects() {
    let common = |a: &SubjectTree<i32>, b: &SubjectTree<i32>| {
        let mut all = Vec::new();
        a.for_each_common(b, |s, x, y| all.push((String::from_utf8_lossy(s).into_owned(), *x, *y)));
        all
    };
    let a = tree(&[
        ("foo.bar", 1),
        ("foo.bar.baz.qux", 2),
        ("bar", 3),
        ("a.b.c", 4),
        ("a.b.ee", 5),
        ("bb.c.d", 6),
    ]);
    let b = tree(&[
        ("foo.bar", 10),
        ("foo.bar.baz.qux", 20),
        ("baz", 30),
        ("a.b.d", 40),
        ("a.b.e", 50),
        ("b.c.d", 60),
        ("foo.bar.baz.qux.alice", 70),
        ("foo.bar.baz.qux.bob", 80),
    ]);
    let both = |x, y| [("foo.bar".to_owned(), x, y), ("foo.bar.baz.qux".to_owned(), 2 * x, 2 * y)];
    assert_eq!(common(&a, &b), both(1, 10));
    assert_eq!(common(&b, &a), both(10, 1));

    let none = SubjectTree::new();
    assert!(common(&none, &none).is_empty());
    assert!(common(&a, &none).is_empty() && common(&none, &a).is_empty());

    // Values of different types, the larger tree on either side, nested subjects.
    let mut words = SubjectTree::new();
    words.insert(b"large.5", "five");
    words.insert(b"large.50", "fifty");
    words.insert(b"small.only", "none");
    let mut large = SubjectTree::new();
    for i in 0..100 {
        large.insert(format!("large.{i}").as_bytes(), i);
    }
    let mut seen = Vec::new();
    large.for_each_common(&words, |_, n, word| seen.push((*n, *word)));
    words.for_each_common(&large, |_, word, n| seen.push((*n, *word)));
    assert_eq!(seen, [(5, "five"), (50, "fifty"), (5, "five"), (50, "fifty")]);
    let deep = tree(&[("a.b.c.d.e.f.g", 1), ("a.b.c.d", 3), ("prefix.suffix1", 5)]);
    let other = tree(&[("a.b.c.d.e.f.g", 2), ("a.b.c.d.e", 4), ("prefix.suffix2", 6)]);
    assert_eq!(common(&deep, &other), [("a.b.c.d.e.f.g".to_owned(), 1, 2)]);
}

fn interest() {
    let tree = tree(&[
        ("one.two.three.four", 0),
        ("one.two.three.five", 0),
        ("one.two.six", 0),
        ("one.two.seven", 0),
        ("eight.nine", 0),
        ("stream.A", 0),
        ("stream.A.child", 0),
    ]);
    let visited = |filters: &[&str], stop: bool| {
        let mut list = GenericSublist::new();
        for (n, filter) in filters.iter().enumerate() {
            assert_eq!(list.insert(filter.as_bytes(), n), Ok(true));
        }
        let mut seen = Vec::new();
        let _ = tree.try_for_each_interest(&list, |subject, _| {
            seen.push(subject.to_vec());
            if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{filters:?}");
        seen.len()
    };
    let cases: &[(&[&str], usize)] = &[
        (&["one.two.six", "eight.nine"], 2),
        (&["one.two.*.*"], 2),
        (&["one.two.*.four", "one.two.*.*"], 2),
        (&["*.*", "*.*.*", "*.*.*.*"], 7),
        (&["one.>"], 4),
        (&["one.two.three.four", "one.>", ">"], 7),
        (&["stream.A.>", "stream.A"], 2),
        (&["stream.*.child", "stream.A"], 2),
        (
            &[
                "stream.A.child",
                "*.A.child",
                "stream.*.child",
                "stream.A.*",
                "stream.*.*",
                "*.A.*",
                "*.*.child",
            ],
            1,
        ),
        (&["stream.A.child", "*.A.child", "stream.A.*", "*.A.*", "*.*.child"], 1),
        (&["stream.A.child", "stream.*.*"], 1),
        (&["stream.A.child", "stream.*.>"], 1),
        (&["stream.A.child", "*.*"], 3),
        (&["stream.A.child", "stream.*"], 2),
        (&["stream.A", "*.*.*"], 4),
        (&[">"], 7),
        (&["one"], 0),
        (&["one", "eight", "ten"], 0),
        (&["stream.A.not-child", "stream.A.child.>"], 0),
        (&["one.*.six", "one.two.seven"], 2),
        (&["one.*.*.four", "one.*.*.five", "one.*.three"], 2),
        (&["one.two.*.*", "*.two.three.four"], 2),
        (&["one.*.four.five", "one.two.three.four"], 1),
    ];
    for (filters, expected) in cases {
        assert_eq!(visited(filters, false), *expected, "{filters:?}");
    }
    assert_eq!(visited(&[">"], true), 1);
}

fn removing_short_subjects() {
    let mut empty = SubjectTree::<i32>::new();
    assert_eq!(empty.remove(b"foo"), None);
    let mut one = tree(&[("foo", 1)]);
    assert_eq!(one.remove(b""), None);
    assert_eq!(one.len(), 1);
    let mut two = tree(&[("foo.bar.baz", 1), ("foo.bar.qux", 2)]);
    assert_eq!(two.remove(b"foo.bar"), None);
    assert_eq!((find(&two, "foo.bar.baz"), find(&two, "foo.bar.qux")), (Some(1), Some(2)));
    let mut long = tree(&[("verylongprefix.suffix", 1), ("verylongprefix.suffix2", 2)]);
    assert_eq!(long.remove(b"very"), None);
    assert_eq!(long.len(), 2);
}

fn clearing() {
    let mut tree = SubjectTree::new();
    tree.clear();
    assert_eq!(tree.len(), 0);
    let all = ["foo.bar", "foo.baz", "bar.baz"];
    for s in all {
        tree.insert(s.as_bytes(), 1);
    }
    assert_eq!(tree.len(), 3);
    tree.clear();
    assert!(tree.is_empty() && all.iter().all(|s| find(&tree, s).is_none()));
    assert_eq!(tree.insert(b"new.entry", 42), None);
    assert_eq!((tree.len(), find(&tree, "new.entry")), (1, Some(42)));
}

fn finding_nothing() {
    assert_eq!(find(&tree(&[("foo.bar.baz", 1), ("foo", 2)]), ""), None);
    let empty = SubjectTree::<i32>::new();
    assert_eq!(walked(&empty), []);
    assert_eq!((find(&empty, "foo"), count(&empty, ">")), (None, 0));
}

fn empty_filter() {
    let tree = tree(&[("foo.bar", 1)]);
    counts(&tree, &[("", 0), ("foo.*", 1)]);
}

fn children_are_all_visited() {
    for size in [2, 5, 8, 20, 100u8] {
        let mut tree = SubjectTree::new();
        for n in 0..size {
            tree.insert(&[b"prefix".as_slice(), &[n]].concat(), i32::from(n));
        }
        assert!(walked(&tree).into_iter().map(|(_, n)| n).eq(0..i32::from(size)));
    }
    let mut tree = SubjectTree::new();
    for i in 0..20 {
        tree.insert(format!("level1.level2.level3.item{i}").as_bytes(), i);
    }
    assert_eq!(walked(&tree).len(), 20);
}

fn walks_stop_early() {
    let small = tree(&[("a.b.c", 1), ("a.b.d", 2), ("a.c.d", 3), ("b.c.d", 4)]);
    let mut wide = SubjectTree::new();
    for n in 0..20u8 {
        wide.insert(&[b'x', n], i32::from(n));
    }
    for tree in [&small, &wide] {
        for stop_at in 1..4 {
            let mut n = 0;
            let flow = tree.try_for_each(|_, value| {
                n += 1;
                if n < stop_at { ControlFlow::Continue(()) } else { ControlFlow::Break(*value) }
            });
            assert_eq!(n, stop_at);
            assert!(flow.is_break());
        }
    }
}

fn filters_across_fragments() {
    let tree = tree(&[
        ("foo.test.bar.one", 1),
        ("foo.test.bar.two", 2),
        ("foo.testing.bar.one", 3),
        ("foo.test", 4),
        ("foo.tes", 5),
        ("foo.test.baz.one", 6),
    ]);
    counts(
        &tree,
        &[("foo.*.bar.>", 3), ("foo.*", 2), ("foo.test.>", 3), ("foo.*.*.one", 3), ("foo.te", 0)],
    );
    let tree = self::tree(&[
        ("foo.bar.baz", 1),
        ("foo.bar.qux", 2),
        ("foo.baz.bar", 3),
        ("bar.foo.baz", 4),
    ]);
    counts(&tree, &[("foo.bar.>", 2), ("foo.bar.*", 2), ("foo.bar", 0)]);
}

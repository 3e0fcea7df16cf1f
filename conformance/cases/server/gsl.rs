use nats_server::ds::generic_sublist::{GenericSublist, SublistError};

crate::cases! {
    "server/gsl/gsl_test.go",
    library starts_empty => ["TestGenericSublistInit"],
    library counts_what_is_inserted => ["TestGenericSublistInsertCount"],
    library literals => ["TestGenericSublistSimple", "TestGenericSublistSimpleMultiTokens", "TestGenericSublistTwoTokenPubMatchSingleTokenSub"],
    library partial_wildcards => ["TestGenericSublistPartialWildcard", "TestGenericSublistPartialWildcardAtEnd"],
    library full_wildcard => ["TestGenericSublistFullWildcard"],
    library removing => ["TestGenericSublistRemove", "TestGenericSublistRemoveWildcard"],
    library removing_prunes => ["TestGenericSublistRemoveCleanup", "TestGenericSublistRemoveCleanupWildcards"],
    library invalid_subjects => ["TestGenericSublistInvalidSubjectsInsert", "TestGenericSublistBadSubjectOnRemove"],
    library wildcards_as_literals => ["TestGenericSublistInsertWithWildcardsAsLiterals", "TestGenericSublistRemoveWithWildcardsAsLiterals"],
    library empty_tokens => ["TestGenericSublistMatchWithEmptyTokens"],
    library interest => ["TestGenericSublistHasInterest", "TestGenericSublistHasInterestOverlapping", "TestGenericSublistNumInterest"],
    library top_level_full_wildcard => ["TestGenericSublistMatchesFullWildcard"],
    library single_filter => ["TestGenericSublistSingleFilter"],
    not_applicable "TestGenericSublistHasInterestStartingInRace" => "runs readers beside writers to let Go's race detector find a missing lock; the sublist has no lock of its own here, and the compiler refuses a reader beside a writer",
}

fn list(subjects: &[(&str, u32)]) -> GenericSublist<u32> {
    let mut list = GenericSublist::new();
    for (subject, value) in subjects {
        assert_eq!(list.insert(subject.as_bytes(), *value), Ok(true), "{subject}");
    }
    list
}

fn found(list: &GenericSublist<u32>, subject: &str) -> usize {
    let mut n = 0;
    list.for_each_match(subject.as_bytes(), |_| n += 1);
    assert_eq!(list.num_interest(subject.as_bytes()), n);
    assert_eq!(list.has_interest(subject.as_bytes()), n > 0);
    n
}

fn starts_empty() {
    let list = list(&[]);
    assert!(list.is_empty() && list.depth() == 0);
}

fn counts_what_is_inserted() {
    assert_eq!(list(&[("foo", 0), ("bar", 0), ("foo.bar", 0)]).len(), 3);
}

fn literals() {
    let one = list(&[("foo", 0)]);
    assert_eq!((found(&one, "foo"), found(&one, "foo.bar")), (1, 0));
    assert_eq!(found(&list(&[("foo.bar.baz", 0)]), "foo.bar.baz"), 1);
}

fn partial_wildcards() {
    assert_eq!(found(&list(&[("a.b.c", 0), ("a.*.c", 0)]), "a.b.c"), 2);
    assert_eq!(found(&list(&[("a.b.c", 0), ("a.b.*", 0)]), "a.b.c"), 2);
}

fn full_wildcard() {
    let list = list(&[("a.b.c", 0), ("a.>", 0)]);
    assert_eq!((found(&list, "a.b.c"), found(&list, "a.>")), (2, 1));
}

fn removing() {
    let all = [("a.b.*.d", 22), ("a.b.>", 33), ("a.b.c.d", 11)];
    let mut list = list(&all);
    assert_eq!(found(&list, "a.b.c.d"), 3);
    for (left, (subject, value)) in (0..3).rev().zip(all) {
        assert_eq!(list.remove(subject.as_bytes(), &value), Ok(()));
        assert_eq!((list.len(), found(&list, "a.b.c.d")), (left, left));
    }
}

fn removing_prunes() {
    for subject in ["a.b.c.d.e.f", "a.b.*.d.e.>"] {
        let mut list = list(&[(subject, 0)]);
        assert_eq!(list.depth(), 6);
        assert_eq!(list.remove(subject.as_bytes(), &0), Ok(()));
        assert_eq!(list.depth(), 0);
    }
}

fn invalid_subjects() {
    let mut list = GenericSublist::new();
    for subject in [".foo", "foo.", "foo..bar", "foo.bar..baz", "foo.>.baz", "a.b..d", "a.>.b"] {
        assert_eq!(
            list.insert(subject.as_bytes(), 0),
            Err(SublistError::InvalidSubject),
            "{subject}"
        );
        assert_eq!(
            list.remove(subject.as_bytes(), &0),
            Err(SublistError::InvalidSubject),
            "{subject}"
        );
    }
    assert_eq!(SublistError::InvalidSubject.to_string(), "gsl: invalid subject");
    assert_eq!((list.len(), list.depth()), (0, 0));
}

fn wildcards_as_literals() {
    for subject in ["foo.*-", "foo.>-"] {
        let mut list = list(&[(subject, 7)]);
        assert_eq!((found(&list, "foo.bar"), found(&list, subject)), (0, 1));
        assert_eq!(list.remove(b"foo.bar", &7), Err(SublistError::NotFound));
        assert_eq!(list.len(), 1);
        assert_eq!(list.remove(subject.as_bytes(), &7), Ok(()));
        assert_eq!(list.len(), 0);
    }
}

fn empty_tokens() {
    let list = list(&[(">", 0)]);
    for subject in [".foo", "..foo", "foo..", "foo.", "foo..bar", "foo...bar"] {
        assert_eq!(found(&list, subject), 0, "{subject}");
    }
}

fn interest() {
    for (filter, expected) in [
        ("foo", [1, 0, 0, 0]),
        ("foo.*", [0, 1, 1, 0]),
        ("foo.>", [0, 1, 1, 1]),
        ("*.>", [0, 1, 1, 1]),
        ("*.bar", [0, 1, 0, 0]),
        ("*", [1, 0, 0, 0]),
    ] {
        let mut list = list(&[(filter, 11)]);
        let ask = |list: &_| ["foo", "foo.bar", "foo.baz", "foo.bar.baz"].map(|s| found(list, s));
        assert_eq!(ask(&list), expected, "{filter}");
        assert_eq!(list.remove(filter.as_bytes(), &11), Ok(()));
        assert_eq!(ask(&list), [0; 4], "{filter}");
    }
    let overlapping = list(&[("stream.A.child", 11), ("stream.*", 11)]);
    assert_eq!((found(&overlapping, "stream.A.child"), found(&overlapping, "stream.A")), (1, 1));
}

fn top_level_full_wildcard() {
    let mut list = list(&[("stream.A.child", 11), ("stream.*", 11)]);
    assert!(list.has_interest(b"stream.A.child") && list.has_interest(b"stream.A"));
    assert!(!list.matches_full_wildcard());
    assert_eq!(list.insert(b">", 11), Ok(true));
    assert!(list.matches_full_wildcard());
}

fn single_filter() {
    let single = |subjects: &[(&str, u32)]| list(subjects).single_subject();
    assert_eq!(single(&[]), None);
    let child = Some(b"stream.A.child".to_vec());
    assert_eq!(single(&[("stream.A.child", 11)]), child);
    assert_eq!(single(&[("stream.A.child", 11), ("stream.A.child", 22)]), child);
    assert_eq!(single(&[("stream.A.child", 11), ("stream.A.other", 22)]), None);
    assert_eq!(single(&[("stream.A.child", 11), ("stream.*", 33)]), None);
    assert_eq!(single(&[("foo", 1), ("foo.bar", 2), ("foo.baz", 3)]), None);
    assert_eq!(single(&[("foo.bar", 2), ("foo.baz", 3)]), None);
}

//! Removing.

use super::world::{Pieces, sub, world};
use nats_server::broker::sublist::InvalidSubject;
use std::sync::Arc;

crate::cases! {
    "server/sublist_test.go",
    library removing => ["TestSublistRemove", "TestSublistRemoveNoCache"],
    library removing_wildcards => ["TestSublistRemoveWildcard", "TestSublistRemoveWildcardNoCache"],
    library removing_leaves_nothing => ["TestSublistRemoveCleanup", "TestSublistRemoveCleanupNoCache"],
    library removing_wildcards_prunes => ["TestSublistRemoveCleanupWildcards", "TestSublistRemoveCleanupWildcardsNoCache"],
    library removing_among_many => ["TestSublistRemoveWithLargeSubs", "TestSublistRemoveWithLargeSubsNoCache"],
    library removing_a_batch_with_a_stranger => ["TestSublistRemoveBatchWithError"],
    library removing_bad_subjects => ["TestSublistBadSubjectOnRemove", "TestSublistBadSubjectOnRemoveNoCache"],
    library removing_wildcards_as_literals => ["TestSublistRemoveWithWildcardsAsLiterals", "TestSublistRemoveWithWildcardsAsLiteralsNoCache"],
}

fn removing() {
    let world = world();
    let held = world.inserted("a.b.c.d");
    assert_eq!(world.plain("a.b.c.d").len(), 1);
    assert!(!world.list().remove(&sub("a.b.c")));
    assert_eq!(world.list().len(), 1);
    assert!(world.list().remove(&held));
    assert!(world.list().is_empty() && world.plain("a.b.c.d").is_empty());
}

fn removing_wildcards() {
    let world = world();
    let subs = ["a.b.c.d", "a.b.>", "a.b.*.d"].map(|subject| world.inserted(subject));
    assert_eq!(world.plain("a.b.c.d").len(), 3);
    for (left, sub) in (0..3).rev().zip(&subs) {
        assert!(world.list().remove(sub));
        assert_eq!((world.list().len(), world.plain("a.b.c.d").len()), (left, left));
    }
}

/// A literal subject has no levels: it is gone when no question finds it any more.
fn removing_leaves_nothing() {
    let world = world();
    let held = world.inserted("a.b.c.d.e.f");
    assert_eq!((world.list().all().len(), world.list().levels()), (1, 0));
    assert!(world.list().remove(&held) && !world.list().remove(&held));
    assert!(world.list().is_empty() && world.list().all().is_empty());
    assert_eq!(Arc::strong_count(&held), 1, "nothing holds it");
}

fn removing_wildcards_prunes() {
    let world = world();
    let held = world.inserted("a.b.*.d.e.>");
    assert_eq!(world.list().levels(), 6);
    assert!(world.list().remove(&held));
    assert_eq!(world.list().levels(), 0);
    assert_eq!(Arc::strong_count(&held), 1, "nothing holds it");
}

fn removing_among_many() {
    let world = world();
    let subs: Vec<_> = (0..512).map(|_| world.inserted("foo")).collect();
    assert_eq!(world.plain("foo").len(), 512);
    for at in [256, 0, 511] {
        assert!(world.list().remove(&subs[at]));
        let left = Pieces::of(world.list(), "foo").plain;
        assert!(!left.iter().any(|sub| Arc::ptr_eq(sub, &subs[at])));
    }
    assert_eq!(world.plain("foo").len(), 509);
}

fn removing_bad_subjects() {
    let world = world();
    let bad = sub("a.b..d");
    assert_eq!(world.list().insert(bad.clone()), Err(InvalidSubject));
    assert!(!world.list().remove(&bad) && !world.list().remove(&sub("a.>.b")));
    assert_eq!(world.list().stats().removes, 0);
}

fn removing_wildcards_as_literals() {
    let world = world();
    for subject in ["foo.*-", "foo.>-"] {
        let held = world.inserted(subject);
        assert!(!world.list().remove(&sub("foo.bar")));
        assert_eq!(world.list().len(), 1);
        assert!(world.list().remove(&held));
        assert!(world.list().is_empty());
    }
}

fn removing_a_batch_with_a_stranger() {
    let world = world();
    let [first, _, last] = ["foo", "bar", "baz"].map(|subject| world.inserted(subject));
    assert_eq!(world.list().remove_batch([&sub("not.inserted"), &first, &last]), 2);
    assert_eq!(world.list().len(), 1);
    assert_eq!(world.plain("bar"), ["bar"]);
    assert!(world.plain("foo").is_empty() && world.plain("baz").is_empty());
}

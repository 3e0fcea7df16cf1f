//! Inserting and matching.

use super::world::{Found, sub, world};
use nats_server::broker::sublist::InvalidSubject;
use std::sync::Arc;

crate::cases! {
    "server/sublist_test.go",
    library starts_empty => ["TestSublistInit"],
    library counts_what_is_inserted => ["TestSublistInsertCount", "TestSublistInsertCountNoCache"],
    library one_token => ["TestSublistSimple", "TestSublistSimpleNoCache"],
    library many_tokens => ["TestSublistSimpleMultiTokens", "TestSublistSimpleMultiTokensNoCache"],
    library partial_wildcard => ["TestSublistPartialWildcard", "TestSublistPartialWildcardNoCache"],
    library partial_wildcard_at_the_end => ["TestSublistPartialWildcardAtEnd", "TestSublistPartialWildcardAtEndNoCache"],
    library full_wildcard => ["TestSublistFullWildcard", "TestSublistFullWildcardNoCache"],
    library invalid_subjects => ["TestSublistInvalidSubjectsInsert", "TestSublistInvalidSubjectsInsertNoCache"],
    library queue_groups => ["TestSublistBasicQueueResults", "TestSublistBasicQueueResultsNoCache"],
    library two_tokens_do_not_match_one => ["TestSublistTwoTokenPubMatchSingleTokenSub", "TestSublistTwoTokenPubMatchSingleTokenSubNoCache"],
    library wildcards_as_literals => ["TestSublistInsertWithWildcardsAsLiterals", "TestSublistInsertWithWildcardsAsLiteralsNoCache"],
    library all_subscriptions => ["TestSublistAll"],
    library empty_tokens_match_nothing => ["TestSublistMatchWithEmptyTokens"],
    not_applicable "TestSublistForServerNoOpts" => "makes a Server struct without options to reach a guard against a nil pointer; here options are a value that every server has, and a sublist is made without looking at them (disable_sublist_cache is TestSublistNoCacheRemoveBatch's case)",
    not_applicable "TestSetAccountSublistNoOpts" => "as TestSublistForServerNoOpts: the guard against a server without options has nothing to guard here, since an account makes its sublist itself and without options",
}

fn starts_empty() {
    let world = world();
    assert!(world.list().is_empty());
    assert_eq!((world.list().len(), world.list().levels()), (0, 0));
}

fn counts_what_is_inserted() {
    let world = world();
    world.insert_all(&["foo", "bar", "foo.bar"]);
    assert_eq!((world.list().len(), world.list().stats().count), (3, 3));
}

fn one_token() {
    let world = world();
    world.inserted("foo");
    assert_eq!(world.plain("foo"), ["foo"]);
}

fn many_tokens() {
    let world = world();
    world.inserted("foo.bar.baz");
    assert_eq!(world.plain("foo.bar.baz"), ["foo.bar.baz"]);
}

fn partial_wildcard() {
    let world = world();
    world.insert_all(&["a.b.c", "a.*.c"]);
    assert_eq!(world.plain("a.b.c"), ["a.*.c", "a.b.c"]);
}

fn partial_wildcard_at_the_end() {
    let world = world();
    world.insert_all(&["a.b.c", "a.b.*"]);
    assert_eq!(world.plain("a.b.c"), ["a.b.*", "a.b.c"]);
}

fn full_wildcard() {
    let world = world();
    world.insert_all(&["a.b.c", "a.>"]);
    assert_eq!(world.plain("a.b.c"), ["a.>", "a.b.c"]);
    assert_eq!(world.plain("a.>"), ["a.>"]);
}

fn two_tokens_do_not_match_one() {
    let world = world();
    world.inserted("foo");
    assert_eq!(world.plain("foo"), ["foo"]);
    assert!(world.plain("foo.bar").is_empty());
}

fn wildcards_as_literals() {
    let world = world();
    for subject in ["foo.*-", "foo.>-"] {
        world.inserted(subject);
        assert!(world.plain("foo.bar").is_empty());
        assert_eq!(world.plain(subject), [subject]);
    }
}

fn empty_tokens_match_nothing() {
    let world = world();
    world.inserted(">");
    world.inserted_in(">", "queue");
    world.inserted("*.>");
    for subject in [".foo", "..foo", "foo..", "foo.", "foo..bar", "foo...bar"] {
        assert_eq!(world.found(subject), Found::default(), "{subject}");
    }
    assert_eq!(world.found("foo.bar").0.len(), 2);
}

fn invalid_subjects() {
    let world = world();
    for subject in [".foo", "foo.", "foo..bar", "foo.bar..baz", "foo.>.bar"] {
        assert_eq!(world.list().insert(sub(subject)), Err(InvalidSubject), "{subject}");
    }
    assert!(world.list().is_empty());
}

fn queue_groups() {
    let world = world();
    let one = |name: &str| (name.to_owned(), 1);
    let two = |name: &str| (name.to_owned(), 2);
    let sub1 = world.inserted_in("foo", "bar");
    assert_eq!(world.groups("foo"), [one("bar")]);
    let sub2 = world.inserted_in("foo", "baz");
    assert_eq!(world.groups("foo"), [one("bar"), one("baz")]);
    assert!(world.found("foo").0.is_empty());
    let plain = world.inserted("foo");
    assert_eq!(world.groups("foo"), [one("bar"), one("baz")]);
    assert_eq!(world.found("foo").0, ["foo"]);
    let (sub3, sub4) = (world.inserted_in("foo", "bar"), world.inserted_in("foo", "baz"));
    assert_eq!(world.groups("foo"), [two("bar"), two("baz")]);

    assert!(world.list().remove(&plain));
    assert!(world.found("foo").0.is_empty());
    assert_eq!(world.groups("foo"), [two("bar"), two("baz")]);
    assert!(world.list().remove(&sub1));
    assert_eq!(world.groups("foo"), [one("bar"), two("baz")]);
    assert!(world.list().remove(&sub3));
    assert_eq!(world.groups("foo"), [two("baz")]);
    assert!(world.list().remove(&sub2) && world.list().remove(&sub4));
    assert_eq!(world.found("foo"), Found::default());
}

fn all_subscriptions() {
    let world = world();
    let subs = ["foo.bar.baz", "foo", "baz", "baz.*", "baz.>"].map(|s| world.inserted(s));
    let all = world.list().all();
    assert_eq!(all.len(), subs.len());
    assert!(subs.iter().all(|sub| all.iter().any(|held| Arc::ptr_eq(held, sub))));
}

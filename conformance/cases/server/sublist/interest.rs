//! Who is interested in what.

use super::world::{Found, Pieces, World, world};

crate::cases! {
    "server/sublist_test.go",
    library watching_interest => ["TestSublistRegisterInterestNotification"],
    library reverse_match => ["TestSublistReverseMatch", "TestSublistReverseMatchWider"],
    library interest => ["TestSublistHasInterest", "TestSublistHasInterestOverlapping"],
    library interest_is_counted => ["TestSublistNumInterest"],
}

fn watching_interest() {
    let world = world();
    let list = world.list();
    for bad in ["foo.*", ">", "foo..bar", ""] {
        assert!(list.watch(bad.as_bytes(), b"").is_err(), "{bad}");
    }
    watched_subject(&world);
    watched_among_wildcards(&world);
    watched_queue(&world);
    assert!(list.is_empty());
}

fn watched_subject(world: &World) {
    let list = world.list();
    let mut watch = list.watch(b"foo", b"").unwrap();
    let other = list.watch(b"bar", b"").unwrap();
    assert!(!*watch.borrow_and_update() && !*other.borrow());
    let subs = [world.inserted("foo"), world.inserted("foo")];
    assert!(watch.has_changed().unwrap() && *watch.borrow_and_update());
    let deeper = world.inserted("foo.already.exists");
    assert!(list.remove(&deeper) && list.remove(&subs[0]));
    assert!(!watch.has_changed().unwrap(), "the second is still there");
    assert!(list.remove(&subs[1]));
    assert!(watch.has_changed().unwrap() && !*watch.borrow_and_update());
    assert!(!other.has_changed().unwrap());
    // Who comes later learns how things stand.
    let sub = world.inserted("bar");
    assert!(*other.borrow() && *list.watch(b"bar", b"").unwrap().borrow());
    drop(other);
    assert!(list.remove(&sub));
}

fn watched_among_wildcards(world: &World) {
    let list = world.list();
    let mut watch = list.watch(b"foo", b"").unwrap();
    let mut others = vec![world.inserted("*"), world.inserted(">"), world.inserted_in("foo", "q")];
    assert!(!watch.has_changed().unwrap(), "wildcards and queue groups do not count");
    others.push(world.inserted("foo"));
    others.push(world.inserted("foo"));
    assert!(*watch.borrow_and_update());
    assert_eq!(list.remove_batch(&others), 5);
    assert!(watch.has_changed().unwrap() && !*watch.borrow_and_update());
}

fn watched_queue(world: &World) {
    let list = world.list();
    let watch = |queue: &str| list.watch(b"queue.test", queue.as_bytes()).unwrap();
    let (mut first, mut second, mut plain) = (watch("q1"), watch("q2"), watch(""));
    let others = [("queue.test", "q3"), ("queue.other", "q1"), ("queue.>", "q1")];
    let others = others.map(|(subject, queue)| world.inserted_in(subject, queue));
    assert!(!first.has_changed().unwrap());
    let members = [world.inserted_in("queue.test", "q1"), world.inserted_in("queue.test", "q1")];
    assert!(*first.borrow_and_update() && !second.has_changed().unwrap());
    let other = world.inserted_in("queue.test", "q2");
    assert!(*second.borrow_and_update() && !first.has_changed().unwrap());
    assert!(list.remove(&members[0]) && !first.has_changed().unwrap());
    assert!(list.remove(&members[1]) && !*first.borrow_and_update());
    assert!(list.remove(&other) && !*second.borrow_and_update());
    assert!(!plain.has_changed().unwrap() && !*plain.borrow_and_update());
    list.remove_batch(&others);
}

fn reverse_match() {
    let world = world();
    let reach = |pattern: &str| {
        let mut pieces = Pieces::default();
        world.list().collect_colliding(pattern.as_bytes(), &mut pieces);
        pieces.found().0
    };
    world.insert_all(&["foo", "bar", "foo.bar", "foo.baz", "foo.bar.baz"]);
    for (pattern, expected) in [
        ("foo", &["foo"][..]),
        ("bar", &["bar"]),
        ("*", &["bar", "foo"]),
        ("baz", &[]),
        ("foo.*", &["foo.bar", "foo.baz"]),
        ("*.*", &["foo.bar", "foo.baz"]),
        ("*.bar", &["foo.bar"]),
        ("*.baz", &["foo.baz"]),
        ("bar.*", &[]),
        ("*.bat", &[]),
        ("foo.>", &["foo.bar", "foo.bar.baz", "foo.baz"]),
        (">", &["bar", "foo", "foo.bar", "foo.bar.baz", "foo.baz"]),
    ] {
        assert_eq!(reach(pattern), expected, "{pattern}");
    }
    world.inserted("uplink.*.*.>");
    assert_eq!(reach("uplink.1.*.*.>"), ["uplink.*.*.>"]);
    assert_eq!(reach("uplink.1.2.3.>"), ["uplink.*.*.>"]);
}

const ASKED: [&str; 4] = ["foo", "foo.bar", "foo.baz", "foo.bar.baz"];

/// Which of [`ASKED`] each pattern matches.
const INTEREST: [(&str, [usize; 4]); 6] = [
    ("foo", [1, 0, 0, 0]),
    ("foo.*", [0, 1, 1, 0]),
    ("foo.>", [0, 1, 1, 1]),
    ("*.>", [0, 1, 1, 1]),
    ("*.bar", [0, 1, 0, 0]),
    ("*", [1, 0, 0, 0]),
];

fn interest() {
    let world = world();
    let asked = || ASKED.map(|subject| usize::from(world.list().has_interest(subject.as_bytes())));
    for (pattern, expected) in INTEREST {
        for queues in [["", ""], ["bar", "baz"]] {
            let [first, second] = queues.map(|queue| world.inserted_in(pattern, queue));
            for sub in [first, second] {
                assert_eq!(asked(), expected, "{pattern} {queues:?}");
                assert!(world.list().remove(&sub));
            }
            assert_eq!(asked(), [0; 4], "{pattern} {queues:?}");
        }
    }
    world.insert_all(&["stream.A.child", "stream.*"]);
    for subject in ["stream.A.child", "stream.A"] {
        assert!(world.list().has_interest(subject.as_bytes()));
        assert_eq!(world.plain(subject).len(), 1);
    }
    // Nobody is a result that is kept, too.
    let hits = world.list().stats().cache_hits;
    assert!((0..5).all(|_| world.cached("nobody") == Found::default()));
    assert_eq!(world.list().stats().cache_hits, hits + 3);
}

fn interest_is_counted() {
    let world = world();
    for (pattern, expected) in INTEREST {
        let check = |plain: usize, members: usize| {
            for (subject, matches) in ASKED.iter().zip(expected) {
                let wanted = (plain * matches, members * matches);
                assert_eq!(world.list().num_interest(subject.as_bytes()), wanted, "{pattern}");
                let (found, groups) = world.cached(subject);
                let queued = groups.iter().map(|(_, members)| members.len()).sum();
                assert_eq!((found.len(), queued), wanted, "{pattern} {subject}");
            }
        };
        let queues = ["", "bar", "baz", "baz"];
        let subs = queues.map(|queue| world.inserted_in(pattern, queue));
        check(1, 3);
        for (left, sub) in [(0, 3), (0, 2), (0, 1), (0, 0)].into_iter().zip(&subs) {
            assert!(world.list().remove(sub));
            check(left.0, left.1);
        }
    }
}

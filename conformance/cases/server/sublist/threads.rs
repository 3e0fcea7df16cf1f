//! Many threads at once.

use super::world::{Found, Pieces, queue_sub, world};
use nats_server::broker::Subscription;
use nats_server::wire::subject;
use std::sync::Arc;
use std::thread;

crate::cases! {
    "server/sublist_test.go",
    library results_outlive_removals => ["TestSublistRaceOnRemove", "TestSublistRaceOnRemoveNoCache"],
    library matching_beside_insertions => ["TestSublistRaceOnInsert", "TestSublistRaceOnInsertNoCache"],
    library matching_beside_matching => ["TestSublistRaceOnMatch"],
}

/// Inserts and removes `subs` on another thread while `look` runs on this one.
fn beside<T>(change: impl FnOnce() + Send, look: impl FnOnce() -> T) -> T {
    thread::scope(|threads| {
        threads.spawn(change);
        look()
    })
}

fn subs_of(queue: &str) -> Vec<Arc<Subscription>> {
    (0..100).map(|_| queue_sub("foo", queue)).collect()
}

/// A result in a publisher's hands stays what it was while its subscriptions go.
fn results_outlive_removals() {
    let world = world();
    for queue in ["bar", ""] {
        let subs = subs_of(queue);
        for warm in [0, 3] {
            subs.iter().for_each(|sub| world.insert(sub));
            (0..warm).for_each(|_| drop(world.cached("foo")));
            let list = world.list();
            world.publish(world.account(), "foo", |matched| {
                let remove = || assert!(subs.iter().all(|sub| list.remove(sub)));
                beside(remove, || {
                    let targets =
                        if queue.is_empty() { &matched.targets } else { &matched.members };
                    let held: Vec<_> = targets.iter().flat_map(|target| &target.subs).collect();
                    assert_eq!(held.len(), subs.len());
                    assert!(
                        held.iter().all(|s| s.subject() == b"foo" && s.queue() == queue.as_bytes())
                    );
                });
            });
            assert_eq!(world.found("foo"), Found::default());
        }
    }
}

/// Every look-up sees what was there when it began; the last insertion is seen by the next one.
fn matching_beside_insertions() {
    let world = world();
    for queue in ["bar", ""] {
        let (subs, list) = (subs_of(queue), world.list());
        let insert = || subs.iter().for_each(|sub| list.insert(sub.clone()).unwrap());
        let count = |(plain, groups): Found| {
            assert!(
                groups.iter().all(|(name, _)| name == queue) && plain.iter().all(|s| s == "foo")
            );
            plain.len() + groups.iter().map(|(_, members)| members.len()).sum::<usize>()
        };
        beside(insert, || {
            let mut seen = 0;
            for _ in 0..500 {
                let now = count(world.cached("foo"));
                assert!(now >= seen, "{now} after {seen}");
                seen = now.max(count(Pieces::of(list, "foo").found()));
            }
        });
        assert_eq!(count(world.found("foo")), 100);
        subs.iter().for_each(|sub| assert!(list.remove(sub)));
    }
}

fn matching_beside_matching() {
    let world = world();
    world.insert_all(&["foo.*", "foo.bar"]);
    ["foo.*", "foo.bar"].iter().for_each(|subject| drop(world.inserted_in(subject, "workers")));
    let list = world.list();
    let look = || {
        for _ in 0..100 {
            let (plain, groups) = Pieces::of(list, "foo.bar").found();
            assert_eq!(plain, ["foo.*", "foo.bar"]);
            assert_eq!(groups, [("workers".to_owned(), plain)]);
        }
    };
    beside(look, look);
}

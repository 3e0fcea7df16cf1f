//! The workers' caches.

use super::world::{sub, world};
use nats_server::base::limits::MATCH_CACHE_SLOTS;
use nats_server::broker::Account;
use std::sync::Arc;
use std::thread;

crate::cases! {
    "server/sublist_test.go",
    library removing_a_batch_keeps_the_cache_off => ["TestSublistNoCacheRemoveBatch", "TestSublistNoCacheStats"],
    library the_cache_follows_and_is_bounded => ["TestSublistCache"],
    library a_result_for_nobody_costs_nothing => ["TestSublistSharedEmptyResult"],
    library hits_are_counted => ["TestSublistAddCacheHitRate"],
}

/// Without a cache (`disable_sublist_cache`) no look-up is ever answered from one.
fn removing_a_batch_keeps_the_cache_off() {
    let mut world = world();
    world.uncached = true;
    world.inserted("foo");
    let other = world.inserted("bar");
    world.list().remove_batch([&other]);
    for _ in 0..10 {
        assert_eq!(world.cached("foo").0, ["foo"]);
    }
    assert!(world.cached("a.b.c").0.is_empty());
    let stats = world.list().stats();
    assert_eq!((stats.matches, stats.cache_hits), (11, 0));
}

fn the_cache_follows_and_is_bounded() {
    let world = world();
    let mut subs = vec![world.inserted("a.b.c.d")];
    assert_eq!(world.plain("a.b.c.d").len(), 1);
    subs.extend(["a.b.*.d", "a.b.>"].map(|subject| world.inserted(subject)));
    for left in (0..3).rev() {
        assert_eq!(world.plain("a.b.c.d").len(), left + 1);
        world.list().remove(&subs[left]);
    }
    assert!(world.plain("a.b.c.d").is_empty());

    // A change of the wildcard a cached subject is matched by.
    world.insert_all(&["foo.*", "foo.bar"]);
    assert_eq!((world.plain("foo.baz").len(), world.plain("foo.bar").len()), (1, 2));
    world.inserted("foo.>");
    assert_eq!((world.plain("foo.baz").len(), world.plain("foo.bar").len()), (2, 3));

    // More subjects than slots, often enough to be admitted: no more hits than there are slots.
    let before = world.list().stats().cache_hits;
    for _ in 0..3 {
        (0..2 * MATCH_CACHE_SLOTS).for_each(|i| drop(world.cached(&format!("foo-{i}"))));
    }
    let hits = world.list().stats().cache_hits - before;
    assert!(hits <= MATCH_CACHE_SLOTS as u64, "{hits}");
}

/// The result of a look-up that finds nobody is lent to the next one. (On a thread of its own: what
/// others left in the cache would be lent first.)
fn a_result_for_nobody_costs_nothing() {
    let asked = || {
        let world = world();
        ["foo", "bar"].map(|subject| {
            world.publish(world.account(), subject, |matched| {
                assert!(matched.is_empty());
                std::ptr::from_ref(matched).addr()
            })
        })
    };
    let [first, second] = thread::spawn(asked).join().unwrap();
    assert_eq!(first, second);
}

/// A subject is admitted when it misses for the second time: two of four look-ups hit.
fn hits_are_counted() {
    let world = world();
    let accounts = ["one", "two"].map(|name| world.accounts.get_or_create(name));
    let rate = |accounts: &[Arc<Account>]| {
        let stats = accounts.iter().map(|account| account.sublist.stats());
        let (hits, all) = stats.fold((0, 0), |sum, s| (sum.0 + s.cache_hits, sum.1 + s.matches));
        hits as f64 / all as f64
    };
    for account in &accounts {
        account.sublist.insert(sub(&account.name)).unwrap();
        (0..4).for_each(|_| world.publish(account, &account.name, |m| assert!(!m.is_empty())));
        assert_eq!(rate(std::slice::from_ref(account)), 0.5);
    }
    assert_eq!(rate(&accounts), 0.5);
    (0..4).for_each(|_| world.publish(&accounts[0], "one", |m| assert!(!m.is_empty())));
    assert_eq!(rate(&accounts), 0.75 - 1.0 / 12.0);
}

//! Upstream's sublist has a cache of its own; here the worker threads keep the results. Every
//! question is therefore asked both ways: of the list itself, and through a worker's cache until
//! the answer comes out of that.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::thread;

use nats_server::base::limits::MATCH_CACHE_SLOTS;
use nats_server::base::tasks::TaskScope;
use nats_server::base::{Env, Mono};
use nats_server::broker::account::Accounts;
use nats_server::broker::batch::Publisher;
use nats_server::broker::cache::Scope;
use nats_server::broker::hash::Seed;
use nats_server::broker::sublist::{Collect, InvalidSubject};
use nats_server::broker::{
    Account, Endpoint, Hub, Matched, Publication, Sublist, Subscription, Workspace,
};
use nats_server::logging::Logger;
use nats_server::wire::subject;
use nats_server::wire::transform::{DestinationError, TransformError, validate_mapping};

crate::cases! {
    "server/sublist_test.go",
    library starts_empty => ["TestSublistInit"],
    library counts_what_is_inserted => ["TestSublistInsertCount", "TestSublistInsertCountNoCache"],
    library one_token => ["TestSublistSimple", "TestSublistSimpleNoCache"],
    library many_tokens => ["TestSublistSimpleMultiTokens", "TestSublistSimpleMultiTokensNoCache"],
    library partial_wildcard => ["TestSublistPartialWildcard", "TestSublistPartialWildcardNoCache"],
    library partial_wildcard_at_the_end => ["TestSublistPartialWildcardAtEnd", "TestSublistPartialWildcardAtEndNoCache"],
    library full_wildcard => ["TestSublistFullWildcard", "TestSublistFullWildcardNoCache"],
    library removing => ["TestSublistRemove", "TestSublistRemoveNoCache"],
    library removing_wildcards => ["TestSublistRemoveWildcard", "TestSublistRemoveWildcardNoCache"],
    library removing_leaves_nothing => ["TestSublistRemoveCleanup", "TestSublistRemoveCleanupNoCache"],
    library removing_wildcards_prunes => ["TestSublistRemoveCleanupWildcards", "TestSublistRemoveCleanupWildcardsNoCache"],
    library removing_among_many => ["TestSublistRemoveWithLargeSubs", "TestSublistRemoveWithLargeSubsNoCache"],
    library invalid_subjects => ["TestSublistInvalidSubjectsInsert", "TestSublistInvalidSubjectsInsertNoCache"],
    library removing_a_batch_keeps_the_cache_off => ["TestSublistNoCacheRemoveBatch", "TestSublistNoCacheStats"],
    library removing_a_batch_with_a_stranger => ["TestSublistRemoveBatchWithError"],
    library the_cache_follows_and_is_bounded => ["TestSublistCache"],
    library queue_groups => ["TestSublistBasicQueueResults", "TestSublistBasicQueueResultsNoCache"],
    library valid_literal_subjects => ["TestSublistValidLiteralSubjects"],
    library valid_subjects => ["TestSublistValidSubjects"],
    library literals_against_patterns => ["TestSublistMatchLiterals"],
    library literal_or_not => ["TestSubjectIsLiteral"],
    library mapping_destinations => ["TestValidateDestinationSubject"],
    library token_by_number => ["TestSubjectToken"],
    library removing_bad_subjects => ["TestSublistBadSubjectOnRemove", "TestSublistBadSubjectOnRemoveNoCache"],
    library two_tokens_do_not_match_one => ["TestSublistTwoTokenPubMatchSingleTokenSub", "TestSublistTwoTokenPubMatchSingleTokenSubNoCache"],
    library wildcards_as_literals => ["TestSublistInsertWithWildcardsAsLiterals", "TestSublistInsertWithWildcardsAsLiteralsNoCache"],
    library removing_wildcards_as_literals => ["TestSublistRemoveWithWildcardsAsLiterals", "TestSublistRemoveWithWildcardsAsLiteralsNoCache"],
    library results_outlive_removals => ["TestSublistRaceOnRemove", "TestSublistRaceOnRemoveNoCache"],
    library matching_beside_insertions => ["TestSublistRaceOnInsert", "TestSublistRaceOnInsertNoCache"],
    library matching_beside_matching => ["TestSublistRaceOnMatch"],
    library a_result_for_nobody_costs_nothing => ["TestSublistSharedEmptyResult"],
    library all_subscriptions => ["TestSublistAll"],
    library subsets => ["TestIsSubsetMatch"],
    library watching_interest => ["TestSublistRegisterInterestNotification"],
    library reverse_match => ["TestSublistReverseMatch", "TestSublistReverseMatchWider"],
    library empty_tokens_match_nothing => ["TestSublistMatchWithEmptyTokens"],
    library colliding_subjects => ["TestSublistSubjectCollide"],
    library hits_are_counted => ["TestSublistAddCacheHitRate"],
    library interest => ["TestSublistHasInterest", "TestSublistHasInterestOverlapping"],
    library interest_is_counted => ["TestSublistNumInterest"],
    not_applicable "TestSublistForServerNoOpts" => "makes a Server struct without options to reach a guard against a nil pointer; here options are a value that every server has, and a sublist is made without looking at them (disable_sublist_cache is TestSublistNoCacheRemoveBatch's case)",
    not_applicable "TestSetAccountSublistNoOpts" => "as TestSublistForServerNoOpts: the guard against a server without options has nothing to guard here, since an account makes its sublist itself and without options",
}

// --- the list under test, and a worker's cache in front of it

struct World {
    runtime: tokio::runtime::Runtime,
    hub: Arc<Hub>,
    endpoint: Arc<Endpoint>,
    accounts: Accounts,
    uncached: bool,
}

/// Subjects of the plain subscriptions, and of the members of each group by its name; sorted.
type Found = (Vec<String>, Vec<(String, Vec<String>)>);

fn world() -> World {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (hub, stream) = runtime.block_on(async {
        let env = Env::simulated(7);
        let listener = env.net().listen("any", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = env.net().connect("any", port).await.unwrap();
        let log = Logger::none(&env);
        (Arc::new(Hub::new(env, log, TaskScope::new())), stream)
    });
    let accounts = Accounts::new(hub.seed, None);
    let endpoint = Arc::new(Endpoint::new(1, stream, hub.clone()));
    World { runtime, hub, endpoint, accounts, uncached: false }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sub(subject: &str) -> Arc<Subscription> {
    queue_sub(subject, "")
}

fn queue_sub(subject: &str, queue: &str) -> Arc<Subscription> {
    Arc::new(Subscription::new(Weak::new(), subject.as_bytes(), queue.as_bytes(), b"1"))
}

/// What a look-up finds, put together piece by piece.
#[derive(Default)]
struct Pieces {
    plain: Vec<Arc<Subscription>>,
    members: Vec<Arc<Subscription>>,
}

impl Collect for Pieces {
    fn plain(&mut self, subs: &[Arc<Subscription>]) {
        self.plain.extend_from_slice(subs);
    }
    fn group(&mut self, subs: &[Arc<Subscription>]) {
        assert!(subs.iter().all(|sub| sub.queue() == subs[0].queue() && !sub.queue().is_empty()));
        self.members.extend_from_slice(subs);
    }
}

impl Pieces {
    fn of(list: &Sublist, subject: &str) -> Self {
        let mut pieces = Self::default();
        list.collect(subject.as_bytes(), &mut pieces);
        pieces
    }

    fn found(&self) -> Found {
        let subjects = |subs: &mut dyn Iterator<Item = &Arc<Subscription>>| {
            let mut subjects: Vec<String> = subs.map(|sub| text(sub.subject())).collect();
            subjects.sort();
            subjects
        };
        let names: BTreeSet<&[u8]> = self.members.iter().map(|sub| sub.queue()).collect();
        let groups = names.into_iter().map(|name| {
            let mut members = self.members.iter().filter(|sub| sub.queue() == name);
            (text(name), subjects(&mut members))
        });
        (subjects(&mut self.plain.iter()), groups.collect())
    }
}

impl World {
    fn account(&self) -> &Arc<Account> {
        self.accounts.global()
    }

    fn list(&self) -> &Sublist {
        &self.account().sublist
    }

    fn insert(&self, sub: &Arc<Subscription>) {
        assert_eq!(self.list().insert(sub.clone()), Ok(()), "{sub:?}");
    }

    fn insert_all(&self, subjects: &[&str]) {
        subjects.iter().for_each(|subject| self.insert(&sub(subject)));
    }

    fn inserted(&self, subject: &str) -> Arc<Subscription> {
        self.inserted_in(subject, "")
    }

    fn inserted_in(&self, subject: &str, queue: &str) -> Arc<Subscription> {
        let sub = queue_sub(subject, queue);
        self.insert(&sub);
        sub
    }

    /// Asks as a publisher of `account` on this thread does, and counts the look-up.
    fn publish<T>(&self, account: &Arc<Account>, subject: &str, see: impl Fn(&Matched) -> T) -> T {
        let scope =
            Scope { seed: self.hub.seed, account, permissions: None, uncached: self.uncached };
        let by =
            Publisher { hub: &self.hub, endpoint: &self.endpoint, scope, now: Mono::default() };
        let publication = Publication {
            subject: subject.as_bytes(),
            reply: b"",
            header_size: b"",
            size: b"0",
            payload: b"",
            at: 0,
            canonical: false,
        };
        let _runtime = self.runtime.enter();
        Workspace::with(&self.hub, |_, batch| {
            let matched = batch.admit(&by, &publication).expect("everybody may publish");
            let seen = see(&matched);
            batch.deliver(&by, &publication, matched);
            batch.flush(&by, b"");
            seen
        })
    }

    fn cached(&self, subject: &str) -> Found {
        self.publish(self.account(), subject, |matched| {
            let plain = matched.targets.iter().flat_map(|target| target.subs.iter().cloned());
            let members = matched.members.iter().flat_map(|target| target.subs.iter().cloned());
            let sizes: usize = matched.groups.iter().map(|group| group.len as usize).sum();
            assert_eq!(sizes, matched.members.len());
            let pieces = Pieces { plain: plain.collect(), members: members.collect() };
            let found = pieces.found();
            assert_eq!(found.1.len(), matched.groups.len(), "one entry for each group");
            found
        })
    }

    /// What `subject` finds: the list and the cache must agree, before and after it is cached.
    #[track_caller]
    fn found(&self, subject: &str) -> Found {
        let found = Pieces::of(self.list(), subject).found();
        for _ in 0..4 {
            assert_eq!(self.cached(subject), found, "{subject}");
        }
        found
    }

    #[track_caller]
    fn plain(&self, subject: &str) -> Vec<String> {
        let (plain, groups) = self.found(subject);
        assert!(groups.is_empty(), "{groups:?}");
        plain
    }

    fn groups(&self, subject: &str) -> Vec<(String, usize)> {
        let (_, groups) = self.found(subject);
        groups.into_iter().map(|(name, members)| (name, members.len())).collect()
    }
}

// --- inserting and matching

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

// --- removing

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

// --- the workers' caches

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

// --- threads

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

// --- interest

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

// --- subjects

fn valid_literal_subjects() {
    for bad in [".foo", "foo.", "foo..bar", "foo.bar.*", "foo.bar.>", "*", ">"] {
        assert!(!subject::is_valid_literal_subject(bad.as_bytes()), "{bad}");
    }
    assert!(subject::is_valid_literal_subject(b"foo"));
    for odd in ODD {
        assert!(subject::is_valid_literal_subject(odd.as_bytes()), "{odd}");
    }
}

/// Wildcard characters that do not stand alone in a token are none.
const ODD: &[&str] = &[
    "foo*", "foo**", "foo.**", "foo*bar", "foo.*bar", "foo*.bar", "*bar", "foo>", "foo>>",
    "foo.>>", "foo>bar", "foo.>bar", "foo>.bar", ">bar",
];

fn valid_subjects() {
    for bad in [".", ".foo", "foo.", "foo..bar", ">.bar", "foo.>.bar"] {
        assert!(!subject::is_valid_subject(bad.as_bytes()), "{bad}");
    }
    for good in ["foo", "foo.bar.*", "foo.bar.>", "*", ">"].iter().chain(ODD) {
        assert!(subject::is_valid_subject(good.as_bytes()), "{good}");
    }
    assert!(!subject::is_valid_stored_subject(b"foo.bar.baz.\0"));
}

fn literals_against_patterns() {
    for (literal, pattern, expected) in [
        ("foo", "foo", true),
        ("foo", "bar", false),
        ("foo", "*", true),
        ("foo", ">", true),
        ("foo.bar", ">", true),
        ("foo.bar", "foo.>", true),
        ("foo.bar", "bar.>", false),
        ("stats.test.22", "stats.>", true),
        ("stats.test.22", "stats.*.*", true),
        ("foo.bar", "foo", false),
        ("stats.test.foos", "stats.test.foos", true),
        ("stats.test.foos", "stats.test.foo", false),
        ("stats.test", "stats.test.*", false),
        ("stats.test.foos", "stats.*", false),
        ("stats.test.foos", "stats.*.*.foos", false),
    ] {
        let matched = subject::matches(literal.as_bytes(), pattern.as_bytes());
        assert_eq!(matched, expected, "{literal} {pattern}");
    }
    for odd in ["*bar", "foo*", "foo*bar", "foo.***.bar", ">bar", "foo>", "foo>bar", "foo.>>>.bar"]
    {
        assert!(subject::matches(odd.as_bytes(), odd.as_bytes()), "{odd}");
    }
}

fn literal_or_not() {
    for literal in ["foo", "foo.bar", "foo*.bar"] {
        assert!(subject::is_literal(literal.as_bytes()), "{literal}");
    }
    for pattern in ["*", ">", "foo.*", "foo.>", "foo.*.>", "foo.*.bar", "foo.bar.>"] {
        assert!(!subject::is_literal(pattern.as_bytes()), "{pattern}");
    }
}

fn token_by_number() {
    let tokens = [0, 1, 2, 3, 4, 5].map(|at| text(subject::token_at(b"foo.bar.baz.*", at)));
    assert_eq!(tokens, ["", "foo", "bar", "baz", "*", ""]);
}

fn subsets() {
    for (subject, of, expected) in [
        ("foo.bar", "foo.bar", true),
        ("foo.*", ">", true),
        ("foo.*", "*.*", true),
        ("foo.*", "foo.*", true),
        ("foo.*", "foo.bar", false),
        ("foo.>", ">", true),
        ("foo.>", "*.>", true),
        ("foo.>", "foo.>", true),
        ("foo.>", "foo.bar", false),
        ("foo..bar", "foo.*", false),
        ("foo.*", "foo..bar", false),
    ] {
        let subset = subject::subset_match(subject.as_bytes(), of.as_bytes());
        assert_eq!(subset, expected, "{subject} {of}");
    }
}

fn colliding_subjects() {
    for (a, b, expected) in [
        ("foo.*", "foo.*.bar.>", false),
        ("foo.*.bar.>", "foo.*", false),
        ("foo.*", "foo.foo", true),
        ("foo.*", "*.foo", true),
        ("foo.bar.>", "*.bar.foo", true),
    ] {
        assert_eq!(subject::collide(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
    }
}

fn mapping_destinations() {
    for (source, destination) in [
        ("bar", "foo"),
        ("foo", "foo.bar"),
        ("*", "{{wildcard(1)}}"),
        ("foo.>", ">"),
        ("foo.*", "bar.{{wildcard(1)}}"),
        ("foo.>", "bar.>"),
        ("foo.*.>", "bar.{{wildcard(1)}}.>"),
        ("foo.*.bar", "bar.{{wildcard(1)}}.foo"),
        ("foo.bar.>", "foo.bar.foo.>"),
        ("*", "foo.{{wildcard(1)}}"),
        ("*", "foo.{{ wildcard(1) }}"),
        ("*", "foo.{{wildcard( 1 )}}"),
        ("*", "foo.{{partition(2,1)}}"),
        ("*.*", "foo.{{SplitFromLeft(2,1)}}"),
        ("*.*", "foo.{{SplitFromRight(2,1)}}"),
    ] {
        assert_eq!(validate_mapping(source, destination), Ok(()), "{source} {destination}");
    }
    for (source, destination, reason, token) in [
        ("*", "foo.{{unknown(1)}}", DestinationError::UnknownFunction, "{{unknown(1)}}"),
        ("foo", "foo..}", DestinationError::InvalidSubject, ""),
        ("foo", "foo. bar}", DestinationError::InvalidSubject, ""),
    ] {
        let error = TransformError::Destination { reason, token: token.to_owned() };
        assert_eq!(validate_mapping(source, destination), Err(error), "{source} {destination}");
    }
}

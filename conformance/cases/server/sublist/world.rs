//! The list under test, and a worker's cache in front of it.

use nats_server::base::tasks::TaskScope;
use nats_server::base::{Env, Mono};
use nats_server::broker::account::Accounts;
use nats_server::broker::batch::Publisher;
use nats_server::broker::cache::Scope;
use nats_server::broker::sublist::Collect;
use nats_server::broker::{
    Account, Endpoint, Hub, Matched, Publication, Sublist, Subscription, Workspace,
};
use nats_server::logging::Logger;
use nats_server::wire::subject;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

pub(super) struct World {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) hub: Arc<Hub>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) accounts: Accounts,
    pub(super) uncached: bool,
}

/// Subjects of the plain subscriptions, and of the members of each group by its name; sorted.
pub(super) type Found = (Vec<String>, Vec<(String, Vec<String>)>);

pub(super) fn world() -> World {
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

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) fn sub(subject: &str) -> Arc<Subscription> {
    queue_sub(subject, "")
}

pub(super) fn queue_sub(subject: &str, queue: &str) -> Arc<Subscription> {
    Arc::new(Subscription::new(Weak::new(), subject.as_bytes(), queue.as_bytes(), b"1"))
}

/// What a look-up finds, put together piece by piece.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) plain: Vec<Arc<Subscription>>,
    pub(super) members: Vec<Arc<Subscription>>,
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
    pub(super) fn of(list: &Sublist, subject: &str) -> Self {
        let mut pieces = Self::default();
        list.collect(subject.as_bytes(), &mut pieces);
        pieces
    }

    pub(super) fn found(&self) -> Found {
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
    pub(super) fn account(&self) -> &Arc<Account> {
        self.accounts.global()
    }

    pub(super) fn list(&self) -> &Sublist {
        &self.account().sublist
    }

    pub(super) fn insert(&self, sub: &Arc<Subscription>) {
        assert_eq!(self.list().insert(sub.clone()), Ok(()), "{sub:?}");
    }

    pub(super) fn insert_all(&self, subjects: &[&str]) {
        subjects.iter().for_each(|subject| self.insert(&sub(subject)));
    }

    pub(super) fn inserted(&self, subject: &str) -> Arc<Subscription> {
        self.inserted_in(subject, "")
    }

    pub(super) fn inserted_in(&self, subject: &str, queue: &str) -> Arc<Subscription> {
        let sub = queue_sub(subject, queue);
        self.insert(&sub);
        sub
    }

    /// Asks as a publisher of `account` on this thread does, and counts the look-up.
    pub(super) fn publish<T>(
        &self,
        account: &Arc<Account>,
        subject: &str,
        see: impl Fn(&Matched) -> T,
    ) -> T {
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

    pub(super) fn cached(&self, subject: &str) -> Found {
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
    pub(super) fn found(&self, subject: &str) -> Found {
        let found = Pieces::of(self.list(), subject).found();
        for _ in 0..4 {
            assert_eq!(self.cached(subject), found, "{subject}");
        }
        found
    }

    #[track_caller]
    pub(super) fn plain(&self, subject: &str) -> Vec<String> {
        let (plain, groups) = self.found(subject);
        assert!(groups.is_empty(), "{groups:?}");
        plain
    }

    pub(super) fn groups(&self, subject: &str) -> Vec<(String, usize)> {
        let (_, groups) = self.found(subject);
        groups.into_iter().map(|(name, members)| (name, members.len())).collect()
    }
}

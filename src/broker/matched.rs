//! Who gets a message: the result of one match, grouped the way delivery walks it.

use super::endpoint::Endpoint;
use super::sub::Subscription;
use super::sublist::Collect;
use smallvec::SmallVec;
use std::cell::Cell;
use std::sync::{Arc, Weak};

/// The targets of one subject, under one account and one set of permissions.
///
/// It belongs to one worker thread. It holds endpoints weakly: a cached result must not keep a
/// closed connection's socket open.
#[derive(Debug, Default)]
pub struct Matched {
    /// Plain subscriptions, grouped by endpoint.
    pub targets: Vec<Target>,
    /// Queue groups, as ranges of `members`.
    pub groups: Vec<Group>,
    /// Members of all groups.
    pub members: Vec<Target>,
    /// The publisher may publish here.
    pub verdict: Verdict,
    /// A literal subject without empty tokens, as pedantic clients must use.
    pub valid: bool,
    /// Deliver under this subject (a mapping's) instead of the published one.
    pub deliver_as: Option<Box<[u8]>>,
    /// A mapping draws lots for every message: this result is only the class of the subject.
    pub draw: bool,
}

/// Whether a subject may be published to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    #[default]
    Allowed,
    /// No, unless a tracked reply permission says so.
    Denied,
    /// No, never: reserved for servers.
    Reserved,
}

/// The subscriptions of one endpoint that match.
#[derive(Debug)]
pub struct Target {
    /// Whose they are.
    pub endpoint: Weak<Endpoint>,
    /// In the order of a message's copies.
    pub subs: SmallVec<[Arc<Subscription>; 1]>,
    /// The batch this was last touched in, and its place there.
    pub slot: Cell<(u64, u32)>,
}

/// One queue group.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Index of its first member.
    pub start: u32,
    /// Number of members.
    pub len: u32,
}

impl Target {
    fn new(sub: &Arc<Subscription>) -> Self {
        Self {
            endpoint: sub.endpoint().clone(),
            subs: SmallVec::from_buf([sub.clone()]),
            slot: Cell::default(),
        }
    }

    fn is(&self, sub: &Subscription) -> bool {
        Weak::ptr_eq(&self.endpoint, sub.endpoint())
    }
}

impl Matched {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.targets.clear();
        self.groups.clear();
        self.members.clear();
        self.verdict = Verdict::Allowed;
        self.valid = false;
        self.deliver_as = None;
        self.draw = false;
    }

    /// Nobody gets it.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.members.is_empty()
    }

    /// Whether consecutive messages can be delivered together. A connection that has a message
    /// for plain subscriptions and for a group's gets both before it gets the next message.
    pub fn makes_runs(&self) -> bool {
        self.groups.is_empty() || self.targets.is_empty()
    }

    /// Targets and members, as a measure of its memory.
    pub fn memory(&self) -> usize {
        self.targets.len() + self.members.len()
    }
}

/// Below this many targets a scan finds an endpoint's group faster than a hash.
const SCAN_MAX: usize = 16;

/// A queue group's name and its members, from however many patterns.
#[derive(Debug)]
struct Gathered {
    name: Box<[u8]>,
    members: Vec<Arc<Subscription>>,
}

/// Collects a match into a [`Matched`].
pub(super) struct Builder<'a> {
    matched: &'a mut Matched,
    by_endpoint: hashbrown::HashMap<usize, usize>,
    /// Queue group names seen, with their members.
    groups: SmallVec<[Gathered; 2]>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(matched: &'a mut Matched) -> Self {
        Self { matched, by_endpoint: hashbrown::HashMap::new(), groups: SmallVec::new() }
    }

    pub(super) fn finish(self) {
        for Gathered { members, .. } in self.groups {
            let start = self.matched.members.len() as u32;
            self.matched.groups.push(Group { start, len: members.len() as u32 });
            self.matched.members.extend(members.iter().map(Target::new));
        }
    }

    fn place(&mut self, sub: &Arc<Subscription>) -> Option<usize> {
        let targets = &self.matched.targets;
        if targets.len() <= SCAN_MAX {
            return targets.iter().position(|t| t.is(sub));
        }
        if self.by_endpoint.is_empty() {
            let keys = targets.iter().enumerate().map(|(i, t)| (t.endpoint.as_ptr().addr(), i));
            self.by_endpoint.extend(keys);
        }
        self.by_endpoint.get(&sub.endpoint().as_ptr().addr()).copied()
    }
}

impl Collect for Builder<'_> {
    fn plain(&mut self, subs: &[Arc<Subscription>]) {
        for sub in subs {
            match self.place(sub) {
                Some(at) => self.matched.targets[at].subs.push(sub.clone()),
                None => {
                    if !self.by_endpoint.is_empty() {
                        let key = sub.endpoint().as_ptr().addr();
                        self.by_endpoint.insert(key, self.matched.targets.len());
                    }
                    self.matched.targets.push(Target::new(sub));
                }
            }
        }
    }

    fn group(&mut self, subs: &[Arc<Subscription>]) {
        let name = subs[0].queue();
        match self.groups.iter_mut().find(|g| &*g.name == name) {
            Some(group) => group.members.extend_from_slice(subs),
            None => self.groups.push(Gathered { name: name.into(), members: subs.to_vec() }),
        }
    }
}

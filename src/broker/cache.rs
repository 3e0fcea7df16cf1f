//! A worker thread's match results for one server.
//!
//! One probe answers who gets a message, whether its sender may send it and whether its subject
//! is well formed. An entry is valid while its account's generation stands. A subject is admitted
//! when it misses for the second time, so that a stream of ever new subjects does not wash out
//! the ones that repeat.

use super::account::{Account, Mapped};
use super::hash::Seed;
use super::matched::{Builder, Matched, Verdict};
use crate::auth::permissions::Checker;
use crate::base::limits::MATCH_CACHE_SLOTS;
use crate::wire::subject;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// Under whose eyes a subject is matched.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The seed of the server's hashes.
    pub seed: Seed,
    /// The publisher's account.
    pub account: &'a Arc<Account>,
    /// The publisher's permissions.
    pub permissions: Option<&'a Checker>,
    /// Results are not kept.
    pub uncached: bool,
}

impl Scope<'_> {
    fn permissions_id(&self) -> u64 {
        self.permissions.map_or(0, Checker::id)
    }
}

/// Match results of one worker thread for one server.
#[derive(Debug)]
pub(super) struct Cache {
    /// Boxed: a worker that never publishes touches no memory for its slots.
    slots: Vec<Option<Box<Slot>>>,
    /// Hashes that missed lately.
    missed: Vec<u32>,
    /// Results that nobody uses any more, to be filled again without allocating.
    pool: Vec<Rc<Matched>>,
    pub lookups: u64,
    pub hits: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    hash: u64,
    generation: u64,
    /// Held weakly, so that its address stays its own: a thread may serve several servers.
    account: Weak<Account>,
    permissions: u64,
    subject: Box<[u8]>,
    result: Rc<Matched>,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![None; MATCH_CACHE_SLOTS],
            missed: vec![0; MATCH_CACHE_SLOTS * 2],
            pool: Vec::new(),
            lookups: 0,
            hits: 0,
        }
    }

    /// Who gets what is published to `subject`.
    #[inline]
    pub(super) fn lookup(&mut self, scope: &Scope<'_>, subject: &[u8]) -> Rc<Matched> {
        let hash = scope.seed.hash(subject);
        self.lookups += 1;
        if let Some(slot) = &self.slots[hash as usize & (MATCH_CACHE_SLOTS - 1)]
            && slot.hash == hash
            && slot.generation == scope.account.sublist.generation()
            && std::ptr::eq(slot.account.as_ptr(), Arc::as_ptr(scope.account))
            && slot.permissions == scope.permissions_id()
            && *slot.subject == *subject
        {
            self.hits += 1;
            return slot.result.clone();
        }
        self.miss(scope, hash, subject)
    }

    #[cold]
    fn miss(&mut self, scope: &Scope<'_>, hash: u64, subject: &[u8]) -> Rc<Matched> {
        // Read before matching: a change in between makes the entry stale, not wrong.
        let generation = scope.account.sublist.generation();
        let at = hash as usize & (MATCH_CACHE_SLOTS - 1);
        if self.slots[at].as_ref().is_some_and(|slot| slot.generation != generation) {
            let stale = self.slots[at].take();
            self.recycle(stale.map(|slot| slot.result));
        }
        let mut result = self.pool.pop().unwrap_or_default();
        match Rc::get_mut(&mut result) {
            Some(matched) => fill(scope, subject, matched),
            None => {
                let mut matched = Matched::default();
                fill(scope, subject, &mut matched);
                result = Rc::new(matched);
            }
        }
        if self.admit(hash) && !scope.uncached {
            let slot = Slot {
                hash,
                generation,
                account: Arc::downgrade(scope.account),
                permissions: scope.permissions_id(),
                subject: subject.into(),
                result: result.clone(),
            };
            let old = self.slots[at].replace(Box::new(slot));
            self.recycle(old.map(|slot| slot.result));
        }
        result
    }

    fn admit(&mut self, hash: u64) -> bool {
        let tag = (hash >> 32) as u32 | 1;
        let len = self.missed.len();
        let seen = &mut self.missed[hash as usize & (len - 1)];
        let again = *seen == tag;
        *seen = tag;
        again
    }

    /// Takes back a result that is not used any more.
    pub(super) fn recycle(&mut self, result: Option<Rc<Matched>>) {
        /// More than one batch needs.
        const POOL_MAX: usize = 1024;
        /// A result with more room than this is not worth keeping.
        const ROOM_MAX: usize = 64;
        let Some(mut result) = result else { return };
        if let Some(matched) = Rc::get_mut(&mut result)
            && self.pool.len() < POOL_MAX
            && matched.memory() <= ROOM_MAX
        {
            matched.clear();
            self.pool.push(result);
        }
    }

    /// Takes the counts of look-ups and hits since the last call.
    pub(super) fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.lookups), std::mem::take(&mut self.hits))
    }
}

fn fill(scope: &Scope<'_>, published: &[u8], matched: &mut Matched) {
    let mut target = published;
    let mapped;
    if let Some(mappings) = scope.account.mappings() {
        match mappings.classify(published) {
            Mapped::Unchanged => {}
            Mapped::Random => {
                matched.draw = true;
                return;
            }
            Mapped::Fixed(to) => {
                mapped = to;
                target = &mapped;
                matched.deliver_as = Some(target.into());
            }
        }
    }
    fill_for(scope, target, matched);
}

/// Fills in verdict and targets of `subject`, mappings aside.
pub(super) fn fill_for(scope: &Scope<'_>, subject: &[u8], matched: &mut Matched) {
    matched.valid = subject::is_valid_literal_subject(subject);
    matched.verdict = verdict(scope, subject);
    if matched.verdict == Verdict::Reserved {
        return;
    }
    let mut builder = Builder::new(matched);
    scope.account.sublist.collect(subject, &mut builder);
    builder.finish();
}

fn verdict(scope: &Scope<'_>, subject: &[u8]) -> Verdict {
    if subject::is_gateway_reply(subject)
        || subject.starts_with(b"$NRG.") && !scope.account.is_system
    {
        return Verdict::Reserved;
    }
    match scope.permissions {
        Some(permissions) if !permissions.can_publish(subject) => Verdict::Denied,
        _ => Verdict::Allowed,
    }
}

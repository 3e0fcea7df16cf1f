//! The names of a [`super::CrashFs`]: directories as a program sees them, as the medium holds
//! them, and the changes between the two.

use crate::base::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

/// A file or a directory, whatever it is called.
pub(super) type Ino = usize;

/// A place for a name.
type Slot = (Ino, OsString);

/// A change of names that no sync of a directory has made durable.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    /// Names that end to be, then the name that begins, if one does.
    gone: Option<Slot>,
    new: Option<(Slot, Ino)>,
}

impl Change {
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.gone.iter().chain(self.new.iter().map(|(slot, _)| slot))
    }

    fn apply(&self, names: &mut BTreeMap<Slot, Ino>) {
        if let Some(slot) = &self.gone {
            names.remove(slot);
        }
        if let Some((slot, ino)) = &self.new {
            names.insert(slot.clone(), *ino);
        }
    }
}

/// All names of a file system.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    live: BTreeMap<Slot, Ino>,
    durable: BTreeMap<Slot, Ino>,
    pending: Vec<Change>,
}

impl Names {
    pub(super) fn settled(live: BTreeMap<Slot, Ino>) -> Self {
        Self { durable: live.clone(), live, pending: Vec::new() }
    }

    pub(super) fn find(&self, dir: Ino, name: &OsStr) -> Option<Ino> {
        self.live.get(&(dir, name.to_owned())).copied()
    }

    /// The names in a directory, sorted.
    pub(super) fn list(&self, dir: Ino) -> impl Iterator<Item = (&OsStr, Ino)> {
        let from = (dir, OsString::new())..(dir + 1, OsString::new());
        self.live.range(from).map(|((_, name), ino)| (name.as_os_str(), *ino))
    }

    pub(super) fn insert(&mut self, dir: Ino, name: &OsStr, ino: Ino) {
        self.change(Change { gone: None, new: Some(((dir, name.to_owned()), ino)) });
    }

    pub(super) fn remove(&mut self, dir: Ino, name: &OsStr) {
        self.change(Change { gone: Some((dir, name.to_owned())), new: None });
    }

    /// One change, kept or lost as a whole, as journalling file systems promise.
    pub(super) fn rename(&mut self, from: (Ino, &OsStr), to: (Ino, &OsStr), ino: Ino) {
        let gone = Some((from.0, from.1.to_owned()));
        self.change(Change { gone, new: Some(((to.0, to.1.to_owned()), ino)) });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    /// Makes the names in a directory durable, and what they depend on.
    pub(super) fn sync(&mut self, dir: Ino) {
        self.keep(|change| change.slots().any(|slot| slot.0 == dir));
    }

    /// The names after power loss: any subset of the pending changes, but none without those that
    /// it builds upon.
    pub(super) fn after_power_loss(mut self, rng: &mut Rng) -> BTreeMap<Slot, Ino> {
        let mode = rng.below(4);
        let prefix = rng.below(self.pending.len() as u64 + 1);
        // `keep` asks from the newest to the oldest.
        let mut left = self.pending.len() as u64;
        self.keep(|_| {
            left -= 1;
            match mode {
                0 => false,
                1 => true,
                2 => left < prefix,
                _ => rng.below(2) == 0,
            }
        });
        self.durable
    }

    /// Makes the chosen changes durable, and the older ones of the same slots.
    fn keep(&mut self, mut chosen: impl FnMut(&Change) -> bool) {
        let mut needed: BTreeSet<Slot> = BTreeSet::new();
        let mut kept = vec![false; self.pending.len()];
        for (change, kept) in self.pending.iter().zip(&mut kept).rev() {
            *kept = chosen(change) | change.slots().any(|slot| needed.contains(slot));
            if *kept {
                needed.extend(change.slots().cloned());
            }
        }
        let mut kept = kept.into_iter();
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let keep = kept.next().unwrap_or(false);
            if keep {
                change.apply(durable);
            }
            !keep
        });
    }
}

//! The subjects of a stream: how many messages each has, and where the first and the last are.
//!
//! One arena holds all names, an entry beside it takes 40 bytes, and a slot of the hash table 8:
//! an entry's number and 32 bits of its hash, so that the table grows without a look at the names.
//! A subject without messages keeps its entry, since it may come again, until
//! [`Subjects::maintain`] finds too many of them. A filter with wildcards finds its subjects in
//! sorted order, see [`order`].
//!
//! A subject that is empty or holds a byte 0x7f has no entry: replicas must agree about what cannot
//! be indexed, and in upstream's tree 0x7f stands for the end.

mod order;

use crate::ds::generic_sublist::SimpleSublist;
use crate::store::stream::Filter;
use crate::wire::subject::{has_empty_token, matches};
use hashbrown::hash_table::Entry as TableEntry;
use hashbrown::{DefaultHashBuilder, HashTable};
use order::Order;
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::ops::ControlFlow;

/// The messages of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubjectState {
    /// How many.
    pub messages: u64,
    /// The block of the first, or one before it.
    pub first_block: u32,
    /// The block of the last, or one behind it.
    pub last_block: u32,
    /// Sequence of the first; 0 when it is not known and is to be looked for from `first_block` on.
    pub first_seq: u64,
    /// Sequence of the last; 0 when it is not known and is to be looked for from `last_block` down.
    pub last_seq: u64,
}

/// Names a subject until [`Subjects::clear`] or [`Subjects::maintain`].
pub type SubjectId = u32;

/// Entries without messages that are not worth a compaction.
const DEAD_MIN: usize = 4096;
/// Patterns of a set that are walked one by one; a larger set is asked about every subject.
const PATTERNS_MAX: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    id: SubjectId,
}

impl Slot {
    fn table_hash(&self) -> u64 {
        table_hash(self.hash)
    }
}

/// The table takes its place from the lowest bits and its tag from the highest.
fn table_hash(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the name ends in the arena; it begins where the one before it ends.
    end: usize,
    state: SubjectState,
}

/// Names and states by id.
#[derive(Clone, Debug, Default)]
struct Entries {
    list: Vec<Entry>,
    arena: Vec<u8>,
}

impl Entries {
    fn len(&self) -> usize {
        self.list.len()
    }

    fn name(&self, id: SubjectId) -> &[u8] {
        let at = id as usize;
        let start = if at == 0 { 0 } else { self.list[at - 1].end };
        &self.arena[start..self.list[at].end]
    }

    /// Touches entries and names, all entries before all names. The last ones of more than 64 are
    /// left.
    fn look_ahead(&self, ids: &[SubjectId]) {
        let mut ends = [0; 64];
        for (end, id) in ends.iter_mut().zip(ids) {
            *end = self.list.get(*id as usize).map_or(0, |entry| entry.end);
        }
        let bytes =
            ends.iter().take(ids.len()).filter_map(|end| self.arena.get(end.wrapping_sub(1)));
        std::hint::black_box(bytes.fold(0, |all, byte| all ^ byte));
    }

    /// Adds a subject; nothing if there are as many as ids.
    // Inlined, the state stays in registers. Copied through memory it waits until all earlier writes
    // have reached the cache, and those miss it: a quarter of what opening a large stream takes.
    #[inline(always)]
    fn push(&mut self, name: &[u8], state: SubjectState) -> Option<SubjectId> {
        let id = SubjectId::try_from(self.list.len()).ok()?;
        reserve(&mut self.arena, name.len());
        self.arena.extend_from_slice(name);
        reserve(&mut self.list, 1);
        self.list.push(Entry { end: self.arena.len(), state });
        Some(id)
    }

    fn iter(&self) -> impl Iterator<Item = (SubjectId, &[u8], &SubjectState)> {
        let mut start = 0;
        (0..).zip(&self.list).map(move |(id, entry)| {
            let name = &self.arena[start..entry.end];
            start = entry.end;
            (id, name, &entry.state)
        })
    }
}

/// Makes room for `more`: a sixteenth of what there is, where a vector would double. Large vectors
/// are remapped by the system, not copied.
fn reserve<T>(vec: &mut Vec<T>, more: usize) {
    const SMALL: usize = 64 * 1024;
    if vec.capacity() - vec.len() < more && vec.len() > SMALL {
        vec.reserve_exact(more.max(vec.len() / 16));
    }
}

/// Whether a subject has an entry.
fn is_indexed(name: &[u8]) -> bool {
    !name.is_empty() && memchr::memchr(0x7f, name).is_none()
}

/// All subjects of a stream.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    table: HashTable<Slot>,
    entries: Entries,
    /// Entries with messages.
    live: usize,
    order: RefCell<Order>,
    hasher: DefaultHashBuilder,
}

impl Subjects {
    /// Room for so many subjects of so many bytes in all.
    pub fn with_capacity(subjects: usize, bytes: usize) -> Self {
        let (list, arena) = (Vec::with_capacity(subjects), Vec::with_capacity(bytes));
        let entries = Entries { list, arena };
        Self { table: HashTable::with_capacity(subjects), entries, ..Self::default() }
    }

    /// How many subjects have messages.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// A subject that has messages.
    pub fn find(&self, subject: &[u8]) -> Option<SubjectId> {
        let hash = self.hash(subject);
        let is = |slot: &Slot| slot.hash == hash && self.entries.name(slot.id) == subject;
        let id = self.table.find(table_hash(hash), is)?.id;
        (self.state(id).messages > 0).then_some(id)
    }

    /// The messages of a subject that has some.
    pub fn get(&self, subject: &[u8]) -> Option<&SubjectState> {
        self.find(subject).map(|id| self.state(id))
    }

    /// The subject of an id.
    pub fn name(&self, id: SubjectId) -> &[u8] {
        self.entries.name(id)
    }

    /// The messages of a subject.
    pub fn state(&self, id: SubjectId) -> &SubjectState {
        &self.entries.list[id as usize].state
    }

    /// The messages of a subject, to set where they are. Their number is changed by
    /// [`Subjects::add`] and [`Subjects::remove`] alone.
    pub fn state_mut(&mut self, id: SubjectId) -> &mut SubjectState {
        &mut self.entries.list[id as usize].state
    }

    /// All subjects that have messages, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &SubjectState)> {
        self.iter_live().map(|(_, name, state)| (name, state))
    }

    /// Adds a subject that is not there yet, which is not looked at.
    #[inline]
    pub fn insert_unique(&mut self, name: &[u8], state: SubjectState) {
        if !is_indexed(name) {
            return;
        }
        let hash = self.hash(name);
        let Some(id) = self.entries.push(name, state) else { return };
        self.live += usize::from(state.messages > 0);
        self.table.insert_unique(table_hash(hash), Slot { hash, id }, Slot::table_hash);
    }

    /// Counts message `seq`, which is in `block` and newer than all of the subject. Nothing when
    /// the subject cannot have an entry.
    pub fn add(&mut self, subject: &[u8], block: u32, seq: u64) -> Option<SubjectId> {
        let (id, state) = self.count(subject)?;
        if state.messages == 1 {
            (state.first_block, state.first_seq) = (block, seq);
        }
        (state.last_block, state.last_seq) = (block, seq);
        Some(id)
    }

    /// Counts message `seq`, which is in `block` and older than all of the subject. Returns how
    /// many there were before; 0 when the subject cannot have an entry.
    pub fn add_older(&mut self, subject: &[u8], block: u32, seq: u64) -> u64 {
        let Some((_, state)) = self.count(subject) else { return 0 };
        if state.messages == 1 {
            (state.last_block, state.last_seq) = (block, seq);
        }
        (state.first_block, state.first_seq) = (block, seq);
        state.messages - 1
    }

    /// Counts a message less; how many are left. The owner sets where the first and the last are.
    pub fn remove(&mut self, id: SubjectId) -> u64 {
        let state = &mut self.entries.list[id as usize].state;
        if state.messages == 1 {
            self.live -= 1;
        }
        state.messages = state.messages.saturating_sub(1);
        state.messages
    }

    /// Forgets all subjects, and gives their memory back.
    pub fn clear(&mut self) {
        *self = Self { hasher: self.hasher.clone(), ..Self::default() };
    }

    /// Forgets the subjects without messages if they are the most, and many. Ids change then, and
    /// the answer is yes.
    pub fn maintain(&mut self) -> bool {
        let dead = self.entries.len() - self.live;
        let worth = dead > self.live.max(DEAD_MIN);
        if worth {
            self.compact();
        }
        worth
    }

    /// Touches what [`Subjects::add`] and the like will look at for these subjects: so the processor
    /// waits for the memory of many at once. Worth it in a large table, for batches of up to 64.
    pub fn look_ahead<'n>(&self, names: impl IntoIterator<Item = &'n [u8]>) {
        // One kind of work after the other: the shorter each, the more of them are under way at once.
        let (mut hashes, mut ids) = ([0; 64], [0; 64]);
        let mut count = 0;
        for (name, hash) in names.into_iter().zip(&mut hashes) {
            *hash = self.hash(name);
            count += 1;
        }
        for (hash, id) in hashes.iter().zip(&mut ids).take(count) {
            let found = self.table.find(table_hash(*hash), |slot| slot.hash == *hash);
            *id = found.map_or(0, |slot| slot.id);
        }
        self.entries.look_ahead(&ids[..count]);
    }

    /// Calls `f` with every subject that is meant and has messages, until it breaks. Without
    /// wildcards they come in the order in which they were added; otherwise in an order that is
    /// the same in every run and nothing else.
    pub fn try_for_each<B>(
        &self,
        filter: Filter<'_>,
        mut f: impl FnMut(SubjectId, &[u8], &SubjectState) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match filter {
            Filter::All => self.iter_live().try_for_each(|(id, name, state)| f(id, name, state)),
            Filter::Literal(subject) => match self.find(subject) {
                Some(id) => f(id, subject, self.state(id)),
                None => ControlFlow::Continue(()),
            },
            Filter::Pattern(pattern) => {
                self.walk(&[pattern], |name| matches(name, pattern), &mut f)
            }
            Filter::Set(set) => self.try_for_each_of_set(set, &mut f),
        }
    }

    /// Bytes in use, reserved ones included.
    pub fn memory(&self) -> usize {
        self.table.allocation_size()
            + self.entries.list.capacity() * size_of::<Entry>()
            + self.entries.arena.capacity()
            + self.order.borrow().memory()
    }

    fn hash(&self, name: &[u8]) -> u32 {
        self.hasher.hash_one(name) as u32
    }

    fn iter_live(&self) -> impl Iterator<Item = (SubjectId, &[u8], &SubjectState)> {
        self.entries.iter().filter(|(_, _, state)| state.messages > 0)
    }

    /// Counts a message of a subject, which gets an entry if it has none.
    fn count(&mut self, subject: &[u8]) -> Option<(SubjectId, &mut SubjectState)> {
        let hash = self.hash(subject);
        let entries = &self.entries;
        let is = |slot: &Slot| slot.hash == hash && entries.name(slot.id) == subject;
        let id = match self.table.entry(table_hash(hash), is, Slot::table_hash) {
            TableEntry::Occupied(slot) => slot.get().id,
            TableEntry::Vacant(_) if !is_indexed(subject) => return None,
            TableEntry::Vacant(slot) => {
                let id = self.entries.push(subject, SubjectState::default())?;
                slot.insert(Slot { hash, id });
                id
            }
        };
        let state = &mut self.entries.list[id as usize].state;
        self.live += usize::from(state.messages == 0);
        state.messages += 1;
        Some((id, state))
    }

    fn try_for_each_of_set<B>(
        &self,
        set: &SimpleSublist,
        f: &mut impl FnMut(SubjectId, &[u8], &SubjectState) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if set.len() > PATTERNS_MAX {
            return self
                .iter_live()
                .filter(|(_, name, _)| set.has_interest(name))
                .try_for_each(|(id, name, state)| f(id, name, state));
        }
        let mut patterns = Vec::new();
        set.for_each_subject(|pattern| patterns.push(pattern.to_vec()));
        patterns.sort_unstable();
        let patterns: Vec<&[u8]> = patterns.iter().map(Vec::as_slice).collect();
        // A set has no interest in subjects with empty tokens.
        self.walk(&patterns, |name| set.has_interest(name), &mut |id, name, state| {
            if has_empty_token(name) { ControlFlow::Continue(()) } else { f(id, name, state) }
        })
    }

    /// Calls `f` with every subject that one of the patterns matches: those that are sorted are
    /// searched for, the others asked about.
    fn walk<B>(
        &self,
        patterns: &[&[u8]],
        matches_any: impl Fn(&[u8]) -> bool,
        f: &mut impl FnMut(SubjectId, &[u8], &SubjectState) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if let Ok(mut order) = self.order.try_borrow_mut() {
            // Otherwise it is called by `f`, and what is sorted is sorted enough.
            order.prepare(&self.entries);
        }
        let mut f = |id: SubjectId, name: &[u8]| match self.state(id) {
            state if state.messages > 0 => f(id, name, state),
            _ => ControlFlow::Continue(()),
        };
        let order = self.order.borrow();
        for (i, pattern) in patterns.iter().enumerate() {
            order.walk(&self.entries, pattern, |id, name| {
                let came = patterns[..i].iter().any(|earlier| matches(name, earlier));
                if came { ControlFlow::Continue(()) } else { f(id, name) }
            })?;
        }
        for id in order.unsorted(&self.entries) {
            let name = self.entries.name(id);
            if matches_any(name) {
                f(id, name)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Leaves entries with messages only.
    fn compact(&mut self) {
        let Entries { list, arena } = &mut self.entries;
        // What becomes of an id.
        let mut kept: Vec<Option<SubjectId>> = Vec::with_capacity(list.len());
        let (mut next, mut start, mut end) = (0, 0, 0);
        for at in 0..list.len() {
            let mut entry = list[at];
            let name = start..entry.end;
            start = name.end;
            if entry.state.messages == 0 {
                kept.push(None);
                continue;
            }
            kept.push(Some(next));
            let len = name.len();
            arena.copy_within(name, end);
            end += len;
            entry.end = end;
            list[next as usize] = entry;
            next += 1;
        }
        list.truncate(next as usize);
        arena.truncate(end);
        list.shrink_to_fit();
        arena.shrink_to_fit();
        self.table.retain(|slot| match kept[slot.id as usize] {
            Some(id) => {
                slot.id = id;
                true
            }
            None => false,
        });
        self.table.shrink_to_fit(Slot::table_hash);
        self.order.get_mut().renumber(&kept);
    }
}

#[cfg(test)]
mod tests;

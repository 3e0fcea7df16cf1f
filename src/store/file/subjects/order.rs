//! The subjects in sorted order, for filters with wildcards.
//!
//! The order is by bytes, but the separator comes before every other byte: so subjects that have
//! their first tokens in common are side by side, whatever comes after them. A walk goes from one
//! possible match to the next by search.
//!
//! Sorting costs as much as asking about every subject some times, so it is done when that was done
//! as often. Subjects that came since are not sorted yet; they are asked about one by one, until
//! that has cost what sorting them does.

use super::{Entries, SubjectId};
use crate::wire::subject::{FULL_WILDCARD, SEPARATOR, WILDCARD, tokens};
use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

/// Subjects that are never worth sorting.
const UNSORTED_MAX: usize = 256;
/// What sorting a subject costs, in questions whether it matches.
const SORTING_COST: usize = 8;

/// Names that are looked at together.
const AHEAD: usize = 16;

/// Ids in the order of their subjects.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The ids below its length, sorted.
    sorted: Vec<SubjectId>,
    /// How often it was asked whether one that is not sorted matches.
    asked: usize,
}

impl Order {
    /// Sorts if it is worth it; called before each walk.
    pub(super) fn prepare(&mut self, entries: &Entries) {
        let unsorted = entries.len() - self.sorted.len();
        if unsorted > UNSORTED_MAX && self.asked >= SORTING_COST * unsorted {
            self.sort(entries);
        }
        self.asked = self.asked.saturating_add(entries.len() - self.sorted.len());
    }

    /// Takes in all that is not sorted yet.
    pub(super) fn sort(&mut self, entries: &Entries) {
        let new = sorted(entries, self.unsorted(entries));
        let mut old = self.sorted.len();
        self.sorted.reserve_exact(new.len());
        self.sorted.resize(entries.len(), 0);
        // From the end: old ones move to their places before others are written there.
        let mut free = self.sorted.len();
        for id in new.into_iter().rev() {
            let name = entries.name(id);
            let is_before = |old: &SubjectId| compare(entries.name(*old), name).is_lt();
            let at = self.sorted[..old].partition_point(is_before);
            free -= old - at;
            self.sorted.copy_within(at..old, free);
            old = at;
            free -= 1;
            self.sorted[free] = id;
        }
        self.asked = 0;
    }

    /// The ids that are not sorted.
    pub(super) fn unsorted(&self, entries: &Entries) -> Range<SubjectId> {
        self.sorted.len() as SubjectId..entries.len() as SubjectId
    }

    /// Takes over new ids; those that got none are gone. Ids keep their order.
    pub(super) fn renumber(&mut self, new: &[Option<SubjectId>]) {
        let ids = self.sorted.iter().filter_map(|id| new[*id as usize]);
        // A list of its own: the old one is as large as what there was.
        self.sorted = ids.collect();
    }

    /// Bytes in use.
    pub(super) fn memory(&self) -> usize {
        self.sorted.capacity() * size_of::<SubjectId>()
    }

    /// Calls `f` with the sorted subjects that `pattern` matches, in order, until it breaks.
    pub(super) fn walk<B>(
        &self,
        entries: &Entries,
        pattern: &[u8],
        mut f: impl FnMut(SubjectId, &[u8]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut rest = &self.sorted[..];
        // Matches side by side.
        let mut matches = 0;
        while let Some(id) = rest.first() {
            let name = entries.name(*id);
            let skip = match step(name, pattern) {
                Step::Match => {
                    f(*id, name)?;
                    matches += 1;
                    if matches % AHEAD == 0 {
                        entries.look_ahead(&rest[1..rest.len().min(AHEAD + 1)]);
                    }
                    1
                }
                Step::Next => 1,
                Step::Past(len) => {
                    let prefix = &name[..len];
                    leading(rest, |id| entries.name(id).starts_with(prefix))
                }
                Step::To(len, token) => {
                    let prefix = &name[..len];
                    leading(rest, |id| {
                        let tail = entries.name(id).strip_prefix(prefix);
                        tail.is_some_and(|tail| compare(tail, token).is_lt())
                    })
                }
            };
            rest = &rest[skip..];
        }
        ControlFlow::Continue(())
    }
}

/// What a subject says about where the next match is.
enum Step<'p> {
    /// It matches.
    Match,
    /// It does not; the next one may.
    Next,
    /// None matches that begins with so many of its bytes.
    Past(usize),
    /// None matches that begins with so many of its bytes and goes on with less than this token.
    To(usize, &'p [u8]),
}

fn step<'p>(name: &[u8], pattern: &'p [u8]) -> Step<'p> {
    let (mut have, mut want) = (tokens(name), tokens(pattern));
    // Where the token at hand begins.
    let mut at = 0;
    while let Some(token) = want.next() {
        let last = want.rest().is_none();
        if last && token == [FULL_WILDCARD] {
            let matches = have.rest().is_some_and(|rest| !rest.is_empty());
            return if matches { Step::Match } else { Step::Next };
        }
        let Some(actual) = have.next() else { return Step::Next };
        if token == [WILDCARD] {
            if last && actual.is_empty() {
                return Step::Next;
            }
        } else {
            match compare(actual, token) {
                Ordering::Less => return Step::To(at, token),
                Ordering::Equal => {}
                Ordering::Greater => return Step::Past(at),
            }
        }
        at += actual.len() + 1;
    }
    if have.rest().is_some() { Step::Past(at) } else { Step::Match }
}

/// How many leading ids `is_before` holds for; behind one for which it does not it holds for none.
/// Looks at few when the answer is small.
fn leading(ids: &[SubjectId], is_before: impl Fn(SubjectId) -> bool) -> usize {
    let mut end = 1;
    while end < ids.len() && is_before(ids[end]) {
        end *= 2;
    }
    let start = end / 2;
    start + ids[start..end.min(ids.len())].partition_point(|id| is_before(*id))
}

/// A byte's place in the order.
fn place(byte: u8) -> u8 {
    match byte {
        SEPARATOR => 0,
        ..SEPARATOR => byte + 1,
        _ => byte,
    }
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    match a.iter().zip(b).find(|(a, b)| a != b) {
        Some((a, b)) => place(*a).cmp(&place(*b)),
        None => a.len().cmp(&b.len()),
    }
}

/// These ids, sorted. Most comparisons are of the first eight bytes that differ at all.
fn sorted(entries: &Entries, ids: Range<SubjectId>) -> Vec<SubjectId> {
    let Some(first) = ids.clone().next().map(|id| entries.name(id)) else { return Vec::new() };
    let mut common = first.len();
    for id in ids.clone() {
        let same = entries.name(id).iter().zip(&first[..common]).take_while(|(a, b)| a == b);
        common = same.count();
    }
    let key = |id: SubjectId| {
        let mut key = [0; 8];
        for (key, byte) in key.iter_mut().zip(&entries.name(id)[common..]) {
            *key = place(*byte);
        }
        (u64::from_be_bytes(key), id)
    };
    let mut keys: Vec<(u64, SubjectId)> = ids.map(key).collect();
    keys.sort_unstable_by(|(a_key, a), (b_key, b)| {
        a_key.cmp(b_key).then_with(|| compare(entries.name(*a), entries.name(*b)))
    });
    keys.into_iter().map(|(_, id)| id).collect()
}

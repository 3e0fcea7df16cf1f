//! Subjects with wildcards mapped to values, looked up by literal subject: a trie over tokens.
//!
//! For interest that is not a client's subscription (consumer filters, restricted subjects). It is
//! not shared: whoever owns it locks it. Values of a subject are kept ordered, so that calls come
//! in the same order in every run, and nothing recurses, because subjects are as deep as their
//! authors like. Go: `server/gsl`.

use crate::wire::subject::{FULL_WILDCARD, SEPARATOR, Tokens, WILDCARD, tokens};
use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeSet;
use std::mem;
use std::ops::ControlFlow;

/// Values by subject, which may have wildcards.
#[derive(Debug)]
pub struct GenericSublist<T> {
    root: Level<T>,
    len: usize,
}

/// Interest without values.
pub type SimpleSublist = GenericSublist<()>;

/// Why a subject was not inserted or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SublistError {
    /// A token is empty, or `>` is not last.
    #[error("gsl: invalid subject")]
    InvalidSubject,
    /// The subject does not have this value.
    #[error("gsl: no matches found")]
    NotFound,
}

/// The tokens that may come at one position.
#[derive(Debug)]
struct Level<T> {
    literals: HashMap<Box<[u8]>, Node<T>>,
    wildcard: Option<Box<Node<T>>>,
    full_wildcard: Option<Box<Node<T>>>,
}

/// What one token leads to.
#[derive(Debug)]
struct Node<T> {
    values: BTreeSet<T>,
    next: Level<T>,
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), wildcard: None, full_wildcard: None }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { values: BTreeSet::new(), next: Level::default() }
    }
}

impl<T> Default for GenericSublist<T> {
    fn default() -> Self {
        Self { root: Level::default(), len: 0 }
    }
}

impl<T> Level<T> {
    fn len(&self) -> usize {
        self.literals.len()
            + usize::from(self.wildcard.is_some())
            + usize::from(self.full_wildcard.is_some())
    }

    /// The node that a token of a pattern leads to.
    fn child(&self, token: &[u8]) -> Option<&Node<T>> {
        match token {
            [WILDCARD] => self.wildcard.as_deref(),
            [FULL_WILDCARD] => self.full_wildcard.as_deref(),
            literal => self.literals.get(literal),
        }
    }

    fn child_mut(&mut self, token: &[u8]) -> Option<&mut Node<T>> {
        match token {
            [WILDCARD] => self.wildcard.as_deref_mut(),
            [FULL_WILDCARD] => self.full_wildcard.as_deref_mut(),
            literal => self.literals.get_mut(literal),
        }
    }

    fn child_or_insert(&mut self, token: &[u8]) -> &mut Node<T> {
        match token {
            [WILDCARD] => self.wildcard.get_or_insert_default(),
            [FULL_WILDCARD] => self.full_wildcard.get_or_insert_default(),
            literal => self.literals.entry(literal.into()).or_default(),
        }
    }

    fn take_child(&mut self, token: &[u8]) -> Option<Node<T>> {
        match token {
            [WILDCARD] => self.wildcard.take().map(|node| *node),
            [FULL_WILDCARD] => self.full_wildcard.take().map(|node| *node),
            literal => self.literals.remove(literal),
        }
    }

    /// The tokens and what they lead to.
    fn children(&self) -> impl Iterator<Item = (&[u8], &Node<T>)> {
        let literals = self.literals.iter().map(|(token, node)| (&**token, node));
        let wildcard = self.wildcard.iter().map(|node| (&[WILDCARD][..], &**node));
        let full_wildcard = self.full_wildcard.iter().map(|node| (&[FULL_WILDCARD][..], &**node));
        literals.chain(wildcard).chain(full_wildcard)
    }

    /// Drops everything below without recursion.
    fn dismantle(self) {
        let mut left = vec![self];
        while let Some(level) = left.pop() {
            left.extend(level.literals.into_values().map(|node| node.next));
            left.extend(
                [level.wildcard, level.full_wildcard].into_iter().flatten().map(|n| n.next),
            );
        }
    }
}

impl<T> Drop for GenericSublist<T> {
    fn drop(&mut self) {
        mem::take(&mut self.root).dismantle();
    }
}

impl<T: Ord> GenericSublist<T> {
    /// An empty sublist.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many pairs of subject and value there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `value` to `subject`, which may have wildcards; false if it was there already.
    pub fn insert(&mut self, subject: &[u8], value: T) -> Result<bool, SublistError> {
        check(subject)?;
        let mut node = None::<&mut Node<T>>;
        for token in tokens(subject) {
            let level = match node {
                Some(node) => &mut node.next,
                None => &mut self.root,
            };
            node = Some(level.child_or_insert(token));
        }
        let new = node.is_some_and(|node| node.values.insert(value));
        self.len += usize::from(new);
        Ok(new)
    }

    /// Removes `value` from `subject`, which is the one it was inserted with.
    pub fn remove(&mut self, subject: &[u8], value: &T) -> Result<(), SublistError> {
        check(subject)?;
        let mut cut = self.find_cut(subject, value).ok_or(SublistError::NotFound)?;
        let mut level = &mut self.root;
        let mut rest = tokens(subject);
        while let Some(token) = rest.next() {
            if cut == 0 {
                if let Some(node) = level.take_child(token) {
                    node.next.dismantle();
                }
                break;
            }
            cut -= 1;
            let Some(node) = level.child_mut(token) else { break };
            if rest.rest().is_none() {
                node.values.remove(value);
            }
            level = &mut node.next;
        }
        self.len -= 1;
        Ok(())
    }

    /// How many leading tokens of `subject` lead to something else besides `value`: the rest of
    /// the branch goes with it. `None` if `subject` does not have `value`.
    fn find_cut(&self, subject: &[u8], value: &T) -> Option<usize> {
        let (mut level, mut cut) = (&self.root, 0);
        let mut rest = tokens(subject);
        let mut depth = 0;
        while let Some(token) = rest.next() {
            depth += 1;
            let node = level.child(token)?;
            let (own_values, own_children) = match rest.rest() {
                Some(_) => (0, 1),
                None if node.values.contains(value) => (1, 0),
                None => return None,
            };
            if node.values.len() > own_values || node.next.len() > own_children {
                cut = depth;
            }
            level = &node.next;
        }
        Some(cut)
    }

    /// Calls `f` for every value whose subject matches the literal `subject`.
    pub fn for_each_match(&self, subject: &[u8], mut f: impl FnMut(&T)) {
        let _ = self.matching_nodes(subject, |node| {
            node.values.iter().for_each(&mut f);
            ControlFlow::<()>::Continue(())
        });
    }

    /// Whether any value's subject matches the literal `subject`.
    pub fn has_interest(&self, subject: &[u8]) -> bool {
        self.matching_nodes(subject, |node| {
            if node.values.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .is_break()
    }

    /// How many values' subjects match the literal `subject`.
    pub fn num_interest(&self, subject: &[u8]) -> usize {
        let mut count = 0;
        self.for_each_match(subject, |_| count += 1);
        count
    }

    /// Whether any value's subject matches something that begins with the tokens of `prefix`.
    /// True, too, of a subject that is `prefix` itself: it may be an answer too many.
    pub fn has_interest_starting_in(&self, prefix: &[u8]) -> bool {
        let mut left: Pending<'_, '_, T> = smallvec![(&self.root, tokens(prefix))];
        while let Some((level, mut rest)) = left.pop() {
            let Some(token) = rest.next() else { return true };
            if level.full_wildcard.is_some() {
                return true;
            }
            for node in [level.wildcard.as_deref(), level.literals.get(token)].into_iter().flatten()
            {
                left.push((&node.next, rest.clone()));
            }
        }
        false
    }

    /// Whether `>` is among the subjects.
    pub fn matches_full_wildcard(&self) -> bool {
        self.root.full_wildcard.is_some()
    }

    /// Calls `f` for every subject that has values, in no order.
    pub fn for_each_subject(&self, mut f: impl FnMut(&[u8])) {
        let mut subject = Vec::new();
        // Each with the length of what comes before its token.
        let mut left: Vec<_> = self.root.children().map(|child| (0, child)).collect();
        while let Some((len, (token, node))) = left.pop() {
            subject.truncate(len);
            if len > 0 {
                subject.push(SEPARATOR);
            }
            subject.extend_from_slice(token);
            if !node.values.is_empty() {
                f(&subject);
            }
            let len = subject.len();
            left.extend(node.next.children().map(|child| (len, child)));
        }
    }

    /// The subject of all values, if they have the same.
    pub fn single_subject(&self) -> Option<Vec<u8>> {
        let mut subject = Vec::new();
        let mut level = &self.root;
        loop {
            if level.len() != 1 {
                return None;
            }
            let (token, node) = level.children().next()?;
            subject.extend_from_slice(token);
            if !node.values.is_empty() {
                return (node.next.len() == 0).then_some(subject);
            }
            subject.push(SEPARATOR);
            level = &node.next;
        }
    }

    /// Tokens of the longest subject.
    pub fn depth(&self) -> usize {
        let (mut depth, mut levels) = (0, vec![&self.root]);
        loop {
            levels = levels.iter().flat_map(|l| l.children().map(|(_, node)| &node.next)).collect();
            if levels.is_empty() {
                return depth;
            }
            depth += 1;
        }
    }

    /// Calls `f` for the nodes at which subjects that match `subject` end, until it breaks.
    fn matching_nodes<'s, B>(
        &'s self,
        subject: &[u8],
        mut f: impl FnMut(&'s Node<T>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if tokens(subject).any(<[u8]>::is_empty) {
            return ControlFlow::Continue(());
        }
        let mut left: Pending<'_, '_, T> = smallvec![(&self.root, tokens(subject))];
        while let Some((level, mut rest)) = left.pop() {
            let Some(token) = rest.next() else { continue };
            if let Some(node) = &level.full_wildcard {
                f(node)?;
            }
            for node in [level.wildcard.as_deref(), level.literals.get(token)].into_iter().flatten()
            {
                if rest.rest().is_none() {
                    f(node)?;
                } else {
                    left.push((&node.next, rest.clone()));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Levels still to visit, each with the tokens that remain there.
type Pending<'s, 't, T> = SmallVec<[(&'s Level<T>, Tokens<'t>); 8]>;

fn check(subject: &[u8]) -> Result<(), SublistError> {
    let mut ended = false;
    for token in tokens(subject) {
        if ended || token.is_empty() {
            return Err(SublistError::InvalidSubject);
        }
        ended = token == [FULL_WILDCARD];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::subject::{matches, subset_match};
    use proptest::prelude::*;

    #[test]
    fn removing_prunes_only_what_is_alone() {
        let mut s = GenericSublist::new();
        for (subject, value) in [("a", 1), ("a.b.c.d", 2), ("a.b.*", 3), ("a.b.c.d", 4)] {
            assert_eq!(s.insert(subject.as_bytes(), value), Ok(true));
        }
        assert_eq!(s.insert(b"a", 1), Ok(false));
        assert_eq!((s.len(), s.depth()), (4, 4));
        assert_eq!(s.remove(b"a.b.c.d", &2), Ok(()));
        assert_eq!(s.depth(), 4);
        assert_eq!(s.remove(b"a.b.c.d", &4), Ok(()));
        assert_eq!(s.depth(), 3);
        assert_eq!(s.remove(b"a.b", &1), Err(SublistError::NotFound));
        assert_eq!(s.remove(b"a", &1), Ok(()));
        assert_eq!(s.single_subject().as_deref(), Some(&b"a.b.*"[..]));
        assert_eq!(s.remove(b"a.b.*", &3), Ok(()));
        assert_eq!((s.len(), s.depth()), (0, 0));
        assert_eq!(s.remove(b"a.>.b", &3), Err(SublistError::InvalidSubject));
    }

    #[test]
    fn deep_subjects_need_no_deep_stack() {
        let subject = ["*"; 200_000].join(".");
        let mut s = SimpleSublist::new();
        s.insert(subject.as_bytes(), ()).unwrap();
        s.insert(b"*.a", ()).unwrap();
        let mut listed = Vec::new();
        s.for_each_subject(|subject| listed.push(subject.len()));
        listed.sort_unstable();
        assert_eq!(listed, [3, subject.len()]);
        assert!(s.has_interest(["a"; 200_000].join(".").as_bytes()));
        assert_eq!(s.remove(subject.as_bytes(), &()), Ok(()));
        assert_eq!(s.depth(), 2);
        s.insert(subject.as_bytes(), ()).unwrap();
    }

    fn subject(tokens: &'static str) -> impl Strategy<Value = String> {
        (prop::collection::vec(tokens, 1..4), any::<bool>()).prop_map(|(mut all, full)| {
            if full {
                all.push(">".to_owned());
            }
            all.join(".")
        })
    }

    proptest! {
        #[test]
        fn follows_a_list_of_pairs(
            steps in prop::collection::vec((any::<bool>(), subject("[ab*]"), 0..3u8), 0..40),
            literals in prop::collection::vec("[ab](\\.[ab]){0,4}", 8),
        ) {
            let mut list = GenericSublist::new();
            let mut model = BTreeSet::new();
            for (insert, subject, value) in steps {
                let pair = (subject.clone(), value);
                if insert {
                    prop_assert_eq!(list.insert(subject.as_bytes(), value), Ok(model.insert(pair)));
                } else {
                    let expected = if model.remove(&pair) { Ok(()) } else { Err(SublistError::NotFound) };
                    prop_assert_eq!(list.remove(subject.as_bytes(), &value), expected);
                }
                prop_assert_eq!(list.len(), model.len());
                let longest = model.iter().map(|(s, _)| tokens(s.as_bytes()).count()).max();
                prop_assert_eq!(list.depth(), longest.unwrap_or(0));
                let subjects: BTreeSet<_> = model.iter().map(|(s, _)| s.as_bytes().to_vec()).collect();
                let mut listed = Vec::new();
                list.for_each_subject(|subject| listed.push(subject.to_vec()));
                listed.sort_unstable();
                prop_assert!(listed.iter().eq(&subjects));
                let single = if subjects.len() == 1 { subjects.into_iter().next() } else { None };
                prop_assert_eq!(list.single_subject(), single);
            }
            for literal in literals {
                let literal = literal.as_bytes();
                let mut found = Vec::new();
                list.for_each_match(literal, |v| found.push(*v));
                found.sort_unstable();
                let mut expected: Vec<_> =
                    model.iter().filter(|(s, _)| matches(literal, s.as_bytes())).map(|(_, v)| *v).collect();
                expected.sort_unstable();
                prop_assert_eq!(list.has_interest(literal), !expected.is_empty());
                prop_assert_eq!(list.num_interest(literal), expected.len());
                prop_assert_eq!(found, expected);

                // Anything below the prefix, or the prefix itself.
                let below = [literal, b".>"].concat();
                let starts = |s: &[u8]| {
                    let len = tokens(literal).count();
                    let cut: Vec<_> = tokens(s).take(len).collect();
                    subset_match(literal, &cut.join(&b'.')) && (tokens(s).count() >= len || s.ends_with(b">"))
                };
                let expected = model.iter().any(|(s, _)| {
                    subset_match(&below, s.as_bytes()) || starts(s.as_bytes())
                });
                prop_assert_eq!(list.has_interest_starting_in(literal), expected);
            }
        }
    }
}

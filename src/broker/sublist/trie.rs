//! Wildcard subscriptions, token by token.

use super::entry::Entry;
use crate::broker::hash::Seed;
use crate::broker::sub::Subscription;
use crate::wire::subject;
use hashbrown::HashMap;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Trie {
    root: Level,
}

#[derive(Debug)]
struct Level {
    literals: HashMap<Box<[u8]>, Node, Seed>,
    /// `*`
    any: Option<Box<Node>>,
    /// `>`
    rest: Option<Box<Node>>,
}

#[derive(Debug, Default)]
struct Node {
    entry: Entry,
    next: Option<Box<Level>>,
}

impl Level {
    fn new(seed: Seed) -> Self {
        Self { literals: HashMap::with_hasher(seed), any: None, rest: None }
    }

    fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.any.is_none() && self.rest.is_none()
    }

    fn child_mut(&mut self, token: &[u8]) -> &mut Node {
        match token {
            b"*" => self.any.get_or_insert_default(),
            b">" => self.rest.get_or_insert_default(),
            _ => {
                if !self.literals.contains_key(token) {
                    self.literals.insert(token.into(), Node::default());
                }
                self.literals.get_mut(token).expect("just made sure")
            }
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.literals.values().chain(self.any.as_deref()).chain(self.rest.as_deref())
    }
}

impl Trie {
    pub(super) fn new(seed: Seed) -> Self {
        Self { root: Level::new(seed) }
    }

    /// The entry of a pattern, made if it is not there.
    pub(super) fn entry(&mut self, pattern: &[u8]) -> &mut Entry {
        let seed = *self.root.literals.hasher();
        let mut tokens = subject::tokens(pattern);
        let first = tokens.next().unwrap_or_default();
        let mut node = self.root.child_mut(first);
        for token in tokens {
            node = node.next.get_or_insert_with(|| Box::new(Level::new(seed))).child_mut(token);
        }
        &mut node.entry
    }

    /// Hands every entry whose pattern matches the literal `subject` to `found`; a subject with an
    /// empty token is matched by none.
    pub(super) fn walk(&self, subject: &[u8], found: &mut impl FnMut(&Entry)) {
        walk(&self.root, Some(subject), found);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// Removes a subscription with the levels that nothing needs any more.
    pub(super) fn remove(&mut self, sub: &Arc<Subscription>) -> bool {
        remove(&mut self.root, Some(sub.subject()), sub)
    }

    pub(super) fn for_each(&self, found: &mut impl FnMut(&Entry)) {
        // A stack of our own: a pattern may have thousands of tokens.
        let mut levels = vec![&self.root];
        while let Some(level) = levels.pop() {
            for node in level.nodes() {
                found(&node.entry);
                levels.extend(node.next.as_deref());
            }
        }
    }

    pub(super) fn levels(&self) -> usize {
        let mut deepest = 0;
        let mut levels = vec![(&self.root, 1)];
        while let Some((level, depth)) = levels.pop() {
            if level.is_empty() {
                continue;
            }
            deepest = deepest.max(depth);
            levels.extend(level.nodes().filter_map(|n| n.next.as_deref()).map(|l| (l, depth + 1)));
        }
        deepest
    }
}

/// The first token of `subject` and what follows its dot.
fn split(subject: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'.', subject) {
        Some(dot) => (&subject[..dot], Some(&subject[dot + 1..])),
        None => (subject, None),
    }
}

/// Depth is bounded by the patterns in the trie, whose length `max_control_line` bounds; only the
/// branches taken at a `*` recurse.
fn walk(mut level: &Level, mut rest: Option<&[u8]>, found: &mut impl FnMut(&Entry)) {
    while let Some(subject) = rest {
        let (token, after) = split(subject);
        if let Some(node) = &level.rest {
            found(&node.entry);
        }
        if let Some(node) = &level.any {
            match after {
                None => found(&node.entry),
                Some(_) => {
                    if let Some(next) = &node.next {
                        walk(next, after, found);
                    }
                }
            }
        }
        let Some(node) = level.literals.get(token) else { return };
        if after.is_none() {
            found(&node.entry);
            return;
        }
        let Some(next) = &node.next else { return };
        (level, rest) = (next, after);
    }
}

fn remove(level: &mut Level, rest: Option<&[u8]>, sub: &Arc<Subscription>) -> bool {
    let Some(subject) = rest else { return false };
    let (token, after) = split(subject);
    let node = match token {
        b"*" => level.any.as_deref_mut(),
        b">" => level.rest.as_deref_mut(),
        _ => level.literals.get_mut(token),
    };
    let Some(node) = node else { return false };
    let removed = match after {
        None => node.entry.remove(sub),
        Some(_) => match &mut node.next {
            Some(next) => {
                let removed = remove(next, after, sub);
                if next.is_empty() {
                    node.next = None;
                }
                removed
            }
            None => false,
        },
    };
    if node.entry.is_empty() && node.next.is_none() {
        match token {
            b"*" => level.any = None,
            b">" => level.rest = None,
            _ => {
                level.literals.remove(token);
            }
        }
    }
    removed
}

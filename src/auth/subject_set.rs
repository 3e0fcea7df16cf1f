//! An immutable set of subjects with wildcards, each plain or with a queue group.

use crate::wire::subject;

/// What a permission list holds at one subject.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The subject stands there without a queue group.
    pub(super) plain: bool,
    /// Queue groups it stands there with; they may have wildcards.
    pub(super) queues: Vec<Box<[u8]>>,
}

/// Whether `*` stands for a `>` that is asked about. A list of denials errs on that side (`foo.>`
/// is refused where `foo.*` is denied); for a list of allowances it would let through what
/// was never allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Star {
    CoversRest,
    CoversToken,
}

#[derive(Debug, Default)]
struct Node {
    /// Literal tokens, sorted.
    literals: Vec<(Box<[u8]>, Node)>,
    star: Option<Box<Node>>,
    /// The entry of a `>` here.
    rest: Option<Entry>,
    /// The entry of a subject that ends here.
    here: Option<Entry>,
}

/// A trie of subjects.
#[derive(Debug, Default)]
pub(super) struct SubjectSet(Node);

impl SubjectSet {
    /// Adds a valid subject.
    pub(super) fn insert(&mut self, subject: &[u8], queue: Option<&[u8]>) {
        let mut node = &mut self.0;
        let mut entry = None;
        for token in subject::tokens(subject) {
            match token {
                b">" => {
                    entry = Some(&mut node.rest);
                    break;
                }
                b"*" => node = node.star.get_or_insert_default(),
                _ => {
                    let at = match node.literals.binary_search_by(|(t, _)| (**t).cmp(token)) {
                        Ok(at) => at,
                        Err(at) => {
                            node.literals.insert(at, (token.into(), Node::default()));
                            at
                        }
                    };
                    node = &mut node.literals[at].1;
                }
            }
        }
        let entry = match entry {
            Some(entry) => entry,
            None => &mut node.here,
        };
        let entry = entry.get_or_insert_default();
        match queue {
            Some(queue) => entry.queues.push(queue.into()),
            None => entry.plain = true,
        }
    }

    /// Whether an entry without a queue group matches `subject`.
    pub(super) fn matches_plain(&self, subject: &[u8], star: Star) -> bool {
        !has_empty_token(subject) && visit(&self.0, Some(subject), star, &mut |entry| entry.plain)
    }

    /// Whether some entry with a queue group matches `subject`, and whether one of those is of
    /// `queue`.
    pub(super) fn match_queue(&self, subject: &[u8], queue: &[u8], star: Star) -> QueueMatch {
        let mut found = QueueMatch::NoEntry;
        if has_empty_token(subject) {
            return found;
        }
        visit(&self.0, Some(subject), star, &mut |entry| {
            if entry.queues.iter().any(|q| queue_matches(queue, q)) {
                found = QueueMatch::Listed;
            } else if found == QueueMatch::NoEntry && !entry.queues.is_empty() {
                found = QueueMatch::Unlisted;
            }
            found == QueueMatch::Listed
        });
        found
    }
}

/// What the entries with queue groups say about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueMatch {
    /// Nothing: there are none at this subject.
    NoEntry,
    /// It is among them.
    Listed,
    /// Others are.
    Unlisted,
}

fn queue_matches(queue: &[u8], listed: &[u8]) -> bool {
    queue == listed || (subject::has_wildcard(listed) && subject::subset_match(queue, listed))
}

/// Such a subject is matched by nothing, not even `>`.
fn has_empty_token(subject: &[u8]) -> bool {
    subject::tokens(subject).any(<[u8]>::is_empty)
}

/// Calls `found` with every entry that matches, until it answers true. `rest` is what is left of
/// the subject; `None` is its end. No deeper than the deepest entry.
fn visit(
    node: &Node,
    rest: Option<&[u8]>,
    star: Star,
    found: &mut dyn FnMut(&Entry) -> bool,
) -> bool {
    let Some(rest) = rest else {
        return node.here.as_ref().is_some_and(&mut *found);
    };
    let (token, rest) = match memchr::memchr(b'.', rest) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    if node.rest.as_ref().is_some_and(&mut *found) {
        return true;
    }
    if let Some(next) = &node.star
        && (star == Star::CoversRest || token != b">")
        && visit(next, rest, star, found)
    {
        return true;
    }
    match node.literals.binary_search_by(|(t, _)| (**t).cmp(token)) {
        Ok(at) => visit(&node.literals[at].1, rest, star, found),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subject_strategy() -> impl Strategy<Value = String> {
        (proptest::collection::vec("[ab*]", 1..4), any::<bool>()).prop_map(|(mut tokens, rest)| {
            if rest {
                tokens.push(">".to_owned());
            }
            tokens.join(".")
        })
    }

    proptest! {
        /// The set says what one comparison per entry says.
        #[test]
        fn as_the_naive_list(
            entries in proptest::collection::vec(subject_strategy(), 0..8),
            asked in subject_strategy(),
        ) {
            let mut set = SubjectSet::default();
            for entry in &entries {
                set.insert(entry.as_bytes(), None);
            }
            let covered = |e: &String| subject::subset_match(asked.as_bytes(), e.as_bytes());
            prop_assert_eq!(
                set.matches_plain(asked.as_bytes(), Star::CoversToken),
                entries.iter().any(covered)
            );
        }

        #[test]
        fn literals_do_not_care_about_the_star(
            entries in proptest::collection::vec(subject_strategy(), 0..8),
            asked in "[ab](\\.[ab]){0,3}",
        ) {
            let mut set = SubjectSet::default();
            for entry in &entries {
                set.insert(entry.as_bytes(), None);
            }
            let naive = entries.iter().any(|e| subject::matches(asked.as_bytes(), e.as_bytes()));
            for star in [Star::CoversRest, Star::CoversToken] {
                prop_assert_eq!(set.matches_plain(asked.as_bytes(), star), naive);
            }
        }
    }
}

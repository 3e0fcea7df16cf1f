//! Matching a wildcard filter against a subject that arrives in fragments.

use super::walk::{Filter, Next};
use crate::wire::subject::{FULL_WILDCARD, SEPARATOR, WILDCARD};
use memchr::memchr;

/// The [`Filter`] whose state is a [`Cursor`] into a pattern.
pub(super) enum Pattern<'p> {
    /// Lets everything through, even the empty subject.
    Everything,
    /// Lets through what this matches.
    Matching(&'p [u8]),
}

/// How far a pattern has been matched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'p> {
    /// What of the pattern is still to match.
    rest: &'p [u8],
    at: At,
}

/// Where in its token the cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At its first byte; `rest` tells what kind it is.
    Start,
    /// Within a literal token.
    Literal,
    /// Within a token that `*` matches; `rest` is what follows the `*`.
    Wildcard,
    /// Within what `>` matches.
    FullWildcard,
}

impl Cursor<'_> {
    fn begin_token(&mut self) {
        self.at = match self.rest {
            [FULL_WILDCARD] => At::FullWildcard,
            [WILDCARD] | [WILDCARD, SEPARATOR, ..] => {
                self.rest = &self.rest[1..];
                At::Wildcard
            }
            _ => At::Literal,
        };
    }

    /// The cursor after `text`; `None` if that does not match.
    fn advance(mut self, mut text: &[u8]) -> Option<Self> {
        while !text.is_empty() {
            match self.at {
                At::FullWildcard => break,
                At::Start => self.begin_token(),
                At::Wildcard => {
                    let Some(at) = memchr(SEPARATOR, text) else { break };
                    // Nothing or a separator follows a wildcard.
                    self.rest = self.rest.get(1..)?;
                    self.at = At::Start;
                    text = &text[at + 1..];
                }
                At::Literal => {
                    let token = memchr(SEPARATOR, self.rest).map_or(self.rest.len(), |at| at + 1);
                    let n = token.min(text.len());
                    if n == 0 || self.rest[..n] != text[..n] {
                        return None;
                    }
                    if text[n - 1] == SEPARATOR {
                        self.at = At::Start;
                    }
                    (self.rest, text) = (&self.rest[n..], &text[n..]);
                }
            }
        }
        Some(self)
    }
}

impl<'p> Filter for Pattern<'p> {
    type State = Cursor<'p>;

    fn start(&self) -> Cursor<'p> {
        match self {
            Self::Everything => Cursor { rest: &[], at: At::FullWildcard },
            Self::Matching(pattern) => Cursor { rest: pattern, at: At::Start },
        }
    }

    fn advance(&mut self, state: Self::State, path: &[u8], from: usize) -> Option<Self::State> {
        state.advance(&path[from..])
    }

    fn next(&self, state: Self::State) -> Next {
        let any = match state.at {
            At::FullWildcard | At::Wildcard => true,
            At::Literal => false,
            At::Start => {
                let mut begun = state;
                begun.begin_token();
                begun.at != At::Literal
            }
        };
        if any { Next::Any } else { state.rest.first().map_or(Next::Nothing, |b| Next::Only(*b)) }
    }

    fn accepts(&self, state: Self::State, _: &[u8]) -> bool {
        state.at == At::FullWildcard || state.rest.is_empty()
    }
}

//! Subjects: dot-separated tokens, with `*` (one token) and `>` (one or more tokens, last) as
//! wildcards when they stand alone in a token.
//!
//! Everything here works on raw bytes and allocates nothing. A wildcard character inside a longer
//! token (`foo*`) is an ordinary character; the two exceptions that upstream makes are documented
//! at [`subset_match`] and [`collide`] and kept, because permissions and imports rest on them.
//! Go: `server/sublist.go`.

use memchr::memchr;

/// Separates the tokens of a subject.
pub const SEPARATOR: u8 = b'.';
/// Alone in a token: matches exactly one token.
pub const WILDCARD: u8 = b'*';
/// Alone in the last token: matches one or more tokens.
pub const FULL_WILDCARD: u8 = b'>';

/// The tokens of `subject` in order. As with `str::split`, an empty subject has one empty token.
#[inline]
pub fn tokens(subject: &[u8]) -> Tokens<'_> {
    Tokens { rest: Some(subject) }
}

/// Iterator over the tokens of a subject; see [`tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Tokens<'a> {
    /// What has not been iterated yet, without its leading separator; `None` at the end.
    pub fn rest(&self) -> Option<&'a [u8]> {
        self.rest
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match memchr(SEPARATOR, rest) {
            Some(at) => {
                self.rest = Some(&rest[at + 1..]);
                Some(&rest[..at])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

/// How many tokens `subject` has; none when it is empty.
pub fn token_count(subject: &[u8]) -> usize {
    if subject.is_empty() { 0 } else { memchr::memchr_iter(SEPARATOR, subject).count() + 1 }
}

/// The token at the one-based `index`; empty when there is none.
pub fn token_at(subject: &[u8], index: usize) -> &[u8] {
    match index.checked_sub(1) {
        Some(skip) => tokens(subject).nth(skip).unwrap_or_default(),
        None => &[],
    }
}

/// Whether two dots stand side by side, or one stands at an end.
pub fn has_empty_token(subject: &[u8]) -> bool {
    tokens(subject).any(<[u8]>::is_empty)
}

/// Whether some token is a wildcard. Does not ask whether the subject is valid.
#[inline]
pub fn has_wildcard(subject: &[u8]) -> bool {
    memchr::memchr2_iter(WILDCARD, FULL_WILDCARD, subject).any(|at| {
        (at == 0 || subject[at - 1] == SEPARATOR)
            && subject.get(at + 1).is_none_or(|next| *next == SEPARATOR)
    })
}

/// Whether no token is a wildcard. Does not ask whether the subject is valid.
#[inline]
pub fn is_literal(subject: &[u8]) -> bool {
    !has_wildcard(subject)
}

/// What a valid subject of a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Without wildcards.
    Literal,
    /// With wildcards.
    Pattern,
}

/// What one subscribes to with `subject`, found in one pass if it is literal; `None` if it is not
/// valid (see [`is_valid_subject`]).
pub fn shape(subject: &[u8]) -> Option<Shape> {
    let (mut at_start, mut literal) = (true, true);
    for b in subject {
        if *b == SEPARATOR {
            if at_start {
                return None;
            }
            at_start = true;
            continue;
        }
        if is_space(b) {
            return None;
        }
        at_start = false;
        literal &= *b != WILDCARD && *b != FULL_WILDCARD;
    }
    match (at_start, literal) {
        (true, _) => None,
        (false, true) => Some(Shape::Literal),
        (false, false) if !is_valid_subject(subject) => None,
        // Such bytes inside of longer tokens mean nothing.
        (false, false) if is_literal(subject) => Some(Shape::Literal),
        (false, false) => Some(Shape::Pattern),
    }
}

/// Whether one may subscribe to `subject`: no empty token, no white space, and `>` only at the end.
pub fn is_valid_subject(subject: &[u8]) -> bool {
    let mut ended = false;
    for token in tokens(subject) {
        if ended || token.is_empty() || token.iter().any(is_space) {
            return false;
        }
        ended = token == [FULL_WILDCARD];
    }
    true
}

/// As [`is_valid_subject`], and also no NUL, only UTF-8, and no U+FFFD replacement character: the
/// rules for subjects read back from a disk, where those are signs of damage.
pub fn is_valid_stored_subject(subject: &[u8]) -> bool {
    if subject.is_ascii() {
        return memchr(0, subject).is_none() && shape(subject).is_some();
    }
    memchr(0, subject).is_none()
        && std::str::from_utf8(subject).is_ok_and(|s| !s.contains(char::REPLACEMENT_CHARACTER))
        && is_valid_subject(subject)
}

/// Whether one may publish to `subject`: valid and without wildcards.
pub fn is_valid_publish_subject(subject: &[u8]) -> bool {
    is_valid_subject(subject) && is_literal(subject)
}

/// Whether no token is empty or a wildcard. This is all that the parser asks of published subjects
/// (from pedantic clients): white space cannot get through the parser.
pub fn is_valid_literal_subject(subject: &[u8]) -> bool {
    tokens(subject).all(|t| !t.is_empty() && t != [WILDCARD] && t != [FULL_WILDCARD])
}

/// Whether `literal` (taken without any wildcard meaning) matches `pattern`.
///
/// Neither needs to be valid: a wildcard in the middle of the pattern accepts an empty token, one
/// at its end does not, and a `>` that is not last is an ordinary token.
#[inline]
pub fn matches(literal: &[u8], pattern: &[u8]) -> bool {
    let (mut have, mut want) = (tokens(literal), tokens(pattern));
    while let Some(token) = want.next() {
        let last = want.rest.is_none();
        if last && token == [FULL_WILDCARD] {
            return have.rest.is_some_and(|rest| !rest.is_empty());
        }
        let Some(actual) = have.next() else { return false };
        let matched =
            if token == [WILDCARD] { !last || !actual.is_empty() } else { token == actual };
        if !matched {
            return false;
        }
    }
    have.rest.is_none()
}

/// Whether everything that `subject` can match is matched by `pattern`; both may have wildcards.
/// So `foo.*` is a subset of `>`, `*.*` and `foo.*`, but not of `foo.bar`.
///
/// A pattern token that merely *begins* with `*` (`*foo`) matches any token that is not itself a
/// wildcard, as upstream has it.
pub fn subset_match(subject: &[u8], pattern: &[u8]) -> bool {
    let mut have = tokens(subject);
    for token in tokens(pattern) {
        let Some(actual) = have.next() else { return false };
        if token.is_empty() {
            return false;
        }
        if token == [FULL_WILDCARD] {
            return true;
        }
        if actual.is_empty() || actual == [FULL_WILDCARD] {
            return false;
        }
        if actual == [WILDCARD] {
            if token != [WILDCARD] {
                return false;
            }
        } else if token[0] != WILDCARD && token != actual {
            return false;
        }
    }
    have.rest.is_none()
}

/// Whether a gateway made this subject of a reply, in today's form or that of old.
#[inline]
pub fn is_gateway_reply(subject: &[u8]) -> bool {
    [&b"_GR_."[..], b"$GR."].into_iter().any(|p| subject.len() > p.len() && subject.starts_with(p))
}

/// Whether some literal subject could match both `a` and `b`.
///
/// When both have wildcards, a token that merely *begins* with a wildcard character counts as one,
/// as upstream has it: the answer errs towards "they collide".
pub fn collide(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    match (Wildcards::of(a), Wildcards::of(b)) {
        (Wildcards::None, Wildcards::None) => false,
        (Wildcards::None, _) => subset_match(a, b),
        (_, Wildcards::None) => subset_match(b, a),
        (wild_a, wild_b) => patterns_collide(a, wild_a, b, wild_b),
    }
}

/// [`collide`] for two subjects that have wildcards.
fn patterns_collide(a: &[u8], wild_a: Wildcards, b: &[u8], wild_b: Wildcards) -> bool {
    // The shorter one reaches the longer only through a full wildcard.
    let reaches = match token_count(a).cmp(&token_count(b)) {
        std::cmp::Ordering::Less => wild_a == Wildcards::Full,
        std::cmp::Ordering::Equal => true,
        std::cmp::Ordering::Greater => wild_b == Wildcards::Full,
    };
    reaches && tokens(a).zip(tokens(b)).all(|(a, b)| tokens_can_match(a, b))
}

fn tokens_can_match(a: &[u8], b: &[u8]) -> bool {
    let (Some(first_a), Some(first_b)) = (a.first(), b.first()) else { return false };
    let wild = |c: &u8| *c == WILDCARD || *c == FULL_WILDCARD;
    wild(first_a) || wild(first_b) || a == b
}

/// What wildcards a subject has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcards {
    None,
    /// Only `*`.
    Partial,
    /// A `>`, perhaps beside `*`.
    Full,
}

impl Wildcards {
    fn of(subject: &[u8]) -> Self {
        let mut found = Self::None;
        for token in tokens(subject) {
            match token {
                [FULL_WILDCARD] => return Self::Full,
                [WILDCARD] => found = Self::Partial,
                _ => {}
            }
        }
        found
    }
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn validity() {
        for valid in ["foo", "foo.*", ">", "*.>", "foo*", ">bar", "a.b>c", "nul\0"] {
            assert!(is_valid_subject(valid.as_bytes()), "{valid}");
        }
        for invalid in
            ["", ".", ".foo", "foo.", "foo..bar", ">.foo", "foo.>.>", "a b", "\t", "a.\x0c"]
        {
            assert!(!is_valid_subject(invalid.as_bytes()), "{invalid}");
        }
        assert!(!is_valid_stored_subject(b"nul\0"));
        assert!(!is_valid_stored_subject(b"\xff"));
        assert!(!is_valid_stored_subject("a.\u{fffd}".as_bytes()));
        assert!(is_valid_stored_subject("é.>".as_bytes()));
    }

    #[test]
    fn shapes() {
        for (subject, expected) in [
            ("a", Some(Shape::Literal)),
            ("a.b*.c>d", Some(Shape::Literal)),
            ("a.*", Some(Shape::Pattern)),
            (">", Some(Shape::Pattern)),
            ("a.>.b", None),
            ("", None),
            (".a", None),
            ("a.", None),
            ("a..b", None),
            ("a b", None),
            ("a.*\t", None),
        ] {
            assert_eq!(shape(subject.as_bytes()), expected, "{subject}");
            assert_eq!(is_valid_subject(subject.as_bytes()), expected.is_some(), "{subject}");
        }
    }

    #[test]
    fn literals() {
        for literal in ["foo", "foo.bar", "foo*.>bar", "a b"] {
            assert!(is_valid_literal_subject(literal.as_bytes()), "{literal}");
        }
        for other in ["", "foo.", "*", "foo.*", "foo.>", ">.a"] {
            assert!(!is_valid_literal_subject(other.as_bytes()), "{other}");
        }
        assert!(!is_valid_publish_subject(b"a b"));
        assert!(has_wildcard(b"foo.*.bar") && has_wildcard(b">") && has_wildcard(b"**.*"));
        assert!(is_literal(b"foo.b*") && is_literal(b">>") && is_literal(b""));
    }

    #[test]
    fn token_access() {
        assert_eq!(token_count(b""), 0);
        assert_eq!(token_count(b"foo.*.>"), 3);
        assert_eq!(token_at(b"foo.bar", 1), b"foo");
        assert_eq!(token_at(b"foo.bar", 2), b"bar");
        assert_eq!(token_at(b"foo.bar", 0), b"");
        assert_eq!(token_at(b"foo.bar", 3), b"");
        assert!(tokens(b"").eq([b""]));
    }

    #[test]
    fn literal_matches() {
        let yes = [
            ("foo", "foo"),
            ("foo.bar", "*.*"),
            ("foo.bar", ">"),
            ("foo.bar.baz", "foo.>"),
            ("stats.test.foos", "stats.test.foos"),
            ("foo..bar", "foo.*.bar"),
            ("foo.*", "foo.*"),
            (">.foo", ">.foo"),
            ("*bar", "*bar"),
            ("", ""),
        ];
        for (literal, pattern) in yes {
            assert!(matches(literal.as_bytes(), pattern.as_bytes()), "{literal} {pattern}");
        }
        let no = [
            ("foo", "foo.>"),
            ("foo.", "foo.>"),
            ("foo.", "foo.*"),
            ("foo.bar", "*"),
            ("foo", "*.*"),
            ("foo.bar", ">.bar"),
            ("bar", "*bar"),
            ("", "*"),
            ("", ">"),
        ];
        for (literal, pattern) in no {
            assert!(!matches(literal.as_bytes(), pattern.as_bytes()), "{literal} {pattern}");
        }
    }

    #[test]
    fn upstream_oddities() {
        assert!(subset_match(b"foo", b"*bar"));
        assert!(!subset_match(b"*", b"*bar"));
        assert!(collide(b"foo.*", b">bar.*"));
        assert!(!collide(b"foo.*", b">bar.b"));
        assert!(!collide(b"foo.*", b"foo.*.>"));
    }

    fn token() -> impl Strategy<Value = &'static str> {
        prop_oneof![4 => Just("a"), 4 => Just("b"), 1 => Just("a*"), 3 => Just("*")]
    }

    /// Valid subjects over a small alphabet, so that they meet often.
    fn pattern() -> impl Strategy<Value = String> {
        (prop::collection::vec(token(), 1..5), any::<bool>()).prop_map(|(mut tokens, full)| {
            if full {
                tokens.push(">");
            }
            tokens.join(".")
        })
    }

    fn literal() -> impl Strategy<Value = String> {
        prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("a*")], 1..6)
            .prop_map(|tokens| tokens.join("."))
    }

    /// The definition, token by token, without the early exits.
    fn model_matches(literal: &[&str], pattern: &[&str]) -> bool {
        match (literal, pattern) {
            ([], []) => true,
            ([_, ..], [">"]) => true,
            ([l, literal @ ..], [p, pattern @ ..]) => {
                (*p == "*" || l == p) && model_matches(literal, pattern)
            }
            _ => false,
        }
    }

    fn split(s: &str) -> Vec<&str> {
        s.split('.').collect()
    }

    proptest! {
        #[test]
        fn matches_follows_the_definition(l in literal(), p in pattern()) {
            let expected = model_matches(&split(&l), &split(&p));
            prop_assert_eq!(matches(l.as_bytes(), p.as_bytes()), expected);
            prop_assert_eq!(subset_match(l.as_bytes(), p.as_bytes()), expected);
        }

        #[test]
        fn subsets_and_collisions_agree_with_matches(l in literal(), a in pattern(), b in pattern()) {
            let (l, a, b) = (l.as_bytes(), a.as_bytes(), b.as_bytes());
            if subset_match(a, b) && matches(l, a) {
                prop_assert!(matches(l, b));
            }
            if matches(l, a) && matches(l, b) {
                prop_assert!(collide(a, b));
            }
            prop_assert_eq!(collide(a, b), collide(b, a));
        }

        #[test]
        fn any_bytes_are_fine(a in prop::collection::vec(any::<u8>(), 0..12), b in "[.*>a ]{0,8}") {
            let b = b.as_bytes();
            for (x, y) in [(&a[..], b), (b, &a[..])] {
                let _ = (matches(x, y), subset_match(x, y), collide(x, y));
                let _ = is_valid_literal_subject(x);
                let text = std::str::from_utf8(x).is_ok_and(|x| !x.contains(['\0', '\u{fffd}']));
                prop_assert_eq!(is_valid_stored_subject(x), text && is_valid_subject(x));
                prop_assert_eq!(is_valid_publish_subject(x), is_valid_subject(x) && !has_wildcard(x));
                prop_assert_eq!(tokens(x).collect::<Vec<_>>().join(&b'.'), x);
            }
        }
    }
}

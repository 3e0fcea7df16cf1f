//! Subject transforms: rewriting a subject that matches a source pattern into a destination with
//! place holders and mapping functions. Account mappings, imports, stream transforms, republish
//! and sources all use them.
//!
//! Built once from configuration text, applied to raw subjects. Nothing here panics on a subject
//! that lacks the tokens a destination refers to: those yield nothing, as upstream's `wildcard`.
//! Go: `server/subject_transform.go`.

mod parse;

use crate::base::Rng;
use crate::wire::subject::{self, is_valid_literal_subject, subset_match, tokens};
use parse::PlaceHolder;
use smallvec::SmallVec;
use std::fmt;

pub use parse::{tokenize, untokenize, validate_mapping};

/// A compiled transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    source: String,
    destination: String,
    source_tokens: usize,
    parts: Vec<Part>,
}

/// What one destination token turns into. Token indices are zero-based into the source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `>`: the source tokens from where the source has its own `>`.
    Rest,
    Wildcard(usize),
    /// No tokens: the whole subject is hashed.
    Partition {
        buckets: u32,
        tokens: Vec<usize>,
    },
    Random(u32),
    Split {
        token: usize,
        delimiter: String,
    },
    Cut {
        how: Cut,
        token: usize,
        size: i32,
    },
}

/// Functions that take a token and a size, both in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    SplitFromLeft,
    SplitFromRight,
    SliceFromLeft,
    SliceFromRight,
    Left,
    Right,
}

/// Why a transform cannot be built. The texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// Source or destination is malformed, or their wildcards do not go together.
    #[error("invalid subject")]
    BadSubject,
    /// The destination is wrong.
    #[error("invalid mapping destination: {reason}{}", InToken(.token))]
    Destination {
        /// What is wrong.
        reason: DestinationError,
        /// The offending token; empty if upstream names none.
        token: String,
    },
}

struct InToken<'a>(&'a str);

impl fmt::Display for InToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " in {}", self.0) }
    }
}

impl TransformError {
    fn destination(reason: DestinationError, token: impl Into<String>) -> Self {
        Self::Destination { reason, token: token.into() }
    }
}

/// What is wrong with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// An empty token, something behind `>`, or white space.
    #[error("invalid transform")]
    InvalidSubject,
    /// Strict only: a wildcard of the source is not used.
    #[error("not using all of the token wildcard(s)")]
    NotUsingAllWildcards,
    /// `{{..}}` with a name that is no function.
    #[error("unknown function")]
    UnknownFunction,
    /// A wildcard number above what the source has.
    #[error("wildcard index out of range")]
    IndexOutOfRange,
    /// Too few arguments.
    #[error("not enough arguments passed to the function")]
    NotEnoughArgs,
    /// An argument is not a number, or out of range.
    #[error("function argument is invalid or in the wrong format")]
    InvalidArg,
    /// Too many arguments.
    #[error("too many arguments passed to the function")]
    TooManyArgs,
    /// Strict only: another function than `wildcard`.
    #[error("the only mapping function allowed for import transforms is {{{{Wildcard()}}}}")]
    NotSupportedForImport,
}

/// Why a subject was not transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// Not a literal subject.
    #[error("invalid subject")]
    BadSubject,
    /// The source does not match.
    #[error("no matching transforms available")]
    NoTransforms,
}

impl Transform {
    /// Compiles `source` -> `destination`. An empty source means `>`; an empty destination means
    /// that nothing is to be transformed, and is `None`.
    pub fn new(source: &str, destination: &str) -> Result<Option<Self>, TransformError> {
        Self::compile(source, destination, false)
    }

    /// As [`Transform::new`], for transforms that need to be reversible (imports): only wildcard
    /// place holders, and every wildcard of the source is used.
    pub fn new_strict(source: &str, destination: &str) -> Result<Option<Self>, TransformError> {
        Self::compile(source, destination, true)
    }

    fn compile(
        source: &str,
        destination: &str,
        strict: bool,
    ) -> Result<Option<Self>, TransformError> {
        if destination.is_empty() {
            return Ok(None);
        }
        let source = if source.is_empty() { ">" } else { source };
        let from = Shape::of(source).ok_or(TransformError::BadSubject)?;
        let to = Shape::of(destination).ok_or(TransformError::BadSubject)?;
        if !to.wildcards.is_empty() || from.full != to.full {
            return Err(TransformError::BadSubject);
        }
        let parts = if from.wildcards.is_empty() && !from.full {
            destination.split('.').map(literal_source_part).collect::<Result<_, _>>()?
        } else {
            wildcard_source_parts(&from, destination, strict)?
        };
        Ok(Some(Self {
            source: source.to_owned(),
            destination: destination.to_owned(),
            source_tokens: from.tokens,
            parts,
        }))
    }

    /// The same subject may be transformed differently each time.
    pub fn is_random(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Random(_)))
    }

    /// The source pattern.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The destination as configured.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Transforms a literal `subject` if the source matches it.
    pub fn match_subject(&self, subject: &[u8], rng: &mut Rng) -> Result<Vec<u8>, MatchError> {
        let all = self.source == ">";
        if all && self.destination == ">" {
            return Ok(subject.to_vec());
        }
        if !is_valid_literal_subject(subject) {
            return Err(MatchError::BadSubject);
        }
        if !all && !subset_match(subject, self.source.as_bytes()) {
            return Err(MatchError::NoTransforms);
        }
        Ok(self.apply(subject, rng))
    }

    /// Transforms `subject` without asking whether the source matches it.
    pub fn apply(&self, subject: &[u8], rng: &mut Rng) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.destination.len() + subject.len());
        self.apply_into(subject, rng, &mut out);
        out
    }

    /// As [`Transform::apply`], appending to `out`.
    pub fn apply_into(&self, subject: &[u8], rng: &mut Rng, out: &mut Vec<u8>) {
        let tokens: SmallVec<[&[u8]; 32]> = tokens(subject).collect();
        let token = |at: usize| tokens.get(at).copied().unwrap_or_default();
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                out.push(subject::SEPARATOR);
            }
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Rest => {
                    join(
                        out,
                        tokens.get(self.source_tokens - 1..).unwrap_or_default().iter().copied(),
                    );
                }
                Part::Wildcard(at) => out.extend_from_slice(token(*at)),
                Part::Partition { buckets, tokens } => {
                    let hash = match tokens.as_slice() {
                        [] => fnv1a(FNV_OFFSET, subject),
                        picked => picked.iter().fold(FNV_OFFSET, |h, at| fnv1a(h, token(*at))),
                    };
                    push_number(out, hash.checked_rem(*buckets).unwrap_or(0));
                }
                Part::Random(ceiling) => push_number(out, rng.below(u64::from(*ceiling)) as u32),
                Part::Split { token: at, delimiter } => {
                    split(out, token(*at), delimiter.as_bytes())
                }
                Part::Cut { how, token: at, size } => how.write(out, token(*at), *size),
            }
        }
    }

    /// The transform that undoes this one, if it is made of place holders and literals only.
    ///
    /// As upstream, the n-th place holder of the destination is put at the n-th wildcard of the
    /// source. That undoes swaps, but not rotations of three or more tokens (`$2.$3.$1`): service
    /// imports are built by reversing, so the outcome is what operators have configured for.
    pub fn reverse(&self) -> Option<Self> {
        let (source, place_holders) = untokenize(&self.destination);
        let mut place_holders = place_holders.into_iter();
        let destination = self
            .source
            .split('.')
            .map(|token| if token == "*" { place_holders.next() } else { Some(token) })
            .collect::<Option<Vec<_>>>()?;
        Self::new_strict(&source, &destination.join(".")).ok().flatten()
    }
}

/// What matters of a source or destination.
struct Shape {
    tokens: usize,
    /// Zero-based indices of the `*` tokens.
    wildcards: Vec<usize>,
    /// Ends in `>`.
    full: bool,
}

impl Shape {
    /// `None` if a token is empty or `>` is not last. White space is not looked at.
    fn of(subject: &str) -> Option<Self> {
        let mut shape = Self { tokens: 0, wildcards: Vec::new(), full: false };
        for token in subject.split('.') {
            if token.is_empty() || shape.full {
                return None;
            }
            match token {
                ">" => shape.full = true,
                "*" => shape.wildcards.push(shape.tokens),
                _ => {}
            }
            shape.tokens += 1;
        }
        Some(shape)
    }

    /// The source token that a place holder's one-based wildcard number refers to. Numbers below
    /// one mean the first token, whatever it is: upstream's behaviour for `partition(10,0)`.
    fn source_token(&self, number: i64, token: &str) -> Result<usize, TransformError> {
        let Ok(number) = usize::try_from(number) else { return Ok(0) };
        if number > self.wildcards.len() {
            let token = format!("{token}: [{number}]");
            return Err(TransformError::destination(DestinationError::IndexOutOfRange, token));
        }
        Ok(number.checked_sub(1).map_or(0, |i| self.wildcards[i]))
    }
}

/// The parts of a destination whose source has wildcards.
fn wildcard_source_parts(
    from: &Shape,
    destination: &str,
    strict: bool,
) -> Result<Vec<Part>, TransformError> {
    let mut used = 0;
    let mut parts = Vec::new();
    for token in destination.split('.') {
        let place_holder = PlaceHolder::parse(token)?;
        let invertible = matches!(place_holder, PlaceHolder::None | PlaceHolder::Wildcard(_));
        if strict && !invertible {
            return Err(TransformError::destination(
                DestinationError::NotSupportedForImport,
                token,
            ));
        }
        let mut source_token = |number| {
            used += 1;
            from.source_token(number, token)
        };
        parts.push(match place_holder {
            PlaceHolder::None if token == ">" => Part::Rest,
            PlaceHolder::None => Part::Literal(token.to_owned()),
            PlaceHolder::Random(ceiling) => Part::Random(ceiling.unsigned_abs()),
            PlaceHolder::Wildcard(number) => Part::Wildcard(source_token(number)?),
            PlaceHolder::Partition { buckets, numbers } => Part::Partition {
                buckets: buckets.cast_unsigned(),
                tokens: numbers.into_iter().map(source_token).collect::<Result<_, _>>()?,
            },
            PlaceHolder::Split { number, delimiter } => {
                Part::Split { token: source_token(number)?, delimiter }
            }
            PlaceHolder::Cut { how, number, size } => {
                Part::Cut { how, token: source_token(number)?, size }
            }
        });
    }
    if strict && used < from.wildcards.len() {
        let reason = DestinationError::NotUsingAllWildcards;
        return Err(TransformError::destination(reason, destination));
    }
    Ok(parts)
}

/// One part of a destination whose source has no wildcards to refer to.
fn literal_source_part(token: &str) -> Result<Part, TransformError> {
    match PlaceHolder::parse(token)? {
        PlaceHolder::None => Ok(Part::Literal(token.to_owned())),
        PlaceHolder::Random(ceiling) => Ok(Part::Random(ceiling.unsigned_abs())),
        PlaceHolder::Partition { buckets, .. } => {
            Ok(Part::Partition { buckets: buckets.cast_unsigned(), tokens: Vec::new() })
        }
        PlaceHolder::Wildcard(_) | PlaceHolder::Split { .. } | PlaceHolder::Cut { .. } => {
            Err(TransformError::destination(DestinationError::IndexOutOfRange, token))
        }
    }
}

impl Cut {
    /// Writes `token` cut at `size` bytes; whole if it is not longer than that.
    fn write(self, out: &mut Vec<u8>, token: &[u8], size: i32) {
        let size = usize::try_from(size).unwrap_or(0);
        if size == 0 || size >= token.len() {
            return out.extend_from_slice(token);
        }
        let from_right = token.len() - size;
        match self {
            Self::Left => out.extend_from_slice(&token[..size]),
            Self::Right => out.extend_from_slice(&token[from_right..]),
            Self::SplitFromLeft => join(out, [&token[..size], &token[size..]]),
            Self::SplitFromRight => join(out, [&token[..from_right], &token[from_right..]]),
            Self::SliceFromLeft => join(out, token.chunks(size)),
            Self::SliceFromRight => {
                let (rest, whole) = token.split_at(token.len() % size);
                join(out, (!rest.is_empty()).then_some(rest).into_iter().chain(whole.chunks(size)));
            }
        }
    }
}

/// Splits at `delimiter` (between characters if it is empty) and drops empty pieces; a piece
/// behind two or more leading delimiters keeps one separator in front, as upstream has it.
fn split(out: &mut Vec<u8>, token: &[u8], delimiter: &[u8]) {
    let mut first = true;
    let mut empty_before = false;
    for_each_piece(token, delimiter, |piece| {
        // Not after an empty very first piece: `-a` must not begin with a separator.
        if !first && !piece.is_empty() && !empty_before {
            out.push(subject::SEPARATOR);
        }
        out.extend_from_slice(piece);
        empty_before = first && piece.is_empty();
        first = false;
    });
}

fn for_each_piece<'a>(token: &'a [u8], delimiter: &[u8], mut f: impl FnMut(&'a [u8])) {
    if delimiter.is_empty() {
        for chunk in token.utf8_chunks() {
            let valid = chunk.valid();
            valid.char_indices().for_each(|(i, c)| f(&valid.as_bytes()[i..i + c.len_utf8()]));
            chunk.invalid().chunks(1).for_each(&mut f);
        }
        return;
    }
    let mut start = 0;
    for at in memchr::memmem::find_iter(token, delimiter) {
        f(&token[start..at]);
        start = at + delimiter.len();
    }
    f(&token[start..]);
}

fn join<'a>(out: &mut Vec<u8>, pieces: impl IntoIterator<Item = &'a [u8]>) {
    for (i, piece) in pieces.into_iter().enumerate() {
        if i > 0 {
            out.push(subject::SEPARATOR);
        }
        out.extend_from_slice(piece);
    }
}

fn push_number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Start value of 32-bit FNV-1a.
const FNV_OFFSET: u32 = 0x811c_9dc5;

/// 32-bit FNV-1a, continued from `hash`. Partition numbers must agree with upstream's.
fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;

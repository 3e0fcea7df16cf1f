//! The client dialect of the NATS protocol, bytes in, operations out.
//!
//! [`parse`] looks at the front of a buffer and takes one operation off it. It owns no state: a
//! line or payload that is not complete yet stays with the caller, who calls again with more
//! bytes. It copies nothing; the operation borrows from the buffer.
//!
//! What is accepted is exactly what upstream's byte-wise state machine accepts
//! (`server/parser.go`), quirks included: verbs in any case, tabs as separators, anything between
//! `PING` and the end of its line, a lone `\n` as line end.

mod args;

pub use args::{parse_size, split_args};

use memchr::memchr;
use thiserror::Error;

/// What the parser enforces, taken from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument line, bytes.
    pub max_control_line: usize,
    /// Longest payload with headers, bytes; `None` is unlimited.
    pub max_payload: Option<usize>,
    /// The connection may send headers.
    pub headers: bool,
}

/// A published message, as offsets into the buffer it was parsed from.
///
/// For a canonical line (single spaces, CRLF) the bytes after `subject` and its space up to
/// `end` are also the tail of the `MSG` that delivers it, so nothing is formatted per delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pub<'a> {
    /// Where it is published.
    pub subject: &'a [u8],
    /// Where answers go; empty if none.
    pub reply: &'a [u8],
    /// Header bytes at the front of `payload`; `None` for `PUB`.
    pub header_len: Option<usize>,
    /// The header size as written; empty for `PUB`.
    pub header_size: &'a [u8],
    /// The total size as written.
    pub size: &'a [u8],
    /// Headers and message.
    pub payload: &'a [u8],
    /// Offset of the subject in the buffer.
    pub subject_at: usize,
    /// The line is canonical.
    pub canonical: bool,
}

/// One protocol operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// `PUB` and `HPUB`.
    Pub(Pub<'a>),
    /// `SUB`: the arguments as written.
    Sub(&'a [u8]),
    /// `UNSUB`: the arguments as written.
    Unsub(&'a [u8]),
    /// `CONNECT`: the JSON as written.
    Connect(&'a [u8]),
    /// `INFO`: the JSON as written.
    Info(&'a [u8]),
    /// `-ERR`: the text as written.
    Err(&'a [u8]),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`.
    Ok,
}

/// What the front of the buffer holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// An operation and the bytes it took.
    Op(Op<'a>, usize),
    /// The start of one. `need` is its full length where known, else 0.
    Incomplete {
        /// Bytes the whole operation has; 0 while unknown.
        need: usize,
    },
    /// Nothing that may follow.
    Fail(ParseError),
}

/// Why bytes are not an operation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    /// No verb starts like this, or a payload does not end in CRLF.
    #[error("parser ERROR, state={state}, i={at}: proto='{snippet}...'")]
    Unknown {
        /// Upstream's number for what was understood so far.
        state: usize,
        /// Where it went wrong, from the start of the operation.
        at: usize,
        /// The bytes around, quoted.
        snippet: String,
    },
    /// A line longer than allowed.
    #[error("maximum control line exceeded")]
    MaxControlLine {
        /// Its length so far.
        len: usize,
        /// Its start, quoted.
        snippet: String,
    },
    /// A payload longer than allowed.
    #[error("maximum payload exceeded")]
    MaxPayload {
        /// Announced size.
        size: usize,
        /// Allowed size.
        max: usize,
    },
    /// `HPUB` from a connection without headers.
    #[error("message headers not supported")]
    HeadersNotSupported,
    /// Arguments that make no sense.
    #[error("{0}")]
    Args(String),
}

/// Bytes quoted in an error about an unknown operation.
const SNIPPET: usize = 32;
/// Bytes quoted in an error about a line that is too long.
const LINE_SNIPPET: usize = 128;

/// Takes one operation off the front of `buf`.
#[inline]
pub fn parse<'a>(buf: &'a [u8], limits: &Limits) -> Step<'a> {
    if let Some(step) = fast_pub(buf, limits) {
        return step;
    }
    let Some(first) = buf.first() else { return Step::Incomplete { need: 0 } };
    match first.to_ascii_uppercase() {
        b'P' => match buf.get(1).map(u8::to_ascii_uppercase) {
            Some(b'U') | None => publication(buf, b"PUB", false, limits),
            Some(b'I') => bare(buf, b"PING", Op::Ping, limits),
            Some(b'O') => bare(buf, b"PONG", Op::Pong, limits),
            Some(_) => unknown(buf, state(b"P", 1), 1),
        },
        b'H' => publication(buf, b"HPUB", true, limits),
        b'S' => line(buf, b"SUB", Gap::Required, limits, Op::Sub),
        b'U' => line(buf, b"UNSUB", Gap::Required, limits, Op::Unsub),
        b'C' => line(buf, b"CONNECT", Gap::Optional, limits, Op::Connect),
        b'I' => line(buf, b"INFO", Gap::Optional, limits, Op::Info),
        b'+' => bare(buf, b"+OK", Op::Ok, limits),
        b'-' => line(buf, b"-ERR", Gap::Required, limits, Op::Err),
        _ => unknown(buf, 0, 0),
    }
}

/// The overwhelmingly common forms, `PUB subject [reply] size\r\n` and its `HPUB`, in one pass over
/// the line. Anything else, and anything incomplete or wrong, is left to the general path.
#[inline]
fn fast_pub<'a>(buf: &'a [u8], limits: &Limits) -> Option<Step<'a>> {
    let (verb_len, headers) = match buf {
        [b'P', b'U', b'B', b' ', ..] => (4, false),
        [b'H', b'P', b'U', b'B', b' ', ..] if limits.headers => (5, true),
        _ => return None,
    };
    let rest = &buf[verb_len..];
    let subject_len = token_len(rest)?;
    let mut at = subject_len + 1;
    let mut reply: &[u8] = &[];
    let sizes = match sizes(&rest[at..], headers) {
        Some(sizes) => sizes,
        None => {
            let reply_len = token_len(&rest[at..])?;
            reply = &rest[at..at + reply_len];
            at += reply_len + 1;
            sizes(&rest[at..], headers)?
        }
    };
    let line_end = at + sizes.end;
    if rest.get(line_end + 1) != Some(&b'\n') || line_end > limits.max_control_line {
        return None;
    }
    let size = sizes.total;
    if limits.max_payload.is_some_and(|max| size > max) {
        return None;
    }
    let body = line_end + 2;
    let need = verb_len + body + size + 2;
    let Some(payload) = rest.get(body..body + size) else {
        return Some(Step::Incomplete { need });
    };
    if rest.get(body + size..body + size + 2)? != b"\r\n" {
        return None;
    }
    let publication = Pub {
        subject: &rest[..subject_len],
        reply,
        header_len: headers.then_some(sizes.header),
        header_size: &rest[at..at + sizes.header_digits],
        size: &rest[at + sizes.total_at..line_end],
        payload,
        subject_at: verb_len,
        canonical: true,
    };
    Some(Step::Op(Op::Pub(publication), need))
}

/// Length of the token at the front of `s`, if a single space and more than a separator follow.
///
/// Eight bytes at a time: the lowest marked byte is the first one below `!`; a control character
/// among those is left to the general path.
#[inline]
fn token_len(s: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut len = 0;
    while let Some(word) = s[len..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let low = word.wrapping_sub(EACH * 0x21) & !word & (EACH * 0x80);
        if low != 0 {
            len += low.trailing_zeros() as usize / 8;
            return ends_token(s, len).then_some(len);
        }
        len += 8;
    }
    len += s[len..].iter().position(|b| *b <= b' ')?;
    ends_token(s, len).then_some(len)
}

#[inline]
fn ends_token(s: &[u8], len: usize) -> bool {
    len > 0 && s[len] == b' ' && s.get(len + 1).is_some_and(|next| *next > b' ')
}

/// The sizes that end a line, as offsets from the first one's start.
struct Sizes {
    header: usize,
    header_digits: usize,
    total: usize,
    total_at: usize,
    /// Where the carriage return stands.
    end: usize,
}

/// The one or two sizes at the front of `s`, when a carriage return follows and they make sense.
#[inline]
fn sizes(s: &[u8], headers: bool) -> Option<Sizes> {
    let (first, digits) = number(s);
    if digits == 0 || digits > args::MAX_SIZE_DIGITS {
        return None;
    }
    let sizes = if headers {
        let total_at = digits + 1;
        let (total, total_digits) = number(s.get(total_at..)?);
        let sane = s[digits] == b' '
            && (1..=args::MAX_SIZE_DIGITS).contains(&total_digits)
            && first <= total;
        if !sane {
            return None;
        }
        let end = total_at + total_digits;
        Sizes { header: first, header_digits: digits, total, total_at, end }
    } else {
        Sizes { header: 0, header_digits: 0, total: first, total_at: 0, end: digits }
    };
    (s.get(sizes.end) == Some(&b'\r')).then_some(sizes)
}

/// Value and length of the digits at the front of `s`; lengths past the limit are cut there.
#[inline]
fn number(s: &[u8]) -> (usize, usize) {
    let (mut value, mut len) = (0_usize, 0);
    while let Some(digit) = s.get(len).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        if len > args::MAX_SIZE_DIGITS {
            break;
        }
        value = value * 10 + usize::from(digit);
        len += 1;
    }
    (value, len)
}

/// Whether a verb must be followed by a separator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    Required,
    Optional,
}

/// Where the arguments of a line are.
enum Line<'a> {
    /// The arguments, and the length of the whole line with its end.
    Whole(&'a [u8], usize),
    Step(Step<'a>),
}

fn find_line<'a>(buf: &'a [u8], verb: &[u8], gap: Gap, limits: &Limits) -> Line<'a> {
    for (i, expected) in verb.iter().enumerate() {
        match buf.get(i) {
            None => return Line::Step(Step::Incomplete { need: 0 }),
            Some(b) if b.to_ascii_uppercase() == *expected => {}
            Some(_) => return Line::Step(unknown(buf, state(verb, i), i)),
        }
    }
    let rest = &buf[verb.len()..];
    if gap == Gap::Required && rest.first().is_some_and(|b| !matches!(b, b' ' | b'\t')) {
        return Line::Step(unknown(buf, state(verb, verb.len()), verb.len()));
    }
    let Some(start) = rest.iter().position(|b| !matches!(b, b' ' | b'\t')) else {
        return Line::Step(too_long(rest, limits).unwrap_or(Step::Incomplete { need: 0 }));
    };
    // As upstream's: the first byte of the arguments belongs to them whatever it is, so even a
    // line end right there does not end the line.
    let args = &rest[start..];
    let Some(end) = memchr(b'\n', args.get(1..).unwrap_or_default()).map(|i| i + 1) else {
        return Line::Step(too_long_so_far(args, limits).unwrap_or(Step::Incomplete { need: 0 }));
    };
    // A carriage return anywhere in the line (but not in front) takes off the last byte.
    let drop = usize::from(args[end - 1] == b'\r' && end > 1 || args[1..end].contains(&b'\r'));
    let whole = verb.len() + start + end + 1;
    let args = &args[..end - drop];
    match too_long(args, limits) {
        Some(fail) => Line::Step(fail),
        None => Line::Whole(args, whole),
    }
}

fn line<'a>(
    buf: &'a [u8],
    verb: &[u8],
    gap: Gap,
    limits: &Limits,
    op: fn(&'a [u8]) -> Op<'a>,
) -> Step<'a> {
    match find_line(buf, verb, gap, limits) {
        Line::Whole(args, len) => Step::Op(op(args), len),
        Line::Step(step) => step,
    }
}

/// `PING`, `PONG`, `+OK`: whatever stands between the verb and the end of the line is skipped.
fn bare<'a>(buf: &'a [u8], verb: &[u8], op: Op<'a>, limits: &Limits) -> Step<'a> {
    for (i, expected) in verb.iter().enumerate() {
        match buf.get(i) {
            None => return Step::Incomplete { need: 0 },
            Some(b) if b.to_ascii_uppercase() == *expected => {}
            Some(_) => return unknown(buf, state(verb, i), i),
        }
    }
    match memchr(b'\n', &buf[verb.len()..]) {
        Some(end) => Step::Op(op, verb.len() + end + 1),
        None => too_long(&buf[verb.len()..], limits).unwrap_or(Step::Incomplete { need: 0 }),
    }
}

fn publication<'a>(buf: &'a [u8], verb: &[u8], headers: bool, limits: &Limits) -> Step<'a> {
    let (line, line_len) = match find_line(buf, verb, Gap::Required, limits) {
        Line::Whole(args, len) => (args, len),
        Line::Step(step) => return step,
    };
    if headers && !limits.headers {
        return Step::Fail(ParseError::HeadersNotSupported);
    }
    let parsed = match args::publication(line, headers) {
        Ok(parsed) => parsed,
        Err(text) => return Step::Fail(ParseError::Args(text)),
    };
    if let Some(max) = limits.max_payload.filter(|max| parsed.size > *max) {
        return Step::Fail(ParseError::MaxPayload { size: parsed.size, max });
    }
    let need = line_len + parsed.size + 2;
    let Some(payload) = buf.get(line_len..line_len + parsed.size) else {
        return Step::Incomplete { need };
    };
    for (i, expected) in b"\r\n".iter().enumerate() {
        match buf.get(line_len + parsed.size + i) {
            None => return Step::Incomplete { need },
            Some(b) if b == expected => {}
            Some(_) => return unknown(buf, PAYLOAD_END + i, line_len + parsed.size + i),
        }
    }
    let subject_at = verb.len() + 1;
    let canonical = buf[verb.len()] == b' '
        && buf[subject_at..].starts_with(line)
        && buf[..line_len].ends_with(b"\r\n")
        && line_len == subject_at + line.len() + 2
        && parsed.canonical;
    let publication = Pub {
        subject: parsed.subject,
        reply: parsed.reply,
        header_len: parsed.header_len,
        header_size: parsed.header_size,
        size: parsed.size_arg,
        payload,
        subject_at,
        canonical,
    };
    Step::Op(Op::Pub(publication), need)
}

fn too_long<'a>(args: &[u8], limits: &Limits) -> Option<Step<'a>> {
    (args.len() > limits.max_control_line).then(|| {
        Step::Fail(ParseError::MaxControlLine {
            len: args.len(),
            snippet: quote(&args[..args.len().min(LINE_SNIPPET)]),
        })
    })
}

/// The same for a line whose end has not come yet: a carriage return may belong to the end.
fn too_long_so_far<'a>(args: &[u8], limits: &Limits) -> Option<Step<'a>> {
    too_long(args, limits)?;
    let drop = usize::from(args.get(1..).unwrap_or_default().contains(&b'\r'));
    too_long(&args[..args.len() - drop], limits)
}

/// Where upstream's states of a verb's bytes start, by number; they count up from there. Verbs
/// that share a prefix share its states, and the rest of the later ones stands further down.
const STATES: &[(&[u8], usize, usize)] = &[
    (b"+OK", 0, 1),
    (b"-ERR", 0, 4),
    (b"CONNECT", 0, 10),
    (b"HPUB", 0, 18),
    (b"PUB", 0, 29),
    (b"PING", 1, 34),
    (b"PONG", 1, 37),
    (b"P", 0, 29),
    (b"SUB", 0, 43),
    (b"UNSUB", 0, 59),
    (b"INFO", 0, 71),
];

/// Upstream's state after a payload, where CRLF must follow; it has one for either byte.
pub const PAYLOAD_END: usize = 41;
/// The second of them.
pub const PAYLOAD_END_LF: usize = 42;

/// Upstream's state once `matched` bytes of `verb` were understood.
#[cold]
fn state(verb: &[u8], matched: usize) -> usize {
    let shared = |skip: usize| matched <= skip && skip > 0;
    match STATES.iter().find(|(name, ..)| *name == verb) {
        _ if matched == 0 => 0,
        Some((_, skip, _)) if shared(*skip) => state(b"P", matched),
        Some((_, skip, first)) => first + matched - skip - 1,
        None => 0,
    }
}

fn unknown<'a>(buf: &[u8], state: usize, at: usize) -> Step<'a> {
    // As upstream's: one byte less where the buffer ends sooner.
    let end = if at + SNIPPET > buf.len() { buf.len().saturating_sub(1) } else { at + SNIPPET };
    let snippet = quote(buf.get(at..end).unwrap_or_default());
    Step::Fail(ParseError::Unknown { state, at, snippet })
}

/// Bytes as a quoted, escaped string, the way upstream's `%q` prints them.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\x07' => out.push_str("\\a"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x0b' => out.push_str("\\v"),
                c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                    out.push_str(&format!("\\x{:02x}", c as u32));
                }
                c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;

//! Header blocks: `NATS/1.0[ status[ description]]\r\n`, then `Key: value\r\n` lines, then `\r\n`.
//!
//! Looking up borrows, changing edits a `Vec<u8>` in place. Blocks come from clients, so nothing
//! here relies on them being well formed: what cannot be understood is left as it is. Keys are
//! case-sensitive, except that of [`TRACE_PARENT`]. Go: `server/client.go`, `server/msgtrace.go`.

use memchr::{memchr, memmem};

/// The first line of a header block without status.
pub const VERSION_LINE: &[u8] = b"NATS/1.0\r\n";
/// A block without headers.
pub const EMPTY: &[u8] = b"NATS/1.0\r\n\r\n";
/// Where trace events of a message go.
pub const TRACE_DEST: &[u8] = b"Nats-Trace-Dest";
/// Value of [`TRACE_DEST`] that turns tracing off.
pub const TRACE_DEST_DISABLED: &[u8] = b"trace disabled";
/// The W3C trace header; its key is compared without regard to case.
pub const TRACE_PARENT: &[u8] = b"traceparent";

const CRLF: &[u8] = b"\r\n";

/// The value of the first header `key`, without the spaces in front of it.
pub fn value<'a>(block: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = &block[key_index(block, key)? + key.len() + 1..];
    let spaces = rest.iter().take_while(|b| **b == b' ').count();
    let rest = &rest[spaces..];
    Some(&rest[..memmem::find(rest, CRLF).unwrap_or(rest.len())])
}

/// Where a line `key:` begins. Other lines may have the key in their value, or in a longer key.
fn key_index(block: &[u8], key: &[u8]) -> Option<usize> {
    if key.is_empty() {
        return None;
    }
    memmem::find_iter(block, key)
        .find(|at| block[..*at].ends_with(CRLF) && block.get(at + key.len()) == Some(&b':'))
}

/// Appends a header, whether or not there is one of this key; an empty block gets its first line.
///
/// A key that HTTP would not allow adds nothing; line ends within the value become spaces, and
/// white space around it is dropped.
pub fn append(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if block.len() > CRLF.len() {
        block.truncate(block.len() - CRLF.len());
    } else {
        block.clear();
        block.extend_from_slice(VERSION_LINE);
    }
    write_line(block, key, value);
    block.extend_from_slice(CRLF);
}

/// Removes every header `key` and appends this one.
pub fn replace(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    remove(block, key);
    append(block, key, value);
}

fn write_line(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if key.is_empty() || !key.iter().all(is_key_byte) {
        return;
    }
    block.extend_from_slice(key);
    block.extend_from_slice(b": ");
    let start = block.len();
    block.extend_from_slice(trim_value(value));
    for byte in &mut block[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    block.extend_from_slice(CRLF);
}

/// Changes the value of the first header `key` in its place, or adds the header at the end. The
/// value is written as it is given; one space between colon and old value is kept.
///
/// A block whose line does not end is left as it is.
pub fn set(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if let Some(at) = key_index(block, key) {
        let start = at + key.len() + 1;
        let start = start + usize::from(block.get(start) == Some(&b' '));
        if let Some(len) = memchr(b'\r', &block[start..]) {
            block.splice(start..start + len, value.iter().copied());
        }
        return;
    }
    if block.is_empty() {
        block.extend_from_slice(EMPTY);
    }
    let closed = block.ends_with(CRLF);
    if closed {
        block.truncate(block.len() - CRLF.len());
    }
    for piece in [key, b": ", value, CRLF] {
        block.extend_from_slice(piece);
    }
    if closed {
        block.extend_from_slice(CRLF);
    }
}

/// Removes every header `key`. A block that has no header left becomes empty.
pub fn remove(block: &mut Vec<u8>, key: &[u8]) {
    while let Some(start) = key_index(block, key) {
        let Some(len) = memmem::find(&block[start..], CRLF) else { return };
        block.drain(start..start + len + CRLF.len());
        clear_if_bare(block);
    }
}

/// Removes every header whose key begins with `prefix`. A block that has no header left becomes
/// empty.
pub fn remove_prefix(block: &mut Vec<u8>, prefix: &[u8]) {
    let mut at = 0;
    while let Some(found) = memmem::find(&block[at..], prefix) {
        at += found;
        if at == 0 || block[at - 1] != b'\n' || prefix.is_empty() {
            at += prefix.len().max(1);
            if at > block.len() {
                return;
            }
            continue;
        }
        let key_end = at + prefix.len();
        let Some(len) = memmem::find(&block[key_end..], CRLF) else { return };
        block.drain(at..key_end + len + CRLF.len());
        clear_if_bare(block);
        at = at.min(block.len());
    }
}

fn clear_if_bare(block: &mut Vec<u8>) {
    if block.len() <= EMPTY.len() {
        block.clear();
    }
}

/// Removes status and description from the first line. A block that has no header then becomes
/// empty.
pub fn remove_status(block: &mut Vec<u8>) {
    let version = &VERSION_LINE[..VERSION_LINE.len() - CRLF.len()];
    let Some(end) = memchr(b'\r', block) else { return };
    if !block.starts_with(version) || end <= version.len() {
        return;
    }
    block.drain(version.len()..end);
    if block.len() == EMPTY.len() {
        block.clear();
    }
}

/// The headers of a block in order, with white space around values dropped; those with an empty
/// key or value are left out. Nothing if the first line has a status.
pub fn fields(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block.strip_prefix(VERSION_LINE).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let (key, tail) = rest.split_at(memchr(b':', rest)?);
            let spaces = |b: &&u8| matches!(b, b' ' | b'\t');
            let tail = &tail[1..];
            let tail = &tail[tail.iter().take_while(spaces).count()..];
            let (value, after) = tail.split_at(memmem::find(tail, CRLF)?);
            rest = &after[CRLF.len()..];
            let value = &value[..value.len() - value.iter().rev().take_while(spaces).count()];
            if !key.is_empty() && !value.is_empty() {
                return Some((key, value));
            }
        }
    })
}

/// What the headers of a message ask of message tracing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceRequest {
    /// By [`TRACE_DEST`], which names where events go.
    Destination,
    /// By a sampled [`TRACE_PARENT`] only; the account names where events go.
    External,
}

/// Whether, and how, the message asks to be traced.
pub fn trace_request(block: &[u8]) -> Option<TraceRequest> {
    let (mut destination, mut sampled) = (false, false);
    for (key, value) in fields(block) {
        if !sampled && key.eq_ignore_ascii_case(TRACE_PARENT) {
            sampled = is_sampled(value);
        } else if !destination && key == TRACE_DEST {
            if value == TRACE_DEST_DISABLED {
                return None;
            }
            destination = true;
        }
    }
    match (destination, sampled) {
        (true, _) => Some(TraceRequest::Destination),
        (false, true) => Some(TraceRequest::External),
        (false, false) => None,
    }
}

/// The lowest bit of a `traceparent`'s flags. They are read as a signed byte, as upstream does, so
/// that `ff` is no flags at all.
fn is_sampled(trace_parent: &[u8]) -> bool {
    let mut parts = trace_parent.split(|b| *b == b'-');
    let (Some(flags), None) = (parts.nth(3), parts.next()) else { return false };
    let flags = (flags.len() == 2).then_some(flags).and_then(|f| std::str::from_utf8(f).ok());
    flags.and_then(|f| i8::from_str_radix(f, 16).ok()).is_some_and(|f| f & 1 == 1)
}

/// Drops white space, but no form feeds, around a value.
fn trim_value(value: &[u8]) -> &[u8] {
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let start = value.iter().position(|b| !space(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !space(b)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// Bytes of an HTTP token, which keys are made of.
fn is_key_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        fields.iter().for_each(|(k, v)| append(&mut block, k.as_bytes(), v.as_bytes()));
        block
    }

    #[test]
    fn appending() {
        let mut b = Vec::new();
        append(&mut b, b"a", b" 1\r\n2 ");
        append(&mut b, b"bad key", b"x");
        append(&mut b, b"a", b"");
        assert_eq!(b, b"NATS/1.0\r\na: 1  2\r\na: \r\n\r\n");
    }

    #[test]
    fn looking_up() {
        let b = b"NATS/1.0 503\r\nX: aaa: 2\r\naa: 3\r\na:  1 \r\nlast: x";
        assert_eq!(value(b, b"a"), Some(&b"1 "[..]));
        assert_eq!(value(b, b"last"), Some(&b"x"[..]));
        assert_eq!(value(b, b"A"), None);
        assert_eq!(value(b, b""), None);
        assert_eq!(value(b"a: 1\r\n", b"a"), None);
        assert_eq!(value(b"\r\na:", b"a"), Some(&b""[..]));
    }

    #[test]
    fn setting() {
        let mut b = b"NATS/1.0\r\nk:1\r\nj: 22\r\n\r\n".to_vec();
        set(&mut b, b"k", b"333");
        set(&mut b, b"j", b"");
        set(&mut b, b"new", b"x");
        assert_eq!(b, b"NATS/1.0\r\nk:333\r\nj: \r\nnew: x\r\n\r\n");
        let mut none = Vec::new();
        set(&mut none, b"a", b"b");
        assert_eq!(none, b"NATS/1.0\r\na: b\r\n\r\n");
        replace(&mut none, b"a", b"c");
        assert_eq!(none, b"NATS/1.0\r\na: c\r\n\r\n");
    }

    #[test]
    fn removing() {
        let mut b = block(&[("a", "1"), ("ab", "2"), ("a", "3")]);
        remove(&mut b, b"a");
        assert_eq!(b, block(&[("ab", "2")]));
        remove(&mut b, b"ab");
        assert!(b.is_empty());
        let mut b = block(&[("x", "Nats-A"), ("Nats-A", "1"), ("Nats-B", "2")]);
        remove_prefix(&mut b, b"Nats-");
        assert_eq!(b, block(&[("x", "Nats-A")]));
        let mut b = b"NATS/1.0 503 No Responders\r\nk: v\r\n\r\n".to_vec();
        remove_status(&mut b);
        assert_eq!(b, b"NATS/1.0\r\nk: v\r\n\r\n");
        let mut b = b"NATS/1.0 503\r\n\r\n".to_vec();
        remove_status(&mut b);
        assert!(b.is_empty());
    }

    #[test]
    fn tracing() {
        let parent =
            |flags: &str| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let ask = |fields: &[(&str, &str)]| trace_request(&block(fields));
        assert_eq!(ask(&[("Nats-Trace-Dest", "t")]), Some(TraceRequest::Destination));
        assert_eq!(ask(&[("nats-trace-dest", "t")]), None);
        assert_eq!(ask(&[("TraceParent", &parent("01"))]), Some(TraceRequest::External));
        assert_eq!(ask(&[("traceparent", &parent("00")), ("k", "v")]), None);
        assert_eq!(ask(&[("traceparent", &parent("ff"))]), None);
        assert_eq!(ask(&[("traceparent", &parent("1"))]), None);
        let off = ("Nats-Trace-Dest", "trace disabled");
        assert_eq!(ask(&[("traceparent", &parent("01")), off]), None);
        let both = [("traceparent", &parent("01")[..]), ("Nats-Trace-Dest", "t")];
        assert_eq!(ask(&both), Some(TraceRequest::Destination));
        assert_eq!(trace_request(b"NATS/1.0 503\r\nNats-Trace-Dest: t\r\n\r\n"), None);
    }

    #[test]
    fn listing() {
        let b = b"NATS/1.0\r\nA:  1 \t\r\nempty:\r\n: none\r\nB:2\r\nunended: x";
        let all: Vec<_> = fields(b).collect();
        assert_eq!(all, [(&b"A"[..], &b"1"[..]), (b"B", b"2")]);
    }

    type Model = Vec<(String, String)>;

    fn model() -> impl Strategy<Value = Model> {
        prop::collection::vec(("[ab]{1,2}", "[ab:]{1,3}"), 0..6)
    }

    fn listed(block: &[u8]) -> Model {
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        fields(block).map(|(k, v)| (text(k), text(v))).collect()
    }

    proptest! {
        #[test]
        fn follows_a_list_of_pairs(pairs in model(), key in "[ab]{1,2}") {
            let borrowed: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let original = block(&borrowed);
            prop_assert_eq!(listed(&original), pairs.clone());
            let first = pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_bytes());
            prop_assert_eq!(value(&original, key.as_bytes()), first);

            let mut without = original.clone();
            remove(&mut without, key.as_bytes());
            let kept: Model = pairs.iter().filter(|(k, _)| *k != key).cloned().collect();
            prop_assert_eq!(listed(&without), kept);

            let mut without = original.clone();
            remove_prefix(&mut without, key.as_bytes());
            let kept: Model = pairs.iter().filter(|(k, _)| !k.starts_with(&key)).cloned().collect();
            prop_assert_eq!(listed(&without), kept);

            let mut changed = original;
            set(&mut changed, key.as_bytes(), b"new");
            let mut expected = pairs;
            match expected.iter_mut().find(|(k, _)| *k == key) {
                Some((_, v)) => *v = "new".to_owned(),
                None => expected.push((key, "new".to_owned())),
            }
            prop_assert_eq!(listed(&changed), expected);
        }

        #[test]
        fn any_bytes_are_fine(raw in "(NATS/1.0)?( |\r\n|\r|\n|a|:|b: |\\PC){0,12}", key in "(a|:|b: |\n)?") {
            let (raw, key) = (raw.as_bytes(), key.as_bytes());
            let _ = (value(raw, key), trace_request(raw), fields(raw).count());
            for change in [remove, remove_prefix] {
                change(&mut raw.to_vec(), key);
            }
            for change in [append, set, replace] {
                change(&mut raw.to_vec(), key, b"v");
            }
            remove_status(&mut raw.to_vec());
        }
    }
}

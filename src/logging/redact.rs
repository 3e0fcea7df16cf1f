//! Takes secrets out of a traced CONNECT (Go: `client.go removeSecretsFromTrace`).
//!
//! What is traced may be anything that a client sent, so this looks for keys and values, not for
//! JSON: a key, then `:` or `=`, then a value up to a quote, comma, brace or line end.

use std::ops::Range;

const MASK: &[u8] = b"[REDACTED]";
/// Keys that may go on (`password`, `auth_token2`).
const PREFIXES: [&[u8]; 2] = [b"auth_token", b"pass"];
/// Keys that stand alone.
const EXACT: [&[u8]; 3] = [b"proxy_sig", b"nkey", b"sig"];

/// `proto` with the values of password, token, nkey and signature keys replaced.
pub fn redact_secrets(proto: &[u8]) -> Vec<u8> {
    replace(&replace(proto, prefix_value), exact_value)
}

/// Replaces every value that `find` locates; it is given the text, where to look, and from where
/// on nothing has been replaced, and answers with the bounds of a value.
fn replace(text: &[u8], find: impl Fn(&[u8], usize, usize) -> Option<Range<usize>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        match find(text, at, copied) {
            Some(Range { start, end }) => {
                out.extend_from_slice(&text[copied..start]);
                out.extend_from_slice(MASK);
                (copied, at) = (end, end);
            }
            None => at += 1,
        }
    }
    out.extend_from_slice(&text[copied..]);
    out
}

/// A key that begins at `at` with one of [`PREFIXES`].
fn prefix_value(text: &[u8], at: usize, _: usize) -> Option<Range<usize>> {
    let key = PREFIXES.iter().find(|key| text[at..].starts_with(key))?;
    let mut end = at + key.len();
    loop {
        if let Some(value) = value_after(text, end) {
            return Some(value);
        }
        if end == text.len() || is_space(text[end]) {
            return None;
        }
        end += 1;
    }
}

/// A key at `at` that is one of [`EXACT`] and is not the tail of a longer one.
fn exact_value(text: &[u8], at: usize, copied: usize) -> Option<Range<usize>> {
    let key = EXACT.iter().find(|key| text[at..].starts_with(key))?;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let begins = at == 0 || (at > copied && !is_word(text[at - 1]));
    if begins { value_after(text, at + key.len()) } else { None }
}

/// The value after a key that ends at `at`.
fn value_after(text: &[u8], mut at: usize) -> Option<Range<usize>> {
    let skip_quote = |at: usize| at + usize::from(text.get(at) == Some(&b'"'));
    let skip_space = |at: usize| at + text[at..].iter().take_while(|b| is_space(**b)).count();
    at = skip_space(skip_quote(at));
    if !matches!(text.get(at), Some(b':' | b'=')) {
        return None;
    }
    let start = skip_quote(skip_space(at + 1));
    let length = text[start..]
        .iter()
        .take_while(|b| !matches!(b, b'"' | b',' | b'\r' | b'\n' | b'}'))
        .count();
    Some(start..start + length)
}

fn is_space(b: u8) -> bool {
    matches!(b, b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&redact_secrets(input.as_bytes())), expected);
    }

    #[test]
    fn values_go_keys_stay() {
        check(r#"{"user":"u","pass":"p w"}"#, r#"{"user":"u","pass":"[REDACTED]"}"#);
        check("{pass:x , password =  y}", "{pass:[REDACTED], password =  [REDACTED]}");
        check(r#"{"proxy_sig":"a","sig":"b"}"#, r#"{"proxy_sig":"[REDACTED]","sig":"[REDACTED]"}"#);
        check(r#"{"name":"design:x"}"#, r#"{"name":"design:x"}"#);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = redact_secrets(&bytes);
        }

        #[test]
        fn a_secret_never_shows(secret in "[a-z0-9]{12}", key in "(pass|password|auth_token|sig|nkey)") {
            let text = format!(r#"{{"user":"u","{key}": "{secret}"}}"#);
            let out = redact_secrets(text.as_bytes());
            prop_assert!(!String::from_utf8_lossy(&out).contains(&secret));
        }
    }
}

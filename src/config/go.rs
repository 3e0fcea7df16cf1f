//! What Go's standard library does to text and upstream's users see: `%q`, `%v`, `%T`,
//! `strconv` errors and `host:port`.

use crate::conf::{Value, ValueKind};
use std::fmt::{self, Write};

/// Text as `%q` prints it.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c.is_control() || c == '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The type of a configuration value as `%T` prints it.
pub(crate) fn type_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Bool(_) => "bool",
        ValueKind::Integer(_) => "int64",
        ValueKind::Float(_) => "float64",
        ValueKind::String(_) => "string",
        ValueKind::DateTime(_) => "time.Time",
        ValueKind::Array(_) => "[]interface {}",
        ValueKind::Map(_) => "map[string]interface {}",
    }
}

/// A configuration value as `%v` prints it. What is inside lists and maps prints as addresses
/// upstream; here it prints as itself.
pub(crate) struct Plain<'a>(pub(crate) &'a ValueKind);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValueKind::Bool(b) => write!(f, "{b}"),
            ValueKind::Integer(i) => write!(f, "{i}"),
            ValueKind::Float(x) => write!(f, "{x}"),
            ValueKind::String(s) => f.write_str(s),
            ValueKind::DateTime(seconds) => match jiff::Timestamp::from_second(*seconds) {
                Ok(time) => write!(f, "{}", time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")),
                Err(_) => write!(f, "{seconds}"),
            },
            ValueKind::Array(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { " " }, Plain(&item.kind))?;
                }
                f.write_char(']')
            }
            ValueKind::Map(map) => {
                f.write_str("map[")?;
                for (i, (key, value)) in map.iter().enumerate() {
                    let space = if i == 0 { "" } else { " " };
                    write!(f, "{space}{}:{}", key.name, Plain(&value.kind))?;
                }
                f.write_char(']')
            }
        }
    }
}

/// The text of a failed type assertion.
pub(crate) fn conversion(value: &Value, wanted: &str) -> String {
    format!("interface conversion: interface {{}} is {}, not {wanted}", type_name(&value.kind))
}

/// A whole number as `strconv.Atoi` (or `ParseInt`, by `function`) reads it.
pub(crate) fn parse_int(function: &str, text: &str) -> Result<i64, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let error = |what: &str| format!("strconv.{function}: parsing {}: {what}", quote(text));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error("invalid syntax"));
    }
    text.parse().map_err(|e: std::num::ParseIntError| match e.kind() {
        PosOverflow | NegOverflow => error("value out of range"),
        _ => error("invalid syntax"),
    })
}

/// `host:port` taken apart as `net.SplitHostPort` does; the error has Go's text.
pub(crate) fn split_host_port(text: &str) -> Result<(&str, &str), String> {
    let error = |what: &str| Err(format!("address {text}: {what}"));
    let Some(colon) = text.rfind(':') else {
        return error("missing port in address");
    };
    let (host, inside) = if text.starts_with('[') {
        match text.find(']') {
            None => return error("missing ']' in address"),
            Some(end) if end + 1 == text.len() => return error("missing port in address"),
            Some(end) if end + 1 != colon => {
                return match text.as_bytes()[end + 1] {
                    b':' => error("too many colons in address"),
                    _ => error("missing port in address"),
                };
            }
            Some(end) => (&text[1..end], (1, end + 1)),
        }
    } else if text[..colon].contains(':') {
        return error("too many colons in address");
    } else {
        (&text[..colon], (0, 0))
    };
    if text[inside.0..].contains('[') {
        return error("unexpected '[' in address");
    }
    if text[inside.1..].contains(']') {
        return error("unexpected ']' in address");
    }
    Ok((host, &text[colon + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_come_apart_as_in_go() {
        let check = |text: &str, want: Result<(&str, &str), &str>| {
            let got = split_host_port(text);
            assert_eq!(got.as_ref().map_err(String::as_str).copied(), want, "{text}");
        };
        check("a:1", Ok(("a", "1")));
        check(":1", Ok(("", "1")));
        check("[::1]:1", Ok(("::1", "1")));
        check("a", Err("address a: missing port in address"));
        check("::1", Err("address ::1: too many colons in address"));
        check("[::1]", Err("address [::1]: missing port in address"));
    }

    #[test]
    fn numbers_fail_as_in_go() {
        assert_eq!(parse_int("Atoi", "+7"), Ok(7));
        let error = parse_int("Atoi", "x7").unwrap_err();
        assert_eq!(error, "strconv.Atoi: parsing \"x7\": invalid syntax");
    }
}

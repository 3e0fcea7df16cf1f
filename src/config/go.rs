//! What Go's standard library does to text and upstream's users see: `%q`, `%v`, `%T`, durations,
//! `strconv` errors and `host:port`.

use crate::base::text::go_duration;
use crate::conf::{Value, ValueKind};
use std::fmt::{self, Write};
use std::time::Duration;

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

/// A Go `time.Duration`: signed nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GoDuration(pub(crate) i64);

impl GoDuration {
    /// From a number of seconds as upstream holds timeouts.
    pub(crate) fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9) as i64)
    }

    /// As seconds.
    pub(crate) fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As plain duration; what is negative has passed at once.
    pub(crate) fn to_std(self) -> Duration {
        match u64::try_from(self.0) {
            Ok(ns) => Duration::from_nanos(ns),
            Err(_) => Duration::from_nanos(1),
        }
    }

    /// Reads `1h2m3.5s`; the error has Go's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration {}", quote_bytes(text));
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let limit: u128 = 1 << 63;
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let (value, scale, after) = number(rest).ok_or_else(invalid)?;
            let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, next) = after.split_at(end);
            if unit.is_empty() {
                return Err(format!("time: missing unit in duration {}", quote_bytes(text)));
            }
            let unit_ns = unit_ns(unit).ok_or_else(|| {
                let (unit, text) = (quote_bytes(unit), quote_bytes(text));
                format!("time: unknown unit {unit} in duration {text}")
            })?;
            total += value * u128::from(unit_ns) / scale;
            if value / scale > limit || total > limit {
                return Err(invalid());
            }
            rest = next;
        }
        match (negative, total == limit) {
            (true, true) => Ok(Self(i64::MIN)),
            (false, true) => Err(invalid()),
            (true, false) => Ok(Self(-(total as i64))),
            (false, false) => Ok(Self(total as i64)),
        }
    }
}

/// Digits with an optional fraction: value, its scale, and what follows.
fn number(text: &str) -> Option<(u128, u128, &str)> {
    let (mut value, mut scale) = (0u128, 1u128);
    let (mut digits, mut fraction) = (0, false);
    let mut end = text.len();
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'0'..=b'9' if !fraction => {
                value = value.checked_mul(10)?.checked_add(u128::from(b - b'0'))?;
                digits += 1;
                if value > 1 << 63 {
                    return None;
                }
            }
            // Digits beyond what a nanosecond of an hour needs change nothing.
            b'0'..=b'9' => {
                digits += 1;
                if scale < 1_000_000_000_000_000_000 {
                    value = value * 10 + u128::from(b - b'0');
                    scale *= 10;
                }
            }
            b'.' if !fraction => fraction = true,
            _ => {
                end = i;
                break;
            }
        }
    }
    (digits > 0).then(|| (value, scale, &text[end..]))
}

fn unit_ns(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

/// Text as package time quotes it: bytes outside ASCII as `\x..`.
fn quote_bytes(text: &str) -> String {
    let mut out = String::from("\"");
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(b));
            }
            0x20..0x7f => out.push(char::from(b)),
            _ => {
                let _ = write!(out, "\\x{b:02x}");
            }
        }
    }
    out.push('"');
    out
}

/// As Go prints it: `1m30s`, `1.5s`, `-2m0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_char('-')?;
        }
        f.write_str(&go_duration(Duration::from_nanos(self.0.unsigned_abs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        let check = |text: &str, want: Result<&str, &str>| {
            let got = GoDuration::parse(text).map(|d| d.to_string());
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        };
        check("0", Ok("0s"));
        check("1h", Ok("1h0m0s"));
        check("90s", Ok("1m30s"));
        check("1.5s", Ok("1.5s"));
        check("-2m", Ok("-2m0s"));
        check("1h2m3.004s", Ok("1h2m3.004s"));
        check("15us", Ok("15\u{b5}s"));
        check(".5ms", Ok("500\u{b5}s"));
        check("", Err("time: invalid duration \"\""));
        check("x", Err("time: invalid duration \"x\""));
        check("5", Err("time: missing unit in duration \"5\""));
        check("5d", Err("time: unknown unit \"d\" in duration \"5d\""));
        check("3000000h", Err("time: invalid duration \"3000000h\""));
    }

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

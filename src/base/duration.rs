//! [`GoDuration`]: durations as upstream's configurations, requests and files hold them.

use super::text::go_duration;
use std::fmt::{self, Write};
use std::time::Duration;

/// A Go `time.Duration`: signed nanoseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// From a number of seconds as upstream holds timeouts.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9) as i64)
    }

    /// As seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As plain duration; what is negative has passed at once.
    pub fn to_std(self) -> Duration {
        match u64::try_from(self.0) {
            Ok(ns) => Duration::from_nanos(ns),
            Err(_) => Duration::from_nanos(1),
        }
    }

    /// Reads `1h2m3.5s`; the error has Go's text.
    pub fn parse(text: &str) -> Result<Self, String> {
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

/// As Go prints it: `1m30s`, `1.5s`, `0s`.
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
}

//! Small readings and writings of text that have no better home. Go: `server/util.go`.

use std::time::Duration;

/// A decimal number without sign; `None` if empty, not all digits, or too large.
pub fn parse_i64(digits: &[u8]) -> Option<i64> {
    parse_u64(digits).and_then(|n| i64::try_from(n).ok())
}

/// A decimal number without sign; `None` if empty, not all digits, or too large.
pub fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// `1234567` as `1,234,567`.
pub fn comma(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Major, minor and patch number of a semantic version; `None` if `text` is none.
pub fn parse_version(text: &str) -> Option<(u64, u64, u64)> {
    let (text, build) = text.split_once('+').map_or((text, None), |(v, b)| (v, Some(b)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(v, p)| (v, Some(p)));
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let plain = |part: &str| part == "0" || !part.starts_with('0');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let pre_ok = |part: &str| word(part) && (!digits(part) || plain(part));
    if !build.is_none_or(|b| b.split('.').all(word))
        || !pre.is_none_or(|p| p.split('.').all(pre_ok))
    {
        return None;
    }
    let mut numbers =
        core.split('.').map(|n| if plain(n) { parse_u64(n.as_bytes()) } else { None });
    let version = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(version)
}

/// Whether `text` is a version not older than `least`; pre-release marks do not count.
pub fn version_at_least(text: &str, least: (u64, u64, u64)) -> bool {
    parse_version(text).is_some_and(|version| version >= least)
}

/// Why text is no `host:port`. The texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    /// Nothing at all.
    #[error("no hostport specified")]
    Empty,
    /// The host is not separable.
    #[error("address {address}: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The port is no number.
    #[error("strconv.Atoi: parsing {0:?}: invalid syntax")]
    Port(String),
}

const MISSING_PORT: &str = "missing port in address";

/// Takes `host:port`, `[v6]:port` or a host alone apart; white space around both is dropped. The
/// port is `default_port` if there is none, or it is 0 or -1. It is not checked for its range.
pub fn parse_host_port(text: &str, default_port: i64) -> Result<(String, i64), HostPortError> {
    if text.is_empty() {
        return Err(HostPortError::Empty);
    }
    let with_default = format!("{text}:{default_port}");
    let fail = |address: &str| {
        let address = address.to_owned();
        move |reason| HostPortError::Address { address, reason }
    };
    let (host, port) = match split_host_port(text) {
        Err(reason) if reason == MISSING_PORT => {
            split_host_port(&with_default).map_err(fail(&with_default))?
        }
        split => split.map_err(fail(text))?,
    };
    let port = port.trim();
    let port = match port.parse().map_err(|_| HostPortError::Port(port.to_owned()))? {
        0 | -1 => default_port,
        port => port,
    };
    Ok((host.trim().to_owned(), port))
}

fn split_host_port(text: &str) -> Result<(&str, &str), &'static str> {
    let colon = text.rfind(':').ok_or(MISSING_PORT)?;
    let (host, before, after) = if let Some(inside) = text.strip_prefix('[') {
        let end = inside.find(']').ok_or("missing ']' in address")? + 1;
        if end + 1 != colon {
            let more = text[end + 1..].starts_with(':');
            return Err(if more { "too many colons in address" } else { MISSING_PORT });
        }
        (&text[1..end], &text[1..], &text[end + 1..])
    } else if text[..colon].contains(':') {
        return Err("too many colons in address");
    } else {
        (&text[..colon], text, text)
    };
    if before.contains('[') {
        return Err("unexpected '[' in address");
    }
    if after.contains(']') {
        return Err("unexpected ']' in address");
    }
    Ok((host, &text[colon + 1..]))
}

/// A duration the way Go prints it: `1h2m3.5s`, `2ms`, `1.5µs`, `0s`.
pub fn go_duration(d: Duration) -> String {
    let nanos = d.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => {
            let (hours, minutes) = (d.as_secs() / 3600, d.as_secs() / 60 % 60);
            let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
            match (hours, minutes) {
                (0, 0) => format!("{seconds}s"),
                (0, m) => format!("{m}m{seconds}s"),
                (h, m) => format!("{h}h{m}m{seconds}s"),
            }
        }
    }
}

/// `value / unit` (a power of ten) with the decimals it takes and no more.
fn decimal(value: u128, unit: u128) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{part:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("2.15.1-RC.1+build-7.x"), Some((2, 15, 1)));
        assert!(parse_version(crate::base::limits::COMPATIBLE_VERSION).is_some());
        for bad in
            ["", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.3-a..b"]
        {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
        assert_eq!(parse_version("1.2.3-0a.-"), Some((1, 2, 3)));
    }

    #[test]
    fn texts_of_host_port_errors() {
        let text = |given| parse_host_port(given, 4222).unwrap_err().to_string();
        assert_eq!(text(""), "no hostport specified");
        assert_eq!(text("a:b"), "strconv.Atoi: parsing \"b\": invalid syntax");
        assert_eq!(text("a::1"), "address a::1: too many colons in address");
        assert_eq!(text("[::1"), "address [::1: missing ']' in address");
        assert_eq!(text("a[:1"), "address a[:1: unexpected '[' in address");
        assert_eq!(text("a]:1"), "address a]:1: unexpected ']' in address");
        assert_eq!(text("[::1]::1"), "address [::1]::1: too many colons in address");
        assert_eq!(parse_host_port("[::1]", 4222), Ok(("::1".to_owned(), 4222)));
        assert_eq!(parse_host_port("[::1]:5", 4222), Ok(("::1".to_owned(), 5)));
    }

    #[test]
    fn as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_000_000_000, "1s"),
            (500_000_000, "500ms"),
            (60_000_000_001, "1m0.000000001s"),
            (61_500_000_000, "1m1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (60_000_000_000, "1m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }

    proptest! {
        #[test]
        fn numbers(n: u64, m: i64, junk in "\\PC{0,6}") {
            prop_assert_eq!(parse_u64(n.to_string().as_bytes()), Some(n));
            prop_assert_eq!(parse_i64(n.to_string().as_bytes()), i64::try_from(n).ok());
            prop_assert_eq!(comma(m).replace(',', ""), m.to_string());
            let _ = (parse_u64(junk.as_bytes()), parse_version(&junk));
        }

        #[test]
        fn any_host_port_is_fine(text in "[\\[\\]:a1 é]{0,8}") {
            let _ = parse_host_port(&text, 1);
        }
    }
}

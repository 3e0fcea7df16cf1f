//! What answers hold, the way upstream's encoder writes it: whole numbers without a fraction, times
//! and durations in Go's words.

use crate::base::json::{Replacement, encode};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, PrettyFormatter};

/// `value` as an answer of several lines.
pub fn pretty(value: &impl Serialize) -> Vec<u8> {
    encode(value, PrettyFormatter::with_indent(b"  "), Replacement::InvalidBytes)
}

/// `value` on one line.
pub fn compact(value: &impl Serialize) -> Vec<u8> {
    encode(value, CompactFormatter, Replacement::InvalidBytes)
}

/// A point of time, nanoseconds since the Unix epoch, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(Timestamp::UNIX_EPOCH);
        serializer.collect_str(&at)
    }
}

/// A fraction: without one, it is written as a whole number.
pub fn float<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// Up to here every whole number has a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// `1y2d3h4m5s` without leading zeros; always with seconds.
pub fn uptime(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let years = days / 365;
    let mut text = String::new();
    for (total, shown, unit) in [
        (years, years, 'y'),
        (days, days % 365, 'd'),
        (hours, hours % 24, 'h'),
        (minutes, minutes % 60, 'm'),
    ] {
        if total > 0 {
            text.push_str(&shown.to_string());
            text.push(unit);
        }
    }
    format!("{text}{}s", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample {
        text: &'static str,
        at: Time,
        #[serde(serialize_with = "float")]
        rate: f64,
        list: [u8; 0],
    }

    #[test]
    fn is_what_go_writes() {
        let sample = Sample {
            text: "a.>&<\u{2028}\"\n",
            at: Time(1_700_000_000_120_000_000),
            rate: 2.0,
            list: [],
        };
        let expected = concat!(
            "{\n  \"text\": \"a.\\u003e\\u0026\\u003c\\u2028\\\"\\n\",\n",
            "  \"at\": \"2023-11-14T22:13:20.12Z\",\n  \"rate\": 2,\n  \"list\": []\n}"
        );
        assert_eq!(String::from_utf8(pretty(&sample)).unwrap(), expected);
        let sample = Sample { text: "", at: Time(0), rate: 0.5, list: [] };
        let expected = r#"{"text":"","at":"1970-01-01T00:00:00Z","rate":0.5,"list":[]}"#;
        assert_eq!(String::from_utf8(compact(&sample)).unwrap(), expected);
    }

    #[test]
    fn uptimes() {
        const SECOND: i64 = 1_000_000_000;
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m0s"),
            (3600, "1h0m0s"),
            (86_400, "1d0h0m0s"),
            (365 * 86_400 + 61, "1y0d0h1m1s"),
        ] {
            assert_eq!(uptime(seconds * SECOND), text);
        }
    }
}

//! Points of time as Go's `time.Time` is in JSON.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// 0001-01-01T00:00:00Z, Go's zero time.
const ZERO_S: i64 = -62_135_596_800;

/// A point of time in the years 0 to 9999, with the offset from UTC it was written with: JSON
/// repeats it. Times are equal when both are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Seconds since the Unix epoch.
    unix_s: i64,
    /// Nanoseconds into the second.
    nanos: u32,
    /// Minutes east of UTC, less than a day of them.
    offset_min: i16,
}

/// Text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {0:?}: not of the form 2006-01-02T15:04:05Z07:00")]
pub struct TimeError(String);

impl Time {
    /// The zero time, year 1: what has not been set.
    pub const ZERO: Self = Self { unix_s: ZERO_S, nanos: 0, offset_min: 0 };

    /// A time in UTC from nanoseconds since the Unix epoch.
    pub fn from_unix_ns(ns: i64) -> Self {
        let nanos = ns.rem_euclid(SECOND_NS) as u32;
        Self { unix_s: ns.div_euclid(SECOND_NS), nanos, offset_min: 0 }
    }

    /// Nanoseconds since the Unix epoch. 64 bits hold the years 1678 to 2261; what is outside is
    /// at the end it is nearer to.
    pub fn unix_ns(self) -> i64 {
        let ns = i128::from(self.unix_s) * i128::from(SECOND_NS) + i128::from(self.nanos);
        ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// Whether this is the zero time, in any zone.
    pub fn is_zero(self) -> bool {
        (self.unix_s, self.nanos) == (ZERO_S, 0)
    }

    /// Reads RFC 3339 strictly, as JSON has to hold it.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        parse(text, false).ok_or_else(|| TimeError(text.to_owned()))
    }

    /// Reads RFC 3339 as Go does elsewhere: an hour may have one digit, the fraction a comma.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse_lenient(text: &str) -> Result<Self, TimeError> {
        parse(text, true).ok_or_else(|| TimeError(text.to_owned()))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::ZERO
    }
}

/// Takes text apart from the front.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    /// A number of exactly `digits` digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |n, digit| {
            digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0'))
        })
    }

    fn skip(&mut self, expected: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[expected])?;
        Some(())
    }

    /// The digits at hand, as nanoseconds after the point: beyond nine they count for nothing.
    fn fraction(&mut self) -> Option<u32> {
        let len = self.0.iter().take_while(|digit| digit.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let nine = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
        (len > 0).then(|| nine.fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
    }
}

fn parse(text: &str, lenient: bool) -> Option<Time> {
    let mut scanner = Scanner(text.as_bytes());
    let year = scanner.number(4)?;
    scanner.skip(b'-')?;
    let month = scanner.number(2)?;
    scanner.skip(b'-')?;
    let day = scanner.number(2)?;
    scanner.skip(b'T')?;
    let one_digit = lenient && scanner.0.get(1) == Some(&b':');
    let hour = scanner.number(if one_digit { 1 } else { 2 })?;
    scanner.skip(b':')?;
    let minute = scanner.number(2)?;
    scanner.skip(b':')?;
    let second = scanner.number(2)?;
    let nanos = match scanner.0.first() {
        Some(b'.') => true,
        Some(b',') => lenient,
        _ => false,
    };
    let nanos = if nanos {
        scanner.0 = &scanner.0[1..];
        scanner.fraction()?
    } else {
        0
    };
    let offset_min = match scanner.0 {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let mut rest = Scanner(rest);
            let hours = rest.number(2)?;
            rest.skip(b':')?;
            let minutes = rest.number(2)?;
            if hours >= 24 || minutes >= 60 || !rest.0.is_empty() {
                return None;
            }
            let offset = (hours * 60 + minutes) as i16;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let local_s = days_before(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    let unix_s = local_s - i64::from(offset_min) * 60;
    in_range.then_some(Time { unix_s, nanos, offset_min })
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the Unix epoch to a date of the Gregorian calendar. Years begin in March here, so
/// that leap days are at their ends and all months before them have fixed places.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// Year, month and day from days since the Unix epoch.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year, month + 3);
    if month > 12 { (year + 1, month - 12, day) } else { (year, month, day) }
}

/// `2006-01-02T15:04:05.999999999Z07:00`: a fraction without zeros at its end, `Z` for UTC.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local_s = self.unix_s + i64::from(self.offset_min) * 60;
        let (year, month, day) = date(local_s.div_euclid(DAY_S));
        let of_day = local_s.rem_euclid(DAY_S);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset_min == 0 {
            return f.write_str("Z");
        }
        let sign = if self.offset_min < 0 { '-' } else { '+' };
        let offset = self.offset_min.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        Time::parse(text).map_err(E::custom)
    }

    /// `null` leaves a time as it was: not set.
    fn visit_unit<E: Error>(self) -> Result<Time, E> {
        Ok(Time::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_written_as_go_writes_it() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_709_210_096_120_000_000, "2024-02-29T12:34:56.12Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            let time = Time::from_unix_ns(ns);
            assert_eq!(time.to_string(), text);
            assert_eq!(Time::parse(text), Ok(time));
            assert_eq!(time.unix_ns(), ns);
        }
        assert_eq!(Time::default().to_string(), "0001-01-01T00:00:00Z");
        assert!(Time::default().is_zero() && !Time::from_unix_ns(0).is_zero());
    }

    #[test]
    fn is_read_as_go_reads_it() {
        for text in [
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999+23:59",
            "2026-11-24T13:00:00.5-05:30",
            "2000-02-29T00:00:00Z",
        ] {
            assert_eq!(Time::parse(text).expect(text).to_string(), text);
        }
        for (text, written) in [
            ("2026-11-24T13:00:00+00:00", "2026-11-24T13:00:00Z"),
            ("2026-11-24T13:00:00-00:00", "2026-11-24T13:00:00Z"),
            ("2026-11-24T13:00:00.1234567899Z", "2026-11-24T13:00:00.123456789Z"),
            ("2026-11-24T13:00:00.000Z", "2026-11-24T13:00:00Z"),
        ] {
            assert_eq!(Time::parse(text).expect(text).to_string(), written);
        }
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T13:00:00",
            "2026-11-24 13:00:00Z",
            "2026-11-24t13:00:00Z",
            "2026-11-24T13:00:00z",
            "2026-13-24T13:00:00Z",
            "2026-02-29T13:00:00Z",
            "1900-02-29T13:00:00Z",
            "2026-11-31T13:00:00Z",
            "2026-11-00T13:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T13:60:00Z",
            "2026-11-24T13:00:60Z",
            "2026-11-24T13:00:00.Z",
            "2026-11-24T13:00:00+24:00",
            "2026-11-24T13:00:00+01:60",
            "2026-11-24T13:00:00+0100",
            "2026-11-24T13:00:00Zx",
            "12026-11-24T13:00:00Z",
            "-026-11-24T13:00:00Z",
        ] {
            assert!(Time::parse(text).is_err(), "{text}");
            assert!(Time::parse_lenient(text).is_err(), "{text}");
        }
        for text in ["2026-11-24T3:00:00Z", "2026-11-24T03:00:00,5Z"] {
            assert!(Time::parse(text).is_err(), "{text}");
            assert!(Time::parse_lenient(text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn is_read_back(ns: i64, offset_min in -1439..1440i16) {
            let time = Time { offset_min, ..Time::from_unix_ns(ns) };
            prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
            prop_assert_eq!(time.unix_ns(), ns);
        }

        #[test]
        fn dates_are_those_of_the_calendar(days in -719_162..2_932_896i64) {
            let (year, month, day) = date(days);
            prop_assert_eq!(days_before(year, month, day), days);
            let known = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            prop_assert_eq!(
                (i64::from(known.year()), i64::from(known.month()), i64::from(known.day())),
                (year, month, day)
            );
        }

        #[test]
        fn any_text_is_fine(text: String) {
            let _ = Time::parse(&text);
            let _ = Time::parse_lenient(&text);
        }
    }
}

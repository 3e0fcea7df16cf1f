//! [`Cron`]: patterns of six fields (second, minute, hour, day, month, weekday) and when they next
//! match. Go: `server/cron.go`.
//!
//! A field is a list of `*` or `?`, `n`, `n-m`, each with an optional step `/s`; `n/s` goes to the
//! end. Months and weekdays have English names of three letters; Sunday is 0. If day or weekday is
//! a plain star both have to match, else one of them is enough.

use crate::base::zone::Zone;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// A pattern that matches nothing in the calendar years up to so many after this is given up.
const YEARS_MAX: i16 = 5;

/// A pattern: a bit for each number that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Day and weekday have to match, not one of them.
    both_days: bool,
}

/// Why text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not six fields.
    #[error("pattern requires 6 fields, got {0}")]
    Fields(usize),
    /// A part of a field that is none, or out of its range.
    #[error("invalid range: {0}")]
    Range(String),
}

/// What a field may hold: the lowest and highest number, and names for the numbers from `lowest`.
struct Kind {
    lowest: u32,
    highest: u32,
    names: &'static [&'static str],
}

const fn kind(lowest: u32, highest: u32, names: &'static [&'static str]) -> Kind {
    Kind { lowest, highest, names }
}

const MINUTES: Kind = kind(0, 59, &[]);
const HOURS: Kind = kind(0, 23, &[]);
const DAYS: Kind = kind(1, 31, &[]);
const MONTHS: Kind = kind(
    1,
    12,
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
);
const WEEKDAYS: Kind = kind(0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);

impl Cron {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(pattern: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = pattern.split_whitespace().collect();
        let [second, minute, hour, day, month, weekday] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let (seconds, _) = MINUTES.field(second)?;
        let (minutes, _) = MINUTES.field(minute)?;
        let (hours, _) = HOURS.field(hour)?;
        let (days, any_day) = DAYS.field(day)?;
        let (months, _) = MONTHS.field(month)?;
        let (weekdays, any_weekday) = WEEKDAYS.field(weekday)?;
        let both_days = any_day || any_weekday;
        Ok(Self { seconds, minutes, hours, days, months, weekdays, both_days })
    }

    /// The first whole second after `after_ns` at which the clocks of `zone` match, both in
    /// nanoseconds since the Unix epoch. None if there is none in the next years.
    ///
    /// Where clocks are put forward, what they pass over does not match; where they are put back,
    /// the same hour matches twice.
    pub fn next(&self, after_ns: i64, zone: &Zone) -> Option<i64> {
        let mut from_s = after_ns.div_euclid(SECOND_NS) + 1;
        let mut last_year = None;
        loop {
            // While the clocks are not set, local time is a number that just counts on.
            let steady = zone.steady(from_s);
            let offset_s = i64::from(steady.offset_s);
            let start = Timestamp::from_second(from_s + offset_s).ok()?;
            let date = Offset::UTC.to_datetime(start).date();
            let last_year = *last_year.get_or_insert(date.year().saturating_add(YEARS_MAX));
            let of_day = start.as_second().rem_euclid(DAY_S);
            let midnight_s = from_s - of_day;
            let found_s = midnight_s + self.next_local(date, of_day, last_year)?;
            match steady.until_s {
                Some(until_s) if found_s >= until_s => from_s = until_s,
                _ => return found_s.checked_mul(SECOND_NS),
            }
        }
    }

    /// The first match from second `of_day` of `date` on, in seconds from the start of that day.
    fn next_local(&self, date: Date, of_day: i64, last_year: i16) -> Option<i64> {
        if let Some(second) = self.next_in_day(of_day)
            && self.day_matches(date)
        {
            return Some(second);
        }
        let first = self.next_in_day(0)?;
        let (mut date, mut days) = (date, 0);
        loop {
            (date, days) = (date.tomorrow().ok()?, days + 1);
            if date.year() > last_year {
                return None;
            }
            if self.day_matches(date) {
                return Some(days * DAY_S + first);
            }
        }
    }

    fn day_matches(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let fits = if self.both_days { day && weekday } else { day || weekday };
        fits && has(self.months, date.month())
    }

    /// The first second of a day that matches, from `of_day` on.
    fn next_in_day(&self, of_day: i64) -> Option<i64> {
        let (now_hour, now_minute, now_second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        if self.seconds == 0 {
            return None;
        }
        for hour in ones(self.hours, now_hour) {
            let from = if hour == now_hour { now_minute } else { 0 };
            for minute in ones(self.minutes, from) {
                let now = (hour, minute) == (now_hour, now_minute);
                let second = ones(self.seconds, if now { now_second } else { 0 }).next();
                if let Some(second) = second {
                    return Some(hour * 3600 + minute * 60 + second);
                }
            }
        }
        None
    }
}

fn has(bits: u64, number: i8) -> bool {
    bits >> number & 1 == 1
}

/// The numbers whose bits are set, from `from` on.
fn ones(bits: u64, from: i64) -> impl Iterator<Item = i64> {
    (from..64).filter(move |number| bits >> number & 1 == 1)
}

impl Kind {
    /// The numbers of a field, and whether it has a plain star.
    fn field(&self, text: &str) -> Result<(u64, bool), CronError> {
        let (mut bits, mut star) = (0, false);
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let invalid = || CronError::Range(part.to_owned());
            let (numbers, any) = self.part(part).ok_or_else(invalid)?;
            bits |= numbers;
            star |= any;
        }
        Ok((bits, star))
    }

    fn part(&self, part: &str) -> Option<(u64, bool)> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step)?)),
            None => (part, None),
        };
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (low, Some(high)),
            None => (range, None),
        };
        let star = matches!(low, "*" | "?");
        let (first, last) = match (star, high) {
            (true, _) => (self.lowest, self.highest),
            (false, Some(high)) => (self.number(low)?, self.number(high)?),
            (false, None) if step.is_some() => (self.number(low)?, self.highest),
            (false, None) => (self.number(low)?, self.number(low)?),
        };
        let step = step.unwrap_or(1);
        if step == 0 || first > last || first < self.lowest || last > self.highest {
            return None;
        }
        let bits = (first..=last).step_by(step as usize).fold(0, |bits, n| bits | 1 << n);
        Some((bits, star && step == 1))
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match named {
            Some(at) => Some(self.lowest + at as u32),
            None => number(text),
        }
    }
}

/// A decimal number that is not negative; a sign may stand before it.
fn number(text: &str) -> Option<u32> {
    u32::try_from(text.parse::<i64>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Env;
    use proptest::prelude::*;
    use std::path::Path;

    fn ns(text: &str) -> i64 {
        text.parse::<Timestamp>().expect(text).as_nanosecond() as i64
    }

    fn zone(name: &str) -> Option<Zone> {
        Path::new("/usr/share/zoneinfo")
            .exists()
            .then(|| Zone::named(&Env::os(), name).expect(name))
    }

    fn check(zone: &Zone, pattern: &str, after: &str, expected: &[&str]) {
        let cron = Cron::parse(pattern).expect(pattern);
        let mut now = ns(after);
        for next in expected {
            now = cron.next(now, zone).expect(pattern);
            assert_eq!(
                Timestamp::from_nanosecond(now.into()).unwrap().to_string(),
                *next,
                "{pattern} after {after}"
            );
        }
    }

    #[test]
    fn matches_as_written() {
        let utc = Zone::utc();
        let check = |pattern, after, expected: &[&str]| check(&utc, pattern, after, expected);
        check(
            "* * * * * *",
            "2026-12-31T23:59:58.5Z",
            &["2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"],
        );
        check(
            "*/20 * * * * *",
            "2026-01-01T00:00:41Z",
            &["2026-01-01T00:01:00Z", "2026-01-01T00:01:20Z"],
        );
        check("50/5 59 23 * * *", "2026-01-01T23:59:55Z", &["2026-01-02T23:59:50Z"]);
        check(
            "0 0 0 29 2 *",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        );
        check("0 0 0 31 * *", "2026-01-31T00:00:00Z", &["2026-03-31T00:00:00Z"]);
        check(
            "0 0 12 ? JAN-mar Mon,WED",
            "2026-03-30T13:00:00Z",
            &["2027-01-04T12:00:00Z", "2027-01-06T12:00:00Z"],
        );
        // Friday or the 13th, but with a star in one of them both.
        check(
            "0 0 0 13 * 5",
            "2026-11-08T00:00:00Z",
            &["2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"],
        );
        check(
            "0 0 0 13 * 4",
            "2026-11-08T00:00:00Z",
            &["2026-11-12T00:00:00Z", "2026-11-13T00:00:00Z"],
        );
        check(
            "0 0 0 13 * *",
            "2026-11-08T00:00:00Z",
            &["2026-11-13T00:00:00Z", "2026-12-13T00:00:00Z"],
        );
        // A star with steps is none.
        check(
            "0 0 0 */10 * 0",
            "2026-11-23T00:00:00Z",
            &["2026-11-29T00:00:00Z", "2026-12-01T00:00:00Z"],
        );
        check("0 0 0 1 1 *", "1969-06-01T00:00:00Z", &["1970-01-01T00:00:00Z"]);
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let utc = Zone::utc();
        for pattern in [
            "0 0 0 30 2 *",
            ", * * * * *",
            "* , * * * *",
            "* * , * * *",
            "* * * * , *",
            "* * * , * ,",
        ] {
            let cron = Cron::parse(pattern).expect(pattern);
            assert_eq!(cron.next(0, &utc), None, "{pattern}");
        }
        // 2100 is no leap year.
        let leap = Cron::parse("0 0 0 29 2 *").unwrap();
        assert_eq!(leap.next(ns("2096-03-01T00:00:00Z"), &utc), None);
        let always = Cron::parse("* * * * * *").unwrap();
        assert_eq!(always.next(i64::MAX, &utc), None);
        assert!(always.next(i64::MIN, &utc).is_some());
    }

    #[test]
    fn clocks_that_are_set() {
        let Some(amsterdam) = zone("Europe/Amsterdam") else { return };
        // No half past two on that Sunday in spring, and two of them in autumn.
        check(
            &amsterdam,
            "0 30 2 * * *",
            "2026-03-28T00:00:00Z",
            &["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"],
        );
        check(
            &amsterdam,
            "0 30 2 * * *",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
        );
        check(
            &amsterdam,
            "0 0 * * * *",
            "2026-03-29T00:30:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        );
        check(
            &amsterdam,
            "0 0 0 1 7 *",
            "2026-01-01T00:00:00Z",
            &["2026-06-30T22:00:00Z", "2027-06-30T22:00:00Z"],
        );
        let Some(kolkata) = zone("Asia/Kolkata") else { return };
        check(&kolkata, "0 0 0 * * *", "2026-01-01T00:00:00Z", &["2026-01-01T18:30:00Z"]);
    }

    #[test]
    fn what_is_no_pattern() {
        for pattern in ["", "* * * * *", "* * * * * * *"] {
            assert!(matches!(Cron::parse(pattern), Err(CronError::Fields(_))), "{pattern}");
        }
        for second in [
            "60",
            "-1",
            "5-1",
            "1-2-3",
            "1/2/3",
            "*/0",
            "1/-1",
            "x",
            "1-",
            "-",
            "/",
            "1.5",
            "mon",
            "0x1",
            "99999999999999999999",
            "0,61",
            "*/",
        ] {
            let pattern = format!("{second} * * * * *");
            assert!(matches!(Cron::parse(&pattern), Err(CronError::Range(_))), "{pattern}");
        }
        for pattern in [
            "* * 24 * * *",
            "* * * 0 * *",
            "* * * 32 * *",
            "* * * * 0 *",
            "* * * * 13 *",
            "* * * * * 7",
        ] {
            assert!(matches!(Cron::parse(pattern), Err(CronError::Range(_))), "{pattern}");
        }
        assert!(Cron::parse("+1 01 *-9 1 dec sat").is_ok());
    }

    proptest! {
        #[test]
        fn is_the_first_match(
            time in ("[0-9]|[1-5][0-9]|\\*/[1-9]", "[0-9]|[1-5][0-9]|\\*", "[0-9]|\\*"),
            day in ("\\*|[1-9]|[12][0-9]", "\\*|[1-9]", "\\*|[0-6]"),
            after in 1_700_000_000..1_800_000_000i64,
        ) {
            let ((second, minute, hour), (day, month, weekday)) = (time, day);
            let pattern = format!("{second} {minute} {hour} {day} {month} {weekday}");
            let cron = Cron::parse(&pattern).unwrap();
            let matches = |second: i64| {
                let at = Offset::UTC.to_datetime(Timestamp::from_second(second).unwrap());
                has(cron.seconds, at.second())
                    && has(cron.minutes, at.minute())
                    && has(cron.hours, at.hour())
                    && cron.day_matches(at.date())
            };
            // Second by second for three days, if it comes so soon.
            let expected = (after + 1..after + 3 * DAY_S).find(|second| matches(*second));
            let found = cron.next(after * SECOND_NS, &Zone::utc()).map(|ns| ns / SECOND_NS);
            match expected {
                Some(_) => prop_assert_eq!(found, expected),
                None => {
                    let later = |found| found >= after + 3 * DAY_S && matches(found);
                    prop_assert!(found.is_none_or(later));
                }
            }
        }

        #[test]
        fn is_the_first_match_while_clocks_are_set(
            fields in ("[0-9]|[1-5][0-9]|\\*", "[0-3]|\\*", "\\*|[1-9]", "\\*|[0-6]"),
            place in "Europe/Amsterdam|Australia/Lord_Howe|America/Havana",
            month in 1..12i64, start in 0..30 * 24 * 60i64,
        ) {
            let Some(zone) = zone(&place) else { return Ok(()) };
            let (minute, hour, day, weekday) = fields;
            let cron = Cron::parse(&format!("0 {minute} {hour} {day} * {weekday}")).unwrap();
            // From some minute of 2026 on, minute by minute.
            let after = 1_767_225_600 + month * 30 * DAY_S + start * 60;
            let expected = (1..5 * 24 * 60).map(|n| after + n * 60).find(|second| {
                let at = zone.civil(second * SECOND_NS);
                let date = jiff::civil::date(at.year, at.month, at.day);
                has(cron.minutes, at.minute) && has(cron.hours, at.hour) && cron.day_matches(date)
            });
            let found = cron.next(after * SECOND_NS, &zone).map(|ns| ns / SECOND_NS);
            match expected {
                Some(_) => prop_assert_eq!(found, expected),
                None => prop_assert!(found.is_none_or(|found| found >= after + 5 * DAY_S)),
            }
        }

        #[test]
        fn any_pattern_is_fine(pattern in "([0-9*?,/ -]|mon|jan){0,20}", after: i64) {
            if let Ok(cron) = Cron::parse(&pattern) {
                let next = cron.next(after, &Zone::utc());
                prop_assert!(next.is_none_or(|next| next > after));
            }
        }
    }
}

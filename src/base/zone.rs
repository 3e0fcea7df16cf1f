//! Time zones, found as Go finds them: the local one by `TZ`, else `/etc/localtime`, else UTC;
//! others by name in the folders of zone files.
//!
//! The files are read through [`Env`] and only decoded by `jiff`, so a simulated machine has the
//! zones its own files give it.

use super::Env;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::Path;

/// Where zone files are looked for by name.
const ZONE_DIRS: [&str; 4] =
    ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"];

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A stretch of time in which a zone's clocks are not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    /// Seconds east of UTC.
    pub offset_s: i32,
    /// The Unix second at which the clocks are set the next time, if ever.
    pub until_s: Option<i64>,
}

/// A point of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i16,
    /// Month, 1 to 12.
    pub month: i8,
    /// Day of the month, 1 to 31.
    pub day: i8,
    /// Hour, 0 to 23.
    pub hour: i8,
    /// Minute.
    pub minute: i8,
    /// Second.
    pub second: i8,
    /// Nanosecond within the second.
    pub nanosecond: i32,
    /// Seconds east of UTC.
    pub offset_s: i32,
}

impl Zone {
    /// Universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of this machine and process.
    pub fn local(env: &Env) -> Self {
        let Some(name) = env.var("TZ") else {
            return load(env, "/etc/localtime").unwrap_or_else(Self::utc);
        };
        let name = name.strip_prefix(':').unwrap_or(&name);
        let zone = match name {
            "" | "UTC" => None,
            _ if name.starts_with('/') => load(env, name),
            _ => find(env, name),
        };
        zone.unwrap_or_else(Self::utc)
    }

    /// The zone of this name (`Europe/Amsterdam`); `Local` is that of this machine.
    pub fn named(env: &Env, name: &str) -> Option<Self> {
        match name {
            "" | "UTC" => Some(Self::utc()),
            "Local" => Some(Self::local(env)),
            _ => find(env, name),
        }
    }

    /// How far the clocks are off at a Unix second, and for how long.
    pub fn steady(&self, unix_s: i64) -> Steady {
        // Beyond what a time stamp holds there are no rules any more.
        let at = Timestamp::from_second(unix_s).unwrap_or(if unix_s < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        let offset_s = self.0.to_offset(at).seconds();
        let mut changes = self.0.following(at).map(|change| change.timestamp().as_second());
        // Some zones change nothing but the name of their time.
        let until_s = changes.find(|&second| {
            let at = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            self.0.to_offset(at).seconds() != offset_s
        });
        Steady { offset_s, until_s }
    }

    /// What the clock on the wall shows at `wall_ns` nanoseconds since the Unix epoch.
    pub fn civil(&self, wall_ns: i64) -> Civil {
        let at = Timestamp::from_nanosecond(i128::from(wall_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
        let offset = self.0.to_offset(at);
        let t = offset.to_datetime(at);
        Civil {
            year: t.year(),
            month: t.month(),
            day: t.day(),
            hour: t.hour(),
            minute: t.minute(),
            second: t.second(),
            nanosecond: t.subsec_nanosecond(),
            offset_s: offset.seconds(),
        }
    }
}

fn find(env: &Env, name: &str) -> Option<Zone> {
    // A name may not climb out of the folders.
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return None;
    }
    ZONE_DIRS.iter().find_map(|dir| load(env, &format!("{dir}/{name}")))
}

fn load(env: &Env, path: &str) -> Option<Zone> {
    let data = env.fs().read(Path::new(path)).ok()?;
    TimeZone::tzif(path, &data).ok().map(Zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_set_when_the_rules_say() {
        // Two changes a year, by rule alone.
        let rule = "CET-1CEST,M3.5.0,M10.5.0/3";
        let zone = Zone(TimeZone::posix(rule).expect("a rule"));
        // 2026-03-29 and 2026-10-25, 01:00 UTC.
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        let winter = Steady { offset_s: 3600, until_s: Some(spring) };
        assert_eq!(zone.steady(spring - 1), winter);
        assert_eq!(zone.steady(spring), Steady { offset_s: 7200, until_s: Some(autumn) });
        assert_eq!(Zone::utc().steady(i64::MAX), Steady { offset_s: 0, until_s: None });
        assert_eq!(Zone::utc().steady(i64::MIN), Steady { offset_s: 0, until_s: None });
    }

    #[test]
    fn names_stay_in_their_folders() {
        let env = Env::simulated(1);
        assert_eq!(Zone::named(&env, ""), Some(Zone::utc()));
        assert_eq!(Zone::named(&env, "UTC"), Some(Zone::utc()));
        for name in ["/etc/localtime", "../../etc/localtime", "\\x", "Nowhere/Known"] {
            assert_eq!(Zone::named(&env, name), None);
        }
    }
}

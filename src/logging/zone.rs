//! The local time zone, found as Go finds it: `TZ`, else `/etc/localtime`, else UTC.
//!
//! The files are read through [`Env`] and only decoded by `jiff`, so a simulated machine has the
//! zone its own files give it.

use crate::base::Env;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::Path;

/// Where zone files are looked for by name.
const ZONE_DIRS: [&str; 4] =
    ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"];

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

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
            // A name may not climb out of the directories.
            _ if name.split('/').any(|part| part == "..") => None,
            _ => ZONE_DIRS.iter().find_map(|dir| load(env, &format!("{dir}/{name}"))),
        };
        zone.unwrap_or_else(Self::utc)
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

fn load(env: &Env, path: &str) -> Option<Zone> {
    let data = env.fs().read(Path::new(path)).ok()?;
    TimeZone::tzif(path, &data).ok().map(Zone)
}

//! Syslog frames, local and remote (RFC 3164 as Go's `log/syslog` writes it).
//!
//! ```text
//! local, unix://    <pri>Nov  4 07:00:00 tag[pid]: text\n
//! udp://, tcp://    <pri>2026-11-04T07:00:00Z host tag[pid]: text\n
//! ```

use super::{Level, LogError};
use crate::base::fs::reason;
use crate::base::net::{Collector, Outlet};
use crate::base::zone::{Civil, Zone};
use crate::base::{Env, Mono};
use std::fmt::Arguments;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Sockets of a local daemon, in the order they are tried.
const LOCAL: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];
/// Facility "system daemons", already shifted.
const DAEMON: u8 = 3 << 3;
/// Facility of remote lines; upstream leaves it zero.
const REMOTE: u8 = 0;
/// After a collector was lost it is tried again no sooner than this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A connection to a syslog daemon.
#[derive(Debug)]
pub(super) struct Syslog {
    to: Collector,
    outlet: Option<Outlet>,
    retry_at: Mono,
    facility: u8,
    zone: Zone,
    /// Host name in frames that cross the network.
    host: Option<String>,
    /// `tag[pid]`
    origin: String,
}

impl Syslog {
    /// The machine's daemon.
    pub(super) fn local(env: &Env) -> Result<Self, LogError> {
        for path in LOCAL {
            let path = PathBuf::from(path);
            for to in [Collector::UnixDatagram(path.clone()), Collector::UnixStream(path)] {
                if let Ok(outlet) = env.net().outlet(&to) {
                    return Ok(Self::new(env, to, outlet, DAEMON, None));
                }
            }
        }
        Err(LogError::Connect("Unix syslog delivery error".to_owned()))
    }

    /// The daemon at `url`.
    pub(super) fn remote(env: &Env, url: &str) -> Result<Self, LogError> {
        let to = parse_url(url)?;
        let outlet = env.net().outlet(&to).map_err(|e| LogError::Connect(reason(&e)))?;
        let host = match to {
            Collector::Udp(_) | Collector::Tcp(_) => Some(env.hostname()),
            Collector::UnixDatagram(_) | Collector::UnixStream(_) => None,
        };
        Ok(Self::new(env, to, outlet, REMOTE, host))
    }

    fn new(env: &Env, to: Collector, outlet: Outlet, facility: u8, host: Option<String>) -> Self {
        Self {
            to,
            outlet: Some(outlet),
            retry_at: Mono::default(),
            facility,
            zone: Zone::local(env),
            host,
            origin: format!("{}[{}]", tag(&env.program()), env.pid()),
        }
    }

    /// Sends a line. A lost connection is made anew once, and then again a second later at the
    /// soonest, so that a dead collector does not slow every line down.
    pub(super) fn write(&mut self, env: &Env, level: Level, text: Arguments<'_>) -> io::Result<()> {
        let frame = self.frame(env.clock().wall_ns(), level, text);
        if let Some(outlet) = &self.outlet
            && outlet.send(frame.as_bytes()).is_ok()
        {
            return Ok(());
        }
        self.outlet = None;
        let now = env.clock().now();
        if now < self.retry_at {
            return Err(io::Error::from(io::ErrorKind::NotConnected));
        }
        self.retry_at = now.after(RETRY_AFTER);
        let outlet = env.net().outlet(&self.to)?;
        outlet.send(frame.as_bytes())?;
        self.outlet = Some(outlet);
        Ok(())
    }

    fn frame(&self, wall_ns: i64, level: Level, text: Arguments<'_>) -> String {
        let priority = self.facility | severity(level);
        let t = self.zone.civil(wall_ns);
        let origin = &self.origin;
        let mut frame = match &self.host {
            Some(host) => format!("<{priority}>{} {host} {origin}: {text}", rfc3339(t)),
            None => format!("<{priority}>{} {origin}: {text}", short(t)),
        };
        if !frame.ends_with('\n') {
            frame.push('\n');
        }
        frame
    }
}

/// The name in frames: the last part of the path that the program was called by.
pub fn tag(program: &str) -> &str {
    match program.contains('/') {
        true => program.rsplit('/').find(|part| !part.is_empty()).unwrap_or(program),
        false => program,
    }
}

/// The collector that a URL names: `udp://host:port`, `tcp://host:port`, `unix:///path`.
pub fn parse_url(url: &str) -> Result<Collector, LogError> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // User information is no part of the address.
    let address = authority.rsplit('@').next().unwrap_or(authority).to_owned();
    match scheme.to_ascii_lowercase().as_str() {
        "udp" => Ok(Collector::Udp(address)),
        "tcp" => Ok(Collector::Tcp(address)),
        "unix" => Ok(Collector::UnixStream(PathBuf::from(path))),
        other => Err(LogError::Network(other.to_owned())),
    }
}

fn severity(level: Level) -> u8 {
    match level {
        Level::Fatal => 2,
        Level::Error => 3,
        Level::Warn => 4,
        // As upstream: trace lines are notices, so that daemons which drop debug keep them.
        Level::Info | Level::Trace => 5,
        Level::Debug => 7,
    }
}

fn short(t: Civil) -> String {
    let month = usize::try_from(t.month - 1).ok().and_then(|i| MONTHS.get(i)).unwrap_or(&"");
    format!("{month} {:>2} {:02}:{:02}:{:02}", t.day, t.hour, t.minute, t.second)
}

fn rfc3339(t: Civil) -> String {
    let local = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        t.year, t.month, t.day, t.hour, t.minute, t.second
    );
    if t.offset_s == 0 {
        return format!("{local}Z");
    }
    let sign = if t.offset_s < 0 { '-' } else { '+' };
    let minutes = t.offset_s.unsigned_abs() / 60;
    format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let mut t = Zone::utc().civil(1_775_286_001_000_000_000);
        assert_eq!(short(t), "Apr  4 07:00:01");
        assert_eq!(rfc3339(t), "2026-04-04T07:00:01Z");
        t.offset_s = -(5 * 60 + 30) * 60;
        assert_eq!(rfc3339(t), "2026-04-04T07:00:01-05:30");
    }

    #[test]
    fn urls() {
        assert!(matches!(parse_url("http://x"), Err(LogError::Network(s)) if s == "http"));
        assert!(matches!(parse_url("nonsense"), Err(LogError::Network(s)) if s.is_empty()));
        assert_eq!(parse_url("UDP://h:1").unwrap(), Collector::Udp("h:1".to_owned()));
    }
}

//! How a line looks: `[pid] 2026/11/24 07:00:00.123456 [INF] text`.

use super::{Colours, Level, LogOptions, Target};
use crate::base::zone::Zone;
use crate::base::{Clock, Env};
use std::fmt::{Arguments, Write};

/// What comes before and around the text of a line.
#[derive(Debug)]
pub(super) struct Style {
    /// `"[pid] "` or nothing.
    prefix: String,
    time: bool,
    colours: bool,
    zone: Zone,
}

impl Style {
    /// Label and text only.
    pub(super) fn plain(zone: Zone) -> Self {
        Self { prefix: String::new(), time: false, colours: false, zone }
    }

    pub(super) fn new(env: &Env, options: &LogOptions) -> Self {
        let colours = match (options.colours, &options.target) {
            (Colours::Auto, Target::Stderr) => env.stderr_is_terminal(),
            (Colours::Always, Target::Stderr | Target::Capture(_)) => true,
            _ => false,
        };
        Self {
            prefix: if options.pid { format!("[{}] ", env.pid()) } else { String::new() },
            time: options.time,
            colours,
            zone: if options.utc { Zone::utc() } else { Zone::local(env) },
        }
    }

    /// The zone of dates in lines and in the names of rotated files.
    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// A line with its line feed.
    pub(super) fn line(&self, clock: &Clock, level: Level, text: Arguments<'_>) -> String {
        let mut line = self.start(clock, level);
        // A `String` takes whatever is written to it.
        let _ = line.write_fmt(text);
        if !line.ends_with('\n') {
            line.push('\n');
        }
        line
    }

    fn start(&self, clock: &Clock, level: Level) -> String {
        let mut line = String::with_capacity(128);
        line.push_str(&self.prefix);
        if self.time {
            let t = self.zone.civil(clock.wall_ns());
            let _ = write!(
                line,
                "{:04}/{:02}/{:02} {:02}:{:02}:{:02}.{:06} ",
                t.year,
                t.month,
                t.day,
                t.hour,
                t.minute,
                t.second,
                t.nanosecond / 1000
            );
        }
        let label = level.label();
        let _ = match self.colours {
            true => write!(line, "[\x1b[{}m{label}\x1b[0m] ", level.colour()),
            false => write!(line, "[{label}] "),
        };
        line
    }
}

impl Level {
    /// The three letters between brackets.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fatal => "FTL",
            Self::Error => "ERR",
            Self::Warn => "WRN",
            Self::Info => "INF",
            Self::Debug => "DBG",
            Self::Trace => "TRC",
        }
    }

    /// Parameters of the terminal's colour sequence.
    fn colour(self) -> &'static str {
        match self {
            Self::Fatal | Self::Error => "31",
            Self::Warn => "0;93",
            Self::Info => "32",
            Self::Debug => "36",
            Self::Trace => "33",
        }
    }
}

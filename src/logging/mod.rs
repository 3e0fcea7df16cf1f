//! The server's log.
//!
//! A [`Logger`] is a cheap handle that everything which logs keeps a clone of. There is no global
//! one: many servers live in one process. What it writes to can be exchanged under its users
//! ([`Logger::reconfigure`]), as can the debug and trace switches, which cost one relaxed load to
//! ask. Logging never fails its caller: a line that cannot be written is lost and counted.
//!
//! Lines, labels, file rotation and syslog frames look as upstream's, because people and tools
//! read them (Go: `logger/log.go`, `logger/syslog.go`, `server/log.go`).

mod capture;
mod file;
mod line;
pub mod redact;
pub mod syslog;

pub use capture::Captured;

use crate::base::lock::{Mutex, Rank};
use crate::base::zone::Zone;
use crate::base::{Clock, Env};
use file::LogFile;
use line::Style;
use std::fmt::Arguments;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use syslog::Syslog;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The server cannot go on.
    Fatal,
    /// Something failed.
    Error,
    /// Something is doubtful.
    Warn,
    /// Something worth knowing.
    Info,
    /// Details, only with the debug switch.
    Debug,
    /// Protocol, only with the trace switch.
    Trace,
}

/// Where lines go.
#[derive(Clone, Debug, Default)]
pub enum Target {
    /// Nowhere.
    None,
    /// Standard error.
    #[default]
    Stderr,
    /// A file, appended to.
    File {
        /// Its path.
        path: PathBuf,
        /// Rotate when the file is larger, bytes; 0 never does.
        size_limit: u64,
        /// Files kept in all, the current one included; 0 keeps all.
        max_files: usize,
    },
    /// The machine's syslog daemon.
    Syslog,
    /// A syslog daemon by URL: `udp://host:port`, `tcp://host:port` or `unix:///path`.
    RemoteSyslog(String),
    /// Events of the `tracing` crate with target `nats_server`, for programs that embed a server.
    Tracing,
    /// Memory, for tests.
    Capture(Captured),
}

/// When labels are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// When standard error is the target and a terminal.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Always (except in files and syslog).
    Always,
}

/// How a [`Logger`] is set up.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Where lines go.
    pub target: Target,
    /// Begin lines with date and time.
    pub time: bool,
    /// Date and time are UTC rather than local.
    pub utc: bool,
    /// Begin lines with the process id.
    pub pid: bool,
    /// Colour the labels.
    pub colours: Colours,
    /// Log debug lines.
    pub debug: bool,
    /// Log trace lines.
    pub trace: bool,
    /// Trace also the system account.
    pub trace_verbose: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            target: Target::default(),
            time: true,
            utc: false,
            pid: true,
            colours: Colours::default(),
            debug: false,
            trace: false,
            trace_verbose: false,
        }
    }
}

/// Why a log target cannot be used. The texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log file cannot be opened.
    #[error("error opening file: open {}: {}", path.display(), crate::base::fs::reason(source))]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The syslog daemon cannot be reached.
    #[error("error connecting to syslog: {0:?}")]
    Connect(String),
    /// The URL of a remote syslog names no known network.
    #[error("error invalid network type: {0:?}")]
    Network(String),
}

/// A handle on the server's log.
#[derive(Clone, Debug)]
pub struct Logger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: Env,
    debug: AtomicBool,
    trace: AtomicBool,
    trace_verbose: AtomicBool,
    lost: AtomicU64,
    output: Mutex<Output>,
}

/// A log that is open but not in use yet: see [`Logger::prepare`].
#[derive(Debug)]
pub struct Prepared {
    output: Output,
    debug: bool,
    trace: bool,
    trace_verbose: bool,
}

/// What is behind the lock: how lines look and where they go.
#[derive(Debug)]
struct Output {
    style: Style,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    None,
    Stderr,
    File(LogFile),
    Syslog(Syslog),
    Tracing,
    Capture(Captured),
}

impl Logger {
    /// A log as `options` say.
    pub fn new(env: &Env, options: &LogOptions) -> Result<Self, LogError> {
        let log = Self::none(env);
        log.reconfigure(options)?;
        Ok(log)
    }

    /// A log that goes nowhere.
    pub fn none(env: &Env) -> Self {
        Self(Arc::new(Inner {
            env: env.clone(),
            debug: AtomicBool::new(false),
            trace: AtomicBool::new(false),
            trace_verbose: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            output: Mutex::new(
                Rank::Logger,
                Output { style: Style::plain(Zone::utc()), sink: Sink::None },
            ),
        }))
    }

    /// A log into memory with all switches on, and what it caught.
    pub fn captured(env: &Env) -> (Self, Captured) {
        let lines = Captured::default();
        let log = Self::none(env);
        log.0.output.lock().sink = Sink::Capture(lines.clone());
        log.set_debug(true);
        log.set_trace(true, true);
        (log, lines)
    }

    /// Changes everything about the log, for all its handles. After an error it is as before.
    pub fn reconfigure(&self, options: &LogOptions) -> Result<(), LogError> {
        self.install(self.prepare(options)?);
        Ok(())
    }

    /// Opens what `options` ask for; lines go where they went until it is installed.
    pub fn prepare(&self, options: &LogOptions) -> Result<Prepared, LogError> {
        let env = &self.0.env;
        let output = Output { style: Style::new(env, options), sink: open(env, options)? };
        Ok(Prepared {
            output,
            debug: options.debug,
            trace: options.trace,
            trace_verbose: options.trace_verbose,
        })
    }

    /// Changes over to what was prepared.
    pub fn install(&self, prepared: Prepared) {
        let Prepared { output, debug, trace, trace_verbose } = prepared;
        let oversized = match &output.sink {
            Sink::File(file) => file.is_oversized(),
            _ => false,
        };
        let before = std::mem::replace(&mut *self.0.output.lock(), output);
        // The old file or connection closes here, not under the lock.
        drop(before);
        self.set_debug(debug);
        self.set_trace(trace, trace_verbose);
        if oversized {
            self.info(format_args!("Rotating logfile..."));
        }
    }

    /// Closes the log file and opens its path again, so that a file moved aside is let go of. Says
    /// so in the log, also when there is nothing to reopen.
    pub fn reopen(&self) {
        let outcome = {
            let mut output = self.0.output.lock();
            match &mut output.sink {
                Sink::File(file) => file.reopen(&self.0.env),
                _ => {
                    drop(output);
                    return self.info(format_args!("File log re-open ignored, not a file logger"));
                }
            }
        };
        match outcome {
            Ok(()) => self.info(format_args!("File log re-opened")),
            Err(e) => self.error(format_args!("{e}")),
        }
    }

    /// Whether debug lines are logged.
    #[inline]
    pub fn debug_on(&self) -> bool {
        self.0.debug.load(Ordering::Relaxed)
    }

    /// Whether trace lines are logged.
    #[inline]
    pub fn trace_on(&self) -> bool {
        self.0.trace.load(Ordering::Relaxed)
    }

    /// Whether the system account is traced too.
    #[inline]
    pub fn trace_verbose_on(&self) -> bool {
        self.0.trace_verbose.load(Ordering::Relaxed)
    }

    /// Switches debug lines.
    pub fn set_debug(&self, on: bool) {
        self.0.debug.store(on, Ordering::Relaxed);
    }

    /// Switches trace lines, and those of the system account.
    pub fn set_trace(&self, on: bool, verbose: bool) {
        self.0.trace.store(on, Ordering::Relaxed);
        self.0.trace_verbose.store(verbose, Ordering::Relaxed);
    }

    /// Lines that could not be written.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Logs something worth knowing.
    pub fn info(&self, text: Arguments<'_>) {
        self.write(Level::Info, text);
    }

    /// Logs something doubtful.
    pub fn warn(&self, text: Arguments<'_>) {
        self.write(Level::Warn, text);
    }

    /// Logs a failure.
    pub fn error(&self, text: Arguments<'_>) {
        self.write(Level::Error, text);
    }

    /// Logs why the server cannot go on; ending it is the caller's business.
    pub fn fatal(&self, text: Arguments<'_>) {
        self.write(Level::Fatal, text);
    }

    /// Logs a detail if debug lines are on.
    pub fn debug(&self, text: Arguments<'_>) {
        if self.debug_on() {
            self.write(Level::Debug, text);
        }
    }

    /// Logs protocol if trace lines are on.
    pub fn trace(&self, text: Arguments<'_>) {
        if self.trace_on() {
            self.write(Level::Trace, text);
        }
    }

    fn write(&self, level: Level, text: Arguments<'_>) {
        let inner = &*self.0;
        let clock: &Clock = inner.env.clock();
        let mut guard = inner.output.lock();
        let Output { style, sink } = &mut *guard;
        let written = match sink {
            Sink::None => Ok(()),
            Sink::Stderr => inner.env.write_stderr(style.line(clock, level, text).as_bytes()),
            Sink::File(file) => file.write(&inner.env, style, level, text),
            Sink::Syslog(syslog) => syslog.write(&inner.env, level, text),
            Sink::Tracing => {
                drop(guard);
                return emit_event(level, text);
            }
            Sink::Capture(lines) => {
                let line = style.line(clock, level, text);
                let lines = lines.clone();
                drop(guard);
                return lines.push(level, text.to_string(), line);
            }
        };
        if written.is_err() {
            inner.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// `2006/01/02 15:04:05`, local time: how upstream begins what it says before it has a log.
pub fn date_and_time(env: &Env) -> String {
    let t = Zone::local(env).civil(env.clock().wall_ns());
    format!(
        "{:04}/{:02}/{:02} {:02}:{:02}:{:02}",
        t.year, t.month, t.day, t.hour, t.minute, t.second
    )
}

fn open(env: &Env, options: &LogOptions) -> Result<Sink, LogError> {
    Ok(match &options.target {
        Target::None => Sink::None,
        Target::Stderr => Sink::Stderr,
        Target::File { path, size_limit, max_files } => {
            Sink::File(LogFile::open(env, path, *size_limit, *max_files)?)
        }
        Target::Syslog => Sink::Syslog(Syslog::local(env)?),
        Target::RemoteSyslog(url) => Sink::Syslog(Syslog::remote(env, url)?),
        Target::Tracing => Sink::Tracing,
        Target::Capture(lines) => Sink::Capture(lines.clone()),
    })
}

/// Hands a line to whoever subscribed to `tracing` in the embedding program. Called without the
/// lock: the subscriber is not ours and may log again.
fn emit_event(level: Level, text: Arguments<'_>) {
    match level {
        Level::Fatal | Level::Error => tracing::error!(target: "nats_server", "{text}"),
        Level::Warn => tracing::warn!(target: "nats_server", "{text}"),
        Level::Info => tracing::info!(target: "nats_server", "{text}"),
        Level::Debug => tracing::debug!(target: "nats_server", "{text}"),
        Level::Trace => tracing::trace!(target: "nats_server", "{text}"),
    }
}

#[cfg(test)]
mod tests;

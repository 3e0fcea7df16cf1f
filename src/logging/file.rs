//! The log file: appended to, rotated by size, pruned by number.
//!
//! A rotated file gets its name and the local time appended, `name.2006.01.02.15.04.05.000000000`.
//! Whatever goes wrong with a rotation, lines keep being written to the file at hand and the next
//! attempt is made at twice the size.

use super::line::Style;
use super::{Level, LogError};
use crate::base::Env;
use crate::base::fs::{File, OpenMode, reason};
use crate::base::zone::Civil;
use std::fmt::Arguments;
use std::io;
use std::path::{Path, PathBuf};

const MODE: u32 = 0o640;

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Box<dyn File>,
    /// Bytes in the file.
    size: u64,
    /// Rotate above this size; 0 never does. Above `configured_limit` after a failed rotation.
    limit: u64,
    configured_limit: u64,
    max_files: usize,
}

impl LogFile {
    pub(super) fn open(
        env: &Env,
        path: &Path,
        limit: u64,
        max_files: usize,
    ) -> Result<Self, LogError> {
        let (file, size) = open(env, path)?;
        Ok(Self { path: path.to_owned(), file, size, limit, configured_limit: limit, max_files })
    }

    /// Lets go of the file and opens what is at its path now.
    pub(super) fn reopen(&mut self, env: &Env) -> Result<(), LogError> {
        (self.file, self.size) = open(env, &self.path)?;
        self.limit = self.configured_limit;
        Ok(())
    }

    /// Whether the next line will cause a rotation.
    pub(super) fn is_oversized(&self) -> bool {
        self.limit > 0 && self.size > self.limit
    }

    pub(super) fn write(
        &mut self,
        env: &Env,
        style: &Style,
        level: Level,
        text: Arguments<'_>,
    ) -> io::Result<()> {
        let line = style.line(env.clock(), level, text);
        self.append(&line)?;
        if self.is_oversized() {
            self.rotate(env, style)?;
        }
        Ok(())
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        self.file.append(line.as_bytes())?;
        self.size += line.len() as u64;
        Ok(())
    }

    /// A line about the file itself; these end in CR LF, as upstream's do.
    fn note(&mut self, env: &Env, style: &Style, level: Level, text: Arguments<'_>) {
        let mut line = style.line(env.clock(), level, text);
        line.insert(line.len() - 1, '\r');
        // It is about the file; there is no other place to complain in.
        let _ = self.append(&line);
    }

    fn rotate(&mut self, env: &Env, style: &Style) -> io::Result<()> {
        let backup = with_suffix(&self.path, &stamp(style.zone().civil(env.clock().wall_ns())));
        if let Err(e) = self.exchange(env, &backup) {
            self.limit = self.limit.saturating_mul(2);
            let limit = self.limit;
            self.note(
                env,
                style,
                Level::Error,
                format_args!(
                    "Unable to rotate logfile ({}), will attempt next rotation at size {limit}",
                    reason(&e)
                ),
            );
            return Ok(());
        }
        self.limit = self.configured_limit;
        self.note(
            env,
            style,
            Level::Info,
            format_args!("Rotated log, backup saved as {:?}", backup.display().to_string()),
        );
        if self.max_files > 0 {
            self.purge(env, style);
        }
        Ok(())
    }

    /// Moves the file to `backup` and starts a new one. After an error the old one is in use still,
    /// under either name.
    fn exchange(&mut self, env: &Env, backup: &Path) -> io::Result<()> {
        env.fs().rename(&self.path, backup)?;
        let (file, size) = match open(env, &self.path) {
            Ok(opened) => opened,
            Err(LogError::Open { source, .. }) => return Err(source),
            Err(other) => return Err(io::Error::other(other)),
        };
        (self.file, self.size) = (file, size);
        Ok(())
    }

    /// Removes the oldest rotated files, until no more than `max_files` are left in all.
    fn purge(&mut self, env: &Env, style: &Style) {
        let dir = match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        let backups = match self.backups(env, &dir) {
            Ok(backups) => backups,
            Err(e) => {
                return self.note(
                    env,
                    style,
                    Level::Error,
                    format_args!(
                        "Unable to read directory {:?} for log purge ({}), will attempt next rotation",
                        dir.display().to_string(),
                        reason(&e)
                    ),
                );
            }
        };
        let surplus = backups.len().saturating_sub(self.max_files - 1);
        for name in &backups[..surplus] {
            if let Err(e) = env.fs().remove_file(&dir.join(name)) {
                return self.note(
                    env,
                    style,
                    Level::Error,
                    format_args!(
                        "Unable to remove backup log file {name:?} ({}), will attempt next rotation",
                        reason(&e)
                    ),
                );
            }
            self.note(env, style, Level::Info, format_args!("Purged log file {name:?}"));
        }
    }

    /// Names of the rotated files, oldest first.
    fn backups(&self, env: &Env, dir: &Path) -> io::Result<Vec<String>> {
        let Some(base) = self.path.file_name().map(|n| format!("{}.", n.to_string_lossy())) else {
            return Ok(Vec::new());
        };
        let mut names: Vec<String> = env
            .fs()
            .read_dir(dir)?
            .iter()
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .filter(|name| name.strip_prefix(&base).is_some_and(is_stamp))
            .collect();
        names.sort();
        Ok(names)
    }
}

fn open(env: &Env, path: &Path) -> Result<(Box<dyn File>, u64), LogError> {
    let mode = OpenMode { append: true, create: true, mode: MODE, ..Default::default() };
    let opened = env.fs().open(path, mode).and_then(|file| {
        let size = file.len()?;
        Ok((file, size))
    });
    opened.map_err(|source| LogError::Open { path: path.to_owned(), source })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// `2006.01.02.15.04.05.000000000`
fn stamp(t: Civil) -> String {
    format!(
        "{:04}.{:02}.{:02}.{:02}.{:02}.{:02}.{:09}",
        t.year, t.month, t.day, t.hour, t.minute, t.second, t.nanosecond
    )
}

/// Whether `text` is what [`stamp`] makes; other files beside the log are not touched.
fn is_stamp(text: &str) -> bool {
    const RANGES: [(u32, u32); 6] = [(0, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59)];
    let parts: Vec<&str> = text.split('.').collect();
    let [date_time @ .., fraction] = parts.as_slice() else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    date_time.len() == RANGES.len()
        && digits(fraction)
        && date_time.iter().zip(RANGES).enumerate().all(|(i, (part, (low, high)))| {
            part.len() == if i == 0 { 4 } else { 2 }
                && digits(part)
                && part.parse::<u32>().is_ok_and(|n| (low..=high).contains(&n))
        })
}

//! What a server process said.

use std::path::PathBuf;
use std::sync::Mutex;

/// The captured output of a server (its standard error unless it logs to a file).
pub(crate) struct Log {
    /// How the server is called in a report.
    name: String,
    path: PathBuf,
    allowed: Mutex<Vec<String>>,
}

/// Lines of the log shown when a case fails.
const TAIL_LINES: usize = 40;

impl Log {
    pub(super) fn new(name: String, path: PathBuf) -> Self {
        Self { name, path, allowed: Mutex::default() }
    }

    /// All of it, so far.
    pub(super) fn text(&self) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn allow(&self, contains: &str) {
        self.allowed.lock().unwrap().push(contains.to_owned());
    }

    /// The first line that speaks of an error and was not allowed.
    pub(super) fn unexpected_error(&self) -> Option<String> {
        let allowed = self.allowed.lock().unwrap();
        let text = self.text();
        let is_error = |line: &&str| {
            ["[ERR]", "[FTL]", "panic:", "panicked at"].iter().any(|mark| line.contains(mark))
        };
        let line = text
            .lines()
            .filter(is_error)
            .find(|line| !allowed.iter().any(|pattern| line.contains(pattern.as_str())))?;
        Some(format!("unexpected line in the log of {}: {line}", self.name))
    }

    /// The last lines, under the server's name.
    pub(super) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        format!("--- {}\n{}\n", self.name, lines[from..].join("\n"))
    }
}

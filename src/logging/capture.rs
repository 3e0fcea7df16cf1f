//! A log in memory.

use super::Level;
use crate::base::lock::{Mutex, Rank};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a log into memory caught. Clones see the same lines.
#[derive(Clone, Debug)]
pub struct Captured(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lines: Mutex<Vec<Entry>>,
    changed: Notify,
}

#[derive(Clone, Debug)]
struct Entry {
    level: Level,
    text: String,
    line: String,
}

impl Default for Captured {
    fn default() -> Self {
        Self(Arc::new(Inner { lines: Mutex::new(Rank::Leaf, Vec::new()), changed: Notify::new() }))
    }
}

impl Captured {
    pub(super) fn push(&self, level: Level, text: String, line: String) {
        self.0.lines.lock().push(Entry { level, text, line });
        self.0.changed.notify_waiters();
    }

    /// Level and text of every line.
    pub fn texts(&self) -> Vec<(Level, String)> {
        self.0.lines.lock().iter().map(|e| (e.level, e.text.clone())).collect()
    }

    /// Everything as it would have been written.
    pub fn output(&self) -> String {
        self.0.lines.lock().iter().map(|e| e.line.as_str()).collect()
    }

    /// Whether some line of `level` contains `text`.
    pub fn contains(&self, level: Level, text: &str) -> bool {
        self.0.lines.lock().iter().any(|e| e.level == level && e.text.contains(text))
    }

    /// Forgets all lines.
    pub fn clear(&self) {
        self.0.lines.lock().clear();
    }

    /// Completes with the first line that contains `text`, already there or to come.
    pub async fn wait_for(&self, text: &str) -> String {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let found = self.0.lines.lock().iter().find(|e| e.text.contains(text)).cloned();
            if let Some(entry) = found {
                return entry.text;
            }
            changed.await;
        }
    }
}

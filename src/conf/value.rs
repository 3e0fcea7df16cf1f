//! What a configuration file holds once parsed.

use std::sync::Arc;

/// Where something stands in a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pos {
    /// The file as named by the user or by `include`; empty for text without a file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, as upstream counts it.
    pub col: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The value itself.
    pub kind: ValueKind,
    /// Where it stands (for a variable: where it is used).
    pub pos: Pos,
    /// It was written as a `$variable`.
    pub from_variable: bool,
}

/// The types of the language.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// `true`, `yes`, `on`, ...
    Bool(bool),
    /// A whole number, its size suffix (`k`, `mb`, `gib`, ...) multiplied in.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string, quoted or bare.
    String(String),
    /// An ISO 8601 date, as seconds since the Unix epoch.
    DateTime(i64),
    /// `[ ... ]`
    Array(Vec<Value>),
    /// `{ ... }`
    Map(Map),
}

/// A key and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// As written, without quotes.
    pub name: String,
    /// Where it stands.
    pub pos: Pos,
}

/// A map in the order of the file; a later entry of the same name replaced the earlier one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Key, Value)>,
}

impl Map {
    /// The value of `name`, compared exactly.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(k, _)| k.name == name).map(|(_, v)| v)
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, key: Key, value: Value) {
        match self.entries.iter_mut().find(|(k, _)| k.name == key.name) {
            Some(slot) => *slot = (key, value),
            None => self.entries.push((key, value)),
        }
    }

    /// Entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

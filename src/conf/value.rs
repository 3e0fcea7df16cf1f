//! What a configuration file holds once parsed.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Where something stands in a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pos {
    /// The file as named by the user or by `include`; empty for text without a file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes: from 0 on the first line, from 1 on others.
    pub col: u32,
}

impl std::fmt::Display for Pos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.col)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The value itself.
    pub kind: ValueKind,
    /// Where it stands (for a variable: where it is used). In a map, where its key stands.
    pub pos: Pos,
    /// It was written as a `$variable`.
    pub from_variable: bool,
    /// Some `$variable` in the reach of its key named it, so that its key need not be known.
    pub used_as_variable: bool,
}

impl Value {
    /// A value as written at `pos`.
    pub fn new(kind: ValueKind, pos: Pos) -> Self {
        Self { kind, pos, from_variable: false, used_as_variable: false }
    }
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
    /// A string, quoted or bare; U+FFFD for each byte that is not UTF-8.
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
    /// As written, without quotes; U+FFFD for each byte that is not UTF-8.
    pub name: String,
    /// Where it stands.
    pub pos: Pos,
}

/// A map in the order of the file; a later entry of the same name replaced the earlier one.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<(Key, Value)>,
    /// Places in `entries` by name.
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Map {
    /// The value of `name`, compared exactly.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).map(|i| &self.entries[i].1)
    }

    /// The value of `name`, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.find(name).map(|i| &mut self.entries[i].1)
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, key: Key, value: Value) {
        if let Some(i) = self.find(&key.name) {
            self.entries[i] = (key, value);
            return;
        }
        let hash = self.hasher.hash_one(key.name.as_str());
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index
            .insert_unique(hash, entries.len(), |&i| hasher.hash_one(entries[i].0.name.as_str()));
        self.entries.push((key, value));
    }

    fn find(&self, name: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(name);
        self.index.find(hash, |&i| self.entries[i].0.name == name).copied()
    }

    /// Entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// Values in order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.entries.iter_mut().map(|(_, v)| v)
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

/// Entries in order.
impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// Same entries in the same order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

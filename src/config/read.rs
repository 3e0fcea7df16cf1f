//! Reading values out of a parsed configuration: typed access, and the errors and warnings that
//! pile up on the way.
//!
//! Upstream turns a failed type assertion into an error at the place of the value; the accessors
//! here give that same text. It walks maps in random order and stops a block at such a failure;
//! here maps are walked in the order of the file and nothing is skipped.

use super::go;
use super::options::{Unsupported, WriteTimeoutPolicy};
use crate::base::Env;
use crate::base::duration::GoDuration;
use crate::conf::{Key, Map, Pos, Value, ValueKind};
use std::fmt;
use std::time::Duration;

/// Something wrong, and where. Prints as `file:line:col: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where; `None` if no single place is to blame.
    pub pos: Option<Pos>,
    /// What.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pos) = &self.pos {
            write!(f, "{pos}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Something odd that does not stop the server.
pub type Warning = ConfigError;

/// What reading a configuration has gathered so far.
#[derive(Debug)]
pub(super) struct Cx<'e> {
    pub(super) env: &'e Env,
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<Warning>,
    pub(super) unsupported: Vec<Unsupported>,
}

impl<'e> Cx<'e> {
    pub(super) fn new(env: &'e Env) -> Self {
        Self { env, errors: Vec::new(), warnings: Vec::new(), unsupported: Vec::new() }
    }

    /// Notes an error and goes on.
    pub(super) fn error(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    /// Notes the error, if there is one, and goes on.
    pub(super) fn check<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|e| self.error(e)).ok()
    }

    /// As [`Cx::check`] for what needs the context itself.
    pub(super) fn check_with<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Option<T> {
        let result = read(self);
        self.check(result)
    }

    /// A warning about the use of a field.
    pub(super) fn misuse(&mut self, item: Item<'_>, field: &str, reason: &str) {
        let message = format!("invalid use of field {}: {reason}", go::quote(field));
        self.warnings.push(item.error(message));
    }

    /// A key nobody knows. A variable's definition is no such key.
    pub(super) fn unknown(&mut self, item: Item<'_>) {
        self.unknown_as(item, format!("unknown field {}", go::quote(item.name)));
    }

    /// As [`Cx::unknown`] with a text of its own.
    pub(super) fn unknown_as(&mut self, item: Item<'_>, message: String) {
        if !item.is_variable {
            self.error(item.error(message));
        }
    }

    /// A key whose subsystem does not exist yet.
    pub(super) fn unsupported(&mut self, key: impl Into<String>, item: Item<'_>) {
        self.unsupported.push(Unsupported { key: key.into(), pos: Some(item.pos.clone()) });
    }

    /// `ping_interval` and its kind: a duration, or (with a warning) a number of seconds.
    pub(super) fn duration(&mut self, field: &str, item: Item<'_>) -> GoDuration {
        let seconds = match &item.value.kind {
            ValueKind::String(text) => match GoDuration::parse(text) {
                Ok(duration) => return duration,
                Err(e) => {
                    self.error(item.error(format!("error parsing {field}: {e}")));
                    return GoDuration::default();
                }
            },
            _ => {
                self.misuse(item, field, &format!("{field} should be converted to a duration"));
                self.check(item.integer()).unwrap_or_default()
            }
        };
        GoDuration(seconds.wrapping_mul(1_000_000_000))
    }

    /// `write_timeout`.
    pub(super) fn write_timeout(&mut self, item: Item<'_>) -> WriteTimeoutPolicy {
        match self.check(item.string()) {
            Some("close") => WriteTimeoutPolicy::Close,
            Some("retry") => WriteTimeoutPolicy::Retry,
            Some("default") | None => WriteTimeoutPolicy::Default,
            Some(_) => {
                self.error(item.error("write_timeout must be 'default', 'close' or 'retry'"));
                WriteTimeoutPolicy::Default
            }
        }
    }

    /// One string or a list of them. Go: parseStringArray.
    pub(super) fn strings(&mut self, field: &str, item: Item<'_>) -> Option<Vec<String>> {
        match &item.value.kind {
            ValueKind::String(text) => Some(vec![text.clone()]),
            ValueKind::Array(_) => {
                let mut strings = Vec::new();
                for element in item.elements() {
                    match element.string() {
                        Ok(text) => strings.push(text.to_owned()),
                        Err(_) => self.error(element.error(format!(
                            "error parsing {field}: unsupported type in array {}",
                            element.type_name()
                        ))),
                    }
                }
                Some(strings)
            }
            _ => {
                let message =
                    format!("error parsing {field}: unsupported type {}", item.type_name());
                self.error(item.error(message));
                None
            }
        }
    }
}

/// A value with the name it was given and the place it is reported at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// The key as written; empty for elements of lists.
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
    pub(super) pos: &'a Pos,
    /// It defines a variable that was used somewhere.
    pub(super) is_variable: bool,
}

impl<'a> Item<'a> {
    pub(super) fn entry((key, value): (&'a Key, &'a Value)) -> Self {
        Self { name: &key.name, ..Self::element(value) }
    }

    fn element(value: &'a Value) -> Self {
        Self { name: "", value, pos: &value.pos, is_variable: value.used_as_variable }
    }

    /// The same value, reported at another place.
    pub(super) fn reported_at(self, other: Item<'a>) -> Self {
        Self { pos: other.pos, ..self }
    }

    /// The key in lower case.
    pub(super) fn key(self) -> String {
        self.name.to_lowercase()
    }

    pub(super) fn kind(self) -> &'a ValueKind {
        &self.value.kind
    }

    pub(super) fn error(self, message: impl Into<String>) -> ConfigError {
        ConfigError { pos: Some(self.pos.clone()), message: message.into() }
    }

    /// An error that, as upstream has it, names no place.
    pub(super) fn placeless(self, message: impl Into<String>) -> ConfigError {
        ConfigError { pos: None, message: message.into() }
    }

    pub(super) fn type_name(self) -> &'static str {
        go::type_name(&self.value.kind)
    }

    fn mismatch(self, wanted: &str) -> ConfigError {
        self.error(go::conversion(self.value, wanted))
    }

    pub(super) fn string(self) -> Result<&'a str, ConfigError> {
        match &self.value.kind {
            ValueKind::String(text) => Ok(text),
            _ => Err(self.mismatch("string")),
        }
    }

    pub(super) fn text(self) -> Result<String, ConfigError> {
        self.string().map(str::to_owned)
    }

    pub(super) fn boolean(self) -> Result<bool, ConfigError> {
        match self.value.kind {
            ValueKind::Bool(value) => Ok(value),
            _ => Err(self.mismatch("bool")),
        }
    }

    pub(super) fn integer(self) -> Result<i64, ConfigError> {
        match self.value.kind {
            ValueKind::Integer(value) => Ok(value),
            _ => Err(self.mismatch("int64")),
        }
    }

    /// A number that must fit; what does not is cut as Go's conversion cuts it.
    pub(super) fn int(self) -> Result<i32, ConfigError> {
        let value = self.integer()?;
        Ok(i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX }))
    }

    pub(super) fn array(self) -> Result<Vec<Item<'a>>, ConfigError> {
        match &self.value.kind {
            ValueKind::Array(_) => Ok(self.elements()),
            _ => Err(self.mismatch("[]interface {}")),
        }
    }

    pub(super) fn map(self) -> Result<&'a Map, ConfigError> {
        self.map_or(|| go::conversion(self.value, "map[string]interface {}"))
    }

    /// The map, or an error with this text.
    pub(super) fn map_or(self, message: impl FnOnce() -> String) -> Result<&'a Map, ConfigError> {
        match &self.value.kind {
            ValueKind::Map(map) => Ok(map),
            _ => Err(self.error(message())),
        }
    }

    /// The list, or an error with this text.
    pub(super) fn array_or(
        self,
        message: impl FnOnce() -> String,
    ) -> Result<Vec<Item<'a>>, ConfigError> {
        match &self.value.kind {
            ValueKind::Array(_) => Ok(self.elements()),
            _ => Err(self.error(message())),
        }
    }

    /// The elements of a list; none of anything else.
    pub(super) fn elements(self) -> Vec<Item<'a>> {
        match &self.value.kind {
            ValueKind::Array(items) => items.iter().map(Item::element).collect(),
            _ => Vec::new(),
        }
    }

    /// A list of strings, or Go's text for the first failed assertion.
    pub(super) fn string_list(self) -> Result<Vec<String>, ConfigError> {
        self.array()?.into_iter().map(Item::text).collect()
    }

    /// A string that is a duration; the error is `prefix` and Go's text.
    pub(super) fn duration(self, prefix: &str) -> Result<GoDuration, ConfigError> {
        GoDuration::parse(self.string()?).map_err(|e| self.error(format!("{prefix}{e}")))
    }

    /// Seconds as a number, or a duration; `prefix` as in [`Item::duration`].
    pub(super) fn seconds(self, prefix: &str, wrong: &str) -> Result<f64, ConfigError> {
        match &self.value.kind {
            ValueKind::Integer(n) => Ok(*n as f64),
            ValueKind::Float(x) => Ok(*x),
            ValueKind::String(_) => Ok(self.duration(prefix)?.as_secs_f64()),
            _ => Err(self.error(wrong)),
        }
    }
}

/// Seconds as upstream holds timeouts.
pub(super) fn secs(seconds: f64) -> Duration {
    GoDuration::from_secs_f64(seconds).to_std()
}

/// Entries of a map in the order of the file.
pub(super) fn entries(map: &Map) -> impl Iterator<Item = Item<'_>> {
    map.iter().map(Item::entry)
}

/// Where a listener is bound.
#[derive(Debug)]
pub(super) struct Listen {
    pub(super) host: String,
    pub(super) port: i32,
}

/// `listen` and its kind: a port or `host:port`. Go: parseListen.
pub(super) fn listen(item: Item<'_>) -> Result<Listen, ConfigError> {
    match item.kind() {
        ValueKind::Integer(_) => Ok(Listen { host: String::new(), port: item.int()? }),
        ValueKind::String(text) => {
            let (host, port) = go::split_host_port(text).map_err(|_| {
                item.error(format!("could not parse address string {}", go::quote(text)))
            })?;
            let port = go::parse_int("Atoi", port)
                .ok()
                .and_then(|n| i32::try_from(n).ok())
                .ok_or_else(|| item.error(format!("could not parse port {}", go::quote(port))))?;
            Ok(Listen { host: host.to_owned(), port })
        }
        _ => Err(item.error(format!("expected port or host:port, got {}", item.type_name()))),
    }
}

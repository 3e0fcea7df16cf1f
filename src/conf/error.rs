//! Why a text is not a configuration. The texts are upstream's, which operators and tools know.

use super::value::Pos;

/// Why a text is not a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// The text breaks the language's rules.
    #[error("Parse error on line {line}: '{reason}'")]
    Syntax {
        /// Line, from 1.
        line: u32,
        /// What is wrong.
        reason: String,
    },
    /// The text ends after a key.
    #[error("config is invalid ({0})")]
    Incomplete(Pos),
    /// A whole number does not fit 64 bits.
    #[error("integer '{0}' is out of the range")]
    IntegerRange(String),
    /// Digits, but none that make a number.
    #[error("expected integer, but got '{0}'")]
    Integer(String),
    /// A fractional number is too large.
    #[error("float '{0}' is out of the range")]
    FloatRange(String),
    /// Digits, but none that make a number.
    #[error("expected float, but got '{0}'")]
    Float(String),
    /// The form of a date, but no such day or time.
    #[error("expected Zulu formatted DateTime, but got '{0}'")]
    DateTime(String),
    /// Neither an enclosing map nor the environment has the variable.
    #[error("variable reference for '{name}' on line {line} can not be found")]
    VariableNotFound {
        /// Without the `$`.
        name: String,
        /// Line of the reference, from 1.
        line: u32,
    },
    /// The environment variable's content is not a value.
    #[error("variable reference for '{name}' on line {line} could not be parsed: {source}")]
    Variable {
        /// Without the `$`.
        name: String,
        /// Line of the reference, from 1.
        line: u32,
        /// Why not.
        source: Box<ConfError>,
    },
    /// Environment variables refer to each other in a circle.
    #[error("variable reference cycle for '{0}'")]
    VariableCycle(String),
    /// An included file cannot be read or is no configuration.
    #[error("error parsing include file '{name}', {source}")]
    Include {
        /// As written after `include`.
        name: String,
        /// Why not.
        source: Box<ConfError>,
    },
    /// A file cannot be read.
    #[error("{operation} {path}: {reason}")]
    File {
        /// `open` or `read`.
        operation: &'static str,
        /// The file.
        path: String,
        /// The operating system's words.
        reason: String,
    },
    /// Values, files or environment variables are nested deeper than any configuration needs.
    #[error("{what} nested deeper than {limit} levels on line {line}")]
    TooDeep {
        /// What is nested.
        what: &'static str,
        /// The most there may be.
        limit: usize,
        /// Line, from 1.
        line: u32,
    },
    /// Variables copied more values than any configuration needs.
    #[error("variables expand to more than {limit} values on line {line}")]
    TooLarge {
        /// The most there may be.
        limit: usize,
        /// Line, from 1.
        line: u32,
    },
}

//! The NATS configuration language: text in, [`Value`]s with positions out.
//!
//! Upstream's language is defined by what its code does (Go: conf/lex.go, conf/parse.go), odd
//! corners included: a file that one server takes must mean the same to the other. Beyond it there
//! are only limits on nesting and on what variables copy, so that no text can exhaust the server.

mod cursor;
pub mod digest;
pub mod error;
pub mod lexer;
mod parser;
mod path;
#[cfg(test)]
mod tests;
pub mod value;

pub use digest::digest;
pub use error::ConfError;
pub use parser::{parse_bytes, parse_file, parse_str};
pub use value::{Key, Map, Pos, Value, ValueKind};

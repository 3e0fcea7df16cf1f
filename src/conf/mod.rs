//! The NATS configuration language: text in, [`Value`]s with positions out.

pub mod value;

pub use value::{Key, Map, Pos, Value, ValueKind};

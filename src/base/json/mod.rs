//! JSON as Go's `encoding/json` writes and reads it, byte for byte and fault for fault: upstream's
//! files, answers and requests are made of it.

mod read;
mod write;

pub use read::{from_slice, from_value};
pub use write::{Replacement, compact, encode};

/// For `skip_serializing_if`, where Go has `omitempty`.
pub fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

//! Upstream's store directory, from the bottom up:
//!
//! | module | owns |
//! | --- | --- |
//! | [`hash`] | the keyed hash that guards everything |
//! | [`record`] | a message, a tombstone or a skipped sequence as bytes |
//! | [`compress`] | compressed blocks |
//! | [`varint`] | Go's variable length integers |
//! | [`crypt`] | keys, sealed files, encrypted blocks |

pub mod compress;
pub mod crypt;
pub mod hash;
pub mod record;
pub mod varint;

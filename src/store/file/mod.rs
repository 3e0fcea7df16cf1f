//! Upstream's store directory, from the bottom up:
//!
//! | module | owns |
//! | --- | --- |
//! | [`hash`] | the keyed hash that guards everything |
//! | [`record`] | a message, a tombstone or a skipped sequence as bytes |
//! | [`compress`] | compressed blocks |
//! | [`crypt`] | keys, sealed files, encrypted blocks |
//! | [`block`] | the records of a block, and what is readable of a damaged one |
//! | [`state`] | what is known of a block and of a stream |
//! | [`subjects`] | how many messages each subject has, and where the first and last are |
//! | [`index`] | `index.db`, the state as it was when it was last written |
//! | [`layout`] | names of files |
//! | [`files`] | files of a stream and its consumers, opened and verified |
//! | [`recover`] | the state of a stream from its directory |
//! | [`repair`] | what recovery found, put in order |
//! | [`consumers`] | the consumers of a stream from its directory |
//! | [`build`] | a new directory from messages |
//! | [`snapshot`] | an archive of a stream and its consumers |
//! | [`restore`] | a directory from an archive |
//! | [`replace`] | files put in the place of others |
//! | [`convert`] | a directory brought to the configured key and cipher |
//! | [`consumer_store`] | the directory of a running consumer |

pub mod block;
pub mod build;
pub mod compress;
pub mod consumer_store;
pub mod consumers;
pub mod convert;
pub mod crypt;
pub mod files;
pub mod hash;
pub mod index;
pub mod layout;
pub mod record;
pub mod recover;
pub mod repair;
pub mod replace;
pub mod restore;
mod scan;
pub mod snapshot;
pub mod state;
pub mod store;
pub mod subjects;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod golden_tests;

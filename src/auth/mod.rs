//! Who may connect and what they may do: users, permissions, passwords, nkeys.
//!
//! Everything here is a pure function of configuration and what a peer says; the only thing asked
//! of the outside is entropy for new keys.

pub mod authenticator;
mod cert_map;
mod dn;
pub mod nkey;
pub mod password;
pub mod permissions;
pub mod responses;
mod subject_set;
pub mod users;

pub use authenticator::{Attempt, Authenticator, ConnectionType, Decision, Directory};
pub use authenticator::{Identity, PendingHash, Policy, Refusal, Who};
pub use permissions::{Checker, CheckerIds};
pub use responses::ReplyTracker;

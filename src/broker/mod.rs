//! The publish and subscribe engine: accounts, subscriptions, matching, fan out, output.
//!
//! It knows accounts and endpoints, not protocols above delivery: roles in `conn` drive it. The
//! way of a message through it is drawn in ARCHITECTURE.md ("The way of a message").

pub mod account;
pub mod batch;
pub mod cache;
mod chunks;
pub mod endpoint;
mod format;
pub mod hash;
pub mod hub;
mod matched;
pub mod outbound;
pub mod sub;
pub mod sublist;

pub use account::Account;
pub use batch::{Batch, Publication, Workspace};
pub use endpoint::{CloseReason, Endpoint};
pub use hub::Hub;
pub use matched::Matched;
pub use outbound::Outbound;
pub use sub::Subscription;
pub use sublist::Sublist;

//! Configured users and their permissions, as plain data.

use std::sync::Arc;
use std::time::Duration;

/// Subjects that may and may not be used. An entry may carry a queue group after a space
/// (`"foo.* workers.>"`) in subscribe permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectPermission {
    /// Allowed subjects; `None` allows everything that is not denied.
    pub allow: Option<Vec<String>>,
    /// Denied subjects; denial wins.
    pub deny: Vec<String>,
}

/// Permission to answer requests on their reply subjects without listing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponsePermission {
    /// Answers per request; negative is unlimited.
    pub max_msgs: i32,
    /// How long after the request an answer is allowed; negative (`None`) is unlimited.
    pub expires: Option<Duration>,
}

/// What a user may publish and subscribe to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Publish permissions; `None` allows everything.
    pub publish: Option<SubjectPermission>,
    /// Subscribe permissions; `None` allows everything.
    pub subscribe: Option<SubjectPermission>,
    /// Answers to received requests.
    pub response: Option<ResponsePermission>,
}

/// A user with name and password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub username: String,
    /// Clear text or bcrypt hash.
    pub password: String,
    /// `None` allows everything.
    pub permissions: Option<Arc<Permissions>>,
    /// Account name; `None` is the global account.
    pub account: Option<String>,
    /// Upper-case connection types; empty allows all.
    pub allowed_connection_types: Vec<String>,
    /// The connection must come through a trusted proxy.
    pub proxy_required: bool,
}

/// A user that signs a nonce with an nkey.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NkeyUser {
    /// Public user nkey (`U...`).
    pub nkey: String,
    /// `None` allows everything.
    pub permissions: Option<Arc<Permissions>>,
    /// Account name; `None` is the global account.
    pub account: Option<String>,
    /// Upper-case connection types; empty allows all.
    pub allowed_connection_types: Vec<String>,
    /// The connection must come through a trusted proxy.
    pub proxy_required: bool,
}

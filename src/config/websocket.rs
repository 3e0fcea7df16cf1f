//! The `websocket {}` block.

use super::Secret;
use crate::tls::TlsOptions;
use std::collections::BTreeMap;
use std::time::Duration;

/// The `websocket {}` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebsocketOptions {
    /// Bind address.
    pub host: String,
    /// Port; 0 is off, -1 random.
    pub port: i32,
    /// `host:port` announced to clients.
    pub advertise: String,
    /// User of connections without credentials.
    pub no_auth_user: String,
    /// Cookie that carries a JWT.
    pub jwt_cookie: String,
    /// Cookie that carries a user name.
    pub username_cookie: String,
    /// Cookie that carries a password.
    pub password_cookie: String,
    /// Cookie that carries a token.
    pub token_cookie: String,
    /// Overrides the clients' user.
    pub username: String,
    /// Overrides the clients' password.
    pub password: Secret,
    /// Overrides the clients' token.
    pub token: Secret,
    /// Time a client has to authenticate; zero is the server's.
    pub auth_timeout: Duration,
    /// Run without TLS.
    pub no_tls: bool,
    /// TLS.
    pub tls: Option<TlsOptions>,
    /// `Origin` must be the request's host.
    pub same_origin: bool,
    /// Accepted `Origin` values; empty accepts all.
    pub allowed_origins: Vec<String>,
    /// Offer compression.
    pub compression: bool,
    /// Time for the upgrade.
    pub handshake_timeout: Duration,
    /// Interval between PINGs; zero is the server's.
    pub ping_interval: Duration,
    /// Added to the upgrade's response.
    pub headers: BTreeMap<String, String>,
}

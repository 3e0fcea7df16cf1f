//! The `cluster {}` block.

use super::options::{auth_timeout, default_to};
use super::{Secret, WriteTimeoutPolicy};
use crate::auth::users::SubjectPermission;
use crate::base::limits;
use crate::tls::TlsOptions;
use std::time::Duration;

/// Compression of a route or leaf node connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompressionOptions {
    /// As upstream names it (`s2_auto`, `accept`, ...); empty is the block's default.
    pub mode: String,
    /// Round trip times at which `s2_auto` takes the next level; empty is the default set.
    pub rtt_thresholds: Vec<Duration>,
}

/// What crosses a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePermissions {
    /// Subjects accepted from the other server.
    pub import: Option<SubjectPermission>,
    /// Subjects offered to the other server.
    pub export: Option<SubjectPermission>,
}

/// The `cluster {}` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterOptions {
    /// Cluster name; empty is chosen at start.
    pub name: String,
    /// Bind address.
    pub host: String,
    /// Port; 0 is off, -1 random.
    pub port: i32,
    /// User name routes must present.
    pub username: String,
    /// Password routes must present.
    pub password: Secret,
    /// Time a route has to authenticate.
    pub auth_timeout: Duration,
    /// Subjects that cross routes.
    pub permissions: Option<RoutePermissions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// TLS between routes.
    pub tls: Option<TlsOptions>,
    /// `--cluster` as given.
    pub listen_str: String,
    /// `host:port` announced to peers.
    pub advertise: String,
    /// Client URLs of the cluster are not announced to clients.
    pub no_advertise: bool,
    /// Attempts for routes learned from peers.
    pub connect_retries: i32,
    /// Exponential backoff between attempts.
    pub connect_backoff: bool,
    /// Connections per peer; -1 is none pooled, 0 the default.
    pub pool_size: i32,
    /// Accounts with a route of their own.
    pub pinned_accounts: Vec<String>,
    /// Compression of routes.
    pub compression: CompressionOptions,
    /// Interval between PINGs; zero is the server's.
    pub ping_interval: Duration,
    /// Unanswered PINGs allowed; zero is the server's.
    pub max_pings_out: i32,
    /// How long a write may take; zero is the server's.
    pub write_deadline: Duration,
    /// What happens to a route whose write timed out.
    pub write_timeout: WriteTimeoutPolicy,
}

impl ClusterOptions {
    /// Fills what is not configured, if routes are on at all.
    pub(super) fn fill_defaults(&mut self, system_account: Option<&str>) {
        if self.port == 0 && self.listen_str.is_empty() {
            return;
        }
        default_to(&mut self.host, limits::DEFAULT_HOST.to_owned());
        default_to(&mut self.tls_timeout, limits::TLS_TIMEOUT);
        default_to(&mut self.auth_timeout, auth_timeout(&self.tls, self.tls_timeout));
        default_to(&mut self.pool_size, 3);
        if let Some(name) = system_account
            && self.pool_size > 0
            && !self.pinned_accounts.iter().any(|a| a == name)
        {
            self.pinned_accounts.push(name.to_owned());
        }
        default_to(&mut self.compression.mode, "accept".to_owned());
    }
}

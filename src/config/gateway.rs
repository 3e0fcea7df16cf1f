//! The `gateway {}` block.

use super::options::{auth_timeout, default_to};
use super::{Secret, Url, WriteTimeoutPolicy};
use crate::base::limits;
use crate::tls::TlsOptions;
use std::time::Duration;

/// The `gateway {}` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GatewayOptions {
    /// Name of this cluster.
    pub name: String,
    /// Bind address.
    pub host: String,
    /// Port; 0 is off, -1 random.
    pub port: i32,
    /// User name gateways must present.
    pub username: String,
    /// Password gateways must present.
    pub password: Secret,
    /// Time a gateway has to authenticate.
    pub auth_timeout: Duration,
    /// TLS between gateways.
    pub tls: Option<TlsOptions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// `host:port` announced to others.
    pub advertise: String,
    /// Attempts for gateways learned from others.
    pub connect_retries: i32,
    /// Exponential backoff between attempts.
    pub connect_backoff: bool,
    /// Remote clusters.
    pub gateways: Vec<RemoteGateway>,
    /// Refuse clusters that are not configured.
    pub reject_unknown: bool,
    /// How long a write may take; zero is the server's.
    pub write_deadline: Duration,
    /// What happens to a gateway whose write timed out.
    pub write_timeout: WriteTimeoutPolicy,
}

/// One entry of `gateways: []`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteGateway {
    /// Name of the remote cluster.
    pub name: String,
    /// Where it is reached.
    pub urls: Vec<Url>,
    /// TLS towards it.
    pub tls: Option<TlsOptions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
}

impl GatewayOptions {
    /// Fills what is not configured, if gateways are on at all.
    pub(super) fn fill_defaults(&mut self) {
        if self.port == 0 {
            return;
        }
        default_to(&mut self.host, limits::DEFAULT_HOST.to_owned());
        default_to(&mut self.tls_timeout, limits::TLS_TIMEOUT);
        default_to(&mut self.auth_timeout, auth_timeout(&self.tls, self.tls_timeout));
    }
}

//! The `leafnodes {}` block.

use super::cluster::CompressionOptions;
use super::options::{auth_timeout, default_to};
use super::{Secret, Url, WriteTimeoutPolicy};
use crate::auth::users::User;
use crate::base::limits;
use crate::tls::TlsOptions;
use std::fmt;
use std::time::Duration;

/// The `leafnodes {}` block.
#[derive(Clone, Default, PartialEq)]
pub struct LeafNodeOptions {
    /// Bind address.
    pub host: String,
    /// Port; 0 is off, -1 random.
    pub port: i32,
    /// Single user's name.
    pub username: String,
    /// Single user's password.
    pub password: Secret,
    /// Connections must come through a trusted proxy.
    pub proxy_required: bool,
    /// Single user's public nkey.
    pub nkey: String,
    /// Account single user and nkey are bound to.
    pub account: String,
    /// Users, each bound to an account.
    pub users: Vec<User>,
    /// Time a leaf node has to authenticate.
    pub auth_timeout: Duration,
    /// TLS for the listener.
    pub tls: Option<TlsOptions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// `host:port` announced to leaf nodes.
    pub advertise: String,
    /// Leaf node URLs of the cluster are not announced.
    pub no_advertise: bool,
    /// Pause between attempts to reach a remote.
    pub reconnect_interval: Duration,
    /// How long a write may take; zero is the server's.
    pub write_deadline: Duration,
    /// What happens to a leaf node whose write timed out.
    pub write_timeout: WriteTimeoutPolicy,
    /// Compression of accepted connections.
    pub compression: CompressionOptions,
    /// Servers this one connects to.
    pub remotes: Vec<RemoteLeaf>,
    /// Oldest version accepted.
    pub min_version: String,
    /// No interest passes between leaf nodes.
    pub isolate_leafnode_interest: bool,
    /// Time to establish a connection; zero is the default.
    pub dial_timeout: Duration,
}

impl fmt::Debug for LeafNodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafNodeOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("remotes", &self.remotes)
            .finish_non_exhaustive()
    }
}

/// One entry of `remotes: []`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteLeaf {
    /// Local account the connection is bound to; empty is the global account.
    pub local_account: String,
    /// Try the URLs in order.
    pub no_randomize: bool,
    /// Where the remote is reached.
    pub urls: Vec<Url>,
    /// Credentials file.
    pub credentials: String,
    /// File of an nkey seed, or the seed.
    pub nkey: Secret,
    /// TLS was asked for.
    pub tls_required: bool,
    /// TLS towards the remote.
    pub tls: Option<TlsOptions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// Handshake before INFO.
    pub tls_handshake_first: bool,
    /// This server is the hub of the pair.
    pub hub: bool,
    /// Subjects not imported.
    pub deny_imports: Vec<String>,
    /// Subjects not exported.
    pub deny_exports: Vec<String>,
    /// Time to wait for the remote's INFO.
    pub first_info_timeout: Duration,
    /// Time to establish a connection; zero is the block's.
    pub dial_timeout: Duration,
    /// Compression of this connection.
    pub compression: CompressionOptions,
    /// WebSocket: ask for compression.
    pub websocket_compression: bool,
    /// WebSocket: frames are not masked.
    pub websocket_no_masking: bool,
    /// HTTP proxy for WebSocket connections.
    pub proxy: LeafProxy,
    /// Move JetStream leaders away when the remote is lost.
    pub jetstream_cluster_migrate: bool,
    /// Delay before that.
    pub jetstream_cluster_migrate_delay: Duration,
    /// No local interest passes to the remote.
    pub local_isolation: bool,
    /// Ask the remote for the same.
    pub request_isolation: bool,
    /// Not connected at all.
    pub disabled: bool,
    /// Use the configured URLs only.
    pub ignore_discovered_servers: bool,
}

/// HTTP proxy of a remote reached over WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafProxy {
    /// `http://` or `https://` URL; empty is none.
    pub url: String,
    /// User name at the proxy.
    pub username: String,
    /// Password at the proxy.
    pub password: Secret,
    /// Time to establish the tunnel.
    pub timeout: Duration,
}

impl LeafNodeOptions {
    /// Fills what is not configured.
    pub(super) fn fill_defaults(&mut self) {
        if self.port != 0 {
            default_to(&mut self.host, limits::DEFAULT_HOST.to_owned());
            default_to(&mut self.tls_timeout, limits::TLS_TIMEOUT);
            default_to(&mut self.auth_timeout, auth_timeout(&self.tls, self.tls_timeout));
            default_to(&mut self.compression.mode, "s2_auto".to_owned());
        }
        for remote in &mut self.remotes {
            for url in &mut remote.urls {
                url.default_port(7422);
            }
            default_to(&mut remote.compression.mode, "s2_auto".to_owned());
            default_to(&mut remote.first_info_timeout, Duration::from_secs(1));
        }
        default_to(&mut self.reconnect_interval, Duration::from_secs(1));
    }
}

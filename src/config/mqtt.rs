//! The `mqtt {}` block.

use super::Secret;
use crate::tls::TlsOptions;
use std::time::Duration;

/// The `mqtt {}` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MqttOptions {
    /// Bind address.
    pub host: String,
    /// Port; 0 is off, -1 random.
    pub port: i32,
    /// User of connections without credentials.
    pub no_auth_user: String,
    /// Overrides the clients' user.
    pub username: String,
    /// Overrides the clients' password.
    pub password: Secret,
    /// Overrides the clients' token.
    pub token: Secret,
    /// JetStream domain of sessions.
    pub js_domain: String,
    /// Replicas of streams; 0 or less is chosen by cluster size.
    pub stream_replicas: i32,
    /// Deprecated, without effect.
    pub consumer_replicas: i32,
    /// Consumers live in memory.
    pub consumer_memory_storage: bool,
    /// Idle consumers are removed after this time.
    pub consumer_inactive_threshold: Duration,
    /// Time a client has to authenticate; zero is the server's.
    pub auth_timeout: Duration,
    /// TLS.
    pub tls: Option<TlsOptions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// Redelivery of QoS 1 and 2 messages; zero is the default.
    pub ack_wait: Duration,
    /// Limit for JetStream API calls; zero is the default.
    pub js_api_timeout: Duration,
    /// Unacknowledged messages per subscription; 0 is the default.
    pub max_ack_pending: u16,
    /// Refuse QoS 2 PUBLISH.
    pub reject_qos2_pub: bool,
    /// Grant QoS 1 to QoS 2 subscriptions.
    pub downgrade_qos2_sub: bool,
}

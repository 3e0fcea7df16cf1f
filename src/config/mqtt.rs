//! The `mqtt {}` block.

use super::read::{ConfigError, Cx, Item, Listen, entries, listen};
use super::{Secret, authorization, tls};
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
    /// `ack_wait` was negative; refused at start.
    pub(super) negative_ack_wait: bool,
    /// `js_api_timeout` was negative; refused at start.
    pub(super) negative_js_api_timeout: bool,
}

/// Reads the block. Go: parseMQTT.
pub(super) fn parse(
    item: Item<'_>,
    mqtt: &mut MqttOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map = item.map_or(|| format!("Expected mqtt to be a map, got {}", item.type_name()))?;
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, mqtt, cx));
    }
    Ok(())
}

fn field(entry: Item<'_>, mqtt: &mut MqttOptions, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    match entry.key().as_str() {
        "listen" => Listen { host: mqtt.host, port: mqtt.port } = listen(entry)?,
        "port" => mqtt.port = entry.int()?,
        "host" | "net" => mqtt.host = entry.text()?,
        "tls" => {
            let tls = tls::block(entry, tls::Context::Client, cx)?;
            mqtt.tls_timeout = tls.timeout.unwrap_or_default();
            mqtt.tls = Some(tls);
        }
        "authorization" | "authentication" => {
            let auth = authorization::simple_block(entry, cx)?;
            mqtt.username = auth.user;
            mqtt.password = auth.pass.into();
            mqtt.token = auth.token.into();
            mqtt.auth_timeout = auth.timeout;
        }
        "no_auth_user" => mqtt.no_auth_user = entry.text()?,
        "ack_wait" | "ackwait" => {
            let wait = cx.duration("ack_wait", entry);
            mqtt.negative_ack_wait = wait.0 < 0;
            mqtt.ack_wait = wait.to_std();
        }
        "js_api_timeout" | "api_timeout" => {
            let timeout = cx.duration("js_api_timeout", entry);
            mqtt.negative_js_api_timeout = timeout.0 < 0;
            mqtt.js_api_timeout = timeout.to_std();
        }
        "max_ack_pending" | "max_pending" | "max_inflight" => {
            let value = entry.integer()?;
            mqtt.max_ack_pending = u16::try_from(value).map_err(|_| {
                entry.error(format!("invalid value {value}, should in [0..65535] range"))
            })?;
        }
        "js_domain" => mqtt.js_domain = entry.text()?,
        "stream_replicas" => mqtt.stream_replicas = entry.int()?,
        "consumer_replicas" => {
            let reason = "consumer replicas setting ignored in this server version";
            cx.misuse(entry, entry.name, reason);
        }
        "consumer_memory_storage" => mqtt.consumer_memory_storage = entry.boolean()?,
        "consumer_inactive_threshold" | "consumer_auto_cleanup" => {
            mqtt.consumer_inactive_threshold =
                cx.duration("consumer_inactive_threshold", entry).to_std();
        }
        "reject_qos2_publish" => mqtt.reject_qos2_pub = entry.boolean()?,
        "downgrade_qos2_subscribe" => mqtt.downgrade_qos2_sub = entry.boolean()?,
        _ => cx.unknown(entry),
    }
    Ok(())
}

//! The `gateway {}` block.

use super::cluster::single_user;
use super::go::Plain;
use super::options::{auth_timeout, default_to};
use super::read::{ConfigError, Cx, Item, Listen, entries, listen};
use super::{Secret, Url, WriteTimeoutPolicy, tls, url};
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

/// Reads the block. Go: parseGateway.
pub(super) fn parse(
    item: Item<'_>,
    gateway: &mut GatewayOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map = item.map_or(|| format!("Expected gateway to be a map, got {}", item.type_name()))?;
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, gateway, cx));
    }
    Ok(())
}

fn field(
    entry: Item<'_>,
    gateway: &mut GatewayOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    match entry.key().as_str() {
        "name" => {
            let name = entry.string()?;
            if name.contains(' ') {
                return Err(entry.error("gateway name cannot contain spaces"));
            }
            gateway.name = name.to_owned();
        }
        "listen" => Listen { host: gateway.host, port: gateway.port } = listen(entry)?,
        "port" => gateway.port = entry.int()?,
        "host" | "net" => gateway.host = entry.text()?,
        "authorization" => {
            let auth = single_user(entry, "Gateway", cx)?;
            gateway.username = auth.user;
            gateway.password = auth.pass.into();
            gateway.auth_timeout = auth.timeout;
        }
        "tls" => {
            let tls = tls::block(entry, tls::Context::Peer, cx)?;
            gateway.tls_timeout = tls.timeout.unwrap_or_default();
            gateway.tls = Some(tls);
        }
        "advertise" => gateway.advertise = entry.text()?,
        "connect_retries" => gateway.connect_retries = entry.int()?,
        "connect_backoff" => gateway.connect_backoff = entry.boolean()?,
        "gateways" => gateway.gateways = remotes(entry, cx)?,
        "reject_unknown" | "reject_unknown_cluster" => gateway.reject_unknown = entry.boolean()?,
        "write_deadline" => {
            gateway.write_deadline = cx.duration("write_deadline", entry).to_std();
        }
        "write_timeout" => gateway.write_timeout = cx.write_timeout(entry),
        _ => cx.unknown(entry),
    }
    Ok(())
}

fn remotes(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Vec<RemoteGateway>, ConfigError> {
    let items = item.array().map_err(|_| {
        let got = item.type_name();
        item.placeless(format!("Expected gateways field to be an array, got {got}"))
    })?;
    let mut remotes = Vec::with_capacity(items.len());
    for item in items {
        let map = item.map_or(|| {
            format!("Expected gateway entry to be a map/struct, got {}", Plain(item.kind()))
        });
        let Some(map) = cx.check(map) else { continue };
        let mut remote = RemoteGateway::default();
        for entry in entries(map) {
            cx.check_with(|cx| remote_field(entry, &mut remote, cx));
        }
        remotes.push(remote);
    }
    Ok(remotes)
}

fn remote_field(
    entry: Item<'_>,
    remote: &mut RemoteGateway,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    match entry.key().as_str() {
        "name" => remote.name = entry.text()?,
        "tls" => {
            let tls = tls::block(entry, tls::Context::Peer, cx)?;
            remote.tls_timeout = tls.timeout.unwrap_or_default();
            remote.tls = Some(tls);
        }
        "url" => remote.urls.push(url::single(entry, "gateway")?),
        "urls" => remote.urls = url::list(entry, "gateway", cx)?,
        _ => cx.unknown(entry),
    }
    Ok(())
}

//! The `cluster {}` block.

use super::authorization::{self, Authorization, check_subjects};
use super::go::{Plain, quote};
use super::options::{Options, auth_timeout, default_to};
use super::read::{ConfigError, Cx, Item, Listen, entries, listen};
use super::{Secret, WriteTimeoutPolicy, tls, url};
use crate::auth::users::{Permissions, SubjectPermission};
use crate::base::duration::GoDuration;
use crate::base::limits;
use crate::conf::ValueKind;
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

/// Longest interval between PINGs on a route.
const MAX_PING_INTERVAL: GoDuration = GoDuration(30_000_000_000);

/// Reads the block. Go: parseCluster.
pub(super) fn parse(
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map =
        item.map_or(|| format!("Expected map to define cluster, got {}", item.type_name()))?;
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, options, cx));
    }
    Ok(())
}

fn field(entry: Item<'_>, options: &mut Options, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let cluster = &mut options.cluster;
    match entry.key().as_str() {
        "name" => {
            let name = entry.string()?;
            if name.contains(' ') {
                return Err(entry.error("cluster name cannot contain spaces"));
            }
            cluster.name = name.to_owned();
        }
        "listen" => Listen { host: cluster.host, port: cluster.port } = listen(entry)?,
        "port" => cluster.port = entry.int()?,
        "host" | "net" => cluster.host = entry.text()?,
        "authorization" => authorize(entry, cluster, cx)?,
        "routes" => options.routes = url::list(entry, "route", cx)?,
        "tls" => {
            let tls = tls::block(entry, tls::Context::Peer, cx)?;
            cluster.tls_timeout = tls.timeout.unwrap_or_default();
            cluster.tls = Some(tls);
        }
        "cluster_advertise" | "advertise" => cluster.advertise = entry.text()?,
        "no_advertise" => {
            cluster.no_advertise = entry.boolean()?;
        }
        "connect_retries" => cluster.connect_retries = entry.int()?,
        "connect_backoff" => cluster.connect_backoff = entry.boolean()?,
        "permissions" => {
            if !matches!(entry.kind(), ValueKind::Map(_)) {
                let got = Plain(entry.kind());
                let message = format!("Expected permissions to be a map/struct, got {got}");
                return Err(entry.placeless(message));
            }
            let permissions = authorization::permissions(entry, cx)?;
            if permissions.response.is_some() {
                let message = "Cluster permissions do not support dynamic responses";
                return Err(entry.error(message));
            }
            cluster.permissions =
                Some(route_permissions(&permissions).map_err(|e| entry.error(e))?);
        }
        "pool_size" => cluster.pool_size = entry.int()?,
        "accounts" => {
            cluster.pinned_accounts = cx.strings("accounts", entry).unwrap_or_default();
        }
        "compression" => cluster.compression = compression(entry, "s2_fast")?,
        "ping_interval" => {
            let interval = cx.duration("ping_interval", entry);
            if interval > MAX_PING_INTERVAL {
                let message = format!(
                    "Cluster 'ping_interval' will reset to {MAX_PING_INTERVAL} which is the max \
                     for routes"
                );
                cx.warnings.push(entry.error(message));
            }
            cluster.ping_interval = interval.to_std();
        }
        "ping_max" => cluster.max_pings_out = entry.int()?,
        "write_deadline" => {
            cluster.write_deadline = cx.duration("write_deadline", entry).to_std();
        }
        "write_timeout" => cluster.write_timeout = cx.write_timeout(entry),
        _ => cx.unknown(entry),
    }
    Ok(())
}

fn authorize(
    entry: Item<'_>,
    cluster: &mut ClusterOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let auth = single_user(entry, "Cluster", cx)?;
    cluster.username = auth.user;
    cluster.password = auth.pass.into();
    cluster.auth_timeout = auth.timeout;
    let Some(permissions) = auth.default_permissions else { return Ok(()) };
    let permissions = route_permissions(&permissions).map_err(|e| entry.error(e))?;
    let reason = "setting \"permissions\" within cluster authorization block is deprecated";
    cx.misuse(entry, entry.name, reason);
    // The block's own permissions win.
    cluster.permissions.get_or_insert(permissions);
    Ok(())
}

/// Authorization that allows one user, for routes and gateways.
pub(super) fn single_user(
    entry: Item<'_>,
    who: &str,
    cx: &mut Cx<'_>,
) -> Result<Authorization, ConfigError> {
    let auth = authorization::block(entry, cx)?;
    let wrong = if auth.users.is_some() {
        "does not allow multiple users"
    } else if !auth.token.is_empty() {
        "does not support tokens"
    } else if auth.callout.is_some() {
        "does not support callouts"
    } else {
        return Ok(auth);
    };
    Err(entry.error(format!("{who} authorization {wrong}")))
}

/// Publish is what is imported, subscribe what is exported.
fn route_permissions(permissions: &Permissions) -> Result<RoutePermissions, String> {
    let check = |side: &str, permission: &Option<SubjectPermission>| {
        let Some(permission) = permission else { return Ok(()) };
        let allow = permission.allow.as_deref().unwrap_or_default();
        check_subjects(allow, false).map_err(|e| format!("cluster {side} allow: {e}"))?;
        check_subjects(&permission.deny, false).map_err(|e| format!("cluster {side} deny: {e}"))
    };
    check("import", &permissions.publish)?;
    check("export", &permissions.subscribe)?;
    Ok(RoutePermissions {
        import: permissions.publish.clone(),
        export: permissions.subscribe.clone(),
    })
}

/// A mode, a switch (`on` is the mode `when_on`) or a block. Modes are validated at start.
/// Go: parseCompression.
pub(super) fn compression(
    item: Item<'_>,
    when_on: &str,
) -> Result<CompressionOptions, ConfigError> {
    let mut compression = CompressionOptions::default();
    match item.kind() {
        ValueKind::String(mode) => compression.mode.clone_from(mode),
        ValueKind::Bool(true) => compression.mode = when_on.to_owned(),
        ValueKind::Bool(false) => compression.mode = "off".to_owned(),
        ValueKind::Map(map) => {
            for entry in entries(map) {
                match entry.key().as_str() {
                    "mode" => compression.mode = entry.text()?,
                    "rtt_thresholds" | "thresholds" | "rtts" | "rtt" => {
                        for rtt in entry.array()? {
                            let rtt = GoDuration::parse(rtt.string()?);
                            let rtt = rtt.map_err(|e| entry.error(e))?;
                            compression.rtt_thresholds.push(GoDuration(rtt.0.max(0)).to_std());
                        }
                    }
                    _ if entry.is_variable => {}
                    _ => {
                        return Err(entry.error(format!("unknown field {}", quote(entry.name))));
                    }
                }
            }
        }
        _ => {
            return Err(item.error(format!(
                "field {} should be a boolean or a structure, got {}",
                quote(item.name),
                item.type_name()
            )));
        }
    }
    Ok(compression)
}

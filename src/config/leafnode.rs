//! The `leafnodes {}` block.

use super::authorization;
use super::cluster::{CompressionOptions, compression};
use super::go::{Plain, quote};
use super::keys::{self, Role};
use super::options::{Options, auth_timeout, default_to};
use super::read::{ConfigError, Cx, Item, Listen, entries, listen};
use super::{Secret, Url, WriteTimeoutPolicy, tls, url};
use crate::auth::users::User;
use crate::base::limits;
use crate::conf::ValueKind;
use crate::tls::TlsOptions;
use std::collections::BTreeSet;
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
    /// A negative time was configured.
    pub(super) negative_timeout: bool,
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

/// Reads the block. Go: parseLeafNodes.
pub(super) fn parse(
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map =
        item.map_or(|| format!("Expected map to define a leafnode, got {}", item.type_name()))?;
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, options, cx));
    }
    Ok(())
}

fn field(entry: Item<'_>, options: &mut Options, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let leaf = &mut options.leafnode;
    match entry.key().as_str() {
        "listen" => Listen { host: leaf.host, port: leaf.port } = listen(entry)?,
        "port" => leaf.port = entry.int()?,
        "host" | "net" => leaf.host = entry.text()?,
        "authorization" => {
            let auth = authorization::leaf_block(entry, cx)?;
            leaf.username = auth.user;
            leaf.password = auth.pass.into();
            leaf.proxy_required = auth.proxy_required;
            leaf.auth_timeout = auth.timeout;
            leaf.account = auth.account;
            leaf.users = auth.users.unwrap_or_default();
            leaf.nkey = auth.nkey;
            leaf.check_users().map_err(|e| entry.error(e))?;
        }
        "remotes" => leaf.remotes = remotes(entry, cx)?,
        "reconnect" | "reconnect_delay" | "reconnect_interval" => {
            leaf.reconnect_interval = cx.duration("reconnect", entry).to_std();
        }
        "dial_timeout" => leaf.dial_timeout = cx.duration("dial_timeout", entry).to_std(),
        "tls" => {
            let tls = tls::block(entry, tls::Context::Client, cx)?;
            leaf.tls_timeout = tls.timeout.unwrap_or_default();
            leaf.tls = Some(tls);
        }
        "leafnode_advertise" | "advertise" => leaf.advertise = entry.text()?,
        "no_advertise" => {
            leaf.no_advertise = entry.boolean()?;
        }
        "min_version" | "minimum_version" => {
            let version = entry.string()?;
            check_version(version).map_err(|e| entry.error(e))?;
            leaf.min_version = version.to_owned();
        }
        "compression" => leaf.compression = compression(entry, "s2_auto")?,
        "isolate_leafnode_interest" | "isolate" => {
            leaf.isolate_leafnode_interest = entry.boolean()?;
        }
        "write_deadline" => leaf.write_deadline = cx.duration("write_deadline", entry).to_std(),
        "write_timeout" => leaf.write_timeout = cx.write_timeout(entry),
        _ => cx.unknown(entry),
    }
    Ok(())
}

impl LeafNodeOptions {
    /// Refuses users that contradict each other.
    pub(super) fn check_users(&self) -> Result<(), String> {
        if self.users.is_empty() {
            return Ok(());
        }
        if !self.username.is_empty() {
            return Err("can not have a single user/pass and a users array".to_owned());
        }
        if !self.nkey.is_empty() {
            return Err("can not have a single nkey and a users array".to_owned());
        }
        let mut names = BTreeSet::new();
        match self.users.iter().find(|user| !names.insert(&user.username)) {
            None => Ok(()),
            Some(user) => {
                let name = quote(&user.username);
                Err(format!("duplicate user {name} detected in leafnode authorization"))
            }
        }
    }
}

/// Refuses what is no semantic version, or one older than 2.8.0.
fn check_version(version: &str) -> Result<(), String> {
    let invalid = || "invalid leafnode's minimum version: invalid semver".to_owned();
    let (core, tail) = version.split_at(version.find(['-', '+']).unwrap_or(version.len()));
    let number = |text: &str| match text.starts_with('0') && text.len() > 1 {
        false if text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<u64>().ok(),
        _ => None,
    };
    let parts: Option<Vec<u64>> = core.split('.').map(number).collect();
    let Some([major, minor, patch]) = parts.and_then(|p| <[u64; 3]>::try_from(p).ok()) else {
        return Err(invalid());
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    if !tail.chars().all(legal) || tail.len() == 1 {
        return Err(invalid());
    }
    match (major, minor, patch) >= (2, 8, 0) {
        true => Ok(()),
        false => Err("the minimum version should be at least 2.8.0".to_owned()),
    }
}

/// Go: parseRemoteLeafNodes.
fn remotes(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Vec<RemoteLeaf>, ConfigError> {
    let items = item
        .array_or(|| format!("Expected remotes field to be an array, got {}", item.type_name()))?;
    let mut names = BTreeSet::new();
    let mut remotes = Vec::with_capacity(items.len());
    for item in items {
        let map = item.map_or(|| {
            format!("Expected remote leafnode entry to be a map/struct, got {}", Plain(item.kind()))
        });
        let Some(map) = cx.check(map) else { continue };
        let mut remote = RemoteLeaf::default();
        let mut proxy = item;
        let mut last = item;
        for entry in entries(map) {
            last = entry;
            if entry.key() == "proxy" {
                proxy = entry;
            }
            cx.check_with(|cx| remote_field(entry, &mut remote, cx));
        }
        if let Err(e) = remote.check_proxy() {
            cx.error(proxy.error(e));
            continue;
        }
        if !names.insert(remote.describe(false)) {
            cx.error(last.error(format!("duplicate remote {}", remote.describe(true))));
            continue;
        }
        remotes.push(remote);
    }
    Ok(remotes)
}

fn remote_field(
    entry: Item<'_>,
    remote: &mut RemoteLeaf,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let both = "Remote leafnode can not have both creds and nkey defined";
    match entry.key().as_str() {
        "no_randomize" | "dont_randomize" => remote.no_randomize = entry.boolean()?,
        "url" | "urls" => match entry.kind() {
            ValueKind::Array(_) => remote.urls = url::list(entry, "leafnode", cx)?,
            ValueKind::String(_) => remote.urls.push(url::single(entry, "leafnode")?),
            other => {
                return Err(entry.error(format!(
                    "Expected remote leafnode url to be an array or string, got {}",
                    Plain(other)
                )));
            }
        },
        "account" | "local" => remote.local_account = entry.text()?,
        "creds" | "credentials" => {
            let path = expand_path(cx, entry.string()?).map_err(|e| entry.error(e))?;
            if !remote.nkey.is_empty() {
                return Err(entry.error(both));
            }
            remote.credentials = path;
        }
        "nkey" | "seed" => {
            let seed = entry.string()?;
            if !keys::is_seed(Role::User, seed) {
                let seed = quote(seed);
                let message = format!("Remote leafnode nkey is not a valid seed: {seed}");
                return Err(entry.error(message));
            }
            if !remote.credentials.is_empty() {
                return Err(entry.error(both));
            }
            remote.nkey = seed.into();
        }
        "tls" => {
            let tls = tls::block(entry, tls::Context::Client, cx)?;
            remote.tls_timeout = tls.timeout.unwrap_or(limits::TLS_TIMEOUT);
            remote.tls_handshake_first = tls.handshake_first;
            remote.tls = Some(tls);
        }
        "hub" => remote.hub = entry.boolean()?,
        "deny_imports" | "deny_import" => {
            remote.deny_imports = authorization::subjects(entry, false)?;
        }
        "deny_exports" | "deny_export" => {
            remote.deny_exports = authorization::subjects(entry, false)?;
        }
        "ws_compress" | "ws_compression" | "websocket_compress" | "websocket_compression" => {
            remote.websocket_compression = entry.boolean()?;
        }
        "ws_no_masking" | "websocket_no_masking" => {
            remote.websocket_no_masking = entry.boolean()?;
        }
        "jetstream_cluster_migrate" | "js_cluster_migrate" => migrate(entry, remote, cx)?,
        "isolate_leafnode_interest" | "isolate" => remote.local_isolation = entry.boolean()?,
        "request_isolation" => remote.request_isolation = entry.boolean()?,
        "compression" => remote.compression = compression(entry, "s2_auto")?,
        "first_info_timeout" => {
            remote.first_info_timeout = cx.duration(entry.name, entry).to_std();
        }
        "dial_timeout" => remote.dial_timeout = cx.duration(entry.name, entry).to_std(),
        "disabled" => remote.disabled = entry.boolean()?,
        "proxy" => proxy(entry, &mut remote.proxy, cx)?,
        "ignore_discovered_servers" => remote.ignore_discovered_servers = entry.boolean()?,
        _ => cx.unknown(entry),
    }
    Ok(())
}

fn migrate(entry: Item<'_>, remote: &mut RemoteLeaf, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let key = "leader_migrate_delay";
    match entry.kind() {
        ValueKind::Bool(migrate) => remote.jetstream_cluster_migrate = *migrate,
        ValueKind::Map(map) => {
            remote.jetstream_cluster_migrate = true;
            if let Some(delay) = entries(map).find(|entry| entry.name == key) {
                remote.jetstream_cluster_migrate_delay = cx.duration(key, delay).to_std();
            }
        }
        _ => {
            return Err(entry.placeless(format!(
                "Expected boolean or map for jetstream_cluster_migrate, got {}",
                entry.type_name()
            )));
        }
    }
    Ok(())
}

fn proxy(entry: Item<'_>, proxy: &mut LeafProxy, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let map = entry.map_or(|| format!("Expected proxy to be a map, got {}", entry.type_name()))?;
    for entry in entries(map) {
        match entry.key().as_str() {
            "url" => proxy.url = entry.text()?,
            "username" => proxy.username = entry.text()?,
            "password" => proxy.password = entry.text()?.into(),
            "timeout" => {
                let timeout = cx.duration("proxy timeout", entry);
                proxy.negative_timeout = timeout.0 < 0;
                proxy.timeout = timeout.to_std();
            }
            _ => cx.unknown(entry),
        }
    }
    Ok(())
}

/// `~` and variables in a path. Go: expandPath.
fn expand_path(cx: &Cx<'_>, path: &str) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let name = &rest[at + 1..];
        let braced = name.strip_prefix('{').and_then(|n| n.split_once('}'));
        let word = |c: char| !(c == '_' || c.is_ascii_alphanumeric());
        let (name, after) =
            braced.unwrap_or_else(|| name.split_at(name.find(word).unwrap_or(name.len())));
        expanded.push_str(&cx.env.var(name).unwrap_or_default());
        rest = after;
    }
    expanded.push_str(rest);
    let Some(rest) = expanded.strip_prefix('~') else { return Ok(expanded) };
    let home = cx.env.var("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or("failed to get home dir, require $HOME")?;
    Ok(format!("{}/{}", home.trim_end_matches('/'), rest.trim_start_matches('/')))
}

impl RemoteLeaf {
    /// URLs, account and credentials as messages name a remote.
    pub fn describe(&self, redacted: bool) -> String {
        let urls: Vec<String> = self
            .urls
            .iter()
            .map(|url| quote(&if redacted { url.redacted() } else { url.with_secrets() }))
            .collect();
        let account = match self.local_account.as_str() {
            "" => "$G",
            name => name,
        };
        let tail = match (self.credentials.as_str(), &*self.nkey) {
            ("", "") => String::new(),
            ("", _) if redacted => ", nkey=\"[REDACTED]\"".to_owned(),
            ("", nkey) => format!(", nkey={}", quote(nkey)),
            (creds, _) => format!(", credentials={}", quote(creds)),
        };
        format!("urls=[{}], account={}{tail}", urls.join(" "), quote(account))
    }

    /// Refuses a proxy that cannot work.
    pub(super) fn check_proxy(&self) -> Result<(), String> {
        let LeafProxy { username, password, timeout, negative_timeout, .. } = &self.proxy;
        if self.proxy.url.is_empty() {
            let others = !username.is_empty()
                || !password.is_empty()
                || !timeout.is_zero()
                || *negative_timeout;
            return match others {
                true => Err("proxy URL must be specified when other proxy options are set".into()),
                false => Ok(()),
            };
        }
        let url = Url::parse(&self.proxy.url).map_err(|e| format!("invalid proxy URL: {e}"))?;
        if url.scheme != "http" && url.scheme != "https" {
            let scheme = &url.scheme;
            return Err(format!("proxy URL scheme must be http or https, got: {scheme}"));
        }
        if url.host.is_empty() {
            return Err("proxy URL must specify a host".to_owned());
        }
        if self.proxy.negative_timeout {
            return Err("proxy timeout must be >= 0".to_owned());
        }
        if self.proxy.username.is_empty() != self.proxy.password.is_empty() {
            return Err(
                "proxy username and password must both be specified or both be empty".to_owned()
            );
        }
        let secure = self.urls.iter().find(|url| url.scheme == "wss");
        if let (Some(url), None, false) = (secure, &self.tls, self.tls_required) {
            return Err(format!(
                "proxy is configured but remote URL {} requires TLS and no TLS configuration is \
                 provided. When using proxy with TLS endpoints, ensure TLS is properly configured \
                 for the leafnode remote",
                url.with_secrets()
            ));
        }
        Ok(())
    }
}

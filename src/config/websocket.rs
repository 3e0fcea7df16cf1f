//! The `websocket {}` block.

use super::read::{ConfigError, Cx, Item, Listen, entries, listen};
use super::{Secret, authorization, tls};
use crate::base::duration::GoDuration;
use crate::conf::ValueKind;
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

/// Reads the block. Go: parseWebsocket.
pub(super) fn parse(
    item: Item<'_>,
    ws: &mut WebsocketOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map =
        item.map_or(|| format!("Expected websocket to be a map, got {}", item.type_name()))?;
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, ws, cx));
    }
    Ok(())
}

fn field(entry: Item<'_>, ws: &mut WebsocketOptions, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    match entry.key().as_str() {
        "listen" => Listen { host: ws.host, port: ws.port } = listen(entry)?,
        "port" => ws.port = entry.int()?,
        "host" | "net" => ws.host = entry.text()?,
        "advertise" => ws.advertise = entry.text()?,
        "no_tls" => ws.no_tls = entry.boolean()?,
        "tls" => ws.tls = Some(tls::block(entry, tls::Context::Client, cx)?),
        "same_origin" => ws.same_origin = entry.boolean()?,
        "allowed_origins" | "allowed_origin" | "allow_origins" | "allow_origin" | "origins"
        | "origin" => {
            ws.allowed_origins = cx.strings("allowed origins", entry).unwrap_or_default();
        }
        "handshake_timeout" => ws.handshake_timeout = handshake_timeout(entry)?,
        "compress" | "compression" => ws.compression = entry.boolean()?,
        "authorization" | "authentication" => {
            let auth = authorization::simple_block(entry, cx)?;
            ws.username = auth.user;
            ws.password = auth.pass.into();
            ws.token = auth.token.into();
            ws.auth_timeout = auth.timeout;
        }
        "jwt_cookie" => ws.jwt_cookie = entry.text()?,
        "user_cookie" => ws.username_cookie = entry.text()?,
        "pass_cookie" => ws.password_cookie = entry.text()?,
        "token_cookie" => ws.token_cookie = entry.text()?,
        "no_auth_user" => ws.no_auth_user = entry.text()?,
        "headers" => headers(entry, ws, cx)?,
        "ping_interval" => ws.ping_interval = cx.duration("ping_interval", entry).to_std(),
        _ => cx.unknown(entry),
    }
    Ok(())
}

/// Seconds, without the usual warning, or a duration.
fn handshake_timeout(entry: Item<'_>) -> Result<Duration, ConfigError> {
    match entry.kind() {
        ValueKind::Integer(n) => Ok(GoDuration(n.wrapping_mul(1_000_000_000)).to_std()),
        ValueKind::String(_) => Ok(entry.duration("")?.to_std()),
        _ => Err(entry.error(format!(
            "error parsing handshake timeout: unsupported type {}",
            entry.type_name()
        ))),
    }
}

fn headers(entry: Item<'_>, ws: &mut WebsocketOptions, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let map = entry
        .map_or(|| format!("error parsing headers: unsupported type {}", entry.type_name()))?;
    ws.headers.clear();
    for header in entries(map) {
        let value = header.text().map_err(|_| {
            let (name, got) = (header.name, header.type_name());
            header.error(format!("error parsing header key {name}: unsupported type {got}"))
        });
        if let Some(value) = cx.check(value) {
            ws.headers.insert(header.name.to_owned(), value);
        }
    }
    Ok(())
}

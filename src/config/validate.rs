//! Whether options make sense together. Go: validateOptions and what it calls.

use super::accounts::AccountOptions;
use super::authorization::check_subjects;
use super::cluster::CompressionOptions;
use super::go::{quote, split_host_port};
use super::keys::{self, Role};
use super::options::Options;
use super::url::Url;
use crate::auth::users::Permissions;
use crate::base::duration::GoDuration;
use std::collections::BTreeSet;
use std::time::Duration;

/// Options that contradict each other; the text is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOptions(String);

impl Options {
    /// Refuses options that contradict each other and brings names into their canonical form.
    pub fn validate(&mut self) -> Result<(), InvalidOptions> {
        self.check().map_err(InvalidOptions)
    }

    fn check(&mut self) -> Result<(), String> {
        let (duration, grace) = (self.lame_duck_duration, self.lame_duck_grace_period);
        if !duration.is_zero() && grace >= duration {
            return Err(format!(
                "lame duck grace period ({}) should be strictly lower than lame duck duration ({})",
                go(grace),
                go(duration)
            ));
        }
        if i64::from(self.max_payload) > self.max_pending {
            return Err(format!(
                "max_payload ({}) cannot be higher than max_pending ({})",
                self.max_payload, self.max_pending
            ));
        }
        if self.server_name.contains(' ') {
            return Err("server name cannot contain spaces".to_owned());
        }
        self.check_operators()?;
        self.check_leafnode()?;
        self.check_auth()?;
        self.check_proxies()?;
        self.check_gateway()?;
        self.check_cluster()?;
        self.check_mqtt()?;
        self.check_jetstream()?;
        self.check_websocket()
    }

    fn check_operators(&self) -> Result<(), String> {
        let operator = &self.operator;
        let error = |text: &str| Err(text.to_owned());
        if operator.operators.is_empty() {
            return match self.default_sentinel.is_empty() {
                true => Ok(()),
                false => error("default sentinel requires operators and accounts"),
            };
        }
        if operator.resolver.is_none() {
            return error("operators require an account resolver to be configured");
        }
        if !self.accounts.is_empty() {
            return error("operators do not allow Accounts to be configured directly");
        }
        if !self.users.is_empty() || !self.nkeys.is_empty() {
            return error("operators do not allow users to be configured directly");
        }
        if !operator.trusted_keys.is_empty() {
            return error("conflicting options for 'TrustedKeys' and 'TrustedOperators'");
        }
        Ok(())
    }

    fn check_auth(&self) -> Result<(), String> {
        for user in &self.users {
            check_permissions(user.permissions.as_deref()).map_err(|e| {
                format!("invalid permissions for user {}: {e}", quote(&user.username))
            })?;
        }
        for user in &self.nkeys {
            check_permissions(user.permissions.as_deref())
                .map_err(|e| format!("invalid permissions for nkey {}: {e}", quote(&user.nkey)))?;
        }
        self.check_no_auth_user(&self.no_auth_user)
    }

    fn check_no_auth_user(&self, name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Ok(());
        }
        if !self.operator.operators.is_empty() {
            return Err("no_auth_user not compatible with Trusted Operator".to_owned());
        }
        if self.users.is_empty() && self.nkeys.is_empty() {
            return Err(format!(
                "no_auth_user: \"{name}\" present, but users/nkeys are not defined"
            ));
        }
        let user = self.users.iter().any(|user| user.username == name);
        match user || self.nkeys.iter().any(|user| user.nkey == name) {
            true => Ok(()),
            false => Err(format!(
                "no_auth_user: \"{name}\" not present as user or nkey in authorization block or \
                 account configuration"
            )),
        }
    }

    fn check_proxies(&self) -> Result<(), String> {
        let mut trusted = self.proxies.iter().flatten();
        match trusted.find(|key| !keys::is_any_public(key)) {
            None => Ok(()),
            Some(key) => Err(format!("proxy trusted key {} is invalid", quote(key))),
        }
    }

    fn check_gateway(&self) -> Result<(), String> {
        let gateway = &self.gateway;
        if gateway.name.is_empty() && gateway.port == 0 {
            return Ok(());
        }
        if gateway.name.is_empty() {
            return Err("gateway has no name".to_owned());
        }
        if gateway.name.contains(' ') {
            return Err("gateway name cannot contain spaces".to_owned());
        }
        if gateway.port == 0 {
            let name = quote(&gateway.name);
            let hint = "select -1 for random port";
            return Err(format!("gateway {name} has no port specified ({hint})"));
        }
        for (i, remote) in gateway.gateways.iter().enumerate() {
            if remote.name.is_empty() {
                return Err(format!("gateway in the list {i} has no name"));
            }
            if remote.urls.is_empty() {
                return Err(format!("gateway {} has no URL", quote(&remote.name)));
            }
        }
        Ok(())
    }

    fn check_cluster(&mut self) -> Result<(), String> {
        let cluster = &mut self.cluster;
        if cluster.name.contains(' ') {
            return Err("cluster name cannot contain spaces".to_owned());
        }
        cluster.compression.normalize("s2_fast")?;
        if !self.gateway.name.is_empty() && self.gateway.name != cluster.name {
            if !cluster.name.is_empty() {
                let text = "cluster name conflicts between cluster and gateway definitions";
                return Err(text.to_owned());
            }
            cluster.name.clone_from(&self.gateway.name);
        }
        let pinned = &cluster.pinned_accounts;
        if !pinned.is_empty() && cluster.pool_size < 0 {
            let text = "pool_size cannot be negative if pinned accounts are specified";
            return Err(text.to_owned());
        }
        let mut seen = BTreeSet::new();
        match pinned.iter().find(|name| !seen.insert(name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let all: Vec<String> = pinned.iter().map(|name| quote(name)).collect();
                let (name, all) = (quote(name), all.join(" "));
                Err(format!("found duplicate account name {name} in pinned accounts list [{all}]"))
            }
        }
    }

    fn check_leafnode(&mut self) -> Result<(), String> {
        self.leafnode.check_users()?;
        let mut names = BTreeSet::new();
        for remote in &mut self.leafnode.remotes {
            if remote.local_account.is_empty() {
                remote.local_account = "$G".to_owned();
            }
            if !names.insert(remote.describe(false)) {
                return Err(format!("duplicate remote {}", remote.describe(true)));
            }
        }
        if self.operator.operators.is_empty() {
            self.check_leaf_accounts()?;
        } else if !self.leafnode.users.is_empty() {
            let text = "operator mode does not allow specifying users in leafnode config";
            return Err(text.to_owned());
        }
        self.leafnode.compression.normalize("s2_auto")?;
        for remote in &mut self.leafnode.remotes {
            remote.check_proxy()?;
            let websocket = |url: &Url| url.scheme == "ws" || url.scheme == "wss";
            let count = remote.urls.iter().filter(|url| websocket(url)).count();
            if count != 0 && count != remote.urls.len() {
                let urls: Vec<String> =
                    remote.urls.iter().map(|url| quote(&url.redacted())).collect();
                return Err(format!(
                    "remote leaf node configuration cannot have a mix of websocket and \
                     non-websocket urls: [{}]",
                    urls.join(" ")
                ));
            }
            remote.compression.normalize("s2_auto")?;
        }
        let gateways = !self.gateway.name.is_empty() || self.gateway.port != 0;
        if self.leafnode.port != 0 && gateways && self.system_account.is_empty() {
            return Err(
                "leaf nodes and gateways (both being defined) require a system account to \
                        also be configured"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Leaf nodes may be bound to accounts that exist.
    fn check_leaf_accounts(&self) -> Result<(), String> {
        let system = self.system_account.is_empty() && !self.no_system_account;
        let exists = |name: &str| {
            matches!(name, "" | "$G")
                || system && name == "$SYS"
                || self.accounts.iter().any(|account| account.name == name)
        };
        let leaf = &self.leafnode;
        let users = leaf.users.iter().filter_map(|user| user.account.as_deref());
        let named = std::iter::once(leaf.account.as_str()).chain(users);
        let named = named.map(|name| (name, "authorization"));
        let remotes = leaf.remotes.iter().map(|r| (r.local_account.as_str(), "remote"));
        match named.chain(remotes).find(|(name, _)| !exists(name)) {
            None => Ok(()),
            Some((name, place)) => {
                let name = quote(name);
                Err(format!("cannot find local account {name} specified in leafnode {place}"))
            }
        }
    }

    /// Whether users or nkeys are configured.
    fn has_users(&self) -> bool {
        !self.users.is_empty() || !self.nkeys.is_empty()
    }

    fn check_mqtt(&self) -> Result<(), String> {
        let mqtt = &self.mqtt;
        if mqtt.port == 0 {
            return Ok(());
        }
        let clustered = self.cluster.port != 0 || self.gateway.port != 0;
        let error = |text: &str| Err(text.to_owned());
        if self.server_name.is_empty() && clustered {
            return error("mqtt requires server name to be explicitly set");
        }
        self.check_no_auth_user(&mqtt.no_auth_user)?;
        let mixed = "not compatible with presence of users/nkeys";
        if self.has_users() && !mqtt.username.is_empty() {
            return Err(format!("mqtt authentication username {mixed}"));
        }
        if self.has_users() && !mqtt.token.is_empty() {
            return Err(format!("mqtt authentication token {mixed}"));
        }
        if mqtt.negative_ack_wait {
            return error("ack wait must be a positive value");
        }
        if mqtt.negative_js_api_timeout {
            return error("JS API timeout must be a positive value");
        }
        let leaf = self.leafnode.port != 0 || !self.leafnode.remotes.is_empty();
        if !self.jetstream.enabled && !clustered && !leaf {
            return error("mqtt requires JetStream to be enabled if running in standalone mode");
        }
        Ok(())
    }

    fn check_jetstream(&self) -> Result<(), String> {
        let system = match self.system_account.as_str() {
            "" => "$SYS",
            name => name,
        };
        for (account, domain) in &self.jetstream.account_default_domain {
            let name = quote(account);
            if self.operator.operators.is_empty() {
                self.check_default_domain(account, domain)?;
            } else if !keys::is_public(Role::Account, account) {
                return Err(format!(
                    "default_js_domain contains account name {name}, which is not a valid public \
                     account nkey"
                ));
            }
            if account == system {
                return Err(format!("system account {name} can not be in default_js_domain"));
            }
            let api = format!("$JS.{domain}.API.>");
            if !domain.is_empty() && check_subjects(&[api], false).is_err() {
                let domain = quote(domain);
                return Err(format!(
                    "default_js_domain contains account {name} with invalid domain name {domain}"
                ));
            }
        }
        Ok(())
    }

    fn check_default_domain(&self, account: &str, domain: &str) -> Result<(), String> {
        let name = quote(account);
        let found = self.accounts.iter().find(|a: &&AccountOptions| a.name == account);
        match found {
            _ if account == "$G" => Ok(()),
            Some(found) if found.jetstream.is_some() && !domain.is_empty() => Err(format!(
                "default_js_domain contains account name {name} with enabled JetStream"
            )),
            Some(_) => Ok(()),
            None => Err(format!(
                "in non operator mode, `default_js_domain` references non existing account {name}"
            )),
        }
    }

    fn check_websocket(&self) -> Result<(), String> {
        let ws = &self.websocket;
        if ws.port == 0 {
            return Ok(());
        }
        if ws.tls.is_none() && !ws.no_tls {
            return Err("websocket requires TLS configuration".to_owned());
        }
        ws.allowed_origins.iter().try_for_each(|origin| check_origin(origin))?;
        self.check_no_auth_user(&ws.no_auth_user)?;
        let mixed = "not compatible with presence of users/nkeys";
        if self.has_users() && !ws.username.is_empty() {
            return Err(format!("websocket authentication username {mixed}"));
        }
        if self.has_users() && !ws.token.is_empty() {
            return Err(format!("websocket authentication token {mixed}"));
        }
        let operator = &self.operator;
        if !ws.jwt_cookie.is_empty()
            && operator.operators.is_empty()
            && operator.trusted_keys.is_empty()
        {
            return Err(format!(
                "trusted operators or trusted keys configuration is required for JWT \
                 authentication via cookie {}",
                quote(&ws.jwt_cookie)
            ));
        }
        ws.headers.keys().try_for_each(|name| check_header(name))
    }
}

fn go(duration: Duration) -> GoDuration {
    GoDuration(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

fn check_permissions(permissions: Option<&Permissions>) -> Result<(), String> {
    let Some(permissions) = permissions else { return Ok(()) };
    let sides =
        [("publish", &permissions.publish, false), ("subscribe", &permissions.subscribe, true)];
    for (side, permission, queues) in sides {
        let Some(permission) = permission else { continue };
        let allow = permission.allow.as_deref().unwrap_or_default();
        check_subjects(allow, queues).map_err(|e| format!("{side} allow: {e}"))?;
        check_subjects(&permission.deny, queues).map_err(|e| format!("{side} deny: {e}"))?;
    }
    Ok(())
}

fn check_origin(origin: &str) -> Result<(), String> {
    let absolute = "allowed origins must be absolute URLs with http or https scheme";
    let url = Url::parse(origin).map_err(|e| format!("unable to parse allowed origin: {e}"))?;
    let name = quote(origin);
    if url.scheme.is_empty() && !origin.starts_with('/') {
        return Err(format!(
            "unable to parse allowed origin: parse {name}: invalid URI for request"
        ));
    }
    if url.scheme != "http" && url.scheme != "https" {
        return Err(format!("unable to parse allowed origin {name}: {absolute}"));
    }
    match url.host.is_empty() {
        true => Err(format!("unable to parse allowed origin {name}: host is required")),
        false => Ok(()),
    }
}

fn check_header(name: &str) -> Result<(), String> {
    let lower = name.to_lowercase();
    let name = quote(name);
    match lower.as_str() {
        "host" | "content-length" | "connection" | "upgrade" | "nats-no-masking" => {
            Err(format!("websocket: invalid header {name} not allowed"))
        }
        _ if lower.starts_with("sec-websocket-") => {
            Err(format!("websocket: invalid header {name}, \"Sec-WebSocket-\" prefix not allowed"))
        }
        _ => Ok(()),
    }
}

/// `host[:port]`, as `client_advertise` has it. Go: parseHostPort with port 0.
pub(super) fn host_port(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let port = match split_host_port(text) {
        Ok((_, port)) => port,
        Err(e) if e.ends_with("missing port in address") => return Ok(()),
        Err(e) => return Err(e),
    };
    super::go::parse_int("Atoi", port.trim()).map(drop)
}

impl CompressionOptions {
    /// Gives the mode its canonical name. Go: validateAndNormalizeCompressionOption.
    fn normalize(&mut self, when_on: &str) -> Result<(), String> {
        if self.mode.is_empty() {
            return Ok(());
        }
        let lower = self.mode.to_lowercase();
        let mode = match lower.as_str() {
            "on" | "enabled" | "true" => when_on,
            mode => mode,
        };
        self.mode = match mode {
            "not supported" | "not_supported" => "not supported",
            "disabled" | "off" | "false" => "off",
            "accept" => "accept",
            "auto" | "s2_auto" => {
                self.normalize_thresholds()?;
                "s2_auto"
            }
            "fast" | "s2_fast" => "s2_fast",
            "better" | "s2_better" => "s2_better",
            "best" | "s2_best" => "s2_best",
            _ => return Err(format!("unsupported compression mode {}", quote(&self.mode))),
        }
        .to_owned();
        Ok(())
    }

    /// Ascending, at most four; a zero skips its level, zeros at the end say nothing.
    fn normalize_thresholds(&mut self) -> Result<(), String> {
        if self.rtt_thresholds.is_empty() {
            self.rtt_thresholds = [10, 50, 100].map(Duration::from_millis).into();
            return Ok(());
        }
        let all = || {
            let all: Vec<String> =
                self.rtt_thresholds.iter().map(|rtt| go(*rtt).to_string()).collect();
            all.join(" ")
        };
        let mut highest = Duration::ZERO;
        for rtt in self.rtt_thresholds.iter().filter(|rtt| !rtt.is_zero()) {
            if *rtt < highest {
                let all = all();
                return Err(format!("RTT threshold values [{all}] should be in ascending order"));
            }
            highest = *rtt;
        }
        let used = self.rtt_thresholds.iter().rposition(|rtt| !rtt.is_zero());
        let mode = quote(&self.mode);
        match used.map_or(0, |last| last + 1) {
            0 => Err(format!("compression mode {mode} requires at least one RTT threshold")),
            5.. => Err(format!(
                "compression mode {mode} should have no more than 4 RTT thresholds: [{}]",
                all()
            )),
            used => {
                self.rtt_thresholds.truncate(used);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Env;
    use crate::config::load_str;

    #[test]
    fn contradictions_are_refused_with_upstreams_text() {
        let check = |text: &str, want: Result<(), &str>| {
            let (mut options, _) = load_str(&Env::simulated(1), text).unwrap();
            let got = options.validate().map_err(|e| e.to_string());
            assert_eq!(got.as_ref().map_err(String::as_str).copied(), want, "{text}");
        };
        check("port: 1", Ok(()));
        check(
            "lame_duck_duration: '30s', lame_duck_grace_period: '30s'",
            Err("lame duck grace period (30s) should be strictly lower than lame duck duration \
                 (30s)"),
        );
        check(
            "max_payload: 2k, max_pending: 1k",
            Err("max_payload (2000) cannot be higher than max_pending (1000)"),
        );
        check(
            "no_auth_user: a",
            Err("no_auth_user: \"a\" present, but users/nkeys are not defined"),
        );
        check(
            "no_auth_user: a, authorization { users: [{user: b}] }",
            Err(
                "no_auth_user: \"a\" not present as user or nkey in authorization block or account \
                 configuration",
            ),
        );
        check("gateway { port: 1 }", Err("gateway has no name"));
        check("websocket { port: 1 }", Err("websocket requires TLS configuration"));
        check("cluster { port: 1, compression: x }", Err("unsupported compression mode \"x\""));
        check(
            "cluster { port: 1, compression { mode: auto, rtts: ['2s', '1s'] } }",
            Err("RTT threshold values [2s 1s] should be in ascending order"),
        );
        check(
            "mqtt { port: 1 }",
            Err("mqtt requires JetStream to be enabled if running in standalone mode"),
        );
        check(
            "leafnodes { port: 1, authorization { account: X } }",
            Err("cannot find local account \"X\" specified in leafnode authorization"),
        );
    }
}

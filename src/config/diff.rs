//! What a reload changes: two values of [`Options`] compared, field by field.
//!
//! [`reload_diff`] takes the new options apart without `..`: a field that is added does not compile
//! until someone decides here what its change means. Go: server/reload.go diffOptions.

use super::options::{Options, Unsupported, WriteTimeoutPolicy};
use crate::base::duration::GoDuration;
use crate::tls::TlsOptions;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// What must be done beside publishing the new options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Set the log up anew.
    Logging,
    /// Set the log up anew and tell connections what is traced.
    TraceLevel,
    /// Load certificates; new handshakes use them.
    Tls,
    /// Judge all connections again.
    Auth,
    /// Publish the server's statistics.
    Statsz,
    /// Close the newest connections above the limit.
    MaxConnections,
    /// Write the process id.
    PidFile,
    /// Move the ports file.
    PortsFileDir,
    /// Tell connections.
    MaxControlLine,
    /// Tell connections, and clients in INFO.
    MaxPayload,
    /// Tell clients in INFO.
    ClientAdvertise,
    /// Nothing: readers find the new value.
    Published,
}

/// One change that can be made while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What must be done.
    pub effect: Effect,
    /// Logged as notice once it is done; empty is not logged.
    pub notice: String,
}

/// Everything a reload changes, in upstream's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether any change needs this.
    pub fn needs(&self, effect: Effect) -> bool {
        self.changes.iter().any(|change| change.effect == effect)
    }

    fn add(&mut self, effect: Effect, notice: impl Into<String>) {
        self.changes.push(Change { effect, notice: notice.into() });
    }

    /// A plain value: if it changed, its effect and `Reloaded: name = value`.
    fn value<T: PartialEq + Display>(&mut self, effect: Effect, name: &str, old: &T, new: &T) {
        if old != new {
            self.add(effect, format!("Reloaded: {name} = {new}"));
        }
    }
}

/// Why a reload is refused; the running options stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The field can only be set at start.
    #[error("config reload not supported for {field}: old={old}, new={new}")]
    Fixed {
        /// Upstream's name of the field.
        field: &'static str,
        /// What it is.
        old: String,
        /// What it was to be.
        new: String,
    },
    /// The new value is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The file now asks for a subsystem that does not exist yet.
    #[error("{}", not_supported(.0))]
    Unsupported(Unsupported),
}

/// The text of a start or reload that fails for want of a subsystem.
pub fn not_supported(unsupported: &Unsupported) -> String {
    match &unsupported.pos {
        Some(pos) => format!("{pos}: {:?} is not supported yet", unsupported.key),
        None => format!("{} is not supported yet", unsupported.key),
    }
}

/// Refuses any change of a value that can only be set at start.
fn fixed<T: PartialEq + Show>(field: &'static str, old: &T, new: &T) -> Result<(), ReloadError> {
    match old == new {
        true => Ok(()),
        false => Err(ReloadError::Fixed { field, old: old.show(), new: new.show() }),
    }
}

/// Compares validated options; the plan takes a server from `old` to `new`.
pub fn reload_diff(old: &Options, new: &Options) -> Result<Plan, ReloadError> {
    if let Some(unsupported) = new.unsupported().first() {
        return Err(ReloadError::Unsupported(unsupported.clone()));
    }
    let mut plan = Plan::default();
    let Options {
        // Where the options come from.
        config_file: _,
        config_digest: _,
        check_config: _,
        flags: _,
        unsupported: _,
        // Not to be set by files.
        no_log: _,
        no_sigs: _,
        disable_short_first_ping: _,
        routes_str: _,
        // In upstream's order from here.
        server_name,
        host,
        port,
        dont_listen,
        client_advertise,
        trace,
        debug,
        trace_verbose,
        trace_headers,
        no_sublist_cache,
        no_header_support,
        logtime,
        logtime_utc,
        max_conn,
        max_subs,
        max_sub_tokens,
        nkeys,
        // Accounts and users are judged anew with every reload.
        users: _,
        accounts: _,
        mappings: _,
        default_permissions: _,
        auth_block_defined: _,
        no_auth_user,
        default_sentinel,
        system_account,
        no_system_account,
        username,
        password,
        proxy_required,
        proxy_protocol,
        authorization,
        auth_callout,
        ping_interval,
        max_pings_out,
        http_host,
        http_port,
        http_base_path,
        https_port,
        auth_timeout,
        max_control_line,
        max_payload,
        max_pending,
        no_fast_producer_stall,
        // Subsystems that do not exist yet: a server with one did not start.
        cluster: _,
        gateway: _,
        leafnode: _,
        jetstream: _,
        websocket: _,
        mqtt: _,
        routes: _,
        operator: _,
        proxies: _,
        ocsp: _,
        ocsp_cache: _,
        // Without JetStream and resolvers nothing is stored.
        store_dir: _,
        prof_port,
        prof_block_rate,
        pid_file,
        ports_file_dir,
        log_file,
        log_size_limit,
        log_max_files,
        syslog,
        remote_syslog,
        tls_timeout,
        tls,
        allow_non_tls,
        write_deadline,
        write_timeout,
        max_closed_clients,
        lame_duck_duration,
        lame_duck_grace_period,
        max_traced_msg_len,
        connect_error_reports,
        reconnect_error_reports,
        server_tags,
        server_metadata,
        feature_flags,
    } = new;

    fixed("ServerName", &old.server_name, server_name)?;
    fixed("Host", &old.host, host)?;
    // A random port stays the one that was chosen.
    if *port != -1 {
        fixed("Port", &old.port, port)?;
    }
    fixed("DontListen", &old.dont_listen, dont_listen)?;
    if old.client_advertise != *client_advertise {
        check_advertise(client_advertise)?;
        plan.add(Effect::ClientAdvertise, format!("Reload: client_advertise = {client_advertise}"));
    }
    plan.value(Effect::TraceLevel, "trace", &old.trace, trace);
    plan.value(Effect::Logging, "debug", &old.debug, debug);
    plan.value(Effect::TraceLevel, "trace_verbose", &old.trace_verbose, trace_verbose);
    plan.value(Effect::TraceLevel, "trace_headers", &old.trace_headers, trace_headers);
    fixed("NoSublistCache", &old.no_sublist_cache, no_sublist_cache)?;
    fixed("NoHeaderSupport", &old.no_header_support, no_header_support)?;
    plan.value(Effect::Logging, "logtime", &old.logtime, logtime);
    plan.value(Effect::Logging, "logtime_utc", &old.logtime_utc, logtime_utc);
    plan.value(Effect::MaxConnections, "max_connections", &old.max_conn, max_conn);
    fixed("MaxSubs", &old.max_subs, max_subs)?;
    fixed("MaxSubTokens", &old.max_sub_tokens, max_sub_tokens)?;
    if !same_set(&old.nkeys, nkeys, |user| &user.nkey) {
        plan.add(Effect::Auth, "Reloaded: authorization nkey users");
    }
    plan.add(Effect::Auth, "Reloaded: authorization users");
    plan.add(Effect::Auth, "Reloaded: accounts");
    diff_no_auth_user(old, new, no_auth_user)?;
    if old.default_sentinel != *default_sentinel {
        plan.add(
            Effect::Published,
            format!("Reloaded: default_sentinel = {}", &**default_sentinel),
        );
    }
    if old.system_account != "$SYS" || !system_account.is_empty() {
        fixed("SystemAccount", &old.system_account, system_account)?;
    }
    fixed("NoSystemAccount", &old.no_system_account, no_system_account)?;
    if old.username != *username {
        plan.add(Effect::Auth, "Reloaded: authorization username");
    }
    if old.password != *password {
        plan.add(Effect::Auth, "Reloaded: authorization password");
    }
    fixed("ProxyRequired", &old.proxy_required, proxy_required)?;
    fixed("ProxyProtocol", &old.proxy_protocol, proxy_protocol)?;
    if old.authorization != *authorization {
        plan.add(Effect::Auth, "Reloaded: authorization token");
    }
    if old.auth_callout != *auth_callout {
        let (old, new) = (format!("{:?}", old.auth_callout), format!("{auth_callout:?}"));
        return Err(ReloadError::Fixed { field: "AuthCallout", old, new });
    }
    plan.value(Effect::Published, "ping_interval", &Go(old.ping_interval), &Go(*ping_interval));
    plan.value(Effect::Published, "ping_max", &old.max_pings_out, max_pings_out);
    fixed("HTTPHost", &old.http_host, http_host)?;
    fixed("HTTPPort", &old.http_port, http_port)?;
    fixed("HTTPBasePath", &old.http_base_path, http_base_path)?;
    fixed("HTTPSPort", &old.https_port, https_port)?;
    let timeout = auth_timeout.as_secs_f64();
    plan.value(
        Effect::Published,
        "authorization timeout",
        &old.auth_timeout.as_secs_f64(),
        &timeout,
    );
    plan.value(Effect::MaxControlLine, "max_control_line", &old.max_control_line, max_control_line);
    plan.value(Effect::MaxPayload, "max_payload", &old.max_payload, max_payload);
    fixed("MaxPending", &old.max_pending, max_pending)?;
    if old.no_fast_producer_stall != *no_fast_producer_stall {
        let not = if *no_fast_producer_stall { "not " } else { "" };
        plan.add(Effect::Published, format!("Reloaded: fast producers will {not}be stalled"));
    }
    fixed("ProfPort", &old.prof_port, prof_port)?;
    fixed("ProfBlockRate", &old.prof_block_rate, prof_block_rate)?;
    if old.pid_file != *pid_file && !pid_file.is_empty() {
        plan.add(Effect::PidFile, format!("Reloaded: pid_file = {pid_file}"));
    }
    plan.value(Effect::PortsFileDir, "ports_file_dir", &old.ports_file_dir, ports_file_dir);
    plan.value(Effect::Logging, "log_file", &old.log_file, log_file);
    fixed("LogSizeLimit", &old.log_size_limit, log_size_limit)?;
    fixed("LogMaxFiles", &old.log_max_files, log_max_files)?;
    plan.value(Effect::Logging, "syslog", &old.syslog, syslog);
    plan.value(Effect::Logging, "remote_syslog", &old.remote_syslog, remote_syslog);
    let timeout = tls_timeout.as_secs_f64();
    plan.value(Effect::Published, "tls timeout", &old.tls_timeout.as_secs_f64(), &timeout);
    diff_tls(old.tls.as_ref(), tls.as_ref(), &mut plan)?;
    fixed("AllowNonTLS", &old.allow_non_tls, allow_non_tls)?;
    plan.value(Effect::Published, "write_deadline", &Go(old.write_deadline), &Go(*write_deadline));
    fixed("WriteTimeout", &old.write_timeout, write_timeout)?;
    fixed("MaxClosedClients", &old.max_closed_clients, max_closed_clients)?;
    fixed("LameDuckDuration", &Go(old.lame_duck_duration), &Go(*lame_duck_duration))?;
    fixed("LameDuckGracePeriod", &Go(old.lame_duck_grace_period), &Go(*lame_duck_grace_period))?;
    plan.value(
        Effect::Published,
        "max_traced_msg_len",
        &old.max_traced_msg_len,
        max_traced_msg_len,
    );
    plan.value(
        Effect::Published,
        "connect_error_reports",
        &old.connect_error_reports,
        connect_error_reports,
    );
    plan.value(
        Effect::Published,
        "reconnect_error_reports",
        &old.reconnect_error_reports,
        reconnect_error_reports,
    );
    if old.server_tags != *server_tags {
        plan.add(Effect::Statsz, "Reloaded: tags");
    }
    if old.server_metadata != *server_metadata {
        plan.add(Effect::Statsz, "Reloaded: metadata");
    }
    fixed("FeatureFlags", &old.feature_flags, feature_flags)?;
    Ok(plan)
}

/// `host[:port]`.
fn check_advertise(text: &str) -> Result<(), ReloadError> {
    super::validate::host_port(text).map_err(|e| {
        ReloadError::Invalid(format!("invalid ClientAdvertise value of {text}, err={e}"))
    })
}

/// It may only go, and only together with its user.
fn diff_no_auth_user(old: &Options, new: &Options, name: &String) -> Result<(), ReloadError> {
    let gone = !old.no_auth_user.is_empty() && name.is_empty();
    match gone && new.users.iter().all(|user| user.username != old.no_auth_user) {
        true => Ok(()),
        false => fixed("NoAuthUser", &old.no_auth_user, name),
    }
}

/// Certificates may have changed even if their names have not: TLS is always loaded anew.
fn diff_tls(
    old: Option<&TlsOptions>,
    new: Option<&TlsOptions>,
    plan: &mut Plan,
) -> Result<(), ReloadError> {
    let none = TlsOptions::default();
    let (a, b) = (old.unwrap_or(&none), new.unwrap_or(&none));
    fixed("TLSMap", &a.map, &b.map)?;
    if a.pinned_certs != b.pinned_certs {
        let count = b.pinned_certs.len();
        plan.add(Effect::Tls, format!("Reloaded: {count} pinned_certs"));
    }
    fixed("TLSRateLimit", &a.rate_limit, &b.rate_limit)?;
    match (old, new) {
        (None, None) => return Ok(()),
        (_, Some(_)) => plan.add(Effect::Tls, "Reloaded: tls = enabled"),
        (Some(_), None) => plan.add(Effect::Tls, "Reloaded: tls = disabled"),
    }
    if a.handshake_first != b.handshake_first {
        let first = b.handshake_first;
        plan.add(Effect::Published, format!("Reloaded: Client TLS handshake first: {first}"));
    }
    if a.handshake_first_fallback != b.handshake_first_fallback {
        let delay = Go(b.handshake_first_fallback.unwrap_or_default());
        let what = "Client TLS handshake first fallback delay";
        plan.add(Effect::Published, format!("Reloaded: {what}: {delay}"));
    }
    Ok(())
}

/// Whether two lists hold the same, in whatever order.
fn same_set<T: PartialEq>(a: &[T], b: &[T], key: impl Fn(&T) -> &String) -> bool {
    let sorted = |list| {
        let mut list: Vec<&T> = <[T]>::iter(list).collect();
        list.sort_by_key(|item| key(item).clone());
        list
    };
    sorted(a) == sorted(b)
}

/// A duration as Go prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Go(Duration);

impl Display for Go {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        GoDuration(i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)).fmt(f)
    }
}

/// A value as `%v` prints it.
trait Show {
    fn show(&self) -> String;
}

macro_rules! show_by_display {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

show_by_display!(String, bool, i32, i64, u8, Go);

impl Show for WriteTimeoutPolicy {
    fn show(&self) -> String {
        match self {
            Self::Default => "",
            Self::Close => "close",
            Self::Retry => "retry",
        }
        .to_owned()
    }
}

impl Show for BTreeMap<String, bool> {
    fn show(&self) -> String {
        let entries: Vec<String> = self.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        format!("map[{}]", entries.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Env;
    use crate::config::load_str;

    fn options(text: &str) -> Options {
        load_str(&Env::simulated(1), text).unwrap().0
    }

    /// Notices beside the two that come with every reload, or the error.
    fn diff(old: &str, new: &str) -> Result<Vec<String>, String> {
        let plan = reload_diff(&options(old), &options(new)).map_err(|e| e.to_string())?;
        let notices = plan.changes.into_iter().map(|change| change.notice);
        Ok(notices
            .filter(|n| n != "Reloaded: authorization users" && n != "Reloaded: accounts")
            .collect())
    }

    #[test]
    fn what_can_change_is_planned() {
        let check = |old: &str, new: &str, want: &[&str]| {
            assert_eq!(diff(old, new), Ok(want.iter().map(|s| s.to_string()).collect()), "{new}");
        };
        check("port: 4222", "port: 4222", &[]);
        check("port: 4222", "port: -1", &[]);
        check("x: 1\nport: $x", "debug: true\nport: 1", &["Reloaded: debug = true"]);
        check("a: 1\nport: $a", "max_payload: 1k\nport: 1", &["Reloaded: max_payload = 1000"]);
        check("port: 1", "port: 1, ping_interval: '5s'", &["Reloaded: ping_interval = 5s"]);
        check(
            "port: 1, authorization { user: a, password: b }",
            "port: 1, authorization { user: a, password: c, timeout: 5 }",
            &["Reloaded: authorization password", "Reloaded: authorization timeout = 5"],
        );
        check("port: 1", "port: 1, server_tags: [a]", &["Reloaded: tags"]);
        check(
            "port: 1, no_auth_user: a, authorization { users: [{user: a}] }",
            "port: 1, authorization { users: [{user: b}] }",
            &[],
        );
    }

    #[test]
    fn what_cannot_change_is_refused_with_upstreams_text() {
        let check = |old: &str, new: &str, want: &str| {
            assert_eq!(diff(old, new), Err(want.to_owned()), "{new}");
        };
        check("port: 1", "port: 2", "config reload not supported for Port: old=1, new=2");
        check(
            "port: 1, lame_duck_duration: '1m'",
            "port: 1, lame_duck_duration: '90s'",
            "config reload not supported for LameDuckDuration: old=1m0s, new=1m30s",
        );
        check(
            "port: 1",
            "port: 1, feature_flags { a: true }",
            "config reload not supported for FeatureFlags: old=map[], new=map[a:true]",
        );
        check(
            "port: 1, no_auth_user: a, authorization { users: [{user: a}] }",
            "port: 1, authorization { users: [{user: a}] }",
            "config reload not supported for NoAuthUser: old=a, new=",
        );
        check("port: 1", "port: 1\ncluster { port: 5 }", ":2:1: \"cluster\" is not supported yet");
    }
}

//! [`Options`]: everything a server can be told, with upstream's defaults.
//!
//! Fields are upstream's `server.Options` in snake case. "Zero" in a comment means "as if not
//! configured". Durations that upstream takes as negative are one nanosecond here: expired at
//! once, as there.

use super::accounts::{AccountOptions, Mapping};
use super::cluster::ClusterOptions;
use super::flags::Flags;
use super::gateway::GatewayOptions;
use super::jetstream::JetStreamOptions;
use super::leafnode::LeafNodeOptions;
use super::mqtt::MqttOptions;
use super::operator::{AuthCallout, OcspCacheOptions, OcspOptions, OperatorOptions};
use super::websocket::WebsocketOptions;
use super::{Secret, Url};
use crate::auth::users::{NkeyUser, Permissions, User};
use crate::base::limits;
use crate::conf::Pos;
use crate::tls::TlsOptions;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What happens to a connection whose write timed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteTimeoutPolicy {
    /// Clients are closed, other connections try again.
    #[default]
    Default,
    /// Close.
    Close,
    /// Try again.
    Retry,
}

/// A configured option whose subsystem does not exist yet; a server with one does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Full path of the key (`cluster.pool_size`) or the flag (`--routes`).
    pub key: String,
    /// Where it stands; `None` for a flag.
    pub pos: Option<Pos>,
}

/// The options of a server.
#[derive(Clone, PartialEq)]
pub struct Options {
    /// Configuration file, as named by the user; empty is none.
    pub config_file: String,
    /// `sha256:` digest of the configuration file; empty without one.
    pub config_digest: String,
    /// `-t`: check the configuration and exit.
    pub check_config: bool,
    /// Server name; empty is the server's id.
    pub server_name: String,
    /// Client bind address.
    pub host: String,
    /// Client port; -1 is random.
    pub port: i32,
    /// No client listener at all.
    pub dont_listen: bool,
    /// `host[:port]` announced to clients; empty is the bind address.
    pub client_advertise: String,
    /// Protocol trace.
    pub trace: bool,
    /// Debug lines.
    pub debug: bool,
    /// Trace includes the system account.
    pub trace_verbose: bool,
    /// Trace shows headers of messages, not their payload.
    pub trace_headers: bool,
    /// No log at all.
    pub no_log: bool,
    /// Signals are not handled.
    pub no_sigs: bool,
    /// No cache of matches.
    pub no_sublist_cache: bool,
    /// Headers are refused.
    pub no_header_support: bool,
    /// The first PING is not sent early.
    pub disable_short_first_ping: bool,
    /// Log lines carry a time.
    pub logtime: bool,
    /// That time is UTC.
    pub logtime_utc: bool,
    /// Client connections; -1 is none allowed.
    pub max_conn: i64,
    /// Subscriptions per connection; 0 is unlimited.
    pub max_subs: i64,
    /// Tokens of a subscription's subject; 0 is unlimited.
    pub max_sub_tokens: u8,
    /// Users with nkeys, of all accounts.
    pub nkeys: Vec<NkeyUser>,
    /// Users with passwords, of all accounts.
    pub users: Vec<User>,
    /// Accounts in the order of the file.
    pub accounts: Vec<AccountOptions>,
    /// Subject mappings of the global account.
    pub mappings: Vec<Mapping>,
    /// User of connections without credentials.
    pub no_auth_user: String,
    /// JWT of connections without one.
    pub default_sentinel: Secret,
    /// Name of the system account; empty is `$SYS`.
    pub system_account: String,
    /// No system account.
    pub no_system_account: bool,
    /// Single user's name.
    pub username: String,
    /// Single user's password, clear text or bcrypt.
    pub password: Secret,
    /// Connections of the single user or token must come through a trusted proxy.
    pub proxy_required: bool,
    /// Connections open with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Token, clear text or bcrypt.
    pub authorization: Secret,
    /// An `authorization {}` block was present.
    pub auth_block_defined: bool,
    /// Permissions of users that have none of their own (already applied to
    /// [`Options::users`] and [`Options::nkeys`]).
    pub default_permissions: Option<Arc<Permissions>>,
    /// Authentication by a service.
    pub auth_callout: Option<AuthCallout>,
    /// Interval between PINGs.
    pub ping_interval: Duration,
    /// Unanswered PINGs before a connection is stale.
    pub max_pings_out: i32,
    /// Monitoring bind address.
    pub http_host: String,
    /// Monitoring port; 0 is off, -1 random.
    pub http_port: i32,
    /// Prefix of monitoring paths; empty or `/...`.
    pub http_base_path: String,
    /// Monitoring port with TLS; 0 is off, -1 random.
    pub https_port: i32,
    /// Time a client has to authenticate.
    pub auth_timeout: Duration,
    /// Longest protocol line, bytes.
    pub max_control_line: i32,
    /// Longest payload with headers, bytes.
    pub max_payload: i32,
    /// Unwritten output per connection, bytes.
    pub max_pending: i64,
    /// Fast producers are not slowed down.
    pub no_fast_producer_stall: bool,
    /// Routes.
    pub cluster: ClusterOptions,
    /// Gateways.
    pub gateway: GatewayOptions,
    /// Leaf nodes.
    pub leafnode: LeafNodeOptions,
    /// JetStream.
    pub jetstream: JetStreamOptions,
    /// Directory of JetStream and resolvers; empty is a temporary one.
    pub store_dir: String,
    /// WebSocket listener.
    pub websocket: WebsocketOptions,
    /// MQTT listener.
    pub mqtt: MqttOptions,
    /// Profiling port; 0 is off.
    pub prof_port: i32,
    /// Profiling rate of blocking.
    pub prof_block_rate: i32,
    /// File for the process id.
    pub pid_file: String,
    /// Directory for the ports file.
    pub ports_file_dir: String,
    /// Log file.
    pub log_file: String,
    /// Size at which the log file is rotated, bytes; 0 is never.
    pub log_size_limit: i64,
    /// Rotated log files kept; 0 is all.
    pub log_max_files: i64,
    /// Log to the local syslog.
    pub syslog: bool,
    /// Log to this syslog (`udp://host:514`).
    pub remote_syslog: String,
    /// Routes to connect to.
    pub routes: Vec<Url>,
    /// `--routes` as given.
    pub routes_str: String,
    /// TLS of client and monitoring listener.
    pub tls: Option<TlsOptions>,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// Clear text clients are accepted beside TLS.
    pub allow_non_tls: bool,
    /// How long one write may take.
    pub write_deadline: Duration,
    /// What happens to a client whose write timed out.
    pub write_timeout: WriteTimeoutPolicy,
    /// Closed connections kept for /connz.
    pub max_closed_clients: i32,
    /// How long lame duck mode spreads the closing of connections.
    pub lame_duck_duration: Duration,
    /// Wait before the first is closed.
    pub lame_duck_grace_period: Duration,
    /// Bytes of a traced message; 0 is unlimited.
    pub max_traced_msg_len: i32,
    /// Operator mode.
    pub operator: OperatorOptions,
    /// Every n-th failed first connection is logged.
    pub connect_error_reports: i32,
    /// Every n-th failed reconnection is logged.
    pub reconnect_error_reports: i32,
    /// `server_tags`, lower case, in order, without repeats.
    pub server_tags: Vec<String>,
    /// `server_metadata`.
    pub server_metadata: BTreeMap<String, String>,
    /// `feature_flags`.
    pub feature_flags: BTreeMap<String, bool>,
    /// OCSP stapling; `None` is upstream's automatic mode.
    pub ocsp: Option<OcspOptions>,
    /// OCSP response cache.
    pub ocsp_cache: Option<OcspCacheOptions>,
    /// Trusted proxies (public nkeys); `None` without a `proxies {}` block.
    pub proxies: Option<Vec<String>>,
    pub(super) unsupported: Vec<Unsupported>,
    pub(super) flags: Flags,
}

impl Options {
    /// Options given whose subsystem does not exist yet, in the order they were met.
    pub fn unsupported(&self) -> &[Unsupported] {
        &self.unsupported
    }

    /// Nothing configured: every field empty, defaults not yet filled in.
    pub(super) fn unset() -> Self {
        Self {
            config_file: String::new(),
            config_digest: String::new(),
            check_config: false,
            server_name: String::new(),
            host: String::new(),
            port: 0,
            dont_listen: false,
            client_advertise: String::new(),
            trace: false,
            debug: false,
            trace_verbose: false,
            trace_headers: false,
            no_log: false,
            no_sigs: false,
            no_sublist_cache: false,
            no_header_support: false,
            disable_short_first_ping: false,
            logtime: true,
            logtime_utc: false,
            max_conn: 0,
            max_subs: 0,
            max_sub_tokens: 0,
            nkeys: Vec::new(),
            users: Vec::new(),
            accounts: Vec::new(),
            mappings: Vec::new(),
            no_auth_user: String::new(),
            default_sentinel: Secret::default(),
            system_account: String::new(),
            no_system_account: false,
            username: String::new(),
            password: Secret::default(),
            proxy_required: false,
            proxy_protocol: false,
            authorization: Secret::default(),
            auth_block_defined: false,
            default_permissions: None,
            auth_callout: None,
            ping_interval: Duration::ZERO,
            max_pings_out: 0,
            http_host: String::new(),
            http_port: 0,
            http_base_path: String::new(),
            https_port: 0,
            auth_timeout: Duration::ZERO,
            max_control_line: 0,
            max_payload: 0,
            max_pending: 0,
            no_fast_producer_stall: false,
            cluster: ClusterOptions::default(),
            gateway: GatewayOptions::default(),
            leafnode: LeafNodeOptions::default(),
            jetstream: JetStreamOptions::default(),
            store_dir: String::new(),
            websocket: WebsocketOptions::default(),
            mqtt: MqttOptions::default(),
            prof_port: 0,
            prof_block_rate: 0,
            pid_file: String::new(),
            ports_file_dir: String::new(),
            log_file: String::new(),
            log_size_limit: 0,
            log_max_files: 0,
            syslog: false,
            remote_syslog: String::new(),
            routes: Vec::new(),
            routes_str: String::new(),
            tls: None,
            tls_timeout: Duration::ZERO,
            allow_non_tls: false,
            write_deadline: Duration::ZERO,
            write_timeout: WriteTimeoutPolicy::Default,
            max_closed_clients: 0,
            lame_duck_duration: Duration::ZERO,
            lame_duck_grace_period: Duration::ZERO,
            max_traced_msg_len: 0,
            operator: OperatorOptions::default(),
            connect_error_reports: 0,
            reconnect_error_reports: 0,
            server_tags: Vec::new(),
            server_metadata: BTreeMap::new(),
            feature_flags: BTreeMap::new(),
            ocsp: None,
            ocsp_cache: None,
            proxies: None,
            unsupported: Vec::new(),
            flags: Flags::default(),
        }
    }

    /// Fills what is not configured with upstream's defaults. Go: setBaselineOptions.
    pub fn fill_defaults(&mut self) {
        default_to(&mut self.host, limits::DEFAULT_HOST.to_owned());
        default_to(&mut self.http_host, self.host.clone());
        default_to(&mut self.port, i32::from(limits::DEFAULT_PORT));
        default_to(&mut self.max_conn, limits::MAX_CONNECTIONS as i64);
        default_to(&mut self.ping_interval, limits::PING_INTERVAL);
        default_to(&mut self.max_pings_out, limits::PING_MAX_OUT as i32);
        default_to(&mut self.tls_timeout, limits::TLS_TIMEOUT);
        default_to(&mut self.auth_timeout, auth_timeout(&self.tls, self.tls_timeout));
        default_to(&mut self.max_control_line, limits::MAX_CONTROL_LINE as i32);
        default_to(&mut self.max_payload, limits::MAX_PAYLOAD as i32);
        default_to(&mut self.max_pending, limits::MAX_PENDING as i64);
        default_to(&mut self.write_deadline, limits::WRITE_DEADLINE);
        default_to(&mut self.max_closed_clients, limits::MAX_CLOSED_CLIENTS as i32);
        default_to(&mut self.lame_duck_duration, limits::LAME_DUCK_DURATION);
        default_to(&mut self.lame_duck_grace_period, limits::LAME_DUCK_GRACE);
        default_to(&mut self.connect_error_reports, 3600);
        default_to(&mut self.reconnect_error_reports, 1);
        self.fill_block_defaults();
    }

    fn fill_block_defaults(&mut self) {
        let system = match (self.system_account.as_str(), self.no_system_account) {
            ("", true) => None,
            ("", false) => Some("$SYS"),
            (name, _) => Some(name),
        };
        self.cluster.fill_defaults(system);
        self.gateway.fill_defaults();
        self.leafnode.fill_defaults();
        self.jetstream.fill_defaults();
        if self.websocket.port != 0 {
            default_to(&mut self.websocket.host, limits::DEFAULT_HOST.to_owned());
        }
        if self.mqtt.port != 0 {
            default_to(&mut self.mqtt.host, limits::DEFAULT_HOST.to_owned());
            default_to(&mut self.mqtt.tls_timeout, limits::TLS_TIMEOUT);
        }
    }
}

impl Default for Options {
    /// Upstream's defaults.
    fn default() -> Self {
        let mut options = Self::unset();
        options.fill_defaults();
        options
    }
}

/// Secrets and long lists stay out.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("config_file", &self.config_file)
            .field("server_name", &self.server_name)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("http_port", &self.http_port)
            .field("https_port", &self.https_port)
            .field("tls", &self.tls.is_some())
            .field("users", &self.users.len())
            .field("nkeys", &self.nkeys.len())
            .field("accounts", &self.accounts.len())
            .finish_non_exhaustive()
    }
}

/// Gives `slot` a value if it has none.
pub(super) fn default_to<T: Default + PartialEq>(slot: &mut T, value: T) {
    if *slot == T::default() {
        *slot = value;
    }
}

/// Time to authenticate: with TLS the handshake comes out of it. Go: getDefaultAuthTimeout.
pub(super) fn auth_timeout(tls: &Option<TlsOptions>, tls_timeout: Duration) -> Duration {
    match tls {
        Some(_) => tls_timeout + Duration::from_secs(1),
        None => limits::AUTH_TIMEOUT,
    }
}

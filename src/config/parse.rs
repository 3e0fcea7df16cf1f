//! From a configuration file to [`Options`]. Go: ProcessConfigFile, processConfigFileLine.

use super::accounts::{mappings, parse as accounts};
use super::go::{quote, type_name};
use super::operator::parse as operator;
use super::options::Options;
use super::read::{ConfigError, Cx, Item, Warning, entries, listen};
use super::{authorization, cluster, gateway, jetstream, leafnode, mqtt, tls, websocket};
use crate::base::Env;
use crate::conf::{self, ConfError, Map, ValueKind};
use std::fmt;
use std::path::Path;

/// Why a configuration file cannot be used. Prints what upstream prints.
#[derive(Debug)]
pub enum ConfigErrors {
    /// It cannot be read, or is no configuration.
    Syntax(ConfError),
    /// It says something that cannot be.
    Invalid {
        /// Everything wrong, in the order of the file.
        errors: Vec<ConfigError>,
        /// Everything odd.
        warnings: Vec<Warning>,
    },
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(e) => write!(f, "{e}"),
            Self::Invalid { errors, warnings } => {
                warnings.iter().chain(errors).try_for_each(|e| writeln!(f, "{e}"))
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfError> for ConfigErrors {
    fn from(e: ConfError) -> Self {
        Self::Syntax(e)
    }
}

/// Reads a file; what it does not set has its default.
pub fn load(env: &Env, path: &str) -> Result<(Options, Vec<Warning>), ConfigErrors> {
    let mut options = Options::unset();
    let warnings = load_over(env, path, &mut options)?;
    options.fill_defaults();
    Ok((options, warnings))
}

/// Reads configuration text; what it does not set has its default.
pub fn load_str(env: &Env, text: &str) -> Result<(Options, Vec<Warning>), ConfigErrors> {
    let mut options = Options::unset();
    let map = conf::parse_str(env, text)?;
    let warnings = apply(env, "", &map, &mut options)?;
    options.fill_defaults();
    Ok((options, warnings))
}

/// Reads a file over options that may hold flags already; defaults are not filled in.
pub(super) fn load_over(
    env: &Env,
    path: &str,
    options: &mut Options,
) -> Result<Vec<Warning>, ConfigErrors> {
    options.config_file = path.to_owned();
    let map = conf::parse_file(env, Path::new(path))?;
    options.config_digest = conf::digest(&map);
    apply(env, path, &map, options)
}

fn apply(
    env: &Env,
    path: &str,
    map: &Map,
    options: &mut Options,
) -> Result<Vec<Warning>, ConfigErrors> {
    let mut cx = Cx::new(env);
    if map.is_empty() {
        let message = format!("{path}: config has no values or is empty");
        cx.warnings.push(Warning { pos: None, message });
    }
    // Other features depend on the system account: it comes first.
    cx.check_with(|_| system_account(map, options));
    for item in entries(map) {
        cx.check_with(|cx| top_level(item, options, cx));
    }
    check_callout_accounts(options, &mut cx);
    options.unsupported.append(&mut cx.unsupported);
    match cx.errors.is_empty() {
        true => Ok(cx.warnings),
        false => Err(ConfigErrors::Invalid { errors: cx.errors, warnings: cx.warnings }),
    }
}

fn system_account(map: &Map, options: &mut Options) -> Result<(), ConfigError> {
    let find = |name: &str| entries(map).find(|item| item.name == name);
    if let Some(item) = find("system_account").or_else(|| find("system")) {
        let name = item.string().map_err(|_| item.error("system account name must be a string"))?;
        options.system_account = name.to_owned();
    }
    Ok(())
}

fn check_callout_accounts(options: &Options, cx: &mut Cx<'_>) {
    let Some(callout) = &options.auth_callout else { return };
    for name in &callout.allowed_accounts {
        // With mappings of its own the global account is among the configured ones.
        let global = name == "$G" && !options.mappings.is_empty();
        if !global && !options.accounts.iter().any(|account| account.name == *name) {
            let name = quote(name);
            let message =
                format!("auth_callout allowed account {name} not found in configured accounts");
            cx.error(ConfigError { pos: None, message });
        }
    }
}

fn top_level(item: Item<'_>, options: &mut Options, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let key = item.key();
    let known = simple(&key, item, options, cx)?
        || logging(&key, item, options)?
        || limits(&key, item, options, cx)?
        || security(&key, item, options, cx)?
        || described(&key, item, options, cx)?
        || subsystem(&key, item, options, cx)?;
    if !known {
        cx.unknown(item);
    }
    Ok(())
}

/// Names, listeners and files.
fn simple(
    key: &str,
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<bool, ConfigError> {
    match key {
        "listen" => {
            let listen = listen(item)?;
            options.host = listen.host;
            options.port = listen.port;
        }
        "client_advertise" => options.client_advertise = item.text()?,
        "port" => options.port = item.int()?,
        "server_name" => {
            let name = item.string()?;
            if name.contains(' ') {
                return Err(item.error("server name cannot contain spaces"));
            }
            options.server_name = name.to_owned();
        }
        "host" | "net" => options.host = item.text()?,
        "http" => {
            let listen = listen(item)?;
            options.http_host = listen.host;
            options.http_port = listen.port;
        }
        "https" => {
            let listen = listen(item)?;
            options.http_host = listen.host;
            options.https_port = listen.port;
        }
        "http_port" | "monitor_port" => options.http_port = item.int()?,
        "https_port" => options.https_port = item.int()?,
        "http_base_path" => options.http_base_path = item.text()?,
        "pidfile" | "pid_file" => options.pid_file = item.text()?,
        "ports_file_dir" => options.ports_file_dir = item.text()?,
        "prof_port" => {
            options.prof_port = item.int()?;
            if options.prof_port != 0 {
                cx.unsupported(key, item);
            }
        }
        "prof_block_rate" => {
            options.prof_block_rate = item.int()?;
            if options.prof_block_rate != 0 {
                cx.unsupported(key, item);
            }
        }
        "proxy_protocol" => options.proxy_protocol = item.boolean()?,
        "disable_sublist_cache" | "no_sublist_cache" => {
            options.no_sublist_cache = item.boolean()?
        }
        "no_header_support" => options.no_header_support = item.boolean()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn logging(key: &str, item: Item<'_>, options: &mut Options) -> Result<bool, ConfigError> {
    match key {
        "debug" => options.debug = item.boolean()?,
        "trace" => options.trace = item.boolean()?,
        "trace_verbose" => {
            options.trace_verbose = item.boolean()?;
            options.trace = options.trace_verbose;
        }
        "trace_headers" => {
            options.trace_headers = item.boolean()?;
            options.trace = options.trace_headers;
        }
        "logtime" => options.logtime = item.boolean()?,
        "logtime_utc" => options.logtime_utc = item.boolean()?,
        "logfile" | "log_file" => options.log_file = item.text()?,
        "logfile_size_limit" | "log_size_limit" => options.log_size_limit = item.integer()?,
        "logfile_max_num" | "log_max_num" => options.log_max_files = item.integer()?,
        "syslog" => options.syslog = item.boolean()?,
        "remote_syslog" => options.remote_syslog = item.text()?,
        "max_traced_msg_len" => options.max_traced_msg_len = item.int()?,
        "connect_error_reports" => options.connect_error_reports = item.int()?,
        "reconnect_error_reports" => options.reconnect_error_reports = item.int()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn limits(
    key: &str,
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<bool, ConfigError> {
    match key {
        "max_control_line" => options.max_control_line = small(item)?,
        "max_payload" => options.max_payload = small(item)?,
        "max_pending" => options.max_pending = item.integer()?,
        "max_connections" | "max_conn" => {
            options.max_conn = match item.integer()? {
                0 => -1,
                limit => limit,
            }
        }
        "max_subscriptions" | "max_subs" => options.max_subs = item.integer()?,
        "max_sub_tokens" | "max_subscription_tokens" => {
            options.max_sub_tokens = match item.integer()? {
                ..=0 => {
                    let message = format!("{} value can not be negative", item.name);
                    return Err(item.error(message));
                }
                limit => u8::try_from(limit).map_err(|_| too_big(item))?,
            }
        }
        "max_closed_clients" => options.max_closed_clients = item.int()?,
        "ping_interval" => options.ping_interval = cx.duration("ping_interval", item).to_std(),
        "ping_max" => options.max_pings_out = item.int()?,
        "write_deadline" => options.write_deadline = cx.duration("write_deadline", item).to_std(),
        "write_timeout" => options.write_timeout = cx.write_timeout(item),
        "no_fast_producer_stall" => options.no_fast_producer_stall = item.boolean()?,
        "lame_duck_duration" => {
            let duration = item.duration("error parsing lame_duck_duration: ")?;
            if duration.0 < 30_000_000_000 {
                return Err(item.error(format!(
                    "invalid lame_duck_duration of {duration}, minimum is 30 seconds"
                )));
            }
            options.lame_duck_duration = duration.to_std();
        }
        "lame_duck_grace_period" => {
            let grace = item.duration("error parsing lame_duck_grace_period: ")?;
            if grace.0 < 0 {
                let message = "invalid lame_duck_grace_period, needs to be positive";
                return Err(item.error(message));
            }
            options.lame_duck_grace_period = grace.to_std();
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn too_big(item: Item<'_>) -> ConfigError {
    item.error(format!("{} value is too big", item.name))
}

/// A number of at most 32 bits.
fn small(item: Item<'_>) -> Result<i32, ConfigError> {
    match item.integer()? {
        value if value > i64::from(i32::MAX) => Err(too_big(item)),
        value => Ok(i32::try_from(value).unwrap_or(i32::MIN)),
    }
}

/// Accounts, users and TLS.
fn security(
    key: &str,
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<bool, ConfigError> {
    match key {
        "mappings" | "maps" => options.mappings = mappings::parse(item, cx),
        "accounts" => accounts::parse(item, options, cx),
        "authorization" => authorization::top_level(item, options, cx)?,
        "no_auth_user" => options.no_auth_user = item.text()?,
        // Read before all others.
        "system_account" | "system" => {}
        "no_system_account" | "no_system" | "no_sys_acc" => {
            options.no_system_account = item.boolean()?
        }
        "tls" => {
            let tls = tls::block(item, tls::Context::Client, cx)?;
            options.tls_timeout = tls.timeout.unwrap_or_default();
            options.tls = Some(tls);
        }
        "allow_non_tls" => options.allow_non_tls = item.boolean()?,
        "default_sentinel" => {
            options.default_sentinel = item.string()?.into();
            cx.unsupported(key, item);
        }
        "ocsp" => {
            let ocsp = operator::ocsp(item, cx)?;
            if ocsp.mode != super::operator::OcspMode::Never {
                cx.unsupported(key, item);
            }
            options.ocsp = Some(ocsp);
        }
        // Without a block that checks peers by OCSP the cache has nothing to do.
        "ocsp_cache" => options.ocsp_cache = Some(operator::ocsp_cache(item)?),
        "proxies" => {
            options.proxies = Some(operator::proxies(item, cx)?);
            cx.unsupported(key, item);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What the server says about itself.
fn described(
    key: &str,
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<bool, ConfigError> {
    match key {
        "server_tags" => server_tags(item, options)?,
        "server_metadata" => {
            let map = item.map_or(|| {
                format!("error parsing metadata: unsupported type {}", item.type_name())
            })?;
            for entry in entries(map) {
                if let Some(value) = cx.check(entry.text()) {
                    options.server_metadata.insert(entry.name.to_owned(), value);
                }
            }
        }
        "feature_flags" => {
            let map = item.map_or(|| {
                format!("error parsing feature flags: unsupported type {}", item.type_name())
            })?;
            for entry in entries(map) {
                let flag = entry.boolean().map_err(|_| {
                    let (name, got) = (quote(entry.name), entry.type_name());
                    let what = "error parsing feature flag";
                    entry.error(format!("{what} {name}: expected bool, got {got}"))
                })?;
                options.feature_flags.insert(entry.name.to_owned(), flag);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Lower case, in order, without repeats.
fn server_tags(item: Item<'_>, options: &mut Options) -> Result<(), ConfigError> {
    let items = match item.kind() {
        ValueKind::String(_) => vec![item],
        ValueKind::Array(_) => item.elements(),
        other => {
            let got = type_name(other);
            return Err(item.error(format!("error parsing tags: unsupported type {got}")));
        }
    };
    for element in items {
        let tag = element.string().map_err(|_| {
            item.error("error parsing tags: unsupported type *conf.token where string is expected")
        })?;
        let tag = tag.trim().to_lowercase();
        if !tag.is_empty() && !options.server_tags.contains(&tag) {
            options.server_tags.push(tag);
        }
    }
    Ok(())
}

/// What does not exist yet; it parses, but a server with it does not start.
fn subsystem(
    key: &str,
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<bool, ConfigError> {
    match key {
        "store_dir" | "storedir" => {
            if !options.store_dir.is_empty() {
                return Err(item.error("Duplicate 'store_dir' configuration"));
            }
            options.store_dir = item.text()?;
            return Ok(true);
        }
        "jetstream" => {
            jetstream::parse(item, options, cx)?;
            if !options.jetstream.enabled {
                return Ok(true);
            }
        }
        "cluster" => cluster::parse(item, options, cx)?,
        "gateway" => gateway::parse(item, &mut options.gateway, cx)?,
        "leaf" | "leafnodes" => leafnode::parse(item, options, cx)?,
        "websocket" | "ws" => websocket::parse(item, &mut options.websocket, cx)?,
        "mqtt" => mqtt::parse(item, &mut options.mqtt, cx)?,
        "default_js_domain" => default_js_domain(item, options, cx)?,
        "operator" | "operators" | "roots" | "root" | "root_operators" | "root_operator" => {
            operator::operators(item, &mut options.operator, cx);
        }
        "resolver" | "account_resolver" | "accounts_resolver" => {
            operator::resolver(item, &mut options.operator, cx)?;
        }
        "resolver_tls" => {
            let tls = tls::block(item, tls::Context::Client, cx)?;
            options.operator.resolver_tls = Some(tls);
        }
        "resolver_preload" => operator::preload(item, &mut options.operator, cx)?,
        "resolver_pinned_accounts" => operator::pinned(item, &mut options.operator, cx),
        "trusted" | "trusted_keys" => operator::trusted(item, &mut options.operator, cx),
        _ => return Ok(false),
    }
    cx.unsupported(key, item);
    Ok(true)
}

fn default_js_domain(
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let map = item.map_or(|| {
        format!("error default_js_domain config: unsupported type {}", item.type_name())
    })?;
    for entry in entries(map) {
        // Upstream reports the block here, not the entry.
        if let Some(domain) = cx.check(entry.reported_at(item).text()) {
            let account = entry.name.to_owned();
            options.jetstream.account_default_domain.insert(account, domain);
        }
    }
    Ok(())
}

//! From options to a running server.

use super::{Addresses, Inner, Server};
use crate::auth::authenticator::{
    Authenticator, ConnectionType, Directory, DirectoryError, Policy,
};
use crate::auth::nkey::{CurveKeyPair, KeyPair, Kind};
use crate::auth::password::needs_hashing;
use crate::auth::permissions::CheckerIds;
use crate::base::Env;
use crate::base::limits::{COMPATIBLE_VERSION, MAX_PAYLOAD_WARN};
use crate::base::tasks::TaskScope;
use crate::broker::Hub;
use crate::broker::account::{Accounts, GLOBAL_ACCOUNT, Mappings, SYSTEM_ACCOUNT};
use crate::config::accounts::Mapping;
use crate::config::diff::not_supported;
use crate::config::options::{Options, Unsupported};
use crate::config::validate::InvalidOptions;
use crate::conn::{Context, Settings};
use crate::logging::{LogError, LogOptions, Logger, Target};
use crate::monitor::Monitor;
use crate::tls::{TlsError, TlsOptions};
use crate::wire::info::Info;
use crate::wire::transform::{Transform, TransformError};
use crate::wire::x509::PeerCert;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Notify;

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Options that ask for what this server does not have yet.
    #[error("{0}")]
    Unsupported(String),
    /// Options that make no sense together.
    #[error("{0}")]
    Invalid(#[from] InvalidOptions),
    /// The log.
    #[error("{0}")]
    Log(#[from] LogError),
    /// Users and their permissions.
    #[error("{0}")]
    Users(#[from] DirectoryError),
    /// Certificates.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// Subject mappings.
    #[error("{0}")]
    Mapping(#[from] TransformError),
    /// A port.
    #[error("Error listening on port: {hostport}, \"{problem}\"")]
    Listen {
        /// Host and port.
        hostport: String,
        /// What the system said.
        problem: String,
    },
    /// `client_advertise` is no address.
    #[error("Error setting server INFO with ClientAdvertise value of {text}, err={problem}")]
    Advertise {
        /// What is configured.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The file for the process id.
    #[error("Could not write pidfile: open {path}: {}", crate::base::fs::reason(source))]
    PidFile {
        /// Its path.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Monitoring.
    #[error("Can't start monitoring: {0}")]
    Monitor(String),
    /// Something that came once the log was open, and is its last line.
    #[error("{0}")]
    Logged(#[source] Box<StartError>),
}

impl Server {
    /// As [`Server::start`], in an environment of the caller's.
    pub async fn start_in(env: Env, options: Options) -> Result<Self, StartError> {
        let log = Logger::new(&env, &log_options(&options))?;
        Self::start_with_log(env, log, options).await
    }

    /// As [`Server::start_in`], with a log that is already open.
    pub async fn start_with_log(
        env: Env,
        log: Logger,
        mut options: Options,
    ) -> Result<Self, StartError> {
        let (start, start_wall_ns) = (env.clock().now(), env.clock().wall_ns());
        options.fill_defaults();
        options.validate()?;
        refuse_unsupported(&options)?;
        let tasks = TaskScope::new();
        let hub = Arc::new(Hub::new(env.clone(), log.clone(), tasks.clone()));
        let key = KeyPair::create(&env, Kind::Server);
        let id = key.public();
        let curve_key = CurveKeyPair::create(&env);
        let name = if options.server_name.is_empty() {
            id.to_string()
        } else {
            options.server_name.clone()
        };
        let system = if options.system_account.is_empty() {
            (!options.no_system_account).then_some(SYSTEM_ACCOUNT)
        } else {
            Some(options.system_account.as_str())
        };
        let accounts = Accounts::new(hub.seed, system);
        let checker_ids = CheckerIds::default();
        let options = Arc::new(options);
        let settings = settings(&env, options.clone(), &checker_ids, 1)?;
        let mut info = info(&options, &settings, &id.to_string(), &name);
        info.xkey = curve_key.public().to_string();
        let ctx = Arc::new(Context::new(hub, accounts, settings, info, tasks.clone()));
        let server = Self(Arc::new(Inner {
            start,
            start_wall_ns,
            monitor: Arc::new(Monitor::new(ctx.clone(), start, start_wall_ns)),
            env,
            log,
            ctx,
            id,
            name,
            accepting: TaskScope::new(),
            listeners: TaskScope::new(),
            endings: TaskScope::new(),
            tasks,
            checker_ids,
            addresses: Addresses::locked(),
            ended: Notify::new(),
            has_ended: false.into(),
            reloading: tokio::sync::Mutex::new(()),
        }));
        server.apply(&options, compile_mappings(&options)?);
        server.say_hello();
        if let Err(e) = server.open().await {
            server.0.log.fatal(format_args!("{e}"));
            server.abandon().await;
            return Err(StartError::Logged(Box::new(e)));
        }
        server.0.log.info(format_args!("Server is ready"));
        server.write_ports_file();
        Ok(server)
    }

    fn say_hello(&self) {
        let (log, options) = (&self.0.log, self.options());
        log.info(format_args!("Starting nats-server"));
        log.info(format_args!("  Version:  {COMPATIBLE_VERSION}"));
        log.info(format_args!("  Git:      [{}]", git_commit().unwrap_or("not set")));
        log.debug(format_args!("  Go build: {}", toolchain()));
        log.info(format_args!("  Name:     {}", self.0.name));
        log.info(format_args!("  ID:       {}", self.0.id));
        if has_plaintext_passwords(&options) {
            log.warn(format_args!("Plaintext passwords detected, use nkeys or bcrypt"));
        }
        if !options.config_file.is_empty() {
            let digest = in_brackets(&options.config_digest);
            log.info(format_args!("Using configuration file: {} {digest}", options.config_file));
        }
        if usize::try_from(options.max_payload).is_ok_and(|n| n > MAX_PAYLOAD_WARN) {
            log.warn(format_args!(
                "Maximum payloads over 8.00 MB are generally discouraged and could lead to poor performance"
            ));
        }
        if let Some(system) = self.0.ctx.accounts.system() {
            log.debug(format_args!("Created system account: {:?}", system.name));
        }
    }

    /// Takes over what needs no listener: also what a reload does.
    pub(super) fn apply(&self, options: &Options, mappings: Vec<(String, Mappings)>) {
        let ctx = &self.0.ctx;
        ctx.hub.no_stall.store(options.no_fast_producer_stall, Ordering::Relaxed);
        ctx.hub.no_match_cache.store(options.no_sublist_cache, Ordering::Relaxed);
        for (account, mappings) in mappings {
            ctx.accounts.get_or_create(&account).set_mappings(mappings);
        }
    }

    async fn open(&self) -> Result<(), StartError> {
        self.write_pid_file()?;
        self.start_monitor().await?;
        self.start_timers();
        self.listen_for_clients().await
    }

    fn start_timers(&self) {
        let ctx = self.0.ctx.clone();
        self.0.listeners.spawn_abortable(async move {
            let clock = ctx.hub.env.clock().clone();
            let fire = |due: crate::conn::timers::Due| {
                if let Some(client) = ctx.registry.get(due.cid) {
                    client.fire(due);
                }
            };
            ctx.timers.run(&clock, fire).await;
        });
        if self.options().tls.as_ref().is_some_and(|tls| tls.rate_limit > 0) {
            let server = self.clone();
            self.0.listeners.spawn_abortable(async move { server.report_refused_tls().await });
        }
    }

    /// Tells once a second how many connections were refused for the rate of TLS handshakes.
    async fn report_refused_tls(&self) {
        loop {
            self.0.env.clock().sleep(Duration::from_secs(1)).await;
            let refused = self.0.ctx.take_refused_tls();
            if refused > 0 {
                self.0
                    .log
                    .warn(format_args!("Rejected {refused} connections due to TLS rate limiting"));
            }
        }
    }
}

fn refuse_unsupported(options: &Options) -> Result<(), StartError> {
    let unsupported = options.unsupported();
    if unsupported.is_empty() {
        return Ok(());
    }
    let text = |u: &Unsupported| format!("{}{}", not_supported(u), never(&u.key));
    let texts: Vec<String> = unsupported.iter().map(text).collect();
    Err(StartError::Unsupported(texts.join(
        "
",
    )))
}

/// Why an option will not be supported later either.
fn never(key: &str) -> &'static str {
    match key {
        "prof_port" | "prof_block_rate" | "--profile" => {
            ": the profiler is that of Go's runtime, which is not in this server"
        }
        _ => "",
    }
}

/// What connections take from the options.
pub(super) fn settings(
    env: &Env,
    options: Arc<Options>,
    ids: &CheckerIds,
    generation: u64,
) -> Result<Settings, StartError> {
    let tls =
        options.tls.as_ref().map(|tls| crate::tls::load_server_config(env, tls)).transpose()?;
    let directory = Directory::new(
        &options.users,
        &options.nkeys,
        options.proxies.as_deref().unwrap_or_default(),
        ids,
    )?;
    let tls_map = options.tls.as_ref().is_some_and(|tls| tls.map);
    let required = !options.users.is_empty()
        || !options.nkeys.is_empty()
        || !options.username.is_empty()
        || !options.authorization.is_empty()
        || tls_map;
    let policy = Policy {
        required,
        username: options.username.clone(),
        password: options.password.to_string(),
        token: options.authorization.to_string(),
        no_auth_user: options.no_auth_user.clone(),
        tls_map,
        proxy_required: options.proxy_required,
        mapped_types: if tls_map { vec![ConnectionType::Standard] } else { Vec::new() },
    };
    let authenticator = Arc::new(Authenticator::new(Arc::new(directory), policy));
    let monitor_tls = match &options.tls {
        Some(tls) if options.https_port != 0 => {
            let anyone = TlsOptions {
                verify: false,
                map: false,
                check_known_urls: false,
                ..TlsOptions::clone(tls)
            };
            Some(crate::tls::load_server_config(env, &anyone)?)
        }
        _ => None,
    };
    Ok(Settings {
        generation,
        tls,
        monitor_tls,
        tls_not_after_ns: certificate_end(env, &options)?,
        authenticator,
        loaded_ns: env.clock().wall_ns(),
        options,
    })
}

/// When the certificate that clients see expires.
fn certificate_end(env: &Env, options: &Options) -> Result<Option<i64>, TlsError> {
    let Some(tls) = &options.tls else { return Ok(None) };
    let der = crate::tls::own_certificate(env, tls)?;
    let cert = der.and_then(|der| PeerCert::parse(&der).ok());
    Ok(cert.map(|cert| cert.not_after.saturating_mul(1_000_000_000)))
}

/// The INFO that every client's own is made from.
pub(super) fn info(options: &Options, settings: &Settings, id: &str, name: &str) -> Info {
    let tls = options.tls.as_ref();
    Info {
        server_id: id.to_owned(),
        server_name: name.to_owned(),
        version: COMPATIBLE_VERSION.to_owned(),
        proto: 1,
        git_commit: git_commit().unwrap_or_default().to_owned(),
        go: toolchain().to_owned(),
        host: options.host.clone(),
        port: u16::try_from(options.port).unwrap_or(0),
        headers: !options.no_header_support,
        auth_required: settings.authenticator.required(),
        tls_required: tls.is_some() && !options.allow_non_tls,
        tls_verify: tls.is_some_and(|tls| tls.verify),
        tls_available: tls.is_some() && options.allow_non_tls,
        max_payload: i64::from(options.max_payload),
        api_lvl: JS_API_LEVEL,
        ..Info::default()
    }
}

/// The JetStream API level of the compatible release; clients read it whether or not JetStream runs.
const JS_API_LEVEL: u32 = 5;

/// How log lines show the digest of a configuration, if there is one.
pub(super) fn in_brackets(digest: &str) -> String {
    if digest.is_empty() { String::new() } else { format!("({digest})") }
}

/// The commit this was built from, if the build knew it.
pub(crate) fn git_commit() -> Option<&'static str> {
    option_env!("NATS_SERVER_GIT_COMMIT")
}

/// The toolchain this was built with, where upstream names Go's.
pub(crate) fn toolchain() -> &'static str {
    concat!("rustc", env!("NATS_SERVER_RUSTC"))
}

/// Where the log goes and what it holds.
pub(super) fn log_options(options: &Options) -> LogOptions {
    let target = if options.no_log {
        Target::None
    } else if !options.log_file.is_empty() {
        Target::File {
            path: options.log_file.clone().into(),
            size_limit: u64::try_from(options.log_size_limit).unwrap_or(0),
            max_files: usize::try_from(options.log_max_files).unwrap_or(0),
        }
    } else if !options.remote_syslog.is_empty() {
        Target::RemoteSyslog(options.remote_syslog.clone())
    } else if options.syslog {
        Target::Syslog
    } else {
        Target::Stderr
    };
    LogOptions {
        target,
        time: options.logtime,
        utc: options.logtime_utc,
        debug: options.debug,
        trace: options.trace,
        trace_verbose: options.trace_verbose,
        ..LogOptions::default()
    }
}

/// A password is configured in the clear. Users who come by certificate alone have none.
fn has_plaintext_passwords(options: &Options) -> bool {
    let by_certificate = options.tls.as_ref().is_some_and(|tls| tls.map);
    let single = &*options.password;
    let plain = |password: &str| !needs_hashing(password);
    !single.is_empty() && plain(single)
        || options
            .users
            .iter()
            .any(|user| plain(&user.password) && !(by_certificate && user.password.is_empty()))
}

/// The mappings of every account that is configured, by its name.
pub(super) fn compile_mappings(
    options: &Options,
) -> Result<Vec<(String, Mappings)>, TransformError> {
    let global = std::iter::once((GLOBAL_ACCOUNT.to_owned(), &options.mappings));
    let others = options.accounts.iter().map(|a| (a.name.clone(), &a.mappings));
    global.chain(others).map(|(name, configured)| Ok((name, mappings(configured)?))).collect()
}

/// Compiles configured mappings.
fn mappings(configured: &[Mapping]) -> Result<Mappings, TransformError> {
    let mut mappings = Mappings::default();
    for mapping in configured {
        let mut total = 0_u8;
        let mut destinations = Vec::new();
        for destination in mapping.dests.iter().filter(|d| d.cluster.is_empty()) {
            if let Some(transform) = Transform::new(&mapping.source, &destination.subject)? {
                total = total.saturating_add(destination.weight);
                destinations.push((total, transform));
            }
        }
        if !destinations.is_empty() {
            mappings.add(mapping.source.as_bytes(), destinations);
        }
    }
    Ok(mappings)
}

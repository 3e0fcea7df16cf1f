//! `/varz`: the server in general.

use super::Monitor;
use super::json::{Time, float, uptime};
use super::process::Resources;
use super::query::Query;
use super::reply::{Refusal, Reply};
use crate::base::json::is_zero;
use crate::base::tasks::workers;
use crate::config::feature_flags;
use crate::config::options::{Options, WriteTimeoutPolicy};
use crate::wire::info::Info;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A subsystem that is not configured.
#[derive(Debug, Default, Serialize)]
struct Off {}

#[derive(Debug, Serialize)]
struct Varz {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    limits: Limits,
    cluster: Off,
    gateway: Off,
    leaf: Off,
    mqtt: Off,
    websocket: Off,
    jetstream: Off,
    #[serde(serialize_with = "float")]
    tls_timeout: f64,
    write_deadline: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    write_timeout: &'static str,
    #[serde(flatten)]
    process: Process,
    #[serde(flatten)]
    traffic: Traffic,
    subscriptions: usize,
    http_req_stats: BTreeMap<&'static str, u64>,
    #[serde(flatten)]
    config: Config,
    slow_consumer_stats: ByPeer,
    stale_connection_stats: ByPeer,
    disk_io_wait_stats: DiskWaits,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxies: Option<Proxies>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert_not_after: Option<Time>,
}

#[derive(Debug, Serialize)]
struct Identity {
    server_id: String,
    server_name: String,
    version: String,
    proto: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    git_commit: String,
    go: String,
    host: String,
    port: u16,
    #[serde(skip_serializing_if = "is_zero")]
    auth_required: bool,
    #[serde(skip_serializing_if = "is_zero")]
    tls_required: bool,
    #[serde(skip_serializing_if = "is_zero")]
    tls_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    ip: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connect_urls: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Limits {
    max_connections: i64,
    #[serde(skip_serializing_if = "is_zero")]
    max_subscriptions: i64,
    ping_interval: u64,
    ping_max: i32,
    http_host: String,
    http_port: i32,
    http_base_path: String,
    https_port: i32,
    #[serde(serialize_with = "float")]
    auth_timeout: f64,
    max_control_line: i32,
    max_payload: i32,
    max_pending: i64,
}

#[derive(Debug, Serialize)]
struct Process {
    start: Time,
    now: Time,
    uptime: String,
    mem: u64,
    cores: usize,
    gomaxprocs: usize,
    #[serde(serialize_with = "float")]
    cpu: f64,
}

#[derive(Debug, Serialize)]
struct Traffic {
    connections: usize,
    total_connections: u64,
    routes: usize,
    remotes: usize,
    leafnodes: usize,
    in_msgs: u64,
    in_bytes: u64,
    in_client_msgs: u64,
    in_client_bytes: u64,
    out_msgs: u64,
    out_bytes: u64,
    out_client_msgs: u64,
    out_client_bytes: u64,
    slow_consumers: i64,
    stale_connections: i64,
    stalled_clients: i64,
}

#[derive(Debug, Serialize)]
struct Config {
    config_load_time: Time,
    config_digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    feature_flags: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    system_account: String,
}

/// A count by kind of connection; there are only clients yet.
#[derive(Debug, Default, Serialize)]
struct ByPeer {
    clients: i64,
    routes: i64,
    gateways: i64,
    leafs: i64,
}

#[derive(Debug, Default, Serialize)]
struct DiskWaits {
    waiters: u64,
    waits: u64,
    wait_time: u64,
    max_wait_time: u64,
}

#[derive(Debug, Serialize)]
struct Proxies {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trusted: Vec<Proxy>,
}

#[derive(Debug, Serialize)]
struct Proxy {
    key: String,
}

pub fn handle(monitor: &Monitor, _: &Query) -> Result<Reply, Refusal> {
    monitor.count("/varz");
    Ok(Reply::json(&varz(monitor)))
}

fn varz(monitor: &Monitor) -> Varz {
    let ctx = &monitor.ctx;
    let settings = ctx.settings.load();
    let options = &settings.options;
    let traffic = Traffic::of(monitor);
    let by_clients = |clients| ByPeer { clients, ..ByPeer::default() };
    Varz {
        identity: Identity::of(&ctx.info.load()),
        limits: Limits::of(options),
        cluster: Off {},
        gateway: Off {},
        leaf: Off {},
        mqtt: Off {},
        websocket: Off {},
        jetstream: Off {},
        tls_timeout: options.tls_timeout.as_secs_f64(),
        write_deadline: nanos(options.write_deadline),
        write_timeout: match options.write_timeout {
            WriteTimeoutPolicy::Default => "",
            WriteTimeoutPolicy::Close => "close",
            WriteTimeoutPolicy::Retry => "retry",
        },
        process: Process::of(monitor),
        subscriptions: ctx.accounts.all().iter().map(|a| a.sublist.len()).sum(),
        http_req_stats: monitor.requests.lock().clone(),
        config: Config {
            config_load_time: Time(settings.loaded_ns),
            config_digest: options.config_digest.clone(),
            tags: options.server_tags.clone(),
            metadata: options.server_metadata.clone(),
            feature_flags: feature_flags::merged(&options.feature_flags),
            system_account: ctx.accounts.system().map(|a| a.name.clone()).unwrap_or_default(),
        },
        slow_consumer_stats: by_clients(traffic.slow_consumers),
        stale_connection_stats: by_clients(traffic.stale_connections),
        disk_io_wait_stats: DiskWaits::default(),
        proxies: options.proxies.as_ref().map(|keys| Proxies {
            trusted: keys.iter().map(|key| Proxy { key: key.clone() }).collect(),
        }),
        tls_cert_not_after: settings.tls_not_after_ns.map(Time),
        traffic,
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Identity {
    fn of(info: &Info) -> Self {
        Self {
            server_id: info.server_id.clone(),
            server_name: info.server_name.clone(),
            version: info.version.clone(),
            proto: info.proto,
            git_commit: info.git_commit.clone(),
            go: info.go.clone(),
            host: info.host.clone(),
            port: info.port,
            auth_required: info.auth_required,
            tls_required: info.tls_required,
            tls_verify: info.tls_verify,
            ip: info.ip.clone(),
            connect_urls: info.connect_urls.clone(),
        }
    }
}

impl Limits {
    fn of(options: &Options) -> Self {
        Self {
            max_connections: options.max_conn,
            max_subscriptions: options.max_subs,
            ping_interval: nanos(options.ping_interval),
            ping_max: options.max_pings_out,
            http_host: options.http_host.clone(),
            http_port: options.http_port,
            http_base_path: options.http_base_path.clone(),
            https_port: options.https_port,
            auth_timeout: options.auth_timeout.as_secs_f64(),
            max_control_line: options.max_control_line,
            max_payload: options.max_payload,
            max_pending: options.max_pending,
        }
    }
}

impl Process {
    fn of(monitor: &Monitor) -> Self {
        let resources = Resources::of(&monitor.ctx.hub.env);
        let age = monitor.clock().now().since(monitor.start);
        Self {
            start: Time(monitor.start_wall_ns),
            now: monitor.now(),
            uptime: uptime(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)),
            mem: resources.memory,
            cores: resources.cores,
            gomaxprocs: workers(),
            cpu: monitor.usage.cpu_percent(),
        }
    }
}

impl Traffic {
    fn of(monitor: &Monitor) -> Self {
        let (registry, stats) = (&monitor.ctx.registry, &monitor.ctx.hub.stats);
        let (in_msgs, in_bytes) =
            (stats.in_msgs.load(Ordering::Relaxed), stats.in_bytes.load(Ordering::Relaxed));
        let (out_msgs, out_bytes) =
            (stats.out_msgs.load(Ordering::Relaxed), stats.out_bytes.load(Ordering::Relaxed));
        Self {
            connections: registry.len(),
            total_connections: registry.total(),
            routes: 0,
            remotes: 0,
            leafnodes: 0,
            in_msgs,
            in_bytes,
            in_client_msgs: in_msgs,
            in_client_bytes: in_bytes,
            out_msgs,
            out_bytes,
            out_client_msgs: out_msgs,
            out_client_bytes: out_bytes,
            slow_consumers: stats.slow_consumers.load(Ordering::Relaxed),
            stale_connections: stats.stale_connections.load(Ordering::Relaxed),
            stalled_clients: stats.stalls.load(Ordering::Relaxed),
        }
    }
}

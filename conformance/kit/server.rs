//! A running server process and everything a case asks of it.

use std::net::SocketAddr;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::launch::{Process, complete};
use super::log::Log;
use super::tls::TlsClient;
use super::wait::{eventually, fail};
use super::{Cx, PATIENCE, Raw, Response, http, patience};

/// A running server; killed when dropped.
pub(crate) struct Server {
    cx: Cx,
    process: Process,
    config: Option<PathBuf>,
    log: Arc<Log>,
    /// The contents of the ports file.
    ports: Value,
    /// Where the case started it.
    at: &'static Location<'static>,
}

impl Server {
    pub(super) fn new(
        cx: Cx,
        process: Process,
        config: Option<PathBuf>,
        log: Arc<Log>,
        at: &'static Location<'static>,
    ) -> Self {
        Self { cx, process, config, log, ports: Value::Null, at }
    }

    /// Waits for the ports file, which a server writes once all its listeners accept.
    pub(super) async fn ready(&mut self, ports_dir: &Path) {
        let end = Instant::now() + patience(PATIENCE);
        let suffix = format!("_{}.ports", self.process.id());
        loop {
            if let Some(ports) = read_ports(ports_dir, &suffix) {
                self.ports = ports;
                return;
            }
            if let Some(status) = self.process.status() {
                fail(self.at, &format!("the server ended with {status} while starting"));
            }
            if Instant::now() >= end {
                fail(self.at, "the server was not ready in time");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    // --- where it listens

    /// The port of a listener, by its name in the ports file: `nats`, `monitoring`, `cluster`,
    /// `profile`, `websocket`, `leafnodes`.
    pub(crate) fn port_of(&self, listener: &str) -> u16 {
        let url = self.ports[listener][0].as_str().unwrap_or_else(|| {
            fail(self.at, &format!("no listener {listener:?} in the ports file: {}", self.ports))
        });
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| fail(self.at, &format!("no port in {url:?}")))
    }

    /// The ports file, as the server wrote it.
    pub(crate) fn ports(&self) -> &Value {
        &self.ports
    }

    /// The client port.
    pub(crate) fn port(&self) -> u16 {
        self.port_of("nats")
    }

    /// The client address.
    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    /// `nats://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.addr())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The configuration file, when the kit wrote one.
    pub(crate) fn config_path(&self) -> &Path {
        self.config.as_deref().unwrap_or_else(|| fail(self.at, "it has no configuration file"))
    }

    // --- connections

    /// A bare connection; nothing is read or sent yet.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::tcp(self.addr()).await
    }

    /// A bare connection that has read INFO and sent `CONNECT {"verbose":false}` and so on, as
    /// most Go tests begin.
    pub(crate) async fn raw_connected(&self) -> Raw {
        let mut raw = self.raw().await;
        let options =
            serde_json::json!({"verbose": false, "pedantic": false, "tls_required": false});
        raw.connect(options).await;
        raw
    }

    /// A connection that reads INFO in the clear and then speaks TLS; the INFO is in
    /// [`Raw::last_info`].
    pub(crate) async fn raw_tls(&self, tls: &TlsClient) -> Raw {
        let mut raw = self.raw().await;
        raw.info().await;
        raw.start_tls(tls).await;
        raw
    }

    /// A real client. Its options are async-nats's own.
    pub(crate) async fn client_with(
        &self,
        options: async_nats::ConnectOptions,
    ) -> async_nats::Client {
        options.connect(self.url()).await.unwrap_or_else(|error| fail(self.at, &error.to_string()))
    }

    pub(crate) async fn client(&self) -> async_nats::Client {
        self.client_with(async_nats::ConnectOptions::new()).await
    }

    // --- monitoring

    /// `GET path` on the monitoring port.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.get_with(path, "").await
    }

    /// `GET path` with more header lines, each with its line end.
    pub(crate) async fn get_with(&self, path: &str, headers: &str) -> Response {
        http::get(self.monitor_addr(), None, path, headers).await
    }

    /// `GET path` on a monitoring port that speaks TLS.
    pub(crate) async fn get_tls(&self, tls: &TlsClient, path: &str) -> Response {
        http::get(self.monitor_addr(), Some(tls), path, "").await
    }

    fn monitor_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port_of("monitoring")))
    }

    /// `GET path`, which must answer 200 and JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        if response.status != 200 {
            fail(self.at, &format!("GET {path}: {} {}", response.status, response.body));
        }
        response.json()
    }

    pub(crate) async fn varz(&self) -> Value {
        self.json("/varz").await
    }

    pub(crate) async fn connz(&self, query: &str) -> Value {
        self.json(&format!("/connz?{query}")).await
    }

    pub(crate) async fn subsz(&self, query: &str) -> Value {
        self.json(&format!("/subsz?{query}")).await
    }

    /// Waits until a connection is listed as closed for this reason; a client sees the end of its
    /// connection before the list does.
    #[track_caller]
    pub(crate) fn closed_for<'a>(&'a self, reason: &'a str) -> impl Future<Output = ()> + 'a {
        eventually(PATIENCE, async move || {
            let closed = self.connz("state=closed").await;
            let connections = closed["connections"].as_array();
            connections.into_iter().flatten().any(|connection| connection["reason"] == reason)
        })
    }

    // --- the log

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a line of the log that contains the text, and returns the first one.
    #[track_caller]
    pub(crate) fn log_line<'a>(&'a self, contains: &'a str) -> impl Future<Output = String> + 'a {
        self.log_line_from(0, contains)
    }

    /// [`Server::log_line`] that leaves out what the log held when its length was `from`.
    #[track_caller]
    pub(crate) fn log_line_from<'a>(
        &'a self,
        from: usize,
        contains: &'a str,
    ) -> impl Future<Output = String> + 'a {
        let at = Location::caller();
        async move {
            let end = Instant::now() + patience(PATIENCE);
            loop {
                let text = self.log.text();
                let fresh = text.get(from..).unwrap_or_default();
                if let Some(line) = fresh.lines().find(|line| line.contains(contains)) {
                    return line.to_owned();
                }
                if Instant::now() >= end {
                    fail(at, &format!("no line with {contains:?} in the log"));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Error lines that contain the text are expected.
    pub(crate) fn allow_errors(&self, contains: &str) {
        self.log.allow(contains);
    }

    // --- its life

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id() as i32).expect("a process id is not zero");
        kill_process(pid, signal).expect("the server still runs");
    }

    /// Rewrites the configuration, sends SIGHUP, and waits until the server has taken it.
    #[track_caller]
    pub(crate) fn reload<'a>(&'a self, config: &'a str) -> impl Future<Output = ()> + 'a {
        let line = self.reload_until(config, "Reloaded server configuration");
        async move { drop(line.await) }
    }

    /// Rewrites the configuration, sends SIGHUP, and returns the line by which the server
    /// refuses it.
    #[track_caller]
    pub(crate) fn reload_refused<'a>(
        &'a self,
        config: &'a str,
    ) -> impl Future<Output = String> + 'a {
        self.log.allow("Failed to reload server configuration");
        self.reload_until(config, "Failed to reload server configuration")
    }

    #[track_caller]
    fn reload_until<'a>(
        &'a self,
        config: &'a str,
        contains: &'a str,
    ) -> impl Future<Output = String> + 'a {
        let at = Location::caller();
        async move {
            let text = complete(config, self.cx.dir());
            std::fs::write(self.config_path(), text)
                .unwrap_or_else(|error| fail(at, &error.to_string()));
            let from = self.log.text().len();
            self.signal(Signal::HUP);
            self.log_line_from(from, contains).await
        }
    }

    /// Stops the server as an operator does (SIGTERM) and waits for its end; returns the exit
    /// code, `None` when the signal itself ended it.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until the server ends by itself, and returns its exit code.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> impl Future<Output = Option<i32>> + '_ {
        let at = Location::caller();
        async move {
            match self.process.exited().await {
                Some(status) => status.code(),
                None => fail(at, "the server did not end"),
            }
        }
    }
}

fn read_ports(dir: &Path, suffix: &str) -> Option<Value> {
    let entries = std::fs::read_dir(dir).ok()?;
    let path = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with(suffix))?;
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

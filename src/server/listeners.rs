//! Accepting clients.

use super::{Server, StartError};
use crate::base::fs::reason;
use crate::base::net::Listener;
use crate::base::text::parse_host_port;
use crate::config::options::Options;
use crate::conn::client;
use crate::wire::info::Info;
use std::io;
use std::time::Duration;

/// Wait after a failed accept; doubles up to the second one.
const ACCEPT_WAIT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// `host:port` as addresses are written.
pub(super) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A configured port: -1 and 0 let the system choose.
pub(super) fn port(configured: i32) -> u16 {
    u16::try_from(configured).unwrap_or(0)
}

impl Server {
    pub(super) async fn listen_for_clients(&self) -> Result<(), StartError> {
        let options = self.options();
        if options.dont_listen {
            return Ok(());
        }
        let wanted = port(options.port);
        let listener = self.0.env.net().listen(&options.host, wanted).await;
        let bound = listener.and_then(|listener| listener.local_addr().map(|a| (listener, a)));
        let (listener, addr) = bound.map_err(|source| StartError::Listen {
            hostport: host_port(&options.host, wanted),
            problem: listen_problem(&options.host, wanted, &source),
        })?;
        self.0.monitor.set_accepting(true);
        self.announce(addr.port());
        let mut info = Info::clone(&self.0.ctx.info.load());
        (info.host, info.port) = told_address(&options, addr.port())?;
        self.0.ctx.info.store(info.into());
        self.0.addresses.lock().client = Some(addr);
        let server = self.clone();
        self.0.accepting.spawn_abortable(async move { server.accept(listener).await });
        Ok(())
    }

    /// Opens the monitoring port, if one is configured.
    pub(super) async fn start_monitor(&self) -> Result<(), StartError> {
        self.listen_for_monitoring().await.map_err(StartError::Monitor)
    }

    async fn listen_for_monitoring(&self) -> Result<(), String> {
        let options = self.options();
        let (configured, secure) = match (options.http_port, options.https_port) {
            (0, 0) => return Ok(()),
            (http, 0) => (http, false),
            (0, https) => (https, true),
            (http, https) => {
                return Err(format!("can't specify both HTTP ({http}) and HTTPs ({https}) ports"));
            }
        };
        if secure && options.tls.is_none() {
            return Err("TLS cert and key required for HTTPS".to_owned());
        }
        let wanted = port(configured);
        let listener = self.0.env.net().listen(&options.http_host, wanted).await;
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (addr, listener) = bound.map_err(|e| {
            let problem = listen_problem(&options.http_host, wanted, &e);
            format!("can't listen to the monitor port: {problem}")
        })?;
        let protocol = if secure { "https" } else { "http" };
        let at = host_port(&options.http_host, addr.port());
        self.0.log.info(format_args!("Starting {protocol} monitor on {at}"));
        {
            let mut addresses = self.0.addresses.lock();
            addresses.monitor = Some(addr);
            addresses.monitor_tls = secure;
        }
        let tasks = self.0.listeners.clone();
        let serving = self.0.monitor.clone().serve(listener, secure, tasks.clone());
        tasks.spawn_abortable(serving);
        Ok(())
    }

    fn announce(&self, port: u16) {
        let (log, options) = (&self.0.log, self.options());
        let at = host_port(&options.host, port);
        log.info(format_args!("Listening for client connections on {at}"));
        if options.proxy_protocol {
            log.info(format_args!("PROXY protocol enabled for client connections"));
        }
        let Some(tls) = &options.tls else { return };
        let first_only = tls.handshake_first && tls.handshake_first_fallback.is_none();
        let kind = if options.allow_non_tls && !first_only { "available" } else { "required" };
        log.info(format_args!("TLS {kind} for client connections"));
        if first_only {
            log.warn(format_args!(
                "Clients that are not using \"TLS Handshake First\" option will fail to connect"
            ));
        }
    }

    async fn accept(&self, listener: Listener) {
        let (ctx, clock) = (&self.0.ctx, self.0.env.clock());
        let mut wait = ACCEPT_WAIT.0;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    wait = ACCEPT_WAIT.0;
                    ctx.tasks.spawn(client::serve(ctx.clone(), stream, peer));
                }
                Err(e) => {
                    let at =
                        listener.local_addr().map_or_else(|_| String::new(), |a| a.to_string());
                    self.0.log.error(format_args!(
                        "Temporary Client Accept Error(accept tcp {at}: accept4: {}), sleeping {}ms",
                        reason(&e),
                        wait.as_millis()
                    ));
                    clock.sleep(wait).await;
                    wait = (wait * 2).min(ACCEPT_WAIT.1);
                }
            }
        }
    }
}

/// What INFO tells of where the server listens: `client_advertise`, else host and real port.
pub(super) fn told_address(options: &Options, port: u16) -> Result<(String, u16), StartError> {
    let text = &options.client_advertise;
    if text.is_empty() {
        return Ok((options.host.clone(), port));
    }
    let wrong = |problem: String| StartError::Advertise { text: text.clone(), problem };
    let (host, port) = parse_host_port(text, i64::from(port)).map_err(|e| wrong(e.to_string()))?;
    let port = u16::try_from(port).map_err(|_| wrong(format!("invalid port {port}")))?;
    Ok((host, port))
}

/// Why listening failed, in upstream's words.
pub(super) fn listen_problem(host: &str, port: u16, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => format!("listen tcp {}: bind: {}", host_port(host, port), reason(error)),
        // Only looking the name up fails without the system's own number.
        None => format!("listen tcp: lookup {host}: no such host"),
    }
}

//! Accepting clients.

use super::{Server, StartError};
use crate::base::fs::reason;
use crate::base::net::Listener;
use crate::conn::client;
use crate::wire::info::Info;
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
        let listener = listener.map_err(|source| StartError::Listen {
            hostport: host_port(&options.host, wanted),
            source,
        })?;
        let addr = listener.local_addr().map_err(|source| StartError::Listen {
            hostport: host_port(&options.host, wanted),
            source,
        })?;
        self.0.addresses.lock().client = Some(addr);
        let mut info = Info::clone(&self.0.ctx.info.load());
        info.port = addr.port();
        if let Some((host, port)) = advertised(&options.client_advertise, addr.port()) {
            (info.host, info.port) = (host, port);
        }
        self.0.ctx.info.store(info.into());
        self.0.monitor.set_accepting(true);
        self.announce(addr.port());
        let server = self.clone();
        self.0.accepting.spawn_abortable(async move { server.accept(listener).await });
        Ok(())
    }

    /// Opens the monitoring port, if one is configured.
    pub(super) async fn start_monitor(&self) -> Result<(), StartError> {
        match self.listen_for_monitoring().await {
            Ok(()) => Ok(()),
            Err(problem) => {
                self.0.log.fatal(format_args!("Can't start monitoring: {problem}"));
                Err(StartError::Logged)
            }
        }
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
            let at = host_port(&options.http_host, wanted);
            format!("can't listen to the monitor port: listen tcp {at}: {}", reason(&e))
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
                    self.0.log.error(format_args!(
                        "Temporary Client Accept Error ({e}), sleeping {}ms",
                        wait.as_millis()
                    ));
                    clock.sleep(wait).await;
                    wait = (wait * 2).min(ACCEPT_WAIT.1);
                }
            }
        }
    }
}

/// Host and port of `client_advertise`.
pub(super) fn advertised(text: &str, default_port: u16) -> Option<(String, u16)> {
    if text.is_empty() {
        return None;
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') || host.starts_with('[') => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = port.parse().ok().filter(|p| *p != 0).unwrap_or(default_port);
            Some((host.to_owned(), port))
        }
        _ => Some((text.to_owned(), default_port)),
    }
}

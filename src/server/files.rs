//! The pid file and the ports file.

use super::{Server, StartError};
use crate::base::fs::reason;
use crate::config::options::Options;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

#[derive(Debug, Serialize)]
struct Ports {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nats: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    monitoring: Vec<String>,
}

impl Server {
    pub(super) fn write_pid_file(&self) -> Result<(), StartError> {
        let options = self.options();
        if options.pid_file.is_empty() {
            return Ok(());
        }
        let pid = self.0.env.pid().to_string();
        self.0
            .env
            .fs()
            .write(Path::new(&options.pid_file), pid.as_bytes(), 0o640)
            .map_err(|source| StartError::PidFile { path: options.pid_file.clone(), source })
    }

    /// Where the ports file is, if one is wanted.
    fn ports_file(&self, options: &Options) -> Option<PathBuf> {
        if options.ports_file_dir.is_empty() {
            return None;
        }
        let program = self.0.env.program();
        let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{program}_{}.ports", self.0.env.pid());
        Some(Path::new(&options.ports_file_dir).join(name))
    }

    pub(super) fn write_ports_file(&self) {
        let Some(path) = self.ports_file(&self.options()) else { return };
        let addresses = self.0.addresses.lock().clone();
        let tls = self.0.ctx.info.load().tls_required;
        let ports = Ports {
            nats: self.urls(if tls { "tls" } else { "nats" }, addresses.client),
            monitoring: self
                .urls(if addresses.monitor_tls { "https" } else { "http" }, addresses.monitor),
        };
        let json = serde_json::to_vec(&ports).expect("plain strings always serialize");
        if let Err(e) = self.0.env.fs().write(&path, &json, 0o666) {
            let path = path.display();
            let problem = reason(&e);
            self.0
                .log
                .error(format_args!("Error writing ports file ({path}): open {path}: {problem}"));
        }
    }

    fn urls(&self, scheme: &str, addr: Option<SocketAddr>) -> Vec<String> {
        let Some(addr) = addr else { return Vec::new() };
        let ips = if addr.ip().is_unspecified() { self.0.env.addresses() } else { vec![addr.ip()] };
        let url = |ip: &IpAddr| format!("{scheme}://{}", SocketAddr::new(*ip, addr.port()));
        ips.iter().map(url).collect()
    }

    /// The ports file says where a running server listens, so it goes with it, and when a
    /// reload moves it: `options` are those it was written under.
    pub(super) fn remove_ports_file(&self, options: &Options) {
        let Some(path) = self.ports_file(options) else { return };
        if let Err(e) = self.0.env.fs().remove_file(&path) {
            let path = path.display();
            let problem = reason(&e);
            self.0.log.error(format_args!(
                "Error cleaning up ports file {path}: remove {path}: {problem}"
            ));
        }
    }
}

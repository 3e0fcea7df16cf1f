//! A server process: started for one run, killed after it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::Result;
use crate::conn::Target;
use crate::settings::Settings;

/// A running server; dropping it kills the process.
pub struct Server {
    child: Child,
    pub target: Target,
    folder: TempDir,
}

impl Server {
    /// Starts `binary` on a free port of 127.0.0.1 and waits until it serves.
    pub fn start(binary: &Path, settings: Settings) -> Result<Server> {
        let folder = TempDir::with_prefix("compare-").map_err(|e| e.to_string())?;
        let address = free_address()?;
        let mut target = Target { address, login: None, tls: None };
        let log = File::create(folder.path().join("log")).map_err(|e| e.to_string())?;
        let mut command = Command::new(binary);
        command.args(["-a", "127.0.0.1", "-p", &address.port().to_string()]);
        if let Some(file) = settings.write(folder.path(), &mut target)? {
            command.arg("-c").arg(file);
        }
        let also = log.try_clone().map_err(|e| e.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            .spawn()
            .map_err(|e| format!("starting {}: {e}", binary.display()))?;
        let mut server = Server { child, target, folder };
        server.await_ready()?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn await_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.target.address).is_err() {
            let ended = self.child.try_wait().map_err(|e| e.to_string())?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(format!("the server does not start:\n{}", self.log()));
            }
            sleep(Duration::from_millis(20));
        }
        self.target.connect().map(drop).map_err(|e| format!("{e}\n{}", self.log()))
    }

    /// The end of what the server has logged.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended by itself.
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    listener.local_addr().map_err(|e| e.to_string())
}

/// Raises the limit of open files (which the servers inherit) as far as allowed; says how far.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, most).is_err() {
        return limit.current.unwrap_or(u64::MAX);
    }
    limit.maximum.unwrap_or(u64::MAX)
}

/// The version that a server's binary states.
pub fn version(binary: &Path) -> Result<String> {
    let say = |e: String| format!("{}: {e}", binary.display());
    let output = Command::new(binary).arg("--version").output().map_err(|e| say(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().replace('\n', ", ");
    if text.is_empty() { Err(say("states no version".into())) } else { Ok(text) }
}

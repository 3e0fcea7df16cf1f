//! A server process: one that ends by itself, or one to connect to.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::mask;

/// How long a process may take to end, or to be ready.
const PATIENCE: Duration = Duration::from_secs(8);

/// A binary and a folder of its own.
pub(crate) struct Place {
    binary: PathBuf,
    dir: PathBuf,
}

/// The certificates that scripts name as `{dir}/cert.pem` and so on.
const FILES: &[(&str, &str)] = &[
    ("ca.pem", include_str!("pki/ca.pem")),
    ("cert.pem", include_str!("pki/cert.pem")),
    ("key.pem", include_str!("pki/key.pem")),
];

impl Place {
    /// Lays the files that scripts may name into `dir`.
    pub(crate) fn new(binary: &Path, dir: &Path) -> Result<Self, String> {
        for (name, text) in FILES {
            fs::write(dir.join(name), text).map_err(|error| error.to_string())?;
        }
        Ok(Self { binary: binary.to_owned(), dir: dir.to_owned() })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a configuration, with `{dir}` filled in, and returns its path.
    pub(crate) fn config(&self, text: &str) -> PathBuf {
        let path = self.dir.join("server.conf");
        fs::write(&path, self.fill(text)).expect("the folder is writable");
        path
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{dir}", &self.dir.to_string_lossy())
    }

    /// Runs the server until it ends; what it said and its exit code, masked.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let (out, err) = (self.dir.join("stdout"), self.dir.join("stderr"));
        let mut child = self.spawn(args, &out, &err);
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match child.0.try_wait().expect("a child can be waited for") {
                Some(status) => {
                    break status.code().map_or("a signal".to_owned(), |code| code.to_string());
                }
                None if Instant::now() > end => break "none: it still runs".to_owned(),
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let mut text = format!("exit {status}\n");
        for (name, path) in [("out", &out), ("err", &err)] {
            for line in mask::output(&read(path), &self.dir).lines() {
                text.push_str(&format!("{name}: {line}\n"));
            }
        }
        text
    }

    fn spawn(&self, args: &[&str], out: &Path, err: &Path) -> Process {
        let create = |path: &Path| File::create(path).expect("the folder is writable");
        let child = Command::new(&self.binary)
            .args(args.iter().map(|arg| self.fill(arg)))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(create(out))
            .stderr(create(err))
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        Process(child)
    }

    /// Starts a server with a configuration and returns when it accepts connections.
    pub(crate) fn start(&self, config: &str, args: &[&str]) -> Result<Running, String> {
        let ports = self.dir.join("ports");
        fs::create_dir_all(&ports).map_err(|error| error.to_string())?;
        let path = self.config(config);
        let (path, ports_arg) = (path.to_string_lossy(), ports.to_string_lossy());
        let mut all = vec!["-c", &path, "--ports_file_dir", &ports_arg];
        all.extend(args);
        let log = self.dir.join("stderr");
        let mut process = self.spawn(&all, &self.dir.join("stdout"), &log);
        let end = Instant::now() + PATIENCE;
        let said = || fs::read_to_string(&log).unwrap_or_default();
        while Instant::now() < end {
            if let Some((client, monitor)) = read_ports(&ports) {
                return Ok(Running { process, client, monitor, log });
            }
            if let Ok(Some(status)) = process.0.try_wait() {
                return Err(format!("ended with {status}: {}", mask::output(&said(), &self.dir)));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("not ready: {}", said()))
    }
}

/// Killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that accepts connections.
pub(crate) struct Running {
    process: Process,
    pub(crate) client: SocketAddr,
    pub(crate) monitor: Option<SocketAddr>,
    log: PathBuf,
}

impl Running {
    /// The whole log so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether the process still runs.
    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(None))
    }
}

fn read_ports(dir: &Path) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let path = fs::read_dir(dir).ok()?.find_map(|entry| Some(entry.ok()?.path()))?;
    let ports: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let addr = |name: &str| {
        let url = ports[name].as_array()?.first()?.as_str()?;
        url.split_once("://")?.1.parse().ok()
    };
    Some((addr("nats")?, addr("monitoring")))
}

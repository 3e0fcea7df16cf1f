//! From a configuration and arguments to a running process, or to its exit.

use std::fs::File;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::log::Log;
use super::wait::fail;
use super::{Cx, PATIENCE, Server, patience};

/// A server process yet to be started.
pub(crate) struct Launch {
    cx: Cx,
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    config: Option<String>,
    /// Where the configuration itself has the ports file, instead of the kit's own place.
    ports_dir: Option<PathBuf>,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Exit {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Launch {
    pub(super) fn new(cx: Cx) -> Self {
        let name = format!("server-{}", 1 + cx.0.launched.fetch_add(1, Ordering::Relaxed));
        Self { cx, name, args: Vec::new(), env: Vec::new(), config: None, ports_dir: None }
    }

    /// The configuration; see [`Cx::server`] for what the kit adds.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// The configuration has a `ports_file_dir` of its own, which is this; the kit's flag would
    /// win over it.
    pub(crate) fn ports_dir(mut self, path: &Path) -> Self {
        self.ports_dir = Some(path.to_owned());
        self
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server and returns when it accepts connections.
    #[track_caller]
    pub(crate) fn start(self) -> impl Future<Output = Server> + use<> {
        let at = Location::caller();
        async move {
            let own = self.folder().join("ports");
            let ports_dir = self.ports_dir.clone().unwrap_or_else(|| own.clone());
            std::fs::create_dir_all(&ports_dir).expect("the case's folder is writable");
            let config = self.write_config();
            let mut command = self.command(config.as_deref());
            if ports_dir == own {
                command.arg("--ports_file_dir").arg(&own);
            }
            let (process, log) = self.spawn(command);
            let mut server = Server::new(self.cx.clone(), process, config, log, at);
            server.ready(&ports_dir).await;
            server
        }
    }

    /// Runs the server until it exits by itself.
    #[track_caller]
    pub(crate) fn run(self) -> impl Future<Output = Exit> + use<> {
        let at = Location::caller();
        async move {
            std::fs::create_dir_all(self.folder()).expect("the case's folder is writable");
            let config = self.write_config();
            let (mut process, log) = self.spawn(self.command(config.as_deref()));
            // What a process says before it gives up is for the case to judge.
            log.allow("");
            match process.exited().await {
                Some(status) => self.exit(status),
                None => fail(at, &format!("{:?} did not exit", self.args)),
            }
        }
    }

    fn folder(&self) -> PathBuf {
        self.cx.dir().join(&self.name)
    }

    fn write_config(&self) -> Option<PathBuf> {
        let text = complete(self.config.as_deref()?, self.cx.dir());
        Some(self.cx.file(&format!("{}/server.conf", self.name), &text))
    }

    fn command(&self, config: Option<&Path>) -> Command {
        let mut command = self.cx.target().command();
        if let Some(path) = config {
            command.arg("-c").arg(path);
        }
        let dir = self.cx.dir().to_string_lossy();
        command.args(self.args.iter().map(|arg| arg.replace("{dir}", &dir)));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn spawn(&self, mut command: Command) -> (Process, Arc<Log>) {
        let folder = self.folder();
        let create = |name| File::create(folder.join(name)).expect("the case's folder is writable");
        let child = command
            .current_dir(self.cx.dir())
            .stdin(Stdio::null())
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Log::new(self.name.clone(), folder.join("stderr")));
        self.cx.0.logs.lock().unwrap().push(Arc::clone(&log));
        (Process(child), log)
    }

    fn exit(&self, status: ExitStatus) -> Exit {
        let read = |name| {
            let bytes = std::fs::read(self.folder().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Exit { code: status.code(), stdout: read("stdout"), stderr: read("stderr") }
    }
}

/// A process that is killed when dropped, so that a case that fails or runs out of time leaves
/// none behind.
pub(super) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(super) fn status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be waited for")
    }

    /// Waits until it has ended; `None` when it has not within the kit's patience.
    pub(super) async fn exited(&mut self) -> Option<ExitStatus> {
        let end = Instant::now() + patience(PATIENCE);
        while self.status().is_none() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.status()
    }
}

/// The configuration as written to disk: free ports where it names none, `{dir}` filled in. What
/// is added goes to the end, so that the positions in error messages stay the case's own.
pub(super) fn complete(config: &str, dir: &Path) -> String {
    let mut text = config.replace("{dir}", &dir.to_string_lossy());
    let keys = top_level_keys(config);
    let has = |names: &[&str]| keys.iter().any(|key| names.contains(&key.as_str()));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    if !has(&["listen", "port", "host", "net"]) {
        text.push_str("listen: 127.0.0.1:-1\n");
    }
    if !has(&["http", "http_port", "https", "https_port", "monitor_port"]) {
        text.push_str("http: 127.0.0.1:-1\n");
    }
    text
}

/// The keys outside every block, lower case. Good enough for configurations that cases hold.
fn top_level_keys(config: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let mut keys = Vec::new();
    for line in config.lines() {
        let line = line.split('#').next().unwrap_or_default();
        for statement in line.split([',', ';']) {
            let key = statement.trim_start().trim_start_matches('"');
            let end = key.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(key.len());
            if depth == 0 && end > 0 {
                keys.push(key[..end].to_lowercase());
            }
            let opened = statement.matches(['{', '[', '(']).count() as i32;
            let closed = statement.matches(['}', ']', ')']).count() as i32;
            depth += opened - closed;
        }
    }
    keys
}

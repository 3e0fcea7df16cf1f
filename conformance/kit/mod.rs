//! The test kit: what a case needs to read like the intent of the Go test, in few lines.
//!
//! ```text
//! async fn echoes(cx: Cx) {
//!     let server = cx.server("max_payload: 100").await;     // free ports, ready when returned
//!     let mut c = server.raw().await;                       // a bare protocol connection
//!     c.connect(json!({"verbose": false})).await;           // INFO read, CONNECT sent
//!     c.send("SUB foo 1\r\nPUB foo 5\r\nhello\r\n").await;
//!     c.expect("MSG foo 1 5\r\nhello\r\n").await;
//!     assert_eq!(server.varz().await["in_msgs"], 1);
//! }
//! ```
//!
//! Every wait has a deadline ([`PATIENCE`]) and says what it waited for. Servers are killed when
//! dropped; their logs are kept, shown when the case fails, and fail it when they hold an error
//! line that the case did not allow.

mod http;
mod launch;
mod log;
mod raw;
mod server;
mod target;
pub(crate) mod tls;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

pub(crate) use http::{Response, shape};
pub(crate) use launch::{Exit, Launch};
pub(crate) use raw::{Msg, Raw};
pub(crate) use server::Server;
pub(crate) use target::{Target, patience};
pub(crate) use wait::{PATIENCE, eventually, free_port, never};

use log::Log;

/// What a case is given: the server under test, and a folder of its own.
#[derive(Clone)]
pub(crate) struct Cx(Arc<Inner>);

struct Inner {
    target: Target,
    dir: TempDir,
    logs: Mutex<Vec<Arc<Log>>>,
    /// Servers launched so far: they are called by their number.
    launched: AtomicUsize,
}

impl Cx {
    pub(crate) fn new(target: Target) -> Self {
        let dir = tempfile::Builder::new().prefix("nats-case-").tempdir().expect("a folder");
        Self(Arc::new(Inner { target, dir, logs: Mutex::default(), launched: AtomicUsize::new(0) }))
    }

    /// Starts a server with this configuration and returns when it accepts connections. It
    /// listens on a free port of 127.0.0.1 and monitors on another unless the text says
    /// otherwise; `{dir}` in the text is the case's folder.
    #[track_caller]
    pub(crate) fn server(&self, config: &str) -> impl Future<Output = Server> + use<> {
        self.launch().config(config).start()
    }

    /// Starts a server with these arguments and no configuration file of the kit's making.
    #[track_caller]
    pub(crate) fn server_args(&self, args: &[&str]) -> impl Future<Output = Server> + use<> {
        self.launch().args(args).start()
    }

    /// Runs the server with these arguments until it exits by itself.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> impl Future<Output = Exit> + use<> {
        self.launch().args(args).run()
    }

    /// `nats-server -t -c` on this configuration, as it stands.
    #[track_caller]
    pub(crate) fn check_config(&self, config: &str) -> impl Future<Output = Exit> + use<> {
        let path = self.file("checked.conf", config);
        self.run(&["-t", "-c", path.to_str().expect("a UTF-8 path")])
    }

    /// A server process yet to be started, when configuration alone does not say it.
    pub(crate) fn launch(&self) -> Launch {
        Launch::new(self.clone())
    }

    /// Writes a file into the case's folder.
    pub(crate) fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().expect("below the case's folder")).expect("a folder");
        std::fs::write(&path, contents).expect("the case's folder is writable");
        path
    }

    /// The case's folder; it is gone after the case.
    pub(crate) fn dir(&self) -> &Path {
        self.0.dir.path()
    }

    /// Whether the oracle is under test: for `better` cases, which expect something else of it.
    pub(crate) fn on_upstream(&self) -> bool {
        self.0.target.is_upstream()
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    /// The first line of a server's log that a passing case must not leave behind.
    pub(crate) fn unexpected_errors(&self) -> Option<String> {
        self.0.logs.lock().unwrap().iter().find_map(|log| log.unexpected_error())
    }

    /// The logs of all servers of the case, for the report of a failure.
    pub(crate) fn logs(&self) -> String {
        self.0.logs.lock().unwrap().iter().map(|log| log.tail()).collect()
    }
}

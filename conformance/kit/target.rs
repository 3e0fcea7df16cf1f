//! Which server is under test, and where its binary is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// The release that the oracle is.
pub(crate) const ORACLE_VERSION: &str = "2.15.1";

/// The server under test.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    kind: TargetKind,
    binary: PathBuf,
    version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetKind {
    Rust,
    Upstream,
    /// Accepts, greets, answers PING, and knows nothing else: what passes on it tests nothing.
    Fake,
}

/// Set once the fake server is the target: waiting for what never comes may then be short.
static IMPATIENT: OnceLock<()> = OnceLock::new();

/// `limit`, cut short when the target is the fake server.
pub(crate) fn patience(limit: Duration) -> Duration {
    if IMPATIENT.get().is_some() { limit / 8 } else { limit }
}

impl Target {
    /// The target that `CONFORMANCE_SERVER` names, or why it cannot be had.
    pub(crate) fn from_env() -> Result<Self, String> {
        match std::env::var("CONFORMANCE_SERVER").as_deref() {
            Err(_) | Ok("" | "rust") => {
                Self::new(TargetKind::Rust, PathBuf::from(env!("CARGO_BIN_EXE_nats-server")))
            }
            Ok("upstream") => Self::new(TargetKind::Upstream, oracle()?),
            Ok("fake") => {
                IMPATIENT.get_or_init(|| ());
                let binary = PathBuf::from(env!("CARGO_BIN_EXE_conformance"));
                Ok(Self { kind: TargetKind::Fake, binary, version: "fake".to_owned() })
            }
            Ok(other) => Err(format!("CONFORMANCE_SERVER={other}: not rust, upstream or fake")),
        }
    }

    fn new(kind: TargetKind, binary: PathBuf) -> Result<Self, String> {
        let output = Command::new(&binary).arg("--version").output();
        let output = output.map_err(|error| format!("{}: {error}", binary.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let first = text.lines().next().unwrap_or_default();
        let version = first.rsplit(' ').next().unwrap_or_default().trim_start_matches('v');
        Ok(Self { kind, binary, version: version.to_owned() })
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.kind == TargetKind::Rust
    }

    pub(crate) fn is_upstream(&self) -> bool {
        self.kind == TargetKind::Upstream
    }

    pub(crate) fn is_fake(&self) -> bool {
        self.kind == TargetKind::Fake
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// What the binary says of its version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// A command that runs the server.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        if self.kind == TargetKind::Fake {
            command.arg("fake-server");
        }
        command
    }
}

/// The upstream binary: named by the environment, or what `scripts/upstream` has or fetches.
fn oracle() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("NATS_SERVER_UPSTREAM").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/upstream");
    let output = Command::new(&script)
        .arg(ORACLE_VERSION)
        .output()
        .map_err(|error| format!("no oracle: {}: {error}", script.display()))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = why.lines().last().unwrap_or("it failed").to_owned();
        return Err(format!("no oracle: scripts/upstream {ORACLE_VERSION}: {why}"));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

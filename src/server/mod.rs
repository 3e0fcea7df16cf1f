//! The server as a whole: made from options, started, reloaded, ended.
//!
//! ```text
//! cli.rs        the command line program
//! start.rs      from options to a running server
//! listeners.rs  accepting clients
//! reload.rs     taking over a changed configuration
//! ending.rs     lame duck mode and shutdown
//! signals.rs    what signals do
//! files.rs      pid file and ports file
//! ```

pub mod cli;
mod ending;
mod files;
mod listeners;
mod reload;
mod signals;
mod start;
mod store_cli;

pub use reload::ReloadError;
pub use start::StartError;

use crate::auth::nkey::PublicKey;
use crate::auth::permissions::CheckerIds;
use crate::base::Env;
use crate::base::lock::{Mutex, Rank};
use crate::base::tasks::TaskScope;
use crate::config::options::Options;
use crate::conn::Context;
use crate::logging::Logger;
use crate::monitor::Monitor;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Notify;

/// A running server. Clones are handles on the same one.
///
/// Dropping all handles does not end it; [`Server::shutdown`] does.
#[derive(Clone, Debug)]
pub struct Server(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) env: Env,
    pub(crate) log: Logger,
    pub(crate) ctx: Arc<Context>,
    pub(crate) id: PublicKey,
    pub(crate) name: String,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) start_wall_ns: i64,
    pub(crate) start: crate::base::Mono,
    /// Accepting clients: ends in lame duck mode already.
    pub(crate) accepting: TaskScope,
    /// Monitoring and timers.
    pub(crate) listeners: TaskScope,
    /// What ends the server, and so is not ended by it.
    pub(crate) endings: TaskScope,
    /// Everything else.
    pub(crate) tasks: TaskScope,
    pub(crate) checker_ids: CheckerIds,
    pub(crate) addresses: Mutex<Addresses>,
    pub(crate) ended: Notify,
    pub(crate) has_ended: std::sync::atomic::AtomicBool,
    /// One reload at a time.
    pub(crate) reloading: tokio::sync::Mutex<()>,
}

/// Where the server listens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) client: Option<SocketAddr>,
    pub(crate) monitor: Option<SocketAddr>,
    pub(crate) monitor_tls: bool,
}

impl Addresses {
    pub(crate) fn locked() -> Mutex<Self> {
        Mutex::new(Rank::ServerRegistry, Self::default())
    }
}

impl Server {
    /// Starts a server on the current runtime.
    ///
    /// # Errors
    /// Options that contradict each other or name what is not supported yet, files that cannot be
    /// read, ports that are in use.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        Box::pin(Self::start_in(Env::os(), options)).await
    }

    /// The options it runs with.
    pub fn options(&self) -> Arc<Options> {
        self.0.ctx.settings.load().options.clone()
    }

    /// Its id, a server nkey.
    pub fn id(&self) -> String {
        self.0.id.to_string()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where clients connect; `None` when it does not listen.
    pub fn client_addr(&self) -> Option<SocketAddr> {
        self.0.addresses.lock().client
    }

    /// Where monitoring is served.
    pub fn monitor_addr(&self) -> Option<SocketAddr> {
        self.0.addresses.lock().monitor
    }

    /// How long it has been running.
    pub fn uptime(&self) -> std::time::Duration {
        self.0.env.clock().now().since(self.0.start)
    }

    /// When it started, nanoseconds since the Unix epoch.
    pub fn started_at(&self) -> i64 {
        self.0.start_wall_ns
    }

    /// Connected clients.
    pub fn num_clients(&self) -> usize {
        self.0.ctx.registry.len()
    }
}

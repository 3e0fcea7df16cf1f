//! Monitoring over HTTP: what a server tells about itself to whoever asks.
//!
//! ```text
//! serve.rs      accepting HTTP clients
//! transport.rs  their connections, as hyper wants them
//! router.rs     from a path to an endpoint
//! query.rs      parameters
//! reply.rs      answers
//! json.rs       documents as upstream's encoder writes them
//! process.rs    memory, CPU and cores of this process
//! ```
//!
//! Every endpoint has a file named after it. Each turns its parameters into options and those
//! into a document; field names, their order and what is left out are upstream's.

mod accountz;
mod accstatz;
mod connz;
mod gatewayz;
mod healthz;
mod index;
mod ipqueuesz;
pub mod json;
mod jsz;
mod leafz;
mod process;
mod query;
mod raftz;
mod reply;
mod router;
mod routez;
mod serve;
mod subsz;
mod transport;
mod varz;

use crate::base::lock::{Mutex, Rank};
use crate::base::{Clock, Mono};
use crate::broker::Account;
use crate::conn::Context;
use json::Time;
use process::Usage;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What monitoring knows of a server beside its connections.
#[derive(Debug)]
pub struct Monitor {
    ctx: Arc<Context>,
    start: Mono,
    start_wall_ns: i64,
    /// Clients can connect.
    accepting: AtomicBool,
    base_path: String,
    usage: Usage,
    /// Requests by endpoint.
    requests: Mutex<BTreeMap<&'static str, u64>>,
}

impl Monitor {
    /// Monitoring of a server that started at `start`, which is `start_wall_ns` of the Unix epoch.
    pub fn new(ctx: Arc<Context>, start: Mono, start_wall_ns: i64) -> Self {
        let base_path = router::normalize(&ctx.settings.load().options.http_base_path);
        Self {
            ctx,
            start,
            start_wall_ns,
            accepting: AtomicBool::new(false),
            base_path,
            usage: Usage::default(),
            requests: Mutex::new(Rank::Leaf, BTreeMap::new()),
        }
    }

    /// Whether clients can connect: health depends on it.
    pub fn set_accepting(&self, accepting: bool) {
        self.accepting.store(accepting, Ordering::Release);
    }

    fn clock(&self) -> &Clock {
        self.ctx.hub.env.clock()
    }

    fn now(&self) -> Time {
        Time(self.clock().wall_ns())
    }

    fn server_id(&self) -> String {
        self.ctx.info.load().server_id.clone()
    }

    /// One more request of `endpoint`.
    fn count(&self, endpoint: &'static str) {
        *self.requests.lock().entry(endpoint).or_default() += 1;
    }

    /// The accounts that a filter leaves: the one of that name, or all if it is empty.
    fn accounts(&self, filter: &str) -> Vec<Arc<Account>> {
        match filter {
            "" => self.ctx.accounts.all(),
            name => self.ctx.accounts.get(name).into_iter().collect(),
        }
    }
}

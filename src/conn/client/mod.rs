//! A client connection.
//!
//! ```text
//! handshake.rs   from accept to the first byte of protocol: INFO, PROXY header, TLS
//! session.rs     the reader: a turn reads, parses and delivers; owns what only it needs
//! ops.rs         what each operation does
//! connect.rs     CONNECT: options, authentication, account
//! keepalive.rs   PING, PONG, stale connections, the authentication deadline
//! trace.rs       protocol trace lines
//! snapshot.rs    what monitoring shows
//! ```
//!
//! [`Client`] is the part that others may look at: timers, monitoring, reload, shutdown. What
//! only the reader needs is in its `Session`, without a lock.

mod connect;
mod handshake;
mod keepalive;
mod ops;
mod session;
mod snapshot;
mod trace;

pub use handshake::serve;
pub use snapshot::{Snapshot, SubSnapshot};

use super::context::Context;
use crate::auth::authenticator::Who;
use crate::auth::permissions::Checker;
use crate::base::Mono;
use crate::base::lock::{Guard, Mutex, Rank};
use crate::broker::endpoint::{Owner, flag};
use crate::broker::{Account, CloseReason, Endpoint, Subscription};
use crate::wire::connect::Connect;
use crate::wire::parser::quote;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What monitoring shows in the place of a token.
const REDACTED: &str = "[REDACTED]";

/// A client connection, as others see it.
#[derive(Debug)]
pub struct Client {
    ctx: Arc<Context>,
    /// What the engine knows of it.
    pub endpoint: Arc<Endpoint>,
    start: Mono,
    start_wall_ns: i64,
    /// Last batch with messages or changes of interest.
    last: AtomicU64,
    ctl: Mutex<Ctl>,
}

/// What changes rarely.
#[derive(Debug)]
struct Ctl {
    peer: SocketAddr,
    /// Address of the proxy in front of it.
    via: Option<SocketAddr>,
    account: Arc<Account>,
    /// What it said in CONNECT, secrets taken out; `None` before.
    said: Option<Arc<Connect>>,
    /// Its account counts it: it was let in.
    registered: bool,
    /// How logs name its user.
    user_label: Option<Box<str>>,
    /// What log lines add to its address and id: what the first CONNECT said.
    label_suffix: Box<str>,
    who: Who,
    permissions: Option<Arc<Checker>>,
    proxy_key: Option<String>,
    rtt: Duration,
    ping_sent: Option<Mono>,
    pings_out: i32,
    last_ping_in: Mono,
    first_pong_sent: bool,
    tls_first: bool,
    ping_due: Option<Mono>,
    auth_due: Option<Mono>,
}

impl Client {
    /// A connection that was just accepted.
    fn new(ctx: Arc<Context>, endpoint: Arc<Endpoint>, peer: SocketAddr) -> Arc<Self> {
        let clock = ctx.hub.env.clock();
        let (start, start_wall_ns) = (clock.now(), clock.wall_ns());
        let account = ctx.accounts.global().clone();
        let ctl = Ctl {
            peer,
            via: None,
            account,
            said: None,
            registered: false,
            user_label: None,
            label_suffix: Box::default(),
            who: Who::Anonymous,
            permissions: None,
            proxy_key: None,
            rtt: Duration::ZERO,
            ping_sent: None,
            pings_out: 0,
            last_ping_in: start,
            first_pong_sent: false,
            tls_first: false,
            ping_due: None,
            auth_due: None,
        };
        let client = Arc::new(Self {
            ctx,
            endpoint,
            start,
            start_wall_ns,
            last: AtomicU64::new(start.0),
            ctl: Mutex::new(Rank::Client, ctl),
        });
        let owner: Arc<dyn Owner> = client.clone();
        client.endpoint.set_owner(Arc::downgrade(&owner));
        client
    }

    /// Its id.
    pub fn cid(&self) -> u64 {
        self.endpoint.id
    }

    /// Its account.
    pub fn account(&self) -> Arc<Account> {
        self.ctl().account.clone()
    }

    /// Who it was authenticated as.
    pub fn who(&self) -> Who {
        self.ctl().who.clone()
    }

    /// Where it comes from.
    pub fn ip(&self) -> IpAddr {
        self.ctl().peer.ip()
    }

    /// What it may do; `None` is everything.
    pub fn permissions(&self) -> Option<Arc<Checker>> {
        self.ctl().permissions.clone()
    }

    /// Whether it takes INFO at any time.
    pub fn takes_async_info(&self) -> bool {
        let ctl = self.ctl();
        ctl.first_pong_sent && ctl.said.as_ref().is_some_and(|c| c.protocol >= 1)
    }

    fn ctl(&self) -> Guard<'_, Ctl> {
        self.ctl.lock()
    }

    /// Marks it as closing; its reader does the rest.
    pub fn close(&self, reason: CloseReason) {
        self.endpoint.close(reason);
    }

    /// Makes it look at changed settings now, not at its next message.
    pub fn wake(&self) {
        self.endpoint.wake();
    }

    /// Sends an error line.
    pub fn send_err(&self, text: &str) {
        if self.traced() {
            self.trace_out("-ERR", text.as_bytes());
        }
        self.endpoint.out.send_bytes(&self.endpoint, format!("-ERR '{text}'\r\n").as_bytes());
    }

    /// Sends INFO made from the server's.
    pub fn send_info(&self, change: impl FnOnce(&mut crate::wire::info::Info)) {
        let mut info = crate::wire::info::Info::clone(&self.ctx.info.load());
        info.client_id = self.cid();
        info.client_ip = self.ip().to_string();
        change(&mut info);
        self.endpoint.out.send_bytes(&self.endpoint, &info.to_line());
    }

    fn traced(&self) -> bool {
        self.endpoint.flags() & flag::TRACE != 0
    }

    /// Protocol trace follows the log's switches; the system account wants the second one too.
    pub fn set_trace(&self) {
        let log = &self.ctx.hub.log;
        let system = self.ctl().account.is_system;
        let on = log.trace_on() && (!system || log.trace_verbose_on());
        self.endpoint.set_flag(flag::TRACE, on);
    }

    /// Takes over limits that a reload changed.
    pub fn apply_settings(&self) {
        let settings = self.ctx.settings.load();
        let options = &settings.options;
        let max_pending = usize::try_from(options.max_pending).unwrap_or(usize::MAX);
        self.endpoint.out.configure(max_pending, options.write_deadline, settings.retries_writes());
    }

    /// Logs an error about it.
    fn log_error(&self, text: &str) {
        self.ctx.hub.log.error(format_args!("{} - {text}", self.label()));
    }

    /// Logs a warning about it.
    fn log_warn(&self, text: &str) {
        let suffix = self.user_suffix();
        let text = self.with_account(text);
        self.ctx.hub.log.warn(format_args!("{} - {text}{suffix}", self.label()));
    }

    fn log_debug(&self, text: &str) {
        let log = &self.ctx.hub.log;
        if log.debug_on() {
            log.debug(format_args!("{} - {text}", self.label()));
        }
    }

    /// Sends an error line and logs it, once in a while for all connections together.
    fn send_err_and_log(&self, text: &str, error: bool) {
        self.send_err(text);
        let line = self.with_account(text);
        if self.ctx.first_in_a_while(&line) {
            let text = format!("{line}{}", self.user_suffix());
            if error { self.log_error(&text) } else { self.log_debug(&text) }
        }
    }

    /// Sends it away: there are more connections than may be.
    pub fn exceeds_max_connections(&self) {
        self.send_err_and_log("maximum connections exceeded", true);
        self.close(CloseReason::MaxConnectionsExceeded);
    }

    /// What some log lines say behind their text.
    fn with_account(&self, text: &str) -> String {
        let ctl = self.ctl();
        match ctl.registered {
            true => format!("{text} - Account:{}", ctl.account.name),
            false => text.to_owned(),
        }
    }

    fn user_suffix(&self) -> String {
        let ctl = self.ctl();
        ctl.user_label.as_deref().map(|user| format!(" - {user}")).unwrap_or_default()
    }
}

/// How logs name the user a CONNECT claims to be.
fn user_label(said: &Connect, who: &Who) -> Option<String> {
    match (said.nkey.as_str(), said.user.as_str(), said.auth_token.is_empty()) {
        // Who says nothing may be somebody all the same: `no_auth_user`.
        ("", "", true) => match who {
            Who::User(name) => Some(format!("user:{name}")),
            _ => None,
        },
        ("", "", false) => Some("token".to_owned()),
        ("", user, _) => Some(format!("user:{user}")),
        (nkey, ..) => Some(format!("nkey:{nkey}")),
    }
}

/// What log lines add to the address and id of a client: its program, its account and user.
fn label_suffix(said: &Connect, account: &str, user: Option<&str>) -> String {
    let version =
        if said.version.is_empty() { String::new() } else { format!("v{}", said.version) };
    let program = [version.as_str(), &said.lang, &said.name]
        .into_iter()
        .filter(|s| !s.is_empty())
        .collect::<Vec<_>>()
        .join(":");
    let mut suffix = String::new();
    if !program.is_empty() {
        suffix.push_str(&format!(" - {}", quote(program.as_bytes())));
    }
    if let Some(user) = user {
        suffix.push_str(&format!(" - {}", quote(format!("{account}/{user}").as_bytes())));
    }
    suffix
}

impl Owner for Client {
    fn label(&self) -> String {
        let ctl = self.ctl();
        // `SocketAddr` puts IPv6 addresses in brackets.
        format!("{} - cid:{}{}", ctl.peer, self.cid(), ctl.label_suffix)
    }

    fn slow_consumer(&self) {
        self.account().stats.slow_consumers.fetch_add(1, Ordering::Relaxed);
    }

    fn sub_exhausted(&self, sub: &Arc<Subscription>) {
        if sub.is_closed() {
            // An earlier message of the same batch was the last.
            return;
        }
        self.log_debug(&format!(
            "Auto-unsubscribe limit of {} reached for sid '{}'",
            sub.max(),
            String::from_utf8_lossy(sub.sid())
        ));
        self.drop_sub(sub);
    }

    fn trace_delivery(&self, line: &[u8], payload: &[u8], header_len: usize) {
        self.trace_line("->> ", line);
        self.trace_payload("->>", payload, header_len);
    }
}

impl Client {
    fn trace_dropped(&self, sub: &Subscription) {
        if self.traced() {
            self.trace_op("<->", "DELSUB", sub.sid());
        }
    }

    /// Takes a subscription out everywhere.
    fn drop_sub(&self, sub: &Arc<Subscription>) {
        if self.endpoint.remove_sub(self.ctx.hub.seed, sub) {
            self.trace_dropped(sub);
            self.account().sublist.remove(sub);
        }
        sub.close();
    }
}

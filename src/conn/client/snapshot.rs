//! What monitoring shows of a client.

use super::{Client, REDACTED};
use crate::auth::authenticator::Who;
use crate::base::Mono;
use crate::broker::{CloseReason, Subscription};
use crate::tls::session::SessionInfo;
use crate::wire::connect::Connect;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A client at one moment. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Snapshot {
    pub cid: u64,
    pub peer: SocketAddr,
    pub start_ns: i64,
    pub last_activity_ns: i64,
    pub stop_ns: Option<i64>,
    pub reason: Option<CloseReason>,
    pub rtt: Duration,
    pub pending: usize,
    pub in_msgs: u64,
    pub in_bytes: u64,
    pub out_msgs: u64,
    pub out_bytes: u64,
    pub stalls: u32,
    pub num_subs: usize,
    pub name: String,
    pub lang: String,
    pub version: String,
    pub tls: Option<SessionInfo>,
    pub tls_first: bool,
    /// Who it is, or failing that, says it is.
    pub user: String,
    pub account: String,
    pub subs: Vec<SubSnapshot>,
    pub proxy_key: Option<String>,
}

/// One subscription at one moment.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct SubSnapshot {
    pub account: String,
    pub subject: String,
    pub queue: String,
    pub sid: String,
    pub msgs: u64,
    pub max: u64,
    pub cid: u64,
}

impl SubSnapshot {
    /// A subscription of connection `cid`.
    pub fn new(sub: &Subscription, account: &str, cid: u64) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            account: account.to_owned(),
            subject: text(sub.subject()),
            queue: text(sub.queue()),
            sid: text(sub.sid()),
            msgs: sub.delivered(),
            max: sub.max(),
            cid,
        }
    }
}

impl Client {
    /// It as it is now; its subscriptions too if `with_subs`.
    pub fn snapshot(&self, with_subs: bool) -> Snapshot {
        let subs = if with_subs { self.endpoint.subs() } else { Vec::new() };
        let num_subs = self.endpoint.subs_len();
        let ctl = self.ctl();
        let said = ctl.said.as_deref();
        let text =
            |field: fn(&Connect) -> &String| said.map(|s| field(s).clone()).unwrap_or_default();
        let stats = &self.endpoint.stats;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let last = Mono(load(&stats.last_out).max(self.last.load(Ordering::Relaxed)));
        let cid = self.cid();
        Snapshot {
            cid,
            peer: ctl.peer,
            start_ns: self.start_wall_ns,
            last_activity_ns: self.wall_ns(last),
            stop_ns: None,
            reason: None,
            rtt: ctl.rtt,
            pending: self.endpoint.out.pending(),
            in_msgs: load(&stats.in_msgs),
            in_bytes: load(&stats.in_bytes),
            out_msgs: load(&stats.out_msgs),
            out_bytes: load(&stats.out_bytes),
            stalls: self.endpoint.out.stalls(),
            num_subs,
            name: text(|s| &s.name),
            lang: text(|s| &s.lang),
            version: text(|s| &s.version),
            tls: self.endpoint.out.tls().map(|tls| tls.info()),
            tls_first: ctl.tls_first,
            user: user(&ctl.who, said),
            account: ctl.account.name.clone(),
            subs: subs.iter().map(|s| SubSnapshot::new(s, &ctl.account.name, cid)).collect(),
            proxy_key: ctl.proxy_key.clone(),
        }
    }

    /// It as it ends, with its subscriptions.
    pub(super) fn last_snapshot(&self, reason: CloseReason) -> Snapshot {
        let stop_ns = Some(self.ctx.hub.env.clock().wall_ns());
        Snapshot { stop_ns, reason: Some(reason), ..self.snapshot(true) }
    }

    /// Wall time of a point of this connection's life.
    fn wall_ns(&self, at: Mono) -> i64 {
        let since = i64::try_from(at.since(self.start).as_nanos()).unwrap_or(i64::MAX);
        self.start_wall_ns.saturating_add(since)
    }
}

/// The name of whoever was proven to be there; without a proof, the one that was claimed.
fn user(who: &Who, said: Option<&Connect>) -> String {
    match (who, said) {
        (Who::Nkey(name) | Who::User(name), _) => name.clone(),
        (Who::Token, _) => REDACTED.to_owned(),
        (Who::Anonymous, Some(said)) => [&said.nkey, &said.user, &said.auth_token]
            .into_iter()
            .find(|claim| !claim.is_empty())
            .cloned()
            .unwrap_or_default(),
        (Who::Anonymous, None) => String::new(),
    }
}

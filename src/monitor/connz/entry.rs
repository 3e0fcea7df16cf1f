//! One connection in the list.

use crate::base::json::is_zero;
use crate::base::text::go_duration;
use crate::broker::account::GLOBAL_ACCOUNT;
use crate::conn::client::{Snapshot, SubSnapshot};
use crate::monitor::json::{Time, uptime};
use crate::wire::x509::PeerCert;
use serde::Serialize;
use std::time::Duration;

/// What is shown beside the plain facts.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Users, accounts, certificates.
    pub auth: bool,
    /// Subjects of subscriptions.
    pub subs: bool,
    /// Subscriptions with all there is to say about them.
    pub subs_detail: bool,
}

/// A connection.
#[derive(Debug, Serialize)]
pub struct Entry {
    cid: u64,
    kind: &'static str,
    r#type: &'static str,
    ip: String,
    port: u16,
    start: Time,
    last_activity: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    rtt: String,
    uptime: String,
    idle: String,
    pending_bytes: usize,
    in_msgs: u64,
    out_msgs: u64,
    in_bytes: u64,
    out_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    stalls: u32,
    subscriptions: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    lang: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    tls_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    tls_cipher_suite: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tls_peer_certs: Vec<Cert>,
    #[serde(skip_serializing_if = "is_zero")]
    tls_first: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    authorized_user: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    account: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list_detail: Vec<SubDetail>,
    #[serde(skip_serializing_if = "String::is_empty")]
    name_tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<Proxy>,
}

#[derive(Debug, Serialize)]
struct Cert {
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    spki_sha256: String,
    cert_sha256: String,
}

#[derive(Debug, Serialize)]
struct Proxy {
    key: String,
}

/// A subscription.
#[derive(Debug, Serialize)]
pub struct SubDetail {
    #[serde(skip_serializing_if = "String::is_empty")]
    account: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    account_tag: String,
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    qgroup: String,
    sid: String,
    msgs: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    cid: u64,
}

impl SubDetail {
    /// A subscription under its connection.
    fn new(sub: &SubSnapshot) -> Self {
        Self {
            account: String::new(),
            account_tag: String::new(),
            subject: sub.subject.clone(),
            qgroup: sub.queue.clone(),
            sid: sub.sid.clone(),
            msgs: sub.msgs,
            max: sub.max,
            cid: sub.cid,
        }
    }

    /// A subscription on its own.
    pub fn with_account(sub: &SubSnapshot) -> Self {
        let (account, account_tag) = (sub.account.clone(), sub.account.clone());
        Self { account, account_tag, ..Self::new(sub) }
    }
}

impl Entry {
    pub fn new(s: &Snapshot, shown: Shown, now: Time) -> Self {
        let end = s.stop_ns.unwrap_or(now.0);
        let closed = s.stop_ns.is_some();
        let global = s.account == GLOBAL_ACCOUNT;
        // As upstream: a closed connection of the global account does not tell its name.
        let tagged = shown.auth && !(closed && global);
        let (mut subscriptions_list, mut subscriptions_list_detail) = (Vec::new(), Vec::new());
        if shown.subs_detail {
            let detail = if closed { SubDetail::with_account } else { SubDetail::new };
            subscriptions_list_detail = s.subs.iter().map(detail).collect();
        } else if shown.subs {
            subscriptions_list = s.subs.iter().map(|sub| sub.subject.clone()).collect();
        }
        let tls = s.tls.clone().unwrap_or_default();
        let show_certs = shown.auth && !closed;
        Self {
            cid: s.cid,
            kind: "Client",
            r#type: "nats",
            ip: s.peer.ip().to_string(),
            port: s.peer.port(),
            start: Time(s.start_ns),
            last_activity: Time(s.last_activity_ns),
            stop: s.stop_ns.map(Time),
            reason: s.reason.filter(|_| closed).map(|reason| reason.as_str()),
            rtt: go_duration(rounded(s.rtt)),
            uptime: uptime(end - s.start_ns),
            idle: uptime(end - s.last_activity_ns),
            pending_bytes: s.pending,
            in_msgs: s.in_msgs,
            out_msgs: s.out_msgs,
            in_bytes: s.in_bytes,
            out_bytes: s.out_bytes,
            stalls: s.stalls,
            subscriptions: s.num_subs,
            name: s.name.clone(),
            lang: s.lang.clone(),
            version: s.version.clone(),
            tls_version: tls.version,
            tls_cipher_suite: tls.cipher_suite,
            tls_peer_certs: match show_certs {
                true => tls.peer_certs.iter().filter_map(|der| Cert::parse(der)).collect(),
                false => Vec::new(),
            },
            tls_first: s.tls_first,
            authorized_user: if shown.auth { s.user.clone() } else { String::new() },
            account: if shown.auth && !global { s.account.clone() } else { String::new() },
            subscriptions_list,
            subscriptions_list_detail,
            name_tag: if tagged { s.account.clone() } else { String::new() },
            proxy: s.proxy_key.clone().map(|key| Proxy { key }),
        }
    }
}

impl Cert {
    fn parse(der: &[u8]) -> Option<Self> {
        let cert = PeerCert::parse(der).ok()?;
        let PeerCert { subject, spki_sha256, cert_sha256, .. } = cert;
        Some(Self { subject, spki_sha256, cert_sha256 })
    }
}

/// Below a millisecond, nanoseconds are noise.
fn rounded(rtt: Duration) -> Duration {
    if rtt > Duration::from_micros(1) && rtt < Duration::from_millis(1) {
        Duration::from_micros(u64::try_from(rtt.as_micros()).unwrap_or(0))
    } else {
        rtt
    }
}

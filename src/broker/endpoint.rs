//! What the engine knows of a connection.

use super::hash::{Place, Seed, Table};
use super::hub::Hub;
use super::outbound::Outbound;
use super::sub::Subscription;
use crate::auth::permissions::Checker;
use crate::auth::responses::ReplyTracker;
use crate::base::lock::{Mutex, Rank};
use crate::base::{Mono, net::Stream};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;

macro_rules! close_reasons {
    ($($value:literal $name:ident $text:literal,)*) => {
        /// Why a connection ended; values, names and texts are upstream's (/connz shows them).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum CloseReason { $($name = $value,)* }

        impl CloseReason {
            /// The text that monitoring shows.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn from_u8(value: u8) -> Option<Self> {
                match value { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}

close_reasons! {
    1 ClientClosed "Client Closed",
    2 AuthenticationTimeout "Authentication Timeout",
    3 AuthenticationViolation "Authentication Failure",
    4 TlsHandshakeError "TLS Handshake Failure",
    5 SlowConsumerPendingBytes "Slow Consumer (Pending Bytes)",
    6 SlowConsumerWriteDeadline "Slow Consumer (Write Deadline)",
    7 WriteError "Write Error",
    8 ReadError "Read Error",
    9 ParseError "Parse Error",
    10 StaleConnection "Stale Connection",
    11 ProtocolViolation "Protocol Violation",
    12 BadClientProtocolVersion "Bad Client Protocol Version",
    13 WrongPort "Incorrect Port",
    14 MaxAccountConnectionsExceeded "Maximum Account Connections Exceeded",
    15 MaxConnectionsExceeded "Maximum Connections Exceeded",
    16 MaxPayloadExceeded "Maximum Message Payload Exceeded",
    17 MaxControlLineExceeded "Maximum Control Line Exceeded",
    18 MaxSubscriptionsExceeded "Maximum Subscriptions Exceeded",
    19 DuplicateRoute "Duplicate Route",
    20 RouteRemoved "Route Removed",
    21 ServerShutdown "Server Shutdown",
    22 AuthenticationExpired "Authentication Expired",
    23 WrongGateway "Wrong Gateway",
    24 MissingAccount "Missing Account",
    25 Revocation "Credentials Revoked",
    26 InternalClient "Internal Client",
    27 MsgHeaderViolation "Message Header Violation",
    28 NoRespondersRequiresHeaders "No Responders Requires Headers",
    29 ClusterNameConflict "Cluster Name Conflict",
    30 DuplicateRemoteLeafnodeConnection "Duplicate Remote LeafNode Connection",
    31 DuplicateClientId "Duplicate Client ID",
    32 DuplicateServerName "Duplicate Server Name",
    33 MinimumVersionRequired "Minimum Version Required",
    34 ClusterNamesIdentical "Cluster Names Identical",
    35 Kicked "Kicked",
    36 ProxyNotTrusted "Proxy Not Trusted",
    37 ProxyRequired "Proxy Required",
}

impl CloseReason {
    /// Output that is still unwritten is not worth waiting for.
    pub fn skips_flush(self) -> bool {
        matches!(
            self,
            Self::ReadError
                | Self::WriteError
                | Self::SlowConsumerPendingBytes
                | Self::SlowConsumerWriteDeadline
                | Self::TlsHandshakeError
        )
    }
}

/// Facts delivery asks for, as bits.
pub mod flag {
    /// Do not deliver to the connection what it publishes itself.
    pub const NO_ECHO: u32 = 1;
    /// The connection understands headers.
    pub const HEADERS: u32 = 2;
    /// A subscription overlaps a denied subject: check every delivery.
    pub const DENY_FILTER: u32 = 4;
    /// Replies of delivered requests may be published to (`allow_responses`).
    pub const TRACK_REPLIES: u32 = 8;
    /// Protocol trace is on.
    pub const TRACE: u32 = 16;
    /// Any of these takes delivery to the careful path.
    pub const SPECIAL: u32 = DENY_FILTER | TRACK_REPLIES | TRACE;
}

/// A connection, as far as the engine is concerned: where its output goes, what it subscribed to,
/// and how it wants to be treated.
#[derive(Debug)]
pub struct Endpoint {
    /// Client id; unique in the server.
    pub id: u64,
    /// Its output.
    pub out: Outbound,
    /// Counters for /connz.
    pub stats: Stats,
    flags: AtomicU32,
    close_reason: AtomicU8,
    reader: OnceLock<Waker>,
    subs: Mutex<Subs>,
    special: Mutex<Option<Box<Special>>>,
    owner: OnceLock<Weak<dyn Owner>>,
}

/// What the engine asks of whoever runs a connection.
pub trait Owner: Send + Sync + std::fmt::Debug {
    /// How log lines name the connection.
    fn label(&self) -> String;
    /// It was found to read too slowly.
    fn slow_consumer(&self);
    /// A subscription reached its maximum of deliveries.
    fn sub_exhausted(&self, sub: &Arc<Subscription>);
    /// A message was delivered while its protocol is traced: the line, the payload with its CRLF.
    fn trace_delivery(&self, line: &[u8], payload: &[u8], header_len: usize);
}

/// Messages and payload bytes of one connection.
#[derive(Debug, Default)]
pub struct Stats {
    /// From it.
    pub in_msgs: AtomicU64,
    /// From it.
    pub in_bytes: AtomicU64,
    /// To it.
    pub out_msgs: AtomicU64,
    /// To it.
    pub out_bytes: AtomicU64,
    /// When a message last went to it; see [`Mono`].
    pub last_out: AtomicU64,
}

/// Subscriptions of a connection by id.
#[derive(Debug)]
struct Subs {
    by_sid: Table<Arc<Subscription>>,
    closed: bool,
}

/// What only connections with permissions have.
#[derive(Debug)]
struct Special {
    permissions: Arc<Checker>,
    replies: Option<ReplyTracker>,
}

impl Endpoint {
    /// A connection over `stream`.
    pub fn new(id: u64, stream: Stream, hub: Arc<Hub>) -> Self {
        Self {
            id,
            out: Outbound::new(stream, hub),
            stats: Stats::default(),
            flags: AtomicU32::new(0),
            close_reason: AtomicU8::new(0),
            reader: OnceLock::new(),
            subs: Mutex::new(Rank::ConnCtl, Subs { by_sid: Table::default(), closed: false }),
            special: Mutex::new(Rank::ConnCtl, None),
            owner: OnceLock::new(),
        }
    }

    /// Who runs the connection; set once, right after both were made.
    pub fn set_owner(&self, owner: Weak<dyn Owner>) {
        // Only the first can be the one.
        let _ = self.owner.set(owner);
    }

    /// Who runs the connection.
    pub fn owner(&self) -> Option<Arc<dyn Owner>> {
        self.owner.get()?.upgrade()
    }

    /// How log lines name the connection.
    pub fn label(&self) -> String {
        self.owner().map_or_else(|| format!("cid:{}", self.id), |owner| owner.label())
    }

    /// Counts the connection as a slow consumer where its owner counts such.
    pub fn note_slow_consumer(&self) {
        if let Some(owner) = self.owner() {
            owner.slow_consumer();
        }
    }

    /// The [`flag`] bits.
    #[inline]
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Sets or clears a [`flag`] bit.
    pub fn set_flag(&self, bit: u32, on: bool) {
        if on {
            self.flags.fetch_or(bit, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Who is to be woken when the connection must end; the reader registers itself once.
    pub fn set_reader(&self, waker: &Waker) {
        self.reader.get_or_init(|| waker.clone());
    }

    /// Marks the connection as closing and wakes its reader, which does the rest. The first
    /// reason wins; tells whether this was it.
    pub fn close(&self, reason: CloseReason) -> bool {
        let first = self
            .close_reason
            .compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if first {
            self.wake();
        }
        first
    }

    /// Makes the reader look at what changed.
    pub fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.wake_by_ref();
        }
    }

    /// Why it is closing, once it is.
    #[inline]
    pub fn closing(&self) -> Option<CloseReason> {
        match self.close_reason.load(Ordering::Acquire) {
            0 => None,
            value => CloseReason::from_u8(value),
        }
    }

    /// The subscription of that id.
    pub fn sub(&self, seed: Seed, sid: &[u8]) -> Option<Arc<Subscription>> {
        self.subs.lock().by_sid.find(seed.hash(sid), |s| s.sid() == sid).cloned()
    }

    /// Enters a subscription. `Err` gives back the one that already has its id, or `None` when
    /// the connection is closed.
    pub fn add_sub(
        &self,
        seed: Seed,
        sub: &Arc<Subscription>,
    ) -> Result<(), Option<Arc<Subscription>>> {
        let hash = seed.hash(sub.sid());
        let mut subs = self.subs.lock();
        if subs.closed {
            return Err(None);
        }
        match subs.by_sid.place(hash, |s| s.sid() == sub.sid()) {
            Place::Held(held) => Err(Some(held.clone())),
            Place::Free(free) => {
                free.insert(sub.clone());
                Ok(())
            }
        }
    }

    /// Takes the subscription of that id out.
    pub fn take_sub(&self, seed: Seed, sid: &[u8]) -> Option<Arc<Subscription>> {
        let mut subs = self.subs.lock();
        let sub = subs.by_sid.remove(seed.hash(sid), |s| s.sid() == sid);
        subs.by_sid.shrink();
        sub
    }

    /// Takes a subscription out; tells whether it was there.
    pub fn remove_sub(&self, seed: Seed, sub: &Arc<Subscription>) -> bool {
        let mut subs = self.subs.lock();
        let removed = subs.by_sid.remove(seed.hash(sub.sid()), |s| Arc::ptr_eq(s, sub)).is_some();
        if removed {
            subs.by_sid.shrink();
        }
        removed
    }

    /// Takes all subscriptions out; with `closed` nobody can add one afterwards.
    pub fn take_subs(&self, closed: bool) -> Vec<Arc<Subscription>> {
        let mut subs = self.subs.lock();
        subs.closed = closed;
        subs.by_sid.take().collect()
    }

    /// All subscriptions.
    pub fn subs(&self) -> Vec<Arc<Subscription>> {
        self.subs.lock().by_sid.iter().cloned().collect()
    }

    /// Number of subscriptions.
    pub fn subs_len(&self) -> usize {
        self.subs.lock().by_sid.len()
    }

    /// The permissions that delivery must look at.
    pub fn set_permissions(&self, permissions: Option<Arc<Checker>>, now: Mono) {
        let special = permissions.map(|permissions| {
            let replies = permissions.responses().map(|limits| ReplyTracker::new(limits, now));
            Box::new(Special { permissions, replies })
        });
        let tracks = special.as_ref().is_some_and(|s| s.replies.is_some());
        *self.special.lock() = special;
        self.set_flag(flag::TRACK_REPLIES, tracks);
        self.set_flag(flag::DENY_FILTER, false);
    }

    /// Whether a message on `subject` may not be delivered to a member of `queue`.
    pub fn delivery_denied(&self, subject: &[u8], queue: &[u8]) -> bool {
        let queue = (!queue.is_empty()).then_some(queue);
        let special = self.special.lock();
        special.as_ref().is_some_and(|s| s.permissions.denies_delivery(subject, queue))
    }

    /// Remembers that a request with this reply subject was delivered here.
    pub fn track_reply(&self, reply: &[u8], now: Mono) {
        if let Some(special) = self.special.lock().as_deref_mut()
            && let Some(replies) = &mut special.replies
            && !special.permissions.can_publish(reply)
        {
            replies.delivered(reply, now);
        }
    }

    /// Whether a publish to `subject` answers a delivered request; counts the answer.
    pub fn reply_allowed(&self, subject: &[u8], now: Mono) -> bool {
        let mut special = self.special.lock();
        let replies = special.as_deref_mut().and_then(|s| s.replies.as_mut());
        replies.is_some_and(|replies| replies.allow(subject, now))
    }
}

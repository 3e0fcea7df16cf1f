//! The `accounts {}` block and subject mappings, as plain data. Users of an account are in
//! [`super::Options::users`] and [`super::Options::nkeys`] with the account's name.

mod exports;
mod imports;
mod links;
pub(super) mod mappings;
pub(super) mod parse;

use crate::auth::users::Permissions;
use std::sync::Arc;
use std::time::Duration;

/// One destination of a subject mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapDest {
    /// Destination subject or template.
    pub subject: String,
    /// Share in percent.
    pub weight: u8,
    /// Cluster the destination is for; empty is any.
    pub cluster: String,
}

/// A subject mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Subject messages are published to.
    pub source: String,
    /// Where they go.
    pub dests: Vec<MapDest>,
}

/// Limits of an account; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// Client connections.
    pub max_connections: Option<i32>,
    /// Leaf node connections.
    pub max_leafnodes: Option<i32>,
    /// Subscriptions.
    pub max_subscriptions: Option<i32>,
    /// Message payload, bytes.
    pub max_payload: Option<i32>,
}

/// JetStream limits of an account; -1 is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountJetStream {
    /// Bytes in memory.
    pub max_memory: i64,
    /// Bytes on disk.
    pub max_store: i64,
    /// Streams.
    pub max_streams: i32,
    /// Consumers.
    pub max_consumers: i32,
    /// Outstanding acknowledgements per consumer.
    pub max_ack_pending: i32,
    /// Bytes of one stream in memory.
    pub memory_max_stream_bytes: i64,
    /// Bytes of one stream on disk.
    pub store_max_stream_bytes: i64,
    /// Streams must set `max_bytes`.
    pub max_bytes_required: bool,
    /// Replication traffic runs in this account, not in the system account.
    pub traffic_in_account: bool,
}

impl Default for AccountJetStream {
    fn default() -> Self {
        Self {
            max_memory: -1,
            max_store: -1,
            max_streams: -1,
            max_consumers: -1,
            max_ack_pending: -1,
            memory_max_stream_bytes: -1,
            store_max_stream_bytes: -1,
            max_bytes_required: false,
            traffic_in_account: false,
        }
    }
}

/// `msg_trace` of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountTrace {
    /// Where traces go.
    pub dest: String,
    /// Share of messages traced, percent.
    pub sampling: i32,
}

/// Latency tracking of a service export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceLatency {
    /// Share of requests, percent; 0 is by header.
    pub sampling: i32,
    /// Where measurements go.
    pub subject: String,
}

/// How a service answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceResponse {
    /// One message.
    #[default]
    Singleton,
    /// Several messages.
    Stream,
    /// One message in chunks.
    Chunked,
}

/// What an account offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// Messages.
    Stream,
    /// Requests and answers.
    Service {
        /// How it answers.
        response: ServiceResponse,
        /// Time for an answer; zero is the default.
        threshold: Duration,
        /// Latency tracking.
        latency: Option<ServiceLatency>,
        /// Importers may trace.
        allow_trace: bool,
    },
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Subject offered.
    pub subject: String,
    /// Accounts that may import it; `None` is all.
    pub accounts: Option<Vec<String>>,
    /// Position of the account name in the subject, from 1; 0 is none.
    pub account_token_position: u32,
    /// What is offered.
    pub kind: ExportKind,
}

/// What an account takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// Messages.
    Stream {
        /// Prefix under which they appear.
        prefix: String,
        /// Traces pass through.
        allow_trace: bool,
    },
    /// Requests and answers.
    Service {
        /// Requester's identity is shared.
        share: bool,
    },
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Exporting account.
    pub account: String,
    /// Subject there.
    pub subject: String,
    /// Subject here; empty is the same.
    pub to: String,
    /// What is taken.
    pub kind: ImportKind,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountOptions {
    /// Name.
    pub name: String,
    /// Public account nkey.
    pub nkey: String,
    /// Exports in the order of the file.
    pub exports: Vec<Export>,
    /// Imports in the order of the file.
    pub imports: Vec<Import>,
    /// Subject mappings.
    pub mappings: Vec<Mapping>,
    /// Limits.
    pub limits: AccountLimits,
    /// Permissions of users that have none of their own.
    pub default_permissions: Option<Arc<Permissions>>,
    /// JetStream, if enabled.
    pub jetstream: Option<AccountJetStream>,
    /// Message tracing.
    pub trace: AccountTrace,
}

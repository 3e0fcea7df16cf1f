//! The `jetstream {}` block.

use super::Secret;
use super::options::default_to;
use std::collections::BTreeMap;
use std::time::Duration;

/// Cipher of files at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreCipher {
    /// ChaCha20-Poly1305, the default.
    #[default]
    ChaCha,
    /// AES-256-GCM.
    Aes,
}

/// The `jetstream {}` block (`store_dir` is in [`super::Options`]).
#[derive(Clone, Debug, PartialEq)]
pub struct JetStreamOptions {
    /// JetStream runs.
    pub enabled: bool,
    /// Unknown request fields are not refused.
    pub no_strict: bool,
    /// Memory for streams, bytes; -1 is chosen at start.
    pub max_memory: i64,
    /// Disk for streams, bytes; -1 is chosen at start.
    pub max_store: i64,
    /// Domain.
    pub domain: String,
    /// How to reach JetStream of the other side of a leaf node.
    pub ext_hint: String,
    /// Encryption key.
    pub key: Secret,
    /// Encryption key before the current one.
    pub old_key: Secret,
    /// Cipher; `None` is the default.
    pub cipher: Option<StoreCipher>,
    /// Tag prefix that keeps replicas apart.
    pub unique_tag: String,
    /// Limits of this server.
    pub limits: JetStreamLimits,
    /// Key kept in a TPM.
    pub tpm: TpmOptions,
    /// Bytes in flight for catchup; 0 is the default.
    pub max_catchup: i64,
    /// Pending API requests; above it they are dropped.
    pub request_queue_limit: i64,
    /// Pending API info requests.
    pub info_queue_limit: i64,
    /// Entries after which the meta log is compacted.
    pub meta_compact: u64,
    /// Bytes after which the meta log is compacted.
    pub meta_compact_size: u64,
    /// Compact in place of in the background.
    pub meta_compact_sync: bool,
    /// Concurrent disk operations.
    pub concurrent_ios: i32,
    /// Messages a stream may buffer; 0 is the default.
    pub stream_max_buffered_msgs: i32,
    /// Bytes a stream may buffer; 0 is the default.
    pub stream_max_buffered_size: i64,
    /// Interval between syncs.
    pub sync_interval: Duration,
    /// Sync before every acknowledgement.
    pub sync_always: bool,
    /// Default domain by account (`default_js_domain`).
    pub account_default_domain: BTreeMap<String, String>,
}

/// `jetstream { limits {} }`; 0 is no limit of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JetStreamLimits {
    /// Messages in one pull request.
    pub max_request_batch: i32,
    /// Outstanding acknowledgements.
    pub max_ack_pending: i32,
    /// Replicated assets.
    pub max_ha_assets: i32,
    /// Longest window for duplicates.
    pub duplicates: Duration,
    /// Open publish batches per stream.
    pub max_batch_inflight_per_stream: i32,
    /// Open publish batches per server.
    pub max_batch_inflight_total: i32,
    /// Messages in a publish batch.
    pub max_batch_size: i32,
    /// Time between first and commit message of a batch.
    pub max_batch_timeout: Duration,
}

/// `jetstream { tpm {} }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TpmOptions {
    /// File that holds the sealed keys.
    pub keys_file: String,
    /// Password of the encryption key.
    pub key_password: Secret,
    /// Password of the storage root key.
    pub srk_password: Secret,
    /// Platform configuration register.
    pub pcr: i32,
}

impl Default for JetStreamOptions {
    fn default() -> Self {
        Self {
            enabled: false,
            no_strict: false,
            max_memory: -1,
            max_store: -1,
            domain: String::new(),
            ext_hint: String::new(),
            key: Secret::default(),
            old_key: Secret::default(),
            cipher: None,
            unique_tag: String::new(),
            limits: JetStreamLimits::default(),
            tpm: TpmOptions::default(),
            max_catchup: 0,
            request_queue_limit: 0,
            info_queue_limit: 0,
            meta_compact: 0,
            meta_compact_size: 0,
            meta_compact_sync: false,
            concurrent_ios: 0,
            stream_max_buffered_msgs: 0,
            stream_max_buffered_size: 0,
            sync_interval: Duration::from_secs(2 * 60),
            sync_always: false,
            account_default_domain: BTreeMap::new(),
        }
    }
}

impl JetStreamOptions {
    /// Fills what is not configured.
    pub(super) fn fill_defaults(&mut self) {
        default_to(&mut self.request_queue_limit, 10_000);
        default_to(&mut self.info_queue_limit, self.request_queue_limit);
        default_to(&mut self.concurrent_ios, 4096);
    }
}

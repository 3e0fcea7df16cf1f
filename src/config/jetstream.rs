//! The `jetstream {}` block.

use super::Secret;
use super::go::{Plain, parse_int, quote};
use super::options::{Options, default_to};
use super::read::{ConfigError, Cx, Item, entries};
use crate::base::duration::GoDuration;
use crate::conf::{Map, ValueKind};
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

/// Reads the block. A value of the wrong type is reported at the block, as upstream does.
/// Go: parseJetStream.
pub(super) fn parse(
    item: Item<'_>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    match item.kind() {
        ValueKind::Bool(enabled) => options.jetstream.enabled = *enabled,
        ValueKind::String(text) => match text.to_lowercase().as_str() {
            "enabled" | "enable" => options.jetstream.enabled = true,
            "disabled" | "disable" => options.jetstream.enabled = false,
            _ => {
                return Err(item.error(format!(
                    "Expected 'enabled' or 'disabled' for string value, got '{text}'"
                )));
            }
        },
        ValueKind::Map(map) => {
            options.jetstream.enabled = true;
            for entry in entries(map) {
                field(entry, item, options, cx)?;
            }
        }
        _ => {
            let got = item.type_name();
            let message = format!("Expected map, bool or string to define JetStream, got {got}");
            return Err(item.error(message));
        }
    }
    Ok(())
}

fn field<'a>(
    entry: Item<'a>,
    block: Item<'a>,
    options: &mut Options,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    let typed = entry.reported_at(block);
    let js = &mut options.jetstream;
    let expected = |what: &str| {
        let (name, value) = (quote(entry.name), Plain(entry.kind()));
        entry.error(format!("Expected {what} for {name}, got {value}"))
    };
    let absolute = "an absolute size";
    let number = || typed.integer().map_err(|_| expected("a parseable size"));
    let lower = entry.key();
    match lower.as_str() {
        "strict" => {
            js.no_strict = !entry.boolean().map_err(|_| {
                let value = Plain(entry.kind());
                let got = match entry.kind() {
                    ValueKind::String(_) => value.to_string(),
                    kind => format!("%!s({}={value})", super::go::type_name(kind)),
                };
                entry.error(format!("Expected 'true' or 'false' for bool value, got '{got}'"))
            })?;
        }
        "store" | "store_dir" | "storedir" => {
            if !options.store_dir.is_empty() {
                return Err(entry.error("Duplicate 'store_dir' configuration"));
            }
            options.store_dir = typed.text()?;
        }
        "sync" | "sync_interval" => match entry.kind() {
            ValueKind::String(text) if text.eq_ignore_ascii_case("always") => {
                js.sync_always = true;
            }
            _ => js.sync_interval = cx.duration(entry.name, entry).to_std(),
        },
        "max_memory_store" | "max_mem_store" | "max_mem" => {
            js.max_memory = storage_size(entry, "max_mem_store")?;
        }
        "max_file_store" | "max_file" => js.max_store = storage_size(entry, "max_file_store")?,
        "domain" => js.domain = typed.text()?,
        "enable" | "enabled" => js.enabled = typed.boolean()?,
        "key" | "ek" | "encryption_key" => js.key = typed.string()?.into(),
        "prev_key" | "prev_ek" | "prev_encryption_key" => js.old_key = typed.string()?.into(),
        "cipher" => js.cipher = Some(cipher(entry, block)?),
        "extension_hint" => js.ext_hint = typed.text()?,
        "limits" => js.limits = limits(entry, block, cx)?,
        "tpm" => tpm(entry, block, js, cx)?,
        "unique_tag" => js.unique_tag = typed.string()?.trim().to_lowercase(),
        "max_outstanding_catchup" => js.max_catchup = storage_size(entry, &lower)?,
        "max_buffered_size" => js.stream_max_buffered_size = storage_size(entry, &lower)?,
        "max_buffered_msgs" => {
            js.stream_max_buffered_msgs = i32::try_from(number()?).unwrap_or(i32::MAX);
        }
        "request_queue_limit" => js.request_queue_limit = number()?.max(0),
        "info_queue_limit" => js.info_queue_limit = number()?.max(0),
        "meta_compact" => {
            let size = entry.integer().ok().and_then(|n| u64::try_from(n).ok());
            js.meta_compact = size.ok_or_else(|| expected(absolute))?;
        }
        "meta_compact_size" => {
            let size = storage_size(entry, &lower)?;
            js.meta_compact_size = u64::try_from(size).map_err(|_| expected(absolute))?;
        }
        "meta_compact_sync" => js.meta_compact_sync = typed.boolean()?,
        "max_concurrent_io" => {
            let count = entry.int().ok().filter(|n| (4..=8192).contains(n));
            js.concurrent_ios = count.ok_or_else(|| {
                let (name, value) = (quote(entry.name), Plain(entry.kind()));
                entry.error(format!(
                    "Expected an absolute size for {name} between 4 and 8192, got {value}"
                ))
            })?;
        }
        _ => cx.unknown(entry),
    }
    Ok(())
}

/// Bytes as a number, or digits with one of `K M G T`. Go: getStorageSize.
fn storage_size(item: Item<'_>, name: &str) -> Result<i64, ConfigError> {
    let error = |what: String| item.error(format!("{name} {what}"));
    let text = match item.kind() {
        ValueKind::Integer(size) => return Ok(*size),
        ValueKind::String(text) if text.is_empty() => return Ok(0),
        ValueKind::String(text) => text,
        _ => return Err(error("must be int64 or string".to_owned())),
    };
    let last = text.char_indices().next_back().map_or(0, |(i, _)| i);
    let (digits, suffix) = text.split_at(last);
    let number = parse_int("ParseInt", digits).map_err(error)?;
    let shift = match suffix {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(error("sizes defined as strings must end in K, M, G, T".to_owned())),
    };
    Ok(number.wrapping_mul(1 << shift))
}

fn cipher<'a>(entry: Item<'a>, block: Item<'a>) -> Result<StoreCipher, ConfigError> {
    let name = entry.reported_at(block).string()?;
    match name.to_lowercase().as_str() {
        "chacha" | "chachapoly" => Ok(StoreCipher::ChaCha),
        "aes" => Ok(StoreCipher::Aes),
        _ => Err(entry.error(format!("Unknown cipher type: {}", quote(name)))),
    }
}

/// The map of a nested block.
fn nested<'a>(entry: Item<'a>, what: &str) -> Result<&'a Map, ConfigError> {
    entry.map_or(|| format!("Expected a map to define {what}, got {}", entry.type_name()))
}

/// A duration whose error, as upstream has it, names no place.
fn placeless(typed: Item<'_>, cx: &mut Cx<'_>) -> Result<Duration, ConfigError> {
    let duration = GoDuration::parse(typed.string()?);
    let duration = cx.check(duration.map_err(|message| ConfigError { pos: None, message }));
    Ok(duration.unwrap_or_default().to_std())
}

fn limits<'a>(
    item: Item<'a>,
    block: Item<'a>,
    cx: &mut Cx<'_>,
) -> Result<JetStreamLimits, ConfigError> {
    let mut limits = JetStreamLimits::default();
    for entry in entries(nested(item, "JetStreamLimits")?) {
        let typed = entry.reported_at(block);
        match entry.key().as_str() {
            "max_ack_pending" => limits.max_ack_pending = typed.int()?,
            "max_ha_assets" => limits.max_ha_assets = typed.int()?,
            "max_request_batch" => limits.max_request_batch = typed.int()?,
            "duplicate_window" => limits.duplicates = placeless(typed, cx)?,
            "batch" => batch_limits(entry, block, &mut limits, cx)?,
            _ => cx.unknown(entry),
        }
    }
    Ok(limits)
}

fn batch_limits<'a>(
    item: Item<'a>,
    block: Item<'a>,
    limits: &mut JetStreamLimits,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    for entry in entries(nested(item, "batch limits")?) {
        let typed = entry.reported_at(block);
        match entry.key().as_str() {
            "max_inflight_per_stream" => limits.max_batch_inflight_per_stream = typed.int()?,
            "max_inflight_total" => limits.max_batch_inflight_total = typed.int()?,
            "max_msgs" => limits.max_batch_size = typed.int()?,
            "timeout" => limits.max_batch_timeout = placeless(typed, cx)?,
            _ => cx.unknown(entry),
        }
    }
    Ok(())
}

fn tpm<'a>(
    item: Item<'a>,
    block: Item<'a>,
    js: &mut JetStreamOptions,
    cx: &mut Cx<'_>,
) -> Result<(), ConfigError> {
    js.tpm = TpmOptions::default();
    for entry in entries(nested(item, "JetStreamLimits")?) {
        let typed = entry.reported_at(block);
        match entry.key().as_str() {
            "keys_file" => js.tpm.keys_file = typed.text()?,
            "encryption_password" => js.tpm.key_password = typed.string()?.into(),
            "srk_password" => js.tpm.srk_password = typed.string()?.into(),
            "pcr" => js.tpm.pcr = typed.int()?,
            "cipher" => js.cipher = Some(cipher(entry, block)?),
            _ => cx.unknown(entry),
        }
    }
    Ok(())
}

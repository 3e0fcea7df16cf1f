//! Operator mode, JWT resolvers, auth callout, OCSP and proxies, as plain data.

pub(super) mod parse;

use super::Url;
use crate::tls::TlsOptions;
use std::collections::BTreeMap;
use std::time::Duration;

/// `authorization { auth_callout {} }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthCallout {
    /// Public account nkey that signs the answers.
    pub issuer: String,
    /// Account requests are sent in; empty is the global account.
    pub account: String,
    /// Users that bypass the callout.
    pub auth_users: Vec<String>,
    /// Public curve key; empty sends in clear text.
    pub xkey: String,
    /// Accounts delegated; empty is all.
    pub allowed_accounts: Vec<String>,
}

/// Where account JWTs come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolver {
    /// `MEMORY`, filled by `resolver_preload`.
    Memory,
    /// `URL(...)`.
    Url(Url),
    /// A directory.
    Dir(DirResolver),
}

/// A resolver that keeps JWTs in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirResolver {
    /// Directory.
    pub dir: String,
    /// `FULL`: all JWTs, synchronised with peers; else `CACHE`.
    pub full: bool,
    /// Longest lookup; `None` is the default.
    pub timeout: Option<Duration>,
    /// Stored JWTs; `None` is the default, 0 no limit.
    pub limit: Option<i64>,
    /// `FULL`: interval between synchronisations.
    pub interval: Option<Duration>,
    /// `FULL`: delete requests are honoured.
    pub allow_delete: bool,
    /// `FULL`: files are removed, not renamed.
    pub hard_delete: bool,
    /// `CACHE`: lifetime of an entry.
    pub ttl: Option<Duration>,
}

/// Policy of OCSP stapling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OcspMode {
    /// Staple when the certificate asks for it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
    /// Staple when the certificate must, and shut down if revoked.
    Must,
}

/// `ocsp`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OcspOptions {
    /// Policy.
    pub mode: OcspMode,
    /// Responders in place of the certificate's.
    pub override_urls: Vec<String>,
}

/// `ocsp_cache`.
#[derive(Clone, Debug, PartialEq)]
pub struct OcspCacheOptions {
    /// Kept on disk; `false` is no cache.
    pub local: bool,
    /// Directory.
    pub local_store: String,
    /// Revocations are never evicted.
    pub preserve_revoked: bool,
    /// Interval between writes.
    pub save_interval: Duration,
}

impl Default for OcspCacheOptions {
    fn default() -> Self {
        Self {
            local: true,
            local_store: "_rc_".to_owned(),
            preserve_revoked: false,
            save_interval: Duration::from_secs(5 * 60),
        }
    }
}

/// Everything that belongs to operator mode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorOptions {
    /// `operator`: JWTs or files, as written.
    pub operators: Vec<String>,
    /// `trusted_keys`: public operator nkeys.
    pub trusted_keys: Vec<String>,
    /// `resolver`.
    pub resolver: Option<Resolver>,
    /// `resolver_tls`.
    pub resolver_tls: Option<TlsOptions>,
    /// `resolver_preload`: account JWT by public nkey.
    pub resolver_preloads: BTreeMap<String, String>,
    /// `resolver_pinned_accounts`.
    pub resolver_pinned_accounts: Vec<String>,
}

//! A `tls {}` block as plain data.

use std::collections::BTreeSet;
use std::time::Duration;

/// One entry of `certs: []`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertPair {
    /// PEM certificate chain.
    pub cert_file: String,
    /// PEM private key.
    pub key_file: String,
}

/// A `tls {}` block, names resolved and values typed, nothing loaded yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsOptions {
    /// PEM certificate chain.
    pub cert_file: String,
    /// PEM private key.
    pub key_file: String,
    /// PEM bundle of certificate authorities for peers.
    pub ca_file: String,
    /// Several certificates, chosen by SNI.
    pub certs: Vec<CertPair>,
    /// Require and verify peer certificates.
    pub verify: bool,
    /// Verify, and take the user name from the certificate.
    pub map: bool,
    /// Verify, and check the peer's URL against known ones.
    pub check_known_urls: bool,
    /// Outgoing connections skip verification of the server.
    pub insecure: bool,
    /// Time for the handshake.
    pub timeout: Option<Duration>,
    /// Cipher suite names in the order given; empty is the default set.
    pub cipher_suites: Vec<String>,
    /// Curve names in the order given; empty is the default set.
    pub curve_preferences: Vec<String>,
    /// SHA-256 fingerprints (lower-case hex) of accepted peer certificates.
    pub pinned_certs: BTreeSet<String>,
    /// New TLS connections per second; 0 is unlimited.
    pub rate_limit: i64,
    /// Handshake before INFO is sent.
    pub handshake_first: bool,
    /// With `handshake_first`: wait this long for a handshake, then send INFO in clear text.
    pub handshake_first_fallback: Option<Duration>,
    /// `"1.2"` or `"1.3"`; empty is the default.
    pub min_version: String,
    /// Allow cipher suites upstream calls insecure (they do not exist here: refused by name).
    pub allow_insecure_ciphers: bool,
    /// Every other key of the block that needs a subsystem which does not exist yet
    /// (`ocsp_peer`, `cert_store`, ...): full path of the key.
    pub unsupported: Vec<String>,
}

//! TLS by rustls; nothing outside this module names rustls configuration types.

mod load;
mod names;
pub mod options;
mod pem;

pub use load::{TlsError, check_names, load_client_config, load_server_config, warnings};
pub use names::{cipher_name, help_text, parse_min_version, version_name};
pub use options::TlsOptions;

use crate::wire::x509::PeerCert;
use std::collections::BTreeSet;

/// Whether a peer may connect under `pinned_certs`: the SHA-256 of its public key (lower-case hex)
/// is listed. An empty list lets everybody.
pub fn matches_pinned(pinned: &BTreeSet<String>, peer: Option<&PeerCert>) -> bool {
    pinned.is_empty() || peer.is_some_and(|cert| pinned.contains(&cert.spki_sha256))
}

//! `pinned_certs`: only peers whose key is listed.

use crate::wire::x509::PeerCert;
use std::collections::BTreeSet;

/// Whether a peer that showed `chain` (DER, its own certificate first) may connect: the SHA-256 of
/// its public key in lower-case hex is in `pinned`. An empty list lets everybody.
pub fn accepts(pinned: &BTreeSet<String>, chain: &[Vec<u8>]) -> bool {
    if pinned.is_empty() {
        return true;
    }
    let own = chain.first().and_then(|der| PeerCert::parse(der).ok());
    own.is_some_and(|cert| pinned.contains(&cert.spki_sha256))
}

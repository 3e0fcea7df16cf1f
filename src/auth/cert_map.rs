//! The user that a certificate stands for (`verify_and_map`).
//!
//! Tried in this order: e-mail addresses, host names and URIs among the alternative names, then
//! the subject: as a distinguished name (in its order, then in any), as text followed by its domain
//! components, as text. Go: `auth.go checkClientTLSCertSubject`.

use super::authenticator::{Account, ConnectionType, Directory};
use super::dn::Dn;
use crate::wire::x509::PeerCert;

/// The user for `cert` who may come in by `connection`.
pub(super) fn find_user<'a>(
    directory: &'a Directory,
    cert: &PeerCert,
    connection: ConnectionType,
) -> Option<&'a Account> {
    let named = |name: &str| directory.users.get(name).filter(|user| user.allows(connection));
    let alternatives = cert.emails.iter().chain(&cert.dns_names).chain(&cert.uris);
    alternatives
        .into_iter()
        .find_map(|name| named(name))
        .or_else(|| by_distinguished_name(directory, cert, connection))
        .or_else(|| match cert.domain_components() {
            components if components.is_empty() => None,
            components => named(&format!("{},{components}", cert.subject_known)),
        })
        .or_else(|| named(&cert.subject_known).filter(|user| !user.name.is_empty()))
}

fn by_distinguished_name<'a>(
    directory: &'a Directory,
    cert: &PeerCert,
    connection: ConnectionType,
) -> Option<&'a Account> {
    let subject = Dn::from_rdns(&cert.rdns)?;
    let mut candidates: Vec<_> = directory
        .users
        .values()
        .filter(|user| user.allows(connection))
        .filter_map(|user| Some((user, Dn::parse(&user.name)?)))
        .collect();
    // Two users may differ in order only; which one it is must not depend on a hash seed.
    candidates.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let find = |same: fn(&Dn, &Dn) -> bool| {
        candidates.iter().find(|(_, dn)| same(dn, &subject)).map(|(user, _)| *user)
    };
    find(Dn::equals).or_else(|| find(Dn::equals_reordered))
}

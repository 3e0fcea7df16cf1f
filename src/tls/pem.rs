//! Certificates and keys from PEM files. The texts of the errors are those of Go's `crypto/tls`.

use super::TlsError;
use crate::base::Env;
use crate::base::fs::reason;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use std::io;
use std::path::Path;

/// Bundles of the system's certificate authorities, first found wins.
const SYSTEM_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A certificate chain with its key; the error says what is wrong with the pair.
pub(super) fn load_pair(
    env: &Env,
    cert_file: &str,
    key_file: &str,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let (cert, key) = (read(env, cert_file)?, read(env, key_file)?);
    let chain = parse_chain(&cert)?;
    let key = parse_key(&key)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|e| match e {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "tls: private key does not match public key".to_owned()
        }
        rustls::Error::InvalidCertificate(e) => format!("x509: malformed certificate: {e:?}"),
        _ => "tls: failed to parse private key".to_owned(),
    })
}

/// Every certificate of a bundle that can be read; there must be one.
pub(super) fn load_roots(env: &Env, ca_file: &str) -> Result<RootCertStore, TlsError> {
    let bundle = read(env, ca_file).map_err(TlsError::File)?;
    let roots = parse_roots(&bundle);
    if roots.is_empty() { Err(TlsError::BadCa) } else { Ok(roots) }
}

/// The certificate authorities that the system trusts; may be empty.
pub(super) fn system_roots(env: &Env) -> RootCertStore {
    let configured = env.var("SSL_CERT_FILE");
    let bundle = match &configured {
        Some(path) => env.fs().read(Path::new(path)).ok(),
        None => SYSTEM_BUNDLES.iter().find_map(|path| env.fs().read(Path::new(path)).ok()),
    };
    bundle.map_or_else(RootCertStore::empty, |bundle| parse_roots(&bundle))
}

fn parse_roots(bundle: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(bundle).filter_map(Result::ok));
    roots
}

fn read(env: &Env, path: &str) -> Result<Vec<u8>, String> {
    env.fs().read(Path::new(path)).map_err(|e| {
        let verb = if e.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
        format!("{verb} {path}: {}", reason(&e))
    })
}

fn parse_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(match block_types(pem).as_slice() {
        [] => "tls: failed to find any PEM data in certificate input".to_owned(),
        [only] if only.ends_with("PRIVATE KEY") => {
            "tls: failed to find certificate PEM data in certificate input, but did find a \
             private key; PEM inputs may have been switched"
                .to_owned()
        }
        types => format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping \
             PEM blocks of the following types: [{}]",
            types.join(" ")
        ),
    })
}

fn parse_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(key);
    }
    Err(match block_types(pem).as_slice() {
        [] => "tls: failed to find any PEM data in key input".to_owned(),
        ["CERTIFICATE"] => {
            "tls: found a certificate rather than a key in the PEM for the private key".to_owned()
        }
        types if types.iter().any(|t| t.ends_with("PRIVATE KEY")) => {
            "tls: failed to parse private key".to_owned()
        }
        types => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after \
             skipping PEM blocks of the following types: [{}]",
            types.join(" ")
        ),
    })
}

/// What the blocks of a PEM file say that they are.
fn block_types(pem: &[u8]) -> Vec<&str> {
    let Ok(text) = std::str::from_utf8(pem) else { return Vec::new() };
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .collect()
}

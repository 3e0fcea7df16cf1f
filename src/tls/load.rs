//! From a `tls {}` block to what rustls works with.

use super::names::{Suite, curves, parse_min_version};
use super::{TlsOptions, pem};
use crate::base::{Clock, Env};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, ServerConfig, SignatureScheme};
use rustls::{RootCertStore, SupportedProtocolVersion};
use std::sync::Arc;
use std::time::Duration;

/// Why TLS cannot be set up. The texts are upstream's wherever it has the same failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A certificate without its key.
    #[error("missing 'key_file' in TLS configuration")]
    MissingKeyFile,
    /// A key without its certificate.
    #[error("missing 'cert_file' in TLS configuration")]
    MissingCertFile,
    /// The pair of certificate and key.
    #[error("error parsing X509 certificate/key pair: {0}")]
    BadPair(String),
    /// One of several pairs.
    #[error("error parsing X509 certificate/key pair {index}/{count}: {problem}")]
    BadPairOf {
        /// Which, from 1.
        index: usize,
        /// Of how many.
        count: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read.
    #[error("{0}")]
    File(String),
    /// No certificate in the bundle of authorities.
    #[error("failed to parse root ca certificate")]
    BadCa,
    /// No cipher suite has that name.
    #[error("unrecognized cipher {0}")]
    UnknownCipher(String),
    /// No curve has that name.
    #[error("unrecognized curve preference {0}")]
    UnknownCurve(String),
    /// Suites that need express permission.
    #[error(
        "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: {0}"
    )]
    InsecureCiphers(String),
    /// All curves that were asked for are missing here.
    #[error("none of the configured curve preferences is available: {0}")]
    NoCurve(String),
    /// `min_version`.
    #[error("error parsing tls config: {0}")]
    MinVersion(String),
    /// rustls refuses what was put together.
    #[error("tls: {0}")]
    Refused(String),
}

impl From<rustls::Error> for TlsError {
    fn from(e: rustls::Error) -> Self {
        Self::Refused(e.to_string())
    }
}

/// The TLS side of a listener.
pub fn load_server_config(env: &Env, opts: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider(opts)?);
    let certs = load_certs(env, opts, &provider)?;
    // Read also where nobody is verified: a wrong file is an error either way.
    let ca = match opts.ca_file.as_str() {
        "" => None,
        file => Some(pem::load_roots(env, file)?),
    };
    let builder = ServerConfig::builder_with_details(provider.clone(), time(env))
        .with_protocol_versions(versions(opts)?)?;
    let builder = if opts.verify || opts.map || opts.check_known_urls {
        let roots = ca.unwrap_or_else(|| pem::system_roots(env));
        builder.with_client_cert_verifier(client_verifier(roots, provider)?)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(BySni { certs }));
    // Sessions resume from tickets, which cost the server no memory; one is enough for a client.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// The TLS side of an outgoing connection.
pub fn load_client_config(env: &Env, opts: &TlsOptions) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(provider(opts)?);
    let certs = load_certs(env, opts, &provider)?;
    let builder = ClientConfig::builder_with_details(provider.clone(), time(env))
        .with_protocol_versions(versions(opts)?)?;
    let roots = match opts.ca_file.as_str() {
        "" => pem::system_roots(env),
        file => pem::load_roots(env, file)?,
    };
    let builder = if opts.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer { provider }))
    } else {
        builder.with_root_certificates(roots)
    };
    Ok(Arc::new(match certs.into_iter().next() {
        Some(cert) => builder
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(cert.key))),
        None => builder.with_no_client_auth(),
    }))
}

/// What an operator should know about a block that loads: names that are accepted and do nothing.
pub fn warnings(opts: &TlsOptions) -> Vec<String> {
    let suites = opts.cipher_suites.iter().filter(|name| {
        Suite::from_name(name).is_some_and(|suite| suite.implementation().is_none())
    });
    let lacking = opts.curve_preferences.iter().filter(|name| {
        curves().iter().any(|curve| curve.name == **name && curve.implementation.is_none())
    });
    let suites = suites.map(|name| format!("TLS cipher suite {name} is not available, ignored"));
    suites
        .chain(lacking.map(|name| format!("TLS curve {name} is not available, ignored")))
        .collect()
}

/// Checks the names of a block without loading anything.
pub fn check_names(opts: &TlsOptions) -> Result<(), TlsError> {
    versions(opts)?;
    provider(opts).map(drop)
}

fn time(env: &Env) -> Arc<dyn TimeProvider> {
    Arc::new(EnvTime(env.clock().clone()))
}

/// Certificates are valid or not by the server's own clock.
#[derive(Debug)]
struct EnvTime(Clock);

impl TimeProvider for EnvTime {
    fn current_time(&self) -> Option<UnixTime> {
        let ns = u64::try_from(self.0.wall_ns()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_nanos(ns)))
    }
}

static ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

fn versions(opts: &TlsOptions) -> Result<&'static [&'static SupportedProtocolVersion], TlsError> {
    match parse_min_version(&opts.min_version).map_err(TlsError::MinVersion)? {
        ProtocolVersion::TLSv1_3 => Ok(ONLY_13),
        _ => Ok(rustls::ALL_VERSIONS),
    }
}

/// The algorithms that the block allows.
fn provider(opts: &TlsOptions) -> Result<CryptoProvider, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    if !opts.cipher_suites.is_empty() {
        let mut named = Vec::with_capacity(opts.cipher_suites.len());
        for name in &opts.cipher_suites {
            named
                .push(Suite::from_name(name).ok_or_else(|| TlsError::UnknownCipher(name.clone()))?);
        }
        let insecure: Vec<_> = named.iter().filter(|s| s.insecure).map(|s| s.name).collect();
        if !insecure.is_empty() && !opts.allow_insecure_ciphers {
            return Err(TlsError::InsecureCiphers(insecure.join(", ")));
        }
        // As in Go, the list is about TLS 1.2; the suites of 1.3 are all good and always on.
        provider.cipher_suites.retain(|suite| {
            suite.tls13().is_some() || named.iter().any(|s| s.implementation() == Some(*suite))
        });
    }
    let curves = curves();
    provider.kx_groups = match opts.curve_preferences.is_empty() {
        true => curves.iter().filter_map(|curve| curve.implementation).collect(),
        false => {
            let mut groups = Vec::new();
            for name in &opts.curve_preferences {
                let curve = curves.iter().find(|curve| curve.name == name);
                let curve = curve.ok_or_else(|| TlsError::UnknownCurve(name.clone()))?;
                groups.extend(curve.implementation);
            }
            groups
        }
    };
    if provider.kx_groups.is_empty() {
        return Err(TlsError::NoCurve(opts.curve_preferences.join(", ")));
    }
    Ok(provider)
}

fn client_verifier(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| TlsError::Refused(e.to_string()))
}

fn load_certs(
    env: &Env,
    opts: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Vec<Cert>, TlsError> {
    match (opts.cert_file.as_str(), opts.key_file.as_str()) {
        ("", "") => {}
        (_, "") => return Err(TlsError::MissingKeyFile),
        ("", _) => return Err(TlsError::MissingCertFile),
        (cert, key) => {
            let key = pem::load_pair(env, cert, key, provider).map_err(TlsError::BadPair)?;
            return Ok(vec![Cert::new(key)]);
        }
    }
    let count = opts.certs.len();
    let numbered = opts.certs.iter().zip(1..);
    numbered
        .map(|(pair, index)| {
            pem::load_pair(env, &pair.cert_file, &pair.key_file, provider)
                .map(Cert::new)
                .map_err(|problem| TlsError::BadPairOf { index, count, problem })
        })
        .collect()
}

/// The certificate that a block presents if it has one, DER.
pub fn own_certificate(env: &Env, opts: &TlsOptions) -> Result<Option<Vec<u8>>, TlsError> {
    let certs = load_certs(env, opts, &provider(opts)?)?;
    let first = certs.first().and_then(|cert| cert.key.end_entity_cert().ok());
    Ok(first.map(|der| der.to_vec()))
}

#[derive(Debug)]
struct Cert {
    key: Arc<CertifiedKey>,
}

impl Cert {
    fn new(key: CertifiedKey) -> Self {
        Self { key: Arc::new(key) }
    }

    /// Whether the certificate is for `name` and its key can sign what the client understands.
    fn suits(&self, name: Option<&ServerName<'_>>, schemes: &[SignatureScheme]) -> bool {
        let named = name.is_none_or(|name| {
            self.key
                .end_entity_cert()
                .and_then(ParsedCertificate::try_from)
                .is_ok_and(|cert| verify_server_name(&cert, name).is_ok())
        });
        named && self.key.key.choose_scheme(schemes).is_some()
    }
}

/// The first certificate that suits the client, else the first.
#[derive(Debug)]
struct BySni {
    certs: Vec<Cert>,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = match self.certs.as_slice() {
            [] => None,
            [only] => Some(only),
            several => {
                let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
                several
                    .iter()
                    .find(|cert| cert.suits(name.as_ref(), hello.signature_schemes()))
                    .or(several.first())
            }
        };
        chosen.map(|cert| cert.key.clone())
    }
}

/// Takes any server's word for who it is (`insecure: true`), but not a broken handshake.
#[derive(Debug)]
struct AnyServer {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

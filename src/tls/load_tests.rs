//! Blocks are loaded from simulated machines and shake hands in memory.

use super::*;
use crate::tls::options::CertPair;
use crate::tls::{cipher_name, pinned, version_name};
use crate::wire::x509::PeerCert;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rcgen::{KeyPair, KeyUsagePurpose};
use rustls::{ClientConnection, ServerConnection};
use std::collections::BTreeSet;
use std::path::Path;

/// A simulated machine with an authority that signs certificates for it.
struct Machine {
    env: Env,
    ca: Issuer<'static, KeyPair>,
}

impl Machine {
    fn new() -> Self {
        let env = Env::simulated(1);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        let machine = Self { env, ca: Issuer::new(params, key) };
        machine.write("/ca.pem", &ca.pem());
        machine
    }

    fn write(&self, path: &str, text: &str) {
        self.env.fs().write(Path::new(path), text.as_bytes(), 0).unwrap();
    }

    /// Issues `/name.pem` and `/name.key` for a host.
    fn issue(&self, name: &str, host: &str) -> CertPair {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.ca).unwrap();
        let pair = CertPair { cert_file: format!("/{name}.pem"), key_file: format!("/{name}.key") };
        self.write(&pair.cert_file, &cert.pem());
        self.write(&pair.key_file, &key.serialize_pem());
        pair
    }

    fn server(&self, opts: &TlsOptions) -> Arc<ServerConfig> {
        load_server_config(&self.env, opts).unwrap()
    }

    fn client(&self, opts: &TlsOptions) -> Arc<ClientConfig> {
        load_client_config(&self.env, opts).unwrap()
    }

    #[track_caller]
    fn fails(&self, opts: &TlsOptions) -> String {
        load_server_config(&self.env, opts).unwrap_err().to_string()
    }
}

fn with_pair(pair: &CertPair) -> TlsOptions {
    TlsOptions {
        cert_file: pair.cert_file.clone(),
        key_file: pair.key_file.clone(),
        ca_file: "/ca.pem".to_owned(),
        ..Default::default()
    }
}

fn trusting() -> TlsOptions {
    TlsOptions { ca_file: "/ca.pem".to_owned(), ..Default::default() }
}

fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut server = ServerConnection::new(server.clone())?;
    let mut client = ClientConnection::new(client.clone(), name)?;
    while server.is_handshaking() || client.is_handshaking() || client.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok((server, client))
}

fn peer_of(connection: &ServerConnection) -> Option<PeerCert> {
    connection.peer_certificates().and_then(|chain| PeerCert::parse(chain.first()?).ok())
}

#[tokio::test]
async fn plain_server() {
    let m = Machine::new();
    let server = m.server(&with_pair(&m.issue("server", "localhost")));
    let (s, c) = shake(&server, &m.client(&trusting()), "localhost").unwrap();
    assert_eq!(version_name(s.protocol_version().unwrap()), "1.3");
    assert!(cipher_name(s.negotiated_cipher_suite().unwrap().suite()).starts_with("TLS_"));
    assert_eq!(c.alpn_protocol(), None);
    assert_eq!(peer_of(&s), None);
    assert!(shake(&server, &m.client(&trusting()), "elsewhere").is_err());
    let stranger = TlsOptions { insecure: true, ..Default::default() };
    assert!(shake(&server, &m.client(&stranger), "elsewhere").is_ok());
    assert!(shake(&server, &m.client(&TlsOptions::default()), "localhost").is_err());
}

#[tokio::test]
async fn peers_are_verified_and_pinned() {
    let m = Machine::new();
    let server = with_pair(&m.issue("server", "localhost"));
    let with_cert = m.client(&with_pair(&m.issue("alice", "alice.nats.io")));
    let other = Machine::new();
    let foreign = with_pair(&other.issue("mallory", "alice.nats.io"));
    m.write("/mallory.pem", &other.env.fs().read_to_string(Path::new("/mallory.pem")).unwrap());
    m.write("/mallory.key", &other.env.fs().read_to_string(Path::new("/mallory.key")).unwrap());
    for demand in [
        TlsOptions { verify: true, ..server.clone() },
        TlsOptions { map: true, ..server.clone() },
        TlsOptions { check_known_urls: true, ..server.clone() },
    ] {
        let config = m.server(&demand);
        let (s, _) = shake(&config, &with_cert, "localhost").unwrap();
        let peer = peer_of(&s).unwrap();
        assert_eq!((peer.subject.as_str(), peer.dns_names.len()), ("CN=alice", 1));
        let chain: Vec<_> = s.peer_certificates().unwrap().iter().map(|c| c.to_vec()).collect();
        assert!(pinned::accepts(&BTreeSet::new(), &[]));
        let listed = BTreeSet::from([peer.spki_sha256.clone()]);
        assert!(pinned::accepts(&listed, &chain) && !pinned::accepts(&listed, &[]));
        assert!(!pinned::accepts(&BTreeSet::from([peer.cert_sha256]), &chain));
        assert!(shake(&config, &m.client(&trusting()), "localhost").is_err(), "no certificate");
        assert!(shake(&config, &m.client(&foreign), "localhost").is_err(), "not our authority");
    }
}

#[tokio::test]
async fn certificate_by_server_name() {
    let m = Machine::new();
    let certs = vec![m.issue("one", "one.nats.io"), m.issue("two", "*.two.nats.io")];
    let server = m.server(&TlsOptions { certs, ..Default::default() });
    let client = m.client(&TlsOptions { insecure: true, ..Default::default() });
    for (host, expected) in
        [("one.nats.io", "CN=one"), ("a.two.nats.io", "CN=two"), ("other.io", "CN=one")]
    {
        let (_, c) = shake(&server, &client, host).unwrap();
        let cert = PeerCert::parse(&c.peer_certificates().unwrap()[0]).unwrap();
        assert_eq!(cert.subject, expected, "{host}");
    }
}

#[tokio::test]
async fn versions_suites_and_curves() {
    let m = Machine::new();
    let base = with_pair(&m.issue("server", "localhost"));
    let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let only12 = TlsOptions {
        cipher_suites: own(&[
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        ]),
        curve_preferences: own(&["CurveP521", "CurveP384"]),
        ..base.clone()
    };
    assert_eq!(
        warnings(&only12),
        [
            "TLS cipher suite TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA is not available, ignored",
            "TLS curve CurveP521 is not available, ignored"
        ]
    );
    let server = m.server(&only12);
    let suites: Vec<_> =
        server.crypto_provider().cipher_suites.iter().map(|s| cipher_name(s.suite())).collect();
    assert_eq!(suites.len(), 4, "{suites:?}");
    let (s, _) = shake(&server, &m.client(&trusting()), "localhost").unwrap();
    let group = s.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::secp384r1);

    let new = m.server(&TlsOptions { min_version: "1.3".to_owned(), ..base.clone() });
    let provider = Arc::new(aws_lc_rs::default_provider());
    let old_client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap();
    let old_client = old_client
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer {
            provider: Arc::new(aws_lc_rs::default_provider()),
        }))
        .with_no_client_auth();
    let old_client = Arc::new(old_client);
    assert!(shake(&new, &old_client, "localhost").is_err());
    let (s, _) = shake(&m.server(&base), &old_client, "localhost").unwrap();
    assert_eq!(version_name(s.protocol_version().unwrap()), "1.2");
}

#[tokio::test]
async fn sessions_resume() {
    let m = Machine::new();
    let server = m.server(&with_pair(&m.issue("server", "localhost")));
    let client = m.client(&trusting());
    let (_, c) = shake(&server, &client, "localhost").unwrap();
    assert_eq!(c.handshake_kind(), Some(rustls::HandshakeKind::Full));
    let (_, c) = shake(&server, &client, "localhost").unwrap();
    assert_eq!(c.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn errors_say_what_upstream_says() {
    let m = Machine::new();
    let pair = m.issue("server", "localhost");
    let other = m.issue("other", "localhost");
    m.write("/junk.pem", "junk");
    m.env.fs().create_dir_all(Path::new("/dir")).unwrap();
    let base = with_pair(&pair);
    let files = |cert: &str, key: &str| {
        m.fails(&TlsOptions {
            cert_file: cert.to_owned(),
            key_file: key.to_owned(),
            ..base.clone()
        })
    };
    let prefix = "error parsing X509 certificate/key pair: ";
    for (cert, key, expected) in [
        ("/nope", "/server.key", "open /nope: no such file or directory"),
        ("/server.pem", "/nope", "open /nope: no such file or directory"),
        ("/junk.pem", "/server.key", "tls: failed to find any PEM data in certificate input"),
        ("/server.pem", "/junk.pem", "tls: failed to find any PEM data in key input"),
        (
            "/server.key",
            "/server.key",
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
        ),
        (
            "/server.pem",
            "/server.pem",
            "tls: found a certificate rather than a key in the PEM for the private key",
        ),
        ("/server.pem", &other.key_file, "tls: private key does not match public key"),
    ] {
        assert_eq!(files(cert, key), format!("{prefix}{expected}"));
    }
    assert_eq!(files("/server.pem", ""), "missing 'key_file' in TLS configuration");
    assert_eq!(files("", "/server.key"), "missing 'cert_file' in TLS configuration");
    let ca = |file: &str| m.fails(&TlsOptions { ca_file: file.to_owned(), ..base.clone() });
    assert_eq!(ca("/nope"), "open /nope: no such file or directory");
    assert_eq!(ca("/dir"), "read /dir: is a directory");
    assert_eq!(ca("/junk.pem"), "failed to parse root ca certificate");
    let nope = CertPair { cert_file: "/server.pem".to_owned(), key_file: "/nope".to_owned() };
    assert_eq!(
        m.fails(&TlsOptions { certs: vec![pair, nope], ..Default::default() }),
        "error parsing X509 certificate/key pair 2/2: open /nope: no such file or directory"
    );
}

#[tokio::test]
async fn names_are_checked() {
    let m = Machine::new();
    let suites = |names: &[&str], allow_insecure_ciphers| TlsOptions {
        cipher_suites: names.iter().map(|n| (*n).to_owned()).collect(),
        allow_insecure_ciphers,
        ..Default::default()
    };
    assert_eq!(m.fails(&suites(&["NOPE"], true)), "unrecognized cipher NOPE");
    let old = ["TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"];
    assert_eq!(
        m.fails(&suites(&old, false)),
        "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: \
         TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_AES_128_CBC_SHA"
    );
    assert!(check_names(&suites(&old, true)).is_ok());
    let curve =
        |name: &str| TlsOptions { curve_preferences: vec![name.to_owned()], ..Default::default() };
    assert_eq!(m.fails(&curve("NOPE")), "unrecognized curve preference NOPE");
    assert_eq!(
        m.fails(&curve("CurveP521")),
        "none of the configured curve preferences is available: CurveP521"
    );
    let version = TlsOptions { min_version: "1.1".to_owned(), ..Default::default() };
    assert_eq!(m.fails(&version), "error parsing tls config: unsupported TLS version: TLS 1.1");
}

#[tokio::test]
async fn a_block_without_certificate_loads_and_serves_nobody() {
    let m = Machine::new();
    let server = m.server(&TlsOptions::default());
    let client = m.client(&TlsOptions { insecure: true, ..Default::default() });
    assert!(shake(&server, &client, "localhost").is_err());
}

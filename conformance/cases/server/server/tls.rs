//! TLS for clients: versions, suites, groups, handshakes gone wrong.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, NamedGroup, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::net::TcpStream;

use crate::Cx;
use crate::kit::tls::{Authority, Identity, TlsClient};
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "server/server_test.go",
    wire versions_and_suites_have_go_s_names => ["TestTLSVersions", "TestTLSCipher"],
    wire the_lowest_version => ["TestTLSMinVersionConfig"],
    wire one_suite_and_no_other => ["TestTLSDefaultCipherAndCurvePreferences"],
    wire one_group_and_no_other => ["TestTLSDefaultCipherAndCurvePreferences"],
    wire so_many_handshakes_a_second => ["test/tls_test.go::TestTLSConnectionRate"],
    wire damaged_handshakes => ["server/server_fuzz_test.go::FuzzServerTLS"],
}

static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];

const SUITES: [(&str, CipherSuite); 3] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

const SUITES_OF_13: [(&str, CipherSuite); 3] = [
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
];

const GROUPS: [(&str, NamedGroup); 4] = [
    ("X25519", NamedGroup::X25519),
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("X25519MLKEM768", NamedGroup::X25519MLKEM768),
];

fn identity(cx: &Cx) -> Identity {
    Authority::new(cx.dir(), "ca").issue(&["localhost", "127.0.0.1"])
}

/// A configuration with `settings` in its `tls` block.
fn config(identity: &Identity, settings: &str) -> String {
    let Identity { cert, key } = identity;
    format!("debug: true\ntls {{ cert_file: {cert:?}, key_file: {key:?}, timeout: 5, {settings} }}")
}

async fn connects(server: &Server, tls: TlsClient) {
    let mut c = server.raw_tls(&tls).await;
    c.send("CONNECT {\"verbose\":false}\r\n").await;
    c.flush().await;
}

async fn is_refused(server: &Server, tls: TlsClient) -> String {
    let mut c = server.raw().await;
    c.info().await;
    c.start_tls_refused(&tls).await
}

async fn versions_and_suites_have_go_s_names(cx: Cx) {
    let server = cx.server(&config(&identity(&cx), "")).await;
    for (name, suite) in SUITES {
        connects(&server, TlsClient::new().versions(&OLD).suites(&[suite])).await;
        server.log_line(&format!("TLS version 1.2, cipher suite {name}")).await;
    }
    // Which of these is taken is the server's choice, unless one is all there is.
    for (name, suite) in SUITES_OF_13 {
        connects(&server, TlsClient::new().versions(&NEW).suites(&[suite])).await;
        server.log_line(&format!("TLS version 1.3, cipher suite {name}")).await;
    }
}

async fn the_lowest_version(cx: Cx) {
    crate::exercises!("config_keys", "tls|min_version");
    let identity = identity(&cx);
    let config = |version| config(&identity, &format!("min_version: '{version}'"));
    let server = cx.server(&config("1.3")).await;
    server.allow_errors("TLS handshake error");
    let old = || TlsClient::new().versions(&OLD);
    let new = || TlsClient::new().versions(&NEW);
    let refusal = is_refused(&server, old()).await;
    assert!(refusal.contains("ProtocolVersion"), "{refusal}");
    connects(&server, new()).await;
    let line = server.reload_refused(&config("1.0")).await;
    assert!(line.contains("unsupported TLS version: TLS 1.0"), "{line}");
    server.reload(&config("1.3")).await;
    is_refused(&server, old()).await;
    server.reload(&config("1.2")).await;
    connects(&server, old()).await;
    connects(&server, new()).await;
    let line = server.reload_refused(&config("1.4")).await;
    assert!(line.contains("unknown version: 1.4"), "{line}");
}

async fn one_suite_and_no_other(cx: Cx) {
    crate::exercises!("config_keys", "tls|cipher_suites");
    let identity = identity(&cx);
    for (name, suite) in SUITES {
        let server = cx.server(&config(&identity, &format!("cipher_suites: [ {name:?} ]"))).await;
        server.allow_errors("TLS handshake error");
        connects(&server, TlsClient::new().versions(&OLD)).await;
        server.log_line(&format!("TLS version 1.2, cipher suite {name}")).await;
        let others: Vec<_> =
            SUITES.iter().map(|(_, other)| *other).filter(|other| *other != suite).collect();
        is_refused(&server, TlsClient::new().versions(&OLD).suites(&others)).await;
    }
}

async fn one_group_and_no_other(cx: Cx) {
    crate::exercises!("config_keys", "tls|curve_preferences");
    let identity = identity(&cx);
    for (name, group) in GROUPS {
        let settings = format!("curve_preferences: [ {name:?} ]");
        let server = cx.server(&config(&identity, &settings)).await;
        server.allow_errors("TLS handshake error");
        connects(&server, TlsClient::new().versions(&NEW).groups(&[group])).await;
        let others: Vec<_> =
            GROUPS.iter().map(|(_, other)| *other).filter(|other| *other != group).collect();
        is_refused(&server, TlsClient::new().versions(&NEW).groups(&others)).await;
    }
}

async fn so_many_handshakes_a_second(cx: Cx) {
    crate::exercises!("config_keys", "tls|connection_rate_limit");
    let server = cx.server(&config(&identity(&cx), "connection_rate_limit: 3")).await;
    server.allow_errors("TLS handshake error");
    for _ in 0..3 {
        connects(&server, TlsClient::new()).await;
    }
    // A slow machine may take more than the second for three.
    eventually(PATIENCE, async || {
        let mut c = server.raw().await;
        c.info().await;
        match TlsAttempt::of(c).await {
            TlsAttempt::Served => false,
            TlsAttempt::Refused(text) => {
                assert!(text.contains("Connection throttling is active"), "{text}");
                true
            }
        }
    })
    .await;
    server.log_line("connections due to TLS rate limiting").await;
    eventually(PATIENCE, async || {
        let mut c = server.raw().await;
        c.info().await;
        matches!(TlsAttempt::of(c).await, TlsAttempt::Served)
    })
    .await;
}

/// What became of a connection that is about to start TLS.
enum TlsAttempt {
    Served,
    /// What came in the clear instead.
    Refused(String),
}

impl TlsAttempt {
    /// Sends half a handshake: who is throttled is told without waiting for the rest.
    async fn of(mut c: Raw) -> Self {
        let hello = client_hello(Arc::new(TlsClient::new().config()));
        c.send(&hello).await;
        let line = c.first_bytes(4).await;
        if line.starts_with(b"-ERR") {
            return Self::Refused(c.read_to_close().await);
        }
        Self::Served
    }
}

/// The first flight of a client.
fn client_hello(config: Arc<ClientConfig>) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(config, name).unwrap();
    let mut hello = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut hello).unwrap();
    }
    hello
}

/// Shows a certificate as it stands, whether or not it is one.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A client whose certificate has one byte changed at `at`, or none.
fn with_certificate(identity: &Identity, at: Option<usize>, tls13: bool) -> Arc<ClientConfig> {
    let mut der = CertificateDer::from_pem_file(&identity.cert).unwrap().to_vec();
    if let Some(at) = at {
        let at = at % der.len();
        der[at] ^= 0x5a;
    }
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let key = CertifiedKey::new(vec![der.into()], any_supported_type(&key).unwrap());
    let versions: &'static [_] = if tls13 { &NEW } else { &OLD };
    let mut config = TlsClient::new().versions(versions).config();
    config.client_auth_cert_resolver = Arc::new(Shows(Arc::new(key)));
    Arc::new(config)
}

/// Whether the server lets this client in: reads the INFO that comes after the handshake.
async fn is_let_in(server: &Server, config: Arc<ClientConfig>) -> bool {
    use tokio::io::AsyncReadExt;
    let tcp = TcpStream::connect(server.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(mut tls) = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await else {
        return false;
    };
    let mut start = [0; 5];
    tls.read_exact(&mut start).await.is_ok() && &start == b"INFO "
}

/// Seeded damage to the first flight and to the client's certificate: refused or not, the server
/// goes on.
async fn damaged_handshakes(cx: Cx) {
    let authority = Authority::new(cx.dir(), "ca");
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    let settings = format!("ca_file: {:?}, verify: true, handshake_first: true", authority.ca());
    let server = cx.server(&config(&identity, &settings)).await;
    server.allow_errors("TLS handshake error");
    let mut rng = nats_server::base::Rng::from_seed(2025);
    for round in 0..100_u64 {
        let tls13 = round % 2 == 0;
        let mut hello = client_hello(with_certificate(&identity, None, tls13));
        let at = rng.below(hello.len() as u64) as usize;
        match round % 4 {
            0 => hello[at] ^= 1 << rng.below(8),
            1 => hello.truncate(at),
            2 => {
                let mut noise = vec![0; 1 + rng.below(300) as usize];
                rng.fill(&mut noise);
                hello.splice(at..at, noise);
            }
            // The version of the record, of the hello.
            _ => hello[[1, 2, 9, 10][at % 4]] = rng.below(256) as u8,
        }
        let mut c = server.raw().await;
        let _ = c.try_send(&hello).await;
    }
    for round in 0..60 {
        let at = rng.below(1 << 16) as usize;
        is_let_in(&server, with_certificate(&identity, Some(at), round % 2 == 0)).await;
    }
    for tls13 in [true, false] {
        assert!(is_let_in(&server, with_certificate(&identity, None, tls13)).await);
    }
}

//! TLS for clients: first or after INFO, required or offered.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{Raw, Server};

crate::cases! {
    "server/client_test.go",
    wire handshake_first => ["TestTLSClientHandshakeFirst"],
    wire values_of_first => ["TestTLSClientHandshakeFirstFallbackDelayConfigValues"],
    wire first_or_after_a_delay => ["TestTLSClientHandshakeFirstFallbackDelay"],
    wire first_and_without_tls => ["TestTLSClientHandshakeFirstFallbackDelayAndAllowNonTLS"],
    wire the_log_says_required_or_available => ["TestTLSClientNoticeWithAllowNonTLS"],
    wire probes_are_no_errors => ["TestTLSClientHandshakeProbeErrorsLogAsDebug"],
}

/// A configuration with a certificate of the case's own, and these settings in its `tls` block.
fn config(cx: &Cx, tls: &str, top: &str) -> String {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    format!("{top}\ntls {{ cert_file: {:?}, key_file: {:?}, {tls} }}", identity.cert, identity.key)
}

/// A client that is welcome.
async fn welcome(mut c: Raw) {
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
}

/// Speaks TLS before anything else, and is welcome.
async fn tls_first(server: &Server) {
    let mut c = server.raw().await;
    c.start_tls(&TlsClient::new()).await;
    assert_eq!(c.info().await["tls_required"], true);
    welcome(c).await;
}

/// Waits for INFO before it speaks TLS, and is welcome; returns the INFO's word on TLS.
async fn tls_second(server: &Server) -> (bool, bool) {
    let c = server.raw_tls(&TlsClient::new()).await;
    let offer = offer(&c);
    welcome(c).await;
    offer
}

/// Whether TLS is required, and whether it is available.
fn offer(c: &Raw) -> (bool, bool) {
    let info = c.last_info();
    (info["tls_required"] == true, info["tls_available"] == true)
}

/// A server that expects TLS first does not answer anything else.
async fn plain_is_ignored(server: &Server) {
    let mut c = server.raw().await;
    c.expect_nothing(Duration::from_millis(100)).await;
    c.send("CONNECT {\"verbose\":false}\r\nPING\r\n").await;
    assert!(!c.read_to_close().await.contains("PONG"));
}

async fn handshake_first(cx: Cx) {
    crate::exercises!("config_keys", "tls|handshake_first");
    let with = |first| config(&cx, &format!("timeout: 5, first: {first}"), "");
    let server = cx.server(&with("true")).await;
    server.allow_errors("TLS handshake error");
    plain_is_ignored(&server).await;
    tls_first(&server).await;

    server.reload(&with("false")).await;
    server.raw().await.start_tls_refused(&TlsClient::new()).await;
    assert_eq!(tls_second(&server).await, (true, false));

    server.reload(&with("true")).await;
    tls_first(&server).await;
    plain_is_ignored(&server).await;
}

async fn values_of_first(cx: Cx) {
    // How long INFO is held back, at least; `None` is for ever.
    for (value, delay) in [
        ("true", None),
        ("false", Some(0)),
        ("'true'", None),
        ("'false'", Some(0)),
        ("on", None),
        ("off", Some(0)),
        ("auto", Some(50)),
        ("auto_fallback", Some(50)),
        ("'300ms'", Some(300)),
    ] {
        let server = cx.server(&config(&cx, &format!("timeout: 5, first: {value}"), "")).await;
        // The one that asks when INFO comes ends without a handshake.
        server.allow_errors("TLS handshake error");
        let start = Instant::now();
        let mut c = server.raw().await;
        match delay {
            None => c.expect_nothing(Duration::from_millis(400)).await,
            Some(delay) => {
                c.info().await;
                let waited = start.elapsed();
                assert!(waited >= Duration::from_millis(delay), "{value}: {waited:?}");
            }
        }
        if delay != Some(0) {
            tls_first(&server).await;
        }
    }
    let exit = cx.check_config(&config(&cx, "first: maybe", "")).await;
    assert_ne!(exit.code, Some(0));
}

async fn first_or_after_a_delay(cx: Cx) {
    let with = |first| config(&cx, &format!("timeout: 5, first: {first}"), "");
    let server = cx.server(&with("auto")).await;
    assert_eq!(tls_second(&server).await, (true, false));
    server.reload(&with("'5s'")).await;
    let start = Instant::now();
    tls_first(&server).await;
    assert!(start.elapsed() < Duration::from_secs(4), "who speaks does not wait");
}

async fn first_and_without_tls(cx: Cx) {
    crate::exercises!("config_keys", "top|allow_non_tls");
    let with = |first| config(&cx, &format!("timeout: 1, first: {first}"), "allow_non_tls: true");
    let server = cx.server(&with("true")).await;
    server.allow_errors("TLS handshake error");
    tls_first(&server).await;
    plain_is_ignored(&server).await;

    server.reload(&with("'25ms'")).await;
    tls_first(&server).await;
    assert_eq!(tls_second(&server).await, (false, true));
    let c = server.raw_connected().await;
    assert_eq!(offer(&c), (false, true));
    welcome(c).await;

    server.reload(&with("false")).await;
    assert_eq!(tls_second(&server).await, (false, true));
    welcome(server.raw_connected().await).await;
}

async fn the_log_says_required_or_available(cx: Cx) {
    for (first, top, said) in [
        ("false", "", "required"),
        ("false", "allow_non_tls: true", "available"),
        ("true", "allow_non_tls: true", "required"),
        ("'25ms'", "allow_non_tls: true", "available"),
    ] {
        let server = cx.server(&config(&cx, &format!("first: {first}"), top)).await;
        server.log_line(&format!("TLS {said} for client connections")).await;
        assert_eq!(server.log().matches("[INF] TLS ").count(), 1, "{first} {top}");
        let warned = server.log().contains("\"TLS Handshake First\" option will fail to connect");
        assert_eq!(warned, first == "true", "{first} {top}");
    }
    assert!(!cx.server("").await.log().contains("[INF] TLS "));
}

async fn probes_are_no_errors(cx: Cx) {
    let server = cx.server(&config(&cx, "timeout: 0.2", "debug: true")).await;
    let mut c = server.raw().await;
    c.info().await;
    c.read_to_close().await;
    let line = server.log_line("TLS handshake error: ").await;
    assert!(line.contains("[DBG]"), "{line}");
    assert!(line.ends_with("i/o timeout"), "{line}");
    server.log_line("Client connection closed: TLS Handshake Failure").await;

    let server = cx.server(&config(&cx, "timeout: 20", "debug: true")).await;
    let mut c = server.raw_connected().await;
    c.read_to_close().await;
    let line = server.log_line("TLS handshake error: ").await;
    assert!(line.contains("[DBG]"), "{line}");
    assert!(line.ends_with("tls: first record does not look like a TLS handshake"), "{line}");

    let pinned = format!("timeout: 20, pinned_certs: [\"{}\"]", "ab".repeat(32));
    let server = cx.server(&config(&cx, &pinned, "debug: true")).await;
    server.allow_errors("TLS handshake error: certificate not pinned");
    let identity = Authority::new(cx.dir(), "clients").issue(&["someone"]);
    let mut c = server.raw().await;
    c.info().await;
    c.start_tls(&TlsClient::new().identity(&identity)).await;
    c.read_to_close().await;
    let line = server.log_line("TLS handshake error: ").await;
    assert!(line.contains("[ERR]"), "{line}");
}

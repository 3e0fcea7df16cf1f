//! Proxied connections, from the header to the first message, with and without TLS.

use super::{v1, v2, v2_proxy};
use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{PATIENCE, Raw, Server, eventually};
use serde_json::json;

crate::cases! {
    "server/client_proxyproto_test.go",
    wire v1_and_v2_end_to_end => ["TestClientProxyProtoV1EndToEnd", "TestClientProxyProtoV2EndToEnd"],
    wire local_command_end_to_end => ["TestClientProxyProtoV2LocalCommandEndToEnd"],
    wire required_tls => ["TestClientProxyProtoV1WithRequiredTLS", "TestClientProxyProtoV2WithRequiredTLS"],
    wire allow_non_tls => ["TestClientProxyProtoV1WithAllowNonTLS", "TestClientProxyProtoV2WithAllowNonTLS"],
    wire tls_first_without_a_proxy => ["TestClientProxyProtoNonProxiedTLSFirstFallback"],
}

const FIRST_WORDS: &str =
    "CONNECT {\"verbose\":true,\"pedantic\":false,\"protocol\":1}\r\nPING\r\n";

/// The header of either version for a client at this address and port.
fn headers(ip: &str, port: u16) -> [Vec<u8>; 2] {
    [v1("TCP4", ip, "127.0.0.1", [port, 4222]), v2_proxy(ip, "127.0.0.1", [port, 4222])]
}

/// A server behind a proxy, with TLS and these settings.
async fn tls_server(cx: &Cx, tls: &str, top: &str) -> Server {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let files = format!("cert_file: {:?}, key_file: {:?}", identity.cert, identity.key);
    cx.server(&format!("proxy_protocol: true\n{top}\ntls {{ {files}, timeout: 5, {tls} }}")).await
}

/// Is let in, and its PING answered.
async fn welcome(c: &mut Raw) {
    c.send(FIRST_WORDS).await;
    c.expect("+OK\r\n").await;
    c.expect("PONG\r\n").await;
}

/// Monitoring shows a client at this address and port.
async fn is_shown(server: &Server, ip: &str, port: u16) {
    eventually(PATIENCE, async || {
        let connz = server.connz("").await;
        let all = connz["connections"].as_array().cloned().unwrap_or_default();
        all.iter().any(|c| c["ip"] == ip && c["port"] == port)
    })
    .await;
}

/// What a client says right behind the header, in the same packet, is not lost.
async fn v1_and_v2_end_to_end(cx: Cx) {
    crate::exercises!("config_keys", "top|proxy_protocol");
    let server = cx.server("proxy_protocol: true").await;
    let port = 54321;
    for header in headers("203.0.113.50", port) {
        let mut c = server.raw().await;
        c.send([&header, FIRST_WORDS.as_bytes()].concat()).await;
        c.info().await;
        c.expect("+OK\r\n").await;
        c.expect("PONG\r\n").await;
        is_shown(&server, "203.0.113.50", port).await;
        // Clients of this protocol level get another INFO after their first PONG.
        assert_eq!(c.info().await["client_ip"], "203.0.113.50");
        c.send("SUB foo 1\r\nPUB foo 2\r\nhi\r\n").await;
        c.expect("+OK\r\n+OK\r\nMSG foo 1 2\r\nhi\r\n").await;
    }
}

/// A proxy's own connection has no client behind it: its own address is shown.
async fn local_command_end_to_end(cx: Cx) {
    let server = cx.server("proxy_protocol: true").await;
    let mut c = server.raw().await;
    c.send(v2(0x20, 0, 0, b"")).await;
    c.info().await;
    c.send(FIRST_WORDS).await;
    c.expect("+OK\r\n").await;
    c.expect("PONG\r\n").await;
    let connz = server.connz("").await;
    assert_eq!(connz["num_connections"], 1);
    assert_eq!(connz["connections"][0]["ip"], "127.0.0.1");
}

async fn required_tls(cx: Cx) {
    let server = tls_server(&cx, "", "").await;
    let port = 54322;
    for header in headers("203.0.113.51", port) {
        let mut c = server.raw().await;
        c.send(header).await;
        assert_eq!(c.info().await["tls_required"], true);
        c.start_tls(&TlsClient::new()).await;
        welcome(&mut c).await;
        is_shown(&server, "203.0.113.51", port).await;
    }
}

/// TLS or not is told by what follows the header, not by the header.
async fn allow_non_tls(cx: Cx) {
    for (version, port) in [54331, 54332].into_iter().enumerate() {
        let server = tls_server(&cx, "", "allow_non_tls: true").await;
        let header = &headers("203.0.113.60", port)[version];
        let mut c = server.raw().await;
        c.send(header).await;
        assert_eq!(c.info().await["tls_available"], true);
        c.start_tls(&TlsClient::new()).await;
        welcome(&mut c).await;
        is_shown(&server, "203.0.113.60", port).await;

        let mut plain = server.raw().await;
        plain.send(header).await;
        plain.info().await;
        welcome(&mut plain).await;
    }
}

/// Who speaks TLS at once is let in without a header.
async fn tls_first_without_a_proxy(cx: Cx) {
    let server = tls_server(&cx, "handshake_first: '250ms'", "").await;
    let mut c = server.raw().await;
    c.start_tls(&TlsClient::new()).await;
    assert_eq!(c.info().await["tls_required"], true);
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
}

//! What monitoring says of clients.

use serde_json::{Value, json};

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{PATIENCE, Server, eventually};

crate::cases! {
    "server/client_test.go",
    wire plain_connections_have_no_tls_state => ["TestNonTLSConnectionState"],
    wire looking_sends_no_ping_too_soon => ["TestPingNotSentTooSoon"],
}

async fn connection(server: &Server, cid: &Value) -> Value {
    let connz = server.connz(&format!("cid={cid}")).await;
    connz["connections"][0].clone()
}

async fn plain_connections_have_no_tls_state(cx: Cx) {
    let server = cx.server("").await;
    let mut c = server.raw_connected().await;
    c.flush().await;
    let shown = connection(&server, &c.last_info()["client_id"]).await;
    assert_eq!(shown["ip"], "127.0.0.1");
    for field in ["tls_version", "tls_cipher_suite", "tls_first"] {
        assert_eq!(shown[field], Value::Null, "{field}");
    }

    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let server = cx
        .server(&format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, timeout: 20 }}",
            identity.cert, identity.key
        ))
        .await;
    let mut c = server.raw_tls(&TlsClient::new()).await;
    let cid = c.last_info()["client_id"].clone();
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
    let shown = connection(&server, &cid).await;
    assert_eq!(shown["tls_version"], "1.3");
    assert!(shown["tls_cipher_suite"].as_str().unwrap().starts_with("TLS_"), "{shown}");
}

/// The server measures the round trip of every client once, but leaves a client alone for its
/// first two seconds unless it sent a PING of its own; looking at it does not change that.
async fn looking_sends_no_ping_too_soon(cx: Cx) {
    let server = cx.server("ping_interval: '5m', debug: true, trace: true").await;
    for _ in 0..50 {
        let mut c = server.raw_connected().await;
        c.flush().await;
        server.connz("").await;
    }
    let mut c = server.raw().await.manual_pongs();
    let cid = c.info().await["client_id"].clone();
    let since = std::time::Instant::now();
    c.connect(json!({"verbose": false})).await;
    c.send("SUB foo 1\r\nPUB foo 2\r\nok\r\n").await;
    c.expect("MSG foo 1 2\r\nok\r\n").await;
    let pinged = async || {
        connection(&server, &cid).await;
        server.log().contains(&format!(" - cid:{cid} - ->> [PING]"))
    };
    eventually(PATIENCE, pinged).await;
    assert!(since.elapsed() >= std::time::Duration::from_secs(2), "{:?}", since.elapsed());
    c.expect("PING\r\n").await;
}

//! A server runs with what its file says.

use serde_json::json;

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};

crate::cases! {
    "test/opts_test.go",
    wire the_largest_payload => ["TestServerConfig"],
    wire tls_is_required => ["TestTLSConfig"],
}

async fn the_largest_payload(cx: Cx) {
    crate::exercises!("config_keys", "top|max_payload");
    let server = cx.server("max_payload: 2222").await;
    server.allow_errors("maximum payload exceeded");
    let mut c = server.raw_connected().await;
    assert_eq!(c.last_info()["max_payload"], 2222);
    c.send(format!("PUB foo 2222\r\n{}\r\n", "x".repeat(2222))).await;
    c.flush().await;
    c.send("PUB foo 2223\r\n").await;
    c.expect_err("Maximum Payload Violation").await;
}

async fn tls_is_required(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let (cert, key) = (identity.cert.display(), identity.key.display());
    let server = cx
        .server(&format!(
            "tls {{ cert_file: '{cert}', key_file: '{key}', timeout: 2 }}
            authorization {{ user: derek, password: foo, timeout: 1 }}"
        ))
        .await;
    let mut c = server.raw_tls(&TlsClient::new()).await;
    assert_eq!(c.last_info()["tls_required"], true);
    c.connect(json!({"verbose": false, "user": "derek", "pass": "foo"})).await;
    c.flush().await;
}

//! What a configuration file says is what clients are told.

use serde_json::json;

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};

crate::cases! {
    "test/opts_test.go",
    wire the_largest_payload_is_announced => ["TestServerConfig"],
    wire required_tls_is_announced => ["TestTLSConfig"],
}

async fn the_largest_payload_is_announced(cx: Cx) {
    let server = cx.server("max_payload: 2222").await;
    assert_eq!(server.raw().await.info().await["max_payload"], 2222);
}

async fn required_tls_is_announced(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["127.0.0.1"]);
    let config = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, timeout: 2 }}
        authorization {{ user: derek, password: monkey, timeout: 1 }}",
        identity.cert, identity.key
    );
    let server = cx.server(&config).await;
    let mut c = server.raw_tls(&TlsClient::new()).await;
    let info = c.last_info();
    assert_eq!((&info["tls_required"], &info["auth_required"]), (&json!(true), &json!(true)));
    c.connect(json!({"verbose": false, "user": "derek", "pass": "monkey"})).await;
    c.flush().await;
}

use serde_json::{Value, json};

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{PATIENCE, Server, eventually};

crate::cases! {
    "server/closed_conns_test.go",
    wire the_newest_closed_connections_are_kept => ["TestClosedConnsAccounting"],
    wire subscriptions_are_kept_with_them => ["TestClosedConnsSubsAccounting"],
    wire no_connect_in_time => ["TestClosedAuthorizationTimeout"],
    wire wrong_or_no_token => ["TestClosedAuthorizationViolation"],
    wire wrong_or_no_password => ["TestClosedUPAuthorizationViolation"],
    wire payload_too_long => ["TestClosedMaxPayload"],
    wire tls_that_cannot_be => ["TestClosedTLSHandshake"],
}

/// The closed connections, once there are as many, oldest first.
async fn closed(server: &Server, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    eventually(PATIENCE, async || {
        let connz = server.connz("state=closed&subs=detail").await;
        found = connz["connections"].as_array().unwrap().clone();
        found.len() == count
    })
    .await;
    found
}

async fn closed_with(server: &Server, count: usize, reason: &str) {
    for connection in closed(server, count).await {
        assert_eq!(connection["reason"], reason);
    }
}

async fn the_newest_closed_connections_are_kept(cx: Cx) {
    crate::exercises!("gap_areas", "10.1");
    let server = cx.server("max_closed_clients: 10\nno_system_account: true").await;
    let mut c = server.raw_connected().await;
    c.flush().await;
    let id = c.last_info()["client_id"].clone();
    drop(c);
    assert_eq!(closed(&server, 1).await[0]["cid"], id);
    for cid in 2..=22 {
        let mut c = server.raw_connected().await;
        c.flush().await;
        drop(c);
        let query = format!("state=closed&cid={cid}");
        eventually(PATIENCE, async || server.connz(&query).await["num_connections"] == 1).await;
    }
    let kept: Vec<Value> = closed(&server, 10).await.iter().map(|c| c["cid"].clone()).collect();
    assert_eq!(kept, (13..=22).map(Value::from).collect::<Vec<_>>());
}

async fn subscriptions_are_kept_with_them(cx: Cx) {
    crate::exercises!("gap_areas", "10.1");
    let server = cx.server("").await;
    let mut c = server.raw_connected().await;
    for i in 0..10 {
        c.send(format!("SUB foo.{i} {i}\r\n")).await;
    }
    c.flush().await;
    drop(c);
    let closed = closed(&server, 1).await;
    assert_eq!(closed[0]["subscriptions"], 10);
    let subs = closed[0]["subscriptions_list_detail"].as_array().unwrap();
    assert_eq!(subs.len(), 10);
    for sub in subs {
        assert_eq!(sub["account"], "$G");
        assert!(sub["subject"].as_str().unwrap().starts_with("foo."));
    }
}

async fn no_connect_in_time(cx: Cx) {
    crate::exercises!("gap_areas", "10.7");
    let server = cx.server("authorization { token: my_token, timeout: 0.4 }").await;
    server.allow_errors("Authentication Timeout");
    let _c = server.raw().await;
    closed_with(&server, 1, "Authentication Timeout").await;
}

async fn wrong_or_no_token(cx: Cx) {
    crate::exercises!("gap_areas", "10.7");
    let server = cx.server("authorization { token: my_token }").await;
    server.allow_errors("authentication error");
    let mut c = server.raw_connected().await;
    c.expect_err("Authorization Violation").await;
    closed_with(&server, 1, "Authentication Failure").await;
}

async fn wrong_or_no_password(cx: Cx) {
    crate::exercises!("gap_areas", "10.7");
    let server = cx.server("authorization { user: my_user, password: my_secret }").await;
    server.allow_errors("authentication error");
    let mut c = server.raw_connected().await;
    c.expect_err("Authorization Violation").await;
    let mut c = server.raw().await;
    c.connect(json!({"user": "my_user", "pass": "wrong_pass", "name": "burglar"})).await;
    c.expect_err("Authorization Violation").await;
    closed_with(&server, 2, "Authentication Failure").await;
    let connz = server.connz("state=closed&auth=1").await;
    let claims: Vec<_> = connz["connections"].as_array().unwrap().iter().collect();
    assert!(claims[0].get("authorized_user").is_none());
    assert_eq!(claims[1]["authorized_user"], "my_user");
    assert_eq!(claims[1]["name"], "burglar");
}

async fn payload_too_long(cx: Cx) {
    crate::exercises!("gap_areas", "10.7");
    let server = cx.server("max_payload: 100").await;
    server.allow_errors("maximum payload");
    let mut c = server.raw().await;
    c.send("PUB foo.bar 1024\r\n").await;
    closed_with(&server, 1, "Maximum Message Payload Exceeded").await;
}

async fn tls_that_cannot_be(cx: Cx) {
    crate::exercises!("gap_areas", "10.7");
    let authority = Authority::new(cx.dir(), "ca");
    let id = authority.issue(&["localhost", "127.0.0.1"]);
    let config = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        id.cert,
        id.key,
        authority.ca()
    );
    let server = cx.server(&config).await;
    server.allow_errors("TLS handshake error");
    let mut c = server.raw().await;
    c.info().await;
    c.start_tls_refused(&TlsClient::new()).await;
    closed_with(&server, 1, "TLS Handshake Failure").await;
}

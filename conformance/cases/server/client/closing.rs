//! The end of a connection, and what it leaves behind: nothing.

use serde_json::json;

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "server/client_test.go",
    wire subscriptions_go_with_it => ["TestClientRemoveSubsOnDisconnect"],
    wire nothing_is_subscribed_after_the_end => ["TestClientDoesNotAddSubscriptionsWhenConnectionClosed"],
    wire its_place_is_free => ["TestClientMapRemoval"],
    wire closed_before_anything_was_said => ["TestCloseConnectionVeryEarly"],
    wire a_stalled_tls_client_does_not_hold_it_up => ["TestClientCloseTLSConnection"],
}

/// Somebody who is told when nobody listens.
async fn asking(server: &Server) -> Raw {
    let mut asks = server.raw().await;
    asks.connect(json!({"verbose": false, "headers": true, "no_responders": true})).await;
    asks.send("SUB reply 1\r\n").await;
    asks.flush().await;
    asks
}

async fn heard(asks: &mut Raw, subject: &str) -> bool {
    asks.send(format!("PUB {subject} reply 0\r\n\r\nPING\r\n")).await;
    if asks.expect_re("^(PONG|HMSG reply 1 .*)$").await[1] == "PONG" {
        return true;
    }
    asks.expect(&format!("NATS/1.0 503\r\nNats-Subject: {subject}\r\n\r\n\r\nPONG\r\n")).await;
    false
}

async fn subscriptions_go_with_it(cx: Cx) {
    let server = cx.server("debug: true").await;
    let mut asks = asking(&server).await;
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\nSUB bar 2\r\n").await;
    c.flush().await;
    assert!(heard(&mut asks, "foo").await && heard(&mut asks, "bar").await);
    c.expect("MSG foo 1 reply 0\r\n\r\nMSG bar 2 reply 0\r\n\r\n").await;
    drop(c);
    for subject in ["foo", "bar"] {
        eventually(PATIENCE, async || !heard(&mut asks, subject).await).await;
    }
    // On a slow machine the server's first PING is still unread, which makes it a reset.
    let line = server.log_line("Client connection closed: ").await;
    assert!(line.ends_with("Client Closed") || line.ends_with("Read Error"), "{line}");
}

async fn nothing_is_subscribed_after_the_end(cx: Cx) {
    let server = cx.server("").await;
    server.allow_errors("parser ERROR");
    let mut asks = asking(&server).await;
    let mut c = server.raw_connected().await;
    c.send("SUB before 1\r\nZZZ\r\nSUB foo 2\r\nSUB bar 3\r\n").await;
    c.expect_err("Unknown Protocol Operation").await;
    c.expect_closed().await;
    eventually(PATIENCE, async || !heard(&mut asks, "before").await).await;
    assert!(!heard(&mut asks, "foo").await && !heard(&mut asks, "bar").await);
}

/// Connects as soon as the server has a place for one more.
async fn finds_a_place(server: &Server) -> Raw {
    let mut found = None;
    eventually(PATIENCE, async || {
        let mut c = server.raw().await;
        c.info().await;
        let _ = c.try_send("CONNECT {\"verbose\":false}\r\nPING\r\n").await;
        let welcome =
            c.expect_re("^(PONG|-ERR 'maximum connections exceeded')$").await[1] == "PONG";
        found = welcome.then_some(c);
        found.is_some()
    })
    .await;
    found.expect("a place")
}

async fn its_place_is_free(cx: Cx) {
    crate::exercises!("config_keys", "top|max_connections");
    let server = cx.server("max_connections: 1").await;
    server.allow_errors("maximum connections exceeded");
    let mut c = server.raw_connected().await;
    c.flush().await;
    let mut second = server.raw_connected().await;
    second.expect_err("maximum connections exceeded").await;
    second.expect_closed().await;
    drop(c);
    finds_a_place(&server).await;
}

async fn closed_before_anything_was_said(cx: Cx) {
    let server = cx.server("max_connections: 10, debug: true").await;
    server.allow_errors("maximum connections exceeded");
    for _ in 0..50 {
        drop(server.raw().await);
    }
    // All of its places are free again, and no more than those.
    let mut places = Vec::new();
    for _ in 0..10 {
        places.push(finds_a_place(&server).await);
    }
    let mut one_more = server.raw_connected().await;
    one_more.expect_err("maximum connections exceeded").await;
    one_more.expect_closed().await;

    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let server = cx
        .server(&format!(
            "debug: true\ntls {{ cert_file: {:?}, key_file: {:?}, timeout: 20 }}",
            identity.cert, identity.key
        ))
        .await;
    server.allow_errors("maximum connections exceeded");
    server.allow_errors("TLS handshake error");
    for _ in 0..50 {
        drop(server.raw().await);
    }
    let closed = || server.log().matches("Client connection closed: ").count();
    eventually(PATIENCE, async || closed() == 50).await;
    let mut c = server.raw_tls(&TlsClient::new()).await;
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
    assert_eq!(server.log().matches("Client connection created").count(), 51);
}

async fn a_stalled_tls_client_does_not_hold_it_up(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let mut server = cx
        .server(&format!(
            "debug: true, write_deadline: '500ms'
            tls {{ cert_file: {:?}, key_file: {:?}, timeout: 20 }}
            authorization {{ user: derek, password: foo, timeout: 20 }}",
            identity.cert, identity.key
        ))
        .await;
    let connect = json!({"verbose": false, "user": "derek", "pass": "foo", "tls_required": true});
    let tls = TlsClient::new();
    let mut stalled = server.raw_tls(&tls).await;
    stalled.connect(connect.clone()).await;
    stalled.send("SUB foo 1\r\n").await;
    stalled.flush().await;
    let mut publisher = server.raw_tls(&tls).await;
    publisher.connect(connect).await;
    let payload = "x".repeat(64 * 1024);
    for _ in 0..300 {
        publisher.send(format!("PUB foo {}\r\n{payload}\r\n", payload.len())).await;
    }
    publisher.flush().await;
    server.log_line("Client connection closed: Slow Consumer (Write Deadline)").await;
    publisher.flush().await;
    assert_eq!(server.stop().await, Some(0));
}

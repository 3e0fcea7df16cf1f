//! INFO, CONNECT, PING: how a connection begins.

use std::time::Duration;

use serde_json::json;

use crate::Cx;
use crate::kit::{PATIENCE, Raw, eventually, never};

crate::cases! {
    "server/client_test.go",
    wire info_comes_first => ["TestClientCreateAndInfo", "TestRemoteAddress"],
    wire the_server_says_whether_it_takes_headers => ["TestServerHeaderSupport"],
    wire the_client_says_whether_it_takes_headers => ["TestClientHeaderSupport"],
    wire no_responders_needs_headers => ["TestClientNoResponderSupport"],
    wire connect_says_how => ["TestClientConnect"],
    wire connect_has_a_protocol_level => ["TestClientConnectProto"],
    wire ping_is_answered => ["TestClientPing"],
    wire time_for_connect_is_limited => ["TestAuthorizationTimeout"],
    wire no_auth_user_makes_auth_optional => ["TestClientAuthRequiredNoAuthUser"],
    wire a_second_connect_takes_no_subscriptions_along => ["TestClientRepeatConnectSwitchesAccountAndCleansOldSubs"],
}

async fn info_comes_first(cx: Cx) {
    crate::exercises!("protocol", "operation|INFO|out (from server)");
    let server = cx.server("debug: true").await;
    let mut c = server.raw().await;
    let info = c.info().await;
    assert_eq!(info["max_payload"], 1024 * 1024);
    assert_eq!(info["port"], server.port());
    assert_eq!(info["client_ip"], "127.0.0.1");
    assert_eq!((&info["auth_required"], &info["tls_required"]), (&json!(null), &json!(null)));
    let cid = info["client_id"].as_u64().unwrap();
    let line = server.log_line("Client connection created").await;
    assert!(line.contains(&format!(" - cid:{cid} - ")), "{line}");
    assert!(line.contains(" 127.0.0.1:"), "{line}");
    let next = server.raw().await.info().await;
    assert!(next["client_id"].as_u64().unwrap() > cid);
}

async fn the_server_says_whether_it_takes_headers(cx: Cx) {
    crate::exercises!("config_keys", "top|no_header_support");
    let server = cx.server("").await;
    assert_eq!(server.raw().await.info().await["headers"], true);
    let server = cx.server("no_header_support: true").await;
    assert_ne!(server.raw().await.info().await["headers"], true);
}

async fn the_client_says_whether_it_takes_headers(cx: Cx) {
    crate::exercises!("protocol", "operation|HPUB|in (to server)");
    let publish = "HPUB foo 0 2\r\nok\r\n";
    for (config, connect, accepted) in [
        ("", json!({"verbose": false}), false),
        ("", json!({"verbose": false, "headers": true}), true),
        ("no_header_support: true", json!({"verbose": false, "headers": true}), false),
    ] {
        let server = cx.server(config).await;
        server.allow_errors("message headers not supported");
        let mut c = server.raw().await;
        c.connect(connect).await;
        c.send(publish).await;
        if accepted {
            c.flush().await;
        } else {
            c.expect_closed().await;
            server.log_line("message headers not supported").await;
        }
    }
}

async fn no_responders_needs_headers(cx: Cx) {
    let server = cx.server("").await;
    let mut c = server.raw().await;
    server.allow_errors("no responders requires headers support");
    c.connect(json!({"verbose": false, "no_responders": true})).await;
    c.expect_err("no responders requires headers support").await;
    c.expect_closed().await;

    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "headers": true, "no_responders": true})).await;
    c.send("SUB reply 1\r\nPUB foo reply 2\r\nok\r\n").await;
    c.expect("HMSG reply 1 35 35\r\nNATS/1.0 503\r\nNats-Subject: foo\r\n\r\n\r\n").await;
    // Who does not ask to be told is not.
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "headers": true})).await;
    c.send("SUB reply 1\r\nPUB foo reply 2\r\nok\r\n").await;
    c.flush().await;
}

async fn connect_says_how(cx: Cx) {
    crate::exercises!("protocol", "operation|CONNECT|in (to server)", "operation|+OK");
    let server = cx.server("debug: true").await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": true, "pedantic": true, "tls_required": false, "echo": false}))
        .await;
    c.expect("+OK\r\n").await;
    c.send("SUB foo 1\r\nPUB foo 2\r\nok\r\n").await;
    c.expect("+OK\r\n+OK\r\n").await;
    c.flush().await;
    c.send("PUB foo.* 0\r\n\r\n").await;
    c.expect_err("Invalid Publish Subject").await;
    c.expect("+OK\r\n").await;

    let named =
        |key: &str, secret| json!({"verbose": false, key: secret, "pass": "foo", "name": "router"});
    for (key, secret, label) in
        [("user", "derek", "$G/user:derek"), ("auth_token", "YZZ222", "$G/token")]
    {
        let mut c = server.raw().await;
        c.connect(named(key, secret)).await;
        c.flush().await;
        drop(c);
        server.log_line(&format!(r#" - "router" - "{label}" - Client connection closed"#)).await;
    }
    assert!(!server.log().contains("YZZ222"));
}

async fn connect_has_a_protocol_level(cx: Cx) {
    let server = cx.server("debug: true").await;
    let connect = |options| async {
        let mut c = server.raw().await;
        c.connect(options).await;
        c
    };
    // Who knows level 1 is told more once it has shown to be there.
    let mut c = connect(json!({"verbose": false})).await;
    c.flush().await;
    c.flush().await;
    let mut c = connect(json!({"verbose": false, "protocol": 1})).await;
    c.flush().await;
    assert_eq!(c.info().await["connect_info"], true);
    c.flush().await;
    let mut c = connect(json!({"verbose": false, "protocol": 22})).await;
    c.expect_err("invalid client protocol").await;
    c.expect_closed().await;
    server.log_line("Client connection closed: Bad Client Protocol Version").await;
    server.allow_errors("invalid client protocol");
}

async fn ping_is_answered(cx: Cx) {
    crate::exercises!("protocol", "operation|PING|both", "operation|PONG|both");
    let server = cx.server("trace: true").await;
    let mut c = server.raw().await;
    c.info().await;
    c.send("PING\r\n").await;
    c.expect("PONG\r\n").await;
    c.send("ping\r\nPiNg\r\n").await;
    c.expect("PONG\r\nPONG\r\n").await;
    for line in ["<<- [PING]", "->> [PONG]"] {
        server.log_line(line).await;
        assert_eq!(server.log().matches(line).count(), 3, "{line}");
    }
}

async fn time_for_connect_is_limited(cx: Cx) {
    let server = cx.server("authorization { token: my_token, timeout: 0.4 }\ndebug: true").await;
    let mut c = server.raw().await;
    c.info().await;
    c.expect_nothing(Duration::from_millis(200)).await;
    c.expect_err("Authentication Timeout").await;
    c.expect_closed().await;
    server.log_line("Client connection closed: Authentication Timeout").await;
}

async fn no_auth_user_makes_auth_optional(cx: Cx) {
    crate::exercises!("config_keys", "top|no_auth_user");
    let config = "accounts { A { users [ { user: user, password: pass } ] } }";
    let server = cx.server(config).await;
    assert_eq!(server.raw().await.info().await["auth_required"], true);
    let server = cx.server(&format!("{config}\nno_auth_user: user")).await;
    let mut c = server.raw_connected().await;
    assert_ne!(c.last_info()["auth_required"], true);
    c.flush().await;
}

/// Whether anybody hears of `subject`, as a requestor is told.
async fn heard(asks: &mut Raw, subject: &str) -> bool {
    asks.send(format!("PUB {subject} reply 0\r\n\r\nPING\r\n")).await;
    if asks.expect_re("^(PONG|HMSG reply 1 .*)$").await[1] == "PONG" {
        return true;
    }
    asks.expect(&format!("NATS/1.0 503\r\nNats-Subject: {subject}\r\n\r\n\r\nPONG\r\n")).await;
    false
}

async fn a_second_connect_takes_no_subscriptions_along(cx: Cx) {
    let config = "accounts {
        A { users [ { user: ua, password: pa } ] }
        B { users [ { user: ub, password: pb } ] }
    }";
    for (user, pass) in [("ub", "pb"), ("ua", "pa")] {
        let server = cx.server(config).await;
        let mut asks = server.raw().await;
        asks.connect(json!({
            "verbose": false, "user": "ua", "pass": "pa", "headers": true, "no_responders": true,
        }))
        .await;
        asks.send("SUB reply 1\r\n").await;
        let mut c = server.raw().await;
        c.connect(json!({"verbose": false, "user": "ua", "pass": "pa"})).await;
        c.send("SUB foo 1\r\n").await;
        c.flush().await;
        assert!(heard(&mut asks, "foo").await);
        c.expect("MSG foo 1 reply 0\r\n\r\n").await;

        c.send(format!("CONNECT {}\r\n", json!({"verbose": false, "user": user, "pass": pass})))
            .await;
        c.flush().await;
        eventually(PATIENCE, async || !heard(&mut asks, "foo").await).await;
        c.flush().await;
        never(Duration::from_millis(50), async || heard(&mut asks, "foo").await).await;
        // The id is free again, in the account it is in now.
        c.send("SUB foo 1\r\nPUB foo 2\r\nok\r\n").await;
        c.expect("MSG foo 1 2\r\nok\r\n").await;
        assert_eq!(heard(&mut asks, "foo").await, user == "ua");
    }
}

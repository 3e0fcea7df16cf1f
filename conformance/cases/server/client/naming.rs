//! How log lines name a connection and its user.

use data_encoding::BASE64URL_NOPAD;
use nats_server::auth::nkey::{KeyPair, Kind};
use nats_server::base::Env;
use regex::Regex;
use serde_json::{Value, json};

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "server/client_test.go",
    wire by_what_connect_said_first => ["TestConnectionStringWithLogConnectionInfo"],
    wire by_its_user => ["TestLogConnectionAuthInfo"],
    wire the_user_in_errors => ["TestClientUserInfo"],
    wire an_ipv6_address_in_brackets => ["TestClientIPv6Address"],
}

/// Connects with these options and returns what the log calls the connection when it ends.
async fn label(server: &Server, options: &[Value]) -> String {
    let mut c = server.raw().await;
    let cid = c.info().await["client_id"].clone();
    for connect in options {
        c.connect(connect.clone()).await;
        c.flush().await;
    }
    drop(c);
    let end = format!(r" - cid:{cid} .*Client connection closed: Client Closed$");
    let line = closing_line(server, &end).await;
    let shape = Regex::new(r"(127\.0\.0\.1:)\d+( - cid:)\d+(.*) - Client connection").unwrap();
    let found = shape.captures(&line).unwrap_or_else(|| panic!("{line}"));
    format!("{}{}{}", &found[1], &found[2], &found[3])
}

async fn closing_line(server: &Server, pattern: &str) -> String {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = None;
    crate::kit::eventually(crate::kit::PATIENCE, async || {
        found = server.log().lines().find(|line| pattern.is_match(line)).map(str::to_owned);
        found.is_some()
    })
    .await;
    found.unwrap()
}

async fn by_what_connect_said_first(cx: Cx) {
    let server = cx.server("debug: true").await;
    let named = |name| json!({"verbose": false, "version": "1.0.0", "lang": "go", "name": name});
    let want = r#"127.0.0.1: - cid: - "v1.0.0:go:test-client""#;
    assert_eq!(label(&server, &[named("test-client")]).await, want);
    assert_eq!(label(&server, &vec![named("test-client"); 4]).await, want);
    assert_eq!(label(&server, &[named("test-client"), named("another")]).await, want);
    for (options, shown) in [
        (json!({"lang": "go"}), r#" - "go""#),
        (json!({"version": "2"}), r#" - "v2""#),
        (json!({"version": "2", "name": "x"}), r#" - "v2:x""#),
        (json!({"lang": "go", "name": "x"}), r#" - "go:x""#),
    ] {
        let mut options = options;
        options["verbose"] = json!(false);
        let want = format!("127.0.0.1: - cid:{shown}");
        assert_eq!(label(&server, &[options]).await, want);
    }
}

async fn by_its_user(cx: Cx) {
    let config = |users: &str| format!("debug: true\nauthorization {{ {users} }}");
    let server = cx.server(&config("user: testuser, password: testpass")).await;
    let connect = json!({"verbose": false, "user": "testuser", "pass": "testpass"});
    let want = r#"127.0.0.1: - cid: - "$G/user:testuser""#;
    assert_eq!(label(&server, std::slice::from_ref(&connect)).await, want);
    let mut full = connect;
    for (key, value) in [("version", "1.0.0"), ("lang", "go"), ("name", "test-client")] {
        full[key] = json!(value);
    }
    let want = r#"127.0.0.1: - cid: - "v1.0.0:go:test-client" - "$G/user:testuser""#;
    assert_eq!(label(&server, &[full]).await, want);

    let server = cx.server(&config("token: secret-token")).await;
    let connect = json!({"verbose": false, "auth_token": "secret-token"});
    assert_eq!(label(&server, &[connect]).await, r#"127.0.0.1: - cid: - "$G/token""#);

    let server = cx.server("debug: true").await;
    assert_eq!(label(&server, &[json!({"verbose": false})]).await, "127.0.0.1: - cid:");

    // Who says nothing is named after whom it is taken for.
    let anonymous = "debug: true, no_auth_user: ua
        accounts { A { users [ { user: ua, password: pa } ] } }";
    let server = cx.server(anonymous).await;
    server.log_line("[WRN] Plaintext passwords detected, use nkeys or bcrypt").await;
    let want = r#"127.0.0.1: - cid: - "A/user:ua""#;
    assert_eq!(label(&server, &[json!({"verbose": false})]).await, want);

    let pair = KeyPair::create(&Env::os(), Kind::User);
    let key = pair.public();
    let server = cx.server(&config(&format!("users [ {{ nkey: {key} }} ]"))).await;
    let mut c = server.raw().await;
    let info = c.info().await;
    let sig = BASE64URL_NOPAD.encode(&pair.sign(info["nonce"].as_str().unwrap().as_bytes()));
    c.connect(json!({"verbose": false, "nkey": key.to_string(), "sig": sig})).await;
    c.flush().await;
    drop(c);
    server.log_line(&format!(r#" - "$G/nkey:{key}" - Client connection closed"#)).await;
}

async fn the_user_in_errors(cx: Cx) {
    let server = cx.server("authorization { user: u, password: p }").await;
    server.allow_errors("authentication error");
    let key = "UD6AYQSOIN2IN5OGC6VQZCR4H3UFMIOXSW6NNS6N53CLJA4PB56CEJJI";
    for (options, said) in [
        (json!({"nkey": key}), format!("authentication error - Nkey {key:?}")),
        (json!({"user": "foo"}), r#"authentication error - User "foo""#.to_owned()),
        (
            json!({"auth_token": "s3cr3t!"}),
            r#"authentication error - Token "[REDACTED]""#.to_owned(),
        ),
        (json!({}), "authentication error".to_owned()),
    ] {
        let from = server.log().len();
        let mut c = server.raw().await;
        c.connect(options).await;
        c.expect_err("Authorization Violation").await;
        c.expect_closed().await;
        let line = server.log_line_from(from, "authentication error").await;
        assert!(line.ends_with(&said), "{line}");
    }
    assert!(!server.log().contains("s3cr3t!"));
}

async fn an_ipv6_address_in_brackets(cx: Cx) {
    let server = cx.server("listen: '[::1]:-1', debug: true").await;
    let mut c = Raw::tcp(([0, 0, 0, 0, 0, 0, 0, 1], server.port()).into()).await;
    assert_eq!(c.info().await["client_ip"], "::1");
    closing_line(&server, r" \[::1\]:\d+ - cid:\d+ - Client connection created$").await;
}

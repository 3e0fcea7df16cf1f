//! What this server does and upstream does not: rows of docs/deviations.md, shown on both.

use crate::Cx;
use serde_json::json;

crate::cases! {
    "",
    better wider_than_allowed => "sub-allow-partial",
    better names_with_percent_signs => "log-percent",
    better a_hashed_password_of_no_auth_user => "bcrypt-no-auth-user",
}

/// Upstream grants `foo.>` to who may subscribe to `foo.*`, and delivers what is below.
async fn wider_than_allowed(cx: Cx) {
    let server = cx
        .server(
            "authorization { users [
                { user: reader, password: pwd, permissions { subscribe: 'foo.*' } }
                { user: writer, password: pwd }
            ] }",
        )
        .await;
    server.allow_errors("Subscription Violation");
    let user = async |name: &str| {
        let mut c = server.raw().await;
        c.connect(json!({"verbose": false, "user": name, "pass": "pwd"})).await;
        c.flush().await;
        c
    };
    let (mut reader, mut writer) = (user("reader").await, user("writer").await);
    reader.send("SUB foo.> 1\r\n").await;
    if !cx.on_upstream() {
        reader.expect_err("Permissions Violation for Subscription to \"foo.>\"").await;
    }
    reader.flush().await;
    writer.send("PUB foo.secret.plan 2\r\nhi\r\n").await;
    writer.flush().await;
    reader.send("PING\r\n").await;
    let message = "MSG foo.secret.plan 1 2\r\nhi\r\n";
    reader.expect(&format!("{}PONG\r\n", if cx.on_upstream() { message } else { "" })).await;
}

/// Upstream takes the name of a client for a format.
async fn names_with_percent_signs(cx: Cx) {
    let server = cx.server("debug: true").await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "name": "100%d"})).await;
    c.flush().await;
    drop(c);
    let line = server.log_line(" connection closed: ").await;
    assert_eq!(line.contains("\"100%d\""), !cx.on_upstream(), "{line}");
}

/// Upstream compares the hash with itself as a password, and never lets `no_auth_user` in.
async fn a_hashed_password_of_no_auth_user(cx: Cx) {
    let hash = "$2a$04$Q1PPVZwJOWkZvRsPJrQpJuHIYhhEYNyjnFmhGWiTdjoTgrcqJ.rK2";
    let server = cx
        .server(&format!(
            "no_auth_user: u, authorization {{ users [ {{ user: u, password: '{hash}' }} ] }}"
        ))
        .await;
    server.allow_errors("authentication error");
    let mut c = server.raw().await;
    c.info().await;
    c.send("CONNECT {\"verbose\":false}\r\nSUB foo 1\r\nPUB foo 2\r\nhi\r\n").await;
    if cx.on_upstream() {
        c.expect_err("Authorization Violation").await;
    } else {
        c.expect("MSG foo 1 2\r\nhi\r\n").await;
    }
}

use std::time::Duration;

use serde_json::{Value, json};

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "test/auth_test.go",
    wire nothing_said_is_not_enough => ["TestNoAuthClient", "TestNoUserOrPasswordClient"],
    wire a_token => ["TestAuthClientBadToken", "TestAuthClientGoodConnect"],
    wire connect_must_come => ["TestAuthClientNoConnect"],
    wire connect_must_come_first => ["TestAuthClientFailOnEverythingElse"],
    wire a_user_and_a_password => ["TestBadUserClient", "TestBadPasswordClient", "TestPasswordClientGoodConnect"],
    wire a_hashed_password => ["TestBadBcryptPassword", "TestGoodBcryptPassword"],
    wire a_hashed_token => ["TestBadBcryptToken", "TestGoodBcryptToken"],
}

const TOKEN: &str = "authorization { token: _YZZ22_ }";
const USER: &str = "authorization { user: derek, password: foobar }";

async fn server(cx: &Cx, config: &str) -> Server {
    let server = cx.server(config).await;
    server.allow_errors("authentication error");
    server
}

async fn connecting(server: &Server, mut options: Value) -> Raw {
    let mut c = server.raw().await;
    assert_eq!(c.info().await["auth_required"], true);
    options["verbose"] = json!(true);
    c.connect(options).await;
    c
}

async fn accepted(server: &Server, options: Value) {
    let mut c = connecting(server, options).await;
    c.expect("+OK\r\n").await;
    c.flush().await;
}

async fn refused(server: &Server, options: Value) {
    let mut c = connecting(server, options).await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
}

async fn nothing_said_is_not_enough(cx: Cx) {
    for config in [TOKEN, USER] {
        let server = server(&cx, config).await;
        refused(&server, json!({})).await;
        refused(&server, json!({"auth_token": "", "user": "", "pass": ""})).await;
    }
}

async fn a_token(cx: Cx) {
    crate::exercises!("config_keys", "authorization|token");
    let server = server(&cx, TOKEN).await;
    refused(&server, json!({"auth_token": "ZZZ"})).await;
    refused(&server, json!({"user": "_YZZ22_"})).await;
    accepted(&server, json!({"auth_token": "_YZZ22_"})).await;
}

async fn connect_must_come(cx: Cx) {
    let server = server(&cx, "authorization { token: _YZZ22_, timeout: 0.3 }").await;
    let mut c = server.raw().await;
    assert_eq!(c.info().await["auth_required"], true);
    c.expect_nothing(Duration::from_millis(150)).await;
    c.expect_err("Authentication Timeout").await;
    c.expect_closed().await;
}

async fn connect_must_come_first(cx: Cx) {
    let server = server(&cx, TOKEN).await;
    for operation in ["PUB foo 2\r\nok\r\n", "SUB foo 1\r\n", "PING\r\n", "+OK\r\n", "PONG\r\n"] {
        let mut c = server.raw().await;
        assert_eq!(c.info().await["auth_required"], true);
        c.send(operation).await;
        c.expect_err("Authorization Violation").await;
        c.expect_closed().await;
    }
}

async fn a_user_and_a_password(cx: Cx) {
    crate::exercises!("config_keys", "authorization|user", "authorization|pass");
    let server = server(&cx, USER).await;
    refused(&server, json!({"user": "derekzz", "pass": "foobar"})).await;
    refused(&server, json!({"user": "derek", "pass": "ZZ"})).await;
    refused(&server, json!({"user": "derek"})).await;
    accepted(&server, json!({"user": "derek", "pass": "foobar"})).await;
}

async fn a_hashed_password(cx: Cx) {
    let hash = "$2a$04$0123456789ABCDEFGHIJKudkldRTmZc.VM5d6M3mA5DzMNn.Ucb3O";
    let server = server(&cx, &format!("authorization {{ user: derek, password: {hash:?} }}")).await;
    refused(&server, json!({"user": "derek", "pass": hash})).await;
    accepted(&server, json!({"user": "derek", "pass": "hunter%!2"})).await;
}

async fn a_hashed_token(cx: Cx) {
    let hash = "$2a$04$KJIHGFEDCBA9876543210uBy.n9Vzj2QsFtxCk6VquhxAp..BJgHS";
    let server = server(&cx, &format!("authorization {{ token: {hash:?} }}")).await;
    refused(&server, json!({"auth_token": hash})).await;
    accepted(&server, json!({"auth_token": "tok-en.42"})).await;
}

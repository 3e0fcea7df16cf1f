use serde_json::json;

use crate::Cx;

crate::cases! {
    "test/client_auth_test.go",
    wire several_users => ["TestMultipleUserAuth"],
    wire a_hashed_token_in_the_configuration => ["TestTokenInConfig"],
    wire who_it_is_told_to_be => ["TestClientConnectInfo"],
}

async fn several_users(cx: Cx) {
    crate::exercises!("config_keys", "authorization|users");
    let server = cx
        .server(
            "authorization { users [
                {user: alice, password: foo}
                {user: bob, password: bar}
            ] }",
        )
        .await;
    server.allow_errors("authentication error");
    for (user, pass, welcome) in [
        ("alice", "foo", true),
        ("bob", "bar", true),
        ("alice", "bar", false),
        ("bob", "foo", false),
        ("carol", "foo", false),
    ] {
        let mut c = server.raw().await;
        assert_eq!(c.info().await["auth_required"], true);
        c.connect(json!({"verbose": false, "user": user, "pass": pass})).await;
        if welcome {
            c.flush().await;
        } else {
            c.expect_err("Authorization Violation").await;
        }
    }
}

async fn a_hashed_token_in_the_configuration(cx: Cx) {
    let server = cx
        .server(
            "authorization = {
                token: $2a$04$KJIHGFEDCBA9876543210uBy.n9Vzj2QsFtxCk6VquhxAp..BJgHS
                timeout: 5
            }",
        )
        .await;
    let mut c = server.raw().await;
    assert_eq!(c.info().await["auth_required"], true);
    c.connect(json!({"verbose": false, "auth_token": "tok-en.42"})).await;
    c.flush().await;
}

/// The first PONG comes with an INFO that names the account, for clients that take INFO then.
async fn who_it_is_told_to_be(cx: Cx) {
    crate::exercises!("config_keys", "top|system_account");
    for system in ["system_account: SYS", ""] {
        let server = cx
            .server(&format!(
                "{system}
                accounts {{
                    SYS {{ users [ {{ user: sys, password: pwd }} ] }}
                    A {{ users [ {{ user: a, password: pwd }} ] }}
                    B {{ users [ {{ user: b, password: pwd }} ] }}
                }}"
            ))
            .await;
        for (user, account) in [("a", "A"), ("sys", "SYS"), ("b", "B")] {
            let options = |level: u8| json!({"verbose": false, "user": user, "pass": "pwd", "protocol": level});
            let mut c = server.raw().await;
            c.connect(options(0)).await;
            c.flush().await;
            c.flush().await;
            let mut c = server.raw().await;
            c.connect(options(1)).await;
            c.flush().await;
            let info = c.info().await;
            assert_eq!(info["connect_info"], true);
            assert_eq!(info["remote_account"], account);
            let is_system = user == "sys" && !system.is_empty();
            assert_eq!(info["acc_is_sys"] == true, is_system, "{user} {system:?}");
            c.flush().await;
        }
    }
}

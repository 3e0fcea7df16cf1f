//! Options that show in what a running server does.

use serde_json::json;

use crate::Cx;
use crate::kit::tls::Authority;

crate::cases! {
    "server/opts_test.go",
    wire queue_groups_in_subscribe_permissions => ["TestQueuePermissions"],
    wire subjects_with_too_many_tokens => ["TestMaxSubTokens"],
    wire time_to_authenticate => ["TestDefaultAuthTimeout"],
    wire connections_without_credentials => ["TestNoAuthUserCode"],
    wire a_server_from_a_file => [
        "TestNewServerFromConfigFunctionality", "TestNewServerFromConfigVsLoadConfig",
    ],
}

async fn queue_groups_in_subscribe_permissions(cx: Cx) {
    for (list, queue, allowed) in [
        ("allow", "queue.dev", true),
        ("allow", "", false),
        ("allow", "bad", false),
        ("deny", "", true),
        ("deny", "queue.dev", false),
    ] {
        let server = cx
            .server(&format!(
                "no_auth_user: u, authorization {{ users [ {{ user: u, password: pwd,
                permissions {{ sub {{ {list}: [\"foo.> *.dev\"] }} }} }} ] }}"
            ))
            .await;
        if !allowed {
            server.allow_errors("Subscription Violation");
        }
        let mut c = server.raw().await;
        c.connect(json!({"verbose": true})).await;
        c.expect("+OK\r\n").await;
        c.send(format!("SUB foo.bar {queue} 1\r\n")).await;
        match (allowed, queue) {
            (true, _) => c.expect("+OK\r\n").await,
            (false, "") => {
                c.expect_err("Permissions Violation for Subscription to \"foo.bar\"").await;
            }
            (false, _) => {
                let text = format!(
                    "Permissions Violation for Subscription to \"foo.bar\" using queue \"{queue}\""
                );
                c.expect_err(&text).await;
            }
        }
    }
}

async fn subjects_with_too_many_tokens(cx: Cx) {
    let server = cx.server("max_sub_tokens: 4").await;
    server.allow_errors("Too Many Tokens");
    let mut c = server.raw_connected().await;
    c.send("SUB a.b.c.d 1\r\nPUB a.b.c.d 2\r\nok\r\n").await;
    c.expect("MSG a.b.c.d 1 2\r\nok\r\n").await;
    c.send("SUB a.b.c.d.e 2\r\n").await;
    c.expect_err("Permissions Violation for Subscription to \"a.b.c.d.e\", too many tokens").await;
}

async fn time_to_authenticate(cx: Cx) {
    assert_eq!(cx.server("").await.varz().await["auth_timeout"], 2);
    // With TLS, a second more than the handshake may take.
    let authority = Authority::new(cx.dir(), "ca");
    let identity = authority.issue(&["127.0.0.1"]);
    let server = cx
        .server(&format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, timeout: 4 }}",
            identity.cert,
            identity.key,
            authority.ca()
        ))
        .await;
    assert_eq!(server.varz().await["auth_timeout"], 5);
}

async fn connections_without_credentials(cx: Cx) {
    let config = "no_auth_user: $NO_AUTH_USER
        accounts {
            north { users [ { user: a, password: a },
                { nkey: UBAAQWTW6CG2G6ANGNKB5U2B7HRWHSGMZEZX3AQSAJOQDAUGJD46LD2E } ] }
            south { users [ { user: c, password: c } ] }
        }
        authorization { users [ { user: b, password: b } ] }
        ";
    for (user, account) in [("a", "north"), ("b", ""), ("c", "south")] {
        let server = cx.launch().config(config).env("NO_AUTH_USER", user).start().await;
        let mut c = server.raw_connected().await;
        c.flush().await;
        let connection = server.connz("auth=1").await["connections"][0].clone();
        assert_eq!(connection["authorized_user"], user, "{connection}");
        // The global account is not named.
        let named = connection["account"].as_str().unwrap_or_default();
        assert_eq!(named, account, "{user}: {connection}");
    }
    let nkey = "UBAAQWTW6CG2G6ANGNKB5U2B7HRWHSGMZEZX3AQSAJOQDAUGJD46LD2F";
    for stranger in ["notthere", nkey] {
        let exit = cx.launch().config(config).env("NO_AUTH_USER", stranger).run().await;
        assert_eq!(exit.code, Some(1), "{stranger}: {}", exit.stderr);
        assert!(exit.stderr.starts_with("nats-server: no_auth_user"), "{}", exit.stderr);
    }
}

async fn a_server_from_a_file(cx: Cx) {
    for (config, part) in [
        ("max_payload: 3000000000", "max_payload value is too big"),
        ("max_payload: 100000\nmax_pending: 50000", "cannot be higher"),
    ] {
        let exit = cx.launch().config(config).run().await;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        assert!(exit.stderr.contains(part), "{}", exit.stderr);
    }
    let text = "max_payload: 4194304, max_connections: 200, ping_interval: \"30s\"
        write_deadline: \"3s\"";
    let varz = cx.server(text).await.varz().await;
    assert_eq!((&varz["max_payload"], &varz["max_connections"]), (&json!(4194304), &json!(200)));
    assert_eq!(varz["ping_interval"], 30_000_000_000_i64);
    assert_eq!(varz["write_deadline"], 3_000_000_000_i64);
    assert_eq!((&varz["ping_max"], &varz["max_control_line"]), (&json!(2), &json!(4096)));
}

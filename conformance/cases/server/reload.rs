//! A configuration that changes while clients are connected.

use serde_json::{Value, json};

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "server/reload_test.go",
    wire without_a_file_there_is_no_reload => ["TestConfigReloadNoConfigFile"],
    wire what_needs_a_restart_is_named => ["TestConfigReloadUnsupportedHotSwapping", "TestConfigReloadMaxSubsUnsupported"],
    wire a_broken_file_changes_nothing => ["TestConfigReloadInvalidConfig", "TestConfigReloadValidate"],
    wire fewer_connections => ["TestConfigReloadMaxConnections"],
    wire no_connections => ["TestConfigReloadMaxConnectionsPreventAll"],
    wire a_smaller_payload => ["TestConfigReloadMaxPayload"],
    wire shorter_lines => ["TestConfigReloadMaxControlLineWithClients"],
    wire another_advertised_address => ["TestConfigReloadClientAdvertise"],
    wire another_single_user => ["TestConfigReloadRotateUserAuthentication"],
    wire a_single_user_from_now_on => ["TestConfigReloadEnableUserAuthentication"],
    wire no_single_user_any_more => ["TestConfigReloadDisableUserAuthentication"],
    wire another_token => ["TestConfigReloadRotateTokenAuthentication"],
    wire a_token_from_now_on_and_then_none => ["TestConfigReloadEnableTokenAuthentication", "TestConfigReloadDisableTokenAuthentication"],
    wire other_users => ["TestConfigReloadRotateUsersAuthentication"],
    wire users_from_now_on_and_then_none => ["TestConfigReloadEnableUsersAuthentication", "TestConfigReloadDisableUsersAuthentication"],
    wire other_permissions => ["TestConfigReloadChangePermissions"],
    wire a_queue_group_that_is_denied_now => ["TestConfigReloadRevokesQueueSubscriptionWithQueueScopedDeny"],
    wire users_in_other_accounts => ["TestConfigReloadAccountUsers"],
    wire other_mappings => ["TestConfigReloadAccountMappings"],
    wire another_certificate => ["TestConfigReloadRotateTLS"],
    wire tls_from_now_on => ["TestConfigReloadEnableTLS"],
    wire no_tls_any_more => ["TestConfigReloadDisableTLS"],
    wire other_files => ["TestConfigReloadRotateFiles"],
    wire more_in_the_log_and_less_again => ["TestConfigReloadLogging"],
}

/// Connects with these fields in CONNECT beside the usual ones.
async fn connect(server: &Server, fields: Value) -> Raw {
    let mut c = server.raw().await;
    let mut options = json!({"verbose": false});
    options.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    c.connect(options).await;
    c
}

async fn connected(server: &Server, fields: Value) -> Raw {
    let mut c = connect(server, fields).await;
    c.flush().await;
    c
}

async fn is_refused(server: &Server, fields: Value) {
    let mut c = connect(server, fields).await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
}

async fn without_a_file_there_is_no_reload(cx: Cx) {
    let server = cx.server_args(&["-a", "127.0.0.1", "-p", "-1"]).await;
    server.allow_errors("Failed to reload");
    server.signal(rustix::process::Signal::HUP);
    let line = server.log_line("[ERR] Failed to reload server configuration: ").await;
    assert!(line.ends_with("can only reload config when a file is provided using -c or --config"));
    server.raw_connected().await.flush().await;
}

async fn what_needs_a_restart_is_named(cx: Cx) {
    crate::exercises!("gap_areas", "14.1");
    let server = cx.server("server_name: one, max_subscriptions: 1").await;
    server.allow_errors("maximum subscriptions exceeded");
    for (config, said) in [
        ("server_name: two, max_subscriptions: 1", "ServerName: old=one, new=two"),
        ("server_name: one, max_subscriptions: 2", "MaxSubs: old=1, new=2"),
        ("server_name: one, max_subscriptions: 1, max_sub_tokens: 3", "MaxSubTokens: old=0, new=3"),
        (
            "server_name: one, max_subscriptions: 1, lame_duck_duration: '1m'",
            "LameDuckDuration: old=2m0s, new=1m0s",
        ),
        ("server_name: one, max_subscriptions: 1, listen: '127.0.0.1:1'", "Port: old="),
    ] {
        let line = server.reload_refused(config).await;
        assert!(line.contains(&format!("config reload not supported for {said}")), "{line}");
    }
    // It is as it was.
    let mut c = server.raw().await;
    assert_eq!(c.info().await["server_name"], "one");
    c.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nSUB b 2\r\n").await;
    c.expect_err("maximum subscriptions exceeded").await;
    server.reload("server_name: one, max_subscriptions: 1").await;
}

async fn a_broken_file_changes_nothing(cx: Cx) {
    crate::exercises!("gap_areas", "14.1");
    let good = "authorization { users [ { user: a, password: a } ] }, no_auth_user: a";
    let server = cx.server(good).await;
    let mut c = connected(&server, json!({})).await;
    for (config, said) in [
        ("max_payload: 3x", "server.conf:1:"),
        ("authorization { users [ { user: b, password: b } ]", "Parse error"),
        ("no_such_key: 1", "unknown field \"no_such_key\""),
        (
            "authorization { users [ { user: b, password: b } ] }, no_auth_user: a",
            "no_auth_user: \"a\" not present as user",
        ),
        ("max_payload: 2MB, max_pending: 1MB", "cannot be higher than max_pending"),
    ] {
        let line = server.reload_refused(config).await;
        assert!(line.contains(said), "{config}: {line}");
        c.flush().await;
        connected(&server, json!({})).await;
        connected(&server, json!({"user": "a", "pass": "a"})).await;
    }
    server.reload(good).await;
    c.flush().await;
}

async fn fewer_connections(cx: Cx) {
    crate::exercises!("gap_areas", "14.1");
    let server = cx.server("").await;
    server.allow_errors("maximum connections exceeded");
    let mut first = server.raw_connected().await;
    first.flush().await;
    let mut second = server.raw_connected().await;
    second.flush().await;
    server.reload("max_connections: 1").await;
    let log = server.log();
    assert!(log.contains("[INF] Reloaded: max_connections = 1\n"), "{log}");
    assert!(log.contains("[INF] Closed 1 connections to fall within max_connections\n"), "{log}");
    // Which of them goes is the server's choice.
    let mut ended = 0;
    for c in [&mut first, &mut second] {
        c.try_send("PING\r\n").await.ok();
        let line = c.read_line().await;
        if line == "-ERR 'maximum connections exceeded'" {
            c.read_to_close().await;
            ended += 1;
        } else {
            assert_eq!(line, "PONG");
        }
    }
    assert_eq!(ended, 1);
    let mut third = server.raw().await;
    third.info().await;
    third.expect_err("maximum connections exceeded").await;
}

async fn no_connections(cx: Cx) {
    let server = cx.server("").await;
    server.allow_errors("maximum connections exceeded");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut c = server.raw_connected().await;
        c.flush().await;
        clients.push(c);
    }
    server.reload("max_connections: -1").await;
    clients.push(server.raw().await);
    clients[3].info().await;
    for c in &mut clients {
        c.expect_err("maximum connections exceeded").await;
        c.expect_closed().await;
    }
}

async fn a_smaller_payload(cx: Cx) {
    crate::exercises!("gap_areas", "14.1");
    let server = cx.server("").await;
    server.allow_errors("maximum payload exceeded");
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\nPUB foo 5\r\nhello\r\n").await;
    c.expect("MSG foo 1 5\r\nhello\r\n").await;
    server.reload("max_payload: 1").await;
    assert!(server.log().contains("[INF] Reloaded: max_payload = 1\n"));
    c.send("PUB foo 1\r\nh\r\n").await;
    c.expect("MSG foo 1 1\r\nh\r\n").await;
    c.send("PUB foo 5\r\nhello\r\n").await;
    c.expect_err("Maximum Payload Violation").await;
    c.expect_closed().await;
    assert_eq!(server.raw().await.info().await["max_payload"], 1);
}

async fn shorter_lines(cx: Cx) {
    let server = cx.server("").await;
    server.allow_errors("maximum control line");
    let mut c = server.raw_connected().await;
    let publish = format!("PUB {} 0\r\n\r\n", "s".repeat(300));
    c.send(&publish).await;
    c.flush().await;
    server.reload("max_control_line: 222").await;
    assert!(server.log().contains("[INF] Reloaded: max_control_line = 222\n"));
    c.send(&publish).await;
    c.expect_err("maximum control line exceeded").await;
    c.expect_closed().await;
}

async fn another_advertised_address(cx: Cx) {
    let server = cx.server("listen: '0.0.0.0:-1'").await;
    let port = i64::from(server.port());
    for (config, host, expected) in [
        ("client_advertise: 'me:1'", "me", 1),
        ("client_advertise: me", "me", port),
        ("client_advertise: 'me:-1'", "me", port),
        ("", "0.0.0.0", port),
    ] {
        server.reload(&format!("listen: '0.0.0.0:-1'\n{config}")).await;
        let info = server.raw().await.info().await;
        assert_eq!((info["host"].as_str(), info["port"].as_i64()), (Some(host), Some(expected)));
    }
    let line = server.reload_refused("listen: '0.0.0.0:-1'\nclient_advertise: 'a:::1'").await;
    assert!(line.contains("invalid ClientAdvertise value of a:::1, err="), "{line}");
}

fn single(user: &str, pass: &str) -> String {
    format!("authorization {{ user: {user}, password: {pass} }}")
}

async fn another_single_user(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let server = cx.server(&single("tyler", "old")).await;
    server.allow_errors("authentication error");
    let mut c = connected(&server, json!({"user": "tyler", "pass": "old"})).await;
    server.reload(&single("derek", "new")).await;
    is_refused(&server, json!({"user": "tyler", "pass": "old"})).await;
    connected(&server, json!({"user": "derek", "pass": "new"})).await;
    c.read_to_close().await;
    let log = server.log();
    assert!(log.contains("[INF] Reloaded: authorization username\n"), "{log}");
    assert!(log.contains("[INF] Reloaded: authorization password\n"), "{log}");
}

async fn a_single_user_from_now_on(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let server = cx.server("").await;
    server.allow_errors("authentication error");
    let mut c = connected(&server, json!({})).await;
    server.reload(&single("tyler", "new")).await;
    is_refused(&server, json!({})).await;
    connected(&server, json!({"user": "tyler", "pass": "new"})).await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
}

async fn no_single_user_any_more(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let server = cx.server(&single("tyler", "old")).await;
    assert_eq!(server.raw().await.info().await["auth_required"], true);
    connected(&server, json!({"user": "tyler", "pass": "old"})).await;
    server.reload("").await;
    assert_eq!(server.raw().await.info().await["auth_required"], Value::Null);
    connected(&server, json!({})).await;
}

async fn another_token(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let server = cx.server("authorization { token: old }").await;
    server.allow_errors("authentication error");
    let mut c = connected(&server, json!({"auth_token": "old"})).await;
    server.reload("authorization { token: new }").await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
    is_refused(&server, json!({"auth_token": "old"})).await;
    connected(&server, json!({"auth_token": "new"})).await;
    assert!(server.log().contains("[INF] Reloaded: authorization token\n"));
}

async fn a_token_from_now_on_and_then_none(cx: Cx) {
    let server = cx.server("").await;
    server.allow_errors("authentication error");
    let mut c = connected(&server, json!({})).await;
    server.reload("authorization { token: new }").await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
    is_refused(&server, json!({})).await;
    let mut c = connected(&server, json!({"auth_token": "new"})).await;
    server.reload("").await;
    connected(&server, json!({})).await;
    c.flush().await;
}

fn users(users: &[(&str, &str)]) -> String {
    let user = |(user, pass)| format!("{{ user: {user}, password: {pass} }}\n");
    let users: String = users.iter().copied().map(user).collect();
    format!("authorization {{ users: [ {users} ] }}")
}

async fn other_users(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let server = cx.server(&users(&[("alice", "foo"), ("bob", "bar")])).await;
    server.allow_errors("authentication error");
    let alice = json!({"user": "alice", "pass": "foo"});
    let bob = json!({"user": "bob", "pass": "bar"});
    let mut a = connected(&server, alice.clone()).await;
    let mut b = connected(&server, bob.clone()).await;
    // One has another password, the other stays as he is.
    server.reload(&users(&[("alice", "baz"), ("bob", "bar")])).await;
    a.expect_err("Authorization Violation").await;
    a.expect_closed().await;
    is_refused(&server, alice).await;
    connected(&server, json!({"user": "alice", "pass": "baz"})).await;
    b.flush().await;
    // Who is gone altogether is closed without a word.
    server.reload(&users(&[("alice", "baz")])).await;
    b.expect_closed().await;
    is_refused(&server, bob).await;
}

async fn users_from_now_on_and_then_none(cx: Cx) {
    let server = cx.server("").await;
    server.allow_errors("authentication error");
    let mut c = connected(&server, json!({})).await;
    server.reload(&users(&[("alice", "foo")])).await;
    c.expect_err("Authorization Violation").await;
    c.expect_closed().await;
    is_refused(&server, json!({})).await;
    let mut alice = connected(&server, json!({"user": "alice", "pass": "foo"})).await;
    server.reload("").await;
    // There is no such user any more; whoever comes now is welcome.
    alice.expect_closed().await;
    connected(&server, json!({})).await;
    connected(&server, json!({"user": "alice", "pass": "foo"})).await;
}

async fn other_permissions(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let config = |bob: &str, susan: &str| {
        format!(
            "authorization {{ users: [
                {{ user: alice, password: foo }}
                {{ user: bob, password: bar, permissions: {{ {bob} }} }}
                {{ user: susan, password: baz, permissions: {{ {susan} }} }}
            ] }}"
        )
    };
    let before = config(
        "publish: [ 'req.foo', 'req.bar' ], subscribe: '_INBOX.>'",
        "subscribe: { deny: [ 'foo.bar' ] }",
    );
    let server = cx.server(&before).await;
    server.allow_errors("Violation");
    let mut alice = connected(&server, json!({"user": "alice", "pass": "foo"})).await;
    let mut bob = connected(&server, json!({"user": "bob", "pass": "bar"})).await;
    let mut susan = connected(&server, json!({"user": "susan", "pass": "baz"})).await;
    bob.send("SUB _INBOX.> 1\r\n").await;
    bob.flush().await;
    susan.send("SUB foo.* 1\r\nSUB PUBLIC.* 2\r\n").await;
    susan.flush().await;
    alice.send("SUB req.foo 1\r\nPUB _INBOX.foo 5\r\nhello\r\n").await;
    alice.send("PUB foo.bar 2\r\nno\r\nPUB PUBLIC.foo 3\r\nyes\r\n").await;
    alice.flush().await;
    bob.expect("MSG _INBOX.foo 1 5\r\nhello\r\n").await;
    bob.send("PUB req.foo 5\r\nworld\r\n").await;
    alice.expect("MSG req.foo 1 5\r\nworld\r\n").await;
    susan.expect("MSG PUBLIC.foo 2 3\r\nyes\r\n").await;

    let after = config(
        "publish: [ 'req.bar', '_INBOX.foo.bar' ], subscribe: '_INBOX.foo.>'",
        "subscribe: { deny: [ 'PUBLIC.foo' ] }",
    );
    server.reload(&after).await;
    // What he may not have any more is taken from him, and he is told.
    bob.expect_err("Permissions Violation for Subscription to \"_INBOX.>\" (sid \"1\")").await;
    bob.send("PUB req.foo 4\r\nhola\r\n").await;
    bob.expect_err("Permissions Violation for Publish to \"req.foo\"").await;
    alice.send("PUB _INBOX.foo 5\r\nmundo\r\nPUB PUBLIC.foo 2\r\nno\r\n").await;
    alice.send("PUB foo.bar 3\r\nyes\r\n").await;
    alice.flush().await;
    susan.expect("MSG foo.bar 1 3\r\nyes\r\n").await;
    susan.flush().await;
    bob.send("SUB _INBOX.foo.> 2\r\nPUB _INBOX.foo.bar 7\r\ntesting\r\n").await;
    bob.expect("MSG _INBOX.foo.bar 2 7\r\ntesting\r\n").await;
    bob.flush().await;
    server.log_line("Removed sub \"_INBOX.>\" (sid \"1\") for User \"bob\" - not authorized").await;
}

async fn a_queue_group_that_is_denied_now(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let config = |deny: &str| {
        format!(
            "authorization {{ users: [ {{ user: u, password: p,
                permissions: {{ subscribe: {{ allow: ['>'], {deny} }} }} }} ] }}"
        )
    };
    let server = cx.server(&config("")).await;
    server.allow_errors("Violation");
    let mut c = connected(&server, json!({"user": "u", "pass": "p"})).await;
    c.send("SUB admin.secret workers 1\r\nSUB admin.secret others 2\r\n").await;
    c.flush().await;
    server.reload(&config("deny: [ 'admin.secret workers' ]")).await;
    let queue = "using queue \"workers\" (sid \"1\")";
    c.expect_err(&format!("Permissions Violation for Subscription to \"admin.secret\" {queue}"))
        .await;
    c.send("PUB admin.secret 2\r\nhi\r\n").await;
    c.expect("MSG admin.secret 2 2\r\nhi\r\n").await;
    c.flush().await;
}

async fn users_in_other_accounts(cx: Cx) {
    crate::exercises!("gap_areas", "14.2");
    let config = |ivan: &str, jwt: &str| {
        format!(
            "accounts {{
                one: {{ users: [ {{ user: derek, password: p }}, {ivan} ] }}
                two: {{ users: [ {{ user: petr, password: p }}, {jwt} ] }}
            }}"
        )
    };
    let ivan = "{ user: ivan, password: p }";
    let server = cx.server(&config(ivan, "")).await;
    let mut stays = connected(&server, json!({"user": "derek", "pass": "p"})).await;
    let mut moves = connected(&server, json!({"user": "ivan", "pass": "p"})).await;
    stays.send("SUB foo 1\r\n").await;
    stays.flush().await;
    moves.send("PUB foo 1\r\na\r\n").await;
    stays.expect("MSG foo 1 1\r\na\r\n").await;
    server.reload(&config("", ivan)).await;
    // Who is in another account now is to connect again.
    moves.expect_closed().await;
    let mut moved = connected(&server, json!({"user": "ivan", "pass": "p"})).await;
    moved.send("PUB foo 1\r\nb\r\n").await;
    moved.flush().await;
    stays.send("PUB foo 1\r\nc\r\n").await;
    stays.expect("MSG foo 1 1\r\nc\r\n").await;
    let log = server.log();
    assert!(log.contains("[INF] Reloaded: accounts\n"), "{log}");
}

async fn other_mappings(cx: Cx) {
    let config = |mappings: &str| {
        format!("accounts {{ A {{ users = [ {{ user: u, password: p }} ], {mappings} }} }}")
    };
    let server = cx.server(&config("mappings = { foo: bar }")).await;
    let mut c = connected(&server, json!({"user": "u", "pass": "p"})).await;
    c.send("SUB foo 1\r\nSUB bar 2\r\nSUB baz 3\r\nPUB foo 1\r\na\r\n").await;
    c.expect("MSG bar 2 1\r\na\r\n").await;
    server.reload(&config("mappings = { foo: baz }")).await;
    c.send("PUB foo 1\r\nb\r\n").await;
    c.expect("MSG baz 3 1\r\nb\r\n").await;
    server.reload(&config("")).await;
    c.send("PUB foo 1\r\nc\r\n").await;
    c.expect("MSG foo 1 1\r\nc\r\n").await;
    c.flush().await;
}

/// A `tls` block, and the authority behind its certificate.
fn tls(cx: &Cx, name: &str, more: &str) -> (String, Authority) {
    let authority = Authority::new(cx.dir(), name);
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    let (cert, key) = (identity.cert, identity.key);
    let more = more.replace("{ca}", &authority.ca().to_string_lossy());
    let block = format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, timeout: 5, {more} }}");
    (block, authority)
}

async fn connected_by_tls(server: &Server, client: &TlsClient) -> Raw {
    let mut c = server.raw_tls(client).await;
    c.send("CONNECT {\"verbose\":false}\r\n").await;
    c.flush().await;
    c
}

async fn another_certificate(cx: Cx) {
    crate::exercises!("gap_areas", "14.3");
    let (old, _) = tls(&cx, "old", "");
    let (new, authority) = tls(&cx, "new", "ca_file: '{ca}', verify: true");
    let server = cx.server(&old).await;
    server.allow_errors("TLS handshake error");
    let mut before = connected_by_tls(&server, &TlsClient::new()).await;
    before.send("SUB foo 1\r\n").await;
    before.flush().await;
    server.reload(&new).await;
    let mut c = server.raw().await;
    assert_eq!(c.info().await["tls_verify"], true);
    c.start_tls_refused(&TlsClient::new()).await;
    let client = TlsClient::new().identity(&authority.issue(&["client"]));
    connected_by_tls(&server, &client).await;
    // Who is connected stays, as it is.
    before.send("PUB foo 5\r\nhello\r\n").await;
    before.expect("MSG foo 1 5\r\nhello\r\n").await;
    assert!(server.log().contains("[INF] Reloaded: tls = enabled\n"));
}

async fn tls_from_now_on(cx: Cx) {
    crate::exercises!("gap_areas", "14.3");
    let server = cx.server("").await;
    server.allow_errors("TLS handshake error");
    let mut before = connected(&server, json!({})).await;
    server.reload(&tls(&cx, "ca", "").0).await;
    assert_eq!(server.raw().await.info().await["tls_required"], true);
    connected_by_tls(&server, &TlsClient::new()).await;
    before.flush().await;
    let mut plain = server.raw().await;
    plain.info().await;
    plain.send("CONNECT {}\r\nPING\r\n").await;
    plain.read_to_close().await;
}

async fn no_tls_any_more(cx: Cx) {
    crate::exercises!("gap_areas", "14.3");
    let server = cx.server(&tls(&cx, "ca", "").0).await;
    let mut before = connected_by_tls(&server, &TlsClient::new()).await;
    server.reload("").await;
    assert_eq!(server.raw().await.info().await["tls_required"], Value::Null);
    connected(&server, json!({})).await;
    before.flush().await;
    assert!(server.log().contains("[INF] Reloaded: tls = disabled\n"));
}

async fn other_files(cx: Cx) {
    crate::exercises!("gap_areas", "14.1");
    let config = |n: u8| format!("log_file: '{{dir}}/log{n}', pid_file: '{{dir}}/pid{n}'");
    let server = cx.server(&config(1)).await;
    let read = |name: &str| std::fs::read_to_string(cx.dir().join(name)).unwrap_or_default();
    let path = server.config_path();
    std::fs::write(
        path,
        format!(
            "{}\nlisten: '127.0.0.1:-1'\nhttp: '127.0.0.1:-1'",
            config(2).replace("{dir}", &cx.dir().to_string_lossy())
        ),
    )
    .unwrap();
    server.signal(rustix::process::Signal::HUP);
    eventually(PATIENCE, async || read("log2").contains("Reloaded server configuration")).await;
    assert_eq!(read("pid2"), server.pid().to_string());
    assert_eq!(read("pid1"), read("pid2"));
    let old = read("log1");
    assert!(
        old.contains("Reloaded: log_file = ") && old.contains("Reloaded: pid_file = "),
        "{old}"
    );
    assert!(!old.contains("Reloaded server configuration"), "{old}");
    // Nobody holds the old one.
    std::fs::remove_file(cx.dir().join("log1")).unwrap();
    server.signal(rustix::process::Signal::USR1);
    eventually(PATIENCE, async || read("log2").contains("File log re-opened")).await;
    assert!(!cx.dir().join("log1").exists());
}

async fn more_in_the_log_and_less_again(cx: Cx) {
    crate::exercises!("gap_areas", "14.5");
    let server = cx.server("").await;
    let mut before = server.raw_connected().await;
    before.flush().await;
    for (config, on) in [("debug: true, trace: true", true), ("", false)] {
        server.reload(config).await;
        let from = server.log().len();
        // Those who are connected are traced as well.
        before.flush().await;
        let mut c = server.raw_connected().await;
        c.send("SUB foo 1\r\nPUB foo 3\r\nbar\r\n").await;
        c.expect("MSG foo 1 3\r\nbar\r\n").await;
        c.flush().await;
        let log = server.log()[from..].to_owned();
        for part in ["[DBG]", "<<- [PING]", "<<- [PUB foo 3]", "MSG_PAYLOAD: [\"bar\"]"] {
            assert_eq!(log.contains(part), on, "{part} in {log}");
        }
    }
}

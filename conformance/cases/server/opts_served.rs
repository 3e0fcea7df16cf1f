//! Options as a server in service shows them, and files that it refuses.

use std::time::Duration;

use serde_json::json;

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};

crate::cases! {
    "server/opts_test.go",
    wire queue_groups_of_subscriptions => ["TestQueuePermissions"],
    wire too_many_tokens => ["TestMaxSubTokens"],
    wire time_to_authenticate => ["TestDefaultAuthTimeout"],
    wire connections_without_credentials => ["TestNoAuthUserCode"],
    wire users_of_both_blocks => ["TestAccountUsersLoadedProperly"],
    wire contradictions => ["TestAuthorizationAndAccountsMisconfigurations"],
    wire wrong_gateways => ["TestParsingGatewaysErrors"],
    wire payloads_beyond_the_buffer => ["TestNewServerFromConfigFunctionality"],
    wire the_file_as_it_is_served => ["TestNewServerFromConfigVsLoadConfig"],
    wire suites_and_curves => ["TestTLSConfigFile"],
    wire flags => ["TestConfigureOptions"],
    wire a_file_without_a_name_is_none => ["TestEmptyConfig"],
    wire described_by_its_options => [],
    not_applicable "TestRedactArgs" => "redacts what Go's expvar shows of the command line at /debug/vars, which this server does not have (docs/deviations.md, expvar)",
}

async fn queue_groups_of_subscriptions(cx: Cx) {
    for (side, queue, refused) in [
        ("allow", "queue.dev", false),
        ("allow", "", true),
        ("allow", "bad", true),
        ("deny", "", false),
        ("deny", "queue.dev", true),
    ] {
        let server = cx
            .server(&format!(
                "no_auth_user: u
                authorization {{ users [{{
                    user: u, password: pwd, permissions: {{ sub: {{ {side}: [\"foo.> *.dev\"] }} }}
                }}] }}"
            ))
            .await;
        server.allow_errors("Subscription Violation");
        let mut c = server.raw_connected().await;
        c.send(format!("SUB foo.bar {queue} 1\r\n")).await;
        if refused {
            let violation = "Permissions Violation for Subscription to \"foo.bar\"";
            let group = match queue {
                "" => String::new(),
                queue => format!(" using queue \"{queue}\""),
            };
            c.expect_err(&format!("{violation}{group}")).await;
        }
        // Nothing but a PONG follows.
        c.flush().await;
        let subscribed = server.connz("subs=1").await["connections"][0]["subscriptions"].clone();
        assert_eq!(subscribed, i32::from(!refused), "{side} {queue:?}");
    }
}

async fn too_many_tokens(cx: Cx) {
    crate::exercises!("config_keys", "top|max_sub_tokens");
    let server = cx.server("max_sub_tokens: 4").await;
    server.allow_errors("Too Many Tokens");
    let mut c = server.raw_connected().await;
    c.send("SUB a.b.c.d 1\r\n").await;
    c.flush().await;
    c.send("SUB a.b.c.d.e 2\r\n").await;
    c.expect_err("Permissions Violation for Subscription to \"a.b.c.d.e\", too many tokens").await;
    c.flush().await;
}

async fn time_to_authenticate(cx: Cx) {
    let server = cx.server("").await;
    assert_eq!(server.varz().await["auth_timeout"], 2);
    let server = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let (cert, key) = (server.cert.display(), server.key.display());
    // The handshake is part of it.
    let tls = format!("tls {{ cert_file: '{cert}', key_file: '{key}', timeout: 4 }}");
    let varz = cx.server(&tls).await.varz().await;
    assert_eq!((&varz["auth_timeout"], &varz["tls_timeout"]), (&json!(5), &json!(4)));
}

async fn connections_without_credentials(cx: Cx) {
    let config = "no_auth_user: $NO_AUTH_USER
        accounts {
            synadia { users [
                {user: a, password: a},
                {nkey: UBAAQWTW6CG2G6ANGNKB5U2B7HRWHSGMZEZX3AQSAJOQDAUGJD46LD2E}
            ] }
            acc { users [ {user: c, password: c} ] }
        }
        authorization { users [ {user: b, password: b} ] }";
    let launch = |user: &str| cx.launch().config(config).env("NO_AUTH_USER", user);
    // The global account is not named.
    for (user, account) in [("a", json!("synadia")), ("b", json!(null)), ("c", json!("acc"))] {
        let server = launch(user).start().await;
        let mut c = server.raw_connected().await;
        c.flush().await;
        let connections = server.connz("auth=1").await["connections"].clone();
        assert_eq!(connections[0]["authorized_user"], user);
        assert_eq!(connections[0]["account"], account, "{user}");
    }
    for user in ["notthere", "UBAAQWTW6CG2G6ANGNKB5U2B7HRWHSGMZEZX3AQSAJOQDAUGJD46LD2F"] {
        let exit = launch(user).run().await;
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(exit.stderr.contains("no_auth_user"), "{exit:?}");
    }
}

async fn users_of_both_blocks(cx: Cx) {
    let server = cx
        .server(
            "authorization { users [
                {user: ivan, password: bar}
                {nkey: UC6NLCN7AS34YOJVCYD4PJ3QB7QGLYG5B5IMBT25VW5K4TNUJODM7BOX}
            ] }
            accounts { synadia { users [
                {user: derek, password: foo}
                {nkey: UBAAQWTW6CG2G6ANGNKB5U2B7HRWHSGMZEZX3AQSAJOQDAUGJD46LD2E}
            ] } }",
        )
        .await;
    for (user, pass, account) in [("ivan", "bar", json!(null)), ("derek", "foo", json!("synadia"))]
    {
        let mut c = server.raw().await;
        // There are nkeys to sign with.
        assert!(c.info().await["nonce"].is_string());
        c.connect(json!({"verbose": false, "user": user, "pass": pass})).await;
        c.flush().await;
        let connections = server.connz(&format!("auth=1&user={user}")).await["connections"].clone();
        assert_eq!(connections[0]["account"], account);
    }
}

/// The file is refused by `-t`, with this in the error.
async fn refused(cx: &Cx, config: &str, error: &str) {
    let exit = cx.check_config(config).await;
    assert_eq!(exit.code, Some(1), "{config}: {exit:?}");
    assert!(exit.stderr.contains(error), "{config}: {}", exit.stderr);
}

async fn contradictions(cx: Cx) {
    let nkey = "{nkey: UC6NLCN7AS34YOJVCYD4PJ3QB7QGLYG5B5IMBT25VW5K4TNUJODM7BOX}";
    let nkeys = format!("users = [ {nkey} ]");
    let named = "{user: user2, pass: pwd}";
    for (authorization, user, error) in [
        ("users = [ {user: user2, pass: pwd} ]", named, "Duplicate user \"user2\" detected"),
        (
            nkeys.as_str(),
            nkey,
            "Duplicate nkey \"UC6NLCN7AS34YOJVCYD4PJ3QB7QGLYG5B5IMBT25VW5K4TNUJODM7BOX\" detected",
        ),
        ("user: user1, password: pwd", named, "Can not have a single user/pass"),
        ("user: user1, password: pwd", nkey, "Can not have a single user/pass"),
        ("token: my_token", named, "Can not have a token"),
        ("token: my_token", nkey, "Can not have a token"),
    ] {
        let config = format!(
            "authorization = {{ {authorization} }}
            accounts = {{ ACC {{ users = [ {user} ] }} }}"
        );
        refused(&cx, &config, error).await;
    }
    refused(
        &cx,
        "accounts { AUTH { users = [ {user: auth, password: auth} ] }, FOO {} }
        authorization { auth_callout {
            issuer: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA
            account: AUTH, auth_users: [ auth ], allowed_accounts: [ BAR ]
        } }",
        "auth_callout allowed account \"BAR\" not found in configured accounts",
    )
    .await;
}

async fn wrong_gateways(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let (cert, key) = (identity.cert.display(), identity.key.display());
    let no_cert = format!("tls {{ cert_file: './missing.pem', key_file: '{key}' }}");
    let no_key = format!("tls {{ cert_file: '{cert}', key_file: './missing.pem' }}");
    let only_cert = format!("tls {{ cert_file: '{cert}' }}");
    let only_key = format!("tls {{ key_file: '{key}' }}");
    refused(&cx, "gateway: bad_type", "Expected gateway to be a map").await;
    for (content, error) in [
        ("listen: 'bad::address'", "parse address"),
        ("authorization { users { } }", "be an array"),
        ("reject_unknown_cluster: true, unknown_field: 1", "unknown field"),
        (
            "authorization { users [
                {user: alice, password: foo}, {user: bob, password: bar}
            ] }",
            "does not allow multiple users",
        ),
        ("tls { cert_file: 123 }", "to be filename"),
        (&no_cert, "certificate/key pair"),
        (&no_key, "certificate/key pair"),
        (&only_cert, "missing 'key_file' in TLS configuration"),
        (&only_key, "missing 'cert_file' in TLS configuration"),
        ("gateways { name: B }", "Expected gateways field to be an array"),
        ("gateways [ g1, g2 ]", "Expected gateway entry to be a map"),
        ("gateways [ {name: B, url: 'nats://wrong url'} ]", "error parsing gateway url"),
        (
            "gateways [ {name: B, urls: ['nats://wrong url', 'nats://host:5222']} ]",
            "error parsing gateway url",
        ),
        ("gateways [ {name: B, tls { cert_file: 123 }} ]", "to be filename"),
        ("gateways [ {name: B, unknown_field: 1} ]", "unknown field"),
    ] {
        refused(&cx, &format!("gateway {{ name: A, port: -1\n{content} }}"), error).await;
    }
}

async fn payloads_beyond_the_buffer(cx: Cx) {
    for (config, error) in [
        ("max_payload = 3000000000", "max_payload value is too big"),
        ("max_payload = 100000\nmax_pending = 50000", "cannot be higher"),
    ] {
        let exit = cx.launch().config(config).run().await;
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(exit.stderr.contains(error), "{exit:?}");
    }
}

async fn described_by_its_options(cx: Cx) {
    crate::exercises!("config_keys", "top|server_tags", "top|server_metadata", "top|write_timeout");
    let server = cx
        .server(
            "server_tags: ['Region:EU', 'ssd', 'region:eu']
            server_metadata { rack: r7, owner: ops }
            write_deadline: 3s
            write_timeout: retry",
        )
        .await;
    let varz = server.varz().await;
    assert_eq!(varz["tags"], json!(["region:eu", "ssd"]));
    assert_eq!(varz["metadata"], json!({"rack": "r7", "owner": "ops"}));
    assert_eq!(varz["write_deadline"], json!(Duration::from_secs(3).as_nanos() as u64));
    for (word, shown) in [("default", json!(null)), ("close", json!("close"))] {
        let varz = cx.server(&format!("write_timeout: {word}")).await.varz().await;
        assert_eq!(varz["write_timeout"], shown, "{word}");
        assert_eq!(varz["write_deadline"], 10_000_000_000_u64);
    }
}

async fn the_file_as_it_is_served(cx: Cx) {
    let server = cx
        .server(
            "max_payload = 4194304
            max_connections = 200
            ping_interval = \"30s\"",
        )
        .await;
    let varz = server.varz().await;
    assert_eq!((&varz["max_payload"], &varz["max_connections"]), (&json!(4_194_304), &json!(200)));
    assert_eq!(varz["ping_interval"], json!(Duration::from_secs(30).as_nanos() as u64));
    assert_eq!(server.raw().await.info().await["max_payload"], 4_194_304);
}

async fn suites_and_curves(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost", "127.0.0.1"]);
    let (cert, key) = (identity.cert.display(), identity.key.display());
    let block = |more: &str| format!("tls {{ cert_file: '{cert}', key_file: '{key}'\n{more} }}\n");
    let strong = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
        TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    let weak = "TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_3DES_EDE_CBC_SHA,
        TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_CBC_SHA,
        TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, TLS_ECDHE_RSA_WITH_RC4_128_SHA,
        TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA";
    for valid in [
        "timeout: 2s".to_owned(),
        format!("cipher_suites: [ {strong} ]"),
        format!("allow_insecure_cipher_suites: true, cipher_suites: [ {weak}, {strong} ]"),
        "curve_preferences: [ CurveP256 ]".to_owned(),
    ] {
        let exit = cx.check_config(&block(&valid)).await;
        assert_eq!(exit.code, Some(0), "{valid}: {exit:?}");
    }
    for (wrong, error) in [
        (format!("cipher_suites: [ {weak}, {strong} ]"), "insecure cipher suites configured"),
        (
            format!("cipher_suites: [ {strong}, BAD_CIPHER_SPEC ]"),
            "unrecognized cipher BAD_CIPHER_SPEC",
        ),
        ("cipher_suites: [ ]".to_owned(), "'cipher_suites' cannot be empty"),
        ("curve_preferences: [ GARBAGE ]".to_owned(), "unrecognized curve preference GARBAGE"),
        ("curve_preferences: [ ]".to_owned(), "'curve_preferences' cannot be empty"),
    ] {
        refused(&cx, &block(&wrong), error).await;
    }
    let server = cx.server(&block("timeout: 2s")).await;
    let mut c = server.raw_tls(&TlsClient::new()).await;
    let info = c.last_info();
    assert_eq!((&info["tls_required"], &info["tls_verify"]), (&json!(true), &json!(null)));
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
}

async fn a_file_without_a_name_is_none(cx: Cx) {
    let server = cx.server_args(&["-c", "", "-a", "127.0.0.1", "-p", "-1"]).await;
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\nPUB foo 2\r\nhi\r\n").await;
    c.expect("MSG foo 1 2\r\nhi\r\n").await;
    assert!(!server.log().contains("Using configuration file"));
}

async fn flags(cx: Cx) {
    for (args, output) in [
        (["-v"], "nats-server: v"),
        (["version"], "nats-server: v"),
        (["-h"], "Usage: nats-server"),
        (["help"], "Usage: nats-server"),
        (["-help_tls"], "cipher_suites"),
    ] {
        let exit = cx.run(&args).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert!(exit.stdout.contains(output), "{args:?}: {exit:?}");
    }
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let (cert, key) = (&identity.cert.display().to_string(), &identity.key.display().to_string());
    let tls = format!("tls {{ cert_file: '{cert}', key_file: '{key}' }}");
    let file = cx.file("tls.conf", &format!("listen: 127.0.0.1:-1\n{tls}"));
    let file = file.to_str().expect("a UTF-8 path");
    for (args, error) in [
        (&["foo"][..], "unrecognized command"),
        (&["-xxx", "foo"], "flag provided but not defined"),
        (&["-c", "xxx.cfg"], "no such file"),
        (&["-sl", "quit=pid=foo"], "signal"),
        (&["-sl", "quit=pid"], "pid"),
        (&["-routes", "nats://127.0.0.1:6223"], "solicited routes"),
        (&["-cluster", ":", "-routes", ""], "protocol"),
        (&["-cluster", "nats://127.0.0.1", "-routes", ""], "port"),
        (&["-cluster", "nats://127.0.0.1:xxx", "-routes", ""], "invalid port"),
        (&["-cluster", "nats://ivan:127.0.0.1:6222", "-routes", ""], "colons"),
        (&["-cluster", "nats://ivan@127.0.0.1:6222", "-routes", ""], "password"),
        // What the file says of TLS does not go together with a flag's.
        (&["-c", file, "-tlsverify"], "valid"),
        (&["-tls"], "valid"),
        (&["-tls", "-tlscert", cert], "valid"),
        (&["-tls", "-tlscert", cert, "-tlskey", "notfound.pem"], "file"),
    ] {
        let exit = cx.run(args).await;
        assert!(exit.stderr.contains(error), "{args:?}: {exit:?}");
    }

    let listen = ["-a", "127.0.0.1", "-p", "-1"];
    let mut server = cx.server_args(&["-c", file, "-tls=false"]).await;
    assert_eq!(server.raw().await.info().await["tls_required"], json!(null));
    assert_eq!(server.stop().await, Some(0));
    for (args, verify) in [
        (&["-c", file, "-tlsverify", "-tlscert", cert, "-tlskey", key][..], json!(true)),
        (&["-tls", "-tlscert", cert, "-tlskey", key], json!(null)),
    ] {
        let server = cx.server_args(&[&listen, args].concat()).await;
        // Only INFO is of interest: the handshake never comes.
        server.allow_errors("TLS handshake error");
        let info = server.raw().await.info().await;
        assert_eq!((&info["tls_required"], &info["tls_verify"]), (&json!(true), &verify));
    }
    let plain = cx.file("plain.conf", "listen: 127.0.0.1:-1\nhttp: 127.0.0.1:-1\ntrace: true");
    let plain = plain.to_str().expect("a UTF-8 path");
    for (args, traced) in [
        (&["-c", plain][..], true),
        (&["-c", plain, "-V=false"], false),
        (&["-c", plain, "-DV=false"], false),
        (&["-c", plain, "-DV"], true),
    ] {
        let server = cx.server_args(args).await;
        let mut c = server.raw_connected().await;
        c.flush().await;
        assert_eq!(server.log().contains("<<- [PING]"), traced, "{args:?}");
    }
}

//! Options from files and flags: what is read, what is refused and how.

use nats_server::auth::users::ResponsePermission;
use nats_server::base::Env;
use nats_server::config::{Command, Options, WriteTimeoutPolicy, load_str, parse_args};
use std::path::Path;
use std::time::Duration;

crate::cases! {
    "server/opts_test.go",
    library defaults => ["TestDefaultOptions", "TestOptions_RandomPort", "TestListenMonitoringDefault"],
    library a_whole_file => ["TestConfigFile"],
    library listen_directives => ["TestDynamicPortOnListen", "TestListenConfig"],
    library listen_with_a_port_only => ["TestListenPortOnlyConfig", "TestListenPortWithColonConfig"],
    library malformed_addresses => ["TestMalformedListenAddress", "TestMalformedClusterAddress"],
    library lists_of_users => ["TestMultipleUsersConfig", "TestNkeyUsersConfig"],
    library wrong_nkey_users => ["TestBadNkeyConfig", "TestNkeyWithPassConfig"],
    library tokens_stand_alone => ["TestTokenWithUserPass", "TestTokenWithUsers"],
    library write_deadline => ["TestParseWriteDeadline", "TestWriteDeadlineConfigParsing"],
    library write_timeout => ["TestWriteTimeoutConfigParsing"],
    library wrong_type => ["TestPanic"],
    library closed_clients_and_cache => ["TestMaxClosedClients", "TestSublistNoCacheConfig"],
    library ping_intervals => [
        "TestPingIntervalOld", "TestPingIntervalNew", "TestWebsocketPingIntervalConfig",
    ],
    library too_large => ["TestLargeMaxControlLine", "TestLargeMaxPayload"],
    library response_permissions => ["TestParsingResponsePermissions"],
    library queue_groups_in_permissions => ["TestQueueQualifierOnlyAllowedForSubscribePermissions"],
    library cluster_and_gateway_names => ["TestClusterNameAndGatewayNameConflict"],
    library authorization_timeouts => [
        "TestAuthorizationTimeoutConfigParsing", "TestLeafnodeAuthorizationTimeoutConfigParsing",
    ],
    library storage_sizes => ["TestGetStorageSize"],
    library flags_over_file => ["TestMergeOverrides", "TestOptionsProcessConfigFile"],
    library cluster_flags => [
        "TestRouteFlagOverride", "TestClusterFlagsOverride", "TestRouteFlagOverrideWithMultiple",
    ],
    not_applicable "TestOptionsClone" =>
        "asserts Go's deep copy of Options; here Options is a plain value that clones as a whole",
    not_applicable "TestOptionsCloneNilLists" =>
        "nil and empty lists are one thing here; there is nothing to tell apart after a clone",
    not_applicable "TestOptionsCloneNil" => "there is no nil Options value to clone",
}

fn read(text: &str) -> Result<Options, String> {
    load_str(&Env::simulated(1), text).map(|(options, _)| options).map_err(|e| e.to_string())
}

fn options(text: &str) -> Options {
    read(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The text is refused and the error mentions `part`.
fn refused(text: &str, part: &str) {
    let error = read(text).expect_err(text);
    assert!(error.contains(part), "{text}: {error}");
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn defaults() {
    let o = Options::default();
    assert_eq!((o.host.as_str(), o.port, o.http_host.as_str()), ("0.0.0.0", 4222, "0.0.0.0"));
    assert_eq!((o.max_conn, o.ping_interval, o.max_pings_out), (65536, secs(120), 2));
    assert_eq!((o.tls_timeout, o.auth_timeout), (secs(2), secs(2)));
    assert_eq!((o.max_control_line, o.max_payload, o.max_pending), (4096, 1 << 20, 64 << 20));
    assert_eq!((o.write_deadline, o.max_closed_clients), (secs(10), 10000));
    assert_eq!((o.lame_duck_duration, o.lame_duck_grace_period), (secs(120), secs(10)));
    assert_eq!((o.connect_error_reports, o.reconnect_error_reports), (3600, 1));
    assert_eq!(o.leafnode.reconnect_interval, secs(1));
    let js = &o.jetstream;
    assert_eq!((js.max_memory, js.max_store, js.sync_interval), (-1, -1, secs(120)));
    assert_eq!((js.request_queue_limit, js.info_queue_limit), (10_000, 10_000));
    assert_eq!((js.concurrent_ios, o.max_traced_msg_len), (4096, 0));
    assert_eq!(options("port: -1").port, -1);
    let o = options("host: '10.0.1.22'");
    assert_eq!((o.host.as_str(), o.http_host.as_str(), o.port), ("10.0.1.22", "10.0.1.22", 4222));
}

fn a_whole_file() {
    let o = options(
        "server_name: testing_server
        server_metadata { key1: value1, key2: value2 }
        feature_flags { feature: false, fix: true, revert_fix: true }
        listen: 127.0.0.1:4242
        http: 8222
        http_base_path: /nats
        authorization { user: derek, password: porkchop, timeout: 1 }
        debug: false
        trace: true
        logtime: false
        syslog: true
        remote_syslog: 'udp://foo.com:33'
        pid_file: '/tmp/nats-server/nats-server.pid'
        prof_port: 6543
        max_connections: 100
        max_subscriptions: 1000
        max_pending: 10000000
        max_control_line: 2048
        max_payload: 65536
        ping_interval: '60s'
        ping_max: 3
        write_deadline: '3s'
        lame_duck_duration: '4m'
        connect_error_reports: 86400
        reconnect_error_reports: 5",
    );
    assert_eq!(
        (o.server_name.as_str(), o.host.as_str(), o.port),
        ("testing_server", "127.0.0.1", 4242)
    );
    assert_eq!((o.username.as_str(), &*o.password, o.auth_timeout), ("derek", "porkchop", secs(1)));
    assert!(o.auth_block_defined && !o.debug && o.trace && !o.logtime && o.syslog);
    assert_eq!((o.http_port, o.http_base_path.as_str()), (8222, "/nats"));
    assert_eq!(o.pid_file, "/tmp/nats-server/nats-server.pid");
    assert_eq!((o.prof_port, o.remote_syslog.as_str()), (6543, "udp://foo.com:33"));
    assert_eq!((o.max_control_line, o.max_payload, o.max_pending), (2048, 65536, 10_000_000));
    assert_eq!((o.max_conn, o.max_subs, o.max_pings_out), (100, 1000, 3));
    assert_eq!((o.ping_interval, o.write_deadline), (secs(60), secs(3)));
    assert_eq!(o.lame_duck_duration, secs(240));
    assert_eq!((o.connect_error_reports, o.reconnect_error_reports), (86400, 5));
    assert_eq!(
        (o.server_metadata["key1"].as_str(), o.server_metadata["key2"].as_str()),
        ("value1", "value2")
    );
    assert!(!o.feature_flags["feature"] && o.feature_flags["fix"] && o.feature_flags["revert_fix"]);
}

fn listen_directives() {
    let o = options("listen: 10.0.1.22:-1\nhttp: -1\nhttps: ':-1'");
    assert_eq!((o.port, o.http_port, o.https_port), (-1, -1, -1));
    let o = options(
        "listen: 10.0.1.22:4422\nhttp: 127.0.0.1:8422\nhttps: 127.0.0.1:9443
        cluster { listen: 127.0.0.1:4244, name: abc }",
    );
    assert_eq!((o.host.as_str(), o.port), ("10.0.1.22", 4422));
    assert_eq!((o.http_host.as_str(), o.http_port, o.https_port), ("127.0.0.1", 8422, 9443));
    assert_eq!((o.cluster.host.as_str(), o.cluster.port), ("127.0.0.1", 4244));
}

fn listen_with_a_port_only() {
    for text in ["listen: 8922", "listen: ':8922'"] {
        let o = options(text);
        let got = (o.host.as_str(), o.http_host.as_str(), o.port);
        assert_eq!(got, ("0.0.0.0", "0.0.0.0", 8922), "{text}");
    }
}

fn malformed_addresses() {
    assert!(read("listen: 10.0.1.22:foo").is_err());
    refused("listen: '10.0.1.22:foo'", "could not parse port \"foo\"");
    refused("cluster { listen: '266.0.0.1:foo' }", "could not parse port \"foo\"");
}

fn lists_of_users() {
    let o = options(
        "authorization {
            users = [ {user: alice, password: foo}
            {user: bob, password: bar} ]
            timeout: 0.5
        }",
    );
    let names: Vec<&str> = o.users.iter().map(|user| user.username.as_str()).collect();
    assert_eq!((names, o.auth_timeout), (vec!["alice", "bob"], Duration::from_millis(500)));
    let o = options(
        "authorization { users = [
            {nkey: 'UDKTV7HZVYJFJN64LLMYQBUR6MTNNYCDC3LAZH4VHURW3GZLL3FULBXV'}
            {nkey: 'UA3C5TBZYK5GJQJRWPMU6NFY5JNAEVQB2V2TUZFZDHFJFUYVKTTUOFKZ'}
        ] }",
    );
    assert_eq!((o.nkeys.len(), o.users.len()), (2, 0));
}

fn wrong_nkey_users() {
    refused("authorization { users = [{nkey: 'Ufoo'}] }", "Not a valid public nkey for a user");
    let key = "UDKTV7HZVYJFJN64LLMYQBUR6MTNNYCDC3LAZH4VHURW3GZLL3FULBXV";
    refused(
        &format!("authorization {{ users = [{{nkey: '{key}', pass: foo}}] }}"),
        "Nkey users do not take usernames or passwords",
    );
}

fn tokens_stand_alone() {
    refused("authorization={ user: user, pass: password, token: $2a$11$whatever }", "token");
    refused(
        "authorization={ token: $2a$11$whatever, users: [{user: test, password: test}] }",
        "token",
    );
}

fn write_deadline() {
    refused("write_deadline: '1x'", "error parsing write_deadline");
    assert_eq!(options("write_deadline: '1s'").write_deadline, secs(1));
    let (o, warnings) = load_str(&Env::simulated(1), "write_deadline: 2").expect("only a warning");
    assert_eq!((o.write_deadline, warnings.len()), (secs(2), 1));
    assert_eq!(options("leafnodes { write_deadline: 5s }").leafnode.write_deadline, secs(5));
    assert_eq!(options("gateway { write_deadline: 6s }").gateway.write_deadline, secs(6));
    assert_eq!(options("cluster { write_deadline: 7s }").cluster.write_deadline, secs(7));
    assert_eq!(options("write_deadline: 8s").write_deadline, secs(8));
}

fn write_timeout() {
    for (word, policy) in [
        ("default", WriteTimeoutPolicy::Default),
        ("retry", WriteTimeoutPolicy::Retry),
        ("close", WriteTimeoutPolicy::Close),
    ] {
        let block = |name| options(&format!("{name} {{ write_timeout: {word} }}"));
        assert_eq!(block("leafnodes").leafnode.write_timeout, policy);
        assert_eq!(block("gateway").gateway.write_timeout, policy);
        assert_eq!(block("cluster").cluster.write_timeout, policy);
        assert_eq!(options(&format!("write_timeout: {word}")).write_timeout, policy);
    }
}

fn wrong_type() {
    refused("port: \"this_string_trips_a_panic\"", ":1:0: interface conversion:");
}

fn closed_clients_and_cache() {
    assert_eq!(options("max_closed_clients: 5").max_closed_clients, 5);
    assert!(options("disable_sublist_cache: true").no_sublist_cache);
}

fn ping_intervals() {
    let (o, warnings) = load_str(&Env::simulated(1), "ping_interval: 5").expect("only a warning");
    assert_eq!((o.ping_interval, warnings.len()), (secs(5), 1));
    let (o, warnings) = load_str(&Env::simulated(1), "ping_interval: '5m'").expect("valid");
    assert_eq!((o.ping_interval, warnings.len()), (secs(300), 0));
    for (value, want) in [("\"30s\"", 30), ("45", 45), ("\"2m\"", 120)] {
        let o = options(&format!("websocket {{ port: 8080, ping_interval: {value} }}"));
        assert_eq!(o.websocket.ping_interval, secs(want), "{value}");
    }
    assert_eq!(options("websocket { port: 8080 }").websocket.ping_interval, secs(0));
}

fn too_large() {
    refused("max_control_line = 3000000000", "max_control_line value is too big");
    refused("max_payload = 3000000000", "max_payload value is too big");
    let error = options("max_payload = 100000\nmax_pending = 50000").validate().unwrap_err();
    assert!(error.to_string().contains("cannot be higher"), "{error}");
}

fn response_permissions() {
    let text = |inner: &str| {
        format!(
            "authorization {{ users [ {{ user: ivan, password: pwd, permissions {{
                allow_responses {{ {inner} }} }} }} ] }}"
        )
    };
    let minutes = Some(secs(120));
    for (inner, max_msgs, expires) in [
        ("", 1, minutes),
        ("max: 10", 10, minutes),
        ("ttl: 5s", 1, Some(secs(5))),
        ("max: 0", 1, minutes),
        ("ttl: '0s'", 1, minutes),
        ("max: 10, ttl: '5s'", 10, Some(secs(5))),
        ("max: -1, ttl: '5s'", -1, Some(secs(5))),
        ("max: 10, ttl: '-1s'", 10, None),
        ("max: -1, ttl: '-1s'", -1, None),
    ] {
        let o = options(&text(inner));
        let permissions = o.users[0].permissions.as_ref().expect("permissions");
        let want = ResponsePermission { max_msgs, expires };
        assert_eq!(permissions.response, Some(want), "{inner}");
        let publish = permissions.publish.as_ref().expect("publishing is no longer free");
        assert_eq!(publish.allow.as_deref(), Some(&[][..]), "{inner}");
    }
    refused(&text("unknown_field: 123"), "Unknown field");
    refused(&text("max: 10, ttl: 123"), "not a duration string");
    refused(&text("max: 10, ttl: xyz"), "error parsing expires");
}

fn queue_groups_in_permissions() {
    let user = |side: &str| {
        format!(
            "authorization {{ users: [{{ user: u, password: p, permissions: {{ {side}: {{ deny: \
             [\"admin.secret workers\"] }} }} }}] }}"
        )
    };
    options(&user("subscribe"));
    let wrong = "subject \"admin.secret workers\" is not a valid subject";
    refused(&user("publish"), wrong);
    for key in ["deny_imports", "deny_exports"] {
        let url = "url: \"nats://127.0.0.1:7422\"";
        let list = "[\"admin.secret workers\"]";
        refused(&format!("leafnodes {{ remotes: [{{ {url}, {key}: {list} }}] }}"), wrong);
    }
    refused(
        "cluster { name: C, permissions { export { deny: [\"admin.secret workers\"] } } }",
        wrong,
    );
}

fn cluster_and_gateway_names() {
    let mut o = options(
        "listen: 127.0.0.1:-1
        cluster { name: A, listen: 127.0.0.1:-1 }
        gateway { name: B, listen: 127.0.0.1:-1 }",
    );
    let error = o.validate().expect_err("names differ").to_string();
    assert_eq!(error, "cluster name conflicts between cluster and gateway definitions");
}

fn authorization_timeouts() {
    for (value, want) in [
        ("timeout: 0", 2.0),
        ("timeout: 1", 1.0),
        ("timeout: 10s", 10.0),
        // A bare size suffix makes a number.
        ("timeout: 1m", 1_000_000.0),
        ("timeout: \"1m\"", 60.0),
        ("timeout: \"10m5s30ms\"", 605.03),
        ("timeout: 0.091", 0.091),
        ("", 2.0),
    ] {
        let o = options(&format!("authorization {{ {value} }}"));
        assert!(
            (o.auth_timeout.as_secs_f64() - want).abs() < 1e-6,
            "{value}: {:?}",
            o.auth_timeout
        );
        let o = options(&format!("leafnodes {{ port: -1, authorization {{ {value} }} }}"));
        let got = o.leafnode.auth_timeout;
        assert!((got.as_secs_f64() - want).abs() < 1e-6, "leafnodes {value}: {got:?}");
    }
    let garbage = "authorization { timeout: random_garbage }";
    refused(garbage, "invalid duration \"random_garbage\"");
    refused(&format!("leafnodes {{ {garbage} }}"), "invalid duration \"random_garbage\"");
    refused("authorization { timeout: .091 }", "Floats must start with a digit");
    refused("leafnodes { authorization { timeout: .091 } }", "Floats must start with a digit");
}

fn storage_sizes() {
    let size = |text: &str| read(&format!("jetstream {{ max_mem: \"{text}\" }}"));
    for (text, want) in
        [("1K", 1 << 10), ("1M", 1 << 20), ("1G", 1 << 30), ("1T", 1i64 << 40), ("", 0)]
    {
        assert_eq!(size(text).map(|o| o.jetstream.max_memory), Ok(want), "{text}");
    }
    for text in ["1L", "TT"] {
        assert!(size(text).is_err(), "{text}");
    }
}

fn run(files: &[(&str, &str)], args: &[&str]) -> Result<Command, String> {
    let env = Env::simulated(1);
    for (name, text) in files {
        env.fs().write(Path::new(name), text.as_bytes(), 0).expect("in memory");
    }
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    parse_args(&env, &args).map_err(|e| e.stderr)
}

fn runs(files: &[(&str, &str)], args: &[&str]) -> Options {
    match run(files, args) {
        Ok(Command::Run { options, .. }) => *options,
        other => panic!("{args:?}: {other:?}"),
    }
}

fn fails(args: &[&str], part: &str) {
    let error = run(&[], args).expect_err(part);
    assert!(error.contains(part), "{args:?}: {error}");
}

fn flags_over_file() {
    let file = ("/c.conf", "host: 127.0.0.1, port: 2222, debug: false, trace: true");
    let o = runs(&[file], &["-c", "/c.conf"]);
    assert!(o.trace && !o.debug && o.port == 2222 && o.config_file == "/c.conf");
    assert!(!runs(&[file], &["-c", "/c.conf", "-V=false"]).trace);
    let o = runs(&[file], &["-c", "/c.conf", "-DV=false"]);
    assert!(!o.debug && !o.trace);
    let o = runs(&[file], &["-c", "/c.conf", "-DV", "-p", "3333", "--pass", "spooky"]);
    assert!(o.debug && o.trace && o.port == 3333 && &*o.password == "spooky");
    // What the file does not name stays as the flags have it.
    let o = runs(&[file], &["-D", "-l", "/test.log", "-c", "/c.conf"]);
    assert!(o.debug && o.log_file == "/test.log" && o.host == "127.0.0.1");
}

fn cluster_flags() {
    let text = "port: 7222
        cluster {
            host: 127.0.0.1, port: 7244
            authorization { user: ruser, password: top_secret, timeout: 0.5 }
            routes = [ nats-route://ruser:top_secret@127.0.0.1:7246 ]
        }";
    let file = [("/srv_a.conf", text)];
    let routes =
        |o: &Options| -> Vec<String> { o.routes.iter().map(|url| url.with_secrets()).collect() };
    let own = "nats-route://ruser:top_secret@127.0.0.1:7246";
    let o = runs(&file, &["-c", "/srv_a.conf"]);
    assert_eq!((routes(&o), o.cluster.port), (vec![own.to_owned()], 7244));

    let o = runs(&file, &["-c", "/srv_a.conf", "-routes", "nats-route://a:1, nats-route://b:2"]);
    assert_eq!(routes(&o), ["nats-route://a:1", "nats-route://b:2"]);
    let o = runs(&file, &["-c", "/srv_a.conf", "-routes", ""]);
    assert!(o.routes.is_empty() && o.routes_str.is_empty());

    let o = runs(&file, &["-c", "/srv_a.conf", "-cluster", "nats://ivan:pwd@127.0.0.1:6222"]);
    let cluster = &o.cluster;
    assert_eq!((cluster.username.as_str(), &*cluster.password), ("ivan", "pwd"));
    assert_eq!((cluster.port, routes(&o)), (6222, vec![own.to_owned()]));
    let o = runs(&file, &["-c", "/srv_a.conf", "-cluster", "nats://127.0.0.1:8224"]);
    assert!(o.cluster.username.is_empty() && o.cluster.password.is_empty());
    assert_eq!(o.cluster.listen_str, "nats://127.0.0.1:8224");
    assert_eq!(runs(&file, &["-c", "/srv_a.conf", "-cluster", ""]).cluster.port, 0);

    fails(&["-routes", "nats://127.0.0.1:6223"], "solicited routes");
    fails(&["-cluster", ":", "-routes", ""], "protocol");
    fails(&["-cluster", "nats://127.0.0.1", "-routes", ""], "port");
    fails(&["-cluster", "nats://127.0.0.1:xxx", "-routes", ""], "invalid port");
    fails(&["-cluster", "nats://ivan:127.0.0.1:6222", "-routes", ""], "colons");
    fails(&["-cluster", "nats://ivan@127.0.0.1:6222", "-routes", ""], "password");
}

//! Options of the blocks: users and permissions, accounts, remotes, variables.

use nats_server::auth::users::{Permissions, ResponsePermission, User};
use nats_server::base::Env;
use nats_server::config::accounts::{ExportKind, ServiceLatency};
use nats_server::config::gateway::RemoteGateway;
use nats_server::config::leafnode::RemoteLeaf;
use nats_server::config::{Options, Url, load, load_str};
use std::path::Path;
use std::time::Duration;

crate::cases! {
    "server/opts_test.go",
    library users_with_permissions => ["TestAuthorizationConfig"],
    library allow_and_deny => ["TestNewStyleAuthorizationConfig", "TestNkeyUsersWithPermsConfig"],
    library default_permissions => ["TestNkeyUsersDefaultPermissionsConfig"],
    library pinned_certificates => ["TestTlsPinnedCertificates"],
    library cluster_permissions => ["TestClusterPermissionsConfig"],
    library latency_of_services => ["TestParseServiceLatency"],
    library gateways => ["TestParsingGateways"],
    library a_listener_for_leaf_nodes => ["TestParsingLeafNodesListener"],
    library paths_expand => ["TestExpandPath"],
    library a_proxy_is_required => ["TestOptionsProxyRequired"],
    library names_of_remotes => ["TestOptionsRemoteLeafNodeName"],
    library users_of_blocks_that_contradict => ["TestProcessConfigString"],
    library a_sentinel => ["TestDefaultSentinel"],
    library trusted_proxies => ["TestOptionsProxyTrustedKeys"],
    library compression => ["TestOptionsCompressionEqual"],
    library variables => ["TestVarReferencesVar", "TestVarReferencesSelf", "TestVarReferencesEnvVar"],
    library environment_variables => ["TestEnvVarReferencesVar", "TestEnvVarReferencesEnvVar"],
    library environment_cycles => ["TestEnvVarReferencesSelf", "TestEnvVarReferencesSelfCycle"],
    library environment_and_includes => ["TestEnvVarInclude", "TestEnvVarFromIncludedFile"],
}

const NKEYS: [&str; 4] = [
    "UDKTV7HZVYJFJN64LLMYQBUR6MTNNYCDC3LAZH4VHURW3GZLL3FULBXV",
    "UA3C5TBZYK5GJQJRWPMU6NFY5JNAEVQB2V2TUZFZDHFJFUYVKTTUOFKZ",
    "UC4YEYJHYKTU4LHROX7UEKEIO5RP5OUWDYXELHWXZOQHZYXHUD44LCRS",
    "UDLSDF4UY3YW7JJQCYE6T2D4KFDCH6RGF3R65KHK247G3POJPI27VMQ3",
];

fn env(vars: &[(&str, &str)]) -> Env {
    let owned = vars.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Env::simulated_with_vars(1, owned.collect())
}

fn read_in(vars: &[(&str, &str)], text: &str) -> Result<Options, String> {
    let env = env(vars);
    if text.contains("server.pem") {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        for (name, pem) in [("server.pem", cert.pem()), ("key.pem", signing_key.serialize_pem())] {
            env.fs().write(Path::new(name), pem.as_bytes(), 0).expect("in memory");
        }
    }
    load_str(&env, text).map(|(options, _)| options).map_err(|e| e.to_string())
}

fn options(text: &str) -> Options {
    read_in(&[], text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The text is refused and the error mentions `part`.
fn refused_in(vars: &[(&str, &str)], text: &str, part: &str) {
    let error = read_in(vars, text).expect_err(text);
    assert!(error.contains(part), "{text}: {error}");
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn user<'a>(users: &'a [User], name: &str) -> &'a User {
    users.iter().find(|user| user.username == name).expect(name)
}

/// Publish and subscribe subjects that are allowed; `None` when that side is free.
fn allowed(permissions: &Permissions) -> [Option<Vec<&str>>; 2] {
    [&permissions.publish, &permissions.subscribe].map(|side| {
        let allow = side.as_ref()?.allow.as_ref()?;
        Some(allow.iter().map(String::as_str).collect())
    })
}

fn users_with_permissions() {
    let o = options(
        "authorization {
            everything = { publish = '*', subscribe = '>' }
            requests = { publish = [req.foo, req.bar], subscribe = '_INBOX.>' }
            public = { subscribe = 'PUBLIC.>' }
            service = { subscribe = my.service.req, publish_allow_responses: true }
            streams = { subscribe = my.service.req, allow_responses: {max: 10, expires: '1m'} }
            default_permissions: $public
            users = [
                {user: alice, password: foo, permissions: $everything}
                {user: bob, password: bar, permissions: $requests}
                {user: susan, password: baz}
                {user: svca, password: pc, permissions: $service}
                {user: svcb, password: sam, permissions: $streams}
            ]
        }",
    );
    assert_eq!(o.users.len(), 5);
    let of = |name: &str| user(&o.users, name).permissions.as_deref().expect("permissions");
    assert_eq!(allowed(of("alice")), [Some(vec!["*"]), Some(vec![">"])]);
    let requests = [Some(vec!["req.foo", "req.bar"]), Some(vec!["_INBOX.>"])];
    assert_eq!(allowed(of("bob")), requests);
    assert_eq!(allowed(of("susan")), [None, Some(vec!["PUBLIC.>"])]);
    assert!(of("susan").publish.is_none());
    for (name, max_msgs, expires) in [("svca", 1, secs(120)), ("svcb", 10, secs(60))] {
        // Only answers may be published.
        assert_eq!(allowed(of(name)), [Some(vec![]), Some(vec!["my.service.req"])], "{name}");
        let response = ResponsePermission { max_msgs, expires: Some(expires) };
        assert_eq!(of(name).response, Some(response), "{name}");
    }
}

fn allow_and_deny() {
    let o = options(&format!(
        "authorization {{
            normal = {{
                publish = {{ allow = [foo, bar, baz] }}, subscribe = {{ deny = '$SYS.>' }}
            }}
            admin = {{ publish = '$SYS.>', subscribe = {{ deny = [foo, bar, baz] }} }}
            users = [
                {{user: alice, password: foo, permissions: $normal}}
                {{user: bob, password: special, permissions: $admin}}
                {{nkey: {}, permissions: $admin}}
            ]
        }}",
        NKEYS[0]
    ));
    assert_eq!((o.users.len(), o.nkeys.len()), (2, 1));
    let denied = |permissions: &Permissions| {
        let publish = permissions.publish.as_ref().expect("publish").deny.join(" ");
        (publish, permissions.subscribe.as_ref().expect("subscribe").deny.join(" "))
    };
    let alice = user(&o.users, "alice").permissions.as_deref().expect("permissions");
    assert_eq!(allowed(alice), [Some(vec!["foo", "bar", "baz"]), None]);
    assert_eq!(denied(alice), (String::new(), "$SYS.>".to_owned()));
    for admin in [&user(&o.users, "bob").permissions, &o.nkeys[0].permissions] {
        let admin = admin.as_deref().expect("permissions");
        assert_eq!(allowed(admin), [Some(vec!["$SYS.>"]), None]);
        assert_eq!(denied(admin), (String::new(), "foo bar baz".to_owned()));
    }
}

fn default_permissions() {
    let block = |user: &str, plain: &str, own: &str| {
        format!(
            "default_permissions = {{ publish = foo }}
            users = [
                {{user: {user}, password: pwd}}
                {{user: {user}-own, password: pwd, permissions = {{ subscribe = bar }}}}
                {{nkey: {plain}}}
                {{nkey: {own}, permissions = {{ subscribe = bar }}}}
            ]"
        )
    };
    let o = options(&format!(
        "authorization {{ {} }}\naccounts {{ A {{ {} }} }}",
        block("global", NKEYS[0], NKEYS[1]),
        block("a", NKEYS[2], NKEYS[3]),
    ));
    assert_eq!((o.users.len(), o.nkeys.len()), (4, 4));
    let nkey = |key: &str| o.nkeys.iter().find(|user| user.nkey == key).expect("listed");
    let named = |name: &str| &user(&o.users, name).permissions;
    for (plain, own) in [
        (named("global"), named("global-own")),
        (named("a"), named("a-own")),
        (&nkey(NKEYS[0]).permissions, &nkey(NKEYS[1]).permissions),
        (&nkey(NKEYS[2]).permissions, &nkey(NKEYS[3]).permissions),
    ] {
        let plain = plain.as_deref().expect("the defaults");
        assert_eq!(allowed(plain), [Some(vec!["foo"]), None]);
        assert!(plain.subscribe.is_none());
        let own = own.as_deref().expect("its own");
        assert_eq!(allowed(own), [None, Some(vec!["bar"])]);
        assert!(own.publish.is_none());
    }
}

fn pinned_certificates() {
    let pins = [
        "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
        "a8f407340dcc719864214b85ed96f98d16cbffa8f509d9fa4ca237b7bb3f9c32",
    ];
    let tls = format!(
        "tls {{
            cert_file: server.pem, key_file: key.pem, verify: true
            pinned_certs: ['{}', '{}']
        }}",
        pins[0], pins[1]
    );
    let o = options(&format!(
        "{tls}
        cluster {{ port: -1, name: hub, {tls} }}
        leafnodes {{ port: -1, {tls} }}
        gateway {{ port: -1, name: A, {tls} }}
        websocket {{ port: -1, {tls} }}
        mqtt {{ port: -1, {tls} }}"
    ));
    for (block, tls) in [
        ("top", &o.tls),
        ("cluster", &o.cluster.tls),
        ("leafnodes", &o.leafnode.tls),
        ("gateway", &o.gateway.tls),
        ("websocket", &o.websocket.tls),
        ("mqtt", &o.mqtt.tls),
    ] {
        let pinned = &tls.as_ref().expect(block).pinned_certs;
        assert!(pinned.iter().eq(pins.iter()), "{block}: {pinned:?}");
    }
}

fn cluster_permissions() {
    let text = |permissions: &str| {
        format!(
            "cluster {{
                port: 1234
                {permissions}
                authorization {{
                    user: ivan, password: pwd
                    permissions {{ import {{ allow: foo }}, export {{ allow: bar }} }}
                }}
            }}"
        )
    };
    let subjects = |text: &str| {
        let permissions = options(text).cluster.permissions.expect("permissions");
        [permissions.import, permissions.export].map(|side| side.expect("a side").allow)
    };
    let list = |subject: &str| Some(vec![subject.to_owned()]);
    assert_eq!(subjects(&text("")), [list("foo"), list("bar")]);
    let own = "permissions { import { allow: baz }, export { allow: bat } }";
    assert_eq!(subjects(&text(own)), [list("baz"), list("bat")]);

    let not_a_map = "Expected permissions to be a map/struct, got foo";
    let unknown = "Unknown field \"unknown_field\" parsing permissions";
    let mut wrong = vec![
        ("permissions: foo".to_owned(), not_a_map),
        ("permissions { unknown_field: foo }".to_owned(), unknown),
    ];
    let not_subjects = "Expected subject permissions to be a subject, or array of subjects";
    for side in ["import", "export"] {
        for (inner, error) in [
            // A bracket after a number does not end a list.
            (": [1, 2, 3]", "Expected an array value terminator"),
            (": [1, 2, 3 ]", "cannot be cast to string"),
            (" { unknown_field: foo }", "Unknown field name \"unknown_field\""),
            (" { allow { x: y } }", not_subjects),
            (" { deny { x: y } }", not_subjects),
        ] {
            wrong.push((format!("permissions {{ {side}{inner} }}"), error));
        }
    }
    for (permissions, error) in &wrong {
        refused_in(&[], &format!("cluster {{ port: 1234\n{permissions} }}"), error);
        let block = format!("authorization {{ user: ivan, password: pwd\n{permissions} }}");
        refused_in(&[], &format!("cluster {{ port: 1234\n{block} }}"), error);
    }
}

fn latency_of_services() {
    let text = |latency: &str| {
        format!(
            "system_account = nats.io
            accounts {{ nats.io {{ exports [{{ service: nats.add, latency: {latency} }}] }} }}"
        )
    };
    for (latency, sampling) in [
        ("{ sampling: 100%, subject: latency.tracking.add }", 100),
        ("{ sampling: 33%, subject: latency.tracking.add }", 33),
        ("{ sampling: 87, subject: latency.tracking.add }", 87),
        ("latency.tracking.add", 100),
    ] {
        let o = options(&text(latency));
        assert_eq!((o.accounts.len(), o.accounts[0].exports.len()), (1, 1), "{latency}");
        let export = &o.accounts[0].exports[0];
        assert_eq!(export.subject, "nats.add");
        let ExportKind::Service { latency: got, .. } = &export.kind else {
            panic!("{latency}: {export:?}")
        };
        let want = ServiceLatency { sampling, subject: "latency.tracking.add".to_owned() };
        assert_eq!(got.as_ref(), Some(&want), "{latency}");
    }
    refused_in(&[], &text("{ sampling: 87 }"), "subject");
}

fn gateways() {
    let o = options(
        "gateway {
            name: A
            listen: '127.0.0.1:4444', host: '127.0.0.1', port: 4444
            reject_unknown_cluster: true
            authorization { user: ivan, password: pwd, timeout: 2.0 }
            tls { cert_file: server.pem, key_file: key.pem, timeout: 3.0 }
            advertise: 'me:1'
            connect_retries: 10
            connect_backoff: true
            gateways: [
                {name: B, urls: ['nats://user1:pwd1@host2:5222', 'nats://user1:pwd1@host3:6222']}
                {name: C, url: 'nats://host4:7222'}
            ]
        }",
    );
    let g = o.gateway;
    assert_eq!((g.name.as_str(), g.host.as_str(), g.port), ("A", "127.0.0.1", 4444));
    assert_eq!((g.username.as_str(), &*g.password, g.auth_timeout), ("ivan", "pwd", secs(2)));
    assert_eq!((g.advertise.as_str(), g.connect_retries), ("me:1", 10));
    assert!(g.connect_backoff && g.reject_unknown && g.tls.is_some());
    assert_eq!(g.tls_timeout, secs(3));
    let remote = |name: &str, urls: &[&str]| RemoteGateway {
        name: name.to_owned(),
        urls: urls.iter().map(|url| Url::parse(url).expect("a URL")).collect(),
        ..RemoteGateway::default()
    };
    let b = remote("B", &["nats://user1:pwd1@host2:5222", "nats://user1:pwd1@host3:6222"]);
    assert_eq!(g.gateways, [b, remote("C", &["nats://host4:7222"])]);
}

fn a_listener_for_leaf_nodes() {
    let o = options(
        "leafnodes {
            listen: '127.0.0.1:3333', host: '127.0.0.1', port: 3333
            advertise: 'me:22'
            authorization { user: derek, password: 's3cr3t!', timeout: 2.2 }
            tls { cert_file: server.pem, key_file: key.pem, timeout: 3.3 }
        }",
    );
    let leaf = o.leafnode;
    assert_eq!((leaf.host.as_str(), leaf.port), ("127.0.0.1", 3333));
    assert_eq!((leaf.username.as_str(), &*leaf.password), ("derek", "s3cr3t!"));
    assert_eq!(leaf.auth_timeout, Duration::from_millis(2200));
    assert_eq!((leaf.advertise.as_str(), leaf.tls_timeout), ("me:22", Duration::from_millis(3300)));
    assert!(leaf.tls.is_some() && leaf.remotes.is_empty() && leaf.users.is_empty());
}

/// A credentials file is the path that is expanded.
fn paths_expand() {
    let text = |path: &str| {
        format!("leafnodes {{ remotes [{{ url: 'nats://h:1', credentials: '{path}' }}] }}")
    };
    for (path, home, want) in [
        ("/foo/bar", "/fizz/buzz", "/foo/bar"),
        ("foo/bar", "/fizz/buzz", "foo/bar"),
        ("~/fizz", "/foo/bar", "/foo/bar/fizz"),
        ("$HOME/fizz", "/foo/bar", "/foo/bar/fizz"),
    ] {
        let o = read_in(&[("HOME", home)], &text(path)).expect(path);
        assert_eq!(o.leafnode.remotes[0].credentials, want, "{path}");
    }
    refused_in(&[], &text("~/fizz"), "failed to get home dir");
    refused_in(&[("HOME", "")], &text("~/fizz"), "failed to get home dir");
}

fn a_proxy_is_required() {
    let single = "user: user, password: pwd, proxy_required: true";
    let o = options(&format!("authorization {{ {single} }}"));
    assert_eq!((o.username.as_str(), &*o.password, o.proxy_required), ("user", "pwd", true));
    let o = options(&format!("leafnodes {{ port: -1, authorization {{ {single} }} }}")).leafnode;
    assert_eq!((o.username.as_str(), &*o.password, o.proxy_required), ("user", "pwd", true));
    let nkey = format!("nkey: {}, proxy_required: true", NKEYS[0]);
    let o = options(&format!("leafnodes {{ port: -1, authorization {{ {nkey} }} }}")).leafnode;
    assert_eq!((o.nkey.as_str(), o.proxy_required), (NKEYS[0], true));

    let users = "{user: user1, password: pwd1}
        {user: user2, password: pwd2, proxy_required: true}
        {user: user3, password: pwd3, proxy_required: false}";
    let nkeys = format!(
        "{{nkey: {}, proxy_required: true}}, {{nkey: {}, proxy_required: false}}",
        NKEYS[0], NKEYS[1]
    );
    let check = |users: &[User]| {
        assert_eq!(users.len(), 3);
        for (name, want) in [("user1", false), ("user2", true), ("user3", false)] {
            assert_eq!(user(users, name).proxy_required, want, "{name}");
        }
    };
    for open in ["authorization {", "accounts { A {"] {
        let close = if open.starts_with("acc") { "} }" } else { "}" };
        let o = options(&format!(
            "{open} users: [ {users}
{nkeys} ] {close}"
        ));
        check(&o.users);
        assert_eq!(o.nkeys.len(), 2);
        for user in &o.nkeys {
            assert_eq!(user.proxy_required, user.nkey == NKEYS[0]);
        }
    }
    let o = options(&format!("leafnodes {{ port: -1, authorization {{ users: [ {users} ] }} }}"));
    check(&o.leafnode.users);
}

fn a_sentinel() {
    assert_eq!(&*options("default_sentinel: hello").default_sentinel, "hello");
    assert!(options("").default_sentinel.is_empty());
}

fn trusted_proxies() {
    let block = |keys: &[&str]| {
        let keys: String = keys.iter().map(|key| format!("{{ key: {key} }}\n")).collect();
        options(&format!("proxies {{ trusted: [\n{keys}] }}"))
    };
    let mut o = block(&[NKEYS[0], NKEYS[1]]);
    assert!(o.validate().is_ok());
    assert_eq!(o.proxies, Some(vec![NKEYS[0].to_owned(), NKEYS[1].to_owned()]));
    let proxies = [NKEYS[0], "bad1", NKEYS[1], "bad2"].map(str::to_owned);
    o.proxies = Some(proxies.into());
    let error = o.validate().expect_err("no key").to_string();
    assert_eq!(error, "proxy trusted key \"bad1\" is invalid");
}

/// Thresholds count as they are after the defaults are in.
fn compression() {
    let of = |block: &str| {
        let mut o = options(&format!("cluster {{ port: -1, name: c, compression: {block} }}"));
        o.validate().unwrap_or_else(|e| panic!("{block}: {e}"));
        o.cluster.compression
    };
    let auto = |thresholds: &str| format!("{{ mode: s2_auto, rtt_thresholds: [{thresholds}] }}");
    let (bare, defaults) = ("s2_auto".to_owned(), auto("10ms, 50ms, 100ms"));
    let (near, far) = (auto("5ms, 10ms"), auto("15ms, 30ms"));
    for (a, b, same) in [
        (&"s2_fast".to_owned(), &"s2_best".to_owned(), false),
        (&"s2_best".to_owned(), &"{ mode: s2_best }".to_owned(), true),
        (&defaults, &bare, true),
        (&near, &near, true),
        (&near, &far, false),
        (&bare, &far, false),
        (&auto(""), &auto(""), true),
        (&auto(""), &bare, true),
        (&bare, &bare, true),
    ] {
        assert_eq!(of(a) == of(b), same, "{a} and {b}");
        assert_eq!(of(b) == of(a), same, "{b} and {a}");
    }
}

fn names_of_remotes() {
    let urls = ["nats://user1:secretpwd@127.0.0.1:7222", "nats://user2:secretpwd@127.0.0.1:7222"];
    let seed = "SUACJN3OSKWWPQXME4JUNFJ3PARXPO657GGNWNU7PK7G3AUQQYHLW26XH4";
    let remote = |account: &str, credentials: &str, nkey: &str| RemoteLeaf {
        urls: urls.iter().map(|url| Url::parse(url).expect("a URL")).collect(),
        local_account: account.to_owned(),
        credentials: credentials.to_owned(),
        nkey: nkey.to_owned().into(),
        ..RemoteLeaf::default()
    };
    let redacted_nkey = ", nkey=\"[REDACTED]\"";
    let nkey = format!(", nkey=\"{seed}\"");
    let file = ", credentials=\"credsfile\"";
    for (remote, account, tail, redacted) in [
        (remote("", "", ""), "$G", "", ""),
        (remote("A", "", ""), "A", "", ""),
        (remote("", "credsfile", ""), "$G", file, file),
        (remote("", "", seed), "$G", nkey.as_str(), redacted_nkey),
        (remote("A", "credsfile", ""), "A", file, file),
        (remote("A", "", seed), "A", nkey.as_str(), redacted_nkey),
    ] {
        let name = |password: &str, tail: &str| {
            let [a, b] = urls.map(|url| url.replace("secretpwd", password));
            format!("urls=[\"{a}\" \"{b}\"], account=\"{account}\"{tail}")
        };
        assert_eq!(remote.describe(false), name("secretpwd", tail));
        assert_eq!(remote.describe(true), name("xxxxx", redacted));
    }
    // What is quoted cannot be taken for another field.
    let forged = remote("A\", credentials=\"creds", "", "");
    assert_ne!(remote("A", "creds", "").describe(false), forged.describe(false));
}

fn users_of_blocks_that_contradict() {
    let account = |user: &str| format!("accounts = {{ ACC {{ users = [ {user} ] }} }}");
    let named = "{user: user2, pass: pwd}";
    let nkey = format!("{{nkey: {}}}", NKEYS[0]);
    for (authorization, user, error) in [
        ("users = [ {user: user2, pass: pwd} ]", named, "Duplicate user \"user2\" detected".into()),
        (
            format!("users = [ {nkey} ]").as_str(),
            nkey.as_str(),
            format!("Duplicate nkey \"{}\" detected", NKEYS[0]),
        ),
        ("user: user1, password: pwd", named, "Can not have a single user/pass".into()),
        ("user: user1, password: pwd", nkey.as_str(), "Can not have a single user/pass".into()),
        ("token: my_token", named, "Can not have a token".into()),
        ("token: my_token", nkey.as_str(), "Can not have a token".into()),
    ] {
        // The order of the blocks makes no difference.
        let authorization = format!("authorization = {{ {authorization} }}");
        refused_in(&[], &format!("{authorization}\n{}", account(user)), &error);
        refused_in(&[], &format!("{}\n{authorization}", account(user)), &error);
    }
    refused_in(
        &[],
        "accounts { AUTH { users = [ {user: auth, password: auth} ] }, FOO {} }
        authorization { auth_callout {
            issuer: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA
            account: AUTH, auth_users: [ auth ], allowed_accounts: [ BAR ]
        } }",
        "auth_callout allowed account \"BAR\" not found in configured accounts",
    );
}

fn variables() {
    assert_eq!(options("A: 7890\nB: $A\nC: $B\nport: $C").port, 7890);
    let o = read_in(&[("PORT_OF_TEST", "7890")], "A: $PORT_OF_TEST\nB: $A\nC: $B\nport: $C");
    assert_eq!(o.expect("valid").port, 7890);
    refused_in(&[], "A: $A", "variable reference for 'A' on line 1 can not be found");
}

fn environment_variables() {
    refused_in(
        &[("PORT_OF_TEST", "$P")],
        "P: 8080\nport: $PORT_OF_TEST",
        "variable reference for 'P' on line 1 can not be found",
    );
    let chain = [("ENV_A", "$ENV_B"), ("ENV_B", "$ENV_C"), ("ENV_C", "7890")];
    assert_eq!(read_in(&chain, "port: $ENV_A").expect("valid").port, 7890);
}

fn environment_cycles() {
    refused_in(&[("ENV_A", "$ENV_A")], "TEST: $ENV_A", "variable reference cycle");
    let circle = [("ENV_A", "$ENV_B"), ("ENV_B", "$ENV_C"), ("ENV_C", "$ENV_A")];
    refused_in(&circle, "TEST: $ENV_A", "variable reference cycle");
}

fn environment_and_includes() {
    refused_in(
        &[("ENV_A", "include x")],
        "TEST: $ENV_A",
        "Expected a top-level value to end with a new line, comment or EOF",
    );
    let env = env(&[("ENV_A", "$ENV_B"), ("ENV_B", "7890")]);
    let write = |name, text: &str| {
        env.fs().write(Path::new(name), text.as_bytes(), 0).expect("in memory");
    };
    write("/included.conf", "TEST_PORT: $ENV_A");
    write("/main.conf", "include './included.conf'\nport: $TEST_PORT");
    let (o, _) = load(&env, "/main.conf").expect("valid");
    assert_eq!(o.port, 7890);
}

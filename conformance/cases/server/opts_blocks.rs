//! Options in blocks: users and permissions, TLS, gateways, leaf nodes, accounts; and variables.

use nats_server::auth::users::{Permissions, ResponsePermission, SubjectPermission};
use nats_server::base::Env;
use nats_server::config::accounts::{ExportKind, ServiceLatency};
use nats_server::config::cluster::CompressionOptions;
use nats_server::config::leafnode::RemoteLeaf;
use nats_server::config::{Command, Options, Url, load, load_str, parse_args};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

crate::cases! {
    "server/opts_test.go",
    library users_with_roles => ["TestAuthorizationConfig"],
    library allowed_and_denied_subjects => [
        "TestNewStyleAuthorizationConfig", "TestNkeyUsersWithPermsConfig",
    ],
    library default_permissions => ["TestNkeyUsersDefaultPermissionsConfig"],
    library users_beside_accounts => ["TestAccountUsersLoadedProperly"],
    library credentials_that_exclude_each_other => [
        "TestAuthorizationAndAccountsMisconfigurations", "TestProcessConfigString",
    ],
    library proxies => ["TestOptionsProxyTrustedKeys", "TestOptionsProxyRequired"],
    library default_sentinel => ["TestDefaultSentinel"],
    library tls_blocks => ["TestTLSConfigFile"],
    library pinned_certificates => ["TestTlsPinnedCertificates"],
    library cluster_permissions => ["TestClusterPermissionsConfig"],
    library compression_that_is_the_same => ["TestOptionsCompressionEqual"],
    library gateways => ["TestParsingGateways"],
    library wrong_gateways => ["TestParsingGatewaysErrors"],
    library leafnode_listener => ["TestParsingLeafNodesListener"],
    library names_of_remotes => ["TestOptionsRemoteLeafNodeName"],
    library paths_with_variables => ["TestExpandPath"],
    library service_latency => ["TestParseServiceLatency"],
    library variables => [
        "TestVarReferencesVar": "of the file",
        "TestVarReferencesEnvVar": "that end in the environment",
        "TestVarReferencesSelf": "to itself",
    ],
    library environment_variables => [
        "TestEnvVarReferencesVar": "$P, which only the file has",
        "TestEnvVarReferencesEnvVar": "$B, then $C",
        "TestEnvVarReferencesSelf": "$A that is $A",
        "TestEnvVarReferencesSelfCycle": "$A, $B, $C, $A",
        "TestEnvVarInclude": "include x",
        "TestEnvVarFromIncludedFile": "referred to in an included file",
    ],
    library command_lines => ["TestConfigureOptions", "TestEmptyConfig"],
}

const CERT: &str = include_str!("../../differential/pki/cert.pem");
const KEY: &str = include_str!("../../differential/pki/key.pem");
const U1: &str = "UCARKS2E3KVB7YORL2DG34XLT7PUCOL2SVM7YXV6ETHLW6Z46UUJ2VZ3";
const U2: &str = "UD6AYQSOIN2IN5OGC6VQZCR4H3UFMIOXSW6NNS6N53CLJA4PB56CEJJI";
const CERT_AND_KEY: &str = "cert_file: \"/cert.pem\", key_file: \"/key.pem\"";

/// An environment with a certificate and its key on disk.
fn env(vars: &[(&str, &str)]) -> Env {
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let env = Env::simulated_with_vars(1, vars.collect::<BTreeMap<_, _>>());
    file(&env, "/cert.pem", CERT);
    file(&env, "/key.pem", KEY);
    env
}

fn file(env: &Env, name: &str, text: &str) {
    env.fs().write(Path::new(name), text.as_bytes(), 0).expect("in memory");
}

fn read(text: &str) -> Result<Options, String> {
    read_with(&[], text)
}

fn read_with(vars: &[(&str, &str)], text: &str) -> Result<Options, String> {
    load_str(&env(vars), text).map(|(options, _)| options).map_err(|e| e.to_string())
}

fn options(text: &str) -> Options {
    read(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The text is refused and the error mentions `part`.
fn refused(text: &str, part: &str) {
    let error = read(text).expect_err(text);
    assert!(error.contains(part), "{text}: {error}");
}

// --- users

fn allow(subjects: &[&str]) -> Option<SubjectPermission> {
    Some(SubjectPermission { allow: Some(strings(subjects)), deny: Vec::new() })
}

fn deny(subjects: &[&str]) -> Option<SubjectPermission> {
    Some(SubjectPermission { allow: None, deny: strings(subjects) })
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn permissions(o: &Options, name: &str) -> Permissions {
    let user = o.users.iter().find(|user| user.username == name).map(|user| &user.permissions);
    let nkey = || o.nkeys.iter().find(|user| user.nkey == name).map(|user| &user.permissions);
    let found = user.or_else(nkey).unwrap_or_else(|| panic!("no user {name}"));
    (**found.as_ref().expect("permissions")).clone()
}

fn users_with_roles() {
    let o = options(
        "authorization {
            all { publish: \"*\", subscribe: \">\" }
            requestor { publish: [req.foo, req.bar], subscribe: \"_INBOX.>\" }
            reader { subscribe: \"PUBLIC.>\" }
            service { subscribe: my.service.req, publish_allow_responses: true }
            streamer { subscribe: my.service.req, allow_responses: { max: 10, expires: \"1m\" } }
            default_permissions: $reader
            users [
                { user: alice, password: foo, permissions: $all }
                { user: bob, password: bar, permissions: $requestor }
                { user: susan, password: baz }
                { user: svca, password: pc, permissions: $service }
                { user: svcb, password: sam, permissions: $streamer }
            ]
        }",
    );
    assert_eq!(o.users.len(), 5);
    let got = |name| {
        let Permissions { publish, subscribe, response } = permissions(&o, name);
        (publish, subscribe, response)
    };
    let response = |max_msgs, secs| {
        Some(ResponsePermission { max_msgs, expires: Some(Duration::from_secs(secs)) })
    };
    assert_eq!(got("alice"), (allow(&["*"]), allow(&[">"]), None));
    assert_eq!(got("bob"), (allow(&["req.foo", "req.bar"]), allow(&["_INBOX.>"]), None));
    assert_eq!(got("susan"), (None, allow(&["PUBLIC.>"]), None));
    // Who may answer may publish nothing else.
    assert_eq!(got("svca"), (allow(&[]), allow(&["my.service.req"]), response(1, 120)));
    assert_eq!(got("svcb"), (allow(&[]), allow(&["my.service.req"]), response(10, 60)));
}

fn allowed_and_denied_subjects() {
    let o = options(&format!(
        "authorization {{
            normal {{ publish {{ allow: [foo, bar, baz] }}, subscribe {{ deny: \"$SYS.>\" }} }}
            admin {{ publish: \"$SYS.>\", subscribe {{ deny: [foo, bar, baz] }} }}
            users [
                {{ user: alice, password: foo, permissions: $normal }}
                {{ user: bob, password: special, permissions: $admin }}
                {{ nkey: {U1}, permissions: $admin }}
            ]
        }}"
    ));
    assert_eq!((o.users.len(), o.nkeys.len()), (2, 1));
    let alice = permissions(&o, "alice");
    assert_eq!(alice.publish, allow(&["foo", "bar", "baz"]));
    assert_eq!(alice.subscribe, deny(&["$SYS.>"]));
    for admin in ["bob", U1] {
        let admin = permissions(&o, admin);
        assert_eq!(admin.publish, allow(&["$SYS.>"]));
        assert_eq!(admin.subscribe, deny(&["foo", "bar", "baz"]));
    }
}

fn default_permissions() {
    let (u3, u4) = (
        "UC4YEYJHYKTU4LHROX7UEKEIO5RP5OUWDYXELHWXZOQHZYXHUD44LCRS",
        "UDLSDF4UY3YW7JJQCYE6T2D4KFDCH6RGF3R65KHK247G3POJPI27VMQ3",
    );
    let users = |[a, b, c, d]: [&str; 4]| {
        let own = "permissions { subscribe: bar }";
        format!(
            "default_permissions {{ publish: foo }}, users [
                {{ user: {a}, password: pwd }}, {{ user: {b}, password: pwd, {own} }}
                {{ nkey: {c} }}, {{ nkey: {d}, {own} }} ]"
        )
    };
    let (global, account) = (["user", "other", U1, U2], ["accuser", "accother", u3, u4]);
    let o = options(&format!(
        "authorization {{ {} }}\naccounts {{ A {{ {} }} }}",
        users(global),
        users(account)
    ));
    assert_eq!((o.users.len(), o.nkeys.len()), (4, 4));
    for [default, own, default_nkey, own_nkey] in [global, account] {
        for name in [default, default_nkey] {
            let p = permissions(&o, name);
            assert_eq!((p.publish, p.subscribe), (allow(&["foo"]), None), "{name}");
        }
        for name in [own, own_nkey] {
            let p = permissions(&o, name);
            assert_eq!((p.publish, p.subscribe), (None, allow(&["bar"])), "{name}");
        }
    }
}

fn users_beside_accounts() {
    let authorization =
        format!("authorization {{ users [ {{ user: ivan, password: bar }}, {{ nkey: {U1} }} ] }}");
    let accounts = format!(
        "accounts {{ north {{ users [ {{ user: derek, password: foo }}, {{ nkey: {U2} }} ] }} }}"
    );
    for text in [format!("{authorization}\n{accounts}"), format!("{accounts}\n{authorization}")] {
        let o = options(&text);
        let account = |name: &str| {
            let user = o.users.iter().find(|user| user.username == name).expect(name);
            user.account.clone()
        };
        assert_eq!((o.users.len(), o.nkeys.len()), (2, 2), "{text}");
        assert_eq!(account("derek").as_deref(), Some("north"));
        assert_ne!(account("ivan").as_deref(), Some("north"));
    }
}

fn credentials_that_exclude_each_other() {
    let user = "accounts { ACC { users [ { user: user2, pass: pwd } ] } }";
    let nkey = format!("accounts {{ ACC {{ users [ {{ nkey: {U1} }} ] }} }}");
    let single = "authorization { user: user1, password: pwd }";
    let token = "authorization { token: my_token }";
    let named = "authorization { users [ { user: user2, pass: pwd } ] }";
    let with_nkey = format!("authorization {{ users [ {{ nkey: {U1} }} ] }}");
    for (one, other, error) in [
        (named, user, "Duplicate user \"user2\" detected"),
        (&with_nkey, &nkey, &format!("Duplicate nkey \"{U1}\" detected")),
        (single, user, "Can not have a single user/pass"),
        (single, &nkey, "Can not have a single user/pass"),
        (token, user, "Can not have a token"),
        (token, &nkey, "Can not have a token"),
    ] {
        refused(&format!("{one}\n{other}"), error);
        refused(&format!("{other}\n{one}"), error);
    }
    refused(
        "accounts { AUTH { users [ { user: auth, password: auth } ] }, FOO {} }
        authorization { auth_callout {
            issuer: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA
            account: AUTH, auth_users: [auth], allowed_accounts: [BAR]
        } }",
        "auth_callout allowed account \"BAR\" not found in configured accounts",
    );
}

fn proxies() {
    let mut o = Options::default();
    o.proxies = Some(strings(&[U1, "bad1", U2, "bad2"]));
    let error = o.validate().expect_err("bad1").to_string();
    assert_eq!(error, "proxy trusted key \"bad1\" is invalid");
    o.proxies = Some(strings(&[U1, U2]));
    o.validate().expect("both keys are public");
    let keys = format!("proxies {{ trusted [ {{ key: {U1} }}, {{ key: {U2} }} ] }}");
    assert_eq!(options(&keys).proxies, o.proxies);

    let single = "authorization { user: user, password: pwd, proxy_required: true }";
    let o = options(single);
    assert_eq!((o.username.as_str(), &*o.password, o.proxy_required), ("user", "pwd", true));
    let o = options(&format!("leafnodes {{ port: -1, {single} }}")).leafnode;
    assert_eq!((o.username.as_str(), &*o.password, o.proxy_required), ("user", "pwd", true));
    let nkey = format!("authorization {{ nkey: {U1}, proxy_required: true }}");
    let o = options(&format!("leafnodes {{ port: -1, {nkey} }}")).leafnode;
    assert_eq!((o.nkey.as_str(), o.proxy_required), (U1, true));

    let users = "{ user: u1, password: p }, { user: u2, password: p, proxy_required: true }
        { user: u3, password: p, proxy_required: false }";
    let nkeys =
        format!("{{ nkey: {U1}, proxy_required: true }}, {{ nkey: {U2}, proxy_required: false }}");
    for o in [
        options(&format!("authorization {{ users [ {users}, {nkeys} ] }}")),
        options(&format!("accounts {{ A {{ users [ {users}, {nkeys} ] }} }}")),
    ] {
        let required: Vec<bool> = o.users.iter().map(|user| user.proxy_required).collect();
        assert_eq!(required, [false, true, false]);
        let required: Vec<bool> = o.nkeys.iter().map(|user| user.proxy_required).collect();
        assert_eq!(required, [true, false]);
    }
    let o = options(&format!("leafnodes {{ port: -1, authorization {{ users [ {users} ] }} }}"));
    let required: Vec<bool> = o.leafnode.users.iter().map(|user| user.proxy_required).collect();
    assert_eq!(required, [false, true, false]);
}

fn default_sentinel() {
    let mut o = options("default_sentinel: hello");
    assert_eq!(&*o.default_sentinel, "hello");
    let error = o.validate().expect_err("there is no operator").to_string();
    assert_eq!(error, "default sentinel requires operators and accounts");
}

// --- TLS

fn tls_blocks() {
    let tls = |rest: &str| read(&format!("tls {{ {CERT_AND_KEY}, timeout: \"2s\", {rest} }}"));
    let o = tls("").expect("a valid block");
    assert_eq!((o.tls_timeout, o.auth_timeout), (Duration::from_secs(2), Duration::from_secs(3)));
    let block = o.tls.expect("TLS");
    assert!(block.cipher_suites.is_empty() && block.curve_preferences.is_empty());
    assert!(!block.verify && block.min_version.is_empty());

    let suites = [
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ];
    let block = tls(&format!("cipher_suites: {suites:?}")).expect("secure").tls.expect("TLS");
    assert_eq!(block.cipher_suites, suites);
    let insecure = "cipher_suites: [TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_3DES_EDE_CBC_SHA,
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]";
    let error = tls(insecure).expect_err("not allowed");
    assert!(error.contains("insecure"), "{error}");
    tls(&format!("allow_insecure_cipher_suites: true, {insecure}")).expect("allowed");

    let block = tls("curve_preferences: [CurveP256]").expect("a curve").tls.expect("TLS");
    assert_eq!(block.curve_preferences, ["CurveP256"]);
    for (wrong, part) in [
        ("cipher_suites: [BAD_CIPHER_SPEC]", "BAD_CIPHER_SPEC"),
        ("cipher_suites: []", "cipher_suites"),
        ("curve_preferences: [GARBAGE]", "GARBAGE"),
        ("curve_preferences: []", "curve_preferences"),
    ] {
        let error = tls(wrong).expect_err(wrong);
        assert!(error.contains(part), "{wrong}: {error}");
    }
}

fn pinned_certificates() {
    let tls = format!(
        "tls {{ {CERT_AND_KEY}, verify: true, pinned_certs: [
            \"7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069\"
            \"a8f407340dcc719864214b85ed96f98d16cbffa8f509d9fa4ca237b7bb3f9c32\" ] }}"
    );
    let o = options(&format!(
        "{tls}
        cluster {{ port: -1, name: hub, {tls} }}
        leafnodes {{ port: -1, {tls} }}
        gateway {{ name: A, port: -1, {tls} }}
        websocket {{ port: -1, {tls} }}
        mqtt {{ port: -1, {tls} }}"
    ));
    for block in
        [&o.tls, &o.cluster.tls, &o.leafnode.tls, &o.gateway.tls, &o.websocket.tls, &o.mqtt.tls]
    {
        assert_eq!(block.as_ref().expect("TLS").pinned_certs.len(), 2);
    }
}

// --- routes, gateways, leaf nodes

fn cluster_permissions() {
    let cluster = |permissions: &str| {
        let o = read(&format!("cluster {{ port: 1234, {permissions} }}"));
        o.map(|o| o.cluster.permissions.expect("permissions"))
    };
    let user =
        |permissions: &str| format!("authorization {{ user: ivan, password: pwd, {permissions} }}");
    let old = user("permissions { import { allow: foo }, export { allow: bar } }");
    let got = cluster(&old).expect("only a warning");
    assert_eq!((got.import, got.export), (allow(&["foo"]), allow(&["bar"])));
    let new = "permissions { import { allow: baz }, export { allow: bat } }";
    let got = cluster(&format!("{new}, {old}")).expect("the cluster's own");
    assert_eq!((got.import, got.export), (allow(&["baz"]), allow(&["bat"])));

    let mut wrong = strings(&["permissions: foo", "permissions { unknown_field: foo }"]);
    for side in ["import", "export"] {
        for value in
            [": [1, 2, 3]", "{ unknown_field: foo }", "{ allow { x: y } }", "{ deny { x: y } }"]
        {
            wrong.push(format!("permissions {{ {side} {value} }}"));
        }
    }
    for permissions in &wrong {
        assert!(cluster(permissions).is_err(), "{permissions}");
        assert!(cluster(&user(permissions)).is_err(), "{permissions}");
    }
}

fn compression_that_is_the_same() {
    let of = |mode: &str, millis: &[u64]| CompressionOptions {
        mode: mode.to_owned(),
        rtt_thresholds: millis.iter().copied().map(Duration::from_millis).collect(),
    };
    let auto = |millis: &[u64]| of("s2_auto", millis);
    let defaults = &[10, 50, 100];
    for (one, other, equal) in [
        (of("", &[]), of("", &[]), true),
        (of("s2_fast", &[]), of("s2_best", &[]), false),
        (of("s2_best", &[]), of("s2_best", &[]), true),
        (auto(defaults), auto(&[]), true),
        (auto(&[5, 10]), auto(&[5, 10]), true),
        (auto(&[5, 10]), auto(&[15, 30]), false),
        (auto(&[]), auto(&[15, 30]), false),
        (auto(&[]), auto(&[]), true),
        (of("s2_best", &[1]), of("s2_best", &[]), true),
    ] {
        assert_eq!(one == other, equal, "{one:?} {other:?}");
        assert_eq!(other == one, equal, "{other:?} {one:?}");
    }
}

fn urls(list: &[Url]) -> Vec<String> {
    list.iter().map(Url::with_secrets).collect()
}

fn gateways() {
    let o = options(&format!(
        "gateway {{
            name: A, listen: \"127.0.0.1:4444\", host: \"127.0.0.1\", port: 4444
            reject_unknown_cluster: true
            authorization {{ user: ivan, password: pwd, timeout: 2.0 }}
            tls {{ {CERT_AND_KEY}, timeout: 3.0 }}
            advertise: \"me:1\", connect_retries: 10, connect_backoff: true
            gateways: [
                {{ name: B, urls: [\"nats://user1:pwd1@host2:5222\",
                    \"nats://user1:pwd1@host3:6222\"] }}
                {{ name: C, url: \"nats://host4:7222\" }}
            ]
        }}"
    ))
    .gateway;
    assert_eq!((o.name.as_str(), o.host.as_str(), o.port), ("A", "127.0.0.1", 4444));
    assert_eq!((o.username.as_str(), &*o.password), ("ivan", "pwd"));
    assert_eq!((o.auth_timeout, o.tls_timeout), (Duration::from_secs(2), Duration::from_secs(3)));
    assert_eq!((o.advertise.as_str(), o.connect_retries), ("me:1", 10));
    assert!(o.connect_backoff && o.reject_unknown && o.tls.is_some());
    let remotes: Vec<_> =
        o.gateways.iter().map(|remote| (remote.name.as_str(), urls(&remote.urls))).collect();
    let b = strings(&["nats://user1:pwd1@host2:5222", "nats://user1:pwd1@host3:6222"]);
    assert_eq!(remotes, [("B", b), ("C", strings(&["nats://host4:7222"]))]);
}

fn wrong_gateways() {
    refused("gateway: bad_type", "Expected gateway to be a map");
    for (inner, part) in [
        ("listen: \"bad::address\"", "parse address"),
        ("authorization { users {} }", "be an array"),
        ("reject_unknown_cluster: true, unknown_field: 1", "unknown field"),
        (
            "authorization { users [ { user: a, password: b }, { user: c, password: d } ] }",
            "does not allow multiple users",
        ),
        ("tls { cert_file: 123 }", "to be filename"),
        ("tls { cert_file: \"/none.pem\", key_file: \"/key.pem\" }", "certificate/key pair"),
        ("tls { cert_file: \"/cert.pem\", key_file: \"/none.pem\" }", "certificate/key pair"),
        ("tls { cert_file: \"/cert.pem\" }", "missing 'key_file' in TLS configuration"),
        ("tls { key_file: \"/key.pem\" }", "missing 'cert_file' in TLS configuration"),
        ("gateways { name: B }", "Expected gateways field to be an array"),
        ("gateways [ g1, g2 ]", "Expected gateway entry to be a map"),
        ("gateways [ { name: B, url: \"nats://wrong url\" } ]", "error parsing gateway url"),
        (
            "gateways [ { name: B, urls: [\"nats://wrong url\", \"nats://host:5222\"] } ]",
            "error parsing gateway url",
        ),
        ("gateways [ { name: B, tls { cert_file: 123 } } ]", "to be filename"),
        ("gateways [ { name: B, unknown_field: 1 } ]", "unknown field"),
    ] {
        refused(&format!("gateway {{ name: A, port: -1, {inner} }}"), part);
    }
}

fn leafnode_listener() {
    let o = options(&format!(
        "leafnodes {{
            listen: \"127.0.0.1:3333\", host: \"127.0.0.1\", port: 3333, advertise: \"me:22\"
            authorization {{ user: derek, password: \"s3cr3t!\", timeout: 2.2 }}
            tls {{ {CERT_AND_KEY}, timeout: 3.3 }}
        }}"
    ))
    .leafnode;
    assert_eq!((o.host.as_str(), o.port, o.advertise.as_str()), ("127.0.0.1", 3333, "me:22"));
    assert_eq!((o.username.as_str(), &*o.password), ("derek", "s3cr3t!"));
    assert_eq!(o.auth_timeout, Duration::from_millis(2200));
    assert_eq!(o.tls_timeout, Duration::from_millis(3300));
    assert!(o.tls.is_some() && o.remotes.is_empty());
}

fn names_of_remotes() {
    let url =
        |user: &str| Url::parse(&format!("nats://{user}:secretpwd@127.0.0.1:7222")).expect("a URL");
    let seed = "SUACJN3OSKWWPQXME4JUNFJ3PARXPO657GGNWNU7PK7G3AUQQYHLW26XH4";
    let remote = |account: &str, credentials: &str, nkey: &str| RemoteLeaf {
        urls: vec![url("user1"), url("user2")],
        local_account: account.to_owned(),
        credentials: credentials.to_owned(),
        nkey: nkey.into(),
        ..RemoteLeaf::default()
    };
    let open = "urls=[\"nats://user1:secretpwd@127.0.0.1:7222\" \
                \"nats://user2:secretpwd@127.0.0.1:7222\"]";
    let masked = "urls=[\"nats://user1:xxxxx@127.0.0.1:7222\" \
                  \"nats://user2:xxxxx@127.0.0.1:7222\"]";
    let file = ", credentials=\"credsfile\"";
    let shown = format!(", nkey=\"{seed}\"");
    let hidden = ", nkey=\"[REDACTED]\"";
    for (remote, account, tail, safe_tail) in [
        (remote("", "", ""), "$G", "", ""),
        (remote("A", "", ""), "A", "", ""),
        (remote("", "credsfile", ""), "$G", file, file),
        (remote("", "", seed), "$G", shown.as_str(), hidden),
        (remote("A", "credsfile", ""), "A", file, file),
        (remote("A", "", seed), "A", shown.as_str(), hidden),
    ] {
        assert_eq!(remote.describe(false), format!("{open}, account=\"{account}\"{tail}"));
        assert_eq!(remote.describe(true), format!("{masked}, account=\"{account}\"{safe_tail}"));
    }
    let forged = remote("A\", credentials=\"creds", "", "");
    assert_ne!(remote("A", "creds", "").describe(false), forged.describe(false));
}

fn paths_with_variables() {
    let expanded = |home: &str, path: &str| {
        let text = format!(
            "leafnodes {{ remotes [ {{ url: \"nats-leaf://127.0.0.1:2222\", credentials: \
             \"{path}\" }} ] }}"
        );
        read_with(&[("HOME", home)], &text).map(|o| o.leafnode.remotes[0].credentials.clone())
    };
    for (path, home, want) in [
        ("/foo/bar", "/fizz/buzz", "/foo/bar"),
        ("foo/bar", "/fizz/buzz", "foo/bar"),
        ("~/fizz", "/foo/bar", "/foo/bar/fizz"),
        ("$HOME/fizz", "/foo/bar", "/foo/bar/fizz"),
    ] {
        assert_eq!(expanded(home, path).as_deref(), Ok(want), "{path}");
    }
    expanded("", "~/fizz").expect_err("there is no home");
}

// --- accounts

fn service_latency() {
    let latency = |value: &str| {
        let text = format!(
            "system_account: nats.io
            accounts {{ nats.io {{ exports [ {{ service: nats.add, latency: {value} }} ] }} }}"
        );
        read(&text).map(|o| match o.accounts.as_slice() {
            [account] => match account.exports.as_slice() {
                [export] if export.subject == "nats.add" => match &export.kind {
                    ExportKind::Service { latency, .. } => latency.clone(),
                    ExportKind::Stream => panic!("{value}: no service"),
                },
                exports => panic!("{value}: {exports:?}"),
            },
            accounts => panic!("{value}: {accounts:?}"),
        })
    };
    for (value, sampling) in [
        ("{ sampling: 100%, subject: latency.tracking.add }", 100),
        ("{ sampling: 33%, subject: latency.tracking.add }", 33),
        ("{ sampling: 87, subject: latency.tracking.add }", 87),
        ("latency.tracking.add", 100),
    ] {
        let want = ServiceLatency { sampling, subject: "latency.tracking.add".to_owned() };
        assert_eq!(latency(value), Ok(Some(want)), "{value}");
    }
    latency("{ sampling: 87 }").expect_err("there is no subject");
}

// --- variables

fn variables() {
    let chain = "B: $A\nC: $B\nport: $C";
    assert_eq!(options(&format!("A: 7890\n{chain}")).port, 7890);
    let o = read_with(&[("NATS_PORT", "7890")], &format!("A: $NATS_PORT\n{chain}"));
    assert_eq!(o.expect("found in the environment").port, 7890);
    refused("A: $A", "variable reference for 'A' on line 1 can not be found");
}

fn environment_variables() {
    let fails = |vars: &[(&str, &str)], text: &str, part: &str| {
        let error = read_with(vars, text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    };
    // The environment sees nothing of the file.
    let part = "variable reference for 'P' on line 1 can not be found";
    fails(&[("NATS_PORT", "$P")], "P: 8080\nport: $NATS_PORT", part);
    let chain = [("A_", "$B_"), ("B_", "$C_"), ("C_", "7890")];
    assert_eq!(read_with(&chain, "port: $A_").expect("found").port, 7890);
    let cycle = "variable reference cycle";
    fails(&[("A_", "$A_")], "TEST: $A_", cycle);
    fails(&[("A_", "$B_"), ("B_", "$C_"), ("C_", "$A_")], "TEST: $A_", cycle);
    let part = "Expected a top-level value to end with a new line, comment or EOF";
    fails(&[("A_", "include x")], "TEST: $A_", part);

    let env = env(&chain);
    file(&env, "/included.conf", "TEST_PORT: $A_\n");
    file(&env, "/main.conf", "include \"./included.conf\"\nport: $TEST_PORT\n");
    assert_eq!(load(&env, "/main.conf").expect("valid").0.port, 7890);
}

// --- the command line

fn run(args: &[&str]) -> Result<Command, String> {
    let env = env(&[]);
    let tls = format!("listen: 127.0.0.1:4443\ntls {{ {CERT_AND_KEY}, timeout: \"2s\" }}");
    file(&env, "/tls.conf", &tls);
    file(&env, "/test.conf", "port: 4242, trace: true");
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    parse_args(&env, &args).map_err(|e| e.stderr)
}

fn runs(args: &[&str]) -> Options {
    match run(args) {
        Ok(Command::Run { options, .. }) => *options,
        other => panic!("{args:?}: {other:?}"),
    }
}

fn command_lines() {
    for version in [["-v"], ["version"]] {
        assert!(matches!(run(&version), Ok(Command::PrintVersion)), "{version:?}");
    }
    for help in [["-h"], ["help"]] {
        assert!(matches!(run(&help), Ok(Command::PrintHelp)), "{help:?}");
    }
    assert!(matches!(run(&["-help_tls"]), Ok(Command::PrintTlsHelp)));
    assert_eq!(runs(&[]).config_file, "");
    assert_eq!(runs(&["-c", ""]).config_file, "");
    assert_eq!(runs(&["-p", "1234"]).port, 1234);
    assert!(runs(&["-c", "/test.conf"]).trace);
    let o = runs(&["-c", "/test.conf", "-DV"]);
    assert!(o.debug && o.trace && !runs(&["-c", "/test.conf", "-V=false"]).trace);
    let o = runs(&["-c", "/test.conf", "-DV=false"]);
    assert!(!o.debug && !o.trace);

    let o = runs(&["-cluster", "nats://127.0.0.1:6222", "-routes", "nats://127.0.0.1:6223"]);
    assert_eq!(o.cluster.listen_str, "nats://127.0.0.1:6222");
    assert_eq!(o.routes_str, "nats://127.0.0.1:6223");
    assert_eq!(urls(&o.routes), ["nats://127.0.0.1:6223"]);

    assert!(runs(&["-c", "/tls.conf", "-tls=false"]).tls.is_none());
    let files = ["-tlscert", "/cert.pem", "-tlskey", "/key.pem"];
    let o = runs(&[&["-c", "/tls.conf", "-tlsverify"][..], &files].concat());
    assert!(o.tls.expect("TLS").verify);
    let tls = runs(&[&["-tls"][..], &files].concat()).tls.expect("TLS");
    assert!(tls.cipher_suites.is_empty() && !tls.verify);

    for (args, part) in [
        (&["foo"][..], "command"),
        (&["-xxx", "foo"], "flag"),
        (&["-c", "xxx.cfg"], "file"),
        (&["-sl", "quit=pid=foo"], "signal"),
        (&["-sl", "quit=pid"], "pid"),
        (&["-routes", "nats://127.0.0.1:6223"], "solicited routes"),
        (&["-c", "/tls.conf", "-tlsverify"], "valid"),
        (&["-tls"], "valid"),
        (&["-tls", "-tlscert", "/cert.pem"], "valid"),
        (&["-tls", "-tlscert", "/cert.pem", "-tlskey", "/notfound.pem"], "file"),
    ] {
        let error = run(args).expect_err(part);
        assert!(error.contains(part), "{args:?}: {error}");
    }
}

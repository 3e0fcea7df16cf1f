//! Every key of the inventory with a value of every type, and out of range.

use super::{Suite, Work};

/// Values by name.
const VALUES: &[(&str, &str)] = &[
    ("int", "7"),
    ("zero", "0"),
    ("negative", "-7"),
    ("int_string", "\"7\""),
    ("large", "3000000000"),
    ("huge", "99999999999999999999"),
    ("float", "1.5"),
    ("true", "true"),
    ("false", "false"),
    ("word", "word"),
    ("empty", "\"\""),
    ("spaces", "\"a b\""),
    ("duration", "\"5s\""),
    ("duration_negative", "\"-5s\""),
    ("percent", "50%"),
    ("size", "8MB"),
    ("subject", "\"a.>\""),
    ("bad_subject", "\"a..b\""),
    ("address", "\"127.0.0.1:4999\""),
    ("url", "\"nats://127.0.0.1:4999\""),
    ("list", "[word, other]"),
    ("list_mixed", "[7, word]"),
    ("empty_list", "[]"),
    ("list_of_maps", "[{ some: thing }]"),
    ("map", "{ some: thing }"),
    ("empty_map", "{}"),
    ("date", "2024-05-05T10:00:00Z"),
];

/// Where the keys of a block stand, the key in the place of `@`. TLS blocks are one parser:
/// two of them stand for all.
const BLOCKS: &[(&str, &str)] = &[
    ("top", "@"),
    ("ocsp", "ocsp { @ }"),
    ("cluster", "cluster { name: C, @ }"),
    ("cluster.compression", "cluster { name: C, port: 6222, compression { @ } }"),
    ("cluster.authorization", "cluster { name: C, port: 6222, authorization { @ } }"),
    ("cluster.permissions", "cluster { name: C, port: 6222, permissions { @ } }"),
    ("cluster.tls", "cluster { name: C, port: 6222, tls { @ } }"),
    ("gateway", "gateway { name: G, @ }"),
    ("gateway.gateways[]", "gateway { name: G, port: 7222, gateways: [ { @ } ] }"),
    ("gateway.authorization", "gateway { name: G, port: 7222, authorization { @ } }"),
    ("leafnodes", "leafnodes { @ }"),
    ("leafnodes.compression", "leafnodes { port: 7422, compression { @ } }"),
    ("leafnodes.authorization", "leafnodes { port: 7422, authorization { @ } }"),
    (
        "leafnodes.authorization.users[]",
        "leafnodes { port: 7422, authorization { users: [ { @ } ] } }",
    ),
    ("leafnodes.remotes[]", "leafnodes { remotes: [ { url: \"nats://h:1\", @ } ] }"),
    ("leafnodes.remotes[].proxy", "leafnodes { remotes: [ { url: \"ws://h:1\", proxy { @ } } ] }"),
    (
        "leafnodes.remotes[].jetstream_cluster_migrate",
        "leafnodes { remotes: [ { url: \"nats://h:1\", jetstream_cluster_migrate { @ } } ] }",
    ),
    ("jetstream", "jetstream { @ }"),
    ("jetstream.limits", "jetstream { limits { @ } }"),
    ("jetstream.limits.batch", "jetstream { limits { batch { @ } } }"),
    ("jetstream.tpm", "jetstream { tpm { @ } }"),
    ("mappings.<subject>[]", "mappings { a: [ { destination: b, weight: 10, @ } ] }"),
    ("accounts.<acc>", "accounts { A { @ } }"),
    ("accounts.<acc>.jetstream", "accounts { A { jetstream { @ } } }"),
    ("accounts.<acc>.limits", "accounts { A { limits { @ } } }"),
    ("accounts.<acc>.msg_trace", "accounts { A { msg_trace { @ } } }"),
    ("accounts.<acc>.users[]", "accounts { A { users: [ { @ } ] } }"),
    (
        "accounts.<acc>.users[].permissions",
        "accounts { A { users: [ { user: a, password: b, permissions { @ } } ] } }",
    ),
    ("accounts.<acc>.exports[]", "accounts { A { exports: [ { stream: s, @ } ] } }"),
    (
        "accounts.<acc>.exports[].latency",
        "accounts { A { exports: [ { service: s, latency { @ } } ] } }",
    ),
    (
        "accounts.<acc>.imports[]",
        "accounts { A { exports: [ { service: s } ] }, B { imports: [ { service: { account: A, subject: s }, @ } ] } }",
    ),
    (
        "accounts.<acc>.imports[].stream",
        "accounts { A { exports: [ { stream: s } ] }, B { imports: [ { stream: { account: A, @ } } ] } }",
    ),
    (
        "accounts.<acc>.imports[].service",
        "accounts { A { exports: [ { service: s } ] }, B { imports: [ { service: { subject: s, @ } } ] } }",
    ),
    ("accounts.<acc>.default_permissions", "accounts { A { default_permissions { @ } } }"),
    ("authorization", "authorization { @ }"),
    ("authorization.users[]", "authorization { users: [ { @ } ] }"),
    (
        "authorization.users[].permissions",
        "authorization { users: [ { user: a, password: b, permissions { @ } } ] }",
    ),
    (
        "authorization.users[].permissions.publish",
        "authorization { users: [ { user: a, password: b, permissions { publish { @ } } } ] }",
    ),
    (
        "authorization.users[].permissions.subscribe",
        "authorization { users: [ { user: a, password: b, permissions { subscribe { @ } } } ] }",
    ),
    (
        "authorization.users[].permissions.allow_responses",
        "authorization { users: [ { user: a, password: b, permissions { allow_responses { @ } } } ] }",
    ),
    (
        "authorization.default_permissions",
        "authorization { users: [ { user: a, password: b } ], default_permissions { @ } }",
    ),
    (
        "authorization.auth_callout",
        "authorization { users: [ { user: a, password: b } ], auth_callout { @ } }",
    ),
    ("tls", "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", @ }"),
    (
        "<tls>.ocsp_peer",
        "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", ca_file: \"ca.pem\", verify: true, ocsp_peer { @ } }",
    ),
    ("<tls>.certs[]", "tls { certs: [ { @ } ] }"),
    ("websocket", "websocket { no_tls: true, @ }"),
    ("websocket.authorization", "websocket { port: 8080, no_tls: true, authorization { @ } }"),
    ("mqtt", "server_name: s\njetstream: true\nmqtt { port: 1883, @ }"),
    (
        "mqtt.authorization",
        "server_name: s\njetstream: true\nmqtt { port: 1883, authorization { @ } }",
    ),
    ("ocsp_cache", "ocsp_cache { @ }"),
    ("resolver", "resolver { @ }"),
    ("proxies", "proxies { @ }"),
    ("proxies.trusted[]", "proxies { trusted: [ { @ } ] }"),
];

/// The inventory; also kept in step with it by `conformance check`.
const INVENTORY: &str = include_str!("../upstream/config_keys.tsv");

pub(super) fn suites() -> Vec<Suite> {
    BLOCKS.iter().map(|(block, place)| suite(block, place)).collect()
}

fn suite(block: &str, place: &str) -> Suite {
    let mut texts = Vec::new();
    for key in keys(block) {
        for (kind, value) in VALUES {
            let text = format!("{}\n", place.replace('@', &format!("{key}: {value}")));
            texts.push((format!("{key}_{kind}"), text));
        }
    }
    // A key that does not exist.
    texts.push(("unknown".to_owned(), format!("{}\n", place.replace('@', "no_such_key: 1"))));
    let plain: String =
        block.chars().filter(|c| c.is_alphanumeric() || matches!(c, '.' | '_')).collect();
    Suite { name: format!("keys::{}", plain.replace('.', "_")), work: Work::Check(texts) }
}

/// The keys of a block and their aliases.
fn keys(block: &str) -> Vec<&'static str> {
    let rows = INVENTORY.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        (columns[0] == block).then_some((columns[1], columns[2]))
    });
    rows.flat_map(|(key, aliases)| {
        std::iter::once(key).chain(aliases.split(',').map(str::trim).filter(|a| !a.is_empty()))
    })
    .collect()
}

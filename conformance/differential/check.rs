//! Configurations checked by `-t`: a corpus of small valid ones, and what becomes of them when
//! their tokens are damaged one at a time.

use super::damage::damaged;
use super::process::Place;
use super::{Answer, Suite, Work};

/// Valid configurations by name.
const CORPUS: &[(&str, &str)] = &[
    ("listen", "listen: \"127.0.0.1:4222\"\nserver_name: name\n"),
    ("listen_port", "host = localhost\nport = 4222;client_advertise: \"a:1\"\n"),
    ("monitoring", "http: \"127.0.0.1:8222\"\nhttp_base_path: /nats\n"),
    ("monitoring_ports", "http_port: 8222\n"),
    (
        "logging",
        "debug: true\ntrace: false\nlogtime: yes\nlog_file: \"/tmp/x.log\"\nlogfile_size_limit: 1MB\nlogfile_max_num: 3\n",
    ),
    (
        "limits",
        "max_payload: 1KB\nmax_pending: 2MB\nmax_control_line: 1024\nmax_connections: 10\nmax_subscriptions: 5\nmax_sub_tokens: 8\n",
    ),
    (
        "timers",
        "ping_interval: \"10s\"\nping_max: 3\nwrite_deadline: 2s\nlame_duck_duration: \"1m\"\nlame_duck_grace_period: \"5s\"\n",
    ),
    ("timer_numbers", "ping_interval: 10\nwrite_deadline: 2\n"),
    (
        "tls",
        "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", ca_file: \"ca.pem\", verify: true, timeout: 2 }\n",
    ),
    (
        "tls_more",
        "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", cipher_suites: [\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"], curve_preferences: [CurveP256], min_version: \"1.3\", handshake_first: auto }\n",
    ),
    (
        "tls_pinned",
        "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", pinned_certs: [\"a8f407340dcc719864214b85ed96f98d16cbffa8f509d9fa4ca237b7bb3f9c32\"] }\n",
    ),
    ("tls_certs", "tls { certs: [ { cert_file: \"cert.pem\", key_file: \"key.pem\" } ] }\n"),
    ("user", "authorization { user: a, password: b, timeout: 1 }\n"),
    ("token", "authorization { token: secret }\n"),
    (
        "users",
        "authorization {\n users = [ { user: a, password: b }\n { user: c, password: d } ]\n}\nno_auth_user: a\n",
    ),
    (
        "nkeys",
        "authorization { users: [ { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR } ] }\n",
    ),
    (
        "permissions",
        "authorization { users: [ { user: a, password: b, permissions: { publish: { allow: [\"x\", \"y.>\"], deny: z }, subscribe: \"s q\", allow_responses: { max: 3, expires: \"1m\" } } } ] }\n",
    ),
    (
        "default_permissions",
        "authorization { default_permissions: { publish: [a], subscribe: { deny: b } }, users: [ { user: a, password: b, allowed_connection_types: [STANDARD, WEBSOCKET] } ] }\n",
    ),
    (
        "callout",
        "accounts { AUTH { users: [ { user: auth, password: p } ] } }\nauthorization { auth_callout { issuer: ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA, account: AUTH, auth_users: [ auth ] } }\n",
    ),
    (
        "accounts",
        "accounts {\n A { users: [ { user: a, password: b } ], exports: [ { stream: \"s.>\" }, { service: \"r\", accounts: [B], response: stream } ] }\n B { users: [ { user: c, password: d } ], imports: [ { stream: { account: A, subject: \"s.x\" }, prefix: p }, { service: { account: A, subject: r }, to: q } ] }\n}\nsystem_account: B\n",
    ),
    ("accounts_list", "accounts: [A, B]\n"),
    (
        "account_limits",
        "accounts { A { limits { max_connections: 1, max_subscriptions: 2, max_payload: 3, max_leafnodes: 4 }, jetstream: { max_mem: 1M, max_store: 1G, streams: 3, consumers: 4 }, mappings { a: b }, default_permissions { publish: x } } }\n",
    ),
    (
        "latency",
        "accounts { A { exports: [ { service: s, latency: { sampling: 50%, subject: l }, response_type: singleton, threshold: \"1s\" } ] } }\n",
    ),
    ("trace_dest", "accounts { A { msg_trace: { dest: \"t.d\", sampling: 10 } } }\n"),
    (
        "mappings",
        "mappings {\n a: b\n c.*: \"d.$1\"\n e: [ { destination: f, weight: 20% }, { destination: g, weight: 30, cluster: c } ]\n}\n",
    ),
    (
        "cluster",
        "cluster { name: C, listen: \"127.0.0.1:6222\", routes: [ \"nats://127.0.0.1:6223\", \"nats-route://a:b@h:6224\" ], connect_retries: 3, pool_size: 4, accounts: [\"X\"] }\naccounts { X {} }\n",
    ),
    (
        "cluster_more",
        "cluster { name: C, host: h, port: 6222, advertise: \"a:1\", no_advertise: true, compression: { mode: s2_auto, rtt_thresholds: [1ms, 2ms] }, ping_interval: 5s, ping_max: 2, permissions { import { allow: a }, export { deny: [b] } } }\n",
    ),
    (
        "cluster_auth",
        "cluster { name: C, port: 6222, authorization { user: a, password: b, timeout: 2 } }\n",
    ),
    (
        "gateway",
        "gateway { name: G, listen: \"127.0.0.1:7222\", gateways: [ { name: H, url: \"nats://h:7222\" }, { name: I, urls: [\"nats://i:1\", \"nats://i:2\"] } ], reject_unknown: true, connect_retries: 2 }\n",
    ),
    (
        "leafnodes",
        "leafnodes { listen: \"127.0.0.1:7422\", authorization { user: a, password: b, account: A }, min_version: \"2.9.0\", compression: off }\naccounts { A {} }\n",
    ),
    (
        "leaf_users",
        "leafnodes { port: 7422, authorization { users: [ { user: a, password: b, account: A } ] } }\naccounts { A {} }\n",
    ),
    (
        "leaf_remotes",
        "leafnodes { reconnect: 2s, remotes: [ { url: \"nats://h:7422\", account: A, deny_imports: [\"x\"], deny_exports: y, hub: true, compression: s2_fast }, { urls: [\"nats://a:1\", \"nats://b:2\"], no_randomize: true } ] }\naccounts { A {} }\n",
    ),
    (
        "jetstream",
        "jetstream { store_dir: \"/tmp/js\", max_mem: 1G, max_file: 10G, domain: d, sync_interval: always }\n",
    ),
    ("jetstream_word", "jetstream: enabled\nstore_dir: \"/tmp/js\"\n"),
    (
        "jetstream_limits",
        "jetstream { max_outstanding_catchup: 1M, request_queue_limit: 5, limits { max_ack_pending: 5, max_ha_assets: 3, max_request_batch: 10, duplicate_window: \"1m\" } }\n",
    ),
    ("jetstream_key", "jetstream { key: \"secret\", cipher: aes, prev_key: \"old\" }\n"),
    (
        "websocket",
        "websocket { listen: \"127.0.0.1:8080\", no_tls: true, same_origin: true, allowed_origins: [\"http://a\"], compression: true, handshake_timeout: \"2s\", jwt_cookie: j }\n",
    ),
    (
        "websocket_auth",
        "authorization { users: [ { user: a, password: b } ] }\nwebsocket { port: 8080, no_tls: true, no_auth_user: a, authorization { timeout: 1 }, headers { X-A: b } }\n",
    ),
    (
        "mqtt",
        "server_name: s\njetstream: true\nmqtt { port: 1883, ack_wait: 10s, max_ack_pending: 5, js_domain: d, stream_replicas: 3 }\n",
    ),
    ("operator", "operator: [\"eyJ0eXAiOiJKV1QifQ.e30.x\"]\nresolver: MEM\n"),
    (
        "resolver",
        "resolver { type: full, dir: \"/tmp/jwt\", allow_delete: true, interval: \"2m\", limit: 5 }\n",
    ),
    ("resolver_url", "resolver: URL(\"http://127.0.0.1:9090/jwt/v1/accounts/\")\n"),
    ("trusted", "trusted_keys: [\"OAFLYHQFDNAUWMVQPLJPEC6OFU4CNLV5M6VPYDPOKHW4SZFBTJJI6IXZ\"]\n"),
    (
        "tags",
        "server_tags: [\"a:b\", \"c\"]\nserver_metadata { k: v }\nfeature_flags { js_ack_fc_v2: true }\ndefault_js_domain { A: d }\n",
    ),
    (
        "variables",
        "PORT = 4222\nSIZE = 1KB\nport: $PORT\nmax_payload: $SIZE\nuser = a\nauthorization { user: $user, password: \"b\" }\n",
    ),
    (
        "values",
        "# comment\n// another\nport: 4222 # after\nserver_name: 'single \" quoted'\nmax_payload: 8k\nmax_pending: 1_000\n",
    ),
    (
        "shapes",
        "server_tags [ a, b\n c;d ]\nserver_tags = a\nmappings { \"a b\": c }\nhttp_port 8222\n",
    ),
    ("raw", "server_name: (\nblock of\n text\n)\nserver_tags: (\n x\n)\n"),
    (
        "files",
        "pid_file: \"/tmp/x.pid\"\nports_file_dir: \"/tmp\"\nprof_port: 6060\nmax_traced_msg_len: 10\nsyslog: true\nremote_syslog: \"udp://localhost:514\"\n",
    ),
    (
        "switches",
        "no_header_support: true\nno_system_account: true\nallow_non_tls: true\ndisable_sublist_cache: true\nproxy_protocol: true\nno_fast_producer_stall: true\nmax_closed_clients: 5\nconnect_error_reports: 3\nreconnect_error_reports: 4\n",
    ),
    (
        "ocsp",
        "ocsp { mode: always, url: \"http://x\" }\nocsp_cache { type: local, local_store: \"/tmp\", preserve_revoked: true, save_interval: 10 }\n",
    ),
    (
        "proxies",
        "proxies { trusted: [ { key: \"UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR\" } ] }\n",
    ),
    ("unknown", "no_such_key: 1\nport: 4222\n"),
    (
        "redefined",
        "port: 4222\nport: 4223\nauthorization { user: a, password: b }\nauthorization { token: c }\n",
    ),
];

/// The language itself: odd but whole files.
const LANGUAGE: &[(&str, &str)] = &[
    ("empty", ""),
    ("blank", "\n\n"),
    ("comment", "# only\n"),
    ("no_newline", "port: 4222"),
    ("crlf", "port: 4222\r\nserver_name: a\r\n"),
    ("tabs", "\tport\t:\t4222\t\n"),
    ("bom", "\u{feff}port: 4222\n"),
    ("nul", "port: 42\0\n"),
    ("json", "{\"port\": 4222, \"server_name\": \"x\"}\n"),
    (
        "json_lines",
        "{\n  \"port\": 4222,\n  \"authorization\": {\"user\": \"a\", \"password\": \"b\"}\n}\n",
    ),
    ("json_open", "{\"port\": 4222\n"),
    ("key_alone", "port\n"),
    ("value_missing", "port:\n"),
    ("value_missing_eof", "port:"),
    ("open_string", "server_name: \"abc\n"),
    ("open_single", "server_name: 'abc\n"),
    ("open_map", "tls {\n"),
    ("open_list", "server_tags: [a, b\n"),
    ("open_block", "server_name: (\nabc\n"),
    ("close_map", "}\n"),
    ("close_list", "]\n"),
    ("mixed_close", "authorization { user: a ]\n"),
    ("bad_escape", "server_name: \"a\\qb\"\n"),
    ("escapes", "server_name: \"a\\tb\\x41\\\"\\\\\"\n"),
    ("bad_hex", "server_name: \"a\\xZZ\"\n"),
    ("variable_unknown", "port: $NO_SUCH_VARIABLE_HERE\n"),
    ("variable_cycle", "A: $B\nB: $A\nport: $A\n"),
    ("variable_self", "A: $A\n"),
    ("variable_bcrypt", "authorization { user: a, password: $2a$11$abc }\n"),
    ("include_missing", "include \"no_such_file.conf\"\n"),
    ("include_unquoted", "include no_such_file.conf\n"),
    ("include_in_map", "authorization { include './no.conf' }\n"),
    ("include_nothing", "include\n"),
    ("negative", "port: -1\nmax_payload: -5\n"),
    ("float", "max_payload: 1.5\n"),
    ("date", "server_name: 2024-05-05T10:00:00Z\n"),
    ("bool_words", "debug: on\ntrace: off\nlogtime: yes\nsyslog: no\nallow_non_tls: TRUE\n"),
    (
        "sizes",
        "max_payload: 1k\nmax_pending: 1Mi\nmax_control_line: 1KiB\nlogfile_size_limit: 2gb\n",
    ),
    ("size_bad", "max_payload: 1xb\n"),
    ("size_overflow", "max_payload: 99999999999999999999\n"),
    ("size_large", "max_payload: 3GB\n"),
    ("double_colon", "port:: 4222\n"),
    ("double_equals", "port == 4222\n"),
    ("leading_comma", ",port: 4222\n"),
    ("comma_list", "server_tags: [a,,b]\n"),
    ("trailing_comma", "server_tags: [a,b,]\n"),
    ("semicolons", "port: 4222;;debug: true;\n"),
    ("same_line", "port: 4222 debug: true\n"),
    ("nested_lists", "server_tags: [[a], b]\n"),
    ("key_quoted", "\"port\": 4222\n'debug': true\n"),
    ("key_open_quote", "\"port: 4222\n"),
    ("key_spaces", "my key: 1\n"),
    ("key_number", "1: 2\n"),
    ("utf8", "server_name: \"ünï\"\n"),
    ("comment_in_string", "server_name: \"a#b//c\"\n"),
    ("comment_in_word", "server_name: a#b\n"),
    ("slash_word", "pid_file: /tmp/x.pid//y\n"),
];

pub(super) fn suites() -> Vec<Suite> {
    let owned = |list: &[(&str, &str)]| {
        list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let mut all = vec![
        Suite { name: "config::corpus".to_owned(), work: Work::Check(owned(CORPUS)) },
        Suite { name: "config::language".to_owned(), work: Work::Check(owned(LANGUAGE)) },
    ];
    for (name, text) in CORPUS {
        let work = Work::Check(damaged(text));
        all.push(Suite { name: format!("damage::{name}"), work });
    }
    all
}

pub(super) fn ask(name: &str, text: &str, place: &Place) -> Answer {
    let path = place.config(text);
    let answer = place.run(&["-t", "-c", &path.to_string_lossy()]);
    Answer { script: name.to_owned(), asked: text.to_owned(), text: answer }
}

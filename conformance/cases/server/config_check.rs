//! `nats-server -t`: every error and warning, with the place it is reported at.

use crate::Cx;
use crate::kit::tls::Authority;

crate::cases! {
    "server/config_check_test.go",
    wire every_complaint_has_its_place => ["TestConfigCheck"],
    wire included_files_are_checked_too => ["TestConfigCheckIncludes"],
    wire all_errors_are_reported_at_once => ["TestConfigCheckMultipleErrors"],
}

/// A configuration with a `^` wherever an error is reported, and the errors in the order of their
/// places.
struct Row {
    config: String,
    errors: Vec<(usize, usize, String)>,
    /// The error is found once, at the one or the other place: upstream reads the keys of a map in
    /// no particular order.
    either: bool,
    /// Errors that upstream finds when it does not stop at another before.
    maybe: Vec<(usize, usize, String)>,
}

impl Row {
    /// Lines of configuration, then a line `=> message` per error or `=> valid`; a message goes on
    /// in lines that are indented, and one that is not always found begins with `maybe`. The
    /// configuration begins on line 2.
    fn parse(text: &str) -> Self {
        let (config, messages) = text.split_once("=> ").expect("a row says what is expected");
        let named = |text: &str| {
            NKEYS.iter().fold(text.to_owned(), |text, (name, key)| text.replace(name, key))
        };
        let mut marked = format!("\n{}", named(config));
        let messages = named(&messages.trim_end().replace("\n   ", " "));
        let mut places = Vec::new();
        while let Some(at) = marked.find('^') {
            let before = &marked[..at];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            places.push((1 + before.matches('\n').count(), 1 + at - line_start));
            marked.remove(at);
        }
        let messages = messages.split("\n=> ").filter(|message| *message != "valid");
        let messages: Vec<&str> = messages.collect();
        let either = messages.len() == 1 && places.len() == 2;
        let count = if either { 2 } else { messages.len() };
        // Without a place, the error is the file's.
        let places = places.into_iter().chain(std::iter::repeat((0, 0)));
        let found = places
            .zip(messages.into_iter().cycle().take(count))
            .map(|((line, column), message)| (line, column, message.to_owned()));
        let (mut errors, mut maybe) = (Vec::new(), Vec::new());
        for (line, column, message) in found {
            match message.strip_prefix("maybe ") {
                Some(message) => maybe.push((line, column, message.to_owned())),
                None => errors.push((line, column, message)),
            }
        }
        Self { config: marked, errors, either, maybe }
    }

    /// What the server says of the file, line by line and sorted.
    fn expected(&self, path: &str) -> Vec<String> {
        Self::lines(&self.errors, path)
    }

    fn lines(errors: &[(usize, usize, String)], path: &str) -> Vec<String> {
        let line = |(line, column, message): &(usize, usize, String)| match line {
            0 => format!("{path}: {message}"),
            _ => format!("{path}:{line}:{column}: {message}"),
        };
        let mut lines: Vec<String> = errors.iter().map(line).collect();
        lines.sort();
        lines
    }
}

/// Checks a configuration; its exit code, and what it says as [`Row::expected`] has it.
async fn complaints(cx: &Cx, name: &str) -> (Option<i32>, Vec<String>) {
    let exit = cx.run(&["-t", "-c", name]).await;
    let said = exit.stderr.trim_end();
    let said = said.strip_prefix("nats-server: ").unwrap_or(said);
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    lines.sort();
    (exit.code, lines)
}

async fn every_complaint_has_its_place(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["127.0.0.1"]);
    std::fs::copy(identity.cert, cx.dir().join("cert.pem")).expect("a certificate");
    std::fs::copy(identity.key, cx.dir().join("key.pem")).expect("a key");
    let rows: Vec<Row> = ROWS.split("\n\n").map(Row::parse).collect();
    assert_eq!(rows.len(), 156);
    for (index, row) in rows.iter().enumerate() {
        let name = format!("row{index}.conf");
        cx.file(&name, &row.config);
        let (code, mut said) = complaints(&cx, &name).await;
        let maybe = Row::lines(&row.maybe, &name);
        said.retain(|line| !maybe.contains(line));
        if row.errors.is_empty() {
            let valid = format!("configuration file {name} is valid (sha256:");
            assert_eq!(code, Some(0), "{}: {said:?}", row.config);
            assert!(said.len() == 1 && said[0].starts_with(&valid), "{}: {said:?}", row.config);
        } else {
            let mut expected = row.expected(&name);
            if row.either {
                expected.retain(|line| said.contains(line));
                assert_eq!(expected.len(), 1, "{}: {said:?}", row.config);
            }
            assert_eq!((code, said), (Some(1), expected), "{}", row.config);
        }
    }
}

async fn included_files_are_checked_too(cx: Cx) {
    cx.file("users.conf", "authorization { user: foo, pass: bar }\n");
    cx.file("used.conf", "watch_port: 8222\ninclude \"users.conf\"\n");
    cx.file("good.conf", "port: 4222\ninclude \"used.conf\"\nhttp_port: $watch_port\n");
    assert_eq!(complaints(&cx, "good.conf").await.0, Some(0));

    cx.file("unused.conf", "include \"users.conf\"\n\n\n\n    watch_port: 8222\n");
    cx.file("bad.conf", "port: 4222\ninclude \"unused.conf\"\n# http_port: $watch_port\n");
    let unknown = "unused.conf:5:5: unknown field \"watch_port\"".to_owned();
    assert_eq!(complaints(&cx, "bad.conf").await, (Some(1), vec![unknown]));
}

async fn all_errors_are_reported_at_once(cx: Cx) {
    let row = Row::parse(MANY);
    cx.file("many.conf", &row.config);
    let (code, mut said) = complaints(&cx, "many.conf").await;
    // Not found when upstream happens to read the accounts before the single user.
    said.retain(|line| !line.ends_with("Can not have a single user/pass and accounts"));
    assert_eq!((code, said), (Some(1), row.expected("many.conf")));
}

/// Names for public nkeys of users and accounts.
const NKEYS: [(&str, &str); 8] = [
    ("<U1>", "UCARKS2E3KVB7YORL2DG34XLT7PUCOL2SVM7YXV6ETHLW6Z46UUJ2VZ3"),
    ("<U2>", "UD6AYQSOIN2IN5OGC6VQZCR4H3UFMIOXSW6NNS6N53CLJA4PB56CEJJI"),
    ("<U3>", "UB57IEMPG4KOTPFV5A66QKE2HZ3XBXFHVRCCVMJEWKECMVN2HSH3VTSJ"),
    ("<U4>", "UC6NLCN7AS34YOJVCYD4PJ3QB7QGLYG5B5IMBT25VW5K4TNUJODM7BOX"),
    ("<U5>", "UBAAQWTW6CG2G6ANGNKB5U2B7HRWHSGMZEZX3AQSAJOQDAUGJD46LD2E"),
    ("<A1>", "AC5GRL36RQV7MJ2GT6WQSCKDKJKYTK4T2LGLWJ2SEJKRDHFOQQWGGFQL"),
    ("<A2>", "ADRZ42QBM7SXQDXXTSVWT2WLLFYOQGAFC4TO6WOAXHEKQHIXR4HFYJDS"),
    ("<A3>", "AD4YRVUJF2KASKPGRMNXTYKIYSCB3IHHB4Y2ME6B2PDIV5QJ23C2ZRIT"),
];

const MANY: &str = r##"^authorization { user: foo, pass: bar, token: baz }
^monitoring: 8222, ^write_deadline: 5
accounts {
  north {
    exports [ { stream: "north.>" } ]
    ^nkey: "O<A1>", users [ { ^nkey: "O<U1>" } ]
  }
  east {
    ^nkey: "O<A2>", users [ { ^nkey: "O<U2>" } ]
    imports [ { stream { account: north, subject: "north.>" }, prefix: "in.east" } ]
  }
  south {
    nkey: "<A3>", users [ { nkey: "<U3>" } ]
    imports [ { stream { account: north, subject: "north.>" }, prefix: "in.south" } ]
  } }
cluster { ^authorization { users [] } }
=> Cannot have a user/pass and token
=> unknown field "monitoring"
=> invalid use of field "write_deadline": write_deadline should be converted to a duration
=> Not a valid public nkey for an account: "O<A1>"
=> Not a valid public nkey for a user
=> Not a valid public nkey for an account: "O<A2>"
=> Not a valid public nkey for a user
=> Cluster authorization does not allow multiple users
"##;

/// The rows, with blank lines between them.
const ROWS: &str = r##"^monitor: "127.0.0.1:4442"
=> unknown field "monitor"

"^default_permissions" { publish ["_SANDBOX.>"], subscribe ["_SANDBOX.>"] }
=> unknown field "default_permissions"

authorization {}
=> valid

authorization { ^foo: bar }
=> unknown field "foo"

port: 4222, authorization { user: one, ^foo: bar, password: two }
=> unknown field "foo"

authorization { users [ { user: foo, pass: bar, ^token: four } ] }
=> unknown field "token"

authorization { permissions { subscribe {}, ^inboxes {}, publish {} } }
=> Unknown field "inboxes" parsing permissions

authorization { permissions { subscribe { allow ["one", two], deny ["foo", bar],
  ^denied: "_INBOX.>" }, publish {} } }
=> Unknown field name "denied" parsing subject permissions, only 'allow' or 'deny' are permitted

authorization { permissions { publish { allow ["one", two], deny ["foo", bar],
  ^allowed: "_INBOX.>" }, subscribe {} } }
=> Unknown field name "allowed" parsing subject permissions, only 'allow' or 'deny' are permitted

authorization { default_permissions { subscribe ["a"], publish ["b"], ^inboxes ["c"] },
  users [ { user: foo, pass: bar } ] }
=> Unknown field "inboxes" parsing permissions

authorization { default_permissions { subscribe: a, ^requests: b, publish: c }, users [
  { user: foo, pass: bar } ] }
=> Unknown field "requests" parsing permissions

authorization { users [ { user: foo, pass: bar, permissions: {} } ] }
=> valid

authorization { users [ { user: foo, pass: bar, permissions { ^inboxes: true } } ] }
=> Unknown field "inboxes" parsing permissions

cluster {}
=> valid

port: 4222, cluster { port: 6222, ^foo: bar, authorization { user: one, pass: two } }
=> unknown field "foo"

cluster { authorization { ^foo: bar } }
=> unknown field "foo"

tls { ^one: two }
=> error parsing tls config, unknown field "one"

cluster { tls { ^foo: bar } }
=> error parsing tls config, unknown field "foo"

tls { cipher_suites [ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" ], ^preferences [] }
=> error parsing tls config, unknown field "preferences"

tls { curve_preferences [ "CurveP256", "CurveP384", "CurveP521" ], ^suites [] }
=> error parsing tls config, unknown field "suites"

tls { curve_preferences [ "^CurveP5210000" ] }
=> unrecognized curve preference CurveP5210000

tls { cert_file: "cert.pem", key_file: "key.pem", ^verify_cert_and_check_known_urls: true }
=> verify_cert_and_check_known_urls not supported in this context

cluster { port: 6222, routes [ nats://127.0.0.1:6222 ], ^peers [] }
=> unknown field "peers"

listen: 127.0.0.1:4222, authorization { super_user { publish: ">", subscribe: ">" },
  req_pub_user { publish ["req.foo", "req.bar"], subscribe: "_INBOX.>" },
  default_user { subscribe: "PUBLIC.>" }, ^unused: one, default_permissions: $default_user,
  users [ { user: alice, password: foo, permissions: $super_user }, { user: bob,
  password: bar, permissions: $req_pub_user }, { user: susan, password: baz } ] }
=> unknown field "unused"

watch_port: 8222, http_port: $watch_port, port: 4222
=> valid

cluster { route_port: 6222, port: $route_port }
=> valid

cluster { ^authorization { permissions { publish { allow: ["foo", bar] } } },
  permissions { publish { deny: ["foo", bar] } } }
=> invalid use of field "authorization": setting "permissions" within cluster authorization block is
   deprecated

^write_deadline: 100
=> invalid use of field "write_deadline": write_deadline should be converted to a duration

http_port: 8222, accounts { north { nkey: "<A1>", users [ { nkey: "<U1>" } ],
  exports [ { service: "north.requests", accounts: [east, south] } ] }, east { nkey: "<A2>",
  users [ { nkey: "<U2>" } ], imports [ { service: { account: north, subject: "north.requests" },
  to: "east.requests" } ] }, south { nkey: "<A3>", users [ { nkey: "<U3>" } ],
  imports [ { service: { account: north, subject: "north.requests" } } ] } }
=> valid

accounts { north { nkey: "<A1>", users [
  { ^nkey: "SCARKS2E3KVB7YORL2DG34XLT7PUCOL2SVM7YXV6ETHLW6Z46UUJ2VZ3" } ],
  exports [ { service: "north.requests", accounts: [east, south] } ] }, east { nkey: "<A2>",
  users [ { nkey: "<U2>" } ], imports [ { service: { account: north, subject: "north.requests" },
  to: "east.requests" } ] }, south { nkey: "<A3>", users [ { nkey: "<U3>" } ],
  imports [ { service: { account: north, subject: "north.requests" } } ] } }
=> Not a valid public nkey for a user

http_port: 8222, accounts { ^foo: bar }
=> Expected map entries for accounts

accounts { PERMISSIONS { publish { allow ["foo","bar"], deny ["four"] } }, north {
  nkey: "<A1>", users [ { nkey: "<U1>", permissions: $PERMISSIONS } ], exports [ {
  stream: "north.>" } ] } }
=> valid

accounts { PERMISSIONS { ^publish { allow ["foo","bar"], deny ["four"] } }, north {
  nkey: "<A1>", users [ { nkey: "<U1>" } ], exports [ { stream: "north.>" } ] } }
=> unknown field "publish"

http_port: 8222, accounts { ^$G {} }
=> "$G" is a Reserved Account

accounts { north { ^nkey: invalid } }
=> Not a valid public nkey for an account: "invalid"

port: 4222, accounts [foo, bar, "^$G"], http_port: 8222
=> "$G" is a Reserved Account

port: 4222, accounts [foo, bar, ^bar], http_port: 8222
=> Duplicate Account Entry: bar

port: 4222, accounts { east { ^users [ { user: foo, pass: bar }, { user: one, pass: two },
  { user: foo, pass: bar } ] } }, http_port: 8222
=> Duplicate user "foo" detected

port: 4222, accounts { east { ^imports: true } }, http_port: 8222
=> Imports should be an array, got bool

port: 4222, accounts { east { ^exports: true } }, http_port: 8222
=> Exports should be an array, got bool

port: 4222, accounts { east { imports [ ^false ] } }, http_port: 8222
=> Import Items should be a map with type entry, got bool

port: 4222, accounts { east { exports [ ^false ] } }, http_port: 8222
=> Export Items should be a map with type entry, got bool

port: 4222, accounts { east { exports [ { ^stream: false } ] } }, http_port: 8222
=> Expected stream name to be string, got bool

accounts { east { exports [ { ^service: false } ] } }
=> Expected service name to be string, got bool

port: 4222, accounts { east { imports [ { ^stream: {} } ] } }, http_port: 8222
=> Expect an account name and a subject

port: 4222, accounts { east { imports [ { ^service: {} } ] } }, http_port: 8222
=> Expect an account name and a subject

accounts { A { ^trace_dest: 123 } }
=> Expected account message trace "trace_dest" to be a string or a map/struct, got int64

accounts { A { ^trace_dest: "invalid..dest" } }
=> Trace destination "invalid..dest" is not valid

accounts { A { ^trace_dest: "invalid.publish.*.subject" } }
=> Trace destination "invalid.publish.*.subject" is not valid

accounts { A { msg_trace: { ^dest: 123 } } }
=> Field "dest" should be a string, got int64

accounts { A { msg_trace: { ^dest: "invalid..dest" } } }
=> Trace destination "invalid..dest" is not valid

accounts { A { msg_trace: { dest: "acc.dest", ^sampling: { not: that } } } }
=> Trace destination sampling field "sampling" should be an integer or a percentage, got
   map[string]interface {}

accounts { A { msg_trace: { dest: "acc.dest", ^sampling: abc% } } }
=> Invalid trace destination sampling value "abc%"

accounts { A { msg_trace: { dest: "acc.dest", ^sampling: -1 } } }
=> Ttrace destination sampling value -1 is invalid, needs to be [1..100]

accounts { A { msg_trace: { dest: "acc.dest", ^sampling: 0 } } }
=> Ttrace destination sampling value 0 is invalid, needs to be [1..100]

accounts { A { msg_trace: { dest: "acc.dest", ^sampling: 101 } } }
=> Ttrace destination sampling value 101 is invalid, needs to be [1..100]

accounts { A { msg_trace: { ^wrong: field } } }
=> Unknown field "wrong" parsing account message trace map/struct "msg_trace"

^authorization { token: "s3cr3t", users [ { user: foo, pass: bar } ] }
=> Can not have a token and a users array

^authorization { user: foo, pass: bar, token: baz }
=> Cannot have a user/pass and token

^authorization { user: "user1", pass: "pwd1", users [ { user: "user2", pass: "pwd2" } ] }
=> Can not have a single user/pass and a users array

^authorization { users [ { user: "user1", pass: pwd }, { user: "user2", pass: pwd },
  { user: "user1", pass: pwd } ] }
=> Duplicate user "user1" detected

^authorization { users [ { nkey: <U4> }, { nkey: <U5> }, { nkey: <U4> } ] }
=> Duplicate nkey "<U4>" detected

authorization { ^users: false }
=> Expected users field to be an array, got false

authorization { users [^false] }
=> Expected user entry to be a map/struct, got false

authorization { users [{ user: one, pass: two }], ^permissions: false }
=> Expected permissions to be a map/struct, got false

authorization { permissions { publish { allow [^false, one, two], deny ["foo", bar] },
  subscribe {} } }
=> Subject in permissions array cannot be cast to string

authorization { permissions { publish { allow ["one", two], deny [^true, foo, bar] },
  subscribe {} } }
=> Subject in permissions array cannot be cast to string

authorization { permissions { publish { ^allow: false }, subscribe {} } }
=> Expected subject permissions to be a subject, or array of subjects, got bool

authorization { permissions { publish { ^allow ["foo..bar"] }, subscribe {} } }
=> subject "foo..bar" is not a valid subject

cluster { ^listen: "0.0.0.0:XXXX" }
=> could not parse port "XXXX"

cluster { ^authorization { users [] } }
=> Cluster authorization does not allow multiple users

cluster { routes [ "^0.0.0.0:XXXX" ] }
=> error parsing route url ["0.0.0.0:XXXX"]

cluster { tls {} }
=> valid

^lame_duck_duration: abc
=> error parsing lame_duck_duration: time: invalid duration "abc"

^lame_duck_duration: "5s"
=> invalid lame_duck_duration of 5s, minimum is 30 seconds

^lame_duck_grace_period: abc
=> error parsing lame_duck_grace_period: time: invalid duration "abc"

^lame_duck_grace_period: "-5s"
=> invalid lame_duck_grace_period, needs to be positive

leafnodes { remotes [ { url: "tls://nats:7422", tls { timeout: 0.01 } } ] }
=> valid

leafnodes { remotes [ { url: "tls://nats:7422", tls { timeout: 0.01,
  ^verify_cert_and_check_known_urls: true } } ] }
=> verify_cert_and_check_known_urls not supported in this context

leafnodes { ^remotes { url: "tls://nats:7422" } }
=> Expected remotes field to be an array, got
   map[string]interface {}

leafnodes { remotes [ { ^urls: 1234 } ] }
=> Expected remote leafnode url to be an array or string, got 1234

leafnodes { port: -1, ^min_version: 123 }
=> interface conversion: interface {} is int64, not string

leafnodes { port: -1, ^min_version: bad.version }
=> invalid leafnode's minimum version: invalid semver

leafnodes { port: -1, ^min_version: 2.7.9 }
=> the minimum version should be at least 2.8.0

system_account: sys, accounts { sys { users: [ { user: sys, pass: "" } ] }, east.io {
  users [ { user: bar, pass: "" } ], exports [ { service: "east.add", response: singleton,
  latency { sampling: 100%, subject: "latency.tracking.add" } } ] } }
=> valid

system_account: sys, ^accounts { sys { users: [ { user: sys, pass: "" } ] }, east.io {
  users [ { user: bar, pass: "" } ], exports [ { service: "east.add", response: singleton,
  latency: "*" } ] } }
=> Error adding service latency sampling for "east.add" on subject "*": invalid publish subject

system_account: sys, accounts { sys { users: [ { user: sys, pass: "" } ] }, east.io {
  users [ { user: bar, pass: "" } ], exports [ { stream: "east.add", ^latency: foo } ] } }
=> Detected latency directive on non-service

system_account: sys, accounts { sys { users: [ { user: sys, pass: "" } ] }, east.io {
  users [ { user: bar, pass: "" } ], exports [ { stream: "east.add", ^allow_trace: true } ] } }
=> Detected allow_trace directive on non-service

system_account: sys, accounts { sys { users: [ { user: sys, pass: "" } ] }, east.io {
  users [ { user: bar, pass: "" } ], exports [ { ^allow_trace: true, stream: "east.add" } ] } }
=> Detected allow_trace directive on non-service

accounts { A { users [ { user: user1, pass: "" } ], exports [{ service: foo }] }, B {
  users [ { user: user2, pass: "" } ], imports [ { service: { account: "A", subject: foo },
  ^allow_trace: true } ] } }
=> Detected allow_trace directive on a non-stream

accounts { A { users [ { user: user1, pass: "" } ], exports [{ service: foo }] }, B {
  users [ { user: user2, pass: "" } ], imports [ { ^allow_trace: true, service: {
  account: "A", subject: foo } } ] } }
=> Detected allow_trace directive on a non-stream

accounts { A { users [ { user: user1, pass: "" } ], exports [ { service: "remote1" },
  { service: "remote2" } ] }, B { users [ { user: user2, pass: "" } ], imports [ {
  service: { account: "A", subject: "remote1" }, to: local }, { service: { account: "A",
  subject: "remote2" }, to: local }^ ] } }
=> Duplicate service import subject "local", previously used in import for account "A",
   subject "remote1"

leafnodes { ^authorization { user: user1, password: pwd, users [{ user: user2,
  password: pwd }] } }
=> can not have a single user/pass and a users array

leafnodes { ^authorization { users [ { user: user, password: pwd }, { user: user,
  password: pwd } ] } }
=> duplicate user "user" detected in leafnode authorization

^mqtt [ wrong ]
=> Expected mqtt to be a map, got []interface {}

mqtt { ^listen: xxxxxxxx }
=> could not parse address string "xxxxxxxx"

mqtt { ^host: 1234 }
=> interface conversion: interface {} is int64, not string

mqtt { ^port: abc }
=> interface conversion: interface {} is string, not int64

mqtt { port: -1, ^tls { cert_file: "cert.pem" } }
=> missing 'key_file' in TLS configuration

authorization { users [ { user: a, password: pwd, ^allowed_connection_types: 123 } ] }
=> error parsing allowed connection types: unsupported type int64

authorization { users [ { user: a, password: pwd, allowed_connection_types: [ ^123,
  WEBSOCKET ] } ] }
=> error parsing allowed connection types: unsupported type in array int64

authorization { users [ { user: a, password: pwd, ^allowed_connection_types: [
  "UNKNOWN" ] } ] }
=> invalid connection types ["UNKNOWN"]

websocket { authorization { ^unknown: field } }
=> unknown field "unknown"

websocket { ^tls { cert_file: "cert.pem" } }
=> missing 'key_file' in TLS configuration

websocket { tls { cert_file: "cert.pem", key_file: "key.pem",
  ^verify_cert_and_check_known_urls: true } }
=> verify_cert_and_check_known_urls not supported in this context

^store_dir: foo, jetstream { ^store_dir: bar }
=> Duplicate 'store_dir' configuration

cluster { port: -1, ^authorization { token: token } }
=> Cluster authorization does not support tokens

gateway { port: -1, name: "A", ^authorization { token: token } }
=> Gateway authorization does not support tokens

cluster { port: -1, ^pool_size: abc }
=> interface conversion: interface {} is string, not int64

cluster { port: -1, ^accounts: 123 }
=> error parsing accounts: unsupported type int64

cluster { port: -1, ^compression: 123 }
=> field "compression" should be a boolean or a structure, got int64

cluster { port: -1, compression { ^mode: 123 } }
=> interface conversion: interface {} is int64, not string

cluster { port: -1, compression { mode: "s2_auto", ^rtt_thresholds: 123 } }
=> interface conversion: interface {} is int64, not []interface {}

cluster { port: -1, compression { mode: "s2_auto", ^rtt_thresholds [abc] } }
=> time: invalid duration "abc"

cluster { port: -1, ^ping_interval: -1, ping_max: 6 }
=> invalid use of field "ping_interval": ping_interval should be converted to a duration

cluster { port: -1, ^ping_interval: '2m', ping_max: 6 }
=> Cluster 'ping_interval' will reset to 30s which is the max for routes

leafnodes { port: -1, ^compression: 123 }
=> field "compression" should be a boolean or a structure, got int64

leafnodes { port: -1, compression { ^mode: 123 } }
=> interface conversion: interface {} is int64, not string

leafnodes { port: -1, compression { mode: "s2_auto", ^rtt_thresholds: 123 } }
=> interface conversion: interface {} is int64, not []interface {}

leafnodes { port: -1, compression { mode: "s2_auto", ^rtt_thresholds [abc] } }
=> time: invalid duration "abc"

leafnodes { port: -1, remotes [ { url: "nats://127.0.0.1:123", ^compression: 123 } ] }
=> field "compression" should be a boolean or a structure, got int64

leafnodes { port: -1, remotes [ { url: "nats://127.0.0.1:123", compression { ^mode: 123 } } ] }
=> interface conversion: interface {} is int64, not string

leafnodes { port: -1, remotes [ { url: "nats://127.0.0.1:123", compression { mode: "s2_auto",
  ^rtt_thresholds: 123 } } ] }
=> interface conversion: interface {} is int64, not []interface {}

leafnodes { port: -1, remotes [ { url: "nats://127.0.0.1:123", compression { mode: "s2_auto",
  ^rtt_thresholds [abc] } } ] }
=> time: invalid duration "abc"

leafnodes { port: -1, remotes [ { url: "nats://127.0.0.1:123", ^first_info_timeout: abc } ] }
=> error parsing first_info_timeout: time: invalid duration "abc"

leafnodes { port: -1, remotes [ { url: "nats://user1:pwd@127.0.0.1:1234" },
  { url: "nats://user2:pwd@127.0.0.1:1235" }, { ^url: "nats://user1:pwd@127.0.0.1:1234" } ] }
=> duplicate remote urls=["nats://user1:xxxxx@127.0.0.1:1234"], account="$G"

=> config has no values or is empty

# nothing but a comment
=> config has no values or is empty

port: -1, tls { ^first: 123 }
=> field "first" should be a boolean or a string, got int64

port: -1, tls { ^first: "123" }
=> field "first"'s value "123" is invalid

port: -1, tls { certs [ { cert_file: "cert.pem", key_file: "key.pem" }, { cert_file: "cert.pem",
  key_file: "key.pem" } ] }
=> valid

port: -1, tls { certs [ { cert_file: "cert.pem", ^key_file: 123 }, { cert_file: "cert.pem",
  key_file: "key.pem" } ] }
=> error parsing certificates config: unsupported type int64

port: -1, tls { certs [ { ^cert_file: "cert.pem" }, { cert_file: "cert.pem",
  key_file: "key.pem" } ] }
=> error parsing certificates config: both 'cert_file' and 'cert_key' options are required

port: -1, ^tls { cert_file: "cert.pem", key_file: "key.pem", certs [ { cert_file: "cert.pem",
  key_file: "key.pem" }, { cert_file: "cert.pem", key_file: "key.pem" } ] }
=> error parsing tls config, cannot combine 'cert_file' option with 'certs' option

port: -1, tls { cert_file: "cert.pem", key_file: "key.pem", certs [] }
=> valid

port: -1, ^tls { certs [ { cert_file: "cert.pem", key_file: "key.pem" }, { cert_file: "cert.pem",
  key_file: "none.pem" } ] }
=> error parsing X509 certificate/key pair 2/2: open none.pem: no such file or directory

port: -1, ^proxies: 123
=> expected proxies to be a map/struct, got int64

port: -1, proxies { ^field1: 123 }
=> unknown field "field1"

port: -1, proxies { ^trusted: 123 }
=> expected proxies' trusted field to be an array, got int64

port: -1, proxies { trusted [ ^abc, ^def ] }
=> expected proxies' trusted entry to be a map/struct, got string
=> expected proxies' trusted entry to be a map/struct, got string

port: -1, proxies { trusted [ { key: "<U1>", ^field1: 123 } ] }
=> unknown field "field1"

port: -1, proxies { trusted [ { key: "<U1>" }, { ^key: "bad1" }, { key: "<U2>" }, {
  ^key: "bad2" } ] }
=> invalid proxy key "bad1"
=> invalid proxy key "bad2"

port: -1, ^authorization { user: user, password: pwd, ^proxy_required: 123 }
=> runtime error: invalid memory address or nil pointer dereference
=> interface conversion: interface {} is int64, not bool

port: -1, authorization { users [ { user: user, password: pwd, ^proxy_required: 123 } ] }
=> interface conversion: interface {} is int64, not bool

port: -1, authorization { users [ { nkey: "<U1>", ^proxy_required: 123 } ] }
=> interface conversion: interface {} is int64, not bool

port: -1, accounts { A { users [ { user: user, password: pwd, ^proxy_required: 123 } ] } }
=> interface conversion: interface {} is int64, not bool

port: -1, accounts { A { users [ { nkey: "<U1>", ^proxy_required: 123 } ] } }
=> interface conversion: interface {} is int64, not bool

port: -1, leafnodes { port: -1, ^authorization { user: user, password: pwd,
  ^proxy_required: 123 } }
=> runtime error: invalid memory address or nil pointer dereference
=> interface conversion: interface {} is int64, not bool

port: -1, leafnodes { port: -1, ^authorization { nkey: "<U1>", ^proxy_required: 123 } }
=> runtime error: invalid memory address or nil pointer dereference
=> interface conversion: interface {} is int64, not bool

port: -1, leafnodes { port: -1, authorization { users [ { user: user, password: pwd,
  ^proxy_required: 123 } ] } }
=> interface conversion: interface {} is int64, not bool

port: -1, leafnodes { port: -1, authorization { users [ { ^nkey: "<U1>",
  ^proxy_required: 123 } ] } }
=> maybe unknown field "nkey"
=> interface conversion: interface {} is int64, not bool

leafnodes { remotes [ { url: "ws://127.0.0.1:7422", ^proxy { url: "ftp://proxy:8080" } } ] }
=> proxy URL scheme must be http or https, got: ftp

leafnodes { remotes [ { url: "ws://127.0.0.1:7422", ^proxy { url: "http://" } } ] }
=> proxy URL must specify a host

leafnodes { remotes [ { url: "ws://127.0.0.1:7422", ^proxy { url: "http://proxy:8080",
  username: testuser } } ] }
=> proxy username and password must both be specified or both be empty

leafnodes { remotes [ { url: "ws://127.0.0.1:7422", ^proxy { url: "http://proxy:8080",
  password: testpass } } ] }
=> proxy username and password must both be specified or both be empty

leafnodes { remotes [ { url: "wss://127.0.0.1:7422", ^proxy { url: "http://proxy:8080" } } ] }
=> proxy is configured but remote URL wss://127.0.0.1:7422 requires TLS and no TLS configuration
   is provided. When using proxy with TLS endpoints, ensure TLS is properly
   configured for the leafnode remote
"##;

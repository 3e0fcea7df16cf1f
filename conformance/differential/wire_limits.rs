//! Every limit, from just below to just above.

use super::Suite;
use super::wire::{CONNECT, Script, Turn, logged, suite};

pub(super) fn suites() -> Vec<Suite> {
    let lines = control_line();
    vec![
        suite("max_control_line", "max_control_line: 64", lines),
        suite("max_control_line_default", "", default_control_line()),
        suite("max_payload", "max_payload: 32", payload()),
        suite("max_payload_default", "", default_payload()),
        suite("max_subscriptions", "max_subscriptions: 2", subscriptions()),
        suite("max_sub_tokens", "max_sub_tokens: 3", sub_tokens()),
        suite("max_connections", "max_connections: 2", connections()),
        suite("max_connections_one", "max_connections: 1", connections()),
        suite("ping", "ping_interval: \"300ms\"\nping_max: 1", pings()),
        suite("ping_two", "ping_interval: \"200ms\"\nping_max: 2", pings()),
        suite("proxy_protocol", "proxy_protocol: true", proxy()),
        suite("mappings", MAPPINGS, mappings()),
        suite("no_echo", "", echo()),
        logged("limits", LOGGED, logged_limits()),
    ]
}

const LOGGED: &str = "debug: true\nmax_control_line: 64\nmax_payload: 32\nmax_subscriptions: 2";

/// A SUB whose arguments are `length` bytes long.
fn sub_of(length: usize) -> String {
    format!("SUB {} 1\r\n", "s".repeat(length - 2))
}

fn control_line() -> Vec<Script> {
    let mut all = Vec::new();
    for length in [10, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 200] {
        all.push(Script::one(&format!("sub_{length}"), "CONNECT {}\r\n", sub_of(length)));
        let subject = "p".repeat(length - 2);
        let line = format!("PUB {subject} 1\r\nx\r\n");
        all.push(Script::one(&format!("pub_{length}"), "CONNECT {}\r\n", line));
        let line = format!("UNSUB {}\r\n", "u".repeat(length));
        all.push(Script::one(&format!("unsub_{length}"), "CONNECT {}\r\n", line));
        let line = format!("PING{}\r\n", " ".repeat(length));
        all.push(Script::one(&format!("ping_{length}"), "CONNECT {}\r\n", line));
        let json = format!("{{\"name\":\"{}\"}}", "n".repeat(length - 10 + 1));
        all.push(Script::one(&format!("connect_{length}"), "", format!("CONNECT {json}\r\n")));
        // The line's end comes later.
        let line = format!("CONNECT {{}}\r\nSUB {} 1", "s".repeat(length - 2));
        let turns = vec![Turn::pieces(0, &[line.as_bytes(), b"\r\nPING\r\n"])];
        all.push(Script { name: format!("sub_split_{length}"), turns });
        let line = format!("CONNECT {{}}\r\nPUB {} 1", "p".repeat(length - 2));
        let turns = vec![Turn::pieces(0, &[line.as_bytes(), b"\r\nx\r\nPING\r\n"])];
        all.push(Script { name: format!("pub_split_{length}"), turns });
    }
    all
}

fn default_control_line() -> Vec<Script> {
    [4094, 4095, 4096, 4097, 4098, 5000]
        .into_iter()
        .flat_map(|length| {
            let one = Script::one(&format!("sub_{length}"), CONNECT, sub_of(length));
            let split = sub_of(length);
            let (head, tail) = split.split_at(length);
            let bytes = [CONNECT, head].concat();
            let tail = format!("{tail}PING\r\n");
            let turns = vec![Turn::pieces(0, &[bytes.as_bytes(), tail.as_bytes()])];
            [one, Script { name: format!("sub_split_{length}"), turns }]
        })
        .collect()
}

fn payload() -> Vec<Script> {
    let headers = "CONNECT {\"headers\":true}\r\n";
    let mut all = Vec::new();
    for size in [0, 1, 31, 32, 33, 64] {
        let body = "x".repeat(size);
        let line = format!("SUB l.a 1\r\nPUB l.a {size}\r\n{body}\r\n");
        all.push(Script::one(&format!("pub_{size}"), CONNECT, line));
        let total = size + 12;
        let line = format!("SUB l.a 1\r\nHPUB l.a 12 {total}\r\nNATS/1.0\r\n\r\n{body}\r\n");
        all.push(Script::one(&format!("hpub_{total}"), headers, line));
        let line = format!("{CONNECT}PUB l.a {size}\r\n");
        let end = format!("{body}\r\nPING\r\n");
        let turns = vec![Turn::pieces(0, &[line.as_bytes(), end.as_bytes()])];
        all.push(Script { name: format!("split_{size}"), turns });
    }
    for size in ["2147483647", "2147483648", "4294967296", "9223372036854775808", "033", "-1"] {
        all.push(Script::one(&format!("size_{size}"), CONNECT, format!("PUB l.a {size}\r\n")));
        let line = format!("HPUB l.a {size} {size}\r\n");
        all.push(Script::one(&format!("header_size_{size}"), headers, line));
    }
    // Refused before anybody has connected.
    all.push(Script::raw("unconnected", "PUB l.a 33\r\nPING\r\n"));
    all
}

fn default_payload() -> Vec<Script> {
    [1_048_576, 1_048_577]
        .into_iter()
        .map(|size| Script::one(&format!("size_{size}"), CONNECT, format!("PUB l.a {size}\r\n")))
        .collect()
}

fn subscriptions() -> Vec<Script> {
    let two = "SUB a 1\r\nSUB b 2\r\n";
    let case = |name: &str, rest: &str| Script::one(name, CONNECT, format!("{two}{rest}"));
    vec![
        case("two", ""),
        case("three", "SUB c 3\r\n"),
        case("three_then_more", "SUB c 3\r\nPUB a 1\r\nx\r\nSUB d 4\r\n"),
        case("same_sid", "SUB c 2\r\n"),
        case("freed", "UNSUB 1\r\nSUB c 3\r\n"),
        case("freed_later", "UNSUB 1 1\r\nSUB c 3\r\nPUB a 1\r\nx\r\nSUB c 4\r\n"),
    ]
}

fn sub_tokens() -> Vec<Script> {
    ["a", "a.b", "a.b.c", "a.b.c.d", "a.b.*.d", "a.b.c.>", "a.b.>", "a.b.c.d.e.f.g"]
        .into_iter()
        .flat_map(|subject| {
            let plain = format!("SUB {subject} 1\r\n");
            let queue = format!("SUB {subject} q 1\r\n");
            let publish = format!("SUB > 1\r\nPUB {subject} 1\r\nx\r\n");
            [
                Script::one(&format!("sub {subject}"), CONNECT, plain),
                Script::one(&format!("queue {subject}"), CONNECT, queue),
                Script::one(&format!("pub {subject}"), CONNECT, publish),
            ]
        })
        .collect()
}

fn connections() -> Vec<Script> {
    vec![
        Script::many("one", CONNECT, &[(0, "")]),
        Script::many("two", CONNECT, &[(0, ""), (1, "")]),
        Script::many("three", CONNECT, &[(0, ""), (1, ""), (2, "")]),
    ]
}

fn pings() -> Vec<Script> {
    vec![
        Script::raw("stale", CONNECT).until_closed(),
        Script::raw("stale_verbose", "CONNECT {}\r\n").until_closed(),
    ]
}

/// PROXY headers, then a client's first words.
fn proxy() -> Vec<Script> {
    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let v2 = |version_command: u8, family: u8, rest: &[u8]| {
        let length = u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes();
        [V2, &[version_command, family], &length, rest].concat()
    };
    let ipv4 = [10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x10, 0x7e];
    let mut ipv6 = [0_u8; 36];
    ipv6[15] = 1;
    ipv6[31] = 2;
    let mut long = ipv4.to_vec();
    long.extend([0x20; 300]);
    let headers: Vec<(&str, Vec<u8>)> = vec![
        ("none", Vec::new()),
        ("tcp4", b"PROXY TCP4 10.0.0.1 10.0.0.2 1234 4222\r\n".to_vec()),
        ("tcp6", b"PROXY TCP6 ::1 ::2 1234 4222\r\n".to_vec()),
        ("unknown", b"PROXY UNKNOWN\r\n".to_vec()),
        ("unknown_more", b"PROXY UNKNOWN a b c d\r\n".to_vec()),
        ("udp4", b"PROXY UDP4 10.0.0.1 10.0.0.2 1234 4222\r\n".to_vec()),
        ("lower", b"proxy tcp4 10.0.0.1 10.0.0.2 1234 4222\r\n".to_vec()),
        ("few", b"PROXY TCP4 10.0.0.1 10.0.0.2 1234\r\n".to_vec()),
        ("many", b"PROXY TCP4 10.0.0.1 10.0.0.2 1234 4222 9\r\n".to_vec()),
        ("bad_address", b"PROXY TCP4 10.0.0.x 10.0.0.2 1234 4222\r\n".to_vec()),
        ("address_family", b"PROXY TCP4 ::1 ::2 1234 4222\r\n".to_vec()),
        ("address_family6", b"PROXY TCP6 10.0.0.1 10.0.0.2 1234 4222\r\n".to_vec()),
        ("bad_port", b"PROXY TCP4 10.0.0.1 10.0.0.2 x 4222\r\n".to_vec()),
        ("large_port", b"PROXY TCP4 10.0.0.1 10.0.0.2 65536 4222\r\n".to_vec()),
        ("negative_port", b"PROXY TCP4 10.0.0.1 10.0.0.2 -1 4222\r\n".to_vec()),
        ("zero_port", b"PROXY TCP4 10.0.0.1 10.0.0.2 0 0\r\n".to_vec()),
        ("lone_lf", b"PROXY TCP4 10.0.0.1 10.0.0.2 1234 4222\n".to_vec()),
        ("long", [b"PROXY TCP4 ".as_slice(), &[b'1'; 120], b"\r\n"].concat()),
        ("spaces", b"PROXY  TCP4  10.0.0.1 10.0.0.2 1234 4222\r\n".to_vec()),
        ("v2_tcp4", v2(0x21, 0x11, &ipv4)),
        ("v2_tcp6", v2(0x21, 0x21, &ipv6)),
        ("v2_local", v2(0x20, 0x00, &[])),
        ("v2_local_addresses", v2(0x20, 0x11, &ipv4)),
        ("v2_unspec", v2(0x21, 0x00, &[])),
        ("v2_unix", v2(0x21, 0x31, &[0; 216])),
        ("v2_udp4", v2(0x21, 0x12, &ipv4)),
        ("v2_short", v2(0x21, 0x11, &ipv4[..8])),
        ("v2_more", v2(0x21, 0x11, &long)),
        ("v2_version1", v2(0x11, 0x11, &ipv4)),
        ("v2_command5", v2(0x25, 0x11, &ipv4)),
        ("v2_family_f", v2(0x21, 0xf1, &ipv4)),
        ("v2_bad_signature", b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c".to_vec()),
    ];
    headers
        .into_iter()
        .map(|(name, header)| Script {
            name: name.to_owned(),
            turns: vec![Turn::new(0, [&header, CONNECT.as_bytes(), b"PING\r\n"].concat())],
        })
        .collect()
}

const MAPPINGS: &str = r#"
mappings {
  m.plain: m.there
  m.tokens.*.*: "m.swapped.{{wildcard(2)}}.{{wildcard(1)}}"
  m.old.*.*: "m.old2.$2.$1"
  m.part.*: "m.parted.{{partition(3,1)}}.$1"
  m.split.*: "m.splits.{{split(1,-)}}"
  m.slice.*: "m.slices.{{SliceFromLeft(1,2)}}"
  m.slicer.*: "m.slicers.{{SliceFromRight(1,2)}}"
  m.left.*: "m.lefts.{{Left(1,3)}}"
  m.right.*: "m.rights.{{Right(1,3)}}"
  m.atleft.*: "m.atlefts.{{SplitFromLeft(1,2)}}"
  m.atright.*: "m.atrights.{{SplitFromRight(1,2)}}"
  m.tail.>: m.tails.>
  m.all: [ { destination: m.every, weight: 100% } ]
  m.none: [ { destination: m.never, weight: 0% } ]
  m.cluster: [ { destination: m.here, weight: 100%, cluster: "C" } ]
  m.chain: m.plain
}"#;

fn mappings() -> Vec<Script> {
    let subjects = [
        "m.plain",
        "m.tokens.a.b",
        "m.old.a.b",
        "m.part.x",
        "m.part.y",
        "m.part.zzz",
        "m.split.a-b-c",
        "m.split.abc",
        "m.split.-a-",
        "m.slice.abcde",
        "m.slice.a",
        "m.slicer.abcde",
        "m.left.abcde",
        "m.left.ab",
        "m.right.abcde",
        "m.right.ab",
        "m.atleft.abcde",
        "m.atleft.ab",
        "m.atright.abcde",
        "m.atright.a",
        "m.tail.a.b.c",
        "m.all",
        "m.none",
        "m.cluster",
        "m.chain",
        "m.other",
        "m.tokens.é.b",
    ];
    subjects
        .into_iter()
        .map(|subject| {
            let bytes = format!("SUB m.> 1\r\nPUB {subject} m.reply 1\r\nx\r\n");
            Script::one(subject, CONNECT, bytes)
        })
        .collect()
}

fn echo() -> Vec<Script> {
    let connect = "CONNECT {\"verbose\":false,\"echo\":false}\r\n";
    vec![
        Script::one("own", connect, "SUB e.a 1\r\nPUB e.a 1\r\nx\r\n"),
        Script::one("own_queue", connect, "SUB e.a q 1\r\nPUB e.a 1\r\nx\r\n"),
        Script::one("own_request", connect, "SUB e.a 1\r\nSUB e.r 2\r\nPUB e.a e.r 1\r\nx\r\n"),
        Script::many("others", connect, &[(0, "SUB e.a 1\r\n"), (1, "PUB e.a 1\r\nx\r\n")]),
    ]
}

/// What the log says of connections that go too far.
fn logged_limits() -> Vec<Script> {
    vec![
        Script::one("control_line", CONNECT, sub_of(80)),
        Script::one("payload", CONNECT, "PUB a 33\r\n"),
        Script::one("subscriptions", CONNECT, "SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n"),
        Script::one("unknown", CONNECT, "BAD\r\n"),
        Script::one("publish_arguments", CONNECT, "PUB a b c d e\r\n"),
        Script::one("size", CONNECT, "PUB a x\r\n"),
        Script::one("payload_end", CONNECT, "PUB a 1\r\nxyz\r\n"),
        Script::one("subscribe_arguments", CONNECT, "SUB a\r\n"),
        Script::one("unsubscribe_arguments", CONNECT, "UNSUB\r\n"),
        Script::one(
            "subject",
            "CONNECT {\"pedantic\":true}\r\n",
            "SUB a..b 1\r\nPUB a..b 0\r\n\r\n",
        ),
        Script::one("json", "CONNECT {x\r\n", ""),
        Script::one("json_type", "CONNECT {\"verbose\":7}\r\n", ""),
        Script::one("protocol", "CONNECT {\"protocol\":9}\r\n", ""),
        Script::one("account", "CONNECT {\"account\":\"A\"}\r\n", ""),
        Script::one("headers", CONNECT, "HPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
        Script::one(
            "route",
            "CONNECT {\"lang\":\"\",\"cluster\":\"x\",\"server_id\":\"y\"}\r\n",
            "",
        ),
        Script::one(
            "named",
            "CONNECT {\"name\":\"me\",\"lang\":\"rust\",\"version\":\"1\"}\r\n",
            "",
        ),
    ]
}

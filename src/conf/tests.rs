//! What the language means beyond the ported tests, limits, equality with the upstream binary, and
//! that no bytes do harm.

use super::parser::{MAX_DEPTH, MAX_NESTED_SOURCES};
use super::*;
use crate::base::{Env, Rng};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;

fn env(vars: &[(&str, &str)], files: &[(&str, &str)]) -> Env {
    let vars: BTreeMap<_, _> = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let env = Env::simulated_with_vars(1, vars);
    for (name, content) in files {
        env.fs().write(Path::new(name), content.as_bytes(), 0).unwrap();
    }
    env
}

fn parse(text: &str) -> Result<Map, ConfError> {
    parse_str(&env(&[], &[]), text)
}

#[track_caller]
fn check_error(text: &str, want: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), want, "{text:?}");
}

/// Digests printed by `nats-server -t` 2.15.1 for files with this content.
#[test]
fn digests_of_the_upstream_binary() {
    let vars = [("EV_MAP", "{a:1,b:[x,y]}"), ("EV_INT", "22"), ("EV_LIST", "[1k, 2 ]")];
    let env = env(&vars, &[]);
    for (text, want) in GOLDEN_DIGESTS {
        let found = parse_bytes(&env, text).map(|map| digest(&map));
        assert_eq!(found.as_deref(), Ok(&*format!("sha256:{want}")), "{:?}", text.escape_ascii());
    }
}

#[rustfmt::skip]
const GOLDEN_DIGESTS: &[(&[u8], &str)] = &[
    (b"port = 4222", "797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e"),
    (b"host: 0.0.0.0, port: 4222;debug true", "2a0c08c0c68c5f9a51651259c08e6fda05f74f73797519879e3e7d345a75d490"),
    (b"{\"http_port\": 8222, \"port\": 4222}", "e1de37c563dc2a33a5197af8e1150847495a17cf64705d1e2f10e5449aa8e601"),
    (b"A = [1, -2 , 3k, 4KiB, 5e, 9eb, 1.5, -0.0, 0.0000001, 1234567890123456789012345.0 ]\nport = $A\nport = 4222\n", "92cfd886f2fa204320bb2abcc0621780635a05d629b1d3cb632278c8d8621ab9"),
    (b"A = \"<a href='x'>&\\t\\n\\r\\x08\\x0c\\x01\\x7f\\\"\\\\ \xe2\x80\xa8\"\nport = $A\nport = 4222\n", "e96b475a3f5e8f00a1172e79cf604d6493c7ef9139758cb1af6053896c8b51d8"),
    (b"A = \"\\xe9\\xff\xfe\xef\xbf\xbd\"\nport = $A\nport = 4222\n", "608edb28bfac2b4461766241a7866b6843aaf3a4d170c132d1026a10f48f92bf"),
    (b"A = (\n  raw { text } )\n)\nport = $A\nport = 4222\n", "052ef6943a67b51ecaf4a552f05e8b9b3fa13954952e0b9ad730b890d97bda20"),
    (b"A = (\n at the end\n)\nport = $A; port = (\n4222\n)\nport = 4222", "d260b51d32baa1fd67afd2259800b794f9619a640111cb88e4a5b4a6fcd401c0"),
    (b"A = 2016-02-29T23:59:59Z\nport = $A\nport = 4222\n", "9471e6164578b11e3a34ab23f2b97215bea9ca0fcf00a671e2d4c35dbed0971d"),
    (b"A = [0000-01-01T00:00:00Z, 9999-12-31T23:59:59Z]\nport = $A\nport = 4222\n", "8d0116b44d2f0e923d12b67ff90ad4d42c9c4fed255aeb5eb9626a48cb483403"),
    (b"A = {z: yes, a: OFF, Z: \"true\", \xc3\xa9: {}, \"\": [] }\nport = $A\nport = 4222\n", "3ae83a4a3f2259edb982b9fbeae60d72d7c1d49264632fe55b88d9c88fcd8244"),
    (b"x = 1; A { x = 2, y = $x, z { x = $y } }\nport = $A\nport = 4222\nport = $x; port = 4222", "4ed703aa3d132e0e4a400a648f4fa6ea26314544da9701dbc9bffc73c80c26fe"),
    (b"A { b }\nb = 7; port = $b; port = 4222", "16ff3e31fe37b67135a72fc6d437113f7363fae61017b9b92edb62c7951e0257"),
    (b"A = 1kbb\nport = 4222", "797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e"),
    (b"A = [1k1, 3xyz, 1.2.3.4:5, 9223372036854775807k , -1.2.3]\nport = $A\nport = 4222\n", "953344a2ae2eccbdff67a9d75fb654d3c35054b439a8fc91e371ec24297a0fcd"),
    (b"A = nats://u:p@h:4222/a#b\nport = $A\nport = 4222\n", "49b42e4676339beb199d95e5508dd5656cc412005d0c0e740a6116265aa1319d"),
    (b"port = 4222\n}", "797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e"),
    (b"accounts { A { users = [ {user: a, password: b} ] }, B: { jetstream: {max_mem: 1G} } }", "80d51f1c20ac8d86d9a9569de25ffbbfdd33a97232eccbc3a70480c2774360d1"),
    (b"A = [$EV_MAP, $EV_INT, $EV_LIST, $2a$10$abc ]\nport = $A\nport = 4222\n", "26f2edd37359ffe1360d135897ff9e0d04142921759a5349a81a918aaecba65a"),
];

#[test]
fn errors_as_upstream_prints_them() {
    for (text, want) in [
        ("a", "config is invalid (:1:1)"),
        (
            "a = [1,2,3]",
            "Parse error on line 1: 'Expected an array value terminator \",\" or an array terminator \"]\", but got '\0' instead.'",
        ),
        (
            "a = 1 b",
            "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, but got 'b' instead.'",
        ),
        ("a = {b = ,}", "Parse error on line 1: 'Unexpected map value terminator \",\".'"),
        ("a = {]}", "Parse error on line 1: 'Unexpected array end ']' processing map.'"),
        ("a = [,]", "Parse error on line 1: 'Unexpected array value terminator ','.'"),
        ("a = 'b", "Parse error on line 1: 'Unexpected EOF.'"),
        ("a =\n", "Parse error on line 2: 'Expected value but found new line'"),
        (
            "a = 2016-05-0x",
            "Parse error on line 1: 'Expected digit in ISO8601 datetime, but found 'x' instead.'",
        ),
        (
            "a = 2016-05-04X",
            "Parse error on line 1: 'Expected 'T' in ISO8601 datetime, but found 'X' instead.'",
        ),
        (
            "a = 2016-02-30T00:00:00Z",
            "expected Zulu formatted DateTime, but got '2016-02-30T00:00:00Z'",
        ),
        ("a = 201-05", "Parse error on line 1: 'All ISO8601 dates must be in full Zulu form.'"),
        ("a = 9223372036854775808", "integer '9223372036854775808' is out of the range"),
        ("a = 1\u{663}", "expected integer, but got '1\u{663}'"),
        ("a = 1.\u{663}", "expected float, but got '1.\u{663}'"),
        (
            "include nope.conf",
            "error parsing include file 'nope.conf', open nope.conf: no such file or directory",
        ),
        (
            "include /etc/x",
            "error parsing include file '/etc/x', open etc/x: no such file or directory",
        ),
        (
            "a { include [x] }",
            "Parse error on line 1: 'Expected include value but found start of an array'",
        ),
    ] {
        check_error(text, want);
    }
    let float = format!("a = {}.0", "9".repeat(400));
    check_error(&float, &format!("float '{}.0' is out of the range", "9".repeat(400)));
}

#[test]
fn environment_variables_that_cannot_be() {
    let vars = [("SELF", "$SELF"), ("A", "$B"), ("B", "$A"), ("OPEN", "'abc"), ("NOTHING", "1kbb")];
    let env = env(&vars, &[]);
    for (text, want) in [
        (
            "x = $SELF",
            "variable reference for 'SELF' on line 1 could not be parsed: variable reference for 'SELF' on line 1 could not be parsed: variable reference cycle for 'SELF'",
        ),
        (
            "\nx = $A",
            "variable reference for 'A' on line 2 could not be parsed: variable reference for 'B' on line 1 could not be parsed: variable reference for 'A' on line 1 could not be parsed: variable reference cycle for 'A'",
        ),
        (
            "x = $OPEN",
            "variable reference for 'OPEN' on line 1 could not be parsed: Parse error on line 1: 'Unexpected EOF.'",
        ),
        ("x = $NOTHING", "variable reference for 'NOTHING' on line 1 can not be found"),
        ("x = $", "variable reference for '' on line 1 can not be found"),
    ] {
        assert_eq!(parse_str(&env, text).unwrap_err().to_string(), want);
    }
}

#[test]
fn a_key_without_value_takes_the_next_one() {
    let map = parse("a { b }\nc = 1").unwrap();
    assert_eq!(map.iter().map(|(k, _)| k.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    let map = parse("m { n = 1kbb }").unwrap();
    assert_eq!(map.get("n").unwrap().kind, ValueKind::Map(Map::default()));
    assert!(map.get("m").is_none());
}

#[test]
fn variables_leave_their_marks() {
    let map = parse("a = 1\nb = [$a]\nc { d = $a }\na = 2").unwrap();
    let ValueKind::Array(items) = &map.get("b").unwrap().kind else { panic!() };
    assert!(items[0].from_variable && !items[0].used_as_variable);
    assert_eq!(items[0].pos.to_string(), ":2:7");
    // The `a` that was used is gone.
    assert_eq!(map.get("a").unwrap().kind, ValueKind::Integer(2));
    assert!(!map.get("a").unwrap().used_as_variable);
}

#[test]
fn nesting_has_a_limit() {
    let nested =
        |open: &str, close: &str, n: usize| format!("a = {}{}", open.repeat(n), close.repeat(n));
    // The outermost map is a level.
    assert!(parse(&nested("[", "]", MAX_DEPTH - 1)).is_ok());
    let want = format!("values nested deeper than {MAX_DEPTH} levels on line 1");
    check_error(&nested("[", "]", MAX_DEPTH), &want);
    check_error(&nested("{a ", "}", 100_000), &want);
    // Braces around the whole file are no nesting.
    assert_eq!(parse(&"{".repeat(100_000)), Ok(Map::default()));
    // Nor does a variable get around it.
    let half = MAX_DEPTH / 2;
    let twice =
        format!("{}\nb = {}$a{}", nested("[", "]", half), "[".repeat(half), " ]".repeat(half));
    let want = format!("values nested deeper than {MAX_DEPTH} levels on line 2");
    check_error(&twice, &want);
}

#[test]
fn files_and_variables_that_nest_without_end() {
    let text = |e: ConfError| e.to_string();
    let loops = env(
        &[("X", "{\ninclude x.conf\n}")],
        &[("a.conf", "include b.conf"), ("b.conf", "include ./a.conf"), ("x.conf", "y = $X")],
    );
    let error = text(parse_file(&loops, Path::new("a.conf")).unwrap_err());
    let limit = format!("included files nested deeper than {MAX_NESTED_SOURCES} levels on line 1");
    assert!(error.ends_with(&limit), "{error}");
    let error = text(parse_file(&loops, Path::new("x.conf")).unwrap_err());
    assert!(error.ends_with("variable reference cycle for 'X'"), "{error}");
}

#[test]
fn variables_cannot_grow_without_bound() {
    let mut text = "v0 = [x]\n".to_owned();
    for i in 1..40 {
        text += &format!("v{i} = [$v{0}, $v{0} ]\n", i - 1);
    }
    let error = parse(&text).unwrap_err();
    assert!(matches!(error, ConfError::TooLarge { .. }), "{error}");
}

#[test]
fn many_keys_take_linear_time() {
    let text: String = (0..100_000).map(|i| format!("key{i} = {i}\n")).collect();
    let map = parse(&text).unwrap();
    assert_eq!(map.len(), 100_000);
    assert_eq!(map.get("key99999").unwrap().kind, ValueKind::Integer(99_999));
}

/// No bytes may panic, hang or overflow the stack. `CONF_FUZZ_ROUNDS` makes it longer.
#[test]
fn damaged_files_do_no_harm() {
    let rounds = Env::os().var("CONF_FUZZ_ROUNDS").and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let seed = Env::os().var("CONF_FUZZ_SEED").and_then(|n| n.parse().ok()).unwrap_or(1);
    let env = env(
        &[("E", "{a: [1k, $F]}"), ("F", "'x'"), ("G", "$G")],
        &[
            ("ok.conf", "u = [{n: a, p: $2a$10$x}]\nv = 2016-05-04T18:53:41Z"),
            ("loop.conf", "include loop.conf"),
            ("bad.conf", "a { b"),
        ],
    );
    let mut rng = Rng::from_seed(seed);
    for round in 0..rounds {
        let input = damaged(&mut rng);
        // What went in, should the parser not come back.
        let shown = || format!("seed {seed} round {round}: {}", input.escape_ascii());
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| parse_bytes(&env, &input)));
        match result {
            Ok(Ok(map)) => assert_eq!(digest(&map).len(), 71, "{}", shown()),
            Ok(Err(error)) => assert!(!error.to_string().is_empty(), "{}", shown()),
            Err(_) => panic!("{}", shown()),
        }
    }
}

const FRAGMENTS: &[&str] = &[
    "a",
    "b = 1",
    "port: 4222",
    "{",
    "}",
    "[",
    "]",
    "(",
    "\n)",
    "\n",
    "\r\n",
    " ",
    "\t",
    ",",
    ";",
    "=",
    ":",
    "'",
    "\"",
    "\\",
    "\\x4",
    "\\x41",
    "\\n",
    "/",
    "//",
    "#",
    "$",
    "$a",
    "$E",
    "$F",
    "$G",
    "$2a$10$abc",
    "include ",
    "include ok.conf",
    "include 'loop.conf'",
    "include bad.conf",
    "1k",
    "1kb",
    "9223372036854775808",
    "-",
    "-1",
    "1.5",
    ".",
    "1.2.3.4:5",
    "2016-05-04T18:53:41Z",
    "2016-",
    "true",
    "off",
    "\0",
    "\u{a0}",
    "\u{663}",
    "\u{1d7ce}",
    "k { x: [ {y: 1}, {z: 2} ] }",
    "(\n text\n)\n",
];

/// Fragments of the language in disorder, or bytes in disorder, with bytes changed.
fn damaged(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    if rng.below(8) == 0 {
        bytes.resize(rng.below(64) as usize, 0);
        rng.fill(&mut bytes);
    } else {
        for _ in 0..rng.below(24) {
            let fragment = FRAGMENTS[rng.below(FRAGMENTS.len() as u64) as usize];
            bytes.extend_from_slice(fragment.as_bytes());
            if rng.below(2) == 0 {
                bytes.push(b" \n"[rng.below(2) as usize]);
            }
        }
    }
    for _ in 0..rng.below(4) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(3) {
            0 => bytes.insert(at, rng.next_u64() as u8),
            1 if at < bytes.len() => bytes[at] = rng.next_u64() as u8,
            _ => bytes.truncate(at),
        }
    }
    bytes
}

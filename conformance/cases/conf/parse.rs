//! Values of the configuration language: variables, includes, blocks, digests.

use std::collections::BTreeMap;
use std::path::Path;

use nats_server::base::Env;
use nats_server::conf::{self, ConfError, Map, Value, ValueKind};

crate::cases! {
    "conf/parse_test.go",
    library top_level => ["TestSimpleTopLevel"],
    library booleans => ["TestBools"],
    library variables => ["TestSimpleVariable", "TestNestedVariable", "TestMissingVariable"],
    library environment => ["TestEnvVariable", "TestEnvVariableString"],
    library environment_starting_with_a_digit => ["TestEnvVariableStringStartingWithNumber", "TestEnvVariableStringStartingWithNumberAndSizeUnit", "TestEnvVariableStringStartingWithNumberUsingQuotes"],
    library bcrypt_is_no_variable => ["TestBcryptVariable"],
    library sizes => ["TestConvenientNumbers"],
    library variables_stay_keys => ["TestParseFileWithChecksDigestPreservesConfigKeyUsedAsVariable"],
    library nested_maps => ["TestSample1", "TestSample2"],
    library text_and_arrays_of_maps => ["TestSample3", "TestSample4"],
    library dates => ["TestSample5"],
    library includes => ["TestIncludes", "TestIncludeVariablesWithChecks"],
    library no_endless_loop => ["TestParserNoInfiniteLoop"],
    library keys_without_values => ["TestParseWithNoValuesAreInvalid"],
    library nothing_at_all => ["TestParseWithNoValuesEmptyConfigsAreValid"],
    library trailing_brackets => ["TestParseWithTrailingBracketsAreValid"],
    library keys_without_values_in_includes => ["TestParseWithNoValuesIncludes"],
    library json => ["TestJSONParseCompat"],
    library blocks => ["TestBlocks"],
    library digests => ["TestParseDigest"],
}

const HASH_A: &str = "$2a$10$UHR6GhotWhpLsKtVP0/i6.Nh9.fuY73cWjLoJjb2sKT8KISBcUW5q";
const HASH_B: &str = "$2a$11$dZM98SpGeI7dCFFGSpt.JObQcix8YHml4TBUZoge9R1uxnMIln5ly";

/// A map on one line: types are told apart, entries stand in the order of the file.
fn shown(map: &Map) -> String {
    let entries: Vec<_> = map.iter().map(|(k, v)| format!("{}={}", k.name, value(v))).collect();
    format!("{{{}}}", entries.join(" "))
}

fn value(v: &Value) -> String {
    match &v.kind {
        ValueKind::Bool(b) => b.to_string(),
        ValueKind::Integer(n) => n.to_string(),
        ValueKind::Float(x) => format!("{x:?}"),
        ValueKind::String(s) => format!("{s:?}"),
        ValueKind::DateTime(seconds) => format!("@{seconds}"),
        ValueKind::Array(items) => {
            format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(" "))
        }
        ValueKind::Map(map) => shown(map),
    }
}

fn env(vars: &[(&str, &str)], files: &[(&str, &str)]) -> Env {
    let vars: BTreeMap<_, _> = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let env = Env::simulated_with_vars(1, vars);
    for (name, content) in files {
        env.fs().write(&Path::new("/etc").join(name), content.as_bytes(), 0).unwrap();
    }
    env
}

fn parse(text: &str) -> Result<Map, ConfError> {
    conf::parse_str(&env(&[], &[]), text)
}

#[track_caller]
fn check(text: &str, want: &str) {
    assert_eq!(shown(&parse(text).unwrap()), want, "{text:?}");
}

/// Parses `files[0]`, which may include the others.
fn parse_files(files: &[(&str, &str)]) -> Result<Map, ConfError> {
    conf::parse_file(&env(&[], files), &Path::new("/etc").join(files[0].0))
}

fn top_level() {
    check("foo='1'; bar=2.2; baz=true; boo=22", "{foo=\"1\" bar=2.2 baz=true boo=22}");
}

fn booleans() {
    for word in ["true", "TRUE", "yes", "on"] {
        check(&format!("foo={word}"), "{foo=true}");
    }
    for word in ["false", "No", "off"] {
        check(&format!("foo={word}"), "{foo=false}");
    }
}

fn variables() {
    check("\n  index = 22\n  foo = $index\n", "{index=22 foo=22}");
    check(
        "\nindex = 22\nnest {\n  index = 11\n  foo = $index\n}\nbar = $index\n",
        "{index=22 nest={index=11 foo=11} bar=22}",
    );
    assert_eq!(
        parse("foo=$index").unwrap_err().to_string(),
        "variable reference for 'index' on line 1 can not be found"
    );
}

/// What `foo = $X` means with the environment variable `X`.
fn from_environment(content: &str) -> Result<String, String> {
    let env = env(&[("X", content)], &[]);
    conf::parse_str(&env, "foo = $X").map(|m| shown(&m)).map_err(|e| e.to_string())
}

fn environment() {
    assert_eq!(from_environment("22").unwrap(), "{foo=22}");
    assert_eq!(from_environment("xyz").unwrap(), "{foo=\"xyz\"}");
}

fn environment_starting_with_a_digit() {
    // Upstream's test refers to a variable that does not exist, and expects an error.
    assert!(parse("foo = $%s").is_err());
    assert_eq!(from_environment("3xyz").unwrap(), "{foo=\"3xyz\"}");
    assert_eq!(from_environment("3Gyz").unwrap(), "{foo=\"3Gyz\"}");
    assert_eq!(from_environment("'3xyz'").unwrap(), "{foo=\"3xyz\"}");
}

fn bcrypt_is_no_variable() {
    check("password: $2a$11$ooo", "{password=\"$2a$11$ooo\"}");
}

fn sizes() {
    for (text, want) in [
        ("8k", 8_000),
        ("4kb", 4 << 10),
        ("3ki", 3 << 10),
        ("4kib", 4 << 10),
        ("1m", 1_000_000),
        ("2MB", 2 << 20),
        ("2Mi", 2 << 20),
        ("64MiB", 64 << 20),
        ("2g", 2_000_000_000),
        ("22GB", 22 << 30),
        ("22Gi", 22 << 30),
        ("22GiB", 22 << 30),
        ("22TB", 22 << 40),
        ("22Ti", 22 << 40),
        ("22TiB", 22 << 40),
        ("22PB", 22 << 50),
        ("22Pi", 22 << 50),
        ("22PiB", 22_i64 << 50),
    ] {
        check(&format!("n = {text}\n"), &format!("{{n={want}}}"));
    }
}

fn variables_stay_keys() {
    let map = parse_files(&[("nats.conf", "\n port = 4222\n monitor_port = $port\n")]).unwrap();
    assert_eq!(shown(&map), "{port=4222 monitor_port=4222}");
    assert!(map.get("port").unwrap().used_as_variable);
}

fn nested_maps() {
    check(
        "\nfoo  {\n  host {\n    ip   = '127.0.0.1'\n    port = 4242\n  }\n  \
         servers = [ \"a.com\", \"b.com\", \"c.com\"]\n}\n",
        "{foo={host={ip=\"127.0.0.1\" port=4242} servers=[\"a.com\" \"b.com\" \"c.com\"]}}",
    );
    check(
        "\ncluster {\n  port: 4244\n\n  authorization {\n    user: route_user\n    \
         password: top_secret\n    timeout: 1\n  }\n\n  # one comment\n\n  // another\n\n  \
         routes = [\n    nats-route://foo:bar@a.me:4245\n    nats-route://foo:bar@a.me:4246\n  ]\n}\n",
        "{cluster={port=4244 \
         authorization={user=\"route_user\" password=\"top_secret\" timeout=1} \
         routes=[\"nats-route://foo:bar@a.me:4245\" \"nats-route://foo:bar@a.me:4246\"]}}",
    );
}

fn text_and_arrays_of_maps() {
    check(
        "\nfoo  {\n  expr = '(true == \"false\")'\n  text = 'One line\nand another.'\n}\n",
        r#"{foo={expr="(true == \"false\")" text="One line\nand another."}}"#,
    );
    check(
        "\n  array [\n    { abc: 123 }\n    { xyz: \"word\" }\n  ]\n",
        "{array=[{abc=123} {xyz=\"word\"}]}",
    );
}

fn dates() {
    check("\n  now = 2016-05-04T18:53:41Z\n  gmt = false\n\n", "{now=@1462388021 gmt=false}");
}

fn includes() {
    let passwords = format!("# two users\nALICE_PASS: {HASH_A}\nBOB_PASS: {HASH_B}\n");
    let files = [
        (
            "simple.conf",
            "listen: 127.0.0.1:4222\n\nauthorization {\n  \
             include 'includes/users.conf' # more there\n  timeout: 0.5\n}\n",
        ),
        (
            "includes/users.conf",
            "# users\n\ninclude ./passwords.conf;\n\nusers = [\n  \
             {user: alice, password: $ALICE_PASS}\n  {user: bob,   password: $BOB_PASS}\n]\n",
        ),
        ("includes/passwords.conf", &*passwords),
    ];
    assert_eq!(
        shown(&parse_files(&files).unwrap()),
        format!(
            "{{listen=\"127.0.0.1:4222\" authorization={{ALICE_PASS=\"{HASH_A}\" \
             BOB_PASS=\"{HASH_B}\" users=[{{user=\"alice\" password=\"{HASH_A}\"}} \
             {{user=\"bob\" password=\"{HASH_B}\"}}] timeout=0.5}}}}"
        )
    );
    values_have_places(&passwords);
}

/// Values from an included file have their places there.
fn values_have_places(passwords: &str) {
    let main = "\nauthorization {\n\n  include \"./includes/passwords.conf\"\n\n  \
                CAROL_PASS: foo\n\n  users = [\n   {user: alice, password: $ALICE_PASS}\n   \
                {user: carol, password: $CAROL_PASS}\n  ]\n}\n";
    let map = parse_files(&[("a.conf", main), ("includes/passwords.conf", passwords)]).unwrap();
    let ValueKind::Map(map) = &map.get("authorization").unwrap().kind else { panic!("no map") };
    for (key, want, pos) in [
        ("ALICE_PASS", HASH_A, "/etc/includes/passwords.conf:2:1"),
        ("BOB_PASS", HASH_B, "/etc/includes/passwords.conf:3:1"),
        ("CAROL_PASS", "foo", "/etc/a.conf:6:3"),
    ] {
        let value = map.get(key).unwrap();
        assert_eq!(value.kind, ValueKind::String(want.to_owned()));
        assert_eq!(value.pos.to_string(), pos);
    }
    assert!(map.get("ALICE_PASS").unwrap().used_as_variable);
    assert!(!map.get("BOB_PASS").unwrap().used_as_variable);
}

fn no_endless_loop() {
    for text in ["A@@F\u{f8}\u{f8}?\u{2db}\u{f8}:{\u{f8}\u{f8}\u{2d9}", "include \"9/\u{fffd}"] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains("Unexpected EOF"), "{error}");
    }
}

fn keys_without_values() {
    for (text, place) in [
        ("a".repeat(41), "1:41"),
        (format!("{}{}", " ".repeat(14), "a".repeat(27)), "1:41"),
        (format!("     {}         ", "a".repeat(27)), "1:41"),
        ("\n    # spaces\n  # and comments\n   aaaa\n      ".to_owned(), "5:7"),
        ("\n       a,a,a,a\n      ".to_owned(), "3:7"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert_eq!(error, format!("config is invalid (:{place})"), "{text:?}");
    }
}

fn nothing_at_all() {
    for text in ["", "\n\n\n      ", "\n   # a comment\n   # and another\n  "] {
        check(text, "{}");
    }
}

fn trailing_brackets() {
    check("{}", "{}");
    check("\n {\n # nothing\n }\n ", "{}");
    check("\n accounts { users = [{}]}\n }\n ", "{accounts={users=[{}]}}");
    check("{\n accounts { users = [{}]}\n }\n ", "{accounts={users=[{}]}}");
}

fn keys_without_values_in_includes() {
    let error = parse_files(&[
        (
            "n.conf",
            "a {\n foo { include 'foo.conf'}\n bar { users = [{user = \"bar\"}] }\n \
                    quux { include 'quux.conf'}\n}\n",
        ),
        ("foo.conf", ""),
        ("quux.conf", "?????????????"),
    ]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "error parsing include file 'quux.conf', config is invalid (/etc/quux.conf:1:13)"
    );
    let error = parse_files(&[
        (
            "n.conf",
            "a {\n foo { include 'foo.conf'}\n bar { include 'bar.conf'}\n \
                    quux { include 'quux.conf'}\n}\n",
        ),
        ("foo.conf", ""),
        ("bar.conf", &"A".repeat(34)),
        ("quux.conf", "\n  # comments\n  # alone\n"),
    ]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "error parsing include file 'bar.conf', config is invalid (/etc/bar.conf:1:34)"
    );
}

fn json() {
    check(
        "\n{\n  \"http_port\": 8227,\n  \"port\": 4227,\n  \"write_deadline\": \"1h\",\n  \
         \"cluster\": {\n    \"port\": 6222,\n    \"routes\": [\n      \"nats://h:4222\",\n      \
         \"nats://h:4223\",\n      \"nats://h:4224\"\n    ]\n  }\n}\n",
        "{http_port=8227 port=4227 write_deadline=\"1h\" cluster={port=6222 \
         routes=[\"nats://h:4222\" \"nats://h:4223\" \"nats://h:4224\"]}}",
    );
    check(
        "{\n  \"jetstream\": {\n    \"store_dir\": \"/tmp/nats\"\n    \"max_mem\": 1000000,\n  },\n  \
         \"port\": 4222,\n  \"server_name\": \"nats1\"\n}\n",
        "{jetstream={store_dir=\"/tmp/nats\" max_mem=1000000} port=4222 server_name=\"nats1\"}",
    );
    check("{}", "{}");
    check("\n{\n}\n", "{}");
    let map = parse_files(&[
        (
            "n.conf",
            "\naccounts {\n foo  { include 'foo.json'  }\n bar  { include 'bar.json'  }\n \
                    quux { include 'quux.json' }\n}\n",
        ),
        ("foo.json", "{ \"users\": [ {\"user\": \"foo\"} ] }"),
        ("bar.json", "{\n  \"users\": [ {\"user\": \"bar\"} ]\n}"),
        ("quux.json", "{}"),
    ]);
    assert_eq!(
        shown(&map.unwrap()),
        "{accounts={foo={users=[{user=\"foo\"}]} bar={users=[{user=\"bar\"}]} quux={}}}"
    );
}

fn blocks() {
    let listen = "{listen=\"0.0.0.0:4222\"}";
    check("{ listen: 0.0.0.0:4222 }", listen);
    check("{\n listen: 0.0.0.0:4222\n }", listen);
    check("\n{\n listen: 0.0.0.0:4222\n}\n# wibble\n", listen);
    check("\n{\n {\n  listen: 0.0.0.0:4222 // here\n }\n # there\n}\n# everywhere\n", listen);
    check(
        "\n{\n  \"debug\":      False\n  \"prof_port\":  8221\n  \"server_name\": \"a-1\"\n}\n",
        "{debug=false prof_port=8221 server_name=\"a-1\"}",
    );
    check(
        "\n{\n  \"debug\":      False\n  \"server_name\": \"a-1\"\n\n  # profiling\n  \
         \"prof_port\":  8221\n}\n",
        "{debug=false server_name=\"a-1\" prof_port=8221}",
    );
}

#[track_caller]
fn check_digest(files: &[(&str, &str)], want: &str) {
    assert_eq!(conf::digest(&parse_files(files).unwrap()), format!("sha256:{want}"), "{files:?}");
}

fn digests() {
    // Comments, whitespace and syntax have no effect.
    for text in ["foo = bar", "# hello\n foo = bar\n ", " 'foo': 'bar'\n ", " { 'foo': 'bar' }\n "]
    {
        check_digest(
            &[("n.conf", text)],
            "226e49e13d16e5e8aa0d62e58cd63361bf097d3e2b2444aa3044334628a2e8de",
        );
    }
    // Variables count as their values, and the keys they came from stay.
    for (text, want) in [
        (
            "BAR_USERS = { users = [ {user = \"bar\"} ]}\nhello = 'world'\naccounts {\n \
             QUUX_USERS = [ { user: quux }]\n bar = $BAR_USERS\n quux = { users = $QUUX_USERS }\n}\n\
             very { nested { env { VAR = 'NESTED', quux = $VAR }}}\n",
            "bddb282343249c26d3edcef9bfaa9d2711505fc67210380e871405ba394a9186",
        ),
        (
            "hello = 'world'\naccounts {\n bar  = { users = [ { user = \"bar\" } ]}\n \
             quux = { users = [ { user: quux   } ]}\n}\nvery { nested { env { quux = 'NESTED' }}}\n",
            "34f8faf3f269fe7509edc4742f20c8c4a7ad51fe21f8b361764314b533ac3ab5",
        ),
        (
            "BAR_USERS = { users = [ {user = \"foo\"} ]}\nbar = $BAR_USERS\n\
             accounts {\n users = $BAR_USERS\n}\n",
            "b0e2ba0b8ec2cb75681b5c5d61789cda0c9942c2f9fe16cdb7f6703364485360",
        ),
        (
            "bar = { users = [ {user = \"foo\"} ]}\n\
             accounts {\n users = { users = [ {user = \"foo\"} ]}\n}\n",
            "f5d943b4ed22b80c6199203f8a7eaa8eb68ef7b2d46ef6b1b26f05e21f8beb13",
        ),
    ] {
        check_digest(&[("n.conf", text)], want);
    }
    // Included files count as what they hold.
    let includes = "e72d70c91b64b0f880f86decb95ec2600cbdcf8bdcd2355fce5ebc54a84a77e9";
    let (foo_conf, bar_conf, quux_conf) = (
        " users = [{user = \"foo\"}]",
        " users = [{user = \"bar\"}]",
        " users = [{user = \"quux\"}]",
    );
    let some = "accounts {\n foo { include 'foo.conf'}\n bar { users = [{user = \"bar\"}] }\n \
                quux { include 'quux.conf'}\n}\n";
    check_digest(&[("n.conf", some), ("foo.conf", foo_conf), ("quux.conf", quux_conf)], includes);
    let all = "accounts {\n foo { include 'foo.conf'}\n bar { include 'bar.conf'}\n \
               quux { include 'quux.conf'}\n}\n";
    check_digest(
        &[
            ("n.conf", all),
            ("foo.conf", foo_conf),
            ("bar.conf", bar_conf),
            ("quux.conf", quux_conf),
        ],
        includes,
    );
}

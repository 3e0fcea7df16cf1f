//! Tokens of the configuration language, with their places.

use nats_server::conf::lexer::{Lexer, Token, TokenKind};

crate::cases! {
    "conf/lex_test.go",
    library plain_value => ["TestPlainValue"],
    library quoted_values => ["TestSimpleKeyStringValues"],
    library single_quotes_have_no_escapes => ["TestComplexStringValues"],
    library string_starting_with_a_digit => ["TestStringStartingWithNumber"],
    library hexadecimal_escapes => ["TestBinaryString", "TestBinaryStringLatin1"],
    library integers => ["TestSimpleKeyIntegerValues", "TestSimpleKeyNegativeIntegerValues"],
    library size_suffixes => ["TestConvenientIntegerValues"],
    library floats => ["TestSimpleKeyFloatValues", "TestBadFloatValues"],
    library hexadecimal_cut_off => ["TestBadBinaryStringEndingAfterZeroHexChars", "TestBadBinaryStringEndingAfterOneHexChar"],
    library not_hexadecimal => ["TestBadBinaryStringWithZeroHexChars", "TestBadBinaryStringWithOneHexChar"],
    library key_separator_without_key => ["TestBadKey"],
    library booleans => ["TestSimpleKeyBoolValues"],
    library comments => ["TestComments", "TestTopValuesWithComments"],
    library bare_string => ["TestRawString"],
    library dates => ["TestDateValues"],
    library variables => ["TestVariableValues"],
    library arrays => ["TestArrays"],
    library multiline_arrays => ["TestMultilineArrays", "TestMultilineArraysNoSep"],
    library maps => ["TestSimpleMap", "TestMultilineMap", "TestNestedMaps"],
    library quoted_keys => ["TestQuotedKeys", "TestQuotedKeysWithSpace"],
    library key_separators => ["TestColonKeySep", "TestWhitespaceKeySep"],
    library escapes => ["TestEscapedString"],
    library escapes_next_to_text => ["TestCompoundStringES", "TestCompoundStringSE"],
    library escapes_in_bare_strings => ["TestCompoundStringEE", "TestCompoundStringSEE"],
    library escapes_between_text => ["TestCompoundStringSES", "TestCompoundStringEES", "TestCompoundStringESE"],
    library unknown_escape => ["TestBadStringEscape"],
    library an_escape_makes_a_string => ["TestNonBool", "TestNonVariable"],
    library empty_strings => ["TestEmptyStringDQ", "TestEmptyStringSQ"],
    library maps_after_whitespace => ["TestNestedWhitespaceMaps", "TestDoubleNestedMapsNewLines"],
    library semicolons => ["TestOptionalSemicolons", "TestSemicolonChaining"],
    library strings_without_quotes => ["TestNonQuotedStrings"],
    library open_double_quote => ["TestDanglingQuotedString", "TestKeyDanglingQuotedString"],
    library open_single_quote => ["TestDanglingSingleQuotedString", "TestKeyDanglingSingleQuotedString"],
    library open_map_and_block => ["TestMapDanglingBracket", "TestBlockDanglingParens"],
    library quoted_map_keys => ["TestMapQuotedKeys", "TestSpecialCharsMapQuotedKeys"],
    library block_strings => ["TestBlockString", "TestBlockStringEOF", "TestBlockStringMultiLine"],
    library addresses_without_quotes => ["TestUnquotedIPAddr"],
    library array_of_maps => ["TestArrayOfMaps"],
    library includes => ["TestInclude", "TestMapInclude"],
    library json => ["TestJSONCompat"],
}

/// Lexes `input` to its end or first error and compares all tokens, each written as
/// `Kind line:column text`; the end's place is left out. Also: nothing follows.
#[track_caller]
fn tokens(input: &str, expected: &[&str]) {
    let mut lexer = Lexer::new(input.as_bytes());
    let mut found = Vec::new();
    loop {
        let token = lexer.next_token();
        match token.kind {
            TokenKind::End => break,
            _ => found.push(shown(&token)),
        }
        if token.kind == TokenKind::Error {
            break;
        }
    }
    assert_eq!(found, expected, "tokens of {input:?}");
    assert_eq!(lexer.next_token().kind, TokenKind::End, "after the last token of {input:?}");
}

fn shown(token: &Token<'_>) -> String {
    let place = format!("{:?} {}:{}", token.kind, token.line, token.col);
    if token.text.is_empty() { place } else { format!("{place} {}", token.to_text()) }
}

/// As [`tokens`], of a text whose first token is the key `foo` at the start.
#[track_caller]
fn foo(rest: &str, expected: &[&str]) {
    let all: Vec<_> = ["Key 1:0 foo"].iter().chain(expected).copied().collect();
    tokens(&format!("foo{rest}"), &all);
}

fn plain_value() {
    foo("", &[]);
}

fn quoted_values() {
    foo(" = \"bar\"", &["String 1:7 bar"]);
    foo(" = 'bar'", &["String 1:7 bar"]);
    foo("='bar'", &["String 1:5 bar"]);
    foo("='bar'\r\n", &["String 1:5 bar"]);
    foo("=\t'bar'\t", &["String 1:6 bar"]);
}

fn single_quotes_have_no_escapes() {
    foo(r" = 'bar\r\n  \t'", &[r"String 1:7 bar\r\n  \t"]);
}

fn string_starting_with_a_digit() {
    for end in ["", ",", ";"] {
        foo(&format!(" = 3xyz{end}"), &["String 1:6 3xyz"]);
    }
    tokens("\n  foo = 3xyz\n  ", &["Key 2:3 foo", "String 2:9 3xyz"]);
    let in_map = ["Key 2:1 map", "MapStart 2:6", "Key 3:2 foo", "String 3:8 3xyz"];
    tokens("\nmap {\n foo = 3xyz}\n", &[&in_map[..], &["MapEnd 3:13"]].concat());
    tokens("\nmap {\n foo = 3xyz;\n}\n", &[&in_map[..], &["MapEnd 4:2"]].concat());
    tokens(
        "\nmap {\n foo = 3xyz,\n bar = 4wqs\n}\n",
        &[&in_map[..], &["Key 4:2 bar", "String 4:8 4wqs", "MapEnd 5:2"]].concat(),
    );
}

fn hexadecimal_escapes() {
    foo(r" = \x65", &["String 1:9 e"]);
    let mut lexer = Lexer::new(br"foo = \xe9");
    lexer.next_token();
    let token = lexer.next_token();
    assert_eq!((token.kind, &*token.text), (TokenKind::String, &b"\xe9"[..]));
    assert_eq!((token.line, token.col), (1, 9));
}

fn integers() {
    for number in ["123", "-123"] {
        foo(&format!(" = {number}"), &[&format!("Integer 1:6 {number}")]);
        foo(&format!("={number}"), &[&format!("Integer 1:4 {number}")]);
        foo(&format!("={number}\r\n"), &[&format!("Integer 1:4 {number}")]);
    }
}

fn size_suffixes() {
    for number in ["1k", "1K", "1m", "1M", "1g", "1G", "1MB", "1Gb", "-1m", "-1GB"] {
        foo(&format!(" = {number}"), &[&format!("Integer 1:6 {number}")]);
        foo(&format!(" = {number} "), &[&format!("Integer 1:6 {number}")]);
    }
    for string in ["1Ghz", "2Pie", "3Mbs"] {
        foo(&format!(" = {string}"), &[&format!("String 1:6 {string}")]);
        foo(&format!(" = {string},"), &[&format!("String 1:6 {string}")]);
    }
    foo(" = 4Gb, bar = 5G\u{f8}", &["Integer 1:6 4Gb", "Key 1:11 bar", "String 1:17 5G\u{f8}"]);
}

fn floats() {
    foo(" = 22.2", &["Float 1:6 22.2"]);
    foo("=22.2", &["Float 1:4 22.2"]);
    foo("=22.2\r\n", &["Float 1:4 22.2"]);
    foo(" = .2", &["Error 1:7 Floats must start with a digit"]);
}

fn hexadecimal_cut_off() {
    let cut = "Error 2:1 Expected two hexadecimal digits after '\\x', but hit end of line";
    foo(" = xyz\\x\n", &[cut]);
    foo(" = xyz\\xF\n", &[cut]);
}

fn not_hexadecimal() {
    let but =
        |got| format!("Error 1:12 Expected two hexadecimal digits after '\\x', but got '{got}'");
    foo(r#" = "[\x]""#, &[&but("]\"")]);
    foo(r#" = "[\xe]""#, &[&but("e]")]);
}

fn key_separator_without_key() {
    tokens(" :foo = 22", &["Error 1:1 Unexpected key separator ':'"]);
}

fn booleans() {
    foo(" = true", &["Bool 1:6 true"]);
    foo("=true", &["Bool 1:4 true"]);
    foo("=true\r\n", &["Bool 1:4 true"]);
}

fn comments() {
    for end in ["", "\r\n"] {
        tokens(&format!("# to you{end}"), &["CommentStart 1:1", "Comment 1:1  to you"]);
        tokens(&format!("// to you{end}"), &["CommentStart 1:2", "Comment 1:2  to you"]);
    }
    let comment = ["CommentStart 1:12", "Comment 1:12  to you"];
    foo(" = 123 // to you", &[&["Integer 1:6 123"], &comment[..]].concat());
    foo("=123    # to you", &[&["Integer 1:4 123"], &comment[..]].concat());
}

fn bare_string() {
    foo(" = bar", &["String 1:6 bar"]);
    // A stray quote ends it.
    foo(" = bar' ", &["String 1:6 bar"]);
}

fn dates() {
    foo(" = 2016-05-04T18:53:41Z", &["DateTime 1:6 2016-05-04T18:53:41Z"]);
}

fn variables() {
    foo(" = $bar", &["Variable 1:7 bar"]);
    foo(" =$bar", &["Variable 1:6 bar"]);
    foo(" $bar", &["Variable 1:5 bar"]);
}

fn arrays() {
    foo(
        " = [1, 2, 3, 'bar']",
        &[
            "ArrayStart 1:7",
            "Integer 1:7 1",
            "Integer 1:10 2",
            "Integer 1:13 3",
            "String 1:17 bar",
            "ArrayEnd 1:22",
        ],
    );
    foo(
        " = [1,2,3,'bar']",
        &[
            "ArrayStart 1:7",
            "Integer 1:7 1",
            "Integer 1:9 2",
            "Integer 1:11 3",
            "String 1:14 bar",
            "ArrayEnd 1:19",
        ],
    );
    foo(
        " = [1, 2,3,'bar']",
        &[
            "ArrayStart 1:7",
            "Integer 1:7 1",
            "Integer 1:10 2",
            "Integer 1:12 3",
            "String 1:15 bar",
            "ArrayEnd 1:20",
        ],
    );
}

fn multiline_arrays() {
    tokens(
        "\n# first\nfoo = [\n 1, # a\n 2, // b\n 3 # c\n 'bar'     ,\n \"bar\"\n]\n",
        &[
            "CommentStart 2:2",
            "Comment 2:2  first",
            "Key 3:1 foo",
            "ArrayStart 3:8",
            "Integer 4:2 1",
            "CommentStart 4:6",
            "Comment 4:6  a",
            "Integer 5:2 2",
            "CommentStart 5:7",
            "Comment 5:7  b",
            "Integer 6:2 3",
            "CommentStart 6:5",
            "Comment 6:5  c",
            "String 7:3 bar",
            "String 8:3 bar",
            "ArrayEnd 9:2",
        ],
    );
    // Newlines alone separate as well.
    tokens(
        "\n# first\nfoo = [\n 1 // a\n 2\n 3\n 'bar'\n \"bar\"\n]\n",
        &[
            "CommentStart 2:2",
            "Comment 2:2  first",
            "Key 3:1 foo",
            "ArrayStart 3:8",
            "Integer 4:2 1",
            "CommentStart 4:6",
            "Comment 4:6  a",
            "Integer 5:2 2",
            "Integer 6:2 3",
            "String 7:3 bar",
            "String 8:3 bar",
            "ArrayEnd 9:2",
        ],
    );
}

fn maps() {
    foo(
        " = {ip='127.0.0.1', port = 4242}",
        &[
            "MapStart 1:7",
            "Key 1:7 ip",
            "String 1:11 127.0.0.1",
            "Key 1:23 port",
            "Integer 1:30 4242",
            "MapEnd 1:35",
        ],
    );
    tokens(
        "\nfoo = {\n  ip = '127.0.0.1' # addr\n  port= 4242 // num\n}\n",
        &[
            "Key 2:1 foo",
            "MapStart 2:8",
            "Key 3:3 ip",
            "String 3:9 127.0.0.1",
            "CommentStart 3:21",
            "Comment 3:21  addr",
            "Key 4:3 port",
            "Integer 4:9 4242",
            "CommentStart 4:16",
            "Comment 4:16  num",
            "MapEnd 5:2",
        ],
    );
    tokens(
        "\nfoo = {\n  host = {\n    ip = '127.0.0.1'\n    port= 4242\n  }\n}\n",
        &[
            "Key 2:1 foo",
            "MapStart 2:8",
            "Key 3:3 host",
            "MapStart 3:11",
            "Key 4:5 ip",
            "String 4:11 127.0.0.1",
            "Key 5:5 port",
            "Integer 5:11 4242",
            "MapEnd 6:4",
            "MapEnd 7:2",
        ],
    );
}

fn quoted_keys() {
    foo(" : 123", &["Integer 1:6 123"]);
    for quote in ['\'', '"'] {
        tokens(&format!("{quote}foo{quote} : 123"), &["Key 1:1 foo", "Integer 1:8 123"]);
        tokens(&format!("{quote} foo{quote} : 123"), &["Key 1:1  foo", "Integer 1:9 123"]);
    }
}

fn key_separators() {
    foo(" : 123", &["Integer 1:6 123"]);
    foo(":123", &["Integer 1:4 123"]);
    foo(": 123", &["Integer 1:5 123"]);
    foo(":  123\r\n", &["Integer 1:6 123"]);
    foo(" 123", &["Integer 1:4 123"]);
    foo("\t123", &["Integer 1:4 123"]);
    foo("\t\t123\r\n", &["Integer 1:5 123"]);
}

fn escapes() {
    tokens(
        "\nfoo  = \\t\nbar  = \\r\nbaz  = \\n\nq    = \\\"\nbs   = \\\\\n",
        &[
            "Key 2:1 foo",
            "String 2:9 \t",
            "Key 3:1 bar",
            "String 3:9 \r",
            "Key 4:1 baz",
            "String 4:9 \n",
            "Key 5:1 q",
            "String 5:9 \"",
            "Key 6:1 bs",
            "String 6:9 \\",
        ],
    );
}

// A string with escapes is placed by its end and its unescaped length.

fn escapes_next_to_text() {
    foo(r#" = "\\end""#, &[r"String 1:8 \end"]);
    foo(r#" = "start\\""#, &[r"String 1:8 start\"]);
}

fn escapes_in_bare_strings() {
    foo(r" = \x45\x71", &["String 1:12 Eq"]);
    foo(r" = start\x45\x71", &["String 1:12 startEq"]);
}

fn escapes_between_text() {
    foo(r" = start\x7Cend", &["String 1:9 start|end"]);
    foo(r" = \x3c\x3eend", &["String 1:12 <>end"]);
    foo(r" = \x3cmiddle\x3E", &["String 1:12 <middle>"]);
}

fn unknown_escape() {
    foo(
        r" = \y",
        &[concat!(
            "Error 1:8 Invalid escape character 'y'. Only the following escape characters are ",
            r#"allowed: \xXX, \t, \n, \r, \", \\."#
        )],
    );
}

fn an_escape_makes_a_string() {
    foo(r" = \\true", &[r"String 1:7 \true"]);
    foo(r" = \\$var", &[r"String 1:7 \$var"]);
}

fn empty_strings() {
    foo(r#" = """#, &["String 1:7"]);
    foo(" = ''", &["String 1:7"]);
}

fn maps_after_whitespace() {
    tokens(
        "\nfoo  {\n  host  {\n    ip = '127.0.0.1'\n    port= 4242\n  }\n}\n",
        &[
            "Key 2:1 foo",
            "MapStart 2:7",
            "Key 3:3 host",
            "MapStart 3:10",
            "Key 4:5 ip",
            "String 4:11 127.0.0.1",
            "Key 5:5 port",
            "Integer 5:11 4242",
            "MapEnd 6:4",
            "MapEnd 7:2",
        ],
    );
    tokens(
        "\nsystems {\n  one {\n    text: \"All is well.\"\n  }\n}\n",
        &[
            "Key 2:1 systems",
            "MapStart 2:10",
            "Key 3:3 one",
            "MapStart 3:8",
            "Key 4:5 text",
            "String 4:12 All is well.",
            "MapEnd 5:4",
            "MapEnd 6:2",
        ],
    );
}

fn semicolons() {
    tokens(
        "\nfoo = 123;\nbar = 'baz';\nbaz = 'boo'\nmap {\n id = 1;\n}\n",
        &[
            "Key 2:1 foo",
            "Integer 2:7 123",
            "Key 3:1 bar",
            "String 3:8 baz",
            "Key 4:1 baz",
            "String 4:8 boo",
            "Key 5:1 map",
            "MapStart 5:6",
            "Key 6:2 id",
            "Integer 6:7 1",
            "MapEnd 7:2",
        ],
    );
    foo(
        "='1'; bar=2.2; baz=true;",
        &["String 1:5 1", "Key 1:9 bar", "Float 1:13 2.2", "Key 1:18 baz", "Bool 1:22 true"],
    );
}

fn strings_without_quotes() {
    tokens(
        concat!(
            "\nfoo = 123\nbar = baz\nbaz=boo\nmap {\n id:one\n id2 : onetwo\n}\nt true\nf false\n",
            "tstr \"true\"\ntkey = two\nfkey = five # not a number\n"
        ),
        &[
            "Key 2:1 foo",
            "Integer 2:7 123",
            "Key 3:1 bar",
            "String 3:7 baz",
            "Key 4:1 baz",
            "String 4:5 boo",
            "Key 5:1 map",
            "MapStart 5:6",
            "Key 6:2 id",
            "String 6:5 one",
            "Key 7:2 id2",
            "String 7:8 onetwo",
            "MapEnd 8:2",
            "Key 9:1 t",
            "Bool 9:3 true",
            "Key 10:1 f",
            "Bool 10:3 false",
            "Key 11:1 tstr",
            "String 11:7 true",
            "Key 12:1 tkey",
            "String 12:8 two",
            "Key 13:1 fkey",
            "String 13:8 five",
            "CommentStart 13:14",
            "Comment 13:14  not a number",
        ],
    );
}

/// A quote without its partner, of a value and of what then reads as a key.
fn open_quote(quote: char) {
    tokens(
        &format!("\nlisten: {quote}localhost:4242\n\nhttp: localhost:8222\n"),
        &["Key 2:1 listen", "Error 5:1 Unexpected EOF."],
    );
    tokens(
        &format!("\nfoo = {quote}\nlisten: {quote}\n\nhttp: localhost:8222\n\n{quote}\n"),
        &[
            "Key 2:1 foo",
            "String 3:8 \nlisten: ",
            "Key 5:1 http",
            "String 5:7 localhost:8222",
            "Error 8:1 Unexpected EOF.",
        ],
    );
}

fn open_double_quote() {
    open_quote('"');
}

fn open_single_quote() {
    open_quote('\'');
}

fn open_map_and_block() {
    let before = ["Key 2:1 listen", "Integer 2:10 4222"];
    tokens(
        "\nlisten = 4222\n\ncluster = {\n\n  foo = bar\n\n",
        &[
            &before[..],
            &[
                "Key 4:1 cluster",
                "MapStart 4:12",
                "Key 6:3 foo",
                "String 6:9 bar",
                "Error 8:1 Unexpected EOF processing map.",
            ],
        ]
        .concat(),
    );
    tokens(
        "\nlisten = 4222\n\nquote = (\n\n  foo = bar\n\n",
        &[&before[..], &["Key 4:1 quote", "Error 8:1 Unexpected EOF processing block."]].concat(),
    );
}

fn quoted_map_keys() {
    for quote in ['\'', '"'] {
        foo(
            &format!(" = {{{quote}bar{quote} = 4242}}"),
            &["MapStart 1:7", "Key 1:8 bar", "Integer 1:15 4242", "MapEnd 1:20"],
        );
        foo(
            &format!(" = {{{quote}bar-1.2.3{quote} = {{ port:4242 }}}}"),
            &[
                "MapStart 1:7",
                "Key 1:8 bar-1.2.3",
                "MapStart 1:22",
                "Key 1:23 port",
                "Integer 1:28 4242",
                "MapEnd 1:34",
                "MapEnd 1:35",
            ],
        );
    }
}

fn block_strings() {
    let expected = ["Key 2:1 numbers", "String 4:10 \n1234567890\n"];
    tokens("\nnumbers (\n1234567890\n)\n", &expected);
    // The end of the text, here as a NUL, serves as the newline after the parenthesis; what
    // follows of the NUL itself is not looked at.
    let mut lexer = Lexer::new(b"\nnumbers (\n1234567890\n)\0");
    for want in expected {
        assert_eq!(shown(&lexer.next_token()), want);
    }
    tokens(
        "\nnumbers (\n  12(34)56\n  (\n    7890\n  )\n)\n",
        &["Key 2:1 numbers", "String 7:10 \n  12(34)56\n  (\n    7890\n  )\n"],
    );
}

fn addresses_without_quotes() {
    for (rest, value) in [
        (": 127.0.0.1:4222", "String 1:8 127.0.0.1:4222"),
        (": 127.0.0.1", "String 1:8 127.0.0.1"),
        (": apcera.me:80", "String 1:8 apcera.me:80"),
        (": nats.io:-1", "String 1:8 nats.io:-1"),
        (": -1", "Integer 1:8 -1"),
        (": :-1", "String 1:8 :-1"),
        (" = :80", "String 1:9 :80"),
    ] {
        tokens(&format!("listen{rest}"), &["Key 1:0 listen", value]);
    }
    tokens(
        "listen = [localhost:4222, localhost:4333]",
        &[
            "Key 1:0 listen",
            "ArrayStart 1:10",
            "String 1:10 localhost:4222",
            "String 1:26 localhost:4333",
            "ArrayEnd 1:41",
        ],
    );
}

fn array_of_maps() {
    tokens(
        concat!(
            "\nauthorization {\n    users = [\n      {user: ann, password: foo}\n",
            "      {user: bob,   password: bar}\n    ]\n    timeout: 0.5\n}\n"
        ),
        &[
            "Key 2:1 authorization",
            "MapStart 2:16",
            "Key 3:5 users",
            "ArrayStart 3:14",
            "MapStart 4:8",
            "Key 4:8 user",
            "String 4:14 ann",
            "Key 4:19 password",
            "String 4:29 foo",
            "MapEnd 4:33",
            "MapStart 5:8",
            "Key 5:8 user",
            "String 5:14 bob",
            "Key 5:21 password",
            "String 5:31 bar",
            "MapEnd 5:35",
            "ArrayEnd 6:6",
            "Key 7:5 timeout",
            "Float 7:14 0.5",
            "MapEnd 8:2",
        ],
    );
}

fn includes() {
    tokens("include \"users.conf\"", &["Include 1:9 users.conf"]);
    tokens("include 'users.conf'", &["Include 1:9 users.conf"]);
    tokens("include users.conf", &["Include 1:8 users.conf"]);
    for (rest, include, end) in [
        (" { include users.conf }", "Include 1:14 users.conf", "MapEnd 1:26"),
        (" {include users.conf}", "Include 1:13 users.conf", "MapEnd 1:24"),
        (" { include 'users.conf' }", "Include 1:15 users.conf", "MapEnd 1:28"),
        (" { include \"users.conf\"}", "Include 1:15 users.conf", "MapEnd 1:27"),
    ] {
        foo(rest, &["MapStart 1:5", include, end]);
    }
}

/// Braces around the whole file are no map, and commas end values at the top.
fn json() {
    let port = ["Key 3:4 http_port", "Integer 3:16 8223"];
    tokens("\n{\n  \"http_port\": 8223\n}\n", &port);
    tokens(
        "\n{\n  \"http_port\": 8223,\n  \"port\": 4223\n}\n",
        &[&port[..], &["Key 4:4 port", "Integer 4:11 4223"]].concat(),
    );
    tokens(
        concat!(
            "\n{\n  \"http_port\": 8223,\n  \"port\": 4223,\n  \"max_payload\": \"5MB\",\n",
            "  \"debug\": true,\n  \"max_control_line\": 1024\n}\n"
        ),
        &[
            &port[..],
            &[
                "Key 4:4 port",
                "Integer 4:11 4223",
                "Key 5:4 max_payload",
                "String 5:19 5MB",
                "Key 6:4 debug",
                "Bool 6:12 true",
                "Key 7:4 max_control_line",
                "Integer 7:23 1024",
            ],
        ]
        .concat(),
    );
    let line = ["Key 1:2 http_port", "Integer 1:14 8224", "Key 1:20 port", "Integer 1:27 4224"];
    tokens("{\"http_port\": 8224,\"port\": 4224}\n", &line);
    tokens("{\"http_port\": 8224,\"port\": 4224\n   }\n", &line);
    json_with_maps();
}

fn json_with_maps() {
    tokens(
        concat!(
            r#"{"port": 4227,"write_deadline": "1h","cluster": {"port": 6222,"#,
            r#""routes": ["nats://127.0.0.1:4222","nats://127.0.0.1:4223"]}}"#,
            "\n"
        ),
        &[
            "Key 1:2 port",
            "Integer 1:9 4227",
            "Key 1:15 write_deadline",
            "String 1:33 1h",
            "Key 1:38 cluster",
            "MapStart 1:49",
            "Key 1:50 port",
            "Integer 1:57 6222",
            "Key 1:63 routes",
            "ArrayStart 1:73",
            "String 1:74 nats://127.0.0.1:4222",
            "String 1:98 nats://127.0.0.1:4223",
            "ArrayEnd 1:121",
            "MapEnd 1:122",
        ],
    );
    tokens(
        concat!(
            "\n{\n  \"port\": 4227,\n  \"cluster\": {\n    \"port\": 6222,\n    \"routes\": [\n",
            "      \"nats://127.0.0.1:4222\",\n      \"nats://127.0.0.1:4223\"\n    ]\n  }\n}\n"
        ),
        &[
            "Key 3:4 port",
            "Integer 3:11 4227",
            "Key 4:4 cluster",
            "MapStart 4:15",
            "Key 5:6 port",
            "Integer 5:13 6222",
            "Key 6:6 routes",
            "ArrayStart 6:16",
            "String 7:8 nats://127.0.0.1:4222",
            "String 8:8 nats://127.0.0.1:4223",
            "ArrayEnd 9:6",
            "MapEnd 10:4",
        ],
    );
    // A comma too few and one too many.
    tokens(
        concat!(
            "{\n  \"jetstream\": {\n    \"store_dir\": \"/tmp/nats\"\n    \"max_mem\": 1000000,\n  },\n",
            "  \"port\": 4222,\n  \"server_name\": \"nats1\"\n}\n"
        ),
        &[
            "Key 2:4 jetstream",
            "MapStart 2:17",
            "Key 3:6 store_dir",
            "String 3:19 /tmp/nats",
            "Key 4:6 max_mem",
            "Integer 4:16 1000000",
            "MapEnd 5:4",
            "Key 6:4 port",
            "Integer 6:11 4222",
            "Key 7:4 server_name",
            "String 7:19 nats1",
        ],
    );
}

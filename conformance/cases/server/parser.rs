//! Upstream's parser is a state machine that remembers where in an operation it stopped. Ours
//! owns no state: the rest of an operation stays in the buffer and is looked at again. "Stopped in
//! state X" becomes "not complete yet", and every operation is read whole and split at each byte.

use std::collections::BTreeSet;

use nats_server::wire::parser::{Limits, Op, ParseError, Pub, Step, parse};

use crate::Cx;

crate::cases! {
    "server/parser_test.go",
    library ping => ["TestParsePing"],
    library pong => ["TestParsePong"],
    library ok => ["TestParseOK"],
    library connect => ["TestParseConnect"],
    library subscribe => ["TestParseSub"],
    library publish => ["TestParsePub"],
    library sizes_too_large => ["TestParsePubSizeOverflow", "TestParsePubBadSize"],
    library publish_arguments => ["TestParsePubArg"],
    library publish_with_headers => ["TestParseHeaderPub"],
    library publish_with_headers_arguments => ["TestParseHeaderPubArg"],
    library nothing_starts_with_m => ["TestParseMsgSpace"],
    wire wrong_lines => ["TestShouldFail"],
    library snippets => ["TestProtoSnippet"],
}

pub(super) const LIMITS: Limits =
    Limits { max_control_line: 4096, max_payload: Some(1024 * 1024), headers: true };

/// The one operation that `bytes` are.
#[track_caller]
pub(super) fn whole(bytes: &str) -> Op<'_> {
    match parse(bytes.as_bytes(), &LIMITS) {
        Step::Op(op, len) if len == bytes.len() => op,
        other => panic!("{bytes:?}: {other:?}"),
    }
}

/// The one operation that `bytes` are, of which no part is one.
#[track_caller]
pub(super) fn whole_and_split(bytes: &str) -> Op<'_> {
    let op = whole(bytes);
    for cut in 0..bytes.len() {
        is_part(&bytes[..cut]);
    }
    op
}

#[track_caller]
pub(super) fn is_part(bytes: &str) {
    let step = parse(bytes.as_bytes(), &LIMITS);
    assert!(matches!(step, Step::Incomplete { .. }), "{bytes:?}: {step:?}");
}

#[track_caller]
pub(super) fn publication(bytes: &str) -> Pub<'_> {
    match whole_and_split(bytes) {
        Op::Pub(publication) => publication,
        other => panic!("{bytes:?}: {other:?}"),
    }
}

/// Subject, reply, header size, size as written, length of the payload.
fn parts<'a>(p: &Pub<'a>) -> (&'a str, &'a str, Option<usize>, &'a str, usize) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (text(p.subject), text(p.reply), p.header_len, text(p.size), p.payload.len())
}

#[track_caller]
fn fails(bytes: &str) -> ParseError {
    match parse(bytes.as_bytes(), &LIMITS) {
        Step::Fail(error) => error,
        other => panic!("{bytes:?}: {other:?}"),
    }
}

fn ping() {
    for bytes in ["PING\r\n", "PING  \r  \n", "ping\n"] {
        assert_eq!(whole_and_split(bytes), Op::Ping);
    }
    is_part("PING  \r");
}

/// That PONG takes back outstanding PINGs is test/ping_test.go's matter.
fn pong() {
    for bytes in ["PONG\r\n", "PONG  \r  \n", "pong\n"] {
        assert_eq!(whole_and_split(bytes), Op::Pong);
    }
    is_part("PONG  \r");
}

fn ok() {
    assert_eq!(whole_and_split("+OK\r\n"), Op::Ok);
}

fn connect() {
    let json = r#"{"verbose":false,"pedantic":true,"tls_required":false}"#;
    let line = format!("CONNECT {json}\r\n");
    assert_eq!(whole_and_split(&line), Op::Connect(json.as_bytes()));
}

fn subscribe() {
    is_part("SUB foo 1\r");
    assert_eq!(whole_and_split("SUB foo 1\r\n"), Op::Sub(b"foo 1"));
}

fn publish() {
    let p = publication("PUB foo 5\r\nhello\r\n");
    assert_eq!(parts(&p), ("foo", "", None, "5", 5));
    assert_eq!((p.payload, p.subject_at, p.canonical), (&b"hello"[..], 4, true));
    let p = publication("PUB foo.bar INBOX.22 11\r\nhello world\r\n");
    assert_eq!(parts(&p), ("foo.bar", "INBOX.22", None, "11", 11));
    let longer = fails("PUB foo.bar 11\r\nhello world hello world\r");
    assert!(matches!(longer, ParseError::Unknown { at: 27, .. }), "{longer:?}");
}

fn sizes_too_large() {
    let huge = format!("PUB foo {}\r\n", "3".repeat(64));
    assert!(matches!(fails(&huge), ParseError::Args(_)));
    let limits = Limits { max_payload: Some(32768), ..LIMITS };
    let step = parse(b"PUB foo 2222222222222222\r\n", &limits);
    assert!(matches!(step, Step::Fail(ParseError::Args(_))), "{step:?}");
    let step = parse(b"PUB foo 32769\r\n", &limits);
    assert_eq!(step, Step::Fail(ParseError::MaxPayload { size: 32769, max: 32768 }));
}

/// Every way to write these words with spaces and tabs between and around them.
fn spellings(words: &[&str]) -> BTreeSet<String> {
    let gaps = [" ", "   ", "\t", "\t\t\t", "\t \t", " \t \t"];
    let edges = ["", " ", "  ", "\t", "\t \t"];
    let mut all = BTreeSet::new();
    for gap in gaps {
        for (before, after) in edges.iter().flat_map(|b| edges.iter().map(move |a| (b, a))) {
            all.insert(format!("{before}{}{after}", words.join(gap)));
        }
    }
    // Unequal gaps.
    all.insert(words.join(" ").replacen(' ', "\t \t", 1));
    all.insert(words.join("\t").replacen('\t', "    ", 1));
    all
}

#[track_caller]
fn spelled(verb: &str, words: &[&str], check: impl Fn(&Pub<'_>, &str)) {
    let size: usize = words[words.len() - 1].parse().unwrap();
    for line in spellings(words) {
        let bytes = format!("{verb} {line}\r\n{}\r\n", "x".repeat(size));
        let Op::Pub(p) = whole(&bytes) else { panic!("{bytes:?} is no publication") };
        check(&p, &line);
        assert_eq!(p.canonical, line == words.join(" "), "{line:?}");
    }
}

fn publish_arguments() {
    for size in ["2", "22", "222", "2222"] {
        for reply in ["", "bar"] {
            let words: Vec<&str> =
                ["foo", reply, size].into_iter().filter(|word| !word.is_empty()).collect();
            spelled("PUB", &words, |p, line| {
                let expected = ("foo", reply, None, size, size.parse().unwrap());
                assert_eq!(parts(p), expected, "{line:?}");
            });
        }
    }
    assert_eq!(parts(&publication("PUB a 2\r\nok\r\n")), ("a", "", None, "2", 2));
}

fn publish_with_headers() {
    let p = publication("HPUB foo 12 17\r\nname:derek\r\nHELLO\r\n");
    assert_eq!(parts(&p), ("foo", "", Some(12), "17", 17));
    assert_eq!((p.header_size, p.canonical), (&b"12"[..], true));
    let p = publication("HPUB foo INBOX.22 12 17\r\nname:derek\r\nHELLO\r\n");
    assert_eq!(parts(&p), ("foo", "INBOX.22", Some(12), "17", 17));
    let p = publication("HPUB foo INBOX.22 0 5\r\nHELLO\r\n");
    assert_eq!(parts(&p), ("foo", "INBOX.22", Some(0), "5", 5));
    assert_eq!(p.header_size, b"0");
}

fn publish_with_headers_arguments() {
    for (header, size) in [("2", "4"), ("22", "222"), ("0", "22"), ("11", "22"), ("22", "2222")] {
        for reply in ["", "bar"] {
            let words = ["foo", reply, header, size];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            spelled("HPUB", &words, |p, line| {
                let header = header.parse().ok();
                let expected = ("foo", reply, header, size, size.parse().unwrap());
                assert_eq!(parts(p), expected, "{line:?}");
            });
        }
    }
}

/// `MSG` is what servers say; nobody may say it to one.
fn nothing_starts_with_m() {
    for bytes in ["M", "MSG \r\n", "Mx", "MSx", "MSGx", "MSG  \r\n"] {
        let error = fails(bytes);
        assert!(matches!(error, ParseError::Unknown { state: 0, at: 0, .. }), "{error:?}");
    }
}

/// Each of them ends the connection: some are no operation, some have senseless arguments.
async fn wrong_lines(cx: Cx) {
    let server = cx.server("").await;
    server.allow_errors("parser ERROR");
    server.allow_errors("Parse Error");
    server.allow_errors("Bad or Missing Size");
    for line in [
        "xxx",
        "Px",
        "PIx",
        "PINx",
        " PING",
        "POx",
        "PONx",
        "+x",
        "+Ox",
        "-x",
        "-Ex",
        "-ERx",
        "-ERRx",
        "Cx",
        "COx",
        "CONx",
        "CONNx",
        "CONNEx",
        "CONNECx",
        "PUx",
        "Sx",
        "SUx",
        "Ux",
        "UNx",
        "UNSx",
        "UNSUx",
        "UNSUBx",
        "UNSUBUNSUB 1\r\n",
        "UNSUB_2\r\n",
        "UNSUB_UNSUB_UNSUB 2\r\n",
        "UNSUB_\t2\r\n",
        "UNSUB\r\n",
        "SUB\r\n",
        "Ix",
        "INx",
        "INFx",
        "Mx",
        "MSx",
        "MSGx",
        "MSG  \r\n",
        "PUB foo 2\r\nok \r\n",
        "PUB foo 2\r\nok\r \n",
    ] {
        let mut c = server.raw_connected().await;
        c.flush().await;
        c.send(line).await;
        c.expect_err("Unknown Protocol Operation").await;
        c.expect_closed().await;
    }
    // What is wrong with the JSON is said in the words of whoever reads it.
    server.allow_errors("unexpected end of JSON input");
    server.allow_errors("EOF while parsing a value");
    for line in [
        "PUB foo\r\n",
        "PUB  \r\n",
        "PUB foo bar       \r\n",
        "SUB  \r\n",
        "SUB foo\r\n",
        "SUB foo bar baz 22\r\n",
        "UNSUB \r\n",
        "UNSUB          \t       \r\n",
        "CONNECT \r\n",
        "INFO  \r\n",
    ] {
        let mut c = server.raw_connected().await;
        c.flush().await;
        c.send(line).await;
        c.expect_closed().await;
    }
}

/// An error quotes 32 bytes from where it was found; where the bytes end sooner, one less than
/// there are.
fn snippets() {
    let sample = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY";
    for start in 0..sample.len() {
        let error = fails(&sample[start..]);
        // Some of these letters begin an operation, and the error lies behind them.
        let ParseError::Unknown { at, .. } = error else { panic!("{error:?}") };
        let from = start + at;
        let end = if from + 32 > sample.len() { sample.len() - 1 } else { from + 32 };
        let quoted = format!("proto='\"{}\"...'", &sample[from..end]);
        assert!(error.to_string().ends_with(&quoted), "{error}");
    }
    assert_eq!(fails("\"").to_string(), r#"parser ERROR, state=0, i=0: proto='""...'"#);
}

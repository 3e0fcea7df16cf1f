use super::*;

const LIMITS: Limits =
    Limits { max_control_line: 4096, max_payload: Some(1024 * 1024), headers: true };

fn op(bytes: &[u8]) -> (Op<'_>, usize) {
    match parse(bytes, &LIMITS) {
        Step::Op(op, len) => (op, len),
        other => panic!("{:?} -> {other:?}", bytes.escape_ascii().to_string()),
    }
}

fn publication_of(bytes: &[u8]) -> Pub<'_> {
    match op(bytes) {
        (Op::Pub(p), len) => {
            assert_eq!(len, bytes.len());
            p
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn publications() {
    let p = publication_of(b"PUB foo 5\r\nhello\r\n");
    assert_eq!((p.subject, p.reply, p.payload), (&b"foo"[..], &b""[..], &b"hello"[..]));
    assert!(p.canonical);
    let p = publication_of(b"PUB foo.bar INBOX.22 11\r\nhello world\r\n");
    assert_eq!((p.subject, p.reply), (&b"foo.bar"[..], &b"INBOX.22"[..]));
    assert!(p.canonical);
    let p = publication_of(b"pub\tfoo \t 5 \r\nhello\r\n");
    assert_eq!((p.subject, p.payload, p.canonical), (&b"foo"[..], &b"hello"[..], false));
    let p = publication_of(b"PUB foo 5\nhello\r\n");
    assert!(!p.canonical);
    let p = publication_of(b"HPUB foo r 12 17\r\nname:derek\r\nHELLO\r\n");
    assert_eq!((p.reply, p.header_len, p.size), (&b"r"[..], Some(12), &b"17"[..]));
    assert!(p.canonical);
    // A reply that looks like a number is still a reply.
    let p = publication_of(b"PUB foo 77 5\r\nhello\r\n");
    assert_eq!((p.reply, p.size), (&b"77"[..], &b"5"[..]));
}

#[test]
fn every_prefix_of_an_operation_is_incomplete() {
    for whole in [
        &b"PUB foo.bar INBOX.22 11\r\nhello world\r\n"[..],
        b"PUB foo 0\r\n\r\n",
        b"HPUB foo INBOX.22 12 17\r\nname:derek\r\nHELLO\r\n",
        b"SUB foo q 1\r\n",
        b"UNSUB 1 22\r\n",
        b"CONNECT {\"verbose\":false}\r\n",
        b"PING\r\n",
        b"PONG\r\n",
        b"+OK\r\n",
        b"-ERR 'x'\r\n",
        b"INFO {}\r\n",
    ] {
        for cut in 0..whole.len() {
            let got = parse(&whole[..cut], &LIMITS);
            assert!(matches!(got, Step::Incomplete { .. }), "{cut} of {whole:?}: {got:?}");
        }
        assert_eq!(op(whole).1, whole.len());
    }
}

#[test]
fn wrong_bytes_fail_at_once() {
    for bytes in
        [&b"X"[..], b"PX", b"PUX", b"PUBX", b"SUBX", b"PIX", b"HX", b"-EX", b"UNSUBX", b"M"]
    {
        let got = parse(bytes, &LIMITS);
        assert!(matches!(got, Step::Fail(ParseError::Unknown { .. })), "{bytes:?}: {got:?}");
    }
    let got = parse(b"PUB foo 2\r\nhello\r\n", &LIMITS);
    assert!(matches!(got, Step::Fail(ParseError::Unknown { .. })), "{got:?}");
}

#[test]
fn limits_hold_on_incomplete_lines_too() {
    let limits = Limits { max_control_line: 8, max_payload: Some(4), headers: false };
    let fail = |bytes| match parse(bytes, &limits) {
        Step::Fail(e) => e,
        other => panic!("{other:?}"),
    };
    assert!(matches!(fail(b"SUB 0123456789"), ParseError::MaxControlLine { len: 10, .. }));
    assert_eq!(fail(b"PUB a 5\r\n"), ParseError::MaxPayload { size: 5, max: 4 });
    assert_eq!(fail(b"HPUB a 2 4\r\n"), ParseError::HeadersNotSupported);
}

#[test]
fn bad_arguments() {
    for (bytes, text) in [
        (&b"PUB foo\r\n"[..], "processPub Parse Error: \"foo\""),
        (b"PUB foo x\r\n", "processPub Bad or Missing Size: \"foo x\""),
        (b"PUB foo 9999999999\r\n", "processPub Bad or Missing Size: \"foo 9999999999\""),
        (b"PUB a b c d e\r\n", "processPub Parse Error: \"a b c d e\""),
        (b"HPUB foo 5\r\n", "processHeaderPub Parse Error: \"foo 5\""),
        (b"HPUB foo 5 3\r\n", "processHeaderPub Header Size larger then TotalSize: \"foo 5 3\""),
    ] {
        assert_eq!(parse(bytes, &LIMITS), Step::Fail(ParseError::Args(text.into())));
    }
}

mod fast_path {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[a-z.>*$_]{1,20}",
            3 => "[0-9]{1,11}",
            1 => "[ -~\t\u{e9}]{0,9}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_the_general_path(
            headers: bool,
            words in prop::collection::vec(word(), 1..5),
            size in 0..40_usize,
            end in prop_oneof![8 => Just("\r\n"), 1 => Just("\n"), 1 => Just(" \r\n"), 1 => Just("\r")],
            cut in 0..80_usize,
        ) {
            let verb: &[u8] = if headers { b"HPUB" } else { b"PUB" };
            let line = words.join(" ");
            let payload = "x".repeat(size);
            let text = String::from_utf8_lossy(verb);
            for size in [size.to_string(), String::new()] {
                let whole = format!("{text} {line} {size}{end}{payload}\r\n");
                let bytes = &whole.as_bytes()[..whole.len().saturating_sub(cut / 2)];
                for bytes in [whole.as_bytes(), bytes] {
                    if let Some(fast) = fast_pub(bytes, &LIMITS) {
                        prop_assert_eq!(fast, publication(bytes, verb, headers, &LIMITS));
                    }
                }
            }
        }
    }

    #[test]
    fn takes_the_common_forms() {
        for whole in [
            &b"PUB foo.bar 5\r\nhello\r\n"[..],
            b"PUB a 0\r\n\r\n",
            b"PUB foo.bar _INBOX.22.abcdefghijk 5\r\nhello\r\n",
            b"PUB foo 77 5\r\nhello\r\n",
            b"HPUB foo 12 17\r\nname:derek\r\nHELLO\r\n",
            b"HPUB foo 1 12 17\r\nname:derek\r\nHELLO\r\n",
        ] {
            assert!(matches!(fast_pub(whole, &LIMITS), Some(Step::Op(_, n)) if n == whole.len()));
        }
    }
}

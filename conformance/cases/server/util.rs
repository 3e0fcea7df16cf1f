use nats_server::base::text::{comma, parse_host_port, parse_i64, version_at_least};
use nats_server::config::Url;
use nats_server::wire::parser::parse_size;

crate::cases! {
    "server/util_test.go",
    library sizes => ["TestParseSize"],
    library numbers => ["TestParseSInt64"],
    library host_and_port => ["TestParseHostPort"],
    library equal_urls => ["TestURLsAreEqual"],
    library thousands => ["TestComma"],
    library versions => ["TestVersionAtLeast"],
    library passwords_are_hidden => ["TestURLRedaction"],
}

fn sizes() {
    assert_eq!(parse_size(b""), None);
    assert_eq!(parse_size(b"12345678"), Some(12_345_678));
    assert_eq!(parse_size(b"12345invalid678"), None);
}

fn numbers() {
    assert_eq!(parse_i64(b""), None);
    assert_eq!(parse_i64(b"12345678"), Some(12_345_678));
    assert_eq!(parse_i64(b"12345invalid678"), None);
}

fn host_and_port() {
    for (text, port) in [
        ("addr:1234", 1234),
        (" addr:1234 ", 1234),
        (" addr : 1234 ", 1234),
        ("addr", 5678),
        (" addr ", 5678),
        ("addr:-1", 5678),
        (" addr:-1 ", 5678),
        (" addr : -1 ", 5678),
        ("addr:0", 5678),
        (" addr:0 ", 5678),
        (" addr : 0 ", 5678),
    ] {
        assert_eq!(parse_host_port(text, 5678), Ok(("addr".to_owned(), port)), "{text:?}");
    }
    for text in ["addr:addr", "addr:::1234", ""] {
        assert!(parse_host_port(text, 0).is_err(), "{text:?}");
    }
}

fn equal_urls() {
    let url = |text| Url::parse(text).unwrap();
    for text in [
        "nats://localhost:4222",
        "nats://ivan:pwd@localhost:4222",
        "nats://ivan@localhost:4222",
        "nats://ivan:@localhost:4222",
    ] {
        assert_eq!(url(text), url(text));
    }
    assert_ne!(url("nats://host1:4222"), url("nats://host2:4222"));
    assert_ne!(url("nats://ivan:pwd@localhost:4222"), url("nats://ivan:other@localhost:4222"));
    assert_ne!(url("nats://ivan:@localhost:4222"), url("nats://ivan@localhost:4222"));
}

fn thousands() {
    for (n, expected) in [
        (0, "0"),
        (10, "10"),
        (100, "100"),
        (1000, "1,000"),
        (10_000, "10,000"),
        (100_000, "100,000"),
        (10_000_000, "10,000,000"),
        (10_100_000, "10,100,000"),
        (10_010_000, "10,010,000"),
        (10_001_000, "10,001,000"),
        (123_456_789, "123,456,789"),
        (9_223_372_000_000_000_000, "9,223,372,000,000,000,000"),
        (i64::MAX, "9,223,372,036,854,775,807"),
    ] {
        assert_eq!(comma(n), expected);
        if n != 0 {
            assert_eq!(comma(-n), format!("-{expected}"));
        }
    }
    assert_eq!(comma(i64::MIN), "-9,223,372,036,854,775,808");
}

fn versions() {
    for (version, least, expected) in [
        ("2.0.0-beta", (1, 9, 9), true),
        ("2.0.0", (1, 99, 9), true),
        ("2.2.0", (2, 1, 9), true),
        ("2.2.2", (2, 2, 2), true),
        ("2.2.2", (2, 2, 3), false),
        ("2.2.2", (2, 3, 2), false),
        ("2.2.2", (3, 2, 2), false),
        ("2.22.2", (3, 0, 0), false),
        ("2.2.22", (2, 3, 0), false),
        ("bad.version", (1, 2, 3), false),
    ] {
        assert_eq!(version_at_least(version, least), expected, "{version} {least:?}");
    }
}

fn passwords_are_hidden() {
    for (full, safe) in [
        ("nats://foo:bar@example.org", "nats://foo:xxxxx@example.org"),
        ("nats://foo@example.org", "nats://foo@example.org"),
        ("nats://example.org", "nats://example.org"),
        ("nats://example.org/foo?bar=1", "nats://example.org/foo?bar=1"),
    ] {
        let url = Url::parse(full).unwrap();
        assert_eq!(url.redacted(), safe);
        assert_eq!(format!("{url:?}"), safe, "nor by debug output");
    }
}

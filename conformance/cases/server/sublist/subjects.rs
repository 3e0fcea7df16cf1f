//! Subjects and patterns.

use super::world::text;
use nats_server::broker::sublist::InvalidSubject;
use nats_server::wire::subject;
use nats_server::wire::transform::{DestinationError, TransformError, validate_mapping};

crate::cases! {
    "server/sublist_test.go",
    library valid_literal_subjects => ["TestSublistValidLiteralSubjects"],
    library valid_subjects => ["TestSublistValidSubjects"],
    library literals_against_patterns => ["TestSublistMatchLiterals"],
    library literal_or_not => ["TestSubjectIsLiteral"],
    library mapping_destinations => ["TestValidateDestinationSubject"],
    library token_by_number => ["TestSubjectToken"],
    library subsets => ["TestIsSubsetMatch"],
    library colliding_subjects => ["TestSublistSubjectCollide"],
}

fn valid_literal_subjects() {
    for bad in [".foo", "foo.", "foo..bar", "foo.bar.*", "foo.bar.>", "*", ">"] {
        assert!(!subject::is_valid_literal_subject(bad.as_bytes()), "{bad}");
    }
    assert!(subject::is_valid_literal_subject(b"foo"));
    for odd in ODD {
        assert!(subject::is_valid_literal_subject(odd.as_bytes()), "{odd}");
    }
}

/// Wildcard characters that do not stand alone in a token are none.
const ODD: &[&str] = &[
    "foo*", "foo**", "foo.**", "foo*bar", "foo.*bar", "foo*.bar", "*bar", "foo>", "foo>>",
    "foo.>>", "foo>bar", "foo.>bar", "foo>.bar", ">bar",
];

fn valid_subjects() {
    for bad in [".", ".foo", "foo.", "foo..bar", ">.bar", "foo.>.bar"] {
        assert!(!subject::is_valid_subject(bad.as_bytes()), "{bad}");
    }
    for good in ["foo", "foo.bar.*", "foo.bar.>", "*", ">"].iter().chain(ODD) {
        assert!(subject::is_valid_subject(good.as_bytes()), "{good}");
    }
    assert!(!subject::is_valid_stored_subject(b"foo.bar.baz.\0"));
}

fn literals_against_patterns() {
    for (literal, pattern, expected) in [
        ("foo", "foo", true),
        ("foo", "bar", false),
        ("foo", "*", true),
        ("foo", ">", true),
        ("foo.bar", ">", true),
        ("foo.bar", "foo.>", true),
        ("foo.bar", "bar.>", false),
        ("stats.test.22", "stats.>", true),
        ("stats.test.22", "stats.*.*", true),
        ("foo.bar", "foo", false),
        ("stats.test.foos", "stats.test.foos", true),
        ("stats.test.foos", "stats.test.foo", false),
        ("stats.test", "stats.test.*", false),
        ("stats.test.foos", "stats.*", false),
        ("stats.test.foos", "stats.*.*.foos", false),
    ] {
        let matched = subject::matches(literal.as_bytes(), pattern.as_bytes());
        assert_eq!(matched, expected, "{literal} {pattern}");
    }
    for odd in ["*bar", "foo*", "foo*bar", "foo.***.bar", ">bar", "foo>", "foo>bar", "foo.>>>.bar"]
    {
        assert!(subject::matches(odd.as_bytes(), odd.as_bytes()), "{odd}");
    }
}

fn literal_or_not() {
    for literal in ["foo", "foo.bar", "foo*.bar"] {
        assert!(subject::is_literal(literal.as_bytes()), "{literal}");
    }
    for pattern in ["*", ">", "foo.*", "foo.>", "foo.*.>", "foo.*.bar", "foo.bar.>"] {
        assert!(!subject::is_literal(pattern.as_bytes()), "{pattern}");
    }
}

fn token_by_number() {
    let tokens = [0, 1, 2, 3, 4, 5].map(|at| text(subject::token_at(b"foo.bar.baz.*", at)));
    assert_eq!(tokens, ["", "foo", "bar", "baz", "*", ""]);
}

fn subsets() {
    for (subject, of, expected) in [
        ("foo.bar", "foo.bar", true),
        ("foo.*", ">", true),
        ("foo.*", "*.*", true),
        ("foo.*", "foo.*", true),
        ("foo.*", "foo.bar", false),
        ("foo.>", ">", true),
        ("foo.>", "*.>", true),
        ("foo.>", "foo.>", true),
        ("foo.>", "foo.bar", false),
        ("foo..bar", "foo.*", false),
        ("foo.*", "foo..bar", false),
    ] {
        let subset = subject::subset_match(subject.as_bytes(), of.as_bytes());
        assert_eq!(subset, expected, "{subject} {of}");
    }
}

fn colliding_subjects() {
    for (a, b, expected) in [
        ("foo.*", "foo.*.bar.>", false),
        ("foo.*.bar.>", "foo.*", false),
        ("foo.*", "foo.foo", true),
        ("foo.*", "*.foo", true),
        ("foo.bar.>", "*.bar.foo", true),
    ] {
        assert_eq!(subject::collide(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
    }
}

fn mapping_destinations() {
    for (source, destination) in [
        ("bar", "foo"),
        ("foo", "foo.bar"),
        ("*", "{{wildcard(1)}}"),
        ("foo.>", ">"),
        ("foo.*", "bar.{{wildcard(1)}}"),
        ("foo.>", "bar.>"),
        ("foo.*.>", "bar.{{wildcard(1)}}.>"),
        ("foo.*.bar", "bar.{{wildcard(1)}}.foo"),
        ("foo.bar.>", "foo.bar.foo.>"),
        ("*", "foo.{{wildcard(1)}}"),
        ("*", "foo.{{ wildcard(1) }}"),
        ("*", "foo.{{wildcard( 1 )}}"),
        ("*", "foo.{{partition(2,1)}}"),
        ("*.*", "foo.{{SplitFromLeft(2,1)}}"),
        ("*.*", "foo.{{SplitFromRight(2,1)}}"),
    ] {
        assert_eq!(validate_mapping(source, destination), Ok(()), "{source} {destination}");
    }
    for (source, destination, reason, token) in [
        ("*", "foo.{{unknown(1)}}", DestinationError::UnknownFunction, "{{unknown(1)}}"),
        ("foo", "foo..}", DestinationError::InvalidSubject, ""),
        ("foo", "foo. bar}", DestinationError::InvalidSubject, ""),
    ] {
        let error = TransformError::Destination { reason, token: token.to_owned() };
        assert_eq!(validate_mapping(source, destination), Err(error), "{source} {destination}");
    }
}

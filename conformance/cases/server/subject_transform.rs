use nats_server::base::Rng;
use nats_server::wire::transform::{Transform, TransformError, untokenize};

crate::cases! {
    "server/subject_transform_test.go",
    library place_holders => ["TestPlaceHolderIndex"],
    library helpers => ["TestSubjectTransformHelpers"],
    library transforms => ["TestSubjectTransforms"],
    library missing_tokens => ["TestSubjectTransformDoesntPanicTransformingMissingToken"],
}

fn map(source: &str, destination: &str, subject: &str) -> String {
    let transform = Transform::new(source, destination).unwrap().unwrap();
    let out = transform.match_subject(subject.as_bytes(), &mut Rng::from_seed(1)).unwrap();
    String::from_utf8(out).unwrap()
}

/// Each function, its arguments in any spelling, and an outcome that shows which token and which
/// number were understood.
fn place_holders() {
    let subject = "ab.cde.fghi";
    for (token, expected) in [
        ("$1", "ab"),
        ("{{wildcard(2)}}", "cde"),
        ("{{SplitFromLeft(2,1)}}", "c.de"),
        ("{{SplitFromRight(3,2)}}", "fg.hi"),
        ("{{SliceFromLeft(2,2)}}", "cd.e"),
        ("{{Left(3,2)}}", "fg"),
        ("{{Right(3,2)}}", "hi"),
    ] {
        assert_eq!(map("*.*.*", token, subject), expected, "{token}");
    }
    let partition = map("*.*.*", "{{partition(10,1,2,3)}}", subject);
    assert_eq!(map("*.*.*", "{{ Partition (10,1,2,3) }}", subject), partition);
    // The same bytes, whichever tokens they come from; a digit, so no more than ten buckets.
    assert_eq!(map("*.*.*", "{{partition(10,3,1,2)}}", "cde.fghi.ab"), partition);
    assert_eq!(partition.len(), 1);
}

fn helpers() {
    assert_eq!(untokenize("bar"), ("bar".to_owned(), vec![]));
    assert_eq!(untokenize("foo.$2.$1"), ("foo.*.*".to_owned(), vec!["$2", "$1"]));
    let mustache = untokenize("foo.{{wildcard(2)}}.{{wildcard(1)}}");
    assert_eq!(mustache, ("foo.*.*".to_owned(), vec!["{{wildcard(2)}}", "{{wildcard(1)}}"]));

    let mut rng = Rng::from_seed(1);
    let there = Transform::new_strict("foo.*.*", "bar.$2.{{Wildcard(1)}}").unwrap().unwrap();
    let out = there.apply(b"foo.b.a", &mut rng);
    assert_eq!(out, b"bar.a.b");
    assert_eq!(there.reverse().unwrap().apply(&out, &mut rng), b"foo.b.a");
}

fn transforms() {
    refused();
    accepted();
    for (source, destination, subject, expected) in [
        ("", "prefix.>", "foo", "prefix.foo"),
        ("foo", "bar", "foo", "bar"),
        ("foo.*.bar.*.baz", "req.$2.$1", "foo.A.bar.B.baz", "req.B.A"),
        ("foo.*.bar.*.baz", "req.{{wildcard(2)}}.{{wildcard(1)}}", "foo.A.bar.B.baz", "req.B.A"),
        ("baz.>", "my.pre.>", "baz.1.2.3", "my.pre.1.2.3"),
        ("baz.>", "foo.bar.>", "baz.1.2.3", "foo.bar.1.2.3"),
        ("*", "foo.bar.$1", "foo", "foo.bar.foo"),
        ("*", "{{splitfromleft(1,3)}}", "12345", "123.45"),
        ("*", "{{SplitFromRight(1,3)}}", "12345", "12.345"),
        ("*", "{{SliceFromLeft(1,3)}}", "1234567890", "123.456.789.0"),
        ("*", "{{SliceFromRight(1,3)}}", "1234567890", "1.234.567.890"),
        ("*", "{{split(1,-)}}", "-abc-def--ghi-", "abc.def.ghi"),
        ("*", "{{split(1,-)}}", "abc-def--ghi-", "abc.def.ghi"),
        (
            "*.*",
            "{{split(2,-)}}.{{splitfromleft(1,2)}}",
            "foo.-abc-def--ghij-",
            "abc.def.ghij.fo.o",
        ),
        ("*", "{{right(1,1)}}", "1234", "4"),
        ("*", "{{right(1,3)}}", "1234", "234"),
        ("*", "{{right(1,6)}}", "1234", "1234"),
        ("*", "{{left(1,1)}}", "1234", "1"),
        ("*", "{{left(1,3)}}", "1234", "123"),
        ("*", "{{left(1,6)}}", "1234", "1234"),
        ("*", "bar.{{partition(0)}}", "baz", "bar.0"),
        ("*", "bar.{{partition(10, 0)}}", "foo", "bar.3"),
        ("*.*", "bar.{{partition(10)}}", "foo.bar", "bar.6"),
        ("*", "bar.{{partition(10)}}", "foo", "bar.3"),
        ("*", "bar.{{partition(10)}}", "baz", "bar.0"),
        ("*", "bar.{{partition(10)}}", "qux", "bar.9"),
        ("*", "bar.{{random(0)}}", "qux", "bar.0"),
        ("foo.bar", "baz.{{partition(10)}}", "foo.bar", "baz.6"),
        ("foo.baz", "qux.{{partition(10)}}", "foo.baz", "qux.4"),
        ("test.subject", "result.{{partition(5)}}", "test.subject", "result.0"),
    ] {
        assert_eq!(map(source, destination, subject), expected, "{source} {destination}");
    }
    let random = Transform::new("*", "bar.{{random(6)}}").unwrap().unwrap();
    let mut rng = Rng::from_seed(6);
    let mut seen = [0; 6];
    for _ in 0..200 {
        let out = String::from_utf8(random.match_subject(b"qux", &mut rng).unwrap()).unwrap();
        let number: usize = out.strip_prefix("bar.").unwrap().parse().unwrap();
        seen[number] += 1;
    }
    assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
}

fn refused() {
    let too_large = i64::from(i32::MAX) + 1;
    let too_large = ["partition", "random"].map(|f| format!("foo.{{{{{f}({too_large})}}}}"));
    for (source, destination, strict) in [
        ("foo..", "bar", false),
        ("foo.*", "bar.*", false),
        ("foo.*", "bar.$2", false),
        ("foo.*", "bar.$1.>", false),
        ("foo.>", "bar.baz", false),
        ("foo.*.*", "bar.$2", true),
        ("foo.*", "foo.$foo", true),
        ("foo.*", "bar.{{Partition(2,1)}}", true),
        ("foo.*", "foo.{{wildcard(2)}}", false),
        ("foo.*", "foo.{{unimplemented(1)}}", false),
        ("foo.*", "foo.{{partition()}}", false),
        ("foo.*", "foo.{{random()}}", false),
        ("foo.*", "foo.{{wildcard(foo)}}", false),
        ("foo.*", "foo.{{wildcard()}}", false),
        ("foo.*", "foo.{{wildcard(1,2)}}", false),
        ("foo.*", "foo.{{ wildcard5) }}", false),
        ("foo.*", "foo.{{splitLeft(2,2}}", false),
        ("foo", "bla.{{wildcard(1)}}", false),
        ("foo.*", &too_large[0], false),
        ("foo.*", &too_large[1], false),
    ] {
        let compile = if strict { Transform::new_strict } else { Transform::new };
        let error = compile(source, destination).expect_err(destination);
        let text = error.to_string();
        let known = match error {
            TransformError::BadSubject => text == "invalid subject",
            TransformError::Destination { .. } => text.starts_with("invalid mapping destination: "),
        };
        assert!(known, "{text}");
    }
}

fn accepted() {
    let largest = ["partition", "random"].map(|f| format!("foo.{{{{{f}({})}}}}", i32::MAX));
    for (source, destination) in [
        ("foo.*.*", "bar.$2"),
        ("foo.*.*", "bar.{{wildcard(1)}}"),
        ("foo.*.*", "bar.{{partition(1)}}"),
        ("foo.*.*", "bar.{{random(5)}}"),
        ("foo", "bar"),
        ("foo.*.bar.*.baz", "req.$2.$1"),
        ("baz.>", "mybaz.>"),
        ("*", "{{splitfromleft(1,1)}}"),
        ("", "prefix.>"),
        ("*.*", "{{partition(10,1,2)}}"),
        ("foo.*.*", "foo.{{wildcard(1)}}.{{wildcard(2)}}.{{partition(5,1,2)}}"),
        ("foo.bar", "baz.{{partition(10)}}"),
        ("foo.*", &largest[0]),
        ("foo.*", &largest[1]),
        ("foo.bar", &largest[1]),
    ] {
        assert!(matches!(Transform::new(source, destination), Ok(Some(_))), "{destination}");
    }
    assert!(matches!(Transform::new_strict("foo.*", "bar.{{Wildcard(1)}}"), Ok(Some(_))));
    assert_eq!(Transform::new("foo", ""), Ok(None));
}

fn missing_tokens() {
    let mut rng = Rng::from_seed(1);
    let apply = |destination, rng: &mut Rng| {
        Transform::new("foo.*", destination).unwrap().unwrap().apply(b"foo", rng)
    };
    assert_eq!(apply("one.two.{{wildcard(1)}}", &mut rng), b"one.two.");
    // Upstream would panic on these.
    assert_eq!(apply("one.{{left(1,2)}}", &mut rng), b"one.");
    assert_eq!(apply("one.{{split(1,-)}}", &mut rng), b"one.");
}

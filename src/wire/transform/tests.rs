use super::*;
use crate::base::Rng;
use proptest::prelude::*;

fn map(source: &str, destination: &str, subject: &str) -> String {
    let transform = Transform::new(source, destination).unwrap().unwrap();
    let out = transform.match_subject(subject.as_bytes(), &mut Rng::from_seed(1)).unwrap();
    String::from_utf8(out).unwrap()
}

fn refused(source: &str, destination: &str) -> String {
    Transform::new(source, destination).unwrap_err().to_string()
}

#[test]
fn place_holders() {
    let parse = |token| PlaceHolder::parse(token).unwrap();
    assert_eq!(parse("$1"), PlaceHolder::Wildcard(1));
    assert_eq!(parse("$JS"), PlaceHolder::None);
    assert_eq!(parse("{{}}"), PlaceHolder::None);
    assert_eq!(parse("{{ wildcard ( 2 ) }}"), PlaceHolder::Wildcard(2));
    let three = PlaceHolder::Partition { buckets: 10, numbers: vec![1, 2, 3] };
    assert_eq!(parse("{{ Partition (10, 1,2,  3) }}"), three);
    let cut = PlaceHolder::Cut { how: Cut::SliceFromLeft, number: 2, size: -1 };
    assert_eq!(parse("{{sliceFromleft(2,-1)}}"), cut);
}

#[test]
fn texts_of_errors() {
    let cases = [
        ("foo.*", "foo.{{nope(1)}}", "unknown function in {{nope(1)}}"),
        ("foo.*", "foo.$2", "wildcard index out of range in $2: [2]"),
        ("foo", "foo.$1", "wildcard index out of range in $1"),
        (
            "foo.*",
            "{{wildcard()}}",
            "not enough arguments passed to the function in {{wildcard()}}",
        ),
        (
            "foo.*",
            "{{wildcard(1,2)}}",
            "too many arguments passed to the function in {{wildcard(1,2)}}",
        ),
        (
            "foo.*",
            "{{split(1,a b)}}",
            "function argument is invalid or in the wrong format in {{split(1,a b)}}",
        ),
    ];
    for (source, destination, text) in cases {
        assert_eq!(refused(source, destination), format!("invalid mapping destination: {text}"));
    }
    assert_eq!(refused("foo.*", "bar.*"), "invalid subject");
    let strict = |destination| Transform::new_strict("a.*.*", destination).unwrap_err().to_string();
    assert_eq!(
        strict("b.$1"),
        "invalid mapping destination: not using all of the token wildcard(s) in b.$1"
    );
    assert_eq!(
        strict("{{left(1,1)}}"),
        "invalid mapping destination: the only mapping function allowed for import transforms is \
         {{Wildcard()}} in {{left(1,1)}}"
    );
}

#[test]
fn validating_a_mapping() {
    assert_eq!(validate_mapping("foo", ""), Ok(()));
    assert_eq!(validate_mapping("*", "a.{{split(1,-)}}"), Ok(()));
    let text = |destination| validate_mapping("*", destination).unwrap_err().to_string();
    assert_eq!(text("a..b"), "invalid mapping destination: invalid transform");
    assert_eq!(text(">.b"), "invalid mapping destination: invalid transform in b");
    assert_eq!(text("a b"), "invalid mapping destination: invalid transform");
    assert_eq!(text("{{x(1)}}"), "invalid mapping destination: unknown function in {{x(1)}}");
    assert_eq!(validate_mapping("*", "{{left(1,2)}}.{{x{{Wildcard(1)}}"), Ok(()));
}

#[test]
fn splitting_keeps_upstreams_oddities() {
    assert_eq!(map("*", "{{split(1,-)}}", "--abc"), ".abc");
    assert_eq!(map("*", "{{split(1,-)}}", "-a--b-"), "a.b");
    assert_eq!(map("*", "{{split(1,)}}", "aéb"), "a.é.b");
    assert_eq!(map("*", "{{split(1,<>)}}", "a<>b"), "a.b");
}

#[test]
fn matching() {
    let transform = Transform::new("foo.*", "bar.$1").unwrap().unwrap();
    let mut rng = Rng::from_seed(1);
    assert_eq!(transform.match_subject(b"baz.a", &mut rng), Err(MatchError::NoTransforms));
    assert_eq!(transform.match_subject(b"foo.*", &mut rng), Err(MatchError::BadSubject));
    assert_eq!(transform.match_subject(b"foo.\xff", &mut rng).unwrap(), b"bar.\xff");
    assert_eq!(Transform::new("foo", ""), Ok(None));
    assert_eq!(map(">", ">", "a..b"), "a..b");
}

#[test]
fn random_depends_on_the_generator_alone() {
    let transform = Transform::new("*", "{{random(1000)}}").unwrap().unwrap();
    let draw = |seed| transform.apply(b"a", &mut Rng::from_seed(seed));
    assert_eq!(draw(7), draw(7));
    assert!((0..10).any(|seed| draw(seed) != draw(7)));
}

#[test]
fn reversing() {
    let there = Transform::new_strict("foo.*.*", "bar.$2.{{Wildcard(1)}}").unwrap().unwrap();
    let back = there.reverse().unwrap();
    assert_eq!((back.source(), back.destination()), ("bar.*.*", "foo.$2.{{Wildcard(1)}}"));
    let lossy = Transform::new("foo.*.*", "bar.$2").unwrap().unwrap();
    assert_eq!(lossy.reverse(), None);
}

proptest! {
    #[test]
    fn nothing_panics(
        source in "[a*>.]{0,6}",
        destination in "([a.>]|\\$[0-9]|\\{\\{(left|split|partition|random|SliceFromRight)\\([0-9, -]{0,6}\\)\\}\\}){0,4}",
        raw in "[ -~\\n]{0,24}",
        subject in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut rng = Rng::from_seed(3);
        for destination in [&destination, &raw, &format!("{{{{{raw}}}}}")] {
            let _ = (validate_mapping(&source, destination), untokenize(destination));
            if let Ok(Some(transform)) = Transform::new(&source, destination) {
                transform.apply(&subject, &mut rng);
                let _ = (transform.reverse(), transform.match_subject(&subject, &mut rng));
            }
        }
    }

    #[test]
    fn swaps_are_undone(order in Just(vec![1, 2]).prop_shuffle(), subject in "foo\\.[a-c]{1,3}\\.[a-c]{1,3}") {
        let there = Transform::new_strict("foo.*.*", &format!("bar.${}.${}", order[0], order[1]));
        let there = there.unwrap().unwrap();
        let mut rng = Rng::from_seed(1);
        let out = there.apply(subject.as_bytes(), &mut rng);
        prop_assert_eq!(there.reverse().unwrap().apply(&out, &mut rng), subject.as_bytes());
    }

    #[test]
    fn cuts_keep_every_byte(token in "[a-z0-9]{1,20}", size in -2i32..25) {
        for how in ["SplitFromLeft", "SplitFromRight", "SliceFromLeft", "SliceFromRight"] {
            let out = map("*", &format!("{{{{{how}(1,{size})}}}}"), &token);
            prop_assert_eq!(out.replace('.', ""), token.as_str());
            if how.starts_with("Slice") && size > 0 {
                prop_assert!(out.split('.').all(|piece| piece.len() <= size as usize));
            }
        }
        let left = map("*", &format!("{{{{left(1,{size})}}}}"), &token);
        prop_assert!(token.starts_with(&left));
    }
}

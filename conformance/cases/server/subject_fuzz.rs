use nats_server::base::Rng;
use nats_server::wire::subject::{collide, is_valid_subject, matches, tokens};

crate::cases! {
    "server/subject_fuzz_test.go",
    library collisions => ["FuzzSubjectsCollide"],
}

/// The seeds upstream gives its fuzzer, with the outcome it notes for each.
const SEEDS: &[(&str, &str, bool)] = &[
    ("", "", true),
    ("a", "a", true),
    ("a.b.c", "a.b.c", true),
    ("$JS.b.c", "$JS.b.c", true),
    ("a.b.c", "a.*.c", true),
    ("a.b.*", "a.*.c", true),
    ("aaa.bbb.ccc", "aaa.bbb.ccc", true),
    ("aaa.*.ccc", "*.bbb.ccc", true),
    ("*", "*", true),
    ("**", "*", true),
    ("", ">", true),
    (">", ">", true),
    (">>", ">", true),
    ("a", ">", true),
    ("a.b.c", ">", true),
    ("a.b.c.>", "a.b.>", true),
    ("a.b.c.d.*", "a.b.c.*.e", true),
    ("a.*.*.d.>", "a.bbb.ccc.*.e", true),
    ("a", "", false),
    ("a.b", "b.a", false),
    ("a.bbbbb.*.d", "a.b.>", false),
    ("a.b", "a.b.c", false),
    ("a.b.c", "a.b", false),
    ("a.b", "", false),
    ("a.*.*.d.e.>", "a.bbb.ccc.*.e", false),
];

fn collisions() {
    for (a, b, expected) in SEEDS {
        assert_eq!(collide(a.as_bytes(), b.as_bytes()), *expected, "{a:?} {b:?}");
        assert_eq!(collide(b.as_bytes(), a.as_bytes()), *expected, "{b:?} {a:?}");
    }
    // Mutations of the seeds: never a panic, and a witness whenever one is easily built.
    let mut rng = Rng::from_seed(2025);
    for _ in 0..20_000 {
        let mut pick = || {
            let (a, b, _) = SEEDS[rng.below(SEEDS.len() as u64) as usize];
            let mut subject = format!("{a}.{b}").into_bytes();
            subject.truncate(rng.below(subject.len() as u64 + 1) as usize);
            if let Some(byte) = subject.first_mut().filter(|_| rng.below(4) == 0) {
                *byte = b".*>a\xff "[rng.below(6) as usize];
            }
            subject
        };
        let (a, b) = (pick(), pick());
        if !is_valid_subject(&a) || !is_valid_subject(&b) {
            continue;
        }
        let collided = collide(&a, &b);
        assert_eq!(collided, collide(&b, &a));
        let literal: Vec<_> =
            tokens(&a).map(|t| if t == b"*" || t == b">" { b"x" } else { t }).collect();
        let literal = literal.join(&b'.');
        if matches(&literal, &a) && matches(&literal, &b) {
            assert!(collided, "{a:?} {b:?} both match {literal:?}");
        }
    }
}

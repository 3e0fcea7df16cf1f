//! What a memory store answers.

use super::kinds::{SECOND, Stream, filter, memory, set, subjects};
use nats_server::base::Rng;
use nats_server::model::{SimpleState, StreamConfig};
use nats_server::store::stream::{Filter, StoreError};
use nats_server::wire::subject;
use std::collections::{BTreeMap, BTreeSet};

crate::cases! {
    "server/memstore_test.go",
    library subjects_totals => ["TestMemStoreSubjectsTotals"],
    library num_pending => ["TestMemStoreNumPending"],
    library sequence_of_a_time => ["TestMemStoreGetSeqFromTimeWithLastDeleted"],
    library last_sequences => ["TestMemStoreMultiLastSeqs"],
    library too_many_last_sequences => ["TestMemStoreMultiLastSeqsMaxAllowed"],
    library num_pending_of_a_set => ["TestMemStoreNumPendingMulti"],
    library num_pending_from_within => ["TestMemStoreNumPendingBug"],
    library all_last_sequences => ["TestMemStoreAllLastSeqs"],
    library subject_of_a_sequence => ["TestMemStoreSubjectForSeq"],
    library bounds_of_a_pattern => ["TestMemStoreNextWildcardMatch"],
    library bounds_of_a_subject => ["TestMemStoreNextLiteralMatch"],
    library last_sequence_after_a_removal => ["TestMemStoreMultiLastSeqsDoesNotUseStaleLastValue"],
    not_applicable "TestMemStoreMultiLastSeqsDoesNotReorderConfigSubjects" => "A store answers through a shared reference and its configuration is plain data in it: the compiler refuses a query that sorts it, so there is nothing left to observe. What that query answers is in last_sequences.",
}

fn subjects_totals() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = memory(&subjects(&["*.*"]));
    let mut rng = Rng::from_seed(1);
    let mut expected = BTreeMap::<String, u64>::new();
    for _ in 0..10_000 {
        let first = if rng.below(2) == 0 { "foo" } else { "bar" };
        let subject = format!("{first}.{}", rng.below(100));
        stream.put_payload(&subject, b"Hello World");
        *expected.entry(subject).or_default() += 1;
    }
    let totals = |pattern: &str| stream.store.subjects_totals(filter(pattern));
    for (subject, total) in &expected {
        let expected = BTreeMap::from([(subject.clone().into_bytes(), *total)]);
        assert_eq!(totals(subject), expected);
    }
    for pattern in ["foo.*", "bar.*", "*.*", ">", ""] {
        let prefix = pattern.strip_suffix('*').filter(|prefix| *prefix != "*.").unwrap_or("");
        let meant = expected.iter().filter(|(subject, _)| subject.starts_with(prefix));
        let meant = meant.map(|(subject, total)| (subject.clone().into_bytes(), *total));
        assert_eq!(totals(pattern), meant.collect(), "{pattern}");
    }
    assert!(totals("none.*").is_empty());
}

fn num_pending() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = memory(&subjects(&["*.*.*.*"]));
    let mut rng = Rng::from_seed(2);
    let mut stored = Vec::new();
    for _ in 0..50_000 {
        let mut token = || ["foo", "bar", "baz"][rng.below(3) as usize];
        let subject = [token(), token(), token(), token()].join(".");
        stream.put_payload(&subject, b"Hello World");
        stored.push(subject);
    }
    for pattern in ["foo.>", "*.bar.>", "foo.bar.*.baz", "*.foo.bar.*", "foo.foo.bar.baz"] {
        let meant = |subject: &str| subject::matches(subject.as_bytes(), pattern.as_bytes());
        for start in [0, 1, 2, 200, 444, 555, 2222, 8888, 12_345, 28_222, 33_456, 44_400, 49_999] {
            let from = stored.iter().zip(1..).skip(usize::max(start, 1) - 1);
            let seqs: Vec<(u64, &str)> = from
                .filter(|(subject, _)| meant(subject))
                .map(|(subject, seq)| (seq, subject.as_str()))
                .collect();
            let messages = seqs.len() as u64;
            let start = start as u64;
            let pending = stream.store.num_pending(start, filter(pattern), false).unwrap();
            assert_eq!(pending, (messages, 50_000), "{pattern} {start}");
            let state = stream.store.filtered_state(start, filter(pattern)).unwrap();
            let seq = |message: Option<&(u64, &str)>| message.map_or(0, |(seq, _)| *seq);
            let (first_seq, last_seq) = (seq(seqs.first()), seq(seqs.last()));
            assert_eq!(state, SimpleState { messages, first_seq, last_seq });
            let lasts: BTreeSet<&str> = seqs.iter().map(|(_, subject)| *subject).collect();
            let pending = stream.store.num_pending(start, filter(pattern), true).unwrap();
            assert_eq!(pending, (lasts.len() as u64, 50_000));
        }
    }
}

fn sequence_of_a_time() {
    let mut stream = memory(&subjects(&["*"]));
    stream.put_many("A", 500);
    stream.now += SECOND / 10;
    let time = stream.now;
    stream.put_many("A", 500);
    stream.remove(900..=1000);
    assert_eq!(stream.store.seq_from_time(time), 501);
    // After the last one that is left comes the next one.
    let last = stream.load(899).unwrap().time_ns;
    assert_eq!(stream.store.seq_from_time(last), 899);
    assert_eq!(stream.store.seq_from_time(last + 1), 1001);
}

/// The last sequences of several filters, which are one by itself.
fn lasts(stream: &mut Stream, filters: &[&str], max_seq: u64) -> Vec<u64> {
    let several = set(filters);
    let filter = match filters {
        [one] => filter(one),
        _ => Filter::Set(&several),
    };
    stream.store.multi_last_seqs(filter, max_seq, 0).unwrap()
}

fn last_sequences() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = memory(&subjects(&["foo.*", "bar.*"]));
    for first in ["foo", "bar"] {
        for _ in 0..33 {
            ["foo", "bar", "baz"]
                .iter()
                .for_each(|last| _ = stream.put(&format!("{first}.{last}")));
        }
    }
    let all = [97, 98, 99, 196, 197, 198];
    let cases: &[(&[&str], u64, &[u64])] = &[
        (&["foo.*"], 3, &[1, 2, 3]),
        (&["foo.*"], 0, &all[..3]),
        (&["bar.*"], 0, &all[3..]),
        (&["bar.*"], 99, &[]),
        (&["foo.foo", "foo.bar", "foo.baz"], 3, &[1, 2, 3]),
        (&["foo.foo", "foo.bar", "foo.baz"], 0, &all[..3]),
        (&["bar.foo", "bar.bar", "bar.baz"], 0, &all[3..]),
        (&["bar.foo", "bar.bar", "bar.baz"], 99, &[]),
        (&["foo.foo"], 3, &[1]),
        // None comes twice.
        (&["foo.*", "foo.bar"], 3, &[1, 2, 3]),
        (&["bar.>", "bar.bar", "bar.baz"], 0, &all[3..]),
        (&[">"], 0, &all),
        (&[">"], 99, &all[..3]),
        // The subjects of the stream, in either order.
        (&["foo.*", "bar.*"], 0, &all),
        (&["bar.*", "foo.*"], 0, &all),
    ];
    for (filters, max_seq, expected) in cases {
        assert_eq!(lasts(&mut stream, filters, *max_seq), *expected, "{filters:?} {max_seq}");
    }
}

fn too_many_last_sequences() {
    let mut stream = memory(&subjects(&["foo.*"]));
    (1..=100).for_each(|n| _ = stream.put(&format!("foo.{n}")));
    let mut seqs = |max_allowed| stream.store.multi_last_seqs(filter("foo.*"), 0, max_allowed);
    assert!(matches!(seqs(10), Err(StoreError::TooManyResults)));
    assert!(matches!(seqs(99), Err(StoreError::TooManyResults)));
    assert_eq!(seqs(100).unwrap().len(), 100);
}

fn num_pending_of_a_set() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = memory(&subjects(&["ev.*"]));
    let mut rng = Rng::from_seed(3);
    let subjects: Vec<String> = (0..10_000).map(|n| format!("ev.{:x}", n * 7919)).collect();
    let payload = b"ZZZ".repeat(333);
    let mut stored = Vec::new();
    for _ in 0..100_000 {
        let subject = &subjects[rng.below(10_000) as usize];
        stream.put_payload(subject, &payload);
        stored.push(subject);
    }
    let filters: BTreeSet<&str> = subjects.iter().step_by(2).map(String::as_str).collect();
    let filters_set = set(&filters.iter().copied().collect::<Vec<_>>());
    for start in [0, 5_000, 5_001 + rng.below(89_999), 95_000, 100_000] {
        let from = stored.iter().skip(start.max(1) as usize - 1);
        let expected = from.filter(|subject| filters.contains(subject.as_str())).count() as u64;
        let pending = stream.store.num_pending(start, Filter::Set(&filters_set), false).unwrap();
        assert_eq!(pending, (expected, 100_000));
    }
}

fn num_pending_from_within() {
    let mut stream = memory(&subjects(&["foo.*"]));
    for subject in ["foo.foo", "foo.bar", "foo.baz", "foo.zzz"] {
        stream.put("foo.aaa");
        stream.put_many(subject, 2);
    }
    assert_eq!(stream.store.num_pending(4, filter("foo.*"), false).unwrap(), (9, 12));
}

fn all_last_sequences() {
    crate::exercises!("gap_areas", "1.10");
    let config = StreamConfig { max_msgs_per_subject: 50, ..subjects(&["*.*"]) };
    let mut stream = memory(&config);
    let mut rng = Rng::from_seed(4);
    let subjects = ["foo.foo", "foo.bar", "foo.baz", "bar.foo", "bar.bar", "bar.baz"];
    let mut expected = BTreeMap::new();
    for seq in 1..=100_000u64 {
        let subject = subjects[rng.below(6) as usize];
        stream.put_payload(subject, b"abc");
        expected.insert(subject, seq);
    }
    assert_eq!(stream.state().messages, 300);
    for (subject, seq) in &expected {
        assert_eq!(stream.last(subject), Some(*seq));
    }
    let mut seqs: Vec<u64> = expected.into_values().collect();
    seqs.sort_unstable();
    assert_eq!(stream.store.all_last_seqs().unwrap(), seqs);
}

fn subject_of_a_sequence() {
    let mut stream = memory(&subjects(&["foo.>"]));
    assert_eq!(stream.put("foo.bar"), 1);
    assert!(matches!(stream.store.subject_for_seq(0), Err(StoreError::NotFound)));
    assert_eq!(stream.store.subject_for_seq(1).unwrap(), b"foo.bar");
    assert!(matches!(stream.store.subject_for_seq(2), Err(StoreError::NotFound)));
}

/// A stream in which subjects come and go: 1, 2 to 11, 12, 13 to 22, 23 to 32.
fn taking_turns() -> Stream {
    let mut stream = memory(&subjects(&["foo.>"]));
    for (subject, count) in [
        ("foo.bar.a", 1),
        ("foo.baz.bar", 10),
        ("foo.bar.b", 1),
        ("foo.baz.bar", 10),
        ("foo.baz.bar.no.match", 10),
    ] {
        stream.put_many(subject, count);
    }
    stream
}

/// The first and the last message from `start` on that is meant.
fn bounds(stream: &mut Stream, meant: &str, start: u64) -> Option<(u64, u64)> {
    let state = stream.store.filtered_state(start, filter(meant)).unwrap();
    let found = (state.messages > 0).then_some((state.first_seq, state.last_seq));
    assert_eq!(stream.next(filter(meant), start), found.map(|(first, _)| first));
    found
}

fn bounds_of_a_pattern() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = taking_turns();
    for (meant, start, expected) in [
        ("foo.bar.*", 0, Some((1, 12))),
        ("foo.bar.*", 1, Some((1, 12))),
        ("foo.bar.*", 2, Some((12, 12))),
        ("foo.bar.*", 13, None),
        ("foo.baz.*", 1, Some((2, 22))),
        ("foo.baz.*", 11, Some((11, 22))),
        ("foo.baz.*", 12, Some((13, 22))),
        ("foo.baz.*", 22, Some((22, 22))),
        ("foo.baz.*", 23, None),
        ("foo.nope.*", 1, None),
        ("foo.>", 1, Some((1, 32))),
    ] {
        assert_eq!(bounds(&mut stream, meant, start), expected, "{meant} {start}");
    }
}

fn bounds_of_a_subject() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = taking_turns();
    for (meant, start, expected) in [
        ("foo.bar.a", 0, Some((1, 1))),
        ("foo.bar.a", 2, None),
        ("foo.baz.bar", 1, Some((2, 22))),
        ("foo.baz.bar", 11, Some((11, 22))),
        ("foo.baz.bar", 22, Some((22, 22))),
        ("foo.baz.bar", 23, None),
        ("foo.nope", 1, None),
    ] {
        assert_eq!(bounds(&mut stream, meant, start), expected, "{meant} {start}");
    }
}

fn last_sequence_after_a_removal() {
    let mut stream = memory(&subjects(&["foo", "bar", "baz"]));
    for subject in ["foo", "bar", "foo", "baz", "foo", "foo", "bar", "foo", "bar", "baz"] {
        stream.put(subject);
    }
    assert_eq!(lasts(&mut stream, &["foo", "bar"], 0), [8, 9]);
    stream.remove([8]);
    assert_eq!(lasts(&mut stream, &["foo", "bar"], 0), [6, 9]);
}

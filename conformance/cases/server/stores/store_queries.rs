//! What every kind of store answers.

use super::kinds::{Stream, each, filter, set, subjects};
use nats_server::model::SimpleState;
use nats_server::store::stream::{Filter, StoreError, StoredMessage};
use std::ops::ControlFlow;

crate::cases! {
    "server/store_test.go",
    library next_of_a_set => ["TestStoreMsgLoadNextMsgMulti"],
    library next_of_a_pattern_that_comes_late => ["TestStoreLoadNextMsgWildcardStartBeforeFirstMatch"],
    library first_and_last_of_a_subject => ["TestStoreSubjectStateConsistency"],
    library the_only_one_of_a_subject => ["TestStoreSubjectStateConsistencyOptimization"],
    library previous_of_a_set => ["TestStoreMsgLoadPrevMsgMulti"],
    library previous => ["TestStoreMsgLoadPrevMsg"],
    library previous_of_everything => ["TestStoreMsgLoadPrevMsgMultiFullWildcardSkip"],
    library last_after_removals => ["TestFileStoreMultiLastSeqsAndLoadLastMsgWithLazySubjectState"],
    library last_messages => ["TestStoreMultiLastMsgs"],
    library pending_last_messages => ["TestStoreNumPendingLastPerSubjectExcludeOvercount"],
}

fn next_of_a_set() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["foo.*"]), |stream| {
        let names: Vec<String> = (0..1000).map(|n| format!("foo.{n}")).collect();
        names.iter().for_each(|name| _ = stream.put_payload(name, b"ZZZ"));
        let literals: Vec<&str> = names.iter().map(String::as_str).collect();
        for all in [set(&["foo.>"]), set(&literals)] {
            for seq in 1..=1000 {
                assert_eq!(stream.next(Filter::Set(&all), seq), Some(seq));
            }
        }
        let three = set(&["foo.2", "foo.222", "foo.999"]);
        let mut next = |start| stream.next(Filter::Set(&three), start);
        assert_eq!([next(1), next(4), next(224)], [Some(3), Some(223), Some(1000)]);
        assert_eq!(next(1001), None);
        assert_eq!(stream.store.subject_for_seq(223).unwrap(), b"foo.222");
    });
}

fn next_of_a_pattern_that_comes_late() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["bar.*", "foo.*"]), |stream| {
        (0..100).for_each(|n| _ = stream.put(&format!("bar.{n}")));
        assert_eq!(stream.put("foo.1"), 101);
        assert_eq!(stream.next(filter("foo.*"), 1), Some(101));
        assert_eq!(stream.next(filter("foo.*"), 102), None);
    });
}

/// What there is of `foo`: messages, first and last sequence.
#[track_caller]
fn check(stream: &mut Stream, messages: u64, first_seq: u64, last_seq: u64) {
    assert_eq!(stream.subject("foo"), SimpleState { messages, first_seq, last_seq });
    assert_eq!(stream.next(filter("foo"), 0), Some(first_seq));
    assert_eq!(stream.last("foo"), Some(last_seq));
}

fn first_and_last_of_a_subject() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 4);
        check(stream, 4, 1, 4);
        stream.remove([1]);
        check(stream, 3, 2, 4);
        stream.remove([4]);
        check(stream, 2, 2, 3);
        stream.remove([2]);
        check(stream, 1, 3, 3);
        stream.put_many("foo", 3);
        check(stream, 4, 3, 7);
        // Last, first, and first again before one looks.
        stream.remove([7, 3, 5]);
        check(stream, 1, 6, 6);
        // The last one comes, goes, and comes again.
        assert_eq!(stream.put("foo"), 8);
        stream.remove([8]);
        stream.put("foo");
        check(stream, 2, 6, 9);
    });
}

fn the_only_one_of_a_subject() {
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 3);
        stream.remove([2, 1]);
        check(stream, 1, 3, 3);
        stream.put_many("foo", 2);
        stream.remove([3, 5]);
        check(stream, 1, 4, 4);
        stream.put_many("foo", 2);
        stream.remove([7, 4]);
        check(stream, 1, 6, 6);
        stream.put_many("foo", 2);
        stream.remove([9, 8]);
        check(stream, 1, 6, 6);
    });
}

fn previous_of_a_set() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["foo.*"]), |stream| {
        (1..=1000).for_each(|n| _ = stream.put_payload(&format!("foo.{n}"), b"ZZZ"));
        let three = set(&["foo.5", "foo.15", "foo.105"]);
        let mut prev = |start| stream.prev(Filter::Set(&three), start);
        assert_eq!([prev(1000), prev(104), prev(14)], [Some(105), Some(15), Some(5)]);
        assert_eq!(prev(4), None);
    });
}

fn previous() {
    each(&subjects(&["foo.*", "bar.*"]), |stream| {
        for subject in ["foo.1", "bar.1", "foo.2", "bar.2", "foo.3"] {
            stream.put_payload(subject, b"ZZZ");
        }
        for (meant, expected) in
            [("", Some(5)), ("foo.2", Some(3)), ("foo.*", Some(5)), ("baz.*", None)]
        {
            assert_eq!(stream.prev(filter(meant), 5), expected, "{meant}");
        }
    });
}

fn previous_of_everything() {
    each(&subjects(&["foo.*"]), |stream| {
        (1..=10).for_each(|n| _ = stream.put_payload(&format!("foo.{n}"), b"ZZZ"));
        let all = set(&[">"]);
        for seq in 1..=10 {
            assert_eq!(stream.prev(Filter::Set(&all), seq), Some(seq));
        }
        assert_eq!(stream.prev(Filter::Set(&all), 0), None);
        assert_eq!(stream.prev(Filter::Set(&all), 11), Some(10));
    });
}

fn last_after_removals() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["foo"]), |stream| {
        let lasts =
            |stream: &mut Stream| stream.store.multi_last_seqs(filter("foo"), 0, 0).unwrap();
        stream.put_many("foo", 3);
        assert_eq!(lasts(stream), [3]);
        stream.remove([3]);
        assert_eq!(lasts(stream), [2]);
        stream.put("foo");
        assert_eq!(stream.last("foo"), Some(4));
        stream.remove([4]);
        assert_eq!(stream.last("foo"), Some(2));
    });
}

/// Sequence of each message, and how many were to come; how many there are, and how many were not
/// come to.
type Visited = (Vec<(u64, u64)>, (u64, u64));

/// Visits the last messages, `most` of them.
fn visit(
    stream: &mut Stream,
    meant: &str,
    seqs: (u64, u64),
    max_allowed: usize,
    most: usize,
) -> Result<Visited, (StoreError, usize)> {
    let mut visited = Vec::new();
    let mut visit = |message: &StoredMessage, left| {
        visited.push((message.seq, left));
        if visited.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let found = stream.store.multi_last_msgs(filter(meant), seqs, max_allowed, &mut visit);
    match found {
        Ok(counts) => Ok((visited, counts)),
        Err(error) => Err((error, visited.len())),
    }
}

fn last_messages() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["foo.*"]), |stream| {
        // Three rounds: the last one is from 21 to 30.
        for _ in 0..3 {
            (0..10).for_each(|n| _ = stream.put(&format!("foo.{n}")));
        }
        let all = usize::MAX;
        let (visited, counts) = visit(stream, "foo.*", (0, 0), 0, all).unwrap();
        assert!(visited.into_iter().eq((21..=30).map(|seq| (seq, 30 - seq))));
        assert_eq!(counts, (10, 0));
        // Those before count, but are not read.
        let (visited, counts) = visit(stream, "foo.*", (26, 0), 0, all).unwrap();
        assert!(visited.into_iter().eq((26..=30).map(|seq| (seq, 30 - seq))));
        assert_eq!(counts, (10, 0));
        // Up to a sequence, which half of the subjects have not come to in the last round.
        let (visited, counts) = visit(stream, "foo.*", (0, 25), 0, all).unwrap();
        assert!(visited.into_iter().map(|(seq, _)| seq).eq(16..=25));
        assert_eq!(counts, (10, 0));
        let (visited, counts) = visit(stream, "foo.*", (0, 0), 0, 3).unwrap();
        assert_eq!((visited.len(), counts), (3, (10, 7)));
        let refused = visit(stream, "foo.*", (0, 0), 5, all);
        assert!(matches!(refused, Err((StoreError::TooManyResults, 0))));
        assert_eq!(visit(stream, "bar.>", (0, 0), 0, all).unwrap(), (Vec::new(), (0, 0)));
    });
}

fn pending_last_messages() {
    crate::exercises!("gap_areas", "1.10");
    each(&subjects(&["foo.*"]), |stream| {
        stream.put_many("foo.A", 10);
        stream.put("foo.B");
        stream.put("foo.C");
        stream.store.skip_many(13, 87, stream.now).unwrap();
        assert_eq!(stream.put("foo.B"), 100);
        stream.store.skip_many(101, 899, stream.now).unwrap();
        assert_eq!(stream.put("foo.C"), 1000);
        let several = set(&["foo.*"]);
        for meant in [filter("foo.*"), Filter::Set(&several)] {
            assert_eq!(stream.store.num_pending(13, meant, true).unwrap(), (2, 1000));
        }
    });
}

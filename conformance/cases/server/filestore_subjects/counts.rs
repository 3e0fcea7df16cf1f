//! How many messages there are of what, and that nobody has to read them for it.

use crate::cases::server::filestore_damage::stream::{
    Stream, each, filter, numbers, options, subjects,
};
use nats_server::model::{SimpleState, StreamConfig};
use nats_server::store::stream::{Filter, StreamStore};
use std::collections::BTreeMap;

crate::cases! {
    "server/filestore_test.go",
    library all_from_a_sequence_on => ["TestFileStoreAllFilteredStateWithDeleted"],
    library totals_of_subjects => ["TestFileStoreSubjectsTotals"],
    library pending_in_many_blocks => ["TestFileStoreNumPendingLargeNumBlks"],
    library pending_of_many_subjects_again_and_again => ["TestFileStoreFSSExpireNumPending"],
}

fn all_from_a_sequence_on() {
    each(&subjects(&["foo"]), 1024, |stream| {
        let check = |stream: &mut Stream, start, messages, first_seq, last_seq| {
            let found = stream.store.filtered_state(start, filter("")).unwrap();
            assert_eq!(found, SimpleState { messages, first_seq, last_seq });
        };
        (0..100).for_each(|_| _ = stream.put("foo", b"Hello World"));
        check(stream, 1, 100, 1, 100);
        stream.remove([2]);
        check(stream, 2, 98, 3, 100);
        stream.remove([3, 4, 5]);
        check(stream, 2, 95, 6, 100);
        check(stream, 6, 95, 6, 100);
        stream.remove([8, 10, 12, 14, 16, 18]);
        check(stream, 7, 88, 7, 100);
        stream.store.purge().unwrap();
        // Where the stream goes on, and where it ended.
        check(stream, 0, 0, 101, 100);
        stream.reopen_without_index();
        check(stream, 0, 0, 101, 100);
    });
}

fn totals_of_subjects() {
    let mut stream = Stream::new(&subjects(&["*.*"]), 1 << 20);
    let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for n in numbers(200).take(10_000) {
        let subject = format!("{}.{}", if n % 2 == 0 { "foo" } else { "bar" }, n / 2);
        *expected.entry(subject.clone().into_bytes()).or_default() += 1;
        stream.put(&subject, b"Hello World");
    }
    for _ in 0..2 {
        for (subject, count) in &expected {
            let found = stream.store.subjects_totals(Filter::of(subject));
            assert_eq!(found, [(subject.clone(), *count)].into());
        }
        for (meant, prefix) in [("foo.*", "foo."), ("bar.*", "bar."), ("*.*", "")] {
            let mut found = stream.store.subjects_totals(filter(meant)).into_iter();
            let wanted = expected.iter().filter(|e| e.0.starts_with(prefix.as_bytes()));
            assert!(wanted.map(|(subject, count)| (subject.clone(), *count)).eq(found.by_ref()));
        }
        assert!(stream.store.subjects_totals(filter("baz.*")).is_empty());
        stream.reopen();
    }
}

/// Messages that are pending, and the operations of the disk that it took to know it.
fn pending(stream: &mut Stream, start: u64, meant: &str) -> (u64, u64) {
    let (found, cost) = stream.operations(|s| s.store.num_pending(start, filter(meant), false));
    let (count, last_seq) = found.unwrap();
    assert_eq!(last_seq, stream.state().last_seq);
    (count, cost)
}

fn pending_in_many_blocks() {
    // One message in each block.
    let mut stream = Stream::on_disk(&subjects(&["zzz"]), options(None, 128));
    (0..2000).for_each(|_| _ = stream.put("zzz", &[b'X'; 100]));
    assert_eq!(stream.store.blocks(), 2000);
    stream.store.sync().unwrap();
    stream.maintain();
    for (start, wanted) in [(800, 1201), (1200, 801)] {
        let (count, cost) = pending(&mut stream, start, "zzz");
        assert_eq!(count, wanted);
        assert!(cost < 20, "{cost} operations");
    }
    stream.remove([200, 1800]);
    stream.maintain();
    for (start, wanted) in [(800, 1200), (1200, 800)] {
        let (count, cost) = pending(&mut stream, start, "zzz");
        assert_eq!(count, wanted);
        assert!(cost < 20, "{cost} operations");
    }
}

fn pending_of_many_subjects_again_and_again() {
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["foo.*.*"]) };
    let mut stream = Stream::on_disk(&config, options(None, 8192));
    for n in 1..=20_000 {
        stream.put(&format!("foo.A.{n}"), b"abc");
        stream.put(&format!("foo.B.{n}"), b"abc");
    }
    assert!(stream.store.blocks() > 150);
    stream.store.sync().unwrap();
    for (start, meant, wanted) in [(20_000, "foo.A.*", 10_000), (30_000, "foo.B.*", 5001)] {
        stream.maintain();
        let (count, cold) = pending(&mut stream, start, meant);
        assert_eq!(count, wanted);
        assert!(cold < 20, "{cold} operations");
        // What was loaded for it is there the next time.
        let (count, warm) = pending(&mut stream, start, meant);
        assert_eq!(count, wanted);
        assert!(warm < cold, "{warm} operations after {cold}");
        // And is given up.
        stream.maintain();
        let (count, again) = pending(&mut stream, start, meant);
        assert_eq!(count, wanted);
        assert!(again > warm, "{again} operations after {warm}");
    }
}

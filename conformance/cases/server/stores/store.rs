//! What every kind of store keeps and removes.

use super::kinds::{Stream, each, filter, subjects};
use nats_server::store::sources::SourceState;
use nats_server::store::stream::Filter;

crate::cases! {
    "server/store_test.go",
    library compact_forgets_what_was_deleted => ["TestStoreCompactCleansUpDmap"],
    library compact_to_a_deleted_message => ["TestStoreCompactFullyDeletedRange"],
    library truncate_forgets_what_was_deleted => ["TestStoreTruncateCleansUpDmap"],
    library purge_of_nothing => ["TestStorePurgeExZero"],
    library purge_below_the_first_sequence => ["TestStorePurgeExSequenceOne"],
    library purge_keeps_the_last => ["TestStorePurgeExKeepWithInteriorDeletes"],
    library deleted_at_the_end => ["TestStoreStreamInteriorDeleteAccounting"],
    library sources => ["TestStoreSourcesOnlyTracksConfiguredSources"],
}

/// Three messages, of which the second one is gone.
fn gap_of_one(stream: &mut Stream) {
    stream.put_many("foo", 3);
    assert!(stream.deleted_blocks().is_empty());
    stream.remove([2]);
    assert_eq!(stream.deleted_blocks(), [2]);
}

fn compact_forgets_what_was_deleted() {
    crate::exercises!("gap_areas", "1.9");
    for seq in 2..=4 {
        each(&subjects(&["foo"]), |stream| {
            gap_of_one(stream);
            stream.store.compact(seq).unwrap();
            assert!(stream.deleted_blocks().is_empty());
            assert_eq!(stream.span(), (u64::from(seq <= 3), seq.max(3), 3));
        });
    }
}

fn compact_to_a_deleted_message() {
    crate::exercises!("gap_areas", "1.9");
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 3);
        stream.remove([2, 3]);
        assert_eq!(stream.span(), (1, 1, 3));
        assert_eq!(stream.store.compact(2).unwrap(), 1);
        assert_eq!(stream.span(), (0, 4, 3));
        assert!(stream.state().first_ts.is_zero());
    });
}

fn truncate_forgets_what_was_deleted() {
    crate::exercises!("gap_areas", "1.9");
    for seq in 0..=1 {
        each(&subjects(&["foo"]), |stream| {
            gap_of_one(stream);
            stream.store.truncate(seq, stream.now).unwrap();
            assert!(stream.deleted_blocks().is_empty());
            assert_eq!(stream.span(), (seq, seq, seq));
        });
    }
}

fn purge_of_nothing() {
    crate::exercises!("gap_areas", "4.5");
    each(&subjects(&["foo"]), |stream| {
        assert_eq!(stream.store.purge().unwrap(), 0);
        assert_eq!(stream.span(), (0, 1, 0));
        assert_eq!(stream.store.purge_ex(Filter::All, 0, 0).unwrap(), 0);
        assert_eq!(stream.span(), (0, 1, 0));
    });
}

fn purge_below_the_first_sequence() {
    crate::exercises!("gap_areas", "4.5");
    each(&subjects(&["foo", "bar"]), |stream| {
        for _ in 0..5 {
            stream.put("foo");
            stream.put("bar");
        }
        for (meant, keep) in [("", 0), (">", 0), ("foo", 0), ("", 3), ("foo", 3)] {
            assert_eq!(stream.store.purge_ex(filter(meant), 1, keep).unwrap(), 0);
            assert_eq!(stream.span(), (10, 1, 10));
        }
    });
}

fn purge_keeps_the_last() {
    crate::exercises!("gap_areas", "4.5");
    each(&subjects(&["foo"]), |stream| {
        stream.put_many("foo", 50);
        stream.remove((2..=50).step_by(2));
        assert_eq!(stream.span(), (25, 1, 50));
        assert_eq!(stream.store.purge_ex(Filter::All, 0, 5).unwrap(), 20);
        assert_eq!(stream.span(), (5, 41, 50));
        assert_eq!(stream.store.purge_ex(Filter::All, 0, 5).unwrap(), 0);
    });
}

fn deleted_at_the_end() {
    crate::exercises!("gap_areas", "1.9");
    // What is done with the sequence.
    let ways: [fn(&mut Stream, u64); 4] = [
        |stream, seq| {
            assert_eq!(stream.put("foo"), seq);
            stream.remove([seq]);
            stream.store.truncate(seq, stream.now).unwrap();
        },
        |stream, seq| {
            assert_eq!(stream.put("foo"), seq);
            assert!(stream.store.erase(seq).unwrap());
            stream.store.truncate(seq, stream.now).unwrap();
        },
        |stream, _| _ = stream.store.skip(0, stream.now, false).unwrap(),
        |stream, seq| stream.store.skip_many(seq, 1, stream.now).unwrap(),
    ];
    for empty in [false, true] {
        for way in ways {
            each(&subjects(&["foo"]), |stream| {
                stream.put_many("foo", usize::from(!empty));
                way(stream, if empty { 1 } else { 2 });
                let span = if empty { (0, 2, 1) } else { (1, 1, 2) };
                assert_eq!(stream.span(), span);
                if stream.in_files() {
                    let before = stream.state();
                    stream.reopen();
                    assert_eq!(stream.state(), before);
                    stream.reopen_without_index();
                    assert_eq!(stream.state(), before);
                }
            });
        }
    }
}

fn sources() {
    each(&subjects(&[">"]), |stream| {
        let name = b"ORIGIN1 > >".to_vec();
        stream.store.track_sources(std::slice::from_ref(&name));
        // Nothing has been read yet.
        assert!(stream.store.sources_state().0.is_empty());
        let put = |stream: &mut Stream, subject: &str, source: &str| {
            let headers = format!("NATS/1.0\r\nNats-Stream-Source: {source}\r\n\r\n");
            stream.put_headers(subject, headers.as_bytes());
        };
        put(stream, "foo.a", "ORIGIN1 5 > > foo.a IDENT1");
        // One that is not followed, and a form that does not say which one it is.
        put(stream, "foo.b", "ORIGIN2 7 > > foo.b IDENT2");
        put(stream, "foo.c", "ORIGIN3 9");
        let state = |seq, ident: &[u8]| SourceState { seq, ident: ident.to_vec() };
        let read = stream.store.sources_state().0;
        assert!(read.into_iter().eq([(name.clone(), state(5, b"IDENT1"))]));
        // Both may change, even back.
        put(stream, "foo.a", "ORIGIN1 2 > > foo.a IDENT3");
        let read = stream.store.sources_state().0;
        assert!(read.into_iter().eq([(name.clone(), state(2, b"IDENT3"))]));
    });
}

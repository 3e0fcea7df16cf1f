//! Stores with many messages that are gone, subjects and blocks. What an operation costs is counted
//! in operations of the disk where that is possible; times are compared generously.

use super::filestore_damage::stream::{Stream, filter, numbers, options, subjects};
use nats_server::base::Env;
use nats_server::ds::generic_sublist::SimpleSublist;
use nats_server::model::{StorageType, StreamConfig};
use nats_server::store::memory::MemoryStore;
use nats_server::store::stream::{Filter, NewMessage, StoreError, StoredMessage, StreamStore};
use nats_server::store::stream_state::{DeleteBlock, EncodedStreamState};
use std::fs;
use std::time::{Duration, Instant};

crate::cases! {
    "server/norace_2_test.go",
    library a_large_gap_is_encoded => ["TestNoRaceFilestoreBinaryStreamSnapshotEncodingLargeGaps"],
    library many_gaps_are_encoded => ["TestNoRaceStoreStreamEncoderDecoder"],
    library next_behind_many_that_are_gone => ["TestNoRaceFileStoreLargeMsgsAndFirstMatching"],
    library compacted_beyond_large_sequences => ["TestNoRaceMemStoreCompactPerformance"],
    library next_of_many_filters => ["TestNoRaceFileStoreMsgLoadNextMsgMultiPerf"],
    library the_state_of_many_subjects => ["TestNoRaceFileStoreWriteFullStateUniqueSubjects"],
    library limits_and_an_older_index => ["TestNoRaceFileStoreMsgLimitsAndOldRecoverState"],
    library walked_backwards => ["TestNoRaceStoreReverseWalkWithDeletesPerf"],
    library tombstones_are_written_together => ["TestNoRaceFileStorePurgeExAsyncTombstones"],
    not_applicable "TestNoRaceFileStoreWeakCacheGCRecyclesBuf" => "about weak pointers, cleanups of Go's garbage collector, and which buffers they put into a sync.Pool; here a block's buffers have one owner and end with it",
}

/// A store in memory.
fn memory(config: &StreamConfig) -> MemoryStore {
    let config = StreamConfig { storage: StorageType::Memory, ..config.clone() };
    MemoryStore::new(&Env::simulated(1), &config).unwrap()
}

fn put(store: &mut dyn StreamStore, subject: &str, payload: &[u8]) {
    let subject = subject.as_bytes();
    store.store(NewMessage { subject, payload, ..NewMessage::default() }, 1).unwrap();
}

fn a_large_gap_is_encoded() {
    const LAST: u64 = 20_000;
    let mut stream = Stream::on_disk(&subjects(&["zzz"]), options(None, 512));
    stream.put("zzz", &[b'X'; 128]);
    for _ in 2..LAST {
        let seq = stream.put("zzz", b"");
        stream.remove([seq]);
    }
    stream.put("zzz", &[b'X'; 128]);
    stream.maintain();
    let encoded = stream.store.encoded_stream_state(0, false).unwrap();
    assert!(encoded.len() < 512, "{} bytes", encoded.len());
    let state = EncodedStreamState::decode(&encoded).unwrap();
    assert_eq!((state.msgs, state.first_seq, state.last_seq), (2, 1, LAST));
    assert_eq!(state.deleted, [DeleteBlock::Run { first: 2, count: LAST - 2 }]);
}

fn many_gaps_are_encoded() {
    const KEYS: usize = 25_600;
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["*"]) };
    let payload = b"ABC".repeat(33);
    let mut stream = Stream::new(&config, 8 << 20);
    for store in [&mut stream.store as &mut dyn StreamStore, &mut memory(&config)] {
        for (n, key) in (1..=100_000_u64).zip(numbers(KEYS)) {
            put(store, &key.to_string(), &payload);
            if n % 20_000 != 0 {
                continue;
            }
            let state = store.state();
            assert!(state.num_deleted > 0);
            let encoded = store.encoded_stream_state(0, false).unwrap();
            // A bit for each sequence, and a few bytes for each 2048 of them.
            let span = (state.last_seq - state.first_seq) as usize;
            let most = span / 8 + span / 2048 * 12 + 600;
            assert!(encoded.len() < most, "{} bytes for {span} sequences", encoded.len());
            let decoded = EncodedStreamState::decode(&encoded).unwrap();
            assert_eq!((decoded.msgs, decoded.last_seq), (state.messages, n));
            let deleted = decoded.deleted.iter().flat_map(DeleteBlock::iter);
            assert!(deleted.eq(state.deleted));
        }
    }
}

fn next_behind_many_that_are_gone() {
    const EACH: u64 = 10_000;
    let mut stream = Stream::on_disk(&subjects(&[">"]), options(None, 450_000));
    for n in 0..EACH {
        stream.put(&format!("foo.bar.{n}"), b"");
    }
    for n in 0..EACH {
        stream.put(&format!("foo.baz.{n}"), b"");
    }
    assert_eq!(stream.store.blocks(), 2);
    let last = 2 * EACH;
    // Of the second block 40 are left, then none.
    for (gone, next) in [(EACH + 1000..last - 40, Some(last - 40)), (last - 40..last + 1, None)] {
        stream.remove(gone);
        stream.store.sync().unwrap();
        let (found, cost) = stream.operations(|s| s.next("*.baz.*", EACH + 1000));
        assert_eq!(found, next);
        assert!(cost < 20, "{cost} operations");
    }
    assert_eq!(stream.next("*.baz.*", 1), Some(EACH + 1));
}

fn compacted_beyond_large_sequences() {
    const STORED: u64 = 10_000;
    const ON_TOP: u64 = 1000;
    const FAR: u64 = 10_000_000_000;
    let payload = [0; 1000];
    let size = 3 + 1000 + 16;
    let max_bytes = (size * STORED) as i64;
    let mut store = memory(&StreamConfig { max_bytes, ..subjects(&[]) });
    let fill =
        |store: &mut MemoryStore, count| (0..count).for_each(|_| put(store, "foo", &payload));
    let timed = |store: &mut MemoryStore, seq| {
        let start = Instant::now();
        (store.compact(seq).unwrap(), start.elapsed())
    };
    fill(&mut store, STORED);
    let state = store.state();
    assert_eq!((state.messages, state.bytes), (STORED, size * STORED));
    fill(&mut store, ON_TOP);
    let (purged, first) = timed(&mut store, STORED + ON_TOP);
    assert_eq!(purged, STORED - 1);
    assert_eq!(store.compact(FAR).unwrap(), 1);
    fill(&mut store, STORED);
    let (purged, second) = timed(&mut store, FAR + STORED - 1);
    assert_eq!(purged, STORED - 1);
    let state = store.state();
    assert_eq!((state.messages, state.first_seq), (1, FAR + STORED - 1));
    assert!(second < first + Duration::from_secs(1), "{second:?} after {first:?}");
}

fn next_of_many_filters() {
    const MESSAGES: u64 = 1000;
    let mut stream = Stream::on_disk(&subjects(&["foo.*"]), options(None, 8 << 20));
    stream.put_numbered("foo.", 0..MESSAGES as usize, b"ZZZ");
    stream.reopen();
    let set = |names: &mut dyn Iterator<Item = String>| {
        let mut set = SimpleSublist::new();
        names.for_each(|name| _ = set.insert(name.as_bytes(), ()).unwrap());
        set
    };
    let one = set(&mut ["foo.>".to_owned()].into_iter());
    let many = set(&mut (0..MESSAGES).map(|n| format!("foo.{n}")));
    let mut walk = |filter: Filter<'_>| {
        stream.maintain();
        let start = Instant::now();
        let ((), cost) = stream.operations(|stream| {
            let mut out = StoredMessage::default();
            for seq in 1..=MESSAGES {
                stream.store.load_next(filter, seq, &mut out).unwrap();
                assert_eq!(out.seq, seq);
                assert_eq!(out.subject(), format!("foo.{}", seq - 1).as_bytes());
            }
        });
        (start.elapsed(), cost)
    };
    let (base, cost) = walk(Filter::All);
    for filter in [Filter::of(b"foo.>"), Filter::Set(&one), Filter::Set(&many)] {
        let (elapsed, filtered_cost) = walk(filter);
        assert!(filtered_cost <= cost, "{filtered_cost} operations instead of {cost}");
        // Not by the number of filters, nor by that of messages.
        assert!(elapsed < base * 20 + Duration::from_millis(200), "{elapsed:?} after {base:?}");
    }
}

fn the_state_of_many_subjects() {
    const SUBJECTS: usize = 20_000;
    let config =
        StreamConfig { max_msgs_per_subject: 1, max_bytes: 15 << 30, ..subjects(&["records.>"]) };
    let mut stream = Stream::new(&config, 8 << 20);
    let mut tokens = numbers(usize::MAX).map(|n| format!("{n:022X}"));
    let mut bytes = 0;
    for n in 0..SUBJECTS {
        let parts: Vec<String> = tokens.by_ref().take(4).collect();
        let subject = format!("records.{}", parts.join("."));
        bytes += subject.len() as u64;
        stream.put(&subject, &[b'Z'; 128]);
        // While messages are stored.
        if n % 5000 == 0 {
            stream.store.checkpoint().unwrap();
        }
    }
    let state = stream.state();
    assert_eq!(state.num_subjects, SUBJECTS as u64);
    stream.stop();
    let len = fs::metadata(stream.file("msgs/index.db")).unwrap().len();
    assert!(len > bytes && len < bytes + 8 * SUBJECTS as u64, "{len} for {bytes} of subjects");
    assert!(stream.start().is_empty());
    assert_eq!(stream.state(), state);
    let totals = stream.store.subjects_totals(filter("records.>"));
    assert!(totals.len() == SUBJECTS && totals.values().all(|count| *count == 1));
}

fn limits_and_an_older_index() {
    const BEFORE: usize = 100;
    const AFTER: usize = 5001;
    let plain = subjects(&["foo.*"]);
    let len = |seq: u64| {
        let n = if seq <= BEFORE as u64 { seq - 1 } else { seq - 1 - BEFORE as u64 };
        22 + 4 + n.to_string().len() as u64 + 1024 + 8
    };
    let last = (BEFORE + AFTER) as u64;
    // Ends within what was stored before.
    let max_bytes = (80..=last).map(len).sum::<u64>() + 500;
    let kept = AFTER as u64;
    for (config, first) in [
        (StreamConfig { max_msgs_per_subject: 1, ..plain.clone() }, last - kept + 1),
        (StreamConfig { max_msgs: AFTER as i64, ..plain.clone() }, last - kept + 1),
        (StreamConfig { max_bytes: max_bytes as i64, ..plain.clone() }, 80),
    ] {
        let mut stream = Stream::new(&config, 100_000);
        stream.put_numbered("foo.", 0..BEFORE, &[0; 1024]);
        let outdated = stream.index();
        stream.put_numbered("foo.", 0..AFTER, &[0; 1024]);
        let expected = (last - first + 1, first, last);
        assert_eq!(stream.span(), expected);
        let state = stream.state();
        stream.reopen_with_index(&outdated);
        assert_eq!(stream.span(), expected);
        assert_eq!(stream.state(), state);
        stream.reopen();
        assert_eq!(stream.state(), state);
    }
}

fn walked_backwards() {
    const BETWEEN: u64 = 100_000;
    let config = subjects(&["foo.*"]);
    let mut stream = Stream::new(&config, 8 << 20);
    for store in [&mut stream.store as &mut dyn StreamStore, &mut memory(&config)] {
        put(store, "foo.A", b"Hello");
        (0..BETWEEN).for_each(|_| put(store, "foo.B", b"Hello"));
        put(store, "foo.C", b"Hello");
        let last = store.fast_state().last_seq;
        assert_eq!(last, BETWEEN + 2);
        assert_eq!(store.purge_ex(filter("foo.B"), 0, 0).unwrap(), BETWEEN);
        let mut out = StoredMessage::default();
        let start = Instant::now();
        let found = (1..=last).rev().filter(|seq| match store.load(*seq, &mut out) {
            Ok(()) => true,
            Err(StoreError::NotFound) => false,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), [last, 1]);
        let one_by_one = start.elapsed();
        // Whoever else uses the machine does not do so every time.
        let walks = (0..5).map(|_| {
            let start = Instant::now();
            let (mut seq, mut found) = (last, Vec::new());
            while store.load_prev(Filter::All, seq, &mut out).is_ok() {
                found.push(out.seq);
                seq = out.seq - 1;
            }
            assert_eq!(found, [last, 1]);
            start.elapsed()
        });
        let by_messages = walks.min().unwrap();
        assert!(matches!(store.load_prev(Filter::All, 0, &mut out), Err(StoreError::Eof)));
        assert!(by_messages * 2 < one_by_one, "{by_messages:?} and {one_by_one:?}");
    }
}

fn tombstones_are_written_together() {
    let mut stream = Stream::on_disk(&subjects(&["*.*"]), options(None, 8 << 20));
    stream.put("foo.A", b"zzz");
    stream.put("foo.B", b"zzz");
    (0..500).for_each(|_| _ = stream.put("foo.C", b"zzz"));
    stream.put("foo.D", b"zzz");
    stream.store.sync().unwrap();
    assert_eq!(stream.payload(1), b"zzz");
    let purge = |stream: &mut Stream, meant| {
        let (purged, cost) = stream.operations(|s| s.store.purge_ex(filter(meant), 0, 0));
        (purged.unwrap(), cost)
    };
    let (purged, of_one) = purge(&mut stream, "foo.B");
    assert_eq!(purged, 1);
    let (purged, of_many) = purge(&mut stream, "foo.C");
    assert_eq!(purged, 500);
    assert!(of_one > 0 && of_many <= of_one + 5, "{of_many} operations, {of_one} for one");
}

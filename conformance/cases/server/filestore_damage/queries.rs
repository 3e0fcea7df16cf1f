//! What is found in many blocks, and which of them are not read for it: the bytes of those are
//! taken away, so that a read would fail.

use super::stream::{Stream, filter, numbers, subjects};
use nats_server::ds::generic_sublist::SimpleSublist;
use nats_server::model::StreamConfig;
use nats_server::store::stream::{Filter, StoreError, StreamStore};
use nats_server::wire::subject;

crate::cases! {
    "server/filestore_test.go",
    library first_of_a_subject_after_removals => ["TestFileStoreRecaluclateFirstForSubjBug"],
    library the_last_ones_are_kept => ["TestFileStoreKeepWithDeletedMsgsBug"],
    library read_while_written => ["TestFileStoreErrPartialLoad", "TestFileStoreErrPartialLoadOnSyncClose"],
    library last_while_written => ["TestFileStoreRecalcFirstSequenceBug"],
    library blocks_whose_first_message_is_gone => ["TestFileStoreSelectBlockWithFirstSeqRemovals"],
    library pending_last_ones => ["TestFileStoreNumPendingLastBySubject"],
    library pending_of_many_subjects => ["TestFileStoreNumPendingMulti"],
    library next_in_a_late_block => ["TestFileStoreOptimizeFirstLoadNextMsgWithSequenceZero"],
    library last_sequences => ["TestFileStoreMultiLastSeqs"],
    library too_many_last_sequences => ["TestFileStoreMultiLastSeqsMaxAllowed"],
    library all_last_sequences => ["TestFileStoreAllLastSeqs"],
    library last_of_a_pattern => ["TestFileStoreLoadLastWildcard"],
    library last_of_a_pattern_in_several_blocks => ["TestFileStoreLoadLastWildcardWithPresenceMultipleBlocks"],
    library counted_behind_a_gap => ["TestFileStoreFilteredPendingPSIMFirstBlockUpdate", "TestFileStoreWildcardFilteredPendingPSIMFirstBlockUpdate"],
    library counted_in_the_next_block => ["TestFileStoreFilteredPendingPSIMFirstBlockUpdateNextBlock"],
    library nothing_behind_the_last => ["TestFileStoreLargeSparseMsgsDoNotLoadAfterLast", "TestFileStoreCheckSkipFirstBlockNotLoadOldBlocks"],
    library next_behind_a_block_that_is_gone => ["TestFileStoreCheckSkipFirstBlockBug"],
    library memory_is_given_up => ["TestFileStorePurgeExBufPool", "TestFileStoreFSSMeta"],
    library memory_of_a_walk_is_given_up => ["TestFileStoreExpireCacheOnLinearWalk"],
}

fn first_of_a_subject_after_removals() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["*"]), 100_000);
    ["foo", "bar", "foo"].iter().for_each(|subject| _ = stream.put(subject, b""));
    stream.remove([1, 2]);
    stream.maintain();
    let states = stream.store.subjects_state(filter("foo")).unwrap();
    let state = states[&b"foo"[..]];
    assert_eq!((state.messages, state.first_seq, state.last_seq), (1, 3, 3));
    assert_eq!(stream.next("foo", 1), Some(3));
}

fn the_last_ones_are_kept() {
    let mut stream = Stream::new(&subjects(&["*"]), 100_000);
    for _ in 0..5 {
        stream.put("A", &[b'A'; 19]);
        stream.put("B", &[b'A'; 19]);
    }
    assert_eq!(stream.store.purge_ex(filter("A"), 0, 0).unwrap(), 5);
    assert_eq!(stream.store.purge_ex(Filter::All, 0, 2).unwrap(), 3);
    assert_eq!(stream.span(), (2, 8, 10));
}

fn read_while_written() {
    crate::exercises!("gap_areas", "1.8");
    let mut stream = Stream::new(&subjects(&["*"]), 500);
    for (n, at) in numbers(1 << 20).take(2000).enumerate() {
        let seq = stream.put("Z", &n.to_be_bytes());
        if n % 100 == 99 {
            stream.store.sync().unwrap();
            stream.maintain();
        }
        let at = at as u64 % seq;
        assert_eq!(stream.payload(at + 1), at.to_be_bytes());
    }
}

fn last_while_written() {
    crate::exercises!("gap_areas", "1.8");
    let config = StreamConfig { max_msgs_per_subject: 2, ..subjects(&["*"]) };
    let mut stream = Stream::new(&config, 100_000);
    ["A", "A", "B", "B"].iter().for_each(|subject| _ = stream.put(subject, &[b'A'; 22]));
    for _ in 0..1000 {
        stream.maintain();
        let seq = stream.put("A", &[b'A'; 22]);
        assert_eq!(stream.last("A").seq, seq);
    }
    assert_eq!(stream.filtered("A"), (2, 1003, 1004));
    assert_eq!(stream.filtered("B"), (2, 3, 4));
}

fn blocks_whose_first_message_is_gone() {
    crate::exercises!("gap_areas", "1.10");
    let config = StreamConfig { max_msgs_per_subject: 1, ..subjects(&["*"]) };
    let mut stream = Stream::new(&config, 104);
    let names: Vec<String> = (10..75).map(|n| n.to_string()).collect();
    names.iter().for_each(|name| _ = stream.put(name, &[b'A'; 19]));
    assert_eq!(stream.store.blocks(), 33);
    names.iter().step_by(2).for_each(|name| _ = stream.put(name, &[b'A'; 19]));
    assert_eq!(stream.span(), (65, 2, 98));
    for seq in 1..=98 {
        let is_gone = seq <= 65 && seq % 2 == 1;
        assert_eq!(stream.load(seq).is_err(), is_gone, "{seq}");
        assert_eq!(stream.next("", seq), Some(seq + u64::from(is_gone)));
    }
}

fn pending_last_ones() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 1024);
    let names: Vec<String> =
        numbers(20).take(1000).zip(1..).map(|(n, seq)| format!("foo.{}.{seq}", n + 1)).collect();
    names.iter().for_each(|name| _ = stream.put(name, &[b'A'; 75]));
    assert!(stream.store.blocks() > 100);
    for (meant, start) in
        [("foo.10.*", 201), ("*.12.*", 250), ("*.*.222", 200), ("foo.5.999", 449), ("*.2.*", 300)]
    {
        let later = names.iter().skip(start - 1);
        let matching = later.filter(|name| subject::matches(name.as_bytes(), meant.as_bytes()));
        let expected = (matching.count() as u64, 1000);
        assert_eq!(stream.store.num_pending(start as u64, filter(meant), true).unwrap(), expected);
    }
    assert_eq!(stream.store.num_pending(0, filter("foo.*.*"), true).unwrap(), (1000, 1000));
}

fn pending_of_many_subjects() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["ev.*"]), 100_000);
    let names: Vec<String> = numbers(1000).take(10_000).map(|n| format!("ev.{n}")).collect();
    names.iter().for_each(|name| _ = stream.put(name, b"ZZZ"));
    let mut set = SimpleSublist::new();
    (0..500).for_each(|n| _ = set.insert(format!("ev.{}", n * 2).as_bytes(), ()).unwrap());
    for start in [1, 501, 5678, 9999, 10_000] {
        let later = names.iter().skip(start - 1);
        let matching = later.filter(|name| set.has_interest(name.as_bytes()));
        let expected = (matching.count() as u64, 10_000);
        let pending = stream.store.num_pending(start as u64, Filter::Set(&set), false).unwrap();
        assert_eq!(pending, expected);
    }
}

fn next_in_a_late_block() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 4096);
    (0..5000).for_each(|_| _ = stream.put("foo.A", &[b'Z'; 99]));
    let early = stream.store.blocks() - 1;
    (0..10).for_each(|_| _ = stream.put("foo.B", &[b'Z'; 99]));
    stream.reopen();
    stream.blank(1..=early);
    assert!(stream.load(1).is_err());
    assert_eq!(stream.next("foo.B", 0), Some(5001));
}

fn last_sequences() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*", "bar.*"]), 256);
    for first in ["foo", "bar"] {
        for _ in 0..33 {
            for second in ["foo", "bar", "baz"] {
                stream.put(&format!("{first}.{second}"), b"abc");
            }
        }
    }
    let (foos, bars) = (["foo.foo", "foo.bar", "foo.baz"], ["bar.foo", "bar.bar", "bar.baz"]);
    let none: &[u64] = &[];
    for (meant, max_seq, expected) in [
        (&["foo.*"][..], 3, &[1, 2, 3][..]),
        (&["foo.*"], 0, &[97, 98, 99]),
        (&["bar.*"], 0, &[196, 197, 198]),
        (&["bar.*"], 99, none),
        (&foos, 3, &[1, 2, 3]),
        (&foos, 0, &[97, 98, 99]),
        (&bars, 0, &[196, 197, 198]),
        (&bars, 99, none),
        (&["foo.foo"], 3, &[1]),
        (&["foo.*", "foo.bar"], 3, &[1, 2, 3]),
        (&["bar.>", "bar.bar", "bar.baz"], 0, &[196, 197, 198]),
        (&[">"], 0, &[97, 98, 99, 196, 197, 198]),
        (&[">"], 99, &[97, 98, 99]),
    ] {
        let mut set = SimpleSublist::new();
        meant.iter().for_each(|meant| _ = set.insert(meant.as_bytes(), ()).unwrap());
        let found = stream.store.multi_last_seqs(Filter::Set(&set), max_seq, 0).unwrap();
        assert_eq!(found, expected, "{meant:?}");
        if let [meant] = meant {
            let found = stream.store.multi_last_seqs(filter(meant), max_seq, 0).unwrap();
            assert_eq!(found, expected, "{meant:?}");
        }
    }
}

fn too_many_last_sequences() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 100_000);
    stream.put_numbered("foo.", 1..=100, b"abc");
    let refused = stream.store.multi_last_seqs(filter("foo.*"), 0, 10);
    assert!(matches!(refused, Err(StoreError::TooManyResults)));
    assert_eq!(stream.store.multi_last_seqs(filter("foo.*"), 0, 100).unwrap().len(), 100);
}

fn all_last_sequences() {
    crate::exercises!("gap_areas", "1.10");
    let config = StreamConfig { max_msgs_per_subject: 50, ..subjects(&["*.*"]) };
    let mut stream = Stream::new(&config, 4096);
    let mut lasts = [0; 6];
    for n in numbers(6).take(5000) {
        lasts[n] = stream.put(&format!("foo.{n}"), b"abc");
    }
    lasts.sort_unstable();
    assert_eq!(stream.store.all_last_seqs().unwrap(), lasts);
    stream.reopen_without_index();
    assert_eq!(stream.store.all_last_seqs().unwrap(), lasts);
}

fn last_of_a_pattern() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 512);
    stream.put("foo.22.baz", b"hello");
    stream.put("foo.22.bar", b"hello");
    (0..1000).for_each(|_| _ = stream.put("foo.11.foo", b"hello"));
    stream.reopen();
    let blocks = stream.store.blocks();
    stream.blank(2..=blocks);
    assert_eq!(stream.last("foo.22.*").seq, 2);
}

fn last_of_a_pattern_in_several_blocks() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 64);
    stream.put("foo.22.bar", b"hello");
    stream.put("foo.22.baz", b"ok");
    stream.put("foo.22.baz", b"ok");
    stream.put("foo.22.bar", b"hello22");
    assert!(stream.store.blocks() > 1);
    assert_eq!(stream.last("foo.*.bar").payload(), b"hello22");
}

fn counted_behind_a_gap() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 512);
    stream.put("foo.22.baz", b"hello");
    stream.put("foo.22.bar", b"hello");
    (0..1000).for_each(|_| _ = stream.put("foo.1.foo", b"hello"));
    for subject in ["foo.22.baz", "foo.22.baz", "foo.22.bar", "foo.22.bar"] {
        stream.put(subject, b"hello");
    }
    stream.remove([1, 2]);
    assert_eq!(stream.filtered("foo.22.baz"), (2, 1003, 1004));
    assert_eq!(stream.filtered("foo.22.*"), (4, 1003, 1006));
    // Where the first ones are is known now: the blocks before are not looked at again.
    stream.maintain();
    let gap = (2..stream.store.blocks() - 1).filter(|n| stream.block(*n).exists());
    let gap: Vec<usize> = gap.collect();
    assert!(gap.len() > 80);
    stream.blank(gap);
    assert_eq!(stream.filtered("foo.22.baz"), (2, 1003, 1004));
    assert_eq!(stream.filtered("foo.22.*"), (4, 1003, 1006));
}

fn counted_in_the_next_block() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 128);
    for _ in 0..4 {
        stream.put("foo.22.bar", b"hello");
        stream.put("foo.22.baz", b"hello");
    }
    assert_eq!(stream.store.blocks(), 4);
    stream.remove([1]);
    assert_eq!(stream.filtered("foo.22.bar"), (3, 3, 7));
    stream.remove([2]);
    assert!(!stream.block(1).exists());
    assert_eq!(stream.filtered("foo.*.baz"), (3, 4, 8));
    assert_eq!(stream.filtered("foo.22.bar"), (3, 3, 7));
}

fn nothing_behind_the_last() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 128);
    for _ in 0..2 {
        stream.put("foo.22.bar", b"hello");
        stream.put("foo.22.baz", b"hello");
    }
    (0..16).for_each(|_| _ = stream.put("foo.22.baz", b"hello"));
    assert_eq!(stream.store.blocks(), 10);
    stream.reopen();
    stream.blank(3..=10);
    assert_eq!(stream.next("foo.*.bar", 4), None);
    assert_eq!(stream.next("foo.22.bar", 4), None);

    // The first one is gone with its block.
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 128);
    for subject in ["BB", "AA", "BB", "BB", "BB", "BB", "BB", "BB", "AA", "AA", "BB", "BB", "BB"] {
        stream.put(&format!("foo.{subject}.bar"), b"hello");
    }
    assert_eq!(stream.store.blocks(), 7);
    stream.remove([1, 2]);
    assert!(!stream.block(1).exists());
    stream.reopen();
    stream.blank(2..=4);
    assert_eq!(stream.next("foo.AA.bar", 11), None);
}

fn next_behind_a_block_that_is_gone() {
    crate::exercises!("gap_areas", "1.10");
    let mut stream = Stream::new(&subjects(&["foo.*.*"]), 128);
    for subject in ["BB", "BB", "AA", "BB", "BB", "BB", "BB", "BB", "AA", "AA"] {
        stream.put(&format!("foo.{subject}.bar"), b"hello");
    }
    assert_eq!(stream.store.blocks(), 5);
    stream.remove([3, 4]);
    assert!(!stream.block(2).exists());
    assert_eq!(stream.next("foo.AA.bar", 4), Some(9));
}

fn memory_is_given_up() {
    crate::exercises!("gap_areas", "1.8");
    let mut stream = Stream::new(&subjects(&["foo.*"]), 1024);
    for _ in 0..1000 {
        stream.put("foo.foo", &[b'A'; 99]);
        stream.put("foo.bar", &[b'A'; 99]);
    }
    assert_eq!(stream.store.purge_ex(filter("foo.bar"), 0, 0).unwrap(), 1000);
    assert_eq!(stream.span(), (1000, 1, 2000));
    // Sixteen blocks are held at most.
    assert!(stream.in_memory(2000) <= 17 * 7);

    // Two blocks with an A at their ends, with Z between them.
    let mut stream = Stream::new(&subjects(&["*"]), 100);
    "AZZZZZZA".chars().for_each(|name| _ = stream.put(&name.to_string(), &[b'Z'; 19]));
    assert_eq!(stream.store.purge_ex(filter("A"), 0, 0).unwrap(), 2);
    assert_eq!(stream.span(), (6, 2, 8));
    stream.stays();
    assert_eq!(stream.filtered("Z"), (6, 2, 7));
    stream.maintain();
    // Those of the last block stay.
    assert!(stream.in_memory(8) <= 1);
}

fn memory_of_a_walk_is_given_up() {
    crate::exercises!("gap_areas", "1.8");
    let walk = |seqs: &mut dyn Iterator<Item = u64>| {
        let mut stream = Stream::new(&subjects(&["*"]), 100);
        (0..10).for_each(|_| _ = stream.put("Z", &[b'Z'; 19]));
        stream.remove([2]);
        for seq in seqs {
            assert_eq!(stream.load(seq).is_ok(), seq != 2);
        }
        stream.maintain();
        // Those of the last block stay.
        assert!(stream.in_memory(10) <= 2);
    };
    walk(&mut (1..=10));
    walk(&mut (1..=10).rev());
}

use super::super::recover::{IndexUse, Options, Recovered, stream};
use super::super::subjects::SubjectState;
use super::*;
use crate::base::Rng;
use crate::base::fs::{CrashFs, Fault, MemFs};
use crate::config::jetstream::StoreCipher;
use crate::model::Time;
use std::ops::ControlFlow;

const DIR: &str = "/js/$G/streams/S";
const CIPHERS: [Option<StoreCipher>; 3] = [None, Some(StoreCipher::ChaCha), Some(StoreCipher::Aes)];

fn info(config: StreamConfig) -> FileStreamInfo {
    let config = StreamConfig { name: "S".to_owned(), ..config };
    FileStreamInfo { created: Time::from_unix_ns(1), config }
}

fn ring(cipher: Option<StoreCipher>) -> Option<KeyRing> {
    cipher.and_then(|cipher| KeyRing::new("$G", &"k".into(), &"".into(), cipher))
}

/// Makes a stream with messages of 1,000 bytes; `last` is one that has none.
fn build(
    fs: &dyn Fs,
    config: StreamConfig,
    keys: Option<&KeyRing>,
    seqs: &[u64],
    last: Option<u64>,
) -> Result<(), BuildError> {
    let mut rng = Rng::from_seed(1);
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    let info = info(config);
    let place = Place { fs, dir: Path::new(DIR), keys, entropy: &mut entropy };
    let mut builder = Builder::new(place, &info)?;
    for seq in seqs {
        let headers: &[u8] = match seq % 3 {
            0 => b"NATS/1.0\r\nNats-TTL: 1h\r\n\r\n",
            1 => b"NATS/1.0\r\nNats-Schedule: @at x\r\n\r\n",
            _ => b"",
        };
        let subject = format!("s.{}", seq % 7);
        builder.add(&Message {
            seq: *seq,
            time_ns: seq.cast_signed() + 1_000,
            subject: subject.as_bytes(),
            headers,
            payload: &[b'x'; 1000],
        })?;
    }
    if let Some(seq) = last {
        builder.skip_to(seq)?;
    }
    builder.finish()
}

fn open(fs: &dyn Fs, keys: Option<&KeyRing>, verify: bool) -> Recovered {
    let found = stream(fs, Path::new(DIR), Options { keys, verify, now_ns: None }).unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    found
}

fn seqs(fs: &dyn Fs, keys: Option<&KeyRing>, found: &Recovered) -> Vec<u64> {
    let mut seqs = Vec::new();
    let visit = |record: &super::super::record::Record<'_>| {
        assert_eq!(record.time_ns, record.seq.cast_signed() + 1_000);
        assert_eq!(record.payload, [b'x'; 1000]);
        seqs.push(record.seq);
        ControlFlow::Continue(())
    };
    found.messages(fs, keys, (0, u64::MAX), visit).unwrap();
    seqs
}

/// Blocks of 32,000 bytes.
fn small_blocks() -> StreamConfig {
    StreamConfig { max_bytes: 1, discard: crate::model::DiscardPolicy::New, ..Default::default() }
}

#[test]
fn the_index_says_what_the_records_say() {
    let cases: [(Vec<u64>, Option<u64>); 8] = [
        ((1..=100).collect(), None),
        ((1..=100).collect(), Some(101)),
        ((500..600).filter(|seq| seq % 5 != 0).collect(), Some(10_000)),
        (vec![7], None),
        (vec![1, 2, 70_000, 70_001, 1 << 40, SEQ_MAX - 1], Some(SEQ_MAX)),
        // A gap at which a block begins.
        ((1..=30).chain(40..=70).collect(), None),
        (vec![], Some(9)),
        (vec![], None),
    ];
    for cipher in CIPHERS {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            for (wanted, last) in &cases {
                let (fs, keys) = (MemFs::default(), ring(cipher));
                let config = StreamConfig { compression, ..small_blocks() };
                build(&fs, config, keys.as_ref(), wanted, *last).unwrap();
                let trusted = open(&fs, keys.as_ref(), false);
                let verified = open(&fs, keys.as_ref(), true);
                let at = format!("{cipher:?} {compression:?} {last:?} {wanted:?}");
                let is_empty = wanted.is_empty() && last.is_none();
                let index = if is_empty { IndexUse::Absent } else { IndexUse::Sound };
                assert_eq!(trusted.index, index, "{at}");
                assert_eq!(trusted.totals, verified.totals, "{at}");
                assert_eq!(trusted.blocks, verified.blocks, "{at}");
                let subjects = |found: &Recovered| {
                    // The index does not know the sequences.
                    let known = |s: &SubjectState| (s.messages, s.first_block, s.last_block);
                    let all = found.subjects.iter().map(|(name, s)| (name.to_vec(), known(s)));
                    all.collect::<std::collections::BTreeMap<_, _>>()
                };
                assert_eq!(subjects(&trusted), subjects(&verified), "{at}");
                assert_eq!(seqs(&fs, keys.as_ref(), &trusted), *wanted, "{at}");
                let highest = last.or(wanted.last().copied()).unwrap_or(0);
                assert_eq!(trusted.totals.last_seq, highest, "{at}");
                let first = wanted.first().copied();
                let first = first.unwrap_or(if is_empty { 0 } else { highest + 1 });
                assert_eq!(trusted.totals.first_seq, first, "{at}");
                assert_eq!(trusted.key.is_some(), cipher.is_some(), "{at}");
            }
        }
    }
}

#[test]
fn a_block_ends_where_the_next_record_would_pass_its_limit() {
    let fs = MemFs::default();
    let wanted: Vec<u64> = (1..=100).collect();
    build(&fs, small_blocks(), None, &wanted, None).unwrap();
    let found = open(&fs, None, true);
    assert!(found.blocks.len() > 3);
    for pair in found.blocks.windows(2) {
        assert!(pair[0].bytes <= 32_000 && pair[0].bytes + 1_100 > 32_000, "{pair:?}");
    }
}

#[test]
fn a_long_gap_begins_a_block() {
    let blocks = |seqs: &[u64]| {
        let fs = MemFs::default();
        build(&fs, StreamConfig::default(), None, seqs, None).unwrap();
        open(&fs, None, true).blocks.len()
    };
    let gap = |len: u64| blocks(&[1, 2 + len, 3 + len]);
    assert_eq!((gap(DELETED_MAX), gap(DELETED_MAX + 1)), (1, 2));
    let half = DELETED_MAX / 2;
    assert_eq!(blocks(&[1, 2 + half, 4 + 2 * half]), 2);
}

#[test]
fn blocks_are_as_large_as_upstreams() {
    let config = StreamConfig::default;
    let of = |config| (block_len_max(&config, false), block_len_max(&config, true));
    let same = |len| (len, len);
    assert_eq!(of(config()), (8 << 20, 2 << 20));
    let retention = RetentionPolicy::WorkQueue;
    assert_eq!(of(StreamConfig { retention, ..config() }), (4 << 20, 2 << 20));
    assert_eq!(of(StreamConfig { max_msgs_per_subject: 1, ..config() }), same(4 << 20));
    for (max_bytes, len) in [
        (1, 32_000),
        (127_999, 32_000),
        (128_000, 4 << 20),
        (1 << 25, 8 << 20),
        (i64::MAX, 8 << 20),
    ] {
        assert_eq!(of(StreamConfig { max_bytes, ..config() }), same(len), "{max_bytes}");
    }
    let few = StreamConfig { max_msgs: 10, max_msg_size: 100, ..config() };
    assert_eq!(of(few), same(32_000));
    assert_eq!(of(StreamConfig { max_msgs: 10, ..config() }), same(4 << 20));
    assert_eq!(of(StreamConfig { max_msgs: i64::MAX, ..config() }), same(8 << 20));
}

#[test]
fn what_is_there_is_not_touched() {
    let fs = MemFs::default();
    build(&fs, small_blocks(), None, &[1], None).unwrap();
    let refused = build(&fs, small_blocks(), None, &[1, 2], None).unwrap_err();
    assert_eq!(refused.to_string(), format!("{DIR}: file exists"));
    assert_eq!(seqs(&fs, None, &open(&fs, None, true)), [1]);
}

#[test]
fn a_refused_message_leaves_nothing() {
    for wrong in [&[0][..], &[2, 2], &[2, 1], &[SEQ_MAX + 1]] {
        let fs = MemFs::default();
        let refused = build(&fs, small_blocks(), None, wrong, None).unwrap_err();
        assert!(matches!(refused, BuildError::Sequence { .. }), "{refused}");
        let streams = fs.read_dir(Path::new(DIR).parent().unwrap()).unwrap();
        assert!(streams.is_empty(), "{streams:?}");
    }
}

/// What a server finds: nothing, or all of it.
fn is_whole(fs: &dyn Fs, keys: Option<&KeyRing>, wanted: &[u64]) -> bool {
    if fs.metadata(Path::new(DIR)).is_err() {
        return false;
    }
    let found = open(fs, keys, false);
    assert_eq!(found.index, IndexUse::Sound);
    assert_eq!(seqs(fs, keys, &found), wanted);
    assert_eq!(open(fs, keys, true).totals, found.totals);
    true
}

#[test]
fn a_crash_at_any_operation_leaves_no_stream_or_all_of_it() {
    let wanted: Vec<u64> = (5..=90).filter(|seq| seq % 10 != 0).collect();
    for cipher in CIPHERS {
        let keys = ring(cipher);
        let keys = keys.as_ref();
        let run = |fs: &CrashFs| build(fs, small_blocks(), keys, &wanted, Some(95));
        let sound = CrashFs::default();
        run(&sound).unwrap();
        assert!(is_whole(&sound.crash(0), keys, &wanted));
        for n in 1..=sound.operations() {
            let fs = CrashFs::default();
            fs.fail_at(n, Fault::Freeze);
            let done = run(&fs).is_ok();
            assert!(is_whole(&fs.kill(), keys, &wanted) || !done, "operation {n}");
            for seed in 0..8 {
                let after = fs.crash(seed);
                if !is_whole(&after, keys, &wanted) {
                    assert!(!done, "operation {n}");
                    // What was left aside is in nobody's way.
                    run(&after).unwrap();
                    assert!(is_whole(&after.crash(seed), keys, &wanted), "operation {n}");
                }
            }
        }
    }
}

#[test]
fn a_failed_operation_is_told_and_leaves_nothing() {
    let wanted: Vec<u64> = (1..=90).collect();
    let sound = CrashFs::default();
    build(&sound, small_blocks(), None, &wanted, None).unwrap();
    for n in 1..=sound.operations() {
        let fs = CrashFs::default();
        fs.fail_at(n, Fault::NoSpace);
        if build(&fs, small_blocks(), None, &wanted, None).is_ok() {
            // It was only looked whether something was there, or cleaned up.
            assert!(is_whole(&fs, None, &wanted), "operation {n}");
        } else {
            let left = fs.files();
            let whole = fs.metadata(Path::new(DIR)).is_ok();
            assert!(left.is_empty() || whole && is_whole(&fs, None, &wanted), "operation {n}");
        }
    }
}

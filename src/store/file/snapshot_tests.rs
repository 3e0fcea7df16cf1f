use super::super::build::{Builder, Message, Place};
use super::super::record::Record;
use super::super::recover::{self, Options, Recovered};
use super::super::restore::{Limits, RestoreError, Restored, restore};
use super::*;
use crate::base::Rng;
use crate::base::fs::MemFs;
use crate::config::jetstream::StoreCipher;
use crate::model::{
    AckPolicy, FileStreamInfo, Pending, SequencePair, StoreCompression, StreamConfig,
};
use std::ops::ControlFlow;

pub(in super::super) const DIR: &str = "/js/S";
pub(in super::super) const NO_LIMITS: Limits = Limits { message: 1 << 20, stream: 1 << 40 };
const SECOND_NS: i64 = 1_000_000_000;
/// After all that is stored.
pub(in super::super) const NOW: i64 = 1_000_000 * SECOND_NS;

pub(in super::super) fn rings() -> [Option<KeyRing>; 3] {
    let ring = |cipher| KeyRing::new("$G", &"k".into(), &"".into(), cipher);
    [None, ring(StoreCipher::ChaCha), ring(StoreCipher::Aes)]
}

pub(in super::super) fn info(compression: StoreCompression) -> FileStreamInfo {
    let config = StreamConfig {
        name: "S".to_owned(),
        subjects: vec!["s.*".to_owned()],
        // Blocks of 32,000 bytes.
        max_bytes: 100_000,
        discard: crate::model::DiscardPolicy::New,
        compression,
        ..StreamConfig::default()
    };
    FileStreamInfo { config, ..FileStreamInfo::default() }
}

/// Makes a stream; some messages have headers, one of them a time to live.
pub(in super::super) fn made(
    fs: &dyn Fs,
    keys: Option<&KeyRing>,
    compression: StoreCompression,
    seqs: &[u64],
    last: Option<u64>,
) {
    let mut rng = Rng::from_seed(1);
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    let info = info(compression);
    let place = Place { fs, dir: Path::new(DIR), keys, entropy: &mut entropy };
    let mut builder = Builder::new(place, &info).unwrap();
    for seq in seqs {
        let headers: &[u8] = match seq % 4 {
            0 => b"NATS/1.0\r\nA: b\r\n\r\n",
            1 => b"NATS/1.0\r\nNats-TTL: 1000\r\n\r\n",
            _ => b"",
        };
        let subject = format!("s.{}", seq % 7);
        let payload = format!("{seq:0700}");
        let message = Message {
            seq: *seq,
            time_ns: NOW - 500 * SECOND_NS + seq.cast_signed(),
            subject: subject.as_bytes(),
            headers,
            payload: payload.as_bytes(),
        };
        builder.add(&message).unwrap();
    }
    if let Some(last) = last {
        builder.skip_to(last).unwrap();
    }
    builder.finish().unwrap();
}

pub(in super::super) fn open(fs: &dyn Fs, keys: Option<&KeyRing>, verify: bool) -> Recovered {
    let found = recover::stream(fs, Path::new(DIR), Options { keys, verify, now_ns: None });
    let found = found.unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    found
}

pub(in super::super) type Stored = (u64, i64, Vec<u8>, Vec<u8>, Vec<u8>);

pub(in super::super) fn stored(
    fs: &dyn Fs,
    keys: Option<&KeyRing>,
    found: &Recovered,
) -> Vec<Stored> {
    let mut all = Vec::new();
    let visit = |record: &Record<'_>| {
        let Record { seq, time_ns, subject, headers, payload, .. } = *record;
        all.push((seq, time_ns, subject.to_vec(), headers.to_vec(), payload.to_vec()));
        ControlFlow::Continue(())
    };
    found.messages(fs, keys, (0, u64::MAX), visit).unwrap();
    all
}

pub(in super::super) fn state_of(found: &Recovered) -> StreamState {
    let totals = &found.totals;
    StreamState {
        messages: totals.messages,
        bytes: totals.bytes,
        first_seq: totals.first_seq,
        last_seq: totals.last_seq,
        ..StreamState::default()
    }
}

pub(in super::super) fn consumer(name: &str) -> Consumer {
    let config = ConsumerConfig {
        name: name.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..ConsumerConfig::default()
    };
    let pending = Pending { sequence: 3, timestamp: 7 * SECOND_NS };
    let state = ConsumerState {
        delivered: SequencePair { consumer_seq: 4, stream_seq: 9 },
        ack_floor: SequencePair { consumer_seq: 2, stream_seq: 5 },
        pending: [(7, pending)].into(),
        redelivered: [(7, 2)].into(),
    };
    Consumer { config, state }
}

pub(in super::super) fn archived(
    fs: &dyn Fs,
    keys: Option<&KeyRing>,
    consumers: &[Consumer],
) -> Result<Vec<u8>, SnapshotError> {
    let found = open(fs, keys, false);
    archived_as(fs, keys, &found, &state_of(&found), consumers)
}

fn archived_as(
    fs: &dyn Fs,
    keys: Option<&KeyRing>,
    found: &Recovered,
    state: &StreamState,
    consumers: &[Consumer],
) -> Result<Vec<u8>, SnapshotError> {
    let source =
        Source { fs, messages_dir: &found.messages_dir, stream: "S", keys, blocks: &found.blocks };
    let mut out = Vec::new();
    let mut sink = |chunk: &[u8]| {
        assert!(chunk.len() <= 1024);
        out.extend_from_slice(chunk);
        Ok(())
    };
    snapshot(source, state, consumers, NOW, 1024, &mut sink)?;
    Ok(out)
}

pub(in super::super) fn restored(
    fs: &dyn Fs,
    keys: Option<&KeyRing>,
    archive: &[u8],
    now_ns: i64,
) -> Result<Restored, RestoreError> {
    let mut rng = Rng::from_seed(2);
    let mut entropy = |buf: &mut [u8]| rng.fill(buf);
    let place = Place { fs, dir: Path::new(DIR), keys, entropy: &mut entropy };
    restore(place, &info(StoreCompression::S2), NO_LIMITS, now_ns, archive)
}

#[test]
fn what_is_archived_is_restored() {
    let cases: [(Vec<u64>, Option<u64>); 6] = [
        ((1..=100).collect(), None),
        ((500..600).filter(|seq| seq % 5 != 0).collect(), Some(10_000)),
        (vec![7], None),
        (vec![1, 2, 70_000, 70_001, 1 << 40], Some(1 << 41)),
        (vec![], Some(9)),
        (vec![], None),
    ];
    let rings = rings();
    for (at, (seqs, last)) in cases.iter().enumerate() {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            let (from, to) = (rings[at % 3].as_ref(), rings[(at + 1) % 3].as_ref());
            let (source, target) = (MemFs::default(), MemFs::default());
            made(&source, from, compression, seqs, *last);
            let consumers = [consumer("A"), consumer("B")];
            let consumers = if seqs.len() > 9 { &consumers[..] } else { &[] };
            let archive = archived(&source, from, consumers).unwrap();
            let done = restored(&target, to, &archive, NOW).unwrap();
            let names: Vec<&str> = done.consumers.iter().map(|info| info.name.as_str()).collect();
            assert_eq!(names, ["A", "B"][..consumers.len()]);
            let (a, b) = (open(&source, from, false), open(&target, to, false));
            assert_eq!(stored(&source, from, &a), stored(&target, to, &b));
            assert_eq!(a.totals.last_seq, b.totals.last_seq);
            assert_eq!(a.totals.first_seq, b.totals.first_seq);
            assert_eq!(open(&target, to, true).totals, b.totals);
            let found =
                super::super::consumers::consumers(&target, Path::new(DIR), "S", to).unwrap();
            for (found, archived) in found.iter().zip(consumers) {
                assert_eq!(found.state.as_ref().unwrap(), &archived.state);
                let info = found.info.as_ref().unwrap();
                assert_eq!(info.config, archived.config);
                assert!(found.sum_matches);
            }
            assert_eq!(found.len(), consumers.len());
        }
    }
}

#[test]
fn what_came_later_is_left_out() {
    let fs = MemFs::default();
    made(&fs, None, StoreCompression::None, &(1..=60).collect::<Vec<_>>(), None);
    let found = open(&fs, None, false);
    let state = state_of(&found);
    // As the owner saw it before the last five were stored.
    let mut earlier = found;
    let last = earlier.blocks.last_mut().unwrap();
    (last.last_seq, last.messages) = (55, last.messages - 5);
    let state = StreamState { last_seq: 55, messages: 55, ..state };
    let ahead = Consumer {
        state: ConsumerState {
            delivered: SequencePair { consumer_seq: 60, stream_seq: 60 },
            ack_floor: SequencePair { consumer_seq: 50, stream_seq: 50 },
            pending: [(51, Pending::default()), (58, Pending::default())].into(),
            redelivered: [(58, 1)].into(),
        },
        ..consumer("A")
    };
    let archive = archived_as(&fs, None, &earlier, &state, &[ahead]).unwrap();
    let target = MemFs::default();
    restored(&target, None, &archive, NOW).unwrap();
    assert_eq!(open(&target, None, true).totals.last_seq, 55);
    let found = super::super::consumers::consumers(&target, Path::new(DIR), "S", None).unwrap();
    let state = found[0].state.as_ref().unwrap();
    assert_eq!(state.delivered.stream_seq, 55);
    assert!(state.pending.keys().eq([&51]) && state.redelivered.is_empty());
}

#[test]
fn damage_ends_a_snapshot() {
    for keys in rings() {
        let keys = keys.as_ref();
        let fs = crate::base::fs::CrashFs::default();
        made(&fs, keys, StoreCompression::None, &(1..=100).collect::<Vec<_>>(), None);
        let found = open(&fs, keys, false);
        let block = Path::new("/js/S/msgs/2.blk");
        fs.flip_bit(block, 8 * 1000).unwrap();
        let told = archived_as(&fs, keys, &found, &state_of(&found), &[]).unwrap_err();
        assert!(matches!(&told, SnapshotError::Record { path, .. } if path == block), "{told}");
        fs.truncate(block, 0).unwrap();
        let told = archived_as(&fs, keys, &found, &state_of(&found), &[]).unwrap_err();
        assert!(matches!(&told, SnapshotError::Missing { found: 0, .. }), "{told}");
        fs.remove_file(block).unwrap();
        let told = archived_as(&fs, keys, &found, &state_of(&found), &[]).unwrap_err();
        assert!(matches!(&told, SnapshotError::File(_)), "{told}");
    }
}

#[test]
fn a_sink_that_fails_ends_a_snapshot() {
    let fs = MemFs::default();
    made(&fs, None, StoreCompression::None, &[1, 2, 3], None);
    let found = open(&fs, None, false);
    let source = Source {
        fs: &fs,
        messages_dir: &found.messages_dir,
        stream: "S",
        keys: None,
        blocks: &found.blocks,
    };
    let mut sink = |_: &[u8]| Err(io::ErrorKind::BrokenPipe.into());
    let told = snapshot(source, &state_of(&found), &[], NOW, 1024, &mut sink).unwrap_err();
    assert!(matches!(told, SnapshotError::Sink(_)));
}

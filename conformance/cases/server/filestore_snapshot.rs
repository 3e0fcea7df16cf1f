//! Archives of a stream and its consumers, made of its directory and restored.

use nats_server::base::Env;
use nats_server::base::fs::OsFs;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{
    AckPolicy, ConsumerConfig, ConsumerState, FileStreamInfo, SequencePair, StoreCompression,
    StreamConfig, StreamState,
};
use nats_server::store::file::build::{self, Builder, Message};
use nats_server::store::file::consumers;
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::recover::{self, Options, Recovered};
use nats_server::store::file::restore::{Limits, restore};
use nats_server::store::file::snapshot::{Consumer, Source, snapshot};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;

crate::cases! {
    "server/filestore_test.go",
    library snapshots => ["TestFileStoreSnapshot"],
}

const SENT: u64 = 2233;

fn info(compression: StoreCompression) -> FileStreamInfo {
    let config = StreamConfig {
        name: "zzz".to_owned(),
        subjects: vec!["foo".to_owned()],
        // So that there are several blocks.
        max_bytes: 127_000,
        discard: nats_server::model::DiscardPolicy::New,
        compression,
        ..StreamConfig::default()
    };
    FileStreamInfo { config, ..FileStreamInfo::default() }
}

fn make(
    dir: &Path,
    keys: Option<&KeyRing>,
    compression: StoreCompression,
    is_there: &dyn Fn(u64) -> bool,
) {
    let env = Env::os();
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let info = info(compression);
    let place = build::Place { fs: &OsFs, dir, keys, entropy: &mut entropy };
    let mut builder = Builder::new(place, &info).unwrap();
    for seq in (1..=SENT).filter(|seq| is_there(*seq)) {
        let (subject, headers, payload) = (&b"foo"[..], &b""[..], &b"Hello Snappy!"[..]);
        let time_ns = seq.cast_signed();
        builder.add(&Message { seq, time_ns, subject, headers, payload }).unwrap();
    }
    builder.finish().unwrap();
}

fn open(dir: &Path, keys: Option<&KeyRing>) -> Recovered {
    let options = Options { keys, verify: true, now_ns: None };
    let found = recover::stream(&OsFs, dir, options).unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    found
}

fn messages(found: &Recovered, keys: Option<&KeyRing>) -> Vec<(u64, i64, Vec<u8>)> {
    let mut all = Vec::new();
    found
        .messages(&OsFs, keys, (0, u64::MAX), |record| {
            all.push((record.seq, record.time_ns, record.payload.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

fn consumer(name: &str, floor: u64) -> Consumer {
    let config = ConsumerConfig {
        name: name.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..ConsumerConfig::default()
    };
    let state = ConsumerState {
        delivered: SequencePair { consumer_seq: 100, stream_seq: 100 },
        ack_floor: SequencePair { consumer_seq: floor, stream_seq: floor },
        ..ConsumerState::default()
    };
    Consumer { config, state }
}

fn snapshots() {
    crate::exercises!("gap_areas", "4.7");
    let ring = |cipher| KeyRing::new("$G", &"secret".into(), &"".into(), cipher);
    // All are there; the first hundred are gone; some between are gone too.
    let whole = |_: u64| true;
    let late = |seq: u64| seq > 100;
    let sparse = |seq: u64| seq > 100 && seq % 43 != 7;
    let streams: [&dyn Fn(u64) -> bool; 3] = [&whole, &late, &sparse];
    for keys in [None, ring(StoreCipher::ChaCha), ring(StoreCipher::Aes)] {
        for compression in [StoreCompression::None, StoreCompression::S2] {
            for is_there in streams {
                there_and_back(keys.as_ref(), compression, is_there);
            }
        }
    }
}

fn there_and_back(
    keys: Option<&KeyRing>,
    compression: StoreCompression,
    is_there: &dyn Fn(u64) -> bool,
) {
    let root = tempfile::tempdir().unwrap();
    let (from, to) = (root.path().join("zzz"), root.path().join("restored/zzz"));
    make(&from, keys, compression, is_there);
    let found = open(&from, keys);
    let totals = &found.totals;
    let state = StreamState {
        messages: totals.messages,
        bytes: totals.bytes,
        first_seq: totals.first_seq,
        last_seq: totals.last_seq,
        ..StreamState::default()
    };
    let source = Source {
        fs: &OsFs,
        messages_dir: &found.messages_dir,
        stream: "zzz",
        keys,
        blocks: &found.blocks,
    };
    assert!(found.blocks.len() > 1);
    let archived = [consumer("o22", 22), consumer("o33", 33)];
    let mut archive = Vec::new();
    let mut sink = |chunk: &[u8]| {
        archive.extend_from_slice(chunk);
        Ok(())
    };
    snapshot(source, &state, &archived, 7, 128 * 1024, &mut sink).unwrap();
    let env = Env::os();
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let place = build::Place { fs: &OsFs, dir: &to, keys, entropy: &mut entropy };
    let limits = Limits { message: 1 << 20, stream: 1 << 40 };
    restore(place, &info(compression), limits, 7, &archive[..]).unwrap();
    let restored = open(&to, keys);
    assert_eq!(restored.totals, found.totals);
    assert_eq!(messages(&restored, keys), messages(&found, keys));
    let consumers = consumers::consumers(&OsFs, &to, "zzz", keys).unwrap();
    let states: Vec<_> = consumers.into_iter().map(|found| found.state.unwrap()).collect();
    assert_eq!(states, archived.map(|consumer| consumer.state));
    // Who does not take it ends it.
    let mut sink = |_: &[u8]| Err(ErrorKind::TimedOut.into());
    assert!(snapshot(source, &state, &[], 7, 1024, &mut sink).is_err());
}

//! Directories that upstream's server wrote, against what it says about them
//! (`scripts/golden-stores`).

use super::consumers::consumers;
use super::crypt::KeyRing;
use super::hash::KeyedHash;
use super::index::Index;
use super::record::{Kind, Record, append_message, append_tombstone};
use super::recover::{IndexUse, Options, Recovered, stream};
use super::{compress, layout};
use crate::base::fs::{Fs, OsFs};
use crate::config::jetstream::StoreCipher;
use crate::model::{SequencePair, StreamState, Time};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const SETS: [&str; 6] = ["stopped", "killed", "stale", "s2", "chacha", "aes"];

fn root(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/golden/stores").join(set)
}

fn stream_dir(set: &str, name: &str) -> PathBuf {
    root(set).join("jetstream/$G/streams").join(name)
}

fn keys(set: &str) -> Option<KeyRing> {
    let cipher = match set {
        "chacha" => StoreCipher::ChaCha,
        "aes" => StoreCipher::Aes,
        _ => return None,
    };
    KeyRing::new("$G", &"golden stores, not a secret".into(), &"".into(), cipher)
}

/// What upstream says: the streams of a set by name.
fn expected(set: &str) -> Vec<(String, Value)> {
    let text = OsFs.read_to_string(&root(set).join("expected.json")).unwrap();
    let Value::Object(streams) = serde_json::from_str(&text).unwrap() else { panic!("{set}") };
    streams.into_iter().collect()
}

fn open(set: &str, name: &str, verify: bool) -> Recovered {
    let keys = keys(set);
    // Later than the short lives in these stores, long before the long ones end.
    let now_ns = Some(1_800_000_000_000_000_000);
    let options = Options { keys: keys.as_ref(), verify, now_ns };
    stream(&OsFs, &stream_dir(set, name), options).unwrap()
}

/// The state as STREAM.INFO has it.
fn state(found: &Recovered, consumer_count: u64) -> StreamState {
    let time = |ns| if ns == 0 { Time::ZERO } else { Time::from_unix_ns(ns) };
    let totals = &found.totals;
    let deleted: Vec<u64> = found.deleted().iter().collect();
    let name = |subject: &[u8]| String::from_utf8(subject.to_vec()).unwrap();
    StreamState {
        messages: totals.messages,
        bytes: totals.bytes,
        first_seq: totals.first_seq,
        first_ts: time(totals.first_ns),
        last_seq: totals.last_seq,
        last_ts: time(totals.last_ns),
        num_subjects: found.subjects.len() as u64,
        subjects: found.subjects.iter().map(|(s, totals)| (name(s), totals.messages)).collect(),
        num_deleted: deleted.len() as u64,
        deleted,
        lost: None,
        consumer_count,
    }
}

fn messages(set: &str, found: &Recovered) -> Vec<Value> {
    let mut messages = Vec::new();
    let mut visit = |record: &Record<'_>| {
        let content = [record.headers, b"\0", record.payload].concat();
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(content)[..8]);
        let subject = String::from_utf8(record.subject.to_vec()).unwrap();
        let time = Time::from_unix_ns(record.time_ns).to_string();
        messages.push(serde_json::json!([record.seq, subject, time, digest]));
        ControlFlow::Continue(())
    };
    let keys = keys(set);
    found.messages(&OsFs, keys.as_ref(), (0, u64::MAX), &mut visit).unwrap();
    messages
}

#[test]
fn states_and_messages_are_upstreams() {
    for set in SETS {
        for (name, expected) in expected(set) {
            let mut told: StreamState = serde_json::from_value(expected["state"].clone()).unwrap();
            if name == "FRESH" {
                // Upstream takes the sequence 0 of a stream without messages for a deleted one.
                (told.num_deleted, told.deleted) = (0, Vec::new());
            }
            for verify in [false, true] {
                let at = format!("{set} {name} verify {verify}");
                let found = open(set, &name, verify);
                let mut ours = state(&found, told.consumer_count);
                if name == "HIGH" && verify && found.index != IndexUse::Absent {
                    // There is no time in the blocks, what stands there is Go's zero time.
                    ours.last_ts = Time::ZERO;
                }
                assert_eq!(ours, told, "{at}");
                assert_eq!(serde_json::to_value(&found.info.config).unwrap()["name"], name, "{at}");
                let theirs = expected["messages"].as_array().unwrap();
                assert_eq!(&messages(set, &found), theirs, "{at}");
                let damage: Vec<_> = found.damage.iter().map(|d| d.cause.to_string()).collect();
                assert!(damage.is_empty(), "{at}: {damage:?}");
                // A purge writes the index, a kill does not.
                let written = stream_dir(set, &name).join("msgs").join(layout::INDEX);
                let index = match OsFs.metadata(&written) {
                    Err(_) => IndexUse::Absent,
                    Ok(_) if set == "stale" && ["ORDERS", "EMPTIED"].contains(&&name[..]) => {
                        IndexUse::Outdated
                    }
                    Ok(_) => IndexUse::Sound,
                };
                assert_eq!(found.index, index, "{at}");
            }
        }
    }
}

#[test]
fn consumers_are_upstreams() {
    for set in SETS {
        for (name, expected) in expected(set) {
            let keys = keys(set);
            let dir = stream_dir(set, &name);
            let found = consumers(&OsFs, &dir, &name, keys.as_ref()).unwrap();
            let told = expected["consumers"].as_object().unwrap();
            assert_eq!(found.len(), told.len(), "{set} {name}");
            for ours in found {
                let (at, told) = (format!("{set} {name} {}", ours.name), &told[&ours.name]);
                let info = ours.info.unwrap();
                assert!(ours.sum_matches, "{at}");
                assert_eq!(info.name, ours.name, "{at}");
                let config = serde_json::to_value(&info.config).unwrap();
                assert_eq!(config["ack_policy"], told["config"]["ack_policy"], "{at}");
                assert_eq!(config["filter_subject"], told["config"]["filter_subject"], "{at}");
                let state = ours.state.unwrap();
                if set == "stale" && name == "WORK" {
                    // The purge after the last write of the state moved it on.
                    continue;
                }
                let of = |pair: SequencePair| [pair.consumer_seq, pair.stream_seq].map(Some);
                let pair = |told: &Value| ["consumer_seq", "stream_seq"].map(|f| told[f].as_u64());
                assert_eq!(of(state.delivered), pair(&told["delivered"]), "{at}");
                assert_eq!(of(state.ack_floor), pair(&told["ack_floor"]), "{at}");
                let counts = [state.pending.len(), state.redelivered.len()].map(|n| n as u64);
                let told = ["num_ack_pending", "num_redelivered"].map(|f| told[f].as_u64());
                assert_eq!(counts.map(Some), told, "{at}");
            }
        }
    }
}

#[test]
fn an_index_is_written_as_upstream_writes_it() {
    for (name, _) in expected("stopped") {
        let path = stream_dir("stopped", &name).join("msgs").join(layout::INDEX);
        let file = OsFs.read(&path).unwrap();
        let hash = KeyedHash::named(&name);
        let index = Index::decode(&file, &hash, None).unwrap();
        let mut ours = Vec::new();
        index.encode(&mut ours);
        ours.extend_from_slice(&hash.sum(&[&ours]));
        assert_eq!(ours.escape_ascii().to_string(), file.escape_ascii().to_string(), "{name}");
    }
}

#[test]
fn a_block_is_compressed_as_upstream_compresses_it() {
    let path = layout::block(&stream_dir("s2", "ORDERS").join("msgs"), 1);
    let file = OsFs.read(&path).unwrap();
    let mut records = Vec::new();
    assert_eq!(compress::decompress(&file, &mut records), compress::Unpacked::Whole);
    let mut ours = Vec::new();
    compress::compress(&records, &mut ours);
    assert!(ours.len() <= file.len() + file.len() / 50, "{} {}", ours.len(), file.len());
}

#[test]
fn without_the_key_nothing_is_told() {
    use super::files::FileError;
    use super::recover::RecoverError;
    let dir = stream_dir("aes", "ORDERS");
    let none = stream(&OsFs, &dir, Options::default()).unwrap_err();
    assert!(matches!(none, RecoverError::File(FileError::NoKey(_))), "{none}");
    let wrong = KeyRing::new("$G", &"wrong".into(), &"".into(), StoreCipher::Aes);
    let options = Options { keys: wrong.as_ref(), ..Options::default() };
    let wrong = stream(&OsFs, &dir, options).unwrap_err();
    assert!(matches!(wrong, RecoverError::File(FileError::Crypt { .. })), "{wrong}");
}

#[test]
fn records_are_written_as_upstream_writes_them() {
    for (name, index) in [("ORDERS", 1), ("ORDERS", 2), ("ORDERS", 3), ("TTL", 1), ("EMPTIED", 2)] {
        let block = layout::block(&stream_dir("stopped", name).join("msgs"), index);
        let (block, hash) = (OsFs.read(&block).unwrap(), KeyedHash::for_block(name, index));
        let mut ours = Vec::new();
        while ours.len() < block.len() {
            let at = ours.len();
            let r = Record::decode(&block[at..], &hash).unwrap();
            let (seq, time) = (r.seq, r.time_ns);
            let written = match r.kind {
                Kind::Message => {
                    append_message(&mut ours, &hash, seq, time, r.subject, r.headers, r.payload)
                }
                Kind::Tombstone => append_tombstone(&mut ours, &hash, seq, time),
                // What was erased is noise under a subject.
                Kind::Erased => {
                    ours.extend_from_slice(&block[at..at + r.len]);
                    Ok(r.hash)
                }
            };
            assert_eq!(written, Ok(r.hash));
            assert_eq!(ours[at..], block[at..at + r.len], "{name} {index} {seq}");
        }
    }
}

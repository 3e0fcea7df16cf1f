//! What upstream wrote (`conformance/golden/`) is read here, and written back byte for byte where
//! upstream's own order is fixed. What it could write is checked against the inventory of its
//! fields.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use nats_server::base::json;
use nats_server::ds::expiries::Expiries;
use nats_server::ds::seq_set::SeqSet;
use nats_server::model;
use nats_server::model::{ConsumerConfig, ConsumerState, FileConsumerInfo, FileStreamInfo};
use nats_server::store::archive::Reader;
use nats_server::store::consumer::codec;
use nats_server::store::schedules::Schedules;
use nats_server::store::sources::{SourceState, Sources};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SECOND_NS: i64 = 1_000_000_000;

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/golden").join(path)
}

fn file(path: &str) -> Vec<u8> {
    std::fs::read(golden(path)).unwrap()
}

/// Every file of a folder, with its name.
fn files(path: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(golden(path)).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
    };
    let files: BTreeMap<_, _> = entries.map(file).collect();
    assert!(!files.is_empty());
    files
}

#[track_caller]
fn same(name: &str, written: &[u8], golden: &[u8]) {
    let text = String::from_utf8_lossy;
    assert_eq!(text(written), text(golden), "{name}");
}

#[test]
fn meta_files() {
    for (name, bytes) in files("model/streams") {
        same(&name, &FileStreamInfo::decode(&bytes).unwrap().encode(), &bytes);
    }
    for (name, bytes) in files("model/consumers") {
        same(&name, &FileConsumerInfo::decode(&bytes).unwrap().encode(), &bytes);
    }
}

/// The rows of upstream's JSON structs and enums: fields of each in order, as name, Go type, and
/// whether the zero value is left out.
fn inventory() -> BTreeMap<&'static str, Vec<(&'static str, &'static str, bool)>> {
    let mut structs = BTreeMap::<_, Vec<_>>::new();
    for row in include_str!("../conformance/upstream/js_api_fields.tsv").lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        structs.entry(columns[0]).or_default().push((columns[1], columns[2], columns[3] == "yes"));
    }
    structs
}

/// The names of a choice; none if there is no choice of that type.
fn names(go_type: &str) -> Vec<&'static str> {
    let rows = inventory().remove(format!("enum:{go_type}").as_str()).unwrap_or_default();
    // Storage types have their number behind them, and `undefined` a note in rows of its own.
    let name = |(name, ..): (&'static str, _, _)| name.split('=').next().unwrap_or(name);
    rows.into_iter().map(name).filter(|name| !name.contains(['(', ')']) && *name != "on").collect()
}

/// JSON of a Go type in which nothing has its zero value.
fn full(go_type: &str) -> String {
    if let Some(of) = go_type.strip_prefix("[]") {
        return format!("[{},{}]", full(of), full(of));
    }
    if let Some(of) = go_type.strip_prefix('*') {
        return full(of);
    }
    if let Some(of) = go_type.strip_prefix("map[string]") {
        return format!(r#"{{"a":{},"b":{}}}"#, full(of), full(of));
    }
    match go_type {
        "string" => r#""text""#.to_owned(),
        "bool" => "true".to_owned(),
        "int" | "int32" | "int64" | "uint64" | "time.Duration" => "7".to_owned(),
        "time.Time" => r#""2026-01-02T03:04:05.6+01:00""#.to_owned(),
        _ => {
            if let Some(name) = names(go_type).last() {
                return format!("{name:?}");
            }
            let inventory = inventory();
            let fields = inventory.get(go_type).expect(go_type);
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, go_type, _)| format!("{name:?}:{}", full(go_type)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

fn check_fields<T: Default + Serialize + DeserializeOwned>(go_type: &str) {
    let text = full(go_type);
    let value: T = json::from_slice(text.as_bytes()).expect(&text);
    same(go_type, &json::compact(&value), text.as_bytes());
    // `{}` has what Go does not leave out.
    let zero: T = json::from_slice(b"{}").unwrap();
    let zero: serde_json::Map<_, _> = serde_json::from_slice(&json::compact(&zero)).unwrap();
    let fields = &inventory()[go_type];
    let kept: Vec<_> =
        fields.iter().filter(|(.., omitted)| !omitted).map(|(name, ..)| *name).collect();
    assert_eq!(zero.keys().collect::<Vec<_>>(), kept, "{go_type}");
}

#[test]
fn every_field_of_the_inventory() {
    check_fields::<model::StreamConfig>("StreamConfig");
    check_fields::<model::ConsumerConfig>("ConsumerConfig");
    check_fields::<model::StreamState>("StreamState");
    check_fields::<model::LostStreamData>("LostStreamData");
    check_fields::<model::SequencePair>("SequencePair");
    check_fields::<model::StreamSource>("StreamSource");
    check_fields::<model::StreamConsumerSource>("StreamConsumerSource");
    check_fields::<model::ExternalStream>("ExternalStream");
    check_fields::<model::SubjectTransformConfig>("SubjectTransformConfig");
    check_fields::<model::RePublish>("RePublish");
    check_fields::<model::Placement>("Placement");
    check_fields::<model::StreamConsumerLimits>("StreamConsumerLimits");
}

/// Reads and writes each of the names of a choice; the first is the zero value.
fn check_names<T: Default + Serialize + DeserializeOwned>(go_type: &str) {
    let names = names(go_type);
    for name in &names {
        let text = format!("{name:?}");
        let value: T = json::from_slice(text.as_bytes()).expect(name);
        same(go_type, &json::compact(&value), text.as_bytes());
    }
    same(go_type, &json::compact(&T::default()), format!("{:?}", names[0]).as_bytes());
}

#[test]
fn every_name_of_the_inventory() {
    check_names::<model::RetentionPolicy>("RetentionPolicy");
    check_names::<model::DiscardPolicy>("DiscardPolicy");
    check_names::<model::StorageType>("StorageType");
    check_names::<model::StoreCompression>("StoreCompression");
    check_names::<model::PersistMode>("PersistModeType");
    check_names::<model::AckPolicy>("AckPolicy");
    check_names::<model::ReplayPolicy>("ReplayPolicy");
    check_names::<model::DeliverPolicy>("DeliverPolicy");
    check_names::<model::PriorityPolicy>("PriorityPolicy");
}

#[test]
fn consumer_state() {
    let bytes = file("store/o.dat");
    let state = codec::decode(&bytes).unwrap();
    let pair = |consumer_seq, stream_seq| model::SequencePair { consumer_seq, stream_seq };
    assert_eq!((state.ack_floor, state.delivered), (pair(2, 2), pair(12, 9)));
    assert!(state.pending.keys().copied().eq([3, 4, 6, 7, 8, 9]));
    assert!(state.redelivered.iter().eq([(&3, &1), (&4, &1), (&6, &1)]));
    // Upstream writes the pending ones in no order; otherwise there is one way.
    let second = state.pending[&3].timestamp;
    assert!(
        state
            .pending
            .iter()
            .all(|(seq, p)| p.sequence == *seq && (p.timestamp - second).abs() <= 3 * SECOND_NS)
    );
    let again = codec::encode(&state, second);
    assert_eq!(again.len(), bytes.len());
    assert_eq!(codec::decode(&again), Ok(state));
}

#[test]
fn expiries() {
    let bytes = file("store/thw.db");
    let (expiries, high_seq) = Expiries::decode(&bytes).unwrap();
    assert_eq!((expiries.len(), high_seq), (5, 6));
    // By an hour each, and published within a second.
    let (_, first) = expiries.iter().next().unwrap();
    for (n, (seq, at)) in (1..).zip(expiries.iter()) {
        assert_eq!((seq, (at - first) / (3600 * SECOND_NS)), (n, n as i64 - 1));
    }
    assert_eq!(expiries.encode(high_seq).len(), bytes.len());
}

#[test]
fn schedules() {
    let bytes = file("store/sched.db");
    let (schedules, high_seq) = Schedules::decode(&bytes).unwrap();
    assert_eq!((schedules.len(), high_seq), (4, 5));
    let at = |subject: &str| {
        let (seq, at) = schedules.of_subject(subject.as_bytes()).unwrap();
        (seq, model::Time::from_unix_ns(at).to_string())
    };
    assert_eq!(at("sched.at"), (1, "2031-01-02T03:04:05Z".to_owned()));
    assert_eq!(at("sched.cron"), (3, "2026-11-25T01:30:00Z".to_owned()));
    assert_eq!(at("sched.hourly"), (4, "2027-01-01T00:00:00Z".to_owned()));
    let (seq, every) = schedules.of_subject(b"sched.every").unwrap();
    assert_eq!((seq, every % SECOND_NS), (2, 0));
    assert_eq!(schedules.encode(high_seq).len(), bytes.len());
}

#[test]
fn sources() {
    let bytes = file("store/sources.db");
    let (sources, high_seq) = Sources::decode(&bytes).unwrap();
    assert_eq!((sources.0.len(), high_seq), (2, 100));
    assert_eq!(sources.0[&b"ORIGIN origin.x.> >"[..]], SourceState::default());
    // Upstream has them in no order.
    assert_eq!(sources.encode(high_seq).len(), bytes.len());
}

#[test]
fn deleted_sequences() {
    let bytes = file("store/deleted.set");
    let (set, len) = SeqSet::decode(&bytes).unwrap();
    assert_eq!(len, bytes.len());
    assert!(set.iter().eq((1000..15_000).step_by(3)));
    let mut again = Vec::new();
    set.encode(&mut again);
    assert_eq!(again.len(), bytes.len());
    // Trees may differ, nodes not.
    let nodes = |bytes: &[u8]| -> BTreeSet<Vec<u8>> {
        bytes[10..].chunks(266).map(|node| node[..264].to_vec()).collect()
    };
    assert_eq!((&again[..10], nodes(&again)), (&bytes[..10], nodes(&bytes)));
}

/// A consumer in a backup.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Consumer {
    config: ConsumerConfig,
    state: ConsumerState,
}

#[test]
fn backup() {
    let bytes = file("store/backup.archive");
    let mut reader = Reader::new(&bytes[..]);
    let mut writer = nats_server::store::archive::Writer::new(Vec::new());
    let mut names = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        let name = String::from_utf8(entry.name.clone()).unwrap();
        match name.as_str() {
            "state.json" => {
                let state: model::StreamState = json::from_slice(&body).unwrap();
                assert_eq!((state.messages, state.num_deleted), (3, 1));
                body = json::compact(&state);
            }
            "consumers/c1" => {
                let consumer: Consumer = json::from_slice(&body).unwrap();
                assert!(consumer.state.pending.keys().copied().eq([1, 3]));
                body = json::compact(&consumer);
            }
            _ => assert_eq!(entry.is_end(), name.is_empty()),
        }
        names.push((name, entry.sequence, entry.header_size));
        writer.entry(&entry).unwrap();
        writer.write(&body).unwrap();
    }
    let expected = [
        ("state.json", 0, 0),
        ("consumers/c1", 0, 0),
        ("b.0", 1, 0),
        ("b.2", 3, 0),
        ("b.h", 4, 18),
        ("", 0, 0),
    ];
    assert!(names.iter().map(|(name, seq, len)| (name.as_str(), *seq, *len)).eq(expected));
    same("backup", &writer.finish().unwrap(), &bytes);
}

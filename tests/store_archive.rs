//! Snapshots between this store and upstream's server, both ways, and directories whose key or
//! cipher changed here opened there.
//!
//! The oracle is `$NATS_SERVER_UPSTREAM`. Without one the tests say so and are skipped, unless
//! `CONFORMANCE_REQUIRE=1`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod oracle;

use nats_server::base::Env;
use nats_server::base::fs::OsFs;
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{FileStreamInfo, StreamState};
use nats_server::store::file::build::Place;
use nats_server::store::file::consumers::{self, Consumer};
use nats_server::store::file::convert::Converter;
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::recover::{self, Options, Recovered};
use nats_server::store::file::restore::{Limits, restore};
use nats_server::store::file::snapshot::{self, Source};
use oracle::Oracle;
use serde_json::{Value, json};
use sha2::Digest;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const STREAM: &str = "ORDERS";
const LIMITS: Limits = Limits { message: 1 << 20, stream: 1 << 40 };

/// A store with an encryption, and the configuration of a server on it.
struct Store {
    root: PathBuf,
    config: PathBuf,
    keys: Option<KeyRing>,
}

impl Store {
    fn new(root: &Path, key: &str, previous: &str, cipher: StoreCipher) -> Self {
        std::fs::create_dir_all(root).unwrap();
        let name = if cipher == StoreCipher::Aes { "aes" } else { "chacha" };
        let encryption = match (key, previous) {
            ("", _) => String::new(),
            (key, "") => format!("key: {key}, cipher: {name},"),
            (key, previous) => {
                format!("key: {key}, prev_encryption_key: {previous}, cipher: {name},")
            }
        };
        let config = root.join("server.conf");
        let store = root.to_str().unwrap();
        let text = format!(
            "listen: \"127.0.0.1:-1\"\njetstream {{ {encryption} store_dir: {store:?} }}\n"
        );
        std::fs::write(&config, text).unwrap();
        let keys = KeyRing::new("$G", &key.into(), &previous.into(), cipher);
        Self { root: root.to_owned(), config, keys }
    }

    fn dir(&self) -> PathBuf {
        self.root.join("jetstream/$G/streams").join(STREAM)
    }

    fn open(&self, verify: bool) -> Recovered {
        let options = Options { keys: self.keys.as_ref(), verify, now_ns: None };
        let found = recover::stream(&OsFs, &self.dir(), options).unwrap();
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        found
    }

    fn consumers(&self) -> Vec<Consumer> {
        consumers::consumers(&OsFs, &self.dir(), STREAM, self.keys.as_ref()).unwrap()
    }

    /// Every message, as upstream's API tells it.
    fn messages(&self, found: &Recovered) -> Vec<Value> {
        let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
        let mut all = Vec::new();
        found
            .messages(&OsFs, self.keys.as_ref(), (0, u64::MAX), |record| {
                let mut message = json!({
                    "subject": String::from_utf8_lossy(record.subject),
                    "seq": record.seq,
                    "time": nats_server::model::Time::from_unix_ns(record.time_ns),
                });
                for (field, bytes) in [("hdrs", record.headers), ("data", record.payload)] {
                    if !bytes.is_empty() {
                        message[field] = base64(bytes).into();
                    }
                }
                all.push(message);
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    }
}

fn config() -> Value {
    json!({
        "name": STREAM, "subjects": ["orders.*"], "storage": "file", "retention": "limits",
        "num_replicas": 1, "max_bytes": 127_000, "compression": "s2",
        "max_consumers": -1, "max_msgs": -1, "max_msg_size": -1, "discard": "old",
    })
}

/// A stream on the oracle: messages with and without headers, some gone, and a consumer in the
/// middle of its work.
fn fill(oracle: &mut Oracle) {
    oracle.request(&format!("STREAM.CREATE.{STREAM}"), &config());
    for n in 1..=150_u32 {
        let headers: &[u8] = if n % 3 == 0 { b"NATS/1.0\r\nOrder: new\r\n\r\n" } else { b"" };
        oracle.publish(&format!("orders.{}", n % 7), headers, format!("{n:0500}").as_bytes());
        assert_eq!(oracle.answer()["seq"], n);
    }
    for seq in [1, 2, 60, 61, 62, 99, 150] {
        let body = json!({ "seq": seq, "no_erase": true });
        oracle.request(&format!("STREAM.MSG.DELETE.{STREAM}"), &body);
    }
    let body = json!({
        "stream_name": STREAM,
        "config": { "durable_name": "busy", "ack_policy": "explicit", "ack_wait": 3_600_000_000_000_u64 },
    });
    oracle.request(&format!("CONSUMER.DURABLE.CREATE.{STREAM}.busy"), &body);
    for n in 0..5 {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.busy");
        oracle.publish(&subject, b"", b"1");
        let message = oracle.receive();
        if n < 2 {
            oracle.publish(&message.reply, b"", b"+ACK");
            oracle.answer();
        }
    }
}

/// What the oracle says of every message.
fn told(oracle: &mut Oracle) -> Vec<Value> {
    let info = oracle.request(&format!("STREAM.INFO.{STREAM}"), &json!({"deleted_details": true}));
    let state = &info["state"];
    let gone = state["deleted"].as_array().cloned().unwrap_or_default();
    let seqs = state["first_seq"].as_u64().unwrap()..=state["last_seq"].as_u64().unwrap();
    seqs.filter(|seq| !gone.contains(&json!(seq)))
        .map(|seq| {
            let api = format!("STREAM.MSG.GET.{STREAM}");
            oracle.request(&api, &json!({ "seq": seq }))["message"].clone()
        })
        .collect()
}

/// How far its consumer is, as both tell it.
fn assert_consumer(oracle: &mut Oracle, found: &[Consumer]) {
    let info = oracle.request(&format!("CONSUMER.INFO.{STREAM}.busy"), &json!({}));
    let state = found[0].state.as_ref().unwrap();
    assert_eq!(info["delivered"]["consumer_seq"], state.delivered.consumer_seq, "{info}");
    assert_eq!(info["delivered"]["stream_seq"], state.delivered.stream_seq, "{info}");
    assert_eq!(info["ack_floor"]["stream_seq"], state.ack_floor.stream_seq, "{info}");
    assert_eq!(info["num_ack_pending"], state.pending.len(), "{info}");
    assert_eq!(state.pending.len(), 3);
}

/// Restores here what the oracle has archived.
fn restore_here(store: &Store, archive: &[u8]) {
    let env = Env::os();
    let mut entropy = |buf: &mut [u8]| env.entropy(buf);
    let dir = store.dir();
    let place = Place { fs: &OsFs, dir: &dir, keys: store.keys.as_ref(), entropy: &mut entropy };
    let info = json!({ "Created": "2026-01-02T03:04:05Z" });
    let mut info = FileStreamInfo::decode(info.to_string().as_bytes()).unwrap();
    info.config = serde_json::from_value(config()).unwrap();
    let done = restore(place, &info, LIMITS, env.clock().wall_ns(), archive).unwrap();
    assert_eq!(done.consumers.len(), 1);
}

/// Archives here what the store holds.
fn archive_here(store: &Store) -> Vec<u8> {
    let found = store.open(true);
    let consumers: Vec<_> = store
        .consumers()
        .into_iter()
        .map(|found| {
            let mut config = found.info.unwrap().config;
            config.name = found.name;
            snapshot::Consumer { config, state: found.state.unwrap() }
        })
        .collect();
    let state = StreamState {
        messages: found.totals.messages,
        bytes: found.totals.bytes,
        first_seq: found.totals.first_seq,
        last_seq: found.totals.last_seq,
        ..StreamState::default()
    };
    let source = Source {
        fs: &OsFs,
        messages_dir: &found.messages_dir,
        stream: STREAM,
        keys: store.keys.as_ref(),
        blocks: &found.blocks,
    };
    let mut archive = Vec::new();
    let mut sink = |chunk: &[u8]| {
        archive.extend_from_slice(chunk);
        Ok(())
    };
    let now_ns = Env::os().clock().wall_ns();
    snapshot::snapshot(source, &state, &consumers, now_ns, 128 * 1024, &mut sink).unwrap();
    archive
}

#[test]
fn a_snapshot_goes_there_and_back() {
    let Some(binary) = oracle::binary() else { return };
    for (key, cipher) in
        [("", StoreCipher::ChaCha), ("k", StoreCipher::ChaCha), ("k", StoreCipher::Aes)]
    {
        let root = oracle::folder("store_archive");
        let theirs = Store::new(&root.join("theirs"), key, "", cipher);
        let mut server = Oracle::start(&binary, &theirs.config);
        fill(&mut server);
        let wanted = told(&mut server);
        assert_eq!(wanted.len(), 143);
        // Theirs, restored here.
        let ours = Store::new(&root.join("ours"), key, "", cipher);
        restore_here(&ours, &server.snapshot(STREAM));
        let found = ours.open(true);
        assert_eq!(found.totals.last_seq, 150);
        assert_eq!(ours.messages(&found), wanted);
        assert_consumer(&mut server, &ours.consumers());
        // Ours, restored there.
        server.request(&format!("STREAM.DELETE.{STREAM}"), &json!({}));
        let info = server.restore(STREAM, &config(), &archive_here(&ours));
        assert_eq!(
            (&info["state"]["messages"], &info["state"]["last_seq"]),
            (&143.into(), &150.into())
        );
        assert_eq!(told(&mut server), wanted);
        assert_consumer(&mut server, &ours.consumers());
        server.stop();
        // What was restored here is a directory of theirs, too.
        let mut server = Oracle::start(&binary, &ours.config);
        assert_eq!(told(&mut server), wanted);
        assert_consumer(&mut server, &ours.consumers());
    }
}

#[test]
fn upstream_opens_what_was_converted() {
    let Some(binary) = oracle::binary() else { return };
    let [chacha, aes] = [StoreCipher::ChaCha, StoreCipher::Aes];
    for (old, new) in [
        (("", "", chacha), ("k", "", aes)),
        (("k", "", aes), ("k", "", chacha)),
        (("k", "", chacha), ("n", "k", chacha)),
        (("k", "", chacha), ("n", "k", aes)),
    ] {
        let root = oracle::folder("store_convert");
        let before = Store::new(&root, old.0, old.1, old.2);
        let mut server = Oracle::start(&binary, &before.config);
        fill(&mut server);
        let wanted = told(&mut server);
        server.stop();
        let store = Store::new(&root, new.0, new.1, new.2);
        let env = Env::os();
        let mut entropy = |buf: &mut [u8]| env.entropy(buf);
        let mut converter =
            Converter { fs: &OsFs, keys: store.keys.as_ref(), entropy: &mut entropy };
        let done = converter.stream(&store.dir()).unwrap();
        assert!(done.refused.is_empty() && done.wrong_sums.is_empty(), "{done:?}");
        assert!(done.assets >= 4, "blocks, a consumer and the stream: {done:?}");
        // The previous key is not needed any more.
        let store = Store::new(&root, new.0, "", new.2);
        let found = store.open(true);
        assert_eq!(store.messages(&found), wanted);
        let mut server = Oracle::start(&binary, &store.config);
        assert_eq!(told(&mut server), wanted);
        assert_consumer(&mut server, &store.consumers());
    }
}

/// What servers of several versions made of a stream: `conformance/golden/snapshots`.
#[test]
fn snapshots_of_other_versions_are_restored() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/golden/snapshots");
    for version in ["2.10.25", "2.14.0", "2.15.1"] {
        let archive = std::fs::read(golden.join(format!("{version}.s2"))).unwrap();
        let expected = std::fs::read(golden.join(format!("{version}.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let root = oracle::folder(&format!("snapshot_{version}"));
        let store = Store::new(&root, "k", "", StoreCipher::ChaCha);
        let env = Env::os();
        let mut entropy = |buf: &mut [u8]| env.entropy(buf);
        let dir = store.dir();
        let place =
            Place { fs: &OsFs, dir: &dir, keys: store.keys.as_ref(), entropy: &mut entropy };
        let config = serde_json::from_value(expected["config"].clone()).unwrap();
        let info = FileStreamInfo { config, ..FileStreamInfo::default() };
        restore(place, &info, LIMITS, env.clock().wall_ns(), &archive[..]).unwrap();
        // Before 2.11 it is the index alone that knows of some deletes.
        let found = store.open(version.starts_with("2.15"));
        let mut messages = Vec::new();
        found
            .messages(&OsFs, store.keys.as_ref(), (0, u64::MAX), |record| {
                let content = [record.headers, b"\0", record.payload].concat();
                let digest = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(content)[..8]);
                let subject = String::from_utf8_lossy(record.subject);
                let time = nats_server::model::Time::from_unix_ns(record.time_ns);
                messages.push(json!([record.seq, subject, time, digest]));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(Value::from(messages), expected["messages"], "{version}");
        let state = &expected["state"];
        assert_eq!(state["messages"], found.totals.messages, "{version}");
        assert_eq!(state["bytes"], found.totals.bytes, "{version}");
        assert_eq!(state["last_seq"], found.totals.last_seq, "{version}");
        let consumers = store.consumers();
        assert_eq!(consumers.len(), 3, "{version}");
        for found in consumers {
            let told = &expected["consumers"][&found.name];
            let (info, state) = (found.info.unwrap(), found.state.unwrap());
            assert_eq!(told["config"]["durable_name"], info.config.durable_name, "{version}");
            for (field, pair) in [("delivered", state.delivered), ("ack_floor", state.ack_floor)] {
                let at = format!("{version} {} {field}: {told}", found.name);
                assert_eq!(told[field]["consumer_seq"], pair.consumer_seq, "{at}");
                assert_eq!(told[field]["stream_seq"], pair.stream_seq, "{at}");
            }
            assert_eq!(told["num_ack_pending"], state.pending.len(), "{version} {told}");
            assert_eq!(told["num_redelivered"], state.redelivered.len(), "{version} {told}");
        }
    }
}

//! Directories of a running store, opened by upstream's server, and what that made of them opened
//! again: `STREAM.INFO` and every message have to be what the store had.
//!
//! The oracle is `$NATS_SERVER_UPSTREAM`. Without one the test says so and is skipped, unless
//! `CONFORMANCE_REQUIRE=1`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

// Other tests use the rest.
#[allow(dead_code)]
mod oracle;

use nats_server::base::{Env, Rng};
use nats_server::config::jetstream::StoreCipher;
use nats_server::model::{FileStreamInfo, StreamConfig, StreamState, Time};
use nats_server::store::file::crypt::KeyRing;
use nats_server::store::file::store::{FileStore, Options};
use nats_server::store::stream::{Filter, NewMessage, StoredMessage, StreamStore};
use oracle::Oracle;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NOW_NS: i64 = 1_795_478_400_000_000_000;

/// How a store is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stopped,
    Killed,
}

struct Run {
    env: Env,
    dir: PathBuf,
    options: Options,
    store: FileStore,
    rng: Rng,
    now_ns: i64,
}

impl Run {
    fn new(root: &Path, name: &str, compression: &str, cipher: Option<StoreCipher>) -> Self {
        let config: StreamConfig = serde_json::from_value(json!({
            "name": name, "subjects": [format!("{name}.*")], "compression": compression,
            "max_msgs": 120, "max_bytes": -1, "max_consumers": -1, "max_msg_size": -1,
            "max_msgs_per_subject": 30, "num_replicas": 1, "duplicate_window": 120_000_000_000_u64,
            "allow_msg_ttl": true,
        }))
        .unwrap();
        let env = Env::os();
        let ring = |cipher| KeyRing::new("$G", &"secret".into(), &"".into(), cipher).map(Arc::new);
        let options = Options { keys: cipher.and_then(ring), block_len_max: Some(1500) };
        let dir = root.join("jetstream/$G/streams").join(name);
        let info = FileStreamInfo { config, created: Time::from_unix_ns(NOW_NS) };
        let store = FileStore::create(&env, &dir, &info, options.clone(), NOW_NS).unwrap();
        let rng = Rng::from_seed(name.len() as u64);
        Self { env, dir, options, store, rng, now_ns: NOW_NS }
    }

    fn name(&self) -> String {
        self.store.config().name.clone()
    }

    fn put(&mut self) {
        self.now_ns += 1_000_000;
        let subject = format!("{}.{}", self.name(), self.rng.below(7));
        let payload = vec![b'x'; self.rng.below(150) as usize];
        let headers: &[u8] = match self.rng.below(4) {
            0 => b"NATS/1.0\r\nNats-TTL: 876000h\r\n\r\n",
            _ => b"",
        };
        let ttl_s = if headers.is_empty() { 0 } else { 876_000 * 3600 };
        let new = NewMessage { subject: subject.as_bytes(), headers, payload: &payload, ttl_s };
        self.store.store(new, self.now_ns).unwrap();
    }

    /// Does one of everything, in random order.
    fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            let state = self.store.fast_state();
            let seq = state.first_seq
                + self.rng.below(1 + state.last_seq - state.first_seq.min(state.last_seq));
            match self.rng.below(100) {
                0..70 => self.put(),
                70..84 => _ = self.store.remove(seq).unwrap(),
                84..87 => _ = self.store.erase(seq).unwrap(),
                87..89 => self.store.skip_many(0, 1 + self.rng.below(5), self.now_ns).unwrap(),
                89 => {
                    let subject = format!("{}.{}", self.name(), self.rng.below(7));
                    self.store.purge_ex(Filter::Literal(subject.as_bytes()), 0, 1).unwrap();
                }
                90 => _ = self.store.compact(seq.min(state.first_seq + 9)).unwrap(),
                91 => self
                    .store
                    .truncate(state.last_seq - state.last_seq.min(4), self.now_ns)
                    .unwrap(),
                92 => _ = self.store.purge().unwrap(),
                93..96 => self.store.maintain().unwrap(),
                96 => self.store.checkpoint().unwrap(),
                97 => self.reopen(),
                _ => self.store.flush().unwrap(),
            }
        }
    }

    fn reopen(&mut self) {
        self.store.stop().unwrap();
        let opened = FileStore::open(&self.env, &self.dir, self.options.clone(), NOW_NS).unwrap();
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        self.store = opened.store;
    }

    fn leave(&mut self, end: End) {
        match end {
            End::Stopped => self.store.stop().unwrap(),
            End::Killed => self.store.flush().unwrap(),
        }
    }
}

fn messages(store: &mut FileStore) -> Vec<StoredMessage> {
    let (mut found, mut out) = (Vec::new(), StoredMessage::default());
    let mut next = 0;
    while store.load_next(Filter::All, next, &mut out).is_ok() {
        next = out.seq + 1;
        found.push(out.clone());
    }
    found
}

fn compare(oracle: &mut Oracle, state: &StreamState, all: &[StoredMessage], name: &str, at: &str) {
    let info = oracle.request(&format!("STREAM.INFO.{name}"), &json!({}));
    let ours = serde_json::to_value(state).unwrap();
    let fields = match state.messages {
        0 => &["messages", "bytes", "first_seq", "last_seq"][..],
        _ => &[
            "messages",
            "bytes",
            "first_seq",
            "first_ts",
            "last_seq",
            "num_subjects",
            "num_deleted",
        ],
    };
    for field in fields {
        assert_eq!(info["state"][field], ours[field], "{at} {name} {field}: {info} {ours}");
    }
    let base64 = |bytes: &[u8]| Value::from(data_encoding::BASE64.encode(bytes));
    for message in all {
        let found = oracle.request(&format!("STREAM.MSG.GET.{name}"), &json!({"seq": message.seq}));
        let found = &found["message"];
        let subject = String::from_utf8(message.subject().to_vec()).unwrap();
        assert_eq!(found["subject"], subject, "{at} {name} {}", message.seq);
        let time = Time::from_unix_ns(message.time_ns).to_string();
        assert_eq!(found["time"], time, "{at} {name} {}", message.seq);
        if !message.payload().is_empty() {
            assert_eq!(found["data"], base64(message.payload()), "{at} {name} {}", message.seq);
        }
        if !message.headers().is_empty() {
            assert_eq!(found["hdrs"], base64(message.headers()), "{at} {name} {}", message.seq);
        }
    }
}

#[test]
fn upstream_opens_what_a_running_store_left_and_is_opened_again() {
    let Some(binary) = oracle::binary() else { return };
    let ciphers = [
        (None, ""),
        (Some(StoreCipher::ChaCha), "key: secret, cipher: chacha,"),
        (Some(StoreCipher::Aes), "key: secret, cipher: aes,"),
    ];
    for (cipher, encryption) in ciphers {
        for end in [End::Stopped, End::Killed] {
            let at = format!("{encryption} {end:?}");
            let root = oracle::folder("store_files");
            let config = root.join("server.conf");
            let text = format!(
                "listen: \"127.0.0.1:-1\"\njetstream {{ {encryption} store_dir: {:?} }}\n",
                root.to_str().unwrap()
            );
            std::fs::write(&config, text).unwrap();
            std::fs::create_dir_all(root.join("jetstream/$G/streams")).unwrap();
            let mut runs: Vec<Run> = (1..8)
                .map(|n| {
                    let compression = if n % 2 == 0 { "s2" } else { "none" };
                    let mut run = Run::new(&root, &"S".repeat(n), compression, cipher);
                    run.go(40 * n);
                    run
                })
                .collect();
            for run in &mut runs {
                run.put();
                run.store.flush().unwrap();
            }
            let before: Vec<_> = runs
                .iter_mut()
                .map(|run| (run.name(), run.store.state(), messages(&mut run.store)))
                .collect();
            runs.iter_mut().for_each(|run| run.leave(end));
            let mut oracle = Oracle::start(&binary, &config);
            for (name, state, all) in &before {
                compare(&mut oracle, state, all, name, &at);
            }
            // It goes on there, and comes back.
            let mut after = Vec::new();
            for (name, _, all) in &before {
                for n in 0..20 {
                    oracle.publish(&format!("{name}.{}", n % 7), b"", b"from upstream");
                    oracle.answer();
                }
                let info = oracle.request(&format!("STREAM.INFO.{name}"), &json!({}));
                let last = info["state"]["last_seq"].as_u64().unwrap();
                let gone = all.last().map_or(last - 1, |message| message.seq);
                for seq in [gone, last - 3] {
                    oracle.request(
                        &format!("STREAM.MSG.DELETE.{name}"),
                        &json!({"seq": seq, "no_erase": true}),
                    );
                }
                after.push(oracle.request(&format!("STREAM.INFO.{name}"), &json!({})));
            }
            oracle.stop();
            for (run, info) in runs.iter_mut().zip(&after) {
                let opened =
                    FileStore::open(&run.env, &run.dir, run.options.clone(), NOW_NS).unwrap();
                assert!(opened.fixes.is_empty(), "{at} {:?}", opened.fixes);
                run.store = opened.store;
                let ours = serde_json::to_value(run.store.fast_state()).unwrap();
                for field in ["messages", "bytes", "first_seq", "first_ts", "last_seq", "last_ts"] {
                    assert_eq!(ours[field], info["state"][field], "{at} {field}: {ours} {info}");
                }
                assert_eq!(messages(&mut run.store).len() as u64, info["state"]["messages"]);
            }
        }
    }
}

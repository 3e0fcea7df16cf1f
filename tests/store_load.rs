//! What `nats-server store load` makes, opened by upstream's server: `STREAM.INFO` and every
//! message have to be what was loaded.
//!
//! The oracle is `$NATS_SERVER_UPSTREAM`. Without one the test says so and is skipped, unless
//! `CONFORMANCE_REQUIRE=1`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

// Another test uses the rest.
#[allow(dead_code)]
mod oracle;

use oracle::Oracle;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Sequences of a stream's messages, and the last that was used.
struct Loaded {
    name: &'static str,
    compression: &'static str,
    seqs: Vec<u64>,
    last: Option<u64>,
}

fn streams() -> Vec<Loaded> {
    let stream = |name, compression, seqs, last| Loaded { name, compression, seqs, last };
    let odd = |seqs: std::ops::RangeInclusive<u64>| seqs.filter(|seq| seq % 2 == 1);
    vec![
        stream("WHOLE", "none", (1..=90).collect(), None),
        stream("PACKED", "s2", (1..=90).collect(), None),
        stream("LATE", "none", (500..=590).collect(), None),
        stream("GAPS", "none", odd(3..=170).collect(), None),
        stream("GAPS_PACKED", "s2", odd(3..=170).collect(), None),
        // Blocks end within these gaps.
        stream("ACROSS", "s2", (0..90).map(|n| 1 + n + n / 7 * 20).collect(), None),
        stream("FAR", "none", vec![1, 2, 70_000, 70_001, 1_000_000_000, 1_000_000_001], None),
        stream("TAIL", "none", (1..=40).collect(), Some(41)),
        stream("LONG_TAIL", "s2", (5..=80).collect(), Some(900_000)),
        stream("GONE", "none", vec![], Some(77)),
        stream("EMPTY", "none", vec![], None),
    ]
}

fn message(stream: &str, seq: u64) -> Value {
    let headers: &[u8] = b"NATS/1.0\r\nNats-TTL: 876000h\r\n\r\n";
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let mut message = json!({
        "subject": format!("{stream}.{}", seq % 5),
        "seq": seq,
        "data": base64(format!("{seq:01000}").as_bytes()),
        "time": format!("2026-01-02T03:04:05.{:09}Z", 100_000_001 + 10 * (seq % 10_000_000)),
    });
    if seq.is_multiple_of(3) {
        message["hdrs"] = base64(headers).into();
    }
    message
}

fn ours(args: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nats-server"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {problem}");
    String::from_utf8(output.stdout).unwrap()
}

fn load(root: &Path, config_file: &Path, stream: &Loaded) {
    let config = json!({
        "name": stream.name, "subjects": [format!("{}.*", stream.name)],
        "compression": stream.compression, "max_bytes": 127_000, "num_replicas": 1,
        "allow_msg_ttl": true,
    });
    let path = root.join("stream.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let dir = root.join("jetstream/$G/streams").join(stream.name);
    let lines: String =
        stream.seqs.iter().map(|seq| format!("{}\n", message(stream.name, *seq))).collect();
    let (dir, path) = (dir.to_str().unwrap(), path.to_str().unwrap());
    let last = stream.last.map(|last| last.to_string());
    let mut args =
        vec!["store", "load", dir, "--stream", path, "--config", config_file.to_str().unwrap()];
    if let Some(last) = &last {
        args.extend(["--last", last]);
    }
    ours(&args, &lines);
}

fn compare(oracle: &mut Oracle, stream: &Loaded, checked: &Value, at: &str) {
    let at = format!("{at} {}", stream.name);
    let info = oracle.request(&format!("STREAM.INFO.{}", stream.name), &json!({}));
    let state = &info["state"];
    for field in ["messages", "bytes", "first_seq", "first_ts", "last_seq", "last_ts"] {
        assert_eq!(state[field], checked["state"][field], "{at} {field}: {info}");
    }
    for field in ["num_subjects", "num_deleted"] {
        // Upstream takes the sequence 0 of a stream without messages for a deleted one.
        if !stream.seqs.is_empty() {
            assert_eq!(state[field], checked["state"][field], "{at} {field}: {info}");
        }
    }
    let last = stream.last.or(stream.seqs.last().copied()).unwrap_or(0);
    assert_eq!((&state["messages"], &state["last_seq"]), (&stream.seqs.len().into(), &last.into()));
    assert_eq!(info["config"]["compression"], stream.compression, "{at}");
    for seq in &stream.seqs {
        let answer =
            oracle.request(&format!("STREAM.MSG.GET.{}", stream.name), &json!({"seq": seq}));
        assert_eq!(answer["message"], message(stream.name, *seq), "{at} {seq}");
    }
}

#[test]
fn upstream_opens_what_is_loaded() {
    let Some(binary) = oracle::binary() else { return };
    for encryption in ["", "key: secret, cipher: chacha,", "key: secret, cipher: aes,"] {
        for with_index in [true, false] {
            let at = format!("{encryption} index {with_index}");
            let root = oracle::folder("store_load");
            let config = root.join("server.conf");
            let text = format!(
                "listen: \"127.0.0.1:-1\"\njetstream {{ {encryption} store_dir: {:?} }}\n",
                root.to_str().unwrap()
            );
            std::fs::write(&config, text).unwrap();
            let streams = streams();
            streams.iter().for_each(|stream| load(&root, &config, stream));
            let (store, config_arg) = (root.to_str().unwrap(), config.to_str().unwrap());
            let checked = ours(&["store", "check", store, "--json", "--config", config_arg], "");
            let checked: Value = serde_json::from_str(&checked).unwrap();
            if !with_index {
                for stream in &streams {
                    let messages = root.join("jetstream/$G/streams").join(stream.name).join("msgs");
                    // A stream without messages has none.
                    let _ = std::fs::remove_file(messages.join("index.db"));
                }
            }
            let mut oracle = Oracle::start(&binary, &config);
            assert!(!oracle.looked_for_expiries, "{at}");
            for stream in &streams {
                let found = checked["streams"].as_array().unwrap();
                let found = found.iter().find(|found| found["name"] == stream.name).unwrap();
                compare(&mut oracle, stream, found, &at);
            }
        }
    }
}

/// What a server that stops keeps beside the messages is what is loaded beside them.
#[test]
fn upstream_keeps_expiries_and_schedules() {
    let Some(binary) = oracle::binary() else { return };
    let root = oracle::folder("store_load_beside");
    let config = root.join("server.conf");
    let text = format!(
        "listen: \"127.0.0.1:-1\"\njetstream {{ store_dir: {:?} }}\n",
        root.to_str().unwrap()
    );
    std::fs::write(&config, text).unwrap();
    let stream = json!({
        "name": "S", "subjects": ["s.*"], "num_replicas": 1,
        "allow_msg_ttl": true, "allow_msg_schedules": true, "allow_direct": true,
    });
    let path = root.join("stream.json");
    std::fs::write(&path, stream.to_string()).unwrap();
    let line = |seq: u64, subject: &str, headers: &str| {
        let headers = format!("NATS/1.0\r\n{headers}\r\n\r\n");
        let hdrs = data_encoding::BASE64.encode(headers.as_bytes());
        let time = "2026-01-02T03:04:05Z";
        format!("{}\n", json!({"subject": subject, "seq": seq, "hdrs": hdrs, "time": time}))
    };
    let at = "Nats-Schedule: @at 2099-01-02T03:04:05Z\r\nNats-Schedule-Target: s.target";
    let lines = [
        line(1, "s.a", "Nats-TTL: 876000h"),
        line(2, "s.b", at),
        line(3, "s.c", "Nats-TTL: 800000h"),
        line(4, "s.d", at),
        // It is no schedule any more.
        line(5, "s.b", "Other: header"),
    ];
    let dir = root.join("jetstream/$G/streams/S");
    let args = ["store", "load", dir.to_str().unwrap(), "--stream", path.to_str().unwrap()];
    ours(&[&args[..], &["--config", config.to_str().unwrap()]].concat(), &lines.concat());
    let kept = ["msgs/thw.db", "msgs/sched.db"].map(|name| dir.join(name));
    let read = || kept.clone().map(|path| std::fs::read(path).unwrap());
    let loaded = read();
    let mut oracle = Oracle::start(&binary, &config);
    assert!(!oracle.looked_for_expiries);
    let info = oracle.request("STREAM.INFO.S", &json!({}));
    assert_eq!((&info["state"]["messages"], &info["state"]["last_seq"]), (&5.into(), &5.into()));
    // It writes its state when there is something to write.
    for path in &kept {
        std::fs::remove_file(path).unwrap();
    }
    oracle.publish("s.e", b"", b"");
    assert_eq!(oracle.answer()["seq"], 6);
    oracle.stop();
    use nats_server::ds::expiries::Expiries;
    use nats_server::store::schedules::Schedules;
    let [expiries, schedules] = read();
    let (ours, theirs) =
        (Expiries::decode(&loaded[0]).unwrap(), Expiries::decode(&expiries).unwrap());
    assert_eq!((ours.0.len(), ours.1, theirs.1), (2, 6, 7));
    assert_eq!(ours.0, theirs.0);
    let (ours, theirs) =
        (Schedules::decode(&loaded[1]).unwrap(), Schedules::decode(&schedules).unwrap());
    assert_eq!((ours.0.len(), ours.1, theirs.1), (1, 6, 7));
    assert_eq!(ours.0.of_subject(b"s.d"), theirs.0.of_subject(b"s.d"));
    assert!(ours.0.of_subject(b"s.d").is_some());
}

//! What `nats-server store load` makes, opened by upstream's server: `STREAM.INFO` and every
//! message have to be what was loaded.
//!
//! The oracle is `$NATS_SERVER_UPSTREAM`. Without one the test says so and is skipped, unless
//! `CONFORMANCE_REQUIRE=1`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

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

/// A process, killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of upstream's.
struct Oracle {
    _process: Process,
    client: BufReader<TcpStream>,
}

impl Oracle {
    fn start(binary: &Path, config: &Path) -> Self {
        let child =
            Command::new(binary).arg("-c").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process(child);
        let (mut log, mut port) = (BufReader::new(process.0.stderr.take().unwrap()), None);
        let (mut text, mut line) = (String::new(), String::new());
        while !line.contains("Server is ready") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended:\n{text}");
            // When messages expire is not loaded: a server finds that in the messages.
            let expected = line.contains("TTL state is outdated; attempting to recover");
            let problem = line.contains("[ERR]") || line.contains("[WRN]");
            assert!(!problem || expected, "{line}");
            if let Some((_, listener)) = line.split_once("Listening for client connections on ") {
                port = listener.trim().rsplit(':').next().and_then(|port| port.parse().ok());
            }
            text.push_str(&line);
        }
        // Whoever does not read may block who writes.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let stream = TcpStream::connect(("127.0.0.1", port.expect("a port"))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = BufReader::new(stream);
        client.read_line(&mut line).unwrap();
        client.get_mut().write_all(b"CONNECT {\"verbose\":false}\r\nSUB reply 1\r\n").unwrap();
        Self { _process: process, client }
    }

    fn request(&mut self, api: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!("PUB $JS.API.{api} reply {}\r\n{body}\r\n", body.len());
        self.client.get_mut().write_all(request.as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            assert_ne!(self.client.read_line(&mut line).unwrap(), 0, "{api}");
            if line.starts_with("PING") {
                self.client.get_mut().write_all(b"PONG\r\n").unwrap();
            } else if line.starts_with("MSG") {
                let len: usize = line.split_whitespace().last().unwrap().parse().unwrap();
                let mut body = vec![0; len + 2];
                self.client.read_exact(&mut body).unwrap();
                return serde_json::from_slice(&body[..len]).unwrap();
            } else {
                panic!("{api}: {line}");
            }
        }
    }
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

fn oracle() -> Option<PathBuf> {
    let path = std::env::var_os("NATS_SERVER_UPSTREAM").filter(|path| !path.is_empty());
    let required = std::env::var("CONFORMANCE_REQUIRE").is_ok_and(|required| required == "1");
    assert!(path.is_some() || !required, "no oracle: NATS_SERVER_UPSTREAM is not set");
    path.map(PathBuf::from)
}

#[test]
fn upstream_opens_what_is_loaded() {
    let Some(binary) = oracle() else {
        eprintln!("skipped: no oracle, NATS_SERVER_UPSTREAM is not set");
        return;
    };
    for encryption in ["", "key: secret, cipher: chacha,", "key: secret, cipher: aes,"] {
        for with_index in [true, false] {
            let at = format!("{encryption} index {with_index}");
            let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store_load");
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(&root).unwrap();
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
            for stream in &streams {
                let found = checked["streams"].as_array().unwrap();
                let found = found.iter().find(|found| found["name"] == stream.name).unwrap();
                compare(&mut oracle, stream, found, &at);
            }
        }
    }
}

//! Upstream's server as a process, and as much of a client as its API needs.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// The oracle's binary from `$NATS_SERVER_UPSTREAM`. Nothing, with a word about it, when there is
/// none and `CONFORMANCE_REQUIRE` is not 1.
pub fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("NATS_SERVER_UPSTREAM").filter(|path| !path.is_empty());
    let required = std::env::var("CONFORMANCE_REQUIRE").is_ok_and(|required| required == "1");
    assert!(path.is_some() || !required, "no oracle: NATS_SERVER_UPSTREAM is not set");
    if path.is_none() {
        eprintln!("skipped: no oracle, NATS_SERVER_UPSTREAM is not set");
    }
    path.map(PathBuf::from)
}

/// An empty folder for a test.
pub fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    root
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
pub struct Oracle {
    process: Process,
    client: BufReader<TcpStream>,
    /// What came while an answer was waited for.
    early: VecDeque<Received>,
    /// Whether it had to look for expiries in the messages.
    #[allow(dead_code)]
    pub looked_for_expiries: bool,
}

/// A message that came for the client.
pub struct Received {
    pub subject: String,
    pub reply: String,
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Oracle {
    /// Starts it on a configuration; what it logs as a warning or an error fails the test.
    pub fn start(binary: &Path, config: &Path) -> Self {
        let child =
            Command::new(binary).arg("-c").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process(child);
        let (mut log, mut port) = (BufReader::new(process.0.stderr.take().unwrap()), None);
        let (mut text, mut line) = (String::new(), String::new());
        let mut looked_for_expiries = false;
        while !line.contains("Server is ready") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended:\n{text}");
            // A store that was not stopped does not know all of them.
            let expected = line.contains("TTL state is outdated; attempting to recover");
            let problem = line.contains("[ERR]") || line.contains("[WRN]");
            assert!(!problem || expected, "{line}");
            looked_for_expiries |= expected;
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
        let connect = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n";
        client.get_mut().write_all(connect).unwrap();
        let early = VecDeque::new();
        let mut oracle = Self { process, client, early, looked_for_expiries };
        oracle.send("SUB reply 1\r\nSUB chunks 2\r\n", b"");
        oracle
    }

    /// Ends it as an operator does, and waits until it has.
    pub fn stop(mut self) {
        let pid = self.process.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        self.process.0.wait().unwrap();
    }

    fn send(&mut self, line: &str, payload: &[u8]) {
        let client = self.client.get_mut();
        client.write_all(&[line.as_bytes(), payload].concat()).unwrap();
    }

    /// The next message that comes.
    pub fn receive(&mut self) -> Received {
        self.early.pop_front().unwrap_or_else(|| self.read())
    }

    fn read(&mut self) -> Received {
        loop {
            let mut line = String::new();
            assert_ne!(self.client.read_line(&mut line).unwrap(), 0, "the server is gone");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["PING"] => self.send("PONG\r\n", b""),
                [kind @ ("MSG" | "HMSG"), subject, _, ref rest @ ..] => {
                    let sizes = if kind == "HMSG" { 2 } else { 1 };
                    let (reply, sizes) = rest.split_at(rest.len() - sizes);
                    let sizes: Vec<usize> = sizes.iter().map(|n| n.parse().unwrap()).collect();
                    let mut body = vec![0; sizes[sizes.len() - 1] + 2];
                    self.client.read_exact(&mut body).unwrap();
                    body.truncate(body.len() - 2);
                    let payload = body.split_off(if sizes.len() == 2 { sizes[0] } else { 0 });
                    let (subject, reply) = (subject.to_owned(), reply.concat());
                    return Received { subject, reply, headers: body, payload };
                }
                _ => panic!("{line}"),
            }
        }
    }

    /// Publishes with `reply` to be answered to.
    pub fn publish(&mut self, subject: &str, headers: &[u8], payload: &[u8]) {
        let all = [headers, payload, b"\r\n"].concat();
        let (head, len) = (headers.len(), all.len() - 2);
        match head {
            0 => self.send(&format!("PUB {subject} reply {len}\r\n"), &all),
            _ => self.send(&format!("HPUB {subject} reply {head} {len}\r\n"), &all),
        }
    }

    /// The answer to a publication.
    pub fn answer(&mut self) -> Value {
        loop {
            let message = self.read();
            if message.subject != "reply" {
                self.early.push_back(message);
                continue;
            }
            return match message.payload.is_empty() {
                true => Value::Null,
                false => serde_json::from_slice(&message.payload).unwrap(),
            };
        }
    }

    /// A request to the API.
    pub fn request(&mut self, api: &str, body: &Value) -> Value {
        self.publish(&format!("$JS.API.{api}"), b"", body.to_string().as_bytes());
        let answer = self.answer();
        assert!(answer["error"].is_null(), "{api}: {answer}");
        answer
    }

    /// A snapshot of a stream, as it is sent.
    pub fn snapshot(&mut self, stream: &str) -> Vec<u8> {
        let body = json!({ "deliver_subject": "chunks", "chunk_size": 4096 });
        self.request(&format!("STREAM.SNAPSHOT.{stream}"), &body);
        let mut archive = Vec::new();
        loop {
            let chunk = self.receive();
            assert_eq!(chunk.subject, "chunks");
            if chunk.payload.is_empty() {
                let status = String::from_utf8_lossy(&chunk.headers).into_owned();
                assert!(status.is_empty() || status.contains(" 204"), "{status}");
                return archive;
            }
            archive.extend_from_slice(&chunk.payload);
            if !chunk.reply.is_empty() {
                self.send(&format!("PUB {} 0\r\n\r\n", chunk.reply), b"");
            }
        }
    }

    /// Restores a stream from a snapshot; the answer to its end.
    pub fn restore(&mut self, stream: &str, config: &Value, archive: &[u8]) -> Value {
        let body = json!({ "config": config, "state": {} });
        let answer = self.request(&format!("STREAM.RESTORE.{stream}"), &body);
        let subject = answer["deliver_subject"].as_str().unwrap().to_owned();
        for chunk in archive.chunks(4096) {
            self.publish(&subject, b"", chunk);
            let answer = self.answer();
            assert!(answer["error"].is_null(), "{answer}");
        }
        self.publish(&subject, b"", b"");
        let answer = self.answer();
        assert!(answer["error"].is_null(), "{answer}");
        answer
    }
}

//! One server and three clients in memory, on one thread with virtual time: what happens depends
//! on the seed alone. Two runs with the same seed must agree in every byte that every client saw
//! and in every line of the log with its time; another seed must lead elsewhere.
//!
//! The script uses what draws lots or keeps tables: queue groups, weighted mappings, wildcards,
//! permissions, nonces, PING timers, a reload, a slow consumer, lame duck mode.

use nats_server::Server;
use nats_server::base::net::Stream;
use nats_server::base::{Clock, Env};
use nats_server::logging::{Captured, LogOptions, Logger, Target};
use std::path::Path;
use std::time::Duration;

const CONFIG: &str = r#"
port: 4222
debug: true
trace: true
ping_interval: "3s"
max_pending: 512KB
write_deadline: "1s"
max_payload: 64KB
lame_duck_grace_period: "1s"
lame_duck_duration: "30s"
mappings: { split: [ { destination: left, weight: 50 }, { destination: right, weight: 50 } ] }
authorization {
    users: [
        { user: a, password: a }
        { user: b, password: b, permissions: { subscribe: { deny: "secret.>" } } }
        { user: c, password: c }
        { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 }
    ]
}
"#;

/// A client, and all that it saw.
struct Client {
    stream: Stream,
    clock: Clock,
    seen: Vec<u8>,
}

impl Client {
    async fn connect(env: &Env, user: &str) -> Self {
        let stream = env.net().connect("server", 4222).await.expect("the server listens");
        let mut client = Self { stream, clock: env.clock().clone(), seen: Vec::new() };
        let connect = format!(
            "CONNECT {{\"user\":\"{user}\",\"pass\":\"{user}\",\"protocol\":1,\
             \"headers\":true,\"name\":\"{user}\"}}\r\n"
        );
        client.send(&connect).await;
        client.flush().await;
        client
    }

    async fn send(&self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("the server reads");
    }

    /// Reads up to the answer of a PING.
    async fn flush(&mut self) {
        let from = self.seen.len();
        self.send("PING\r\n").await;
        while !self.seen[from..].windows(6).any(|bytes| bytes == b"PONG\r\n") {
            assert!(self.read(Duration::from_secs(60)).await, "no PONG: {}", self.text());
        }
    }

    /// Reads once; false when nothing came in time or the server closed.
    async fn read(&mut self, longest: Duration) -> bool {
        let mut chunk = [0; 4096];
        match self.clock.timeout(longest, self.stream.read(&mut chunk)).await {
            Some(Ok(n)) if n > 0 => {
                self.seen.extend_from_slice(&chunk[..n]);
                true
            }
            _ => false,
        }
    }

    /// Reads all that comes within this time, and answers no PING.
    async fn listen(&mut self, time: Duration) {
        let end = self.clock.now().after(time);
        while self.read(end.since(self.clock.now())).await {}
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// What a run leaves behind.
#[derive(PartialEq, Eq)]
struct Trace {
    clients: Vec<String>,
    log: String,
}

async fn start(env: &Env) -> (Server, Captured) {
    let path = Path::new("/server.conf");
    env.fs().write(path, CONFIG.as_bytes(), 0o644).expect("memory takes it");
    let args = ["-c".to_owned(), path.display().to_string()];
    let options = match nats_server::config::parse_args(env, &args) {
        Ok(nats_server::config::Command::Run { options, .. }) => *options,
        Ok(other) => panic!("not a command to run: {other:?}"),
        Err(e) => panic!("{}", e.stderr),
    };
    let lines = Captured::default();
    let target = Target::Capture(lines.clone());
    let log = LogOptions { target, debug: true, trace: true, ..LogOptions::default() };
    let log = Logger::new(env, &log).expect("memory takes it");
    let server = Server::start_with_log(env.clone(), log, options).await.expect("it starts");
    (server, lines)
}

/// Traffic that draws lots: three queue groups over three connections, a mapping with weights.
async fn traffic(a: &mut Client, b: &mut Client, c: &mut Client) {
    let subscribe = "SUB work.* q1 1\r\nSUB work.> q1 2\r\nSUB *.now q2 3\r\nSUB left 4\r\n\
                     SUB right q3 5\r\nSUB secret.x 7\r\nSUB tmp 8\r\nUNSUB 8 2\r\n";
    for client in [&mut *a, &mut *b, &mut *c] {
        client.send(subscribe).await;
        client.flush().await;
    }
    b.send("SUB > 6\r\n").await;
    b.flush().await;
    for i in 0..40 {
        a.send(&format!("PUB work.now 2\r\n{i:02}\r\nPUB split 2\r\n{i:02}\r\n")).await;
        b.send(&format!("PUB work.{i} reply.to 1\r\nx\r\nPUB tmp 1\r\ny\r\n")).await;
        c.send("HPUB work.now 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB secret.x 0\r\n\r\n").await;
    }
    for client in [a, b, c] {
        client.flush().await;
    }
}

async fn script(seed: u64) -> Trace {
    let env = Env::simulated(seed);
    let (server, lines) = start(&env).await;
    let mut a = Client::connect(&env, "a").await;
    let mut b = Client::connect(&env, "b").await;
    let mut c = Client::connect(&env, "c").await;
    traffic(&mut a, &mut b, &mut c).await;
    // Time passes: the server's PINGs come when its spread says.
    for client in [&mut a, &mut b, &mut c] {
        client.listen(Duration::from_secs(2)).await;
        client.send("PONG\r\n").await;
    }
    // Permissions change under a live connection.
    let changed = CONFIG.replace("secret.>", "work.>").replace("64KB", "32KB");
    env.fs().write(Path::new("/server.conf"), changed.as_bytes(), 0o644).expect("memory takes it");
    server.reload().await.expect("a reload");
    for client in [&mut a, &mut b, &mut c] {
        client.flush().await;
    }
    // One reads no more until it is cut off; the others stay.
    c.send("SUB flood 9\r\n").await;
    c.flush().await;
    let flood = async {
        let message = format!("PUB flood 1000\r\n{}\r\n", "z".repeat(1000));
        for _ in 0..1000 {
            a.send(&message).await;
        }
        a.flush().await;
    };
    tokio::join!(flood, b.listen(Duration::from_secs(5)));
    let rest = Duration::from_secs(60);
    tokio::join!(server.lame_duck(), a.listen(rest), b.listen(rest), c.listen(rest));
    server.wait_for_shutdown().await;
    Trace { clients: vec![a.text(), b.text(), c.text()], log: lines.output() }
}

fn run(seed: u64) -> Trace {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(script(seed))
}

#[track_caller]
fn assert_same(one: &str, other: &str, what: &str) {
    let differing = one.lines().zip(other.lines()).position(|(a, b)| a != b);
    if let Some(at) = differing {
        let line = |text: &str| text.lines().nth(at).unwrap_or_default().to_owned();
        panic!("{what} differ at line {}:\n{}\n{}", at + 1, line(one), line(other));
    }
    assert_eq!(one.len(), other.len(), "one of the {what} goes on");
}

#[test]
fn the_same_seed_leads_to_the_same_bytes() {
    for seed in [1, 42] {
        let (one, other) = (run(seed), run(seed));
        for (i, (a, b)) in one.clients.iter().zip(&other.clients).enumerate() {
            assert_same(a, b, &format!("bytes of client {i}"));
        }
        assert_same(&one.log, &other.log, "logs");
    }
}

#[test]
fn another_thread_and_servers_before_it_change_nothing() {
    let here = run(3);
    run(4);
    let again = run(3);
    let there = std::thread::scope(|scope| scope.spawn(|| run(3)).join()).expect("it ends");
    assert!(here == again && here == there);
}

#[test]
fn another_seed_leads_elsewhere() {
    let (one, other) = (run(1), run(2));
    assert!(one.clients != other.clients);
    assert!(one.log != other.log);
}

#[test]
fn the_script_gets_to_its_end() {
    let trace = run(1);
    for text in ["Slow Consumer Detected", "Entering lame duck mode", "Closing existing clients"] {
        assert!(trace.log.contains(text), "no {text:?} in\n{}", trace.log);
    }
    assert!(trace.log.trim_end().ends_with("Server Exiting.."));
    assert!(trace.clients[0].contains("\"ldm\":true"));
    assert!(trace.clients.iter().all(|seen| seen.contains("\r\nPING\r\n")));
}

//! Shutdown, asked for often and while much is going on.

use std::time::{Duration, Instant};

use nats_server::{Options, Server};
use rustix::process::Signal;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Cx;
use crate::kit::tls::Authority;

crate::cases! {
    "server/server_test.go",
    wire a_burst_of_signals_ends_it_once => ["TestConcurrentShutdown"],
    library all_who_shut_it_down_see_it_end => ["TestConcurrentShutdown"],
    wire nonsense_from_many_sides => ["TestStartupAndShutdown"],
    wire it_does_not_wait_for_those_who_say_nothing => ["test/gosrv_test.go::TestGoServerShutdownWithClients"],
    wire it_ends_fast_with_many_clients => ["test/gosrv_test.go::TestGoServerShutdownWithClients"],
    wire a_request_for_monitoring_may_take_its_time => ["TestMonitoringNoTimeout"],
}

async fn a_burst_of_signals_ends_it_once(cx: Cx) {
    let mut server = cx.server("").await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut c = server.raw_connected().await;
        c.flush().await;
        clients.push(c);
    }
    for n in 0..32 {
        server.signal(if n % 2 == 0 { Signal::TERM } else { Signal::INT });
    }
    assert_eq!(server.ended().await, Some(0));
    for c in &mut clients {
        c.read_to_close().await;
    }
    let log = server.log();
    assert_eq!(log.matches("Initiating Shutdown...").count(), 1, "{log}");
    assert_eq!(log.matches("Server Exiting..").count(), 1, "{log}");
}

fn all_who_shut_it_down_see_it_end() {
    let mut options = Options::default();
    options.host = "127.0.0.1".to_owned();
    options.port = -1;
    options.no_log = true;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = Server::start(options).await.unwrap();
        let addr = server.client_addr().unwrap();
        let callers: Vec<_> = (0..32)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { server.shutdown().await })
            })
            .collect();
        let all = async {
            for caller in callers {
                caller.await.unwrap();
            }
            server.wait_for_shutdown().await;
        };
        tokio::time::timeout(Duration::from_secs(5), all).await.expect("all see it end");
        assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    });
    // Nothing is left running; a task that has just ended may take a moment to be forgotten.
    let gone = async {
        while runtime.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(5), gone).await })
        .expect("no task is left");
}

/// Bytes that depend on `seed` alone.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = nats_server::base::Rng::from_seed(seed);
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes
}

/// Whatever comes in, others are served, and the end is in order.
async fn nonsense_from_many_sides(cx: Cx) {
    let mut server = cx.server("").await;
    server.allow_errors("");
    let mut bystander = server.raw_connected().await;
    let mut open = Vec::new();
    for seed in 0..150 {
        let mut c = server.raw().await;
        let _ = c.try_send(noise(seed, 1 + 40 * seed as usize)).await;
        match seed % 3 {
            0 => drop(c),
            1 => drop(c.read_to_close().await),
            // Neither reads nor goes.
            _ => open.push(c),
        }
        bystander.flush().await;
    }
    let mut late = server.raw_connected().await;
    late.flush().await;
    assert_eq!(server.stop().await, Some(0));
    assert!(server.log().trim_end().ends_with("Server Exiting.."));
}

/// Handshakes that never come to an end, of every kind, have no say in when it does.
async fn it_does_not_wait_for_those_who_say_nothing(cx: Cx) {
    let identity = Authority::new(cx.dir(), "ca").issue(&["localhost"]);
    let tls = format!("cert_file: {:?}, key_file: {:?}, timeout: 60", identity.cert, identity.key);
    for (config, first_byte) in [
        (format!("tls {{ {tls} }}"), "\x16"),
        (format!("tls {{ {tls}, handshake_first: true }}"), "\x16"),
        (format!("tls {{ {tls}, handshake_first: '60s' }}"), "\x16"),
        (format!("tls {{ {tls} }}, allow_non_tls: true"), "\x16"),
        ("proxy_protocol: true".to_owned(), "P"),
        ("authorization { token: t, timeout: 60 }".to_owned(), "C"),
    ] {
        let mut server = cx.server(&config).await;
        server.allow_errors("TLS handshake error");
        let mut silent = server.raw().await;
        let mut stuck = server.raw().await;
        stuck.send(first_byte).await;
        crate::kit::eventually(crate::kit::PATIENCE, async || {
            server.varz().await["connections"] == 2
        })
        .await;
        let start = Instant::now();
        assert_eq!(server.stop().await, Some(0), "{config}");
        assert!(start.elapsed() < Duration::from_secs(3), "{config}: {:?}", start.elapsed());
        silent.read_to_close().await;
        stuck.read_to_close().await;
    }
}

async fn it_ends_fast_with_many_clients(cx: Cx) {
    let mut server = cx.server("").await;
    let mut clients = Vec::new();
    for _ in 0..400 {
        let mut c = server.raw_connected().await;
        c.send("SUB foo.* 1\r\nSUB bar 2\r\n").await;
        c.flush().await;
        clients.push(c);
    }
    let start = Instant::now();
    assert_eq!(server.stop().await, Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for c in &mut clients {
        c.read_to_close().await;
    }
}

/// Neither the reading of a request nor the writing of an answer has a deadline.
async fn a_request_for_monitoring_may_take_its_time(cx: Cx) {
    let server = cx.server("").await;
    let mut c = TcpStream::connect(("127.0.0.1", server.port_of("monitoring"))).await.unwrap();
    for part in ["GET /va", "rz HTTP/1.1\r\nHost: ", "localhost\r\nConnection: close\r\n\r\n"] {
        tokio::time::sleep(Duration::from_millis(700)).await;
        c.write_all(part.as_bytes()).await.unwrap();
    }
    let mut answer = String::new();
    c.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

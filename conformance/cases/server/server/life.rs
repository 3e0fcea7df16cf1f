//! Shutdown, asked for often and while much is going on.

use std::time::Duration;

use nats_server::{Options, Server};
use rustix::process::Signal;

use crate::Cx;

crate::cases! {
    "server/server_test.go",
    wire a_burst_of_signals_ends_it_once => ["TestConcurrentShutdown"],
    library all_who_shut_it_down_see_it_end => ["TestConcurrentShutdown"],
    wire nonsense_from_many_sides => ["TestStartupAndShutdown"],
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
    // Nothing is left running.
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
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

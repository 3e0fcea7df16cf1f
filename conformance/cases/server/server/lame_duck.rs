//! Lame duck mode.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::Cx;
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "server/server_test.go",
    wire without_clients_it_ends_at_once => ["TestLameDuckMode"],
    wire clients_are_told_and_sent_away_one_by_one => ["TestLameDuckMode"],
    wire an_interrupt_ends_it_at_once => ["TestLameDuckMode"],
}

/// Clients that take INFO at any time.
async fn clients(server: &Server, count: usize) -> Vec<Raw> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut c = server.raw().await;
        c.connect(json!({"verbose": false, "protocol": 1})).await;
        c.send("PING\r\n").await;
        c.expect("PONG\r\n").await;
        assert_eq!(c.info().await["connect_info"], true);
        clients.push(c);
    }
    clients
}

/// Enters the mode and waits until nobody can connect any more.
async fn enter(server: &Server) {
    server.signal(Signal::USR2);
    server.log_line("Entering lame duck mode, stop accepting new clients").await;
    let addr = server.addr();
    eventually(PATIENCE, async || TcpStream::connect(addr).await.is_err()).await;
}

async fn without_clients_it_ends_at_once(cx: Cx) {
    crate::exercises!("signals", "SIGUSR2");
    let mut server = cx.server("").await;
    server.signal(Signal::USR2);
    assert_eq!(server.ended().await, Some(0));
    let log = server.log();
    assert!(log.contains("Trapped \"user defined signal 2\" signal"), "{log}");
    assert!(log.contains("Entering lame duck mode, stop accepting new clients"), "{log}");
    assert!(!log.contains("Closing existing clients"), "{log}");
    assert!(log.trim_end().ends_with("Server Exiting.."), "{log}");
}

async fn clients_are_told_and_sent_away_one_by_one(cx: Cx) {
    crate::exercises!("config_keys", "top|lame_duck_grace_period", "top|lame_duck_duration");
    let config = "lame_duck_grace_period: '700ms', lame_duck_duration: '30s'";
    let mut server = cx.server(config).await;
    let mut told = clients(&server, 2).await;
    // One that does not take INFO after the first is not told.
    let mut untold = server.raw_connected().await;
    untold.flush().await;
    let start = Instant::now();
    enter(&server).await;
    for c in &mut told {
        let info = c.info().await;
        assert_eq!(info["ldm"], true);
        c.flush().await;
    }
    untold.flush().await;
    // Once is enough.
    server.signal(Signal::USR2);
    server.log_line("Closing existing clients").await;
    assert!(start.elapsed() >= Duration::from_millis(700));
    let closing = Instant::now();
    told.push(untold);
    for mut c in told {
        // The first PING may come in this time.
        assert!(["", "PING\r\n"].contains(&c.read_to_close().await.as_str()));
    }
    assert_eq!(server.ended().await, Some(0));
    // Three clients are two pauses of half a second to one, far from the whole duration.
    let took = closing.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(server.log().matches("Entering lame duck mode").count(), 1);
}

async fn an_interrupt_ends_it_at_once(cx: Cx) {
    let mut server = cx.server("lame_duck_grace_period: '60s', lame_duck_duration: '2m'").await;
    let mut told = clients(&server, 5).await;
    enter(&server).await;
    server.signal(Signal::INT);
    assert_eq!(server.ended().await, Some(0));
    for c in &mut told {
        assert_eq!(c.info().await["ldm"], true);
        c.expect_closed().await;
    }
    assert!(!server.log().contains("Closing existing clients"));
}

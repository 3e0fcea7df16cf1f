use std::time::{Duration, Instant};

use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{Raw, Server};

crate::cases! {
    "test/ping_test.go",
    wire a_silent_client_is_stale => ["TestPingInterval"],
    wire a_silent_tls_client_is_stale => ["TestPingSentToTLSConnection"],
    wire unprompted_pongs_do_not_help => ["TestUnpromptedPong"],
    wire traffic_suppresses_the_ping => ["TestPingSuppresion"],
}

const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false}\r\n";

/// Two PINGs may stay unanswered at this interval.
const CONFIG: &str = "ping_interval: '50ms', ping_max: 2";

/// Reads the PINGs a client that never answers is sent, and its end.
async fn goes_stale(server: &Server, c: &mut Raw) {
    c.expect("PING\r\nPING\r\n").await;
    c.expect_err("Stale Connection").await;
    c.expect_closed().await;
    server.closed_for("Stale Connection").await;
}

async fn a_silent_client_is_stale(cx: Cx) {
    crate::exercises!("close_reasons", "10|StaleConnection");
    let server = cx.server(CONFIG).await;
    let mut c = server.raw().await.manual_pongs();
    c.info().await;
    c.send(CONNECT).await;
    goes_stale(&server, &mut c).await;
}

async fn a_silent_tls_client_is_stale(cx: Cx) {
    let authority = Authority::new(cx.dir(), "ca");
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    let tls = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, timeout: 5 }}\n",
        identity.cert, identity.key
    );
    let server = cx.server(&format!("{CONFIG}\n{tls}")).await;
    let mut c = server.raw_tls(&TlsClient::new()).await.manual_pongs();
    c.send(CONNECT).await;
    goes_stale(&server, &mut c).await;
}

async fn unprompted_pongs_do_not_help(cx: Cx) {
    let server = cx.server(CONFIG).await;
    let mut c = server.raw().await.manual_pongs();
    c.info().await;
    c.send(CONNECT).await;
    c.send("PONG\r\n".repeat(100)).await;
    goes_stale(&server, &mut c).await;
}

async fn traffic_suppresses_the_ping(cx: Cx) {
    let interval = Duration::from_millis(500);
    let server = cx.server("ping_interval: '500ms'").await;
    let mut c = server.raw().await.manual_pongs();
    c.info().await;
    let connected = Instant::now();
    c.send(CONNECT).await;
    c.expect("PING\r\n").await;
    let after = connected.elapsed();
    // The first interval is stretched by up to a fifth, and machines are slow.
    assert!(
        after >= interval * 9 / 10 && after < interval * 2,
        "the first PING came after {after:?}"
    );
    c.send("PONG\r\n").await;
    tokio::time::sleep(interval / 2).await;
    c.flush().await;
    c.expect_nothing(interval * 8 / 10).await;
}

//! Limits on connections and subscriptions, and what is said when they are reached.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;

use crate::Cx;
use crate::kit::{PATIENCE, Server, eventually};

crate::cases! {
    "server/server_test.go",
    wire one_connection_and_no_more => ["TestMaxConnections"],
    wire no_connection_at_all => ["TestMaxConnectionsPreventsAll"],
    wire ten_subscriptions_and_no_more => ["TestMaxSubscriptions"],
    wire accepting_again_after_it_failed => ["TestAcceptError"],
    wire the_same_line_is_logged_once_in_a_while => ["TestServerRateLimitLogging"],
    wire a_reader_who_takes_little_at_a_time => ["TestClientWriteLoopStall"],
}

/// Connects and is sent away.
async fn is_one_too_many(server: &Server) {
    let mut c = server.raw().await;
    c.info().await;
    c.expect_err("maximum connections exceeded").await;
    c.expect_closed().await;
}

async fn one_connection_and_no_more(cx: Cx) {
    crate::exercises!("config_keys", "top|max_connections");
    let server = cx.server("max_connections: 1").await;
    server.allow_errors("maximum connections exceeded");
    let mut first = server.raw_connected().await;
    first.flush().await;
    is_one_too_many(&server).await;
    first.flush().await;
    // Its place is free once it is gone.
    drop(first);
    eventually(PATIENCE, async || {
        let mut c = server.raw().await;
        c.info().await;
        c.try_send("CONNECT {\"verbose\":false}\r\nPING\r\n").await.is_ok()
            && c.read_line().await == "PONG"
    })
    .await;
}

async fn no_connection_at_all(cx: Cx) {
    let server = cx.server("max_connections: -1").await;
    server.allow_errors("maximum connections exceeded");
    is_one_too_many(&server).await;
}

async fn ten_subscriptions_and_no_more(cx: Cx) {
    crate::exercises!("config_keys", "top|max_subscriptions");
    let server = cx.server("max_subscriptions: 10").await;
    server.allow_errors("maximum subscriptions exceeded");
    let mut c = server.raw_connected().await;
    let subs: String = (0..10).map(|sid| format!("SUB foo.{sid} {sid}\r\n")).collect();
    c.send(subs).await;
    c.flush().await;
    c.send("SUB foo.22 22\r\n").await;
    c.expect_err("maximum subscriptions exceeded").await;
    // It stays, without the one too many.
    c.send("PUB foo.22 0\r\n\r\nPUB foo.1 0\r\n\r\n").await;
    c.expect("MSG foo.1 1 0\r\n\r\n").await;
    c.send("UNSUB 1\r\nSUB foo.22 22\r\n").await;
    c.flush().await;
}

/// Lets the server have no new file descriptor, or as many as it likes.
fn limit_descriptors(server: &Server, none: bool) {
    let own = getrlimit(Resource::Nofile);
    let current = if none { Some(0) } else { own.current };
    let pid = Pid::from_raw(server.pid() as i32);
    prlimit(pid, Resource::Nofile, Rlimit { current, maximum: own.maximum }).unwrap();
}

async fn accepting_again_after_it_failed(cx: Cx) {
    let mut server = cx.server("").await;
    server.allow_errors("Temporary Client Accept Error");
    limit_descriptors(&server, true);
    let mut waiting = server.raw().await;
    let problem = format!("(accept tcp {}: accept4: too many open files)", server.addr());
    // The pause doubles up to the second one.
    for pause in [10, 20, 40, 640, 1000] {
        let line = format!("Temporary Client Accept Error{problem}, sleeping {pause}ms");
        server.log_line(&line).await;
    }
    limit_descriptors(&server, false);
    waiting.info().await;
    waiting.send("CONNECT {\"verbose\":false}\r\n").await;
    waiting.flush().await;
    // A shutdown does not wait for the end of a pause.
    limit_descriptors(&server, true);
    let from = server.log().len();
    let _never = server.raw().await;
    server.log_line_from(from, "sleeping").await;
    limit_descriptors(&server, false);
    assert_eq!(server.stop().await, Some(0));
}

async fn a_reader_who_takes_little_at_a_time(cx: Cx) {
    const MESSAGES: usize = 20;
    const SIZE: usize = 100_000;
    let server = cx.server("").await;
    let socket = TcpSocket::new_v4().unwrap();
    // So little room that the server cannot write a message at once.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut reader = BufReader::with_capacity(10, socket.connect(server.addr()).await.unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    let hello = b"CONNECT {\"verbose\":false}\r\nSUB foo 1\r\nPING\r\n";
    reader.get_mut().write_all(hello).await.unwrap();
    line.clear();
    reader.read_line(&mut line).await.unwrap();
    assert_eq!(line, "PONG\r\n");
    let mut sender = server.raw_connected().await;
    for n in 0..MESSAGES {
        let fill = char::from(b'a' + n as u8).to_string().repeat(SIZE);
        sender.send(format!("PUB foo {SIZE}\r\n{fill}\r\n")).await;
    }
    sender.flush().await;
    for n in 0..MESSAGES {
        line.clear();
        reader.read_line(&mut line).await.unwrap();
        assert_eq!(line, format!("MSG foo 1 {SIZE}\r\n"));
        let mut payload = vec![0; SIZE + 2];
        reader.read_exact(&mut payload).await.unwrap();
        assert!(payload[..SIZE].iter().all(|&byte| byte == b'a' + n as u8));
    }
}

/// What many clients cause at the same time is one line in the log; after an interval it is news
/// again.
async fn the_same_line_is_logged_once_in_a_while(cx: Cx) {
    let server = cx.server("authorization { token: t, timeout: 0.2 }, debug: true").await;
    let lines = |what: &str| server.log().lines().filter(|line| line.ends_with(what)).count();
    let said = || lines(" - Authentication Timeout");
    let start = std::time::Instant::now();
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(server.raw().await);
    }
    for mut c in silent {
        c.info().await;
        c.expect_err("Authentication Timeout").await;
        c.expect_closed().await;
    }
    eventually(PATIENCE, async || lines(" connection closed: Authentication Timeout") == 5).await;
    if start.elapsed() < std::time::Duration::from_secs(1) {
        assert_eq!(said(), 1);
    }
    eventually(PATIENCE, async || {
        let mut c = server.raw().await;
        c.read_to_close().await;
        said() == 2
    })
    .await;
    assert!(start.elapsed() >= std::time::Duration::from_secs(1), "{:?}", start.elapsed());
}

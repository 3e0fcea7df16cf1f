//! How subscriptions end while their connection lives.

use std::time::Duration;

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "server/client_test.go",
    wire one_of_two => ["TestClientUnSub"],
    wire after_a_count => ["TestClientUnSubMax"],
    wire after_the_count_the_id_is_free => ["TestClientAutoUnsubExactReceived"],
    wire before_the_count_is_reached => ["TestClientUnsubAfterAutoUnsub"],
    wire while_messages_stream_in => ["TestUnsubRace"],
}

async fn connected(cx: &Cx) -> (Server, Raw) {
    let server = cx.server("debug: true").await;
    let c = server.raw_connected().await;
    (server, c)
}

async fn one_of_two(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\nSUB foo 2\r\nUNSUB 1\r\nPUB foo bar 5\r\nhello\r\n").await;
    c.expect("MSG foo 2 bar 5\r\nhello\r\n").await;
    c.flush().await;
}

async fn after_a_count(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\nUNSUB 1 5\r\n").await;
    c.send("PUB foo bar 5\r\nhello\r\n".repeat(10)).await;
    c.expect(&"MSG foo 1 bar 5\r\nhello\r\n".repeat(5)).await;
    c.flush().await;
    // What was delivered before counts.
    c.send("SUB baz 2\r\nPUB baz 2\r\nok\r\nPUB baz 2\r\nok\r\nUNSUB 2 3\r\n").await;
    c.send("PUB baz 2\r\nok\r\n".repeat(3)).await;
    c.expect(&"MSG baz 2 2\r\nok\r\n".repeat(3)).await;
    c.flush().await;
    c.send("SUB bat 3\r\nPUB bat 2\r\nok\r\nPUB bat 2\r\nok\r\nUNSUB 3 1\r\n").await;
    c.send("PUB bat 2\r\nok\r\n").await;
    c.expect(&"MSG bat 3 2\r\nok\r\n".repeat(2)).await;
    c.flush().await;
}

async fn after_the_count_the_id_is_free(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\nUNSUB 1 1\r\nPUB foo bar 2\r\nok\r\n").await;
    c.expect("MSG foo 1 bar 2\r\nok\r\n").await;
    server.log_line("Auto-unsubscribe limit of 1 reached for sid '1'").await;
    c.flush().await;
    c.send("SUB baz 1\r\nPUB foo 2\r\nok\r\nPUB baz 2\r\nok\r\n").await;
    c.expect("MSG baz 1 2\r\nok\r\n").await;
    c.flush().await;
}

async fn before_the_count_is_reached(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\nUNSUB 1 1\r\nUNSUB 1\r\nPUB foo 2\r\nno\r\n").await;
    c.flush().await;
    c.send("SUB baz 1\r\nPUB baz 2\r\nok\r\n").await;
    c.expect("MSG baz 1 2\r\nok\r\n").await;
}

async fn while_messages_stream_in(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\n").await;
    c.flush().await;
    let mut publisher = server.raw_connected().await;
    let publishing = async {
        publisher.send("PUB foo 5\r\nhello\r\n".repeat(10_000)).await;
        publisher.flush().await;
    };
    let unsubscribing = async {
        c.expect("MSG foo 1 5\r\nhello\r\n").await;
        c.send("UNSUB 1\r\nPING\r\n").await;
        while c.expect_re("^(MSG foo 1 5|hello|PONG)$").await[0] != "PONG" {}
        c.expect_nothing(Duration::from_millis(20)).await;
    };
    tokio::join!(publishing, unsubscribing);
    c.flush().await;
}

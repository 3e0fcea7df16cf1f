//! Messages with headers, to clients that understand them and to others.

use serde_json::json;

use crate::Cx;
use crate::kit::Server;

crate::cases! {
    "server/client_test.go",
    wire headers_are_delivered => ["TestClientHeaderDeliverMsg"],
    wire headers_are_stripped => ["TestClientHeaderDeliverStrippedMsg", "TestClientHeaderDeliverQueueSubStrippedMsg"],
}

/// Publishes 12 bytes of headers and `OK`; what is in the block is no business of the server's.
async fn publish(server: &Server, subject_and_reply: &str) {
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "headers": true})).await;
    c.send(format!("HPUB {subject_and_reply} 12 14\r\nName:Derek\r\nOK\r\n")).await;
    c.flush().await;
}

async fn headers_are_delivered(cx: Cx) {
    crate::exercises!("protocol", "operation|HMSG|out (from server)");
    let server = cx.server("").await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "headers": true})).await;
    c.send("SUB foo 1\r\nHPUB foo 12 14\r\nName:Derek\r\nOK\r\n").await;
    c.expect("HMSG foo 1 12 14\r\nName:Derek\r\nOK\r\n").await;
    publish(&server, "foo answer").await;
    c.expect("HMSG foo 1 answer 12 14\r\nName:Derek\r\nOK\r\n").await;
}

async fn headers_are_stripped(cx: Cx) {
    let server = cx.server("").await;
    for subscribe in ["SUB foo 1\r\n", "SUB foo bar 1\r\n"] {
        let mut c = server.raw_connected().await;
        c.send(subscribe).await;
        c.flush().await;
        publish(&server, "foo").await;
        c.expect("MSG foo 1 2\r\nOK\r\n").await;
        publish(&server, "foo answer").await;
        c.expect("MSG foo 1 answer 2\r\nOK\r\n").await;
        c.flush().await;
    }
}

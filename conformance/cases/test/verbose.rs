use serde_json::json;

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "test/verbose_test.go",
    wire ping_is_only_answered => ["TestVerbosePing"],
    wire a_second_connect_is_acknowledged => ["TestVerboseConnect"],
    wire every_operation_is_acknowledged => ["TestVerbosePubSub"],
}

async fn verbose(cx: &Cx) -> (Server, Raw) {
    let server = cx.server("max_control_line: 256").await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": true, "pedantic": false, "tls_required": false})).await;
    c.expect("+OK\r\n").await;
    (server, c)
}

async fn ping_is_only_answered(cx: Cx) {
    let (_server, mut c) = verbose(&cx).await;
    c.flush().await;
}

async fn a_second_connect_is_acknowledged(cx: Cx) {
    let (_server, mut c) = verbose(&cx).await;
    c.connect(json!({"verbose": true, "pedantic": true, "tls_required": false})).await;
    c.expect("+OK\r\n").await;
}

async fn every_operation_is_acknowledged(cx: Cx) {
    crate::exercises!("protocol", "operation|+OK");
    let (_server, mut c) = verbose(&cx).await;
    for operation in ["PUB foo 2\r\nok\r\n", "SUB foo 1\r\n", "UNSUB 1\r\n"] {
        c.send(operation).await;
        c.expect("+OK\r\n").await;
    }
}

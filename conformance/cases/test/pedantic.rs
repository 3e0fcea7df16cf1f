use serde_json::json;

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "test/pedantic_test.go",
    wire malformed_subscriptions_are_refused => ["TestPedanticSub"],
    wire malformed_publish_subjects_are_refused => ["TestPedanticPub"],
}

async fn pedantic(cx: &Cx) -> (Server, Raw) {
    let server = cx.server("trace: true").await;
    server.allow_errors("Invalid");
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "pedantic": true, "tls_required": false})).await;
    c.flush().await;
    (server, c)
}

async fn malformed_subscriptions_are_refused(cx: Cx) {
    let (_server, mut c) = pedantic(&cx).await;
    for subject in ["foo.", ".foo.", "foo..bar", "foo.>.bar"] {
        c.send(format!("SUB {subject} 1\r\n")).await;
        c.expect_err("Invalid Subject").await;
    }
    c.flush().await;
}

async fn malformed_publish_subjects_are_refused(cx: Cx) {
    let (_server, mut c) = pedantic(&cx).await;
    for subject in ["foo.*", "foo.>", "foo.", ".foo", "foo..*"] {
        c.send(format!("PUB {subject} 2\r\nok\r\n")).await;
        c.expect_err("Invalid Publish Subject").await;
    }
    c.flush().await;
}

use async_nats::client::PublishErrorKind;

use crate::Cx;

crate::cases! {
    "test/maxpayload_test.go",
    wire more_than_max_payload_is_refused => ["TestMaxPayload"],
    wire absurd_sizes_are_refused => ["TestMaxPayloadOverrun"],
}

async fn more_than_max_payload_is_refused(cx: Cx) {
    crate::exercises!("config_keys", "top|max_payload");
    let server = cx.server("max_payload: 65536").await;
    server.allow_errors("Maximum Payload Violation");
    server.allow_errors("maximum payload exceeded");
    const SIZE: usize = 4 * 1024 * 1024;
    // A client that heeds INFO refuses by itself, and stays connected.
    let client = server.client().await;
    let refused = client.publish("foo", vec![b'x'; SIZE].into()).await;
    assert_eq!(refused.unwrap_err().kind(), PublishErrorKind::MaxPayloadExceeded);
    client.flush().await.unwrap();
    // One that does not is cut off, payload or not.
    let mut c = server.raw().await;
    assert_eq!(c.info().await["max_payload"], 65536);
    c.send("CONNECT {}\r\n").await;
    c.expect("+OK\r\n").await;
    c.send(format!("PUB bar {SIZE}\r\n")).await;
    c.expect_err("Maximum Payload Violation").await;
    c.expect_closed().await;
    client.flush().await.unwrap();
    server.closed_for("Maximum Message Payload Exceeded").await;
}

async fn absurd_sizes_are_refused(cx: Cx) {
    let server = cx.server("max_payload: 10000").await;
    server.allow_errors("Maximum Payload Violation");
    server.allow_errors("maximum payload exceeded");
    server.allow_errors("processPub");
    // More than 32 bits hold.
    let mut c = server.raw_connected().await;
    c.send("PUB foo 199380988\r\n").await;
    c.expect_err("Maximum Payload Violation").await;
    // More than 64 bits hold.
    let mut c = server.raw_connected().await;
    c.send("PUB foo 18446744073709551615123\r\n").await;
    c.read_to_close().await;
}

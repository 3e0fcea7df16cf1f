use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::Cx;
use crate::kit::{Msg, PATIENCE, Raw, Server, eventually};

crate::cases! {
    "test/proto_test.go",
    wire one_message_then_two => ["TestProtoBasics"],
    wire nonsense_is_refused => ["TestProtoErr"],
    wire unsub_after_a_count => ["TestUnsubMax"],
    wire a_queue_group_shares => ["TestQueueSub"],
    wire each_queue_group_has_all => ["TestMultipleQueueSub"],
    wire a_letter_too_many_after_pub => ["TestPubToArgState"],
    wire a_letter_too_many_after_sub => ["TestSubToArgState"],
    wire connect_in_two_packets => ["TestProtoCrash"],
    wire the_same_sid_twice_is_one_subscription => ["TestDuplicateProtoSub"],
    wire a_payload_of_the_wrong_length => ["TestIncompletePubArg"],
    wire a_control_line_too_long => ["TestControlLineMaximums"],
    wire info_has_the_advertised_address => ["TestServerInfoWithClientAdvertise"],
}

async fn connected(cx: &Cx) -> (Server, Raw) {
    let server = cx.server("max_control_line: 256, no_sys_acc: true").await;
    let c = server.raw_connected().await;
    (server, c)
}

async fn one_message_then_two(cx: Cx) {
    crate::exercises!(
        "protocol",
        "operation|PUB|in (to server)",
        "operation|SUB|in (to server)",
        "operation|MSG"
    );
    let (_server, mut c) = connected(&cx).await;
    c.flush().await;
    c.send("SUB foo 1\r\nPUB foo 5\r\nhello\r\n").await;
    c.expect("MSG foo 1 5\r\nhello\r\n").await;
    c.send("SUB * 2\r\nPUB foo 2\r\nok\r\n").await;
    let mut msgs: Vec<String> = c.read_msgs(2).await.iter().map(Msg::brief).collect();
    msgs.sort();
    assert_eq!(msgs, ["foo 1 ok", "foo 2 ok"]);
}

async fn nonsense_is_refused(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors("Unknown Protocol Operation");
    server.allow_errors("parser ERROR");
    c.send("ZZZ").await;
    c.expect_err("Unknown Protocol Operation").await;
    c.expect_closed().await;
}

async fn unsub_after_a_count(cx: Cx) {
    crate::exercises!("protocol", "operation|UNSUB|in (to server)");
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo 22\r\nUNSUB 22 2\r\n").await;
    c.send("PUB foo 2\r\nok\r\n".repeat(100)).await;
    c.expect("MSG foo 22 2\r\nok\r\nMSG foo 22 2\r\nok\r\n").await;
    c.flush().await;
}

/// Publishes 100 messages and returns how many each subscription got of the `total` expected.
async fn shares(c: &mut Raw, total: usize) -> BTreeMap<String, usize> {
    c.send("PUB foo 2\r\nok\r\n".repeat(100)).await;
    let mut shares = BTreeMap::new();
    for msg in c.read_msgs(total).await {
        *shares.entry(msg.sid).or_default() += 1;
    }
    c.flush().await;
    shares
}

async fn a_queue_group_shares(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo qgroup1 22\r\nSUB foo qgroup1 32\r\n").await;
    let shares = shares(&mut c, 100).await;
    assert_eq!(shares.len(), 2);
    assert!(shares.values().all(|&share| share >= 25), "{shares:?}");
}

async fn each_queue_group_has_all(cx: Cx) {
    let (_server, mut c) = connected(&cx).await;
    c.send("SUB foo g1 1\r\nSUB foo g1 2\r\nSUB foo g2 3\r\nSUB foo g2 4\r\n").await;
    let shares = shares(&mut c, 200).await;
    assert_eq!(shares.len(), 4);
    assert!(shares.values().all(|&share| share >= 25), "{shares:?}");
    assert_eq!(shares["1"] + shares["2"], 100);
}

/// Sends a line that is no operation, and expects to be told and cut off.
async fn is_no_operation(cx: Cx, line: &str) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors("parser ERROR");
    c.send(line).await;
    c.expect_err("Unknown Protocol Operation").await;
    c.expect_closed().await;
}

async fn a_letter_too_many_after_pub(cx: Cx) {
    is_no_operation(cx, "PUBS foo 2\r\nok\r\n").await;
}

async fn a_letter_too_many_after_sub(cx: Cx) {
    is_no_operation(cx, "SUBZZZ foo 1\r\n").await;
}

async fn connect_in_two_packets(cx: Cx) {
    let server = cx.server("").await;
    let mut c = server.raw().await;
    c.info().await;
    let options = json!({"verbose": true, "tls_required": false, "user": "test", "pedantic": true, "pass": "password"});
    c.send(format!("CONNECT {options}")).await;
    c.expect_nothing(Duration::from_millis(50)).await;
    c.send("\r\n").await;
    c.expect("+OK\r\n").await;
}

async fn the_same_sid_twice_is_one_subscription(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    c.send("SUB foo 1\r\nSUB foo 1\r\n").await;
    c.flush().await;
    eventually(PATIENCE, async || server.varz().await["subscriptions"] == 1).await;
}

async fn a_payload_of_the_wrong_length(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors("parser ERROR");
    let publish = |payload: String| format!("PUB example 10000\r\n{payload}");
    let good = publish("A".repeat(10000) + "\r\n");
    // The next operation becomes part of the payload that is cut short.
    let short = publish("B".repeat(3371));
    let next = publish("C".repeat(10000) + "\r\n");
    c.send(good.clone() + &good + &short + &next).await;
    c.expect_err("Unknown Protocol Operation").await;
}

async fn a_control_line_too_long(cx: Cx) {
    let (server, mut c) = connected(&cx).await;
    server.allow_errors("maximum control line");
    c.send(format!("PUB foo {}", "2222222222".repeat(32))).await;
    c.expect_err("maximum control line exceeded").await;
    c.expect_closed().await;
    server.closed_for("Maximum Control Line Exceeded").await;
}

async fn info_has_the_advertised_address(cx: Cx) {
    crate::exercises!("config_keys", "top|client_advertise");
    let server = cx.server("client_advertise: 'me:1'").await;
    let info = server.raw().await.info().await;
    assert_eq!((&info["host"], &info["port"]), (&json!("me"), &json!(1)));
}

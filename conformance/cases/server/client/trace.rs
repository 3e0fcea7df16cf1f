//! Protocol trace: what the log shows of operations and messages.

use serde_json::json;

use crate::Cx;
use crate::kit::{Raw, Server};

crate::cases! {
    "server/client_test.go",
    wire payloads_are_cut => ["TestTraceMsg"],
    wire headers_only => ["TestTraceMsgHeadersOnly"],
    wire deliveries => ["TestTraceMsgDelivery"],
    wire deliveries_with_headers => ["TestTraceMsgDeliveryWithHeaders"],
    wire tracing_loses_nothing => ["TestClientTraceRace"],
}

async fn connected(server: &Server) -> Raw {
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false, "headers": true})).await;
    c
}

/// What the log says of protocol from `from` on, after the connection's name.
fn traced(server: &Server, from: usize) -> Vec<String> {
    let text = server.log();
    let lines = text[from..].lines().filter(|line| line.contains(" [TRC] "));
    lines
        .filter_map(|line| Some(line.split_once(" - cid:")?.1.split_once(" - ")?.1.to_owned()))
        .collect()
}

/// Publishes, and returns what the log shows of the payload as it came in and as it went out.
async fn payload_lines(server: &Server, publish: &str) -> Vec<String> {
    let mut c = connected(server).await;
    c.send("SUB foo 1\r\n").await;
    c.flush().await;
    let from = server.log().len();
    c.send(publish).await;
    c.read_msg().await;
    c.send("SUB end 2\r\n").await;
    server.log_line_from(from, "[SUB end 2]").await;
    traced(server, from).into_iter().filter(|line| line.contains("MSG_PAYLOAD")).collect()
}

fn both(payload: &str) -> [String; 2] {
    ["<<-", "->>"].map(|arrow| format!("{arrow} MSG_PAYLOAD: [{payload}]"))
}

async fn payloads_are_cut(cx: Cx) {
    crate::exercises!("gap_areas", "5.7");
    crate::exercises!("config_keys", "top|max_traced_msg_len", "top|trace");
    for (max, payload, shown) in [
        (10, "normal", r#""normal""#),
        (10, "over length", r#""over lengt...""#),
        (0, "unlimited length", r#""unlimited length""#),
        (-1, "negative max traced msg len", r#""negative max traced msg len""#),
        (3, "\t\"\u{e9}\u{1}", r#""\t\"\xc3...""#),
        (0, "\t\"\u{e9}\u{1}\u{7f}\\", r#""\t\"é\x01\x7f\\""#),
    ] {
        let server = cx.server(&format!("trace: true, max_traced_msg_len: {max}")).await;
        let publish = format!("PUB foo {}\r\n{payload}\r\n", payload.len());
        assert_eq!(payload_lines(&server, &publish).await, both(shown), "at most {max}");
    }
    // An empty one is not worth a line.
    let server = cx.server("trace: true").await;
    assert_eq!(payload_lines(&server, "PUB foo 0\r\n\r\n").await, [""; 0]);
}

const ONE: &str = "NATS/1.0\r\nFoo: 1\r\n\r\n";
const TWO: &str = "NATS/1.0\r\nFoo: 1\r\nBar: 2\r\n\r\n";

fn with_headers(headers: &str, payload: &str) -> String {
    let (head, total) = (headers.len(), headers.len() + payload.len());
    format!("HPUB foo {head} {total}\r\n{headers}{payload}\r\n")
}

async fn headers_only(cx: Cx) {
    crate::exercises!("gap_areas", "5.7");
    crate::exercises!("config_keys", "top|trace_headers");
    for (max, publish, shown) in [
        (0, "PUB foo 4\r\ntest\r\n".to_owned(), None),
        (0, with_headers(ONE, ""), Some(r#""NATS/1.0\r\nFoo: 1""#)),
        (0, with_headers(ONE, "test"), Some(r#""NATS/1.0\r\nFoo: 1""#)),
        (6, with_headers(ONE, ""), Some(r#""NATS/1...""#)),
        (21, with_headers(TWO, ""), Some(r#""NATS/1.0\r\nFoo: 1\r\nBar...""#)),
    ] {
        let config = format!("trace: true, trace_headers: true, max_traced_msg_len: {max}");
        let server = cx.server(&config).await;
        let want = shown.map(|shown| both(shown).to_vec()).unwrap_or_default();
        assert_eq!(payload_lines(&server, &publish).await, want, "{publish:?}");
    }
}

async fn deliveries(cx: Cx) {
    crate::exercises!("gap_areas", "5.7");
    let server = cx.server("trace: true").await;
    let mut service = connected(&server).await;
    service.send("SUB foo 1\r\nSUB bar q 2\r\n").await;
    service.flush().await;
    let mut c = connected(&server).await;
    c.send("SUB answer 7\r\n").await;
    c.flush().await;
    let from = server.log().len();
    c.send(with_headers(ONE, "Hello").replace("foo", "foo answer")).await;
    service.expect("HMSG foo 1 answer 20 25\r\nNATS/1.0\r\nFoo: 1\r\n\r\nHello\r\n").await;
    service.send(with_headers(ONE, "Hi").replace("foo", "answer")).await;
    c.read_msg().await;
    c.send("PUB bar answer 0\r\n\r\n").await;
    service.expect("MSG bar 2 answer 0\r\n\r\n").await;
    service.send("PUB answer 5\r\nPlain\r\n").await;
    c.read_msg().await;
    c.send("UNSUB 7\r\nPING\r\n").await;
    c.expect("PONG\r\n").await;
    server.log_line_from(from, "[PONG]").await;
    assert_eq!(
        traced(&server, from),
        [
            "<<- [HPUB foo answer 20 25]",
            r#"<<- MSG_PAYLOAD: ["NATS/1.0\r\nFoo: 1\r\n\r\nHello"]"#,
            "->> [HMSG foo 1 answer 20 25]",
            r#"->> MSG_PAYLOAD: ["NATS/1.0\r\nFoo: 1\r\n\r\nHello"]"#,
            "<<- [HPUB answer 20 22]",
            r#"<<- MSG_PAYLOAD: ["NATS/1.0\r\nFoo: 1\r\n\r\nHi"]"#,
            "->> [HMSG answer 7 20 22]",
            r#"->> MSG_PAYLOAD: ["NATS/1.0\r\nFoo: 1\r\n\r\nHi"]"#,
            "<<- [PUB bar answer 0]",
            "->> [MSG bar 2 answer 0]",
            "<<- [PUB answer 5]",
            r#"<<- MSG_PAYLOAD: ["Plain"]"#,
            "->> [MSG answer 7 5]",
            r#"->> MSG_PAYLOAD: ["Plain"]"#,
            "<<- [UNSUB 7]",
            "<-> [DELSUB 7]",
            "<<- [PING]",
            "->> [PONG]",
        ]
    );

    // To who does not understand headers they are not shown.
    let mut plain = server.raw_connected().await;
    plain.send("SUB plain 8\r\n").await;
    plain.flush().await;
    let from = server.log().len();
    service.send(with_headers(ONE, "Hi").replace("foo", "plain")).await;
    plain.expect("MSG plain 8 2\r\nHi\r\n").await;
    server.log_line_from(from, r#"->> MSG_PAYLOAD: ["Hi"]"#).await;
}

async fn deliveries_with_headers(cx: Cx) {
    crate::exercises!("gap_areas", "5.7");
    let one = r#""NATS/1.0\r\nFoo: 1""#;
    let two = r#""NATS/1.0\r\nFoo: 1\r\nBar: 2""#;
    for (only_headers, publish, shown) in [
        (true, with_headers(ONE, ""), one),
        (false, with_headers(ONE, "test"), r#""NATS/1.0\r\nFoo: 1\r\n\r\ntest""#),
        (true, with_headers(ONE, "test"), one),
        (true, with_headers(TWO, ""), two),
        (true, with_headers(TWO, "payload data"), two),
        (false, "PUB foo 13\r\nplain message\r\n".to_owned(), r#""plain message""#),
        (false, with_headers(ONE, ""), r#""NATS/1.0\r\nFoo: 1\r\n\r\n""#),
    ] {
        let only = if only_headers { "trace_headers: true" } else { "" };
        let server = cx.server(&format!("trace: true\n{only}")).await;
        let lines = payload_lines(&server, &publish).await;
        assert_eq!(lines, both(shown), "{only_headers} {publish:?}");
    }
}

async fn tracing_loses_nothing(cx: Cx) {
    let server = cx.server("trace: true").await;
    let mut both_ways = server.raw_connected().await;
    both_ways.send("SUB foo 1\r\n").await;
    both_ways.flush().await;
    let mut publisher = server.raw_connected().await;
    let n = 2000;
    both_ways.send("PUB bar 5\r\nhello\r\n".repeat(n)).await;
    publisher.send("PUB foo 5\r\nhello\r\n".repeat(n)).await;
    publisher.flush().await;
    both_ways.read_msgs(n).await;
    both_ways.flush().await;
    server.log_line("[PONG]").await;
    let count = |what: &str| server.log().matches(what).count();
    assert_eq!((count("<<- [PUB foo 5]"), count("<<- [PUB bar 5]")), (n, n));
    assert_eq!(count("->> [MSG foo 1 5]"), n);
}

//! Clients that read too slowly.

use std::time::Duration;

use regex::Regex;
use serde_json::json;

use crate::Cx;
use crate::kit::{PATIENCE, Raw, Server, eventually};

crate::cases! {
    "server/client_test.go",
    wire a_stalled_reader_has_a_pending_limit => ["TestPBNotIncreasedOnMaxPending"],
    wire a_producer_waits_for_a_stalled_reader => ["server/norace_2_test.go::TestNoRaceProducerStallLimits"],
    wire a_stalled_reader_leaves_its_place => ["TestNoClientLeakOnSlowConsumer"],
    wire slow_without_connect => ["TestClientSlowConsumerWithoutConnect"],
    wire what_a_late_reader_gets_is_whole => ["TestFlushOutboundNoSliceReuseIfPartial"],
    wire late_within_the_limits => ["TestClientFlushOutboundNoSlowConsumer"],
    wire a_write_timeout_closes_by_default => ["TestClientConfigureWriteTimeoutPolicy"],
    wire a_write_timeout_may_be_retried => ["TestClientFlushOutboundWriteTimeoutPolicy"],
    not_applicable "TestClientNoSlowConsumerIfConnectExpected" => "has INFO fail by a write deadline of 1 ns, which passes in Go before any write; here a deadline runs only while the peer takes nothing, and a peer that has not said CONNECT is sent nothing but an INFO that fits into every socket",
}

/// Bytes that no pair of socket buffers takes.
const MORE_THAN_BUFFERS: usize = 24 << 20;

/// Publishes so much that who does not read `foo` falls behind.
async fn flood(server: &Server) {
    let mut publisher = server.raw_connected().await;
    let publish = format!("PUB foo 65536\r\n{}\r\n", "x".repeat(65536));
    for _ in 0..MORE_THAN_BUFFERS / 65536 {
        publisher.send(&publish).await;
    }
    publisher.flush().await;
}

/// A subscriber of `foo` that does not read any more.
async fn stalled(server: &Server) -> Raw {
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\n").await;
    c.flush().await;
    c
}

async fn a_stalled_reader_has_a_pending_limit(cx: Cx) {
    crate::exercises!("gap_areas", "5.5");
    crate::exercises!("config_keys", "top|max_pending");
    let server =
        cx.server("debug: true, max_pending: 1MB, max_payload: 64KB, write_deadline: '60s'").await;
    let mut c = stalled(&server).await;
    flood(&server).await;
    let line = server.log_line("Slow Consumer Detected").await;
    assert!(line.contains("[INF]"), "{line}");
    assert!(line.ends_with("Slow Consumer Detected: MaxPending of 1048576 Exceeded"), "{line}");
    server.log_line("Client connection closed: Slow Consumer (Pending Bytes)").await;
    assert_eq!(server.log().matches("Slow Consumer Detected").count(), 1);
    // What could not be written is gone, and nothing more is sent.
    assert!(c.read_to_close().await.len() < MORE_THAN_BUFFERS);
}

async fn a_stalled_reader_leaves_its_place(cx: Cx) {
    crate::exercises!("config_keys", "top|write_deadline");
    let server = cx.server("max_connections: 2, write_deadline: '20ms'").await;
    server.allow_errors("maximum connections exceeded");
    let c = stalled(&server).await;
    flood(&server).await;
    server.log_line("Slow Consumer Detected: WriteDeadline of 20ms exceeded with ").await;
    let mut places = Vec::new();
    eventually(PATIENCE, async || {
        let mut next = server.raw_connected().await;
        let _ = next.try_send("PING\r\n").await;
        if next.expect_re("^(PONG|-ERR 'maximum connections exceeded')$").await[1] == "PONG" {
            places.push(next);
        }
        places.len() == 2
    })
    .await;
    drop(c);
}

async fn slow_without_connect(cx: Cx) {
    crate::exercises!("gap_areas", "5.5");
    let server = cx.server("debug: true, write_deadline: '100ms'").await;
    let mut c = server.raw().await;
    let cid = c.info().await["client_id"].clone();
    c.send("SUB foo 1\r\n").await;
    c.expect("+OK\r\n").await;
    flood(&server).await;
    let line = server.log_line("Slow Consumer Detected").await;
    let shape = format!(
        r"\[INF\] 127\.0\.0\.1:\d+ - cid:{cid} - Slow Consumer Detected: WriteDeadline of 100ms exceeded with \d+ chunks of \d+ total bytes\.$"
    );
    assert!(Regex::new(&shape).unwrap().is_match(&line), "{line}");
    server.closed_for("Slow Consumer (Write Deadline)").await;
    let varz = server.varz().await;
    assert_eq!(
        (&varz["slow_consumers"], &varz["slow_consumer_stats"]["clients"]),
        (&json!(1), &json!(1))
    );
}

/// Messages that are told apart by every part of them.
async fn what_a_late_reader_gets_is_whole(cx: Cx) {
    let server = cx.server("write_deadline: '60s'").await;
    let mut c = stalled(&server).await;
    let payload = |i: usize| format!("{i:08}").repeat(1 + i * 7 % 2000);
    let total = 2000;
    let mut publisher = server.raw_connected().await;
    let publishing = async {
        for i in 0..total {
            let payload = payload(i);
            publisher.send(format!("PUB foo {}\r\n{payload}\r\n", payload.len())).await;
        }
        publisher.flush().await;
    };
    publishing.await;
    for i in 0..total {
        assert_eq!(c.read_msg().await.payload, payload(i));
    }
    c.flush().await;
    assert!(!server.log().contains("Slow Consumer"));
}

async fn late_within_the_limits(cx: Cx) {
    let server = cx
        .server("max_pending: 140MB, max_payload: 16MB, write_deadline: '30s', debug: true")
        .await;
    let mut c = stalled(&server).await;
    let mut publisher = server.raw_connected().await;
    let size = 16 << 20;
    for i in 0..8 {
        publisher.send(format!("PUB foo {size}\r\n{}\r\n", i.to_string().repeat(size))).await;
    }
    publisher.flush().await;
    for (i, msg) in c.read_msgs(8).await.into_iter().enumerate() {
        assert_eq!(msg.payload.len(), size);
        assert_eq!(msg.payload.trim_matches(char::from(b'0' + i as u8)), "");
    }
    c.flush().await;
    assert!(!server.log().contains("Slow Consumer"));
}

async fn a_write_timeout_closes_by_default(cx: Cx) {
    crate::exercises!("gap_areas", "5.3");
    for policy in ["", "write_timeout: default", "write_timeout: close"] {
        let server = cx.server(&format!("debug: true, write_deadline: '100ms'\n{policy}")).await;
        let _c = stalled(&server).await;
        flood(&server).await;
        server.log_line("Client connection closed: Slow Consumer (Write Deadline)").await;
        assert_eq!(server.log().matches(" - Slow Consumer ").count(), 1, "{policy}");
    }
    let exit = cx.check_config("write_timeout: sometimes").await;
    assert_ne!(exit.code, Some(0));
}

async fn a_write_timeout_may_be_retried(cx: Cx) {
    crate::exercises!("gap_areas", "5.3");
    crate::exercises!("config_keys", "top|write_timeout");
    let config = "debug: true, write_deadline: '1s', write_timeout: retry";
    // Who takes nothing at all is cut off all the same, at the second time.
    let server = cx.server(config).await;
    let _c = stalled(&server).await;
    flood(&server).await;
    server.log_line("Slow Consumer Detected: WriteDeadline of 1s exceeded").await;
    server.log_line("Slow Consumer State: WriteDeadline of 1s exceeded").await;
    server.log_line("Client connection closed: Slow Consumer (Write Deadline)").await;

    // Who reads on is forgiven.
    let server = cx.server(config).await;
    let mut c = server.raw().await;
    c.connect(json!({"verbose": false})).await;
    c.send("SUB foo 1\r\n").await;
    c.flush().await;
    let publishing = flood(&server);
    let reading = async {
        server.log_line("Slow Consumer Detected: WriteDeadline of 1s exceeded").await;
        c.read_msgs(MORE_THAN_BUFFERS / 65536).await;
    };
    tokio::join!(publishing, reading);
    c.flush().await;
    server.log_line("Slow Consumer Recovered: Flush took ").await;
    c.expect_nothing(Duration::from_millis(20)).await;
}

/// A producer is held up by a reader who is far behind, but only for a moment after each read.
async fn a_producer_waits_for_a_stalled_reader(cx: Cx) {
    crate::exercises!("gap_areas", "5.2");
    crate::exercises!("http_fields", "/varz|stalled_clients");
    let server = cx.server("debug: true, max_pending: 16MB, write_deadline: '60s'").await;
    let mut slow = stalled(&server).await;
    let cid = slow.last_info()["client_id"].clone();
    let mut producer = server.raw_connected().await;
    let publish = format!("PUB foo 1024\r\n{}\r\n", "x".repeat(1024)).repeat(64);
    eventually(PATIENCE, async || {
        producer.send(&publish).await;
        producer.flush().await;
        server.varz().await["stalled_clients"].as_i64() > Some(0)
    })
    .await;
    let shown = &server.connz(&format!("cid={cid}")).await["connections"][0];
    assert!(shown["stalls"].as_i64() > Some(0), "{shown}");
    server.log_line("Timed out of fast producer stall (").await;
    // Whoever is held up is served all the same.
    producer.flush().await;
    let line = server.log_line("Producer was stalled for a total of ").await;
    assert!(line.contains("[WRN]"), "{line}");
    let total = Regex::new(r" of ([0-9]+)ms - Account:\$G$").unwrap().captures(&line);
    let total = total.unwrap_or_else(|| panic!("{line}"))[1].parse::<u32>().unwrap();
    assert!((5..100).contains(&total), "{line}");
    slow.expect("MSG foo 1 1024\r\n").await;
}

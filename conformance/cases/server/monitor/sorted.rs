//! The orders of `/connz`.

use super::seen::{
    QUIET, active, assert_bad, assert_descending, numbers, several, texts, times, wait_for_closed,
};
use crate::Cx;
use crate::kit::{PATIENCE, eventually};
use serde_json::Value;

crate::cases! {
    "server/monitor_test.go",
    wire sorted_by_arrival => ["TestMonitorConnzDefaultSorted", "TestMonitorConnzSortedByCid", "TestMonitorConnzSortedByStart"],
    wire sorted_by_traffic => ["TestMonitorConnzSortedByBytesAndMsgs", "TestMonitorConnzSortedBySubs"],
    wire sorted_by_pending => ["TestMonitorConnzSortedByPending"],
    wire sorted_by_time => ["TestMonitorConnzSortedByLast", "TestMonitorConnzSortedByUptime", "TestMonitorConnzSortedByIdle"],
    wire closed_ones_sorted_by_time => ["TestMonitorConnzSortedByUptimeClosedConn", "TestMonitorConnzSortedByStopTimeClosedConn"],
    wire closed_ones_sorted_by_reason => ["TestMonitorConnzSortedByReason"],
    wire open_ones_have_no_end => ["TestMonitorConnzSortedByStopOnOpen", "TestMonitorConnzSortedByReasonOnOpen"],
    not_applicable "TestMonitorConnzSortByIdleTime" => "sorts literal values with an unexported Go type; the order over the wire is ported from TestMonitorConnzSortedByIdle",
}

async fn sorted_by_arrival(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server(QUIET).await;
    let _clients = several(&server, 4).await;
    for query in ["", "sort=cid", "sort=start"] {
        let connz = server.connz(query).await;
        assert_eq!(numbers(&connz, "cid"), [1, 2, 3, 4], "{query}");
        assert!(times(&connz, "start").is_sorted());
    }
}

async fn sorted_by_traffic(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server(QUIET).await;
    let mut clients = several(&server, 4).await;
    let busy = &mut clients[2];
    busy.send("SUB foo 2\r\nSUB bar 3\r\n").await;
    for _ in 0..100 {
        busy.send("PUB foo 11\r\nHello World\r\n").await;
    }
    busy.read_msgs(100).await;
    busy.flush().await;
    for (sort, field, most) in [
        ("bytes_to", "out_bytes", 1105),
        ("msgs_to", "out_msgs", 101),
        ("bytes_from", "in_bytes", 1105),
        ("msgs_from", "in_msgs", 101),
        ("subs", "subscriptions", 2),
    ] {
        let values = numbers(&server.connz(&format!("sort={sort}")).await, field);
        assert_descending(&values);
        assert_eq!((values.len(), values[0]), (4, most), "{sort}");
    }
}

async fn sorted_by_pending(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server("no_system_account: true\nmax_pending: 256MB").await;
    let mut clients = several(&server, 3).await;
    // It subscribes and never reads again.
    clients[1].send("SUB flood 2\r\n").await;
    clients[1].flush().await;
    let payload = "x".repeat(1 << 20);
    let mut connz = Value::Null;
    eventually(PATIENCE, async || {
        clients[0].send(format!("PUB flood {}\r\n{payload}\r\n", payload.len())).await;
        clients[0].flush().await;
        connz = server.connz("sort=pending").await;
        numbers(&connz, "cid")[0] == 2 && numbers(&connz, "pending_bytes")[0] > 0
    })
    .await;
    assert_descending(&numbers(&connz, "pending_bytes"));
}

async fn sorted_by_time(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server(QUIET).await;
    let mut clients = several(&server, 4).await;
    clients[1].send("PUB foo 0\r\n\r\n").await;
    clients[1].flush().await;
    let connz = server.connz("sort=last").await;
    assert_eq!(numbers(&connz, "cid")[0], 2);
    assert_descending(&times(&connz, "last_activity"));
    let connz = server.connz("sort=idle").await;
    assert_eq!(numbers(&connz, "cid")[3], 2);
    assert!(times(&connz, "last_activity").is_sorted());
    let connz = server.connz("sort=uptime").await;
    assert_eq!(numbers(&connz, "cid"), [4, 3, 2, 1]);
}

async fn closed_ones_sorted_by_time(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server(QUIET).await;
    let mut clients = several(&server, 4).await;
    for cid in [3, 1, 4, 2] {
        let at = clients.iter().position(|c| c.last_info()["client_id"] == cid).unwrap();
        drop(clients.swap_remove(at));
        let query = format!("state=closed&cid={cid}");
        eventually(PATIENCE, async || server.connz(&query).await["num_connections"] == 1).await;
    }
    let connz = server.connz("state=closed&sort=stop").await;
    assert_eq!(numbers(&connz, "cid"), [2, 4, 1, 3]);
    assert_descending(&times(&connz, "stop"));
    let connz = server.connz("state=closed&sort=uptime").await;
    let (starts, stops) = (times(&connz, "start"), times(&connz, "stop"));
    let nanos = |text: &String| {
        let (rest, second) = text.rsplit_once(':').unwrap();
        let minute: f64 = rest.rsplit_once(':').unwrap().1.parse().unwrap();
        minute * 60.0 + second.parse::<f64>().unwrap()
    };
    let life = |(start, stop)| (nanos(stop) - nanos(start)).rem_euclid(3600.0);
    let lives: Vec<f64> = starts.iter().zip(&stops).map(life).collect();
    assert!(lives.is_sorted(), "{lives:?}");
}

async fn closed_ones_sorted_by_reason(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server("no_system_account: true\nmax_payload: 100").await;
    server.allow_errors("");
    for i in 0..20 {
        let mut c = active(&server).await;
        match i % 4 {
            0 => c.send("PUB foo 1000\r\n").await,
            1 => c.send("NONSENSE\r\n").await,
            2 => c.send(format!("PUB {} 1\r\n", "x".repeat(10_000))).await,
            _ => drop(c),
        }
    }
    wait_for_closed(&server, 20).await;
    let reasons = texts(&server.connz("state=closed&sort=reason").await, "reason");
    assert!(reasons.is_sorted(), "{reasons:?}");
    let mut kinds = reasons.clone();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "Client Closed",
            "Maximum Control Line Exceeded",
            "Maximum Message Payload Exceeded",
            "Protocol Violation"
        ]
    );
}

async fn open_ones_have_no_end(cx: Cx) {
    crate::exercises!("gap_areas", "10.3");
    let server = cx.server(QUIET).await;
    let _clients = several(&server, 4).await;
    for state in ["", "&state=any"] {
        for sort in ["stop", "reason"] {
            let response = server.get(&format!("/connz?sort={sort}{state}")).await;
            assert_bad(&response, &format!("sort by {sort} only valid on closed connections"));
        }
    }
}

//! Connections that are closed.

use super::seen::{
    QUIET, active, list, numbers, seconds, texts, times, tls_config, wait_for_closed,
};
use crate::Cx;
use crate::kit::tls::Authority;
use crate::kit::{PATIENCE, eventually};
use serde_json::json;

crate::cases! {
    "server/monitor_test.go",
    wire open_closed_and_all => ["TestMonitorConnzWithStateForClosedConns"],
    wire closed_ones_asked_for_at_once => ["TestMonitorConnzClosedConnsRace", "TestConnzClosedSubsDetailNoSharedMutation"],
    wire who_leaves_at_once_has_proper_times => ["TestMonitorConnzClosedConnsBadClient", "TestMonitorConnzClosedConnsBadTLSClient"],
}

async fn open_closed_and_all(cx: Cx) {
    crate::exercises!("gap_areas", "10.1");
    let server = cx.server(QUIET).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut c = active(&server).await;
        c.send("SUB hello.closed.conns 2\r\n").await;
        c.flush().await;
        drop(c);
        let mut c = active(&server).await;
        c.send("SUB hello.open.conns 2\r\n").await;
        c.flush().await;
        open.push(c);
    }
    eventually(PATIENCE, async || server.connz("state=closed").await["total"] == 10).await;
    eventually(PATIENCE, async || server.connz("").await["total"] == 10).await;
    for (query, found) in [
        ("state=open", 10),
        ("state=closed", 10),
        ("state=ALL", 20),
        ("state=any", 20),
        ("cid=1&state=open", 0),
        ("cid=1&state=closed", 1),
        ("cid=1&state=ALL", 1),
        ("cid=2&state=open", 1),
        ("cid=2&state=all", 1),
        ("cid=2&state=closed", 0),
    ] {
        assert_eq!(list(&server.connz(query).await).len(), found, "{query}");
    }
    let connz = server.connz("cid=1&state=closed&subs=true").await;
    assert_eq!(numbers(&connz, "subscriptions"), [1]);
    assert_eq!(list(&connz)[0]["subscriptions_list"], json!(["hello.closed.conns"]));
    let connz = server.connz("cid=1&state=closed&subs=false").await;
    assert_eq!(numbers(&connz, "subscriptions"), [1]);
    assert!(list(&connz)[0].get("subscriptions_list").is_none());
}

async fn closed_ones_asked_for_at_once(cx: Cx) {
    let server = cx.server(QUIET).await;
    for _ in 0..20 {
        let mut c = active(&server).await;
        c.send("SUB foo 2\r\n").await;
        c.flush().await;
    }
    wait_for_closed(&server, 20).await;
    let ask = async |query: &str, field: &str| {
        for _ in 0..20 {
            let connz = server.connz(query).await;
            let with = list(&connz).iter().filter(|c| c.get(field).is_some()).count();
            assert_eq!(with, if query.contains("subs") { 20 } else { 0 }, "{query}");
        }
    };
    futures_util::join!(
        ask("state=closed&subs=true", "subscriptions_list"),
        ask("state=closed&subs=detail", "subscriptions_list_detail"),
        ask("state=closed", "subscriptions_list_detail")
    );
}

async fn who_leaves_at_once_has_proper_times(cx: Cx) {
    let id = Authority::new(cx.dir(), "ca").issue(&["localhost", "127.0.0.1"]);
    for config in [QUIET.to_owned(), format!("{QUIET}\n{}", tls_config(&id))] {
        let server = cx.server(&config).await;
        server.allow_errors("TLS handshake error");
        let mut c = server.raw().await;
        let _ = c.try_send("CONNECT {}\r\n").await;
        drop(c);
        let connz = wait_for_closed(&server, 1).await;
        let (start, stop) = (times(&connz, "start"), times(&connz, "stop"));
        let last = times(&connz, "last_activity");
        assert!(start <= last && last <= stop, "{start:?} {last:?} {stop:?}");
        assert!(seconds(&texts(&connz, "idle")[0]) <= seconds(&texts(&connz, "uptime")[0]));
    }
}

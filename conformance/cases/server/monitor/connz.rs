//! Connections as `/connz` shows them.

use super::seen::{
    ACCOUNTS, QUIET, active, active_as, assert_descending, list, numbers, seconds, several, texts,
    times, tls_config, wait_for_closed,
};
use crate::Cx;
use crate::kit::tls::{Authority, TlsClient};
use crate::kit::{PATIENCE, eventually};
use serde_json::{Value, json};

crate::cases! {
    "server/monitor_test.go",
    wire connz_shows_a_connection => ["TestMonitorConnz"],
    wire connz_with_subscriptions => ["TestMonitorConnzWithSubs", "TestMonitorConnzWithSubsDetail", "TestMonitorClosedConnzWithSubsDetail"],
    wire connz_of_one_connection => ["TestMonitorConnzWithCID"],
    wire round_trips_are_measured => ["TestMonitorConnzRTT", "TestMonitorConnzSortByRTT"],
    wire last_activity => ["TestMonitorConnzLastActivity"],
    wire connz_by_pages => ["TestMonitorConnzWithOffsetAndLimit", "TestMonitorConnzOffsetOverflow"],
    wire connz_shows_names => ["TestMonitorConnzWithNamedClient"],
    wire a_handshake_holds_nothing_up => ["TestMonitorConnzTLSInHandshake"],
    wire peer_certificates => ["TestMonitorConnzTLSPeerCerts"],
    wire connz_of_an_account => ["TestMonitorConnzAccountRace"],
}

async fn connz_shows_a_connection(cx: Cx) {
    let server = cx.server(ACCOUNTS).await;
    let empty = server.connz("").await;
    assert_eq!((&empty["num_connections"], &empty["total"]), (&json!(0), &json!(0)));
    assert_eq!(empty["connections"], json!([]));
    let c = active_as(&server, json!({"user": "a", "pass": "a"})).await;
    let connz = server.connz("auth=1").await;
    for (field, value) in [("num_connections", 1), ("total", 1), ("limit", 1024), ("offset", 0)] {
        assert_eq!(connz[field], value, "{field}");
    }
    let ci = &list(&connz)[0];
    let expected = json!({
        "cid": c.last_info()["client_id"], "kind": "Client", "type": "nats", "ip": "127.0.0.1",
        "subscriptions": 0, "in_msgs": 1, "out_msgs": 1, "in_bytes": 5, "out_bytes": 5,
        "lang": "rust", "version": "1.0.0", "authorized_user": "a", "account": "A",
        "name_tag": "A",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&ci[field], value, "{field}");
    }
    assert!(ci.get("subscriptions_list").is_none());
    assert!(ci.get("subscriptions_list_detail").is_none());
    assert_ne!(ci["port"], 0);
    assert!(times(&connz, "last_activity") >= times(&connz, "start"));
    assert!(seconds(ci["uptime"].as_str().unwrap()) < 60.0);
    assert!(seconds(ci["idle"].as_str().unwrap()) < 60.0);
    assert!(seconds(ci["rtt"].as_str().unwrap()) > 0.0);
}

async fn connz_with_subscriptions(cx: Cx) {
    let server = cx.server(QUIET).await;
    let mut c = active(&server).await;
    c.send("SUB hello.foo workers 7\r\nUNSUB 7 3\r\n").await;
    c.flush().await;
    let cid = c.last_info()["client_id"].clone();
    let connz = server.connz("subs=1").await;
    assert_eq!(list(&connz)[0]["subscriptions_list"], json!(["hello.foo"]));
    let detail = json!({
        "subject": "hello.foo", "qgroup": "workers", "sid": "7", "msgs": 0, "max": 3, "cid": cid,
    });
    let connz = server.connz("subs=detail").await;
    assert_eq!(list(&connz)[0]["subscriptions_list_detail"], json!([detail]));
    drop(c);
    wait_for_closed(&server, 1).await;
    let connz = server.connz("state=closed&subs=detail").await;
    let closed = &list(&connz)[0]["subscriptions_list_detail"][0];
    assert_eq!(closed["subject"], "hello.foo");
    assert_eq!((&closed["account"], &closed["account_tag"]), (&json!("$G"), &json!("$G")));
}

async fn connz_of_one_connection(cx: Cx) {
    let server = cx.server(QUIET).await;
    let mut clients = several(&server, 10).await;
    clients[4].send("SUB hello.foo 2\r\nSUB hello.bar 3\r\n").await;
    clients[4].flush().await;
    let connz = server.connz("cid=5").await;
    assert_eq!((&connz["num_connections"], &connz["limit"]), (&json!(1), &json!(1)));
    assert_eq!(connz["total"], 10);
    assert_eq!(numbers(&connz, "cid"), [5]);
    assert_eq!(numbers(&connz, "subscriptions"), [2]);
    let connz = server.connz("cid=100").await;
    assert_eq!((&connz["num_connections"], &connz["connections"]), (&json!(0), &json!([])));
}

async fn round_trips_are_measured(cx: Cx) {
    let server = cx.server(QUIET).await;
    let _clients = several(&server, 10).await;
    let connz = server.connz("sort=rtt").await;
    let rtts: Vec<f64> = texts(&connz, "rtt").iter().map(|text| seconds(text)).collect();
    assert_eq!(rtts.len(), 10);
    assert_descending(&rtts);
    assert!(rtts.iter().all(|rtt| (1e-7..5.0).contains(rtt)), "{rtts:?}");
}

async fn last_activity(cx: Cx) {
    let server = cx.server(QUIET).await;
    let named = |name: &str| json!({"verbose": false, "name": name});
    let mut listener = server.raw().await;
    listener.connect(named("foo")).await;
    listener.flush().await;
    let mut speaker = server.raw().await;
    speaker.connect(named("bar")).await;
    speaker.flush().await;
    let look = async || {
        let connz = server.connz("").await;
        assert_eq!(texts(&connz, "name"), ["foo", "bar"]);
        let times = times(&connz, "last_activity");
        (times[0].clone(), times[1].clone())
    };
    let begin = look().await;
    assert!(begin.0 <= begin.1);
    listener.send("SUB hello.world 1\r\n").await;
    listener.flush().await;
    let subscribed = look().await;
    assert!(subscribed.0 > begin.0);
    assert_eq!(subscribed.1, begin.1);
    speaker.send("PUB hello.world 5\r\nHello\r\n").await;
    speaker.flush().await;
    listener.expect("MSG hello.world 1 5\r\nHello\r\n").await;
    let published = look().await;
    assert!(published.1 > subscribed.1, "a publish is activity");
    assert!(published.0 > subscribed.0, "a delivery is activity");
    listener.send("UNSUB 1\r\n").await;
    listener.flush().await;
    assert!(look().await.0 > published.0);
}

async fn connz_by_pages(cx: Cx) {
    let server = cx.server(QUIET).await;
    assert_eq!(server.connz("offset=1&limit=1").await["connections"], json!([]));
    let connz = server.connz("offset=-1&limit=-1").await;
    assert_eq!((&connz["offset"], &connz["limit"]), (&json!(0), &json!(1024)));
    let _clients = several(&server, 2).await;
    for (offset, found) in [(1_u64, 1), (2, 0), (i64::MAX as u64, 0)] {
        let connz = server.connz(&format!("offset={offset}&limit=1")).await;
        assert_eq!((&connz["offset"], &connz["limit"]), (&json!(offset), &json!(1)));
        assert_eq!((&connz["num_connections"], &connz["total"]), (&json!(found), &json!(2)));
        assert_eq!(list(&connz).len(), found);
    }
    let both = format!("offset={0}&limit={0}", i64::MAX);
    assert_eq!(server.connz(&both).await["connections"], json!([]));
}

async fn connz_shows_names(cx: Cx) {
    let server = cx.server(QUIET).await;
    let _c = active_as(&server, json!({"name": "<test> & client"})).await;
    let response = server.get("/connz").await;
    assert_eq!(texts(&response.json(), "name"), ["<test> & client"]);
    assert!(response.body.contains(r#""name": "\u003ctest\u003e \u0026 client""#));
}

async fn a_handshake_holds_nothing_up(cx: Cx) {
    let id = Authority::new(cx.dir(), "ca").issue(&["localhost", "127.0.0.1"]);
    let server = cx.server(&format!("{QUIET}\n{}", tls_config(&id))).await;
    server.allow_errors("TLS handshake error");
    let mut c = server.raw().await;
    c.info().await;
    eventually(PATIENCE, async || server.varz().await["connections"] == 1).await;
    let connz = server.connz("").await;
    assert_eq!(list(&connz).len(), 1);
    assert!(list(&connz)[0].get("tls_version").is_none());
    assert!(list(&connz)[0].get("tls_cipher_suite").is_none());
}

async fn peer_certificates(cx: Cx) {
    let authority = Authority::new(cx.dir(), "ca");
    let id = authority.issue(&["localhost", "127.0.0.1"]);
    let config = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        id.cert,
        id.key,
        authority.ca()
    );
    let server = cx.server(&config).await;
    let mut c = server.raw_tls(&TlsClient::new().identity(&id)).await;
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
    let connz = server.connz("").await;
    assert_eq!(texts(&connz, "tls_version"), ["1.3"]);
    assert!(texts(&connz, "tls_cipher_suite")[0].starts_with("TLS_"));
    assert!(list(&connz)[0].get("tls_peer_certs").is_none());
    let connz = server.connz("auth=1").await;
    let certs = list(&connz)[0]["tls_peer_certs"].as_array().unwrap();
    assert_eq!(certs.len(), 1);
    assert_eq!(certs[0]["subject"], "CN=localhost");
    assert_eq!(certs[0]["spki_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(certs[0]["cert_sha256"].as_str().unwrap().len(), 64);
    let varz = server.varz().await;
    assert_eq!((&varz["tls_required"], &varz["tls_verify"]), (&json!(true), &json!(true)));
    assert!(varz["tls_cert_not_after"].as_str().unwrap().ends_with('Z'));
}

async fn connz_of_an_account(cx: Cx) {
    crate::exercises!("gap_areas", "10.2");
    let server = cx.server(ACCOUNTS).await;
    let a = active_as(&server, json!({"user": "a", "pass": "a"})).await;
    let _b = active_as(&server, json!({"user": "b", "pass": "b"})).await;
    for (query, users) in [
        ("auth=1", &["a", "b"][..]),
        ("auth=1&acc=A", &["a"]),
        ("auth=1&user=b", &["b"]),
        ("auth=1&acc=A&user=b", &[]),
        ("auth=1&mqtt_client=m", &[]),
    ] {
        assert_eq!(texts(&server.connz(query).await, "authorized_user"), users, "{query}");
    }
    assert_eq!(server.connz("acc=A").await["total"], 1);
    assert_eq!(server.connz("user=a").await["total"], 2);
    let nobody = server.connz("acc=none").await;
    assert_eq!((&nobody["connections"], &nobody["server_id"]), (&Value::Null, &json!("")));
    drop(a);
    eventually(PATIENCE, async || server.connz("state=closed").await["total"] == 1).await;
    assert_eq!(server.connz("state=closed&acc=A").await["total"], 1);
    assert_eq!(server.connz("state=closed&acc=B").await["total"], 0);
    assert_eq!(texts(&server.connz("state=closed&auth=1&user=a").await, "account"), ["A"]);
}

use nats_server::monitor::json::uptime;
use serde_json::{Value, json};

use crate::Cx;
use crate::kit::tls::{Authority, Identity, TlsClient};
use crate::kit::{PATIENCE, Raw, Response, Server, eventually};

crate::cases! {
    "server/monitor_test.go",
    library uptimes_read_well => ["TestMyUptime"],
    wire nobody_asked_for_monitoring => ["TestMonitorNoPort"],
    wire below_a_base_path => ["TestMonitorHTTPBasePath"],
    wire subscriptions_are_not_added_up => ["TestMonitorVarzSubscriptionsResetProperly"],
    wire varz_under_reloads => ["TestMonitorVarzReloadRace", "TestMonitorVarzRaces"],
    wire connz_shows_a_connection => ["TestMonitorConnz"],
    wire bad_parameters => ["TestMonitorConnzBadParams", "TestMonitorConnzSortBadRequest", "TestMonitorRoutezWithBadParams"],
    wire connz_with_subscriptions => ["TestMonitorConnzWithSubs", "TestMonitorConnzWithSubsDetail", "TestMonitorClosedConnzWithSubsDetail"],
    wire connz_of_one_connection => ["TestMonitorConnzWithCID"],
    wire round_trips_are_measured => ["TestMonitorConnzRTT", "TestMonitorConnzSortByRTT"],
    wire last_activity => ["TestMonitorConnzLastActivity"],
    wire connz_by_pages => ["TestMonitorConnzWithOffsetAndLimit", "TestMonitorConnzOffsetOverflow"],
    wire sorted_by_arrival => ["TestMonitorConnzDefaultSorted", "TestMonitorConnzSortedByCid", "TestMonitorConnzSortedByStart"],
    wire sorted_by_traffic => ["TestMonitorConnzSortedByBytesAndMsgs", "TestMonitorConnzSortedBySubs"],
    wire sorted_by_pending => ["TestMonitorConnzSortedByPending"],
    wire sorted_by_time => ["TestMonitorConnzSortedByLast", "TestMonitorConnzSortedByUptime", "TestMonitorConnzSortedByIdle"],
    wire closed_ones_sorted_by_time => ["TestMonitorConnzSortedByUptimeClosedConn", "TestMonitorConnzSortedByStopTimeClosedConn"],
    wire closed_ones_sorted_by_reason => ["TestMonitorConnzSortedByReason"],
    wire open_ones_have_no_end => ["TestMonitorConnzSortedByStopOnOpen", "TestMonitorConnzSortedByReasonOnOpen"],
    wire subsz_counts => ["TestSubsz"],
    wire subsz_lists => ["TestMonitorSubszDetails", "TestMonitorSubszTestPubSubject"],
    wire subsz_by_pages => ["TestMonitorSubszWithOffsetAndLimit", "TestMonitorSubszOffsetOverflow"],
    wire subsz_by_account => ["TestMonitorSubszMultiAccount"],
    wire subsz_of_two_accounts_by_pages => ["TestMonitorSubszMultiAccountWithOffsetAndLimit"],
    wire the_index_links_to_the_rest => ["TestMonitorHandleRoot"],
    wire connz_shows_names => ["TestMonitorConnzWithNamedClient"],
    wire open_closed_and_all => ["TestMonitorConnzWithStateForClosedConns"],
    wire closed_ones_asked_for_at_once => ["TestMonitorConnzClosedConnsRace", "TestConnzClosedSubsDetailNoSharedMutation"],
    wire who_leaves_at_once_has_proper_times => ["TestMonitorConnzClosedConnsBadClient", "TestMonitorConnzClosedConnsBadTLSClient"],
    wire many_ask_at_once => ["TestMonitorConcurrentMonitoring"],
    wire monitoring_ends_with_the_server => ["TestMonitorHandler"],
    wire a_handshake_holds_nothing_up => ["TestMonitorConnzTLSInHandshake"],
    wire peer_certificates => ["TestMonitorConnzTLSPeerCerts"],
    wire every_endpoint_names_the_server => ["TestMonitorServerIDs"],
    wire requests_are_counted => ["TestMonitorHttpStatsNoUpdatedWhenUsingServerFuncs"],
    wire what_is_off_is_empty => ["TestMonitorClusterEmptyWhenNotDefined", "TestMonitorMQTT", "TestMonitorWebsocket"],
    wire accounts => ["TestMonitorAccountz", "TestMonitorAccountStatz"],
    wire healthy => ["TestMonitorHealthzStatusOK"],
    wire unhealthy_without_a_listener => ["TestMonitorHealthzStatusError"],
    wire no_jetstream => ["TestMonitorJszNonJszServer"],
    wire https_follows_reloads => ["TestMonitorReloadTLSConfig"],
    wire metadata_and_feature_flags => ["TestMonitorVarzMetadata", "TestMonitorVarzFeatureFlags"],
    wire connz_of_an_account => ["TestMonitorConnzAccountRace"],
    not_applicable "TestMonitorStacksz" => "asks for the stacks of goroutines; a Rust server has none (docs/deviations.md)",
    not_applicable "TestMonitorConnzSortByIdleTime" => "sorts literal values with an unexported Go type; the order over the wire is ported from TestMonitorConnzSortedByIdle",
    not_applicable "TestMonitorIpqzWithGenerics" => "checks that a Go generic type is seen through an interface assertion",
}

const QUIET: &str = "no_system_account: true";
const ACCOUNTS: &str = "no_system_account: true
accounts { A { users: [{user: a, password: a}] }, B { users: [{user: b, password: b}] } }";

/// A client that subscribed, heard one message of five bytes, and unsubscribed.
async fn active(server: &Server) -> Raw {
    active_as(server, json!({})).await
}

async fn active_as(server: &Server, who: Value) -> Raw {
    let mut options = json!({"verbose": false, "lang": "rust", "version": "1.0.0"});
    for (key, value) in who.as_object().unwrap() {
        options[key] = value.clone();
    }
    let mut c = server.raw().await;
    c.connect(options).await;
    c.send("SUB inbox 1\r\nPUB inbox 5\r\nHello\r\n").await;
    c.expect("MSG inbox 1 5\r\nHello\r\n").await;
    c.send("UNSUB 1\r\n").await;
    c.flush().await;
    c
}

async fn several(server: &Server, count: usize) -> Vec<Raw> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(active(server).await);
    }
    clients
}

fn list(document: &Value) -> &Vec<Value> {
    document["connections"].as_array().unwrap_or_else(|| panic!("no connections: {document}"))
}

fn numbers(document: &Value, field: &str) -> Vec<u64> {
    let number = |c: &Value| c[field].as_u64().unwrap_or_else(|| panic!("{field}: {c}"));
    list(document).iter().map(number).collect()
}

fn texts(document: &Value, field: &str) -> Vec<String> {
    list(document).iter().map(|c| c[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// Go's texts of points in time, made to compare as text: nanoseconds without their zeros.
fn time(text: &str) -> String {
    let (seconds, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((text, ""));
    format!("{}.{fraction:0<9}", seconds.trim_end_matches('Z'))
}

fn times(document: &Value, field: &str) -> Vec<String> {
    texts(document, field).iter().map(|text| time(text)).collect()
}

/// Seconds of `350ns`, `1.5µs`, `3ms` or `2s`.
fn seconds(text: &str) -> f64 {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = match &text[digits.len()..] {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        other => panic!("{text}: unit {other:?}"),
    };
    digits.parse::<f64>().unwrap() * unit
}

fn assert_descending<T: PartialOrd + std::fmt::Debug>(values: &[T]) {
    assert!(values.is_sorted_by(|a, b| a >= b), "not descending: {values:?}");
}

fn assert_bad(response: &Response, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (400, body));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

async fn wait_for_closed(server: &Server, count: usize) -> Value {
    eventually(PATIENCE, async || {
        server.connz("state=closed").await["num_connections"] == count
            && server.varz().await["connections"] == 0
    })
    .await;
    server.connz("state=closed").await
}

fn tls_config(id: &Identity) -> String {
    format!("tls {{ cert_file: {:?}, key_file: {:?}, timeout: 1.5 }}", id.cert, id.key)
}

fn uptimes_read_well() {
    const SECOND: i64 = 1_000_000_000;
    let mut age = 22 * SECOND;
    assert_eq!(uptime(age), "22s");
    age += 4 * 60 * SECOND;
    assert_eq!(uptime(age), "4m22s");
    age += 4 * 3600 * SECOND;
    assert_eq!(uptime(age), "4h4m22s");
    age += 32 * 86400 * SECOND;
    assert_eq!(uptime(age), "32d4h4m22s");
    age += 22 * 365 * 86400 * SECOND;
    assert_eq!(uptime(age), "22y32d4h4m22s");
}

async fn nobody_asked_for_monitoring(cx: Cx) {
    let server = cx.server("http: 127.0.0.1:0").await;
    let mut c = server.raw_connected().await;
    c.flush().await;
    assert!(server.ports().get("monitoring").is_none(), "{}", server.ports());
    server.log_line("Server is ready").await;
    assert!(!server.log().contains("monitor on"));
}

async fn below_a_base_path(cx: Cx) {
    let server = cx.server("no_system_account: true\nhttp_base_path: /nats").await;
    let page = server.get("/nats").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.contains("href=./nats/varz"));
    assert_eq!(server.json("/nats/varz").await["http_base_path"], "/nats");
    assert_eq!(server.get("/varz").await.status, 404);
}

async fn subscriptions_are_not_added_up(cx: Cx) {
    let server = cx.server("").await;
    let before = server.varz().await["subscriptions"].as_u64().unwrap();
    let mut c = server.raw_connected().await;
    c.send("SUB foo 1\r\nSUB bar 2\r\n").await;
    c.flush().await;
    for _ in 0..3 {
        assert_eq!(server.varz().await["subscriptions"], before + 2);
    }
}

async fn varz_under_reloads(cx: Cx) {
    let server = cx.server("no_system_account: true\nmax_connections: 100").await;
    let loaded = time(server.varz().await["config_load_time"].as_str().unwrap());
    let id = server.varz().await["server_id"].clone();
    let reader = async {
        for _ in 0..50 {
            let varz = server.varz().await;
            assert_eq!(varz["server_id"], id);
            assert!(varz["max_connections"].as_u64().unwrap() >= 100);
        }
    };
    let writer = async {
        for max in 101..=103 {
            let config = format!("no_system_account: true\nmax_connections: {max}");
            let from = server.log().len();
            server.reload(&config).await;
            server.log_line_from(from, "Reloaded: max_connections").await;
        }
    };
    futures_util::join!(reader, writer);
    let varz = server.varz().await;
    assert_eq!(varz["max_connections"], 103);
    assert!(time(varz["config_load_time"].as_str().unwrap()) > loaded);
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

async fn bad_parameters(cx: Cx) {
    let server = cx.server(QUIET).await;
    let syntax = |kind: &str, name: &str, function: &str| {
        format!(
            "Error decoding {kind} for '{name}': strconv.{function}: parsing \"xxx\": invalid syntax"
        )
    };
    for (query, body) in [
        ("/connz?auth=xxx", syntax("boolean", "auth", "ParseBool")),
        ("/connz?subs=xxx", syntax("boolean", "subs", "ParseBool")),
        ("/connz?offset=xxx", syntax("int", "offset", "Atoi")),
        ("/connz?limit=xxx", syntax("int", "limit", "Atoi")),
        ("/connz?cid=xxx", syntax("uint64", "cid", "ParseUint")),
        ("/connz?state=xxx", "Error decoding state for xxx".to_owned()),
        ("/connz?sort=foo", "invalid sorting option: foo".to_owned()),
        ("/routez?subs=xxx", syntax("boolean", "subs", "ParseBool")),
        ("/subsz?subs=xxx", syntax("boolean", "subs", "ParseBool")),
        ("/leafz?subs=xxx", syntax("boolean", "subs", "ParseBool")),
        ("/gatewayz?accs=xxx", syntax("boolean", "accs", "ParseBool")),
        ("/accstatz?unused=xxx", syntax("boolean", "unused", "ParseBool")),
        ("/jsz?direct-consumers=xxx", syntax("boolean", "direct-consumers", "ParseBool")),
        ("/healthz?details=xxx", syntax("boolean", "details", "ParseBool")),
        ("/accountz?acc=xxx", "Account xxx does not exist".to_owned()),
    ] {
        assert_bad(&server.get(query).await, &body);
    }
    let lost = server.get("/nothing").await;
    assert_eq!((lost.status, lost.body.as_str()), (404, "404 page not found\n"));
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

async fn subsz_counts(cx: Cx) {
    let server = cx.server(QUIET).await;
    let _c = active(&server).await;
    for path in ["/subsz", "/subscriptionsz"] {
        let subsz = server.json(path).await;
        for (field, value) in
            [("num_subscriptions", 0), ("num_inserts", 1), ("num_removes", 1), ("num_matches", 1)]
        {
            assert_eq!(subsz[field], value, "{path} {field}");
        }
        assert!(subsz.get("subscriptions_list").is_none());
    }
}

const THREE_SUBS: &str = "SUB foo.* 2\r\nSUB foo.bar 3\r\nSUB foo.foo 4\r\n";

async fn subsz_lists(cx: Cx) {
    let server = cx.server(QUIET).await;
    let mut c = active(&server).await;
    c.send(THREE_SUBS).await;
    c.send("PUB foo.bar 5\r\nHello\r\n").await;
    c.read_msgs(2).await;
    c.flush().await;
    let subsz = server.subsz("subs=1").await;
    assert_eq!((&subsz["num_subscriptions"], &subsz["total"]), (&json!(3), &json!(3)));
    let mut listed = subsz["subscriptions_list"].as_array().unwrap().clone();
    listed.sort_by_key(|sub| sub["sid"].to_string());
    let cid = c.last_info()["client_id"].clone();
    let sub = |subject: &str, sid: &str, msgs: u64| json!({"account": "$G", "account_tag": "$G", "subject": subject, "sid": sid, "msgs": msgs, "cid": cid});
    assert_eq!(listed, [sub("foo.*", "2", 1), sub("foo.bar", "3", 1), sub("foo.foo", "4", 0)]);
    let matching = server.subsz("subs=1&test=foo.foo").await;
    assert_eq!(matching["total"], 2);
    assert_eq!(matching["subscriptions_list"].as_array().unwrap().len(), 2);
    assert_eq!(server.subsz("subs=1&test=foo").await["total"], 0);
    for test in ["*", "foo.*", "foo.%3E", "foo..bar"] {
        let response = server.get(&format!("/subsz?subs=1&test={test}")).await;
        let test = test.replace("%3E", ">");
        let body = format!("invalid test subject, must be valid publish subject: {test}");
        assert_bad(&response, &body);
    }
}

async fn subscribe_many(c: &mut Raw, count: usize) {
    for i in 0..count {
        c.send(format!("SUB foo.{i} {}\r\n", i + 10)).await;
    }
    c.flush().await;
}

async fn subsz_page(server: &Server, total: u64) {
    let subsz = server.subsz("subs=1&offset=10&limit=100").await;
    for (field, value) in
        [("num_subscriptions", total), ("total", total), ("offset", 10), ("limit", 100)]
    {
        assert_eq!(subsz[field], value, "{field}");
    }
    assert_eq!(subsz["subscriptions_list"].as_array().unwrap().len(), 100);
}

async fn subsz_by_pages(cx: Cx) {
    let server = cx.server(QUIET).await;
    let mut c = active(&server).await;
    subscribe_many(&mut c, 200).await;
    subsz_page(&server, 200).await;
    for query in [format!("offset={}&limit=1", i64::MAX), format!("offset={0}&limit={0}", i64::MAX)]
    {
        let subsz = server.subsz(&format!("subs=1&{query}")).await;
        assert_eq!(subsz["total"], 200);
        assert!(subsz.get("subscriptions_list").is_none());
    }
}

async fn subsz_by_account(cx: Cx) {
    crate::exercises!("gap_areas", "10.2");
    let server = cx.server(ACCOUNTS).await;
    let mut clients = Vec::new();
    for name in ["a", "b"] {
        let mut c = active_as(&server, json!({"user": name, "pass": name})).await;
        c.send(THREE_SUBS).await;
        c.flush().await;
        clients.push(c);
    }
    let accounts = |subsz: &Value| {
        let subs = subsz["subscriptions_list"].as_array().unwrap();
        let mut names: Vec<_> = subs.iter().map(|s| s["account"].clone()).collect();
        names.sort_by_key(|name| name.to_string());
        names
    };
    let subsz = server.subsz("subs=1").await;
    assert_eq!((&subsz["num_subscriptions"], &subsz["total"]), (&json!(6), &json!(6)));
    assert_eq!(accounts(&subsz), ["A", "A", "A", "B", "B", "B"]);
    let subsz = server.subsz("subs=1&acc=A").await;
    assert_eq!((&subsz["num_subscriptions"], &subsz["total"]), (&json!(3), &json!(3)));
    assert_eq!(accounts(&subsz), ["A", "A", "A"]);
    assert_eq!(server.subsz("acc=none").await["num_subscriptions"], 0);
}

async fn subsz_of_two_accounts_by_pages(cx: Cx) {
    let server = cx.server(ACCOUNTS).await;
    let mut a = active_as(&server, json!({"user": "a", "pass": "a"})).await;
    subscribe_many(&mut a, 200).await;
    let mut b = active_as(&server, json!({"user": "b", "pass": "b"})).await;
    subscribe_many(&mut b, 200).await;
    subsz_page(&server, 400).await;
}

async fn the_index_links_to_the_rest(cx: Cx) {
    crate::exercises!("http_endpoints", "/");
    let server = cx.server(QUIET).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.is_ascii());
    for name in [
        "varz", "jsz", "connz", "accountz", "accstatz", "subsz", "routez", "leafz", "gatewayz",
        "raftz", "healthz",
    ] {
        assert!(page.body.contains(&format!("href=./{name}")), "{name}");
    }
}

async fn connz_shows_names(cx: Cx) {
    let server = cx.server(QUIET).await;
    let _c = active_as(&server, json!({"name": "<test> & client"})).await;
    let response = server.get("/connz").await;
    assert_eq!(texts(&response.json(), "name"), ["<test> & client"]);
    assert!(response.body.contains(r#""name": "\u003ctest\u003e \u0026 client""#));
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

async fn many_ask_at_once(cx: Cx) {
    let server = cx.server(QUIET).await;
    let ask = async |path: &str| {
        for _ in 0..20 {
            let response = server.get(path).await;
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-type"), Some("application/json"));
            assert_eq!(response.header("access-control-allow-origin"), Some("*"));
            response.json();
        }
    };
    let asked = ["/varz", "/varz", "/varz", "/connz", "/connz", "/subsz", "/subsz", "/routez"];
    futures_util::future::join_all(asked.map(ask)).await;
}

async fn monitoring_ends_with_the_server(cx: Cx) {
    let mut server = cx.server(QUIET).await;
    assert_eq!(server.get("/varz").await.status, 200);
    let port = server.port_of("monitoring");
    server.stop().await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
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

async fn every_endpoint_names_the_server(cx: Cx) {
    let server = cx.server(QUIET).await;
    let id = server.raw().await.info().await["server_id"].clone();
    for path in [
        "/varz",
        "/connz",
        "/routez",
        "/subsz",
        "/gatewayz",
        "/leafz",
        "/accountz",
        "/accstatz",
        "/jsz",
    ] {
        assert_eq!(server.json(path).await["server_id"], id, "{path}");
    }
}

async fn requests_are_counted(cx: Cx) {
    let server = cx.server(QUIET).await;
    assert_eq!(server.varz().await["http_req_stats"], json!({"/varz": 1}));
    for path in [
        "/",
        "/connz",
        "/connz",
        "/connz?sort=bad",
        "/connz?limit=bad",
        "/subscriptionsz",
        "/routez",
        "/leafz",
        "/gatewayz",
        "/accountz",
        "/accstatz",
        "/jsz",
        "/healthz",
        "/none",
    ] {
        server.get(path).await;
    }
    let expected = json!({
        "/": 1, "/accountz": 1, "/accstatz": 1, "/connz": 3, "/gatewayz": 1, "/healthz": 1,
        "/jsz": 1, "/leafz": 1, "/routez": 1, "/subsz": 1, "/varz": 2,
    });
    assert_eq!(server.varz().await["http_req_stats"], expected);
}

async fn what_is_off_is_empty(cx: Cx) {
    let server = cx.server(QUIET).await;
    let body = server.get("/varz").await.body;
    for name in ["cluster", "gateway", "leaf", "mqtt", "websocket", "jetstream"] {
        assert!(body.contains(&format!("\n  \"{name}\": {{}},\n")), "{name}");
    }
}

async fn accounts(cx: Cx) {
    let server = cx.server("").await;
    let id = server.varz().await["server_id"].clone();
    let accountz = server.json("/accountz").await;
    assert_eq!((&accountz["server_id"], &accountz["system_account"]), (&id, &json!("$SYS")));
    let mut names: Vec<_> = accountz["accounts"].as_array().unwrap().clone();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, ["$G", "$SYS"]);
    let system = server.json("/accountz?acc=$SYS").await;
    assert!(system.get("accounts").is_none());
    let detail = &system["account_detail"];
    for field in ["account_name", "name_tag"] {
        assert_eq!(detail[field], "$SYS");
    }
    for (field, value) in [("is_system", true), ("complete", true), ("expired", false)] {
        assert_eq!(detail[field], value);
    }
    assert_eq!(server.json("/accstatz").await["account_statz"], json!([]));
    let mut c = active(&server).await;
    c.send("SUB foo 9\r\n").await;
    c.flush().await;
    let statz = server.json("/accstatz").await;
    let stat = &statz["account_statz"][0];
    let traffic = json!({
        "msgs": 1, "bytes": 5, "gateways": {"msgs": 0, "bytes": 0},
        "routes": {"msgs": 0, "bytes": 0}, "leafs": {"msgs": 0, "bytes": 0},
    });
    assert_eq!((&stat["acc"], &stat["name"]), (&json!("$G"), &json!("$G")));
    for (field, value) in [("conns", 1), ("leafnodes", 0), ("total_conns", 1)] {
        assert_eq!(stat[field], value, "{field}");
    }
    assert_eq!((&stat["sent"], &stat["received"]), (&traffic, &traffic));
    let all = server.json("/accstatz?unused=1").await;
    assert_eq!(all["account_statz"].as_array().unwrap().len(), 2);
}

async fn healthy(cx: Cx) {
    let server = cx.server(QUIET).await;
    for query in [
        "",
        "?js-enabled-only=true",
        "?js-server-only=true",
        "?js-enabled=1",
        "?details=1",
        "?account=A",
        "?account=A&stream=S",
    ] {
        let response = server.get(&format!("/healthz{query}")).await;
        assert_eq!(
            (response.status, response.body.as_str()),
            (200, r#"{"status":"ok"}"#),
            "{query}"
        );
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    for (query, missing, of) in
        [("stream=S", "account", "stream"), ("consumer=C", "stream", "consumer")]
    {
        let error = format!(r#"\"{missing}\" must not be empty when checking {of} health"#);
        let response = server.get(&format!("/healthz?{query}")).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.body, format!(r#"{{"status":"error","error":"{error}"}}"#));
        let response = server.get(&format!("/healthz?details=true&{query}")).await;
        assert_eq!(response.status, 400);
        let errors = format!(r#"[{{"type":"BAD_REQUEST","error":"{error}"}}]"#);
        assert_eq!(response.body, format!(r#"{{"status":"error","errors":{errors}}}"#));
    }
    server.log_line("Healthcheck: js-enabled deprecated, use js-enabled-only instead").await;
    server.log_line("Healthcheck failed: 1 errors").await;
}

async fn unhealthy_without_a_listener(cx: Cx) {
    let server = cx.server("no_system_account: true\nlame_duck_grace_period: 5s").await;
    let _c = active(&server).await;
    server.signal(rustix::process::Signal::USR2);
    server.log_line("Entering lame duck mode").await;
    eventually(PATIENCE, async || server.get("/healthz").await.status == 500).await;
    let response = server.get("/healthz").await;
    let error = "failed to be ready for connections after 1ms: server";
    assert_eq!(response.body, format!(r#"{{"status":"error","error":"{error}"}}"#));
    let response = server.get("/healthz?details=1").await;
    let errors = format!(r#"[{{"type":"CONNECTION","error":"{error}"}}]"#);
    assert_eq!(response.body, format!(r#"{{"status":"error","errors":{errors}}}"#));
}

async fn no_jetstream(cx: Cx) {
    let server = cx.server("").await;
    assert_eq!(server.json("/jsz").await["disabled"], true);
    assert_bad(&server.get("/jsz?leader-only=1").await, "filtered response: not leader");
    let raft = server.get("/raftz").await;
    assert_eq!((raft.status, raft.body.as_str()), (404, "No Raft nodes registered"));
}

async fn https_follows_reloads(cx: Cx) {
    let authority = Authority::new(cx.dir(), "ca");
    let (first, second) = (authority.issue(&["127.0.0.1"]), authority.issue(&["127.0.0.1"]));
    let config = |id: &Identity, extra: &str| {
        format!(
            "https: 127.0.0.1:-1\n{extra}tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify_and_map: true }}",
            id.cert,
            id.key,
            authority.ca()
        )
    };
    let server = cx.server(&config(&first, "")).await;
    let tls = TlsClient::new();
    let varz = server.get_tls(&tls, "/varz").await.json();
    assert_eq!(varz["https_port"], -1);
    assert!(server.ports()["monitoring"][0].as_str().unwrap().starts_with("https://"));
    server.log_line("Starting https monitor on 127.0.0.1:").await;
    let ends = varz["tls_cert_not_after"].clone();
    let port = format!("listen: 127.0.0.1:{}\n", server.port());
    server.reload(&config(&second, &port)).await;
    let varz = server.get_tls(&tls, "/varz").await.json();
    assert!(varz["tls_cert_not_after"].is_string() && ends.is_string());
}

async fn metadata_and_feature_flags(cx: Cx) {
    let config = "server_name: S
server_tags: [\"Tag\", \"az:1\"]
server_metadata { key1: value1, key2: value2 }
feature_flags { js_ack_fc_v2: true, feature: false }";
    let server = cx.server(config).await;
    let varz = server.varz().await;
    assert_eq!(varz["server_name"], "S");
    assert_eq!(varz["tags"], json!(["tag", "az:1"]));
    assert_eq!(varz["metadata"], json!({"key1": "value1", "key2": "value2"}));
    assert_eq!(varz["feature_flags"]["js_ack_fc_v2"], true);
    assert_eq!(varz["feature_flags"]["js_raft_delete_range"], true);
    assert!(varz["feature_flags"].get("feature").is_none());
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

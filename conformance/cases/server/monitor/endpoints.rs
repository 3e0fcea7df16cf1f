//! The endpoints as such, and what they say of the server.

use super::seen::{QUIET, active, assert_bad, time};
use crate::Cx;
use crate::kit::tls::{Authority, Identity, TlsClient};
use crate::kit::{PATIENCE, eventually};
use nats_server::monitor::json::uptime;
use serde_json::json;

crate::cases! {
    "server/monitor_test.go",
    library uptimes_read_well => ["TestMyUptime"],
    wire nobody_asked_for_monitoring => ["TestMonitorNoPort"],
    wire below_a_base_path => ["TestMonitorHTTPBasePath"],
    wire subscriptions_are_not_added_up => ["TestMonitorVarzSubscriptionsResetProperly"],
    wire varz_under_reloads => ["TestMonitorVarzReloadRace", "TestMonitorVarzRaces"],
    wire bad_parameters => ["TestMonitorConnzBadParams", "TestMonitorConnzSortBadRequest", "TestMonitorRoutezWithBadParams"],
    wire the_index_links_to_the_rest => ["TestMonitorHandleRoot"],
    wire many_ask_at_once => ["TestMonitorConcurrentMonitoring"],
    wire monitoring_ends_with_the_server => ["TestMonitorHandler"],
    wire every_endpoint_names_the_server => ["TestMonitorServerIDs"],
    wire requests_are_counted => ["TestMonitorHttpStatsNoUpdatedWhenUsingServerFuncs"],
    wire what_is_off_is_empty => ["TestMonitorClusterEmptyWhenNotDefined", "TestMonitorMQTT", "TestMonitorWebsocket"],
    wire accounts => ["TestMonitorAccountz", "TestMonitorAccountStatz"],
    wire healthy => ["TestMonitorHealthzStatusOK"],
    wire unhealthy_without_a_listener => ["TestMonitorHealthzStatusError"],
    wire no_jetstream => ["TestMonitorJszNonJszServer"],
    wire https_follows_reloads => ["TestMonitorReloadTLSConfig"],
    wire metadata_and_feature_flags => ["TestMonitorVarzMetadata", "TestMonitorVarzFeatureFlags"],
    not_applicable "TestMonitorStacksz" => "asks for the stacks of goroutines; a Rust server has none (docs/deviations.md)",
    not_applicable "TestMonitorIpqzWithGenerics" => "checks that a Go generic type is seen through an interface assertion",
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

//! What INFO tells of the server.

use regex::Regex;
use serde_json::Value;

use crate::Cx;
use crate::kit::Server;

crate::cases! {
    "server/server_test.go",
    wire the_name_is_the_id_unless_given => ["TestInfoServerNameDefaultsToPK"],
    wire the_name_that_was_given => ["TestInfoServerNameIsSettable"],
    wire an_advertised_address_replaces_the_real_one => ["TestClientAdvertiseConnectURL"],
    wire the_commit_has_seven_letters => ["TestBuildinfoFormatRevision"],
}

async fn info(server: &Server) -> Value {
    server.raw().await.info().await
}

async fn the_name_is_the_id_unless_given(cx: Cx) {
    let server = cx.server("client_advertise: nats.example.com").await;
    let info = info(&server).await;
    let id = info["server_id"].as_str().unwrap();
    assert!(id.len() == 56 && id.starts_with('N'), "{id}");
    assert_eq!(info["server_name"], id);
    let log = server.log();
    assert!(
        log.contains(&format!("  Name:     {id}\n"))
            && log.contains(&format!("  ID:       {id}\n"))
    );
    // The key to encrypt to this server with.
    let xkey = info["xkey"].as_str().unwrap();
    assert!(xkey.len() == 56 && xkey.starts_with('X'), "{xkey}");
    nats_server::auth::nkey::PublicKey::parse(xkey).expect("a key");
    assert_eq!((info["proto"].as_i64(), info["headers"].as_bool()), (Some(1), Some(true)));
}

async fn the_name_that_was_given(cx: Cx) {
    crate::exercises!("config_keys", "top|server_name");
    let by_file = cx.server("server_name: test_server_name").await;
    let by_flag = cx.server_args(&["-a", "127.0.0.1", "-p", "-1", "-n", "test_server_name"]).await;
    for server in [by_file, by_flag] {
        let info = info(&server).await;
        assert_eq!(info["server_name"], "test_server_name");
        assert_ne!(info["server_id"], "test_server_name");
        assert!(server.log().contains("  Name:     test_server_name\n"));
    }
}

async fn an_advertised_address_replaces_the_real_one(cx: Cx) {
    let server = cx.server("client_advertise: nats.example.com").await;
    let told = info(&server).await;
    assert_eq!(told["host"], "nats.example.com");
    assert_eq!(told["port"], server.port());
    for (advertise, host, port) in [
        ("nats.example.com:7777", "nats.example.com", 7777),
        ("[2001:db8::1]:7778", "2001:db8::1", 7778),
        (" nats.example.com : 7779 ", "nats.example.com", 7779),
    ] {
        let server = cx.server(&format!("client_advertise: '{advertise}'")).await;
        let told = info(&server).await;
        assert_eq!((told["host"].as_str(), told["port"].as_i64()), (Some(host), Some(port)));
    }
    // 0 and -1 are the real port.
    for port in [0, -1] {
        let server = cx.server(&format!("client_advertise: 'nats.example.com:{port}'")).await;
        let told = info(&server).await;
        assert_eq!(told["host"], "nats.example.com");
        assert_eq!(told["port"], server.port());
    }
}

/// A build that knows no commit says so in the log and leaves it out elsewhere.
async fn the_commit_has_seven_letters(cx: Cx) {
    let server = cx.server("").await;
    let log = server.log();
    let git = Regex::new(r"  Git:      \[(.*)\]\n").unwrap();
    let logged = &git.captures(&log).expect("a line with the commit")[1];
    let info = info(&server).await;
    match info.get("git_commit").map(|commit| commit.as_str().unwrap()) {
        Some(commit) => {
            assert!(Regex::new("^[0-9a-f]{7}$").unwrap().is_match(commit), "{commit}");
            assert_eq!(logged, commit);
        }
        None => assert_eq!(logged, "not set"),
    }
}

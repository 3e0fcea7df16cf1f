//! Clients to be seen in monitoring, and what is read of its documents.

use crate::kit::tls::Identity;
use crate::kit::{PATIENCE, Raw, Response, Server, eventually};
use serde_json::{Value, json};

pub(super) const QUIET: &str = "no_system_account: true";

pub(super) const ACCOUNTS: &str = "no_system_account: true
accounts { A { users: [{user: a, password: a}] }, B { users: [{user: b, password: b}] } }";

/// A client that subscribed, heard one message of five bytes, and unsubscribed.
pub(super) async fn active(server: &Server) -> Raw {
    active_as(server, json!({})).await
}

pub(super) async fn active_as(server: &Server, who: Value) -> Raw {
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

pub(super) async fn several(server: &Server, count: usize) -> Vec<Raw> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(active(server).await);
    }
    clients
}

pub(super) fn list(document: &Value) -> &Vec<Value> {
    document["connections"].as_array().unwrap_or_else(|| panic!("no connections: {document}"))
}

pub(super) fn numbers(document: &Value, field: &str) -> Vec<u64> {
    let number = |c: &Value| c[field].as_u64().unwrap_or_else(|| panic!("{field}: {c}"));
    list(document).iter().map(number).collect()
}

pub(super) fn texts(document: &Value, field: &str) -> Vec<String> {
    list(document).iter().map(|c| c[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// Go's texts of points in time, made to compare as text: nanoseconds without their zeros.
pub(super) fn time(text: &str) -> String {
    let (seconds, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((text, ""));
    format!("{}.{fraction:0<9}", seconds.trim_end_matches('Z'))
}

pub(super) fn times(document: &Value, field: &str) -> Vec<String> {
    texts(document, field).iter().map(|text| time(text)).collect()
}

/// Seconds of `350ns`, `1.5µs`, `3ms` or `2s`.
pub(super) fn seconds(text: &str) -> f64 {
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

pub(super) fn assert_descending<T: PartialOrd + std::fmt::Debug>(values: &[T]) {
    assert!(values.is_sorted_by(|a, b| a >= b), "not descending: {values:?}");
}

pub(super) fn assert_bad(response: &Response, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (400, body));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

pub(super) async fn wait_for_closed(server: &Server, count: usize) -> Value {
    eventually(PATIENCE, async || {
        server.connz("state=closed").await["num_connections"] == count
            && server.varz().await["connections"] == 0
    })
    .await;
    server.connz("state=closed").await
}

pub(super) fn tls_config(id: &Identity) -> String {
    format!("tls {{ cert_file: {:?}, key_file: {:?}, timeout: 1.5 }}", id.cert, id.key)
}

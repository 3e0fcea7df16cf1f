use serde_json::{Value, json};

use crate::Cx;
use crate::kit::{PATIENCE, eventually};

crate::cases! {
    "server/monitor_test.go",
    wire documents_have_upstreams_fields => [],
}

/// A field that upstream's structs declare.
struct Field {
    path: &'static str,
    go_type: &'static str,
    omitempty: bool,
}

fn declared(endpoint: &str) -> Vec<Field> {
    let rows = include_str!("../../upstream/http_fields.tsv").lines();
    rows.filter_map(|row| {
        let columns: Vec<&str> = row.split('\t').collect();
        (columns[0] == endpoint).then(|| Field {
            path: columns[1],
            go_type: columns[2],
            omitempty: columns[3] == "yes",
        })
    })
    .collect()
}

/// Whether a value is what Go makes of that type.
fn fits(value: &Value, go_type: &str) -> bool {
    let bare = go_type.trim_start_matches('*');
    match bare {
        "string" | "time.Time" => value.is_string(),
        "bool" => value.is_boolean(),
        "float64" => value.is_number(),
        "int" | "int32" | "int64" | "time.Duration" => value.is_i64(),
        "uint16" | "uint32" | "uint64" => value.is_u64(),
        "HealthZErrorType" | "ExportType" => value.is_string(),
        _ if bare.ends_with("Subject") => value.is_string(),
        _ if bare.starts_with("[]") || bare.ends_with("TagList") => value.is_array(),
        _ => value.is_object(),
    }
}

/// Every field is declared and of its type, in the order declared, and none is missing.
fn check(fields: &[Field], path: &str, value: &Value) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| check(fields, &format!("{path}[]"), item));
        return;
    }
    let Value::Object(object) = value else { return };
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let mut own: Vec<(&str, &Field)> = fields
        .iter()
        .filter_map(|field| Some((field.path.strip_prefix(&prefix)?, field)))
        .filter(|(name, _)| !name.contains('.') && !name.ends_with("[]"))
        .collect();
    // A field hides one of its name in a struct that is embedded before it.
    let names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    let mut at = 0;
    own.retain(|(name, _)| {
        at += 1;
        !names[at..].contains(name)
    });
    // The keys of a map are anything.
    if own.is_empty() || own[0].0 == "<key>" {
        return;
    }
    let expected: Vec<&str> = own
        .iter()
        .filter(|(name, field)| object.contains_key(*name) || !field.omitempty)
        .map(|(name, _)| *name)
        .collect();
    let found: Vec<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(found, expected, "fields of {path:?}");
    for (name, field) in own {
        if let Some(value) = object.get(name) {
            let path = format!("{prefix}{name}");
            assert!(fits(value, field.go_type), "{path}: {} is not {value}", field.go_type);
            check(fields, &path, value);
        }
    }
}

async fn documents_have_upstreams_fields(cx: Cx) {
    crate::exercises!("http_fields", "/varz|server_id", "/connz|connections[].cid");
    let config = "server_name: N
max_subscriptions: 50
write_timeout: retry
server_tags: [one, two]
server_metadata { key: value }
mappings { from: to }
accounts { A { users: [{user: a, password: a}] } }";
    let server = cx.server(config).await;
    let user = |name: &str| json!({"user": "a", "pass": "a", "name": name, "lang": "rust", "version": "1.0.0", "verbose": false});
    let mut gone = server.raw().await;
    gone.connect(user("gone")).await;
    gone.send("SUB foo workers 1\r\nUNSUB 1 5\r\n").await;
    gone.flush().await;
    drop(gone);
    eventually(PATIENCE, async || server.connz("state=closed").await["total"] == 1).await;
    let mut c = server.raw().await;
    c.connect(user("here")).await;
    c.send("SUB foo workers 1\r\nUNSUB 1 5\r\nPUB foo 2\r\nhi\r\n").await;
    c.expect("MSG foo 1 2\r\nhi\r\n").await;
    c.flush().await;
    for request in [
        "/varz",
        "/connz?subs=detail&state=any&auth=1",
        "/connz?subs=1&state=any",
        "/subsz?subs=1&acc=A",
        "/accountz",
        "/accountz?acc=A",
        "/accountz?acc=$G",
        "/accstatz?unused=1",
        "/routez",
        "/gatewayz",
        "/leafz",
        "/jsz",
        "/healthz",
    ] {
        let endpoint = request.split('?').next().unwrap();
        check(&declared(endpoint), "", &server.json(request).await);
    }
    let unhealthy = server.get("/healthz?details=1&stream=S").await.json();
    check(&declared("/healthz"), "", &unhealthy);
}

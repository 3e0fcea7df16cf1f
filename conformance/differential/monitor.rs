//! Requests to the monitoring port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::process::Place;
use super::{Answer, Suite, Work};

/// Requests to one server.
pub(crate) struct Monitor {
    config: &'static str,
    requests: &'static [&'static str],
}

/// Method and path of each request.
const REQUESTS: &[&str] = &[
    "GET /",
    "GET /varz",
    "GET /connz",
    "GET /subsz",
    "GET /subscriptionsz",
    "GET /healthz",
    "GET /stacksz",
    "GET /nosuch",
    "GET /varz/",
    "GET //varz",
    "GET /VARZ",
    "HEAD /varz",
    "POST /varz",
    "GET /varz?mode=1",
    "GET /varz?callback=cb",
    "GET /connz?subs=1",
    "GET /connz?subs=detail",
    "GET /connz?subs=bad",
    "GET /connz?auth=1",
    "GET /connz?auth=x",
    "GET /connz?sort=cid",
    "GET /connz?sort=bad",
    "GET /connz?sort=stop",
    "GET /connz?sort=rtt",
    "GET /connz?state=open",
    "GET /connz?state=closed",
    "GET /connz?state=any",
    "GET /connz?state=bad",
    "GET /connz?limit=1",
    "GET /connz?limit=x",
    "GET /connz?limit=-1",
    "GET /connz?offset=5",
    "GET /connz?offset=x",
    "GET /connz?cid=999",
    "GET /connz?cid=x",
    "GET /connz?user=a",
    "GET /connz?acc=$G",
    "GET /connz?acc=none",
    "GET /connz?mqtt_client=x",
    "GET /connz?filter_subject=a",
    "GET /subsz?subs=1",
    "GET /subsz?subs=x",
    "GET /subsz?offset=x",
    "GET /subsz?limit=x",
    "GET /subsz?test=foo",
    "GET /subsz?test=a..b",
    "GET /subsz?test=*",
    "GET /subsz?acc=$G",
    "GET /healthz?js-enabled=true",
    "GET /healthz?js-enabled-only=true",
    "GET /healthz?js-server-only=true",
    "GET /healthz?js-enabled-only=x",
    "GET /healthz?details=true",
    "GET /healthz?account=x",
    "GET /healthz?stream=x",
    "GET /healthz?consumer=x",
];

pub(super) fn suites() -> Vec<Suite> {
    [
        ("plain", "http: \"127.0.0.1:-1\"\n"),
        ("base_path", "http: \"127.0.0.1:-1\"\nhttp_base_path: nats\n"),
        (
            "users",
            "http: \"127.0.0.1:-1\"\nauthorization { users: [ { user: a, password: b } ] }\n",
        ),
    ]
    .into_iter()
    .map(|(name, config)| {
        let work = Work::Monitor(Monitor { config, requests: REQUESTS });
        Suite { name: format!("monitor::{name}"), work }
    })
    .collect()
}

pub(super) fn ask(
    monitor: &Monitor,
    place: &Place,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Answer>, String> {
    let config = format!("listen: \"127.0.0.1:-1\"\n{}", monitor.config);
    let server = place.start(&config, &[])?;
    let addr = server.monitor.ok_or("the ports file names no monitoring port")?;
    let prefixes: &[&str] =
        if monitor.config.contains("base_path") { &["", "/nats"] } else { &[""] };
    let mut answers = Vec::new();
    for (request, prefix) in
        monitor.requests.iter().flat_map(|request| prefixes.iter().map(move |p| (request, p)))
    {
        let request = request.replacen(" /", &format!(" {prefix}/"), 1);
        if wanted(&request) {
            let text = exchange(addr, &request).unwrap_or_else(|error| format!("{error}\n"));
            answers.push(Answer { script: request.clone(), asked: request, text });
        }
    }
    Ok(answers)
}

fn exchange(addr: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut shown = String::new();
    for (index, line) in head.lines().enumerate() {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        if index == 0 || ["content-type", "access-control-allow-origin"].contains(&name.as_str()) {
            shown.push_str(&format!("{line}\n"));
        }
    }
    // Chunks are how a body came, not what it says.
    let json = body.find(['{', '[']).and_then(|from| {
        let joined = unchunked(head, body).unwrap_or_else(|| body[from..].to_owned());
        serde_json::from_str::<Value>(joined.trim()).ok()
    });
    match json {
        Some(document) => shape(&document, "", &mut shown),
        None => {
            let body = unchunked(head, body).unwrap_or_else(|| body.to_owned());
            if !body.contains("goroutine") {
                shown.push_str(&body);
                shown.push('\n');
            }
        }
    }
    Ok(shown)
}

fn unchunked(head: &str, body: &str) -> Option<String> {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return Some(body.to_owned());
    }
    let (mut rest, mut text) = (body, String::new());
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(text);
        }
        text.push_str(after.get(..size)?);
        rest = after.get(size + 2..)?;
    }
}

/// The fields of a document in their order and the types of their values; the values of those
/// that do not depend on the machine, the build or the time.
fn shape(value: &Value, path: &str, shown: &mut String) {
    // Where a build knows it; where the system account is asked.
    if path.ends_with(".git_commit") || path.ends_with(".xkey") {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(value, &format!("{path}.{name}"), shown);
            }
        }
        Value::Array(items) => {
            shown.push_str(&format!("{path}: array of {}\n", items.len()));
            items.iter().for_each(|item| shape(item, &format!("{path}[]"), shown));
        }
        Value::Bool(value) => shown.push_str(&format!("{path}: {value}\n")),
        Value::Null => shown.push_str(&format!("{path}: null\n")),
        Value::Number(_) if volatile(path) => shown.push_str(&format!("{path}: <number>\n")),
        Value::Number(value) => shown.push_str(&format!("{path}: {value}\n")),
        Value::String(_) if volatile(path) => shown.push_str(&format!("{path}: <string>\n")),
        Value::String(value) => shown.push_str(&format!("{path}: {value:?}\n")),
    }
}

fn volatile(path: &str) -> bool {
    const NAMES: &[&str] = &[
        "server_id",
        "server_name",
        "git_commit",
        "go",
        "port",
        "start",
        "now",
        "uptime",
        "mem",
        "cores",
        "gomaxprocs",
        "gomemlimit",
        "cpu",
        "config_load_time",
        "config_digest",
        "xkey",
        "http_req_stats",
        "/",
        "/varz",
        "/connz",
        "/subsz",
        "/healthz",
        "/stacksz",
        "slow_consumers",
        "total_connections",
        // The system account's own services are among them.
        "subscriptions",
        "num_subscriptions",
        "num_cache",
        "num_inserts",
        "num_removes",
        "num_matches",
        "cache_hit_rate",
        "max_fanout",
        "avg_fanout",
    ];
    let name = path.rsplit('.').next().unwrap_or_default();
    NAMES.contains(&name) || path.contains("http_req_stats")
}

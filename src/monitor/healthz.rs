//! `/healthz`: whether the server does what it is there for.

use super::Monitor;
use super::query::Query;
use super::reply::{Refusal, Reply};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::atomic::Ordering;

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    r#type: &'static str,
    error: String,
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/healthz");
    let log = &monitor.ctx.hub.log;
    if query.bool("js-enabled")? {
        log.warn(format_args!("Healthcheck: js-enabled deprecated, use js-enabled-only instead"));
    }
    for name in ["js-enabled-only", "js-server-only", "js-meta-only"] {
        query.bool(name)?;
    }
    let details = query.bool("details")?;
    let Some((code, kind, error)) = problem(monitor, query) else {
        let health = Health { status: "ok", error: String::new(), errors: Vec::new() };
        return Ok(Reply::json_line(StatusCode::OK, &health));
    };
    let health = if details {
        log.warn(format_args!("Healthcheck failed: 1 errors"));
        let errors = vec![Problem { r#type: kind, error }];
        Health { status: "error", error: String::new(), errors }
    } else {
        log.warn(format_args!("Healthcheck failed: {error:?}"));
        Health { status: "error", error, errors: Vec::new() }
    };
    Ok(Reply::json_line(code, &health))
}

/// Status, kind and description of what is wrong, if anything is. The parameters are checked
/// first: they are wrong whether or not there is JetStream to ask about.
fn problem(monitor: &Monitor, query: &Query) -> Option<(StatusCode, &'static str, String)> {
    let missing = |name: &str, what: &str| {
        let text = format!("\"{name}\" must not be empty when checking {what} health");
        Some((StatusCode::BAD_REQUEST, "BAD_REQUEST", text))
    };
    if query.text("account").is_empty() && !query.text("stream").is_empty() {
        return missing("account", "stream");
    }
    if query.text("stream").is_empty() && !query.text("consumer").is_empty() {
        return missing("stream", "consumer");
    }
    let listens = !monitor.ctx.settings.load().options.dont_listen;
    if listens && !monitor.accepting.load(Ordering::Acquire) {
        let text = "failed to be ready for connections after 1ms: server".to_owned();
        return Some((StatusCode::INTERNAL_SERVER_ERROR, "CONNECTION", text));
    }
    None
}

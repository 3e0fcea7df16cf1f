//! `exports` of an account. Go: parseExportStreamOrService, parseServiceLatency.

use super::{Export, ExportKind, ServiceLatency, ServiceResponse};
use crate::conf::ValueKind;
use crate::config::go::{Plain, parse_int, quote};
use crate::config::read::{ConfigError, Cx, Item, entries};
use std::time::Duration;

/// A list of exports.
pub(super) fn parse(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Vec<Export>, ConfigError> {
    let items =
        item.array_or(|| format!("Exports should be an array, got {}", item.type_name()))?;
    Ok(items
        .into_iter()
        .filter_map(|item| cx.check_with(|cx| export(item, cx)).flatten())
        .collect())
}

/// Keys of an export as far as read.
#[derive(Default)]
struct Draft<'a> {
    stream: Option<String>,
    service: Option<String>,
    response: Option<ServiceResponse>,
    threshold: Option<Duration>,
    latency: Option<ServiceLatency>,
    allow_trace: Option<bool>,
    accounts: Option<Vec<String>>,
    position: u32,
    /// Keys that only services have, where they stand.
    service_only: Vec<(&'static str, Item<'a>)>,
}

/// One export; `None` if it names neither stream nor service.
fn export(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Option<Export>, ConfigError> {
    let map = item.map_or(|| {
        format!("Export Items should be a map with type entry, got {}", item.type_name())
    })?;
    let mut draft = Draft::default();
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, &mut draft, cx));
    }
    let kind = match (&draft.stream, &draft.service) {
        (Some(_), _) => ExportKind::Stream,
        (None, Some(_)) => ExportKind::Service {
            response: draft.response.unwrap_or_default(),
            threshold: draft.threshold.unwrap_or_default(),
            latency: draft.latency,
            allow_trace: draft.allow_trace.unwrap_or_default(),
        },
        (None, None) => return Ok(None),
    };
    Ok(Some(Export {
        subject: draft.stream.or(draft.service).unwrap_or_default(),
        accounts: draft.accounts,
        account_token_position: draft.position,
        kind,
    }))
}

fn field<'a>(entry: Item<'a>, draft: &mut Draft<'a>, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let value = || quote(&Plain(entry.kind()).to_string());
    let only_service = |draft: &Draft<'_>, what: &str| match draft.stream {
        Some(_) => Err(entry.error(format!("Detected {what} directive on non-service"))),
        None => Ok(()),
    };
    match entry.key().as_str() {
        "stream" => {
            if draft.service.is_some() {
                let message = format!("Detected stream {} but already saw a service", value());
                return Err(entry.error(message));
            }
            if let Some((what, place)) = draft.service_only.first() {
                return Err(place.error(format!("Detected {what} directive on non-service")));
            }
            draft.stream = Some(subject(entry, "stream")?);
        }
        "service" => {
            if draft.stream.is_some() {
                let message = format!("Detected service {} but already saw a stream", value());
                return Err(entry.error(message));
            }
            draft.service = Some(subject(entry, "service")?);
        }
        "response" | "response_type" => {
            if draft.response.is_some() {
                return Err(entry.error("Duplicate response type definition"));
            }
            draft.service_only.push(("response", entry));
            draft.response = Some(response(entry)?);
            only_service(draft, "response")?;
        }
        "threshold" | "response_threshold" | "response_max_time" | "response_time" => {
            if draft.threshold.is_some() {
                return Err(entry.error("Duplicate response threshold detected"));
            }
            let expected = "Expected response threshold to be a parseable time duration, got ";
            let text = entry
                .string()
                .map_err(|_| entry.error(format!("{expected}{}", entry.type_name())))?;
            let threshold = entry
                .duration("")
                .map_err(|_| entry.error(format!("{expected}{}", quote(text))))?;
            draft.threshold = Some(threshold.to_std());
            only_service(draft, "response")?;
        }
        "accounts" => draft.accounts = Some(entry.string_list()?),
        "latency" => {
            draft.service_only.push(("latency", entry));
            draft.latency = Some(latency(entry)?);
            only_service(draft, "latency")?;
        }
        "account_token_position" => {
            draft.position = u32::try_from(entry.integer()?).unwrap_or(u32::MAX);
        }
        "allow_trace" => {
            draft.allow_trace = Some(entry.boolean()?);
            draft.service_only.push(("allow_trace", entry));
            only_service(draft, "allow_trace")?;
        }
        _ => cx.unknown(entry),
    }
    Ok(())
}

fn subject(entry: Item<'_>, what: &str) -> Result<String, ConfigError> {
    entry.text().map_err(|_| {
        entry.error(format!("Expected {what} name to be string, got {}", entry.type_name()))
    })
}

fn response(entry: Item<'_>) -> Result<ServiceResponse, ConfigError> {
    let text = entry.string().map_err(|_| {
        entry.error(format!("Expected response type to be string, got {}", entry.type_name()))
    })?;
    match text.to_lowercase().as_str() {
        "single" | "singleton" => Ok(ServiceResponse::Singleton),
        "stream" => Ok(ServiceResponse::Stream),
        "chunk" | "chunked" => Ok(ServiceResponse::Chunked),
        _ => Err(entry.error(format!("Unknown response type: {}", quote(text)))),
    }
}

fn latency(item: Item<'_>) -> Result<ServiceLatency, ConfigError> {
    let map = match item.kind() {
        ValueKind::String(subject) => {
            return Ok(ServiceLatency { sampling: 100, subject: subject.clone() });
        }
        ValueKind::Map(map) => map,
        _ => {
            return Err(item.error(format!(
                "Expected latency entry to be a map/struct or string, got {}",
                item.type_name()
            )));
        }
    };
    let find = |name: &str| entries(map).find(|entry| entry.name == name);
    let sampling = find("sampling").map_or(Ok(100), sampling)?;
    let Some(subject) = find("subject") else {
        return Err(item.error("Latency subject required, but missing"));
    };
    // Upstream names the type of its own variable here.
    let text = subject
        .text()
        .map_err(|_| subject.error("Expected latency subject to be a string, got string"))?;
    Ok(ServiceLatency { sampling, subject: text })
}

fn sampling(item: Item<'_>) -> Result<i32, ConfigError> {
    let sampling = match item.kind() {
        ValueKind::Integer(n) => *n,
        ValueKind::String(text) if text.trim().eq_ignore_ascii_case("headers") => return Ok(0),
        ValueKind::String(text) => {
            let digits = text.strip_suffix('%').unwrap_or(text);
            parse_int("Atoi", digits)
                .map_err(|e| item.error(format!("Failed to parse latency sample: {e}")))?
        }
        _ => {
            return Err(item.error(format!(
                "Expected latency sample to be a string or map/struct, got {}",
                item.type_name()
            )));
        }
    };
    match i32::try_from(sampling) {
        Ok(n @ 1..=100) => Ok(n),
        _ => Err(item.error("bad sampling percentage, should be 1-100")),
    }
}

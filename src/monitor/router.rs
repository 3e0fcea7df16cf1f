//! From a path to an endpoint.

use super::query::{Query, unescape};
use super::reply::{Refusal, Reply};
use super::{
    Monitor, accountz, accstatz, connz, gatewayz, healthz, index, ipqueuesz, jsz, leafz, raftz,
    routez, subsz, varz,
};
use hyper::Method;

type Endpoint = fn(&Monitor, &Query) -> Result<Reply, Refusal>;

const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("/", index::handle),
    ("/varz", varz::handle),
    ("/connz", connz::handle),
    ("/routez", routez::handle),
    ("/gatewayz", gatewayz::handle),
    ("/leafz", leafz::handle),
    ("/subsz", subsz::handle),
    ("/subscriptionsz", subsz::handle),
    ("/accountz", accountz::handle),
    ("/accstatz", accstatz::handle),
    ("/jsz", jsz::handle),
    ("/healthz", healthz::handle),
    ("/ipqueuesz", ipqueuesz::handle),
    ("/raftz", raftz::handle),
];

/// Answers a request. Paths with empty or dotted parts are redirected to what they mean.
pub fn route(monitor: &Monitor, method: &Method, path: &str, query: &str) -> Reply {
    let mut clean = normalize(path);
    if path.ends_with('/') && clean.len() > 1 {
        clean.push('/');
    }
    if clean != path {
        if !query.is_empty() {
            clean = format!("{clean}?{query}");
        }
        return Reply::redirect(&clean, matches!(*method, Method::GET | Method::HEAD));
    }
    let path = unescape(path, false).unwrap_or_default();
    let endpoint = ENDPOINTS.iter().find(|(name, _)| join(&monitor.base_path, name) == path);
    let Some((_, handle)) = endpoint else { return Reply::not_found() };
    handle(monitor, &Query::parse(query)).unwrap_or_else(Reply::from)
}

/// A path without empty and dotted parts, as `http_base_path` begins paths: `/` or `/a/b`.
pub fn normalize(configured: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in configured.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The path of an endpoint below a normalized base path.
pub fn join(base: &str, name: &str) -> String {
    normalize(&format!("{base}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths() {
        for (configured, base) in
            [("", "/"), ("/", "/"), ("nats", "/nats"), ("/a//b/", "/a/b"), ("/a/../b/.", "/b")]
        {
            assert_eq!(normalize(configured), base);
        }
        assert_eq!(join("/nats", "/"), "/nats");
        assert_eq!(join("/", "/varz"), "/varz");
        assert_eq!(join("/nats", "/varz"), "/nats/varz");
    }
}

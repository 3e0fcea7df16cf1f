//! `/`: a page of links to the other endpoints.

use super::query::Query;
use super::reply::{Refusal, Reply};
use super::{Monitor, router};
use crate::base::limits::COMPATIBLE_VERSION;

/// Where the source of this server is.
const SOURCE: &str = env!("CARGO_PKG_NAME");

const LINKS: [(&str, &str); 11] = [
    ("General", "/varz"),
    ("JetStream", "/jsz"),
    ("Connections", "/connz"),
    ("Accounts", "/accountz"),
    ("Account Stats", "/accstatz"),
    ("Subscriptions", "/subsz"),
    ("Routes", "/routez"),
    ("LeafNodes", "/leafz"),
    ("Gateways", "/gatewayz"),
    ("Raft Groups", "/raftz"),
    ("Health Probe", "/healthz"),
];

const STYLE: &str = "body { font-family: ui-sans-serif, system-ui, sans-serif; margin: 2rem }
    a { display: block; margin: 0 0 .4rem .5rem; color: #48485c; text-decoration: none }
    a:hover { color: #3b32ca }
    small { color: #999; font-family: monospace }";

pub fn handle(monitor: &Monitor, _: &Query) -> Result<Reply, Refusal> {
    monitor.count("/");
    let links = LINKS.map(|(title, name)| {
        let path = router::join(&monitor.base_path, name);
        format!("  <a href=.{path}>{title} <small>{name}</small></a>\n")
    });
    Ok(Reply::html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <title>NATS Server</title>\n  \
         <style>\n    {STYLE}\n  </style>\n</head>\n<body>\n  \
         <h1>NATS Server</h1>\n  <p>{SOURCE}, v{COMPATIBLE_VERSION}</p>\n{}  \
         <a href=https://docs.nats.io/running-a-nats-service/nats_admin/monitoring>Help</a>\n\
         </body>\n</html>\n",
        links.concat()
    )))
}

//! `/gatewayz`: connections to other clusters.

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
struct Gatewayz {
    server_id: String,
    now: Time,
    outbound_gateways: BTreeMap<String, ()>,
    inbound_gateways: BTreeMap<String, ()>,
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/gatewayz");
    query.subs()?;
    query.bool("accs")?;
    Ok(Reply::json(&Gatewayz {
        server_id: monitor.server_id(),
        now: monitor.now(),
        outbound_gateways: BTreeMap::new(),
        inbound_gateways: BTreeMap::new(),
    }))
}

//! `/leafz`: leaf node connections.

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Leafz {
    server_id: String,
    now: Time,
    leafnodes: usize,
    leafs: [(); 0],
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/leafz");
    query.bool("subs")?;
    Ok(Reply::json(&Leafz {
        server_id: monitor.server_id(),
        now: monitor.now(),
        leafnodes: 0,
        leafs: [],
    }))
}

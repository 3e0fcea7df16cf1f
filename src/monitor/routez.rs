//! `/routez`: connections to the other servers of a cluster.

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Routez {
    server_id: String,
    server_name: String,
    now: Time,
    num_routes: usize,
    routes: [(); 0],
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    query.subs()?;
    monitor.count("/routez");
    let info = monitor.ctx.info.load();
    Ok(Reply::json(&Routez {
        server_id: info.server_id.clone(),
        server_name: info.server_name.clone(),
        now: monitor.now(),
        num_routes: 0,
        routes: [],
    }))
}

//! `/jsz`: JetStream.

use super::Monitor;
use super::json::Time;
use super::query::Query;
use super::reply::{Refusal, Reply};
use serde::Serialize;

/// JetStream where it is off.
#[derive(Debug, Serialize)]
struct Jsz {
    #[serde(flatten)]
    stats: Stats,
    server_id: String,
    now: Time,
    disabled: bool,
    config: Config,
    streams: u64,
    consumers: u64,
    messages: u64,
    bytes: u64,
    total: u64,
}

#[derive(Debug, Default, Serialize)]
struct Stats {
    memory: u64,
    storage: u64,
    reserved_memory: u64,
    reserved_storage: u64,
    accounts: u64,
    ha_assets: u64,
    api: Api,
}

#[derive(Debug, Default, Serialize)]
struct Api {
    level: u64,
    total: u64,
    errors: u64,
}

#[derive(Debug, Default, Serialize)]
struct Config {
    max_memory: i64,
    max_storage: i64,
}

pub fn handle(monitor: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    monitor.count("/jsz");
    for name in ["accounts", "streams", "consumers", "direct-consumers", "config"] {
        query.bool(name)?;
    }
    query.int("offset")?;
    query.int("limit")?;
    let leader_only = query.bool("leader-only")?;
    query.bool("raft")?;
    query.bool("stream-leader-only")?;
    if leader_only {
        return Err(Refusal("filtered response: not leader".to_owned()));
    }
    Ok(Reply::json(&Jsz {
        stats: Stats::default(),
        server_id: monitor.server_id(),
        now: monitor.now(),
        disabled: true,
        config: Config::default(),
        streams: 0,
        consumers: 0,
        messages: 0,
        bytes: 0,
        total: 0,
    }))
}

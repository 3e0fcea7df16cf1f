//! `/ipqueuesz`: the queues between a server's tasks. There are none yet.

use super::Monitor;
use super::query::Query;
use super::reply::{Refusal, Reply};
use std::collections::BTreeMap;

pub fn handle(_: &Monitor, query: &Query) -> Result<Reply, Refusal> {
    query.bool("all")?;
    Ok(Reply::json(&BTreeMap::<String, ()>::new()))
}

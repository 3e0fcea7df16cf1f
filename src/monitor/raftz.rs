//! `/raftz`: Raft groups.

use super::Monitor;
use super::query::Query;
use super::reply::{Refusal, Reply};
use hyper::StatusCode;

pub fn handle(_: &Monitor, _: &Query) -> Result<Reply, Refusal> {
    Ok(Reply::text(StatusCode::NOT_FOUND, "No Raft nodes registered"))
}

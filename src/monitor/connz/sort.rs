//! The order of connections.

use crate::conn::client::Snapshot;
use crate::monitor::json::Time;
use crate::monitor::reply::Refusal;
use std::cmp::Reverse;
use std::sync::Arc;

/// What connections are sorted by. Only ids (and so starts), uptimes and reasons ascend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    Cid,
    Subs,
    Pending,
    OutMsgs,
    InMsgs,
    OutBytes,
    InBytes,
    Last,
    Idle,
    Uptime,
    Stop,
    Reason,
    Rtt,
}

impl SortBy {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Ok(match text {
            "" | "cid" | "start" => Self::Cid,
            "subs" => Self::Subs,
            "pending" => Self::Pending,
            "msgs_to" => Self::OutMsgs,
            "msgs_from" => Self::InMsgs,
            "bytes_to" => Self::OutBytes,
            "bytes_from" => Self::InBytes,
            "last" => Self::Last,
            "idle" => Self::Idle,
            "uptime" => Self::Uptime,
            "stop" => Self::Stop,
            "reason" => Self::Reason,
            "rtt" => Self::Rtt,
            _ => return Err(Refusal(format!("invalid sorting option: {text}"))),
        })
    }

    /// Refuses what makes no sense among open connections.
    pub fn check_open(self) -> Result<(), Refusal> {
        let name = match self {
            Self::Stop => "stop",
            Self::Reason => "reason",
            _ => return Ok(()),
        };
        Err(Refusal(format!("sort by {name} only valid on closed connections")))
    }

    pub fn sort(self, connections: &mut [Arc<Snapshot>], now: Time) {
        connections.sort_by_key(|s| s.cid);
        match self {
            Self::Cid => {}
            Self::Subs => connections.sort_by_key(|s| Reverse(s.num_subs)),
            Self::Pending => connections.sort_by_key(|s| Reverse(s.pending)),
            Self::OutMsgs => connections.sort_by_key(|s| Reverse(s.out_msgs)),
            Self::InMsgs => connections.sort_by_key(|s| Reverse(s.in_msgs)),
            Self::OutBytes => connections.sort_by_key(|s| Reverse(s.out_bytes)),
            Self::InBytes => connections.sort_by_key(|s| Reverse(s.in_bytes)),
            Self::Last => connections.sort_by_key(|s| Reverse(s.last_activity_ns)),
            Self::Idle => connections.sort_by_key(|s| s.last_activity_ns),
            Self::Uptime => connections.sort_by_key(|s| s.stop_ns.unwrap_or(now.0) - s.start_ns),
            Self::Stop => connections.sort_by_key(|s| Reverse(s.stop_ns)),
            Self::Reason => connections.sort_by_key(|s| s.reason.map(|r| r.as_str())),
            Self::Rtt => connections.sort_by_key(|s| Reverse(s.rtt)),
        }
    }
}

//! The configuration of a consumer. Go: `server/consumer.go`.

use super::policies::{AckPolicy, DeliverPolicy, PriorityPolicy, ReplayPolicy};
use super::time::Time;
use crate::base::duration::GoDuration;
use crate::base::json::is_zero;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a consumer delivers which messages of its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerConfig {
    /// Name of a durable consumer.
    #[serde(skip_serializing_if = "is_zero")]
    pub durable_name: String,
    /// Name of any consumer.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "is_zero")]
    pub description: String,
    /// Where it begins.
    pub deliver_policy: DeliverPolicy,
    /// Sequence to begin at.
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_seq: u64,
    /// Time to begin at.
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_time: Option<Time>,
    /// Which messages have to be acknowledged.
    pub ack_policy: AckPolicy,
    /// How long an acknowledgement is waited for.
    #[serde(skip_serializing_if = "is_zero")]
    pub ack_wait: GoDuration,
    /// How often a message is delivered at most; -1 is without end.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_deliver: i64,
    /// How long is waited before each further delivery, instead of `ack_wait`.
    #[serde(skip_serializing_if = "is_zero")]
    pub backoff: Vec<GoDuration>,
    /// Only messages of these subjects.
    #[serde(skip_serializing_if = "is_zero")]
    pub filter_subject: String,
    /// The same, several.
    #[serde(skip_serializing_if = "is_zero")]
    pub filter_subjects: Vec<String>,
    /// How fast stored messages come.
    pub replay_policy: ReplayPolicy,
    /// Most bits a second.
    #[serde(skip_serializing_if = "is_zero")]
    pub rate_limit_bps: u64,
    /// How many acknowledgements are reported, in percent.
    #[serde(skip_serializing_if = "is_zero")]
    pub sample_freq: String,
    /// Most pull requests that wait.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_waiting: i64,
    /// Most messages that wait for an acknowledgement; -1 is without end.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_ack_pending: i64,
    /// Delivery waits for answers to flow control.
    #[serde(skip_serializing_if = "is_zero")]
    pub flow_control: bool,
    /// Without payloads.
    #[serde(skip_serializing_if = "is_zero")]
    pub headers_only: bool,
    /// Most messages of a pull request.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_batch: i64,
    /// Longest time a pull request may wait.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_expires: GoDuration,
    /// Most bytes of a pull request.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_bytes: i64,
    /// Where messages are pushed to.
    #[serde(skip_serializing_if = "is_zero")]
    pub deliver_subject: String,
    /// The queue group there.
    #[serde(skip_serializing_if = "is_zero")]
    pub deliver_group: String,
    /// How often an idle consumer shows that it lives.
    #[serde(skip_serializing_if = "is_zero")]
    pub idle_heartbeat: GoDuration,
    /// How long it stays without interest.
    #[serde(skip_serializing_if = "is_zero")]
    pub inactive_threshold: GoDuration,
    /// Servers that hold the state; 0 is as many as the stream has.
    pub num_replicas: i64,
    /// State in memory whatever the stream does.
    #[serde(skip_serializing_if = "is_zero")]
    pub mem_storage: bool,
    /// Of a mirror or source, not of a client.
    #[serde(skip_serializing_if = "is_zero")]
    pub direct: bool,
    /// The same, durable.
    #[serde(skip_serializing_if = "is_zero")]
    pub sourcing: bool,
    /// For tools.
    #[serde(skip_serializing_if = "is_zero")]
    pub metadata: BTreeMap<String, String>,
    /// Nothing is delivered before.
    #[serde(skip_serializing_if = "is_zero")]
    pub pause_until: Option<Time>,
    /// Groups that pull requests name.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority_groups: Vec<String>,
    /// Who of a group gets messages.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority_policy: PriorityPolicy,
    /// How long a pinned client stays so without pulling.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority_timeout: GoDuration,
}

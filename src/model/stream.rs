//! The configuration of a stream. Go: `server/stream.go`.

use super::policies::{DiscardPolicy, PersistMode, RetentionPolicy, StorageType, StoreCompression};
use super::time::Time;
use crate::base::duration::GoDuration;
use crate::base::json::is_zero;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// How a stream keeps what messages. Limits of -1, and 0 where that makes no sense, are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamConfig {
    /// Name, a single token.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "is_zero")]
    pub description: String,
    /// Subjects whose messages are stored, with wildcards.
    #[serde(skip_serializing_if = "is_zero")]
    pub subjects: Vec<String>,
    /// What makes messages go.
    pub retention: RetentionPolicy,
    /// Most consumers.
    pub max_consumers: i64,
    /// Most messages.
    pub max_msgs: i64,
    /// Most bytes.
    pub max_bytes: i64,
    /// Longest time a message stays.
    pub max_age: GoDuration,
    /// Most messages of one subject.
    pub max_msgs_per_subject: i64,
    /// Bytes of the largest message.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_msg_size: i32,
    /// What happens at a limit.
    pub discard: DiscardPolicy,
    /// Where messages are.
    pub storage: StorageType,
    /// Servers that hold the stream.
    pub num_replicas: i64,
    /// Publishes are not acknowledged.
    #[serde(skip_serializing_if = "is_zero")]
    pub no_ack: bool,
    /// How long a message id is remembered.
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicate_window: GoDuration,
    /// Which servers may hold the stream.
    #[serde(skip_serializing_if = "is_zero")]
    pub placement: Option<Placement>,
    /// The stream that this is a copy of.
    #[serde(skip_serializing_if = "is_zero")]
    pub mirror: Option<StreamSource>,
    /// Streams whose messages are taken in.
    #[serde(skip_serializing_if = "is_zero")]
    pub sources: Vec<StreamSource>,
    /// How blocks are compressed.
    pub compression: StoreCompression,
    /// Sequence of the first message.
    #[serde(skip_serializing_if = "is_zero")]
    pub first_seq: u64,
    /// How subjects change before a message is looked at.
    #[serde(skip_serializing_if = "is_zero")]
    pub subject_transform: Option<SubjectTransformConfig>,
    /// Where stored messages are published again.
    #[serde(skip_serializing_if = "is_zero")]
    pub republish: Option<RePublish>,
    /// Every replica answers direct gets.
    pub allow_direct: bool,
    /// A mirror answers direct gets of its origin.
    pub mirror_direct: bool,
    /// With [`DiscardPolicy::New`], the limit of a subject refuses too.
    #[serde(skip_serializing_if = "is_zero")]
    pub discard_new_per_subject: bool,
    /// Nothing comes in or goes out any more.
    pub sealed: bool,
    /// Messages cannot be deleted.
    pub deny_delete: bool,
    /// Messages cannot be purged.
    pub deny_purge: bool,
    /// A message may replace all before it.
    pub allow_rollup_hdrs: bool,
    /// What consumers may ask for.
    pub consumer_limits: StreamConsumerLimits,
    /// Messages may say how long they stay.
    pub allow_msg_ttl: bool,
    /// How long the marker of a deleted subject stays; without it there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub subject_delete_marker_ttl: GoDuration,
    /// Messages are counters.
    #[serde(skip_serializing_if = "is_zero")]
    pub allow_msg_counter: bool,
    /// Batches are stored whole or not at all.
    #[serde(skip_serializing_if = "is_zero")]
    pub allow_atomic: bool,
    /// Messages may be schedules.
    #[serde(skip_serializing_if = "is_zero")]
    pub allow_msg_schedules: bool,
    /// When a publish is acknowledged.
    #[serde(skip_serializing_if = "is_zero")]
    pub persist_mode: PersistMode,
    /// Fast batches.
    #[serde(skip_serializing_if = "is_zero")]
    pub allow_batched: bool,
    /// For tools.
    #[serde(skip_serializing_if = "is_zero")]
    pub metadata: BTreeMap<String, String>,
}

/// Which servers may hold a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// Those of this cluster.
    #[serde(skip_serializing_if = "is_zero")]
    pub cluster: String,
    /// Those with all of these tags.
    #[serde(skip_serializing_if = "is_zero")]
    pub tags: Vec<String>,
    /// The one that shall lead.
    #[serde(skip_serializing_if = "is_zero")]
    pub preferred: String,
}

/// A stream whose messages are taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamSource {
    /// Its name.
    pub name: String,
    /// Sequence to begin at.
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_seq: u64,
    /// Time to begin at.
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_time: Option<Time>,
    /// Only messages of these subjects.
    #[serde(skip_serializing_if = "is_zero")]
    pub filter_subject: String,
    /// Only messages of their sources, and how their subjects change.
    #[serde(skip_serializing_if = "is_zero")]
    pub subject_transforms: Vec<SubjectTransformConfig>,
    /// Where it is, if not in this account.
    #[serde(skip_serializing_if = "is_zero")]
    pub external: Option<ExternalStream>,
    /// A consumer to read it by.
    #[serde(skip_serializing_if = "is_zero")]
    pub consumer: Option<StreamConsumerSource>,
}

impl StreamSource {
    /// What tells the sources of a stream apart: the stream that is read, which of its subjects,
    /// and what they become. `>` is all, and unchanged.
    pub fn index_name(&self) -> String {
        let mut name = self.stream_name();
        if let Some(consumer) = &self.consumer {
            name = format!("{name}:C={}", short_hash(&consumer.name));
        }
        let or_all = |subject: &String| match subject.is_empty() {
            true => ">".to_owned(),
            false => subject.clone(),
        };
        if self.subject_transforms.is_empty() {
            return format!("{name} {} >", or_all(&self.filter_subject));
        }
        let all = |of: fn(&SubjectTransformConfig) -> &String| {
            let subjects: Vec<_> = self.subject_transforms.iter().map(of).map(or_all).collect();
            subjects.join("\x0c")
        };
        format!("{name} {} {}", all(|transform| &transform.src), all(|transform| &transform.dest))
    }

    /// The stream that is read: its name is not alone in the world when it is elsewhere.
    pub fn stream_name(&self) -> String {
        match &self.external {
            Some(external) => format!("{}:{}", self.name, short_hash(&external.api)),
            None => self.name.clone(),
        }
    }
}

/// Eight letters and digits instead of a long name.
fn short_hash(name: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let hash = Sha256::digest(name);
    hash.iter().take(8).map(|byte| char::from(DIGITS[usize::from(byte % 62)])).collect()
}

/// A durable consumer that a source is read by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamConsumerSource {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Where it delivers to.
    #[serde(skip_serializing_if = "is_zero")]
    pub deliver_subject: String,
}

/// How a stream of another account or domain is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalStream {
    /// Prefix of its API.
    pub api: String,
    /// Prefix of the subjects it delivers to.
    pub deliver: String,
}

/// How subjects change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectTransformConfig {
    /// Subjects that are concerned.
    pub src: String,
    /// What becomes of them.
    pub dest: String,
}

/// Where stored messages are published again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RePublish {
    /// Subjects that are concerned; all if empty.
    #[serde(skip_serializing_if = "is_zero")]
    pub src: String,
    /// Where they are published.
    pub dest: String,
    /// Without the payload.
    #[serde(skip_serializing_if = "is_zero")]
    pub headers_only: bool,
}

/// What the consumers of a stream may ask for, and get if they do not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamConsumerLimits {
    /// How long a consumer stays without interest.
    #[serde(skip_serializing_if = "is_zero")]
    pub inactive_threshold: GoDuration,
    /// Most messages that wait for an acknowledgement.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_ack_pending: i64,
}

//! The states of streams and consumers. Go: `server/store.go`.

use super::time::Time;
use crate::base::json::is_zero;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// What a stream holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamState {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sequence of the first message; of the next one when there is none.
    pub first_seq: u64,
    /// When the first message was stored.
    pub first_ts: Time,
    /// Sequence of the last message that there ever was.
    pub last_seq: u64,
    /// When it was stored.
    pub last_ts: Time,
    /// Different subjects.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_subjects: u64,
    /// Messages of each, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub subjects: BTreeMap<String, u64>,
    /// Sequences between first and last that are gone.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_deleted: u64,
    /// Which, if asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: Vec<u64>,
    /// What was lost to damage.
    #[serde(skip_serializing_if = "is_zero")]
    pub lost: Option<LostStreamData>,
    /// Consumers.
    pub consumer_count: u64,
}

/// Messages that were lost to damage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LostStreamData {
    /// Their sequences; `null` in JSON if not one is known.
    #[serde(serialize_with = "null_if_empty")]
    pub msgs: Vec<u64>,
    /// Their bytes.
    pub bytes: u64,
}

/// The messages of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SimpleState {
    /// How many.
    pub messages: u64,
    /// Sequence of the first.
    pub first_seq: u64,
    /// Sequence of the last.
    pub last_seq: u64,
}

/// One message, by its sequence in the consumer and in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SequencePair {
    /// Counted by delivery.
    pub consumer_seq: u64,
    /// In the stream.
    pub stream_seq: u64,
}

/// How far a consumer has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerState {
    /// The last message that was delivered.
    pub delivered: SequencePair,
    /// Up to here everything is acknowledged.
    pub ack_floor: SequencePair,
    /// Messages that wait for an acknowledgement, by stream sequence.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "by_text")]
    pub pending: BTreeMap<u64, Pending>,
    /// How often messages were delivered again, by stream sequence.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "by_text")]
    pub redelivered: BTreeMap<u64, u64>,
}

/// A message that waits for an acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Pending {
    /// Consumer sequence of its first delivery.
    pub sequence: u64,
    /// Last delivery, nanoseconds since the Unix epoch.
    pub timestamp: i64,
}

fn null_if_empty<S: Serializer>(seqs: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    if seqs.is_empty() { serializer.serialize_none() } else { seqs.serialize(serializer) }
}

/// Go sorts the keys of a map as text, numbers too.
fn by_text<S: Serializer, T: Serialize>(
    map: &BTreeMap<u64, T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let sorted: BTreeMap<String, &T> =
        map.iter().map(|(n, value)| (n.to_string(), value)).collect();
    let mut out = serializer.serialize_map(Some(sorted.len()))?;
    for (key, value) in &sorted {
        out.serialize_entry(key, value)?;
    }
    out.end()
}

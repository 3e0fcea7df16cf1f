//! What `meta.inf` holds: a configuration, and before it what is not part of one.
//! Go: `server/filestore.go`.

use super::{ConsumerConfig, StreamConfig, Time};
use crate::base::json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Error, Map, Value};

/// `meta.inf` of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileStreamInfo {
    /// When the stream was made.
    #[serde(rename = "Created")]
    pub created: Time,
    /// Its configuration.
    #[serde(flatten)]
    pub config: StreamConfig,
}

/// `meta.inf` of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileConsumerInfo {
    /// When the consumer was made.
    #[serde(rename = "Created")]
    pub created: Time,
    /// Its name, which the configuration need not have.
    #[serde(rename = "Name")]
    pub name: String,
    /// Its configuration.
    #[serde(flatten)]
    pub config: ConsumerConfig,
}

/// What is not part of the configuration.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Head {
    created: Time,
    name: String,
}

impl FileStreamInfo {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        json::compact(self)
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// When they are no JSON or a field has the wrong kind of value.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (head, config) = split(bytes, &["Created"])?;
        Ok(Self { created: head.created, config })
    }
}

impl FileConsumerInfo {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        json::compact(self)
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// When they are no JSON or a field has the wrong kind of value.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (head, config) = split(bytes, &["Created", "Name"])?;
        Ok(Self { created: head.created, name: head.name, config })
    }
}

/// Takes the fields of the head out of the document and reads both. A configuration has a `name`
/// of its own, so case matters here.
fn split<T: DeserializeOwned>(bytes: &[u8], head: &[&str]) -> Result<(Head, T), Error> {
    let mut document: Map<String, Value> = json::from_slice(bytes)?;
    let head: Map<_, _> = head.iter().filter_map(|key| document.remove_entry(*key)).collect();
    Ok((json::from_value(head.into())?, json::from_value(document.into())?))
}

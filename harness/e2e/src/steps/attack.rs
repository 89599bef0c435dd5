//! What can be done to a stream, as requests of the JetStream API.

use std::str::FromStr;

use bulkhead_plan::access::StorageOperation;
use bulkhead_runtime::probe::Nonce;
use cucumber::Parameter;
use serde_json::{Value, json};

use super::storage::configuration;
use crate::words::UnknownWord;

/// What is done to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Parameter)]
#[param(
    name = "attack",
    regex = "reads|describes|subscribes to|purges|removes one of|reconfigures|deletes|backs up|replaces"
)]
pub(super) enum Attack {
    Reads,
    Describes,
    SubscribesTo,
    Purges,
    RemovesOneOf,
    Reconfigures,
    Deletes,
    BacksUp,
    Replaces,
}

impl FromStr for Attack {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "reads" => Ok(Self::Reads),
            "describes" => Ok(Self::Describes),
            "subscribes to" => Ok(Self::SubscribesTo),
            "purges" => Ok(Self::Purges),
            "removes one of" => Ok(Self::RemovesOneOf),
            "reconfigures" => Ok(Self::Reconfigures),
            "deletes" => Ok(Self::Deletes),
            "backs up" => Ok(Self::BacksUp),
            "replaces" => Ok(Self::Replaces),
            _ => Err(UnknownWord::new("attack", word)),
        }
    }
}

impl Attack {
    /// The same in the access model.
    pub(super) fn in_the_model(self) -> StorageOperation {
        match self {
            Self::Reads => StorageOperation::ReadMessage,
            Self::Describes => StorageOperation::Describe,
            Self::SubscribesTo => StorageOperation::Consume,
            Self::BacksUp => StorageOperation::BackUp,
            Self::Purges => StorageOperation::Purge,
            Self::RemovesOneOf => StorageOperation::RemoveMessage,
            Self::Reconfigures => StorageOperation::Reconfigure,
            Self::Deletes => StorageOperation::Delete,
            Self::Replaces => StorageOperation::PutValue,
        }
    }

    /// The request of the JetStream API (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>).
    pub(super) fn request(self, stream: &str, subjects: &str) -> (String, Value) {
        let api = |verb: &str| format!("$JS.API.{verb}.{stream}");
        match self {
            Self::Reads => (api("STREAM.MSG.GET"), json!({ "last_by_subj": subjects })),
            Self::Describes => (api("STREAM.INFO"), Value::Null),
            Self::SubscribesTo => {
                let config = json!({ "ack_policy": "none", "deliver_policy": "all", "mem_storage": true });
                (api("CONSUMER.CREATE"), json!({ "stream_name": stream, "config": config }))
            }
            Self::Purges => (api("STREAM.PURGE"), Value::Null),
            Self::RemovesOneOf => (api("STREAM.MSG.DELETE"), json!({ "seq": 1 })),
            Self::Reconfigures => (
                api("STREAM.UPDATE"),
                configuration(stream, &json!({ "subjects": [subjects], "max_msgs": 1 })),
            ),
            Self::Deletes => (api("STREAM.DELETE"), Value::Null),
            Self::BacksUp => {
                let deliver = format!("_INBOX.backup.{}", Nonce::fresh());
                (api("STREAM.SNAPSHOT"), json!({ "deliver_subject": deliver, "no_consumers": true }))
            }
            Self::Replaces => (subjects.to_owned(), json!("another colour")),
        }
    }
}

/// How a stream comes by another's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Parameter)]
#[param(name = "copying", regex = "captures|mirrors|sources")]
pub(super) enum Copying {
    Captures,
    Mirrors,
    Sources,
}

impl FromStr for Copying {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "captures" => Ok(Self::Captures),
            "mirrors" => Ok(Self::Mirrors),
            "sources" => Ok(Self::Sources),
            _ => Err(UnknownWord::new("way of copying", word)),
        }
    }
}

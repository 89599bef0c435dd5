//! Calls and answers on their way to and from a probe: the method's name and the protobuf messages as bytes.

use bulkhead_wire::{PollerStatusChunk, ResultsChunk};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Answer, Call};

/// A call, or its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Packed {
    kind: Kind,
    messages: Vec<Bytes>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bytes(#[serde(with = "crate::bytes")] Vec<u8>);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    GetStatus,
    GetResults,
    StreamResults,
    ReportStatus,
    StreamStatus,
    Health,
    WatchHealth,
    NotServing,
}

/// Not what the other side packs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("a message of the contract cannot be read: {0}")]
    Message(#[from] prost::DecodeError),
    #[error("a name is no text")]
    Name,
    #[error("a message is missing")]
    Missing,
}

impl Packed {
    fn one(kind: Kind, message: &impl Message) -> Self {
        Self { kind, messages: vec![Bytes(message.encode_to_vec())] }
    }

    fn several<M: Message>(kind: Kind, messages: &[M]) -> Self {
        Self { kind, messages: messages.iter().map(|one| Bytes(one.encode_to_vec())).collect() }
    }

    fn name(kind: Kind, name: String) -> Self {
        Self { kind, messages: vec![Bytes(name.into_bytes())] }
    }

    fn into_name(self) -> Result<String, Unreadable> {
        let Bytes(bytes) = self.messages.into_iter().next().ok_or(Unreadable::Missing)?;
        String::from_utf8(bytes).map_err(|_| Unreadable::Name)
    }

    fn first<M: Message + Default>(&self) -> Result<M, Unreadable> {
        let Bytes(bytes) = self.messages.first().ok_or(Unreadable::Missing)?;
        Ok(M::decode(bytes.as_slice())?)
    }

    fn all<M: Message + Default>(&self) -> Result<Vec<M>, Unreadable> {
        self.messages.iter().map(|Bytes(bytes)| Ok(M::decode(bytes.as_slice())?)).collect()
    }
}

impl From<Call> for Packed {
    fn from(call: Call) -> Self {
        match call {
            Call::GetStatus(message) => Self::one(Kind::GetStatus, &message),
            Call::GetResults(message) => Self::one(Kind::GetResults, &message),
            Call::StreamResults(message) => Self::one(Kind::StreamResults, &message),
            Call::ReportStatus(message) => Self::one(Kind::ReportStatus, &message),
            Call::StreamStatus(chunks) => Self::several(Kind::StreamStatus, &chunks),
            Call::Health(service) => Self::name(Kind::Health, service),
            Call::WatchHealth(service) => Self::name(Kind::WatchHealth, service),
        }
    }
}

impl TryFrom<Packed> for Call {
    type Error = Unreadable;

    fn try_from(packed: Packed) -> Result<Self, Unreadable> {
        Ok(match packed.kind {
            Kind::GetStatus => Self::GetStatus(packed.first()?),
            Kind::GetResults => Self::GetResults(packed.first()?),
            Kind::StreamResults => Self::StreamResults(packed.first()?),
            Kind::ReportStatus => Self::ReportStatus(packed.first()?),
            Kind::StreamStatus => Self::StreamStatus(packed.all::<PollerStatusChunk>()?),
            Kind::Health | Kind::NotServing => Self::Health(packed.into_name()?),
            Kind::WatchHealth => Self::WatchHealth(packed.into_name()?),
        })
    }
}

impl From<Answer> for Packed {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Status(message) => Self::one(Kind::GetStatus, &message),
            Answer::Results(message) => Self::one(Kind::GetResults, &message),
            Answer::Chunks(chunks) => Self::several(Kind::StreamResults, &chunks),
            Answer::Reported(message) => Self::one(Kind::ReportStatus, &message),
            Answer::Serving(true) => Self { kind: Kind::Health, messages: Vec::new() },
            Answer::Serving(false) => Self { kind: Kind::NotServing, messages: Vec::new() },
        }
    }
}

impl TryFrom<Packed> for Answer {
    type Error = Unreadable;

    fn try_from(packed: Packed) -> Result<Self, Unreadable> {
        Ok(match packed.kind {
            Kind::GetStatus => Self::Status(packed.first()?),
            Kind::GetResults => Self::Results(packed.first()?),
            Kind::StreamResults => Self::Chunks(packed.all::<ResultsChunk>()?),
            Kind::ReportStatus | Kind::StreamStatus => Self::Reported(packed.first()?),
            Kind::Health | Kind::WatchHealth => Self::Serving(true),
            Kind::NotServing => Self::Serving(false),
        })
    }
}

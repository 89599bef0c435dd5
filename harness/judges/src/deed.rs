//! The attempts of the judges in the words of the access model.

use std::fmt;

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_plan::access::{
    Attempt, BrokerOperation, CallTarget, CertificateFlaw, DenialReason, Expectation, MessageOperation,
    Method, Model, Operation, RequestAuthority, StorageOperation, TenantMetadata, Who,
};
use serde::{Deserialize, Serialize};

use crate::rows::Cell;

/// What a judge does. Its word in the rows is the access model's own code for it, where that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Deed {
    /// Connects to the broker.
    Connect,
    /// Does something with a tenant's messages.
    Message(MessageOperation),
    /// Does something with what a tenant keeps.
    Storage(StorageOperation),
    /// Asks something of the broker itself.
    Broker(BrokerOperation),
    /// Asks the platform for a tenant's results.
    ReadResults,
    /// Calls an agent.
    Call(Method),
    /// Asks an agent which services it has.
    Reflect,
}

/// A word that no deed has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no judge does '{0}'")]
pub struct UnknownDeed(String);

impl Deed {
    /// What is tried with a tenant's messages.
    pub const MESSAGES: [Self; 11] = [
        Self::Message(MessageOperation::Publish),
        Self::Message(MessageOperation::PublishAsPoller),
        Self::Message(MessageOperation::Subscribe),
        Self::Message(MessageOperation::SubscribeAnyTenant),
        Self::Message(MessageOperation::SubscribeEverything),
        Self::Message(MessageOperation::JoinQueue),
        Self::Message(MessageOperation::RequestJob),
        Self::Message(MessageOperation::ListenToInboxes),
        Self::Message(MessageOperation::AnswerInto),
        Self::Message(MessageOperation::PublishToInbox),
        Self::ReadResults,
    ];
    /// What is tried with its streams and buckets.
    pub const STORAGE: [Self; 20] = [
        Self::Storage(StorageOperation::ListNames),
        Self::Storage(StorageOperation::List),
        Self::Storage(StorageOperation::Describe),
        Self::Storage(StorageOperation::ReadMessage),
        Self::Storage(StorageOperation::ReadDirect),
        Self::Storage(StorageOperation::Consume),
        Self::Storage(StorageOperation::ReadValue),
        Self::Storage(StorageOperation::Store),
        Self::Storage(StorageOperation::PutValue),
        Self::Storage(StorageOperation::Capture),
        Self::Storage(StorageOperation::Mirror),
        Self::Storage(StorageOperation::Source),
        Self::Storage(StorageOperation::Reconfigure),
        Self::Storage(StorageOperation::RemoveMessage),
        Self::Storage(StorageOperation::Purge),
        Self::Storage(StorageOperation::Delete),
        Self::Storage(StorageOperation::DeleteBucket),
        Self::Storage(StorageOperation::PurgeAccount),
        Self::Storage(StorageOperation::ReadRecord),
        Self::Storage(StorageOperation::PurgeRecord),
    ];
    /// What is asked of the broker itself.
    pub const OF_THE_BROKER: [Self; 2] =
        [Self::Broker(BrokerOperation::ListenToSystem), Self::Broker(BrokerOperation::AskServers)];
    /// What is called.
    pub const CALLS: [Self; 4] = [
        Self::Call(Method::Health),
        Self::Call(Method::WatchHealth),
        Self::Call(Method::GetStatus),
        Self::Reflect,
    ];

    /// The word for it in the rows.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Message(operation) => operation.code(),
            Self::Storage(operation) => operation.code(),
            Self::Broker(operation) => operation.code(),
            Self::ReadResults => "read-results",
            Self::Call(method) => method.code(),
            Self::Reflect => "reflection",
        }
    }

    /// Every deed that a judge does.
    fn all() -> impl Iterator<Item = Self> {
        let tried = Self::MESSAGES.into_iter().chain(Self::STORAGE).chain(Self::OF_THE_BROKER);
        [Self::Connect].into_iter().chain(tried).chain(Self::CALLS)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl TryFrom<String> for Deed {
    type Error = UnknownDeed;

    fn try_from(word: String) -> Result<Self, UnknownDeed> {
        Self::all().find(|deed| deed.word() == word).ok_or(UnknownDeed(word))
    }
}

impl From<Deed> for String {
    fn from(deed: Deed) -> Self {
        deed.word().to_owned()
    }
}

impl Cell {
    /// What the access model expects; `None` for an attempt that it has no words for.
    #[must_use]
    pub fn expected(&self, model: &Model) -> Option<Expectation> {
        let attempt = Attempt { who: self.who_of_model()?, operation: self.operation_of_model()? };
        let expected = model.expected(&attempt);
        // Nobody offers it, to nobody: whoever is let in by the door is refused by the grants.
        let nobody = self.operation == Deed::Reflect && expected == Expectation::Allowed;
        Some(if nobody { Expectation::Denied(vec![DenialReason::NotGranted]) } else { expected })
    }

    fn who_of_model(&self) -> Option<Who> {
        match (&self.who, &self.flaw) {
            (None, None) => Some(Who::Anonymous),
            (Some(name), None) => Some(Who::Peer(name.clone())),
            (Some(name), Some(flaw)) => Some(Who::Forged { name: name.clone(), flaw: flaw_of_model(flaw)? }),
            (None, Some(_)) => None,
        }
    }

    fn operation_of_model(&self) -> Option<Operation> {
        match self.operation {
            Deed::Connect => Some(Operation::Connect),
            Deed::Broker(operation) => Some(Operation::Broker { operation }),
            Deed::Message(operation) => Some(Operation::Message { operation, owner: self.owner.clone()? }),
            Deed::Storage(operation) => Some(Operation::Storage { operation, owner: self.owner.clone()? }),
            Deed::ReadResults => Some(Operation::ReadResults { tenant: self.owner.clone()? }),
            Deed::Call(method) => self.call(method),
            // Its door is the health's.
            Deed::Reflect => self.call(Method::Health),
        }
    }

    fn call(&self, method: Method) -> Option<Operation> {
        let Some(PeerName::Tenant(agent)) = &self.target else { return None };
        Some(Operation::Call {
            target: CallTarget::Agent { tenant: agent.tenant.clone(), agent: agent.agent_id() },
            method,
            metadata: TenantMetadata::Absent,
            authority: RequestAuthority::Target,
        })
    }
}

/// The words for flaws are written by [`crate::forged`].
fn flaw_of_model(word: &str) -> Option<CertificateFlaw> {
    match word {
        "self-signed" => Some(CertificateFlaw::SelfSigned),
        "unknown-authority" => Some(CertificateFlaw::UnknownAuthority),
        "copied-authority" => Some(CertificateFlaw::CopiedAuthority),
        _ => {
            let slug = word.strip_prefix("issued-by-")?.parse().ok()?;
            Some(CertificateFlaw::IssuedBy(AuthorityName::Tenant(slug)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_one_deed_s() {
        for deed in Deed::all() {
            assert_eq!(Deed::try_from(deed.word().to_owned()), Ok(deed));
        }
        assert!(Deed::try_from("pray".to_owned()).is_err());
    }
}

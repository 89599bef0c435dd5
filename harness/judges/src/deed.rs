//! The attempts of the judges in the words of the access model.

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_plan::access::{
    Attempt, CallTarget, CertificateFlaw, DenialReason, Expectation, MessageOperation, Method, Model,
    Operation, RequestAuthority, StorageOperation, TenantMetadata, Who,
};
use serde::{Deserialize, Serialize};

use crate::rows::Cell;

macro_rules! deeds {
    ($($(#[$doc:meta])+ $deed:ident = $word:literal,)+) => {
        /// What a judge does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Deed {
            $($(#[$doc])+ #[serde(rename = $word)] $deed,)+
        }

        impl Deed {
            /// The word for it in the rows.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$deed => $word,)+
                }
            }
        }
    };
}

deeds! {
    /// Connects to the broker.
    Connect = "connect",
    /// Speaks as one of the tenant's agents.
    Publish = "publish",
    /// Speaks to the tenant as the platform.
    PublishAsPoller = "publish-as-poller",
    /// Hears its agents.
    Subscribe = "subscribe",
    /// Hears everybody's agents, its among them.
    SubscribeAnyTenant = "subscribe-any-tenant",
    /// Hears everything.
    SubscribeEverything = "subscribe-everything",
    /// Takes a share of its messages.
    JoinQueue = "join-queue",
    /// Gives its agent a job.
    RequestJob = "request-job",
    /// Overhears the answers that it gets.
    ListenToInboxes = "listen-to-inboxes",
    /// Answers a message of its own on the tenant's subject.
    AnswerInto = "answer-into",
    /// Asks the platform for the tenant's results.
    ReadResults = "read-results",
    /// Looks for its stream in a list.
    ListStreams = "list-streams",
    /// Asks for its stream's state.
    DescribeStream = "describe-stream",
    /// Reads a message of its stream.
    ReadMessage = "read-message",
    /// Reads its stream by a consumer.
    Consume = "consume",
    /// Reads its bucket.
    GetValue = "get-value",
    /// Puts into its bucket.
    PutValue = "put-value",
    /// Keeps a stream that mirrors its stream.
    Mirror = "mirror",
    /// Keeps a stream that has its stream as a source.
    Source = "source",
    /// Asks for the stream in which the platform keeps its results.
    ReadPlatformRecord = "read-platform-record",
    /// Deletes a message of its stream.
    DeleteMessage = "delete-message",
    /// Purges its stream.
    PurgeStream = "purge-stream",
    /// Deletes its stream.
    DeleteStream = "delete-stream",
    /// Asks an agent for its health.
    HealthCheck = "health-check",
    /// Asks an agent to be told of its health.
    HealthWatch = "health-watch",
    /// Asks an agent for its status.
    GetStatus = "get-status",
    /// Asks an agent which services it has.
    Reflection = "reflection",
}

impl Deed {
    /// What is tried with a tenant's messages.
    pub const MESSAGES: [Self; 10] = [
        Self::Publish,
        Self::PublishAsPoller,
        Self::Subscribe,
        Self::SubscribeAnyTenant,
        Self::SubscribeEverything,
        Self::JoinQueue,
        Self::RequestJob,
        Self::ListenToInboxes,
        Self::AnswerInto,
        Self::ReadResults,
    ];
    /// What is tried with its streams and buckets.
    pub const STORAGE: [Self; 12] = [
        Self::ListStreams,
        Self::DescribeStream,
        Self::ReadMessage,
        Self::Consume,
        Self::GetValue,
        Self::PutValue,
        Self::Mirror,
        Self::Source,
        Self::ReadPlatformRecord,
        Self::DeleteMessage,
        Self::PurgeStream,
        Self::DeleteStream,
    ];
    /// What is called.
    pub const CALLS: [Self; 4] = [Self::HealthCheck, Self::HealthWatch, Self::GetStatus, Self::Reflection];

    fn message(self) -> Option<MessageOperation> {
        Some(match self {
            Self::Publish => MessageOperation::Publish,
            Self::PublishAsPoller => MessageOperation::PublishAsPoller,
            Self::Subscribe => MessageOperation::Subscribe,
            Self::SubscribeAnyTenant => MessageOperation::SubscribeAnyTenant,
            Self::SubscribeEverything => MessageOperation::SubscribeEverything,
            Self::JoinQueue => MessageOperation::JoinQueue,
            Self::RequestJob => MessageOperation::RequestJob,
            Self::ListenToInboxes => MessageOperation::ListenToInboxes,
            Self::AnswerInto => MessageOperation::AnswerInto,
            _ => return None,
        })
    }

    fn storage(self) -> Option<StorageOperation> {
        Some(match self {
            Self::ListStreams => StorageOperation::List,
            Self::DescribeStream
            | Self::ReadMessage
            | Self::Consume
            | Self::GetValue
            | Self::ReadPlatformRecord => StorageOperation::Read,
            Self::PutValue => StorageOperation::Write,
            Self::Mirror | Self::Source => StorageOperation::Mirror,
            Self::DeleteMessage | Self::PurgeStream | Self::DeleteStream => StorageOperation::Destroy,
            _ => return None,
        })
    }

    fn method(self) -> Option<Method> {
        match self {
            Self::HealthCheck | Self::HealthWatch | Self::Reflection => Some(Method::Health),
            Self::GetStatus => Some(Method::AgentService),
            _ => None,
        }
    }
}

impl Cell {
    /// What the access model expects; `None` for an attempt that it has no words for.
    #[must_use]
    pub fn expected(&self, model: &Model) -> Option<Expectation> {
        let attempt = Attempt { who: self.who_of_model()?, operation: self.operation_of_model()? };
        let expected = model.expected(&attempt);
        // Nobody offers it, to nobody: whoever is let in by the door is refused by the grants.
        let nobody = self.operation == Deed::Reflection && expected == Expectation::Allowed;
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
        if self.operation == Deed::Connect {
            return Some(Operation::Connect);
        }
        let owner = self.owner.clone()?;
        if let Some(operation) = self.operation.message() {
            return Some(Operation::Message { operation, owner });
        }
        if let Some(operation) = self.operation.storage() {
            return Some(Operation::Storage { operation, owner });
        }
        let Some(method) = self.operation.method() else {
            return Some(Operation::ReadResults { tenant: owner });
        };
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

//! Who does what: one cell of the access matrix.

use bulkhead_identity::{AgentId, AuthorityName, PeerName, TenantSlug};

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// Who.
    pub who: Who,
    /// What.
    pub operation: Operation,
}

/// What an attempt is made with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The real credential of a peer of the environment.
    Peer(PeerName),
    /// A certificate that names a peer and has one thing wrong.
    Forged {
        /// Whom it names.
        name: PeerName,
        /// What is wrong.
        flaw: CertificateFlaw,
    },
    /// No certificate at all.
    Anonymous,
}

/// The one thing that is wrong with a forged certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateFlaw {
    /// Nothing: the control that shows that forged certificates are accepted when they are right.
    None,
    /// Signed by its own key.
    SelfSigned,
    /// Signed by an authority that nobody knows.
    UnknownAuthority,
    /// Signed by an authority that has the right one's name and another key.
    CopiedAuthority,
    /// Signed by a real authority that is not responsible for this name.
    IssuedBy(AuthorityName),
    /// Signed with the key of a leaf of the right authority.
    UnderLeaf,
    /// Signed by an authority that the right one signed although its path length is 0.
    UnderSubordinate,
    /// One bit of the signature is flipped.
    AlteredSignature,
    /// Its validity has ended.
    Expired,
    /// Its validity has not begun.
    NotYetValid,
    /// Another peer's name beside its own.
    ExtraName(PeerName),
    /// `localhost` beside its own name.
    LocalhostName,
    /// The name stands in the subject only.
    CommonNameOnly,
    /// No extended key usage.
    NoPurpose,
    /// Extended key usage for servers only.
    OnlyForServers,
    /// Extended key usage for clients only.
    OnlyForClients,
}

/// What is attempted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Calls a method of a service over gRPC.
    Call {
        /// Whose service.
        target: CallTarget,
        /// Which method.
        method: Method,
        /// What the metadata say about the tenant.
        metadata: TenantMetadata,
        /// Which service `:authority` names.
        authority: RequestAuthority,
    },
    /// Answers in a service's place when somebody dials it.
    Impersonate {
        /// In whose place.
        service: PeerName,
        /// Who dials.
        dialler: PeerName,
    },
    /// Connects to NATS.
    Connect,
    /// Opens a connection to a service in a manner that is not the platform's.
    Knock {
        /// At whose door.
        service: PeerName,
        /// How.
        manner: Manner,
    },
    /// Does something with a tenant's messages.
    Message {
        /// What.
        operation: MessageOperation,
        /// Whose messages.
        owner: TenantSlug,
    },
    /// Does something with a stream or a bucket of a tenant: one in its own account, or its results in the platform's.
    Storage {
        /// What.
        operation: StorageOperation,
        /// Whose stream or bucket.
        owner: TenantSlug,
    },
    /// Asks the platform for a tenant's results, as its administrators do.
    ReadResults {
        /// Whose.
        tenant: TenantSlug,
    },
    /// Opens a TCP connection from where the caller is. What is said over it is another operation.
    Reach {
        /// To whom.
        target: PeerName,
    },
}

/// How a connection is opened that is not opened as the platform's own clients do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// With TLS 1.2 at most.
    OldTls,
    /// Without offering HTTP/2 in the handshake (ALPN).
    NoAlpn,
    /// Without TLS.
    InTheClear,
}

/// A service that is called over gRPC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallTarget {
    /// The poller.
    Poller,
    /// An agent.
    Agent {
        /// Whose.
        tenant: TenantSlug,
        /// Which.
        agent: AgentId,
    },
}

/// A gRPC method, by who may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The standard health service.
    Health,
    /// `monitoring.AgentService`: any of its methods.
    AgentService,
    /// `monitoring.PollerService`: any of its methods.
    PollerService,
}

/// What a call's metadata say about the tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TenantMetadata {
    /// Nothing.
    Absent,
    /// One tenant, once.
    Claims(TenantSlug),
    /// One tenant, twice.
    ClaimsTwice(TenantSlug),
    /// Something that is no tenant's name.
    Unreadable,
    /// A tenant in the binary form of the key.
    Binary,
}

/// What `:authority` says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestAuthority {
    /// The target's own name, or its address.
    Target,
    /// Another service of the platform.
    Other(PeerName),
}

/// What is done with a tenant's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageOperation {
    /// Publishes on its `agents.status`.
    Publish,
    /// Publishes on its `events.poller.health`, where the poller says which of its agents answer.
    PublishAsPoller,
    /// Subscribes to its `agents.>`.
    Subscribe,
    /// Subscribes to `*.agents.>`, to hear it among all others.
    SubscribeAnyTenant,
    /// Subscribes to `>`, to hear it among everything.
    SubscribeEverything,
    /// Joins a queue group on its `agents.>`, to take messages away from the others.
    JoinQueue,
    /// Asks one of its agents for a job.
    RequestJob,
    /// Subscribes to `_INBOX.>`, to hear the answers to its requests.
    ListenToInboxes,
    /// Publishes on the own subjects with a reply subject of its, so that whoever answers speaks to it.
    AnswerInto,
}

/// What is done with a tenant's streams and buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageOperation {
    /// Lists the streams.
    List,
    /// Reads a stream's state, a message, or by a consumer.
    Read,
    /// Publishes into a stream or puts into a bucket.
    Write,
    /// Purges or deletes a stream, a message or a bucket.
    Destroy,
    /// Creates an own stream on its subjects.
    Capture,
    /// Creates an own stream that mirrors or sources its stream.
    Mirror,
}

//! Who does what: one cell of the access matrix.

use bulkhead_identity::{AgentId, AuthorityName, PeerName, TenantSlug};

pub use super::said::{BrokerOperation, MessageOperation, StorageOperation};

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
    /// Signed by another generation of the right authority: the root signed it, and nobody is configured to believe it.
    StaleGeneration,
    /// One bit of the signature is flipped.
    AlteredSignature,
    /// Its validity has ended.
    Expired,
    /// Its validity has not begun.
    NotYetValid,
    /// Its serial number is on its authority's revocation list.
    Revoked,
    /// Signed by another real authority in the right one's name.
    BorrowedIssuerName(AuthorityName),
    /// Another peer's name beside its own.
    ExtraName(PeerName),
    /// Its own name, and then another peer's, as common names.
    TwoCommonNames(PeerName),
    /// Another peer's name as the common name, its own as the alternative one.
    OtherCommonName(PeerName),
    /// Its own name as the common name, another peer's as the alternative one.
    OtherAlternativeName(PeerName),
    /// Its key is not at hand: another one signs.
    KeyNotHeld,
    /// Nothing; but another peer's certificate, which is public, is sent behind it.
    TrailingCertificate(PeerName),
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
    /// Opens a TCP connection from where the caller is. What is said over it is another operation.
    Reach {
        /// To whom.
        target: PeerName,
    },
    /// Speaks to a door of a service that the platform does not open.
    SideDoor {
        /// Whose.
        service: PeerName,
        /// Which.
        door: SideDoor,
    },
    /// Completes a TLS handshake with a gRPC service and hears its first words.
    Handshake {
        /// With whom.
        service: PeerName,
    },
    /// Offers a service the session that an earlier handshake left, so that the certificate is not looked at.
    Resume {
        /// To whom it is offered.
        service: PeerName,
        /// Who was party to the earlier handshake.
        earlier: PeerName,
    },
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
    /// Asks an agent in so many words for what another one knows: `agent_id` names that one.
    AskForAnother {
        /// Who is asked.
        agent: PeerName,
        /// Who is meant.
        named: AgentId,
    },
    /// Reports to the poller something that says of itself that it is another tenant's.
    ReportForAnother {
        /// Which tenant's.
        named: TenantSlug,
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
    /// Connects to NATS and names another user than its certificate's in `CONNECT`, then speaks as that one.
    ConnectAs {
        /// Who is claimed to connect.
        user: PeerName,
    },
    /// Asks something of the broker that concerns no tenant in particular.
    Broker {
        /// What.
        operation: BrokerOperation,
    },
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
    /// Has what it reports to the poller kept among a tenant's results.
    FileReport {
        /// Among whose.
        tenant: TenantSlug,
    },
    /// Has what the poller asks of it kept among a tenant's results.
    FilePolled {
        /// Among whose.
        tenant: TenantSlug,
    },
    /// Finds something among the files that it was given, which are all that a thief of its machine would find.
    Find {
        /// What.
        artefact: Artefact,
    },
}

/// A door that a service may have beside the one that the platform opens. The numbers are the customary ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SideDoor {
    /// NATS's monitoring (8222): names every tenant, and asks nobody who they are.
    Monitoring,
    /// NATS's leaf nodes (7422): a server of a tenant's own would join.
    LeafNodes,
    /// NATS's cluster routes (6222).
    Cluster,
    /// NATS over WebSocket (8080), where `no_auth_user` counts.
    WebSocket,
    /// NATS over MQTT (1883), where `no_auth_user` counts as well.
    Mqtt,
    /// NATS's gateways between clusters (7222).
    Gateway,
    /// Any other port on which the service listens.
    Unplanned,
    /// A port of this machine that leads to the service's container from anywhere, and not from the machine itself alone.
    Published,
}

impl SideDoor {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Monitoring,
        Self::LeafNodes,
        Self::Cluster,
        Self::WebSocket,
        Self::Mqtt,
        Self::Gateway,
        Self::Unplanned,
        Self::Published,
    ];

    /// Where it customarily is.
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Monitoring => Some(8222),
            Self::LeafNodes => Some(7422),
            Self::Cluster => Some(6222),
            Self::WebSocket => Some(8080),
            Self::Mqtt => Some(1883),
            Self::Gateway => Some(7222),
            Self::Unplanned | Self::Published => None,
        }
    }
}

/// What a service may or may not have been given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Artefact {
    /// The private key of a peer.
    Key(PeerName),
    /// The private key of an authority.
    AuthorityKey(AuthorityName),
    /// An authority's certificate, to believe its members.
    Trust(AuthorityName),
    /// Its own private key, in a file that other users of the machine can read.
    OpenKey,
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
    /// As anybody would, to read which authorities the server names when it asks for a certificate.
    AskForAuthorities,
    /// By TCP alone, and then in silence, while others want to be served.
    HoldTheDoor,
    /// By TCP alone, and then in silence, to stay for as long as nobody objects.
    BeSilent,
    /// As the platform's own clients do it, and again, until there is no place left; then others want to be served.
    TakeAllPlaces,
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

/// A gRPC method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `grpc.health.v1.Health/Check`.
    Health,
    /// `grpc.health.v1.Health/Watch`, of which the first answer counts.
    WatchHealth,
    /// `monitoring.AgentService/GetStatus`.
    GetStatus,
    /// `monitoring.AgentService/GetResults`.
    GetResults,
    /// `monitoring.AgentService/StreamResults`.
    StreamResults,
    /// `monitoring.PollerService/ReportStatus`.
    ReportStatus,
    /// `monitoring.PollerService/StreamStatus`.
    StreamStatus,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Health,
        Self::WatchHealth,
        Self::GetStatus,
        Self::GetResults,
        Self::StreamResults,
        Self::ReportStatus,
        Self::StreamStatus,
    ];
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

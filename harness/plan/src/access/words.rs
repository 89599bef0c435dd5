//! What attempts are called: a stable code for programs, words for people.

use std::fmt;

use bulkhead_identity::PeerName;

use super::attempt::{
    Artefact, BrokerOperation, CallTarget, CertificateFlaw, Manner, MessageOperation, Method, Operation,
    RequestAuthority, SideDoor, StorageOperation, TenantMetadata, Who,
};

/// Gives each variant of a plain enumeration its code and its words.
macro_rules! words {
    ($kind:ident { $($variant:ident = $code:literal, $words:literal;)+ }) => {
        impl $kind {
            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self {
                    $(Self::$variant => $words,)+
                })
            }
        }
    };
}

words! { SideDoor {
    Monitoring = "monitoring", "speaks to the monitoring port of";
    LeafNodes = "leaf-nodes", "speaks to the leaf node port of";
    Cluster = "cluster", "speaks to the cluster port of";
    WebSocket = "websocket", "speaks WebSocket to";
    Mqtt = "mqtt", "speaks MQTT to";
    Gateway = "gateway", "speaks to the gateway port of";
    Unplanned = "unplanned", "speaks to a port that nobody planned of";
    Published = "published", "speaks to a port of this machine that leads to";
} }

words! { Manner {
    OldTls = "old-tls", "connects with TLS 1.2 to";
    NoAlpn = "no-alpn", "connects without offering HTTP/2 to";
    InTheClear = "in-the-clear", "connects without TLS to";
    AskForAuthorities = "ask-for-authorities", "learns the names of authorities from";
    HoldTheDoor = "hold-the-door", "keeps others waiting by saying nothing to";
    BeSilent = "be-silent", "stays connected without a word to";
    TakeAllPlaces = "take-all-places", "leaves others no place by taking all of its own at";
} }

words! { Method {
    Health = "health", "asks for the health of";
    WatchHealth = "watch-health", "watches the health of";
    GetStatus = "get-status", "calls GetStatus of";
    GetResults = "get-results", "calls GetResults of";
    StreamResults = "stream-results", "calls StreamResults of";
    ReportStatus = "report-status", "calls ReportStatus of";
    StreamStatus = "stream-status", "calls StreamStatus of";
} }

words! { MessageOperation {
    Publish = "publish", "publishes among the results of";
    PublishAsPoller = "publish-as-poller", "publishes what only the poller says of";
    Subscribe = "subscribe", "listens to the results of";
    SubscribeAnyTenant = "subscribe-any-tenant", "listens to everybody's results and hears";
    SubscribeEverything = "subscribe-everything", "listens to everything and hears";
    ListenAtHome = "listen-at-home", "listens to everything of its own and hears the results of";
    JoinQueue = "join-queue", "takes results away, in a queue group, from";
    RequestJob = "request-job", "gives a job to an agent of";
    ListenToInboxes = "listen-to-inboxes", "listens to all inboxes and hears answers to";
    AnswerInto = "answer-into", "answers itself into the results of";
    ReceiptInto = "receipt-into", "has a receipt sent into the results of";
    AskInto = "ask-into", "has the platform's answer sent into the results of";
    AskInItsName = "ask-in-its-name", "asks the platform in the name of";
    TakeMessageId = "take-message-id", "has a message vanish as a duplicate of its own from";
    PublishToInbox = "publish-to-inbox", "answers a request in place of whoever was asked by";
} }

words! { StorageOperation {
    ListNames = "list-names", "finds among the names of streams those of";
    List = "list", "finds among the streams those of";
    Describe = "describe", "describes a stream of";
    ReadMessage = "read-message", "reads a kept message of";
    ReadDirect = "read-direct", "reads by direct get a kept message of";
    Consume = "consume", "makes a consumer on a stream of";
    BackUp = "back-up", "has a backup sent of a stream of";
    ReadValue = "read-value", "reads a value of";
    ReadObject = "read-object", "reads an object of";
    Store = "store", "publishes into a stream of";
    PutValue = "put-value", "puts a value into a bucket of";
    PutObject = "put-object", "puts an object into a bucket of";
    Purge = "purge", "purges a stream of";
    RemoveMessage = "remove-message", "deletes a kept message of";
    Reconfigure = "reconfigure", "changes a stream of";
    Delete = "delete", "deletes a stream of";
    RollUp = "roll-up", "rolls up a stream of";
    RollUpRecord = "roll-up-record", "rolls up what the platform keeps of";
    DeleteBucket = "delete-bucket", "deletes a bucket of";
    PurgeAccount = "purge-account", "has the broker purge the account of";
    Capture = "capture", "captures in a stream the messages of";
    Mirror = "mirror", "mirrors a stream of";
    Source = "source", "sources a stream of";
    Republish = "republish", "republishes into the results of";
    DeliverInto = "deliver-into", "has a consumer deliver into the results of";
    PullInto = "pull-into", "pulls from a consumer into the results of";
    ReadNamesake = "read-namesake", "reads its own stream of the name and finds messages of";
    PurgeNamesake = "purge-namesake", "purges its own stream of the name and hits";
    ReadRecord = "read-record", "reads what the platform keeps of";
    PurgeRecord = "purge-record", "purges what the platform keeps of";
    Restore = "restore", "finds, by asking for a restore, a stream of";
    NameConsumers = "name-consumers", "finds the names of consumers of";
    ListConsumers = "list-consumers", "finds the consumers of";
    DescribeConsumer = "describe-consumer", "describes a consumer of";
    PauseConsumer = "pause-consumer", "pauses a consumer of";
    UnpinConsumer = "unpin-consumer", "takes from whoever it is pinned to a consumer of";
    TakeNext = "take-next", "takes the next message from a consumer of";
    Acknowledge = "acknowledge", "acknowledges a message that was given to";
    DeleteConsumer = "delete-consumer", "deletes a consumer of";
    AskAccount = "ask-account", "asks what its account holds and is shown that of";
    HearAdvisories = "hear-advisories", "listens to the broker's advisories and hears of";
} }

words! { BrokerOperation {
    ListenToSystem = "listen-to-system", "listens to the system events of";
    AskServers = "ask-servers", "asks all servers, as an operator does, of";
    StepDown = "step-down", "deposes the leader of";
    RemoveServer = "remove-server", "removes a server of";
    ReserveTooMuch = "reserve-too-much", "reserves more storage than its share of";
    PublishTooMuch = "publish-too-much", "publishes a larger message than it may to";
    ConnectTooOften = "connect-too-often", "opens more connections than it may to";
} }

impl TenantMetadata {
    /// What is appended to the method's code; nothing for a call that says nothing.
    const fn code(&self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Claims(_) => "+claim",
            Self::ClaimsTwice(_) => "+claim-twice",
            Self::Unreadable => "+claim-unreadable",
            Self::Binary => "+claim-binary",
        }
    }
}

impl fmt::Display for TenantMetadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => Ok(()),
            Self::Claims(slug) => write!(formatter, ", claiming to speak for {slug}"),
            Self::ClaimsTwice(slug) => write!(formatter, ", claiming twice to speak for {slug}"),
            Self::Unreadable => formatter.write_str(", claiming to speak for something that is no tenant"),
            Self::Binary => formatter.write_str(", claiming a tenant in binary metadata"),
        }
    }
}

impl CertificateFlaw {
    /// The stable code, without whom it is about.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::None => "valid",
            Self::SelfSigned => "self-signed",
            Self::UnknownAuthority => "unknown-authority",
            Self::CopiedAuthority => "copied-authority",
            Self::IssuedBy(_) => "wrong-issuer",
            Self::UnderLeaf => "under-leaf",
            Self::UnderSubordinate => "under-subordinate",
            Self::StaleGeneration => "stale-generation",
            Self::AlteredSignature => "altered-signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Revoked => "revoked",
            Self::BorrowedIssuerName(_) => "borrowed-issuer-name",
            Self::ExtraName(_) => "extra-name",
            Self::TwoCommonNames(_) => "two-common-names",
            Self::OtherCommonName(_) => "other-common-name",
            Self::OtherAlternativeName(_) => "other-alternative-name",
            Self::KeyNotHeld => "key-not-held",
            Self::TrailingCertificate(_) => "trailing-certificate",
            Self::LocalhostName => "localhost-name",
            Self::CommonNameOnly => "common-name-only",
            Self::NoPurpose => "no-purpose",
            Self::OnlyForServers => "only-for-servers",
            Self::OnlyForClients => "only-for-clients",
        }
    }
}

impl fmt::Display for CertificateFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("valid, made for this run"),
            Self::SelfSigned => formatter.write_str("self-signed"),
            Self::UnknownAuthority => formatter.write_str("issued by an unknown authority"),
            Self::CopiedAuthority => {
                formatter.write_str("issued by a copy of its authority with another key")
            }
            Self::IssuedBy(authority) => write!(formatter, "issued by {authority}"),
            Self::UnderLeaf => formatter.write_str("issued with a leaf's key"),
            Self::UnderSubordinate => formatter.write_str("issued by a subordinate authority"),
            Self::StaleGeneration => formatter.write_str("issued by another generation of its authority"),
            Self::AlteredSignature => formatter.write_str("with an altered signature"),
            Self::Expired => formatter.write_str("expired"),
            Self::NotYetValid => formatter.write_str("not yet valid"),
            Self::Revoked => formatter.write_str("revoked by its authority"),
            Self::BorrowedIssuerName(authority) => {
                write!(formatter, "issued by {authority} in the name of its authority")
            }
            Self::ExtraName(name) => write!(formatter, "also naming {name}"),
            Self::TwoCommonNames(name) => write!(formatter, "with {name} as a second common name"),
            Self::OtherCommonName(name) => write!(formatter, "with {name} as its common name"),
            Self::OtherAlternativeName(name) => write!(formatter, "with {name} as its alternative name"),
            Self::KeyNotHeld => formatter.write_str("whose key is not at hand"),
            Self::TrailingCertificate(name) => write!(formatter, "followed by the certificate of {name}"),
            Self::LocalhostName => formatter.write_str("also naming localhost"),
            Self::CommonNameOnly => formatter.write_str("named in its subject only"),
            Self::NoPurpose => formatter.write_str("without a purpose"),
            Self::OnlyForServers => formatter.write_str("made for servers only"),
            Self::OnlyForClients => formatter.write_str("made for clients only"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(name) => write!(formatter, "{name}"),
            Self::Forged { name, flaw } => write!(formatter, "{name} ({flaw})"),
            Self::Anonymous => formatter.write_str("nobody"),
        }
    }
}

impl CallTarget {
    /// The name of the service.
    pub fn name(&self) -> PeerName {
        match self {
            Self::Poller => PeerName::Platform(bulkhead_identity::PlatformName::Poller),
            Self::Agent { tenant, agent } => PeerName::Tenant(agent.of_tenant(tenant)),
        }
    }
}

impl fmt::Display for Artefact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(name) => write!(formatter, "the private key of {name}"),
            Self::AuthorityKey(name) => write!(formatter, "the private key of {name}"),
            Self::Trust(name) => write!(formatter, "trust in {name}"),
            Self::OpenKey => formatter.write_str("a key that other users can read"),
        }
    }
}

impl Operation {
    /// The stable code, without whom it is done to: `js.purge`, `grpc.get-status+claim`.
    pub fn code(&self) -> String {
        match self {
            Self::Reach { .. } => "net.reach".to_owned(),
            Self::SideDoor { door, .. } => format!("net.{}", door.code()),
            Self::Handshake { .. } => "tls.handshake".to_owned(),
            Self::Resume { service, earlier } if service == earlier => "tls.resume".to_owned(),
            Self::Resume { .. } => "tls.resume-elsewhere".to_owned(),
            Self::Knock { manner, .. } => format!("tls.{}", manner.code()),
            Self::Impersonate { .. } => "tls.impersonate".to_owned(),
            Self::Call { method, metadata, authority, .. } => {
                let authority = match authority {
                    RequestAuthority::Target => "",
                    RequestAuthority::Other(_) => "+authority",
                };
                format!("grpc.{}{}{authority}", method.code(), metadata.code())
            }
            Self::AskForAnother { .. } => "grpc.ask-for-another".to_owned(),
            Self::ReportForAnother { .. } => "grpc.report-for-another".to_owned(),
            Self::Connect => "nats.connect".to_owned(),
            Self::ConnectAs { .. } => "nats.connect-as".to_owned(),
            Self::Message { operation, .. } => format!("nats.{}", operation.code()),
            Self::Storage { operation, .. } => format!("js.{}", operation.code()),
            Self::Broker { operation } => format!("broker.{}", operation.code()),
            Self::ReadResults { .. } => "admin.read-results".to_owned(),
            Self::FileReport { .. } => "poller.file-report".to_owned(),
            Self::FilePolled { .. } => "poller.file-polled".to_owned(),
            Self::Find { artefact } => format!(
                "disk.{}",
                match artefact {
                    Artefact::Key(_) => "key",
                    Artefact::AuthorityKey(_) => "authority-key",
                    Artefact::Trust(_) => "trust",
                    Artefact::OpenKey => "open-key",
                }
            ),
        }
    }

    /// The service that has to be reached for it; none for what is found on disk or done to whoever dials.
    pub fn service(&self) -> Option<PeerName> {
        use bulkhead_identity::PlatformName::{Nats, Poller};
        match self {
            Self::Reach { target } => Some(target.clone()),
            Self::SideDoor { service, .. }
            | Self::Handshake { service }
            | Self::Resume { service, .. }
            | Self::Knock { service, .. } => Some(service.clone()),
            Self::Call { target, .. } => Some(target.name()),
            Self::AskForAnother { agent, .. } => Some(agent.clone()),
            Self::ReportForAnother { .. } | Self::FileReport { .. } | Self::FilePolled { .. } => {
                Some(PeerName::Platform(Poller))
            }
            Self::Connect
            | Self::ConnectAs { .. }
            | Self::Message { .. }
            | Self::Storage { .. }
            | Self::Broker { .. }
            | Self::ReadResults { .. } => Some(PeerName::Platform(Nats)),
            Self::Impersonate { .. } | Self::Find { .. } => None,
        }
    }

    /// Whom it is done to, for people: a service, a tenant, an artefact.
    pub fn object(&self) -> String {
        match self {
            Self::Message { owner, .. } | Self::Storage { owner, .. } => owner.to_string(),
            Self::ReadResults { tenant } | Self::FileReport { tenant } | Self::FilePolled { tenant } => {
                tenant.to_string()
            }
            Self::ConnectAs { user } => user.to_string(),
            Self::Impersonate { service, dialler } => format!("{dialler} in place of {service}"),
            Self::Find { artefact } => artefact.to_string(),
            other => other.service().map(|name| name.to_string()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self.object();
        match self {
            Self::Reach { .. } => write!(formatter, "reaches {object}"),
            Self::SideDoor { door, .. } => write!(formatter, "{door} {object}"),
            Self::Handshake { .. } => write!(formatter, "shakes hands with {object}"),
            Self::Resume { earlier, .. } => {
                write!(formatter, "offers {object} a session that it had with {earlier}")
            }
            Self::Knock { manner, .. } => write!(formatter, "{manner} {object}"),
            Self::Impersonate { service, dialler } => {
                write!(formatter, "answers in place of {service} when {dialler} dials")
            }
            Self::Call { method, metadata, authority, .. } => {
                write!(formatter, "{method} {object}{metadata}")?;
                match authority {
                    RequestAuthority::Target => Ok(()),
                    RequestAuthority::Other(name) => write!(formatter, " under the authority {name}"),
                }
            }
            Self::AskForAnother { named, .. } => write!(formatter, "asks {object} for what {named} knows"),
            Self::ReportForAnother { named } => {
                write!(formatter, "reports to {object} as if it were {named}'s")
            }
            Self::Connect => write!(formatter, "connects to {object}"),
            Self::ConnectAs { .. } => write!(formatter, "connects to NATS as {object}"),
            Self::Message { operation, .. } => write!(formatter, "{operation} {object}"),
            Self::Storage { operation, .. } => write!(formatter, "{operation} {object}"),
            Self::Broker { operation } => write!(formatter, "{operation} {object}"),
            Self::ReadResults { .. } => {
                write!(formatter, "asks, as administrators do, for the results of {object}")
            }
            Self::FileReport { .. } => write!(formatter, "has its report kept among the results of {object}"),
            Self::FilePolled { .. } => {
                write!(formatter, "has what the poller asks of it kept among the results of {object}")
            }
            Self::Find { .. } => write!(formatter, "finds {object} among its files"),
        }
    }
}

//! What is wrong with a forged certificate.

use std::fmt;

use bulkhead_identity::{AuthorityName, PeerName};

/// The one thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
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
    /// Validity ended a minute ago.
    Expired,
    /// Validity begins in half an hour.
    NotYetValid,
    /// Another peer's name beside its own.
    ExtraName(PeerName),
    /// `localhost` beside its own name, as upstream's script writes into every leaf.
    LocalhostName,
    /// The name stands in the subject only.
    CommonNameOnly,
    /// No extended key usage.
    NoPurpose,
    /// Extended key usage for servers, used by a client.
    OnlyForServers,
    /// Extended key usage for clients, used by a server.
    OnlyForClients,
}

impl fmt::Display for Flaw {
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
            Self::AlteredSignature => formatter.write_str("with an altered signature"),
            Self::Expired => formatter.write_str("expired"),
            Self::NotYetValid => formatter.write_str("not yet valid"),
            Self::ExtraName(name) => write!(formatter, "also naming {name}"),
            Self::LocalhostName => formatter.write_str("also naming localhost"),
            Self::CommonNameOnly => formatter.write_str("named in its subject only"),
            Self::NoPurpose => formatter.write_str("without a purpose"),
            Self::OnlyForServers => formatter.write_str("made for servers only"),
            Self::OnlyForClients => formatter.write_str("made for clients only"),
        }
    }
}

//! The words of the features, as types.

use std::fmt;
use std::str::FromStr;

use bulkhead_plan::access::{DenialReason, Expectation};
use cucumber::Parameter;

/// A word that the steps do not know.
#[derive(Debug, thiserror::Error)]
#[error("the steps know no {kind} '{word}'")]
pub(crate) struct UnknownWord {
    kind: &'static str,
    word: String,
}

impl UnknownWord {
    pub(crate) fn new(kind: &'static str, word: &str) -> Self {
        Self { kind, word: word.to_owned() }
    }
}

fn unknown(kind: &'static str, word: &str) -> UnknownWord {
    UnknownWord::new(kind, word)
}

/// Somebody who acts or is acted upon. A tenant speaks through its first agent: `acme` is `acme's agent`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Parameter)]
#[param(
    name = "peer",
    regex = "the poller|the platform|the administrator|the broker|nobody|[a-z][a-z0-9-]*'s agent|[a-z][a-z0-9]*"
)]
pub(crate) enum Peer {
    /// Somebody without a certificate.
    Nobody,
    /// The message broker.
    Broker,
    /// The platform's poller, which is the platform's voice among messages.
    Poller,
    /// The platform's administrator.
    Administrator,
    /// A tenant's first agent.
    Agent(String),
}

impl FromStr for Peer {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "nobody" => Ok(Self::Nobody),
            "the broker" => Ok(Self::Broker),
            "the poller" | "the platform" => Ok(Self::Poller),
            "the administrator" => Ok(Self::Administrator),
            _ if word.contains(' ') => {
                word.strip_suffix("'s agent").map(Self::tenant).ok_or_else(|| unknown("peer", word))
            }
            _ => Ok(Self::tenant(word)),
        }
    }
}

impl Peer {
    pub(crate) fn tenant(slug: &str) -> Self {
        Self::Agent(slug.to_owned())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => formatter.write_str("nobody"),
            Self::Broker => formatter.write_str("the broker"),
            Self::Poller => formatter.write_str("the poller"),
            Self::Administrator => formatter.write_str("the administrator"),
            Self::Agent(tenant) => write!(formatter, "{tenant}'s agent"),
        }
    }
}

/// A service of gRPC: an agent or the poller.
#[derive(Debug, Clone, PartialEq, Eq, Parameter)]
#[param(name = "service", regex = "the poller|[a-z][a-z0-9-]*'s agent")]
pub(crate) struct Service(pub(crate) Peer);

impl FromStr for Service {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        word.parse().map(Self)
    }
}

/// A tenant by the name that the features give it.
#[derive(Debug, Clone, PartialEq, Eq, Parameter)]
#[param(name = "tenant", regex = "[a-z][a-z0-9]*")]
pub(crate) struct Tenant(pub(crate) String);

impl FromStr for Tenant {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Ok(Self(word.to_owned()))
    }
}

/// Why somebody is refused: any of the reasons that the words stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Parameter)]
#[param(name = "reason", regex = ".+")]
pub(crate) struct Reason(pub(crate) &'static [DenialReason]);

impl Reason {
    pub(crate) fn expectation(self) -> Expectation {
        Expectation::Denied(self.0.to_vec())
    }
}

const REASONS: &[(&str, &[DenialReason])] = &[
    ("it does not speak TLS", &[DenialReason::NoTls]),
    ("its TLS is not accepted", &[DenialReason::IncompatibleTls]),
    ("it does not offer HTTP/2", &[DenialReason::NoAlpn]),
    ("it shows no certificate", &[DenialReason::NoCertificate]),
    ("nobody knows its issuer", &[DenialReason::UnknownIssuer]),
    ("it has expired", &[DenialReason::Expired]),
    ("it is not valid yet", &[DenialReason::NotYetValid]),
    ("it was revoked", &[DenialReason::Revoked]),
    ("its signature is wrong", &[DenialReason::BadSignature]),
    ("it is for another purpose", &[DenialReason::WrongPurpose]),
    // The authority's name constraint, or the rule that the platform's authority names no tenants.
    ("its issuer may not name it", &[DenialReason::NameConstraint, DenialReason::WrongAuthority]),
    ("its path is too long", &[DenialReason::PathLength]),
    ("it breaks the profile", &[DenialReason::Profile]),
    ("it is somebody else", &[DenialReason::UnexpectedPeer]),
    (
        "it claims another tenant",
        &[
            DenialReason::TenantOther,
            DenialReason::TenantClaimDiffers,
            DenialReason::TenantClaimRepeated,
            DenialReason::TenantClaimUnreadable,
            DenialReason::TenantMetadataBinary,
            DenialReason::TenantMetadataUnexpected,
        ],
    ),
    ("it names another service", &[DenialReason::WrongAuthority]),
    ("it may not call this", &[DenialReason::NotGranted]),
    ("the broker knows no such user", &[DenialReason::NatsAuthorization]),
    ("it may not publish there", &[DenialReason::PublishPermission]),
    ("it may not listen there", &[DenialReason::SubscribePermission]),
    ("it stays in its own account", &[DenialReason::OtherAccount]),
    ("there is no such thing in its account", &[DenialReason::NotFound]),
    ("its share is spent", &[DenialReason::Quota]),
];

impl FromStr for Reason {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let known = REASONS.iter().find(|(words, _)| *words == word);
        known.map(|(_, reasons)| Self(reasons)).ok_or_else(|| unknown("reason", word))
    }
}

/// What is wrong with a certificate, in the features' words.
#[derive(Debug, Clone, PartialEq, Eq, Parameter)]
#[param(name = "flaw", regex = ".+")]
pub(crate) enum FlawWord {
    /// Nothing: made for this run by the right authority.
    Valid,
    /// Signed by its own key.
    SelfSigned,
    /// Signed by an authority that nobody knows.
    UnknownAuthority,
    /// Signed by a copy of the right authority with another key.
    CopiedAuthority,
    /// Signed by the root.
    ByRoot,
    /// Signed by the platform's authority.
    ByPlatform,
    /// Signed by this tenant's authority.
    ByTenant(String),
    /// Signed with a leaf's key.
    ByLeaf,
    /// Signed by an authority below the right one.
    BySubordinate,
    /// No longer valid.
    Expired,
    /// Not yet valid.
    NotYetValid,
    /// Revoked by its authority.
    Revoked,
    /// One bit of its signature is flipped.
    Altered,
    /// Names somebody else as well.
    AlsoNaming(Peer),
    /// Names localhost as well.
    AlsoLocalhost,
    /// Its name is in the subject only.
    SubjectOnly,
    /// No extended key usage.
    NoPurpose,
    /// For servers only.
    ServersOnly,
    /// For clients only.
    ClientsOnly,
    /// A good certificate of somebody else.
    OwnOf(Peer),
}

impl FromStr for FlawWord {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        if let Some(peer) = word.strip_prefix("also naming ").filter(|peer| *peer != "localhost") {
            return Ok(Self::AlsoNaming(peer.parse()?));
        }
        if let Some(peer) = word.strip_suffix(" own").and_then(|word| word.strip_suffix("'s")) {
            return Ok(Self::OwnOf(peer.parse()?));
        }
        match word {
            "valid" => Ok(Self::Valid),
            "self-signed" => Ok(Self::SelfSigned),
            "issued by an unknown authority" => Ok(Self::UnknownAuthority),
            "issued by a copy of its authority" => Ok(Self::CopiedAuthority),
            "issued by the root authority" => Ok(Self::ByRoot),
            "issued by the platform's authority" => Ok(Self::ByPlatform),
            "issued with another certificate's key" => Ok(Self::ByLeaf),
            "issued by a subordinate authority" => Ok(Self::BySubordinate),
            "expired" => Ok(Self::Expired),
            "not yet valid" => Ok(Self::NotYetValid),
            "revoked" => Ok(Self::Revoked),
            "altered" => Ok(Self::Altered),
            "also naming localhost" => Ok(Self::AlsoLocalhost),
            "naming its owner in the subject only" => Ok(Self::SubjectOnly),
            "made for no purpose" => Ok(Self::NoPurpose),
            "made for servers only" => Ok(Self::ServersOnly),
            "made for clients only" => Ok(Self::ClientsOnly),
            _ => word
                .strip_prefix("issued by ")
                .and_then(|word| word.strip_suffix("'s authority"))
                .map(|slug| Self::ByTenant(slug.to_owned()))
                .ok_or_else(|| unknown("flaw", word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_and_its_agent_are_one_peer() {
        assert_eq!("acme".parse::<Peer>().unwrap(), "acme's agent".parse::<Peer>().unwrap());
        assert_eq!("the platform".parse::<Peer>().unwrap(), Peer::Poller);
    }

    #[test]
    fn flaws_name_whom_they_borrow_from() {
        let flaw = |word: &str| word.parse::<FlawWord>().unwrap();
        assert_eq!(flaw("issued by globex's authority"), FlawWord::ByTenant("globex".to_owned()));
        assert_eq!(flaw("issued by the platform's authority"), FlawWord::ByPlatform);
        assert_eq!(flaw("globex's agent's own"), FlawWord::OwnOf(Peer::tenant("globex")));
        assert_eq!(flaw("the broker's own"), FlawWord::OwnOf(Peer::Broker));
        assert_eq!(flaw("also naming localhost"), FlawWord::AlsoLocalhost);
    }

    #[test]
    fn a_misspelt_word_is_an_error_and_not_a_guess() {
        assert!("it has expirred".parse::<Reason>().is_err());
        assert!("wrong somehow".parse::<FlawWord>().is_err());
    }
}

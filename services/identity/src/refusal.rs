//! Why a peer was refused: the typed record that verdicts, audit lines and explanations are made of.

use std::sync::Arc;

use rustls::{CertificateError as TlsCertificateError, OtherError};
use time::OffsetDateTime;

use crate::authority_name::AuthorityName;
use crate::moment;
use crate::names::PeerName;
use crate::pattern::{PeerPattern, Role, list};
use crate::profile::ProfileViolation;
use crate::rule::Rule;

/// Which certificate of the path a refusal speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The peer's own certificate.
    Leaf,
    /// The configured authority that issued it.
    Authority(AuthorityName),
}

impl std::fmt::Display for Whose {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Leaf => formatter.write_str("the certificate"),
            Self::Authority(name) => write!(formatter, "the authority {name}"),
        }
    }
}

/// Why a peer's certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The peer sent no certificate.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// The certificate cannot be read.
    #[error("the certificate is malformed: {0}")]
    Malformed(String),
    /// An extension that nobody here understands is marked critical (RFC 5280 section 4.2).
    #[error("the certificate has a critical extension that is not understood")]
    CriticalExtension,
    /// No configured authority has the name of the certificate's issuer.
    #[error("the certificate's issuer `{issuer}` is not a configured authority")]
    UnknownIssuer {
        /// The issuer, for people.
        issuer: String,
    },
    /// A certificate of the path is no longer valid.
    #[error("{whose} expired at {}", moment::text(*not_after))]
    Expired {
        /// Which one.
        whose: Whose,
        /// Its last second.
        not_after: OffsetDateTime,
    },
    /// A certificate of the path is not valid yet. There is no tolerance for clocks that differ.
    #[error("{whose} is not valid before {}", moment::text(*not_before))]
    NotYetValid {
        /// Which one.
        whose: Whose,
        /// Its first second.
        not_before: OffsetDateTime,
    },
    /// The certificate of an authority was presented as a peer's own.
    #[error("the certificate is an authority's and cannot name a peer")]
    AuthorityAsLeaf,
    /// The extended key usage does not contain what the peer does here.
    #[error("the certificate is not for use as a {role}")]
    WrongPurpose {
        /// What the peer is here.
        role: Role,
    },
    /// The path has more authorities than one of them allows.
    #[error("the path to the root is longer than an authority in it allows")]
    PathLength,
    /// A certificate of the path is not signed by the key of the authority that it names.
    #[error("the certificate is not signed by the configured key of its issuer")]
    BadSignature,
    /// A signature of the path uses an algorithm that is not accepted, such as SHA-1.
    #[error("the certificate is signed with an algorithm that is not accepted")]
    UnsupportedAlgorithm,
    /// A name of the certificate is outside what its issuer may certify.
    #[error("a name in the certificate is outside its issuer's name constraints")]
    NameConstraint,
    /// The certificate, or the authority that issued it, is on a revocation list.
    #[error("the certificate or its issuer was revoked")]
    Revoked,
    /// Revocation lists are configured, and none of them answers for this certificate.
    #[error("no usable revocation list answers for the certificate: {0}")]
    RevocationUnknown(String),
    /// The path is sound, and the certificate is not what this platform issues.
    #[error("the certificate breaks the profile: {0}")]
    Profile(ProfileViolation),
    /// The issuer is a configured authority that may not certify this name.
    #[error("{issuer} may not certify {found}")]
    WrongAuthority {
        /// Who issued the certificate.
        issuer: AuthorityName,
        /// Whom it names.
        found: PeerName,
    },
    /// The certificate is in order, and names somebody who is not accepted here.
    #[error("the certificate names {found}, and {} is accepted here", list(expected))]
    UnexpectedPeer {
        /// Whom the certificate names.
        found: PeerName,
        /// Who is accepted.
        expected: Vec<PeerPattern>,
    },
    /// The peer did not prove that it holds the certificate's key.
    #[error("the peer's handshake is not signed by the key of its certificate")]
    KeyNotProven,
    /// Anything else that the path building of webpki refuses.
    #[error("no path to the root was found: {0}")]
    Path(String),
}

impl Refusal {
    /// The stable word for this kind of refusal: audit records, metrics and tests compare it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no-certificate",
            Self::Malformed(_) => "malformed",
            Self::CriticalExtension => "critical-extension",
            Self::UnknownIssuer { .. } => "unknown-issuer",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::AuthorityAsLeaf => "authority-as-leaf",
            Self::WrongPurpose { .. } => "wrong-purpose",
            Self::PathLength => "path-length",
            Self::BadSignature => "bad-signature",
            Self::UnsupportedAlgorithm => "unsupported-algorithm",
            Self::NameConstraint => "name-constraint",
            Self::Revoked => "revoked",
            Self::RevocationUnknown(_) => "revocation-unknown",
            Self::Profile(_) => "profile",
            Self::WrongAuthority { .. } => "wrong-authority",
            Self::UnexpectedPeer { .. } => "unexpected-peer",
            Self::KeyNotProven => "key-not-proven",
            Self::Path(_) => "path",
        }
    }

    /// The rule that the certificate breaks.
    pub fn rule(&self) -> Rule {
        match self {
            Self::NoCertificate | Self::Malformed(_) | Self::CriticalExtension => Rule::Readable,
            Self::UnknownIssuer { .. } => Rule::KnownIssuer,
            Self::Expired { whose, .. } | Self::NotYetValid { whose, .. } => match whose {
                Whose::Leaf => Rule::Dates,
                Whose::Authority(_) => Rule::AuthorityDates,
            },
            Self::AuthorityAsLeaf => Rule::NotAnAuthority,
            Self::WrongPurpose { .. } => Rule::Purpose,
            Self::PathLength | Self::Path(_) => Rule::Path,
            Self::BadSignature | Self::UnsupportedAlgorithm => Rule::Signature,
            Self::NameConstraint => Rule::NameConstraints,
            Self::Revoked | Self::RevocationUnknown(_) => Rule::Revocation,
            Self::Profile(violation) => violation.rule(),
            Self::WrongAuthority { .. } => Rule::Entitlement,
            Self::UnexpectedPeer { .. } => Rule::ExpectedPeer,
            Self::KeyNotProven => Rule::KeyProven,
        }
    }

    /// What to change so that the certificate is accepted, where that is wanted.
    pub fn advice(&self) -> String {
        match self {
            Self::NoCertificate => "configure the peer with its certificate and key".to_owned(),
            Self::Malformed(_) => "issue the certificate again; do not edit it".to_owned(),
            Self::CriticalExtension => "issue it again without that extension, or with the extension not critical".to_owned(),
            Self::UnknownIssuer { .. } => "configure the authority that issued it (the intermediates that a peer sends are not used), or issue it from a configured authority; a renewed authority has a new name, and both generations are configured during the overlap".to_owned(),
            Self::Expired { whose: Whose::Leaf, .. } => "renew the certificate; when its date looks right, check this machine's clock".to_owned(),
            Self::Expired { whose: Whose::Authority(name), .. } => format!("rotate {name}: make a new generation, configure it everywhere, then issue the certificates again"),
            Self::NotYetValid { .. } => "check the clocks of both machines; issuers back-date by some minutes because there is no tolerance here".to_owned(),
            Self::AuthorityAsLeaf => "present the peer's own certificate first in its chain file".to_owned(),
            Self::WrongPurpose { role } => format!("issue it with the extended key usage {}", role.purpose()),
            Self::PathLength => "issue it directly from the tenant's authority: authorities below it are not allowed".to_owned(),
            Self::BadSignature => "the issuer's name is known and its key is not: configure the very authority certificate that issued it, and trust no other source that uses that name".to_owned(),
            Self::UnsupportedAlgorithm => "issue it with ECDSA on P-256 or P-384, Ed25519, or RSA from 2048 bits with SHA-256 or better".to_owned(),
            Self::NameConstraint => "issue it from the authority of the tenant that it names, and with no other names: no localhost, nothing outside <tenant slug>.serviceradar".to_owned(),
            Self::Revoked => "enrol the peer again; a revoked certificate stays revoked".to_owned(),
            Self::RevocationUnknown(_) => "configure current revocation lists of the root and of every configured authority".to_owned(),
            Self::Profile(violation) => violation.advice(),
            Self::WrongAuthority { found, .. } => format!("issue it from {}", AuthorityName::responsible_for(found)),
            Self::UnexpectedPeer { .. } => "connect to (or from) the peer that is expected here, or accept this one in the configuration".to_owned(),
            Self::KeyNotProven => "configure the key that belongs to the certificate".to_owned(),
            Self::Path(_) => "check the chain with `openssl verify` against the root and the configured authority".to_owned(),
        }
    }
}

/// Alerts as the stock verifier sends them, and access_denied (RFC 8446 section 6.2) for what only this
/// platform demands.
impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        use TlsCertificateError as Tls;
        let error = match &refusal {
            Refusal::NoCertificate => return Self::NoCertificatesPresented,
            Refusal::Malformed(_) => Tls::BadEncoding,
            Refusal::CriticalExtension => Tls::UnhandledCriticalExtension,
            Refusal::UnknownIssuer { .. } => Tls::UnknownIssuer,
            Refusal::Expired { .. } => Tls::Expired,
            Refusal::NotYetValid { .. } => Tls::NotValidYet,
            Refusal::WrongPurpose { .. } => Tls::InvalidPurpose,
            // `UnsupportedSignatureAlgorithmContext` wants lists that nobody reads; both send decrypt_error.
            Refusal::BadSignature | Refusal::UnsupportedAlgorithm | Refusal::KeyNotProven => {
                Tls::BadSignature
            }
            Refusal::Revoked => Tls::Revoked,
            Refusal::RevocationUnknown(_) => Tls::UnknownRevocationStatus,
            Refusal::Profile(_) | Refusal::WrongAuthority { .. } | Refusal::UnexpectedPeer { .. } => {
                Tls::ApplicationVerificationFailure
            }
            Refusal::AuthorityAsLeaf | Refusal::PathLength | Refusal::NameConstraint | Refusal::Path(_) => {
                Tls::Other(OtherError(Arc::new(refusal)))
            }
        };
        Self::InvalidCertificate(error)
    }
}

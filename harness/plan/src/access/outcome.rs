//! What came of one attempt.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of one attempt. Only [`Outcome::Denied`] for the expected reason satisfies an expected denial: silence,
/// a timeout or a broken probe never does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// It was refused, for this reason.
    Denied(DenialReason),
    /// No packet came back, while a control at the same place answered in the same moment.
    Unreachable,
    /// It cannot be said, and why.
    Inconclusive(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => formatter.write_str("allowed"),
            Self::Denied(reason) => write!(formatter, "denied: {reason}"),
            Self::Unreachable => formatter.write_str("unreachable"),
            Self::Inconclusive(why) => write!(formatter, "inconclusive: {why}"),
        }
    }
}

/// By what an attempt was refused, in the words of the refusing side's own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DenialReason {
    /// No certificate was presented.
    NoCertificate,
    /// The certificate was issued by nobody who is trusted here, another tenant's authority included.
    UnknownIssuer,
    /// It is signed by itself.
    SelfSigned,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Its signature does not verify.
    BadSignature,
    /// It is not made for this use (extended key usage).
    WrongPurpose,
    /// Its issuer may not sign for this name.
    NameConstraint,
    /// A certificate authority below one that may have none.
    PathLength,
    /// It breaks the strict leaf profile.
    Profile,
    /// A good certificate of somebody who has no business here.
    UnexpectedPeer,
    /// No certificate at all: bytes that do not parse.
    Malformed,
    /// The tenant claimed in gRPC metadata is not the certificate's.
    TenantClaim,
    /// `:authority` names another service.
    WrongAuthority,
    /// The caller may not call this method.
    MethodNotAllowed,
    /// NATS knows no user with a name of this certificate.
    NatsAuthorization,
    /// NATS refused to publish.
    PublishPermission,
    /// NATS refused the subscription.
    SubscribePermission,
    /// What was done stayed in the caller's own account: nothing crossed, and nobody answered from the other side.
    OtherAccount,
    /// JetStream knows no such stream, bucket or consumer in the caller's own account.
    NotFound,
    /// JetStream's or the account's quota.
    Quota,
}

impl DenialReason {
    /// The stable word for it, as `bulkhead-identity` and the audit records use it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no-certificate",
            Self::UnknownIssuer => "unknown-issuer",
            Self::SelfSigned => "self-signed",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::BadSignature => "bad-signature",
            Self::WrongPurpose => "wrong-purpose",
            Self::NameConstraint => "name-constraint",
            Self::PathLength => "path-length",
            Self::Profile => "profile",
            Self::UnexpectedPeer => "unexpected-peer",
            Self::Malformed => "malformed",
            Self::TenantClaim => "tenant-claim",
            Self::WrongAuthority => "wrong-authority",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NatsAuthorization => "nats-authorization",
            Self::PublishPermission => "publish-permission",
            Self::SubscribePermission => "subscribe-permission",
            Self::OtherAccount => "other-account",
            Self::NotFound => "not-found",
            Self::Quota => "quota",
        }
    }
}

impl fmt::Display for DenialReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

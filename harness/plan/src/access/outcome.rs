//! What came of one attempt.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of one attempt. Only [`Outcome::Denied`] for the expected reason satisfies an expected denial, or
/// [`Outcome::Refused`] where the refusal may mean it: silence, a timeout or a broken probe never does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// It was refused, for this reason.
    Denied(DenialReason),
    /// It was refused in the protocol's own words, which may mean any of these; there is no record that says which.
    Refused(Vec<DenialReason>),
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
            Self::Refused(possible) => {
                let codes: Vec<&str> = possible.iter().map(|reason| reason.code()).collect();
                write!(formatter, "refused, which may mean: {}", codes.join(" or "))
            }
            Self::Unreachable => formatter.write_str("unreachable"),
            Self::Inconclusive(why) => write!(formatter, "inconclusive: {why}"),
        }
    }
}

macro_rules! denial_reasons {
    ($($(#[$doc:meta])+ $reason:ident = $code:literal,)+) => {
        /// By what an attempt was refused, in the words of the refusing side's own record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum DenialReason {
            $($(#[$doc])+ #[serde(rename = $code)] $reason,)+
        }

        impl DenialReason {
            /// Every reason that there is.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// The stable word for it, as the services' audit records use it.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$reason => $code,)+
                }
            }
        }
    };
}

denial_reasons! {
    /// It does not speak TLS.
    NoTls = "no-tls",
    /// It offers no version of TLS, or no algorithms, that are accepted.
    IncompatibleTls = "incompatible-tls",
    /// It does not offer the protocol that is spoken inside TLS.
    NoAlpn = "no-alpn",
    /// No certificate was presented.
    NoCertificate = "no-certificate",
    /// Bytes that do not parse.
    Malformed = "malformed",
    /// A critical extension that nobody understands.
    CriticalExtension = "critical-extension",
    /// Issued by nobody who is trusted here: another tenant's authority, a stranger, the certificate itself.
    UnknownIssuer = "unknown-issuer",
    /// It has expired, or its issuer has.
    Expired = "expired",
    /// It is not valid yet, or its issuer is not.
    NotYetValid = "not-yet-valid",
    /// An authority's certificate where a peer's own is due.
    AuthorityAsLeaf = "authority-as-leaf",
    /// It is not made for this use (extended key usage).
    WrongPurpose = "wrong-purpose",
    /// A certificate authority below one that may have none.
    PathLength = "path-length",
    /// A signature does not verify.
    BadSignature = "bad-signature",
    /// Signed with an algorithm that is not accepted.
    UnsupportedAlgorithm = "unsupported-algorithm",
    /// Its issuer may not sign for this name.
    NameConstraint = "name-constraint",
    /// It was revoked, or its issuer was.
    Revoked = "revoked",
    /// No usable revocation list answers for it.
    RevocationUnknown = "revocation-unknown",
    /// It breaks the strict leaf profile.
    Profile = "profile",
    /// Two things, told apart by the record's layer: a configured authority that may not certify this name (TLS), or an
    /// `:authority` that names another service (gRPC).
    WrongAuthority = "wrong-authority",
    /// A good certificate of somebody who has no business here.
    UnexpectedPeer = "unexpected-peer",
    /// The peer did not prove that it holds the certificate's key.
    KeyNotProven = "key-not-proven",
    /// No path to the root, for another reason.
    Path = "path",
    /// The caller may not call this method.
    NotGranted = "not-granted",
    /// A tenant asks about another tenant.
    TenantOther = "tenant-other",
    /// The agent that the request names is not the one that is asked.
    AgentOther = "agent-other",
    /// The tenant in the metadata is not the certificate's.
    TenantClaimDiffers = "tenant-claim-differs",
    /// The tenant is in the metadata more than once.
    TenantClaimRepeated = "tenant-claim-repeated",
    /// The tenant in the metadata is no tenant's name.
    TenantClaimUnreadable = "tenant-claim-unreadable",
    /// The tenant is in binary metadata.
    TenantMetadataBinary = "tenant-metadata-binary",
    /// A tenant in the metadata of a call that is about none.
    TenantMetadataUnexpected = "tenant-metadata-unexpected",
    /// NATS knows no user with a name of this certificate.
    NatsAuthorization = "nats-authorization",
    /// NATS refused to publish.
    PublishPermission = "publish-permission",
    /// NATS refused the subscription.
    SubscribePermission = "subscribe-permission",
    /// What was done stayed in the caller's own account: nothing crossed, and nobody answered from the other side.
    OtherAccount = "other-account",
    /// JetStream knows no such stream, bucket or consumer in the caller's own account.
    NotFound = "not-found",
    /// JetStream's or the account's quota.
    Quota = "quota",
    /// The earlier session was not taken up: the certificate was looked at again.
    VerifiedAnew = "verified-anew",
    /// Others were served meanwhile: nobody was kept waiting.
    OthersServed = "others-served",
    /// It did not finish the handshake in time.
    HandshakeTimeout = "handshake-timeout",
    /// What it says of its origin is not its certificate's.
    ForeignClaim = "foreign-claim",
    /// It is not among the files that were given.
    NotGiven = "not-given",
    /// The file is its owner's alone.
    FileMode = "file-mode",
}

impl DenialReason {
    /// The reason that has this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|reason| reason.code() == code).copied()
    }
}

impl fmt::Display for DenialReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

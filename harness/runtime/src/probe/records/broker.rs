//! A line of the broker's log about one connection.

use std::net::SocketAddr;

use bulkhead_plan::access::DenialReason;

/// `… [ERR] 172.18.0.1:40312 - cid:7 - <what>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRecord {
    /// The client's address. All of it: two clients at different addresses may have the same port.
    pub peer: SocketAddr,
    /// What is said of it.
    pub complaint: Complaint,
    /// The broker's words.
    pub text: String,
}

/// What the broker objects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// The handshake or the login failed for this reason.
    Denied(DenialReason),
    /// A sentence that the access model has no word for.
    Other,
}

/// Go's `crypto/x509` and nats-server's own sentences, most specific first. A sentence that is not listed
/// stays [`Complaint::Other`]: a refusal for an unknown reason never counts as the expected one.
const SENTENCES: &[(&str, DenialReason)] = &[
    ("is not authorized to sign for this name", DenialReason::NameConstraint),
    ("is not permitted by any constraint", DenialReason::NameConstraint),
    ("too many intermediates for path length constraint", DenialReason::PathLength),
    // A leaf that signs is no authority at all.
    ("parent certificate cannot sign this kind of certificate", DenialReason::UnknownIssuer),
    ("ECDSA verification failure", DenialReason::BadSignature),
    ("invalid signature", DenialReason::BadSignature),
    ("incompatible key usage", DenialReason::WrongPurpose),
    ("didn't provide a certificate", DenialReason::NoCertificate),
    ("client offered only unsupported versions", DenialReason::IncompatibleTls),
    ("is not a CA", DenialReason::UnknownIssuer),
    ("is not authorized to sign other certificates", DenialReason::UnknownIssuer),
    ("signed by unknown authority", DenialReason::UnknownIssuer),
    ("authentication error", DenialReason::NatsAuthorization),
    ("maximum payload exceeded", DenialReason::Quota),
    ("maximum account active connections exceeded", DenialReason::Quota),
    ("Publish Violation", DenialReason::PublishPermission),
    ("Subscription Violation", DenialReason::SubscribePermission),
];

impl BrokerRecord {
    /// Reads a log line; `None` for a line that is not about a client's connection.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - cid:")?;
        let peer = before.rsplit(char::is_whitespace).next()?.parse().ok()?;
        let text = after.split_once(" - ")?.1.trim().to_owned();
        Some(Self { peer, complaint: Complaint::of(&text), text })
    }
}

impl Complaint {
    /// What a sentence of the broker's log objects to.
    #[must_use]
    pub fn of(text: &str) -> Self {
        // One Go sentence for two different things; the second half tells which.
        if text.contains("certificate has expired or is not yet valid") {
            return match (text.contains(" is after "), text.contains(" is before ")) {
                (true, false) => Self::Denied(DenialReason::Expired),
                (false, true) => Self::Denied(DenialReason::NotYetValid),
                _ => Self::Other,
            };
        }
        let known = SENTENCES.iter().find(|(sentence, _)| text.contains(sentence));
        known.map_or(Self::Other, |(_, reason)| Self::Denied(*reason))
    }
}

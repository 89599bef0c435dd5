//! What a refusal may mean where nobody can read the server's record: its protocol's own words, and nothing else.
//!
//! An alert is coarser than a record: each stands for several reasons, and implementations differ (rustls says `unknown_ca`
//! where Go says `bad_certificate`, and the reverse). So a word gives a set of reasons. A closed connection, silence and a
//! word that is not listed here say nothing.

use bulkhead_plan::access::{DenialReason, Outcome};
use rustls::AlertDescription;
use tonic::Code;

use super::{Judged, judge_operation};
use crate::probe::{Observation, Refusal, Sight};

/// An attempt at a door whose server's record nobody can read.
pub(super) fn judge_by_word<T>(seen: &Observation<T>) -> Judged {
    let mut evidence = vec![seen.to_string()];
    let Sight::Refused(refusal) = &seen.sight else {
        let outcome = match &seen.sight {
            Sight::Closed(_) => Outcome::Inconclusive(format!(
                "{}; there is no record of the server's that says why",
                seen.sight
            )),
            // What was answered, was silent or was not there is judged without any record.
            _ => judge_operation(&seen.sight, ""),
        };
        return Judged::new(outcome, evidence);
    };
    let outcome = match reasons_of(refusal) {
        reasons if reasons.is_empty() => {
            Outcome::Inconclusive(format!("refused in words that may mean anything: {refusal}"))
        }
        reasons => Outcome::Refused(reasons),
    };
    evidence.push("no record of the server's can be read: this is its word alone".to_owned());
    Judged::new(outcome, evidence)
}

/// Everything that the refusal may mean; nothing for one that may mean anything.
fn reasons_of(refusal: &Refusal) -> Vec<DenialReason> {
    match refusal {
        Refusal::Alert(alert) => of_alert(*alert).to_vec(),
        Refusal::Status { code, message } => of_status(*code, message),
        Refusal::TlsDemanded => vec![DenialReason::NoTls],
        Refusal::Broker(text) => of_broker(text),
        Refusal::NoResponders | Refusal::JetStream { .. } => Vec::new(),
    }
}

/// RFC 8446, section 6.2; what rustls 0.23, Go's `crypto/tls` and OpenSSL 3 send for what.
fn of_alert(alert: AlertDescription) -> &'static [DenialReason] {
    use DenialReason as Reason;
    match alert {
        AlertDescription::UnknownCA => &[
            Reason::UnknownIssuer,
            Reason::Path,
            Reason::PathLength,
            Reason::AuthorityAsLeaf,
            // Go names the signature as the probable cause of an unknown authority.
            Reason::BadSignature,
        ],
        AlertDescription::CertificateExpired => &[Reason::Expired, Reason::NotYetValid],
        AlertDescription::CertificateRevoked => &[Reason::Revoked],
        AlertDescription::UnsupportedCertificate => {
            &[Reason::WrongPurpose, Reason::UnsupportedAlgorithm, Reason::CriticalExtension]
        }
        AlertDescription::DecryptError => &[Reason::BadSignature, Reason::KeyNotProven],
        // Go says this of everything but an unknown authority and an end of validity.
        AlertDescription::BadCertificate => &[
            Reason::Malformed,
            Reason::BadSignature,
            Reason::NameConstraint,
            Reason::PathLength,
            Reason::AuthorityAsLeaf,
            Reason::WrongPurpose,
            Reason::UnsupportedAlgorithm,
            Reason::CriticalExtension,
            Reason::Profile,
            Reason::UnexpectedPeer,
            Reason::UnknownIssuer,
            Reason::Path,
        ],
        AlertDescription::CertificateUnknown => &[
            Reason::NameConstraint,
            Reason::PathLength,
            Reason::AuthorityAsLeaf,
            Reason::CriticalExtension,
            Reason::RevocationUnknown,
            Reason::UnknownIssuer,
            Reason::Profile,
            Reason::UnexpectedPeer,
            Reason::Path,
        ],
        AlertDescription::AccessDenied => {
            &[Reason::UnexpectedPeer, Reason::Profile, Reason::WrongAuthority, Reason::NotGranted]
        }
        AlertDescription::CertificateRequired => &[Reason::NoCertificate],
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
            &[Reason::IncompatibleTls]
        }
        AlertDescription::HandshakeFailure => &[Reason::IncompatibleTls, Reason::NoCertificate],
        AlertDescription::NoApplicationProtocol => &[Reason::NoAlpn],
        _ => &[],
    }
}

/// A status that a server sent. Where its message is a reason's code, as this project's services have it, it is that one.
fn of_status(code: Code, message: &str) -> Vec<DenialReason> {
    use DenialReason as Reason;
    if let Some(reason) = Reason::from_code(message) {
        return vec![reason];
    }
    match code {
        Code::PermissionDenied | Code::Unauthenticated => vec![
            Reason::NotGranted,
            Reason::UnexpectedPeer,
            Reason::WrongAuthority,
            Reason::TenantOther,
            Reason::TenantClaimDiffers,
            Reason::TenantClaimRepeated,
            Reason::TenantClaimUnreadable,
            Reason::TenantMetadataBinary,
            Reason::TenantMetadataUnexpected,
            Reason::NoCertificate,
        ],
        // The other's service, which it does not have.
        Code::Unimplemented => vec![Reason::NotGranted],
        _ => Vec::new(),
    }
}

fn of_broker(text: &str) -> Vec<DenialReason> {
    use DenialReason as Reason;
    match text {
        text if text.starts_with("Authorization Violation") => vec![Reason::NatsAuthorization],
        text if text.starts_with("Maximum Payload Violation")
            || text.starts_with("maximum account active connections exceeded") =>
        {
            vec![Reason::Quota]
        }
        _ => Vec::new(),
    }
}

/// HTTP/2 or CONNECT in the clear, to a server that speaks TLS: any fatal alert says that it is TLS that it waits for.
pub fn judge_in_the_clear<T>(seen: &Observation<T>) -> Judged {
    match &seen.sight {
        Sight::Refused(Refusal::Alert(_) | Refusal::TlsDemanded) => {
            let told = "it was answered with an alert of TLS: this is its word alone".to_owned();
            Judged::new(Outcome::Refused(vec![DenialReason::NoTls]), vec![seen.to_string(), told])
        }
        _ => judge_by_word(seen),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_plan::access::Expectation;

    use super::*;

    fn seen(sight: Sight<()>) -> Observation<()> {
        Observation {
            attempt: "an attempt".to_owned(),
            sight,
            local: None,
            took: Duration::ZERO,
            trace_id: None,
        }
    }

    fn outcome(sight: Sight<()>) -> Outcome {
        judge_by_word(&seen(sight)).outcome
    }

    #[test]
    fn silence_and_closed_connections_say_nothing() {
        let sights = [
            Sight::Closed("reset".to_owned()),
            Sight::Silence(Duration::ZERO),
            Sight::NotMade(String::new()),
        ];
        for sight in sights {
            let outcome = outcome(sight);
            assert!(matches!(outcome, Outcome::Inconclusive(_)), "{outcome}");
        }
        let closed = outcome(Sight::Closed("reset".to_owned()));
        assert!(matches!(&closed, Outcome::Inconclusive(why) if why.contains("no record")), "{closed}");
        assert_eq!(outcome(Sight::Unreachable(String::new())), Outcome::Unreachable);
        assert_eq!(outcome(Sight::Answered(())), Outcome::Allowed);
    }

    #[test]
    fn an_alert_meets_what_it_may_mean_and_nothing_else() {
        let refused = |alert| outcome(Sight::Refused(Refusal::Alert(alert)));
        let expected = |reason| Expectation::Denied(vec![reason]);
        let unknown = refused(AlertDescription::UnknownCA);
        assert!(expected(DenialReason::UnknownIssuer).is_met_by(&unknown));
        assert!(!expected(DenialReason::Expired).is_met_by(&unknown));
        assert!(!Expectation::Allowed.is_met_by(&unknown));
        let anything = refused(AlertDescription::InternalError);
        assert!(
            matches!(anything, Outcome::Inconclusive(_)),
            "a server that is ill refuses nobody: {anything}"
        );
    }

    /// Each alert with a reason that it may mean and one that it cannot.
    #[test]
    fn every_alert_that_says_something_has_its_reasons() {
        use DenialReason as Reason;
        for (alert, may, cannot) in [
            (AlertDescription::UnknownCA, Reason::UnknownIssuer, Reason::Expired),
            (AlertDescription::CertificateExpired, Reason::NotYetValid, Reason::Revoked),
            (AlertDescription::CertificateRevoked, Reason::Revoked, Reason::Expired),
            (AlertDescription::UnsupportedCertificate, Reason::WrongPurpose, Reason::NoCertificate),
            (AlertDescription::DecryptError, Reason::KeyNotProven, Reason::UnknownIssuer),
            (AlertDescription::BadCertificate, Reason::NameConstraint, Reason::NoCertificate),
            (AlertDescription::CertificateUnknown, Reason::RevocationUnknown, Reason::NoCertificate),
            (AlertDescription::AccessDenied, Reason::NotGranted, Reason::Expired),
            (AlertDescription::CertificateRequired, Reason::NoCertificate, Reason::Expired),
            (AlertDescription::ProtocolVersion, Reason::IncompatibleTls, Reason::NoAlpn),
            (AlertDescription::InsufficientSecurity, Reason::IncompatibleTls, Reason::NoAlpn),
            (AlertDescription::HandshakeFailure, Reason::NoCertificate, Reason::Expired),
            (AlertDescription::NoApplicationProtocol, Reason::NoAlpn, Reason::IncompatibleTls),
        ] {
            let found = outcome(Sight::Refused(Refusal::Alert(alert)));
            assert!(Expectation::Denied(vec![may]).is_met_by(&found), "{alert:?}: {found}");
            assert!(!Expectation::Denied(vec![cannot]).is_met_by(&found), "{alert:?}: {found}");
        }
    }

    #[test]
    fn the_broker_s_words_and_a_demand_for_tls_are_reasons() {
        let broker = |text: &str| outcome(Sight::Refused(Refusal::Broker(text.to_owned())));
        let refused = |reason| Outcome::Refused(vec![reason]);
        assert_eq!(broker("Authorization Violation"), refused(DenialReason::NatsAuthorization));
        assert_eq!(broker("Maximum Payload Violation"), refused(DenialReason::Quota));
        let connections = "maximum account active connections exceeded";
        assert_eq!(broker(connections), refused(DenialReason::Quota));
        assert_eq!(outcome(Sight::Refused(Refusal::TlsDemanded)), refused(DenialReason::NoTls));
        assert!(matches!(broker("Slow Consumer"), Outcome::Inconclusive(_)));
        let nobody = outcome(Sight::Refused(Refusal::NoResponders));
        assert!(matches!(nobody, Outcome::Inconclusive(_)), "{nobody}");
    }

    #[test]
    fn in_the_clear_any_alert_is_a_demand_for_tls_and_silence_is_none() {
        let clear = |sight| judge_in_the_clear(&seen(sight)).outcome;
        let demanded = Outcome::Refused(vec![DenialReason::NoTls]);
        assert_eq!(clear(Sight::Refused(Refusal::Alert(AlertDescription::DecodeError))), demanded);
        assert_eq!(clear(Sight::Refused(Refusal::TlsDemanded)), demanded);
        assert_eq!(clear(Sight::Answered(())), Outcome::Allowed);
        assert!(matches!(clear(Sight::Silence(Duration::ZERO)), Outcome::Inconclusive(_)));
    }

    #[test]
    fn a_method_that_is_not_there_is_one_that_is_not_granted() {
        let status = |code| outcome(Sight::Refused(Refusal::Status { code, message: String::new() }));
        assert_eq!(status(Code::Unimplemented), Outcome::Refused(vec![DenialReason::NotGranted]));
        let unknown = Expectation::Denied(vec![DenialReason::TenantOther]);
        assert!(unknown.is_met_by(&status(Code::Unauthenticated)));
    }

    #[test]
    fn a_status_is_a_word_and_a_reason_s_code_is_a_reason() {
        let status = |code, message: &str| {
            outcome(Sight::Refused(Refusal::Status { code, message: message.to_owned() }))
        };
        let exact = status(Code::PermissionDenied, "tenant-claim-differs");
        assert_eq!(exact, Outcome::Refused(vec![DenialReason::TenantClaimDiffers]));
        let refused = status(Code::PermissionDenied, "no");
        assert!(Expectation::Denied(vec![DenialReason::NotGranted]).is_met_by(&refused));
        let ill = status(Code::Unavailable, "later");
        assert!(matches!(ill, Outcome::Inconclusive(_)), "{ill}");
    }
}

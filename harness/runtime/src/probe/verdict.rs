//! From what was seen to what it means.
//!
//! The rules, in one place, because everything rests on them:
//! - an answer is *allowed*;
//! - a refusal, or a connection that ended, is *denied* only together with the server's own record of it, and
//!   for the reason that stands there;
//! - where nobody can read that record, an explicit refusal in the protocol's own words is *refused*, for any of the
//!   reasons that these words may mean; a connection that ended without a word is nothing at all;
//! - silence and attempts that could not be made are *inconclusive*, a server that is not there is
//!   *unreachable*: neither is ever a denial;
//! - nothing is concluded unless a valid peer was served by the same server before and after.

mod join;
mod refusals;
mod word;

use super::records::{Audit, BrokerRecord, Complaint};
use super::{Refusal, Sight};
use bulkhead_plan::access::{DenialReason, Expectation, Outcome};

pub use join::{Door, RECORD_DEADLINE, join, recorded_acceptance, served_as_well};
pub use refusals::Refusals;
pub use word::judge_in_the_clear;

/// What one attempt came to, and everything that says so.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen and recorded.
    pub evidence: Vec<String>,
    /// What the access model expects of the attempt, where it knows such attempts.
    pub model: Option<Expectation>,
}

impl Judged {
    /// From both.
    pub fn new(outcome: Outcome, evidence: Vec<String>) -> Self {
        Self { outcome, evidence, model: None }
    }

    /// With what the model expects.
    #[must_use]
    pub fn under(self, model: Expectation) -> Self {
        Self { model: Some(model), ..self }
    }

    /// Nothing can be said, and why.
    pub fn inconclusive(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(Outcome::Inconclusive(why.clone()), vec![why])
    }
}

/// The server's record of an attempt, as far as it was found.
#[derive(Debug)]
pub enum Record<'a> {
    /// A service's audit record of a refusal.
    Refused(&'a Audit),
    /// The broker's log line.
    Broker(&'a BrokerRecord),
    /// There is none, and what was looked for.
    None(&'a str),
}

impl Record<'_> {
    fn reason(&self) -> Result<DenialReason, String> {
        match self {
            Self::Refused(audit) => audit.denial().ok_or_else(|| {
                format!(
                    "the server refused it for a reason unknown here: {}",
                    audit.reason.as_deref().unwrap_or("none")
                )
            }),
            Self::Broker(BrokerRecord { complaint: Complaint::Denied(reason), .. }) => Ok(*reason),
            Self::Broker(BrokerRecord { text, .. }) => {
                Err(format!("the broker refused it for a reason unknown here: {text}"))
            }
            Self::None(wanted) => {
                Err(format!("it was turned away, and the server has no record of {wanted}"))
            }
        }
    }
}

/// An attempt at a service or at the broker's door, joined with the server's record.
pub fn judge<T>(sight: &Sight<T>, record: &Record<'_>) -> Outcome {
    match sight {
        Sight::Answered(_) => Outcome::Allowed,
        Sight::Refused(_) | Sight::Closed(_) => match record.reason() {
            Ok(reason) => Outcome::Denied(reason),
            Err(why) => Outcome::Inconclusive(why),
        },
        Sight::Unreachable(_) => Outcome::Unreachable,
        Sight::Silence(_) | Sight::NotMade(_) => Outcome::Inconclusive(sight.to_string()),
    }
}

/// An operation on an accepted connection to the broker. Its permission violations are explicit and name
/// the subject, JetStream's errors carry numbers: here the broker's answer is its own record.
pub fn judge_operation<T>(sight: &Sight<T>, subject: &str) -> Outcome {
    let Sight::Refused(refusal) = sight else {
        return match sight {
            Sight::Answered(_) => Outcome::Allowed,
            Sight::Unreachable(_) => Outcome::Unreachable,
            other => Outcome::Inconclusive(other.to_string()),
        };
    };
    match denial_of(refusal, subject) {
        Some(reason) => Outcome::Denied(reason),
        None => Outcome::Inconclusive(format!("refused for a reason unknown here: {refusal}")),
    }
}

fn denial_of(refusal: &Refusal, subject: &str) -> Option<DenialReason> {
    match refusal {
        // A violation of another subject than the attempted one says nothing about the attempt.
        Refusal::Broker(text) if text.contains(&format!("\"{subject}\"")) => {
            if text.starts_with("Permissions Violation for Publish") {
                Some(DenialReason::PublishPermission)
            } else if text.starts_with("Permissions Violation for Subscription") {
                Some(DenialReason::SubscribePermission)
            } else {
                None
            }
        }
        Refusal::TlsDemanded => Some(DenialReason::NoTls),
        Refusal::NoResponders => Some(DenialReason::OtherAccount),
        // Its account allows less than the server does; the broker ends the connection with it.
        Refusal::Broker(text)
            if text.starts_with("Maximum Payload Violation")
                || text.starts_with("maximum account active connections exceeded") =>
        {
            Some(DenialReason::Quota)
        }
        // 10059 stream not found, 10014 consumer not found, 10037 no message found.
        Refusal::JetStream { error: 10059 | 10014, .. } => Some(DenialReason::NotFound),
        // 10002 resource limits exceeded for account, 10028 insufficient memory, 10047 insufficient storage.
        Refusal::JetStream { error: 10002 | 10028 | 10047, .. } => Some(DenialReason::Quota),
        _ => None,
    }
}

/// Puts an outcome between its controls: with a failed control nothing is known, whatever was seen.
/// An access that was *allowed* stays so: it needs no control to have happened.
pub fn between(before: Result<String, String>, judged: Judged, after: Result<String, String>) -> Judged {
    let Judged { mut outcome, mut evidence, model } = judged;
    for (when, control) in [("before", &before), ("after", &after)] {
        match control {
            Ok(what) => evidence.push(format!("control {when}: {what}")),
            Err(why) => {
                evidence.push(format!("control {when} FAILED: {why}"));
                if outcome != Outcome::Allowed {
                    outcome = Outcome::Inconclusive(format!("the control {when} the attempt failed: {why}"));
                }
            }
        }
    }
    Judged { outcome, evidence, model }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn audit(reason: &str) -> Audit {
        let line = format!(r#"{{"kind":"audit","event":"refused","layer":"tls","reason":"{reason}"}}"#);
        Audit::parse(&line).unwrap()
    }

    fn alert() -> Sight<()> {
        Sight::Closed("connection reset".to_owned())
    }

    #[test]
    fn a_timeout_is_never_a_denial() {
        let record = audit("expired");
        let outcome = judge(&Sight::<()>::Silence(Duration::from_secs(1)), &Record::Refused(&record));
        assert!(matches!(outcome, Outcome::Inconclusive(_)), "{outcome}");
        let outcome = judge_operation(&Sight::<()>::Silence(Duration::from_secs(1)), "acme.x");
        assert!(matches!(outcome, Outcome::Inconclusive(_)), "{outcome}");
    }

    #[test]
    fn a_dead_server_is_unreachable_and_not_a_wall() {
        let gone = Sight::<()>::Unreachable("connection refused".to_owned());
        assert_eq!(judge(&gone, &Record::None("port 1")), Outcome::Unreachable);
        assert_eq!(judge_operation(&gone, "acme.x"), Outcome::Unreachable);
    }

    #[test]
    fn a_closed_connection_is_a_denial_only_with_the_server_s_record() {
        let outcome = judge(&alert(), &Record::None("port 4711"));
        assert!(matches!(outcome, Outcome::Inconclusive(_)), "{outcome}");
        let record = audit("expired");
        assert_eq!(judge(&alert(), &Record::Refused(&record)), Outcome::Denied(DenialReason::Expired));
    }

    #[test]
    fn a_reason_that_is_not_known_is_not_the_expected_one() {
        let record = audit("bad-luck");
        let outcome = judge(&alert(), &Record::Refused(&record));
        assert!(matches!(outcome, Outcome::Inconclusive(_)), "{outcome}");
    }

    #[test]
    fn a_typo_in_a_user_s_name_is_not_a_refused_certificate() {
        let line = "[7] 2026/11/23 16:00:00.1 [ERR] 127.0.0.1:4711 - cid:5 - authentication error";
        let typo = BrokerRecord::parse(line).unwrap();
        assert_eq!(judge(&alert(), &Record::Broker(&typo)), Outcome::Denied(DenialReason::NatsAuthorization));
        assert_ne!(judge(&alert(), &Record::Broker(&typo)), Outcome::Denied(DenialReason::NameConstraint));
    }

    #[test]
    fn a_violation_counts_for_its_own_subject_only() {
        let text = "Permissions Violation for Publish to \"acme.agents\"".to_owned();
        let refused = Sight::<()>::Refused(Refusal::Broker(text));
        let denied = Outcome::Denied(DenialReason::PublishPermission);
        assert_eq!(judge_operation(&refused, "acme.agents"), denied);
        assert!(matches!(judge_operation(&refused, "acme.jobs"), Outcome::Inconclusive(_)));
        assert!(matches!(judge_operation(&refused, "acme"), Outcome::Inconclusive(_)));
    }

    #[test]
    fn an_unknown_jetstream_error_is_not_an_absence() {
        let error =
            |error| Sight::<()>::Refused(Refusal::JetStream { code: 503, error, description: String::new() });
        assert_eq!(judge_operation(&error(10059), "s"), Outcome::Denied(DenialReason::NotFound));
        assert!(matches!(judge_operation(&error(10008), "s"), Outcome::Inconclusive(_)));
    }

    #[test]
    fn each_word_of_the_broker_s_is_a_reason_of_its_own() {
        let of = |refusal| judge_operation(&Sight::<()>::Refused(refusal), "acme.x");
        let said = |text: &str| of(Refusal::Broker(text.to_owned()));
        let jetstream = |error| of(Refusal::JetStream { code: 503, error, description: String::new() });
        let subscription = "Permissions Violation for Subscription to \"acme.x\"";
        for (found, reason) in [
            (of(Refusal::TlsDemanded), DenialReason::NoTls),
            (of(Refusal::NoResponders), DenialReason::OtherAccount),
            (said(subscription), DenialReason::SubscribePermission),
            (said("Maximum Payload Violation"), DenialReason::Quota),
            (said("maximum account active connections exceeded"), DenialReason::Quota),
            (jetstream(10002), DenialReason::Quota),
            (jetstream(10028), DenialReason::Quota),
            (jetstream(10047), DenialReason::Quota),
            (jetstream(10014), DenialReason::NotFound),
        ] {
            assert_eq!(found, Outcome::Denied(reason));
        }
        // 10027: there is room for no further stream, whoever has taken it.
        for unclear in [said("Stale Connection"), said("a word about \"acme.x\""), jetstream(10027)] {
            assert!(matches!(unclear, Outcome::Inconclusive(_)), "{unclear}");
        }
    }

    #[test]
    fn what_the_model_expects_goes_with_what_was_found() {
        let judged = Judged::new(Outcome::Allowed, Vec::new()).under(Expectation::Unreachable);
        assert_eq!(
            between(Ok(String::new()), judged, Ok(String::new())).model,
            Some(Expectation::Unreachable)
        );
    }

    #[test]
    fn a_denial_with_a_failed_control_is_inconclusive() {
        let denied = || Judged::new(Outcome::Denied(DenialReason::Expired), Vec::new());
        let well = || Ok("served".to_owned());
        let ill = || Err("no answer".to_owned());
        assert_eq!(between(well(), denied(), well()).outcome, Outcome::Denied(DenialReason::Expired));
        for (before, after) in [(ill(), well()), (well(), ill())] {
            let outcome = between(before, denied(), after).outcome;
            assert!(matches!(outcome, Outcome::Inconclusive(_)), "{outcome}");
        }
    }

    #[test]
    fn a_leak_stays_a_leak_whatever_the_controls_say() {
        let leak = Judged::new(Outcome::Allowed, Vec::new());
        assert_eq!(between(Err("x".to_owned()), leak, Err("y".to_owned())).outcome, Outcome::Allowed);
    }
}

//! What the broker refused on connections that it had accepted, to be found again in its own log.
//!
//! There is no trace in it, and one connection makes many attempts: so a refusal is found by its connection, its kind and its
//! subject, and among equal ones by how many came before it.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bulkhead_plan::access::{DenialReason, Outcome};

use super::{Judged, RECORD_DEADLINE};
use crate::probe::records::{Book, Complaint, Line, Place};
use crate::probe::{Observation, Refusal, Sight};

/// Every refusal of what was attempted since a place in the broker's log.
#[derive(Debug, Default)]
pub struct Refusals {
    since: Place,
    said: Mutex<Vec<Refused>>,
}

/// What the broker refused on a connection, and how often it had refused the same there before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    /// The broker's words to the client.
    text: String,
    reason: DenialReason,
    subject: String,
    local: Option<SocketAddr>,
    when: Instant,
    earlier: usize,
}

impl Refused {
    fn of(text: &str, local: Option<SocketAddr>) -> Option<Self> {
        let reason = match text {
            _ if text.starts_with("Permissions Violation for Publish") => DenialReason::PublishPermission,
            _ if text.starts_with("Permissions Violation for Subscription") => {
                DenialReason::SubscribePermission
            }
            _ => return None,
        };
        let subject = text.split('"').nth(1)?.to_owned();
        Some(Self { text: text.to_owned(), reason, subject, local, when: Instant::now(), earlier: 0 })
    }

    /// Whether a line of the evidence tells of it.
    fn is_told_in(&self, line: &str) -> bool {
        line.contains(&self.text) && self.local.is_none_or(|local| line.contains(&local.to_string()))
    }

    /// Whether a line of the broker's log is about the same refusal, or one like it on the same connection.
    fn is_in(&self, line: &Line) -> bool {
        line.broker.as_ref().is_some_and(|record| {
            Some(record.peer) == self.local
                && record.complaint == Complaint::Denied(self.reason)
                && record.text.contains(&format!("Subject \"{}\"", self.subject))
        })
    }
}

impl Refusals {
    /// None yet; the broker's log ended there before the first attempt.
    #[must_use]
    pub fn since(place: Place) -> Self {
        Self { since: place, said: Mutex::default() }
    }

    /// Remembers what was seen, where it is a refusal of permissions. Whatever was seen on a connection is to be told, or equal
    /// refusals are taken for one another.
    pub fn remember<T>(&self, seen: &Observation<T>) {
        if let Sight::Refused(Refusal::Broker(text)) = &seen.sight
            && let Some(mut refused) = Refused::of(text, seen.local)
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let is_equal = |one: &&Refused| one.text == refused.text && one.local == refused.local;
            refused.earlier = said.iter().filter(is_equal).count();
            said.push(refused);
        }
    }

    /// A denial by permissions is one only with the broker's own record on `page` of what the evidence tells. Where nobody can
    /// read the broker's log, its word on the connection alone counts.
    pub async fn confirm(&self, book: &Book, page: &str, judged: Judged) -> Judged {
        use DenialReason::{PublishPermission, SubscribePermission};
        let is_a_denial = matches!(judged.outcome, Outcome::Denied(PublishPermission | SubscribePermission));
        if !is_a_denial || !book.follows(page) {
            return judged;
        }
        let Judged { mut outcome, mut evidence, model } = judged;
        let told = self.told_in(&evidence);
        if told.is_empty() {
            outcome =
                Outcome::Inconclusive("it is not known which refusal of the broker's it was".to_owned());
        }
        for refused in told {
            let from =
                refused.local.map_or_else(|| "an unknown address".to_owned(), |local| local.to_string());
            let wanted = format!("a refusal of {from}, subject {:?}", refused.subject);
            // Its record is due since it was refused: a broker that records nothing is not waited for again and again.
            let wanted = (wanted.as_str(), RECORD_DEADLINE.saturating_sub(refused.when.elapsed()));
            match book.find_nth(page, self.since, refused.earlier, wanted, |line| refused.is_in(line)).await {
                Ok(line) => evidence.push(format!("{page} recorded: {}", line.text)),
                Err(missing) => {
                    evidence.push(missing.to_string());
                    let why = format!("it was refused, and the broker has no record of {}", missing.wanted);
                    outcome = Outcome::Inconclusive(why);
                }
            }
        }
        Judged { outcome, evidence, model }
    }

    fn told_in(&self, evidence: &[String]) -> Vec<Refused> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().filter(|one| evidence.iter().any(|line| one.is_told_in(line))).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::records::{BrokerRecord, Source};

    const PAGE: &str = "nats";
    const DENIED: Outcome = Outcome::Denied(DenialReason::PublishPermission);

    fn text(port: u16, what: &str) -> String {
        format!(
            "[7] 2026/11/26 19:24:23.08 [ERR] 127.0.0.1:{port} - cid:157 - \"v0:rust\" - \"ADMIN/user:a\" - {what}"
        )
    }

    fn line(port: u16, what: &str) -> Line {
        let text = text(port, what);
        Line { broker: BrokerRecord::parse(&text), audit: None, text }
    }

    /// A refusal to publish on `acme.jobs`, as a client on that port sees it.
    fn seen(port: u16) -> Observation<()> {
        Observation {
            attempt: "an attempt".to_owned(),
            sight: Sight::Refused(Refusal::Broker(
                "Permissions Violation for Publish to \"acme.jobs\"".to_owned(),
            )),
            local: Some(([127, 0, 0, 1], port).into()),
            took: Duration::ZERO,
            trace_id: None,
        }
    }

    /// What comes of a refusal on port 7, the last of those seen, where the broker's log has these lines.
    async fn confirmed(lines: &[String], seen: &[Observation<()>]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "").unwrap();
        let book = Book::open([(PAGE.to_owned(), Source::File(log.clone()))]);
        std::fs::write(&log, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let refusals = Refusals::since(Place::default());
        seen.iter().for_each(|one| refusals.remember(one));
        // Long ago, so that nothing is waited for that is not there.
        refusals.said.lock().unwrap().iter_mut().for_each(|one| one.when -= RECORD_DEADLINE.mul_f64(0.9));
        let evidence = seen.last().map(ToString::to_string).into_iter().collect();
        refusals.confirm(&book, PAGE, Judged::new(DENIED, evidence)).await.outcome
    }

    fn is_unclear(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Inconclusive(_))
    }

    #[test]
    fn a_refusal_is_found_by_connection_subject_and_kind() {
        let local = Some(([127, 0, 0, 1], 4711).into());
        let refused = Refused::of("Permissions Violation for Publish to \"acme.jobs\"", local).unwrap();
        assert!(refused.is_in(&line(4711, "Publish Violation - Subject \"acme.jobs\"")));
        for other in [
            line(4712, "Publish Violation - Subject \"acme.jobs\""),
            line(4711, "Publish Violation - Subject \"acme.jobs.x\""),
            line(4711, "Subscription Violation - Subject \"acme.jobs\", SID 2"),
            line(4711, "authentication error"),
        ] {
            assert!(!refused.is_in(&other), "{}", other.text);
        }
        let nowhere = Refused { local: None, ..refused };
        assert!(!nowhere.is_in(&line(4711, "Publish Violation - Subject \"acme.jobs\"")));
    }

    #[test]
    fn only_violations_of_permissions_are_remembered() {
        let text = "Permissions Violation for Subscription to \"$SYS.>\" using queue \"q\"";
        let refused = Refused::of(text, None).unwrap();
        assert_eq!((refused.reason, refused.subject.as_str()), (DenialReason::SubscribePermission, "$SYS.>"));
        assert_eq!(Refused::of("Maximum Payload Violation", None), None);
        assert_eq!(Refused::of("Permissions Violation for Publish", None), None);
    }

    #[tokio::test]
    async fn a_refusal_without_the_broker_s_record_is_none() {
        let recorded = text(7, "Publish Violation - Subject \"acme.jobs\"");
        assert_eq!(confirmed(std::slice::from_ref(&recorded), &[seen(7)]).await, DENIED);
        assert!(is_unclear(&confirmed(&[], &[seen(7)]).await));
        // Of another connection, or of nobody.
        assert!(is_unclear(&confirmed(std::slice::from_ref(&recorded), &[seen(8)]).await));
        assert!(is_unclear(&confirmed(&[recorded], &[]).await));
    }

    #[tokio::test]
    async fn the_record_of_an_earlier_refusal_is_not_that_of_the_next() {
        let recorded = text(7, "Publish Violation - Subject \"acme.jobs\"");
        let (once, twice) = (vec![recorded.clone()], vec![recorded.clone(), recorded]);
        assert!(is_unclear(&confirmed(&once, &[seen(7), seen(7)]).await));
        assert_eq!(confirmed(&twice, &[seen(7), seen(7)]).await, DENIED);
        // Another connection's refusals are counted apart.
        assert_eq!(confirmed(&once, &[seen(8), seen(7)]).await, DENIED);
    }

    #[tokio::test]
    async fn a_broker_whose_log_nobody_can_read_is_taken_at_its_word() {
        let judged = Judged::new(DENIED, vec![seen(7).to_string()]);
        let book = Book::open([]);
        assert_eq!(Refusals::default().confirm(&book, PAGE, judged).await.outcome, DENIED);
    }
}

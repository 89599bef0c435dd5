//! A connection to the broker on which every refusal is remembered, so that it can be found in the broker's own log.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bulkhead_plan::access::{DenialReason, Outcome};
use bulkhead_probe::nats::{Delivered, Headers, Interest, Message};
use bulkhead_probe::post::RemoteSession;
use bulkhead_probe::{Observation, Refusal, Sight};
use bulkhead_runtime::probe::records::{Complaint, Line, Place};
use bulkhead_runtime::probe::verdict::{Judged, RECORD_DEADLINE};
use serde_json::Value;

use crate::site::{NATS, Site};

/// The connection. What it says of the broker's refusals counts only with [`Witnessed::confirmed`].
pub(crate) struct Witnessed {
    session: RemoteSession,
    /// Where the broker's log ended before the first attempt.
    since: Place,
    refusals: Mutex<Vec<Refused>>,
}

/// What the broker refused on this connection, and how often it had refused the same before.
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

    /// Whether a line of the broker's log is about the same refusal, or one like it on the same connection.
    fn is_in(&self, line: &Line) -> bool {
        line.broker.as_ref().is_some_and(|record| {
            Some(record.peer) == self.local
                && record.complaint == Complaint::Denied(self.reason)
                && record.text.contains(&format!("Subject \"{}\"", self.subject))
        })
    }
}

impl Witnessed {
    pub(super) fn new(site: &Site, session: RemoteSession) -> Self {
        let since = site.page(&NATS).map(|page| site.book.end(&page)).unwrap_or_default();
        Self { session, since, refusals: Mutex::default() }
    }

    pub(super) async fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: Headers,
        payload: &str,
    ) -> Observation<()> {
        self.remembered(self.session.publish(subject, reply, headers, payload).await)
    }

    pub(super) async fn subscribe(&self, subject: &str, group: Option<&str>) -> Observation<Interest> {
        self.remembered(self.session.subscribe(subject, group).await)
    }

    /// Listens on a subject of its own: that it may is no question.
    pub(super) async fn listen(&self, subject: &str) -> Result<Interest, String> {
        super::owner::listen(&self.session, subject).await
    }

    pub(super) async fn request(
        &self,
        subject: &str,
        headers: Headers,
        payload: &str,
    ) -> Observation<Message> {
        self.remembered(self.session.request(subject, headers, payload).await)
    }

    pub(super) async fn api(&self, subject: &str, headers: Headers, body: &str) -> Observation<Value> {
        self.remembered(self.session.api(subject, headers, body).await)
    }

    pub(super) async fn flush(&self) -> Observation<()> {
        self.session.flush().await
    }

    pub(super) async fn take(&self, interest: Interest) -> Observation<Delivered> {
        self.session.take(interest).await
    }

    pub(super) async fn wait_for(&self, interest: Interest, containing: &str) -> Observation<Message> {
        self.session.wait_for(interest, containing).await
    }

    fn remembered<T>(&self, seen: Observation<T>) -> Observation<T> {
        if let Sight::Refused(Refusal::Broker(text)) = &seen.sight
            && let Some(mut refused) = Refused::of(text, seen.local)
        {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refused.earlier = refusals.iter().filter(|other| other.text == refused.text).count();
            refusals.push(refused);
        }
        seen
    }

    /// A denial by permissions is one only with the broker's own record of it, found by connection and subject. Where nobody
    /// can read the broker's log, its word on the connection alone counts.
    pub(super) async fn confirmed(&self, site: &Site, judged: Judged) -> Judged {
        use DenialReason::{PublishPermission, SubscribePermission};
        if !matches!(judged.outcome, Outcome::Denied(PublishPermission | SubscribePermission)) {
            return judged;
        }
        let Some(page) = site.page(&NATS).ok().filter(|page| site.book.follows(page)) else { return judged };
        let Judged { mut outcome, mut evidence, model } = judged;
        let said = {
            let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let is_told = |one: &Refused| evidence.iter().any(|line| line.contains(&one.text));
            refusals.iter().filter(|one| is_told(one)).cloned().collect::<Vec<_>>()
        };
        if said.is_empty() {
            outcome =
                Outcome::Inconclusive("it is not known which refusal of the broker's it was".to_owned());
        }
        for refused in said {
            let wanted = format!("a refusal of {:?}, subject {:?}", refused.local, refused.subject);
            // Its record is due since it was refused: a broker that records nothing is not waited for again and again.
            let wanted = (wanted.as_str(), RECORD_DEADLINE.saturating_sub(refused.when.elapsed()));
            let is_it = |line: &Line| refused.is_in(line);
            match site.book.find_nth(&page, self.since, refused.earlier, wanted, is_it).await {
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
}

#[cfg(test)]
mod tests {
    use bulkhead_runtime::probe::records::BrokerRecord;

    use super::*;

    fn line(port: u16, what: &str) -> Line {
        let text = format!(
            "[7] 2026/11/26 19:24:23.08 [ERR] 127.0.0.1:{port} - cid:157 - \"v0:rust\" - \"ADMIN/user:a\" - {what}"
        );
        Line { broker: BrokerRecord::parse(&text), audit: None, text }
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
}

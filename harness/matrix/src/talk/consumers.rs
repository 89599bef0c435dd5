//! A consumer of what a tenant keeps, to which one message was given that is not acknowledged; and what somebody does with it
//! that takes more than one request.

use bulkhead_plan::access::{DenialReason, Outcome};
use bulkhead_probe::nats::{Headers, Interest, Message};
use bulkhead_probe::post::RemoteSession;
use bulkhead_probe::{Nonce, Observation, Refusal, Sight};
use bulkhead_runtime::probe::verdict::{Judged, judge_operation};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::owner::{NOTES, Owner, STREAM_BYTES_MAX, listen, must};
use super::storage::Visit;

/// What the consumer is called: others are told it, as nothing is to depend on their not knowing it.
const NAME: &str = "GIVEN";
/// Another one, which gives to one client of a group at a time (ADR-42 of NATS, since 2.11).
const PINNED: &str = "PINNED";
/// The group.
pub(super) const GROUP: &str = "first";
/// How long a message that was given waits to be acknowledged: longer than any run, or it would be given again meanwhile. In
/// nanoseconds.
const UNACKNOWLEDGED_LIMIT_NS: u64 = 3_600_000_000_000;
/// Asks for one message, if there is one.
const ONE: &str = r#"{"batch":1,"no_wait":true}"#;
/// What an owner reserves besides for a moment. Everything else that a run reserves is a multiple of a stream's bytes.
const PECULIAR_BYTES: u64 = 4099;

/// What an owner knows of its consumer.
pub(super) struct Consumer {
    /// Where it is given messages: nothing else is heard there.
    subject: String,
    interest: Interest,
    /// Where the message that it was given is acknowledged.
    given: Mutex<Option<String>>,
}

impl Consumer {
    /// Listens where messages will be given, below one's own inbox.
    pub(super) async fn listening(session: &RemoteSession, inbox: &str) -> Result<Self, String> {
        let subject = format!("{inbox}.given.{}", Nonce::fresh());
        let interest = listen(session, &subject).await?;
        Ok(Self { subject, interest, given: Mutex::default() })
    }
}

/// What came where messages of a consumer's were asked for.
fn is_from_a_stream(message: &Message) -> bool {
    message.status.is_none() && message.reply.is_some()
}

impl Owner {
    /// What its consumer is called in requests: behind its stream's name.
    pub(super) fn consumer_name(&self) -> String {
        format!("{}.{NAME}", self.notes())
    }

    /// What its consumer that is pinned to a client is called in requests.
    pub(super) fn pinned_name(&self) -> String {
        format!("{}.{PINNED}", self.notes())
    }

    /// Where the message that its consumer was given is acknowledged.
    pub(super) async fn acknowledged_at(&self) -> Result<String, String> {
        let given = self.consumer.given.lock().await.clone();
        given.ok_or_else(|| format!("{} was given no message", self.tenant))
    }

    /// Makes the consumer, and has it give one message.
    pub(super) async fn keep_consumer(&self) -> Result<(), String> {
        let name = self.consumer_name();
        let config = json!({ "durable_name": NAME, "name": NAME, "ack_policy": "explicit",
                             "ack_wait": UNACKNOWLEDGED_LIMIT_NS, "deliver_policy": "all" });
        let body = json!({ "stream_name": self.notes(), "config": config });
        let made = self.api(&format!("$JS.API.CONSUMER.CREATE.{name}"), &body).await;
        must(&made, || format!("{} cannot have a consumer", self.tenant))?;
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{name}");
        let Consumer { subject, interest, given } = &self.consumer;
        let asked = self.session.publish(&next, Some(subject), Headers::default(), ONE).await;
        must(&asked, || format!("{} cannot ask its consumer", self.tenant))?;
        let came = self.session.wait_for(*interest, "").await;
        let message = came.sight.answer().filter(|message| is_from_a_stream(message));
        let message = message.ok_or_else(|| format!("{}'s consumer gives nothing: {came}", self.tenant))?;
        given.lock().await.clone_from(&message.reply);
        Ok(())
    }

    /// Makes the consumer that is pinned to one client.
    pub(super) async fn keep_pinned_consumer(&self) -> Result<(), String> {
        let config = json!({ "durable_name": PINNED, "name": PINNED, "ack_policy": "explicit",
                             "priority_groups": [GROUP], "priority_policy": "pinned_client" });
        let body = json!({ "stream_name": self.notes(), "config": config });
        let made = self.api(&format!("$JS.API.CONSUMER.CREATE.{}", self.pinned_name()), &body).await;
        must(&made, || format!("{} cannot have a consumer that is pinned to a client", self.tenant))?;
        Ok(())
    }

    /// Whether its consumer is there, gives messages, waits for one to be acknowledged and has all others to give.
    pub(super) async fn consumer_is_intact(&self) -> Result<bool, String> {
        let asked = self.api(&format!("$JS.API.CONSUMER.INFO.{}", self.consumer_name()), &Value::Null).await;
        match &asked.sight {
            Sight::Answered(info) => Ok(info["paused"] != true
                && info["num_ack_pending"] == 1
                && info["num_redelivered"] == 0
                && info["num_pending"] == NOTES - 1),
            // 10014: consumer not found.
            Sight::Refused(Refusal::JetStream { error: 10014 | 10059, .. }) => Ok(false),
            _ => Err(format!("{} cannot look at its own consumer: {asked}", self.tenant)),
        }
    }
}

/// What an account's streams have reserved in memory, as somebody is told.
fn reserved(info: &Value) -> Result<u64, String> {
    info["reserved_memory"].as_u64().ok_or_else(|| format!("no account: {info:.200}"))
}

/// Whether two looks at what is reserved have the peculiar reservation between them, whatever else was reserved meanwhile.
fn is_peculiar(before: u64, after: u64) -> bool {
    let (before, after) = (before % STREAM_BYTES_MAX, after % STREAM_BYTES_MAX);
    (after + STREAM_BYTES_MAX - before) % STREAM_BYTES_MAX == PECULIAR_BYTES
}

impl Visit<'_> {
    /// Asks the owner's consumer for the next message. What it gives is delivered under the subject that it was stored with,
    /// so that no request would know it for its answer.
    pub(super) async fn take_next(&self) -> Result<Judged, String> {
        let conventions = self.stage.site.conventions();
        let subject = format!("{}.next.{}", conventions.inbox(&self.talker.name), Nonce::fresh());
        let interest = self.talker.session.listen(&subject).await?;
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}", self.owner.consumer_name());
        let asked = self.talker.session.publish(&next, Some(&subject), Headers::default(), ONE).await;
        let mut evidence = vec![asked.to_string()];
        let mut outcome = judge_operation(&asked.sight, &next);
        if outcome == Outcome::Allowed {
            let came = self.talker.session.wait_for(interest, "").await;
            evidence.push(came.to_string());
            outcome = match &came.sight {
                Sight::Answered(message) if is_from_a_stream(message) => {
                    evidence.push(format!("it was given: {:.200}", message.text()));
                    Outcome::Allowed
                }
                // Nobody answers there in the talker's account.
                Sight::Answered(Message { status: Some(503), .. }) => {
                    Outcome::Denied(DenialReason::OtherAccount)
                }
                Sight::Answered(message) => {
                    Outcome::Inconclusive(format!("it was answered with {:?}", message.status))
                }
                sight => judge_operation(sight, &next),
            };
        }
        self.harmed(outcome, evidence).await
    }

    /// Asks for a restore. Where there is a stream of the name it is refused, to its owner as well; in another account one
    /// begins, which ends by itself when nothing is sent.
    pub(super) async fn restore(&self) -> Result<Judged, String> {
        let name = self.owner.notes();
        let subject = format!("$JS.API.STREAM.RESTORE.{name}");
        let config = super::owner::configuration(&name, &json!({ "subjects": [self.owner.note_subject()] }));
        let asked = self.api(&subject, &json!({ "config": config, "state": {} })).await;
        let mut evidence = vec![asked.to_string()];
        let outcome = match &asked.sight {
            // 10130: the name is in use.
            Sight::Refused(Refusal::JetStream { error: 10130, .. }) => Outcome::Allowed,
            Sight::Answered(begun) => {
                evidence.push(self.end_restore(begun["deliver_subject"].as_str().unwrap_or_default()).await);
                Outcome::Denied(DenialReason::OtherAccount)
            }
            sight => judge_operation(sight, &subject),
        };
        self.harmed(outcome, evidence).await
    }

    /// Ends a restore by sending it nothing at all: nats-server 2.15.1 waits five seconds for each that has begun, also before
    /// it stops. Tenants may publish there only as an answer; so the talker has itself asked for one.
    async fn end_restore(&self, subject: &str) -> String {
        let session = &self.talker.session;
        if let Some((own, interest)) = self.talker.own() {
            let asked = Nonce::fresh();
            session.publish(own, Some(subject), Headers::default(), asked.as_str()).await;
            session.wait_for(*interest, asked.as_str()).await;
        }
        session.publish(subject, None, Headers::default(), "").await.to_string()
    }

    /// Asks what the account holds, before and after the owner has reserved a peculiar amount: whose account is shown, that
    /// amount says.
    pub(super) async fn ask_account(&self) -> Result<Judged, String> {
        const INFO: &str = "$JS.API.INFO";
        // Somebody else may be about to do the same in the account that is shown.
        let _alone = self.stage.reserving.lock().await;
        let asked = self.api(INFO, &Value::Null).await;
        let evidence = vec![asked.to_string()];
        let Sight::Answered(before) = &asked.sight else {
            return Ok(Judged::new(judge_operation(&asked.sight, INFO), evidence));
        };
        let own_before = self.owner.api(INFO, &Value::Null).await;
        self.owner.reserve_notes(STREAM_BYTES_MAX + PECULIAR_BYTES).await?;
        let after = self.api(INFO, &Value::Null).await;
        let own_after = self.owner.api(INFO, &Value::Null).await;
        self.owner.reserve_notes(STREAM_BYTES_MAX).await?;
        let told = |seen: &Observation<Value>| match &seen.sight {
            Sight::Answered(info) => reserved(info),
            _ => Err(format!("{} is no longer told what an account holds: {seen}", self.talker.name)),
        };
        let (own_before, own_after) = (told(&own_before)?, told(&own_after)?);
        if !is_peculiar(own_before, own_after) {
            return Err(format!("not even {} is shown what it has reserved", self.owner.tenant));
        }
        let (before, after) = (reserved(before)?, told(&after)?);
        self.found(is_peculiar(before, after), evidence, format!("it was shown {before}, then {after} bytes"))
    }

    /// Listens to what the broker tells of streams, while the owner asks for something that is not there, and after it the
    /// talker: the broker tells of both, in that order.
    pub(super) async fn hear_advisories(&self) -> Result<Judged, String> {
        const ADVISORIES: &str = "$JS.EVENT.ADVISORY.>";
        let (report, interest) = self.talker.session.subscribe(ADVISORIES, None).await.split();
        let evidence = vec![report.to_string()];
        let Some(interest) = interest else {
            return Ok(Judged::new(judge_operation(&report.sight, ADVISORIES), evidence));
        };
        let (theirs, own) = (Nonce::fresh(), Nonce::fresh());
        let absent = |nonce: &Nonce| format!("$JS.API.CONSUMER.DELETE.{}.{nonce}", self.owner.notes());
        let asked = self.owner.api(&absent(&theirs), &Value::Null).await;
        if !matches!(asked.sight, Sight::Refused(Refusal::JetStream { .. })) {
            return Err(format!("nothing is to be told of {}: {asked}", self.owner.tenant));
        }
        self.api(&absent(&own), &Value::Null).await;
        let told = self.talker.session.wait_for(interest, own.as_str()).await;
        must(&told, || format!("{} is not even told of itself", self.talker.name))?;
        let taken = self.talker.session.take(interest).await;
        let Sight::Answered(delivered) = &taken.sight else {
            return Err(format!("{} can no longer hear: {taken}", self.talker.name));
        };
        let heard = delivered.messages.iter().any(|message| message.text().contains(theirs.as_str()));
        if !heard && delivered.let_go > 0 {
            return Err(format!(
                "{} messages came to {} that were not kept",
                delivered.let_go, self.talker.name
            ));
        }
        self.found(heard, evidence, format!("it was told what {} did: {heard}", self.owner.tenant))
    }

    /// Allowed when the owner's was found; else all of it was in the talker's own account.
    fn found(&self, found: bool, mut evidence: Vec<String>, told: String) -> Result<Judged, String> {
        evidence.push(told);
        let outcome = if found { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) };
        Ok(Judged::new(outcome, evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peculiar_reservation_is_told_from_streams_that_come_and_go() {
        let streams = |count: u64| count * STREAM_BYTES_MAX;
        for (before, after) in [(0, 0), (5, 6), (6, 5)] {
            assert!(is_peculiar(streams(before), streams(after) + PECULIAR_BYTES));
            assert!(!is_peculiar(streams(before), streams(after)));
            assert!(!is_peculiar(streams(before) + PECULIAR_BYTES, streams(after)));
        }
    }
}

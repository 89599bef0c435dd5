//! What somebody does with a tenant's messages. What counts is what is heard: by the tenant, or of it.

mod queue;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_plan::access::{DenialReason, MessageOperation, Operation, Outcome};
use bulkhead_plan::foreign::Conventions;
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::nats::{Headers, Interest};
use bulkhead_probe::{Nonce, Observation, Sight};
use bulkhead_runtime::probe::verdict::{Judged, between, judge_operation};
use serde_json::{Value, json};

use super::Stage;
use super::owner::Owner;
use super::talker::{Desk, Talker};

/// The header by which a stream knows a message that it has already.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The header in which the broker says who asks.
const REQUEST_INFO: &str = "Nats-Request-Info";

/// Attempts them on one connection, between two proofs that both sides can talk.
pub(super) async fn attempt(stage: &Stage<'_>, desk: &Desk, tenant: &TenantSlug, cells: &[&Cell]) {
    if cells.is_empty() {
        return;
    }
    let ready = async { Ok::<_, String>((stage.owner(tenant)?.clone(), desk.talker(stage).await?)) };
    let (owner, talker) = match ready.await {
        Ok(ready) => ready,
        Err(why) => return cells.iter().for_each(|cell| stage.site.file_unjudged(cell, why.clone())),
    };
    let before = both_work(stage, &owner, &talker).await;
    let mut found = Vec::new();
    for cell in cells {
        let Operation::Message { operation, .. } = &cell.operation else { continue };
        let conventions = stage.site.conventions();
        let round = Round { conventions, desk, owner: &owner, talker: &talker, nonce: Nonce::fresh() };
        let judged = round.attempt(*operation).await.unwrap_or_else(Judged::inconclusive);
        found.push((cell, judged));
    }
    let after = both_work(stage, &owner, &talker).await;
    for (cell, judged) in found {
        let judged = talker.session.confirmed(stage.site, judged).await;
        stage.site.file(cell, between(before.clone(), judged, after.clone()));
    }
}

/// Whoever acts can talk, and whoever is acted upon can hear.
async fn both_work(stage: &Stage<'_>, owner: &Owner, talker: &Talker) -> Result<String, String> {
    let works = talker.works(stage).await?;
    owner.has_heard("").await?;
    Ok(format!("{works}; {} hears itself", owner.tenant))
}

/// One attempt. Its nonce is in whatever is said in it.
struct Round<'a> {
    conventions: &'a Conventions,
    desk: &'a Desk,
    owner: &'a Owner,
    talker: &'a Talker,
    nonce: Nonce,
}

impl Round<'_> {
    async fn attempt(&self, operation: MessageOperation) -> Result<Judged, String> {
        let tenant = &self.owner.tenant;
        match operation {
            MessageOperation::Publish => self.publish(&self.results()).await,
            MessageOperation::PublishAsPoller => {
                let subject = self.conventions.poller_health(tenant);
                self.publish(&subject.ok_or("no subject is the poller's alone")?).await
            }
            MessageOperation::PublishToInbox => self.publish(&self.inbox_of_the_owner()).await,
            MessageOperation::Subscribe => self.listen(&self.conventions.listen(tenant)).await,
            MessageOperation::SubscribeAnyTenant => self.listen(&self.conventions.listen_to_all()).await,
            MessageOperation::SubscribeEverything => self.listen(">").await,
            MessageOperation::ListenAtHome => match self.talker.name.tenant() {
                Some(own) => self.listen(&self.conventions.within(own, ">")).await,
                None => Err("only tenants have subjects of their own".to_owned()),
            },
            MessageOperation::JoinQueue => self.join_queue().await,
            MessageOperation::RequestJob => self.request_job().await,
            MessageOperation::ListenToInboxes => self.listen_to_inboxes().await,
            MessageOperation::AnswerInto => self.answer_into().await,
            MessageOperation::ReceiptInto => self.receipt_into().await,
            MessageOperation::AskInto => self.ask_into().await,
            MessageOperation::AskInItsName => self.ask_in_its_name().await,
            MessageOperation::TakeMessageId => self.take_message_id().await,
        }
    }

    /// A subject of the owner's results that is this round's alone.
    fn results(&self) -> String {
        self.results_of(&self.owner.tenant, "mx")
    }

    fn results_of(&self, tenant: &TenantSlug, word: &str) -> String {
        self.conventions.results(tenant, &format!("{word}-{}", self.nonce))
    }

    /// Where the owner awaits an answer in this round.
    fn inbox_of_the_owner(&self) -> String {
        format!("{}.mx.{}", self.conventions.inbox(&self.owner.agent), self.nonce)
    }

    /// Whether the owner has heard anything of this round, after something that the broker took.
    async fn crossed(
        &self,
        taken: &Observation<()>,
        subject: &str,
        since: Option<u64>,
    ) -> Result<Judged, String> {
        let mut evidence = vec![taken.to_string()];
        let mut outcome = match judge_operation(&taken.sight, subject) {
            Outcome::Allowed => self.heard(self.nonce.as_str(), &mut evidence).await?,
            refused => self.unless_heard(refused, self.nonce.as_str(), &mut evidence).await?,
        };
        let is_kept = subject.starts_with(&self.conventions.within(&self.owner.tenant, ""))
            && self.conventions.kept_results(&self.owner.tenant).is_some();
        if is_kept && outcome == Outcome::Denied(DenialReason::OtherAccount) {
            outcome = self.kept(subject, since, &mut evidence).await?;
        }
        Ok(Judged::new(outcome, evidence))
    }

    /// Allowed when the platform keeps it among the owner's results: to the platform the subject is who speaks.
    async fn kept(
        &self,
        subject: &str,
        since: Option<u64>,
        evidence: &mut Vec<String>,
    ) -> Result<Outcome, String> {
        let archive = super::platform::Archive::of(self.conventions, self.desk.platform()?);
        // What the owner says afterwards is kept; so what was to be kept before is there by then.
        let marker = self.results_of(&self.owner.tenant, "marker");
        self.owner.says(&marker, &format!("marker {}", self.nonce)).await?;
        archive.wait_for(&self.owner.tenant, &marker).await?;
        let kept = archive.find(&self.owner.tenant, subject).await?.is_some();
        if !kept {
            archive.holds_since(&self.owner.tenant, since).await?;
        }
        evidence.push(format!("the platform keeps it as {}'s: {kept}", self.owner.tenant));
        Ok(if kept { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) })
    }

    /// The place of the newest message that the platform keeps of the owner's, where it keeps any and can be asked.
    async fn newest_kept(&self) -> Option<u64> {
        let archive = super::platform::Archive::of(self.conventions, self.desk.platform().ok()?);
        archive.bounds(&self.owner.tenant).await.ok().map(|(_, newest)| newest)
    }

    /// Allowed when the owner has heard it; else it stayed in the account that it was said in.
    async fn heard(&self, text: &str, evidence: &mut Vec<String>) -> Result<Outcome, String> {
        let heard = self.owner.has_heard(text).await?;
        evidence.push(format!("{} has heard {text}: {heard}", self.owner.tenant));
        Ok(if heard { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) })
    }

    /// A refusal stands only while the owner has not heard what was refused: the broker takes its time to say no, and none to
    /// deliver.
    async fn unless_heard(
        &self,
        refused: Outcome,
        text: &str,
        evidence: &mut Vec<String>,
    ) -> Result<Outcome, String> {
        let heard = self.owner.has_heard(text).await?;
        if heard {
            evidence.push(format!("{} has heard {text} all the same", self.owner.tenant));
        }
        Ok(if heard { Outcome::Allowed } else { refused })
    }

    async fn publish(&self, subject: &str) -> Result<Judged, String> {
        let since = self.newest_kept().await;
        let sent = self.talker.session.publish(subject, None, Headers::default(), self.nonce.as_str()).await;
        self.crossed(&sent, subject, since).await
    }

    /// Subscribes; the owner says something and hears it itself, and then it is seen whether the listener has heard it too,
    /// whatever the broker said to the subscription.
    async fn listen(&self, subject: &str) -> Result<Judged, String> {
        let subscribed = self.talker.session.subscribe(subject, None).await;
        self.owner.says(&self.results(), self.nonce.as_str()).await?;
        self.overheard(subject, subscribed).await
    }

    /// Whether the listener has received anything of this round.
    async fn overheard(&self, subject: &str, subscribed: Observation<Interest>) -> Result<Judged, String> {
        let (report, interest) = subscribed.split();
        let unheard = match judge_operation(&report.sight, subject) {
            Outcome::Allowed => Outcome::Denied(DenialReason::OtherAccount),
            refused => refused,
        };
        let flushed = self.talker.session.flush().await;
        if !matches!(flushed.sight, Sight::Answered(())) {
            return match interest {
                Some(_) => Err(format!("{} can no longer hear: {flushed}", self.talker.name)),
                // A broker that ends a connection when it refuses delivers nothing there.
                None => Ok(Judged::new(unheard, vec![report.to_string(), flushed.to_string()])),
            };
        }
        let taken = match interest {
            Some(interest) => self.talker.session.take(interest).await,
            None => self.talker.session.take_refused().await,
        };
        let Sight::Answered(delivered) = &taken.sight else {
            return Err(format!("{} can no longer hear: {taken}", self.talker.name));
        };
        let messages = &delivered.messages;
        let found = messages.iter().find(|message| message.text().contains(self.nonce.as_str()));
        if found.is_none() && delivered.let_go > 0 {
            return Err(format!(
                "{} messages came to {} that were not kept",
                delivered.let_go, self.talker.name
            ));
        }
        let told = match found {
            Some(message) => format!("it heard on {}: {:.200}", message.subject, message.text()),
            None => format!("it heard {} messages, none of them this", messages.len()),
        };
        let outcome = if found.is_some() { Outcome::Allowed } else { unheard };
        Ok(Judged::new(outcome, vec![report.to_string(), told]))
    }

    fn job(&self) -> String {
        let job = json!({ "name": "matrix", "type": "process", "details": "bulkhead-agent",
                          "timeout_ms": 1000, "nonce": self.nonce.as_str() });
        job.to_string()
    }

    async fn request_job(&self) -> Result<Judged, String> {
        let subject = self.owner.job_subject().ok_or("agents take no jobs over the broker")?;
        let asked = self.talker.session.request(&subject, Headers::default(), &self.job()).await;
        let (report, answer) = asked.split();
        let mut evidence = vec![report.to_string()];
        evidence.extend(answer.map(|answer| format!("answered: {:.200}", answer.text())));
        let outcome = match judge_operation(&report.sight, &subject) {
            Outcome::Allowed => Outcome::Allowed,
            // Whoever answers may be cut off from whoever asked; that it was given the job is enough.
            refused => self.unless_heard(refused, self.nonce.as_str(), &mut evidence).await?,
        };
        Ok(Judged::new(outcome, evidence))
    }

    /// The owner gives its own agent a job, and hears the answer in its inbox; where agents take none, it answers itself.
    async fn listen_to_inboxes(&self) -> Result<Judged, String> {
        let everybody = format!("{}.>", self.conventions.inbox(&self.owner.agent));
        let subscribed = self.talker.session.subscribe(&everybody, None).await;
        let Some(subject) = self.owner.job_subject() else {
            self.owner.says(&self.inbox_of_the_owner(), self.nonce.as_str()).await?;
            return self.overheard(&everybody, subscribed).await;
        };
        let asked = self.owner.session.request(&subject, Headers::default(), &self.job()).await;
        match &asked.sight {
            Sight::Answered(answer) if answer.text().contains(self.nonce.as_str()) => {}
            _ => return Err(format!("{} gets no answer of its own: {asked}", self.owner.tenant)),
        }
        self.overheard(&everybody, subscribed).await
    }

    /// `allow_responses` lets a client publish wherever a message that it received asks for an answer. So it asks itself,
    /// for an answer in the owner's space.
    async fn answer_into(&self) -> Result<Judged, String> {
        let target = self.results();
        let mut evidence = Vec::new();
        if let Some((subject, interest)) = self.talker.own() {
            let asked = self
                .talker
                .session
                .publish(subject, Some(&target), Headers::default(), self.nonce.as_str())
                .await;
            evidence.push(asked.to_string());
            let heard = self.talker.session.wait_for(*interest, self.nonce.as_str()).await;
            if !matches!(heard.sight, Sight::Answered(_)) {
                return Err(format!(
                    "it did not get its own question, so that nothing was answered: {heard}"
                ));
            }
        }
        let answer = format!("answer {}", Nonce::fresh());
        let sent = self.talker.session.publish(&target, None, Headers::default(), &answer).await;
        evidence.push(sent.to_string());
        let outcome = match judge_operation(&sent.sight, &target) {
            Outcome::Allowed => self.heard(&answer, &mut evidence).await?,
            refused => self.unless_heard(refused, &answer, &mut evidence).await?,
        };
        Ok(Judged::new(outcome, evidence))
    }

    /// A message that the platform imports keeps the reply subject that its tenant wrote on it. A receipt of the platform's
    /// stream would go there *inside the platform's account*, whose streams keep every tenant's results.
    async fn receipt_into(&self) -> Result<Judged, String> {
        let own = match &self.talker.name {
            PeerName::Tenant(name) => self.results_of(&name.tenant, "mx"),
            PeerName::Platform(_) => self.results(),
        };
        let receipt = self.results_of(&self.owner.tenant, "receipt");
        let since = self.newest_kept().await;
        let sent =
            self.talker.session.publish(&own, Some(&receipt), Headers::default(), self.nonce.as_str()).await;
        let mut evidence = vec![sent.to_string()];
        match judge_operation(&sent.sight, &own) {
            Outcome::Allowed => {}
            refused => {
                let outcome =
                    self.unless_heard(refused, &format!("receipt-{}", self.nonce), &mut evidence).await?;
                return Ok(Judged::new(outcome, evidence));
            }
        }
        let PeerName::Tenant(name) = &self.talker.name else {
            return Err("only tenants have results that the platform keeps".to_owned());
        };
        let platform = self.desk.platform()?;
        let archive = super::platform::Archive::of(self.conventions, platform);
        archive.wait_for(&name.tenant, &own).await?;
        // What is said afterwards on the way that a receipt would take is kept; so a receipt would be there by then.
        let marker = self.results_of(&self.owner.tenant, "marker");
        let marked = platform.publish(&marker, None, Headers::default(), self.nonce.as_str()).await;
        evidence.push(marked.to_string());
        archive.wait_for(&self.owner.tenant, &marker).await?;
        let kept = archive.find(&self.owner.tenant, &receipt).await?;
        if kept.is_none() {
            archive.holds_since(&self.owner.tenant, since).await?;
        }
        evidence.push(match &kept {
            Some(text) => format!("the receipt is kept among {}'s results: {text:.200}", self.owner.tenant),
            None => format!("no receipt is kept among {}'s results", self.owner.tenant),
        });
        let outcome = match kept {
            Some(_) => Outcome::Allowed,
            None => self.heard(&format!("receipt-{}", self.nonce), &mut evidence).await?,
        };
        Ok(Judged::new(outcome, evidence))
    }

    /// Both publish a result under one message ID, the talker first. A stream that kept both tenants' results would take the
    /// owner's for one that it has already.
    async fn take_message_id(&self) -> Result<Judged, String> {
        let owner = &self.owner.tenant;
        let headers = || Headers::one(MESSAGE_ID, self.nonce.as_str());
        let own = match &self.talker.name {
            PeerName::Tenant(name) => self.results_of(&name.tenant, "taken"),
            PeerName::Platform(_) => self.results(),
        };
        let sent = self.talker.session.publish(&own, None, headers(), self.nonce.as_str()).await;
        let mut evidence = vec![sent.to_string()];
        match judge_operation(&sent.sight, &own) {
            Outcome::Allowed => {}
            refused => return Ok(Judged::new(refused, evidence)),
        }
        let archive = super::platform::Archive::of(self.conventions, self.desk.platform()?);
        archive.wait_anywhere(&own).await?;
        let (subject, marker) = (self.results(), self.results_of(owner, "marker"));
        let earlier = self.results_of(owner, "earlier");
        self.owner.says(&earlier, &format!("earlier {}", self.nonce)).await?;
        archive.wait_anywhere(&earlier).await?;
        let said = self.owner.session.publish(&subject, None, headers(), self.nonce.as_str()).await;
        evidence.push(said.to_string());
        // What is said afterwards on the same connection is kept; so what was said before is there by then.
        self.owner.says(&marker, &format!("marker {}", self.nonce)).await?;
        let stream = archive.wait_anywhere(&marker).await?;
        let found = archive.last_in(&stream, &subject).await?.is_some();
        if !found {
            // Else it may have been kept, and be gone by: the owner may say so much that its stream lets go of it.
            archive.holds_all_after(owner, &stream, &earlier).await?;
        }
        evidence.push(format!("{owner}'s message of the same ID is kept in {stream}: {found}"));
        let outcome = if found { Outcome::Denied(DenialReason::OtherAccount) } else { Outcome::Allowed };
        Ok(Judged::new(outcome, evidence))
    }

    /// The platform's service is asked, sees by whom, and answers to where the broker says.
    async fn ask(&self, reply: &str, headers: Headers) -> Result<Asked, String> {
        let (platform, offered) = (self.desk.platform()?, self.desk.offered()?);
        let subject = offered.asked.clone();
        let sent = self.talker.session.publish(&subject, Some(reply), headers, self.nonce.as_str()).await;
        match judge_operation(&sent.sight, &subject) {
            Outcome::Allowed => {}
            refused => return Ok(Asked::Refused(Judged::new(refused, vec![sent.to_string()]))),
        }
        let heard = platform.wait_for(offered.interest, self.nonce.as_str()).await;
        let Sight::Answered(request) = &heard.sight else {
            return Err(format!("the platform's service was not asked: {heard}; {sent}"));
        };
        let info: Value = request
            .headers
            .get(REQUEST_INFO)
            .and_then(|info| serde_json::from_str(info).ok())
            .unwrap_or(Value::Null);
        if let Some(reply) = &request.reply {
            let answered = platform.publish(reply, None, Headers::default(), self.nonce.as_str()).await;
            if !matches!(answered.sight, Sight::Answered(())) {
                return Err(format!("the platform's service could not answer: {answered}"));
            }
        }
        let evidence =
            vec![sent.to_string(), format!("the service was asked on {} by {info}", request.subject)];
        Ok(Asked::By { account: info["acc"].as_str().unwrap_or("nobody").to_owned(), evidence })
    }

    async fn ask_into(&self) -> Result<Judged, String> {
        match self.ask(&self.results(), Headers::default()).await? {
            Asked::Refused(judged) => Ok(judged),
            Asked::By { mut evidence, .. } => {
                let outcome = self.heard(self.nonce.as_str(), &mut evidence).await?;
                Ok(Judged::new(outcome, evidence))
            }
        }
    }

    async fn ask_in_its_name(&self) -> Result<Judged, String> {
        let account = self.conventions.account(&self.owner.tenant).ok_or("accounts have no known names")?;
        let user = self.conventions.certificate_name(&self.owner.agent);
        let forged = json!({ "acc": account, "user": user }).to_string();
        let inbox = format!("{}.mx.{}", self.conventions.inbox(&self.talker.name), self.nonce);
        match self.ask(&inbox, Headers::one(REQUEST_INFO, &forged)).await? {
            Asked::Refused(judged) => Ok(judged),
            Asked::By { account: found, evidence } => {
                let believed = found == account;
                let outcome =
                    if believed { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) };
                Ok(Judged::new(outcome, evidence))
            }
        }
    }
}

/// What came of asking the platform's service.
enum Asked {
    /// The broker refused.
    Refused(Judged),
    /// The service was asked, and this is whom it saw.
    By { account: String, evidence: Vec<String> },
}

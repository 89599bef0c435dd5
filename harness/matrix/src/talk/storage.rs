//! What somebody does with what a tenant keeps: requests of the JetStream API
//! (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>), and messages that streams would take.

use bulkhead_identity::TenantSlug;
use bulkhead_plan::access::{DenialReason, Operation, Outcome, StorageOperation};
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::nats::Headers;
use bulkhead_probe::{Nonce, Observation, Sight};
use bulkhead_runtime::probe::verdict::{Judged, between, judge_operation};
use serde_json::{Value, json};

use super::Stage;
use super::consumers::GROUP;
use super::owner::{Owner, UNUSED_LIMIT_NS, configuration};
use super::platform::{Archive, gone_by};
use super::talker::{Desk, Talker};

/// The header that has a message replace everything before it.
const ROLL_UP: &str = "Nats-Rollup";

/// Attempts them on one connection, while nobody else does anything to what the owner keeps.
pub(super) async fn attempt(stage: &Stage<'_>, desk: &Desk, tenant: &TenantSlug, cells: &[&Cell]) {
    if cells.is_empty() {
        return;
    }
    let ready = async { Ok::<_, String>((stage.owner(tenant)?.clone(), desk.talker(stage).await?)) };
    let (owner, talker) = match ready.await {
        Ok(ready) => ready,
        Err(why) => return cells.iter().for_each(|cell| stage.site.file_unjudged(cell, why.clone())),
    };
    let kept = owner.kept.lock().await;
    let before = both_work(stage, desk, &owner, &talker).await;
    let mut found = Vec::new();
    for cell in cells {
        let Operation::Storage { operation, .. } = &cell.operation else { continue };
        let visit = Visit { stage, desk, owner: &owner, talker: &talker };
        let judged = visit.attempt(*operation).await.unwrap_or_else(Judged::inconclusive);
        found.push((cell, judged));
    }
    let after = both_work(stage, desk, &owner, &talker).await;
    drop(kept);
    for (cell, judged) in found {
        let judged = talker.session.confirmed(stage.site, judged).await;
        stage.site.file(cell, between(before.clone(), judged, after.clone()));
    }
}

/// Whoever acts can talk and, where it keeps anything, read it; and the owner has what it keeps.
async fn both_work(stage: &Stage<'_>, desk: &Desk, owner: &Owner, talker: &Talker) -> Result<String, String> {
    let works = talker.works(stage).await?;
    owner.keeping()?;
    let reads = match desk.own(stage) {
        Some(own) => {
            let info = format!("$JS.API.STREAM.INFO.{}", own.origin());
            let seen = talker.session.api(&info, Headers::default(), "").await;
            if !matches!(seen.sight, Sight::Answered(_)) {
                return Err(format!("{} cannot even read what it keeps itself: {seen}", talker.name));
            }
            " and reads a stream of its own"
        }
        None => "",
    };
    match owner.is_intact().await? {
        true => Ok(format!("{works}{reads}; {} has what it keeps", owner.tenant)),
        false => Err(format!("{} no longer has what it keeps", owner.tenant)),
    }
}

/// One talker at one owner's things.
pub(super) struct Visit<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) desk: &'a Desk,
    pub(super) owner: &'a Owner,
    pub(super) talker: &'a Talker,
}

impl Visit<'_> {
    async fn attempt(&self, operation: StorageOperation) -> Result<Judged, String> {
        use StorageOperation as Do;
        // What the platform keeps is there whether the tenant keeps anything or not.
        if !matches!(operation, Do::ReadRecord | Do::PurgeRecord | Do::RollUpRecord) {
            self.owner.keeping()?;
        }
        match operation {
            Do::ListNames => self.list("$JS.API.STREAM.NAMES").await,
            Do::List => self.list("$JS.API.STREAM.LIST").await,
            Do::ReadNamesake => self.read_namesake().await,
            Do::PurgeNamesake => self.purge_namesake().await,
            Do::RollUpRecord => self.roll_up_record().await,
            Do::Restore => self.restore().await,
            Do::TakeNext => self.take_next().await,
            Do::AskAccount => self.ask_account().await,
            Do::HearAdvisories => self.hear_advisories().await,
            Do::Acknowledge => {
                let subject = self.owner.acknowledged_at().await?;
                self.ask_with((subject, Headers::default(), "+ACK".to_owned())).await
            }
            Do::ReadRecord => {
                self.something_is_recorded().await?;
                self.ask(operation).await
            }
            _ => self.ask(operation).await,
        }
    }

    /// What is to be read must be there: of a tenant whose agents were not polled yet, the platform keeps nothing. Where
    /// nobody here can look, it is as it is.
    async fn something_is_recorded(&self) -> Result<(), String> {
        let Ok(platform) = self.desk.platform() else { return Ok(()) };
        let conventions = self.stage.site.conventions();
        let (archive, tenant) = (Archive::of(conventions, platform), &self.owner.tenant);
        if archive.find(tenant, &conventions.within(tenant, ">")).await?.is_some() {
            return Ok(());
        }
        let subject = conventions.results(tenant, &format!("recorded-{}", Nonce::fresh()));
        self.owner.says(&subject, Nonce::fresh().as_str()).await?;
        archive.wait_for(tenant, &subject).await
    }

    /// A result with the header that replaces everything before it, between two that say whether it did: the platform keeps
    /// what it imports in the order in which it comes.
    async fn roll_up_record(&self) -> Result<Judged, String> {
        let conventions = self.stage.site.conventions();
        let archive = Archive::of(conventions, self.desk.platform()?);
        let subject =
            |what: &str| conventions.results(&self.owner.tenant, &format!("{what}-{}", Nonce::fresh()));
        let (earlier, rolled, later) = (subject("earlier"), subject("rolled"), subject("later"));
        self.owner.says(&earlier, Nonce::fresh().as_str()).await?;
        archive.wait_for(&self.owner.tenant, &earlier).await?;
        let sent = self.talker.session.publish(&rolled, None, Headers::one(ROLL_UP, "all"), "all").await;
        let mut outcome = judge_operation(&sent.sight, &rolled);
        let mut evidence = vec![sent.to_string()];
        if outcome == Outcome::Allowed {
            // On the same connection as the attempt, so that it comes after it.
            let marked = self.talker.session.publish(&later, None, Headers::default(), "later").await;
            evidence.push(marked.to_string());
            archive.wait_for(&self.owner.tenant, &later).await?;
            let kept = archive.find(&self.owner.tenant, &earlier).await?.is_some();
            evidence.push(format!("what was kept before is still there: {kept}"));
            if kept {
                outcome = Outcome::Denied(DenialReason::OtherAccount);
            } else if archive.place(&self.owner.tenant, &rolled).await?
                != Some(archive.bounds(&self.owner.tenant).await?.0)
            {
                // A roll-up leaves nothing before itself. This stream is full, and lets go of what is oldest.
                return Err(gone_by(&self.owner.tenant));
            }
        }
        Ok(Judged::new(outcome, evidence))
    }

    /// A request or a message, and afterwards a look at what the owner keeps, whatever the answer was.
    async fn ask(&self, operation: StorageOperation) -> Result<Judged, String> {
        self.ask_with(request(operation, self)?).await
    }

    async fn ask_with(&self, (subject, headers, body): Request) -> Result<Judged, String> {
        let asked = self.talker.session.api(&subject, headers, &body).await;
        let mut evidence = vec![asked.to_string()];
        if let Sight::Answered(answer) = &asked.sight {
            evidence.push(format!("answered: {:.200}", answer.to_string()));
        }
        self.harmed(judge_operation(&asked.sight, &subject), evidence).await
    }

    /// Whatever the answer was: what the owner keeps is looked at, and made good.
    pub(super) async fn harmed(
        &self,
        mut outcome: Outcome,
        mut evidence: Vec<String>,
    ) -> Result<Judged, String> {
        if self.owner.keeping().is_ok() && !self.owner.is_intact().await? {
            evidence.push(format!("{} no longer has what it kept", self.owner.tenant));
            outcome = Outcome::Allowed;
            self.owner.keep().await?;
        }
        Ok(Judged::new(outcome, evidence))
    }

    /// The answer is a list, of whatever the caller's account has, page after page.
    async fn list(&self, subject: &str) -> Result<Judged, String> {
        let (mut seen, mut evidence) = (0, Vec::new());
        // The whole name: one tenant's may begin with another's.
        let wanted = format!("\"{}\"", self.owner.notes());
        loop {
            let body = if seen == 0 { String::new() } else { json!({ "offset": seen }).to_string() };
            let asked = self.talker.session.api(subject, Headers::default(), &body).await;
            evidence.push(asked.to_string());
            let Sight::Answered(answer) = &asked.sight else {
                return Ok(Judged::new(judge_operation(&asked.sight, subject), evidence));
            };
            if answer.to_string().contains(&wanted) {
                evidence.push(format!("{wanted} is in it"));
                return Ok(Judged::new(Outcome::Allowed, evidence));
            }
            let shown = answer["streams"].as_array().map_or(0, Vec::len);
            seen += shown;
            let all = answer["total"].as_u64().and_then(|total| usize::try_from(total).ok());
            match all {
                Some(all) if seen < all && shown > 0 => {}
                Some(all) if seen >= all => break,
                _ => return Err(format!("the list ends after {seen} streams, of {:?}", answer["total"])),
            }
        }
        evidence.push(format!("{wanted} is not among {seen} streams"));
        Ok(Judged::new(Outcome::Denied(DenialReason::OtherAccount), evidence))
    }

    async fn read_namesake(&self) -> Result<Judged, String> {
        // Somebody else of the same tenant may be about to empty it.
        let _alone = self.stage.namesakes.lock().await;
        let subject = format!("$JS.API.STREAM.MSG.GET.{}", self.owner.namesake());
        let body = json!({ "seq": 1, "next_by_subj": ">" }).to_string();
        let asked = self.talker.session.api(&subject, Headers::default(), &body).await;
        let mut evidence = vec![asked.to_string()];
        let outcome = match &asked.sight {
            Sight::Answered(answer) => {
                let whose = answer["message"]["subject"].as_str().unwrap_or_default().to_owned();
                let found = whose.starts_with(&self.stage.site.conventions().within(&self.owner.tenant, ""));
                evidence.push(format!("it read a message of {whose}"));
                if found { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) }
            }
            _ => judge_operation(&asked.sight, &subject),
        };
        Ok(Judged::new(outcome, evidence))
    }

    async fn purge_namesake(&self) -> Result<Judged, String> {
        let _alone = self.stage.namesakes.lock().await;
        // What an earlier attempt hit may not have been made good: then nobody could tell what this one does.
        self.owner.fill_namesake().await?;
        let subject = format!("$JS.API.STREAM.PURGE.{}", self.owner.namesake());
        let asked = self.talker.session.api(&subject, Headers::default(), "").await;
        let mut evidence = vec![asked.to_string()];
        let outcome = match &asked.sight {
            Sight::Answered(_) => {
                let intact = self.owner.namesake_is_intact().await?;
                evidence.push(format!("{}'s stream of that name is as it was: {intact}", self.owner.tenant));
                if intact { Outcome::Denied(DenialReason::OtherAccount) } else { Outcome::Allowed }
            }
            _ => judge_operation(&asked.sight, &subject),
        };
        for owner in [self.desk.own(self.stage), Some(self.owner)].into_iter().flatten() {
            let filled = owner.fill_namesake().await;
            // What was hit was hit, whether or not it can be made good.
            if outcome != Outcome::Allowed {
                filled?;
            }
        }
        Ok(Judged::new(outcome, evidence))
    }

    /// A request of the talker's own that must be possible, for what an attempt needs.
    pub(super) async fn api(&self, subject: &str, body: &Value) -> Observation<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.talker.session.api(subject, Headers::default(), &body).await
    }
}

/// A subject, headers, and what is said.
type Request = (String, Headers, String);

/// What is asked, or published, and with which headers.
fn request(operation: StorageOperation, visit: &Visit<'_>) -> Result<Request, String> {
    use StorageOperation as Do;
    let (owner, conventions) = (visit.owner, visit.stage.site.conventions());
    let kept =
        || conventions.kept_results(&owner.tenant).ok_or_else(|| "the platform keeps no results".to_owned());
    let none = Headers::default;
    let api = |verb: &str, stream: String, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        (format!("$JS.API.{verb}.{stream}"), none(), body)
    };
    let last = |subject: String| json!({ "last_by_subj": subject });
    Ok(match operation {
        Do::Describe => api("STREAM.INFO", owner.notes(), Value::Null),
        Do::ReadMessage => api("STREAM.MSG.GET", owner.notes(), last(owner.note_subject())),
        Do::ReadDirect => api("DIRECT.GET", owner.notes(), last(owner.note_subject())),
        Do::Consume => {
            let config = json!({ "ack_policy": "none", "deliver_policy": "all", "mem_storage": true,
                                 "inactive_threshold": UNUSED_LIMIT_NS });
            let body = json!({ "stream_name": owner.notes(), "config": config });
            api("CONSUMER.CREATE", owner.notes(), body)
        }
        Do::BackUp => {
            let deliver = format!("{}.backup.{}", conventions.inbox(&visit.talker.name), Nonce::fresh());
            let body = json!({ "deliver_subject": deliver, "no_consumers": true });
            api("STREAM.SNAPSHOT", owner.notes(), body)
        }
        Do::NameConsumers => api("CONSUMER.NAMES", owner.notes(), Value::Null),
        Do::ListConsumers => api("CONSUMER.LIST", owner.notes(), Value::Null),
        Do::DescribeConsumer => api("CONSUMER.INFO", owner.consumer_name(), Value::Null),
        Do::PauseConsumer => {
            api("CONSUMER.PAUSE", owner.consumer_name(), json!({ "pause_until": "2100-01-01T00:00:00Z" }))
        }
        Do::UnpinConsumer => api("CONSUMER.UNPIN", owner.pinned_name(), json!({ "group": GROUP })),
        Do::DeleteConsumer => api("CONSUMER.DELETE", owner.consumer_name(), Value::Null),
        Do::ReadValue => api("STREAM.MSG.GET", owner.values(), last(owner.value_subject())),
        Do::ReadObject => api("STREAM.MSG.GET", owner.objects(), last(owner.object_subject())),
        Do::Store => (owner.note_subject(), none(), "somebody's note".to_owned()),
        Do::PutValue => (owner.value_subject(), none(), "another colour".to_owned()),
        Do::PutObject => (owner.chunk_subject(), none(), "another chunk".to_owned()),
        Do::Purge => api("STREAM.PURGE", owner.notes(), Value::Null),
        Do::RemoveMessage => api("STREAM.MSG.DELETE", owner.notes(), json!({ "seq": 1 })),
        Do::Reconfigure => {
            let changed = json!({ "subjects": [owner.note_subject()], "max_msgs": 1, "allow_direct": true });
            api("STREAM.UPDATE", owner.notes(), configuration(&owner.notes(), &changed))
        }
        Do::Delete => api("STREAM.DELETE", owner.notes(), Value::Null),
        Do::DeleteBucket => api("STREAM.DELETE", owner.values(), Value::Null),
        Do::RollUp => (owner.note_subject(), Headers::one(ROLL_UP, "all"), "all there is".to_owned()),
        Do::PurgeAccount => {
            let account = conventions.account(&owner.tenant).ok_or("accounts have no known names")?;
            api("ACCOUNT.PURGE", account, Value::Null)
        }
        Do::ReadRecord => {
            let everything = last(conventions.within(&owner.tenant, ">"));
            api("STREAM.MSG.GET", kept()?, everything)
        }
        Do::PurgeRecord => api("STREAM.PURGE", kept()?, Value::Null),
        // Each is named: what was forgotten would be asked for in place of something else.
        Do::ListNames
        | Do::List
        | Do::ReadNamesake
        | Do::PurgeNamesake
        | Do::RollUpRecord
        | Do::Restore
        | Do::TakeNext
        | Do::Acknowledge
        | Do::AskAccount
        | Do::HearAdvisories
        | Do::Capture
        | Do::Mirror
        | Do::Source
        | Do::Republish
        | Do::DeliverInto
        | Do::PullInto => return Err(format!("no single request {operation} anybody")),
    })
}

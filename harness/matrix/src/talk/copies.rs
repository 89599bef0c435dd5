//! How somebody comes by a tenant's messages, or puts its own among them, through a stream or a consumer of its own. The
//! broker creates what it is asked for: what counts is what the copy then holds, and what the owner then hears.

use std::time::Duration;

use bulkhead_identity::TenantSlug;
use bulkhead_plan::access::{DenialReason, Operation, Outcome, StorageOperation};
use bulkhead_plan::matrix::{Cell, Copied};
use bulkhead_probe::nats::Headers;
use bulkhead_probe::{Nonce, Sight};
use bulkhead_runtime::probe::verdict::{Judged, between, judge_operation};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Stage;
use super::owner::{NOTES, UNUSED_LIMIT_NS, configuration, listen, must};
use super::storage::Visit;
use super::talker::Desk;

/// How long a copying stream may take to hold its first message.
const COPY_DEADLINE: Duration = Duration::from_secs(5);
/// How many times as long as a copy of one's own another's may take, and how long at least.
const PATIENCE_FACTOR: u32 = 2;
const PATIENCE_MINIMUM: Duration = Duration::from_millis(120);
/// Between two looks at it.
const POLL: Duration = Duration::from_millis(5);

/// Whether an operation is one of these.
pub(super) fn is_one(operation: StorageOperation) -> bool {
    use StorageOperation::{Capture, DeliverInto, Mirror, PullInto, Republish, Source};
    matches!(operation, Capture | Mirror | Source | Republish | DeliverInto | PullInto)
}

/// Attempts them on one connection. They leave alone what the owner keeps, and so need not wait for anybody but those who
/// keep copies in the same account.
pub(super) async fn attempt(stage: &Stage<'_>, desk: &Desk, tenant: &TenantSlug, cells: &[&Cell]) {
    if cells.is_empty() {
        return;
    }
    let ready = async { Ok::<_, String>((stage.owner(tenant)?.clone(), desk.talker(stage).await?)) };
    let (owner, talker) = match ready.await {
        Ok(ready) => ready,
        Err(why) => return cells.iter().for_each(|cell| stage.site.file_unjudged(cell, why.clone())),
    };
    let visit = Visit { stage, desk, owner: &owner, talker: &talker };
    let _alone = match desk.name.tenant().and_then(|tenant| stage.copying.get(tenant)) {
        Some(lock) => Some(lock.lock().await),
        None => None,
    };
    let before = works(&visit).await;
    // A mirror and a source take a while to be set up, and that is all they take.
    let (slow, quick): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(|cell| {
        matches!(&cell.operation, Operation::Storage { operation, .. }
            if matches!(operation, StorageOperation::Mirror | StorageOperation::Source))
    });
    let mut found = join_all(slow.into_iter().map(async |cell| (cell, one(&visit, cell).await))).await;
    for cell in quick {
        found.push((cell, one(&visit, cell).await));
    }
    let after = works(&visit).await;
    for (cell, judged) in found {
        let judged = talker.session.confirmed(stage.site, judged).await;
        stage.site.file(cell, between(before.clone(), judged, after.clone()));
    }
}

async fn works(visit: &Visit<'_>) -> Result<String, String> {
    let works = visit.talker.works(visit.stage).await?;
    visit.owner.has_heard("").await?;
    Ok(format!("{works}; {} hears itself", visit.owner.tenant))
}

async fn one(visit: &Visit<'_>, cell: &Cell) -> Judged {
    let Operation::Storage { operation, .. } = &cell.operation else {
        return Judged::inconclusive("it is no copy");
    };
    let judged = match operation {
        StorageOperation::Capture => capture(visit).await,
        StorageOperation::Mirror => {
            copy(visit, (Copied::Mirrored, Copied::MirroredOwn), |origin| json!({ "mirror": origin })).await
        }
        StorageOperation::Source => {
            copy(visit, (Copied::Sourced, Copied::SourcedOwn), |origin| json!({ "sources": [origin] })).await
        }
        StorageOperation::Republish => republish(visit).await,
        StorageOperation::DeliverInto => deliver_into(visit).await,
        StorageOperation::PullInto => pull_into(visit).await,
        _ => Err("it is no copy".to_owned()),
    };
    judged.unwrap_or_else(Judged::inconclusive)
}

impl Visit<'_> {
    /// A subject among the owner's results, for one attempt alone.
    fn results(&self, word: &str, nonce: &Nonce) -> String {
        self.stage.site.conventions().results(&self.owner.tenant, &format!("{word}-{nonce}"))
    }

    /// A subject of the talker's own, for one attempt alone.
    fn own_subject(&self, word: &str, nonce: &Nonce) -> String {
        match self.talker.name.tenant() {
            Some(tenant) => self.stage.site.conventions().within(tenant, &format!("{word}.{nonce}")),
            None => format!("matrix.{word}.{nonce}"),
        }
    }

    /// What a stream of the talker's is called; by that name it is found should nobody get to delete it.
    fn stream(&self, copied: Copied) -> String {
        self.owner.copy(self.talker.name.tenant(), copied)
    }

    /// Creates a stream of the talker's; its refusal is an outcome.
    async fn create(&self, name: &str, rest: &Value) -> Result<String, Judged> {
        let subject = format!("$JS.API.STREAM.CREATE.{name}");
        let made = self.api(&subject, &configuration(name, rest)).await;
        match judge_operation(&made.sight, &subject) {
            Outcome::Allowed => Ok(made.to_string()),
            refused => Err(Judged::new(refused, vec![made.to_string()])),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), String> {
        let removed = self.api(&format!("$JS.API.STREAM.DELETE.{name}"), &Value::Null).await;
        must(&removed, || format!("{} cannot remove its {name}", self.talker.name))
    }

    async fn count(&self, name: &str) -> Result<u64, String> {
        let info = self.api(&format!("$JS.API.STREAM.INFO.{name}"), &Value::Null).await;
        match &info.sight {
            Sight::Answered(info) => Ok(info["state"]["messages"].as_u64().unwrap_or(0)),
            _ => Err(format!("{} cannot look at its own {name}: {info}", self.talker.name)),
        }
    }

    async fn fills(&self, name: &str, count: u64) -> Result<bool, String> {
        let until = Instant::now() + COPY_DEADLINE;
        loop {
            if self.count(name).await? >= count {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            sleep(POLL).await;
        }
    }
}

fn held(count: u64) -> Outcome {
    if count > 0 { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) }
}

/// A stream on a subject of the owner's, which then says something there and hears it itself. What the talker stores in the
/// same stream afterwards comes after whatever it has captured.
async fn capture(visit: &Visit<'_>) -> Result<Judged, String> {
    let (name, nonce) = (visit.stream(Copied::Captured), Nonce::fresh());
    let (subject, own) = (visit.results("cap", &nonce), visit.own_subject("cap", &nonce));
    let created = match visit.create(&name, &json!({ "subjects": [subject, own] })).await {
        Ok(created) => created,
        Err(judged) => return Ok(judged),
    };
    let said = visit.owner.says(&subject, nonce.as_str()).await;
    let stored = visit.talker.session.api(&own, Headers::default(), nonce.as_str()).await;
    let count = visit.count(&name).await;
    visit.delete(&name).await?;
    said?;
    must(&stored, || format!("{} cannot store in its own stream", visit.talker.name))?;
    let captured = count?.checked_sub(1).ok_or("what was stored in it is not there")?;
    Ok(Judged::new(held(captured), vec![created, format!("it has captured {captured} messages")]))
}

/// A stream that mirrors or sources the owner's; in the same moment another copies one of the talker's own, and fills.
async fn copy(
    visit: &Visit<'_>,
    (copied, control): (Copied, Copied),
    from: impl Fn(Value) -> Value,
) -> Result<Judged, String> {
    let (name, control) = (visit.stream(copied), visit.stream(control));
    let created = match visit.create(&name, &from(json!({ "name": visit.owner.origin() }))).await {
        Ok(created) => created,
        Err(judged) => return Ok(judged),
    };
    let filled = async {
        let own = visit.desk.own(visit.stage).ok_or("it keeps nothing of its own to copy")?;
        let origin = from(json!({ "name": own.origin() }));
        let began = Instant::now();
        let made = visit.create(&control, &origin).await;
        made.map_err(|judged| format!("it cannot even copy its own: {:?}", judged.evidence))?;
        let filled = visit.fills(&control, 1).await;
        let took = began.elapsed();
        visit.delete(&control).await?;
        filled.map(|filled| filled.then_some(took))
    };
    let filled = filled.await;
    // The owner's own copy has to fill as well: it is the same stream that somebody else's copy must not.
    let member = visit.talker.name.tenant() == Some(&visit.owner.tenant);
    let own_fills = if member { visit.fills(&name, NOTES).await.map(|_| ()) } else { Ok(()) };
    // Two copies that are set up at the same time do not fill at the same time: measured up to 60 ms apart.
    if let (Ok(Some(took)), false) = (&filled, member) {
        sleep((*took * PATIENCE_FACTOR).max(PATIENCE_MINIMUM)).await;
    }
    let count = visit.count(&name).await;
    visit.delete(&name).await?;
    own_fills?;
    let count = count?;
    if filled?.is_none() {
        return Err(
            "a copy of its own stream does not fill, so that nothing is known of another's".to_owned()
        );
    }
    let told = format!("it holds {count} messages, while a copy of its own has filled");
    Ok(Judged::new(held(count), vec![created, told]))
}

/// A stream that republishes what it keeps on a subject of the owner's.
async fn republish(visit: &Visit<'_>) -> Result<Judged, String> {
    let (name, nonce) = (visit.stream(Copied::Republished), Nonce::fresh());
    let origin = visit.own_subject("rep", &nonce);
    let target = visit.results("rep", &nonce);
    let rest = json!({ "subjects": [origin], "republish": { "src": origin, "dest": target } });
    let created = match visit.create(&name, &rest).await {
        Ok(created) => created,
        Err(judged) => return Ok(judged),
    };
    let stored = visit.talker.session.api(&origin, Headers::default(), nonce.as_str()).await;
    let heard = visit.owner.has_heard(nonce.as_str()).await;
    visit.delete(&name).await?;
    must(&stored, || format!("{} cannot store in its own stream", visit.talker.name))?;
    let heard = heard?;
    let told = format!("{} has heard it: {heard}", visit.owner.tenant);
    let outcome = if heard { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) };
    Ok(Judged::new(outcome, vec![created, stored.to_string(), told]))
}

/// A consumer that pushes the talker's own notes to a subject of the owner's.
async fn deliver_into(visit: &Visit<'_>) -> Result<Judged, String> {
    let target = visit.results("dlv", &Nonce::fresh());
    // nats-server 2.15.1 delivers only where somebody has subscribed to that very subject: a wildcard is no interest.
    listen(&visit.owner.session, &target).await?;
    let config = json!({ "deliver_subject": target, "ack_policy": "none", "deliver_policy": "all",
                         "mem_storage": true, "inactive_threshold": UNUSED_LIMIT_NS });
    let consumer = match own_consumer(visit, config).await? {
        Ok(consumer) => consumer,
        Err(judged) => return Ok(judged),
    };
    // Another one delivers the same to the talker itself: when that has arrived, what was to be delivered before has as well.
    let mut evidence = Vec::new();
    if let Some((subject, interest)) = visit.talker.own() {
        let config = json!({ "deliver_subject": subject, "ack_policy": "none", "deliver_policy": "all",
                             "mem_storage": true, "inactive_threshold": UNUSED_LIMIT_NS });
        let control = own_consumer(visit, config).await?.map_err(|judged| {
            format!("it cannot even have its own delivered to itself: {:?}", judged.evidence)
        })?;
        let arrived = visit.talker.session.wait_for(*interest, &control.mark).await;
        must(&arrived, || format!("{} is not even delivered its own", visit.talker.name))?;
        control.remove(visit).await?;
        evidence.push(format!("{} is delivered the same on {subject}", visit.talker.name));
    }
    consumer.ended(visit, evidence).await
}

/// A consumer of the talker's own notes, asked to send the next one to a subject of the owner's.
async fn pull_into(visit: &Visit<'_>) -> Result<Judged, String> {
    let target = visit.results("pull", &Nonce::fresh());
    let config = json!({ "ack_policy": "none", "deliver_policy": "all", "mem_storage": true,
                         "inactive_threshold": UNUSED_LIMIT_NS });
    let consumer = match own_consumer(visit, config).await? {
        Ok(consumer) => consumer,
        Err(judged) => return Ok(judged),
    };
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", consumer.stream, consumer.name);
    let asked = visit.talker.session.publish(&next, Some(&target), Headers::default(), "1").await;
    consumer.ended(visit, vec![asked.to_string()]).await
}

/// A consumer of the talker's own stream, and the mark of what is in it.
struct OwnConsumer {
    stream: String,
    name: String,
    mark: String,
    created: String,
}

async fn own_consumer(visit: &Visit<'_>, config: Value) -> Result<Result<OwnConsumer, Judged>, String> {
    // Whoever keeps nothing asks for a consumer of the owner's: it may ask for none at all.
    let own = visit.desk.own(visit.stage);
    let (stream, mark) = match own {
        Some(own) => (own.origin(), own.mark()),
        None => (visit.owner.origin(), visit.owner.mark()),
    };
    let subject = format!("$JS.API.CONSUMER.CREATE.{stream}");
    let made = visit.api(&subject, &json!({ "stream_name": stream, "config": config })).await;
    match &made.sight {
        Sight::Answered(answer) => {
            let name = answer["name"].as_str().unwrap_or_default().to_owned();
            Ok(Ok(OwnConsumer { stream, name, mark, created: made.to_string() }))
        }
        sight => Ok(Err(Judged::new(judge_operation(sight, &subject), vec![made.to_string()]))),
    }
}

impl OwnConsumer {
    async fn remove(&self, visit: &Visit<'_>) -> Result<(), String> {
        let delete = format!("$JS.API.CONSUMER.DELETE.{}.{}", self.stream, self.name);
        let removed = visit.api(&delete, &Value::Null).await;
        must(&removed, || format!("{} cannot remove its consumer", visit.talker.name))
    }

    /// Whether the owner has heard anything of what the consumer had to deliver.
    async fn ended(self, visit: &Visit<'_>, mut evidence: Vec<String>) -> Result<Judged, String> {
        let heard = visit.owner.has_heard(&self.mark).await;
        self.remove(visit).await?;
        let heard = heard?;
        evidence.insert(0, self.created);
        evidence.push(format!("{} has heard it: {heard}", visit.owner.tenant));
        let outcome = if heard { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) };
        Ok(Judged::new(outcome, evidence))
    }
}

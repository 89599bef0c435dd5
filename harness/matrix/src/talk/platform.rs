//! What the platform does for its administrators, and where it keeps what it learns of its tenants.

use std::time::Duration;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_plan::access::{DenialReason, Operation, Outcome, Who};
use bulkhead_plan::foreign::Conventions;
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::grpc::Call;
use bulkhead_probe::nats::Headers;
use bulkhead_probe::post::{Order, RemoteSession, Seen};
use bulkhead_probe::{Nonce, Sight, TraceId};
use bulkhead_runtime::probe::records::{Event, Line, Place};
use bulkhead_runtime::probe::verdict::{Judged, RECORD_DEADLINE, between, judge_operation};
use bulkhead_wire::{PollerStatusRequest, ServiceStatus};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::Stage;
use super::stretch::Stretch;
use super::talker::{Desk, Talker};
use crate::site::POLLER;

/// How long a message may take into its tenant's stream.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two looks at it.
const POLL: Duration = Duration::from_millis(10);
/// How many of a tenant's last messages are looked at: the poller reads them one by one.
const LAST: u64 = 20;
/// How many where more may have been kept since: all that one request may ask for.
const LAST_MAXIMUM: u64 = 100;
/// Longer than the pause between two rounds of the poller's: what it asks of every agent is kept at least once in it.
const ROUND: Duration = Duration::from_millis(1200);
/// Between two looks at what is kept in a round.
const POLL_IN_ROUND: Duration = Duration::from_millis(100);

/// Attempts them, between two proofs that the talker can talk.
pub(super) async fn attempt(stage: &Stage<'_>, desk: &Desk, cells: &[&Cell]) {
    if cells.is_empty() {
        return;
    }
    let talker = match desk.talker(stage).await {
        Ok(talker) => talker,
        Err(why) => return cells.iter().for_each(|cell| stage.site.file_unjudged(cell, why.clone())),
    };
    let before = talker.works(stage).await;
    // One after the other: what is kept meanwhile must not be more than one look shows.
    let mut found = Vec::new();
    for cell in cells {
        let attempted = match &cell.operation {
            Operation::ReadResults { tenant } => read_results(stage, &talker, tenant).await,
            Operation::FileReport { tenant } => {
                file_report(stage, desk, tenant).await.map(|judged| (judged, None))
            }
            Operation::FilePolled { tenant } => {
                file_polled(stage, desk, tenant).await.map(|judged| (judged, None))
            }
            _ => Err("it is nothing that the platform is asked".to_owned()),
        };
        found.push((cell, attempted.unwrap_or_else(|why| (Judged::inconclusive(why), None))));
    }
    let after = talker.works(stage).await;
    for (cell, (judged, unrecorded)) in found {
        let judged = talker.session.confirmed(stage.site, judged).await;
        let judged = between(before.clone(), judged, after.clone());
        stage.site.file_with_record(cell, judged, unrecorded);
    }
}

/// Asks as an administrator does. What is answered has to be on record, under the asker's own name.
async fn read_results(
    stage: &Stage<'_>,
    talker: &Talker,
    tenant: &TenantSlug,
) -> Result<(Judged, Option<String>), String> {
    let subject = stage.site.conventions().administrator_results(tenant);
    let subject = subject.ok_or("there is nothing that administrators ask")?;
    let trace = TraceId::fresh();
    // A platform whose poller does not listen keeps its records where nobody here looks.
    let page = stage.site.page(&POLLER).unwrap_or_default();
    let since = stage.site.book.end(&page);
    let headers = Headers::one("traceparent", &trace.traceparent());
    let asked = talker.session.request(&subject, headers, &json!({ "count": 1 }).to_string()).await;
    let mut evidence = vec![asked.to_string()];
    let outcome = match &asked.sight {
        Sight::Answered(answer) => {
            evidence.push(format!("answered: {:.200}", answer.text()));
            let said: Value = serde_json::from_slice(&answer.payload).unwrap_or(Value::Null);
            match said["error"]["code"].as_str() {
                Some("unknown-tenant") => Outcome::Denied(DenialReason::NotFound),
                Some(code) => Outcome::Inconclusive(format!("the platform answers with an error: {code}")),
                None if ![tenant.as_str(), stage.site.conventions().tenant(tenant)]
                    .contains(&said["tenant"].as_str().unwrap_or_default()) =>
                {
                    Outcome::Inconclusive(format!("it was answered with the results of {}", said["tenant"]))
                }
                None => Outcome::Allowed,
            }
        }
        sight => judge_operation(sight, &subject),
    };
    if outcome != Outcome::Allowed || !stage.site.book.follows(&page) {
        return Ok((Judged::new(outcome, evidence), None));
    }
    let name = stage.site.conventions().certificate_name(&talker.name);
    let is_it = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            audit.event == Event::Accepted
                && audit.identity.as_deref() == Some(name.as_str())
                && audit.tenant.as_deref() == Some(tenant.as_str())
                && audit.trace_id.as_deref() == Some(trace.as_str())
        })
    };
    let wanted = format!("the access of {name} to {tenant} under trace {trace}");
    let since: Place = since;
    let unrecorded = match stage.site.book.find(&page, since, &wanted, RECORD_DEADLINE, is_it).await {
        Ok(line) => {
            evidence.push(format!("{page} recorded: {}", line.text));
            None
        }
        Err(missing) => Some(missing.to_string()),
    };
    Ok((Judged::new(outcome, evidence), unrecorded))
}

/// Reports to the poller, once as itself and once claiming to be the tenant's where it is not its own; then that tenant reports
/// itself, and when that is kept, whatever came before is kept as well.
async fn file_report(stage: &Stage<'_>, desk: &Desk, tenant: &TenantSlug) -> Result<Judged, String> {
    let own = desk.name.tenant() == Some(tenant);
    let (nonce, claiming, marker) = (Nonce::fresh(), Nonce::fresh(), Nonce::fresh());
    let archive = Results::of(stage, desk)?;
    let since = archive.newest(tenant).await?;
    let reported = report(stage, &desk.who, &nonce, &json!({})).await?;
    let mut evidence = vec![reported.to_string()];
    if own {
        let kept = archive.among_results(tenant, nonce.as_str(), since).await?;
        evidence.push(format!("kept among {tenant}'s results: {}", kept.is_some()));
        let outcome = match kept {
            Some(_) => Outcome::Allowed,
            None => Outcome::Denied(DenialReason::NotFound),
        };
        return Ok(Judged::new(outcome, evidence));
    }
    let claim = json!({ "tenant": tenant.as_str(), "tenant_id": tenant.as_str() });
    evidence.push(report(stage, &desk.who, &claiming, &claim).await?.to_string());
    let theirs = Who::Peer(stage.owner(tenant)?.agent.clone());
    let own_report = report(stage, &theirs, &marker, &json!({})).await?;
    let marked = archive.among_results(tenant, marker.as_str(), since).await?;
    let Some(kept) = marked else {
        return Err(format!("not even {tenant}'s own report is kept: {own_report}"));
    };
    let says = |message: &Value, nonce: &Nonce| message.to_string().contains(nonce.as_str());
    let found = kept.messages().any(|message| says(message, &nonce) || says(message, &claiming));
    if !found && !kept.reaches_back_to(since) {
        return Err(gone_by(tenant));
    }
    evidence.push(format!("kept among {tenant}'s results: {found}"));
    let outcome = if found { Outcome::Allowed } else { Outcome::Denied(DenialReason::OtherAccount) };
    Ok(Judged::new(outcome, evidence))
}

async fn report(stage: &Stage<'_>, who: &Who, nonce: &Nonce, claim: &Value) -> Result<Seen, String> {
    let from = match who {
        Who::Peer(name) => stage.site.model().home_of(name),
        _ => return Err("only somebody with a certificate reports".to_owned()),
    };
    let probe = stage.site.probe(&from)?;
    let status = ServiceStatus {
        service_name: format!("matrix-{nonce}"),
        service_type: "process".to_owned(),
        available: true,
        message: claim.to_string().into_bytes(),
        ..ServiceStatus::default()
    };
    let request = PollerStatusRequest { services: vec![status], ..PollerStatusRequest::default() };
    let order = Order::Call {
        address: stage.site.address(&from, &POLLER)?,
        opening: stage.site.opening(probe, who, &POLLER)?,
        authority: stage.site.conventions().certificate_name(&POLLER),
        metadata: Vec::new(),
        call: Box::new(Call::ReportStatus(request)),
    };
    probe.attempt(order).await.map_err(|lost| lost.to_string())
}

/// What the poller asks of the talker's agent by itself, every second, is kept among one tenant's results.
async fn file_polled(stage: &Stage<'_>, desk: &Desk, tenant: &TenantSlug) -> Result<Judged, String> {
    let PeerName::Tenant(name) = &desk.name else {
        return Err("only agents are polled".to_owned());
    };
    let archive = Results::of(stage, desk)?;
    let polled = |message: &Value| {
        let data = &message["data"];
        // Whom the poller has asked, and whose words the answer is in: where agents' inner names collide, they differ.
        let whose = [&data["tenant"], &data["message"]["tenant"]];
        whose.iter().any(|whose| whose.as_str() == Some(name.tenant.as_str())) && is_polled(message)
    };
    let own = name.tenant == *tenant;
    let until = Instant::now() + DEADLINE;
    let mut kept = Stretch::default();
    loop {
        archive.look(tenant, &mut kept, None).await?;
        if let Some(message) = kept.messages().find(|message| polled(message)) {
            let told =
                format!("among {} kept messages of {tenant}: {:.200}", kept.len(), message.to_string());
            return Ok(Judged::new(Outcome::Allowed, vec![told]));
        }
        // Of a whole round of the poller's nothing is missing, and somebody's answers are there: so this one's would be.
        let whole = kept.spans() >= ROUND;
        let told = format!("none among {} kept messages of {tenant} in {:?}", kept.len(), kept.spans());
        let late = Instant::now() >= until;
        match own {
            false if whole && kept.messages().any(is_polled) => {
                return Ok(Judged::new(Outcome::Denied(DenialReason::OtherAccount), vec![told]));
            }
            true if late && whole => {
                return Ok(Judged::new(Outcome::Denied(DenialReason::NotFound), vec![told]));
            }
            _ if late => return Err(format!("{told}: no whole round of the poller's is seen among them")),
            _ => sleep(POLL_IN_ROUND).await,
        }
    }
}

/// Whether a kept message is an agent's answer to the poller.
fn is_polled(message: &Value) -> bool {
    matches!(message["data"]["kind"].as_str(), Some("status" | "results"))
}

/// Whether a look shows everything that was kept after a place.
fn reaches_back_to(look: &[Value], place: u64) -> bool {
    let first = look.first().and_then(|message| message["sequence"].as_u64());
    first.is_none_or(|first| first <= place + 1)
}

/// Why nothing is concluded from what was not seen.
pub(super) fn gone_by(tenant: &TenantSlug) -> String {
    format!(
        "more was kept of {tenant} meanwhile than looks at it show: what is not among it may have gone by"
    )
}

/// What the platform keeps of its tenants, as the poller or the administrator reads it.
pub(super) struct Archive<'a> {
    conventions: &'a Conventions,
    session: &'a RemoteSession,
}

impl<'a> Archive<'a> {
    pub(super) fn of(conventions: &'a Conventions, session: &'a RemoteSession) -> Self {
        Self { conventions, session }
    }

    /// The last message on a subject among a tenant's results, as the poller reads it.
    pub(super) async fn find(&self, tenant: &TenantSlug, subject: &str) -> Result<Option<String>, String> {
        Ok(self.last_on(tenant, subject).await?.map(|answer| answer.to_string()))
    }

    /// Its place in the stream.
    pub(super) async fn place(&self, tenant: &TenantSlug, subject: &str) -> Result<Option<u64>, String> {
        let answer = self.last_on(tenant, subject).await?;
        Ok(answer.and_then(|answer| answer["message"]["seq"].as_u64()))
    }

    /// Waits until something is kept on a subject, in whichever stream that is; says in which.
    pub(super) async fn wait_anywhere(&self, subject: &str) -> Result<String, String> {
        let until = Instant::now() + DEADLINE;
        loop {
            let asked = self
                .session
                .api("$JS.API.STREAM.NAMES", Headers::default(), &json!({ "subject": subject }).to_string())
                .await;
            let Sight::Answered(answer) = &asked.sight else {
                return Err(format!("the platform cannot look for the stream of {subject}: {asked}"));
            };
            if let Some(stream) = answer["streams"][0].as_str()
                && self.last_in(stream, subject).await?.is_some()
            {
                return Ok(stream.to_owned());
            }
            if Instant::now() >= until {
                return Err(format!("the platform has not kept what was said on {subject}"));
            }
            sleep(POLL).await;
        }
    }

    async fn last_on(&self, tenant: &TenantSlug, subject: &str) -> Result<Option<Value>, String> {
        let stream = self.conventions.kept_results(tenant).ok_or("the platform keeps no results")?;
        self.last_in(&stream, subject).await
    }

    /// The last message on a subject in a stream of the platform's.
    pub(super) async fn last_in(&self, stream: &str, subject: &str) -> Result<Option<Value>, String> {
        let api = format!("$JS.API.STREAM.MSG.GET.{stream}");
        let body = json!({ "last_by_subj": subject }).to_string();
        let asked = self.session.api(&api, Headers::default(), &body).await;
        match &asked.sight {
            Sight::Answered(answer) => Ok(Some(answer.clone())),
            // 10037: no message found.
            Sight::Refused(bulkhead_probe::Refusal::JetStream { error: 10037, .. }) => Ok(None),
            _ => Err(format!("the platform cannot read what it keeps in {stream}: {asked}")),
        }
    }

    /// The places of the oldest and the newest message that the platform keeps of a tenant.
    pub(super) async fn bounds(&self, tenant: &TenantSlug) -> Result<(u64, u64), String> {
        let stream = self.conventions.kept_results(tenant).ok_or("the platform keeps no results")?;
        let asked = self.session.api(&format!("$JS.API.STREAM.INFO.{stream}"), Headers::default(), "").await;
        let Sight::Answered(info) = &asked.sight else {
            return Err(format!("the platform cannot look at what it keeps of {tenant}: {asked}"));
        };
        let place = |which: &str| info["state"][which].as_u64().unwrap_or_default();
        Ok((place("first_seq"), place("last_seq")))
    }

    /// Whether everything is still there that was kept after a place. A stream that is full lets go of what is oldest.
    pub(super) async fn holds_since(&self, tenant: &TenantSlug, place: Option<u64>) -> Result<(), String> {
        let place = place.ok_or_else(|| format!("it is not known what was kept of {tenant} before"))?;
        let (first, _) = self.bounds(tenant).await?;
        if first <= place + 1 { Ok(()) } else { Err(gone_by(tenant)) }
    }

    /// Whether everything is still in a stream that came into it after what was said on a subject: a stream that is full lets
    /// go of what is oldest, so of that first.
    pub(super) async fn holds_all_after(
        &self,
        tenant: &TenantSlug,
        stream: &str,
        subject: &str,
    ) -> Result<(), String> {
        let earlier = self.last_in(stream, subject).await?;
        earlier.map(|_| ()).ok_or_else(|| gone_by(tenant))
    }

    /// Waits until something is kept on a subject.
    pub(super) async fn wait_for(&self, tenant: &TenantSlug, subject: &str) -> Result<(), String> {
        let until = Instant::now() + DEADLINE;
        loop {
            if self.find(tenant, subject).await?.is_some() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(format!("the platform has not kept what was said on {subject}"));
            }
            sleep(POLL).await;
        }
    }
}

/// What is kept of tenants, as the administrator reads it.
struct Results<'a> {
    conventions: &'a Conventions,
    session: &'a RemoteSession,
    /// Held by whoever asks.
    reading: &'a Semaphore,
}

impl<'a> Results<'a> {
    fn of(stage: &'a Stage<'_>, desk: &'a Desk) -> Result<Self, String> {
        let conventions = stage.site.conventions();
        Ok(Self { conventions, session: desk.administrator()?, reading: &stage.reading })
    }

    /// The place of the newest of a tenant's results, as the administrator reads them.
    async fn newest(&self, tenant: &TenantSlug) -> Result<u64, String> {
        let messages = self.results(tenant, 1).await?;
        Ok(messages.last().and_then(|message| message["sequence"].as_u64()).unwrap_or_default())
    }

    /// A tenant's results, as the administrator reads them, as soon as one of them says this. That none does is only said
    /// when nothing has gone by unseen since that place.
    async fn among_results(
        &self,
        tenant: &TenantSlug,
        text: &str,
        since: u64,
    ) -> Result<Option<Stretch>, String> {
        let (until, mut kept) = (Instant::now() + DEADLINE, Stretch::default());
        loop {
            self.look(tenant, &mut kept, Some(since)).await?;
            if kept.messages().any(|message| message.to_string().contains(text)) {
                return Ok(Some(kept));
            }
            if Instant::now() >= until {
                return if kept.reaches_back_to(since) { Ok(None) } else { Err(gone_by(tenant)) };
            }
            sleep(POLL).await;
        }
    }

    /// Adds the last of a tenant's results to what was seen of them before: a few, or where those leave a gap, after what was
    /// seen or after a place, all that one look shows.
    async fn look(&self, tenant: &TenantSlug, kept: &mut Stretch, since: Option<u64>) -> Result<(), String> {
        let few = self.results(tenant, LAST).await?;
        let is_gapless = match kept.last() {
            Some(_) => kept.is_followed_by(&few),
            None => since.is_none_or(|since| reaches_back_to(&few, since)),
        };
        if is_gapless {
            kept.add(few);
            return Ok(());
        }
        kept.add(self.results(tenant, LAST_MAXIMUM).await?);
        Ok(())
    }

    /// The last of a tenant's results, as the administrator reads them.
    async fn results(&self, tenant: &TenantSlug, count: u64) -> Result<Vec<Value>, String> {
        let subject = self.conventions.administrator_results(tenant);
        let subject = subject.ok_or("there is nothing that administrators ask")?;
        let body = json!({ "count": count }).to_string();
        let _reading = self.reading.acquire().await.map_err(|error| error.to_string())?;
        let asked = self.session.request(&subject, Headers::default(), &body).await;
        let Sight::Answered(reply) = &asked.sight else {
            return Err(format!("the administrator cannot read what is kept of {tenant}: {asked}"));
        };
        let answer: Value = serde_json::from_slice(&reply.payload).unwrap_or(Value::Null);
        match answer["messages"].as_array() {
            Some(messages) => Ok(messages.clone()),
            None => {
                Err(format!("the administrator is not told what is kept of {tenant}: {:.200}", reply.text()))
            }
        }
    }
}

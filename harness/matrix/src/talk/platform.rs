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
use tokio::time::{Instant, sleep};

use super::Stage;
use super::talker::{Desk, Talker};
use crate::site::POLLER;

/// How long a message may take into its tenant's stream.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two looks at it.
const POLL: Duration = Duration::from_millis(10);
/// How many of a tenant's last messages are looked at: all that one request may ask for.
const LAST: u64 = 100;

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
                None if said["tenant"].as_str() != Some(tenant.as_str()) => {
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
    let reported = report(stage, &desk.who, &nonce, &json!({})).await?;
    let mut evidence = vec![reported.to_string()];
    let archive = Archive::of(stage.site.conventions(), desk.administrator()?);
    if own {
        let kept = archive.among_results(tenant, nonce.as_str()).await?;
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
    let marked = archive.among_results(tenant, marker.as_str()).await?;
    let Some(messages) = marked else {
        return Err(format!("not even {tenant}'s own report is kept: {own_report}"));
    };
    let says = |message: &Value, nonce: &Nonce| message.to_string().contains(nonce.as_str());
    let found = messages.iter().any(|message| says(message, &nonce) || says(message, &claiming));
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
    let archive = Archive::of(stage.site.conventions(), desk.administrator()?);
    let polled = |message: &Value| {
        let data = &message["data"];
        // Whom the poller has asked, and whose words the answer is in: where agents' inner names collide, they differ.
        let whose = [&data["tenant"], &data["message"]["tenant"]];
        whose.iter().any(|whose| whose.as_str() == Some(name.tenant.as_str()))
            && matches!(data["kind"].as_str(), Some("status" | "results"))
    };
    let own = name.tenant == *tenant;
    let until = Instant::now() + DEADLINE;
    loop {
        let messages = archive.results(tenant).await?;
        let found = messages.iter().find(|message| polled(message));
        let told = match found {
            Some(message) => {
                format!("among {} kept messages of {tenant}: {:.200}", messages.len(), message.to_string())
            }
            None => format!("none among {} kept messages of {tenant}", messages.len()),
        };
        match (found, own) {
            (Some(_), _) => return Ok(Judged::new(Outcome::Allowed, vec![told])),
            (None, true) if Instant::now() >= until => {
                return Ok(Judged::new(Outcome::Denied(DenialReason::NotFound), vec![told]));
            }
            // A tenant without any results of its own would say nothing of others' either.
            (None, false) if !messages.is_empty() => {
                return Ok(Judged::new(Outcome::Denied(DenialReason::OtherAccount), vec![told]));
            }
            (None, false) if Instant::now() >= until => {
                return Err(format!("nothing at all is kept of {tenant}"));
            }
            _ => sleep(POLL).await,
        }
    }
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
        let stream = self.conventions.kept_results(tenant).ok_or("the platform keeps no results")?;
        let api = format!("$JS.API.STREAM.MSG.GET.{stream}");
        let body = json!({ "last_by_subj": subject }).to_string();
        let asked = self.session.api(&api, Headers::default(), &body).await;
        match &asked.sight {
            Sight::Answered(answer) => Ok(Some(answer.to_string())),
            // 10037: no message found.
            Sight::Refused(bulkhead_probe::Refusal::JetStream { error: 10037, .. }) => Ok(None),
            _ => Err(format!("the platform cannot read what it keeps of {tenant}: {asked}")),
        }
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

    /// The last of a tenant's results, as the administrator reads them, as soon as one of them says this.
    async fn among_results(&self, tenant: &TenantSlug, text: &str) -> Result<Option<Vec<Value>>, String> {
        let until = Instant::now() + DEADLINE;
        loop {
            let messages = self.results(tenant).await?;
            if messages.iter().any(|message| message.to_string().contains(text)) {
                return Ok(Some(messages));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(POLL).await;
        }
    }

    /// The last of a tenant's results, as the administrator reads them.
    async fn results(&self, tenant: &TenantSlug) -> Result<Vec<Value>, String> {
        let subject = self.conventions.administrator_results(tenant);
        let subject = subject.ok_or("there is nothing that administrators ask")?;
        let body = json!({ "count": LAST }).to_string();
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

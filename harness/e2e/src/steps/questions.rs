//! Requests and answers: jobs, services of the platform, the administrator's questions.

use std::time::Duration;

use bulkhead_plan::access::{MessageOperation, Operation};
use bulkhead_runtime::probe::nats::{Headers, Interest};
use bulkhead_runtime::probe::records::{Event, Line, Place};
use bulkhead_runtime::probe::{Sight, TraceId};
use cucumber::{given, then, when};
use serde_json::{Value, json};

use super::listening::{Topic, hears, itself, job_subject, settle};
use crate::scene::{Scene, Step, Unmet};
use crate::words::{Peer, Tenant};
use bulkhead_runtime::probe::verdict::between;

/// The header in which the broker says who asks.
const REQUEST_INFO: &str = "Nats-Request-Info";

#[when(expr = "{peer} gives {peer} a job")]
async fn gives_a_job(scene: &mut Scene, who: Peer, agent: Peer) -> Step {
    let platform = scene.platform()?;
    let Peer::Agent(word) = &agent else {
        return scene.unclear(format!("{agent} takes no jobs"));
    };
    let subject = job_subject(&platform, word)?;
    let job = json!({
        "name": "e2e", "type": "port", "details": platform.inside_address(&Peer::Broker)?,
        "timeout_ms": 1000, "nonce": scene.nonce.as_str(),
    });
    let operation = platform.message(MessageOperation::RequestJob, word)?;
    ask(scene, &who, (&subject, &Headers::default(), &job.to_string()), operation).await?;
    settle(scene).await
}

#[then(expr = "{peer} answers with {tenant}'s result")]
async fn answers_with(scene: &mut Scene, agent: Peer, tenant: Tenant) -> Step {
    let slug = scene.platform()?.slug(&tenant.0)?.to_string();
    let nonce = scene.nonce.to_string();
    let Some(reply) = scene.reply.clone() else {
        return scene.unclear(format!("{agent} did not answer, which a dead one does not either"));
    };
    let answer: Value = serde_json::from_slice(&reply.payload).unwrap_or(Value::Null);
    if answer["tenant"] == json!(slug) && answer["nonce"] == json!(nonce) {
        return Ok(());
    }
    scene.unclear(format!("the answer is not {slug}'s to this job: {}", reply.text()))
}

#[given("the platform offers a service")]
async fn offers_a_service(scene: &mut Scene) -> Step {
    let subject = format!("svc.*.echo-{}", scene.nonce);
    let offered = scene.session(&Peer::Poller).await?.subscribe(&subject, None).await;
    match offered.sight {
        Sight::Answered(interest) => {
            scene.offered = Some(interest);
            Ok(())
        }
        _ => scene.unclear(format!("the platform cannot offer a service: {offered}")),
    }
}

#[when(expr = "{peer} asks the service and wants the answer sent to {topic}")]
async fn asks_with_another_s_reply(scene: &mut Scene, who: Peer, topic: Topic) -> Step {
    let reply = topic.subject(&*scene.platform()?, &scene.nonce)?;
    ask_service(scene, &who, Some(&reply), &Headers::default()).await
}

#[when(expr = "{peer} asks the service, claiming to be {tenant}")]
async fn asks_claiming(scene: &mut Scene, who: Peer, tenant: Tenant) -> Step {
    let slug = scene.platform()?.slug(&tenant.0)?.to_string();
    let forged = json!({ "acc": format!("T_{slug}"), "user": format!("agent-001.p1.{slug}.serviceradar") });
    let inbox = format!("_INBOX.{}.answer", scene.nonce);
    ask_service(scene, &who, Some(&inbox), &Headers::one(REQUEST_INFO, &forged.to_string())).await
}

/// Asks the platform's service, has it answer, and notes whom it saw asking.
async fn ask_service(scene: &mut Scene, who: &Peer, reply: Option<&str>, headers: &Headers) -> Step {
    let (nonce, subject) = (scene.nonce.clone(), format!("svc.echo-{}", scene.nonce));
    let sent = scene.session(who).await?.publish_with(&subject, reply, headers, nonce.as_str()).await;
    scene.send(&sent);
    let offered: Interest = scene.offered.ok_or_else(|| Unmet("no service is offered".to_owned()))?;
    let session = scene.session(&Peer::Poller).await?;
    let heard = session.next(offered, |message| message.text() == nonce.as_str()).await;
    let Sight::Answered(request) = &heard.sight else {
        return scene.unclear(format!("the service was not asked: {heard}; {sent}"));
    };
    if let Some(reply) = &request.reply {
        let answered = session.publish(reply, nonce.as_str()).await;
        scene.note(&answered);
    }
    let asked_by: Value = request
        .headers
        .get(REQUEST_INFO)
        .and_then(|info| serde_json::from_str(info).ok())
        .unwrap_or(Value::Null);
    let account = asked_by["acc"].as_str().unwrap_or("nobody").to_owned();
    scene.note(format!("the service was asked on {} by {asked_by}", request.subject));
    scene.askers.push(account);
    settle(scene).await
}

#[then(expr = "the service was asked by {tenant}")]
async fn was_asked_by(scene: &mut Scene, tenant: Tenant) -> Step {
    let expected = format!("T_{}", scene.platform()?.slug(&tenant.0)?);
    match scene.askers.last().cloned() {
        Some(found) if found == expected => Ok(()),
        Some(found) if found.starts_with("T_") => {
            scene.violated(format!("the service saw {found} asking, not {expected}"))
        }
        found => scene.unclear(format!("the service saw {found:?} asking, not {expected}")),
    }
}

#[when(expr = "{peer} asks for the stored results of {tenant}")]
async fn asks_for_stored_results(scene: &mut Scene, who: Peer, tenant: Tenant) -> Step {
    let slug = scene.platform()?.slug(&tenant.0)?.clone();
    let subject = format!("admin.results.{slug}");
    let trace = TraceId::fresh();
    let headers = Headers::one("traceparent", &trace.traceparent());
    scene.trace = Some(trace);
    let operation = Operation::ReadResults { tenant: slug };
    ask(scene, &who, (&subject, &headers, r#"{"count":1}"#), operation).await
}

#[then(expr = "the access to {tenant} is on record under the administrator's name")]
async fn is_on_record(scene: &mut Scene, tenant: Tenant) -> Step {
    let platform = scene.platform()?;
    let slug = platform.slug(&tenant.0)?.to_string();
    let name = platform.name(&Peer::Administrator)?.common_name();
    let page = platform.target(&Peer::Poller)?.page;
    let trace = scene.trace.as_ref().map(ToString::to_string);
    let is_it = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            audit.event == Event::Accepted
                && audit.identity.as_deref() == Some(name.as_str())
                && audit.tenant.as_deref() == Some(slug.as_str())
                && audit.trace_id == trace
        })
    };
    let wanted =
        format!("the administrator's access to {slug} under trace {}", trace.clone().unwrap_or_default());
    match platform.book.find(&page, Place::default(), &wanted, Duration::from_secs(3), is_it).await {
        Ok(line) => {
            scene.note(line.text);
            Ok(())
        }
        Err(missing) => scene.unclear(missing.to_string()),
    }
}

/// A request between two controls, its outcome filed and its answer kept.
async fn ask(
    scene: &mut Scene,
    who: &Peer,
    (subject, headers, body): (&str, &Headers, &str),
    operation: Operation,
) -> Step {
    let platform = scene.platform()?;
    let model = platform.expected(platform.as_itself(who)?, operation);
    let own = itself(scene, who).await?;
    let before = hears(scene, &own).await;
    let (report, reply) = scene.session(who).await?.request_with(subject, headers, body).await.split();
    let after = hears(scene, &own).await;
    let mut evidence = vec![report.to_string()];
    evidence.extend(reply.as_ref().map(|reply| format!("answered: {:.300}", reply.text())));
    scene.reply = reply;
    let judged = scene.said(&report, subject, evidence).await?.under(model);
    scene.file(who, between(before, judged, after));
    Ok(())
}

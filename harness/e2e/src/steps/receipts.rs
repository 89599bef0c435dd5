//! The receipts that a stream sends for what it keeps, and where a tenant would like them to go.

use bulkhead_plan::access::{DenialReason, MessageOperation, Outcome};
use bulkhead_runtime::probe::nats::{Headers, Message};
use bulkhead_runtime::probe::{Nonce, Sight};
use cucumber::when;
use serde_json::{Value, json};

use super::listening::{Topic, hears, itself, job_subject, settle};
use super::stored::stored_with;
use crate::scene::{Scene, Step};
use crate::words::Peer;
use bulkhead_runtime::probe::verdict::{Judged, between};

/// A message that the platform imports keeps the reply subject that its tenant wrote on it. A receipt of the
/// platform's stream would go there *inside the platform's account*, which reaches every tenant.
#[when(expr = "{peer} publishes a result and wants the receipt sent to {topic}")]
async fn wants_the_receipt(scene: &mut Scene, who: Peer, topic: Topic) -> Step {
    let (Peer::Agent(word), Topic::Results(owner) | Topic::Jobs(owner)) = (&who, &topic) else {
        return scene.unclear(format!("{who} has no results, or nobody in particular is to get the receipt"));
    };
    let (platform, nonce) = (scene.platform()?, scene.nonce.clone());
    let subject = Topic::Results(word.clone()).subject(&platform, &nonce)?;
    let reply = topic.subject(&platform, &nonce)?;
    let own = itself(scene, &who).await?;
    let before = hears(scene, &own).await;
    let session = scene.session(&who).await?;
    let sent = session.publish_with(&subject, Some(&reply), &Headers::default(), nonce.as_str()).await;
    // Only what is kept would be acknowledged. What the platform says itself on the same way, afterwards, arrives.
    let kept = stored_with(scene, word, &nonce).await?;
    let after = match kept {
        Some(_) => platform_reaches(scene, owner).await,
        None => Err(format!("the platform has not kept what {who} published: {sent}")),
    };
    settle(scene).await?;
    let sequence = kept.map(|kept| kept.sequence);
    let receipt = json!({ "stream": format!("RESULTS_{}", platform.slug(word)?), "seq": sequence });
    let received = scene.received.values().flatten().find(|message| is_receipt(message, &receipt));
    let (outcome, seen) = match received {
        Some(message) => (Outcome::Allowed, format!("it came on {}: {}", message.subject, message.text())),
        None => (Outcome::Denied(DenialReason::OtherAccount), format!("nobody has heard {receipt}")),
    };
    let model =
        platform.expected(platform.as_itself(&who)?, platform.message(MessageOperation::AnswerInto, owner)?);
    let judged = Judged::new(outcome, vec![sent.to_string(), seen]).under(model);
    scene.file(&who, between(before, judged, after));
    Ok(())
}

fn is_receipt(message: &Message, receipt: &Value) -> bool {
    let found: Value = serde_json::from_slice(&message.payload).unwrap_or(Value::Null);
    found["stream"] == receipt["stream"] && found["seq"] == receipt["seq"]
}

/// A job of the platform's is heard by a tenant that listens to its own jobs.
async fn platform_reaches(scene: &mut Scene, tenant: &str) -> Result<String, String> {
    let peer = Peer::tenant(tenant);
    let listening = scene.listeners.iter().find(|listener| listener.peer == peer);
    let interest = listening.and_then(|listener| listener.interest);
    let interest = interest.ok_or_else(|| format!("{peer} does not listen to its jobs"))?;
    let platform = scene.platform().map_err(|error| error.to_string())?;
    let subject = job_subject(&platform, tenant).map_err(|error| error.to_string())?;
    let marker = Nonce::fresh();
    let job = json!({ "name": "e2e", "type": "process", "details": "none", "nonce": marker.as_str() });
    let session = scene.session(&Peer::Poller).await.map_err(|error| error.to_string())?;
    let given = session.publish(&subject, &job.to_string()).await;
    let session = scene.session(&peer).await.map_err(|error| error.to_string())?;
    let heard = session.next(interest, |message| message.text().contains(marker.as_str())).await;
    match heard.sight {
        Sight::Answered(_) => Ok(format!("the platform's own job reaches {peer} on {subject}")),
        _ => Err(format!("{given}; {heard}")),
    }
}

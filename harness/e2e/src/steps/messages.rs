//! Who says what, and in whose name.

use bulkhead_plan::access::{DenialReason, MessageOperation, Outcome};
use bulkhead_runtime::probe::Sight;
use bulkhead_runtime::probe::nats::Headers;
use cucumber::when;

use super::listening::{Topic, hears, is_listening, itself, settle};
use crate::scene::{Scene, Step};
use crate::words::{Peer, Tenant};
use bulkhead_runtime::probe::verdict::between;

#[when(expr = "{peer} publishes a result")]
async fn publishes_a_result(scene: &mut Scene, who: Peer) -> Step {
    let Peer::Agent(word) = &who else {
        return scene.unclear(format!("{who} has no results of its own"));
    };
    let subject = Topic::Results(word.clone()).subject(&*scene.platform()?, &scene.nonce)?;
    let nonce = scene.nonce.clone();
    let sent = scene.session(&who).await?.publish(&subject, nonce.as_str()).await;
    scene.send(&sent);
    if !matches!(sent.sight, Sight::Answered(())) {
        return scene.broken(format!("{who} cannot publish a result of its own: {sent}"));
    }
    settle(scene).await
}

#[when(expr = "{peer} publishes {topic}")]
async fn publishes(scene: &mut Scene, who: Peer, topic: Topic) -> Step {
    let subject = topic.subject(&*scene.platform()?, &scene.nonce)?;
    let nonce = scene.nonce.clone();
    let own = itself(scene, &who).await?;
    let before = hears(scene, &own).await;
    let sent = scene.session(&who).await?.publish(&subject, nonce.as_str()).await;
    scene.send(&sent);
    let after = hears(scene, &own).await;
    let mut judged = scene.said(&sent, &subject, vec![sent.to_string()]).await?;
    let operation = match &topic {
        Topic::Results(word) => Some((MessageOperation::Publish, word)),
        Topic::Jobs(word) => Some((MessageOperation::RequestJob, word)),
        Topic::Health(word) => Some((MessageOperation::PublishAsPoller, word)),
        _ => None,
    };
    if let Some((operation, owner)) = operation {
        let platform = scene.platform()?;
        judged =
            judged.under(platform.expected(platform.as_itself(&who)?, platform.message(operation, owner)?));
    }
    scene.file(&who, between(before, judged, after));
    settle(scene).await
}

/// `allow_responses` lets a client publish wherever a message that it received asks for an answer. So it asks
/// itself, for an answer in another tenant's space.
#[when(expr = "{peer} answers a message of its own on {tenant}'s results")]
async fn answers_itself(scene: &mut Scene, who: Peer, tenant: Tenant) -> Step {
    let target = Topic::Results(tenant.0.clone()).subject(&*scene.platform()?, &scene.nonce)?;
    let nonce = scene.nonce.clone();
    let own = itself(scene, &who).await?;
    let before = hears(scene, &own).await;
    let session = scene.session(&who).await?;
    let asked = session.publish_with(&own.own_subject, Some(&target), &Headers::default(), "answer me").await;
    let heard = session.next(own.own, |message| message.reply.is_some()).await;
    let answered = session.publish(&target, nonce.as_str()).await;
    scene.send(&answered);
    if !matches!(heard.sight, Sight::Answered(_)) {
        return scene
            .unclear(format!("{who} did not get its own message, so that nothing was answered: {heard}"));
    }
    if !is_listening(&scene.listeners, &Peer::Agent(tenant.0.clone())) {
        return scene.unclear(format!("{} is not listening, so that its silence says nothing", tenant.0));
    }
    let after = hears(scene, &own).await;
    settle(scene).await?;
    let evidence = vec![asked.to_string(), heard.to_string(), answered.to_string()];
    let mut judged = scene.said(&answered, &target, evidence).await?;
    judged.outcome = match (tenant_received(scene), judged.outcome) {
        (true, _) => Outcome::Allowed,
        // The broker took it, and it went nowhere but into the answerer's own account.
        (false, Outcome::Allowed) => Outcome::Denied(DenialReason::OtherAccount),
        (false, refused) => refused,
    };
    let platform = scene.platform()?;
    let operation = platform.message(MessageOperation::AnswerInto, &tenant.0)?;
    let judged = judged.under(platform.expected(platform.as_itself(&who)?, operation));
    scene.file(&who, between(before, judged, after));
    Ok(())
}

fn tenant_received(scene: &Scene) -> bool {
    scene.listeners.iter().any(|listener| scene.has_received(&listener.peer))
}

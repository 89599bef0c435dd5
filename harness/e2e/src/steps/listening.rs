//! Who listens to what, and whether it can hear at all.

use std::str::FromStr;

use bulkhead_plan::access::{Expectation, MessageOperation, Outcome};
use bulkhead_runtime::probe::nats::Interest;
use bulkhead_runtime::probe::{Nonce, Sight};
use cucumber::{Parameter, given, then};

use crate::platform::{Platform, PlatformError};
use crate::scene::{Listener, Scene, Step, Unmet};
use crate::words::{Peer, UnknownWord};
use bulkhead_runtime::probe::verdict::between;

/// What can be listened to, or said.
#[derive(Debug, Clone, PartialEq, Eq, Parameter)]
#[param(
    name = "topic",
    regex = "[a-z]+'s (?:results|jobs|health)|everybody's (?:results|answers)|everything of [a-z]+'s|everything|the broker's own events|the platform's services|orders to the broker"
)]
pub(super) enum Topic {
    /// The results of this scenario.
    Results(String),
    /// The jobs of a tenant's first agent.
    Jobs(String),
    /// What the poller says of a tenant's agents.
    Health(String),
    /// Everything below a tenant's prefix.
    AllOf(String),
    /// Every tenant's results.
    EverybodysResults,
    /// The answers to everybody's requests.
    EverybodysAnswers,
    /// `>`.
    Everything,
    /// The broker's own account.
    BrokerEvents,
    /// What tenants may ask the platform.
    PlatformServices,
    /// Requests to the broker itself.
    BrokerOrders,
}

impl FromStr for Topic {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let tenant_in =
            |before: &str, after: &str| word.strip_prefix(before)?.strip_suffix(after).map(str::to_owned);
        match word {
            "everybody's results" => Ok(Self::EverybodysResults),
            "everybody's answers" => Ok(Self::EverybodysAnswers),
            "everything" => Ok(Self::Everything),
            "the broker's own events" => Ok(Self::BrokerEvents),
            "the platform's services" => Ok(Self::PlatformServices),
            "orders to the broker" => Ok(Self::BrokerOrders),
            _ => None
                .or_else(|| tenant_in("everything of ", "'s").map(Self::AllOf))
                .or_else(|| tenant_in("", "'s results").map(Self::Results))
                .or_else(|| tenant_in("", "'s jobs").map(Self::Jobs))
                .or_else(|| tenant_in("", "'s health").map(Self::Health))
                .ok_or_else(|| UnknownWord::new("topic", word)),
        }
    }
}

impl Topic {
    /// The subject, or the pattern of subjects.
    pub(super) fn subject(&self, platform: &Platform, nonce: &Nonce) -> Result<String, PlatformError> {
        Ok(match self {
            Self::Results(word) => format!("{}.agents.results.e2e-{nonce}", platform.slug(word)?),
            Self::Jobs(word) => job_subject(platform, word)?,
            Self::Health(word) => bulkhead_identity::Subject::poller_health(platform.slug(word)?).to_string(),
            Self::AllOf(word) => format!("{}.>", platform.slug(word)?),
            Self::EverybodysResults => "*.agents.results.>".to_owned(),
            Self::EverybodysAnswers => "_INBOX.>".to_owned(),
            Self::Everything => ">".to_owned(),
            Self::BrokerEvents => "$SYS.>".to_owned(),
            Self::PlatformServices => "svc.>".to_owned(),
            Self::BrokerOrders => "$SYS.REQ.SERVER.PING".to_owned(),
        })
    }
}

/// Where a tenant's first agent takes jobs.
pub(super) fn job_subject(platform: &Platform, word: &str) -> Result<String, PlatformError> {
    let tenant = platform.tenant(word)?;
    let none = || PlatformError::Impossible(format!("tenant '{word}' has no agent"));
    let agent = &tenant.agents.first().ok_or_else(none)?.id;
    Ok(bulkhead_identity::Subject::jobs(&tenant.slug, agent).to_string())
}

#[given(expr = "{peer} listens to {topic}")]
async fn listens(scene: &mut Scene, who: Peer, topic: Topic) -> Step {
    listen(scene, &who, &topic, None).await
}

#[given(expr = "{peer} listens to {topic} in a group of workers")]
async fn listens_in_a_group(scene: &mut Scene, who: Peer, topic: Topic) -> Step {
    let group = format!("workers-{}", scene.nonce);
    listen(scene, &who, &topic, Some(&group)).await
}

async fn listen(scene: &mut Scene, who: &Peer, topic: &Topic, group: Option<&str>) -> Step {
    let subject = topic.subject(&*scene.platform()?, &scene.nonce)?;
    let own_subject = own_subject(scene, who)?;
    let session = scene.session(who).await?;
    let own = session.subscribe(&own_subject, None).await;
    let Sight::Answered(own) = own.sight else {
        return scene.unclear(format!("{who} cannot listen even to itself: {own}"));
    };
    let mut listener = Listener { peer: who.clone(), interest: None, own, own_subject };
    let before = hears(scene, &listener).await;
    let (report, interest) = scene.session(who).await?.subscribe(&subject, group).await.split();
    listener.interest = interest;
    let after = hears(scene, &listener).await;
    scene.listeners.push(listener);
    let mut judged = scene.said(&report, &subject, vec![report.to_string()]).await?;
    judged.model = model_of_listening(scene, who, topic, group.is_some())?;
    scene.file(who, between(before, judged, after));
    Ok(())
}

/// What the model expects of listening; it says nothing of what belongs to no tenant.
fn model_of_listening(
    scene: &Scene,
    who: &Peer,
    topic: &Topic,
    in_a_group: bool,
) -> Result<Option<Expectation>, Unmet> {
    let platform = scene.platform()?;
    let (operation, owner) = match topic {
        Topic::Results(word) if in_a_group => (MessageOperation::JoinQueue, word.as_str()),
        Topic::Results(word) | Topic::AllOf(word) => (MessageOperation::Subscribe, word.as_str()),
        Topic::EverybodysResults => (MessageOperation::SubscribeAnyTenant, "acme"),
        Topic::Everything => (MessageOperation::SubscribeEverything, "acme"),
        // Subscribing to inboxes is allowed, in an account where nobody else's answers go: what counts there
        // is what is received.
        Topic::EverybodysAnswers
        | Topic::Jobs(_)
        | Topic::Health(_)
        | Topic::BrokerEvents
        | Topic::PlatformServices
        | Topic::BrokerOrders => return Ok(None),
    };
    let operation = platform.message(operation, owner)?;
    Ok(Some(platform.expected(platform.as_itself(who)?, operation)))
}

/// A subject on which the peer may talk to itself.
pub(super) fn own_subject(scene: &Scene, who: &Peer) -> Result<String, Unmet> {
    let own = Nonce::fresh();
    Ok(match who {
        Peer::Agent(word) => format!("{}.agents.results.own-{own}", scene.platform()?.slug(word)?),
        Peer::Administrator => format!("_INBOX.own.{own}"),
        _ => format!("e2e.own.{own}"),
    })
}

/// The peer says something to itself and hears it; the administrator, who may say nothing, asks the platform.
pub(super) async fn hears(scene: &mut Scene, listener: &Listener) -> Result<String, String> {
    let peer = &listener.peer;
    if *peer == Peer::Administrator {
        let asked = match can_ask(scene).await {
            Ok(asked) => return Ok(asked),
            Err(why) => why,
        };
        // Misplaced in an account where it need not ask, it is not answered, and can talk to itself.
        return talks_to_itself(scene, listener).await.map_err(|why| format!("{asked}; {why}"));
    }
    talks_to_itself(scene, listener).await
}

async fn talks_to_itself(scene: &mut Scene, listener: &Listener) -> Result<String, String> {
    let peer = &listener.peer;
    let said = Nonce::fresh();
    let session = scene.session(peer).await.map_err(|error| error.to_string())?;
    let sent = session.publish(&listener.own_subject, said.as_str()).await;
    if !matches!(sent.sight, Sight::Answered(())) {
        return Err(sent.to_string());
    }
    let heard = session.next(listener.own, |message| message.text() == said.as_str()).await;
    match heard.sight {
        Sight::Answered(_) => Ok(format!("{peer} hears itself on {}", listener.own_subject)),
        _ => Err(heard.to_string()),
    }
}

async fn can_ask(scene: &mut Scene) -> Result<String, String> {
    let platform = scene.platform().map_err(|error| error.to_string())?;
    let first = platform.record.tenants.first().ok_or("there is no tenant")?;
    let subject = format!("admin.results.{}", first.slug);
    let session = scene.session(&Peer::Administrator).await.map_err(|error| error.to_string())?;
    let asked = session.request(&subject, r#"{"count":1}"#).await;
    match asked.sight {
        Sight::Answered(_) => Ok(asked.to_string()),
        _ => Err(asked.to_string()),
    }
}

/// Somebody who is about to try something shows first that it can talk to itself.
pub(super) async fn itself(scene: &mut Scene, who: &Peer) -> Result<Listener, Unmet> {
    let own_subject = own_subject(scene, who)?;
    let own = scene.session(who).await?.subscribe(&own_subject, None).await;
    let own: Interest = match own.sight {
        Sight::Answered(own) => own,
        _ => return Err(Unmet(format!("{who} cannot listen even to itself: {own}"))),
    };
    Ok(Listener { peer: who.clone(), interest: None, own, own_subject })
}

/// Every listener can still hear, and has received by now whatever was sent before.
pub(super) async fn settle(scene: &mut Scene) -> Step {
    let listeners = std::mem::take(&mut scene.listeners);
    for listener in &listeners {
        if let Err(why) = hears(scene, listener).await {
            scene.listeners = listeners;
            return scene.unclear(format!("a listener no longer hears: {why}"));
        }
    }
    scene.listeners = listeners;
    scene.settle().await
}

#[then(expr = "{peer} receives the result")]
async fn receives(scene: &mut Scene, who: Peer) -> Step {
    if scene.has_received(&who) {
        return Ok(());
    }
    scene.unclear(format!("{who} did not receive the message, so that nothing is known about others"))
}

/// Says something about the sender only when the message would have been heard.
#[then(expr = "{peer} does not receive it")]
async fn does_not_receive(scene: &mut Scene, who: Peer) -> Step {
    if !is_listening(&scene.listeners, &who) {
        return scene.unclear(format!("{who} was not let listen, so that its silence says nothing"));
    }
    if scene.sent.is_empty() {
        return scene.unclear(format!("nothing was sent that {who} could have received"));
    }
    heard_nothing(scene, &who)
}

/// The same of somebody who need not have been let listen at all.
#[then(expr = "{peer} receives nothing of {tenant}'s")]
async fn receives_nothing(scene: &mut Scene, who: Peer, _tenant: crate::words::Tenant) -> Step {
    if !is_silence_telling(is_listening(&scene.listeners, &who), scene.outcomes_of(&who)) {
        return scene
            .unclear(format!("{who} neither listened nor was refused it, so that its silence says nothing"));
    }
    heard_nothing(scene, &who)
}

/// Silence tells something of somebody who listened, or who tried to and was refused for a reason that is known.
fn is_silence_telling<'a>(listens: bool, attempts: impl IntoIterator<Item = &'a Outcome>) -> bool {
    listens || attempts.into_iter().any(|outcome| matches!(outcome, Outcome::Denied(_)))
}

fn heard_nothing(scene: &mut Scene, who: &Peer) -> Step {
    if scene.has_received(who) {
        return scene.violated(format!("{who} received a message that was not for it to receive"));
    }
    Ok(())
}

pub(super) fn is_listening(listeners: &[Listener], who: &Peer) -> bool {
    listeners.iter().any(|listener| listener.peer == *who && listener.interest.is_some())
}

#[cfg(test)]
mod tests {
    use bulkhead_plan::access::DenialReason;

    use super::*;

    #[test]
    fn who_neither_listened_nor_was_refused_is_silent_for_nothing() {
        let refused = Outcome::Denied(DenialReason::SubscribePermission);
        let unclear = Outcome::Inconclusive("silence".to_owned());
        assert!(is_silence_telling(true, []));
        assert!(is_silence_telling(false, [&unclear, &refused]));
        assert!(!is_silence_telling(false, []));
        assert!(!is_silence_telling(false, [&unclear, &Outcome::Unreachable, &Outcome::Allowed]));
    }
}

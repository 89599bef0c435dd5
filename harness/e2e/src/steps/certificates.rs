//! Who shows which certificate to whom.

use bulkhead_plan::access::{DenialReason, Expectation, Operation};
use bulkhead_runtime::probe::impostor::{Disguise, Impostor};
use bulkhead_runtime::probe::nats::{Login, Session, login};
use bulkhead_runtime::probe::tls::{Hello, Sessions, handshake};
use bulkhead_runtime::probe::{Presented, Sight};
use cucumber::{then, when};

use crate::engage;
use crate::platform::{Platform, PlatformError};
use crate::scene::{Scene, Step, Unmet};
use crate::stand_in::{StandIn, impostor};
use crate::words::{FlawWord, Peer, Service, Tenant};
use bulkhead_runtime::probe::verdict::between;

#[when(expr = "{peer} connects to {peer}")]
async fn connects(scene: &mut Scene, who: Peer, service: Peer) -> Step {
    let platform = scene.platform()?;
    let (credential, certified) = (platform.credential(&who)?, platform.as_itself(&who)?);
    engage::connect(scene, &who, &service, credential, certified).await
}

#[when(expr = "{peer} connects to {peer} with a certificate that is {flaw}")]
async fn connects_with(scene: &mut Scene, who: Peer, service: Peer, flaw: FlawWord) -> Step {
    let platform = scene.platform()?;
    let (credential, certified) = (platform.forged(&who, &flaw)?, platform.with_flaw(&who, &flaw)?);
    engage::connect(scene, &who, &service, Some(credential), certified).await
}

#[when(expr = "{peer} dials {peer} and meets a certificate that is {flaw}")]
async fn dials(scene: &mut Scene, who: Peer, service: Peer, flaw: FlawWord) -> Step {
    match &who {
        Peer::Poller => the_poller_dials(scene, &service, &flaw).await,
        Peer::Agent(tenant) => an_agent_dials(scene, tenant, &service, &flaw).await,
        _ => scene.unclear(format!("{who} dials nobody in these scenarios")),
    }
}

/// The poller dials an agent that is an impostor, and in the same moment another that is as it should be.
async fn the_poller_dials(scene: &mut Scene, agent: &Peer, flaw: &FlawWord) -> Step {
    let platform = scene.platform()?;
    let other = other_agent(&platform, agent)?;
    let mut false_agent = posing_as(scene, &platform, agent, flaw, Disguise::Grpc).await?;
    let mut true_agent = posing_as(scene, &platform, &other, &FlawWord::Valid, Disguise::Grpc).await?;
    let stand_in = StandIn::poller(&platform, &[(agent, &false_agent), (&other, &true_agent)])?;
    let model = impersonation(&platform, agent, flaw, &Peer::Poller)?;
    let judged = stand_in.judge(&mut false_agent).await.under(model);
    let control = stand_in.accepts(&mut true_agent).await;
    scene.file(agent, between(control.clone(), judged, control));
    Ok(())
}

/// An agent dials the poller and the broker, of which one is an impostor and the other as it should be.
async fn an_agent_dials(scene: &mut Scene, tenant: &str, service: &Peer, flaw: &FlawWord) -> Step {
    let platform = scene.platform()?;
    let flaw_of = |peer: Peer| if peer == *service { flaw } else { &FlawWord::Valid };
    let (of_poller, of_broker) = (flaw_of(Peer::Poller), flaw_of(Peer::Broker));
    let mut poller = posing_as(scene, &platform, &Peer::Poller, of_poller, Disguise::Grpc).await?;
    let mut broker = posing_as(scene, &platform, &Peer::Broker, of_broker, Disguise::Broker).await?;
    let stand_in = StandIn::agent(&platform, tenant, &poller, &broker)?;
    let (judged, control) = match service {
        Peer::Broker => (stand_in.judge(&mut broker).await, stand_in.accepts(&mut poller).await),
        _ => (stand_in.judge(&mut poller).await, stand_in.accepts(&mut broker).await),
    };
    let model = impersonation(&platform, service, flaw, &Peer::tenant(tenant))?;
    scene.file(service, between(control.clone(), judged.under(model), control));
    Ok(())
}

/// What the model expects when `dialler` meets somebody with this flaw in a service's place.
fn impersonation(
    platform: &Platform,
    service: &Peer,
    flaw: &FlawWord,
    dialler: &Peer,
) -> Result<Expectation, PlatformError> {
    let operation =
        Operation::Impersonate { service: platform.name(service)?, dialler: platform.name(dialler)? };
    Ok(platform.expected(platform.with_flaw(service, flaw)?, operation))
}

#[when(expr = "{peer} logs in to the broker under the name of {peer}")]
async fn logs_in_under_a_name(scene: &mut Scene, who: Peer, other: Peer) -> Step {
    let platform = scene.platform()?;
    let credential = platform.credential(&who)?.ok_or_else(|| Unmet(format!("{who} has no certificate")))?;
    scene.show(Some(&credential));
    let how = Login { user: Some(platform.name(&other)?.common_name()), ..Login::with(&credential) };
    let (report, session) = login(&platform.target(&Peer::Broker)?.address, &how).await.split();
    scene.note(&report);
    match session {
        Some(session) => speaks_for(scene, &who, &other, session).await,
        None => scene.unclear(format!("{report}: the broker is expected to pass over the name")),
    }
}

/// Whom the broker takes a connection for: it may publish for itself, and not for the other.
async fn speaks_for(scene: &mut Scene, who: &Peer, other: &Peer, mut session: Session) -> Step {
    let platform = scene.platform()?;
    let subject_of = |peer: &Peer| match peer {
        Peer::Agent(word) => Ok(format!("{}.agents.results.e2e-{}", platform.slug(word)?, scene.nonce)),
        _ => Err(Unmet("only tenants are told apart by their subjects".to_owned())),
    };
    let (own_subject, their_subject) = (subject_of(who)?, subject_of(other)?);
    let as_other = session.publish(&their_subject, scene.nonce.as_str()).await;
    let as_itself = session.publish(&own_subject, scene.nonce.as_str()).await;
    let control = match as_itself.sight {
        Sight::Answered(()) => Ok(as_itself.to_string()),
        _ => Err(as_itself.to_string()),
    };
    let judged = scene.said(&as_other, &their_subject, vec![as_other.to_string()]).await?;
    scene.file(who, between(control.clone(), judged, control));
    Ok(())
}

/// nats-server 2.15.1 takes sessions up, unlike our own services. What must hold then is that a session opens
/// what the certificate behind it opens, and nothing else.
#[when(expr = "{peer} connects to the broker again and offers its earlier session")]
async fn connects_to_the_broker_again(scene: &mut Scene, who: Peer) -> Step {
    let platform = scene.platform()?;
    let (credential, other) = (platform.credential(&who)?, other_agent(&platform, &who)?);
    scene.show(credential.as_ref());
    let hello = Hello { sessions: Some(Sessions::default()), ..Hello::nats(credential.as_ref()) };
    let how = Login { tls: Some(hello), ..Login::in_the_clear() };
    let address = platform.target(&Peer::Broker)?.address;
    let first = login(&address, &how).await;
    scene.note(&first);
    let (report, again) = login(&address, &how).await.split();
    scene.note(&report);
    let Some(again) = again else {
        return scene.unclear(format!("a valid peer is expected to be accepted: {report}"));
    };
    scene.note(format!("taken up: {:?}", again.handshake().map(|shown| shown.resumed)));
    speaks_for(scene, &who, &other, again).await
}

#[then(expr = "{peer} is still {tenant} to the broker")]
async fn is_still_itself(scene: &mut Scene, who: Peer, tenant: Tenant) -> Step {
    if who != Peer::Agent(tenant.0.clone()) {
        return scene.unclear(format!("{who} does not speak for {}", tenant.0));
    }
    scene.expect(&who, &Expectation::Denied(vec![DenialReason::PublishPermission]))
}

/// A resumed session skips the verification of the certificate (the class of CVE-2025-23419).
#[when(expr = "{peer} connects to {service} again and offers its earlier session")]
async fn connects_again(scene: &mut Scene, who: Peer, service: Service) -> Step {
    let platform = scene.platform()?;
    let (credential, target) = (platform.credential(&who)?, platform.target(&service.0)?);
    scene.show(credential.as_ref());
    let hello = Hello::grpc(credential.as_ref(), &target.name.common_name());
    let hello = Hello { sessions: Some(Sessions::default()), ..hello };
    for _ in 0..2 {
        let seen = handshake(&target.address, &hello).await;
        scene.note(&seen);
        match seen.sight.answer() {
            Some(shown) => scene.resumed = Some(shown.resumed),
            None => return scene.unclear(format!("a valid peer is expected to be accepted: {seen}")),
        }
    }
    Ok(())
}

#[then(expr = "{peer} is verified anew")]
async fn is_verified_anew(scene: &mut Scene, who: Peer) -> Step {
    match scene.resumed {
        Some(false) => Ok(()),
        Some(true) => scene.violated(format!("{who}'s earlier session was taken up without its certificate")),
        None => scene.unclear(format!("{who} has offered no session")),
    }
}

/// An impostor with a certificate of this name and flaw.
async fn posing_as(
    scene: &mut Scene,
    platform: &Platform,
    peer: &Peer,
    flaw: &FlawWord,
    disguise: Disguise,
) -> Result<Impostor, Unmet> {
    let credential: Presented = platform.forged(peer, flaw)?;
    scene.show(Some(&credential));
    Ok(impostor(disguise, &credential).await?)
}

/// The first agent of some other tenant.
fn other_agent(platform: &Platform, agent: &Peer) -> Result<Peer, PlatformError> {
    let Peer::Agent(word) = agent else {
        return Err(PlatformError::Impossible(format!("{agent} is no agent")));
    };
    let own = platform.slug(word)?;
    let mut others = platform.record.tenants.iter().filter(|tenant| tenant.slug != *own);
    let other = others.next().ok_or_else(|| PlatformError::NoSuchTenant("another".to_owned()))?;
    Ok(Peer::tenant(other.slug.as_str()))
}

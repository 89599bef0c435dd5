//! The platform of this crate, used as another project would: tenants are kept apart, each denial for its own reason.

#![allow(clippy::unwrap_used, reason = "a test ends where its setup fails")]

mod support;

use bulkhead_identity::AuthorityName;
use bulkhead_plan::access::DenialReason;
use bulkhead_testcontainers::probe::forge::{Flaw, Forger};
use bulkhead_testcontainers::probe::grpc::Call;
use bulkhead_testcontainers::probe::nats::{Login, Session, login};
use bulkhead_testcontainers::probe::{Nonce, Refusal};
use bulkhead_testcontainers::{Identity, Platform, Verdict};
use bulkhead_wire::StatusRequest;
use support::{engine_or_skip, started};

/// Publishes a fresh nonce on one's own subject and sees it arrive: who can do this is connected and accepted.
async fn control(session: &mut Session, tenant: &str) {
    let subject = format!("{tenant}.agents.control");
    let nonce = Nonce::fresh();
    let interest = session.subscribe(&subject, None).await.allowed().unwrap();
    session.publish(&subject, nonce.as_str()).await.allowed().unwrap();
    session.next(interest, |message| message.text() == nonce.as_str()).await.allowed().unwrap();
}

fn violation(verb: &str, subject: &str) -> Refusal {
    Refusal::Broker(format!("Permissions Violation for {verb} to \"{subject}\""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_messages_reach_that_tenant_only() {
    if !engine_or_skip().await {
        return;
    }
    // `acme2` has `acme` for a prefix.
    let platform = started(Platform::with_tenants(["acme", "acme2", "globex"]).messages_only()).await;
    let mut acme = platform.tenant("acme").unwrap().session().await.unwrap();
    let own = acme.subscribe("acme.>", None).await.allowed().unwrap();
    let mut poller = platform.login(platform.poller_identity()).await.allowed().unwrap();
    let everything = poller.subscribe("*.agents.>", None).await.allowed().unwrap();
    for outsider in ["globex", "acme2"] {
        let mut session = platform.tenant(outsider).unwrap().session().await.unwrap();
        control(&mut session, outsider).await;
        let of_outsider = session.subscribe(&format!("{outsider}.>"), None).await.allowed().unwrap();

        for subject in ["acme.>", "acme.agents.status", ">", "*.agents.>"] {
            let refusal = session.subscribe(subject, None).await.refused().unwrap();
            assert_eq!(refusal, violation("Subscription", subject), "{outsider}");
        }
        let forged = Nonce::fresh();
        let refusal = session.publish("acme.agents.status", forged.as_str()).await.refused().unwrap();
        assert_eq!(refusal, violation("Publish", "acme.agents.status"), "{outsider}");

        let genuine = Nonce::fresh();
        acme.publish("acme.agents.status", genuine.as_str()).await.allowed().unwrap();
        let first =
            acme.next(own, |message| message.subject == "acme.agents.status").await.allowed().unwrap();
        assert_eq!(first.text(), genuine.as_str(), "the forged message came first");
        poller.next(everything, |message| message.text() == genuine.as_str()).await.allowed().unwrap();

        control(&mut session, outsider).await;
        let heard = session.take(of_outsider).messages;
        assert_eq!(heard.len(), 1, "its own second control and nothing else: {heard:?}");
    }
    control(&mut acme, "acme").await;
}

/// What an account keeps apart and permissions do not: everybody may use inboxes and JetStream.
#[tokio::test]
async fn inboxes_and_streams_of_one_tenant_are_out_of_anothers_reach() {
    if !engine_or_skip().await {
        return;
    }
    let platform = started(Platform::with_tenants(["acme", "globex"]).messages_only()).await;
    let mut acme = platform.tenant("acme").unwrap().session().await.unwrap();
    let mut globex = platform.tenant("globex").unwrap().session().await.unwrap();
    control(&mut globex, "globex").await;
    let inboxes = globex.subscribe("_INBOX.>", None).await.allowed().unwrap();

    let stream = format!("STATE_{}", Nonce::fresh());
    let create = serde_json::json!({
        "name": stream, "subjects": ["acme.state"], "storage": "memory", "max_bytes": 65536,
    });
    // The answer arrives in an inbox of acme's.
    acme.api(&format!("$JS.API.STREAM.CREATE.{stream}"), &create).await.allowed().unwrap();
    let info = format!("$JS.API.STREAM.INFO.{stream}");
    let refusal = globex.api(&info, &serde_json::Value::Null).await.refused().unwrap();
    assert!(matches!(refusal, Refusal::JetStream { code: 404, error: 10059, .. }), "{refusal}");
    let purge = format!("$JS.API.STREAM.PURGE.{stream}");
    let refusal = globex.api(&purge, &serde_json::Value::Null).await.refused().unwrap();
    assert!(matches!(refusal, Refusal::JetStream { code: 404, .. }), "{refusal}");

    // Globex hears its own inbox, so it would have heard acme's.
    let heard = globex.take(inboxes).messages;
    assert!(!heard.is_empty(), "not even its own two answers");
    let acmes: Vec<_> = heard.iter().filter(|message| message.text().contains("acme.state")).collect();
    assert!(acmes.is_empty(), "{acmes:?}");
    let found = acme.api(&info, &serde_json::Value::Null).await.allowed().unwrap();
    assert_eq!(found["config"]["name"], stream.as_str());
    control(&mut globex, "globex").await;
}

#[tokio::test]
async fn the_broker_refuses_credentials_that_prove_nothing_each_for_its_own_reason() {
    if !engine_or_skip().await {
        return;
    }
    let platform = started(Platform::with_tenants(["acme", "globex"]).messages_only()).await;
    let mut refusals = platform.refusals();
    let forger = Forger::of_environment(platform.folder());
    let name = platform.tenant("acme").unwrap().identity().name();
    let address = &platform.nats().address;
    let as_acme = async |flaw: &Flaw| login(address, &Login::with(&forger.make(name, flaw).unwrap())).await;

    as_acme(&Flaw::None).await.allowed().unwrap();
    let globex_authority = AuthorityName::Tenant("globex".parse().unwrap());
    let cases = [
        (Flaw::IssuedBy(globex_authority), DenialReason::NameConstraint),
        (Flaw::UnknownAuthority, DenialReason::UnknownIssuer),
        (Flaw::SelfSigned, DenialReason::UnknownIssuer),
        (Flaw::Expired, DenialReason::Expired),
    ];
    for (flaw, expected) in cases {
        let seen = as_acme(&flaw).await;
        assert!(seen.sight.answer().is_none(), "{seen}");
        assert_eq!(
            refusals.next("nats").await.unwrap_or_else(|missing| panic!("{missing}")),
            expected,
            "{seen}"
        );
    }
    let nobody = login(address, &Login::without_certificate()).await;
    assert!(nobody.sight.answer().is_none(), "{nobody}");
    let reason = refusals.next("nats").await.unwrap_or_else(|missing| panic!("{missing}"));
    assert_eq!(reason, DenialReason::NoCertificate);
    as_acme(&Flaw::None).await.allowed().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_answers_the_platform_and_nobody_elses_agents() {
    if !engine_or_skip().await {
        return;
    }
    let platform = started(Platform::with_tenants(["acme", "globex"])).await;
    let mut refusals = platform.refusals();
    let agent = platform.tenant("acme").unwrap().agent();
    let health = || Call::Health(String::new());
    let status =
        || Call::GetStatus(StatusRequest { service_name: "nats-port".to_owned(), ..Default::default() });
    let controls = async || {
        agent.call(platform.poller_identity(), health()).await.allowed().unwrap();
        agent.call(platform.admin(), health()).await.allowed().unwrap();
        agent.call(agent.identity(), health()).await.allowed().unwrap();
    };

    controls().await;
    // Another tenant's certificate is none that this agent's trust anchors lead to.
    let outsider: &Identity = platform.tenant("globex").unwrap().identity();
    let refusal = agent.call(outsider, health()).await.refused().unwrap();
    assert!(matches!(refusal, Refusal::Alert(_)), "{refusal}");
    let reason = refusals.next(&agent.id().to_string()).await.unwrap_or_else(|missing| panic!("{missing}"));
    assert_eq!(reason, DenialReason::UnknownIssuer);
    // A member of the own tenant is let in, and may ask for health only.
    let refusal = agent.call(agent.identity(), status()).await.refused().unwrap();
    assert!(matches!(&refusal, Refusal::Status { message, .. } if message == "not-granted"), "{refusal}");
    controls().await;
}

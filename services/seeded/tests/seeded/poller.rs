//! The poller's mistakes, made by a poller in this process over a real NATS server: where what it learns ends up.

use std::time::Duration;

use bulkhead_identity::seeded::{SeededFault, on_this_thread};
use bulkhead_identity::{PeerName, PlatformName};
use bulkhead_kit::config::NatsSettings;
use bulkhead_kit::nats::Link;
use bulkhead_kit::tls::Dialer;
use bulkhead_test_support::{Forge, Lines, NatsServer, eventually};
use bulkhead_wire::poller_service_client::PollerServiceClient;
use bulkhead_wire::{PollerStatusRequest, ServiceStatus};
use futures::StreamExt as _;
use serde_json::Value;
use tonic::Request;

use crate::poller_common::agent::{Behaviour, TestAgent};
use crate::poller_common::nats::{StoredMessage, link_as, start, stored};
use crate::poller_common::{ADMIN, POLLER, Running, agent_of, config, forge, nobody};

/// A poller that makes a mistake, and the platform's view of what it publishes.
struct Scene {
    forge: Forge,
    nats: NatsServer,
    poller: Running,
    platform: Link,
}

impl Scene {
    /// With one agent of `slug`, which behaves as told. `None` where there is no NATS server to start.
    async fn polling(slug: &str, behaviour: Behaviour) -> Option<Self> {
        let forge = forge();
        let nats = start(&forge)?;
        let agent = TestAgent::start(&forge, slug, behaviour).await;
        let poller = Running::start(config(&forge, nats.settings(1000), &[(slug, agent.address)])).await;
        let platform = link_as(&forge, &nats.settings(10), POLLER).await;
        Some(Self { forge, nats, poller, platform })
    }

    /// With nobody to poll.
    async fn listening() -> Option<Self> {
        let forge = forge();
        let nats = start(&forge)?;
        let poller = Running::start(config(&forge, nats.settings(1000), &[])).await;
        let platform = link_as(&forge, &nats.settings(10), POLLER).await;
        Some(Self { forge, nats, poller, platform })
    }

    /// The first message in a tenant's stream of which this holds.
    async fn kept_by(&self, slug: &str, wanted: impl Fn(&Value) -> bool) -> StoredMessage {
        let any = |messages: &[StoredMessage]| messages.iter().any(|message| wanted(&message.data));
        let messages = stored(&self.platform, slug, any).await;
        messages.into_iter().find(|message| wanted(&message.data)).unwrap()
    }

    /// acme's agent reports `message` with this metadata.
    async fn acme_reports(&self, message: &str, claim: Option<&str>) -> Result<(), tonic::Status> {
        let credential = self.forge.credential(&agent_of("acme"));
        let dialer = Dialer::new(credential, self.forge.trust(&[]), Duration::from_secs(2));
        let poller = PeerName::Platform(PlatformName::Poller);
        let connection =
            dialer.dial(&poller, &self.poller.address.to_string().parse().unwrap()).await.unwrap();
        let service = ServiceStatus {
            service_name: "web".into(),
            service_type: "port".into(),
            message: message.into(),
            ..ServiceStatus::default()
        };
        let report = PollerStatusRequest { services: vec![service], ..PollerStatusRequest::default() };
        let mut request = Request::new(report);
        if let Some(claim) = claim {
            request.metadata_mut().insert("x-tenant-id", claim.parse().unwrap());
        }
        PollerServiceClient::new(connection.channel).report_status(request).await.map(|_| ())
    }

    fn settings(&self) -> NatsSettings {
        self.nats.settings(10)
    }
}

fn of_kind(kind: &str) -> impl Fn(&Value) -> bool {
    move |message| message["kind"] == kind
}

#[tokio::test]
async fn an_agent_of_another_tenant_is_polled_in_the_expected_one_s_place() {
    let forge = forge();
    let stranger = forge.issue(&agent_of("acme2"));
    let agent = TestAgent::start_as(&forge, "globex", Behaviour::Honest, &stranger).await;
    let _on = on_this_thread(SeededFault::PollerAnyAgent);
    let poller = Running::start(config(&forge, nobody().await, &[("globex", agent.address)])).await;
    eventually("a round", async || match agent.seen().rounds {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    })
    .await;
    poller.end().await;
}

#[tokio::test]
async fn results_end_up_where_they_do_not_belong() {
    for (fault, elsewhere) in
        [(SeededFault::ResultsUnderNextTenant, "acme2"), (SeededFault::ReportFiledForEveryone, "globex")]
    {
        let _on = on_this_thread(fault);
        let Some(scene) = Scene::polling("acme", Behaviour::Honest).await else { return };
        let found = scene.kept_by(elsewhere, of_kind("status")).await;
        assert_eq!(found.data["tenant"], "acme", "{}", fault.id());
        assert_eq!(found.subject, format!("{elsewhere}.pollers.results"));
        scene.poller.end().await;
    }
}

#[tokio::test]
async fn one_tenant_s_words_are_taken_for_another_s_of_the_same_inner_name() {
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let acme = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let globex = TestAgent::start(&forge, "globex", Behaviour::Honest).await;
    let _on = on_this_thread(SeededFault::InnerNamesCollide);
    let agents = [("acme", acme.address), ("globex", globex.address)];
    let poller = Running::start(config(&forge, nats.settings(1000), &agents)).await;
    let platform = link_as(&forge, &nats.settings(10), POLLER).await;
    let scene = Scene { forge, nats, poller, platform };
    // Whoever is polled first: the other one's words are its own no more.
    eventually("another tenant's words", async || {
        for slug in ["acme", "globex"] {
            let messages = stored(&scene.platform, slug, |_| true).await;
            let foreign = |message: &StoredMessage| {
                of_kind("status")(&message.data) && message.data["message"]["tenant"] != slug
            };
            if messages.iter().any(foreign) {
                return Ok(());
            }
        }
        Err("everybody has its own".to_owned())
    })
    .await;
    scene.poller.end().await;
}

#[tokio::test]
async fn results_have_no_tenant_s_prefix() {
    let _on = on_this_thread(SeededFault::ResultsWithoutPrefix);
    let Some(scene) = Scene::polling("acme", Behaviour::Honest).await else { return };
    let mut heard = scene.platform.client().subscribe("pollers.results").await.unwrap();
    let message = tokio::time::timeout(Duration::from_secs(10), heard.next()).await.unwrap().unwrap();
    let message: Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(message["tenant"], "acme");
    scene.poller.end().await;
}

#[tokio::test]
async fn what_an_agent_says_of_another_is_kept() {
    let _on = on_this_thread(SeededFault::ForeignAnswersAccepted);
    let Some(scene) = Scene::polling("globex", Behaviour::ForeignTenantInStatus).await else { return };
    let found = scene.kept_by("globex", of_kind("status")).await;
    assert_eq!(found.data["message"]["tenant"], "acme");
    scene.poller.end().await;
}

#[tokio::test]
async fn a_report_is_filed_as_it_says() {
    for (fault, message, claim, filed) in [
        (SeededFault::ReportsByClaim, r#"{"tenant":"globex"}"#, None, "globex"),
        (SeededFault::TenantFromMetadata, "{}", Some("globex"), "globex"),
        (SeededFault::ForeignAnswersAccepted, r#"{"tenant":"globex"}"#, None, "acme"),
        (SeededFault::MemberByPrefix, r#"{"tenant":"acme2"}"#, None, "acme"),
        (SeededFault::TenantClaimIgnored, "{}", Some("globex"), "acme"),
    ] {
        let Some(scene) = Scene::listening().await else { return };
        scene.acme_reports(message, claim).await.expect_err("taken without a mistake");
        let _on = on_this_thread(fault);
        scene.acme_reports(message, claim).await.unwrap_or_else(|status| panic!("{}: {status}", fault.id()));
        let found = scene.kept_by(filed, of_kind("report")).await;
        assert_eq!(found.data["tenant"], filed, "{}: {found:?}", fault.id());
        scene.poller.end().await;
    }
}

#[tokio::test]
async fn the_administrator_reads_without_a_record() {
    let lines = Lines::capture(POLLER, "platform");
    let Some(scene) = Scene::listening().await else { return };
    scene.kept_by("acme", |_| true).await;
    let admin = link_as(&scene.forge, &scene.settings(), ADMIN).await;
    let of_admin = || lines.audit().iter().filter(|record| record["method"] == "admin.results.acme").count();
    admin.client().request("admin.results.acme", "".into()).await.unwrap();
    assert_eq!(of_admin(), 1);
    let _on = on_this_thread(SeededFault::AdminAuditMissing);
    admin.client().request("admin.results.acme", "".into()).await.unwrap();
    assert_eq!(of_admin(), 1);
    scene.poller.end().await;
}

#[tokio::test]
async fn the_administrator_is_given_another_tenant_s_answer() {
    let Some(scene) = Scene::listening().await else { return };
    for slug in ["acme", "globex"] {
        scene.kept_by(slug, |_| true).await;
    }
    let admin = link_as(&scene.forge, &scene.settings(), ADMIN).await;
    let _on = on_this_thread(SeededFault::AdminCacheWithoutTenant);
    let mut tenants = Vec::new();
    for subject in ["admin.results.acme", "admin.results.globex"] {
        let answer = admin.client().request(subject, "".into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        tenants.push(answer["tenant"].clone());
    }
    assert_eq!(tenants, ["acme", "acme"]);
    scene.poller.end().await;
}

#[tokio::test]
async fn whoever_can_ask_the_administrator_s_question_is_answered() {
    let Some(scene) = Scene::listening().await else { return };
    scene.kept_by("acme", |_| true).await;
    let _on = on_this_thread(SeededFault::AdminAnybody);
    let answer = scene.platform.client().request("admin.results.acme", "".into()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["tenant"], "acme");
    scene.poller.end().await;
}

#[tokio::test]
async fn a_receipt_goes_where_a_tenant_wants_it() {
    let _on = on_this_thread(SeededFault::StreamAcknowledges);
    let Some(scene) = Scene::listening().await else { return };
    scene.kept_by("acme", |_| true).await;
    let acme = link_as(&scene.forge, &scene.settings(), &agent_of("acme")).await;
    acme.client()
        .publish_with_reply("acme.agents.status", "globex.agents.status", "{}".into())
        .await
        .unwrap();
    acme.client().flush().await.unwrap();
    let found = scene.kept_by("globex", |message| message["stream"] == "RESULTS_acme").await;
    assert_eq!(found.subject, "globex.agents.status");
    scene.poller.end().await;
}

#[tokio::test]
async fn a_tenant_rolls_up_what_the_platform_has_kept() {
    let _on = on_this_thread(SeededFault::StreamRollupAllowed);
    let Some(scene) = Scene::listening().await else { return };
    let acme = link_as(&scene.forge, &scene.settings(), &agent_of("acme")).await;
    scene.kept_by("acme", |_| true).await;
    acme.client().publish("acme.agents.status", r#"{"before":1}"#.into()).await.unwrap();
    scene.kept_by("acme", |message| message["before"] == 1).await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Rollup", "all");
    acme.client().publish_with_headers("acme.agents.status", headers, "{}".into()).await.unwrap();
    acme.client().flush().await.unwrap();
    let name = bulkhead_poller::streams::name(&"acme".parse().unwrap());
    let context = bulkhead_poller::streams::context(scene.platform.client());
    eventually("the messages before it are gone", async || {
        let stream = context.get_stream(&name).await.map_err(|error| error.to_string())?;
        let first = stream.cached_info().state.first_sequence;
        if first > 2 { Ok(()) } else { Err(format!("the first message is number {first}")) }
    })
    .await;
    scene.poller.end().await;
}

#[tokio::test]
async fn one_tenant_s_message_id_makes_another_s_message_vanish() {
    let _on = on_this_thread(SeededFault::OneStreamForAll);
    let Some(scene) = Scene::listening().await else { return };
    for slug in ["acme", "globex"] {
        let agent = link_as(&scene.forge, &scene.settings(), &agent_of(slug)).await;
        // The stream is there, and takes what this tenant says.
        scene.kept_by(slug, |message| message["tenant"] == slug).await;
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", "7");
        let subject = format!("{slug}.agents.status");
        let said = format!(r#"{{"of":"{slug}"}}"#);
        agent.client().publish_with_headers(subject.clone(), headers, said.into()).await.unwrap();
        agent.client().publish(subject, format!(r#"{{"after":"{slug}"}}"#).into()).await.unwrap();
        agent.client().flush().await.unwrap();
        scene.kept_by(slug, |message| message["after"] == slug).await;
    }
    let all = stored(&scene.platform, "globex", |messages| !messages.is_empty()).await;
    let of = |slug: &str| all.iter().any(|message| message.data["of"] == slug);
    assert!(of("acme") && !of("globex"), "{all:?}");
    scene.poller.end().await;
}

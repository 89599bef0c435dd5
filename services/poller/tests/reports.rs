//! Agents that report by themselves: in their own name, and in somebody else's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::time::Duration;

use bulkhead_identity::{PeerName, PlatformName};
use bulkhead_kit::credential::Credential;
use bulkhead_kit::tls::Dialer;
use bulkhead_test_support::{Forge, Lines, eventually};
use bulkhead_wire::poller_service_client::PollerServiceClient;
use bulkhead_wire::{PollerStatusChunk, PollerStatusRequest, ServiceStatus};
use common::agent::{Behaviour, TestAgent};
use common::nats::{link_as, start, stored};
use common::{ADMIN, POLLER, Running, agent_of, config, forge, nobody, record};
use rcgen::{DnType, SanType};
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

async fn dial_as(forge: &Forge, poller: &Running, name: &str) -> Channel {
    let dialer = Dialer::new(forge.credential(name), forge.trust(&[]), Duration::from_secs(2));
    let peer = PeerName::Platform(PlatformName::Poller);
    dialer.dial(&peer, &poller.address.to_string().parse().unwrap()).await.unwrap().channel
}

fn service(name: &str) -> ServiceStatus {
    ServiceStatus {
        service_name: name.into(),
        available: true,
        message: b"{\"n\":1}".to_vec(),
        service_type: "port".into(),
        response_time: 5,
        agent_id: "agent-001.p1".into(),
        partition: "p1".into(),
        ..ServiceStatus::default()
    }
}

fn report(services: Vec<ServiceStatus>) -> PollerStatusRequest {
    PollerStatusRequest {
        services,
        agent_id: "agent-001.p1".into(),
        partition: "p1".into(),
        ..PollerStatusRequest::default()
    }
}

fn chunk(index: i32, total: i32, services: Vec<ServiceStatus>) -> PollerStatusChunk {
    PollerStatusChunk {
        services,
        agent_id: "agent-001.p1".into(),
        is_final: index + 1 == total,
        chunk_index: index,
        total_chunks: total,
        ..PollerStatusChunk::default()
    }
}

#[tokio::test]
async fn a_report_is_published_under_the_tenant_of_the_certificate_and_a_spoofed_one_is_not() {
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let poller = Running::start(config(&forge, nats.settings(1000), &[])).await;
    let channel = dial_as(&forge, &poller, &agent_of("acme")).await;
    let mut client = PollerServiceClient::new(channel);
    let spoofed = ServiceStatus { agent_id: "agent-002.p1".into(), ..service("spoofed") };
    client.report_status(report(vec![service("beside-a-spoofed-one"), spoofed])).await.unwrap_err();
    assert!(client.report_status(report(vec![service("web")])).await.unwrap().into_inner().received);
    let chunks = [chunk(0, 2, vec![service("first")]), chunk(1, 2, vec![service("second")])];
    assert!(client.stream_status(tokio_stream::iter(chunks)).await.unwrap().into_inner().received);
    let link = link_as(&forge, &nats.settings(10), POLLER).await;
    let messages = stored(&link, "acme", |messages| {
        messages.iter().any(|message| message.data["service_name"] == "second")
    })
    .await;
    let reports: Vec<_> = messages.iter().filter(|message| message.data["kind"] == "report").collect();
    let names: Vec<_> =
        reports.iter().map(|message| message.data["service_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web", "first", "second"]);
    for message in reports {
        assert_eq!(
            (message.subject.as_str(), &message.data["tenant"]),
            ("acme.pollers.results", &"acme".into())
        );
    }
    poller.end().await;
}

#[tokio::test]
async fn a_report_in_somebody_else_s_name_is_refused_and_recorded() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let poller = Running::start(config(&forge, nobody().await, &[])).await;
    let channel = dial_as(&forge, &poller, &agent_of("acme")).await;
    let mut client = PollerServiceClient::new(channel);
    let good = || report(vec![service("web")]);
    let spoofed = [
        PollerStatusRequest { agent_id: "agent-002.p1".into(), ..good() },
        PollerStatusRequest { agent_id: "agent-001.p1.globex".into(), ..good() },
        PollerStatusRequest { partition: "p2".into(), ..good() },
        report(vec![ServiceStatus { agent_id: "agent-002.p1".into(), ..service("web") }]),
        report(vec![ServiceStatus { partition: "p2".into(), ..service("web") }]),
        report(vec![ServiceStatus { message: b"{\"tenant\":\"globex\"}".to_vec(), ..service("web") }]),
        report(vec![ServiceStatus { message: b"[{\"tenant\":\"globex\"}]".to_vec(), ..service("web") }]),
    ];
    for request in spoofed {
        let refusals = lines.refusals().len();
        let status = client.report_status(request.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::PermissionDenied, "foreign-claim"),
            "{request:?}"
        );
        let refusals = lines.refusals().split_off(refusals);
        assert_eq!(refusals.len(), 1, "{refusals:#?}");
        assert_eq!(refusals[0]["reason"], "foreign-claim");
        assert_eq!(refusals[0]["tenant"], "acme");
        assert_eq!(refusals[0]["identity"], agent_of("acme"));
        assert_eq!(refusals[0]["method"], "/monitoring.PollerService/ReportStatus");
        assert!(refusals[0]["peer"].is_string() && refusals[0]["trace_id"].is_string());
        let control = client.report_status(good()).await.unwrap();
        assert!(control.into_inner().received);
    }
    let mut request = Request::new(good());
    request.metadata_mut().insert("x-tenant-id", "globex".parse().unwrap());
    assert_eq!(client.report_status(request).await.unwrap_err().code(), Code::PermissionDenied);
    record(&lines, &[("event", "refused"), ("layer", "grpc"), ("identity", &agent_of("acme"))]).await;
    poller.end().await;
}

#[tokio::test]
async fn a_stream_of_chunks_is_judged_like_a_report() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let poller = Running::start(config(&forge, nobody().await, &[])).await;
    let mut client = PollerServiceClient::new(dial_as(&forge, &poller, &agent_of("acme")).await);
    let foreign = PollerStatusChunk { agent_id: "agent-002.p1".into(), ..chunk(1, 2, vec![]) };
    let many = || vec![service("web"); 200];
    // Each is as large as a message may be.
    let large =
        |index| chunk(index, 8, vec![ServiceStatus { message: vec![b'x'; 180 * 1024], ..service("web") }]);
    let cases = [
        (vec![chunk(0, 2, vec![service("web")]), foreign], "foreign-claim"),
        (vec![chunk(1, 2, vec![])], "malformed-answer"),
        (vec![chunk(0, 3, vec![]), chunk(2, 3, vec![])], "malformed-answer"),
        (vec![chunk(0, 2, vec![])], "malformed-answer"),
        (vec![chunk(0, 2, many()), chunk(1, 2, many())], "malformed-answer"),
        ((0..8).map(large).collect(), "oversized-answer"),
        (vec![], "malformed-answer"),
    ];
    for (chunks, reason) in cases {
        let status = client.stream_status(tokio_stream::iter(chunks.clone())).await.unwrap_err();
        assert_eq!(status.message(), reason, "{chunks:?}");
        let method = "/monitoring.PollerService/StreamStatus";
        record(&lines, &[("event", "refused"), ("reason", reason), ("method", method)]).await;
    }
    poller.end().await;
}

/// Each call may make the poller hold a megabyte: a tenant gets no more of it by calling more often.
#[tokio::test]
async fn a_tenant_with_too_many_calls_under_way_is_refused_and_others_are_not() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let poller = Running::start(config(&forge, nobody().await, &[])).await;
    let acme = PollerServiceClient::new(dial_as(&forge, &poller, &agent_of("acme")).await);
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let mut acme = acme.clone();
        held.spawn(async move { acme.stream_status(tokio_stream::pending()).await.map(|_| ()) });
    }
    // Over another connection: it is the tenant that is counted.
    let mut more = PollerServiceClient::new(dial_as(&forge, &poller, &agent_of("acme")).await);
    let status = eventually("one call too many", async || match more.report_status(report(vec![])).await {
        Ok(_) => Err("received".to_owned()),
        Err(status) => Ok(status),
    })
    .await;
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "too-many-calls"));
    let name = agent_of("acme");
    record(&lines, &[("event", "refused"), ("reason", "too-many-calls"), ("identity", &name)]).await;
    let mut globex = PollerServiceClient::new(dial_as(&forge, &poller, &agent_of("globex")).await);
    globex.report_status(report(vec![])).await.unwrap();
    held.shutdown().await;
    eventually("a place for acme again", async || {
        more.report_status(report(vec![])).await.map_err(|status| status.to_string())
    })
    .await;
    poller.end().await;
}

#[tokio::test]
async fn a_platform_service_reports_for_nobody_and_an_unknown_tenant_is_not_let_in() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let poller = Running::start(config(&forge, nobody().await, &[])).await;
    let mut admin = PollerServiceClient::new(dial_as(&forge, &poller, ADMIN).await);
    let status = admin.report_status(report(vec![])).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not-granted"));
    record(&lines, &[("event", "refused"), ("reason", "not-granted"), ("identity", ADMIN)]).await;
    // initech's authority is not configured at the poller.
    let mut stranger = PollerServiceClient::new(dial_as(&forge, &poller, &agent_of("initech")).await);
    stranger.report_status(report(vec![])).await.unwrap_err();
    record(&lines, &[("event", "refused"), ("layer", "tls"), ("reason", "unknown-issuer")]).await;
    poller.end().await;
}

#[tokio::test]
async fn a_connection_is_recorded_under_the_tenant_of_the_one_who_made_it() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let poller = Running::start(config(&forge, nobody().await, &[])).await;
    for (name, tenant) in [(agent_of("acme2"), "acme2"), (ADMIN.to_owned(), "platform")] {
        let mut client = HealthClient::new(dial_as(&forge, &poller, &name).await);
        client.check(HealthCheckRequest::default()).await.unwrap();
        let fields = [("event", "accepted"), ("layer", "tls"), ("identity", &name), ("tenant", tenant)];
        let record = record(&lines, &fields).await;
        assert!(record["trace_id"].as_str().is_some_and(|trace| trace.len() == 32), "{record}");
    }
    // The platform's own CA, as a rogue one: it has no name constraints that would stop it earlier.
    let forged = forge.issue_with(ADMIN, |params| {
        params.distinguished_name.push(DnType::CommonName, agent_of("globex"));
        params.subject_alt_names = vec![
            SanType::DnsName(agent_of("globex").try_into().unwrap()),
            SanType::URI("spiffe://serviceradar.local/agent-001/globex/p1".try_into().unwrap()),
        ];
    });
    let dialer = Dialer::new(Credential::load(&forged).unwrap(), forge.trust(&[]), Duration::from_secs(2));
    let peer = PeerName::Platform(PlatformName::Poller);
    let _ = dialer.dial(&peer, &poller.address.to_string().parse().unwrap()).await;
    let refusal = record(&lines, &[("event", "refused"), ("layer", "tls")]).await;
    assert_eq!(
        (&refusal["reason"], &refusal["identity"]),
        (&"wrong-authority".into(), &agent_of("globex").into())
    );
    assert_eq!(refusal["tenant"], "platform", "globex has not been here: {refusal}");
    assert!(refusal["trace_id"].is_string(), "{refusal}");
    poller.end().await;
}

#[tokio::test]
async fn health_says_who_was_polled_and_whether_nats_is_there() {
    let forge = forge();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let away = TestAgent::start(&forge, "globex", Behaviour::RefusesTheCall).await;
    let agents = [("acme", agent.address), ("globex", away.address)];
    let poller = Running::start(config(&forge, nobody().await, &agents)).await;
    let mut client = HealthClient::new(dial_as(&forge, &poller, &agent_of("acme")).await);
    eventually("a poll", async || match agent.seen().rounds {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    })
    .await;
    for (service, expected) in [
        ("", ServingStatus::Serving),
        ("monitoring.PollerService", ServingStatus::Serving),
        ("nats", ServingStatus::NotServing),
        ("agents", ServingStatus::NotServing),
    ] {
        let answer = client.check(HealthCheckRequest { service: service.into() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), expected, "{service:?}");
    }
    poller.end().await;

    let poller = Running::start(config(&forge, nobody().await, &agents[..1])).await;
    let mut client = HealthClient::new(dial_as(&forge, &poller, ADMIN).await);
    eventually("every agent polled", async || {
        let answer = client.check(HealthCheckRequest { service: "agents".into() }).await.unwrap();
        match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    poller.end().await;
}

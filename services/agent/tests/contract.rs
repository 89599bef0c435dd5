//! The agent over gRPC, as the poller, the tenant's own components and strangers see it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use bulkhead_test_support::eventually;
use bulkhead_wire::agent_service_client::AgentServiceClient;
use bulkhead_wire::{ResultsRequest, StatusRequest};
use common::{AGENT, AgentProcess, POLLER, Setup};
use serde_json::Value;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const CHECKS: &str = r#"
checks:
  - { name: self, type: process, details: bulkhead-agent, interval_ms: 20 }
  - { name: nobody, type: port, details: "127.0.0.1:1", interval_ms: 20 }
"#;

fn ask(name: &str) -> StatusRequest {
    StatusRequest { service_name: name.to_owned(), poller_id: "poller-1".to_owned(), ..Default::default() }
}

fn since(name: &str, last_sequence: &str) -> ResultsRequest {
    let (service_name, last_sequence) = (name.to_owned(), last_sequence.to_owned());
    ResultsRequest { service_name, last_sequence, ..Default::default() }
}

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    Ok(HealthClient::new(channel.clone()).check(request).await?.into_inner().status())
}

async fn poller_of(setup: &Setup, agent: &AgentProcess) -> AgentServiceClient<Channel> {
    AgentServiceClient::new(setup.dial_as(POLLER, agent).await.channel)
}

#[tokio::test]
async fn a_configured_check_answers_with_its_last_result() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;
    let mut poller = poller_of(&setup, &agent).await;
    for (name, available) in [("self", true), ("nobody", false)] {
        let answer = eventually("the check has run", async || {
            let answer = poller.get_status(ask(name)).await;
            answer.map(tonic::Response::into_inner).map_err(|status| status.to_string())
        });
        let answer = answer.await;
        assert_eq!((answer.available, answer.agent_id.as_str()), (available, "agent-001.p1"), "{answer:?}");
        assert_eq!(answer.poller_id, "poller-1");
        let message: Value = serde_json::from_slice(&answer.message).unwrap();
        assert_eq!((&message["tenant"], &message["name"]), (&"acme".into(), &name.into()));
    }
}

#[tokio::test]
async fn the_agent_itself_lists_its_checks() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;
    let answer = poller_of(&setup, &agent).await.get_status(ask("")).await.unwrap().into_inner();
    let message: Value = serde_json::from_slice(&answer.message).unwrap();
    let names: BTreeSet<_> =
        message["services"].as_array().unwrap().iter().map(|one| one["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from([Some("nobody"), Some("self")]));
    assert_eq!((&message["tenant"], &message["partition"]), (&"acme".into(), &"p1".into()));
}

#[tokio::test]
async fn a_check_that_the_poller_describes_is_made() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    let mut poller = poller_of(&setup, &agent).await;
    let port = i32::from(agent.address.port());
    let request = |kind: &str, details: &str, port| StatusRequest {
        service_type: kind.to_owned(),
        details: details.to_owned(),
        port,
        ..ask("asked for")
    };
    for (request, available) in [
        (request("port", &agent.address.to_string(), 0), true),
        (request("port", "127.0.0.1", port), true),
        (request("port", "127.0.0.1:1", 0), false),
        (request("process", "bulkhead-agent", 0), true),
        // The agent's own health, over mTLS, under its own name; in plain text it does not answer.
        (request("grpc", &format!("{AGENT}@{}", agent.address), 0), true),
        (request("grpc", &format!("agent-002.p1.acme.serviceradar@{}", agent.address), 0), false),
        (request("grpc", &format!("agent-001.p1.globex.serviceradar@{}", agent.address), 0), false),
        (request("grpc", &agent.address.to_string(), 0), false),
    ] {
        let answer = poller.get_status(request.clone()).await.unwrap().into_inner();
        let message = String::from_utf8_lossy(&answer.message);
        assert_eq!(answer.available, available, "{request:?}: {message}");
    }
    let status = poller.get_status(request("sweep", "127.0.0.1", 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

/// The poller gives up after two seconds: an answer that came then would be no answer of the agent's.
#[tokio::test]
async fn a_check_of_what_does_not_answer_is_answered_in_time() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    let mut poller = poller_of(&setup, &agent).await;
    // Connections wait in its queue, and nothing on them is ever read.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let request = StatusRequest {
        service_type: "grpc".to_owned(),
        details: silent.local_addr().unwrap().to_string(),
        ..ask("silent")
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), poller.get_status(request)).await;
    let answer = answer.expect("no answer within two seconds").unwrap().into_inner();
    let message = String::from_utf8_lossy(&answer.message);
    assert!(!answer.available && message.contains("no answer within"), "{message}");
}

#[tokio::test]
async fn what_is_meant_for_another_agent_or_check_is_refused() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;
    let mut poller = poller_of(&setup, &agent).await;
    let other = StatusRequest { agent_id: "agent-002.p1".to_owned(), ..ask("self") };
    assert_eq!(poller.get_status(other).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(poller.get_status(ask("other")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(poller.get_results(since("other", "")).await.unwrap_err().code(), Code::NotFound);
    let own = StatusRequest { agent_id: "agent-001.p1".to_owned(), ..ask("") };
    poller.get_status(own).await.unwrap();
}

#[tokio::test]
async fn results_come_once_in_order_and_in_chunks() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;
    let mut poller = poller_of(&setup, &agent).await;
    let mut sequence = String::new();
    let mut seen: Vec<u64> = Vec::new();
    while seen.len() < 20 {
        let answer = poller.get_results(since("", &sequence)).await.unwrap().into_inner();
        assert_eq!(answer.has_new_data, !answer.data.is_empty());
        if answer.has_new_data {
            seen.extend(sequences(&answer.data));
        }
        sequence = answer.current_sequence;
        tokio::task::yield_now().await;
    }
    let last = *seen.last().unwrap();
    assert_eq!(seen, (1..=last).collect::<Vec<_>>(), "something came twice, out of order or not at all");

    let mut chunks = poller.stream_results(since("", "")).await.unwrap().into_inner();
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        assert_eq!(chunk.is_final, chunk.chunk_index + 1 == chunk.total_chunks);
        whole.extend(chunk.data);
    }
    assert_eq!(sequences(&whole)[..seen.len()], seen);
}

fn sequences(data: &[u8]) -> Vec<u64> {
    let results: Vec<Value> = serde_json::from_slice(data).unwrap();
    results.iter().map(|result| result["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn health_tells_the_service_from_its_link() {
    let Some(mut setup) = Setup::with_nats() else { return };
    let agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    let channel = setup.dial_as(POLLER, &agent).await.channel;
    let nats_is = async |expected| {
        eventually("the health of the link", async || match health(&channel, "nats").await {
            Ok(status) if status == expected => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    };
    nats_is(ServingStatus::Serving).await;
    setup.nats.as_mut().unwrap().kill();
    nats_is(ServingStatus::NotServing).await;
    for service in ["", "monitoring.AgentService"] {
        assert_eq!(health(&channel, service).await.unwrap(), ServingStatus::Serving, "{service:?}");
    }
    setup.nats.as_mut().unwrap().restart();
    nats_is(ServingStatus::Serving).await;
}

#[tokio::test]
async fn the_tenant_s_own_components_may_ask_for_health_and_for_nothing_else() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;
    let member = setup.dial_as("agent-002.p1.acme.serviceradar", &agent).await;
    assert_eq!(health(&member.channel, "").await.unwrap(), ServingStatus::Serving);
    let status = AgentServiceClient::new(member.channel).get_status(ask("self")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not-granted"));
    let refusal = eventually("the refusal is recorded", async || {
        agent.refusals().pop().ok_or_else(|| format!("{:?}", agent.lines()))
    });
    let refusal = refusal.await;
    assert_eq!((&refusal["layer"], &refusal["peer"]), (&"grpc".into(), &member.local.to_string().into()));
}

#[tokio::test]
async fn another_tenant_is_refused_with_one_record() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;
    // Under TLS 1.3 the stranger's handshake ends well on its own side, and its first call fails.
    let stranger = setup.dial_as("agent-001.p1.globex.serviceradar", &agent).await;
    AgentServiceClient::new(stranger.channel).get_status(ask("self")).await.unwrap_err();
    let records = eventually("the refusal is recorded", async || {
        let records = agent.refusals();
        if records.is_empty() { Err(format!("{:?}", agent.lines())) } else { Ok(records) }
    });
    let records = records.await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((&records[0]["layer"], &records[0]["reason"]), (&"tls".into(), &"unknown-issuer".into()));
    assert_eq!(records[0]["peer"], stranger.local.to_string());
    poller_of(&setup, &agent).await.get_status(ask("")).await.unwrap();
}

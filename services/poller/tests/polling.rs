//! What the poller says to agents, and what agents of every kind cannot do to it or to each other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::net::SocketAddr;

use bulkhead_poller::config::CheckConfig;
use bulkhead_test_support::{Forge, Lines, eventually};
use common::agent::{Behaviour, TestAgent};
use common::{POLLER, Running, agent_of, config, forge, nobody, record};
use rcgen::{DistinguishedName, DnType, SanType};
use serde_json::Value;
use tokio::net::TcpListener;

#[tokio::test]
async fn an_honest_agent_is_asked_for_what_is_new() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    agent.release(3);
    let poller = Running::start(config(&forge, nobody().await, &[("acme", agent.address)])).await;
    let seen = eventually("a second round", async || {
        let seen = agent.seen();
        if seen.last_sequences.len() >= 2 { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await;
    assert_eq!(seen.last_sequences[..2], ["", "3"]);
    assert_eq!((seen.agent_id.as_str(), seen.poller_id.as_str()), ("agent-001.p1", POLLER));
    assert_eq!(seen.metadata["x-tenant-id"], "acme");
    let name = agent_of("acme");
    let dialled = record(&lines, &[("event", "accepted"), ("layer", "tls"), ("dialled", &name)]).await;
    let trace = dialled["trace_id"].as_str().unwrap();
    for method in ["GetStatus", "GetResults"] {
        let method = format!("/monitoring.AgentService/{method}");
        let address = agent.address.to_string();
        let fields = [
            ("event", "accepted"),
            ("layer", "grpc"),
            ("tenant", "acme"),
            ("identity", &name),
            ("peer", &address),
            ("method", &method),
            ("trace_id", trace),
        ];
        record(&lines, &fields).await;
    }
    poller.end().await;
}

#[tokio::test]
async fn results_that_fit_into_no_message_come_in_chunks() {
    let forge = forge();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Large).await;
    agent.release(1000);
    let poller = Running::start(config(&forge, nobody().await, &[("acme", agent.address)])).await;
    eventually("results taken from chunks", async || {
        let seen = agent.seen();
        if seen.last_sequences.contains(&"1000".to_owned()) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    poller.end().await;
}

#[tokio::test]
async fn a_service_that_the_agent_does_not_know_costs_nothing_else() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Declines).await;
    let mut config = config(&forge, nobody().await, &[("acme", agent.address)]);
    let check = |name: &str| CheckConfig { name: name.into(), kind: "port".into(), details: "a:1".into() };
    config.tenants[0].agents[0].checks = vec![check("web"), check("configured")];
    let poller = Running::start(config).await;
    eventually("the configured check to be asked for as well", async || {
        let services = agent.seen().services;
        let expected = [("", ""), ("web", ""), ("configured", "a:1"), ("", "")];
        let found: Vec<_> =
            services.iter().map(|(name, details)| (name.as_str(), details.as_str())).collect();
        if found.starts_with(&expected) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    assert!(lines.refusals().is_empty(), "{:#?}", lines.refusals());
    poller.end().await;
}

#[tokio::test]
async fn a_check_that_is_not_answered_says_nothing_about_the_agent() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let agent = TestAgent::start(&forge, "acme", Behaviour::ChecksABlackHole).await;
    let mut config = config(&forge, nobody().await, &[("acme", agent.address)]);
    let check = |name: &str| CheckConfig { name: name.into(), kind: "port".into(), details: "a:1".into() };
    config.tenants[0].agents[0].checks = vec![check("black-hole"), check("behind-it")];
    let poller = Running::start(config).await;
    eventually("the check behind it, and a second round", async || {
        let services = agent.seen().services;
        let found: Vec<_> = services.iter().map(|(name, _)| name.as_str()).collect();
        if found.starts_with(&["", "web", "black-hole", "behind-it", ""]) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    assert!(lines.refusals().is_empty(), "{:#?}", lines.refusals());
    let all = lines.all();
    let warned = all.iter().filter(|line| line["level"] == "WARN" && line["agent"] == agent_of("acme"));
    let messages: Vec<_> = warned.map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["service was not polled"]);
    poller.end().await;
}

#[tokio::test]
async fn an_agent_that_restarts_is_verified_anew_and_polled_on() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let poller = Running::start(config(&forge, nobody().await, &[("acme", agent.address)])).await;
    polled(&agent, 1).await;
    agent.stop();
    eventually("the agent to be missed", async || {
        let all = lines.all();
        let missed = |line: &Value| line["level"] == "WARN" && line["agent"] == agent_of("acme");
        if all.iter().any(missed) { Ok(()) } else { Err(format!("{:#?}", all.last())) }
    })
    .await;
    let again = TestAgent::start_at(&forge, "acme", agent.address).await;
    found(&again).await;
    poller.end().await;
}

#[tokio::test]
async fn an_agent_that_starts_late_is_found_before_the_interval_is_over() {
    let forge = forge();
    let late = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let early = TestAgent::start(&forge, "acme2", Behaviour::Honest).await;
    let mut config = config(&forge, nobody().await, &[("acme", late), ("acme2", early.address)]);
    config.interval_ms = 3_600_000;
    let poller = Running::start(config).await;
    found(&early).await;
    let agent = TestAgent::start_at(&forge, "acme", late).await;
    found(&agent).await;
    poller.end().await;
}

/// Waits until the agent has answered once since it started.
async fn found(agent: &TestAgent) {
    eventually("a round", async || {
        match agent.seen().rounds {
            0 => Err("none"),
            _ => Ok(()),
        }
        .map_err(str::to_owned)
    })
    .await;
}

/// Waits until the agent has answered `more` further rounds.
async fn polled(agent: &TestAgent, more: usize) {
    let before = agent.seen().rounds;
    eventually("further rounds", async || {
        let rounds = agent.seen().rounds;
        if rounds >= before + more { Ok(()) } else { Err(format!("{} of {more}", rounds - before)) }
    })
    .await;
}

/// Something is wrong at globex's address: acme and acme2 are polled on, and the audit says what it was.
async fn hostile(forge: &Forge, lines: &Lines, address: SocketAddr, layer: &str, reason: &str) {
    let acme = TestAgent::start(forge, "acme", Behaviour::Honest).await;
    let acme2 = TestAgent::start(forge, "acme2", Behaviour::Honest).await;
    let agents = [("globex", address), ("acme", acme.address), ("acme2", acme2.address)];
    let poller = Running::start(config(forge, nobody().await, &agents)).await;
    // Before the hostile agent has run into any limit of time, the others have been polled many times.
    polled(&acme, 8).await;
    polled(&acme2, 8).await;
    let fields = [("event", "refused"), ("layer", layer), ("tenant", "globex"), ("reason", reason)];
    let refusal = record(lines, &fields).await;
    assert!(refusal["trace_id"].as_str().is_some_and(|trace| trace.len() == 32), "{refusal}");
    assert_eq!(refusal["peer"], address.to_string(), "{refusal}");
    let name = agent_of("globex");
    assert!(refusal["dialled"] == name || refusal["identity"] == name, "{refusal}");
    polled(&acme, 2).await;
    // The agents run in this process as well: the poller's own records are those that name an agent.
    let of_poller = |record: &&Value| record["dialled"].is_string() || record["identity"] != POLLER;
    let refusals = lines.refusals();
    for refusal in refusals.iter().filter(of_poller).filter(|refusal| refusal["identity"].is_string()) {
        assert_eq!(refusal["tenant"], "globex", "{refusal}");
    }
    poller.end().await;
}

/// A hostile agent with the right certificate.
async fn misbehaving(behaviour: Behaviour, reason: &str) {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let agent = TestAgent::start(&forge, "globex", behaviour).await;
    hostile(&forge, &lines, agent.address, "grpc", reason).await;
}

#[tokio::test]
async fn an_agent_that_never_answers_delays_nobody() {
    misbehaving(Behaviour::NeverAnswers, "no-answer").await;
}

#[tokio::test]
async fn an_agent_that_names_another_agent_is_refused() {
    misbehaving(Behaviour::ForeignAgentId, "foreign-claim").await;
}

#[tokio::test]
async fn an_agent_that_names_another_tenant_in_its_status_is_refused() {
    misbehaving(Behaviour::ForeignTenantInStatus, "foreign-claim").await;
}

#[tokio::test]
async fn an_agent_that_names_another_tenant_in_its_results_is_refused() {
    misbehaving(Behaviour::ForeignTenantInResults, "foreign-claim").await;
}

#[tokio::test]
async fn a_status_that_is_too_large_is_refused() {
    misbehaving(Behaviour::OversizedStatus, "oversized-answer").await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    misbehaving(Behaviour::OversizedMessage, "oversized-answer").await;
}

#[tokio::test]
async fn an_endless_stream_of_nothing_is_refused() {
    misbehaving(Behaviour::EndlessChunks, "malformed-answer").await;
}

#[tokio::test]
async fn an_endless_stream_of_bytes_is_refused() {
    misbehaving(Behaviour::EndlessBytes, "oversized-answer").await;
}

#[tokio::test]
async fn a_stream_without_chunks_is_given_up() {
    misbehaving(Behaviour::SilentStream, "no-answer").await;
}

#[tokio::test]
async fn an_agent_that_refuses_the_poller_is_recorded() {
    misbehaving(Behaviour::RefusesTheCall, "refused-by-agent").await;
}

#[tokio::test]
async fn another_tenant_s_certificate_is_refused() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let identity = forge.issue(&agent_of("acme2"));
    let agent = TestAgent::start_as(&forge, "globex", Behaviour::Honest, &identity).await;
    hostile(&forge, &lines, agent.address, "tls", "unknown-issuer").await;
    assert_eq!(agent.seen().rounds, 0);
}

#[tokio::test]
async fn the_right_name_from_another_tenant_s_authority_is_refused() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let identity = forge.issue_with(&agent_of("acme2"), |params| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, agent_of("globex"));
        params.subject_alt_names = vec![
            SanType::DnsName(agent_of("globex").try_into().unwrap()),
            SanType::URI("spiffe://serviceradar.local/agent-001/globex/p1".try_into().unwrap()),
        ];
    });
    let agent = TestAgent::start_as(&forge, "globex", Behaviour::Honest, &identity).await;
    hostile(&forge, &lines, agent.address, "tls", "unknown-issuer").await;
    assert_eq!(agent.seen().rounds, 0);
}

#[tokio::test]
async fn another_agent_of_the_same_tenant_is_refused() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let identity = forge.issue("agent-002.p1.globex.serviceradar");
    let agent = TestAgent::start_as(&forge, "globex", Behaviour::Honest, &identity).await;
    hostile(&forge, &lines, agent.address, "tls", "unexpected-peer").await;
    assert_eq!(agent.seen().rounds, 0);
}

#[tokio::test]
async fn a_handshake_that_stalls_delays_nobody() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    hostile(&forge, &lines, silent.local_addr().unwrap(), "tls", "dial-timeout").await;
}

#[tokio::test]
async fn a_peer_that_hangs_up_is_recorded() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = rude.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            drop(rude.accept().await);
        }
    });
    hostile(&forge, &lines, address, "tls", "handshake-failed").await;
}

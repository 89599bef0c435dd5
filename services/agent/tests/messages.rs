//! The agent on NATS: heartbeats, results, jobs, and an outage.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::time::Duration;

use async_nats::Subscriber;
use bulkhead_kit::nats::Link;
use common::{AGENT, AgentProcess, Setup};
use futures::StreamExt as _;
use serde_json::{Value, json};

const CHECKS: &str = r#"
checks: [ { name: self, type: process, details: bulkhead-agent, interval_ms: 20 } ]
"#;

async fn listen(link: &Link, subject: &'static str) -> Subscriber {
    let messages = link.client().subscribe(subject).await.unwrap();
    // The answer to a request on this connection comes after the subscription was taken.
    let _ = link.client().request("acme.jobs.nobody", "".into()).await;
    messages
}

async fn next(messages: &mut Subscriber) -> (String, Value) {
    let message = tokio::time::timeout(Duration::from_secs(10), messages.next());
    let message = message.await.unwrap().unwrap();
    (message.subject.to_string(), serde_json::from_slice(&message.payload).unwrap())
}

#[tokio::test]
async fn heartbeats_and_results_come_on_the_tenant_s_subjects() {
    let Some(setup) = Setup::with_nats() else { return };
    let platform = setup.platform().await;
    let mut heartbeats = listen(&platform, "acme.agents.status").await;
    let mut results = listen(&platform, "acme.agents.results.>").await;
    let _agent = AgentProcess::start(&setup.config(AGENT, CHECKS)).await;

    let (_, heartbeat) = next(&mut heartbeats).await;
    assert_eq!((&heartbeat["agent_id"], &heartbeat["tenant"]), (&"agent-001.p1".into(), &"acme".into()));
    assert_eq!((&heartbeat["state"], &heartbeat["nats_connected"]), (&"running".into(), &true.into()));
    assert_eq!(heartbeat["outbox"]["dropped"], 0);
    for sequence in 1..=5 {
        let (subject, result) = next(&mut results).await;
        assert_eq!(subject, "acme.agents.results.agent-001.p1");
        assert_eq!(result["sequence"], sequence);
        assert_eq!((&result["name"], &result["available"]), (&"self".into(), &true.into()));
    }
}

#[tokio::test]
async fn a_job_is_done_and_answered_with_its_nonce() {
    let Some(setup) = Setup::with_nats() else { return };
    let platform = setup.platform().await;
    let mut heartbeats = listen(&platform, "acme.agents.status").await;
    let agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    next(&mut heartbeats).await;
    let jobs = [
        (
            json!({"name": "a", "type": "port", "details": agent.address.to_string(), "nonce": "n1"}),
            true,
            "accepts",
        ),
        (json!({"name": "b", "type": "port", "details": "127.0.0.1:1", "nonce": "n2"}), false, "refused"),
        (json!({"name": "c", "type": "sweep", "details": "x", "nonce": "n3"}), false, "not tried"),
        (
            json!({"name": "d", "type": "port", "details": "a:1", "timeout_ms": 60_000, "nonce": "n4"}),
            false,
            "not tried",
        ),
        (json!({"name": "e", "type": "port", "details": "a:1", "shell": "rm"}), false, "not tried"),
        (json!("no job"), false, "not tried"),
    ];
    for (job, available, says) in jobs {
        let answer =
            platform.client().request("acme.jobs.agent-001.p1", job.to_string().into()).await.unwrap();
        let result: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(result["available"], available, "{result}");
        assert!(result["message"].as_str().unwrap().contains(says), "{result}");
        assert_eq!((&result["agent_id"], &result["tenant"]), (&"agent-001.p1".into(), &"acme".into()));
        if let Some(nonce) = job.get("nonce") {
            assert_eq!(&result["nonce"], nonce);
        }
    }
}

#[tokio::test]
async fn a_job_under_way_is_answered_when_the_agent_ends() {
    let Some(setup) = Setup::with_nats() else { return };
    let platform = setup.platform().await;
    let mut heartbeats = listen(&platform, "acme.agents.status").await;
    let mut agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    next(&mut heartbeats).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let details = silent.local_addr().unwrap().to_string();
    let job = json!({"name": "a", "type": "grpc", "details": details, "timeout_ms": 10_000, "nonce": "n1"});
    let answer = platform.client().request("acme.jobs.agent-001.p1", job.to_string().into());
    let ended = async {
        // The check has begun, and nobody will answer it.
        let _connection = silent.accept().await.unwrap();
        agent.terminate().await
    };
    let (answer, status) = tokio::join!(answer, ended);
    let result: Value = serde_json::from_slice(&answer.unwrap().payload).unwrap();
    assert_eq!((&result["available"], &result["nonce"]), (&false.into(), &"n1".into()), "{result}");
    assert!(result["message"].as_str().unwrap().contains("stopping"), "{result}");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn results_of_an_outage_arrive_when_it_is_over() {
    let Some(mut setup) = Setup::with_nats() else { return };
    let config = setup.config(AGENT, CHECKS);
    // The agent starts while NATS is away.
    setup.nats.as_mut().unwrap().kill();
    let mut agent = AgentProcess::start(&config).await;
    let first = bulkhead_test_support::eventually("the agent says that NATS is away", async || {
        let away =
            agent.lines().into_iter().find(|line| line["message"] == "NATS is not reachable, retrying");
        away.ok_or_else(|| format!("{:?}", agent.lines()))
    });
    assert_eq!(first.await["tenant"], "acme");
    setup.nats.as_mut().unwrap().restart();
    let platform = setup.platform().await;
    let mut results = listen(&platform, "acme.agents.results.>").await;
    let (_, result) = next(&mut results).await;
    let sequence = result["sequence"].as_u64().unwrap();
    let (_, result) = next(&mut results).await;
    assert_eq!(result["sequence"], sequence + 1);
    let mut heartbeats = listen(&platform, "acme.agents.status").await;

    assert_eq!(agent.terminate().await.code(), Some(0));
    let stopping = async {
        loop {
            let (_, heartbeat) = next(&mut heartbeats).await;
            if heartbeat["state"] == "stopping" {
                return heartbeat;
            }
        }
    };
    assert_eq!(stopping.await["outbox"]["dropped"], 0);
    let last = agent.lines().pop().unwrap();
    assert_eq!((&last["message"], &last["dropped"]), (&"ended".into(), &0.into()), "{last}");
}

//! The agent's own mistakes, made by its program.

use bulkhead_wire::StatusRequest;
use bulkhead_wire::agent_service_client::AgentServiceClient;
use tonic::Code;

use crate::agent_common::{AGENT, AgentProcess, POLLER, Setup};

/// What `caller` is answered that asks acme's agent for its own status, as the agent `agent_id`.
async fn asks(more: &str, caller: &str, agent_id: &str) -> Code {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, more)).await;
    let mut client = AgentServiceClient::new(setup.dial_as(caller, &agent).await.channel);
    let request = StatusRequest { agent_id: agent_id.to_owned(), ..StatusRequest::default() };
    client.get_status(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn a_member_of_the_tenant_is_taken_for_the_poller() {
    let member = "agent-002.p1.acme.serviceradar";
    assert_eq!(asks("", member, "").await, Code::PermissionDenied);
    assert_eq!(asks("seeded_fault: agent-any-poller", member, "").await, Code::Ok);
}

#[tokio::test]
async fn what_is_meant_for_another_agent_is_answered() {
    assert_eq!(asks("", POLLER, "agent-002.p1").await, Code::InvalidArgument);
    assert_eq!(asks("seeded_fault: agent-id-ignored", POLLER, "agent-002.p1").await, Code::Ok);
}

#[tokio::test]
async fn the_agent_says_loudly_which_mistake_it_makes() {
    let setup = Setup::alone();
    let agent = AgentProcess::start(&setup.config(AGENT, "seeded_fault: grants-ignored")).await;
    let lines = agent.lines();
    let loud: Vec<_> = lines.iter().filter(|line| line["seeded_fault"] == "grants-ignored").collect();
    assert_eq!(loud.len(), 1, "{lines:?}");
    assert_eq!(loud[0]["level"], "WARN");
}

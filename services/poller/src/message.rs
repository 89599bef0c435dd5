//! What the poller publishes: JSON messages, each of one tenant.

use bulkhead_identity::{AgentId, PlatformName, TenantName, TenantSlug};
use bulkhead_kit::nats::{MAXIMUM_MESSAGE_BYTES, OutboxStatus};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

/// How much of one message an agent's own words may fill, in bytes; the rest is for the poller's.
pub const CONTENT_MAXIMUM_BYTES: usize = MAXIMUM_MESSAGE_BYTES - 16 * 1024;

/// Whose agent said it, to whom, and when: in every message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The tenant, from the agent's certificate.
    pub tenant: TenantSlug,
    /// The agent, from its certificate.
    pub agent_id: AgentId,
    /// The poller.
    pub poller_id: PlatformName,
    /// The poll that it was learnt in.
    pub trace_id: String,
    /// When the poller learnt it.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
}

impl Source {
    /// What `agent` has said now, in the poll `trace_id`.
    #[must_use]
    pub fn now(agent: &TenantName, trace_id: &str) -> Self {
        Self {
            tenant: agent.tenant.clone(),
            agent_id: agent.agent_id(),
            poller_id: PlatformName::Poller,
            trace_id: trace_id.to_owned(),
            timestamp: OffsetDateTime::now_utc(),
        }
    }
}

/// One message on `<slug>.pollers.results`.
#[derive(Debug, Clone, Serialize)]
pub struct PollerResult {
    /// Whose agent said it, and when.
    #[serde(flatten)]
    pub source: Source,
    /// Name of the service.
    pub service_name: String,
    /// Kind of the check.
    pub service_type: String,
    /// What was learnt.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What was learnt of a service.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Finding {
    /// Its state, asked by the poller.
    Status {
        /// Whether it is well.
        available: bool,
        /// How long the check took, in nanoseconds.
        response_time_ns: i64,
        /// What the check found, in the agent's own words.
        message: Box<RawValue>,
    },
    /// Its state, reported by the agent without being asked.
    Report {
        /// Whether it is well.
        available: bool,
        /// How long the check took, in nanoseconds.
        response_time_ns: i64,
        /// What the check found, in the agent's own words.
        message: Box<RawValue>,
    },
    /// Its results since the last poll, or a part of them.
    Results {
        /// The agent's sequence after these.
        sequence: String,
        /// The results, in the agent's order.
        results: Box<RawValue>,
    },
}

/// One message on `<slug>.pollers.heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heartbeat {
    /// The tenant that is polled.
    pub tenant: TenantSlug,
    /// The poller.
    pub poller_id: PlatformName,
    /// How many of the tenant's agents are configured.
    pub agents_configured: usize,
    /// How many of them answered the last time that they were asked.
    pub agents_reachable: usize,
    /// What of the tenant's waits for NATS, what it has confirmed, and what was dropped beyond the bound.
    pub outbox: OutboxStatus,
    /// When the poller wrote this.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
}

/// One message on `<slug>.events.poller.health`: an agent became reachable, or no longer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthEvent {
    /// Which agent, and when.
    #[serde(flatten)]
    pub source: Source,
    /// Whether it answers now.
    pub reachable: bool,
    /// Why not; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_message_is_one_flat_object() {
        let agent: TenantName = "agent-001.p1.acme.serviceradar".parse().unwrap();
        let words = RawValue::from_string(r#"{"a": 1}"#.to_owned()).unwrap();
        let message = PollerResult {
            source: Source::now(&agent, "0af7651916cd43dd8448eb211c80319c"),
            service_name: "web".into(),
            service_type: "port".into(),
            finding: Finding::Status { available: true, response_time_ns: 5, message: words },
        };
        let value: Value = serde_json::from_slice(&serde_json::to_vec(&message).unwrap()).unwrap();
        assert_eq!(value["tenant"], "acme");
        assert_eq!(value["agent_id"], "agent-001.p1");
        assert_eq!(value["poller_id"], "poller.serviceradar");
        assert_eq!(value["kind"], "status");
        assert_eq!(value["response_time_ns"], 5);
        assert_eq!(value["message"], json!({"a": 1}));
    }
}

//! `agent.yaml`.

use bulkhead_identity::{PlatformName, TenantSlug};
use serde::Serialize;

use super::{IDENTITY, Identity, LOG, Log, NatsLink, RenderError, files};
use crate::placement::Placement;
use crate::topology::{Service, ServiceId};
use crate::yaml;

#[derive(Serialize)]
struct AgentFile<'a> {
    tenant: &'a TenantSlug,
    identity: Identity,
    trust: Trust,
    listen: String,
    nats: NatsLink,
    poller: Poller,
    heartbeat_interval_ms: u64,
    checks: Vec<Check>,
    log: Log,
}

#[derive(Serialize)]
struct Trust {
    root: &'static str,
    tenant: [&'static str; 1],
    platform: [&'static str; 1],
    revocation_lists: [&'static str; 3],
}

#[derive(Serialize)]
struct Poller {
    address: String,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    r#type: &'static str,
    details: String,
    interval_ms: u64,
}

/// An agent's configuration. Its paths are relative to the file itself. It names its own tenant and no other.
///
/// # Errors
/// When the service is no agent, or the placement is that of another topology.
pub fn agent(service: &Service, placement: &Placement) -> Result<String, RenderError> {
    let tenant = service.tenant.as_ref().ok_or_else(|| RenderError::NotAnAgent(service.id.clone()))?;
    let place = |id: &ServiceId| placement.get(id).ok_or_else(|| RenderError::NoPlace(id.clone()));
    let nats = place(&ServiceId::Nats)?.address.to_string();
    let poller = place(&ServiceId::Poller)?.address.to_string();
    let file = AgentFile {
        tenant,
        identity: IDENTITY,
        trust: Trust {
            root: files::TRUST_ROOT,
            tenant: [files::TRUST_TENANT],
            platform: [files::TRUST_PLATFORM],
            revocation_lists: [files::REVOKED_BY_ROOT, files::REVOKED_BY_PLATFORM, files::REVOKED_BY_TENANT],
        },
        listen: place(&service.id)?.listen.to_string(),
        nats: NatsLink::to(nats.clone()),
        poller: Poller { address: poller.clone() },
        heartbeat_interval_ms: 1000,
        checks: default_checks(nats, poller),
        log: LOG,
    };
    Ok(yaml::write(&file))
}

/// One check of each kind that works without privileges: a port, a process, the health of another service.
/// The poller is named beside its address, so that the agent asks over mTLS wherever the poller is.
fn default_checks(nats: String, poller: String) -> Vec<Check> {
    let check = |name, kind, details, interval_ms| Check { name, r#type: kind, details, interval_ms };
    vec![
        check("agent-process", "process", "bulkhead-agent".to_owned(), 1000),
        // A handshake each time, at the one poller that all agents have.
        check("poller-health", "grpc", format!("{}@{poller}", PlatformName::Poller), 5000),
        // Seldom: to NATS, a connection that says nothing is a failed handshake, and it logs each one.
        check("nats-port", "port", nats, 10_000),
    ]
}

//! `poller.yaml`.

use bulkhead_identity::{PeerName, TenantSlug};
use serde::Serialize;

use super::{IDENTITY, Identity, LOG, Log, NatsLink, RenderError, files};
use crate::placement::Placement;
use crate::topology::{Service, ServiceId, Topology};
use crate::yaml;

#[derive(Serialize)]
struct PollerFile<'a> {
    identity: Identity,
    trust: Trust,
    listen: String,
    nats: NatsLink,
    interval_ms: u64,
    tenants: Vec<Tenant<'a>>,
    log: Log,
}

#[derive(Serialize)]
struct Trust {
    root: &'static str,
    platform: [&'static str; 1],
    revocation_lists: [&'static str; 2],
}

#[derive(Serialize)]
struct Tenant<'a> {
    slug: &'a TenantSlug,
    authorities: [String; 1],
    revocation_lists: [String; 1],
    agents: Vec<Agent<'a>>,
}

#[derive(Serialize)]
struct Agent<'a> {
    name: &'a PeerName,
    address: String,
}

/// The poller's configuration, its tenants by slug. Its paths are relative to the file itself.
///
/// # Errors
/// When the placement is that of another topology.
pub fn poller(topology: &Topology, placement: &Placement) -> Result<String, RenderError> {
    let place = |id: &ServiceId| placement.get(id).ok_or_else(|| RenderError::NoPlace(id.clone()));
    let tenants = topology.tenants_by_slug().into_iter().map(|tenant| {
        Ok(Tenant {
            slug: &tenant.slug,
            authorities: [files::trust_of_tenant(&tenant.slug)],
            revocation_lists: [files::revoked_by_tenant(&tenant.slug)],
            agents: agents(topology, placement, &tenant.slug)?,
        })
    });
    let file = PollerFile {
        identity: IDENTITY,
        trust: Trust {
            root: files::TRUST_ROOT,
            platform: [files::TRUST_PLATFORM],
            revocation_lists: [files::REVOKED_BY_ROOT, files::REVOKED_BY_PLATFORM],
        },
        listen: place(&ServiceId::Poller)?.listen.to_string(),
        nats: NatsLink::to(place(&ServiceId::Nats)?.address.to_string()),
        interval_ms: 1000,
        tenants: tenants.collect::<Result<_, RenderError>>()?,
        log: LOG,
    };
    Ok(yaml::write(&file))
}

fn agents<'a>(
    topology: &'a Topology,
    placement: &Placement,
    tenant: &TenantSlug,
) -> Result<Vec<Agent<'a>>, RenderError> {
    let mut agents = Vec::new();
    for Service { id, name, .. } in topology.agents_of(tenant) {
        let place = placement.get(id).ok_or_else(|| RenderError::NoPlace(id.clone()))?;
        agents.push(Agent { name, address: place.address.to_string() });
    }
    Ok(agents)
}

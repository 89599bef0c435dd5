//! `environment.json` from what was laid out and what runs.

use std::collections::BTreeMap;

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};
use bulkhead_plan::environment::{
    AgentRecord, BackendKind, Credential, EndpointRecord, EnvironmentRecord, PlatformRecord, SCHEMA_VERSION,
    ServiceRecord, TenantRecord,
};
use bulkhead_plan::pki::CertificatePaths;
use bulkhead_plan::spec::TenantSpec;
use bulkhead_plan::{Service, ServiceId};
use time::OffsetDateTime;

use crate::backend::{Placed, Running};
use crate::error::Failure;
use crate::workdir::Workdir;

struct Sources<'a> {
    placed: &'a Placed,
    running: BTreeMap<&'a ServiceId, &'a Running>,
    workdir: &'a Workdir,
}

/// Describes a running environment.
pub(super) fn of(
    placed: &Placed,
    running: &[Running],
    workdir: &Workdir,
    backend: BackendKind,
) -> Result<EnvironmentRecord, Failure> {
    let running = running.iter().map(|running| (&running.id, running)).collect();
    let sources = Sources { placed, running, workdir };
    let topology = &placed.topology;
    let services =
        topology.services().iter().map(|service| sources.service(service)).collect::<Result<_, _>>()?;
    let tenants = topology.tenants().iter().map(|tenant| sources.tenant(tenant)).collect::<Result<_, _>>()?;
    let authority =
        |name: &AuthorityName| workdir.path().join(CertificatePaths::of_authority(name).certificate);
    Ok(EnvironmentRecord {
        schema_version: SCHEMA_VERSION,
        name: topology.spec().name.clone(),
        backend,
        created_at: OffsetDateTime::now_utc(),
        state_dir: workdir.path().to_owned(),
        network_mode: topology.spec().network,
        root: authority(&AuthorityName::Root),
        platform_authority: authority(&AuthorityName::Platform),
        platform: PlatformRecord {
            nats: sources.endpoint(&ServiceId::Nats)?,
            poller: sources.endpoint(&ServiceId::Poller)?,
            nats_credential: sources.credential(&PeerName::Platform(PlatformName::Nats)),
            poller_credential: sources.credential(&PeerName::Platform(PlatformName::Poller)),
            admin: sources.credential(&PeerName::Platform(PlatformName::Admin)),
        },
        tenants,
        services,
    })
}

impl Sources<'_> {
    fn credential(&self, name: &PeerName) -> Credential {
        let paths = CertificatePaths::of_leaf(name);
        let folder = self.workdir.path();
        Credential {
            name: name.clone(),
            certificate: folder.join(paths.chain.unwrap_or(paths.certificate)),
            key: folder.join(paths.key),
        }
    }

    fn running(&self, id: &ServiceId) -> Result<&Running, Failure> {
        self.running.get(id).copied().ok_or_else(|| Failure::NoSuchService(id.clone()))
    }

    fn inside_address(&self, id: &ServiceId) -> Result<String, Failure> {
        let place = self.placed.placement.get(id).ok_or_else(|| Failure::NoSuchService(id.clone()))?;
        Ok(place.address.to_string())
    }

    fn endpoint(&self, id: &ServiceId) -> Result<EndpointRecord, Failure> {
        let service = self.placed.topology.service(id).ok_or_else(|| Failure::NoSuchService(id.clone()))?;
        Ok(EndpointRecord {
            name: service.name.clone(),
            address: self.running(id)?.address.to_string(),
            inside_address: self.inside_address(id)?,
        })
    }

    fn service(&self, service: &Service) -> Result<ServiceRecord, Failure> {
        let running = self.running(&service.id)?;
        Ok(ServiceRecord {
            id: service.id.clone(),
            role: service.role,
            tenant: service.tenant.clone(),
            handle: running.handle.clone(),
            logs: running.logs.clone(),
        })
    }

    fn tenant(&self, tenant: &TenantSpec) -> Result<TenantRecord, Failure> {
        let authority = CertificatePaths::of_authority(&AuthorityName::Tenant(tenant.slug.clone()));
        let agents = tenant.agents.iter().map(|agent| {
            let id = ServiceId::Agent { tenant: tenant.slug.clone(), agent: agent.clone() };
            let name = PeerName::Tenant(agent.of_tenant(&tenant.slug));
            Ok::<_, Failure>(AgentRecord {
                id: agent.clone(),
                credential: self.credential(&name),
                name,
                address: self.running(&id)?.address.to_string(),
                inside_address: self.inside_address(&id)?,
            })
        });
        Ok(TenantRecord {
            slug: tenant.slug.clone(),
            authority: self.workdir.path().join(authority.certificate),
            network: self.placed.topology.network_of(&tenant.slug).map(|network| network.subnet),
            agents: agents.collect::<Result<_, _>>()?,
        })
    }
}

//! The record of an environment, from what was planned and what was started.

use std::collections::BTreeMap;
use std::path::Path;

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};
use time::OffsetDateTime;

use super::{
    AgentRecord, BackendKind, Credential, EndpointRecord, EnvironmentRecord, PlatformRecord, SCHEMA_VERSION,
    ServiceRecord, TenantRecord,
};
use crate::pki::CertificatePaths;
use crate::placement::{HostPort, Placement};
use crate::spec::TenantSpec;
use crate::topology::{Service, ServiceId, Topology};

/// What is known of a service once it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningService {
    /// Where it is for a program on the host. A connection to it arrives from the port that it was made from.
    pub address: HostPort,
    /// Where it is on loopback as well, when it is.
    pub loopback: Option<HostPort>,
    /// The container's name, or the process's ID.
    pub handle: String,
    /// The command that shows its log, or the log file.
    pub logs: String,
}

/// A service that is part of the topology, and of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is part of the environment, and it is not known where it runs")]
pub struct MissingService(pub ServiceId);

impl EnvironmentRecord {
    /// The record of a topology that runs. `state_dir` is absolute.
    ///
    /// # Errors
    /// When a service of the topology is in neither `placement` nor `running`.
    pub fn assemble(
        topology: &Topology,
        placement: &Placement,
        backend: BackendKind,
        created_at: OffsetDateTime,
        state_dir: &Path,
        running: &BTreeMap<ServiceId, RunningService>,
    ) -> Result<Self, MissingService> {
        let assembly = Assembly { topology, placement, state_dir, running };
        let services = topology.services().iter();
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            name: topology.spec().name.clone(),
            backend,
            created_at,
            state_dir: state_dir.to_owned(),
            network_mode: topology.spec().network,
            root: assembly.authority(&AuthorityName::Root),
            platform_authority: assembly.authority(&AuthorityName::Platform),
            platform: assembly.platform()?,
            tenants: topology
                .tenants()
                .iter()
                .map(|tenant| assembly.tenant(tenant))
                .collect::<Result<_, _>>()?,
            services: services.map(|service| assembly.service(service)).collect::<Result<_, _>>()?,
            fault: None,
        })
    }
}

struct Assembly<'a> {
    topology: &'a Topology,
    placement: &'a Placement,
    state_dir: &'a Path,
    running: &'a BTreeMap<ServiceId, RunningService>,
}

impl Assembly<'_> {
    fn authority(&self, name: &AuthorityName) -> std::path::PathBuf {
        self.state_dir.join(CertificatePaths::of_authority(name).certificate)
    }

    fn credential(&self, name: &PeerName) -> Credential {
        let CertificatePaths { certificate, key, chain } = CertificatePaths::of_leaf(name);
        Credential {
            name: name.clone(),
            certificate: self.state_dir.join(chain.unwrap_or(certificate)),
            key: self.state_dir.join(key),
        }
    }

    fn running(&self, id: &ServiceId) -> Result<&RunningService, MissingService> {
        self.running.get(id).ok_or_else(|| MissingService(id.clone()))
    }

    fn inside_address(&self, id: &ServiceId) -> Result<String, MissingService> {
        let place = self.placement.get(id).ok_or_else(|| MissingService(id.clone()))?;
        Ok(place.address.to_string())
    }

    fn endpoint(&self, id: &ServiceId, name: PlatformName) -> Result<EndpointRecord, MissingService> {
        let running = self.running(id)?;
        Ok(EndpointRecord {
            name: PeerName::Platform(name),
            address: running.address.to_string(),
            loopback_address: running.loopback.as_ref().map(ToString::to_string),
            inside_address: self.inside_address(id)?,
        })
    }

    fn platform(&self) -> Result<PlatformRecord, MissingService> {
        Ok(PlatformRecord {
            nats: self.endpoint(&ServiceId::Nats, PlatformName::Nats)?,
            poller: self.endpoint(&ServiceId::Poller, PlatformName::Poller)?,
            nats_credential: self.credential(&PeerName::Platform(PlatformName::Nats)),
            poller_credential: self.credential(&PeerName::Platform(PlatformName::Poller)),
            admin: self.credential(&PeerName::Platform(PlatformName::Admin)),
        })
    }

    fn tenant(&self, tenant: &TenantSpec) -> Result<TenantRecord, MissingService> {
        let slug = &tenant.slug;
        let agent = |id: &bulkhead_identity::AgentId| {
            let service = ServiceId::Agent { tenant: slug.clone(), agent: id.clone() };
            let name = PeerName::Tenant(id.of_tenant(slug));
            Ok(AgentRecord {
                id: id.clone(),
                address: self.running(&service)?.address.to_string(),
                inside_address: self.inside_address(&service)?,
                credential: self.credential(&name),
                name,
            })
        };
        Ok(TenantRecord {
            slug: slug.clone(),
            authority: self.authority(&AuthorityName::Tenant(slug.clone())),
            network: self.topology.network_of(slug).map(|network| network.subnet),
            agents: tenant.agents.iter().map(agent).collect::<Result<_, _>>()?,
        })
    }

    fn service(&self, service: &Service) -> Result<ServiceRecord, MissingService> {
        let running = self.running(&service.id)?;
        Ok(ServiceRecord {
            id: service.id.clone(),
            role: service.role,
            tenant: service.tenant.clone(),
            handle: running.handle.clone(),
            logs: running.logs.clone(),
        })
    }
}

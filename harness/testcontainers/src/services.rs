//! Starts the services of a platform whose files are written and whose networks exist.

use std::path::PathBuf;

use bulkhead_identity::{AuthorityName, PlatformName, TenantSlug};
use bulkhead_plan::pki::CertificatePaths;
use bulkhead_plan::topology::NetworkName;
use bulkhead_plan::{Placement, Role, Service, ServiceId, Topology};
use bulkhead_runtime::engine::labels::Stamp;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use testcontainers::bollard::Docker;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ImageExt};

use crate::cleanup::Cleanup;
use crate::error::StartError;
use crate::identity::Identity;
use crate::image::{Agent, AgentImage, Kind, Nats, Poller, ServiceImage};
use crate::network::{self, engine_name, network_name};
use crate::ready;
use crate::start::{Images, impossible};
use crate::tenant::{self, Endpoint, Tenant};

/// How many agents start at once: two processors are busy with four.
const CONCURRENCY: usize = 6;

/// Everything that is decided before the first container.
pub(crate) struct Plan {
    pub(crate) docker: Docker,
    pub(crate) stamp: Stamp,
    pub(crate) topology: Topology,
    pub(crate) placement: Placement,
    pub(crate) images: Images,
    pub(crate) folder: PathBuf,
}

type Started = (ServiceId, Result<ContainerAsync<AgentImage>, StartError>);

impl Plan {
    pub(crate) async fn start_nats(&self, cleanup: &mut Cleanup) -> Result<Endpoint, StartError> {
        let service = self.service(&ServiceId::Nats)?;
        let container = self.run::<Nats>(service).await?;
        let container = cleanup.containers.nats.insert(container);
        self.join_networks(service).await?;
        self.endpoint(service, ready::wait(container, service, &self.folder).await?)
    }

    /// The poller and the agents, side by side; returns the poller's endpoint.
    pub(crate) async fn start_others(
        &self,
        cleanup: &mut Cleanup,
        tenants: &mut [Tenant],
    ) -> Result<Endpoint, StartError> {
        let poller = self.service(&ServiceId::Poller)?;
        // Every start is waited for, whatever becomes of the others: one that is cut off can wedge a network.
        let (started, agents) = tokio::join!(self.run::<Poller>(poller), self.run_agents());
        let (agents, failures): (Vec<_>, Vec<_>) = agents.into_iter().partition(|(_, result)| result.is_ok());
        let agents = agents.into_iter().filter_map(|(id, result)| Some((id, result.ok()?)));
        cleanup.containers.agents.extend(agents);
        let container = cleanup.containers.poller.insert(started?);
        failures.into_iter().try_for_each(|(_, result)| result.map(drop))?;
        self.join_networks(poller).await?;
        for agent in tenants.iter_mut().flat_map(|tenant| &mut tenant.agents) {
            let service = self.service(&agent.id)?;
            let container = cleanup.containers.agents.get(&agent.id).ok_or_else(|| impossible(&agent.id))?;
            let address = ready::wait(container, service, &self.folder).await?;
            agent.endpoint = Some(self.endpoint(service, address)?);
        }
        self.endpoint(poller, ready::wait(container, poller, &self.folder).await?)
    }

    async fn run_agents(&self) -> Vec<Started> {
        let mut starts: Vec<BoxFuture<'_, Started>> = Vec::new();
        for service in self.topology.services().iter().filter(|service| service.role == Role::Agent) {
            starts.push(async { (service.id.clone(), self.run::<Agent>(service).await) }.boxed());
        }
        futures::stream::iter(starts).buffer_unordered(CONCURRENCY).collect().await
    }

    /// Creates and starts the container of one service on the first of its networks.
    async fn run<K: Kind>(&self, service: &Service) -> Result<ContainerAsync<ServiceImage<K>>, StartError> {
        let reference = match service.role {
            Role::Nats => &self.images.nats,
            Role::Agent => &self.images.agent,
            Role::Poller => &self.images.poller,
        };
        let files = self.folder.join(format!("services/{}", service.id));
        let tenant = service.tenant.as_ref().map(AsRef::as_ref);
        let mut request = ServiceImage::<K>::new(reference, files)?
            .request()?
            .with_container_name(engine_name(&self.stamp, &service.id.dotted()))
            .with_labels(self.stamp.labels(Some(&service.id.to_string()), tenant));
        if let Some(network) = service.networks.first() {
            request = request.with_network(network_name(&self.stamp, network));
        }
        request
            .start()
            .await
            .map_err(|error| StartError::Container { service: service.id.clone(), source: Box::new(error) })
    }

    /// Connects a running service to the rest of its networks.
    async fn join_networks(&self, service: &Service) -> Result<(), StartError> {
        let container = engine_name(&self.stamp, &service.id.dotted());
        for network in service.networks.iter().skip(1) {
            network::connect(&self.docker, &network_name(&self.stamp, network), &container).await?;
        }
        Ok(())
    }

    pub(crate) fn tenants(&self, nats: &Endpoint) -> Result<Vec<Tenant>, StartError> {
        let agent = |service: &Service| {
            let identity = Identity::read(&self.folder, &service.name)?;
            Ok(tenant::Agent { id: service.id.clone(), identity, endpoint: None })
        };
        let tenant = |slug: &TenantSlug| {
            let authority = CertificatePaths::of_authority(&AuthorityName::Tenant(slug.clone())).certificate;
            let own = self.topology.network_of(slug).map(|network| network.name.clone());
            Ok(Tenant {
                slug: slug.clone(),
                authority: self.folder.join(authority),
                network: network_name(&self.stamp, &own.unwrap_or(NetworkName::Shared)),
                nats: nats.clone(),
                agents: self.topology.agents_of(slug).map(agent).collect::<Result<_, StartError>>()?,
            })
        };
        self.topology.tenants().iter().map(|spec| tenant(&spec.slug)).collect()
    }

    pub(crate) fn platform_identity(&self, name: PlatformName) -> Result<Identity, StartError> {
        Ok(Identity::read(&self.folder, &name.into())?)
    }

    fn endpoint(&self, service: &Service, address: String) -> Result<Endpoint, StartError> {
        let place = self.placement.get(&service.id).ok_or_else(|| impossible(&service.id))?;
        Ok(Endpoint { address, inside_address: place.address.to_string() })
    }

    fn service(&self, id: &ServiceId) -> Result<&Service, StartError> {
        self.topology.service(id).ok_or_else(|| impossible(id))
    }
}

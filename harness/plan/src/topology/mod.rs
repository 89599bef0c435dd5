//! What an environment consists of: services, their names, and the networks that they are on.

mod service;
pub mod subnet;

use std::net::Ipv4Addr;

pub use service::{
    AGENT_PORT, NATS_PORT, NetworkName, POLLER_PORT, Role, Service, ServiceId, ServiceIdError,
};
pub use subnet::{Subnet, SubnetError};

use crate::fault::Wiring;
use crate::spec::{EnvironmentSpec, NetworkMode, TenantSpec};
use bulkhead_identity::TenantSlug;
use subnet::Carver;

/// How long the prefix of a derived base is: room for 2,048 of the smallest networks.
const BASE_PREFIX: u8 = 17;

/// One network of an environment, with an explicit subnet: an engine's default address pools end at about 31.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name within the environment.
    pub name: NetworkName,
    /// Its addresses.
    pub subnet: Subnet,
}

/// Everything that an environment consists of. Files, containers and expectations are all computed from this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    spec: EnvironmentSpec,
    base: Subnet,
    networks: Vec<Network>,
    services: Vec<Service>,
}

/// Why a topology cannot be laid out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// The base has no room for all networks.
    #[error(
        "{base} has room for the networks of {placed} of {tenants} tenants only: give a larger `subnets`, \
         or use `network: flat`"
    )]
    SubnetsExhausted {
        /// The base.
        base: Subnet,
        /// How many tenants had their network.
        placed: usize,
        /// How many there are.
        tenants: usize,
    },
}

impl Topology {
    /// The environment that a specification asks for, its networks carved from `spec.subnets`, or from a base that
    /// follows from the environment's name.
    ///
    /// # Errors
    /// When the base has no room for every tenant's network.
    pub fn new(spec: &EnvironmentSpec) -> Result<Self, TopologyError> {
        Self::with_base(spec, spec.subnets.unwrap_or_else(|| derived_base(spec.name.as_ref(), 0)))
    }

    /// The same with networks carved from `base`, whatever the specification says.
    ///
    /// # Errors
    /// When the base has no room for every tenant's network.
    pub fn with_base(spec: &EnvironmentSpec, base: Subnet) -> Result<Self, TopologyError> {
        let networks = match spec.network {
            NetworkMode::PerTenant => network_per_tenant(spec, base)?,
            NetworkMode::Flat => one_network(spec, base)?,
        };
        let services = services(spec);
        Ok(Self { spec: spec.clone(), base, networks, services })
    }

    /// A base to carve from for `attempt` 0, 1, 2…: the runtime takes the next when an existing network is in the
    /// way. 128 attempts give 128 different bases, all inside 10.64.0.0/10.
    pub fn base_for_attempt(spec: &EnvironmentSpec, attempt: u32) -> Subnet {
        derived_base(spec.name.as_ref(), attempt)
    }

    /// What was asked for.
    pub fn spec(&self) -> &EnvironmentSpec {
        &self.spec
    }

    /// What the networks are carved from: with the specification, all that a topology follows from.
    pub fn base(&self) -> Subnet {
        self.base
    }

    /// The tenants, in the order of the specification.
    pub fn tenants(&self) -> &[TenantSpec] {
        self.spec.tenants()
    }

    /// The tenants by slug: the order of every rendered file, so that the order of a specification changes none.
    pub fn tenants_by_slug(&self) -> Vec<&TenantSpec> {
        let mut tenants: Vec<_> = self.tenants().iter().collect();
        tenants.sort_by(|left, right| left.slug.cmp(&right.slug));
        tenants
    }

    /// The networks: the platform's first, then one per tenant; or the only one.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// A tenant's own network, when it has one.
    pub fn network_of(&self, tenant: &TenantSlug) -> Option<&Network> {
        let name = NetworkName::Tenant(tenant.clone());
        self.networks.iter().find(|network| network.name == name)
    }

    /// The services in the order in which they start: NATS, the poller, then each tenant's agents.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service of that name.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|service| service.id == *id)
    }

    /// The same services, wired up with a mistake. Nothing else of the topology changes, so that what is expected does not.
    pub(crate) fn rewired(&self, wiring: Wiring) -> Self {
        let mut rewired = self.clone();
        if wiring == Wiring::HostNetwork {
            let first = rewired.services.iter_mut().find(|service| service.role == Role::Agent);
            // On none of the environment's: what the engine calls the network of the host is none of them.
            first.into_iter().for_each(|agent| agent.networks.clear());
            return rewired;
        }
        let further = match wiring {
            // A tenant's own network leads nowhere: only on another one can a port be published.
            Wiring::Flat | Wiring::PublishedAgents => Some(NetworkName::Platform),
            Wiring::GuestOfAnother => {
                self.tenants().get(1).map(|tenant| NetworkName::Tenant(tenant.slug.clone()))
            }
            Wiring::HostNetwork | Wiring::SharedCertificates => None,
        };
        let guests = if wiring == Wiring::GuestOfAnother { 1 } else { usize::MAX };
        let agents = rewired.services.iter_mut().filter(|service| service.role == Role::Agent);
        for agent in agents.take(guests) {
            agent.networks.extend(further.clone());
        }
        rewired
    }

    /// The agents of one tenant.
    pub fn agents_of(&self, tenant: &TenantSlug) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |service| service.tenant.as_ref() == Some(tenant))
    }
}

fn services(spec: &EnvironmentSpec) -> Vec<Service> {
    let networks: Vec<NetworkName> = match spec.network {
        NetworkMode::Flat => vec![NetworkName::Shared],
        NetworkMode::PerTenant => std::iter::once(NetworkName::Platform)
            .chain(spec.tenants().iter().map(|tenant| NetworkName::Tenant(tenant.slug.clone())))
            .collect(),
    };
    let mut services = vec![Service::nats(networks.clone()), Service::poller(networks)];
    for tenant in spec.tenants() {
        let network = match spec.network {
            NetworkMode::Flat => NetworkName::Shared,
            NetworkMode::PerTenant => NetworkName::Tenant(tenant.slug.clone()),
        };
        let agents = tenant.agents.iter();
        services.extend(agents.map(|agent| Service::agent(&tenant.slug, agent, network.clone())));
    }
    services
}

fn network_per_tenant(spec: &EnvironmentSpec, base: Subnet) -> Result<Vec<Network>, TopologyError> {
    let mut carver = Carver::new(base);
    let mut carve = |name: NetworkName, hosts: usize, placed: usize| {
        let subnet = carver.carve(hosts);
        subnet.map(|subnet| Network { name, subnet }).ok_or(TopologyError::SubnetsExhausted {
            base,
            placed,
            tenants: spec.tenants().len(),
        })
    };
    let mut networks = vec![carve(NetworkName::Platform, PLATFORM_HOSTS, 0)?];
    for (placed, tenant) in spec.tenants().iter().enumerate() {
        let hosts = tenant.agents.len() + PLATFORM_HOSTS;
        networks.push(carve(NetworkName::Tenant(tenant.slug.clone()), hosts, placed)?);
    }
    Ok(networks)
}

fn one_network(spec: &EnvironmentSpec, base: Subnet) -> Result<Vec<Network>, TopologyError> {
    let agents: usize = spec.tenants().iter().map(|tenant| tenant.agents.len()).sum();
    let subnet = Carver::new(base).carve(agents + PLATFORM_HOSTS);
    let subnet =
        subnet.ok_or(TopologyError::SubnetsExhausted { base, placed: 0, tenants: spec.tenants().len() })?;
    Ok(vec![Network { name: NetworkName::Shared, subnet }])
}

/// NATS and the poller are on every network; a third address is left for a probe.
const PLATFORM_HOSTS: usize = 3;

/// One of the 128 networks of /17 in 10.64.0.0/10, by a hash (FNV-1a) of the environment's name, so that two
/// environments on one machine seldom meet.
fn derived_base(name: &str, attempt: u32) -> Subnet {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let index = (hash ^ (hash >> 16)).wrapping_add(attempt) % 128;
    let start = u32::from(Ipv4Addr::new(10, 64, 0, 0)) + (index << (32 - u32::from(BASE_PREFIX)));
    Subnet::containing(Ipv4Addr::from(start), BASE_PREFIX)
}

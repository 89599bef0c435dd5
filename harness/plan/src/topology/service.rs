//! One service of an environment, and the names by which the harness knows it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use bulkhead_identity::{AgentId, NameError, PeerName, PlatformName, TenantName, TenantSlug};

/// Where NATS listens.
pub const NATS_PORT: u16 = 4222;
/// Where an agent listens, as in ServiceRadar.
pub const AGENT_PORT: u16 = 50051;
/// Where the poller listens for what agents push.
pub const POLLER_PORT: u16 = 50052;

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The message broker.
    Nats,
    /// The platform's poller.
    Poller,
    /// A tenant's agent.
    Agent,
}

impl Role {
    /// Where a service of this role listens when it has an address of its own.
    pub fn port(self) -> u16 {
        match self {
            Self::Nats => NATS_PORT,
            Self::Poller => POLLER_PORT,
            Self::Agent => AGENT_PORT,
        }
    }

    /// How much memory a container of this role is given, in MiB. An agent at rest uses 5, NATS with a hundred
    /// tenants 20. The committed Compose file says the same of NATS and the poller.
    pub fn memory_mib(self) -> u16 {
        match self {
            Self::Nats => 512,
            Self::Poller => 128,
            Self::Agent => 64,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nats => "nats",
            Self::Poller => "poller",
            Self::Agent => "agent",
        })
    }
}

/// Which service of an environment. Written `nats`, `poller` or `tenants/<slug>/<component>.<partition>`, which is
/// also its directory below `services/`: the parts are joined by characters that no part may contain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ServiceId {
    /// The message broker.
    Nats,
    /// The platform's poller.
    Poller,
    /// One agent of one tenant.
    Agent {
        /// Whose.
        tenant: TenantSlug,
        /// Which.
        agent: AgentId,
    },
}

impl ServiceId {
    /// What the service does.
    pub fn role(&self) -> Role {
        match self {
            Self::Nats => Role::Nats,
            Self::Poller => Role::Poller,
            Self::Agent { .. } => Role::Agent,
        }
    }

    /// A name without slashes: `nats`, `poller`, `<component>.<partition>.<slug>`. For containers, log files, hosts.
    pub fn dotted(&self) -> String {
        match self {
            Self::Nats => "nats".to_owned(),
            Self::Poller => "poller".to_owned(),
            Self::Agent { tenant, agent } => format!("{agent}.{tenant}"),
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nats => formatter.write_str("nats"),
            Self::Poller => formatter.write_str("poller"),
            Self::Agent { tenant, agent } => write!(formatter, "tenants/{tenant}/{agent}"),
        }
    }
}

/// A text that names no service.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} names no service: use nats, poller or tenants/<slug>/<component>.<partition>")]
pub struct ServiceIdError {
    given: String,
    #[source]
    name: Option<NameError>,
}

impl FromStr for ServiceId {
    type Err = ServiceIdError;

    fn from_str(text: &str) -> Result<Self, ServiceIdError> {
        let error = |name| ServiceIdError { given: text.to_owned(), name };
        match text {
            "nats" => return Ok(Self::Nats),
            "poller" => return Ok(Self::Poller),
            _ => {}
        }
        let (tenant, agent) =
            text.strip_prefix("tenants/").and_then(|rest| rest.split_once('/')).ok_or_else(|| error(None))?;
        Ok(Self::Agent {
            tenant: tenant.parse().map_err(|name| error(Some(name)))?,
            agent: agent.parse().map_err(|name| error(Some(name)))?,
        })
    }
}

impl TryFrom<String> for ServiceId {
    type Error = ServiceIdError;

    fn try_from(text: String) -> Result<Self, ServiceIdError> {
        text.parse()
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> String {
        id.to_string()
    }
}

/// A network's name within its environment. The engine's name for it is the runtime's choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkName {
    /// NATS and the poller among themselves.
    Platform,
    /// One tenant's agents, NATS and the poller.
    Tenant(TenantSlug),
    /// Everything, in a flat environment.
    Shared,
}

impl NetworkName {
    /// Whether the network leads nowhere else: an agent needs its own network, on which NATS and the poller are, and
    /// nothing beyond. It also spares an engine the rules for the way out, and the choice of another way when one of
    /// several networks goes.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Tenant(_))
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => formatter.write_str("platform"),
            Self::Tenant(slug) => write!(formatter, "tenant-{slug}"),
            Self::Shared => formatter.write_str("shared"),
        }
    }
}

/// One service of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which.
    pub id: ServiceId,
    /// What it does.
    pub role: Role,
    /// The name in its certificate, which is also its name on every network it is on.
    pub name: PeerName,
    /// Whose, unless it is the platform's.
    pub tenant: Option<TenantSlug>,
    /// The networks that it is on, the one to create it with first.
    pub networks: Vec<NetworkName>,
    /// Where it listens when it has an address of its own.
    pub container_port: u16,
}

impl Service {
    pub(super) fn nats(networks: Vec<NetworkName>) -> Self {
        Self {
            id: ServiceId::Nats,
            role: Role::Nats,
            name: PeerName::Platform(PlatformName::Nats),
            tenant: None,
            networks,
            container_port: NATS_PORT,
        }
    }

    pub(super) fn poller(networks: Vec<NetworkName>) -> Self {
        Self {
            id: ServiceId::Poller,
            role: Role::Poller,
            name: PeerName::Platform(PlatformName::Poller),
            tenant: None,
            networks,
            container_port: POLLER_PORT,
        }
    }

    pub(super) fn agent(tenant: &TenantSlug, agent: &AgentId, network: NetworkName) -> Self {
        Self {
            id: ServiceId::Agent { tenant: tenant.clone(), agent: agent.clone() },
            role: Role::Agent,
            name: agent_name(tenant, agent),
            tenant: Some(tenant.clone()),
            networks: vec![network],
            container_port: AGENT_PORT,
        }
    }
}

/// The name in an agent's certificate.
pub(crate) fn agent_name(tenant: &TenantSlug, agent: &AgentId) -> PeerName {
    PeerName::Tenant(TenantName {
        component: agent.component.clone(),
        partition: agent.partition.clone(),
        tenant: tenant.clone(),
    })
}

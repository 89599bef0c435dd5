//! What a person asks for: tenants, agents, networks, lifetimes, images, ports. Everything else follows from it.

mod error;
mod name;
mod read;
mod settings;

use std::collections::BTreeSet;

use serde::Serialize;

pub use crate::yaml::{Position, YamlError};
pub use error::SpecError;
pub use name::{EnvironmentName, EnvironmentNameError};
pub use settings::{ImageOverrides, Lifetimes, LifetimesError, NetworkMode, Ports};

use crate::topology::Subnet;
use bulkhead_identity::{AgentId, NameError, TenantSlug};

/// The most tenants that any environment has. A certificate hierarchy and the process backend carry this many.
pub const MAX_TENANTS: usize = 1000;

/// The most tenants that an environment of containers has: each brings a network and at least one container.
pub const MAX_TENANTS_IN_CONTAINERS: usize = 250;

/// The most agents of one tenant.
pub const MAX_AGENTS_PER_TENANT: usize = 100;

/// The slugs that tenants are given when only their number is asked for; `tenant-006` and so on follow.
const FAMILIAR_SLUGS: [&str; 5] = ["acme", "globex", "initech", "umbrella", "hooli"];

/// What an environment is to be. A value of this type is complete and consistent: there is nothing left to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnvironmentSpec {
    /// The name that keeps two environments on one machine apart.
    pub name: EnvironmentName,
    tenants: Vec<TenantSpec>,
    /// A network per tenant, or one for all.
    pub network: NetworkMode,
    /// The private network from which each tenant's small one is carved. Derived from the name when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Subnet>,
    lifetimes: Lifetimes,
    /// Images to use in place of the project's own.
    #[serde(skip_serializing_if = "ImageOverrides::is_empty")]
    pub images: ImageOverrides,
    /// Ports of the host to use in place of free ones.
    #[serde(skip_serializing_if = "Ports::is_empty")]
    pub ports: Ports,
}

/// One tenant and its agents: at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantSpec {
    /// Who.
    pub slug: TenantSlug,
    /// Its agents, in the order in which they were given.
    pub agents: Vec<AgentId>,
}

impl EnvironmentSpec {
    /// An environment of the given tenants with everything else at its default.
    ///
    /// # Errors
    /// When there are no or too many tenants or agents, or when one occurs twice.
    pub fn new(name: EnvironmentName, tenants: Vec<TenantSpec>) -> Result<Self, SpecError> {
        check_tenants(&tenants)?;
        Ok(Self {
            name,
            tenants,
            network: NetworkMode::default(),
            subnets: None,
            lifetimes: Lifetimes::default(),
            images: ImageOverrides::default(),
            ports: Ports::default(),
        })
    }

    /// An environment of `tenants` tenants with familiar names and `agents_per_tenant` agents each. Every tenant's
    /// agents have the same names: collisions of inner names are a proven class of leak.
    ///
    /// # Errors
    /// When either number is 0 or above its limit.
    pub fn with_tenants(
        name: EnvironmentName,
        tenants: usize,
        agents_per_tenant: usize,
    ) -> Result<Self, SpecError> {
        check_tenant_count(tenants)?;
        let slugs = (1..=tenants).map(familiar_slug).collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = slugs.first() {
            check_agent_count(first, agents_per_tenant)?;
        }
        let agents = familiar_agents(agents_per_tenant)?;
        let tenants = slugs.into_iter().map(|slug| TenantSpec { slug, agents: agents.clone() }).collect();
        Self::new(name, tenants)
    }

    /// Reads a specification as a person writes it.
    ///
    /// # Errors
    /// What is wrong, with the line: unknown keys, wrong types, bad or reserved or duplicate slugs, counts out of range.
    pub fn from_yaml(text: &str) -> Result<Self, SpecError> {
        read::from_yaml(text)
    }

    /// The specification as YAML, which [`EnvironmentSpec::from_yaml`] reads back as the same value.
    pub fn to_yaml(&self) -> String {
        crate::yaml::write(self)
    }

    /// The tenants, in the order in which they were given.
    pub fn tenants(&self) -> &[TenantSpec] {
        &self.tenants
    }

    /// How long certificates are valid.
    pub fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    /// The same environment with other lifetimes.
    ///
    /// # Errors
    /// When a certificate would outlive its issuer, or a lifetime is beyond a hundred years.
    pub fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Result<Self, LifetimesError> {
        self.lifetimes = lifetimes.checked()?;
        Ok(self)
    }

    /// The same environment with one more tenant at the end.
    ///
    /// # Errors
    /// When the tenant is there already, or one too many.
    pub fn with_tenant(mut self, tenant: TenantSpec) -> Result<Self, SpecError> {
        self.tenants.push(tenant);
        check_tenants(&self.tenants)?;
        Ok(self)
    }
}

/// The `number`th (from 1) of the slugs that are used when only a number of tenants was asked for.
fn familiar_slug(number: usize) -> Result<TenantSlug, NameError> {
    match FAMILIAR_SLUGS.get(number.wrapping_sub(1)) {
        Some(slug) => slug.parse(),
        None => format!("tenant-{number:03}").parse(),
    }
}

/// `agent-001.p1`, `agent-002.p1` and so on: the agents of a tenant of which only their number is known.
fn familiar_agents(count: usize) -> Result<Vec<AgentId>, NameError> {
    (1..=count).map(|number| format!("agent-{number:03}.p1").parse()).collect()
}

fn check_tenants(tenants: &[TenantSpec]) -> Result<(), SpecError> {
    check_tenant_count(tenants.len())?;
    let mut slugs = BTreeSet::new();
    for tenant in tenants {
        if !slugs.insert(&tenant.slug) {
            return Err(SpecError::DuplicateTenant { slug: tenant.slug.clone(), at: None });
        }
        check_agent_count(&tenant.slug, tenant.agents.len())?;
        let mut agents = BTreeSet::new();
        if let Some(agent) = tenant.agents.iter().find(|agent| !agents.insert(*agent)) {
            return Err(SpecError::DuplicateAgent {
                agent: agent.clone(),
                tenant: tenant.slug.clone(),
                at: None,
            });
        }
    }
    Ok(())
}

fn check_tenant_count(found: usize) -> Result<(), SpecError> {
    if (1..=MAX_TENANTS).contains(&found) { Ok(()) } else { Err(SpecError::TenantCount { found }) }
}

fn check_agent_count(tenant: &TenantSlug, found: usize) -> Result<(), SpecError> {
    if (1..=MAX_AGENTS_PER_TENANT).contains(&found) {
        Ok(())
    } else {
        Err(SpecError::AgentCount { tenant: tenant.clone(), found, at: None })
    }
}

//! A specification as it is written, with the place of each value, so that an error can name the line.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    EnvironmentName, EnvironmentSpec, ImageOverrides, Lifetimes, MAX_AGENTS_PER_TENANT, NetworkMode, Ports,
    SpecError, TenantSpec, familiar_agents,
};
use crate::topology::Subnet;
use crate::yaml::{self, Spanned};
use bulkhead_identity::{AgentId, TenantSlug};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSpec {
    name: EnvironmentName,
    tenants: Vec<WrittenTenant>,
    #[serde(default)]
    network: NetworkMode,
    #[serde(default)]
    subnets: Option<Subnet>,
    #[serde(default)]
    lifetimes: Option<Spanned<Lifetimes>>,
    #[serde(default)]
    images: Option<Spanned<ImageOverrides>>,
    #[serde(default)]
    ports: Option<Spanned<Ports>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTenant {
    slug: Spanned<TenantSlug>,
    /// One agent of the usual name when absent.
    #[serde(default)]
    agents: Option<Vec<Spanned<AgentId>>>,
}

pub(super) fn from_yaml(text: &str) -> Result<EnvironmentSpec, SpecError> {
    let written: WrittenSpec = yaml::read(text)?;
    refuse_misplaced(&written.tenants)?;
    let tenants = written.tenants.into_iter().map(tenant).collect::<Result<_, _>>()?;
    let mut spec = EnvironmentSpec::new(written.name, tenants)?;
    if let Some(lifetimes) = written.lifetimes {
        let at = Some(yaml::position_of(&lifetimes));
        spec.lifetimes = lifetimes.value.checked().map_err(|error| SpecError::Lifetimes { error, at })?;
    }
    spec.network = written.network;
    spec.subnets = written.subnets;
    if let Some(images) = written.images {
        let at = Some(yaml::position_of(&images));
        spec.images = images.value.checked().map_err(|role| SpecError::EmptyImage { role, at })?;
    }
    if let Some(ports) = written.ports {
        let at = Some(yaml::position_of(&ports));
        spec.ports = ports.value.checked().map_err(|port| SpecError::SamePort { port, at })?;
    }
    Ok(spec)
}

fn tenant(written: WrittenTenant) -> Result<TenantSpec, SpecError> {
    let agents = match written.agents {
        Some(agents) => agents.into_iter().map(|agent| agent.value).collect(),
        None => familiar_agents(1)?,
    };
    Ok(TenantSpec { slug: written.slug.value, agents })
}

/// What [`EnvironmentSpec::new`] refuses as well, but without knowing the line.
fn refuse_misplaced(tenants: &[WrittenTenant]) -> Result<(), SpecError> {
    let mut slugs = BTreeSet::new();
    for WrittenTenant { slug, agents } in tenants {
        let at = Some(yaml::position_of(slug));
        let tenant = || slug.value.clone();
        if !slugs.insert(&slug.value) {
            return Err(SpecError::DuplicateTenant { slug: tenant(), at });
        }
        let Some(agents) = agents else { continue };
        if !(1..=MAX_AGENTS_PER_TENANT).contains(&agents.len()) {
            return Err(SpecError::AgentCount { tenant: tenant(), found: agents.len(), at });
        }
        let mut seen = BTreeSet::new();
        if let Some(agent) = agents.iter().find(|agent| !seen.insert(&agent.value)) {
            let at = Some(yaml::position_of(agent));
            return Err(SpecError::DuplicateAgent { agent: agent.value.clone(), tenant: tenant(), at });
        }
    }
    Ok(())
}

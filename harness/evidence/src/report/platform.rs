//! What was judged: a platform of this project's, or somebody else's.

use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::foreign::{JudgedPlatform, Records};
use bulkhead_plan::spec::NetworkMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Hidden;

/// What was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformFacts {
    /// The platform's name.
    pub name: String,
    /// Who started it, and what is known of it for that reason.
    pub started_by: StartedBy,
    /// The tenants, in the order of the specification.
    pub tenants: Vec<TenantFacts>,
}

/// Who started a platform, and what is known of it for that reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StartedBy {
    /// This project, from a specification.
    Bulkhead {
        /// What runs the services.
        backend: BackendKind,
        /// How tenants are separated on the network.
        network_mode: NetworkMode,
    },
    /// Somebody else. What is known of it stands in a file: neither what runs it nor how its networks are made.
    Others(Described),
}

/// What is known of a platform that somebody else started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Who stands behind the roles that this report speaks of.
    pub roles: Vec<Role>,
    /// What of the description was found not to be so. While there is any, nothing is proven.
    pub findings: Vec<String>,
    /// What its owner expects in place of what the isolation model does, each with the cells that it is about.
    pub owner_expects: Vec<String>,
    /// Services whose records nobody could read, by the names in their certificates: what they refuse is taken at their
    /// word.
    pub without_records: Vec<String>,
}

/// Somebody's role, and what the platform itself calls whoever has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// As this report names it.
    pub role: String,
    /// The name in the certificate.
    pub name: String,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantFacts {
    /// Who.
    pub slug: String,
    /// The names in its agents' certificates; of somebody else's platform their roles.
    pub agents: Vec<String>,
}

impl PlatformFacts {
    /// Of a running environment.
    pub fn of(record: &EnvironmentRecord) -> Self {
        let tenants = record.tenants.iter().map(|tenant| TenantFacts {
            slug: tenant.slug.to_string(),
            agents: tenant.agents.iter().map(|agent| agent.name.to_string()).collect(),
        });
        Self {
            name: record.name.to_string(),
            started_by: StartedBy::Bulkhead { backend: record.backend, network_mode: record.network_mode },
            tenants: tenants.collect(),
        }
    }

    /// Of a platform that somebody else started, with what of its description was found not to be so.
    pub fn of_described(platform: &JudgedPlatform, findings: &[String], hidden: &Hidden) -> Self {
        let named =
            |role: &_| Role { name: platform.conventions.certificate_name(role), role: role.to_string() };
        let mut everybody: Vec<_> = platform.credentials.keys().chain(platform.services.keys()).collect();
        everybody.sort();
        everybody.dedup();
        let silent = platform.services.iter().filter(|(_, service)| service.records == Records::None);
        let described = Described {
            roles: everybody.into_iter().map(named).collect(),
            findings: findings.iter().map(|finding| hidden.hide(finding)).collect(),
            owner_expects: platform.expectations.in_words().map(|words| hidden.hide(&words)).collect(),
            without_records: silent.map(|(role, _)| platform.conventions.certificate_name(role)).collect(),
        };
        let tenants = platform.model.tenants().map(|slug| TenantFacts {
            slug: slug.to_string(),
            agents: platform
                .model
                .agents()
                .filter(|agent| agent.tenant() == Some(slug))
                .map(|agent| agent.to_string())
                .collect(),
        });
        Self {
            name: platform.name.to_string(),
            started_by: StartedBy::Others(described),
            tenants: tenants.collect(),
        }
    }

    /// What the description of somebody else's platform says of it that is not so.
    pub fn findings(&self) -> &[String] {
        match &self.started_by {
            StartedBy::Bulkhead { .. } => &[],
            StartedBy::Others(described) => &described.findings,
        }
    }

    /// What its owner expects in place of what the model does.
    pub fn owner_expects(&self) -> &[String] {
        match &self.started_by {
            StartedBy::Bulkhead { .. } => &[],
            StartedBy::Others(described) => &described.owner_expects,
        }
    }

    /// The services that are taken at their word.
    pub fn without_records(&self) -> &[String] {
        match &self.started_by {
            StartedBy::Bulkhead { .. } => &[],
            StartedBy::Others(described) => &described.without_records,
        }
    }
}

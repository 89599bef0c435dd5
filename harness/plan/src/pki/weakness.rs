//! Certificate hierarchies that are not as they must be, for seeded faults.

use std::fmt;

/// What is wrong with a certificate hierarchy. Nobody but a fault of the catalogue has one: see [`crate::fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weakness(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoNameConstraint,
    NoPathLength,
    LocalhostInLeaves,
    ComponentInLeaves,
    SharedTenantKey,
    PlatformUnconstrained,
}

impl Weakness {
    /// Tenants' authorities may sign for any name.
    pub(crate) const NO_NAME_CONSTRAINT: Self = Self(Kind::NoNameConstraint);
    /// Tenants' authorities may have authorities below them.
    pub(crate) const NO_PATH_LENGTH: Self = Self(Kind::NoPathLength);
    /// Every agent's certificate names `localhost` as well.
    pub(crate) const LOCALHOST_IN_LEAVES: Self = Self(Kind::LocalhostInLeaves);
    /// Every agent's certificate names its component alone as well, which every tenant has.
    pub(crate) const COMPONENT_IN_LEAVES: Self = Self(Kind::ComponentInLeaves);
    /// All tenants' authorities have one key.
    pub(crate) const SHARED_TENANT_KEY: Self = Self(Kind::SharedTenantKey);
    /// The platform's authority may sign for any name.
    pub(crate) const PLATFORM_UNCONSTRAINED: Self = Self(Kind::PlatformUnconstrained);

    pub(super) fn drops_constraint_of_tenants(self) -> bool {
        self.0 == Kind::NoNameConstraint
    }

    pub(super) fn drops_constraint_of_platform(self) -> bool {
        self.0 == Kind::PlatformUnconstrained
    }

    pub(super) fn drops_path_length(self) -> bool {
        self.0 == Kind::NoPathLength
    }

    pub(super) fn shares_tenant_key(self) -> bool {
        self.0 == Kind::SharedTenantKey
    }

    /// A further name in the certificate of an agent that is this component.
    pub(super) fn further_name(self, component: &str) -> Option<String> {
        match self.0 {
            Kind::LocalhostInLeaves => Some("localhost".to_owned()),
            Kind::ComponentInLeaves => Some(format!("{component}.serviceradar")),
            _ => None,
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Kind::NoNameConstraint => "tenants' authorities without a name constraint",
            Kind::NoPathLength => "tenants' authorities without a path length",
            Kind::LocalhostInLeaves => "agents' certificates that also name localhost",
            Kind::ComponentInLeaves => "agents' certificates that also name their component alone",
            Kind::SharedTenantKey => "one key for all tenants' authorities",
            Kind::PlatformUnconstrained => "the platform's authority without a name constraint",
        })
    }
}

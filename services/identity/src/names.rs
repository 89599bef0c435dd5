//! Who a peer is: the names that stand in leaf certificates.

use std::fmt;
use std::str::FromStr;

use crate::label::{Component, Partition, TenantSlug};
use crate::name_error::{NameError, NameFault};
use crate::spiffe::SpiffeId;
use crate::string_form::string_form;

/// The end of every common name, with the dot before it.
pub(crate) const DOMAIN_SUFFIX: &str = ".serviceradar";

/// The name of a tenant's component: `<component>.<partition>.<slug>.serviceradar`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName {
    /// Which component.
    pub component: Component,
    /// In which partition of the tenant's network.
    pub partition: Partition,
    /// Whose it is.
    pub tenant: TenantSlug,
}

impl TenantName {
    /// The name as it stands in a certificate's CN and DNS SAN.
    pub fn common_name(&self) -> String {
        self.to_string()
    }

    /// The name inside its tenant.
    pub fn agent_id(&self) -> AgentId {
        AgentId { component: self.component.clone(), partition: self.partition.clone() }
    }

    /// `spiffe://serviceradar.local/<component>/<slug>/<partition>`.
    pub fn spiffe_id(&self) -> SpiffeId {
        SpiffeId::of(PeerName::Tenant(self.clone()))
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { component, partition, tenant } = self;
        write!(formatter, "{component}.{partition}.{tenant}{DOMAIN_SUFFIX}")
    }
}

impl FromStr for TenantName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "tenant component's name";
        const FORM: NameFault = NameFault::Form("<component>.<partition>.<tenant slug>.serviceradar");
        let mut labels = text.strip_suffix(DOMAIN_SUFFIX).unwrap_or("").split('.');
        let parts = (labels.next(), labels.next(), labels.next(), labels.next());
        let (Some(component), Some(partition), Some(tenant), None) = parts else {
            return Err(NameError::new(WHAT, text, FORM));
        };
        let whole = |error: NameError| NameError::new(WHAT, text, error.fault);
        Ok(Self {
            component: component.parse().map_err(whole)?,
            partition: partition.parse().map_err(whole)?,
            tenant: tenant.parse().map_err(whole)?,
        })
    }
}

string_form!(TenantName);

/// A component inside its tenant, `<component>.<partition>`: `agent-001.p1`. Every tenant may have the same
/// ones; only together with a tenant is it an identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId {
    /// Which component.
    pub component: Component,
    /// In which partition of the tenant's network.
    pub partition: Partition,
}

impl AgentId {
    /// The whole name of this component of `tenant`.
    pub fn of_tenant(&self, tenant: &TenantSlug) -> TenantName {
        TenantName {
            component: self.component.clone(),
            partition: self.partition.clone(),
            tenant: tenant.clone(),
        }
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.component, self.partition)
    }
}

impl FromStr for AgentId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "agent id";
        let Some((component, partition)) = text.split_once('.') else {
            let fault = NameFault::Form("<component>.<partition>");
            return Err(NameError::new(WHAT, text, fault));
        };
        let whole = |error: NameError| NameError::new(WHAT, text, error.fault);
        Ok(Self {
            component: component.parse().map_err(whole)?,
            partition: partition.parse().map_err(whole)?,
        })
    }
}

string_form!(AgentId);

/// A service of the platform, which belongs to no tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlatformName {
    /// The NATS server: `nats.serviceradar`.
    Nats,
    /// The platform poller: `poller.serviceradar`.
    Poller,
    /// The core service: `core.serviceradar`.
    Core,
    /// The platform's administrator: `admin.platform.serviceradar`.
    Admin,
}

impl PlatformName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nats, Self::Poller, Self::Core, Self::Admin];

    /// The name as it stands in a certificate's CN and DNS SAN.
    pub const fn common_name(self) -> &'static str {
        match self {
            Self::Nats => "nats.serviceradar",
            Self::Poller => "poller.serviceradar",
            Self::Core => "core.serviceradar",
            Self::Admin => "admin.platform.serviceradar",
        }
    }

    /// The service's own word, as it stands in its SPIFFE ID: `nats`.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Poller => "poller",
            Self::Core => "core",
            Self::Admin => "admin",
        }
    }

    /// `spiffe://serviceradar.local/platform/<service>`.
    pub fn spiffe_id(self) -> SpiffeId {
        SpiffeId::of(PeerName::Platform(self))
    }
}

impl AsRef<str> for PlatformName {
    fn as_ref(&self) -> &str {
        self.common_name()
    }
}

impl fmt::Display for PlatformName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.common_name())
    }
}

impl FromStr for PlatformName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = Self::ALL.into_iter().find(|name| name.common_name() == text);
        known.ok_or_else(|| {
            let fault = NameFault::Form(
                "nats.serviceradar, poller.serviceradar, core.serviceradar or admin.platform.serviceradar",
            );
            NameError::new("platform service's name", text, fault)
        })
    }
}

string_form!(PlatformName);

/// Who a peer is: what a verified certificate proves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerName {
    /// A component of a tenant.
    Tenant(TenantName),
    /// A service of the platform.
    Platform(PlatformName),
}

impl PeerName {
    /// The tenant that the peer belongs to; a platform service belongs to none.
    pub fn tenant(&self) -> Option<&TenantSlug> {
        match self {
            Self::Tenant(name) => Some(&name.tenant),
            Self::Platform(_) => None,
        }
    }

    /// The name as it stands in a certificate's CN and DNS SAN.
    pub fn common_name(&self) -> String {
        self.to_string()
    }

    /// The SPIFFE ID that belongs to this name.
    pub fn spiffe_id(&self) -> SpiffeId {
        SpiffeId::of(self.clone())
    }
}

impl From<TenantName> for PeerName {
    fn from(name: TenantName) -> Self {
        Self::Tenant(name)
    }
}

impl From<PlatformName> for PeerName {
    fn from(name: PlatformName) -> Self {
        Self::Platform(name)
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(name) => name.fmt(formatter),
            Self::Platform(name) => name.fmt(formatter),
        }
    }
}

impl FromStr for PeerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // The two kinds cannot be confused: a tenant's name has four labels, a platform's two or three.
        if let Ok(platform) = text.parse::<PlatformName>() {
            return Ok(Self::Platform(platform));
        }
        text.parse().map(Self::Tenant)
    }
}

string_form!(PeerName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_name_knows_its_parts() {
        let name: TenantName = "agent-001.p1.acme.serviceradar".parse().unwrap();
        assert_eq!(name.agent_id().to_string(), "agent-001.p1");
        assert_eq!(name.tenant.as_str(), "acme");
        assert_eq!(name.spiffe_id().to_string(), "spiffe://serviceradar.local/agent-001/acme/p1");
        assert_eq!(name.agent_id().of_tenant(&name.tenant), name);
    }

    #[test]
    fn platform_and_tenant_names_are_told_apart() {
        for name in PlatformName::ALL {
            let peer: PeerName = name.common_name().parse().unwrap();
            assert_eq!(peer, PeerName::Platform(name));
            assert_eq!(peer.tenant(), None);
        }
    }

    #[test]
    fn what_is_almost_a_name_is_none() {
        for bad in [
            "",
            ".serviceradar",
            "acme.serviceradar",
            "agent.acme.serviceradar",
            "agent.p1.acme",
            "agent.p1.acme.serviceradar.",
            "agent.p1.acme.serviceradar\0.evil.serviceradar",
            "a.agent.p1.acme.serviceradar",
            "agent..acme.serviceradar",
            "*.p1.acme.serviceradar",
            "agent.p1.ACME.serviceradar",
            "agent.p1.platform.serviceradar",
            "agent.tenant-acme.ca.serviceradar",
        ] {
            assert!(bad.parse::<PeerName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_longest_name_fits_into_a_common_name() {
        let label = "abcdefghijklmnop";
        let name: PeerName = format!("{label}.{label}.{label}.serviceradar").parse().unwrap();
        assert!(name.common_name().len() <= 64);
    }
}

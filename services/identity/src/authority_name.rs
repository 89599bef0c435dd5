//! The names of certificate authorities.

use std::fmt;
use std::str::FromStr;

use crate::label::TenantSlug;
use crate::name_error::{NameError, NameFault};
use crate::names::PeerName;
use crate::string_form::string_form;

const CA_SUFFIX: &str = ".ca.serviceradar";
const ROOT: &str = "root";
const PLATFORM: &str = "platform";
const TENANT_PREFIX: &str = "tenant-";

/// A certificate authority of the hierarchy: the root, and below it one for the platform's services and one
/// for each tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthorityName {
    /// `root.ca.serviceradar`: signs the other authorities and nobody else.
    Root,
    /// `platform.ca.serviceradar`: signs platform services.
    Platform,
    /// `tenant-<slug>.ca.serviceradar`: signs that tenant's components.
    Tenant(TenantSlug),
}

impl AuthorityName {
    /// The name as it stands in the authority's CN.
    pub fn common_name(&self) -> String {
        self.to_string()
    }

    /// Whether this authority is the one that may name this peer: the issuer decides. The platform's
    /// authority mints no tenant names, a tenant's authority mints its own tenant's only, the root mints none.
    pub fn may_mint(&self, peer: &PeerName) -> bool {
        match (self, peer) {
            (Self::Platform, PeerName::Platform(_)) => true,
            (Self::Tenant(slug), PeerName::Tenant(name)) => *slug == name.tenant,
            (Self::Root | Self::Platform | Self::Tenant(_), _) => false,
        }
    }

    /// The one authority that may name this peer.
    pub fn responsible_for(peer: &PeerName) -> Self {
        match peer {
            PeerName::Platform(_) => Self::Platform,
            PeerName::Tenant(name) => Self::Tenant(name.tenant.clone()),
        }
    }
}

impl fmt::Display for AuthorityName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => write!(formatter, "{ROOT}{CA_SUFFIX}"),
            Self::Platform => write!(formatter, "{PLATFORM}{CA_SUFFIX}"),
            Self::Tenant(slug) => write!(formatter, "{TENANT_PREFIX}{slug}{CA_SUFFIX}"),
        }
    }
}

impl FromStr for AuthorityName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "certificate authority's name";
        const FORM: NameFault = NameFault::Form(
            "root.ca.serviceradar, platform.ca.serviceradar or tenant-<slug>.ca.serviceradar",
        );
        let form = || NameError::new(WHAT, text, FORM);
        let label = text.strip_suffix(CA_SUFFIX).ok_or_else(form)?;
        match label {
            ROOT => Ok(Self::Root),
            PLATFORM => Ok(Self::Platform),
            _ => {
                let slug = label.strip_prefix(TENANT_PREFIX).ok_or_else(form)?;
                let slug = slug.parse::<TenantSlug>();
                slug.map(Self::Tenant).map_err(|error| NameError::new(WHAT, text, error.fault))
            }
        }
    }
}

string_form!(AuthorityName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for text in ["root.ca.serviceradar", "platform.ca.serviceradar", "tenant-acme.ca.serviceradar"] {
            assert_eq!(text.parse::<AuthorityName>().unwrap().to_string(), text);
        }
        for bad in [
            "ca.serviceradar",
            "acme.ca.serviceradar",
            "tenant-.ca.serviceradar",
            "tenant-root.ca.serviceradar",
        ] {
            assert!(bad.parse::<AuthorityName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_issuer_decides_whom_it_may_name() {
        let acme: AuthorityName = "tenant-acme.ca.serviceradar".parse().unwrap();
        let names = [
            ("agent-001.p1.acme.serviceradar", [false, false, true]),
            ("agent-001.p1.acme2.serviceradar", [false, false, false]),
            ("nats.serviceradar", [false, true, false]),
            ("admin.platform.serviceradar", [false, true, false]),
        ];
        for (name, expected) in names {
            let peer: PeerName = name.parse().unwrap();
            let found = [&AuthorityName::Root, &AuthorityName::Platform, &acme]
                .map(|authority| authority.may_mint(&peer));
            assert_eq!(found, expected, "{name}");
        }
    }
}

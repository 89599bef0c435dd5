//! The names of an identity. Local until `bulkhead-identity` lands its own.
#![allow(missing_docs)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub String);

const RESERVED: &[&str] = &[
    "platform",
    "admin",
    "root",
    "system",
    "sys",
    "js",
    "kv",
    "inbox",
    "core",
    "nats",
    "poller",
    "pollers",
    "agent",
    "agents",
    "jobs",
    "events",
    "logs",
    "ca",
    "tenant",
    "localhost",
    "serviceradar",
    "api",
    "svc",
];

fn label(text: &str, what: &str) -> Result<String, NameError> {
    let bytes = text.as_bytes();
    let ok = (1..=16).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && !text.contains("--")
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if ok {
        Ok(text.to_owned())
    } else {
        Err(NameError(format!("{text:?} is not a {what}")))
    }
}

macro_rules! name {
    ($type:ident, $what:literal, $reserved:expr) => {
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);
        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if $reserved.contains(&text) {
                    return Err(NameError(format!("{text:?} is reserved")));
                }
                label(text, $what).map(Self)
            }
        }
        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(TenantSlug, "tenant slug", RESERVED);
name!(Partition, "partition", [""]);
name!(Component, "component", [""]);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId {
    pub component: Component,
    pub partition: Partition,
}

impl FromStr for AgentId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (component, partition) = text
            .split_once('.')
            .ok_or_else(|| NameError(format!("{text:?} is not <component>.<partition>")))?;
        Ok(Self {
            component: component.parse()?,
            partition: partition.parse()?,
        })
    }
}
impl TryFrom<String> for AgentId {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}
impl From<AgentId> for String {
    fn from(id: AgentId) -> String {
        id.to_string()
    }
}
impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.component, self.partition)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName {
    pub component: Component,
    pub partition: Partition,
    pub tenant: TenantSlug,
}

impl TenantName {
    pub fn common_name(&self) -> String {
        format!(
            "{}.{}.{}.serviceradar",
            self.component, self.partition, self.tenant
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlatformName {
    Nats,
    Poller,
    Core,
    Admin,
}

impl PlatformName {
    pub fn common_name(&self) -> String {
        match self {
            Self::Nats => "nats.serviceradar",
            Self::Poller => "poller.serviceradar",
            Self::Core => "core.serviceradar",
            Self::Admin => "admin.platform.serviceradar",
        }
        .to_owned()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PeerName {
    Tenant(TenantName),
    Platform(PlatformName),
}

impl PeerName {
    pub fn common_name(&self) -> String {
        self.to_string()
    }
    pub fn tenant(&self) -> Option<&TenantSlug> {
        match self {
            Self::Tenant(name) => Some(&name.tenant),
            Self::Platform(_) => None,
        }
    }
    pub fn spiffe_id(&self) -> String {
        match self {
            Self::Tenant(n) => format!(
                "spiffe://serviceradar.local/{}/{}/{}",
                n.component, n.tenant, n.partition
            ),
            Self::Platform(PlatformName::Nats) => {
                "spiffe://serviceradar.local/platform/nats".into()
            }
            Self::Platform(PlatformName::Poller) => {
                "spiffe://serviceradar.local/platform/poller".into()
            }
            Self::Platform(PlatformName::Core) => {
                "spiffe://serviceradar.local/platform/core".into()
            }
            Self::Platform(PlatformName::Admin) => {
                "spiffe://serviceradar.local/platform/admin".into()
            }
        }
    }
}
impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(name) => f.write_str(&name.common_name()),
            Self::Platform(name) => f.write_str(&name.common_name()),
        }
    }
}
impl FromStr for PeerName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        for name in [
            PlatformName::Nats,
            PlatformName::Poller,
            PlatformName::Core,
            PlatformName::Admin,
        ] {
            if name.common_name() == text {
                return Ok(Self::Platform(name));
            }
        }
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            [component, partition, tenant, "serviceradar"] => Ok(Self::Tenant(TenantName {
                component: component.parse()?,
                partition: partition.parse()?,
                tenant: tenant.parse()?,
            })),
            _ => Err(NameError(format!("{text:?} is not a name"))),
        }
    }
}
impl TryFrom<String> for PeerName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}
impl From<PeerName> for String {
    fn from(name: PeerName) -> String {
        name.to_string()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthorityName {
    Root,
    Platform,
    Tenant(TenantSlug),
}
impl AuthorityName {
    pub fn common_name(&self) -> String {
        match self {
            Self::Root => "root.ca.serviceradar".into(),
            Self::Platform => "platform.ca.serviceradar".into(),
            Self::Tenant(slug) => format!("tenant-{slug}.ca.serviceradar"),
        }
    }
}

//! The parts of a specification that have defaults.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::Duration;

use crate::topology::Role;

/// How tenants are separated on the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// Each tenant's agents on a network of their own; NATS and the poller on all of them.
    #[default]
    PerTenant,
    /// Everything on one network: what remains between tenants is what certificates and accounts enforce.
    Flat,
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PerTenant => "per-tenant",
            Self::Flat => "flat",
        })
    }
}

impl FromStr for NetworkMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "per-tenant" => Ok(Self::PerTenant),
            "flat" => Ok(Self::Flat),
            other => Err(format!("{other:?} is no network mode: use per-tenant or flat")),
        }
    }
}

/// Images to use in place of the project's own, by reference (`registry/name:tag` or an image ID).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageOverrides {
    /// In place of NATS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats: Option<String>,
    /// In place of the poller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poller: Option<String>,
    /// In place of every agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl ImageOverrides {
    /// The same, unless one of them has no name: whose.
    pub(super) fn checked(self) -> Result<Self, Role> {
        let images = [(Role::Nats, &self.nats), (Role::Poller, &self.poller), (Role::Agent, &self.agent)];
        let empty = |image: &Option<String>| image.as_ref().is_some_and(|image| image.trim().is_empty());
        let unnamed = images.into_iter().find(|(_, image)| empty(image)).map(|(role, _)| role);
        unnamed.map_or(Ok(self), Err)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Ports of the host to use in place of free ones. A port that is taken is an error at start, never silently another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ports {
    /// Where NATS answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats: Option<u16>,
    /// Where the poller answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poller: Option<u16>,
}

impl Ports {
    /// The same, unless it is one port twice: which. 0 is no port: who listens there is given one.
    pub(super) fn checked(self) -> Result<Self, u16> {
        match (self.nats, self.poller) {
            (Some(nats), Some(poller)) if nats == poller && nats != 0 => Err(nats),
            _ => Ok(self),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How long certificates are valid, from the moment of issue. The defaults are those of ServiceRadar: certificate
/// authorities ten years, leaves one year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetimes {
    /// The root's, in days.
    pub root_days: NonZeroU32,
    /// The platform's and the tenants' certificate authorities', in days.
    pub authority_days: NonZeroU32,
    /// A service's certificate's, in hours.
    pub leaf_hours: NonZeroU32,
}

/// Lifetimes that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LifetimesError {
    /// Beyond a hundred years.
    #[error("root_days is {0}: at most {MAX_DAYS} days (a hundred years) are possible")]
    TooLong(NonZeroU32),
    /// A certificate authority would outlive the root.
    #[error(
        "authority_days ({authority_days}) is longer than root_days ({root_days}): an authority cannot outlive its issuer"
    )]
    AuthorityOutlivesRoot {
        /// The root's, in days.
        root_days: NonZeroU32,
        /// The authorities', in days.
        authority_days: NonZeroU32,
    },
    /// A leaf would outlive its certificate authority.
    #[error(
        "leaf_hours ({leaf_hours}) is longer than authority_days ({authority_days}): a leaf cannot outlive its issuer"
    )]
    LeafOutlivesAuthority {
        /// The authorities', in days.
        authority_days: NonZeroU32,
        /// The leaves', in hours.
        leaf_hours: NonZeroU32,
    },
}

/// A hundred years: every date stays inside what a certificate can carry.
const MAX_DAYS: u32 = 36_500;

const fn non_zero(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { root_days: non_zero(3650), authority_days: non_zero(3650), leaf_hours: non_zero(24 * 365) }
    }
}

impl Lifetimes {
    pub(super) fn checked(self) -> Result<Self, LifetimesError> {
        let Self { root_days, authority_days, leaf_hours } = self;
        if root_days.get() > MAX_DAYS {
            return Err(LifetimesError::TooLong(root_days));
        }
        if authority_days > root_days {
            return Err(LifetimesError::AuthorityOutlivesRoot { root_days, authority_days });
        }
        if self.leaf() > self.authority() {
            return Err(LifetimesError::LeafOutlivesAuthority { authority_days, leaf_hours });
        }
        Ok(self)
    }

    /// The root's.
    pub fn root(&self) -> Duration {
        Duration::days(self.root_days.get().into())
    }

    /// The certificate authorities'.
    pub fn authority(&self) -> Duration {
        Duration::days(self.authority_days.get().into())
    }

    /// The leaves'.
    pub fn leaf(&self) -> Duration {
        Duration::hours(self.leaf_hours.get().into())
    }
}

//! From where an attempt is made.

use std::fmt;

use bulkhead_identity::TenantSlug;

/// From where an attempt is made. A stolen certificate works wherever its thief is, unless the network is in the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vantage {
    /// Inside a tenant's own network.
    Tenant(TenantSlug),
    /// Inside the platform's network; the only one where all share one.
    Platform,
    /// On a network that is none of the environment's.
    Outside,
    /// On this machine itself, whose kernel is in all of them: what its administrator sees.
    Host,
}

impl fmt::Display for Vantage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(slug) => write!(formatter, "{slug}'s network"),
            Self::Platform => formatter.write_str("the platform's network"),
            Self::Outside => formatter.write_str("outside"),
            Self::Host => formatter.write_str("this machine"),
        }
    }
}

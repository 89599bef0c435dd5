//! What can be wrong with a specification.

use super::{LifetimesError, MAX_AGENTS_PER_TENANT, MAX_TENANTS, MAX_TENANTS_IN_CONTAINERS};
use super::{Position, YamlError};
use crate::topology::Role;
use bulkhead_identity::{AgentId, NameError, TenantSlug};

/// Why a specification is refused. Nothing has been created when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// No YAML, an unknown or missing key, a wrong type, or a name outside the grammar.
    #[error("the specification cannot be read:\n{0}")]
    Unreadable(#[from] YamlError),
    /// 0 tenants, or more than there may be.
    #[error(
        "{found} tenants were asked for: give between 1 and {MAX_TENANTS} \
         (at most {MAX_TENANTS_IN_CONTAINERS} when they run in containers)"
    )]
    TenantCount {
        /// How many were asked for.
        found: usize,
    },
    /// A tenant without agents, or with more than there may be.
    #[error(
        "{}tenant {tenant} has {found} agents: give it between 1 and {MAX_AGENTS_PER_TENANT}",
        prefix(at)
    )]
    AgentCount {
        /// Whose.
        tenant: TenantSlug,
        /// How many were asked for.
        found: usize,
        /// Where the tenant stands.
        at: Option<Position>,
    },
    /// One slug twice.
    #[error("{}tenant {slug} is there twice: remove one, or give it another slug", prefix(at))]
    DuplicateTenant {
        /// Which.
        slug: TenantSlug,
        /// Where the second one stands.
        at: Option<Position>,
    },
    /// One agent twice in one tenant.
    #[error("{}tenant {tenant} has agent {agent} twice: remove one, or give it another name", prefix(at))]
    DuplicateAgent {
        /// Which.
        agent: AgentId,
        /// Whose.
        tenant: TenantSlug,
        /// Where the second one stands.
        at: Option<Position>,
    },
    /// Both services at one port of the host.
    #[error(
        "{}ports.nats and ports.poller are both {port}: give each a port of its own, or leave one out",
        prefix(at)
    )]
    SamePort {
        /// Which.
        port: u16,
        /// Where the ports stand.
        at: Option<Position>,
    },
    /// An image without a name.
    #[error("{}images.{role} is empty: name an image, or leave it out to use the project's own", prefix(at))]
    EmptyImage {
        /// In place of which service's.
        role: Role,
        /// Where the images stand.
        at: Option<Position>,
    },
    /// Lifetimes that contradict each other.
    #[error("{}{error}", prefix(at))]
    Lifetimes {
        /// How.
        error: LifetimesError,
        /// Where they stand.
        at: Option<Position>,
    },
    /// A name made by this crate that its own grammar refuses; the limits above exclude it.
    #[error(transparent)]
    Name(#[from] NameError),
}

fn prefix(at: &Option<Position>) -> String {
    at.map(|position| format!("{position}: ")).unwrap_or_default()
}

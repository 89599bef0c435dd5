//! What can be wrong with a description of a platform.

use bulkhead_identity::{AgentId, TenantSlug};

use super::written::SCHEMA_VERSION;
use crate::spec::{Position, YamlError};

/// Why a description is refused. Nothing has been attempted when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// No YAML or JSON, an unknown or missing key, a wrong type, or a name outside the grammar.
    #[error("it cannot be read:\n{0}")]
    Unreadable(#[from] YamlError),
    /// Another version of the format.
    #[error("schema_version is {0}: write {SCHEMA_VERSION}, the only one that is read here")]
    Version(u32),
    /// A template that means the same for everybody.
    #[error("conventions.{field} lacks the place {{{place}}}: write it where it differs")]
    Template {
        /// Which.
        field: &'static str,
        /// What it lacks.
        place: &'static str,
    },
    /// One slug twice.
    #[error(
        "tenants: {0} is there twice: remove one, or give it another slug (its own name goes into `name`)"
    )]
    DuplicateTenant(TenantSlug),
    /// One agent twice in one tenant.
    #[error("tenants: {tenant} has agent {agent} twice: remove one, or give it another id")]
    DuplicateAgent {
        /// Whose.
        tenant: TenantSlug,
        /// Which.
        agent: AgentId,
    },
    /// Two identities of one name cannot be told apart.
    #[error("{one} and {other} both have the certificate name {name:?}: nothing would tell them apart")]
    SameName {
        /// One.
        one: String,
        /// The other.
        other: String,
        /// Both are called so.
        name: String,
    },
    /// What is expected cannot be meant.
    #[error("{at}: {what}")]
    Expectation {
        /// Where it stands.
        at: Position,
        /// What is wrong with it, and what to write.
        what: String,
    },
}

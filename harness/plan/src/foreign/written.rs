//! The file that describes a platform, as it is written.

use std::path::PathBuf;

use bulkhead_identity::{AgentId, TenantSlug};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conventions::WrittenConventions;
use crate::access::DenialReason;
use crate::spec::EnvironmentName;
use crate::yaml::Spanned;

/// The version of the format. A reader refuses any other.
pub const SCHEMA_VERSION: u32 = 1;

/// A platform that this project did not start: everything that is known of it. Paths are relative to the file's own
/// folder; addresses are `host:port` as seen from here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformDescription {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// A name for reports.
    #[schemars(with = "String")]
    pub name: EnvironmentName,
    /// Whether attempts may be made that would do harm to others than this run if they succeeded: purging an account,
    /// purging what the platform keeps, deposing a leader, using up a share.
    #[serde(default)]
    pub harmful_attempts: bool,
    /// Whom the platform believes.
    pub trust: Trust,
    /// What is not any tenant's.
    pub platform: WrittenPlatform,
    /// The tenants: two at least, or nothing crosses.
    #[serde(default)]
    pub tenants: Vec<WrittenTenant>,
    /// How the platform calls things.
    #[serde(default)]
    pub conventions: WrittenConventions,
    /// Which outcome is expected where, in place of the access model's; later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Override>")]
    pub expectations: Vec<Spanned<Override>>,
}

/// Whom the platform believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The certificate that everything descends from, PEM.
    pub root: PathBuf,
    /// Its key, if forged certificates may be made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_key: Option<PathBuf>,
    /// The authority of the platform's services, PEM; the root when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_authority: Option<PathBuf>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_authority_key: Option<PathBuf>,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The certificate and its issuers, leaf first, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM (PKCS #8).
    pub key: PathBuf,
}

/// What is not any tenant's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenPlatform {
    /// The message broker; none when the platform has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats: Option<WrittenService>,
    /// The poller: its credential, and where it serves `monitoring.PollerService`, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poller: Option<WrittenService>,
    /// The platform's administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<WrittenService>,
}

/// A service or an identity of the platform's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenService {
    /// Where it listens, `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The DNS name in its certificate.
    pub certificate_name: String,
    /// Its credential, when it is at hand: who steals it could then act with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Where its records are.
    #[serde(default)]
    pub records: Records,
}

/// Where a service writes what it accepted and refused: audit records as this project's services do, or nats-server's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Records {
    /// Nobody can read any: a denial is then taken on the service's explicit word alone.
    #[default]
    None,
    /// A log file that it appends to.
    File(PathBuf),
    /// The log of a container of the local engine.
    Container(String),
}

/// One tenant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenTenant {
    /// A word for it here: lower case letters, digits and hyphens.
    #[schemars(with = "String")]
    pub slug: TenantSlug,
    /// What stands in place of `{tenant}`, when it is not the slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its own authority's certificate, PEM; the root when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// That authority's key, if forged certificates may be made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_key: Option<PathBuf>,
    /// Its agents.
    #[serde(default)]
    pub agents: Vec<WrittenAgent>,
}

/// One agent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenAgent {
    /// `<component>.<partition>`, for `{component}` and `{partition}`.
    #[schemars(with = "String")]
    pub id: AgentId,
    /// The DNS name in its certificate, when it is not what the template says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    /// Where it serves `monitoring.AgentService`, `host:port`; absent for one that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its credential.
    pub identity: Identity,
    /// Where its records are.
    #[serde(default)]
    pub records: Records,
}

/// What is expected of some cells, in place of what the access model expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Which: a cell's name, `operation | who | from | to whom`, in which `*` stands for anything.
    pub cells: String,
    /// What.
    pub expect: Expected,
    /// For `denied`: by what, any of these. Whatever it is refused for, when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<DenialReason>,
    /// Why; has to be there for `not-covered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// An outcome that can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// It is done.
    Allowed,
    /// It is refused.
    Denied,
    /// No packet comes back.
    Unreachable,
    /// It is not attempted.
    NotCovered,
}

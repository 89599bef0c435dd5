//! `environment.json`: what runs, where, and with which credentials, for tests and other tools to read.
//!
//! Its schema is published as `docs/schema/environment.schema.json`.

mod assemble;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::pki::revocation_list_path;
use crate::spec::{EnvironmentName, NetworkMode};
use crate::topology::{Role, ServiceId, Subnet};
use bulkhead_identity::{AgentId, AuthorityName, PeerName, TenantSlug};

pub use assemble::{MissingService, RunningService};

/// The version of the format. A reader refuses any other.
pub const SCHEMA_VERSION: u32 = 1;

/// A running environment. Paths are absolute; addresses are `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentRecord {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The environment's name.
    #[schemars(with = "String")]
    pub name: EnvironmentName,
    /// What runs the services.
    pub backend: BackendKind,
    /// When it was created (RFC 3339).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created_at: OffsetDateTime,
    /// The directory with everything that belongs to the environment.
    pub state_dir: PathBuf,
    /// How tenants are separated on the network.
    pub network_mode: NetworkMode,
    /// The root certificate, PEM.
    pub root: PathBuf,
    /// The platform authority's certificate, PEM.
    pub platform_authority: PathBuf,
    /// What is not any tenant's.
    pub platform: PlatformRecord,
    /// The tenants, in the order of the specification.
    pub tenants: Vec<TenantRecord>,
    /// The services, in the order in which they were started.
    pub services: Vec<ServiceRecord>,
    /// The mistake that was made in it on purpose, to see the suite notice: such an environment isolates nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl EnvironmentRecord {
    /// Whom an authority of the environment has revoked, PEM.
    pub fn revocation_list(&self, authority: &AuthorityName) -> PathBuf {
        self.state_dir.join(revocation_list_path(authority))
    }
}

/// What runs the services of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// Containers, by the engine's interface.
    Docker,
    /// Plain processes on loopback.
    Process,
    /// Containers, by a stock Compose.
    Compose,
}

impl std::fmt::Display for BackendKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "docker",
            Self::Process => "process",
            Self::Compose => "compose",
        })
    }
}

/// A certificate with its key. The files belong to whoever started the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The name in the certificate.
    #[schemars(with = "String")]
    pub name: PeerName,
    /// The certificate and its issuers, leaf first, PEM.
    pub certificate: PathBuf,
    /// The private key, PKCS #8 PEM, readable by its owner only.
    pub key: PathBuf,
}

/// What is not any tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformRecord {
    /// The message broker.
    pub nats: EndpointRecord,
    /// The poller.
    pub poller: EndpointRecord,
    /// The broker's own credential.
    pub nats_credential: Credential,
    /// The poller's own credential.
    pub poller_credential: Credential,
    /// The platform administrator's credential.
    pub admin: Credential,
}

/// Where a platform service answers, and who it proves to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointRecord {
    /// The name in its certificate.
    #[schemars(with = "String")]
    pub name: PeerName,
    /// As seen from the host, `host:port`. A connection to it arrives from the port that it was made from, so that the
    /// service's records can be joined with a client's.
    pub address: String,
    /// The same on loopback, when it is there as well. Stock NATS tools need this one: they compare the name that they
    /// dial, and NATS's certificate names `localhost` and 127.0.0.1 and no other address of the host. An engine's proxy
    /// may stand between, so the service may see another port than the client's.
    #[serde(default)]
    pub loopback_address: Option<String>,
    /// As seen from the other services, `host:port`.
    pub inside_address: String,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    /// Who.
    #[schemars(with = "String")]
    pub slug: TenantSlug,
    /// Its certificate authority's certificate, PEM.
    pub authority: PathBuf,
    /// Its own network, when it has one.
    #[schemars(with = "Option<String>")]
    pub network: Option<Subnet>,
    /// Its agents, in the order of the specification.
    pub agents: Vec<AgentRecord>,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRecord {
    /// `<component>.<partition>`, the same in every tenant.
    #[schemars(with = "String")]
    pub id: AgentId,
    /// The name in its certificate.
    #[schemars(with = "String")]
    pub name: PeerName,
    /// As seen from the host, `host:port`.
    pub address: String,
    /// As seen from the other services, `host:port`.
    pub inside_address: String,
    /// Its credential.
    pub credential: Credential,
}

/// One service: how to find it on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRecord {
    /// Which.
    #[schemars(with = "String")]
    pub id: ServiceId,
    /// What it does.
    pub role: Role,
    /// Whose, unless it is the platform's.
    #[schemars(with = "Option<String>")]
    pub tenant: Option<TenantSlug>,
    /// The container's name, or the process's ID.
    pub handle: String,
    /// The command that shows its log, or the path of its log file.
    pub logs: String,
}

/// The JSON schema of [`EnvironmentRecord`], as it is published.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(EnvironmentRecord).to_value()
}

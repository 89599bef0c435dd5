//! What a test sees of one tenant.

use std::path::{Path, PathBuf};

use bulkhead_identity::TenantSlug;
use bulkhead_plan::ServiceId;
use bulkhead_runtime::probe::grpc::{Answer, Call, Caller, call};
use bulkhead_runtime::probe::nats::{Login, Session, login};
use bulkhead_runtime::probe::{Observation, Sight, Stopwatch};

use crate::identity::Identity;
use crate::verdict::{Unexpected, Verdict};

/// Where a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As seen from this process, `host:port`.
    pub address: String,
    /// As seen from containers on its networks, `host:port`.
    pub inside_address: String,
}

/// One tenant of a running platform.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub(crate) slug: TenantSlug,
    pub(crate) authority: PathBuf,
    pub(crate) network: String,
    pub(crate) nats: Endpoint,
    /// At least one.
    pub(crate) agents: Vec<Agent>,
}

/// One agent of a tenant.
#[derive(Debug, Clone)]
pub struct Agent {
    pub(crate) id: ServiceId,
    pub(crate) identity: Identity,
    pub(crate) endpoint: Option<Endpoint>,
}

impl Tenant {
    /// Its name.
    pub fn slug(&self) -> &TenantSlug {
        &self.slug
    }

    /// Its certificate authority's certificate, PEM.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// The engine's name of the network that its agents are on, for containers of your own
    /// ([`testcontainers::ImageExt::with_network`]).
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Its agents; every tenant's have the same names.
    pub fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// Its first agent.
    pub fn agent(&self) -> &Agent {
        // The specification refuses a tenant without agents.
        &self.agents[0]
    }

    /// Its first agent's credential.
    pub fn identity(&self) -> &Identity {
        &self.agent().identity
    }

    /// Logs in to NATS with the first agent's credential.
    ///
    /// # Errors
    /// When the broker does not accept it.
    pub async fn session(&self) -> Result<Session, Unexpected> {
        login(&self.nats.address, &Login::with(self.identity().presented())).await.allowed()
    }
}

impl Agent {
    /// Which service of the platform it is.
    pub fn id(&self) -> &ServiceId {
        &self.id
    }

    /// Its credential.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where it answers; `None` in a platform of messages only.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Makes one gRPC call to it with the credential of `caller`, whose tenant it may not be.
    pub async fn call(&self, caller: &Identity, what: Call) -> Observation<Answer> {
        match &self.endpoint {
            Some(endpoint) => {
                let caller = Caller::of(Some(caller.presented()), &self.identity.name().to_string());
                call(&endpoint.address, &caller, what).await
            }
            None => {
                let why = "no agent runs in a platform of `messages_only`".to_owned();
                Stopwatch::start(format!("gRPC call {} at {}", what.method(), self.id))
                    .stop(Sight::NotMade(why), None)
            }
        }
    }
}

//! A running platform.

use std::path::{Path, PathBuf};

use bulkhead_plan::ServiceId;
use bulkhead_runtime::probe::Observation;
use bulkhead_runtime::probe::nats::{Login, Session, login};
use bulkhead_runtime::probe::records::{Book, Source};
use testcontainers::ContainerAsync;

use crate::builder::PlatformBuilder;
use crate::cleanup::Cleanup;
use crate::error::{NoSuchTenant, TeardownError};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::image::{AgentImage, NatsImage, PollerImage};
use crate::records::Refusals;
use crate::tenant::{Endpoint, Tenant};

/// A multi-tenant platform in containers of its own. Dropping it removes the containers, the networks and the
/// credentials, and waits until they are gone. Never keep one in a `static`: those are not dropped.
#[derive(Debug)]
pub struct Platform {
    // Dropped in this order: the containers before the folder.
    pub(crate) cleanup: Cleanup,
    pub(crate) folder: Folder,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) nats: Endpoint,
    pub(crate) poller: Option<Endpoint>,
    pub(crate) admin: Identity,
    pub(crate) poller_identity: Identity,
    pub(crate) root: PathBuf,
}

impl Platform {
    /// A platform with these tenants: NATS with an account for each, the poller, and one agent each.
    pub fn with_tenants<S: Into<String>>(slugs: impl IntoIterator<Item = S>) -> PlatformBuilder {
        PlatformBuilder::of(slugs)
    }

    /// One of the tenants.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn tenant(&self, slug: &str) -> Result<&Tenant, NoSuchTenant> {
        self.tenants.iter().find(|tenant| tenant.slug.as_ref() == slug).ok_or_else(|| NoSuchTenant {
            asked: slug.to_owned(),
            known: self.tenants.iter().map(|tenant| tenant.slug.to_string()).collect(),
        })
    }

    /// The tenants, in the order in which they were asked for.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// Where NATS answers. Its certificate names `nats.serviceradar` and, for clients on this machine, `localhost` and
    /// `127.0.0.1`.
    pub fn nats(&self) -> &Endpoint {
        &self.nats
    }

    /// Where the poller answers; `None` in a platform of messages only.
    pub fn poller(&self) -> Option<&Endpoint> {
        self.poller.as_ref()
    }

    /// The platform administrator's credential.
    pub fn admin(&self) -> &Identity {
        &self.admin
    }

    /// The poller's own credential: the platform's account in NATS, and the only name that polls agents.
    pub fn poller_identity(&self) -> &Identity {
        &self.poller_identity
    }

    /// The root certificate that every certificate leads to, PEM.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The temporary folder with every certificate, key and configuration of the platform, closed to other users:
    /// `certs/` as the project lays it out, and `services/` with what each service was given.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Tries to log in to NATS with any credential.
    pub async fn login(&self, identity: &Identity) -> Observation<Session> {
        login(&self.nats.address, &Login::with(identity.presented())).await
    }

    /// Follows the services' records of refusals from now on, to join what a refused client saw with the reason.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        let containers = &self.cleanup.containers;
        let nats = containers.nats.iter().map(|one| (ServiceId::Nats, one.id()));
        let poller = containers.poller.iter().map(|one| (ServiceId::Poller, one.id()));
        let agents = containers.agents.iter().map(|(id, one)| (id.clone(), one.id()));
        let all = nats.chain(poller).chain(agents);
        let log =
            |(id, container): (ServiceId, &str)| (id.to_string(), Source::Container(container.to_owned()));
        Refusals::of(Book::open(all.map(log)))
    }

    /// NATS' container, to pause it, stop it, or read its log.
    pub fn nats_container(&self) -> Option<&ContainerAsync<NatsImage>> {
        self.cleanup.containers.nats.as_ref()
    }

    /// The poller's container.
    pub fn poller_container(&self) -> Option<&ContainerAsync<PollerImage>> {
        self.cleanup.containers.poller.as_ref()
    }

    /// An agent's container.
    pub fn agent_container(&self, agent: &ServiceId) -> Option<&ContainerAsync<AgentImage>> {
        self.cleanup.containers.agents.get(agent)
    }

    /// The value of the label `io.bulkhead.run` on everything of this platform in the engine.
    pub fn run(&self) -> &str {
        &self.cleanup.run
    }

    /// Removes everything now, and says what would not go. Dropping does the same and prints that.
    ///
    /// # Errors
    /// When the engine does not give something up.
    pub async fn down(self) -> Result<(), TeardownError> {
        self.cleanup.finish().await
    }
}

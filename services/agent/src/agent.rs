//! The whole agent: from files to a socket that is bound, and from there to a clean end.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{
    AuthorityName, PeerName, PeerPattern, PeerVerifier, PlatformName, Role, TenantName, TenantSlug,
    TrustBundle,
};
use bulkhead_kit::access::{AccessLayer, Grants};
use bulkhead_kit::config::ConfigError;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::nats::{Link, LinkError, Outbox};
use bulkhead_kit::tls::{Dialer, Limits, ListenError, Listener};
use bulkhead_kit::trust;
use bulkhead_wire::agent_service_server::AgentServiceServer;
use bulkhead_wire::{AGENT_SERVICE, HEALTH_SERVICE};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::checks::Checker;
use crate::config::{AgentConfig, IdentityError};
use crate::jobs;
use crate::messages::Pulse;
use crate::report::Reporter;
use crate::results::Results;
use crate::schedule::{self, Sink};
use crate::service;

/// The health of the link to NATS has a name of its own: without NATS an agent still serves.
const NATS_HEALTH: &str = "nats";
/// How long another service may take to be dialled.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long callers may take to hang up when the agent ends.
const DRAIN_LIMIT: Duration = Duration::from_millis(300);
/// How long NATS may take to confirm what is left when the agent ends.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificate and configuration do not go together.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Trust and identity do not go together.
    #[error("the agent could accept nobody: {0}; check the trust files")]
    Trust(String),
    /// An agent is given its own tenant's anchors and nobody else's.
    #[error(
        "trust.tenant has the authority of tenant {found}, and the agent is of tenant {own}; take it out"
    )]
    ForeignAuthority {
        /// Whose authority it is.
        found: TenantSlug,
        /// The agent's tenant.
        own: TenantSlug,
    },
    /// The address cannot be taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// NATS can never work with these settings.
    #[error(transparent)]
    Nats(#[from] LinkError),
    /// The gRPC server ended by itself.
    #[error("the gRPC server ended: {0}")]
    Server(#[from] tonic::transport::Error),
}

/// An agent whose files have been read and fit together.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    name: TenantName,
    credential: Credential,
    trust: Arc<TrustBundle>,
}

impl Agent {
    /// Reads certificate, key and anchors, and checks that they fit together and to the configuration.
    ///
    /// # Errors
    /// [`StartError`], when they do not.
    pub fn new(config: AgentConfig) -> Result<Self, StartError> {
        let credential = Credential::load(&config.identity)?;
        let name = config.agent_name(&credential)?;
        let trust = trust::load(&config.trust)?;
        check_anchors(&trust, &name.tenant)?;
        credential.check(&trust)?;
        Ok(Self { config, name, credential, trust })
    }

    /// Who the agent is.
    #[must_use]
    pub fn name(&self) -> &TenantName {
        &self.name
    }

    /// Listens and works until `shutdown`, then ends cleanly. The socket is bound before anything else, so
    /// that a caller can be told at once; NATS comes when it comes.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), StartError> {
        let grants = self.grants();
        let verifier = PeerVerifier::new(self.trust.clone(), grants.peers(), Role::Client)
            .map_err(|error| StartError::Trust(error.to_string()))?;
        let listener =
            Listener::bind(self.config.listen, &self.credential, verifier, Limits::default()).await?;
        if let Ok(address) = listener.local_address() {
            tracing::info!(%address, "listening");
        }

        let link = Link::start(&self.config.nats, &self.credential, &self.trust).await?;
        let outbox = Outbox::start(&link, self.config.nats.buffer_messages);
        let work = self.work(link, outbox.clone());
        let (health_reporter, health) = tonic_health::server::health_reporter();
        let agent = service::Agent::new(work.results.clone(), work.checker.clone(), work.pulse.clone());
        let router = listener
            .server()
            .layer(AccessLayer::new(PeerName::Tenant(self.name.clone()), grants))
            .add_service(health)
            .add_service(AgentServiceServer::new(agent));
        let incoming = listener.incoming(shutdown.clone());
        let ended = shutdown.clone().cancelled_owned();
        let server = tokio::spawn(router.serve_with_incoming_shutdown(incoming, ended));
        let tasks = work.start(&self.config, health_reporter, &shutdown);

        shutdown.cancelled().await;
        // Callers that do not hang up are cut off by the end of the process.
        if let Ok(Ok(result)) = timeout(DRAIN_LIMIT, server).await {
            result?;
        }
        finish(tasks, &outbox).await;
        Ok(())
    }

    /// The platform's poller and administrator may ask everything; the tenant's own components may ask
    /// whether the agent is well; nobody else gets past the handshake.
    fn grants(&self) -> Grants {
        let platform = [PlatformName::Poller, PlatformName::Admin]
            .map(|name| PeerPattern::Exactly(PeerName::Platform(name)));
        let members = [PeerPattern::MemberOf(self.name.tenant.clone())];
        let mut grants = Grants::none()
            .allow(AGENT_SERVICE, platform.clone())
            .allow(HEALTH_SERVICE, platform)
            .allow(HEALTH_SERVICE, members.clone());
        if seeded::is_on(SeededFault::AgentAnyPoller) {
            grants = grants.allow(AGENT_SERVICE, PeerPattern::any_platform_service());
            grants = grants.allow(AGENT_SERVICE, members);
        }
        grants
    }

    fn work(&self, link: Link, outbox: Outbox) -> Work {
        let dialer = Dialer::new(self.credential.clone(), self.trust.clone(), DIAL_TIMEOUT);
        // The configuration was judged when it was read.
        let checks = self.config.scheduled_checks().unwrap_or_default();
        let results =
            Arc::new(Results::new(self.name.clone(), checks.iter().map(|scheduled| &scheduled.check)));
        Work {
            checker: Checker::new(dialer.clone()),
            pulse: Pulse::new(results.clone(), link.clone(), outbox.clone()),
            checks,
            dialer,
            results,
            link,
            outbox,
        }
    }
}

fn check_anchors(trust: &TrustBundle, own: &TenantSlug) -> Result<(), StartError> {
    for authority in trust.authorities() {
        match authority.name() {
            AuthorityName::Tenant(found) if found != own => {
                return Err(StartError::ForeignAuthority { found: found.clone(), own: own.clone() });
            }
            _ => {}
        }
    }
    Ok(())
}

/// What goes on beside the gRPC server.
struct Work {
    checks: Vec<crate::config::ScheduledCheck>,
    checker: Checker,
    dialer: Dialer,
    results: Arc<Results>,
    pulse: Pulse,
    link: Link,
    outbox: Outbox,
}

impl Work {
    fn start(
        self,
        config: &AgentConfig,
        health: HealthReporter,
        shutdown: &CancellationToken,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(follow_nats(self.link.clone(), health, shutdown.clone()));
        tasks.spawn(self.pulse.run(config.heartbeat_interval(), shutdown.clone()));
        tasks.spawn(jobs::run(
            self.link.clone(),
            self.checker.clone(),
            self.results.clone(),
            shutdown.clone(),
        ));
        if let Some(poller) = &config.poller {
            let reporter = Reporter::new(self.dialer, poller.address.clone(), self.results.clone());
            let (pause, shutdown) = (config.heartbeat_interval(), shutdown.clone());
            tasks.spawn(async move {
                shutdown.run_until_cancelled(reporter.run(pause)).await;
            });
        }
        let sink = Sink { results: self.results, outbox: self.outbox };
        tasks.spawn(schedule::run(self.checks, self.checker, sink, self.link, shutdown.clone()));
        tasks
    }
}

/// Health as gRPC knows it: the agent serves from the start; `nats` follows the link.
async fn follow_nats(link: Link, health: HealthReporter, shutdown: CancellationToken) {
    health.set_service_status(AGENT_SERVICE, ServingStatus::Serving).await;
    let mut connected = link.connected();
    loop {
        let up = *connected.borrow_and_update();
        let status = if up { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(NATS_HEALTH, status).await;
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = connected.changed() => if changed.is_err() { return },
        }
    }
}

/// Lets everything end by itself, then gives NATS what is left.
async fn finish(mut tasks: JoinSet<()>, outbox: &Outbox) {
    while tasks.join_next().await.is_some() {}
    let status = outbox.flush(FLUSH_LIMIT).await;
    if status.pending > 0 {
        tracing::warn!(
            lost = status.pending,
            dropped = status.dropped,
            "ended with results that NATS did not confirm"
        );
    } else {
        tracing::info!(confirmed = status.confirmed, dropped = status.dropped, "ended");
    }
}

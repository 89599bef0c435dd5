//! The whole poller: everything that is started, and how it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{PeerName, PeerPattern, PeerVerifier, PlatformName, Role, TenantSlug, VerifierError};
use bulkhead_kit::access::{AccessLayer, Grants};
use bulkhead_kit::config::ConfigError;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::nats::{Link, LinkError, Outbox};
use bulkhead_kit::tls::{Dialer, Limits, Listener};
use bulkhead_wire::poller_service_server::PollerServiceServer;
use bulkhead_wire::{HEALTH_SERVICE, POLLER_SERVICE};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::anchors::Anchors;
use crate::config::PollerConfig;
use crate::fleet::Fleet;
use crate::health::Heartbeats;
use crate::poll::{DIAL_LIMIT, Target, Worker};
use crate::publish::Publisher;
use crate::supervise::supervised;
use crate::{desk, health, report, streams};

/// How long the end may wait for NATS, when it is there, to confirm what is still in the buffers.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// How long the end may wait for calls and tasks that are under way.
const END_LIMIT: Duration = Duration::from_secs(3);

/// Why the poller could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its files.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It was given somebody else's certificate.
    #[error(
        "the certificate in {file} is {found}'s, and the poller must be {}; give it its own",
        PlatformName::Poller
    )]
    WrongIdentity {
        /// The file that the certificate came from.
        file: String,
        /// Whose it is.
        found: PeerName,
    },
    /// The rule of who is accepted makes no sense with these anchors.
    #[error("cannot judge those who call the poller: {0}")]
    Verifier(#[from] VerifierError),
    /// The NATS client.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// A poller whose files were read and which has not begun yet.
pub struct Poller {
    config: PollerConfig,
    credential: Credential,
    anchors: Anchors,
    grants: Grants,
    verifier: PeerVerifier,
}

impl Poller {
    /// Reads certificates, keys and anchors, and checks that they fit together.
    ///
    /// # Errors
    /// They do not.
    pub fn new(config: PollerConfig) -> Result<Self, StartError> {
        let credential = Credential::load(&config.identity)?;
        if *credential.name() != PeerName::Platform(PlatformName::Poller) {
            return Err(StartError::WrongIdentity {
                file: credential.certificate_file().display().to_string(),
                found: credential.name().clone(),
            });
        }
        let anchors = Anchors::load(&config)?;
        credential.check(&anchors.platform)?;
        let grants = grants(!config.tenants.is_empty());
        let verifier = PeerVerifier::new(anchors.everybody.clone(), grants.peers(), Role::Client)?;
        Ok(Self { config, credential, anchors, grants, verifier })
    }

    /// Works on `socket` until `shutdown`, then ends what is under way.
    ///
    /// # Errors
    /// The NATS client's settings can never work, or the server fails. That NATS or agents are away is none.
    pub async fn run(self, socket: TcpListener, shutdown: CancellationToken) -> Result<(), RunError> {
        let settings = &self.config.nats;
        let link = Link::start(settings, &self.credential, &self.anchors.platform).await?;
        let tenants: Arc<[TenantSlug]> =
            self.config.tenants.iter().map(|tenant| tenant.slug.clone()).collect();
        let publisher = publisher(&link, &tenants, settings.buffer_messages);
        let agents = self.config.tenants.iter().flat_map(|tenant| &tenant.agents);
        let fleet = Fleet::new(agents.map(|agent| agent.name.clone()));
        let mut tasks = JoinSet::new();
        self.start_workers(&mut tasks, &publisher, &fleet, &shutdown);
        let pause = self.config.interval();
        let (desk_link, desk_tenants, end) = (link.clone(), tenants.clone(), shutdown.clone());
        tasks.spawn(supervised("administrator's desk".to_owned(), pause, shutdown.clone(), move || {
            desk::run(desk_link.clone(), desk_tenants.clone(), end.clone())
        }));
        let beats =
            Heartbeats { publisher: publisher.clone(), link: link.clone(), fleet: fleet.clone(), tenants };
        let end = shutdown.clone();
        tasks.spawn(supervised("heartbeats".to_owned(), pause, shutdown.clone(), move || {
            beats.clone().run(pause, end.clone())
        }));
        let served = self.serve(socket, &link, &fleet, publisher.clone(), shutdown.clone()).await;
        shutdown.cancel();
        // What does not end in time is aborted when the set is dropped.
        let _ = tokio::time::timeout(END_LIMIT, async { while tasks.join_next().await.is_some() {} }).await;
        let patience = if link.is_connected() { FLUSH_LIMIT } else { Duration::ZERO };
        let left = publisher.flush(patience).await;
        tracing::info!(
            confirmed = left.confirmed,
            dropped = left.dropped,
            unsent = left.pending,
            "poller has ended"
        );
        served
    }

    fn start_workers(
        &self,
        tasks: &mut JoinSet<()>,
        publisher: &Publisher,
        fleet: &Fleet,
        shutdown: &CancellationToken,
    ) {
        for tenant in &self.config.tenants {
            let Some(trust) = self.anchors.tenants.get(&tenant.slug) else { continue };
            let trust = match seeded::is_on(SeededFault::PollerAnyAgent) {
                true => &self.anchors.everybody,
                false => trust,
            };
            let dialer = Dialer::new(self.credential.clone(), trust.clone(), DIAL_LIMIT);
            let large_results = Arc::new(Semaphore::new(1));
            for agent in &tenant.agents {
                let target = Target::from(agent.clone());
                let (dialer, publisher, fleet) = (dialer.clone(), publisher.clone(), fleet.clone());
                let large_results = large_results.clone();
                let (pause, end) = (self.config.interval(), shutdown.clone());
                let what = format!("polling of {}", target.name);
                tasks.spawn(supervised(what, pause, shutdown.clone(), move || {
                    let worker = Worker::new(
                        target.clone(),
                        dialer.clone(),
                        publisher.clone(),
                        fleet.clone(),
                        large_results.clone(),
                    );
                    worker.run(pause, end.clone())
                }));
            }
        }
    }

    async fn serve(
        &self,
        socket: TcpListener,
        link: &Link,
        fleet: &Fleet,
        publisher: Publisher,
        shutdown: CancellationToken,
    ) -> Result<(), RunError> {
        let listener = Listener::over(socket, &self.credential, self.verifier.clone(), Limits::default());
        if let Ok(address) = listener.local_address() {
            tracing::info!(%address, agents = self.agent_count(), "poller is listening");
        }
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let reports = PollerServiceServer::new(report::Reports::new(publisher))
            .max_decoding_message_size(report::DECODED_MAXIMUM_BYTES);
        let serving = listener
            .server()
            .layer(AccessLayer::new(self.credential.name().clone(), self.grants.clone()))
            .add_service(health_service)
            .add_service(reports)
            .serve_with_incoming_shutdown(
                listener.incoming(shutdown.clone()),
                shutdown.clone().cancelled_owned(),
            );
        let watching = health::run(reporter, link, fleet, shutdown.clone());
        // A peer that keeps its calls open must not keep the poller from ending.
        let ended = async {
            shutdown.cancelled().await;
            tokio::time::sleep(END_LIMIT).await;
        };
        tokio::select! {
            result = async { tokio::join!(serving, watching).0 } => result.map_err(RunError::Serve),
            () = ended => Ok(()),
        }
    }

    fn agent_count(&self) -> usize {
        self.config.tenants.iter().map(|tenant| tenant.agents.len()).sum()
    }
}

/// Why the poller ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The NATS client.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The gRPC server.
    #[error("the gRPC server failed: {0}")]
    Serve(#[source] tonic::transport::Error),
}

/// Tenants' components report; they and the platform's operators ask for health.
fn grants(any_tenant: bool) -> Grants {
    let platform = [PlatformName::Admin, PlatformName::Poller].map(|name| PeerPattern::Exactly(name.into()));
    let grants = Grants::none().allow(HEALTH_SERVICE, platform);
    if !any_tenant {
        return grants;
    }
    grants.allow(HEALTH_SERVICE, [PeerPattern::AnyMember]).allow(POLLER_SERVICE, [PeerPattern::AnyMember])
}

/// A buffer per tenant; what it holds goes out when the tenant's stream is there to keep it.
fn publisher(link: &Link, tenants: &[TenantSlug], capacity: usize) -> Publisher {
    let outbox = |tenant: &TenantSlug| {
        let (client, slug) = (link.client().clone(), tenant.clone());
        let prepare = move || streams::prepare(client.clone(), slug.clone());
        (tenant.clone(), Outbox::start_prepared(link, capacity, prepare))
    };
    Publisher::new(tenants.iter().map(outbox).collect::<BTreeMap<_, _>>())
}

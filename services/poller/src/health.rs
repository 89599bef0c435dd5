//! The standard gRPC health service, and the heartbeats on NATS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::{PlatformName, TenantSlug};
use bulkhead_kit::nats::{Link, OutboxStatus};
use bulkhead_wire::POLLER_SERVICE;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::fleet::Fleet;
use crate::message::Heartbeat;
use crate::publish::Publisher;

/// Serving while the link to NATS is up.
const NATS: &str = "nats";
/// Serving once every configured agent was polled successfully at least once since start.
const AGENTS: &str = "agents";

/// Keeps the health service told until `shutdown`. The services are `""` and the poller's own, which serve
/// always, `nats` and `agents`.
pub async fn run(reporter: HealthReporter, link: &Link, fleet: &Fleet, shutdown: CancellationToken) {
    for service in ["", POLLER_SERVICE] {
        reporter.set_service_status(service, ServingStatus::Serving).await;
    }
    let watched = async {
        tokio::join!(follow(&reporter, NATS, link.connected()), follow(&reporter, AGENTS, fleet.all_polled()),)
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = watched => {}
    }
}

async fn follow(reporter: &HealthReporter, service: &str, mut state: watch::Receiver<bool>) {
    loop {
        let well = *state.borrow_and_update();
        let status = if well { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status(service, status).await;
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// Says for each tenant how the poller stands to it.
#[derive(Clone)]
pub struct Heartbeats {
    /// Whom to tell.
    pub tenants: Arc<[TenantSlug]>,
    /// Where it goes.
    pub publisher: Publisher,
    /// The way there.
    pub link: Link,
    /// Who answers.
    pub fleet: Fleet,
}

impl Heartbeats {
    /// Publishes heartbeats for each tenant until `shutdown`. While NATS is away there are none: a late heartbeat
    /// is worth nothing, and would take the place of a result in the buffer.
    pub async fn run(self, pause: Duration, shutdown: CancellationToken) {
        let Self { tenants, publisher, link, fleet } = self;
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut losses = Losses::default();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let connected = link.is_connected();
            for tenant in tenants.iter() {
                let outbox = publisher.status(tenant);
                losses.tell(tenant, outbox, connected);
                if !connected {
                    continue;
                }
                let count = fleet.count(tenant);
                publisher.heartbeat(&Heartbeat {
                    tenant: tenant.clone(),
                    poller_id: PlatformName::Poller,
                    agents_configured: count.configured,
                    agents_reachable: count.reachable,
                    outbox,
                    timestamp: OffsetDateTime::now_utc(),
                });
            }
        }
    }
}

/// How many of each tenant's messages are known to be lost.
#[derive(Debug, Default)]
struct Losses(BTreeMap<TenantSlug, u64>);

impl Losses {
    /// Warns of what was dropped since the last time. While NATS is away more is dropped each time: that it has begun
    /// is told at once, and how much it was when the link is up.
    fn tell(&mut self, tenant: &TenantSlug, outbox: OutboxStatus, connected: bool) {
        let told = self.0.get(tenant).copied().unwrap_or(0);
        if outbox.dropped > told && (connected || told == 0) {
            self.0.insert(tenant.clone(), outbox.dropped);
            tracing::warn!(
                %tenant, dropped = outbox.dropped, pending = outbox.pending, nats_connected = connected,
                "results were dropped: the tenant's buffer was full"
            );
        }
    }
}

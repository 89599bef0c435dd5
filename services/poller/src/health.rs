//! The standard gRPC health service, and the heartbeats on NATS.

use std::time::Duration;

use bulkhead_identity::{PlatformName, TenantSlug};
use bulkhead_kit::nats::Link;
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

/// Publishes heartbeats for each tenant until `shutdown`. While NATS is away there are none: a late heartbeat
/// is worth nothing, and would take the place of a result in the buffer.
pub async fn heartbeats(
    tenants: &[TenantSlug],
    publisher: Publisher,
    link: &Link,
    fleet: &Fleet,
    pause: Duration,
    shutdown: CancellationToken,
) {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if !link.is_connected() {
            continue;
        }
        for tenant in tenants {
            let count = fleet.count(tenant);
            publisher.heartbeat(&Heartbeat {
                tenant: tenant.clone(),
                poller_id: PlatformName::Poller,
                agents_configured: count.configured,
                agents_reachable: count.reachable,
                timestamp: OffsetDateTime::now_utc(),
            });
        }
    }
}

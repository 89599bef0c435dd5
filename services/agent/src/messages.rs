//! What the agent publishes on its tenant's subjects, as JSON.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_identity::Subject;
use bulkhead_kit::nats::{Link, Outbox, OutboxStatus};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::results::{Results, now_ms};

/// Any of our messages as JSON. They hold text and numbers only, of which there always is JSON.
#[must_use]
pub fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}

/// Whether the agent is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Running,
    /// It has been asked to end, and this is its last word.
    Stopping,
}

/// The agent is there: published on `<slug>.agents.status`, and the answer to a question about the agent
/// itself.
#[derive(Debug, Clone, Serialize)]
pub struct Heartbeat {
    /// The agent, `component.partition`.
    pub agent_id: String,
    /// Its tenant.
    pub tenant: String,
    /// Its partition.
    pub partition: String,
    /// Whether it is at work.
    pub state: State,
    /// When this was said: milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// For how long it has been running, in milliseconds.
    pub uptime_ms: u64,
    /// Whether the link to NATS is up.
    pub nats_connected: bool,
    /// What waits for NATS, what it has confirmed, and what was dropped beyond the bound.
    pub outbox: OutboxStatus,
    /// The checks, each with its last result.
    pub services: Vec<ServiceState>,
}

/// A check of the agent.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceState {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it found last; absent before its first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
}

/// Knows everything that a heartbeat says.
#[derive(Debug, Clone)]
pub struct Pulse {
    results: Arc<Results>,
    link: Link,
    outbox: Outbox,
    started: Instant,
}

impl Pulse {
    /// An agent that starts now.
    #[must_use]
    pub fn new(results: Arc<Results>, link: Link, outbox: Outbox) -> Self {
        Self { results, link, outbox, started: Instant::now() }
    }

    /// How the agent is now.
    #[must_use]
    pub fn beat(&self, state: State) -> Heartbeat {
        let agent = self.results.agent();
        let services = self.results.kinds().iter().map(|(name, kind)| ServiceState {
            name: name.clone(),
            kind: kind.to_string(),
            available: self.results.latest(name).map(|result| result.available),
        });
        Heartbeat {
            agent_id: agent.agent_id().to_string(),
            tenant: agent.tenant.to_string(),
            partition: agent.partition.to_string(),
            state,
            timestamp_ms: now_ms(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            nats_connected: self.link.is_connected(),
            outbox: self.outbox.status(),
            services: services.collect(),
        }
    }

    /// Publishes heartbeats until `shutdown`, and a last one then. They say how the agent is *now*, so those
    /// of an outage are not kept for later: they would only push results out of the buffer.
    pub async fn run(self, pause: Duration, shutdown: CancellationToken) {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connected = self.link.connected();
        let mut dropped = 0;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                // A link that has just come up is worth a heartbeat at once.
                Ok(()) = connected.changed() => {}
                _ = ticks.tick() => {}
            }
            let beat = self.beat(State::Running);
            if beat.outbox.dropped > dropped {
                dropped = beat.outbox.dropped;
                tracing::warn!(
                    dropped,
                    pending = beat.outbox.pending,
                    nats_connected = beat.nats_connected,
                    "results were dropped: NATS has been away for longer than the buffer lasts"
                );
            }
            self.publish(&beat).await;
        }
        self.publish(&self.beat(State::Stopping)).await;
    }

    async fn publish(&self, beat: &Heartbeat) {
        if !self.link.is_connected() {
            return;
        }
        let subject = Subject::agents_status(&self.results.agent().tenant);
        // The client is closed only when the agent is ending.
        let _ = self.link.client().publish(subject.to_string(), json(beat).into()).await;
    }
}

//! Reports to the poller of the agent's own accord, for networks in which the poller cannot dial in.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::{PeerName, PlatformName};
use bulkhead_kit::config::HostPort;
use bulkhead_kit::tls::Dialer;
use bulkhead_wire::poller_service_client::PollerServiceClient;
use bulkhead_wire::{PollerStatusRequest, ServiceStatus};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::transport::Channel;

use crate::messages;
use crate::results::{CheckResult, Results, now_ms};

/// How long a report may take.
const REPORT_LIMIT: Duration = Duration::from_secs(2);

/// Sends the last result of every check, again and again.
pub struct Reporter {
    dialer: Dialer,
    address: HostPort,
    results: Arc<Results>,
    connection: Option<Channel>,
    /// What went wrong last, so that a lasting failure is told once.
    told: Option<String>,
}

impl Reporter {
    /// Reports to the poller at `address`.
    #[must_use]
    pub fn new(dialer: Dialer, address: HostPort, results: Arc<Results>) -> Self {
        Self { dialer, address, results, connection: None, told: None }
    }

    /// Reports for ever, with `pause` in between; drop the future to end it.
    pub async fn run(mut self, pause: Duration) {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let latest = self.results.all_latest();
            if latest.is_empty() {
                continue;
            }
            let sent = timeout(REPORT_LIMIT, self.send(latest)).await;
            let problem = sent.unwrap_or_else(|_| Err("no answer in time".to_owned())).err();
            if problem.is_some() {
                self.connection = None;
            }
            if problem == self.told {
                continue;
            }
            match &problem {
                Some(problem) => {
                    tracing::warn!(poller = %self.address, problem, "the poller takes no reports")
                }
                None => tracing::info!(poller = %self.address, "the poller takes reports"),
            }
            self.told = problem;
        }
    }

    async fn send(&mut self, latest: Vec<CheckResult>) -> Result<(), String> {
        let request = self.request(&latest);
        // A connection that was kept may have ended of old age: only a new one's failure is the poller's.
        if let Some(kept) = self.connection.take()
            && deliver(&kept, request.clone()).await.is_ok()
        {
            self.connection = Some(kept);
            return Ok(());
        }
        let poller = PeerName::Platform(PlatformName::Poller);
        let dialled = self.dialer.dial(&poller, &self.address).await.map_err(|error| error.to_string())?;
        deliver(&dialled.channel, request).await?;
        self.connection = Some(dialled.channel);
        Ok(())
    }

    fn request(&self, latest: &[CheckResult]) -> PollerStatusRequest {
        let agent = self.results.agent();
        let poller_id = PlatformName::Poller.to_string();
        let service = |result: &CheckResult| ServiceStatus {
            service_name: result.name.clone(),
            available: result.available,
            message: messages::json(result),
            service_type: result.kind.clone(),
            response_time: i64::try_from(result.response_time_ns).unwrap_or(i64::MAX),
            agent_id: agent.agent_id().to_string(),
            poller_id: poller_id.clone(),
            partition: agent.partition.to_string(),
            source: "status".to_owned(),
            kv_store_id: String::new(),
        };
        PollerStatusRequest {
            services: latest.iter().map(service).collect(),
            poller_id: poller_id.clone(),
            agent_id: agent.agent_id().to_string(),
            timestamp: now_ms() / 1000,
            partition: agent.partition.to_string(),
            source_ip: String::new(),
            kv_store_id: String::new(),
        }
    }
}

async fn deliver(channel: &Channel, request: PollerStatusRequest) -> Result<(), String> {
    let answer = PollerServiceClient::new(channel.clone()).report_status(request).await;
    let answer = answer.map_err(|status| format!("{:?}: {}", status.code(), status.message()))?;
    if answer.into_inner().received { Ok(()) } else { Err("the poller did not take it".to_owned()) }
}

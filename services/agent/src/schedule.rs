//! Runs each check on its own interval; no check waits for another.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::{Subject, TenantName};
use bulkhead_kit::nats::{Link, Outbox};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::checks::Checker;
use crate::config::ScheduledCheck;
use crate::messages;
use crate::results::{CheckResult, Results};

/// Where results go: kept for the poller, and published.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Kept for the poller.
    pub results: Arc<Results>,
    /// Published on the tenant's subject.
    pub outbox: Outbox,
}

impl Sink {
    fn take(&self, result: CheckResult) {
        let agent = self.results.agent();
        let subject = Subject::agents_results(&agent.tenant, &agent.agent_id());
        let result = self.results.keep(result);
        self.outbox.push(&subject, messages::json(&result));
    }
}

/// Runs the checks until `shutdown`.
pub async fn run(
    checks: Vec<ScheduledCheck>,
    checker: Checker,
    sink: Sink,
    link: Link,
    shutdown: CancellationToken,
) {
    let mut tasks = JoinSet::new();
    for check in checks {
        tasks.spawn(repeat(check, checker.clone(), sink.clone(), link.clone()));
    }
    shutdown.cancelled().await;
    tasks.shutdown().await;
}

async fn repeat(scheduled: ScheduledCheck, checker: Checker, sink: Sink, link: Link) {
    // The first run waits for NATS, at most one interval: an agent that has just been started is dialled and
    // answers first.
    let mut connected = link.connected();
    let _ = timeout(scheduled.interval, connected.wait_for(|connected| *connected)).await;
    let offset = offset(sink.results.agent(), &scheduled.check.name, scheduled.interval);
    let mut ticks = interval_at(Instant::now() + offset, scheduled.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = checker.run(&scheduled.check).await;
        sink.take(CheckResult::new(sink.results.agent(), &scheduled.check, outcome));
    }
}

/// How far into its interval a check runs. Agents that were started together must not all look at the same service in
/// the same moment; and the same check of the same agent runs at the same place each time, so that runs can be compared.
fn offset(agent: &TenantName, check: &str, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    (agent.to_string(), check).hash(&mut hasher);
    let place = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
    interval.mul_f64(f64::from(place) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_that_start_together_look_at_different_moments() {
        let interval = Duration::from_secs(5);
        let offsets: Vec<Duration> = (0..100)
            .map(|number| format!("agent-001.p1.tenant-{number:03}.serviceradar").parse().unwrap())
            .map(|agent: TenantName| offset(&agent, "poller-health", interval))
            .collect();
        assert!(offsets.iter().all(|offset| *offset <= interval));
        let in_second = |second: u64| offsets.iter().filter(|offset| offset.as_secs() == second).count();
        let counts = [0, 1, 2, 3, 4].map(in_second);
        assert!(counts.iter().all(|count| (5..=40).contains(count)), "{counts:?}");
    }
}

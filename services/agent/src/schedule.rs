//! Runs each check on its own interval; no check waits for another.

use std::sync::Arc;

use bulkhead_identity::Subject;
use bulkhead_kit::nats::{Link, Outbox};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
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
    let mut ticks = interval(scheduled.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = checker.run(&scheduled.check).await;
        sink.take(CheckResult::new(sink.results.agent(), &scheduled.check, outcome));
    }
}

//! The canaries of all tenants, on all ways, from their first to their last.

mod calls;
mod messages;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::stage::{POLLER, Stage};
use crate::trace::Way;
use crate::verdict::Kept;
use messages::Ear;

/// Between two messages of a tenant.
const MESSAGE_EVERY: Duration = Duration::from_millis(20);
/// Between two calls, and between two stored messages.
const OTHERS_EVERY: Duration = Duration::from_millis(50);
/// How long the last ones may be on their way.
const HOME_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at whether they are home.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How late this program must be for it to be written down.
const LATE: Duration = Duration::from_millis(5);

/// Everybody's canaries at work.
pub(crate) struct Nest {
    /// Ends those that send.
    sending: CancellationToken,
    /// Ends those that listen, and everything else.
    all: CancellationToken,
    senders: JoinSet<()>,
    others: JoinSet<()>,
}

impl Nest {
    /// Has everybody listen first, then send.
    pub(crate) async fn settle(stage: &Arc<Stage>) -> Result<Self, String> {
        let (sending, all) = (CancellationToken::new(), CancellationToken::new());
        let (mut senders, mut others) = (JoinSet::new(), JoinSet::new());
        let mut ears = vec![Ear::of_platform(stage)];
        for tenant in stage.tenants() {
            ears.push(Ear::of_tenant(stage, tenant)?);
        }
        for ear in ears {
            let listening = ear.open(stage).await?;
            others.spawn(ear.listen(Arc::clone(stage), listening, all.clone()));
        }
        let tenants: Vec<_> = stage.tenants().cloned().collect();
        for tenant in tenants {
            let agent = stage.agent(&tenant)?.name.clone();
            let session = stage.log_in(&agent).await?;
            stored::make_stream(stage, &tenant, &session).await?;
            senders.spawn(messages::send(Arc::clone(stage), tenant.clone(), sending.clone()));
            senders.spawn(stored::send(Arc::clone(stage), tenant.clone(), sending.clone()));
            let to_poller = calls::Line { who: agent.clone(), service: POLLER, home: agent.clone() };
            let to_agent = calls::Line { who: POLLER, service: agent.clone(), home: agent };
            for (way, line) in [(Way::CallPoller, to_poller), (Way::CallAgent, to_agent)] {
                senders.spawn(calls::send(Arc::clone(stage), tenant.clone(), way, line, sending.clone()));
            }
        }
        others.spawn(watch_the_clock(Arc::clone(stage), all.clone()));
        Ok(Self { sending, all, senders, others })
    }

    /// No more of them set out; those on their way have some time, and then nobody listens any longer.
    pub(crate) async fn bring_home(mut self, stage: &Stage) -> Vec<Kept> {
        self.sending.cancel();
        while self.senders.join_next().await.is_some() {}
        let until = Instant::now() + HOME_LIMIT;
        while !stage.note(|trace| trace.flocks.values().all(crate::trace::Flock::is_home))
            && Instant::now() < until
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let kept = stored::kept(stage).await;
        self.all.cancel();
        while self.others.join_next().await.is_some() {}
        kept
    }
}

/// Ticks that are not made up for: a canary that waits for the one before it sets out later.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Writes down by how much this program is late itself.
async fn watch_the_clock(stage: Arc<Stage>, end: CancellationToken) {
    while !end.is_cancelled() {
        let due = Instant::now() + MESSAGE_EVERY;
        sleep_until(due).await;
        let late = due.elapsed();
        if late >= LATE {
            let at = stage.now();
            stage.note(|trace| trace.lateness.push((at, late)));
        }
    }
}

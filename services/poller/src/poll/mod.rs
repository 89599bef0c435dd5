//! Polling: one task per agent, which waits for nobody and for whom nobody waits.

mod assembly;
mod call;
mod round;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_identity::{PeerName, TenantName};
use bulkhead_kit::audit::{Layer, Record};
use bulkhead_kit::config::HostPort;
use bulkhead_kit::tls::{Connection, DialError, DialProblem, Dialer};
use bulkhead_kit::trace::TraceId;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::{AgentConfig, CheckConfig};
use crate::fleet::Fleet;
use crate::message::{HealthEvent, Source};
use crate::publish::Publisher;
use call::{CHECK_LIMIT, CallFault, Caller};
use round::{Round, Sequences};

/// How long an agent may take to be connected to, handshake included.
pub const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// An agent that nobody listens for is looked for again after this, at first: it is starting, as everything may
/// be, and whoever waits for it should not wait for a whole interval more.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// For each agent that is missing, the look again is that much later: a hundred that start together are not looked for
/// two thousand times a second, on the very machine that they are starting on.
const LOOK_AGAIN_PER_MISSING: Duration = Duration::from_millis(5);
/// How long an agent is looked for that often. After it, once each interval.
const LOOK_AGAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long a whole round may take, however many services an agent claims to have. Checks that the poller asks
/// for by itself have time of their own.
const ROUND_LIMIT: Duration = Duration::from_secs(30);
/// How old a connection may become: after it the agent is verified anew, so a revoked one is cut. Less than
/// the age at which agents end it themselves.
const CONNECTION_AGE: Duration = Duration::from_secs(240);

/// An agent that is polled.
#[derive(Debug, Clone)]
pub struct Target {
    /// The only name that is accepted there.
    pub name: TenantName,
    /// Where it listens.
    pub address: HostPort,
    /// Checks that are asked for besides those that it lists.
    pub checks: Vec<CheckConfig>,
}

impl From<AgentConfig> for Target {
    fn from(config: AgentConfig) -> Self {
        Self { name: config.name, address: config.address, checks: config.checks }
    }
}

/// Why a poll gave nothing.
#[derive(Debug, thiserror::Error)]
enum PollFault {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Call(#[from] CallFault),
}

impl PollFault {
    /// Nobody listens there.
    fn is_missing(&self) -> bool {
        matches!(self, Self::Dial(error) if matches!(error.problem, DialProblem::Unreachable(_)))
    }

    /// Stable word for audit records and health events.
    fn code(&self) -> &'static str {
        match self {
            Self::Dial(error) => match &error.problem {
                DialProblem::Refused(refusal) => refusal.code(),
                problem => unfinished(problem).unwrap_or("unreachable"),
            },
            Self::Call(fault) => fault.code(),
        }
    }
}

/// Polls one agent until it is told to end.
pub struct Worker {
    target: Target,
    dialer: Dialer,
    publisher: Publisher,
    fleet: Fleet,
    connection: Option<(Connection, Instant)>,
    /// Since when nobody listens at the agent's address.
    missing_since: Option<Instant>,
    sequences: Sequences,
    /// One place for all agents of the tenant: large results are taken one after the other, so that what a
    /// tenant makes the poller hold does not grow with its agents.
    large_results: Arc<Semaphore>,
}

impl Worker {
    /// A worker for `target`; `dialer` believes the CA of the target's tenant only, and `large_results` is that
    /// tenant's.
    #[must_use]
    pub fn new(
        target: Target,
        dialer: Dialer,
        publisher: Publisher,
        fleet: Fleet,
        large_results: Arc<Semaphore>,
    ) -> Self {
        Self {
            target,
            dialer,
            publisher,
            fleet,
            connection: None,
            missing_since: None,
            sequences: Sequences::new(),
            large_results,
        }
    }

    /// One round each `pause`; a round that takes longer delays the next one of this agent, and nothing else.
    pub async fn run(mut self, pause: Duration, shutdown: CancellationToken) {
        let mut ticks = interval_at(tokio::time::Instant::now() + pause, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let polling = async {
            loop {
                self.poll().await;
                match self.missing_since {
                    Some(since) if since.elapsed() < LOOK_AGAIN_LIMIT => {
                        sleep(look_again(self.fleet.unreachable()).min(pause)).await
                    }
                    _ => _ = ticks.tick().await,
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = polling => {}
        }
    }

    async fn poll(&mut self) {
        let trace = TraceId::random();
        let result = self.attempt(trace).await;
        let reachable = result.is_ok();
        let missing = result.as_ref().is_err_and(PollFault::is_missing);
        self.missing_since = missing.then(|| self.missing_since.unwrap_or_else(Instant::now));
        if !self.fleet.note(&self.target.name, reachable) {
            return;
        }
        let agent = &self.target.name;
        let fault = result.err();
        match &fault {
            None => tracing::info!(tenant = %agent.tenant, %agent, trace_id = %trace, "agent answers"),
            Some(fault) => tracing::warn!(
                tenant = %agent.tenant, %agent, trace_id = %trace, reason = fault.code(), %fault,
                "agent gives no usable answer, asking on"
            ),
        }
        self.publisher.health(&HealthEvent {
            source: Source::now(agent, &trace.to_string()),
            reachable,
            reason: fault.map(|fault| fault.code().to_owned()),
        });
    }

    /// A connection is kept only by a round that went well: after any fault the agent is verified anew. One
    /// that was kept and has ended meanwhile, as the agent may end it at any time, says nothing about the agent.
    async fn attempt(&mut self, trace: TraceId) -> Result<(), PollFault> {
        if let Some((connection, since)) = self.connection.take()
            && since.elapsed() < CONNECTION_AGE
        {
            match self.round(&connection, trace).await {
                Err(CallFault::Lost(reason)) => {
                    let agent = &self.target.name;
                    tracing::debug!(tenant = %agent.tenant, %agent, reason, "connection has ended, dialling again");
                }
                other => {
                    other?;
                    self.connection = Some((connection, since));
                    return Ok(());
                }
            }
        }
        let since = Instant::now();
        let connection = self.dial(trace).await?;
        self.round(&connection, trace).await?;
        self.connection = Some((connection, since));
        Ok(())
    }

    async fn round(&mut self, connection: &Connection, trace: TraceId) -> Result<(), CallFault> {
        let round = Round {
            target: &self.target,
            caller: Caller::new(&self.target.name, connection, trace),
            publisher: &self.publisher,
            sequences: &mut self.sequences,
            large_results: &self.large_results,
            trace,
        };
        let checks = u32::try_from(self.target.checks.len()).unwrap_or(u32::MAX);
        let limit = ROUND_LIMIT.saturating_add(CHECK_LIMIT.saturating_mul(checks));
        timeout(limit, round.run()).await.unwrap_or(Err(CallFault::NoAnswer(limit)))
    }

    async fn dial(&self, trace: TraceId) -> Result<Connection, DialError> {
        let peer = PeerName::Tenant(self.target.name.clone());
        let result = self.dialer.dial_traced(&peer, &self.target.address, trace).await;
        // The dialer records its own verdicts; a handshake that was never finished is recorded here.
        if let Err(error) = &result
            && let Some(reason) = unfinished(&error.problem)
        {
            Record::refused(Layer::Tls, reason)
                .tenant(&self.target.name.tenant)
                .dialled(&self.target.name)
                .peer(&self.target.address)
                .trace_id(trace)
                .detail(error)
                .write();
        }
        result
    }
}

/// When to look again for an agent, of so many that are missing.
fn look_again(missing: usize) -> Duration {
    let missing = u32::try_from(missing).unwrap_or(u32::MAX);
    LOOK_AGAIN.max(LOOK_AGAIN_PER_MISSING.saturating_mul(missing))
}

/// The reason of a handshake that ended without a verdict.
fn unfinished(problem: &DialProblem) -> Option<&'static str> {
    match problem {
        DialProblem::Timeout { .. } => Some("dial-timeout"),
        DialProblem::Handshake(_) => Some("handshake-failed"),
        DialProblem::Unreachable(_) | DialProblem::Refused(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_that_are_missing_are_not_looked_for_more_often_than_few() {
        assert_eq!(look_again(1), LOOK_AGAIN);
        let tries_per_second = |missing: u32| f64::from(missing) / look_again(missing as usize).as_secs_f64();
        assert!([1, 3, 10, 30, 100, 1000].into_iter().all(|missing| tries_per_second(missing) <= 200.1));
        assert!(look_again(usize::MAX) > Duration::from_secs(3600));
    }
}

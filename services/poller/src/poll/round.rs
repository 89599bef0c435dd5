//! One round over one connection: the agent itself, then each of its services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_identity::AgentId;
use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_kit::trace::TraceId;
use tokio::sync::Semaphore;

use super::Target;
use super::call::{CallFault, Caller, ServiceState};
use crate::answer::{self, ServiceKey};
use crate::message::{Finding, PollerResult, Source};
use crate::publish::Publisher;

/// What is remembered of an agent between rounds: the last sequence of each service.
pub(super) type Sequences = BTreeMap<ServiceKey, String>;

/// One round, as part of the trace `trace`.
pub(super) struct Round<'a> {
    pub(super) target: &'a Target,
    pub(super) caller: Caller<'a>,
    pub(super) publisher: &'a Publisher,
    pub(super) sequences: &'a mut Sequences,
    pub(super) large_results: &'a Semaphore,
    pub(super) trace: TraceId,
}

impl Round<'_> {
    /// Asks for everything once.
    ///
    /// # Errors
    /// The first fault that says something about the agent as a whole: one service that it does not know is
    /// none, an answer in somebody else's name is.
    pub(super) async fn run(mut self) -> Result<(), CallFault> {
        let listed = self.listed().await?;
        self.sequences.retain(|service, _| listed.contains(service));
        for service in &listed {
            forgive(self.service(service, "").await, self.target, service)?;
        }
        for check in &self.target.checks {
            let service = ServiceKey { name: check.name.clone(), kind: check.kind.clone() };
            if !listed.contains(&service) {
                forgive(self.status(&service, &check.details).await, self.target, &service)?;
            }
        }
        Ok(())
    }

    /// The services that the agent says to check. An agent that does not answer for itself, as ServiceRadar's,
    /// lists none.
    async fn listed(&mut self) -> Result<BTreeSet<ServiceKey>, CallFault> {
        let itself = ServiceKey { name: String::new(), kind: String::new() };
        match self.caller.status(&itself, "").await {
            Ok(state) => Ok(answer::listed_services(&state.message)?.into_iter().collect()),
            Err(CallFault::Declined(_) | CallFault::NotYet) => Ok(BTreeSet::new()),
            Err(fault) => Err(fault),
        }
    }

    async fn service(&mut self, service: &ServiceKey, details: &str) -> Result<(), CallFault> {
        self.status(service, details).await?;
        self.results(service).await
    }

    async fn status(&mut self, service: &ServiceKey, details: &str) -> Result<(), CallFault> {
        let mut state = self.caller.status(service, details).await?;
        if seeded::is_on(SeededFault::InnerNamesCollide) {
            state = of_inner_name(self.target.name.agent_id(), service.clone(), state);
        }
        let finding = Finding::Status {
            available: state.available,
            response_time_ns: state.response_time_ns,
            message: state.message,
        };
        self.publish(service, finding)
    }

    async fn results(&mut self, service: &ServiceKey) -> Result<(), CallFault> {
        let last = self.sequences.get(service).cloned().unwrap_or_default();
        let news = match self.caller.results(service, &last).await {
            Err(CallFault::TooLarge) => {
                // The semaphore is never closed.
                let _place = self.large_results.acquire().await;
                self.caller.streamed_results(service, &last).await?
            }
            other => other?,
        };
        if news.results.too_large > 0 {
            tracing::warn!(
                tenant = %self.target.name.tenant, agent = %self.target.name, service = service.name,
                too_large = news.results.too_large,
                "results are larger than a message may be and were dropped"
            );
        }
        for results in news.results.lists {
            self.publish(service, Finding::Results { sequence: news.sequence.clone(), results })?;
        }
        self.sequences.insert(service.clone(), news.sequence);
        Ok(())
    }

    fn publish(&self, service: &ServiceKey, finding: Finding) -> Result<(), CallFault> {
        self.publisher.result(&PollerResult {
            source: Source::now(&self.target.name, &self.trace.to_string()),
            service_name: service.name.clone(),
            service_type: service.kind.clone(),
            finding,
        })?;
        Ok(())
    }
}

/// [`SeededFault::InnerNamesCollide`]: what was found within the last second by an agent of this name, whosever it is.
fn of_inner_name(agent: AgentId, service: ServiceKey, state: ServiceState) -> ServiceState {
    static KEPT: Mutex<BTreeMap<(AgentId, ServiceKey), (Instant, ServiceState)>> =
        Mutex::new(BTreeMap::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|_, (since, _)| since.elapsed() < Duration::from_secs(1));
    kept.entry((agent, service)).or_insert((Instant::now(), state)).1.clone()
}

/// One service that the agent does not know, has not checked yet, or waits for, says nothing about its others.
fn forgive(result: Result<(), CallFault>, target: &Target, service: &ServiceKey) -> Result<(), CallFault> {
    match result {
        Err(CallFault::NotYet) => Ok(()),
        Err(reason @ (CallFault::Declined(_) | CallFault::CheckUnanswered(_))) => {
            let agent = &target.name;
            tracing::warn!(tenant = %agent.tenant, %agent, service = service.name, %reason, "service was not polled");
            Ok(())
        }
        other => other,
    }
}

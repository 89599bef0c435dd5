//! Jobs: a single check that somebody of the tenant or the platform asks for, on `<slug>.jobs.<agent-id>`.
//!
//! Who may ask is decided by the broker's accounts and permissions; an agent takes what reaches it there.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use bulkhead_identity::Subject;
use bulkhead_kit::nats::Link;
use futures::StreamExt as _;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::checks::{Check, Checker, Outcome};
use crate::config::default_timeout_ms;
use crate::messages;
use crate::results::{CheckResult, Results};

/// The largest job that is read, in bytes.
const JOB_MAXIMUM_BYTES: usize = 4096;
/// How long NATS may take to be handed the last answers when the agent ends.
const FLUSH_LIMIT: Duration = Duration::from_millis(300);
/// The longest nonce that is repeated, in characters.
const NONCE_MAXIMUM_CHARACTERS: usize = 128;

/// A check to be made once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    details: String,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u64,
    nonce: Option<String>,
}

/// Takes jobs until `shutdown`.
pub async fn run(link: Link, checker: Checker, results: Arc<Results>, shutdown: CancellationToken) {
    let agent = results.agent();
    let subject = Subject::jobs(&agent.tenant, &agent.agent_id());
    let subscribed = link.client().subscribe(subject.to_string()).await;
    let Ok(mut jobs) = subscribed else {
        tracing::error!(%subject, "cannot take jobs: the NATS client is closed");
        return;
    };
    let worker = Worker { link, checker, results, shutdown };
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => break,
            message = jobs.next() => match message {
                Some(message) => { under_way.spawn(worker.clone().answer(message)); }
                None => break,
            },
            Some(_) = under_way.join_next() => {}
        }
    }
    // Each of them sees the end by itself, and says so to the one who waits for it.
    while under_way.join_next().await.is_some() {}
    let _ = timeout(FLUSH_LIMIT, worker.link.client().flush()).await;
}

#[derive(Clone)]
struct Worker {
    link: Link,
    checker: Checker,
    results: Arc<Results>,
    shutdown: CancellationToken,
}

impl Worker {
    async fn answer(self, message: Message) {
        let Some(reply) = message.reply.clone() else {
            tracing::warn!(subject = %message.subject, "a job without a subject for its answer was not done");
            return;
        };
        let result = self.work(&message.payload).await;
        tracing::info!(check = result.name, kind = result.kind, available = result.available, "job done");
        // The client is closed only when the agent is ending.
        let _ = self.link.client().publish(reply, messages::json(&result).into()).await;
    }

    /// Always an answer: what is no job is not available, and says why.
    async fn work(&self, payload: &[u8]) -> CheckResult {
        let agent = self.results.agent();
        let refused =
            |name: &str, kind: &str, problem| CheckResult::of(agent, name, kind, unavailable(problem));
        if payload.len() > JOB_MAXIMUM_BYTES {
            let problem =
                format!("not tried: the job has {} bytes, more than {JOB_MAXIMUM_BYTES}", payload.len());
            return refused("", "", problem);
        }
        let job: Job = match serde_json::from_slice(payload) {
            Ok(job) => job,
            Err(error) => return refused("", "", format!("not tried: the job cannot be read: {error}")),
        };
        let mut result = match Check::new(&job.name, &job.kind, &job.details, job.timeout_ms) {
            Ok(check) => CheckResult::new(agent, &check, self.run_check(&check).await),
            Err(error) => refused(&job.name, &job.kind, format!("not tried: {error}")),
        };
        result.nonce = job.nonce.map(|nonce| nonce.chars().take(NONCE_MAXIMUM_CHARACTERS).collect());
        result
    }

    async fn run_check(&self, check: &Check) -> Outcome {
        tokio::select! {
            outcome = self.checker.run_for_another(check) => outcome,
            () = self.shutdown.cancelled() => unavailable("not finished: the agent is stopping".to_owned()),
        }
    }
}

fn unavailable(problem: String) -> Outcome {
    Outcome { available: false, message: problem, response_time: Duration::ZERO }
}

//! Jobs: a single check that somebody of the tenant or the platform asks for, on `<slug>.jobs.<agent-id>`.
//!
//! Who may ask is decided by the broker's accounts and permissions; an agent takes what reaches it there.

use std::sync::Arc;

use async_nats::Message;
use bulkhead_identity::Subject;
use bulkhead_kit::nats::Link;
use futures::StreamExt as _;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::checks::{Check, Checker, Outcome};
use crate::config::default_timeout_ms;
use crate::messages;
use crate::results::{CheckResult, Results};

/// The largest job that is read, in bytes.
const JOB_MAXIMUM_BYTES: usize = 4096;
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
    loop {
        let message = tokio::select! {
            () = shutdown.cancelled() => return,
            message = jobs.next() => message,
        };
        let Some(message) = message else { return };
        tokio::spawn(answer(link.clone(), checker.clone(), results.clone(), message));
    }
}

async fn answer(link: Link, checker: Checker, results: Arc<Results>, message: Message) {
    let Some(reply) = message.reply.clone() else {
        tracing::warn!(subject = %message.subject, "a job without a subject for its answer was not done");
        return;
    };
    let result = work(&checker, &results, &message.payload).await;
    tracing::info!(check = result.name, kind = result.kind, available = result.available, "job done");
    // The client is closed only when the agent is ending.
    let _ = link.client().publish(reply, messages::json(&result).into()).await;
}

/// Always an answer: what is no job is not available, and says why.
async fn work(checker: &Checker, results: &Results, payload: &[u8]) -> CheckResult {
    let refused = |name: &str, kind: &str, problem: String| {
        let outcome =
            Outcome { available: false, message: problem, response_time: std::time::Duration::ZERO };
        CheckResult::of(results.agent(), name, kind, outcome)
    };
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
        Ok(check) => CheckResult::new(results.agent(), &check, checker.run_for_another(&check).await),
        Err(error) => refused(&job.name, &job.kind, format!("not tried: {error}")),
    };
    result.nonce = job.nonce.map(|nonce| nonce.chars().take(NONCE_MAXIMUM_CHARACTERS).collect());
    result
}

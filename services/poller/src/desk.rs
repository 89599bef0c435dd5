//! Answers the platform's administrator: subscribes, judges, reads, replies, and records each access.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Client, Message};
use bulkhead_identity::TenantSlug;
use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_kit::audit::{Layer, Record};
use bulkhead_kit::nats::Link;
use bulkhead_kit::trace::{TRACEPARENT, TraceId};
use futures::StreamExt as _;
use serde_json::json;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminRefusal, AdminReply, AdminRequest, Caller};
use crate::message::CONTENT_MAXIMUM_BYTES;
use crate::streams;

/// How many requests are answered at once.
const CONCURRENCY: usize = 8;

/// Answers requests until `shutdown`.
pub async fn run(link: Link, tenants: Arc<[TenantSlug]>, shutdown: CancellationToken) {
    // The client renews the subscription by itself on each new connection.
    let mut requests = match link.client().subscribe(admin::SUBJECTS).await {
        Ok(requests) => requests,
        Err(error) => {
            tracing::error!(%error, subject = admin::SUBJECTS, "cannot subscribe; the administrator gets no answers");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(CONCURRENCY));
    loop {
        let request = tokio::select! {
            () = shutdown.cancelled() => return,
            request = requests.next() => request,
        };
        let (Some(request), Ok(place)) = (request, places.clone().acquire_owned().await) else { return };
        let (client, tenants) = (link.client().clone(), tenants.clone());
        tokio::spawn(async move {
            answer(&client, &tenants, request).await;
            drop(place);
        });
    }
}

/// Nobody but the administrator gets any answer: nothing may be sent to a reply subject that somebody else chose.
async fn answer(client: &Client, tenants: &[TenantSlug], request: Message) {
    let caller = Caller::from_headers(request.headers.as_ref());
    let access = Access { caller: &caller, request: &request, trace: trace_of(&request) };
    let body = match admin::judge(&caller, &request, tenants) {
        Ok(wanted) => {
            // Recorded before it is read: no access without its record.
            if !seeded::is_on(SeededFault::AdminAuditMissing) {
                access.record(Record::accepted(Layer::Nats).tenant(&wanted.tenant));
            }
            match seeded::is_on(SeededFault::AdminCacheWithoutTenant) {
                true => kept_or_read(client, &wanted).await,
                false => read(client, &wanted).await,
            }
        }
        Err(refusal) => {
            access.record(Record::refused(Layer::Nats, refusal.code()).detail(&refusal));
            if refusal == AdminRefusal::NotAdmin {
                return;
            }
            failure(refusal.code(), &refusal)
        }
    };
    let Some(reply) = request.reply.clone() else { return };
    if let Err(error) = client.publish(reply, body.into()).await {
        tracing::warn!(%error, subject = %request.subject, "the administrator's request could not be answered");
    }
}

async fn read(client: &Client, wanted: &AdminRequest) -> Vec<u8> {
    let read = admin::read(&streams::context(client), wanted, CONTENT_MAXIMUM_BYTES).await;
    read.map_or_else(|error| failure("unreadable", &error), |reply| written(&reply))
}

/// [`SeededFault::AdminCacheWithoutTenant`]: what was read within the last second is not read again.
async fn kept_or_read(client: &Client, wanted: &AdminRequest) -> Vec<u8> {
    static KEPT: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::const_new(None);
    let mut kept = KEPT.lock().await;
    match &*kept {
        Some((since, answer)) if since.elapsed() < Duration::from_secs(1) => answer.clone(),
        _ => {
            let answer = read(client, wanted).await;
            *kept = Some((Instant::now(), answer.clone()));
            answer
        }
    }
}

fn written(reply: &AdminReply) -> Vec<u8> {
    serde_json::to_vec(reply).unwrap_or_else(|error| failure("unreadable", &error))
}

fn failure(code: &str, problem: &impl ToString) -> Vec<u8> {
    json!({ "error": { "code": code, "message": problem.to_string() } }).to_string().into_bytes()
}

fn trace_of(request: &Message) -> TraceId {
    let header = request.headers.as_ref().and_then(|headers| headers.get(TRACEPARENT));
    header.and_then(|value| TraceId::from_traceparent(value.as_str())).unwrap_or_else(TraceId::random)
}

struct Access<'a> {
    caller: &'a Caller,
    request: &'a Message,
    trace: TraceId,
}

impl Access<'_> {
    fn record(&self, record: Record) {
        // Without the server's word nobody is known to ask, and the record names nobody.
        let Caller { user, host, .. } = self.caller;
        let record = if user.is_empty() { record } else { record.identity(user) };
        let record = if host.is_empty() { record } else { record.peer(host) };
        record.method(&self.request.subject).trace_id(self.trace).write();
    }
}

//! Messages that a stream of the tenant's must acknowledge, and must still hold at the end. Every tenant's stream has the
//! same name.

use std::sync::Arc;

use bulkhead_identity::TenantSlug;
use bulkhead_probe::nats::Headers;
use bulkhead_probe::post::RemoteSession;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{OTHERS_EVERY, ticks};
use crate::stage::{Stage, answered};
use crate::trace::Way;
use crate::verdict::Kept;

/// Its reservation on disk, of the 64 MiB that a tenant has: it survives a restart, and never drops anything.
const STREAM_BYTES: u64 = 4 << 20;

fn stream(stage: &Stage) -> String {
    format!("CANARY_{}", stage.run)
}

fn subject(stage: &Stage, tenant: &TenantSlug) -> String {
    format!("{tenant}.canary.{}", stage.run)
}

pub(super) async fn make_stream(
    stage: &Stage,
    tenant: &TenantSlug,
    session: &RemoteSession,
) -> Result<(), String> {
    let name = stream(stage);
    let body = json!({
        "name": name, "subjects": [subject(stage, tenant)], "storage": "file", "retention": "limits",
        "num_replicas": 1, "max_bytes": STREAM_BYTES, "discard": "new",
    });
    let api = format!("$JS.API.STREAM.CREATE.{name}");
    let made = answered(session.api(&api, Headers::default(), &body.to_string()).await);
    made.map(|_| ()).map_err(|why| format!("{tenant} cannot keep its canaries: {why}"))
}

/// Has one tenant's stream store canaries until the end.
pub(super) async fn send(stage: Arc<Stage>, tenant: TenantSlug, end: CancellationToken) {
    let mut ticks = ticks(OTHERS_EVERY);
    let mut session = None;
    for number in 0.. {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let at = stage.now();
        stage.note(|trace| trace.flock(tenant.as_ref(), Way::Stored).began(number, at));
        let stored = store(&stage, &tenant, &mut session, number).await;
        if stored.is_err() {
            session = None;
        }
        let at = stage.now();
        stage.note(|trace| {
            let flock = trace.flock(tenant.as_ref(), Way::Stored);
            match stored {
                Ok(()) => _ = flock.arrived(number, at),
                Err(why) => flock.failed(number, why),
            }
        });
    }
}

async fn store(
    stage: &Stage,
    tenant: &TenantSlug,
    session: &mut Option<RemoteSession>,
    number: u64,
) -> Result<(), String> {
    let session = match session {
        Some(session) => session,
        None => session.insert(stage.log_in(&stage.agent(tenant)?.name).await?),
    };
    let song = format!("canary {} {tenant} {number}", stage.run);
    let receipt = session.api(&subject(stage, tenant), Headers::default(), &song).await;
    let receipt = answered(receipt)?;
    match receipt["stream"].as_str() == Some(stream(stage).as_str()) {
        true => Ok(()),
        false => Err(format!("an answer that is no receipt: {receipt}")),
    }
}

/// What was acknowledged and what the streams hold. They are taken away then.
pub(super) async fn kept(stage: &Stage) -> Vec<Kept> {
    let name = stream(stage);
    let mut kept = Vec::new();
    for tenant in stage.tenants() {
        let acknowledged = stage.note(|trace| trace.flock(tenant.as_ref(), Way::Stored).count_arrived());
        let holds = async {
            let session = stage.log_in(&stage.agent(tenant).ok()?.name).await.ok()?;
            let info = session.api(&format!("$JS.API.STREAM.INFO.{name}"), Headers::default(), "").await;
            let messages = answered(info).ok()?["state"]["messages"].as_u64()?;
            let _ = session.api(&format!("$JS.API.STREAM.DELETE.{name}"), Headers::default(), "").await;
            usize::try_from(messages).ok()
        };
        kept.push(Kept { tenant: tenant.to_string(), acknowledged, holds: holds.await });
    }
    kept
}

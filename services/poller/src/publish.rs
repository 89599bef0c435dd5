//! Where what was learnt goes: one bounded buffer per tenant, so that one tenant's flood evicts nobody else's
//! messages, and one subject, which is made from the message's own tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{Subject, TenantSlug};
use bulkhead_kit::nats::{MAXIMUM_MESSAGE_BYTES, Outbox, OutboxStatus};
use serde::Serialize;

use crate::answer::AnswerFault;
use crate::message::{HealthEvent, Heartbeat, PollerResult};

/// The tenants' buffers.
#[derive(Debug, Clone)]
pub struct Publisher {
    outboxes: BTreeMap<TenantSlug, Outbox>,
}

impl Publisher {
    /// Publishes through these.
    #[must_use]
    pub fn new(outboxes: BTreeMap<TenantSlug, Outbox>) -> Self {
        Self { outboxes }
    }

    /// A result on `<slug>.pollers.results`.
    ///
    /// # Errors
    /// It is larger than one message may be.
    pub fn result(&self, result: &PollerResult) -> Result<(), AnswerFault> {
        let body = body(result)?;
        for tenant in self.addressees(&result.source.tenant) {
            self.push(&Subject::poller_results(tenant), body.clone());
        }
        Ok(())
    }

    /// Whose subject a message of this tenant's goes out on: its own.
    fn addressees<'a>(&'a self, tenant: &'a TenantSlug) -> Vec<&'a TenantSlug> {
        if seeded::is_on(SeededFault::ReportFiledForEveryone) {
            return self.outboxes.keys().collect();
        }
        if seeded::is_on(SeededFault::ResultsUnderNextTenant) {
            let next =
                self.outboxes.keys().find(|other| *other > tenant).or_else(|| self.outboxes.keys().next());
            return next.into_iter().collect();
        }
        vec![tenant]
    }

    /// A heartbeat on `<slug>.pollers.heartbeat`.
    pub fn heartbeat(&self, heartbeat: &Heartbeat) {
        self.small(&Subject::pollers_heartbeat(&heartbeat.tenant), heartbeat);
    }

    /// A change on `<slug>.events.poller.health`.
    pub fn health(&self, event: &HealthEvent) {
        self.small(&Subject::poller_health(&event.source.tenant), event);
    }

    /// How a tenant's buffer stands.
    #[must_use]
    pub fn status(&self, tenant: &TenantSlug) -> OutboxStatus {
        self.outboxes.get(tenant).map(Outbox::status).unwrap_or_default()
    }

    /// Waits until everything is confirmed, at most `limit` in all; says what is left.
    pub async fn flush(&self, limit: Duration) -> OutboxStatus {
        let flushes = self.outboxes.values().map(|outbox| outbox.flush(limit));
        let statuses = futures::future::join_all(flushes).await;
        statuses.into_iter().fold(OutboxStatus::default(), |sum, status| OutboxStatus {
            pending: sum.pending + status.pending,
            confirmed: sum.confirmed + status.confirmed,
            dropped: sum.dropped + status.dropped,
        })
    }

    /// For messages that are made here and are small by construction.
    fn small(&self, subject: &Subject, message: &impl Serialize) {
        match body(message) {
            Ok(body) => self.push(subject, body),
            Err(fault) => tracing::error!(tenant = %subject.tenant, %subject, %fault, "message was dropped"),
        }
    }

    fn push(&self, subject: &Subject, body: Vec<u8>) {
        match self.outboxes.get(&subject.tenant) {
            Some(outbox) => outbox.push(subject, body),
            None => {
                tracing::error!(tenant = %subject.tenant, %subject, "no such tenant, message was dropped")
            }
        }
    }
}

fn body(message: &impl Serialize) -> Result<Vec<u8>, AnswerFault> {
    let body = serde_json::to_vec(message).map_err(|error| AnswerFault::Malformed(error.to_string()))?;
    if body.len() > MAXIMUM_MESSAGE_BYTES {
        return Err(AnswerFault::Oversized { bytes: body.len(), limit: MAXIMUM_MESSAGE_BYTES });
    }
    Ok(body)
}

//! A connection to the broker on which every refusal is remembered, so that it can be found in the broker's own log.

use bulkhead_probe::Observation;
use bulkhead_probe::nats::{Delivered, Headers, Interest, Message};
use bulkhead_probe::post::RemoteSession;
use bulkhead_runtime::probe::verdict::{Judged, Refusals};
use serde_json::Value;

use crate::site::{NATS, Site};

/// The connection. What it says of the broker's refusals counts only with [`Witnessed::confirmed`].
pub(crate) struct Witnessed {
    session: RemoteSession,
    refusals: Refusals,
}

impl Witnessed {
    pub(super) fn new(site: &Site, session: RemoteSession) -> Self {
        let since = site.page(&NATS).map(|page| site.book.end(&page)).unwrap_or_default();
        Self { session, refusals: Refusals::since(since) }
    }

    pub(super) async fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: Headers,
        payload: &str,
    ) -> Observation<()> {
        self.remembered(self.session.publish(subject, reply, headers, payload).await)
    }

    pub(super) async fn subscribe(&self, subject: &str, group: Option<&str>) -> Observation<Interest> {
        self.remembered(self.session.subscribe(subject, group).await)
    }

    /// Listens on a subject of its own: that it may is no question.
    pub(super) async fn listen(&self, subject: &str) -> Result<Interest, String> {
        super::owner::listen(&self.session, subject).await
    }

    pub(super) async fn request(
        &self,
        subject: &str,
        headers: Headers,
        payload: &str,
    ) -> Observation<Message> {
        self.remembered(self.session.request(subject, headers, payload).await)
    }

    pub(super) async fn api(&self, subject: &str, headers: Headers, body: &str) -> Observation<Value> {
        self.remembered(self.session.api(subject, headers, body).await)
    }

    pub(super) async fn flush(&self) -> Observation<()> {
        self.session.flush().await
    }

    pub(super) async fn take(&self, interest: Interest) -> Observation<Delivered> {
        self.session.take(interest).await
    }

    /// What has come on subscriptions that the broker refused.
    pub(super) async fn take_refused(&self) -> Observation<Delivered> {
        self.session.take_refused().await
    }

    pub(super) async fn wait_for(&self, interest: Interest, containing: &str) -> Observation<Message> {
        self.session.wait_for(interest, containing).await
    }

    fn remembered<T>(&self, seen: Observation<T>) -> Observation<T> {
        self.refusals.remember(&seen);
        seen
    }

    /// With the broker's own record of what was refused.
    pub(super) async fn confirmed(&self, site: &Site, judged: Judged) -> Judged {
        match site.page(&NATS) {
            Ok(page) => self.refusals.confirm(&site.book, &page, judged).await,
            Err(_) => judged,
        }
    }
}

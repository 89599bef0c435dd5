//! Numbered messages of a tenant, heard by another connection of its own and by the platform. Whoever else hears one has
//! heard what it must not.

use std::sync::Arc;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_probe::nats::{Headers, Interest, Message};
use bulkhead_probe::post::RemoteSession;
use tokio_util::sync::CancellationToken;

use super::{MESSAGE_EVERY, ticks};
use crate::stage::{POLLER, Stage, answered};
use crate::trace::{Crossing, Way};

/// Where a tenant's canaries fly: a channel that the platform hears as well.
fn subject(stage: &Stage, tenant: &str) -> String {
    format!("{tenant}.agents.canary.{}", stage.run)
}

/// What one says: the run, whose it is, its number.
fn song(stage: &Stage, tenant: &TenantSlug, number: u64) -> String {
    format!("canary {} {tenant} {number}", stage.run)
}

/// Whose canary a message is, and its number; nothing when it is none of this run.
fn recognised<'t>(run: &str, text: &'t str) -> Option<(&'t str, u64)> {
    let mut words = text.split(' ');
    let ours = words.next() == Some("canary") && words.next() == Some(run);
    let (tenant, number) = (words.next()?, words.next()?.parse().ok()?);
    ours.then_some((tenant, number))
}

/// Sends one tenant's canaries until the end.
pub(super) async fn send(stage: Arc<Stage>, tenant: TenantSlug, end: CancellationToken) {
    let (subject, mut ticks) = (subject(&stage, tenant.as_ref()), ticks(MESSAGE_EVERY));
    let ways = [Way::ToMember, Way::ToPlatform];
    let mut session = None;
    for number in 0.. {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let at = stage.now();
        stage.note(|trace| ways.map(|way| trace.flock(tenant.as_ref(), way).began(number, at)));
        let song = song(&stage, &tenant, number);
        if let Err(why) = say(&stage, &tenant, &mut session, &subject, &song).await {
            session = None;
            stage
                .note(|trace| ways.map(|way| trace.flock(tenant.as_ref(), way).failed(number, why.as_str())));
        }
    }
}

async fn say(
    stage: &Stage,
    tenant: &TenantSlug,
    session: &mut Option<RemoteSession>,
    subject: &str,
    song: &str,
) -> Result<(), String> {
    let session = match session {
        Some(session) => session,
        None => session.insert(stage.log_in(&stage.agent(tenant)?.name).await?),
    };
    answered(session.publish(subject, None, Headers::default(), song).await)
}

/// Somebody who listens for canaries.
pub(super) struct Ear {
    who: PeerName,
    /// Whose ear it is; the platform's, which hears all tenants.
    tenant: Option<TenantSlug>,
    /// What it may hear.
    own: String,
    /// What it asks for all the same. The broker refuses, or what comes has crossed.
    others: Vec<String>,
}

/// An ear's connection.
pub(super) struct Listening {
    session: RemoteSession,
    own: Interest,
    others: Vec<Interest>,
}

impl Ear {
    pub(super) fn of_platform(stage: &Stage) -> Self {
        Self { who: POLLER, tenant: None, own: subject(stage, "*"), others: Vec::new() }
    }

    pub(super) fn of_tenant(stage: &Stage, tenant: &TenantSlug) -> Result<Self, String> {
        let who = stage.another_member(tenant)?.name.clone();
        let others = stage.tenants().filter(|other| *other != tenant);
        let others = others.map(|other| subject(stage, other.as_ref())).collect();
        Ok(Self { who, own: subject(stage, tenant.as_ref()), tenant: Some(tenant.clone()), others })
    }

    pub(super) async fn open(&self, stage: &Stage) -> Result<Listening, String> {
        let session = stage.log_in(&self.who).await?;
        let own = answered(session.subscribe(&self.own, None).await)?;
        let mut others = Vec::new();
        for subject in &self.others {
            others.extend(answered(session.subscribe(subject, None).await).ok());
        }
        Ok(Listening { session, own, others })
    }

    /// Listens until the end, on a new connection whenever the old one is gone.
    pub(super) async fn listen(self, stage: Arc<Stage>, first: Listening, end: CancellationToken) {
        let mut ticks = ticks(MESSAGE_EVERY);
        let mut listening = Some(first);
        loop {
            let lives = match &listening {
                Some(listening) => tokio::select! {
                    biased;
                    () = end.cancelled() => return,
                    lives = self.hear(&stage, listening) => lives,
                },
                None => false,
            };
            if !lives {
                // The old connection ends before a new one is asked for.
                drop(listening.take());
                tokio::select! {
                    biased;
                    () = end.cancelled() => return,
                    _ = ticks.tick() => listening = self.open(&stage).await.ok(),
                }
            }
        }
    }

    /// Waits for a canary and takes whatever else has come; says whether the connection lives.
    async fn hear(&self, stage: &Stage, listening: &Listening) -> bool {
        let Listening { session, own, others } = listening;
        let first = answered(session.wait_for(*own, stage.run.as_str()).await);
        // Silence may be that of a connection that nobody has told of its end.
        let lives = first.is_ok() || answered(session.flush().await).is_ok();
        let at = stage.now();
        let mut messages: Vec<Message> = first.into_iter().collect();
        for interest in std::iter::once(own).chain(others) {
            messages.extend(answered(session.take(*interest).await).unwrap_or_default().messages);
        }
        for message in &messages {
            self.write_down(stage, message, at);
        }
        lives
    }

    fn write_down(&self, stage: &Stage, message: &Message, at: crate::trace::Moment) {
        let text = message.text();
        let Some((of, number)) = recognised(stage.run.as_str(), &text) else { return };
        let (rightful, way) = match &self.tenant {
            Some(tenant) => (tenant.as_ref() == of, Way::ToMember),
            // The platform knows whose a message is by its subject alone.
            None => (message.subject.split('.').next() == Some(of), Way::ToPlatform),
        };
        stage.note(|trace| {
            let known = rightful && trace.flock(of, way).arrived(number, at);
            if !known {
                let (of, heard_by) = (of.to_owned(), self.who.to_string());
                let message = format!("{text:?} on {}", message.subject);
                trace.crossings.push(Crossing { of, heard_by, message });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_known_by_its_run_its_tenant_and_its_number() {
        assert_eq!(recognised("r1", "canary r1 acme 17"), Some(("acme", 17)));
        for text in ["", "canary r2 acme 17", "canary r1 acme", "canary r1 acme x", "budgie r1 acme 17"] {
            assert_eq!(recognised("r1", text), None, "{text}");
        }
    }
}

//! What one scenario knows. Nothing in it is shared with another scenario but the platform itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_plan::access::{Expectation, Outcome};
use bulkhead_runtime::probe::nats::{Delivered, Interest, Login, Message, Session, login};
use bulkhead_runtime::probe::{Nonce, Observation, Presented, Sight, TraceId};
use cucumber::World;
use tokio::sync::OwnedSemaphorePermit;

use crate::platform::{Platform, PlatformError};
use crate::report::Conclusion;
use crate::steps::Reading;
use crate::words::Peer;
use bulkhead_runtime::probe::verdict::{Judged, Refusals, judge_operation};

/// The world of one scenario.
#[derive(Debug, World)]
#[world(init = Self::empty)]
pub(crate) struct Scene {
    platform: Option<Arc<Platform>>,
    pub(crate) started: Instant,
    /// Tells this scenario's messages, streams and services from all others'.
    pub(crate) nonce: Nonce,
    judged: Vec<(Peer, Judged)>,
    sessions: BTreeMap<Peer, Session>,
    /// What the broker refused on connections that it had accepted.
    refusals: Refusals,
    /// Who listens, in the order in which they began.
    pub(crate) listeners: Vec<Listener>,
    /// What each listener received of this scenario's messages.
    pub(crate) received: BTreeMap<Peer, Vec<Message>>,
    /// What was sent that others might hear.
    pub(crate) sent: Vec<String>,
    /// The trace of the last gRPC call.
    pub(crate) trace: Option<TraceId>,
    /// What the last request was answered with.
    pub(crate) reply: Option<Message>,
    /// Streams to be removed when the scenario ends.
    pub(crate) kept: Vec<(Peer, String)>,
    /// What owners read in their streams before anything was tried.
    pub(crate) readings: Vec<(Peer, String, Reading)>,
    /// One of the few places for scenarios that keep streams.
    pub(crate) place: Option<OwnedSemaphorePermit>,
    /// What somebody else got to see.
    pub(crate) seen: Vec<String>,
    /// The service that the platform offers in this scenario.
    pub(crate) offered: Option<Interest>,
    /// Whether the last connection took up an earlier session.
    pub(crate) resumed: Option<bool>,
    /// Whom the service saw asking.
    pub(crate) askers: Vec<String>,
    /// The certificates that took part.
    pub(crate) certificates: Vec<Presented>,
    /// The services and stand-ins whose logs belong to the story.
    pub(crate) pages: Vec<String>,
    /// What went on, for the report of a failure.
    pub(crate) evidence: Vec<String>,
    /// How the scenario failed, when a step said so.
    pub(crate) conclusion: Option<Conclusion>,
}

/// Somebody who listens for other people's messages.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) peer: Peer,
    /// The subscription, unless it was refused.
    pub(crate) interest: Option<Interest>,
    /// The subscription to a subject of its own, which shows that it hears at all.
    pub(crate) own: Interest,
    pub(crate) own_subject: String,
}

/// A step that did not find what it says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unmet(pub(crate) String);

impl From<PlatformError> for Unmet {
    fn from(error: PlatformError) -> Self {
        Self(error.to_string())
    }
}

/// What steps return.
pub(crate) type Step = Result<(), Unmet>;

impl Scene {
    fn empty() -> Self {
        Self {
            platform: None,
            started: Instant::now(),
            nonce: Nonce::fresh(),
            judged: Vec::new(),
            sessions: BTreeMap::new(),
            refusals: Refusals::default(),
            listeners: Vec::new(),
            received: BTreeMap::new(),
            sent: Vec::new(),
            trace: None,
            reply: None,
            kept: Vec::new(),
            readings: Vec::new(),
            place: None,
            seen: Vec::new(),
            offered: None,
            resumed: None,
            askers: Vec::new(),
            certificates: Vec::new(),
            pages: Vec::new(),
            evidence: Vec::new(),
            conclusion: None,
        }
    }

    /// Puts the scenario on its platform; the runner does so before the first step.
    pub(crate) fn enter(&mut self, platform: Arc<Platform>) {
        if let Ok(broker) = platform.target(&Peer::Broker) {
            self.refusals = Refusals::since(platform.book.end(&broker.page));
        }
        self.platform = Some(platform);
    }

    pub(crate) fn platform(&self) -> Result<Arc<Platform>, Unmet> {
        self.platform.clone().ok_or_else(|| Unmet("the scenario is on no platform".to_owned()))
    }

    /// Notes something for the report of a failure.
    pub(crate) fn note(&mut self, line: impl ToString) {
        self.evidence.push(line.to_string());
    }

    /// Notes a certificate that takes part.
    pub(crate) fn show(&mut self, credential: Option<&Presented>) {
        self.certificates.extend(credential.cloned());
    }

    /// Notes something that was sent and that others might hear, whether the broker took it or not.
    pub(crate) fn send<T>(&mut self, sent: &Observation<T>) {
        if matches!(sent.sight, Sight::Answered(_) | Sight::Refused(_)) {
            self.sent.push(sent.to_string());
        }
        self.note(sent);
    }

    /// What was seen on a connection that the broker had accepted, joined with its own record of it where it refused.
    ///
    /// `evidence` tells what was seen, and whatever else there is to tell.
    pub(crate) async fn said<T>(
        &self,
        seen: &Observation<T>,
        subject: &str,
        evidence: Vec<String>,
    ) -> Result<Judged, Unmet> {
        self.refusals.remember(seen);
        self.confirmed(Judged::new(judge_operation(&seen.sight, subject), evidence)).await
    }

    /// The same where the outcome is not what was seen alone.
    pub(crate) async fn confirmed(&self, judged: Judged) -> Result<Judged, Unmet> {
        let platform = self.platform()?;
        let page = platform.target(&Peer::Broker)?.page;
        Ok(self.refusals.confirm(&platform.book, &page, judged).await)
    }

    /// Files what an attempt of a peer came to.
    pub(crate) fn file(&mut self, peer: &Peer, judged: Judged) {
        self.evidence.extend(judged.evidence.iter().cloned());
        self.judged.push((peer.clone(), judged));
    }

    /// What came of everything that the peer attempted so far.
    pub(crate) fn outcomes_of(&self, peer: &Peer) -> impl Iterator<Item = &Outcome> {
        self.judged.iter().filter(move |(who, _)| who == peer).map(|(_, judged)| &judged.outcome)
    }

    /// Compares the peer's last outcome with what is expected.
    pub(crate) fn expect(&mut self, peer: &Peer, expected: &Expectation) -> Step {
        let mut latest = self.judged.iter().rev().filter(|(who, _)| who == peer);
        let Some((_, judged)) = latest.next() else {
            return self.unclear(format!("{peer} has attempted nothing"));
        };
        let (found, model) = (judged.outcome.clone(), judged.model.clone());
        match Conclusion::of(expected, &found) {
            Conclusion::Passed => match model {
                Some(model) if contradicts(&model, &found) => self.unclear(format!(
                    "{peer}: the feature expects {expected}, the access model expects {model}, found {found}"
                )),
                _ => Ok(()),
            },
            otherwise => self.conclude(otherwise, format!("{peer}: expected {expected}, found {found}")),
        }
    }

    /// Fails because something was allowed that must not be.
    pub(crate) fn violated(&mut self, why: impl Into<String>) -> Step {
        self.conclude(Conclusion::Violated, why)
    }

    /// Fails because something that must be allowed was denied.
    pub(crate) fn broken(&mut self, why: impl Into<String>) -> Step {
        self.conclude(Conclusion::Broken, why)
    }

    /// Fails because nothing can be concluded.
    pub(crate) fn unclear(&mut self, why: impl Into<String>) -> Step {
        self.conclude(Conclusion::Inconclusive, why)
    }

    fn conclude(&mut self, conclusion: Conclusion, why: impl Into<String>) -> Step {
        self.conclusion = Some(conclusion);
        Err(Unmet(why.into()))
    }

    /// The peer's own connection to the broker, opened when it is first needed.
    pub(crate) async fn session(&mut self, peer: &Peer) -> Result<&mut Session, Unmet> {
        if !self.sessions.contains_key(peer) {
            let platform = self.platform()?;
            let credential = platform.credential(peer)?;
            let nobody = || Unmet(format!("{peer} has no certificate to log in with"));
            let how = Login::with(credential.as_ref().ok_or_else(nobody)?);
            self.show(credential.as_ref());
            let broker = platform.target(&Peer::Broker)?;
            self.pages.push(broker.page);
            if let Peer::Agent(_) = peer {
                self.pages.push(platform.target(peer)?.page);
            }
            let (report, session) = login(&broker.address, &how).await.split();
            self.note(&report);
            let session =
                session.ok_or_else(|| Unmet(format!("{report}: this login is expected to work")))?;
            self.sessions.insert(peer.clone(), session);
        }
        self.sessions.get_mut(peer).ok_or_else(|| Unmet(format!("{peer} has no session")))
    }

    /// Every listener's barrier: whatever was sent before has arrived afterwards.
    pub(crate) async fn settle(&mut self) -> Step {
        let listening: Vec<(Peer, Vec<Interest>)> =
            self.listeners.iter().map(|one| (one.peer.clone(), one.interest.into_iter().collect())).collect();
        for (peer, interests) in listening {
            let session = self.session(&peer).await?;
            let flushed = session.flush().await;
            if !matches!(flushed.sight, Sight::Answered(())) {
                return self.unclear(format!("{peer} can no longer hear: {flushed}"));
            }
            let delivered: Vec<Delivered> =
                interests.into_iter().map(|interest| session.take(interest)).collect();
            if delivered.iter().any(|delivered| delivered.let_go > 0) {
                return self.unclear(format!("more came to {peer} than is kept"));
            }
            let messages = delivered.into_iter().flat_map(|delivered| delivered.messages);
            self.received.entry(peer).or_default().extend(messages);
        }
        Ok(())
    }

    /// Whether a listener received one of this scenario's messages.
    pub(crate) fn has_received(&self, peer: &Peer) -> bool {
        let nonce = self.nonce.as_str();
        self.received.get(peer).is_some_and(|messages| messages.iter().any(|one| one.text().contains(nonce)))
    }
}

/// Whether the model speaks of such attempts, and expects something else.
fn contradicts(model: &Expectation, found: &Outcome) -> bool {
    !matches!(model, Expectation::Unspecified(_)) && !model.is_met_by(found)
}

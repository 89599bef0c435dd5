//! Whoever acts: somebody whom the broker lets in, with the proof that it can do there what it may.

use bulkhead_identity::PeerName;
use bulkhead_plan::access::{Vantage, Who};
use bulkhead_probe::nats::{Headers, Interest};
use bulkhead_probe::post::RemoteSession;
use bulkhead_probe::{Nonce, Sight};
use serde_json::json;

use super::Stage;
use super::owner::{Owner, listen, must};
use super::witness::Witnessed;
use crate::site::{ADMIN, POLLER};

/// Somebody at work, and the platform's voice for it.
pub(crate) struct Desk {
    pub(crate) who: Who,
    pub(crate) name: PeerName,
    pub(crate) from: Vantage,
    /// The poller, which offers a service and reads what the platform keeps.
    platform: Option<RemoteSession>,
    /// The service that the platform offers at this desk.
    offered: Option<Offered>,
    /// The administrator, who reads what is kept.
    administrator: Result<RemoteSession, String>,
}

/// A service of the platform's, for one desk alone.
pub(crate) struct Offered {
    /// Where tenants ask it.
    pub(crate) asked: String,
    /// What it hears.
    pub(crate) interest: Interest,
}

/// One connection of a talker's.
pub(crate) struct Talker {
    pub(crate) session: Witnessed,
    pub(crate) name: PeerName,
    /// Where it talks to itself.
    own: Option<(String, Interest)>,
    /// Why no administrator is answered, if none is.
    unanswered: Option<String>,
}

impl Desk {
    pub(super) async fn open(stage: &Stage<'_>, who: &Who, from: &Vantage) -> Result<Self, String> {
        let Who::Peer(name) = who else {
            return Err("the broker lets in real peers only".to_owned());
        };
        let conventions = stage.site.conventions();
        // Where the platform has nobody who does this, what needs it is not covered.
        let service = conventions.service(&format!("mx-{}", Nonce::fresh()));
        let reads = service.is_some() || conventions.accounts().kept_results.is_some();
        let platform = match reads && stage.site.platform.credentials.contains_key(&POLLER) {
            true => Some(connection(stage, &Who::Peer(POLLER)).await?),
            false => None,
        };
        let asks = conventions.subjects().administrator_results.is_some();
        let administrator = match asks && stage.site.platform.credentials.contains_key(&ADMIN) {
            true => answered(stage, connection(stage, &Who::Peer(ADMIN)).await?).await,
            false => Err("the platform has no administrator here".to_owned()),
        };
        let offered = match (&platform, service) {
            (Some(platform), Some((asked, offered))) => {
                Some(Offered { asked, interest: listen(platform, &offered).await? })
            }
            _ => None,
        };
        let (who, name, from) = (who.clone(), name.clone(), from.clone());
        Ok(Self { who, name, from, platform, offered, administrator })
    }

    /// The platform's voice.
    pub(super) fn platform(&self) -> Result<&RemoteSession, String> {
        self.platform.as_ref().ok_or_else(|| "the platform has no voice at the broker here".to_owned())
    }

    /// The service that the platform offers at this desk.
    pub(super) fn offered(&self) -> Result<&Offered, String> {
        self.offered.as_ref().ok_or_else(|| "the platform offers no service here".to_owned())
    }

    /// Whoever reads what is kept.
    pub(super) fn administrator(&self) -> Result<&RemoteSession, String> {
        self.administrator.as_ref().map_err(Clone::clone)
    }

    /// A connection of its own for one round of attempts, so that nothing of an earlier round is heard in it.
    pub(super) async fn talker(&self, stage: &Stage<'_>) -> Result<Talker, String> {
        let (seen, session) = stage.site.log_in(&self.who, &self.from).await?;
        let session = session.ok_or_else(|| format!("{} cannot log in: {seen}", self.name))?;
        let talker = Talker::new(stage, session, &self.name).await?;
        Ok(Talker { unanswered: self.administrator.as_ref().err().cloned(), ..talker })
    }

    /// What its own tenant keeps.
    pub(super) fn own<'s>(&self, stage: &'s Stage<'_>) -> Option<&'s Owner> {
        let tenant = self.name.tenant()?;
        stage.owner(tenant).ok().map(|owner| owner.as_ref())
    }
}

/// An administrator's connection, if the platform answers on it: it would be asked again and again, each time in vain.
async fn answered(stage: &Stage<'_>, session: RemoteSession) -> Result<RemoteSession, String> {
    let tenant = stage.site.model().tenants().next().ok_or("there is no tenant to ask about")?;
    let subject = stage.site.conventions().administrator_results(tenant);
    let subject = subject.ok_or("there is nothing that administrators ask")?;
    let asked = session.request(&subject, Headers::default(), &json!({ "count": 1 }).to_string()).await;
    must(&asked, || "the administrator is not answered".to_owned())?;
    Ok(session)
}

/// A connection of a platform's peer, from its home.
async fn connection(stage: &Stage<'_>, who: &Who) -> Result<RemoteSession, String> {
    let from = match who {
        Who::Peer(name) => stage.site.model().home_of(name),
        _ => Vantage::Host,
    };
    // The place has a probe only where something is attempted from it.
    let from = if stage.site.probe(&from).is_ok() { from } else { Vantage::Host };
    let (seen, session) = stage.site.log_in(who, &from).await?;
    session.ok_or_else(|| format!("{who} cannot log in: {seen}"))
}

impl Talker {
    pub(super) async fn new(
        stage: &Stage<'_>,
        session: RemoteSession,
        name: &PeerName,
    ) -> Result<Self, String> {
        // An administrator may say nothing but requests.
        let own = match stage.site.conventions().own(name, Nonce::fresh().as_str()) {
            Some(subject) => {
                let interest = listen(&session, &subject).await?;
                Some((subject, interest))
            }
            None => None,
        };
        let session = Witnessed::new(stage.site, session);
        Ok(Self { session, name: name.clone(), own, unanswered: None })
    }

    /// The subject on which it talks to itself.
    pub(super) fn own(&self) -> Option<&(String, Interest)> {
        self.own.as_ref()
    }

    /// It says something to itself and hears it; the administrator, who may say nothing, asks the platform.
    pub(super) async fn works(&self, stage: &Stage<'_>) -> Result<String, String> {
        let Some((subject, interest)) = &self.own else {
            if let Some(why) = &self.unanswered {
                return Err(why.clone());
            }
            let tenant = stage.site.model().tenants().next().ok_or("there is no tenant to ask about")?;
            let subject = stage.site.conventions().administrator_results(tenant);
            let subject = subject.ok_or("there is nothing that administrators ask")?;
            let body = json!({ "count": 1 }).to_string();
            let asked = self.session.request(&subject, Headers::default(), &body).await;
            must(&asked, || format!("{} is not answered", self.name))?;
            return Ok(format!("{} is answered on {subject}", self.name));
        };
        let said = Nonce::fresh();
        let sent = self.session.publish(subject, None, Headers::default(), said.as_str()).await;
        must(&sent, || format!("{} cannot talk to itself", self.name))?;
        let heard = self.session.wait_for(*interest, said.as_str()).await;
        match heard.sight {
            Sight::Answered(_) => Ok(format!("{} hears itself on {subject}", self.name)),
            _ => Err(format!("{} does not hear itself: {heard}", self.name)),
        }
    }
}

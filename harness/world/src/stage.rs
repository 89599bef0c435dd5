//! The running environment as canaries and deeds need it: who is where, with which credential, and what was seen so far.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bulkhead_identity::{PeerName, PlatformName, TenantSlug};
use bulkhead_plan::access::{Model, Vantage};
use bulkhead_plan::environment::{AgentRecord, Credential, EnvironmentRecord};
use bulkhead_probe::grpc::Call;
use bulkhead_probe::post::{LoginOrder, Opening, Order, Remote, RemoteSession, Seen};
use bulkhead_probe::{CredentialError, Nonce, Presented, Sight};
use bulkhead_runtime::vantage::{VantageError, Vantages, address_of};

use crate::trace::{Moment, Trace};

pub(crate) const NATS: PeerName = PeerName::Platform(PlatformName::Nats);
pub(crate) const POLLER: PeerName = PeerName::Platform(PlatformName::Poller);

/// A running environment with canaries in it.
pub(crate) struct Stage {
    pub(crate) record: EnvironmentRecord,
    /// Tells this run's canaries from all others.
    pub(crate) run: Nonce,
    model: Model,
    vantages: Vantages,
    began: Instant,
    trace: Mutex<Trace>,
}

impl Stage {
    /// With a probe in every tenant's network and in the platform's; on this machine alone, where there are none.
    pub(crate) async fn open(record: EnvironmentRecord, probe: &Path) -> Result<Self, VantageError> {
        let model = Model::of_record(&record);
        let mut places: Vec<Vantage> = model.agents().map(|agent| model.home_of(&agent)).collect();
        places.extend([model.home_of(&POLLER), Vantage::Host]);
        places.sort();
        places.dedup();
        let vantages = Vantages::open(&record, &places, probe).await?;
        let (run, trace) = (Nonce::fresh(), Mutex::default());
        Ok(Self { record, run, model, vantages, began: Instant::now(), trace })
    }

    /// Since the run began.
    pub(crate) fn now(&self) -> Moment {
        self.began.elapsed()
    }

    /// Writes down what was seen.
    pub(crate) fn note<T>(&self, write: impl FnOnce(&mut Trace) -> T) -> T {
        write(&mut self.trace.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &TenantSlug> {
        self.record.tenants.iter().map(|tenant| &tenant.slug)
    }

    /// The tenant that disturbs, or is disturbed.
    pub(crate) fn first_tenant(&self) -> Result<TenantSlug, String> {
        self.tenants().next().cloned().ok_or_else(|| "there is no tenant".to_owned())
    }

    fn agents(&self, tenant: &TenantSlug) -> impl Iterator<Item = &AgentRecord> {
        let tenant = self.record.tenants.iter().find(|known| known.slug == *tenant);
        tenant.into_iter().flat_map(|tenant| &tenant.agents)
    }

    /// A tenant's first agent.
    pub(crate) fn agent(&self, tenant: &TenantSlug) -> Result<&AgentRecord, String> {
        self.agents(tenant).next().ok_or_else(|| format!("{tenant} has no agent"))
    }

    /// Another member of the tenant; the same one on another connection, where it has no other.
    pub(crate) fn another_member(&self, tenant: &TenantSlug) -> Result<&AgentRecord, String> {
        self.agents(tenant).last().ok_or_else(|| format!("{tenant} has no agent"))
    }

    pub(crate) fn home_of(&self, name: &PeerName) -> Vantage {
        self.model.home_of(name)
    }

    /// Somebody's own certificate and key.
    pub(crate) fn credential(&self, name: &PeerName) -> Result<Presented, CredentialError> {
        let found = self.credential_files(name).ok_or_else(|| CredentialError::Unavailable {
            label: name.to_string(),
            why: "the environment's description has none".to_owned(),
        })?;
        Presented::from_files(name.to_string(), &found.certificate, &found.key)
    }

    fn credential_files(&self, name: &PeerName) -> Option<&Credential> {
        if *name == POLLER {
            return Some(&self.record.platform.poller_credential);
        }
        let mut agents = self.record.tenants.iter().flat_map(|tenant| &tenant.agents);
        agents.find(|agent| agent.name == *name).map(|agent| &agent.credential)
    }

    /// Where a service is on this machine.
    pub(crate) fn address(&self, service: &PeerName) -> Result<String, String> {
        address_of(&self.record, service).ok_or_else(|| format!("it is not known where {service} is"))
    }

    /// Where a service is as its neighbours dial it: by name, where they do, so that it is found again after a restart.
    fn inside_address(&self, from: &Vantage, service: &PeerName) -> Result<String, String> {
        if *from == Vantage::Host {
            return self.address(service);
        }
        let platform = &self.record.platform;
        let mut agents = self.record.tenants.iter().flat_map(|tenant| &tenant.agents);
        let found = match service {
            PeerName::Platform(PlatformName::Nats) => Some(&platform.nats.inside_address),
            PeerName::Platform(_) => Some(&platform.poller.inside_address),
            PeerName::Tenant(_) => {
                agents.find(|agent| agent.name == *service).map(|agent| &agent.inside_address)
            }
        };
        found.cloned().ok_or_else(|| format!("it is not known where {service} is"))
    }

    fn probe(&self, from: &Vantage) -> Result<&Remote, String> {
        self.vantages.probe(from).ok_or_else(|| format!("there is no probe in {from}"))
    }

    fn opening(&self, probe: &Remote, who: &PeerName, service: &PeerName) -> Result<Opening, String> {
        let credential = self.credential(who).map_err(|error| error.to_string())?;
        Ok(Opening {
            credential: Some(probe.learn(&credential)),
            server_name: service.to_string(),
            offers_h2: *service != NATS,
            old_tls: false,
            sessions: None,
        })
    }

    /// A connection to the broker, from where somebody is at home.
    pub(crate) async fn log_in(&self, who: &PeerName) -> Result<RemoteSession, String> {
        let from = self.home_of(who);
        let probe = self.probe(&from)?;
        let login = LoginOrder { opening: Some(self.opening(probe, who, &NATS)?), user: None, inbox: None };
        let address = self.inside_address(&from, &NATS)?;
        let (seen, session) = probe.login(&address, login).await.map_err(|lost| lost.to_string())?;
        session.ok_or_else(|| seen.to_string())
    }

    /// One call on a connection of its own.
    pub(crate) async fn call(
        &self,
        who: &PeerName,
        from: &Vantage,
        service: &PeerName,
        call: Call,
    ) -> Result<Seen, String> {
        let probe = self.probe(from)?;
        let order = Order::Call {
            address: self.inside_address(from, service)?,
            opening: self.opening(probe, who, service)?,
            authority: service.to_string(),
            metadata: Vec::new(),
            call: Box::new(call),
        };
        probe.attempt(order).await.map_err(|lost| lost.to_string())
    }

    /// What was seen, and the end of the probes. For whoever is the last to hold the stage.
    pub(crate) async fn close(self) -> Trace {
        self.vantages.close().await;
        self.trace.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer, or what was seen instead.
pub(crate) fn answered<T>(seen: bulkhead_probe::Observation<T>) -> Result<T, String> {
    let (report, answer) = seen.split();
    answer.ok_or_else(|| report.to_string())
}

/// Whether somebody was seen to answer, for a call of which the answer says nothing more.
pub(crate) fn is_answered<T>(sight: &Sight<T>) -> bool {
    matches!(sight, Sight::Answered(_))
}

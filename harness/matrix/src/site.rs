//! The running environment as the attempts need it: who is where, with which credentials, and what was found.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_identity::{PeerName, PlatformName, TenantSlug};
use bulkhead_plan::access::{Model, Vantage, Who};
use bulkhead_plan::environment::{BackendKind, Credential, EnvironmentRecord};
use bulkhead_plan::matrix::{Cell, Measured};
use bulkhead_probe::post::{LoginOrder, Lost, Opening, Remote, RemoteSession, Seen};
use bulkhead_probe::{CredentialError, Presented};
use bulkhead_runtime::probe::forge::Forger;
use bulkhead_runtime::probe::records::{Book, Source};
use bulkhead_runtime::probe::verdict::Judged;
use bulkhead_runtime::vantage::{Vantages, service_of};
use tokio::sync::Semaphore;

/// How many attempts are under way at once. More only wait for the same processors, and handshakes have deadlines.
const CONCURRENCY: usize = 32;

/// A running environment under attack.
pub(crate) struct Site {
    pub(crate) record: EnvironmentRecord,
    pub(crate) model: Model,
    pub(crate) vantages: Vantages,
    pub(crate) book: Book,
    pub(crate) places: Semaphore,
    forger: Forger,
    credentials: Mutex<HashMap<Who, Arc<Presented>>>,
    measured: Mutex<BTreeMap<Cell, Measured>>,
    tell: Box<dyn Fn(usize) + Send + Sync>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    pub(crate) fn new(
        record: EnvironmentRecord,
        vantages: Vantages,
        tell: Box<dyn Fn(usize) + Send + Sync>,
    ) -> Self {
        let sources = record.services.iter().map(|service| {
            let source = match record.backend {
                BackendKind::Process => Source::File(PathBuf::from(&service.logs)),
                BackendKind::Docker | BackendKind::Compose => Source::Container(service.handle.clone()),
            };
            (service.id.to_string(), source)
        });
        Self {
            model: Model::of_record(&record),
            book: Book::open(sources),
            places: Semaphore::new(CONCURRENCY),
            forger: Forger::of_environment(&record.state_dir),
            credentials: Mutex::default(),
            measured: Mutex::default(),
            vantages,
            tell,
            record,
        }
    }

    /// Writes down what was found in a cell.
    pub(crate) fn file(&self, cell: &Cell, judged: Judged) {
        self.file_with_record(cell, judged, None);
    }

    /// The same, with why the access is not on record where it has to be.
    pub(crate) fn file_with_record(&self, cell: &Cell, judged: Judged, unrecorded: Option<String>) {
        let Judged { outcome, evidence, .. } = judged;
        let done = {
            let mut measured = locked(&self.measured);
            measured.insert(cell.clone(), Measured { outcome, evidence, unrecorded });
            measured.len()
        };
        (self.tell)(done);
    }

    /// The same for an attempt that could not be made, and why.
    pub(crate) fn file_unjudged(&self, cell: &Cell, why: impl Into<String>) {
        self.file(cell, Judged::inconclusive(why));
    }

    /// Everything that was found.
    pub(crate) fn take_measured(&self) -> BTreeMap<Cell, Measured> {
        std::mem::take(&mut locked(&self.measured))
    }

    /// The certificate that somebody shows; none for nobody.
    pub(crate) fn credential(&self, who: &Who) -> Result<Option<Arc<Presented>>, CredentialError> {
        if *who == Who::Anonymous {
            return Ok(None);
        }
        if let Some(known) = locked(&self.credentials).get(who) {
            return Ok(Some(Arc::clone(known)));
        }
        let made = Arc::new(self.obtain(who)?);
        locked(&self.credentials).insert(who.clone(), Arc::clone(&made));
        Ok(Some(made))
    }

    fn obtain(&self, who: &Who) -> Result<Presented, CredentialError> {
        let name = match who {
            Who::Forged { name, flaw } => return self.forger.make(name, flaw),
            Who::Peer(name) => name,
            Who::Anonymous => {
                let (label, why) = ("nobody".to_owned(), "nobody has no certificate".to_owned());
                return Err(CredentialError::Unavailable { label, why });
            }
        };
        let credential = self.real(name).ok_or_else(|| CredentialError::Unavailable {
            label: name.to_string(),
            why: "the environment's description has none".to_owned(),
        })?;
        Presented::from_files(name.to_string(), &credential.certificate, &credential.key)
    }

    fn real(&self, name: &PeerName) -> Option<&Credential> {
        let platform = &self.record.platform;
        match name {
            PeerName::Platform(PlatformName::Nats) => Some(&platform.nats_credential),
            PeerName::Platform(PlatformName::Poller) => Some(&platform.poller_credential),
            PeerName::Platform(PlatformName::Admin) => Some(&platform.admin),
            PeerName::Platform(PlatformName::Core) => None,
            PeerName::Tenant(_) => {
                let mut agents = self.record.tenants.iter().flat_map(|tenant| &tenant.agents);
                agents.find(|agent| agent.name == *name).map(|agent| &agent.credential)
            }
        }
    }

    /// The probe in a place.
    pub(crate) fn probe(&self, from: &Vantage) -> Result<&Remote, String> {
        self.vantages.probe(from).ok_or_else(|| format!("there is no probe in {from}"))
    }

    /// Where a service is, seen from a place.
    pub(crate) fn address(&self, from: &Vantage, service: &PeerName) -> Result<String, String> {
        let address = self.vantages.address(&self.record, from, service);
        address.ok_or_else(|| format!("it is not known where {service} is"))
    }

    /// The page of a service in the book of records.
    pub(crate) fn page(&self, service: &PeerName) -> Result<String, String> {
        let id = service_of(&self.record, service).ok_or_else(|| format!("{service} is no service here"))?;
        Ok(id.to_string())
    }

    /// How somebody opens a handshake from a place, with a service of that name.
    pub(crate) fn opening(&self, probe: &Remote, who: &Who, name: &PeerName) -> Result<Opening, String> {
        let credential = self.credential(who).map_err(|error| error.to_string())?;
        Ok(Opening {
            credential: credential.map(|credential| probe.learn(&credential)),
            server_name: name.to_string(),
            offers_h2: *name != NATS,
            old_tls: false,
            sessions: None,
        })
    }

    /// A connection of somebody's to the broker, from a place.
    pub(crate) async fn log_in(
        &self,
        who: &Who,
        from: &Vantage,
    ) -> Result<(Seen, Option<RemoteSession>), String> {
        let probe = self.probe(from)?;
        let login = LoginOrder { opening: Some(self.opening(probe, who, &NATS)?), user: None };
        let address = self.address(from, &NATS)?;
        probe.login(&address, login).await.map_err(|lost: Lost| lost.to_string())
    }

    /// The first agent of a tenant.
    pub(crate) fn first_agent(&self, tenant: &TenantSlug) -> Option<PeerName> {
        self.model.agents().find(|agent| agent.tenant() == Some(tenant))
    }

    /// Whoever may use a service without any doubt, and the place where it is at home; of the platform's services an agent of
    /// each tenant. Any of them shows that the door is open: what one tenant has used up, or is cut off from, is no
    /// other's.
    pub(crate) fn rightful_peers_of(&self, service: &PeerName) -> Vec<(Who, Vantage)> {
        let names = match service {
            PeerName::Tenant(_) => vec![POLLER],
            PeerName::Platform(_) => {
                self.model.tenants().filter_map(|tenant| self.first_agent(tenant)).collect()
            }
        };
        names.into_iter().map(|name| (Who::Peer(name.clone()), self.model.home_of(&name))).collect()
    }
}

pub(crate) const NATS: PeerName = PeerName::Platform(PlatformName::Nats);
pub(crate) const POLLER: PeerName = PeerName::Platform(PlatformName::Poller);
pub(crate) const ADMIN: PeerName = PeerName::Platform(PlatformName::Admin);

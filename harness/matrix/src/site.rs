//! The running environment as the attempts need it: who is where, with which credentials, and what was found.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_identity::{PeerName, PlatformName, TenantSlug};
use bulkhead_plan::access::{Model, Vantage, Who};
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_plan::foreign::{Conventions, JudgedPlatform};
use bulkhead_plan::matrix::{Cell, Measured};
use bulkhead_probe::post::{LoginOrder, Lost, Opening, Remote, RemoteSession, Seen};
use bulkhead_probe::{CredentialError, Presented};
use bulkhead_runtime::probe::forge::Forger;
use bulkhead_runtime::probe::records::{Book, Source};
use bulkhead_runtime::probe::verdict::Judged;
use bulkhead_runtime::vantage::Vantages;
use tokio::sync::Semaphore;

/// How many attempts are under way at once. More only wait for the same processors, and handshakes have deadlines.
const CONCURRENCY: usize = 32;

/// How often an attempt is made whose connection ended without a word, where nobody can read the server's record.
const TRIES_WITHOUT_RECORD: usize = 16;

/// A running environment under attack.
pub(crate) struct Site {
    pub(crate) platform: JudgedPlatform,
    pub(crate) vantages: Vantages,
    pub(crate) book: Book,
    pub(crate) places: Semaphore,
    forger: Forger,
    credentials: Mutex<HashMap<Who, Arc<Presented>>>,
    measured: Mutex<BTreeMap<Cell, Measured>>,
    uncounted: AtomicU64,
    tell: Box<dyn Fn(usize) + Send + Sync>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    pub(crate) fn new(
        platform: JudgedPlatform,
        vantages: Vantages,
        tell: Box<dyn Fn(usize) + Send + Sync>,
    ) -> Self {
        let sources = platform
            .services
            .values()
            .filter_map(|service| Some((service.page.clone(), Source::of(&service.records)?)));
        Self {
            book: Book::open(sources),
            places: Semaphore::new(CONCURRENCY),
            forger: Forger::of_platform(&platform),
            credentials: Mutex::default(),
            measured: Mutex::default(),
            uncounted: AtomicU64::new(0),
            vantages,
            tell,
            platform,
        }
    }

    /// Adds attempts of which a probe knows nothing: visits to an impostor, and connections that one order opened.
    pub(crate) fn add_attempts(&self, number: u64) {
        self.uncounted.fetch_add(number, Ordering::Relaxed);
    }

    /// How many attempts there were until now.
    pub(crate) fn attempts(&self) -> u64 {
        self.vantages.attempts() + self.uncounted.load(Ordering::Relaxed)
    }

    /// What is expected of whom, and who is where.
    pub(crate) fn model(&self) -> &Model {
        &self.platform.model
    }

    /// How the platform calls things.
    pub(crate) fn conventions(&self) -> &Conventions {
        &self.platform.conventions
    }

    /// The files and processes of a platform that this project started.
    pub(crate) fn record(&self) -> Result<&EnvironmentRecord, String> {
        self.platform.own.as_ref().ok_or_else(|| "this project did not start the platform".to_owned())
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
        let credential = self.platform.credentials.get(name).ok_or_else(|| CredentialError::Unavailable {
            label: name.to_string(),
            why: "the environment's description has none".to_owned(),
        })?;
        Presented::from_files(name.to_string(), &credential.certificate, &credential.key)
    }

    /// The probe in a place.
    pub(crate) fn probe(&self, from: &Vantage) -> Result<&Remote, String> {
        self.vantages.probe(from).ok_or_else(|| format!("there is no probe in {from}"))
    }

    /// Where a service is, seen from a place.
    pub(crate) fn address(&self, from: &Vantage, service: &PeerName) -> Result<String, String> {
        let address = match &self.platform.own {
            Some(record) => self.vantages.address(record, from, service),
            None => self.platform.services.get(service).map(|service| service.address.clone()),
        };
        address.ok_or_else(|| format!("it is not known where {service} is"))
    }

    /// The page of a service in the book of records.
    pub(crate) fn page(&self, service: &PeerName) -> Result<String, String> {
        let known = self.platform.services.get(service);
        known.map(|service| service.page.clone()).ok_or_else(|| format!("{service} is no service here"))
    }

    /// How often an attempt is made whose connection ends without a word: once where the server's record says why it ended.
    pub(crate) fn tries(&self, page: &str) -> usize {
        if self.book.follows(page) { 1 } else { TRIES_WITHOUT_RECORD }
    }

    /// How somebody opens a handshake from a place, with a service of that name.
    pub(crate) fn opening(&self, probe: &Remote, who: &Who, name: &PeerName) -> Result<Opening, String> {
        let credential = self.credential(who).map_err(|error| error.to_string())?;
        Ok(Opening {
            credential: credential.map(|credential| probe.learn(&credential)),
            server_name: self.conventions().certificate_name(name),
            offers_h2: *name != NATS,
            old_tls: false,
            sessions: None,
        })
    }

    /// A login of somebody's, honest but for what is changed in it.
    pub(crate) fn login(&self, opening: Opening, who: &Who) -> LoginOrder {
        let inbox = match who {
            Who::Peer(name) | Who::Forged { name, .. } => Some(self.conventions().inbox(name)),
            Who::Anonymous => None,
        };
        LoginOrder { opening: Some(opening), user: None, inbox }
    }

    /// A connection of somebody's to the broker, from a place.
    pub(crate) async fn log_in(
        &self,
        who: &Who,
        from: &Vantage,
    ) -> Result<(Seen, Option<RemoteSession>), String> {
        let probe = self.probe(from)?;
        let login = self.login(self.opening(probe, who, &NATS)?, who);
        let address = self.address(from, &NATS)?;
        probe.login(&address, login).await.map_err(|lost: Lost| lost.to_string())
    }

    /// The first agent of a tenant.
    pub(crate) fn first_agent(&self, tenant: &TenantSlug) -> Option<PeerName> {
        self.model().agents().find(|agent| agent.tenant() == Some(tenant))
    }

    /// Whoever may use a service without any doubt, and the place where it is at home; of the platform's services an agent of
    /// each tenant. Any of them shows that the door is open: what one tenant has used up, or is cut off from, is no
    /// other's.
    pub(crate) fn rightful_peers_of(&self, service: &PeerName) -> Vec<(Who, Vantage)> {
        let has = |name: &PeerName| self.platform.credentials.contains_key(name);
        let names: Vec<PeerName> = match service {
            PeerName::Tenant(_) => [POLLER, ADMIN].into_iter().find(has).into_iter().collect(),
            PeerName::Platform(_) => {
                self.model().tenants().filter_map(|tenant| self.first_agent(tenant)).filter(has).collect()
            }
        };
        names.into_iter().map(|name| (Who::Peer(name.clone()), self.model().home_of(&name))).collect()
    }
}

pub(crate) const NATS: PeerName = PeerName::Platform(PlatformName::Nats);
pub(crate) const POLLER: PeerName = PeerName::Platform(PlatformName::Poller);
pub(crate) const ADMIN: PeerName = PeerName::Platform(PlatformName::Admin);

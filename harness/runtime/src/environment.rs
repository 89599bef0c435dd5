//! A running environment: what is in it, what it is doing, and its end.

use std::path::Path;
use std::time::{Duration, Instant};

use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::spec::EnvironmentName;
use bulkhead_plan::{PlannedFile, Role, ServiceId};
use futures::future::join_all;
use futures::stream::BoxStream;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::adopt;
use crate::backend::docker::DockerBackend;
use crate::backend::process::ProcessBackend;
use crate::backend::{Backend, LogPart, ServiceState};
use crate::engine::Engine;
use crate::engine::labels::{Lease, Scope, checkout_id};
use crate::error::{Failure, NotReady, StartError};
use crate::event::{Death, Event, Events};
use crate::handover::Handover;
use crate::logs::{self, LogLine, Selection};
use crate::owner::Owner;
use crate::readiness::{Readiness, Target};
use crate::teardown;
use crate::workdir::{Lock, Workdir, WorkdirError};

/// Says, beside `environment.json`, whether the environment outlives the command that started it.
const LEASE_FILE: &str = "lease";
/// How long a service that is started again may take.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// A running environment.
///
/// One that this process started attached is taken down when it is dropped, but [`Environment::down`] is the way that
/// reports what it could not do.
#[derive(Debug)]
pub struct Environment {
    workdir: Workdir,
    record: EnvironmentRecord,
    backend: Box<dyn Backend>,
    deaths: UnboundedReceiver<Death>,
    /// Held by the owner.
    lock: Option<Lock>,
}

impl Environment {
    pub(crate) fn new(
        workdir: Workdir,
        record: EnvironmentRecord,
        backend: Box<dyn Backend>,
        deaths: UnboundedReceiver<Death>,
        lock: Option<Lock>,
    ) -> Self {
        Self { workdir, record, backend, deaths, lock }
    }

    /// An environment that somebody else started, by its state folder, or brought up by hand from the files of
    /// `compose`; `None` when there is none.
    ///
    /// # Errors
    /// When its description is damaged, the engine is gone, or what was brought up by hand is not all there.
    pub async fn find(state_folder: &Path, events: &Events) -> Result<Option<Self>, StartError> {
        let workdir = Workdir::at(state_folder);
        if let Some(handover) = Handover::read(&workdir)? {
            adopt::adopt(&workdir, &handover, events).await?;
        }
        match workdir.record_path().exists() {
            true => Ok(Some(Self::attach(state_folder).await?)),
            false => Ok(None),
        }
    }

    /// An environment that somebody else started, by its state folder. Its owner stays its owner.
    ///
    /// # Errors
    /// When nothing runs there, its description is damaged, or the engine is gone.
    pub async fn attach(state_folder: &Path) -> Result<Self, Failure> {
        let workdir = Workdir::at(state_folder);
        let record =
            workdir.read_record()?.ok_or_else(|| WorkdirError::NotUp { path: workdir.record_path() })?;
        let scope = scope_of(&workdir, &record);
        let (nobody, deaths) = tokio::sync::mpsc::unbounded_channel();
        drop(nobody);
        let backend: Box<dyn Backend> = match record.backend {
            BackendKind::Process => Box::new(ProcessBackend::attach(workdir.clone(), scope)),
            BackendKind::Docker | BackendKind::Compose => {
                let services = record.services.iter();
                let services =
                    services.map(|service| (service.id.clone(), service.handle.clone(), service.role.port()));
                Box::new(DockerBackend::attach(&Engine::connect().await?, scope, services))
            }
        };
        Ok(Self { workdir, record, backend, deaths, lock: None })
    }

    /// What runs, where, and with which credentials.
    pub fn record(&self) -> &EnvironmentRecord {
        &self.record
    }

    /// Everything that belongs to it.
    pub fn state_folder(&self) -> &Path {
        self.workdir.path()
    }

    /// What each service is doing, in the order in which they were started.
    pub async fn states(&self) -> Vec<(ServiceId, ServiceState)> {
        let states = self.record.services.iter().map(async |service| {
            let state = self.backend.state(&service.id).await;
            (service.id.clone(), state)
        });
        join_all(states).await
    }

    /// The next service that ends without having been asked to. Only the owner is told: for everybody else this
    /// waits for ever.
    pub async fn next_death(&mut self) -> Death {
        match self.deaths.recv().await {
            Some(death) => death,
            None => std::future::pending().await,
        }
    }

    /// What the services write, all together, in the order in which it arrives.
    pub fn logs(&self, selection: &Selection) -> BoxStream<'static, LogLine> {
        logs::together(self.backend.as_ref(), &self.record, selection)
    }

    /// What one service has written so far, as it wrote it.
    pub fn log_of(&self, id: &ServiceId) -> BoxStream<'static, String> {
        self.backend.log(id, LogPart { last: None, follow: false })
    }

    /// Stops one service and leaves the others alone.
    ///
    /// # Errors
    /// When there is no such service, or it will not stop.
    pub async fn stop_service(&self, id: &ServiceId) -> Result<(), Failure> {
        self.backend.stop(id).await
    }

    /// The same without asking it: nothing is flushed, no connection is closed in order.
    ///
    /// # Errors
    /// When there is no such service, or it will not end.
    pub async fn kill_service(&self, id: &ServiceId) -> Result<(), Failure> {
        self.backend.kill(id).await
    }

    /// Starts a service that was stopped or has died, and waits until it answers. Its address may be another one then;
    /// the record follows.
    ///
    /// # Errors
    /// When there is no such service, or it does not start.
    pub async fn start_service(&mut self, id: &ServiceId) -> Result<(), Failure> {
        let began = Instant::now();
        let running = self.backend.start(id).await?;
        let address = running.address.to_string();
        let loopback = running.loopback.map(|loopback| loopback.to_string());
        let noted = [
            self.note_address(id, &address),
            self.note_loopback(id, loopback),
            self.note_handle(id, &running.handle),
        ];
        if noted.contains(&true) {
            self.workdir.write_record(&self.record)?;
        }
        let readiness = Readiness::from_state(self.workdir.path())?;
        let Some((role, name)) = self.identity_of(id) else { return Err(Failure::NoSuchService(id.clone())) };
        let target = Target { role, name: &name, address: &address };
        let Err(last_seen) = readiness.wait(target, READY_TIMEOUT).await else {
            self.backend.settled(id);
            return Ok(());
        };
        let last_lines = logs::last_lines(self.backend.as_ref(), id).await;
        let (id, after) = (id.clone(), began.elapsed());
        let late = NotReady { id, address: address.clone(), after, last_seen, last_lines };
        Err(Failure::NotReady(Box::new(late)))
    }

    /// Takes everything down.
    ///
    /// # Errors
    /// What would not go, with reasons.
    pub async fn down(mut self, events: &Events) -> Result<(), teardown::DownError> {
        let began = Instant::now();
        events.emit(Event::Stopping);
        let stuck = self.backend.tear_down().await;
        events.emit(Event::Stopped { after: began.elapsed(), stuck: stuck.clone() });
        teardown::clear(&self.workdir)?;
        self.lock = None;
        teardown::unless_stuck(stuck)
    }

    fn identity_of(&self, id: &ServiceId) -> Option<(Role, bulkhead_identity::PeerName)> {
        match id {
            ServiceId::Nats => Some((Role::Nats, self.record.platform.nats.name.clone())),
            ServiceId::Poller => Some((Role::Poller, self.record.platform.poller.name.clone())),
            ServiceId::Agent { tenant, agent } => {
                let tenant = self.record.tenants.iter().find(|known| known.slug == *tenant)?;
                let agent = tenant.agents.iter().find(|known| known.id == *agent)?;
                Some((Role::Agent, agent.name.clone()))
            }
        }
    }

    fn note_address(&mut self, id: &ServiceId, address: &str) -> bool {
        let platform = &mut self.record.platform;
        let noted = match id {
            ServiceId::Nats => Some(&mut platform.nats.address),
            ServiceId::Poller => Some(&mut platform.poller.address),
            ServiceId::Agent { tenant, agent } => {
                let tenant = self.record.tenants.iter_mut().find(|known| known.slug == *tenant);
                let agent =
                    tenant.and_then(|tenant| tenant.agents.iter_mut().find(|known| known.id == *agent));
                agent.map(|agent| &mut agent.address)
            }
        };
        replace(noted, address)
    }

    fn note_loopback(&mut self, id: &ServiceId, address: Option<String>) -> bool {
        let platform = &mut self.record.platform;
        let known = match id {
            ServiceId::Nats => &mut platform.nats.loopback_address,
            ServiceId::Poller => &mut platform.poller.loopback_address,
            ServiceId::Agent { .. } => return false,
        };
        std::mem::replace(known, address.clone()) != address
    }

    fn note_handle(&mut self, id: &ServiceId, handle: &str) -> bool {
        let service = self.record.services.iter_mut().find(|service| service.id == *id);
        replace(service.map(|service| &mut service.handle), handle)
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // Teardown waits for the engine, and this runtime may be on its way out: another thread does it.
            let (root, record) = (self.workdir.clone(), self.record.clone());
            let work = move || teardown::in_a_hurry(&root, &record);
            let _ = std::thread::spawn(work).join();
        }
    }
}

fn replace(noted: Option<&mut String>, new: &str) -> bool {
    match noted {
        Some(noted) if noted != new => {
            new.clone_into(noted);
            true
        }
        _ => false,
    }
}

/// All of one environment, whoever started it.
pub(crate) fn scope_of(workdir: &Workdir, record: &EnvironmentRecord) -> Scope {
    scope_named(workdir, &record.name)
}

/// The same for an environment that is not described yet.
pub(crate) fn scope_named(workdir: &Workdir, name: &EnvironmentName) -> Scope {
    let root = workdir.path().parent().unwrap_or(workdir.path());
    Scope::Environment { checkout: checkout_id(root), name: name.to_string() }
}

/// Notes whether the environment has an owner.
pub(crate) fn write_lease(workdir: &Workdir, lease: Lease, owner: &Owner) -> Result<(), WorkdirError> {
    let text = match lease {
        Lease::Detached => "detached".to_owned(),
        Lease::Owned { .. } => owner.to_string(),
    };
    workdir.write(&[PlannedFile::public(LEASE_FILE, text)]).map(|_| ())
}

/// Whether the environment that is described there has no owner.
pub(crate) fn is_detached(workdir: &Workdir) -> bool {
    std::fs::read(workdir.path().join(LEASE_FILE)).is_ok_and(|text| text == b"detached")
}

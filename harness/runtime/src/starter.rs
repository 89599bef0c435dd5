//! Brings one environment up: says what it will do, does it, and takes everything down again when it cannot.

mod artifacts;
mod choice;
mod files;
mod plan;
mod services;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::fault::Fault;
use bulkhead_plan::{EnvironmentSpec, Role, Service};
use futures::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::adopt;
use crate::backend::compose::{self, ComposeBackend, Project};
use crate::backend::docker::DockerBackend;
use crate::backend::process::ProcessBackend;
use crate::backend::{Backend, Placed, ServiceState};
use crate::engine::labels::{Lease, Scope, Stamp, checkout_id};
use crate::environment::{self, Environment};
use crate::error::{Failure, StartError};
use crate::event::{Death, Event, Events};
use crate::handover::{HANDOVER, Handover};
use crate::logs;
use crate::owner::Owner;
use crate::readiness::Readiness;
use crate::workdir::{Lock, Workdir};
use crate::{build, digest, teardown};
pub use choice::BackendChoice;
pub(crate) use choice::Chosen;
pub use plan::StartPlan;
pub(crate) use services::Services;

/// How many services are starting at once: more only compete for the same processors.
const CONCURRENCY: usize = 8;
/// After a start that failed in the engine's words, a death that explains it may be on its way.
const EXPLANATION: Duration = Duration::from_millis(300);

/// For how long an environment is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as this process: whatever kills it, the next run sweeps what is left.
    Attached,
    /// Until it is taken down.
    Detached,
}

/// Where the programs of the services come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramSource {
    /// Built by cargo in the checkout at this path.
    Build(PathBuf),
    /// Built already.
    Given(build::Programs),
}

/// How an environment is to be started.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// The folder that the state folders of environments are in: `.bulkhead` of the checkout.
    pub state_root: PathBuf,
    /// What runs the services.
    pub backend: BackendChoice,
    /// For how long.
    pub lifetime: Lifetime,
    /// From which programs.
    pub programs: ProgramSource,
    /// How long one service may take to be ready.
    pub ready_timeout: Duration,
    /// A mistake that is made in it on purpose. The environment's record names it; nobody but `cargo xtask prove` asks for one.
    pub fault: Option<&'static Fault>,
}

impl StartOptions {
    /// For the checkout at `workspace`: state in its `.bulkhead`, programs built there, any backend, attached.
    pub fn for_workspace(workspace: &std::path::Path) -> Self {
        Self {
            state_root: workspace.join(".bulkhead"),
            backend: BackendChoice::Auto,
            lifetime: Lifetime::Attached,
            programs: ProgramSource::Build(workspace.to_owned()),
            ready_timeout: Duration::from_secs(30),
            fault: None,
        }
    }
}

/// An environment that is about to be started.
#[derive(Debug)]
pub struct Starter {
    spec: EnvironmentSpec,
    options: StartOptions,
    chosen: Chosen,
    workdir: Workdir,
}

/// What is held and known while one start is going on.
struct Start {
    workdir: Workdir,
    stamp: Stamp,
    backend: Box<dyn Backend>,
    deaths: UnboundedReceiver<Death>,
    lock: Lock,
}

impl Starter {
    /// Chooses the backend. Nothing is created yet.
    ///
    /// # Errors
    /// When the backend that was asked for is not there.
    pub async fn new(spec: EnvironmentSpec, options: StartOptions) -> Result<Self, StartError> {
        let workdir = Workdir::new(&options.state_root, &spec.name)?;
        let chosen = Chosen::from(options.backend.clone()).await?;
        Ok(Self { spec, options, chosen, workdir })
    }

    /// What a start will do, and where.
    pub fn plan(&self) -> StartPlan {
        StartPlan::of(&self.spec, &self.options, &self.chosen, &self.workdir)
    }

    /// Starts the environment and returns when everything in it answers. When `cancel` is cancelled, or anything
    /// fails, everything that was started is taken down before this returns.
    ///
    /// # Errors
    /// What failed, and what is left behind.
    pub async fn start(self, events: &Events, cancel: &CancellationToken) -> Result<Environment, StartError> {
        let began = Instant::now();
        let (backend, reason) = (self.chosen.kind(), self.chosen.reason().to_owned());
        events.emit(Event::BackendChosen { backend, reason });
        let lock = self.workdir.lock()?;
        self.refuse_when_up().await?;
        let prepared = tokio::select! {
            // Nothing has been created yet, so there is nothing to take down.
            () = cancel.cancelled() => return Err(Failure::Cancelled.into()),
            start = self.prepare(lock, events) => start,
        };
        let mut start = prepared?;
        let result = tokio::select! {
            () = cancel.cancelled() => Err(Failure::Cancelled),
            result = self.bring_up(start.backend.as_ref(), &mut start.deaths, events) => result,
        };
        match result.and_then(|record| self.publish(&start, record)) {
            Ok(record) => {
                events.emit(Event::Ready { services: record.services.len(), after: began.elapsed() });
                let owned = self.options.lifetime == Lifetime::Attached;
                Ok(Environment::new(
                    start.workdir,
                    record,
                    start.backend,
                    start.deaths,
                    owned.then_some(start.lock),
                ))
            }
            Err(failure) => Err(self.give_up(start, failure, events).await),
        }
    }

    /// Writes everything that a start by Compose would need, and starts nothing: for somebody who brings the environment
    /// up by hand. [`Environment::find`] finds it then.
    ///
    /// # Errors
    /// What failed, and what is left behind.
    pub async fn write_only(self, events: &Events) -> Result<Handover, StartError> {
        if let Some(fault) = self.options.fault {
            return Err(Failure::FaultByHand(fault.id()).into());
        }
        let BackendChoice::Compose(files) = self.options.backend.clone() else {
            return Err(Failure::NotByHand(self.chosen.kind()).into());
        };
        let lock = self.workdir.lock()?;
        self.refuse_when_up().await?;
        let start = self.prepare(lock, events).await?;
        let placed = start.backend.place(&self.spec).await?;
        self.write(&placed, start.backend.as_ref(), events).await?;
        let Stamp { environment, run, .. } = start.stamp;
        let project = compose::project(&environment, &run);
        let handover = Handover { files, project, run, subnets: placed.topology.base() };
        handover.write(&self.workdir)?;
        Ok(handover)
    }

    async fn write(&self, placed: &Placed, backend: &dyn Backend, events: &Events) -> Result<(), Failure> {
        files::write(&self.workdir, placed, backend.kind(), self.options.fault, events)?;
        if let Some(engine) = self.chosen.engine() {
            files::hand_over(&self.workdir, engine.service_user().await.0)?;
        }
        Ok(())
    }

    /// An environment of this name whose owner is gone is swept later; a detached one has no owner and stays.
    async fn refuse_when_up(&self) -> Result<(), Failure> {
        if let Some(handover) = Handover::read(&self.workdir)?
            && adopt::is_up(&handover).await
        {
            let (name, record) = (self.spec.name.clone(), self.workdir.path().join(HANDOVER));
            return Err(Failure::AlreadyUp { name, backend: BackendKind::Compose, record });
        }
        let Some(record) = self.workdir.read_record()? else { return Ok(()) };
        if !environment::is_detached(&self.workdir) {
            return Ok(());
        }
        let attached = Environment::attach(self.workdir.path()).await?;
        let states = attached.states().await;
        match states.iter().any(|(_, state)| *state == ServiceState::Running) {
            true => Err(Failure::AlreadyUp {
                name: record.name,
                backend: record.backend,
                record: self.workdir.record_path(),
            }),
            false => Ok(()),
        }
    }

    async fn prepare(&self, lock: Lock, events: &Events) -> Result<Start, Failure> {
        let stamp = self.stamp();
        let scope = Scope::Environment { checkout: stamp.checkout.clone(), name: stamp.environment.clone() };
        for path in ["environment.json", HANDOVER, "data"] {
            self.workdir.remove(path.as_ref())?;
        }
        let sweep = teardown::leftovers(&self.chosen, &scope, &self.options.state_root, events);
        let workdir = self.workdir.clone();
        let (backend, deaths): (Box<dyn Backend>, _) = match &self.chosen {
            Chosen::Docker { engine, .. } => {
                let images = artifacts::images(engine, &self.spec, &self.options.programs, events);
                let (images, user, ()) =
                    tokio::try_join!(images, async { Ok(engine.service_user().await) }, sweep)?;
                let (backend, deaths) =
                    DockerBackend::new(engine, workdir.clone(), stamp.clone(), images, user);
                (Box::new(backend), deaths)
            }
            Chosen::Compose { engine, files, .. } => {
                let images = artifacts::images(engine, &self.spec, &self.options.programs, events);
                let (images, user, ()) =
                    tokio::try_join!(images, async { Ok(engine.service_user().await) }, sweep)?;
                let project = Project { workdir: workdir.clone(), stamp: stamp.clone(), images, user };
                let (backend, deaths) = ComposeBackend::new(engine, files.clone(), project);
                (Box::new(backend), deaths)
            }
            Chosen::Process { .. } => {
                let programs = artifacts::programs(&self.spec, &self.options.programs, events);
                let (programs, ()) = tokio::try_join!(programs, sweep)?;
                let (backend, deaths) = ProcessBackend::new(workdir.clone(), stamp.clone(), programs);
                (Box::new(backend), deaths)
            }
        };
        Ok(Start { workdir, stamp, backend, deaths, lock })
    }

    fn stamp(&self) -> Stamp {
        let now = OffsetDateTime::now_utc();
        let owner = Owner::current();
        let run = digest::of_bytes(format!("{owner} {}", now.unix_timestamp_nanos()).as_bytes());
        Stamp {
            environment: self.spec.name.to_string(),
            checkout: checkout_id(&self.options.state_root),
            run: run.short()[..6].to_owned(),
            owner,
            lease: match self.options.lifetime {
                Lifetime::Attached => Lease::owned(now),
                Lifetime::Detached => Lease::Detached,
            },
        }
    }

    /// Everything from the first address to the last service, unless a service dies before.
    async fn bring_up(
        &self,
        backend: &dyn Backend,
        deaths: &mut UnboundedReceiver<Death>,
        events: &Events,
    ) -> Result<EnvironmentRecord, Failure> {
        let result = tokio::select! {
            biased;
            Some(death) = deaths.recv() => Err(died(death, events)),
            result = self.bring_up_undisturbed(backend, events) => result,
        };
        match result {
            Err(failure @ Failure::Refused { .. }) => {
                match tokio::time::timeout(EXPLANATION, deaths.recv()).await {
                    Ok(Some(death)) => Err(died(death, events)),
                    _ => Err(failure),
                }
            }
            result => result,
        }
    }

    async fn bring_up_undisturbed(
        &self,
        backend: &dyn Backend,
        events: &Events,
    ) -> Result<EnvironmentRecord, Failure> {
        let mut placed = backend.place(&self.spec).await?;
        self.write(&placed, backend, events).await?;
        let planned = placed.topology.clone();
        if let Some(wiring) = self.options.fault.and_then(Fault::wiring) {
            placed.topology = wiring.rewire(&planned);
            placed.mistake = Some(wiring);
        }
        let readiness = Readiness::from_state(self.workdir.path())?;
        let ready_timeout = self.options.ready_timeout;
        let one = Services { backend, readiness: &readiness, ready_timeout, events };
        let (first, others): (Vec<&Service>, Vec<&Service>) =
            placed.topology.services().iter().partition(|service| service.role == Role::Nats);
        let creations = stream::iter(&others).map(|service| backend.create(&placed, service));
        // NATS first: a service that finds no NATS waits before it tries again, and readiness becomes a lottery.
        let (mut running, ()) = tokio::try_join!(
            one.create_and_start(&placed, first),
            creations.buffer_unordered(CONCURRENCY).try_collect::<()>()
        )?;
        running.extend(one.start(others).await?);
        let (now, folder) = (OffsetDateTime::now_utc(), self.workdir.path());
        let kind = backend.kind();
        // What is expected of it follows from the plan, whatever was made of it.
        let record = EnvironmentRecord::assemble(&planned, &placed.placement, kind, now, folder, &running)?;
        Ok(EnvironmentRecord { fault: self.options.fault.map(|fault| fault.id().to_owned()), ..record })
    }

    fn publish(&self, start: &Start, record: EnvironmentRecord) -> Result<EnvironmentRecord, Failure> {
        environment::write_lease(&start.workdir, start.stamp.lease, &start.stamp.owner)?;
        start.workdir.write_record(&record)?;
        Ok(record)
    }

    async fn give_up(&self, start: Start, failure: Failure, events: &Events) -> StartError {
        let began = Instant::now();
        events.emit(Event::Stopping);
        let cancelled = matches!(failure, Failure::Cancelled);
        if !cancelled && start.backend.kind() != BackendKind::Process {
            logs::keep(start.backend.as_ref(), &self.spec, &self.workdir).await;
        }
        let mut left_behind = start.backend.tear_down().await;
        events.emit(Event::Stopped { after: began.elapsed(), stuck: left_behind.clone() });
        let cleared = ["data", "run", "lease"].map(|path| self.workdir.remove(path.as_ref()));
        left_behind.extend(cleared.into_iter().filter_map(Result::err).map(|error| error.to_string()));
        if !cancelled {
            left_behind.push(format!(
                "{} with the certificates, configurations and logs, to look at",
                self.workdir.path().display()
            ));
        }
        StartError { failure, left_behind }
    }
}

fn died(death: Death, events: &Events) -> Failure {
    events.emit(Event::ServiceDied(death.clone()));
    Failure::Died(death)
}

//! Services as plain processes on loopback: the fastest loop, and the only one without an engine.
//!
//! Network walls do not exist here. Whoever reports results says *not covered* about them, never *passed*.

pub(crate) mod apart;
mod ports;
mod run_file;
pub mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_plan::environment::{BackendKind, RunningService};
use bulkhead_plan::placement::{HostPort, Placement};
use bulkhead_plan::{EnvironmentSpec, Role, Service, ServiceId, Topology, render};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Backend, LogPart, Placed, Programs, ServiceState};
use crate::engine::labels::{Scope, Stamp};
use crate::error::Failure;
use crate::event::Death;
use crate::logs::file;
use crate::owner::{Liveness, Owner};
use crate::spawn;
use crate::workdir::Workdir;
use ports::Ports;
use run_file::RunFile;
use sweep::Manner;

/// How many lines of a log a death report shows.
const SHOWN_LINES: usize = 20;

/// Runs one environment as processes.
#[derive(Debug)]
pub struct ProcessBackend {
    workdir: Workdir,
    scope: Scope,
    shared: Arc<Mutex<Shared>>,
    deaths: UnboundedSender<Death>,
    /// `None` on an environment that somebody else started: its services can be stopped and started, none added.
    creation: Option<(Stamp, Programs)>,
}

#[derive(Debug, Default)]
struct Shared {
    services: BTreeMap<ServiceId, RunFile>,
    ports: Ports,
    /// Processes whose end somebody asked for.
    stopping: BTreeSet<Owner>,
}

impl ProcessBackend {
    /// A backend for a new environment, and the deaths of its services.
    pub fn new(workdir: Workdir, stamp: Stamp, programs: Programs) -> (Self, UnboundedReceiver<Death>) {
        let (deaths, receiver) = unbounded_channel();
        let scope = Scope::Run(stamp.run.clone());
        let creation = Some((stamp, programs));
        (Self { workdir, scope, shared: Arc::default(), deaths, creation }, receiver)
    }

    /// A backend for an environment that runs already, whose deaths its owner reports.
    pub fn attach(workdir: Workdir, scope: Scope) -> Self {
        let (deaths, _nobody) = unbounded_channel();
        let services =
            run_file::all_in(workdir.path()).into_iter().map(|file| (file.id.clone(), file)).collect();
        let shared = Arc::new(Mutex::new(Shared { services, ..Shared::default() }));
        Self { workdir, scope, shared, deaths, creation: None }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        locked(&self.shared)
    }

    fn reserve(&self, topology: &Topology) -> Result<BTreeMap<ServiceId, u16>, Failure> {
        let wanted = |service: &Service| match service.role {
            Role::Nats => topology.spec().ports.nats,
            Role::Poller => topology.spec().ports.poller,
            Role::Agent => None,
        };
        let services = topology.services().iter().map(|service| (service.id.clone(), wanted(service)));
        let ports = Ports::hold(services)?;
        let numbers = ports.numbers();
        self.shared().ports = ports;
        Ok(numbers)
    }

    fn described(&self, placed: &Placed, service: &Service) -> Result<RunFile, Failure> {
        let nobody = || Failure::NoSuchService(service.id.clone());
        let (stamp, programs) = self.creation.as_ref().ok_or_else(nobody)?;
        let place = placed.placement.get(&service.id).ok_or_else(nobody)?;
        let tenant = service.tenant.as_ref().map(AsRef::as_ref);
        Ok(RunFile {
            id: service.id.clone(),
            program: programs.of(service.role).clone(),
            arguments: render::command(service.role, place),
            port: place.listen.port,
            labels: stamp.labels(Some(&service.id.to_string()), tenant),
            process: None,
        })
    }

    fn spawn(&self, id: &ServiceId) -> Result<RunningService, Failure> {
        let mut described =
            self.shared().services.get(id).cloned().ok_or_else(|| Failure::NoSuchService(id.clone()))?;
        let not_spawned =
            |error| Failure::Spawn { id: id.clone(), program: described.program.clone(), error };
        let log = self.log_path(id);
        let output =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&log).map_err(not_spawned)?;
        let errors = output.try_clone().map_err(not_spawned)?;
        let mut command = Command::new(&described.program);
        command.args(&described.arguments).stdin(Stdio::null()).stdout(output).stderr(errors);
        apart::set(command.as_std_mut(), described.labels_text());
        // Until here the port was ours, so that nobody else could take it.
        let release = || self.shared().ports.release(id);
        let child = spawn::spawn_after(release, &mut command).map_err(not_spawned)?;
        let pid = child.id().unwrap_or_default();
        let process = Owner::of_pid(pid);
        described.process = process.as_ref().map(Owner::to_string);
        described.write(self.workdir.path())?;
        let address = HostPort::new("127.0.0.1", described.port);
        self.shared().services.insert(id.clone(), described);
        tokio::spawn(report_death(
            id.clone(),
            child,
            process,
            self.shared.clone(),
            log.clone(),
            self.deaths.clone(),
        ));
        let loopback = Some(address.clone());
        Ok(RunningService { handle: pid.to_string(), address, loopback, logs: log.display().to_string() })
    }

    async fn end(&self, id: &ServiceId, manner: Manner) -> Result<(), Failure> {
        let process = {
            let mut shared = self.shared();
            let known = shared.services.get(id).ok_or_else(|| Failure::NoSuchService(id.clone()))?;
            let process = known.owner();
            shared.stopping.extend(process.clone());
            process
        };
        match process {
            Some(process) => sweep::end(&process, manner).await.map_err(|reason| Failure::Refused {
                attempt: format!("end {id} (pid {})", process.pid()),
                reason,
            }),
            None => Ok(()),
        }
    }

    fn log_path(&self, id: &ServiceId) -> PathBuf {
        self.workdir.path().join("logs").join(format!("{}.log", id.dotted()))
    }
}

impl Backend for ProcessBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Process
    }

    fn place<'a>(&'a self, spec: &'a EnvironmentSpec) -> BoxFuture<'a, Result<Placed, Failure>> {
        Box::pin(async move {
            let topology = Topology::new(spec).map_err(crate::engine::subnet::SubnetError::from)?;
            let ports = self.reserve(&topology)?;
            let workdir = self.workdir.path().display().to_string();
            let placement = Placement::processes(&topology, &ports, &workdir)?;
            Ok(Placed { topology, placement, mistake: None })
        })
    }

    fn create<'a>(&'a self, placed: &'a Placed, service: &'a Service) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let described = self.described(placed, service)?;
            self.workdir.folder(Path::new("logs"))?;
            self.workdir.folder(Path::new(run_file::FOLDER))?;
            self.shared().services.insert(service.id.clone(), described);
            Ok(())
        })
    }

    fn start<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<RunningService, Failure>> {
        // Nothing is awaited in there: a start cannot be cut in two by a cancellation.
        Box::pin(async move { self.spawn(id) })
    }

    fn stop<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.end(id, Manner::Gentle))
    }

    fn kill<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.end(id, Manner::Kill))
    }

    fn state<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, ServiceState> {
        Box::pin(async move {
            let process = self.shared().services.get(id).and_then(RunFile::owner);
            match process.map(|process| process.liveness()) {
                Some(Liveness::Alive) => ServiceState::Running,
                Some(_) => ServiceState::Ended("its process is gone".to_owned()),
                None => ServiceState::Gone,
            }
        })
    }

    fn log(&self, id: &ServiceId, part: LogPart) -> BoxStream<'static, String> {
        file::lines(self.log_path(id), part)
    }

    fn tear_down(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async move {
            {
                let mut shared = self.shared();
                shared.ports = Ports::default();
                let all: Vec<Owner> = shared.services.values().filter_map(RunFile::owner).collect();
                shared.stopping.extend(all);
            }
            sweep::sweep(&self.scope, self.workdir.path().parent(), Manner::Gentle).await.stuck
        })
    }
}

async fn report_death(
    id: ServiceId,
    mut child: Child,
    process: Option<Owner>,
    shared: Arc<Mutex<Shared>>,
    log: PathBuf,
    deaths: UnboundedSender<Death>,
) {
    let status = child.wait().await;
    if process.is_some_and(|process| locked(&shared).stopping.contains(&process)) {
        return;
    }
    let how = status.map_or_else(|error| format!("an unknown status ({error})"), describe);
    let last_lines = file::last_lines(&log, SHOWN_LINES);
    // Nobody listens any more when the environment is going down.
    let _ = deaths.send(Death { id, how, last_lines });
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

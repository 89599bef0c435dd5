//! Services in containers, each with as little as it needs: its own files, its tenant's network, and nothing writable
//! but a `/tmp` of its own.
//!
//! Whatever changes something in the engine runs in a task that a cancelled start does not cut off: a client that is
//! gone in the middle of a container's start, and a removal right behind it, can wedge a network for good
//! ("has active endpoints" with no container in it).

pub(crate) mod container;
mod deaths;
mod networks;
mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::{LogsOptionsBuilder, StopContainerOptionsBuilder};
use bulkhead_plan::environment::{BackendKind, RunningService};
use bulkhead_plan::placement::Placement;
use bulkhead_plan::topology::NetworkName;
use bulkhead_plan::{EnvironmentSpec, Service, ServiceId};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{Backend, Images, LogPart, Placed, ServiceState};
use crate::engine::labels::{Scope, Stamp};
use crate::engine::sweep;
use crate::engine::{Engine, chain, status_code};
use crate::error::Failure;
use crate::event::Death;
use crate::workdir::Workdir;
use tail::Tail;

/// How long a service may take to end by itself before it is killed.
const GRACE_SECONDS: i32 = 2;

/// Runs one environment in containers.
#[derive(Debug)]
pub struct DockerBackend {
    docker: Docker,
    scope: Scope,
    shared: Arc<Mutex<Shared>>,
    under_way: TaskTracker,
    /// `None` on an environment that somebody else started: its services can be stopped and started, none added.
    creation: Option<Creation>,
    _watch: Option<AbortOnDropHandle<()>>,
}

/// What new containers are made from.
#[derive(Debug)]
struct Creation {
    workdir: Workdir,
    stamp: Stamp,
    images: Images,
    user: u32,
    group: u32,
}

#[derive(Debug, Default)]
struct Shared {
    containers: BTreeMap<ServiceId, Known>,
    /// Services whose end somebody asked for.
    stopping: BTreeSet<ServiceId>,
    /// What services write while they start.
    tails: BTreeMap<ServiceId, Tail>,
}

/// How a service's container is found again.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    /// Where it listens inside.
    port: u16,
}

impl DockerBackend {
    /// A backend for a new environment, and the deaths of its services. `user` is the numeric user and group that
    /// services run as.
    pub fn new(
        engine: &Engine,
        workdir: Workdir,
        stamp: Stamp,
        images: Images,
        user: (u32, u32),
    ) -> (Self, UnboundedReceiver<Death>) {
        let scope = Scope::Run(stamp.run.clone());
        let (user, group) = user;
        let docker = engine.docker().clone();
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let (sender, receiver) = unbounded_channel();
        let watch = deaths::watch(docker.clone(), stamp.run.clone(), shared.clone(), sender);
        let creation = Some(Creation { workdir, stamp, images, user, group });
        let watch = Some(AbortOnDropHandle::new(tokio::spawn(watch)));
        (Self { docker, scope, shared, under_way: TaskTracker::new(), creation, _watch: watch }, receiver)
    }

    /// A backend for an environment that runs already, whose deaths its owner reports: `services` are its services
    /// with their containers' names and their ports inside.
    pub fn attach(
        engine: &Engine,
        scope: Scope,
        services: impl IntoIterator<Item = (ServiceId, String, u16)>,
    ) -> Self {
        let known = |(id, name, port)| (id, Known { name, port });
        let containers = services.into_iter().map(known).collect();
        let shared = Arc::new(Mutex::new(Shared { containers, ..Shared::default() }));
        let docker = engine.docker().clone();
        Self { docker, scope, shared, under_way: TaskTracker::new(), creation: None, _watch: None }
    }

    /// Takes a container that somebody else created as the service's own.
    pub(crate) fn adopt(&self, id: &ServiceId, name: &str) {
        let known = Known { name: name.to_owned(), port: id.role().port() };
        self.shared().containers.insert(id.clone(), known);
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        locked(&self.shared)
    }

    fn known(&self, id: &ServiceId) -> Result<Known, Failure> {
        self.shared().containers.get(id).cloned().ok_or_else(|| Failure::NoSuchService(id.clone()))
    }

    fn creation(&self, id: &ServiceId) -> Result<&Creation, Failure> {
        self.creation.as_ref().ok_or_else(|| Failure::NoSuchService(id.clone()))
    }

    async fn end(&self, id: &ServiceId, grace_seconds: i32) -> Result<(), Failure> {
        let name = self.known(id)?.name;
        if self.state(id).await != ServiceState::Running {
            return Ok(());
        }
        // Taken back by the report of the end, which may come after the engine's answer and after the next start.
        self.shared().stopping.insert(id.clone());
        let docker = self.docker.clone();
        let stopped = self.to_its_end(async move {
            let stopped = match grace_seconds {
                0 => docker.kill_container(&name, None).await,
                seconds => {
                    let options = StopContainerOptionsBuilder::default().t(seconds).build();
                    docker.stop_container(&name, Some(options)).await
                }
            };
            stopped.map_err(|error| refused(format!("stop {name}"), &error))
        });
        let stopped = stopped.await;
        if stopped.is_err() {
            // It may go on running, and then its next end is its own.
            self.shared().stopping.remove(id);
        }
        stopped
    }

    /// Lets the work go on to its end even when nobody waits for it any more.
    pub(super) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let joined = self.under_way.spawn(work).await;
        joined.unwrap_or_else(|error| {
            Err(Failure::Refused { attempt: "work for this start".to_owned(), reason: error.to_string() })
        })
    }
}

impl Backend for DockerBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Docker
    }

    fn place<'a>(&'a self, spec: &'a EnvironmentSpec) -> BoxFuture<'a, Result<Placed, Failure>> {
        async move {
            let creation = self.creation(&ServiceId::Nats)?;
            let (docker, stamp, spec) = (self.docker.clone(), creation.stamp.clone(), spec.clone());
            let topology =
                self.to_its_end(async move { networks::create(&docker, &spec, &stamp).await }).await?;
            let placement = Placement::containers(&topology)?;
            Ok(Placed { topology, placement, mistake: None })
        }
        .boxed()
    }

    fn create<'a>(&'a self, placed: &'a Placed, service: &'a Service) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let creation = self.creation(&service.id)?;
            let plan = container::plan(creation, placed, service)?;
            let known = plan.known.clone();
            let docker = self.docker.clone();
            self.to_its_end(async move { container::create(&docker, plan).await }).await?;
            self.shared().containers.insert(service.id.clone(), known);
            Ok(())
        }
        .boxed()
    }

    fn start<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<RunningService, Failure>> {
        async move {
            let known = self.known(id)?;
            if let Some(tail) = Tail::listen(&self.docker, &known.name, deaths::SHOWN_LINES).await {
                self.shared().tails.insert(id.clone(), tail);
            }
            let (docker, handle, id) = (self.docker.clone(), known.name.clone(), id.clone());
            let (address, loopback) =
                self.to_its_end(async move { container::start(&docker, &id, &known).await }).await?;
            let logs = format!("docker logs {handle}");
            Ok(RunningService { handle, address, loopback, logs })
        }
        .boxed()
    }

    fn settled(&self, id: &ServiceId) {
        self.shared().tails.remove(id);
    }

    fn stop<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>> {
        self.end(id, GRACE_SECONDS).boxed()
    }

    fn kill<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>> {
        // The engine gives it no time at all: SIGKILL comes at once.
        self.end(id, 0).boxed()
    }

    fn state<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, ServiceState> {
        async move {
            let Ok(known) = self.known(id) else { return ServiceState::Gone };
            let state =
                self.docker.inspect_container(&known.name, None).await.ok().and_then(|found| found.state);
            match state {
                None => ServiceState::Gone,
                Some(state) if state.status == Some(ContainerStateStatusEnum::RUNNING) => {
                    ServiceState::Running
                }
                Some(state) => ServiceState::Ended(deaths::describe(&state)),
            }
        }
        .boxed()
    }

    fn log(&self, id: &ServiceId, part: LogPart) -> BoxStream<'static, String> {
        match self.known(id) {
            Ok(known) => log_lines(self.docker.clone(), known.name, part),
            Err(_) => futures::stream::empty().boxed(),
        }
    }

    fn tear_down(&self) -> BoxFuture<'_, Vec<String>> {
        async move {
            {
                let mut shared = self.shared();
                let all: Vec<ServiceId> = shared.containers.keys().cloned().collect();
                shared.stopping.extend(all);
            }
            self.under_way.close();
            self.under_way.wait().await;
            match sweep::sweep(&self.docker, &self.scope).await {
                Ok(swept) => swept.stuck,
                Err(error) => vec![format!("everything in the engine: {}", chain(&error))],
            }
        }
        .boxed()
    }
}

fn log_lines(docker: Docker, name: String, part: LogPart) -> BoxStream<'static, String> {
    let tail = part.last.map_or_else(|| "all".to_owned(), |last| last.to_string());
    let options =
        LogsOptionsBuilder::default().stdout(true).stderr(true).follow(part.follow).tail(&tail).build();
    lines_of(docker.logs(&name, Some(options)))
}

/// The engine sends pieces of lines when a line is long, and several lines in one piece when many are there already.
fn lines_of(
    pieces: impl Stream<Item = Result<LogOutput, Error>> + Send + 'static,
) -> BoxStream<'static, String> {
    futures::stream::unfold((pieces.boxed(), String::new()), async |(mut pieces, mut partial)| {
        loop {
            if let Some((line, rest)) = partial.split_once('\n') {
                let (line, rest) = (line.trim_end().to_owned(), rest.to_owned());
                return Some((line, (pieces, rest)));
            }
            match pieces.next().await {
                Some(Ok(piece)) => partial.push_str(&piece.to_string()),
                _ if partial.is_empty() => return None,
                _ => return Some((std::mem::take(&mut partial), (pieces, partial))),
            }
        }
    })
    .boxed()
}

fn refused(attempt: String, error: &Error) -> Failure {
    Failure::Refused { attempt, reason: chain(error) }
}

/// What the engine calls a thing of this start. The run is in it: a network that the engine will not give up must not
/// be in the way of the next start.
fn engine_name(stamp: &Stamp, what: &str) -> String {
    format!("{}-{}-{what}", stamp.environment, stamp.run)
}

fn network_name(stamp: &Stamp, network: &NetworkName) -> String {
    engine_name(stamp, &network.to_string())
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Services in containers that a stock Compose brings up, from the hand-written base file and a rendered override.
//!
//! Compose starts everything at once, so the first start of any service starts them all; from there on they are
//! containers like any others, found by their labels.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use bollard::Docker;
use bollard::query_parameters::ListContainersOptionsBuilder;
use bulkhead_plan::environment::{BackendKind, RunningService};
use bulkhead_plan::placement::Placement;
use bulkhead_plan::render::{self, ComposeOptions};
use bulkhead_plan::{EnvironmentSpec, Role, Service, ServiceId};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedReceiver;

use super::docker::DockerBackend;
use super::docker::container::taken_port;
use super::{Backend, Images, LogPart, Placed, ServiceState};
use crate::engine::labels::{RUN, SERVICE, Stamp};
use crate::engine::{Engine, chain, subnet};
use crate::error::Failure;
use crate::event::Death;
use crate::workdir::Workdir;

/// Which Compose, and which files it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposeFiles {
    /// The program; it takes Compose's own arguments.
    pub program: PathBuf,
    /// The hand-written file with the platform's services.
    pub base: PathBuf,
    /// Where the rendered override is written.
    pub rendered: PathBuf,
}

/// What the override is rendered from, beside the topology.
#[derive(Debug)]
pub struct Project {
    /// The state folder, which the containers mount their files from.
    pub workdir: Workdir,
    /// What every container and network is labelled with.
    pub stamp: Stamp,
    /// What the services run from.
    pub images: Images,
    /// The numeric user and group that services run as.
    pub user: (u32, u32),
}

/// Runs one environment through Compose.
#[derive(Debug)]
pub struct ComposeBackend {
    docker: Docker,
    files: ComposeFiles,
    project: Project,
    containers: DockerBackend,
    /// Set when Compose has started everything: the container of each service.
    up: OnceCell<BTreeMap<ServiceId, String>>,
}

impl ComposeBackend {
    /// A backend for a new environment, and the deaths of its services.
    pub fn new(engine: &Engine, files: ComposeFiles, project: Project) -> (Self, UnboundedReceiver<Death>) {
        let Project { workdir, stamp, images, user } = &project;
        let (containers, deaths) =
            DockerBackend::new(engine, workdir.clone(), stamp.clone(), images.clone(), *user);
        let docker = engine.docker().clone();
        (Self { docker, files, project, containers, up: OnceCell::new() }, deaths)
    }

    /// The arguments that name the project and its files, which every Compose command begins with.
    fn project_arguments(&self) -> Vec<std::ffi::OsString> {
        let Stamp { environment, run, .. } = &self.project.stamp;
        vec![
            "--project-name".into(),
            project(environment, run).into(),
            "--file".into(),
            self.files.base.clone().into(),
            "--file".into(),
            self.files.rendered.clone().into(),
        ]
    }

    /// `compose up --detach`, and then the containers that it made.
    async fn up(&self) -> Result<BTreeMap<ServiceId, String>, Failure> {
        let mut command = Command::new(&self.files.program);
        command.args(self.project_arguments()).args(["up", "--detach"]);
        command.env("BULKHEAD_STATE_DIR", self.project.workdir.path());
        // Ctrl-C on the terminal is for the harness: a Compose that ends in the middle leaves the engine at work on what
        // it asked for, and a teardown would not see what comes of that. So it is always waited for.
        command.stdin(Stdio::null()).process_group(0);
        let attempt = format!("bring the project up with {}", self.files.program.display());
        let not_run = attempt.clone();
        let run = async move {
            let output = command.output().await;
            output.map_err(|error| refused(&not_run, error.to_string()))
        };
        let output = self.containers.to_its_end(run).await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if let Some(port) = taken_port(&said) {
                let Stamp { environment, run, .. } = &self.project.stamp;
                let id = service_in(&said, &project(environment, run));
                return Err(Failure::PortTaken { id, port, reason: said });
            }
            return Err(refused(&attempt, format!("{}: {said}", output.status)));
        }
        self.made().await
    }

    async fn made(&self) -> Result<BTreeMap<ServiceId, String>, Failure> {
        let ours = format!("{RUN}={}", self.project.stamp.run);
        let filters = std::collections::HashMap::from([("label", vec![ours.as_str()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let listed = self.docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| refused("list what Compose made", chain(&error)))?;
        let containers = listed.into_iter().filter_map(|container| {
            let id = container.labels?.get(SERVICE)?.parse().ok()?;
            Some((id, container.names?.into_iter().next()?.trim_start_matches('/').to_owned()))
        });
        Ok(containers.collect())
    }

    fn render(&self, placed: &Placed) -> Result<(), Failure> {
        let Project { workdir, stamp, images, user: (user, group) } = &self.project;
        let options = ComposeOptions {
            nats_image: images.of(Role::Nats).clone(),
            poller_image: images.of(Role::Poller).clone(),
            agent_image: images.of(Role::Agent).clone(),
            labels: stamp.labels(None, None).into_iter().collect(),
            ..ComposeOptions::new(workdir.path().display().to_string(), format!("{user}:{group}"))
        };
        let text = render::compose(&placed.topology, &placed.placement, &options);
        let text = text.map_err(|error| refused("render the override", error.to_string()))?;
        let path = &self.files.rendered;
        let write = || -> std::io::Result<()> {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(std::path::Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut file, text.as_bytes())?;
            file.persist(path).map(|_| ()).map_err(|error| error.error)
        };
        write().map_err(|error| refused(&format!("write {}", path.display()), error.to_string()))
    }
}

impl Backend for ComposeBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Compose
    }

    /// Chooses free addresses. Compose itself creates the networks, so that another run may still be faster.
    fn place<'a>(&'a self, spec: &'a EnvironmentSpec) -> BoxFuture<'a, Result<Placed, Failure>> {
        async move {
            let taken = subnet::taken(&self.docker).await;
            let taken = taken.map_err(|error| refused("list the engine's networks", chain(&error)))?;
            let (topology, _) = subnet::place(spec, &taken, 0)?;
            let placement = Placement::containers(&topology)?;
            let placed = Placed { topology, placement, mistake: None };
            self.render(&placed)?;
            Ok(placed)
        }
        .boxed()
    }

    /// Compose creates everything when it starts everything.
    fn create<'a>(&'a self, _: &'a Placed, _: &'a Service) -> BoxFuture<'a, Result<(), Failure>> {
        std::future::ready(Ok(())).boxed()
    }

    fn start<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<RunningService, Failure>> {
        async move {
            let made = self.up.get_or_try_init(|| self.up()).await?;
            let handle = made.get(id).ok_or_else(|| Failure::NoSuchService(id.clone()))?;
            self.containers.adopt(id, handle);
            // It runs already, which the engine is content with: this only asks where it is.
            self.containers.start(id).await
        }
        .boxed()
    }

    fn stop<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>> {
        self.containers.stop(id)
    }

    fn kill<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>> {
        self.containers.kill(id)
    }

    fn state<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, ServiceState> {
        self.containers.state(id)
    }

    fn log(&self, id: &ServiceId, part: LogPart) -> BoxStream<'static, String> {
        self.containers.log(id, part)
    }

    /// By label, like every other container of ours: what a killed Compose left half-made goes as well.
    fn tear_down(&self) -> BoxFuture<'_, Vec<String>> {
        self.containers.tear_down()
    }
}

/// The name of the project that one start of an environment is to Compose.
pub(crate) fn project(environment: &str, run: &str) -> String {
    format!("{environment}-{run}")
}

/// The service of `… endpoint dev-1a2b3c_nats_1 (…): …`, or `…-nats-1`. Only NATS and the poller have ports on the host.
fn service_in(said: &str, project: &str) -> ServiceId {
    let of_poller = ["_", "-"].map(|between| format!("endpoint {project}{between}poller"));
    if of_poller.iter().any(|endpoint| said.contains(endpoint)) { ServiceId::Poller } else { ServiceId::Nats }
}

fn refused(attempt: &str, reason: String) -> Failure {
    Failure::Refused { attempt: attempt.to_owned(), reason }
}

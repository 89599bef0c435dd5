//! Takes up an environment that somebody brought up by hand, from the files that `compose` wrote: its containers are
//! found by their labels, must all run, and are waited for like those of any other start.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord, RunningService};
use bulkhead_plan::{EnvironmentSpec, Placement, ServiceId, Topology};
use futures::future::{join_all, try_join_all};
use time::OffsetDateTime;

use crate::backend::docker::DockerBackend;
use crate::backend::{Backend, ServiceState};
use crate::engine::labels::{ENVIRONMENT, Lease, RUN, SERVICE, Scope};
use crate::engine::subnet::SubnetError;
use crate::engine::{Engine, chain};
use crate::environment::{scope_named, write_lease};
use crate::error::{Absent, Failure, NotUpByHand, StartError};
use crate::event::{Event, Events};
use crate::handover::Handover;
use crate::logs;
use crate::owner::Owner;
use crate::readiness::Readiness;
use crate::starter::Services;
use crate::workdir::{Workdir, WorkdirError};

/// How long one service may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at whether all services still run.
const POLL: Duration = Duration::from_millis(100);

/// Whether something of what was handed over runs, as far as can be seen: without an engine nothing does.
pub(crate) async fn is_up(handover: &Handover) -> bool {
    let Ok(engine) = Engine::connect().await else { return false };
    let found = containers(&engine, &Scope::Run(handover.run.clone())).await;
    found.is_ok_and(|found| found.iter().any(|found| found.runs))
}

/// Writes `environment.json` for what was brought up by hand, unless it is there and still true. What was taken up
/// before and does not run as a whole any more stays as it is described, to be looked at.
pub(crate) async fn adopt(workdir: &Workdir, handover: &Handover, events: &Events) -> Result<(), StartError> {
    let known = workdir.read_record()?;
    let topology = topology(workdir.path(), handover)?;
    let engine = Engine::connect().await?;
    let scope = scope_named(workdir, &topology.spec().name);
    let found = containers(&engine, &scope).await?;
    let left_behind =
        if found.is_empty() { Vec::new() } else { vec!["what Compose made, as it is".to_owned()] };
    let services = match own(found, handover, &topology) {
        Ok(services) => services,
        Err(failure) => return Err(StartError { failure, left_behind }),
    };
    let nothing = services.is_empty();
    let services = services.into_iter().map(|(id, name)| (id.clone(), name, id.role().port()));
    let backend = DockerBackend::attach(&engine, scope, services);
    let adoption = Adoption { workdir, handover, topology: &topology, backend: &backend, events };
    let absent = adoption.absent().await;
    let result = match absent.is_empty() {
        true => adoption.take_up(known).await,
        false if known.is_some() && !nothing => Ok(()),
        false => Err(adoption.not_up(absent)),
    };
    result.map_err(|failure| StartError { failure, left_behind })
}

/// The environment as it was when the files were written.
fn topology(state_folder: &Path, handover: &Handover) -> Result<Topology, Failure> {
    let path = state_folder.join("spec.yaml");
    let text = std::fs::read_to_string(&path).map_err(|error| WorkdirError::Io {
        attempt: "read",
        path: path.clone(),
        error,
    })?;
    let spec = EnvironmentSpec::from_yaml(&text)
        .map_err(|error| WorkdirError::CorruptRecord { path, reason: error.to_string() })?;
    Ok(Topology::with_base(&spec, handover.subnets).map_err(SubnetError::from)?)
}

/// A container of an environment.
struct Found {
    service: Option<ServiceId>,
    name: String,
    run: Option<String>,
    runs: bool,
}

async fn containers(engine: &Engine, scope: &Scope) -> Result<Vec<Found>, Failure> {
    let filters = HashMap::from([("label", vec![ENVIRONMENT])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = engine.docker().list_containers(Some(options)).await.map_err(|error| Failure::Refused {
        attempt: "list the environment's containers".to_owned(),
        reason: chain(&error),
    })?;
    let now = OffsetDateTime::now_utc();
    let found = listed.into_iter().filter_map(|container| {
        let labels = container.labels.filter(|labels| scope.covers(labels, now))?;
        Some(Found {
            service: labels.get(SERVICE).and_then(|id| id.parse().ok()),
            name: container.names?.into_iter().next()?.trim_start_matches('/').to_owned(),
            run: labels.get(RUN).cloned(),
            runs: container.state.is_some_and(|state| state.to_string() == "running"),
        })
    });
    Ok(found.collect())
}

/// The container of each service, when they are all from the very files that were handed over.
fn own(
    found: Vec<Found>,
    handover: &Handover,
    topology: &Topology,
) -> Result<BTreeMap<ServiceId, String>, Failure> {
    let mut services = BTreeMap::new();
    let mut foreign = Vec::new();
    for Found { service, name, run, .. } in found {
        match service.filter(|id| topology.service(id).is_some()) {
            Some(id) if run.as_ref() == Some(&handover.run) => {
                services.insert(id, name);
            }
            _ => foreign.push(name),
        }
    }
    if foreign.is_empty() {
        return Ok(services);
    }
    Err(Failure::OtherFiles {
        name: topology.spec().name.clone(),
        rendered: handover.files.rendered.clone(),
        containers: foreign,
    })
}

struct Adoption<'a> {
    workdir: &'a Workdir,
    handover: &'a Handover,
    topology: &'a Topology,
    backend: &'a DockerBackend,
    events: &'a Events,
}

impl Adoption<'_> {
    async fn take_up(&self, known: Option<EnvironmentRecord>) -> Result<(), Failure> {
        let began = Instant::now();
        // They run already, which the engine is content with: this only asks where they are.
        let located = self.topology.services().iter().map(async |service| {
            Ok::<_, Failure>((service.id.clone(), self.backend.start(&service.id).await?))
        });
        let located: BTreeMap<_, _> = try_join_all(located).await?.into_iter().collect();
        let record = self.record(&located)?;
        let is_true = |known: EnvironmentRecord| {
            EnvironmentRecord { created_at: known.created_at, ..record.clone() } == known
        };
        if known.is_some_and(is_true) {
            return Ok(());
        }
        let _lock = self.workdir.lock()?;
        let name = &self.topology.spec().name;
        let text = format!("taking up {name}, which {} brought up", self.handover.files.program.display());
        self.events.emit(Event::Notice { text });
        tokio::select! {
            ready = self.all_ready(&located, began) => ready?,
            absent = self.ended() => return Err(self.not_up(absent)),
        }
        write_lease(self.workdir, Lease::Detached, &Owner::current())?;
        self.workdir.write_record(&record)?;
        self.events.emit(Event::Ready { services: located.len(), after: began.elapsed() });
        Ok(())
    }

    fn record(&self, running: &BTreeMap<ServiceId, RunningService>) -> Result<EnvironmentRecord, Failure> {
        let placement = Placement::containers(self.topology)?;
        let (kind, now) = (BackendKind::Compose, OffsetDateTime::now_utc());
        let folder = self.workdir.path();
        Ok(EnvironmentRecord::assemble(self.topology, &placement, kind, now, folder, running)?)
    }

    async fn all_ready(
        &self,
        located: &BTreeMap<ServiceId, RunningService>,
        began: Instant,
    ) -> Result<(), Failure> {
        let readiness = Readiness::from_state(self.workdir.path())?;
        let (backend, events): (&dyn Backend, _) = (self.backend, self.events);
        let services = Services { backend, readiness: &readiness, ready_timeout: READY_TIMEOUT, events };
        let services = &services;
        let waits = self.topology.services().iter().filter_map(|service| {
            let running = located.get(&service.id)?;
            Some(services.wait_for(service, running, began))
        });
        try_join_all(waits).await.map(|_| ())
    }

    /// Returns when a service has ended.
    async fn ended(&self) -> Vec<Absent> {
        loop {
            tokio::time::sleep(POLL).await;
            let absent = self.absent().await;
            if !absent.is_empty() {
                return absent;
            }
        }
    }

    /// The services that do not run, each with its last words.
    async fn absent(&self) -> Vec<Absent> {
        let absent = self.topology.services().iter().map(async |service| {
            let id = &service.id;
            let how = match self.backend.state(id).await {
                ServiceState::Running => return None,
                ServiceState::Gone => "has no container".to_owned(),
                ServiceState::Ended(how) => format!("ended with {how}"),
            };
            let last_lines = logs::last_lines(self.backend, id).await;
            Some(Absent { id: id.clone(), how, last_lines })
        });
        join_all(absent).await.into_iter().flatten().collect()
    }

    fn not_up(&self, absent: Vec<Absent>) -> Failure {
        Failure::NotUpByHand(Box::new(NotUpByHand {
            name: self.topology.spec().name.clone(),
            rendered: self.handover.files.rendered.clone(),
            bring_up: self.handover.bring_up().to_string(),
            services: self.topology.services().len(),
            absent,
        }))
    }
}

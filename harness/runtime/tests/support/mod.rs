//! What the tests of environments share.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use bulkhead_plan::EnvironmentSpec;
use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::engine::Engine;
use bulkhead_runtime::engine::labels::{CHECKOUT, checkout_id};
use bulkhead_runtime::{
    BackendChoice, Environment, Event, Events, ProgramSource, StartError, StartOptions, Starter, nats_binary,
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a machine that is busy with everything else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The engine; or why these tests cannot judge. Where CI has one, it must answer.
pub(crate) async fn engine() -> Option<Engine> {
    match Engine::connect().await {
        Ok(engine) => Some(engine),
        Err(error) => {
            let is_there =
                std::env::var_os("DOCKER_HOST").is_some() || Path::new("/var/run/docker.sock").exists();
            let expected = is_there && std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!expected, "this CI machine has an engine that does not answer: {error}");
            println!("skipped, this test cannot judge: {error}");
            None
        }
    }
}

/// The services as cargo builds them, built once, and NATS fetched once.
pub(crate) async fn programs() -> Programs {
    static PROGRAMS: OnceCell<Programs> = OnceCell::const_new();
    let make = async || {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = build::programs(&workspace, &Events::none()).await;
        if let Err(error) = nats_binary::obtain().await {
            panic!("{error}");
        }
        built.unwrap_or_else(|error| panic!("{error}"))
    };
    PROGRAMS.get_or_init(make).await.clone()
}

/// A state root of one test, and the way to see whether anything of it is left.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        Self { folder, events: Arc::default() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join(".bulkhead")
    }

    pub(crate) async fn options(&self, backend: BackendChoice) -> StartOptions {
        StartOptions {
            state_root: self.root(),
            backend,
            programs: ProgramSource::Given(programs().await),
            ready_timeout: PATIENCE,
            ..StartOptions::for_workspace(self.folder.path())
        }
    }

    /// Collects events for [`Place::seen`].
    pub(crate) fn events(&self) -> Events {
        let seen = self.events.clone();
        Events::new(move |event| seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event))
    }

    pub(crate) fn seen(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub(crate) async fn start(
        &self,
        spec: EnvironmentSpec,
        backend: BackendChoice,
    ) -> Result<Environment, StartError> {
        let options = self.options(backend).await;
        Starter::new(spec, options).await?.start(&self.events(), &CancellationToken::new()).await
    }

    /// A copy of the stand-in under the name of what it is to do, given to an agent's place.
    pub(crate) async fn options_with_agent(&self, backend: BackendChoice, conduct: &str) -> StartOptions {
        let agent = self.folder.path().join(conduct);
        std::fs::copy(env!("CARGO_BIN_EXE_bulkhead-test-stand-in"), &agent)
            .unwrap_or_else(|error| panic!("{error}"));
        let programs = Programs { agent, ..programs().await };
        StartOptions { programs: ProgramSource::Given(programs), ..self.options(backend).await }
    }

    /// Fails when a container, network or process of this place is there.
    pub(crate) async fn assert_nothing_left(&self) {
        let left = self.left().await;
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// What is there.
    pub(crate) async fn left(&self) -> Vec<String> {
        let checkout = checkout_id(&self.root());
        let mut left = processes_with(&checkout);
        if let Ok(engine) = Engine::connect().await {
            left.extend(in_engine(&engine, &checkout).await);
        }
        left
    }
}

async fn in_engine(engine: &Engine, checkout: &str) -> Vec<String> {
    let filters = HashMap::from([("label", vec![format!("{CHECKOUT}={checkout}")])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let containers = engine.docker().list_containers(Some(options)).await;
    let containers = containers.unwrap_or_else(|error| panic!("{error}")).into_iter();
    let mut left: Vec<String> = containers.filter_map(|found| found.names).flatten().collect();
    let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
    let networks =
        engine.docker().list_networks(Some(options)).await.unwrap_or_else(|error| panic!("{error}"));
    left.extend(networks.into_iter().filter_map(|found| found.name));
    left
}

fn processes_with(checkout: &str) -> Vec<String> {
    let marker = format!("\"{CHECKOUT}\":\"{checkout}\"");
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter(|entry| {
        std::fs::read(entry.path().join("environ"))
            .is_ok_and(|environment| String::from_utf8_lossy(&environment).contains(&marker))
    });
    marked.map(|entry| format!("process {}", entry.file_name().to_string_lossy())).collect()
}

/// Two tenants.
pub(crate) fn spec(name: &str) -> EnvironmentSpec {
    let name = name.parse().unwrap_or_else(|error| panic!("{error}"));
    EnvironmentSpec::with_tenants(name, 2, 1).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until `look` finds something, and says what it saw last when it does not.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("{what}: {seen}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

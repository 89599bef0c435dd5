//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses a part of this")]

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bulkhead_runtime::engine::labels::RUN;
use bulkhead_testcontainers::testcontainers::bollard::Docker;
use bulkhead_testcontainers::testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
};
use bulkhead_testcontainers::testcontainers::core::client::docker_client_instance;
use bulkhead_testcontainers::{Platform, PlatformBuilder};

/// Whether an engine answers. Where none does, the test says so and is not run; where CI has one,
/// it must answer.
pub(crate) async fn engine_or_skip() -> bool {
    let reason = match docker_client_instance().await {
        Ok(docker) => match docker.version().await {
            Ok(_) => return true,
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    let on_ci = std::env::var("CI").as_deref() == Ok("true");
    assert!(!(on_ci && engine_is_there()), "this CI machine has an engine that does not answer: {reason}");
    eprintln!("not covered here: no container engine answers ({reason})");
    false
}

/// A client without an engine is none.
fn engine_is_there() -> bool {
    std::env::var_os("DOCKER_HOST").is_some() || std::path::Path::new("/var/run/docker.sock").exists()
}

pub(crate) async fn started(wanted: PlatformBuilder) -> Platform {
    wanted.start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// What is in the engine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) containers: usize,
    pub(crate) networks: usize,
}

/// Of one run.
pub(crate) async fn remains_of(run: &str) -> Remains {
    let docker = docker().await;
    let label = format!("{RUN}={run}");
    let filters = HashMap::from([("label", vec![label.as_str()])]);
    let containers = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let networks = ListNetworksOptionsBuilder::default().filters(&filters).build();
    Remains {
        containers: docker.list_containers(Some(containers)).await.unwrap().len(),
        networks: docker.list_networks(Some(networks)).await.unwrap().len(),
    }
}

/// The names of all containers and networks of any run with `part` in them.
pub(crate) async fn names_with(part: &str) -> Vec<String> {
    let docker = docker().await;
    let all = ListContainersOptionsBuilder::default().all(true).build();
    let containers = docker.list_containers(Some(all)).await.unwrap();
    let networks = docker.list_networks(None).await.unwrap();
    let names = containers.into_iter().flat_map(|container| container.names.unwrap_or_default());
    let names = names.chain(networks.into_iter().filter_map(|network| network.name));
    names.filter(|name| name.contains(part)).collect()
}

/// The reference that a container was created from.
pub(crate) async fn image_of(container: &str) -> String {
    let facts = docker().await.inspect_container(container, None).await.unwrap();
    facts.config.unwrap().image.unwrap()
}

async fn docker() -> Docker {
    docker_client_instance().await.unwrap()
}

/// Every key is for its owner only, and the folder is closed to everybody else.
pub(crate) fn assert_keys_are_closed(folder: &Path) {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700);
    let mut keys = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with("key.pem") {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                keys += 1;
            }
        }
    }
    assert!(keys > 0);
}

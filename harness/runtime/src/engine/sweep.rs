//! Takes away containers and networks: the teardown of one run, and what killed runs left behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::NetworkDisconnectRequest;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};
use futures::StreamExt;
use futures::stream;
use time::OffsetDateTime;

use super::labels::{ENVIRONMENT, Scope};
use super::{chain, status_code};

/// How many removals the engine is asked for at once: more only queue inside it.
const CONCURRENCY: usize = 16;
/// How long a container may take to end by itself before it is killed.
const GRACE_SECONDS: i32 = 2;
/// How long a removal that somebody else started may take.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(20);

/// What was taken away and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Names of removed containers.
    pub containers: Vec<String>,
    /// Names of removed networks.
    pub networks: Vec<String>,
    /// What is still there, each with the engine's reason.
    pub stuck: Vec<String>,
}

impl Swept {
    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.stuck.is_empty()
    }
}

/// Whether running containers are asked to end before they are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// SIGTERM first: for services that somebody still uses.
    Gentle,
    /// SIGKILL: for what nobody owns.
    Kill,
}

/// Removes what `scope` covers: containers first, then the networks that they held.
pub async fn sweep(docker: &Docker, scope: &Scope, manner: Manner) -> Result<Swept, Error> {
    let now = OffsetDateTime::now_utc();
    let mut swept = Swept::default();
    let containers = containers_in(docker, scope, now).await?;
    let results = stream::iter(containers).map(|container| async move {
        let result = remove_container(docker, &container, manner).await;
        (container.name, result)
    });
    for (name, result) in results.buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await {
        match result {
            Ok(()) => swept.containers.push(name),
            Err(error) => swept.stuck.push(format!("container {name}: {}", chain(&error))),
        }
    }
    let networks = networks_in(docker, scope, now).await?;
    let results =
        stream::iter(networks).map(|(id, name)| async move { (name, remove_network(docker, &id).await) });
    for (name, result) in results.buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await {
        match result {
            Ok(()) => swept.networks.push(name),
            Err(error) => swept.stuck.push(format!("network {name}: {}", chain(&error))),
        }
    }
    Ok(swept)
}

/// The names of what a sweep would remove.
pub async fn covered(docker: &Docker, scope: &Scope) -> Result<Vec<String>, Error> {
    let now = OffsetDateTime::now_utc();
    let containers = containers_in(docker, scope, now).await?.into_iter();
    let networks = networks_in(docker, scope, now).await?.into_iter();
    let names = containers.map(|found| format!("container {}", found.name));
    Ok(names.chain(networks.map(|(_, name)| format!("network {name}"))).collect())
}

struct Found {
    id: String,
    name: String,
    running: bool,
}

async fn containers_in(docker: &Docker, scope: &Scope, now: OffsetDateTime) -> Result<Vec<Found>, Error> {
    let options = ListContainersOptionsBuilder::default().all(true).filters(&ours()).build();
    let all = docker.list_containers(Some(options)).await?;
    let covered =
        all.into_iter().filter(|item| item.labels.as_ref().is_some_and(|labels| scope.covers(labels, now)));
    let found = covered.filter_map(|item| {
        let id = item.id?;
        let name = item.names.and_then(|names| names.into_iter().next()).unwrap_or_else(|| id.clone());
        let running = item.state.is_some_and(|state| state.to_string() == "running");
        Some(Found { name: name.trim_start_matches('/').to_owned(), running, id })
    });
    Ok(found.collect())
}

async fn networks_in(
    docker: &Docker,
    scope: &Scope,
    now: OffsetDateTime,
) -> Result<Vec<(String, String)>, Error> {
    let options = ListNetworksOptionsBuilder::default().filters(&ours()).build();
    let all = docker.list_networks(Some(options)).await?;
    let covered =
        all.into_iter().filter(|item| item.labels.as_ref().is_some_and(|labels| scope.covers(labels, now)));
    Ok(covered.filter_map(|item| Some((item.id?, item.name.unwrap_or_default()))).collect())
}

fn ours() -> HashMap<&'static str, Vec<&'static str>> {
    HashMap::from([("label", vec![ENVIRONMENT])])
}

async fn remove_container(docker: &Docker, container: &Found, manner: Manner) -> Result<(), Error> {
    if container.running && manner == Manner::Gentle {
        let options = StopContainerOptionsBuilder::default().t(GRACE_SECONDS).build();
        // Whatever a stop cannot do, the forced removal below does.
        let _ = docker.stop_container(&container.id, Some(options)).await;
    }
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(&container.id, Some(options)).await {
        Err(error) if status_code(&error) == Some(404) => Ok(()),
        // Another removal is under way; the networks can go only after it.
        Err(error) if status_code(&error) == Some(409) => gone(docker, &container.id, error).await,
        other => other,
    }
}

async fn gone(docker: &Docker, id: &str, conflict: Error) -> Result<(), Error> {
    let deadline = Instant::now() + REMOVAL_TIMEOUT;
    while Instant::now() < deadline {
        match docker.inspect_container(id, None).await {
            Err(error) if status_code(&error) == Some(404) => return Ok(()),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    Err(conflict)
}

/// A network with endpoints that no container has any more ("has active endpoints") gets them cut off first.
async fn remove_network(docker: &Docker, id: &str) -> Result<(), Error> {
    let first = match docker.remove_network(id).await {
        Err(error) if status_code(&error) == Some(404) => return Ok(()),
        Err(error) => error,
        Ok(()) => return Ok(()),
    };
    let Ok(network) = docker.inspect_network(id, None).await else { return Err(first) };
    for endpoint in
        network.containers.unwrap_or_default().into_values().filter_map(|container| container.name)
    {
        let request = NetworkDisconnectRequest { container: endpoint, force: Some(true) };
        let _ = docker.disconnect_network(id, request).await;
    }
    docker.remove_network(id).await
}

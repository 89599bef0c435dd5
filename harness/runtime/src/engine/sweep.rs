//! Takes away containers and networks: the teardown of one run, and what killed runs left behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::NetworkDisconnectRequest;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures::future::join_all;
use futures::{StreamExt, stream};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::labels::{ENVIRONMENT, Scope};
use super::{chain, status_code};

/// How many removals the engine is asked for at once: more only queue inside it.
const CONCURRENCY: usize = 16;
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

/// Removes what `scope` covers, with what it holds: nothing of an environment outlives it, so that no container is asked
/// to end before it is killed.
///
/// The engine takes a container off its networks one by one, and publishes its ports anew whenever the network that led
/// outside is gone before the others. So each container is taken off the networks that lead nowhere first, all at once,
/// and each network goes as soon as nobody is on it: a quarter less time than containers first and networks then.
pub async fn sweep(docker: &Docker, scope: &Scope) -> Result<Swept, Error> {
    let now = OffsetDateTime::now_utc();
    let containers = containers_in(docker, scope, now).await?;
    let networks = networks_in(docker, scope, now).await?;
    let occupied = networks.iter().map(|network| {
        let on_it = containers.iter().filter(|container| container.networks.contains(&network.name));
        let count = watch::Sender::new(on_it.count());
        (network.name.as_str(), Occupied { internal: network.internal, count })
    });
    let sweeping = Sweeping { docker, occupied: occupied.collect() };
    let clearing: Vec<_> = containers.iter().map(|container| sweeping.clear(container)).collect();
    let removing = networks.iter().map(|network| sweeping.remove(network));
    // Networks wait for their containers: a bound would have those wait for them that could go.
    let (cleared, removed) =
        tokio::join!(stream::iter(clearing).buffered(CONCURRENCY).collect::<Vec<_>>(), join_all(removing));
    let mut swept = Swept::default();
    for result in cleared {
        result.map_or_else(|stuck| swept.stuck.push(stuck), |name| swept.containers.push(name));
    }
    for result in removed {
        result.map_or_else(|stuck| swept.stuck.push(stuck), |name| swept.networks.push(name));
    }
    Ok(swept)
}

/// What goes on in a sweep.
struct Sweeping<'a> {
    docker: &'a Docker,
    /// The networks, by name.
    occupied: HashMap<&'a str, Occupied>,
}

impl Sweeping<'_> {
    /// The container's name when it is gone, or what is in the way.
    async fn clear(&self, container: &Found) -> Result<String, String> {
        let all =
            container.networks.iter().filter_map(|name| Some((name, self.occupied.get(name.as_str())?)));
        let (internal, others): (Vec<_>, Vec<_>) = all.partition(|(_, network)| network.internal);
        let leaving: Vec<_> =
            internal.into_iter().map(|(name, network)| self.leave(container, name, network)).collect();
        let stayed = stream::iter(leaving).buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await;
        let result = remove_container(self.docker, &container.id).await;
        // Its end has taken it off every network.
        let rest = others.into_iter().map(|(_, network)| network);
        rest.chain(stayed.into_iter().flatten()).for_each(Occupied::one_is_gone);
        match result {
            Ok(()) => Ok(container.name.clone()),
            Err(error) => Err(format!("container {}: {}", container.name, chain(&error))),
        }
    }

    /// Takes a container off a network; returns the network when the engine will not.
    async fn leave<'o>(&self, container: &Found, name: &str, network: &'o Occupied) -> Option<&'o Occupied> {
        let request = NetworkDisconnectRequest { container: container.id.clone(), force: Some(true) };
        if self.docker.disconnect_network(name, request).await.is_err() {
            return Some(network);
        }
        network.one_is_gone();
        None
    }

    /// The network's name when it is gone, or what is in the way.
    async fn remove(&self, network: &FoundNetwork) -> Result<String, String> {
        if let Some(occupied) = self.occupied.get(network.name.as_str()) {
            occupied.all_gone().await;
        }
        match remove_network(self.docker, &network.id).await {
            Ok(()) => Ok(network.name.clone()),
            Err(error) => Err(format!("network {}: {}", network.name, chain(&error))),
        }
    }
}

/// A network that is to go, and containers that are to go before it.
struct Occupied {
    /// Whether it leads nowhere else.
    internal: bool,
    /// How many of the containers are still on it.
    count: watch::Sender<usize>,
}

impl Occupied {
    fn one_is_gone(&self) {
        self.count.send_modify(|count| *count = count.saturating_sub(1));
    }

    async fn all_gone(&self) {
        // The sender is here: this cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// The names of what a sweep would remove.
pub async fn covered(docker: &Docker, scope: &Scope) -> Result<Vec<String>, Error> {
    let now = OffsetDateTime::now_utc();
    let containers = containers_in(docker, scope, now).await?.into_iter();
    let networks = networks_in(docker, scope, now).await?.into_iter();
    let names = containers.map(|found| format!("container {}", found.name));
    Ok(names.chain(networks.map(|network| format!("network {}", network.name))).collect())
}

struct Found {
    id: String,
    name: String,
    /// The names of the networks that it is on.
    networks: Vec<String>,
}

struct FoundNetwork {
    id: String,
    name: String,
    /// Whether it leads nowhere else.
    internal: bool,
}

async fn containers_in(docker: &Docker, scope: &Scope, now: OffsetDateTime) -> Result<Vec<Found>, Error> {
    let options = ListContainersOptionsBuilder::default().all(true).filters(&ours()).build();
    let all = docker.list_containers(Some(options)).await?;
    let covered =
        all.into_iter().filter(|item| item.labels.as_ref().is_some_and(|labels| scope.covers(labels, now)));
    let found = covered.filter_map(|item| {
        let id = item.id?;
        let name = item.names.and_then(|names| names.into_iter().next()).unwrap_or_else(|| id.clone());
        let networks = item.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let networks = networks.into_keys().collect();
        Some(Found { name: name.trim_start_matches('/').to_owned(), networks, id })
    });
    Ok(found.collect())
}

async fn networks_in(
    docker: &Docker,
    scope: &Scope,
    now: OffsetDateTime,
) -> Result<Vec<FoundNetwork>, Error> {
    let options = ListNetworksOptionsBuilder::default().filters(&ours()).build();
    let all = docker.list_networks(Some(options)).await?;
    let covered =
        all.into_iter().filter(|item| item.labels.as_ref().is_some_and(|labels| scope.covers(labels, now)));
    let found = covered.filter_map(|item| {
        let (id, name) = (item.id?, item.name.unwrap_or_default());
        Some(FoundNetwork { id, name, internal: item.internal.unwrap_or(false) })
    });
    Ok(found.collect())
}

fn ours() -> HashMap<&'static str, Vec<&'static str>> {
    HashMap::from([("label", vec![ENVIRONMENT])])
}

async fn remove_container(docker: &Docker, id: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(id, Some(options)).await {
        Err(error) if status_code(&error) == Some(404) => Ok(()),
        // Another removal is under way; the networks can go only after it.
        Err(error) if status_code(&error) == Some(409) => gone(docker, id, error).await,
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

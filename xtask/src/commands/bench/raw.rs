//! The floor: the containers and networks of an environment created and started once more by engine calls alone. No
//! files are written, nothing is built, and nobody waits for an answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use bollard::Docker;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, Ipam, IpamConfig,
    NetworkConnectRequest, NetworkCreateRequest, NetworkingConfig,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bulkhead_plan::Role;
use bulkhead_plan::environment::{EnvironmentRecord, ServiceRecord};
use bulkhead_runtime::digest;
use bulkhead_runtime::engine::labels::{Lease, Scope, Stamp, checkout_id};
use bulkhead_runtime::engine::sweep;
use bulkhead_runtime::owner::Owner;
use bulkhead_runtime::workdir::Workdir;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use crate::exit::{Failure, OrExit as _};
use crate::platform;

/// As many at once as our own start has.
const CONCURRENCY: usize = 8;

/// What an environment consists of in the engine, without names. It is taken from the running environment and made
/// again when that one is down, so that addresses and files are free.
pub(super) struct Graph {
    networks: Vec<Network>,
    containers: Vec<Container>,
    state_folder: PathBuf,
}

struct Network {
    name: String,
    subnet: Option<String>,
    internal: Option<bool>,
}

struct Container {
    name: String,
    role: Role,
    /// Everything but its labels and networks.
    body: ContainerCreateBody,
    /// Its networks' names, and what it is called there. The one that it is created with comes first.
    networks: Vec<(String, Vec<String>)>,
}

impl Graph {
    /// Looks at the containers of a running environment.
    pub(super) async fn of(docker: &Docker, record: &EnvironmentRecord) -> Result<Self, Failure> {
        Self::inspect(docker, record).await.or_not_judged()
    }

    async fn inspect(docker: &Docker, record: &EnvironmentRecord) -> anyhow::Result<Self> {
        let mut containers = Vec::new();
        for service in &record.services {
            let found = docker.inspect_container(&service.handle, None).await;
            let found = found.with_context(|| format!("describe the container {}", service.handle))?;
            containers.push(Container::of(service, found)?);
        }
        let mut names: Vec<&String> =
            containers.iter().flat_map(|container| &container.networks).map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        let mut networks = Vec::new();
        for name in names {
            let found = docker.inspect_network(name, None).await;
            let found = found.with_context(|| format!("describe the network {name}"))?;
            let internal = found.internal;
            let configured = found.ipam.and_then(|ipam| ipam.config).into_iter().flatten().next();
            let subnet = configured.and_then(|configured| configured.subnet);
            networks.push(Network { name: name.clone(), subnet, internal });
        }
        Ok(Self { networks, containers, state_folder: record.state_dir.clone() })
    }

    /// Creates and starts everything, and takes it away again. Seconds until the engine has started the last one.
    ///
    /// It is not interrupted: removing what the engine is still working on leaves networks that it never gives up.
    pub(super) async fn create_and_start(&self, docker: &Docker) -> Result<f64, Failure> {
        let workdir = Workdir::at(&self.state_folder);
        self.make_data_folder(&workdir).or_not_judged()?;
        let copy = Copy { docker, stamp: stamp() };
        let began = Instant::now();
        let up = copy.up(self).await;
        let seconds = began.elapsed().as_secs_f64();
        let down = sweep::sweep(docker, &Scope::Run(copy.stamp.run.clone())).await;
        workdir.remove("data".as_ref()).or_not_judged()?;
        up.or_not_judged()?;
        let down = down.context("take the bare containers away").or_not_judged()?;
        if down.stuck.is_empty() {
            return Ok(seconds);
        }
        Err(anyhow::anyhow!("the bare containers are still there: {}", down.stuck.join("; "))).or_not_judged()
    }

    /// The folder of streams, which an environment removes when it goes down; it belongs to whom NATS runs as.
    fn make_data_folder(&self, workdir: &Workdir) -> anyhow::Result<()> {
        workdir.folder("data/nats".as_ref())?;
        let users = self.containers.iter().filter_map(|container| container.body.user.as_deref());
        let user = users.filter_map(|user| user.split(':').next()?.parse().ok()).next();
        if let Some(user) = user.filter(|_| rustix::process::geteuid().is_root()) {
            workdir.give_to("data".as_ref(), user)?;
        }
        Ok(())
    }
}

impl Container {
    fn of(service: &ServiceRecord, found: ContainerInspectResponse) -> anyhow::Result<Self> {
        let id = found.id.unwrap_or_default();
        let config = found.config.context("the engine says nothing about the container's configuration")?;
        let host: HostConfig =
            found.host_config.context("the engine says nothing about the container's limits")?;
        let first = host.network_mode.clone().unwrap_or_default();
        let attached = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let mut networks: Vec<_> = attached
            .into_iter()
            .map(|(network, endpoint)| {
                let mut aliases = endpoint.aliases.unwrap_or_default();
                // The engine adds the container's own short ID.
                aliases.retain(|alias| !id.starts_with(alias.as_str()));
                (network, aliases)
            })
            .collect();
        networks.sort_by_key(|(network, _)| (*network != first, network.clone()));
        let body = ContainerCreateBody {
            image: config.image,
            cmd: config.cmd,
            hostname: config.hostname,
            user: config.user,
            exposed_ports: config.exposed_ports,
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        Ok(Self { name: service.id.dotted(), role: service.role, body, networks })
    }
}

/// One run of the bare calls.
struct Copy<'a> {
    docker: &'a Docker,
    stamp: Stamp,
}

/// Labels by which this very run is taken away, or swept by the next start of anything when this process was killed.
fn stamp() -> Stamp {
    let (now, owner) = (OffsetDateTime::now_utc(), Owner::current());
    let run = digest::of_bytes(format!("bare {owner} {}", now.unix_timestamp_nanos()).as_bytes());
    Stamp {
        environment: "bench-bare".to_owned(),
        checkout: checkout_id(&platform::state_root()),
        run: run.short().to_owned(),
        owner,
        lease: Lease::owned(now),
    }
}

impl Copy<'_> {
    /// In the order of our own start: networks, then NATS up while the others are created, then the others.
    async fn up(&self, graph: &Graph) -> anyhow::Result<()> {
        let networks = graph.networks.iter().map(|network| self.create_network(network));
        futures::future::try_join_all(networks).await?;
        let (first, others): (Vec<_>, Vec<_>) =
            graph.containers.iter().partition(|container| container.role == Role::Nats);
        let nats = async {
            for container in first {
                self.create(container).await?;
                self.start(container).await?;
            }
            Ok(())
        };
        let creations = stream::iter(&others).map(|container| self.create(container));
        tokio::try_join!(nats, creations.buffer_unordered(CONCURRENCY).try_collect::<()>())?;
        let starts = stream::iter(&others).map(|container| self.start(container));
        starts.buffer_unordered(CONCURRENCY).try_collect().await
    }

    fn name(&self, of: &str) -> String {
        format!("{}-{}-{of}", self.stamp.environment, self.stamp.run)
    }

    async fn create_network(&self, network: &Network) -> anyhow::Result<()> {
        let subnet = IpamConfig { subnet: network.subnet.clone(), ..IpamConfig::default() };
        let request = NetworkCreateRequest {
            name: self.name(&network.name),
            driver: Some("bridge".to_owned()),
            internal: network.internal,
            ipam: Some(Ipam { config: Some(vec![subnet]), ..Ipam::default() }),
            labels: Some(self.stamp.labels(None, None)),
            ..NetworkCreateRequest::default()
        };
        self.docker
            .create_network(request)
            .await
            .with_context(|| format!("create a network like {}", network.name))?;
        Ok(())
    }

    async fn create(&self, container: &Container) -> anyhow::Result<()> {
        let mut networks = container.networks.iter();
        let (first, aliases) = networks.next().context("a container without a network")?;
        let (first, name) = (self.name(first), self.name(&container.name));
        let mut body = container.body.clone();
        body.labels = Some(self.stamp.labels(None, None));
        body.host_config.get_or_insert_default().network_mode = Some(first.clone());
        let endpoints = HashMap::from([(first, endpoint(aliases))]);
        body.networking_config = Some(NetworkingConfig { endpoints_config: Some(endpoints) });
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = self.docker.create_container(Some(options), body).await;
        created.with_context(|| format!("create a container like {}", container.name))?;
        for (network, aliases) in networks {
            let request =
                NetworkConnectRequest { container: name.clone(), endpoint_config: Some(endpoint(aliases)) };
            let connected = self.docker.connect_network(&self.name(network), request).await;
            connected.with_context(|| format!("connect {} to its networks", container.name))?;
        }
        Ok(())
    }

    async fn start(&self, container: &Container) -> anyhow::Result<()> {
        let started = self.docker.start_container(&self.name(&container.name), None).await;
        started.with_context(|| format!("start a container like {}", container.name))
    }
}

fn endpoint(aliases: &[String]) -> EndpointSettings {
    EndpointSettings { aliases: Some(aliases.to_vec()), ..EndpointSettings::default() }
}

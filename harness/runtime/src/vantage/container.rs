//! A probe in a container: on one network of the environment, with nothing but its own program.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig,
    NetworkingConfig,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
};
use bulkhead_identity::TenantSlug;
use bulkhead_plan::ServiceId;
use bulkhead_plan::access::Vantage;
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_probe::{Nonce, post::Remote};
use futures::StreamExt;
use tokio_util::io::StreamReader;

use super::{VantageError, seat};
use crate::beside;
use crate::engine::{Engine, chain};
use crate::images;

/// Nobody in particular, and not root.
const USER: &str = "65534:65534";
/// The engine's own network, which is none of the environment's.
const OUTSIDE: &str = "bridge";
const MEMORY_BYTES: i64 = 256 << 20;
const PIDS: i64 = 64;
/// What engines say of an address that somebody has.
const ADDRESS_TAKEN: &str = "Address already in use";
/// What they say where a network's addresses were chosen by themselves.
const NOT_FOR_CHOICE: &str = "user configured subnets";

/// Where the services' containers are.
#[derive(Debug)]
pub(super) struct Containers {
    docker: Docker,
    /// By service: its address on each of its networks, and its port.
    places: BTreeMap<ServiceId, Places>,
    tenants: BTreeMap<TenantSlug, String>,
    platform: Option<String>,
}

#[derive(Debug)]
struct Places {
    on: BTreeMap<String, String>,
    port: u16,
    /// What is mounted into the container.
    mounts: Vec<PathBuf>,
}

fn refused(attempt: String, error: &bollard::errors::Error) -> VantageError {
    VantageError::Refused { attempt, reason: chain(error) }
}

impl Containers {
    pub(super) async fn of(record: &EnvironmentRecord) -> Result<Self, VantageError> {
        let docker = Engine::connect().await?.docker().clone();
        let (mut places, mut tenants) = (BTreeMap::new(), BTreeMap::new());
        let mut of_nats = BTreeSet::new();
        for service in &record.services {
            let facts = docker.inspect_container(&service.handle, None).await;
            let facts = facts
                .map_err(|error| refused(format!("describe the container {}", service.handle), &error))?;
            let networks = facts.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
            // A service that is away at the moment has no address, and is on its networks all the same.
            let names: BTreeSet<String> = networks.keys().cloned().collect();
            match &service.id {
                ServiceId::Agent { tenant, .. } => {
                    tenants.extend(names.into_iter().next().map(|network| (tenant.clone(), network)));
                }
                ServiceId::Nats => of_nats = names,
                ServiceId::Poller => {}
            }
            let on = networks.into_iter().filter_map(|(name, endpoint)| {
                let address = endpoint.ip_address.filter(|address| !address.is_empty())?;
                Some((name, address))
            });
            let sources =
                facts.mounts.into_iter().flatten().filter_map(|mount| mount.source.map(PathBuf::from));
            let (on, port, mounts) = (on.collect(), service.role.port(), sources.collect());
            places.insert(service.id.clone(), Places { on, port, mounts });
        }
        // The platform's network is where the broker is and no tenant's agent; the only one, where all share one.
        let own = of_nats.iter().find(|network| !tenants.values().any(|taken| taken == *network));
        let platform = own.or(of_nats.first()).cloned();
        Ok(Self { docker, places, tenants, platform })
    }

    pub(super) fn network_of(&self, place: &Vantage) -> Result<String, VantageError> {
        let network = match place {
            Vantage::Tenant(slug) => self.tenants.get(slug),
            Vantage::Platform => self.platform.as_ref(),
            Vantage::Outside => return Ok(OUTSIDE.to_owned()),
            Vantage::Host => None,
        };
        network.cloned().ok_or_else(|| VantageError::NoPlace(place.clone()))
    }

    /// Every folder and file of this machine that is mounted into the service's container, as the engine says.
    pub(super) fn mounts(&self, service: &ServiceId) -> Option<&[PathBuf]> {
        self.places.get(service).map(|place| place.mounts.as_slice())
    }

    /// The service's address on the network of a place, else any.
    pub(super) fn address(&self, place: &Vantage, service: &ServiceId) -> Option<String> {
        let Places { on, port, .. } = self.places.get(service)?;
        let here = self.network_of(place).ok().and_then(|network| on.get(&network));
        here.or_else(|| on.values().next()).map(|address| format!("{address}:{port}"))
    }
}

/// A probe's container. The engine removes it when the probe has ended.
#[derive(Debug)]
pub(super) struct ProbeContainer {
    docker: Docker,
    name: String,
}

impl ProbeContainer {
    pub(super) async fn start(
        containers: &Containers,
        record: &EnvironmentRecord,
        place: &Vantage,
        network: &str,
        program: &Path,
    ) -> Result<(Remote, Self), VantageError> {
        let docker = containers.docker.clone();
        let image = images::of_probe(&docker, program).await?;
        let seats = match network {
            OUTSIDE => Vec::new(),
            _ => seat::seats(&docker, network)
                .await
                .map_err(|error| refused(format!("describe the network {network}"), &error))?,
        };
        let mut seats = seats.into_iter();
        loop {
            let seat = seats.next();
            let name = format!("{}-probe-{}", record.name, Nonce::fresh());
            let body = body(record, image.reference.clone(), network, seat);
            let container = Self { docker: docker.clone(), name };
            let error = match container.create_and_start(place, body).await {
                Ok(probe) => return Ok((probe, container)),
                Err(error) => error,
            };
            container.remove().await;
            let said = error.to_string();
            if seat.is_some() && said.contains(NOT_FOR_CHOICE) {
                // The engine has chosen the network's addresses itself: then it chooses this one as well.
                seats = Vec::new().into_iter();
            } else if seat.is_none() || !said.contains(ADDRESS_TAKEN) || seats.len() == 0 {
                return Err(error);
            }
            // Somebody sits there already, another run's probe most likely: the next one.
        }
    }

    async fn create_and_start(
        &self,
        place: &Vantage,
        body: ContainerCreateBody,
    ) -> Result<Remote, VantageError> {
        let options = CreateContainerOptionsBuilder::default().name(&self.name).build();
        let created = self.docker.create_container(Some(options), body).await;
        created.map_err(|error| refused(format!("create the container {}", self.name), &error))?;
        self.attach_and_start(place).await
    }

    async fn attach_and_start(&self, place: &Vantage) -> Result<Remote, VantageError> {
        let name = &self.name;
        let options = AttachContainerOptionsBuilder::default().stdin(true).stdout(true).stream(true).build();
        let attached = self.docker.attach_container(name, Some(options)).await;
        let attached =
            attached.map_err(|error| refused(format!("attach to the container {name}"), &error))?;
        let started = self.docker.start_container(name, None).await;
        started.map_err(|error| refused(format!("start the container {name}"), &error))?;
        let words = attached.output.filter_map(async |word| match word {
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => Some(Ok(message)),
            Ok(_) => None,
            Err(error) => Some(Err(std::io::Error::other(error))),
        });
        let answers = StreamReader::new(Box::pin(words));
        Ok(Remote::over(place.to_string(), answers, attached.input))
    }

    pub(super) async fn remove(self) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        // It has most likely ended and is gone; a sweep finds whatever is left.
        let _ = self.docker.remove_container(&self.name, Some(options)).await;
    }
}

fn body(
    record: &EnvironmentRecord,
    image: String,
    network: &str,
    seat: Option<Ipv4Addr>,
) -> ContainerCreateBody {
    let endpoint = seat.map(|seat| {
        let address =
            EndpointIpamConfig { ipv4_address: Some(seat.to_string()), ..EndpointIpamConfig::default() };
        let endpoint = EndpointSettings { ipam_config: Some(address), ..EndpointSettings::default() };
        HashMap::from([(network.to_owned(), endpoint)])
    });
    ContainerCreateBody {
        image: Some(image),
        user: Some(USER.to_owned()),
        labels: Some(beside::labels(&record.name, &record.state_dir, "probe")),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        open_stdin: Some(true),
        // The end of the orders reaches the probe even when the harness was killed.
        stdin_once: Some(true),
        host_config: Some(host_config(network)),
        networking_config: endpoint.map(|endpoints| NetworkingConfig { endpoints_config: Some(endpoints) }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(network: &str) -> HostConfig {
    HostConfig {
        network_mode: Some(network.to_owned()),
        auto_remove: Some(true),
        memory: Some(MEMORY_BYTES),
        memory_swap: Some(MEMORY_BYTES),
        pids_limit: Some(PIDS),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        // What it sees is the harness's, and goes to nobody's disk.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: Some(HashMap::new()) }),
        ..HostConfig::default()
    }
}

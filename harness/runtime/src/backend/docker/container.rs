//! One service's container: what it may, and where it is.

use std::collections::{BTreeMap, HashMap};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, HostConfigLogConfig, Mount,
    MountType, NetworkConnectRequest, NetworkingConfig, PortBinding,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bulkhead_plan::fault::Wiring;
use bulkhead_plan::placement::{CONTAINER_DATA, CONTAINER_FILES, HostPort};
use bulkhead_plan::{Role, Service, ServiceId, render};

use super::{Creation, Known, chain, engine_name, network_name, refused, status_code};
use crate::backend::Placed;
use crate::error::Failure;

/// What the engine calls the network of the host.
const HOST_NETWORK: &str = "host";
/// Threads and processes of one container.
const PIDS: i64 = 512;
/// One processor's worth: a service that spins must not starve its neighbours, and every machine has one.
const NANO_CPUS: i64 = 1_000_000_000;

/// A container that is to be created, and the networks that it is connected to before it starts.
pub(super) struct Plan {
    pub(super) known: Known,
    body: ContainerCreateBody,
    further_networks: Vec<String>,
    alias: String,
}

/// What the container of one service is like.
pub(super) fn plan(creation: &Creation, placed: &Placed, service: &Service) -> Result<Plan, Failure> {
    let nobody = || Failure::NoSuchService(service.id.clone());
    let place = placed.placement.get(&service.id).ok_or_else(nobody)?;
    let stamp = &creation.stamp;
    let mut networks = service.networks.iter().map(|network| network_name(stamp, network));
    // A service that is planned on no network at all is on the host's: a mistake, which only a seeded fault makes, and
    // which `start` refuses.
    let first = networks.next();
    let alias = service.name.to_string();
    let tenant = service.tenant.as_ref().map(AsRef::as_ref);
    let endpoints = first.iter().map(|network| (network.clone(), endpoint(&alias))).collect();
    let port = service.container_port;
    let body = ContainerCreateBody {
        image: Some(creation.images.of(service.role).clone()),
        cmd: Some(render::command(service.role, place)),
        hostname: first.as_ref().map(|_| service.id.dotted().replace('.', "-")),
        user: Some(format!("{}:{}", creation.user, creation.group)),
        labels: Some(stamp.labels(Some(&service.id.to_string()), tenant)),
        exposed_ports: Some(vec![tcp(port)]),
        host_config: Some(host_config(creation, placed, service, first.as_deref())),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints) }),
        ..ContainerCreateBody::default()
    };
    let name = engine_name(stamp, &service.id.dotted());
    let known = Known { name, port };
    Ok(Plan { known, body, further_networks: networks.collect(), alias })
}

fn host_config(creation: &Creation, placed: &Placed, service: &Service, network: Option<&str>) -> HostConfig {
    let state = creation.workdir.path();
    let mut mounts = vec![mount(state.join(format!("services/{}", service.id)), CONTAINER_FILES, true)];
    if service.role == Role::Nats {
        mounts.push(mount(state.join("data/nats"), CONTAINER_DATA, false));
    }
    if placed.mistake == Some(Wiring::SharedCertificates) && service.role == Role::Agent {
        mounts.push(mount(state.join("certs"), "/certs", true));
    }
    let memory = i64::from(service.role.memory_mib()) << 20;
    HostConfig {
        network_mode: Some(network.unwrap_or(HOST_NETWORK).to_owned()),
        mounts: Some(mounts),
        port_bindings: network.and_then(|_| published(placed, service)),
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(NANO_CPUS),
        pids_limit: Some(PIDS),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([(
            "/tmp".to_owned(),
            "size=16m,mode=1777,noexec,nosuid,nodev".to_owned(),
        )])),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        // NATS and the poller are on every tenant's network and must not be a router between them.
        sysctls: network.map(|_| HashMap::from([("net.ipv4.ip_forward".to_owned(), "0".to_owned())])),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "20m".to_owned()),
                ("max-file".to_owned(), "2".to_owned()),
            ])),
        }),
        ..HostConfig::default()
    }
}

/// A mount, unlike a bind, fails when its source is missing instead of making a folder that belongs to root.
fn mount(source: std::path::PathBuf, target: &str, read_only: bool) -> Mount {
    Mount {
        source: Some(source.display().to_string()),
        target: Some(target.to_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

/// The port that was asked for; and where the host cannot reach containers, one that the engine chooses.
fn published(placed: &Placed, service: &Service) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    if placed.mistake == Some(Wiring::PublishedAgents) && service.role == Role::Agent {
        let everywhere = PortBinding { host_ip: Some("0.0.0.0".to_owned()), host_port: Some(String::new()) };
        return Some(HashMap::from([(tcp(service.container_port), Some(vec![everywhere]))]));
    }
    let ports = &placed.topology.spec().ports;
    let wanted = match service.role {
        Role::Nats => ports.nats,
        Role::Poller => ports.poller,
        Role::Agent => None,
    };
    let host_port = match wanted {
        Some(port) => port.to_string(),
        // NATS always: stock tools verify the name that they dial, and its certificate names the host's loopback.
        None if service.role != Role::Nats && containers_are_reachable() => return None,
        None => String::new(),
    };
    let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(host_port) };
    Some(HashMap::from([(tcp(service.container_port), Some(vec![binding]))]))
}

/// On Linux the engine's bridges are the host's. Elsewhere the engine runs in a machine of its own; that path
/// (published ports) was written by the engine's documentation and has not been tried.
pub(super) fn containers_are_reachable() -> bool {
    cfg!(target_os = "linux")
}

fn tcp(port: u16) -> String {
    format!("{port}/tcp")
}

fn endpoint(alias: &str) -> EndpointSettings {
    EndpointSettings { aliases: Some(vec![alias.to_owned()]), ..EndpointSettings::default() }
}

/// Creates the container and connects it to all its networks, so that its start finds everything in place.
pub(super) async fn create(docker: &Docker, plan: Plan) -> Result<(), Failure> {
    let name = &plan.known.name;
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    let created = docker.create_container(Some(options), plan.body).await;
    created.map_err(|error| refused(format!("create the container {name}"), &error))?;
    for network in &plan.further_networks {
        let request =
            NetworkConnectRequest { container: name.clone(), endpoint_config: Some(endpoint(&plan.alias)) };
        let connected = docker.connect_network(network, request).await;
        connected.map_err(|error| refused(format!("connect {name} to the network {network}"), &error))?;
    }
    Ok(())
}

/// Starts a container and says where it is: the address to use, and the one on loopback if there is one.
pub(super) async fn start(
    docker: &Docker,
    id: &ServiceId,
    known: &Known,
) -> Result<(HostPort, Option<HostPort>), Failure> {
    let name = &known.name;
    docker.start_container(name, None).await.map_err(|error| start_failure(id, name, &error))?;
    let facts = docker.inspect_container(name, None).await;
    let facts = facts.map_err(|error| refused(format!("describe the container {name}"), &error))?;
    // Every tenant reaches it there, past all networks that were planned.
    if facts.host_config.as_ref().and_then(|config| config.network_mode.as_deref()) == Some(HOST_NETWORK) {
        return Err(Failure::Refused {
            attempt: format!("keep the container {name} on its tenant's network"),
            reason: "it is on the network of the host".to_owned(),
        });
    }
    let loopback = published_address(&facts, known);
    let own = if containers_are_reachable() { own_address(&facts, known) } else { None };
    let address = own.or_else(|| loopback.clone()).ok_or_else(|| Failure::Refused {
        attempt: format!("say where the container {name} is"),
        reason: "it has no address: it ended at once, or the engine gave it none".to_owned(),
    })?;
    Ok((address, loopback))
}

fn start_failure(id: &ServiceId, name: &str, error: &Error) -> Failure {
    let reason = chain(error);
    match taken_port(&reason) {
        Some(port) => Failure::PortTaken { id: id.clone(), port, reason },
        None if status_code(error) == Some(404) => {
            Failure::Refused { attempt: format!("start {name}"), reason: format!("it is gone: {reason}") }
        }
        None => refused(format!("start the container {name}"), error),
    }
}

/// The port in `… Bind for 127.0.0.1:4222 failed: port is already allocated`, or `listen tcp4 127.0.0.1:4222: bind:
/// address already in use`.
pub(crate) fn taken_port(reason: &str) -> Option<u16> {
    if !reason.contains("port is already allocated") && !reason.contains("address already in use") {
        return None;
    }
    let after = reason.split("127.0.0.1:").nth(1)?;
    after.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn published_address(facts: &ContainerInspectResponse, known: &Known) -> Option<HostPort> {
    let ports = facts.network_settings.as_ref()?.ports.as_ref()?;
    let binding = ports.get(&tcp(known.port))?.as_ref()?.first()?;
    Some(HostPort::new("127.0.0.1", binding.host_port.as_ref()?.parse().ok()?))
}

/// The container's own address, which is better than a published one: the engine's proxy would hide the caller's port,
/// by which a refusal is found in the service's records.
fn own_address(facts: &ContainerInspectResponse, known: &Known) -> Option<HostPort> {
    // On whichever of its networks: all are bridges of this host. The first by name, so that it stays the same.
    let networks: BTreeMap<_, _> = facts.network_settings.as_ref()?.networks.as_ref()?.iter().collect();
    let mut addresses = networks.into_values().filter_map(|endpoint| endpoint.ip_address.clone());
    let address = addresses.find(|address| !address.is_empty())?;
    Some(HostPort::new(address, known.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_taken_port_in_what_engines_say() {
        let known = [
            "driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:4222 failed: port is \
             already allocated",
            "Error starting userland proxy: listen tcp4 127.0.0.1:4222: bind: address already in use",
        ];
        assert_eq!(known.map(taken_port), [Some(4222); 2]);
        assert_eq!(taken_port("no such image"), None);
    }
}

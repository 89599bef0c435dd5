//! The platform's networks. testcontainers would make one without labels, which no sweep would ever find, and on the
//! engine's default address pools, which end at about 31 networks.

use bulkhead_plan::topology::{Network, NetworkName};
use bulkhead_plan::{EnvironmentSpec, Topology};
use bulkhead_runtime::engine::chain;
use bulkhead_runtime::engine::labels::{Scope, Stamp};
use bulkhead_runtime::engine::subnet;
use bulkhead_runtime::engine::sweep::sweep;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest};

use crate::error::StartError;

/// What the engine calls something of this run.
pub(crate) fn engine_name(stamp: &Stamp, what: &str) -> String {
    format!("bulkhead-{}-{what}", stamp.run)
}

/// What the engine calls a network of this run.
pub(crate) fn network_name(stamp: &Stamp, network: &NetworkName) -> String {
    engine_name(stamp, &network.to_string())
}

/// Creates all networks, on the first addresses that nobody uses. Another run may take them between the look and the
/// creation; then the next ones are tried.
pub(crate) async fn create(
    docker: &Docker,
    spec: &EnvironmentSpec,
    stamp: &Stamp,
) -> Result<Topology, StartError> {
    let mut first = 0;
    loop {
        let taken = subnet::taken(docker).await.map_err(|error| refused("list its networks", &error))?;
        let (topology, attempt) = subnet::place(spec, &taken, first)?;
        match create_all(docker, &topology, stamp).await {
            Ok(()) => return Ok(topology),
            Err((_, error)) if overlaps(&error) => {
                let swept = sweep(docker, &Scope::Run(stamp.run.clone())).await;
                swept.map_err(|error| refused("remove networks again", &error))?;
                first = attempt + 1;
            }
            Err((name, error)) => return Err(refused(&format!("create the network {name}"), &error)),
        }
    }
}

async fn create_all(docker: &Docker, topology: &Topology, stamp: &Stamp) -> Result<(), (String, Error)> {
    for network in topology.networks() {
        let request = request(network, stamp);
        let name = request.name.clone();
        docker.create_network(request).await.map_err(|error| (name, error))?;
    }
    Ok(())
}

fn request(network: &Network, stamp: &Stamp) -> NetworkCreateRequest {
    let subnet = IpamConfig { subnet: Some(network.subnet.to_string()), ..IpamConfig::default() };
    NetworkCreateRequest {
        name: network_name(stamp, &network.name),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![subnet]), ..Ipam::default() }),
        labels: Some(stamp.labels(None, None)),
        ..NetworkCreateRequest::default()
    }
}

/// 403 is what engines answer to addresses that overlap those of another network.
fn overlaps(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 403, .. })
}

/// Connects a running container to one more network, where the others know it by its name.
pub(crate) async fn connect(docker: &Docker, network: &str, container: &str) -> Result<(), StartError> {
    let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: None };
    let connected = docker.connect_network(network, request).await;
    connected.map_err(|error| refused(&format!("connect {container} to the network {network}"), &error))
}

pub(crate) fn refused(attempt: &str, error: &Error) -> StartError {
    StartError::Engine { attempt: attempt.to_owned(), reason: chain(error) }
}

//! The networks of one environment, each with a small explicit subnet.

use bollard::Docker;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bulkhead_plan::topology::Network;
use bulkhead_plan::{EnvironmentSpec, Placement, Topology};
use futures::future::join_all;

use super::container::containers_are_reachable;
use super::{chain, network_name, refused, status_code};
use crate::engine::labels::{Scope, Stamp};
use crate::engine::subnet;
use crate::engine::sweep;
use crate::error::Failure;

/// Creates all networks, on the first addresses that nobody uses. Another run may take them between the look and the
/// creation; then the next ones are tried.
pub(super) async fn create(
    docker: &Docker,
    spec: &EnvironmentSpec,
    stamp: &Stamp,
) -> Result<Topology, Failure> {
    let mut first = 0;
    loop {
        let taken = subnet::taken(docker).await;
        let taken = taken.map_err(|error| refused("list its networks".to_owned(), &error))?;
        let (topology, attempt) = subnet::place(spec, &taken, first)?;
        // More than containers carry is refused before there is anything to take away again.
        Placement::containers(&topology)?;
        match create_all(docker, &topology, stamp).await {
            Ok(()) => return Ok(topology),
            Err(failure) if !overlaps(&failure) => return Err(failure),
            Err(_) => {
                let swept = sweep::sweep(docker, &Scope::Run(stamp.run.clone())).await;
                swept.map_err(|error| refused("remove networks again".to_owned(), &error))?;
                first = attempt + 1;
            }
        }
    }
}

async fn create_all(docker: &Docker, topology: &Topology, stamp: &Stamp) -> Result<(), Failure> {
    let networks = topology.networks().iter().map(|network| create_one(docker, network, stamp));
    join_all(networks).await.into_iter().collect()
}

async fn create_one(docker: &Docker, network: &Network, stamp: &Stamp) -> Result<(), Failure> {
    let name = network_name(stamp, &network.name);
    let subnet = IpamConfig { subnet: Some(network.subnet.to_string()), ..IpamConfig::default() };
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("bridge".to_owned()),
        // A network that leads nowhere cannot publish a port either.
        internal: Some(network.name.is_internal() && containers_are_reachable()),
        ipam: Some(Ipam { config: Some(vec![subnet]), ..Ipam::default() }),
        labels: Some(stamp.labels(None, None)),
        ..NetworkCreateRequest::default()
    };
    let attempt = format!("create the network {name} with {}", network.subnet);
    docker.create_network(request).await.map(|_| ()).map_err(|error| match status_code(&error) {
        // 403 is what engines answer to a pool that overlaps another.
        Some(403) => Failure::Refused { attempt, reason: format!("{OVERLAP}: {}", chain(&error)) },
        _ => refused(attempt, &error),
    })
}

const OVERLAP: &str = "its addresses are in use";

fn overlaps(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { reason, .. } if reason.starts_with(OVERLAP))
}

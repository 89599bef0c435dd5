//! Which address a probe gets on a network: one from the far end of it.
//!
//! An engine gives containers the first address that is free. A probe that came while a service is away, killed or cut off,
//! would get that one's: what is meant for the service would be answered by the probe, and the service could not come back.

use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::errors::Error;
use bulkhead_plan::topology::Subnet;

/// How many are tried: more than probes that are on one network at a time.
const SEATS: usize = 32;

/// Addresses in the upper half of a network's, from the last on.
pub(super) async fn seats(docker: &Docker, network: &str) -> Result<Vec<Ipv4Addr>, Error> {
    let facts = docker.inspect_network(network, None).await?;
    let configured = facts.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let subnets = configured.into_iter().filter_map(|config| config.subnet?.parse::<Subnet>().ok());
    Ok(subnets.flat_map(upper_half).collect())
}

fn upper_half(subnet: Subnet) -> Vec<Ipv4Addr> {
    let first = u32::from(subnet.address());
    let size = u32::try_from(subnet.size()).unwrap_or(u32::MAX);
    // The very last one is the broadcast address.
    let places = (size / 2..size.saturating_sub(1)).rev().take(SEATS);
    places.map(|place| Ipv4Addr::from(first.saturating_add(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_at_the_far_end_and_none_is_the_broadcast_address() {
        let seats = upper_half("10.77.0.16/29".parse().unwrap());
        let last_of = |number| Ipv4Addr::new(10, 77, 0, number);
        assert_eq!(seats, [last_of(22), last_of(21), last_of(20)]);
    }
}

//! Which addresses an environment's networks get: beside everything that the host and the engine already use.

use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::errors::Error;
use bulkhead_plan::spec::EnvironmentSpec;
use bulkhead_plan::topology::{Subnet, Topology, TopologyError};

/// How many bases the plan can derive from one environment's name.
const ATTEMPTS: u32 = 128;

/// No addresses are left for the environment's networks.
#[derive(Debug, thiserror::Error)]
pub enum SubnetError {
    /// What the specification asks for is in use.
    #[error(
        "the specification's `subnets` {base} overlaps {taken}, which the host or the engine already uses"
    )]
    Taken {
        /// What was asked for.
        base: Subnet,
        /// What is in the way.
        taken: Subnet,
    },
    /// Every base is in use.
    #[error("all {ATTEMPTS} address ranges that could be derived from the environment's name are in use")]
    NoneFree,
    /// The topology does not fit.
    #[error(transparent)]
    Topology(#[from] TopologyError),
}

/// Lays out the environment on the first base, from `attempt` on, that overlaps nothing in `taken`; returns the attempt
/// with it, so that the caller can go on behind it when another run was faster.
pub fn place(spec: &EnvironmentSpec, taken: &[Subnet], attempt: u32) -> Result<(Topology, u32), SubnetError> {
    if let Some(base) = spec.subnets {
        return match taken.iter().find(|taken| taken.overlaps(&base)) {
            Some(taken) => Err(SubnetError::Taken { base, taken: *taken }),
            None => Ok((Topology::new(spec)?, ATTEMPTS)),
        };
    }
    for attempt in attempt..ATTEMPTS {
        let base = Topology::base_for_attempt(spec, attempt);
        if !taken.iter().any(|taken| taken.overlaps(&base)) {
            return Ok((Topology::with_base(spec, base)?, attempt));
        }
    }
    Err(SubnetError::NoneFree)
}

/// What the engine's networks and the host's routes use.
pub async fn taken(docker: &Docker) -> Result<Vec<Subnet>, Error> {
    let networks = docker.list_networks(None).await?;
    let configured = networks.into_iter().filter_map(|network| network.ipam?.config).flatten();
    // IPv6 subnets do not parse as ours and cannot overlap one.
    let mut taken: Vec<Subnet> = configured.filter_map(|config| parse(&config.subnet?)).collect();
    taken.extend(parse_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default()));
    Ok(taken)
}

fn parse(text: &str) -> Option<Subnet> {
    let (address, prefix) = text.split_once('/')?;
    Some(Subnet::containing(address.parse().ok()?, prefix.parse().ok()?))
}

/// Reads `/proc/net/route`, whose numbers are hexadecimal in network byte order as a little-endian machine sees them.
///
/// Elsewhere than on Linux the engine runs in a machine of its own and nothing is known.
fn parse_routes(table: &str) -> Vec<Subnet> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok().map(u32::swap_bytes);
        let (address, mask) = (number(1)?, number(7)?);
        let prefix = u8::try_from(mask.count_ones()).ok()?;
        // The default route covers everything and says nothing.
        (prefix > 0).then(|| Subnet::containing(Ipv4Addr::from(address), prefix))
    };
    table.lines().skip(1).filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> EnvironmentSpec {
        EnvironmentSpec::with_tenants("subnets".parse().unwrap(), 2, 1).unwrap()
    }

    #[test]
    fn goes_on_to_the_next_base_when_one_is_taken() {
        let first = Topology::base_for_attempt(&spec(), 0);
        let (topology, attempt) = place(&spec(), &[first], 0).unwrap();
        assert_eq!(attempt, 1);
        assert!(topology.networks().iter().all(|network| !network.subnet.overlaps(&first)));
    }

    #[test]
    fn a_base_that_was_asked_for_is_never_exchanged() {
        let mut spec = spec();
        spec.subnets = Some("10.1.0.0/24".parse().unwrap());
        let error = place(&spec, &["10.1.0.128/25".parse().unwrap()], 0).unwrap_err().to_string();
        assert!(error.contains("10.1.0.0/24 overlaps 10.1.0.128/25"), "{error}");
    }

    #[test]
    fn says_when_everything_is_taken() {
        let all = ["10.0.0.0/8".parse().unwrap()];
        assert!(matches!(place(&spec(), &all, 0), Err(SubnetError::NoneFree)));
    }

    #[test]
    fn reads_the_hosts_routes() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                     eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n\
                     docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        assert_eq!(parse_routes(table), ["172.17.0.0/16".parse().unwrap()]);
    }
}

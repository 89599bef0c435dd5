//! Ports on loopback, held by listeners until the moment before their service starts.
//!
//! Free ports are taken from below the system's ephemeral range: from inside it, any outgoing connection (and an
//! environment makes hundreds) could get the port in the instant between the listener's end and the service's start.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use bulkhead_plan::ServiceId;

use crate::error::Failure;

/// The lowest port that is handed out: below are those that people know by heart.
const LOWEST: u16 = 10_240;
/// Where the ephemeral range begins where the system does not say (IANA: 49152; Linux: 32768).
const USUAL_END: u16 = 32_768;

/// Ports of the services that have not started yet.
#[derive(Debug, Default)]
pub(super) struct Ports {
    held: BTreeMap<ServiceId, (u16, TcpListener)>,
}

impl Ports {
    /// Holds a port for each service: the one it wants, or a free one.
    pub(super) fn hold(services: impl Iterator<Item = (ServiceId, Option<u16>)>) -> Result<Self, Failure> {
        Self::hold_from(services, FreePorts::from_anywhere())
    }

    fn hold_from(
        services: impl Iterator<Item = (ServiceId, Option<u16>)>,
        mut free: FreePorts,
    ) -> Result<Self, Failure> {
        let mut held = BTreeMap::new();
        // Those with a wish come first: a free port that is handed out before could be the very one.
        let (wishes, others): (Vec<_>, Vec<_>) = services.partition(|(_, wanted)| wanted.is_some());
        for (id, wanted) in wishes.into_iter().chain(others) {
            let port = match wanted {
                Some(port) => bind(port)
                    .map(|listener| (port, listener))
                    .map_err(|error| Failure::PortTaken { id: id.clone(), port, reason: error.to_string() }),
                None => {
                    free.next().map_err(|error| Failure::NoPort { id: id.clone(), reason: error.to_string() })
                }
            };
            held.insert(id, port?);
        }
        Ok(Self { held })
    }

    /// The number of each port.
    pub(super) fn numbers(&self) -> BTreeMap<ServiceId, u16> {
        self.held.iter().map(|(id, (port, _))| (id.clone(), *port)).collect()
    }

    /// Frees one port, for its service to bind.
    pub(super) fn release(&mut self, id: &ServiceId) {
        self.held.remove(id);
    }
}

struct FreePorts {
    end: u16,
    offset: u16,
    tried: u16,
}

impl FreePorts {
    /// Starts where the process id and the clock happen to point, so that two runs seldom try the same ports.
    fn from_anywhere() -> Self {
        let end = ephemeral_start();
        let clock = std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.subsec_nanos());
        let spread = clock.wrapping_add(std::process::id().wrapping_mul(7919));
        let offset = u16::try_from(spread % u32::from(end - LOWEST)).unwrap_or(0);
        Self { end, offset, tried: 0 }
    }

    fn next(&mut self) -> io::Result<(u16, TcpListener)> {
        let width = self.end - LOWEST;
        while self.tried < width {
            let port = LOWEST + (self.offset + self.tried) % width;
            self.tried += 1;
            if let Ok(listener) = bind(port) {
                return Ok((port, listener));
            }
        }
        Err(io::Error::other(format!("no port from {LOWEST} to {} is free on loopback", self.end - 1)))
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

fn ephemeral_start() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let start = range.and_then(|range| range.split_whitespace().next()?.parse().ok());
    // A machine may be set up to use everything from 1024 on; then there is nothing below worth having.
    start.filter(|start| *start > LOWEST + 1000).unwrap_or(USUAL_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_gets_its_own_port_and_nobody_else_gets_it() {
        let agent = "tenants/acme/agent-001.p1".parse().unwrap();
        let ports = Ports::hold([(ServiceId::Nats, None), (agent, None)].into_iter()).unwrap();
        let numbers: Vec<u16> = ports.numbers().into_values().collect();
        assert_ne!(numbers[0], numbers[1]);
        assert!(numbers.iter().all(|port| bind(*port).is_err()));
        assert!(numbers.iter().all(|port| *port < ephemeral_start()));
    }

    #[test]
    fn a_free_port_is_never_one_that_somebody_else_wants() {
        let mut search = FreePorts::from_anywhere();
        let (next, listener) = search.next().unwrap();
        let free = FreePorts { tried: search.tried - 1, ..search };
        drop(listener);
        let services = [(ServiceId::Nats, None), (ServiceId::Poller, Some(next))];
        let ports = Ports::hold_from(services.into_iter(), free).unwrap();
        assert_eq!(ports.numbers()[&ServiceId::Poller], next);
    }

    #[test]
    fn no_port_at_all_is_said_without_a_number() {
        let free = FreePorts { end: LOWEST, offset: 0, tried: 0 };
        let failure = Ports::hold_from([(ServiceId::Nats, None)].into_iter(), free).unwrap_err();
        assert!(failure.to_string().contains("there is no port for nats"), "{failure}");
        assert!(failure.advice().contains("cargo xtask down --all"), "{}", failure.advice());
    }

    #[test]
    fn a_released_port_is_free() {
        let mut ports = Ports::hold([(ServiceId::Nats, None)].into_iter()).unwrap();
        let port = ports.numbers()[&ServiceId::Nats];
        ports.release(&ServiceId::Nats);
        bind(port).unwrap();
    }

    #[test]
    fn a_port_that_was_asked_for_and_is_taken_is_an_error_with_its_number() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let failure = Ports::hold([(ServiceId::Nats, Some(port))].into_iter()).unwrap_err();
        assert!(failure.to_string().contains(&format!("port {port} for nats is taken")), "{failure}");
        assert!(failure.advice().contains("ss -ltnp"), "{}", failure.advice());
    }
}

//! Where the services of a topology are: the addresses that they listen on and are dialled at, and the paths under
//! which they see their own files.

use std::collections::BTreeMap;
use std::fmt;

use crate::spec::MAX_TENANTS_IN_CONTAINERS;
use crate::topology::{Service, ServiceId, Topology};

/// Where a service sees its files in a container.
pub const CONTAINER_FILES: &str = "/etc/bulkhead";
/// Where NATS keeps its streams in a container.
pub const CONTAINER_DATA: &str = "/data";

/// A host and a port, as they are dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A name or an IPv4 address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Both together.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Where one service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlacement {
    /// What the other services dial.
    pub address: HostPort,
    /// What it binds to.
    pub listen: HostPort,
    /// The directory under which the service sees its own files, without a slash at the end.
    pub files: String,
    /// The directory that it may write, for those that have one (NATS).
    pub data: Option<String>,
}

/// Where every service of one topology is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    services: BTreeMap<ServiceId, ServicePlacement>,
}

/// Why a topology cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// More tenants than containers are made for.
    #[error(
        "{tenants} tenants are too many for containers: at most {MAX_TENANTS_IN_CONTAINERS}; use fewer, or the \
         process backend"
    )]
    TooManyForContainers {
        /// How many there are.
        tenants: usize,
    },
    /// No port was given for a service.
    #[error(
        "no port was given for {0}: the runtime must reserve one for every service before files are rendered"
    )]
    NoPort(ServiceId),
}

impl Placement {
    /// Every service in a container, known by the name in its certificate on each of its networks.
    ///
    /// # Errors
    /// When there are more tenants than containers are made for.
    pub fn containers(topology: &Topology) -> Result<Self, PlacementError> {
        Self::containers_known_as(topology, |service| service.name.to_string())
    }

    /// The same, with each container known to the others by the host name that `host` gives it: for engines' clients
    /// that cannot give a container an alias. Who answers there is proved by the certificate, never by that name.
    ///
    /// # Errors
    /// When there are more tenants than containers are made for.
    pub fn containers_known_as(
        topology: &Topology,
        host: impl Fn(&Service) -> String,
    ) -> Result<Self, PlacementError> {
        let tenants = topology.tenants().len();
        if tenants > MAX_TENANTS_IN_CONTAINERS {
            return Err(PlacementError::TooManyForContainers { tenants });
        }
        let place = |service: &Service| {
            let placement = ServicePlacement {
                address: HostPort::new(host(service), service.container_port),
                listen: HostPort::new("0.0.0.0", service.container_port),
                files: CONTAINER_FILES.to_owned(),
                data: (service.id == ServiceId::Nats).then(|| CONTAINER_DATA.to_owned()),
            };
            (service.id.clone(), placement)
        };
        Ok(Self { services: topology.services().iter().map(place).collect() })
    }

    /// Every service as a process on loopback, with the port that `ports` gives it. `workdir` is the absolute path
    /// of the state directory, without a slash at the end.
    ///
    /// # Errors
    /// When a service has no port.
    pub fn processes(
        topology: &Topology,
        ports: &BTreeMap<ServiceId, u16>,
        workdir: &str,
    ) -> Result<Self, PlacementError> {
        let place = |service: &Service| {
            let id = &service.id;
            let port = *ports.get(id).ok_or_else(|| PlacementError::NoPort(id.clone()))?;
            let placement = ServicePlacement {
                address: HostPort::new("127.0.0.1", port),
                listen: HostPort::new("127.0.0.1", port),
                files: format!("{workdir}/services/{id}"),
                data: (*id == ServiceId::Nats).then(|| format!("{workdir}/data/nats")),
            };
            Ok((id.clone(), placement))
        };
        let services = topology.services().iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self { services })
    }

    /// Where a service is.
    pub fn get(&self, id: &ServiceId) -> Option<&ServicePlacement> {
        self.services.get(id)
    }
}

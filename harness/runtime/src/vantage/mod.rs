//! The places from which attempts are made, each with a probe in it, and where the services are as seen from there.

mod container;
mod process;
mod seat;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bulkhead_identity::PeerName;
use bulkhead_plan::ServiceId;
use bulkhead_plan::access::Vantage;
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::spec::EnvironmentName;
use bulkhead_probe::post::Remote;

use crate::engine::EngineError;
use crate::images::ImageError;
use container::{Containers, ProbeContainer};
use process::ProbeProcess;

/// No probe can be had in some place.
#[derive(Debug, thiserror::Error)]
pub enum VantageError {
    /// The engine that the environment's containers are in does not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The probe's image cannot be made.
    #[error("no image for the probe: {0}")]
    Image(#[from] ImageError),
    /// The engine refused.
    #[error("the engine refused to {attempt}: {reason}")]
    Refused {
        /// What was asked.
        attempt: String,
        /// What it said.
        reason: String,
    },
    /// The program cannot be run.
    #[error("the probe cannot be run as {program}: {error}")]
    Spawn {
        /// The program.
        program: std::path::PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The environment has no such place.
    #[error("there is no network of {0} in this environment")]
    NoPlace(Vantage),
}

/// The probes of one run, and where everything is as seen from each.
#[derive(Debug)]
pub struct Vantages {
    probes: BTreeMap<Vantage, Remote>,
    addresses: Addresses,
    /// What ends the probes. They also end by themselves when nobody gives them orders any more.
    containers: Vec<ProbeContainer>,
    processes: Vec<ProbeProcess>,
}

/// Where the services are.
#[derive(Debug)]
enum Addresses {
    /// The same from everywhere.
    OfRecord,
    /// On each network another.
    OnNetworks(Containers),
}

impl Vantages {
    /// Puts a probe into each of `places`. `program` is the probe.
    ///
    /// # Errors
    /// A place has no probe: what was to be attempted from there would be a hole.
    pub async fn open(
        record: &EnvironmentRecord,
        places: &[Vantage],
        program: &Path,
    ) -> Result<Self, VantageError> {
        let mut open = Self::nowhere();
        if places.contains(&Vantage::Host) {
            open.add_here(&record.name, &record.state_dir, program)?;
        }
        if matches!(record.backend, BackendKind::Docker | BackendKind::Compose) {
            let containers = Containers::of(record).await?;
            let inside = places.iter().filter(|place| **place != Vantage::Host);
            let started = inside.map(async |place| {
                let network = containers.network_of(place)?;
                let started = ProbeContainer::start(&containers, record, place, &network, program).await?;
                Ok::<_, VantageError>((place.clone(), started))
            });
            for (place, (probe, container)) in futures::future::try_join_all(started).await? {
                open.probes.insert(place, probe);
                open.containers.push(container);
            }
            open.addresses = Addresses::OnNetworks(containers);
        }
        Ok(open)
    }

    /// Puts a probe on this machine, from which a platform is seen that others run. What is started for it is labelled as
    /// belonging to `name`, whose state would be in `state_dir`.
    ///
    /// # Errors
    /// The probe cannot be run.
    pub fn open_here(name: &EnvironmentName, state_dir: &Path, program: &Path) -> Result<Self, VantageError> {
        let mut open = Self::nowhere();
        open.add_here(name, state_dir, program)?;
        Ok(open)
    }

    fn nowhere() -> Self {
        Self {
            probes: BTreeMap::new(),
            addresses: Addresses::OfRecord,
            containers: Vec::new(),
            processes: Vec::new(),
        }
    }

    fn add_here(
        &mut self,
        name: &EnvironmentName,
        state_dir: &Path,
        program: &Path,
    ) -> Result<(), VantageError> {
        let (probe, process) = ProbeProcess::start(name, state_dir, program)?;
        self.probes.insert(Vantage::Host, probe);
        self.processes.push(process);
        Ok(())
    }

    /// The probe in a place.
    pub fn probe(&self, place: &Vantage) -> Option<&Remote> {
        self.probes.get(place)
    }

    /// The address at which a service is dialled from a place: its own on the network there, or any of its own where it is
    /// on none, since a name that does not resolve is no wall.
    pub fn address(&self, record: &EnvironmentRecord, place: &Vantage, service: &PeerName) -> Option<String> {
        let id = service_of(record, service)?;
        match &self.addresses {
            Addresses::OnNetworks(containers) if *place != Vantage::Host => containers.address(place, &id),
            _ => address_of(record, service),
        }
    }

    /// The folders that a service has: its own, and in a container whatever is mounted there beside what it stores itself.
    pub fn folders_of(&self, record: &EnvironmentRecord, service: &ServiceId) -> Option<Vec<PathBuf>> {
        let stored = record.state_dir.join("data");
        match &self.addresses {
            Addresses::OnNetworks(containers) => {
                let mounts = containers.mounts(service)?.iter();
                Some(mounts.filter(|source| !source.starts_with(&stored)).cloned().collect())
            }
            _ => Some(vec![record.state_dir.join("services").join(service.to_string())]),
        }
    }

    /// How many attempts have been made from all of them, controls and all.
    pub fn attempts(&self) -> u64 {
        self.probes.values().map(Remote::attempts).sum()
    }

    /// Ends the probes.
    pub async fn close(self) {
        // Without orders they end, and the engine removes the containers of those that have ended.
        drop(self.probes);
        for container in self.containers {
            container.remove().await;
        }
    }
}

/// Which service answers to a name.
pub fn service_of(record: &EnvironmentRecord, name: &PeerName) -> Option<ServiceId> {
    if *name == record.platform.nats.name {
        return Some(ServiceId::Nats);
    }
    if *name == record.platform.poller.name {
        return Some(ServiceId::Poller);
    }
    let tenants = record.tenants.iter();
    let mut agents = tenants.flat_map(|tenant| tenant.agents.iter().map(move |agent| (tenant, agent)));
    let (tenant, agent) = agents.find(|(_, agent)| agent.name == *name)?;
    Some(ServiceId::Agent { tenant: tenant.slug.clone(), agent: agent.id.clone() })
}

/// Where a service is for a program on this machine.
pub fn address_of(record: &EnvironmentRecord, name: &PeerName) -> Option<String> {
    if *name == record.platform.nats.name {
        return Some(record.platform.nats.address.clone());
    }
    if *name == record.platform.poller.name {
        return Some(record.platform.poller.address.clone());
    }
    let mut agents = record.tenants.iter().flat_map(|tenant| &tenant.agents);
    agents.find(|agent| agent.name == *name).map(|agent| agent.address.clone())
}

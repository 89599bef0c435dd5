//! What a fault does to an environment.

use std::fmt;

use super::edit::{EditError, FileEdit};
use super::nats::Accounts;
use crate::environment::BackendKind;
use crate::file::PlannedFile;
use crate::pki::Weakness;
use crate::topology::Topology;

/// What a fault does to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Files that services are given are others than those that were rendered.
    Files(&'static [FileEdit]),
    /// The broker's accounts are laid out in another way.
    Accounts(Accounts),
    /// The certificate hierarchy is weaker than it must be.
    Pki(Weakness),
    /// The hierarchy is weaker, and files make use of it.
    PkiAndFiles(Weakness, &'static [FileEdit]),
    /// Containers are put up in another way than the plan says, which the oracle goes by.
    Wiring(Wiring),
    /// Programs make a mistake that only a build made for it can make (`services/identity/src/seeded`).
    Code {
        /// The agents do.
        agents: bool,
        /// The poller does.
        poller: bool,
    },
    /// The poller makes a mistake, and files take away the wall that stands before it.
    PollerAndFiles(&'static [FileEdit]),
    /// Nobody can make it here as yet.
    None,
}

/// How containers are put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// Every agent is on the platform's network as well, so that all share one.
    Flat,
    /// The first agent of the first tenant is on the second tenant's network as well.
    GuestOfAnother,
    /// Agents' ports are published on every address of the host, for which every agent is on the platform's network as well.
    PublishedAgents,
    /// The first agent is on the network of the host.
    HostNetwork,
    /// Agents' containers mount the folder in which everybody's certificates and keys are.
    SharedCertificates,
}

/// A fault that cannot be seeded into what is planned today.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} cannot be seeded: {error}; the renderer has changed, and the fault must follow it")]
pub struct ChangeError {
    /// Which.
    pub fault: &'static str,
    /// Why.
    pub error: EditError,
}

impl super::Fault {
    /// What is wrong with the certificates.
    pub fn weakness(&self) -> Option<Weakness> {
        match self.change {
            Change::Pki(weakness) | Change::PkiAndFiles(weakness, _) => Some(weakness),
            _ => None,
        }
    }

    /// How the containers are put up.
    pub fn wiring(&self) -> Option<Wiring> {
        match self.change {
            Change::Wiring(wiring) => Some(wiring),
            _ => None,
        }
    }

    /// Makes the change to the files of an environment that are about to be written.
    ///
    /// # Errors
    /// When the change cannot be made to them.
    pub fn seed(
        &self,
        files: &mut Vec<PlannedFile>,
        topology: &Topology,
        backend: BackendKind,
    ) -> Result<(), ChangeError> {
        self.edits()
            .iter()
            .try_for_each(|edit| edit.apply(files, topology, backend))
            .and_then(|()| match self.change {
                Change::Accounts(accounts) => accounts.apply(files, topology),
                _ => Ok(()),
            })
            .and_then(|()| match self.in_code() {
                (false, false) => Ok(()),
                (agents, poller) => self.switch_on(agents, poller, files),
            })
            .map_err(|error| ChangeError { fault: self.id, error })
    }

    /// Which programs make a mistake that only a build made for it can make: the agents, the poller.
    pub fn in_code(&self) -> (bool, bool) {
        match self.change {
            Change::Code { agents, poller } => (agents, poller),
            Change::PollerAndFiles(_) => (false, true),
            _ => (false, false),
        }
    }

    fn edits(&self) -> &'static [FileEdit] {
        match self.change {
            Change::Files(edits) | Change::PkiAndFiles(_, edits) | Change::PollerAndFiles(edits) => edits,
            _ => &[],
        }
    }

    /// Has the programs make the mistake of the fault's name. A program that is shipped knows no such key and does not start.
    fn switch_on(&self, agents: bool, poller: bool, files: &mut [PlannedFile]) -> Result<(), EditError> {
        let line = format!("seeded_fault: {}\n", self.id);
        let mut switched = 0;
        for file in files {
            let Some(name) = file.path.file_name().and_then(|name| name.to_str()) else { continue };
            let meant = file.path.starts_with("services")
                && (agents && name == "agent.yaml" || poller && name == "poller.yaml");
            if !meant {
                continue;
            }
            let text = file.contents.public_text().ok_or_else(|| EditError::NoText(name.to_owned()))?;
            file.contents = crate::FileContents::Public(format!("{text}{line}").into_bytes());
            switched += 1;
        }
        if switched == 0 {
            Err(EditError::NoSuchFile("agent.yaml or poller.yaml".to_owned()))
        } else {
            Ok(())
        }
    }
}

impl Wiring {
    /// The topology as the containers are put up. What is expected still follows from the plan.
    #[must_use]
    pub fn rewire(self, topology: &Topology) -> Topology {
        topology.rewired(self)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(edits) => write!(formatter, "{} changes to rendered files", edits.len()),
            Self::Accounts(_) => formatter.write_str("other accounts in the broker's configuration"),
            Self::Pki(weakness) => weakness.fmt(formatter),
            Self::PkiAndFiles(weakness, edits) => {
                write!(formatter, "{weakness}, and {} changes to rendered files", edits.len())
            }
            Self::Wiring(Wiring::Flat) => {
                formatter.write_str("every agent on the platform's network as well")
            }
            Self::Wiring(Wiring::GuestOfAnother) => {
                formatter.write_str("an agent on another tenant's network as well")
            }
            Self::Wiring(Wiring::HostNetwork) => formatter.write_str("an agent on the network of the host"),
            Self::Wiring(Wiring::PublishedAgents) => {
                formatter.write_str("agents' ports on every address of the host")
            }
            Self::Wiring(Wiring::SharedCertificates) => {
                formatter.write_str("the folder of all certificates and keys mounted into agents")
            }
            Self::Code { agents: true, poller: true } => {
                formatter.write_str("a build of agents and poller with the mistake")
            }
            Self::Code { agents: true, poller: false } => {
                formatter.write_str("a build of the agents with the mistake")
            }
            Self::Code { .. } => formatter.write_str("a build of the poller with the mistake"),
            Self::PollerAndFiles(edits) => {
                write!(
                    formatter,
                    "a build of the poller with the mistake, and {} changes to rendered files",
                    edits.len()
                )
            }
            Self::None => formatter.write_str("nobody as yet"),
        }
    }
}

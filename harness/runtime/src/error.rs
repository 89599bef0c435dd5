//! Why an environment did not start: what was attempted, where, why, what is left behind, what to do next.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bulkhead_plan::ServiceId;
use bulkhead_plan::environment::{BackendKind, MissingService};
use bulkhead_plan::fault::ChangeError;
use bulkhead_plan::placement::PlacementError;
use bulkhead_plan::spec::EnvironmentName;

use crate::build::BuildError;
use crate::engine::EngineError;
use crate::engine::subnet::SubnetError;
use crate::event::Death;
use crate::images::ImageError;
use crate::nats_binary::NatsBinaryError;
use crate::workdir::WorkdirError;

/// The exit codes of every command.
pub mod exit_code {
    /// All well.
    pub const WELL: u8 = 0;
    /// The command line or the specification asks for something that cannot be.
    pub const USAGE: u8 = 2;
    /// The environment did not start, or cannot be worked with.
    pub const NOT_STARTED: u8 = 3;
    /// Isolation is violated.
    pub const ISOLATION_VIOLATED: u8 = 4;
    /// The suite could not judge.
    pub const NOT_JUDGED: u8 = 5;
}

/// An environment that did not start. Whatever had been started was taken down again, except for what `left_behind` names.
#[derive(Debug)]
pub struct StartError {
    /// What went wrong.
    pub failure: Failure,
    /// What is still there, for people: files to look at, things that the engine would not give up.
    pub left_behind: Vec<String>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No free addresses, or none where they were asked for.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// More than the backend carries.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// The state folder is not as it must be, or somebody else works in it.
    #[error(transparent)]
    Workdir(#[from] WorkdirError),
    /// The environment runs already.
    #[error("environment {name} is already up ({backend} backend), described in {}", .record.display())]
    AlreadyUp {
        /// Which.
        name: EnvironmentName,
        /// What runs it.
        backend: BackendKind,
        /// Its description.
        record: PathBuf,
    },
    /// What was written for Compose does not run, or not all of it.
    #[error("{0}")]
    NotUpByHand(Box<NotUpByHand>),
    /// Compose was given other files than those that were written last.
    #[error(
        "the containers {} of environment {name} were not made from {}, as it was written last",
        .containers.join(", "), .rendered.display()
    )]
    OtherFiles {
        /// The environment.
        name: EnvironmentName,
        /// The override that was written last.
        rendered: PathBuf,
        /// The containers that do not belong to it.
        containers: Vec<String>,
    },
    /// Files are written for Compose only.
    #[error("nobody can bring up by hand what is made for the {0} backend")]
    NotByHand(BackendKind),
    /// A faulty environment is never left for somebody to bring up.
    #[error("the fault {0} is not seeded into what is brought up by hand")]
    FaultByHand(&'static str),
    /// A fault does not fit what is rendered.
    #[error(transparent)]
    Fault(#[from] ChangeError),
    /// No engine answers.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine answers and refused.
    #[error("the engine refused to {attempt}: {reason}")]
    Refused {
        /// What was asked.
        attempt: String,
        /// What it said.
        reason: String,
    },
    /// The services could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A service has no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no nats-server.
    #[error(transparent)]
    NatsBinary(#[from] NatsBinaryError),
    /// Certificates in the state folder cannot be used.
    #[error("the certificates in {} cannot be used: {reason}", .folder.display())]
    Certificates {
        /// Where they are.
        folder: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// A port that was asked for is in use.
    #[error("port {port} for {id} is taken: {reason}")]
    PortTaken {
        /// Which service was to have it.
        id: ServiceId,
        /// The port.
        port: u16,
        /// What the system said.
        reason: String,
    },
    /// No port is left for a service.
    #[error("there is no port for {id}: {reason}")]
    NoPort {
        /// Which service was to have one.
        id: ServiceId,
        /// Where one was looked for.
        reason: String,
    },
    /// A program could not be run.
    #[error("{id} could not be started as {}: {error}", .program.display())]
    Spawn {
        /// Which service.
        id: ServiceId,
        /// Its program.
        program: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// A service ended while the environment was starting.
    #[error("{0}")]
    Died(Death),
    /// A service runs and does not answer as it should.
    #[error("{0}")]
    NotReady(Box<NotReady>),
    /// Nothing of that name is in the environment.
    #[error("{0} is no service of this environment")]
    NoSuchService(ServiceId),
    /// A service was laid out and not started: a mistake in this program.
    #[error(transparent)]
    Missing(#[from] MissingService),
    /// Somebody asked to stop.
    #[error("the start was cancelled")]
    Cancelled,
}

/// A service that runs and does not answer as it should.
#[derive(Debug)]
pub struct NotReady {
    /// Which.
    pub id: ServiceId,
    /// Where it was asked, as seen from the host.
    pub address: String,
    /// For how long.
    pub after: Duration,
    /// What the last attempt saw.
    pub last_seen: String,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

impl fmt::Display for NotReady {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, address, after, last_seen, last_lines } = self;
        write!(formatter, "{id} at {address} was not ready after {} s: {last_seen}", after.as_secs())?;
        if !last_lines.is_empty() {
            write!(formatter, "; its last lines:")?;
        }
        last_lines.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
    }
}

/// What was written for Compose does not run, or not all of it.
#[derive(Debug)]
pub struct NotUpByHand {
    /// The environment.
    pub name: EnvironmentName,
    /// The override.
    pub rendered: PathBuf,
    /// The line that brings it up.
    pub bring_up: String,
    /// How many services there are to be.
    pub services: usize,
    /// Those that do not run.
    pub absent: Vec<Absent>,
}

/// A service that does not run.
#[derive(Debug)]
pub struct Absent {
    /// Which.
    pub id: ServiceId,
    /// How that is.
    pub how: String,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

impl fmt::Display for NotUpByHand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rendered, services, absent, .. } = self;
        let rendered = rendered.display();
        write!(formatter, "environment {name} is written for Compose, in {rendered}, and ")?;
        if absent.len() == *services && absent.iter().all(|absent| absent.last_lines.is_empty()) {
            return write!(formatter, "none of its {services} services runs");
        }
        write!(formatter, "{} of its {services} services do not run:", absent.len())?;
        for Absent { id, how, last_lines } in absent {
            write!(formatter, "\n  {id} {how}")?;
            last_lines.iter().try_for_each(|line| write!(formatter, "\n    {line}"))?;
        }
        Ok(())
    }
}

impl Failure {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Subnet(SubnetError::Taken { .. }) => "choose another `subnets`, or leave it out".to_owned(),
            Self::Subnet(_) => {
                "remove unused networks (`docker network ls`), or give a free private range as `subnets`"
                    .to_owned()
            }
            Self::Placement(_) => "use fewer tenants, or `--backend process`".to_owned(),
            Self::Workdir(error) => error.advice(),
            Self::AlreadyUp { name, .. } => format!(
                "use it (`cargo xtask status --name {name}`), take it down (`cargo xtask down --name {name}`), or \
                 start another with --name"
            ),
            Self::NotUpByHand(found) => format!(
                "bring it up: `{}`; or take it away: `cargo xtask down --name {}`",
                found.bring_up, found.name
            ),
            Self::OtherFiles { name, .. } => format!(
                "take them down (`cargo xtask down --name {name}`), write the files again (`cargo xtask compose --name \
                 {name}`) and bring it up with the line that it prints"
            ),
            Self::NotByHand(_) => "use `cargo xtask compose`".to_owned(),
            Self::FaultByHand(_) => "use `cargo xtask prove`, which takes it down again".to_owned(),
            Self::Fault(_) => "repair the fault in harness/plan/src/fault/catalogue".to_owned(),
            Self::Engine(error) => error.advice(),
            Self::Refused { .. } => {
                "see the engine's own log; `cargo xtask doctor` checks what it needs".to_owned()
            }
            Self::Build(_) => "repair the build; nothing was started".to_owned(),
            Self::Image(_) => {
                "see above; an image of your own is used with `--image nats=REF`, `agent=REF`, `poller=REF`"
                    .to_owned()
            }
            Self::NatsBinary(_) => "do one of these and start again".to_owned(),
            Self::Certificates { folder, .. } => format!(
                "to have new ones made, delete them: `rm -r {}`; credentials taken from there stop working",
                folder.display()
            ),
            Self::PortTaken { port, .. } => {
                format!(
                    "see who has it (`ss -ltnp 'sport = :{port}'`), or leave `ports` out to get a free one"
                )
            }
            Self::NoPort { .. } => {
                "take down environments that nobody uses (`cargo xtask down --all`), or use fewer tenants"
                    .to_owned()
            }
            Self::Spawn { .. } | Self::Died(_) | Self::NotReady(_) => {
                "read its log; its configuration is in the state folder under services/".to_owned()
            }
            Self::NoSuchService(_) => "`cargo xtask status` lists the services".to_owned(),
            Self::Missing(_) => "this is a mistake in the harness: please report it".to_owned(),
            Self::Cancelled => "start again when you like".to_owned(),
        }
    }

    /// See [`exit_code`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Subnet(SubnetError::Taken { .. } | SubnetError::Topology(_)) | Self::Placement(_) => {
                exit_code::USAGE
            }
            _ => exit_code::NOT_STARTED,
        }
    }
}

impl StartError {
    /// See [`exit_code`].
    pub fn exit_code(&self) -> u8 {
        self.failure.exit_code()
    }
}

impl<E: Into<Failure>> From<E> for StartError {
    fn from(failure: E) -> Self {
        Self { failure: failure.into(), left_behind: Vec::new() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.failure)?;
        match self.left_behind.as_slice() {
            [] => write!(formatter, "\nleft behind: nothing")?,
            left => write!(formatter, "\nleft behind: {}", left.join("; "))?,
        }
        write!(formatter, "\nwhat to do: {}", self.failure.advice())
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure.source()
    }
}

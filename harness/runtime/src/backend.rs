//! What runs services. A backend knows places, starts and ends; it does not know what a service is for.

pub mod compose;
pub mod docker;
pub mod process;

use std::fmt;
use std::path::PathBuf;

use bulkhead_plan::environment::{BackendKind, RunningService};
use bulkhead_plan::fault::Wiring;
use bulkhead_plan::placement::Placement;
use bulkhead_plan::{EnvironmentSpec, Role, Service, ServiceId, Topology};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::error::Failure;

/// An environment laid out on this machine: addresses are chosen, nothing runs yet.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Services and networks.
    pub topology: Topology,
    /// Where each service will be for the others, and where it will see its files.
    pub placement: Placement,
    /// In which other way than planned containers are put up: a mistake, which only a seeded fault makes.
    pub mistake: Option<Wiring>,
}

/// What a service is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It ended: how.
    Ended(String),
    /// There is nothing of it.
    Gone,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => formatter.write_str("running"),
            Self::Ended(how) => write!(formatter, "ended ({how})"),
            Self::Gone => formatter.write_str("gone"),
        }
    }
}

/// Which part of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPart {
    /// At most so many of the lines that are there already; all of them without.
    pub last: Option<usize>,
    /// Whether to wait for more.
    pub follow: bool,
}

/// What a service is run from: the programs or images that were made ready for this start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts<T> {
    /// Of NATS.
    pub nats: T,
    /// Of the poller.
    pub poller: T,
    /// Of every agent.
    pub agent: T,
}

impl<T> Artifacts<T> {
    /// The one for a role.
    pub fn of(&self, role: Role) -> &T {
        match role {
            Role::Nats => &self.nats,
            Role::Poller => &self.poller,
            Role::Agent => &self.agent,
        }
    }
}

/// Programs on this machine.
pub type Programs = Artifacts<PathBuf>;
/// References of images that the engine has.
pub type Images = Artifacts<String>;

/// Runs the services of one environment.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Which it is.
    fn kind(&self) -> BackendKind;

    /// Chooses addresses, and takes them so that nobody else can: creates networks, or holds ports.
    fn place<'a>(&'a self, spec: &'a EnvironmentSpec) -> BoxFuture<'a, Result<Placed, Failure>>;

    /// Does everything for one service that can be done before it may run. Its files are written.
    fn create<'a>(&'a self, placed: &'a Placed, service: &'a Service) -> BoxFuture<'a, Result<(), Failure>>;

    /// Starts a service that was created, or stopped.
    fn start<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<RunningService, Failure>>;

    /// The service answers: whatever is kept only to explain a start that fails can be let go.
    fn settled(&self, _id: &ServiceId) {}

    /// Stops one service without a death being reported.
    fn stop<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>>;

    /// The same without asking it: nothing is flushed, no connection is closed in order.
    fn kill<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, Result<(), Failure>>;

    /// What the service is doing.
    fn state<'a>(&'a self, id: &'a ServiceId) -> BoxFuture<'a, ServiceState>;

    /// The lines that a service wrote, as it wrote them.
    fn log(&self, id: &ServiceId, part: LogPart) -> BoxStream<'static, String>;

    /// Waits for starts that are under way, then takes everything away; returns what would not go, with reasons.
    fn tear_down(&self) -> BoxFuture<'_, Vec<String>>;
}

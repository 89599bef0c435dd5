//! What a disturbance is.

use std::time::Duration;

use bulkhead_plan::environment::BackendKind;

/// One thing that happens to the world, and what must hold all the same.
#[derive(Clone, Copy, Debug)]
pub struct Disturbance {
    /// Its name on the command line.
    pub id: &'static str,
    /// What happens, in a sentence.
    pub title: &'static str,
    /// What is done.
    pub deed: Deed,
    /// For how long at least: it also goes on until the matrix that is filled meanwhile is full.
    pub lasts: Duration,
    /// Whom it may hit. Everybody else notices nothing.
    pub reach: Reach,
    /// What holds.
    pub bounds: Bounds,
    /// Why plain processes cannot show it; nothing where they can.
    pub not_on_processes: Option<&'static str>,
}

/// What is done. The first tenant is the one that does it, or that it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// NATS is stopped and started again, and again.
    RestartBroker,
    /// The tenant's agent is killed, and started again.
    KillAgent,
    /// NATS leaves the tenant's network, and comes back.
    CutNetwork,
    /// The tenant's agent shows certificates of another time than everybody else's clock has.
    ShiftClock,
    /// The tenant publishes on its own subjects as fast as it can.
    FloodSubjects,
    /// The tenant takes all connections to NATS that it may have.
    TakeConnections,
    /// The tenant begins handshakes everywhere and finishes none.
    StallHandshakes,
    /// The tenant uses up its share of JetStream.
    FillStorage,
    /// The tenant's agent reports as much as it may, as fast as it can.
    ReportAtLength,
}

/// Whom a disturbance may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All tenants: what they share is away. Nobody may hear anybody else all the same, and all recover.
    Everybody,
    /// The first tenant alone.
    OneTenant,
}

/// Generous, since machines are shared and noisy: how fast things are is for `bench` to say. A message that is lost, or
/// that somebody else hears, is a failure on any machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long a canary of somebody who has no part in it may take.
    pub delay: Duration,
    /// How long after the end everybody's canaries may be in trouble.
    pub recovery: Duration,
    /// How long after the end until the whole matrix is as predicted.
    pub green: Duration,
}

impl Bounds {
    /// What holds for nearly all of them.
    pub const USUAL: Self = Self {
        delay: Duration::from_millis(2500),
        recovery: Duration::from_secs(10),
        green: Duration::from_secs(90),
    };
}

impl Disturbance {
    /// Why a backend cannot show it.
    pub fn not_covered(&self, backend: BackendKind) -> Option<&'static str> {
        match backend {
            BackendKind::Process => self.not_on_processes,
            BackendKind::Docker | BackendKind::Compose => None,
        }
    }
}

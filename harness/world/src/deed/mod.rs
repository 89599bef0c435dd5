//! What is done to the world. Each deed ends by itself when it is told that it is over, and puts right what it broke.

mod broker;
mod clock;
mod connections;
mod flood;
mod handshakes;
mod network;
mod reports;
mod services;
mod storage;

use std::time::Duration;

use bulkhead_identity::TenantSlug;
use bulkhead_runtime::environment::Environment;
use tokio_util::sync::CancellationToken;

use crate::disturbance::Deed;
use crate::stage::Stage;

/// Where a deed is done.
pub(crate) struct Ground<'a> {
    pub(crate) environment: &'a mut Environment,
    pub(crate) stage: &'a Stage,
    /// The tenant that does it, or that it is done to.
    pub(crate) tenant: TenantSlug,
    /// Cancelled when it has lasted long enough.
    pub(crate) over: CancellationToken,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// In words and figures.
    pub(crate) said: Vec<String>,
    /// What of it came out as it must not.
    pub(crate) wrong: Vec<String>,
}

impl Done {
    fn saying(text: impl Into<String>) -> Self {
        Self { said: vec![text.into()], wrong: Vec::new() }
    }
}

impl Ground<'_> {
    /// Waits, unless it is over; says whether to go on.
    async fn pause(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.over.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }
}

/// Does it until it is over.
///
/// # Errors
/// It could not be done.
pub(crate) async fn act(deed: Deed, ground: &mut Ground<'_>) -> Result<Done, String> {
    match deed {
        Deed::RestartBroker => services::restart_broker(ground).await,
        Deed::KillAgent => services::kill_agent(ground).await,
        Deed::CutNetwork => network::cut(ground).await,
        Deed::ShiftClock => clock::shift(ground).await,
        Deed::FloodSubjects => flood::flood(ground).await,
        Deed::TakeConnections => connections::take(ground).await,
        Deed::StallHandshakes => handshakes::stall(ground).await,
        Deed::FillStorage => storage::fill(ground).await,
        Deed::ReportAtLength => reports::report(ground).await,
    }
}

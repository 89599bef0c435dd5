//! The tenant's own connections to NATS, made by this very program: what it does with them must not wait for a probe.

use bulkhead_probe::nats::{Login, Session, login};
use bulkhead_probe::{Observation, Presented};

use super::Ground;
use crate::stage::NATS;

/// The tenant's first agent, ready to log in.
pub(super) struct Member {
    address: String,
    credential: Presented,
}

impl Member {
    pub(super) fn of(ground: &Ground<'_>) -> Result<Self, String> {
        let agent = &ground.stage.agent(&ground.tenant)?.name;
        let credential = ground.stage.credential(agent).map_err(|error| error.to_string())?;
        Ok(Self { address: ground.stage.address(&NATS)?, credential })
    }

    pub(super) async fn log_in(&self) -> Observation<Session> {
        login(&self.address, &Login::with(&self.credential)).await
    }
}

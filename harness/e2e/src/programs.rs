//! The programs that a run may start.

use std::path::PathBuf;

use bulkhead_matrix::StandIns;

/// Some scenarios start a second agent or poller of their own, or have cells of the access matrix filled.
#[derive(Debug, Clone)]
pub struct Programs {
    /// What makes attempts at cells of the matrix.
    pub probe: PathBuf,
    /// What plays agent and poller where they dial. They make the mistake that the environment's own programs make, if any.
    pub stand_ins: StandIns,
}

impl Programs {
    /// Programs that are configured as they always are.
    #[must_use]
    pub fn plain(agent: PathBuf, poller: PathBuf, probe: PathBuf) -> Self {
        Self { probe, stand_ins: StandIns::plain(agent, poller) }
    }
}

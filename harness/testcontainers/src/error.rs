//! What can go wrong before a platform is ready. Whatever had been created by then has been removed.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_identity::NameError;
use bulkhead_plan::ServiceId;
use bulkhead_plan::pki::PkiError;
use bulkhead_plan::placement::PlacementError;
use bulkhead_plan::render::RenderError;
use bulkhead_plan::spec::SpecError;
use bulkhead_runtime::build::BuildError;
use bulkhead_runtime::engine::subnet::SubnetError;
use bulkhead_runtime::images;
use bulkhead_runtime::probe::CredentialError;
use bulkhead_runtime::workdir::WorkdirError;
use testcontainers::TestcontainersError;

use crate::image::ImageError;

/// Why a platform did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A tenant's or an agent's name is outside the grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The platform that was asked for cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No container engine answers.
    #[error(
        "no container engine answers: {reason}; start Docker, or set DOCKER_HOST=unix:///path/of/its.sock, and check \
         that your user may open that socket"
    )]
    NoEngine {
        /// What was tried, and what came of it.
        reason: String,
    },
    /// The engine refused something.
    #[error("the engine refused to {attempt}: {reason}")]
    Engine {
        /// What was asked.
        attempt: String,
        /// What it said.
        reason: String,
    },
    /// No addresses are left for the platform's networks.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// Agent and poller could not be built.
    #[error(
        "{0}; give images of your own with `agent_image` and `poller_image`, or leave both out with `messages_only`"
    )]
    Build(#[from] BuildError),
    /// There is no image, and no way to get one.
    #[error("{0}; give one of your own with `nats_image`, `agent_image` or `poller_image`")]
    NoImage(#[from] images::ImageError),
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The certificates could not be made.
    #[error("cannot make the platform's certificates: {0}")]
    Pki(#[from] PkiError),
    /// The platform cannot be laid out in containers.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// A configuration could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// No temporary folder.
    #[error("cannot make a folder in {place}: {error}")]
    Folder {
        /// Where.
        place: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Files(#[from] WorkdirError),
    /// A credential that was just written could not be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// testcontainers could not start a container.
    #[error("the container of {service} did not start: {source}")]
    Container {
        /// Whose.
        service: ServiceId,
        /// What testcontainers said.
        source: Box<TestcontainersError>,
    },
    /// A service ended by itself.
    #[error("{service} ended by itself{}", log(.last_lines))]
    Died {
        /// Which.
        service: ServiceId,
        /// The end of its log.
        last_lines: Vec<String>,
    },
    /// A service runs and does not answer as it should.
    #[error(transparent)]
    NotReady(#[from] Box<NotReady>),
}

/// A service runs and does not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("{service} was not ready after {} s, {last_seen}{}", .waited.as_secs(), log(.last_lines))]
pub struct NotReady {
    /// Which.
    pub service: ServiceId,
    /// For how long it was asked.
    pub waited: Duration,
    /// What the last attempt showed.
    pub last_seen: String,
    /// The end of its log.
    pub last_lines: Vec<String>,
}

fn log(lines: &[String]) -> String {
    match lines {
        [] => " and logged nothing".to_owned(),
        lines => format!("; its last lines:\n    {}", lines.join("\n    ")),
    }
}

/// The platform has no tenant of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no tenant `{asked}` in this platform: it has {}", .known.join(", "))]
pub struct NoSuchTenant {
    /// What was asked for.
    pub asked: String,
    /// Who there is.
    pub known: Vec<String>,
}

/// Something is left in the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the platform's remains could not all be removed: {}; `docker ps --all --filter label=io.bulkhead.run={run}` and \
     `docker network ls --filter label=io.bulkhead.run={run}` show them, and the next start sweeps them",
    .stuck.join("; ")
)]
pub struct TeardownError {
    /// The run's mark on everything that it created.
    pub run: String,
    /// What is left, each with the engine's reason.
    pub stuck: Vec<String>,
}

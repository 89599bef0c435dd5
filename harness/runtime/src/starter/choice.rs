//! Which backend, and why.

use std::fmt;
use std::str::FromStr;

use bulkhead_plan::environment::BackendKind;

use crate::backend::compose::ComposeFiles;
use crate::engine::Engine;
use crate::error::Failure;

/// What the caller wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// Docker where an engine answers, else processes.
    #[default]
    Auto,
    /// Docker, or an error.
    Docker,
    /// Processes.
    Process,
    /// Containers, by a stock Compose.
    Compose(ComposeFiles),
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Process => "process",
            Self::Compose(_) => "compose",
        })
    }
}

impl FromStr for BackendChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "process" => Ok(Self::Process),
            other => Err(format!("{other:?} is no backend: use auto, docker or process")),
        }
    }
}

/// What was found to be possible.
#[derive(Debug, Clone)]
pub(crate) enum Chosen {
    Docker { engine: Engine, reason: String },
    Process { reason: String },
    Compose { engine: Engine, files: ComposeFiles, reason: String },
}

impl Chosen {
    pub(super) async fn from(choice: BackendChoice) -> Result<Self, Failure> {
        match choice {
            BackendChoice::Process => Ok(Self::Process { reason: "asked for".to_owned() }),
            BackendChoice::Docker => {
                let engine = Engine::connect().await?;
                Ok(Self::Docker { reason: format!("asked for; {}", engine.description), engine })
            }
            BackendChoice::Compose(files) => {
                let engine = Engine::connect().await?;
                let reason = format!("{} on {}", files.program.display(), engine.description);
                Ok(Self::Compose { engine, files, reason })
            }
            BackendChoice::Auto => Ok(match Engine::connect().await {
                Ok(engine) => {
                    Self::Docker { reason: format!("an engine answers: {}", engine.description), engine }
                }
                Err(error) => Self::Process { reason: error.to_string() },
            }),
        }
    }

    pub(crate) fn kind(&self) -> BackendKind {
        match self {
            Self::Docker { .. } => BackendKind::Docker,
            Self::Process { .. } => BackendKind::Process,
            Self::Compose { .. } => BackendKind::Compose,
        }
    }

    /// The engine that has the containers, when there are containers.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Docker { engine, .. } | Self::Compose { engine, .. } => Some(engine),
            Self::Process { .. } => None,
        }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Docker { reason, .. } | Self::Process { reason } | Self::Compose { reason, .. } => reason,
        }
    }
}

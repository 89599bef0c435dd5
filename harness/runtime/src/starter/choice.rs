//! Which backend, and why.

use std::fmt;
use std::str::FromStr;

use bulkhead_plan::environment::BackendKind;

use crate::engine::Engine;
use crate::error::Failure;

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// Docker where an engine answers, else processes.
    #[default]
    Auto,
    /// Docker, or an error.
    Docker,
    /// Processes.
    Process,
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Process => "process",
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
}

impl Chosen {
    pub(super) async fn from(choice: BackendChoice) -> Result<Self, Failure> {
        match choice {
            BackendChoice::Process => Ok(Self::Process { reason: "asked for".to_owned() }),
            BackendChoice::Docker => {
                let engine = Engine::connect().await?;
                Ok(Self::Docker { reason: format!("asked for; {}", engine.description), engine })
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
        }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Docker { reason, .. } | Self::Process { reason } => reason,
        }
    }
}

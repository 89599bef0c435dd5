//! The files that services are given, and the override that Compose is given. One topology, several renderers; no
//! renderer reads another's output.

mod agent;
mod compose;
mod files;
mod nats;
mod poller;

pub use agent::agent;
pub use compose::{ComposeOptions, compose};
pub use files::{command, config_file_name, service_files};
pub use nats::nats;
pub use poller::poller;

use serde::Serialize;

use crate::topology::ServiceId;

/// Why a file cannot be rendered. Both cases are mistakes of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The placement is that of another topology.
    #[error("{0} has no place: the placement was made for another topology")]
    NoPlace(ServiceId),
    /// The certificates are those of another topology.
    #[error("{0} has no certificate: the certificates were made for another topology")]
    NoCertificate(String),
    /// The service is no agent.
    #[error("{0} is no agent")]
    NotAnAgent(ServiceId),
}

/// A service's own certificate and key, relative to its configuration file.
#[derive(Serialize)]
struct Identity {
    certificate: &'static str,
    key: &'static str,
}

const IDENTITY: Identity = Identity { certificate: files::TLS_CHAIN, key: files::TLS_KEY };

/// How a service reaches NATS.
#[derive(Serialize)]
struct NatsLink {
    address: String,
    retry_ms: u64,
    buffer_messages: u64,
}

impl NatsLink {
    /// A short fixed pause: exponential back-off makes the start of an environment bimodal.
    fn to(address: String) -> Self {
        Self { address, retry_ms: 100, buffer_messages: 1000 }
    }
}

/// How log lines look: JSON, for the harness reads them.
#[derive(Serialize)]
struct Log {
    format: &'static str,
    level: &'static str,
}

const LOG: Log = Log { format: "json", level: "info" };

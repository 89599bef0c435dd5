//! The engine that testcontainers talks to.

use std::time::Duration;

use bulkhead_runtime::engine::chain;
use testcontainers::bollard::Docker;
use testcontainers::core::client::docker_client_instance;

use crate::error::StartError;

/// How long an engine may take to answer at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The very client that testcontainers uses, so that both mean one engine. It has answered.
pub(crate) async fn connect() -> Result<Docker, StartError> {
    let no_engine = |reason: String| StartError::NoEngine { reason };
    let docker = docker_client_instance().await.map_err(|error| no_engine(error.to_string()))?;
    match tokio::time::timeout(ANSWER_TIMEOUT, docker.version()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(no_engine(chain(&error))),
        Err(_) => Err(no_engine(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
    }
}

/// Whether a port that the engine publishes on loopback can be reached from this process: the engine's socket is a
/// file, and this process is not in a container itself.
pub(crate) fn is_on_this_host() -> bool {
    let address = std::env::var("DOCKER_HOST").unwrap_or_default();
    let by_socket = address.is_empty() || address.starts_with("unix://") || address.starts_with("npipe://");
    by_socket && !std::path::Path::new("/.dockerenv").exists()
}

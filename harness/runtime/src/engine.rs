//! The container engine: the connection to it, and the labels by which everything that is created is found again.

pub mod labels;
pub mod subnet;
pub mod sweep;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bollard::Docker;
use bollard::models::PortBinding;
use bulkhead_plan::placement::HostPort;

use crate::images::archive::NUMERIC_USER;

/// Where an engine listens when `DOCKER_HOST` says nothing.
const DEFAULT_ADDRESS: &str = "unix:///var/run/docker.sock";

/// How long an engine may take to say its version.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to an engine that answered.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    /// For people: product, version and API version.
    pub description: String,
}

/// No engine answered.
#[derive(Debug, thiserror::Error)]
#[error("no container engine answers at {address}: {reason}")]
pub struct EngineError {
    /// Where it was looked for.
    pub address: String,
    /// What happened there.
    pub reason: String,
}

impl EngineError {
    /// What to do next.
    pub fn advice(&self) -> String {
        "start Docker, or set DOCKER_HOST=unix:///path/of/its.sock, check that your user may open that socket, or use \
         `--backend process`, which needs no engine and cannot show network walls"
            .to_owned()
    }
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, else to the usual socket.
    pub async fn connect() -> Result<Self, EngineError> {
        let address = std::env::var("DOCKER_HOST").unwrap_or_else(|_| DEFAULT_ADDRESS.to_owned());
        Self::connect_to(&address).await
    }

    /// Connects to the engine at an address such as `unix:///var/run/docker.sock`.
    pub async fn connect_to(address: &str) -> Result<Self, EngineError> {
        let failed = |reason: String| EngineError { address: address.to_owned(), reason };
        let docker = Docker::connect_with_host(address).map_err(|error| failed(chain(&error)))?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, async {
            // bollard 0.21.1 sends unversioned URLs by accident; negotiating keeps this right once it does not.
            let docker = docker.negotiate_version().await?;
            let version = docker.version().await?;
            Ok::<_, bollard::errors::Error>((docker, version))
        });
        let (docker, version) = match answer.await {
            Ok(answer) => answer.map_err(|error| failed(chain(&error)))?,
            Err(_) => return Err(failed(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
        };
        let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        let description = format!("engine {}, API {}", text(version.version), text(version.api_version));
        Ok(Self { docker, description })
    }

    /// The numeric user and group that services run as: whoever can read the developer's closed files and is not root.
    ///
    /// Root gives the files away to a user that nobody is. Anybody else's services run as themselves; inside a rootless
    /// engine that is user 0 (this last case was written by the engine's documentation and has not been tried).
    pub async fn service_user(&self) -> (u32, u32) {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        if user.is_root() {
            return (NUMERIC_USER, NUMERIC_USER);
        }
        let facts = self.docker.info().await.ok();
        let options = facts.and_then(|facts| facts.security_options).unwrap_or_default();
        let rootless = options.iter().any(|option| option.contains("name=rootless"));
        if rootless { (0, 0) } else { (user.as_raw(), group.as_raw()) }
    }

    /// The ports of this machine that lead to a container from anywhere, and not from the machine itself alone.
    ///
    /// # Errors
    /// The engine does not know the container.
    pub async fn published(&self, container: &str) -> Result<Vec<HostPort>, String> {
        let facts = self.docker.inspect_container(container, None).await;
        let facts = facts.map_err(|error| format!("{container} cannot be inspected: {}", chain(&error)))?;
        let ports = facts.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
        let bindings = ports.into_values().flatten().flatten();
        Ok(bindings.filter_map(|PortBinding { host_ip, host_port }| published(host_ip, host_port)).collect())
    }

    /// The client.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }
}

/// Where a binding is dialled from this machine, unless it is for this machine alone.
fn published(address: Option<String>, port: Option<String>) -> Option<HostPort> {
    let address = address.unwrap_or_default().parse::<IpAddr>().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let port = port?.parse().ok()?;
    if address.is_loopback() {
        return None;
    }
    let dialled = if address.is_unspecified() { "127.0.0.1".to_owned() } else { address.to_string() };
    Some(HostPort::new(dialled, port))
}

/// An error with all its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The engine's HTTP status, when it answered with one.
pub(crate) fn status_code(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_alone_can_dial_is_not_published() {
        let binding = |address: &str, port: &str| published(Some(address.to_owned()), Some(port.to_owned()));
        let everywhere = Some(HostPort::new("127.0.0.1", 32768));
        assert_eq!(binding("127.0.0.1", "32768"), None);
        assert_eq!(binding("::1", "32768"), None);
        for address in ["0.0.0.0", "::", ""] {
            assert_eq!(binding(address, "32768"), everywhere, "{address}");
        }
        assert_eq!(binding("10.1.2.3", "5"), Some(HostPort::new("10.1.2.3", 5)));
        assert_eq!(published(None, None), None);
    }

    #[tokio::test]
    async fn says_where_no_engine_is_and_what_to_do() {
        for address in ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1", "nonsense"] {
            let error = Engine::connect_to(address).await.unwrap_err();
            assert!(
                error.to_string().contains(&format!("no container engine answers at {address}: ")),
                "{error}"
            );
            assert!(error.advice().contains("--backend process"), "{}", error.advice());
        }
    }
}

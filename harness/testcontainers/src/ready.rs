//! When a service is ready: when it proves who it is and answers over mutual TLS from outside, and not when it logs
//! that it does.

use std::path::Path;
use std::time::{Duration, Instant};

use bulkhead_identity::{PeerName, PlatformName};
use bulkhead_plan::{Role, Service};
use bulkhead_runtime::engine::chain;
use bulkhead_runtime::probe::Sight;
use bulkhead_runtime::probe::grpc::{Answer, Call, Caller, call};
use bulkhead_runtime::readiness::{Readiness, Target};
use testcontainers::{ContainerAsync, TestcontainersError};

use crate::error::{NotReady, StartError};
use crate::identity::Identity;
use crate::image::{Kind, ServiceImage};

/// How long a service may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// After so long without an answer it is looked whether the service still runs.
const ROUND: Duration = Duration::from_millis(100);
/// How much of the log an error shows.
const SHOWN_LINES: usize = 15;

/// Waits until the service answers on its published port, and returns that address, `host:port`. It is asked with the
/// administrator's credential below `folder`, which has certificates as [`bulkhead_plan::Pki::files`] lays them out.
/// NATS is ready when it accepts the login; an agent when its link to NATS is up; the poller when, besides, it has
/// polled every agent once.
///
/// # Errors
/// When the container ends, or when the service has not answered after 30 s; the error has what was seen last and the
/// last lines of the log.
pub async fn wait<K: Kind>(
    container: &ContainerAsync<ServiceImage<K>>,
    service: &Service,
    folder: &Path,
) -> Result<String, StartError> {
    let readiness = Readiness::from_state(folder).map_err(|failure| StartError::Engine {
        attempt: "ask services whether they are ready".to_owned(),
        reason: chain(&failure),
    })?;
    let admin = Identity::read(folder, &PeerName::Platform(PlatformName::Admin))?;
    let started = Instant::now();
    loop {
        let last_seen = match address(container).await {
            Ok(address) => match attempt::<K>(&readiness, &address, service, &admin).await {
                Ok(()) => return Ok(address),
                Err(seen) => seen,
            },
            Err(error) => error.to_string(),
        };
        let failed = |error| StartError::Container { service: service.id.clone(), source: Box::new(error) };
        if !container.is_running().await.map_err(failed)? {
            let last_lines = last_lines(container).await;
            return Err(StartError::Died { service: service.id.clone(), last_lines });
        }
        let waited = started.elapsed();
        if waited > DEADLINE {
            let (service, last_lines) = (service.id.clone(), last_lines(container).await);
            return Err(Box::new(NotReady { service, waited, last_seen, last_lines }).into());
        }
    }
}

/// Where the container answers, as seen from this process.
async fn address<K: Kind>(
    container: &ContainerAsync<ServiceImage<K>>,
) -> Result<String, TestcontainersError> {
    let host = container.get_host().await?.to_string();
    // Published on IPv4's loopback only, while `localhost` may be IPv6's.
    let host = if host == "localhost" { "127.0.0.1".to_owned() } else { host };
    Ok(format!("{host}:{}", container.get_host_port_ipv4(K::PORT).await?))
}

async fn attempt<K: Kind>(
    readiness: &Readiness,
    address: &str,
    service: &Service,
    admin: &Identity,
) -> Result<(), String> {
    let target = Target { role: K::ROLE, name: &service.name, address };
    readiness.wait(target, ROUND).await?;
    match K::ROLE {
        Role::Poller => has_polled(address, service, admin).await,
        Role::Nats | Role::Agent => Ok(()),
    }
}

async fn has_polled(address: &str, service: &Service, admin: &Identity) -> Result<(), String> {
    let caller = Caller::of(Some(admin.presented()), &service.name.to_string());
    let seen = call(address, &caller, Call::Health("agents".to_owned())).await;
    match &seen.sight {
        Sight::Answered(Answer::Serving(true)) => Ok(()),
        Sight::Answered(_) => Err("it has not polled every agent yet".to_owned()),
        _ => Err(seen.to_string()),
    }
}

async fn last_lines<K: Kind>(container: &ContainerAsync<ServiceImage<K>>) -> Vec<String> {
    let (stdout, stderr) = tokio::join!(container.stdout_to_vec(), container.stderr_to_vec());
    let mut text = String::from_utf8_lossy(&stdout.unwrap_or_default()).into_owned();
    text.push_str(&String::from_utf8_lossy(&stderr.unwrap_or_default()));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

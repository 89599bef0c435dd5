//! When a service is ready: when it answers over mutual TLS from outside, and not when it logs that it does.

use std::time::{Duration, Instant};

use bulkhead_plan::{Role, Service};
use bulkhead_runtime::probe::grpc::{Answer, Call, Caller, call};
use bulkhead_runtime::probe::nats::{Login, login};
use bulkhead_runtime::probe::{Presented, Sight};
use testcontainers::{ContainerAsync, TestcontainersError};

use crate::error::{NotReady, StartError};
use crate::image::{Kind, ServiceImage};

/// How long a service may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// Between two attempts.
const INTERVAL: Duration = Duration::from_millis(20);
/// How much of the log an error shows.
const SHOWN_LINES: usize = 15;

/// Waits until the service answers on its published port to `credential`, which must be one that may ask (the
/// platform's administrator may), and returns that address, `host:port`. NATS is ready when it accepts the login; an
/// agent when its link to NATS is up; the poller when it has polled every agent once.
///
/// # Errors
/// When the container ends, or when it has not answered after 30 s; the error has the last attempt and the last lines
/// of the log.
pub async fn wait<K: Kind>(
    container: &ContainerAsync<ServiceImage<K>>,
    service: &Service,
    credential: &Presented,
) -> Result<String, StartError> {
    let started = Instant::now();
    loop {
        let last_seen = match address(container).await {
            Ok(address) => match attempt(K::ROLE, &address, service, credential).await {
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
            let last_lines = last_lines(container).await;
            let service = service.id.clone();
            return Err(Box::new(NotReady { service, waited, last_seen, last_lines }).into());
        }
        tokio::time::sleep(INTERVAL).await;
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

async fn attempt(role: Role, address: &str, service: &Service, credential: &Presented) -> Result<(), String> {
    let healths: &[&str] = match role {
        Role::Nats => return logs_in(address, credential).await,
        Role::Agent => &["nats"],
        Role::Poller => &["nats", "agents"],
    };
    for health in healths {
        is_serving(address, service, credential, health).await?;
    }
    Ok(())
}

async fn logs_in(address: &str, credential: &Presented) -> Result<(), String> {
    let seen = login(address, &Login::with(credential)).await;
    if matches!(seen.sight, Sight::Answered(_)) { Ok(()) } else { Err(seen.to_string()) }
}

async fn is_serving(
    address: &str,
    service: &Service,
    credential: &Presented,
    health: &str,
) -> Result<(), String> {
    let caller = Caller::of(Some(credential), &service.name.to_string());
    let seen = call(address, &caller, Call::Health(health.to_owned())).await;
    match &seen.sight {
        Sight::Answered(Answer::Serving(true)) => Ok(()),
        Sight::Answered(_) => Err(format!("{}: not serving `{health}` yet", seen.attempt)),
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

//! The checks: each looks at the world once, within a time limit, and says what it saw.
//!
//! A check never pretends: what it could not try is *not available*, with the reason in its message.

mod grpc;
mod icmp;
mod port;
mod process;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_kit::config::{HostPort, HostPortError};
use bulkhead_kit::tls::Dialer;
use tokio::sync::Semaphore;

pub use grpc::HealthTarget;

/// The longest that any check may take.
pub const TIMEOUT_MAXIMUM: Duration = Duration::from_secs(10);
/// The longest message that a check keeps, in characters.
const MESSAGE_MAXIMUM_CHARACTERS: usize = 500;
/// How many checks may run at once on behalf of others.
const CONCURRENT_CHECKS: usize = 16;

/// The kind of a check, as `type` in configuration, jobs and ServiceRadar's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A TCP connection can be made.
    Port,
    /// A process of this name is running.
    Process,
    /// Another service says of itself that it serves.
    Grpc,
    /// A host answers an echo request.
    Icmp,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Port => "port",
            Self::Process => "process",
            Self::Grpc => "grpc",
            Self::Icmp => "icmp",
        })
    }
}

impl FromStr for Kind {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "port" => Ok(Self::Port),
            "process" => Ok(Self::Process),
            "grpc" => Ok(Self::Grpc),
            "icmp" => Ok(Self::Icmp),
            other => Err(CheckError::Kind(shortened(other))),
        }
    }
}

/// Why a check cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// There is no such kind.
    #[error("\"{0}\" is not a type of check: port, process, grpc or icmp")]
    Kind(String),
    /// The name is not one.
    #[error("\"{0}\" is not a name of a check: 1 to 128 characters, none of them control characters")]
    Name(String),
    /// The details are not an address.
    #[error(transparent)]
    Address(#[from] HostPortError),
    /// The details name a peer that is none.
    #[error(
        "\"{0}\" is not the name of a service: give host:port, or name@host:port with its certificate's name"
    )]
    Peer(String),
    /// The details are not the name of a process.
    #[error("\"{0}\" is not the name of a process: its file's name, without a path")]
    Process(String),
    /// The details are not a host.
    #[error("\"{0}\" is not a host to send an echo request to")]
    Host(String),
    /// The time limit is out of range.
    #[error("timeout_ms is {0}, not from 1 to 10000")]
    Timeout(u64),
}

/// What a check looks at.
#[derive(Debug, Clone)]
enum Target {
    Port(HostPort),
    Process(String),
    Grpc(Arc<HealthTarget>),
    Icmp(String),
}

/// A check that can be run.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its name among the agent's checks.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    target: Target,
    timeout: Duration,
}

impl Check {
    /// A check of `kind`, whose `details` are `host:port` (port), the name of an executable (process),
    /// `host:port` or `name@host:port` (grpc), or a host (icmp).
    ///
    /// # Errors
    /// [`CheckError`], naming what cannot be read.
    pub fn new(name: &str, kind: &str, details: &str, timeout_ms: u64) -> Result<Self, CheckError> {
        let is_name = !name.is_empty() && name.len() <= 128 && !name.chars().any(char::is_control);
        if !is_name {
            return Err(CheckError::Name(shortened(name)));
        }
        let timeout = Duration::from_millis(timeout_ms);
        if timeout.is_zero() || timeout > TIMEOUT_MAXIMUM {
            return Err(CheckError::Timeout(timeout_ms));
        }
        let kind = kind.parse()?;
        let target = match kind {
            Kind::Port => Target::Port(details.parse()?),
            Kind::Process => Target::Process(process::name(details)?),
            Kind::Grpc => Target::Grpc(Arc::new(details.parse()?)),
            Kind::Icmp => Target::Icmp(icmp::host(details)?),
        };
        Ok(Self { name: name.to_owned(), kind, target, timeout })
    }
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it found what it looked for.
    pub available: bool,
    /// What it saw, in a few words.
    pub message: String,
    /// How long it took.
    pub response_time: Duration,
}

/// Runs checks.
#[derive(Debug, Clone)]
pub struct Checker {
    dialer: Dialer,
    foreign: Arc<Semaphore>,
}

impl Checker {
    /// A checker that dials other services with the agent's own credential.
    #[must_use]
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, foreign: Arc::new(Semaphore::new(CONCURRENT_CHECKS)) }
    }

    /// Runs a check now; it ends within the check's own time limit.
    pub async fn run(&self, check: &Check) -> Outcome {
        let started = Instant::now();
        let look = async {
            match &check.target {
                Target::Port(address) => port::look(address).await,
                Target::Process(name) => process::look(name).await,
                Target::Grpc(target) => target.look(&self.dialer).await,
                Target::Icmp(host) => icmp::look(host).await,
            }
        };
        let limit_ms = check.timeout.as_millis();
        let seen = tokio::time::timeout(check.timeout, look)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {limit_ms} ms")));
        let (available, message) = match seen {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        let message = message.chars().take(MESSAGE_MAXIMUM_CHARACTERS).collect();
        Outcome { available, message, response_time: started.elapsed() }
    }

    /// Runs a check that somebody else asks for, unless too many of those are running.
    pub async fn run_for_another(&self, check: &Check) -> Outcome {
        match self.foreign.try_acquire() {
            Ok(_permit) => self.run(check).await,
            Err(_) => Outcome {
                available: false,
                message: "not tried: too many checks are running, ask again".to_owned(),
                response_time: Duration::ZERO,
            },
        }
    }
}

/// What somebody else sent, short enough for a message.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_judged_when_it_is_made() {
        for (kind, details) in [
            ("port", "nats.serviceradar:4222"),
            ("process", "bulkhead-agent"),
            ("grpc", "poller.serviceradar:50052"),
            ("grpc", "poller.serviceradar@127.0.0.1:50052"),
            ("icmp", "127.0.0.1"),
            ("icmp", "nats.serviceradar"),
        ] {
            Check::new("a", kind, details, 1000).unwrap();
        }
        for (name, kind, details, timeout_ms) in [
            ("", "port", "a:1", 1000),
            ("a\nb", "port", "a:1", 1000),
            ("a", "sweep", "a:1", 1000),
            ("a", "port", "a", 1000),
            ("a", "port", "a:1", 0),
            ("a", "port", "a:1", 10_001),
            ("a", "process", "", 1000),
            ("a", "process", "../bin/sh", 1000),
            ("a", "grpc", "stranger@127.0.0.1:1", 1000),
            ("a", "icmp", "", 1000),
            ("a", "icmp", "a b", 1000),
        ] {
            assert!(
                Check::new(name, kind, details, timeout_ms).is_err(),
                "{name:?} {kind} {details:?} {timeout_ms}"
            );
        }
    }
}

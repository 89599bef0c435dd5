//! `agent.yaml`, and the flags and environment variables that stand above it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "seeded-faults")]
use bulkhead_identity::seeded::SeededFault;
use bulkhead_identity::{PeerName, TenantName, TenantSlug};
use bulkhead_kit::config::{
    self, ConfigError, HostPort, IdentityFiles, LogSettings, NatsSettings, TrustFiles,
};
use bulkhead_kit::credential::Credential;
use bulkhead_kit::log::{Format, Level};
use clap::Args;
use serde::Deserialize;

use crate::checks::Check;

/// The shortest pause between two runs of a check and between two heartbeats, in milliseconds.
const INTERVAL_MINIMUM_MS: u64 = 10;
/// The longest, in milliseconds: one hour.
const INTERVAL_MAXIMUM_MS: u64 = 3_600_000;
/// More checks than this on one agent are a mistake.
const CHECKS_MAXIMUM: usize = 256;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The tenant that the certificate must be of. Left out, it is the certificate's.
    pub tenant: Option<TenantSlug>,
    /// The agent's own certificate and key.
    pub identity: IdentityFiles,
    /// Root, own tenant's CAs and platform CAs.
    pub trust: TrustFiles,
    /// The address that the poller dials.
    pub listen: SocketAddr,
    /// Where heartbeats and results go.
    pub nats: NatsSettings,
    /// The poller that the agent reports to of its own accord, if it does.
    pub poller: Option<PollerSettings>,
    /// Pause between two heartbeats, in milliseconds.
    #[serde(default = "default_interval_ms")]
    pub heartbeat_interval_ms: u64,
    /// What is checked.
    #[serde(default)]
    pub checks: Vec<CheckConfig>,
    /// How log lines look.
    #[serde(default)]
    pub log: LogSettings,
    /// The mistake that this agent makes, if any.
    #[cfg(feature = "seeded-faults")]
    pub seeded_fault: Option<SeededFault>,
}

/// The poller that the agent reports to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollerSettings {
    /// Where it is; its certificate must be that of `poller.serviceradar` whatever the host.
    pub address: HostPort,
}

/// One check.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckConfig {
    /// Its name, which no other check of this agent has.
    pub name: String,
    /// `port`, `process`, `grpc` or `icmp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it looks at, see [`Check::new`].
    #[serde(default)]
    pub details: String,
    /// Pause between two runs, in milliseconds.
    #[serde(default = "default_interval_ms")]
    pub interval_ms: u64,
    /// How long it may take, in milliseconds; at most 10,000.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

const fn default_interval_ms() -> u64 {
    1000
}

/// How long a check may take when nothing is said, in milliseconds.
#[must_use]
pub const fn default_timeout_ms() -> u64 {
    2000
}

/// What stands above the file: a flag, else its environment variable.
#[derive(Debug, Clone, Default, Args)]
pub struct Overrides {
    /// The tenant that the certificate must be of.
    #[arg(long, env = "BULKHEAD_AGENT_TENANT", value_name = "SLUG")]
    pub tenant: Option<TenantSlug>,
    /// The agent's certificate: PEM, the leaf first.
    #[arg(long, env = "BULKHEAD_AGENT_CERTIFICATE", value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// The certificate's key.
    #[arg(long, env = "BULKHEAD_AGENT_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, env = "BULKHEAD_AGENT_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where NATS is.
    #[arg(long, env = "BULKHEAD_AGENT_NATS_ADDRESS", value_name = "HOST:PORT")]
    pub nats_address: Option<HostPort>,
    /// Where the poller is that the agent reports to.
    #[arg(long, env = "BULKHEAD_AGENT_POLLER_ADDRESS", value_name = "HOST:PORT")]
    pub poller_address: Option<HostPort>,
    /// Pause between two heartbeats, in milliseconds.
    #[arg(long, env = "BULKHEAD_AGENT_HEARTBEAT_INTERVAL_MS", value_name = "MILLISECONDS")]
    pub heartbeat_interval_ms: Option<u64>,
    /// `json` or `human`.
    #[arg(long, env = "BULKHEAD_AGENT_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<Format>,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
    #[arg(long, env = "BULKHEAD_AGENT_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<Level>,
}

/// A check and how often it runs.
#[derive(Debug, Clone)]
pub struct ScheduledCheck {
    /// The check.
    pub check: Check,
    /// Pause between two runs.
    pub interval: Duration,
}

/// Why the certificate and the configuration do not go together.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// They name different tenants.
    #[error(
        "the configuration is for tenant {configured}, and the certificate {certificate} is of tenant {found} \
         ({name}); give the certificate of tenant {configured}, or correct `tenant`"
    )]
    TenantMismatch {
        /// The tenant in the configuration.
        configured: TenantSlug,
        /// The tenant in the certificate.
        found: TenantSlug,
        /// The certificate's whole name.
        name: String,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// The certificate is a platform service's.
    #[error(
        "the certificate {certificate} is of {name}, which is no tenant's agent; give the agent's certificate"
    )]
    NotATenants {
        /// The certificate's name.
        name: String,
        /// The file of the certificate.
        certificate: PathBuf,
    },
}

impl AgentConfig {
    /// Reads the file, puts `overrides` above it, and resolves the file's paths against its own place.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and what is wrong.
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut config: Self = config::read(path)?;
        config.identity = config.identity.relative_to(path);
        config.trust = config.trust.relative_to(path);
        config.apply(overrides);
        let unusable = |problem: String| ConfigError::Unusable {
            what: "configuration file",
            path: path.to_owned(),
            problem,
            advice: "correct it and start the agent again".to_owned(),
        };
        check_interval("heartbeat_interval_ms", config.heartbeat_interval_ms).map_err(unusable)?;
        config.scheduled_checks().map_err(unusable)?;
        Ok(config)
    }

    fn apply(&mut self, overrides: &Overrides) {
        let overrides = overrides.clone();
        self.tenant = overrides.tenant.or(self.tenant.take());
        replace(&mut self.identity.certificate, overrides.certificate);
        replace(&mut self.identity.key, overrides.key);
        replace(&mut self.listen, overrides.listen);
        replace(&mut self.nats.address, overrides.nats_address);
        self.poller =
            overrides.poller_address.map(|address| PollerSettings { address }).or(self.poller.take());
        replace(&mut self.heartbeat_interval_ms, overrides.heartbeat_interval_ms);
        replace(&mut self.log.format, overrides.log_format);
        replace(&mut self.log.level, overrides.log_level);
    }

    /// The checks, judged.
    ///
    /// # Errors
    /// A sentence that names the check.
    pub fn scheduled_checks(&self) -> Result<Vec<ScheduledCheck>, String> {
        if self.checks.len() > CHECKS_MAXIMUM {
            return Err(format!("{} checks, more than {CHECKS_MAXIMUM}", self.checks.len()));
        }
        let mut names = BTreeSet::new();
        let scheduled = self.checks.iter().map(|check| {
            if !names.insert(&check.name) {
                return Err(format!("two checks have the name {:?}", check.name));
            }
            check_interval(&format!("interval_ms of check {:?}", check.name), check.interval_ms)?;
            let interval = Duration::from_millis(check.interval_ms);
            let made = Check::new(&check.name, &check.kind, &check.details, check.timeout_ms);
            let check = made.map_err(|error| format!("check {:?}: {error}", check.name))?;
            Ok(ScheduledCheck { check, interval })
        });
        scheduled.collect()
    }

    /// Pause between two heartbeats.
    #[must_use]
    pub fn heartbeat_interval(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms)
    }

    /// Who the agent is: what its certificate says, provided that the configuration says nothing else.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn agent_name(&self, credential: &Credential) -> Result<TenantName, IdentityError> {
        let certificate = credential.certificate_file().to_owned();
        let PeerName::Tenant(name) = credential.name() else {
            return Err(IdentityError::NotATenants { name: credential.name().to_string(), certificate });
        };
        match &self.tenant {
            Some(configured) if *configured != name.tenant => Err(IdentityError::TenantMismatch {
                configured: configured.clone(),
                found: name.tenant.clone(),
                name: name.to_string(),
                certificate,
            }),
            _ => Ok(name.clone()),
        }
    }
}

fn replace<T>(value: &mut T, with: Option<T>) {
    if let Some(with) = with {
        *value = with;
    }
}

fn check_interval(what: &str, milliseconds: u64) -> Result<(), String> {
    if (INTERVAL_MINIMUM_MS..=INTERVAL_MAXIMUM_MS).contains(&milliseconds) {
        Ok(())
    } else {
        Err(format!("{what} is {milliseconds}, not from {INTERVAL_MINIMUM_MS} to {INTERVAL_MAXIMUM_MS}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
tenant: acme
identity: { certificate: tls/chain.pem, key: tls/key.pem }
trust: { root: trust/root.pem, tenant: [trust/tenant.pem], platform: [trust/platform.pem] }
listen: 0.0.0.0:50051
nats: { address: \"nats.serviceradar:4222\" }
checks:
  - { name: nats-port, type: port, details: \"nats.serviceradar:4222\" }
";

    fn read(text: &str, overrides: &Overrides) -> Result<AgentConfig, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.yaml");
        std::fs::write(&path, text).unwrap();
        AgentConfig::read(&path, overrides).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let config = read(FILE, &Overrides::default()).unwrap();
        assert_eq!(config.heartbeat_interval(), Duration::from_secs(1));
        assert_eq!(config.checks[0].timeout_ms, 2000);
        assert!(config.poller.is_none());
        assert!(config.identity.key.ends_with("tls/key.pem") && config.identity.key.is_absolute());
    }

    #[test]
    fn overrides_stand_above_the_file() {
        let overrides = Overrides {
            tenant: Some("globex".parse().unwrap()),
            listen: Some("127.0.0.1:1".parse().unwrap()),
            nats_address: Some("localhost:4223".parse().unwrap()),
            poller_address: Some("localhost:50052".parse().unwrap()),
            ..Overrides::default()
        };
        let config = read(FILE, &overrides).unwrap();
        assert_eq!(config.tenant.unwrap().as_str(), "globex");
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.nats.address.port(), 4223);
        assert_eq!(config.poller.unwrap().address.port(), 50052);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_name() {
        let twice = FILE.to_owned() + "  - { name: nats-port, type: process, details: a }\n";
        let cases = [
            (twice, "two checks have the name \"nats-port\""),
            (FILE.replace("type: port", "type: ports"), "\"ports\" is not a type of check"),
            (FILE.replace("serviceradar:4222\" }\n", "serviceradar\" }\n"), "is not host:port"),
            (FILE.to_owned() + "heartbeat_interval_ms: 0\n", "heartbeat_interval_ms is 0"),
            (FILE.replace("tenant: acme", "tenant: Acme"), "line 2"),
            (FILE.to_owned() + "tenants: [acme]\n", "tenants"),
            (FILE.replace("listen: 0.0.0.0:50051", "listen: everywhere"), "line 5"),
        ];
        for (text, expected) in cases {
            let error = read(&text, &Overrides::default()).unwrap_err();
            assert!(error.contains(expected) && error.contains("agent.yaml"), "{error}");
        }
    }
}

//! `poller.yaml`: what is polled, under which identity, and where it is published.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "seeded-faults")]
use bulkhead_identity::seeded::SeededFault;
use bulkhead_identity::{TenantName, TenantSlug};
use bulkhead_kit::config::{
    self, ConfigError, HostPort, IdentityFiles, LogSettings, NatsSettings, relative_to,
};
use serde::Deserialize;

/// The shortest pause between two rounds of one agent, in milliseconds.
const INTERVAL_MINIMUM_MS: u64 = 10;
/// The longest pause between two rounds of one agent, in milliseconds: one hour.
const INTERVAL_MAXIMUM_MS: u64 = 3_600_000;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollerConfig {
    /// The poller's own certificate and key.
    pub identity: IdentityFiles,
    /// What the platform's own services are judged by.
    pub trust: PlatformTrust,
    /// Where agents that report without being asked are listened to.
    pub listen: SocketAddr,
    /// Where results go.
    pub nats: NatsSettings,
    /// Pause between two rounds of one agent, in milliseconds.
    #[serde(default = "default_interval_ms")]
    pub interval_ms: u64,
    /// Who is polled.
    pub tenants: Vec<TenantConfig>,
    /// How log lines look.
    #[serde(default)]
    pub log: LogSettings,
    /// The mistake that this poller makes, if any.
    #[cfg(feature = "seeded-faults")]
    pub seeded_fault: Option<SeededFault>,
}

/// The anchors of the platform itself; each tenant's stand with the tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformTrust {
    /// PEM of the platform's root CA.
    pub root: PathBuf,
    /// PEM files of the platform's CA generations.
    pub platform: Vec<PathBuf>,
    /// PEM files of the revocation lists of the root and of the platform's CAs; none, or all, and then each tenant's.
    #[serde(default)]
    pub revocation_lists: Vec<PathBuf>,
}

/// One tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// The tenant's name.
    pub slug: TenantSlug,
    /// PEM files of the tenant's CA generations: its agents' certificates come from one of these.
    pub authorities: Vec<PathBuf>,
    /// PEM files of these CAs' revocation lists: one of each, where the root and the platform have theirs.
    #[serde(default)]
    pub revocation_lists: Vec<PathBuf>,
    /// The tenant's agents.
    #[serde(default)]
    pub agents: Vec<AgentConfig>,
}

/// One agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The only name that its certificate may have.
    pub name: TenantName,
    /// Where it listens. The address proves nothing.
    pub address: HostPort,
    /// Checks that are asked for besides those that the agent itself lists.
    #[serde(default)]
    pub checks: Vec<CheckConfig>,
}

/// A check that the agent is asked to make.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckConfig {
    /// Name of the service.
    pub name: String,
    /// `process`, `port`, `icmp`, `grpc` or `sweep`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the check needs, e.g. `host:port`.
    #[serde(default)]
    pub details: String,
}

const fn default_interval_ms() -> u64 {
    1000
}

impl PollerConfig {
    /// Reads the file, resolves its paths against the file's own place, and refuses what contradicts itself.
    ///
    /// # Errors
    /// The file is unreadable, is not this YAML, or describes something that cannot be polled.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = config::read(path)?;
        config.resolve(path);
        config.check().map_err(|problem| ConfigError::Unusable {
            what: "configuration file",
            path: path.to_owned(),
            problem,
            advice: "correct it and start the poller again".to_owned(),
        })?;
        Ok(config)
    }

    /// Pause between two rounds of one agent.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    fn resolve(&mut self, file: &Path) {
        self.identity = self.identity.relative_to(file);
        self.trust.root = relative_to(file, &self.trust.root);
        let tenants = self.tenants.iter_mut();
        let of_tenants =
            tenants.flat_map(|tenant| tenant.authorities.iter_mut().chain(&mut tenant.revocation_lists));
        let of_platform = self.trust.platform.iter_mut().chain(&mut self.trust.revocation_lists);
        for path in of_platform.chain(of_tenants) {
            *path = relative_to(file, path);
        }
    }

    fn check(&self) -> Result<(), String> {
        if !(INTERVAL_MINIMUM_MS..=INTERVAL_MAXIMUM_MS).contains(&self.interval_ms) {
            return Err(format!(
                "interval_ms is {}, not from {INTERVAL_MINIMUM_MS} to {INTERVAL_MAXIMUM_MS}",
                self.interval_ms
            ));
        }
        let mut slugs = BTreeSet::new();
        for tenant in &self.tenants {
            if !slugs.insert(&tenant.slug) {
                return Err(format!("tenant {} stands there twice", tenant.slug));
            }
            tenant.check()?;
        }
        Ok(())
    }
}

impl TenantConfig {
    fn check(&self) -> Result<(), String> {
        let slug = &self.slug;
        if self.authorities.is_empty() {
            return Err(format!(
                "tenant {slug} has no authorities: nobody could be believed to be its agent"
            ));
        }
        let mut names = BTreeSet::new();
        for agent in &self.agents {
            let name = &agent.name;
            if name.tenant != *slug {
                return Err(format!(
                    "agent {name} stands under tenant {slug} and belongs to {}",
                    name.tenant
                ));
            }
            if !names.insert(name) {
                return Err(format!("agent {name} stands there twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "identity: { certificate: tls/chain.pem, key: tls/key.pem }
trust: { root: trust/root.pem, platform: [trust/platform.pem] }
listen: 127.0.0.1:50052
nats: { address: \"nats.serviceradar:4222\" }
";

    fn read(tail: &str) -> Result<PollerConfig, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("poller.yaml");
        std::fs::write(&path, format!("{HEAD}{tail}")).unwrap();
        let config = PollerConfig::read(&path).map_err(|error| error.to_string())?;
        assert!(config.trust.root.is_absolute(), "{:?}", config.trust.root);
        Ok(config)
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = read(
            "tenants:
  - slug: acme
    authorities: [trust/acme.pem]
    agents:
      - { name: agent-001.p1.acme.serviceradar, address: \"127.0.0.1:50051\" }
      - name: agent-002.p1.acme.serviceradar
        address: \"127.0.0.1:50053\"
        checks: [{ name: web, type: port, details: \"127.0.0.1:80\" }]
  - { slug: acme2, authorities: [trust/acme2.pem], revocation_lists: [trust/acme2.crl.pem] }
",
        )
        .unwrap();
        assert_eq!(config.interval(), Duration::from_secs(1));
        assert_eq!(config.tenants[0].agents[1].checks[0].kind, "port");
        assert!(config.tenants[1].authorities[0].is_absolute());
        assert!(config.tenants[1].revocation_lists[0].is_absolute());
    }

    #[test]
    fn contradictions_are_refused_and_named() {
        let agent = "agents: [{ name: agent-001.p1.acme.serviceradar, address: \"a:1\" }]";
        let cases = [
            ("interval_ms: 0\ntenants: []\n".to_owned(), "interval_ms is 0"),
            ("tenants: [{ slug: acme, authorities: [] }]\n".to_owned(), "acme has no authorities"),
            (format!("tenants: [{{ slug: globex, authorities: [a], {agent} }}]\n"), "belongs to acme"),
            (
                "tenants: [{ slug: acme, authorities: [a] }, { slug: acme, authorities: [a] }]\n".to_owned(),
                "acme stands there twice",
            ),
            ("tenants: [{ slug: platform, authorities: [a] }]\n".to_owned(), "platform"),
            ("tenants: []\ntenant: acme\n".to_owned(), "tenant"),
        ];
        for (text, expected) in cases {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

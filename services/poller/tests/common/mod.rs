//! A poller in this process, and agents of every kind behind real sockets.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

pub mod agent;
pub mod nats;

use std::net::SocketAddr;
use std::path::PathBuf;

use bulkhead_identity::AuthorityName;
use bulkhead_kit::config::{LogSettings, NatsSettings};
use bulkhead_poller::config::{AgentConfig, PlatformTrust, PollerConfig, TenantConfig};
use bulkhead_poller::service::{Poller, RunError};
use bulkhead_test_support::{Forge, Lines, eventually};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const POLLER: &str = "poller.serviceradar";
pub const ADMIN: &str = "admin.platform.serviceradar";
/// The tenants of every test; each has the same inner names.
pub const TENANTS: [&str; 4] = ["acme", "acme2", "globex", "initech"];

pub fn forge() -> Forge {
    Forge::with_tenants(&TENANTS)
}

/// The agent `agent-001.p1` of a tenant.
pub fn agent_of(slug: &str) -> String {
    format!("agent-001.p1.{slug}.serviceradar")
}

/// A port where nobody listens: NATS that is away.
pub async fn nobody() -> NatsSettings {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string().parse().unwrap();
    NatsSettings { address, retry_ms: 100, buffer_messages: 1000 }
}

/// A configuration that polls these agents, each `(tenant, address)`, every 20 ms.
pub fn config(forge: &Forge, nats: NatsSettings, agents: &[(&str, SocketAddr)]) -> PollerConfig {
    let trust = forge.trust_files(&[]);
    let tenant = |slug: &str| TenantConfig {
        slug: slug.parse().unwrap(),
        revocation_lists: Vec::new(),
        authorities: vec![authority(forge, slug)],
        agents: agents
            .iter()
            .filter(|(tenant, _)| *tenant == slug)
            .map(|(_, address)| AgentConfig {
                name: agent_of(slug).parse().unwrap(),
                address: address.to_string().parse().unwrap(),
                checks: Vec::new(),
            })
            .collect(),
    };
    PollerConfig {
        identity: forge.issue(POLLER),
        trust: PlatformTrust {
            root: trust.root,
            platform: trust.platform,
            revocation_lists: trust.revocation_lists,
        },
        listen: "127.0.0.1:0".parse().unwrap(),
        nats,
        interval_ms: 20,
        tenants: ["acme", "acme2", "globex"].map(tenant).into(),
        log: LogSettings::default(),
        #[cfg(feature = "seeded-faults")]
        seeded_fault: None,
    }
}

pub fn authority(forge: &Forge, slug: &str) -> PathBuf {
    let name = AuthorityName::Tenant(slug.parse().unwrap());
    forge.trust_files(&[slug]).tenant.pop().unwrap_or_else(|| panic!("no CA of {name}"))
}

/// A running poller; it ends with the test.
pub struct Running {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub async fn start(config: PollerConfig) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let poller = Poller::new(config).unwrap();
        let task = tokio::spawn(poller.run(socket, shutdown.clone()));
        Self { address, shutdown, task }
    }

    pub async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// The first audit record that has all of these fields.
pub async fn record(lines: &Lines, fields: &[(&str, &str)]) -> Value {
    eventually(&format!("an audit record with {fields:?}"), async || {
        let matches = |record: &Value| fields.iter().all(|(name, value)| record[*name] == *value);
        let records = lines.audit();
        records.iter().find(|record| matches(record)).cloned().ok_or_else(|| format!("{records:#?}"))
    })
    .await
}

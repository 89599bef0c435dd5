//! A second instance of a service, with the platform's own credential and addresses of our choosing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_runtime::beside;
use bulkhead_runtime::probe::records::{Book, Source};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use super::DEADLINE;
use crate::run::StandIns;
use crate::site::{NATS, POLLER, Site};

/// The stand-in's page in its own book.
pub(super) const PAGE: &str = "the stand-in";
/// How often it dials: as fast as impostors can show the next certificate.
const INTERVAL_MS: u64 = 20;
/// How long a record is waited for after one that never came.
const IMPATIENCE: Duration = Duration::from_millis(200);
/// How many of its last lines explain that it did not dial.
const SHOWN_LINES: usize = 5;

/// A running stand-in; it ends when it is dropped.
pub(super) struct StandIn {
    book: Book,
    process: Mutex<Child>,
    /// Whether it has already left something without a record that it should have.
    owes_a_record: AtomicBool,
    _folder: TempDir,
}

impl StandIn {
    /// The poller, or an agent, that finds its peers at these addresses.
    pub(super) fn start(
        site: &Site,
        programs: &StandIns,
        dialler: &PeerName,
        addresses: &BTreeMap<PeerName, String>,
    ) -> Result<Self, String> {
        let (program, config) = match dialler {
            PeerName::Tenant(_) => (&programs.agent, agent(site, dialler, addresses)?),
            PeerName::Platform(_) => (&programs.poller, poller(site, addresses)?),
        };
        let mut config = config;
        config.extend(program.settings.clone());
        run(site, &program.path, &Value::Object(config))
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// Whether it is gone: then nobody waits for it to dial.
    pub(super) fn has_ended(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(process.try_wait(), Ok(None))
    }

    /// How long a record of its is waited for. Whoever keeps none will not begin with the next.
    pub(super) fn patience_for_a_record(&self) -> Duration {
        if self.owes_a_record.load(Ordering::Relaxed) { IMPATIENCE } else { DEADLINE }
    }

    pub(super) fn owes_a_record(&self) {
        self.owes_a_record.store(true, Ordering::Relaxed);
    }

    pub(super) fn last_words(&self) -> String {
        self.book.last(PAGE, SHOWN_LINES).join("\n")
    }
}

/// A poller that finds agents at these addresses.
fn poller(site: &Site, addresses: &BTreeMap<PeerName, String>) -> Result<Map<String, Value>, String> {
    let record = site.record()?;
    let tenants = record.tenants.iter().filter_map(|tenant| {
        let agents: Vec<Value> = addresses
            .iter()
            .filter(|(name, _)| name.tenant() == Some(&tenant.slug))
            .map(|(name, address)| json!({ "name": name, "address": address }))
            .collect();
        let known = json!({
            "slug": tenant.slug, "authorities": [tenant.authority], "agents": agents,
            "revocation_lists": [record.revocation_list(&AuthorityName::Tenant(tenant.slug.clone()))],
        });
        (!agents.is_empty()).then_some(known)
    });
    let credential = &record.platform.poller_credential;
    Ok(object(json!({
        "identity": { "certificate": credential.certificate, "key": credential.key },
        "trust": {
            "root": record.root, "platform": [record.platform_authority],
            "revocation_lists": [
                record.revocation_list(&AuthorityName::Root), record.revocation_list(&AuthorityName::Platform),
            ],
        },
        "listen": "127.0.0.1:0",
        // Nobody listens there: the stand-in keeps what it would publish to itself.
        "nats": { "address": "127.0.0.1:1", "retry_ms": 1000 },
        "interval_ms": INTERVAL_MS,
        "tenants": tenants.collect::<Vec<_>>(),
        "log": { "format": "json", "level": "info" },
    })))
}

/// An agent that finds the poller and the broker at these addresses.
fn agent(
    site: &Site,
    name: &PeerName,
    addresses: &BTreeMap<PeerName, String>,
) -> Result<Map<String, Value>, String> {
    let record = site.record()?;
    let unknown = || format!("{name} is no agent of this environment");
    let tenant =
        record.tenants.iter().find(|tenant| name.tenant() == Some(&tenant.slug)).ok_or_else(unknown)?;
    let agent = tenant.agents.iter().find(|agent| agent.name == *name).ok_or_else(unknown)?;
    let address = |service: &PeerName| {
        addresses.get(service).cloned().ok_or_else(|| format!("{service} has no impostor"))
    };
    Ok(object(json!({
        "tenant": tenant.slug,
        "identity": { "certificate": agent.credential.certificate, "key": agent.credential.key },
        "trust": {
            "root": record.root, "tenant": [tenant.authority], "platform": [record.platform_authority],
            "revocation_lists": [
                record.revocation_list(&AuthorityName::Root), record.revocation_list(&AuthorityName::Platform),
                record.revocation_list(&AuthorityName::Tenant(tenant.slug.clone())),
            ],
        },
        "listen": "127.0.0.1:0",
        "nats": { "address": address(&NATS)?, "retry_ms": INTERVAL_MS },
        "poller": { "address": address(&POLLER)? },
        "heartbeat_interval_ms": INTERVAL_MS,
        "checks": [
            { "name": "itself", "type": "process", "details": "bulkhead-agent", "interval_ms": 100 },
        ],
        "log": { "format": "json", "level": "info" },
    })))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn run(site: &Site, program: &Path, config: &Value) -> Result<StandIn, String> {
    let failed = |what: &str, error: std::io::Error| {
        format!("cannot {what} for a stand-in of {}: {error}", program.display())
    };
    let folder = tempfile::tempdir().map_err(|error| failed("make a folder", error))?;
    // JSON is YAML.
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, config.to_string()).map_err(|error| failed("write a configuration", error))?;
    let path = folder.path().join("log");
    let log = std::fs::File::create(&path).map_err(|error| failed("make a log", error))?;
    let errors = log.try_clone().map_err(|error| failed("make a log", error))?;
    let book = Book::open([(PAGE.to_owned(), Source::File(path))]);
    let mut command = Command::new(program);
    command.arg("--config").arg(&file);
    command.stdin(Stdio::null()).stdout(Stdio::from(log)).stderr(Stdio::from(errors));
    // It has a real credential: a run that is killed must not leave it to itself.
    beside::belongs_to(&site.platform.name, &site.platform.state_dir, "a stand-in", &mut command);
    let process = tokio::process::Command::from(command).kill_on_drop(true).spawn();
    let process = process.map_err(|error| failed("start the program", error))?;
    Ok(StandIn { book, process: Mutex::new(process), owes_a_record: AtomicBool::new(false), _folder: folder })
}

//! A second instance of a service, with the platform's own credential and addresses of our choosing.
//!
//! What a service does when *it* dials somebody false cannot be shown on the running one without leading it
//! astray. So the same program is started with the same kind of configuration, and finds impostors where it
//! expects its peers.

use std::process::{Command, Stdio};
use std::time::Duration;

use bulkhead_identity::AuthorityName;
use bulkhead_matrix::StandInProgram;
use bulkhead_runtime::beside;
use bulkhead_runtime::probe::impostor::Impostor;
use bulkhead_runtime::probe::records::{Book, Event, Line, Place, Source};
use bulkhead_runtime::probe::{Presented, Sight};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use crate::platform::{Platform, PlatformError};
use crate::programs::Programs;
use crate::words::Peer;
use bulkhead_runtime::probe::verdict::{Judged, Record, judge};

/// How long the stand-in may take to start and to dial.
const DEADLINE: Duration = Duration::from_secs(5);
/// The stand-in's page in its own book.
const PAGE: &str = "the stand-in";

/// A running stand-in; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct StandIn {
    book: Book,
    _process: Child,
    _folder: TempDir,
}

impl StandIn {
    /// A poller that finds acme's agent and, as its control, globex's at these addresses.
    pub(crate) fn poller(platform: &Platform, agents: &[(&Peer, &Impostor)]) -> Result<Self, PlatformError> {
        let mut tenants = Vec::new();
        for (peer, impostor) in agents {
            let Peer::Agent(word) = peer else { continue };
            let tenant = platform.tenant(word)?;
            tenants.push(json!({
                "slug": tenant.slug, "authorities": [tenant.authority],
                "revocation_lists": [
                    platform.record.revocation_list(&AuthorityName::Tenant(tenant.slug.clone())),
                ],
                "agents": [{ "name": platform.name(peer)?, "address": impostor.address().to_string() }],
            }));
        }
        let record = &platform.record;
        let credential = &record.platform.poller_credential;
        let config = json!({
            "identity": { "certificate": credential.certificate, "key": credential.key },
            "trust": {
                "root": record.root, "platform": [record.platform_authority],
                "revocation_lists": [
                    record.revocation_list(&AuthorityName::Root),
                    record.revocation_list(&AuthorityName::Platform),
                ],
            },
            "listen": "127.0.0.1:0",
            // Nobody listens there: the stand-in keeps what it would publish to itself.
            "nats": { "address": "127.0.0.1:1", "retry_ms": 1000 },
            "interval_ms": 100,
            "tenants": tenants,
            "log": { "format": "json", "level": "info" },
        });
        let program = &programs(platform)?.stand_ins.poller;
        Self::start(platform, program, config)
    }

    /// An agent of a tenant that finds the poller and the broker at these addresses.
    pub(crate) fn agent(
        platform: &Platform,
        tenant: &str,
        poller: &Impostor,
        broker: &Impostor,
    ) -> Result<Self, PlatformError> {
        let (record, tenant) = (&platform.record, platform.tenant(tenant)?);
        let none = || PlatformError::Impossible(format!("tenant '{}' has no agent", tenant.slug));
        let credential = &tenant.agents.first().ok_or_else(none)?.credential;
        let config = json!({
            "tenant": tenant.slug,
            "identity": { "certificate": credential.certificate, "key": credential.key },
            "trust": {
                "root": record.root, "tenant": [tenant.authority], "platform": [record.platform_authority],
                "revocation_lists": [
                    record.revocation_list(&AuthorityName::Root),
                    record.revocation_list(&AuthorityName::Platform),
                    record.revocation_list(&AuthorityName::Tenant(tenant.slug.clone())),
                ],
            },
            "listen": "127.0.0.1:0",
            "nats": { "address": broker.address().to_string(), "retry_ms": 100 },
            "poller": { "address": poller.address().to_string() },
            "heartbeat_interval_ms": 100,
            "checks": [
                { "name": "itself", "type": "process", "details": "bulkhead-agent", "interval_ms": 100 },
            ],
            "log": { "format": "json", "level": "info" },
        });
        let program = &programs(platform)?.stand_ins.agent;
        Self::start(platform, program, config)
    }

    fn start(
        platform: &Platform,
        program: &StandInProgram,
        mut config: Value,
    ) -> Result<Self, PlatformError> {
        let path = &program.path;
        let failed = |what: &str, error: std::io::Error| {
            PlatformError::Impossible(format!("cannot {what} for a stand-in of {}: {error}", path.display()))
        };
        if !path.is_file() {
            return Err(PlatformError::Impossible(format!(
                "there is no {}, so that no stand-in can be started; build it with cargo build",
                path.display()
            )));
        }
        if let Some(entries) = config.as_object_mut() {
            entries.extend(program.settings.clone());
        }
        let folder = tempfile::tempdir().map_err(|error| failed("make a folder", error))?;
        // JSON is YAML.
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, config.to_string()).map_err(|error| failed("write a configuration", error))?;
        let log_file = folder.path().join("log");
        let log = std::fs::File::create(&log_file).map_err(|error| failed("make a log", error))?;
        let errors = log.try_clone().map_err(|error| failed("make a log", error))?;
        let book = Book::open([(PAGE.to_owned(), Source::File(log_file))]);
        let mut command = Command::new(path);
        command.arg("--config").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::from(log)).stderr(Stdio::from(errors));
        // It has a real credential: a run that is killed must not leave it to itself.
        let record = &platform.record;
        beside::belongs_to(&record.name, &record.state_dir, "a stand-in", &mut command);
        let process = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("start the program", error))?;
        Ok(Self { book, _process: process, _folder: folder })
    }

    /// What the stand-in made of an impostor: the visit, joined with its own record of it.
    pub(crate) async fn judge(&self, impostor: &mut Impostor) -> Judged {
        let port = impostor.address().port();
        let Some(visit) = impostor.visit(DEADLINE).await else {
            let mut judged = Judged::inconclusive(format!("the stand-in never dialled port {port}"));
            judged.evidence.extend(self.last_words());
            return judged;
        };
        let mut evidence = vec![format!("the impostor at port {port} saw: {}", visit.sight)];
        if !matches!(visit.sight, Sight::Refused(_) | Sight::Closed(_)) {
            return Judged::new(judge(&visit.sight, &Record::None("")), evidence);
        }
        let wanted = format!("a refusal of the peer at port {port}");
        let is_it = |line: &Line| {
            line.audit
                .as_ref()
                .is_some_and(|audit| audit.event == Event::Refused && audit.peer_port() == Some(port))
        };
        let found = self.book.find(PAGE, Place::default(), &wanted, DEADLINE, is_it).await;
        evidence.push(found.as_ref().map_or_else(ToString::to_string, |line| line.text.clone()));
        let record = match found.as_ref().ok().and_then(|line| line.audit.as_ref()) {
            Some(audit) => Record::Refused(audit),
            None => Record::None(&wanted),
        };
        Judged::new(judge(&visit.sight, &record), evidence)
    }

    /// A valid impostor was accepted: the control.
    pub(crate) async fn accepts(&self, impostor: &mut Impostor) -> Result<String, String> {
        match impostor.visit(DEADLINE).await {
            Some(visit) if matches!(visit.sight, Sight::Answered(())) => {
                Ok(format!("the stand-in spoke to a valid peer at {}", impostor.address()))
            }
            Some(visit) => {
                Err(format!("a valid peer saw: {}; {}", visit.sight, self.last_words().join("\n")))
            }
            None => Err(format!("a valid peer was never dialled; {}", self.last_words().join("\n"))),
        }
    }

    fn last_words(&self) -> Vec<String> {
        self.book.last(PAGE, 10)
    }
}

/// An impostor with a credential, on a port of its own.
pub(crate) async fn impostor(
    disguise: bulkhead_runtime::probe::impostor::Disguise,
    credential: &Presented,
) -> Result<Impostor, PlatformError> {
    Ok(Impostor::listen("127.0.0.1:0", disguise, credential).await?)
}

/// What may be started.
fn programs(platform: &Platform) -> Result<&Programs, PlatformError> {
    platform.programs.as_ref().ok_or_else(|| {
        PlatformError::Impossible(
            "the place of the programs is not known, so that no stand-in can be started".to_owned(),
        )
    })
}

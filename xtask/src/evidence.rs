//! What a run leaves for others: the report, and the signed evidence.

mod theirs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use bulkhead_evidence::bundle::{self, Bundle, Material, Secrets};
use bulkhead_evidence::report::{
    Component, Facts, Hidden, PlatformFacts, Proof, Report, Scenarios, Tool, proof_of, scenarios_of,
};
use bulkhead_evidence::sign::{KeyOrigin, SigningKey};
use bulkhead_matrix::Run;
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_runtime::engine::Engine;
use bulkhead_runtime::environment::Environment;
use futures::StreamExt as _;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;

use crate::cli::EvidenceArguments;
use crate::exit::{Failure, OrExit as _};
use crate::tools;

pub(crate) use theirs::Theirs;

/// How long the broker may take to say its version.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
/// The broker's greeting is one line, and no longer than this.
const GREETING_BYTES: u64 = 64 * 1024;

/// What is to be written, where, and signed with which key.
pub(crate) struct Evidence {
    folder: PathBuf,
    key: SigningKey,
}

impl Evidence {
    /// What the command line asks for; known to be possible before anything is started.
    pub(crate) fn of(arguments: &EvidenceArguments) -> Result<Option<Self>, Failure> {
        let Some(folder) = &arguments.report else { return Ok(None) };
        let key = match &arguments.sign_key {
            Some(path) => {
                SigningKey::read(path).map_err(|error| anyhow::anyhow!("--sign-key: {error}")).or_usage()?
            }
            None => SigningKey::ephemeral().or_not_started()?,
        };
        bundle::check_writable(folder).map_err(|error| anyhow::anyhow!("--report: {error}")).or_usage()?;
        Ok(Some(Self { folder: folder.clone(), key }))
    }

    /// Gathers what the environment has, and writes everything. It has to be there still.
    pub(crate) async fn write(self, report: &Report, record: &EnvironmentRecord) -> Result<(), Failure> {
        let logs = logs(record).await?;
        let material = Material::read(record, &logs, &hidden(record)).or_not_judged()?;
        let secrets = Secrets::below(&record.state_dir).or_not_judged()?;
        self.pack(report, material, &secrets)
    }

    /// The same of a platform that somebody else started.
    pub(crate) async fn write_of_theirs(self, report: &Report, theirs: Theirs) -> Result<(), Failure> {
        let secrets = theirs.secrets()?;
        self.pack(report, theirs.material().await?, &secrets)
    }

    fn pack(self, report: &Report, material: Material, secrets: &Secrets) -> Result<(), Failure> {
        let bundle = Bundle::make(report, material, secrets, &self.key).or_not_judged()?;
        let written = bundle::write(&self.folder, &bundle).or_not_judged()?;
        let kibibytes = written.archive_bytes.div_ceil(1024);
        eprintln!(
            "{:>12} {} ({kibibytes} KiB), and for people {}",
            "Evidence",
            written.archive.display(),
            written.page.display()
        );
        let fingerprint = bundle.public_key.fingerprint();
        match self.key.origin() {
            KeyOrigin::Given => eprintln!("{:>12} with the key {fingerprint}", "Signed"),
            KeyOrigin::Ephemeral => {
                eprintln!("{:>12} with a key that was made for this run, {fingerprint}", "Signed");
                eprint!("{}", bundle.public_key.to_pem());
            }
        }
        Ok(())
    }
}

/// What other commands found, which a report takes in.
#[derive(Default)]
pub(crate) struct Outside {
    proof: Option<Proof>,
    scenarios: Option<Scenarios>,
}

impl Outside {
    /// What the command line names.
    pub(crate) fn of(arguments: &EvidenceArguments) -> Result<Self, Failure> {
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("read {}", path.display()));
        let mut outside = Self::default();
        if let Some(path) = &arguments.faults {
            let text = read(path).or_usage()?;
            let found = proof_of(&text).with_context(|| format!("--faults {}", path.display()));
            outside.proof = Some(found.or_usage()?);
        }
        if let Some(path) = &arguments.scenarios {
            let text = read(path).or_usage()?;
            let found = scenarios_of(&text).with_context(|| format!("--scenarios {}", path.display()));
            outside.scenarios = Some(found.or_usage()?);
        }
        Ok(outside)
    }
}

/// Everything that a run found, for programs.
pub(crate) async fn report(
    run: &Run,
    record: &EnvironmentRecord,
    filter: Option<&str>,
    outside: Outside,
) -> Report {
    let (platform, components) = (PlatformFacts::of(record), components(record).await);
    Report::of(&run.table, facts(run, platform, components, filter, outside, hidden(record)))
}

/// The same of a platform that somebody else started. Of its versions only the broker's is known, if it says so.
pub(crate) async fn report_of_theirs(
    run: &Run,
    theirs: &Theirs,
    filter: Option<&str>,
    outside: Outside,
) -> Report {
    let hidden = theirs.hidden();
    let platform = PlatformFacts::of_described(theirs.platform(), &run.findings, &hidden);
    let version = match theirs.broker() {
        Some(address) => nats_version(address).await,
        None => None,
    };
    let components = version.map(|version| Component { name: "nats-server".to_owned(), version });
    Report::of(&run.table, facts(run, platform, components.into_iter().collect(), filter, outside, hidden))
}

fn facts(
    run: &Run,
    platform: PlatformFacts,
    components: Vec<Component>,
    filter: Option<&str>,
    outside: Outside,
    hidden: Hidden,
) -> Facts {
    Facts {
        platform,
        // The attempts are just over.
        started_at: OffsetDateTime::now_utc() - run.took,
        took: run.took,
        steps: run.attempts,
        tool: this_tool(),
        components,
        filter: filter.map(str::to_owned),
        proof: outside.proof,
        scenarios: outside.scenarios,
        hidden,
    }
}

/// This program, as it is told apart from other versions.
pub(crate) fn this_tool() -> Tool {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(tools::checkout()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["rev-parse", "HEAD"]);
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // Without git nothing is known of changes either.
        modified: revision.is_some() && changes.is_none_or(|changes| !changes.is_empty()),
        revision,
    }
}

fn hidden(record: &EnvironmentRecord) -> Hidden {
    hidden_of_this_machine().with(&record.state_dir, "[state]")
}

fn hidden_of_this_machine() -> Hidden {
    let hidden = Hidden::nothing().with(&tools::checkout(), "[checkout]");
    match std::env::var_os("HOME") {
        Some(home) => hidden.with(Path::new(&home), "[home]"),
        None => hidden,
    }
}

/// What took part, and its version as it says itself. What does not say is left out.
async fn components(record: &EnvironmentRecord) -> Vec<Component> {
    let engine = match record.backend {
        BackendKind::Process => None,
        BackendKind::Docker | BackendKind::Compose => {
            Engine::connect().await.ok().map(|engine| engine.description)
        }
    };
    let system = rustix::system::uname();
    let system = format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy());
    let found = [
        ("nats-server", nats_version(&record.platform.nats.address).await),
        ("container engine", engine),
        ("rustc", rustc_version()),
        ("system", Some(system)),
    ];
    let known = found.into_iter().filter_map(|(name, version)| Some((name, version?)));
    known.map(|(name, version)| Component { name: name.to_owned(), version }).collect()
}

/// The broker greets everybody with its version, before it asks who they are.
async fn nats_version(address: &str) -> Option<String> {
    let greeting = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream.take(GREETING_BYTES)).read_line(&mut line).await.ok()?;
        let greeting: serde_json::Value = serde_json::from_str(line.strip_prefix("INFO ")?).ok()?;
        greeting.get("version")?.as_str().map(str::to_owned)
    };
    tokio::time::timeout(GREETING_TIMEOUT, greeting).await.ok().flatten()
}

fn rustc_version() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.trim().trim_start_matches("rustc ").to_owned()).filter(|version| !version.is_empty())
}

/// What each service wrote.
async fn logs(record: &EnvironmentRecord) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let environment = Environment::attach(&record.state_dir).await.or_not_judged()?;
    let mut logs = BTreeMap::new();
    for service in &record.services {
        let lines = environment.log_of(&service.id).collect().await;
        logs.insert(service.id.dotted(), lines);
    }
    Ok(logs)
}

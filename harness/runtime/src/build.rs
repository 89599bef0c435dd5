//! Builds the services by cargo and learns from cargo where it put them.

mod record;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::event::{Event, Events};
use crate::spawn;
use record::Record;

/// The packages, which are also the names of their programs.
const AGENT: &str = "bulkhead-agent";
const POLLER: &str = "bulkhead-poller";
/// What stands in tenants' networks and makes attempts.
const PROBE: &str = "bulkhead-probe";
/// Built along, though it is running already: cargo unifies features over the packages that are named, so that without it
/// most dependencies would be compiled a second time with a few features fewer.
const COMMANDS: &str = "xtask";

/// The package of the same services with one mistake each to be told of, and its programs. It is not one of the shipped
/// packages, so that to build it never touches a shipped program.
const SEEDED: &str = "bulkhead-seeded";
const SEEDED_AGENT: &str = "bulkhead-agent-seeded";
const SEEDED_POLLER: &str = "bulkhead-poller-seeded";
const SEEDED_FEATURE: &str = "bulkhead-seeded/seeded-faults";

/// How many of the compiler's last lines an error shows.
const SHOWN_LINES: usize = 30;

/// The programs of the services that are built here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs {
    /// The agent.
    pub agent: PathBuf,
    /// The poller.
    pub poller: PathBuf,
    /// The probe, which is no service: it attacks them.
    pub probe: PathBuf,
}

/// The services could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo itself could not be run.
    #[error("`{command}` could not be run in {workspace}: {error}")]
    NotRun {
        /// The command line.
        command: String,
        /// Where.
        workspace: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The compiler refused.
    #[error("`{command}` failed in {workspace}:\n{output}")]
    Failed {
        /// The command line.
        command: String,
        /// Where.
        workspace: PathBuf,
        /// Its last lines.
        output: String,
    },
    /// Cargo was content and did not name the programs.
    #[error("`{command}` in {workspace} named no program {missing}")]
    NoProgram {
        /// The command line.
        command: String,
        /// Where.
        workspace: PathBuf,
        /// Which one.
        missing: &'static str,
    },
}

/// What cargo says about one thing that it built; every other message has no `executable`.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The cargo that runs this program, or the one on PATH, without what an outer cargo said about *its* package: build
/// scripts that look at it (ring's does) would run again, and everything above them be compiled again, each time.
pub fn cargo() -> std::process::Command {
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_about_a_package)) {
        command.env_remove(name);
    }
    command
}

/// The variables that cargo sets for the program that it runs or tests (The Cargo Book, "Environment Variables").
fn is_about_a_package(variable: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix)) || variable == "OUT_DIR"
}

/// One set of programs that cargo is asked for.
struct Order {
    /// What stands after `cargo build --message-format=…`.
    arguments: &'static [&'static str],
    /// The same for people.
    shown: &'static str,
    agent: &'static str,
    poller: &'static str,
    /// Where it is noted what cargo answered.
    record: &'static str,
}

/// The services as they are shipped.
const SHIPPED_ORDER: Order = Order {
    arguments: &["-p", AGENT, "-p", POLLER, "-p", PROBE, "-p", COMMANDS, "--bins"],
    shown: "cargo build -p bulkhead-agent -p bulkhead-poller",
    agent: AGENT,
    poller: POLLER,
    record: "bulkhead-services.json",
};

/// The services that can be told to make a mistake. The same packages are named, and one more that adds no dependency, so
/// that only what has mistakes in it is compiled again; and no program but the two is asked for.
const SEEDED_ORDER: Order = Order {
    arguments: &[
        "-p",
        AGENT,
        "-p",
        POLLER,
        "-p",
        PROBE,
        "-p",
        COMMANDS,
        "-p",
        SEEDED,
        "--features",
        SEEDED_FEATURE,
        "--bin",
        SEEDED_AGENT,
        "--bin",
        SEEDED_POLLER,
    ],
    shown: "cargo build -p bulkhead-seeded --features bulkhead-seeded/seeded-faults",
    agent: SEEDED_AGENT,
    poller: SEEDED_POLLER,
    record: "bulkhead-seeded-services.json",
};

/// Builds agent and poller in the checkout at `workspace`, unless they were built and nothing has changed since.
pub async fn programs(workspace: &Path, events: &Events) -> Result<Programs, BuildError> {
    SHIPPED_ORDER.programs(workspace, events, None).await
}

/// The same for the agent and the poller that make a mistake when their configuration names one (`seeded_fault`), to show
/// that the suite notices. They are other programs than those that are shipped, beside them. The probe makes no mistakes:
/// it is the shipped one.
pub async fn seeded_programs(workspace: &Path, events: &Events) -> Result<Programs, BuildError> {
    let shipped = programs(workspace, events).await?;
    SEEDED_ORDER.programs(workspace, events, Some(shipped.probe)).await
}

/// Has cargo build agent and poller, or find them fresh.
pub async fn ask_cargo(workspace: &Path, events: &Events) -> Result<Programs, BuildError> {
    SHIPPED_ORDER.ask_cargo(workspace, events, None).await
}

impl Order {
    /// `probe` is the probe, where it is not part of the order.
    async fn programs(
        &self,
        workspace: &Path,
        events: &Events,
        probe: Option<PathBuf>,
    ) -> Result<Programs, BuildError> {
        let own = std::env::current_exe().ok();
        // Beside this program, which is where cargo puts the others.
        let file = own.as_deref().and_then(Path::parent).map(|folder| folder.join(self.record));
        if let Some(current) = file.as_deref().and_then(|file| Record::current(file, workspace)) {
            return Ok(current.into_programs());
        }
        let asked = SystemTime::now();
        let programs = self.ask_cargo(workspace, events, probe).await?;
        if let Some(file) = file {
            // Without a record cargo is asked again, which takes a moment longer.
            let _ = Record::of(workspace, asked, &programs).and_then(|record| record.write(&file));
        }
        Ok(programs)
    }

    async fn ask_cargo(
        &self,
        workspace: &Path,
        events: &Events,
        probe: Option<PathBuf>,
    ) -> Result<Programs, BuildError> {
        let mut command = Command::from(cargo());
        command.args(["build", "--message-format=json-render-diagnostics"]);
        command.args(self.arguments).current_dir(workspace);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let shown = self.shown.to_owned();
        let workspace = workspace.to_owned();
        let mut child = spawn::spawn(&mut command).map_err(|error| BuildError::NotRun {
            command: shown.clone(),
            workspace: workspace.clone(),
            error,
        })?;
        let (messages, progress) = (child.stdout.take(), child.stderr.take());
        let (executables, lines) = tokio::join!(executables(messages), narrate(progress, events));
        let status = child.wait().await;
        let status = status.map_err(|error| BuildError::NotRun {
            command: shown.clone(),
            workspace: workspace.clone(),
            error,
        })?;
        if !status.success() {
            let output = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            return Err(BuildError::Failed { command: shown, workspace, output });
        }
        let find = |name: &'static str| {
            let found = executables.iter().find(|(built, _)| built == name).map(|(_, path)| path.clone());
            found.ok_or_else(|| BuildError::NoProgram {
                command: shown.clone(),
                workspace: workspace.clone(),
                missing: name,
            })
        };
        let probe = probe.map_or_else(|| find(PROBE), Ok)?;
        Ok(Programs { agent: find(self.agent)?, poller: find(self.poller)?, probe })
    }
}

async fn executables(output: Option<impl AsyncRead + Unpin>) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for line in lines_of(output, |_| {}).await {
        let Ok(artifact) = serde_json::from_str::<Artifact>(&line) else { continue };
        if let (Some(target), Some(path)) = (artifact.target, artifact.executable) {
            found.push((target.name, path));
        }
    }
    found
}

async fn narrate(output: Option<impl AsyncRead + Unpin>, events: &Events) -> Vec<String> {
    lines_of(output, |line| {
        // "Finished" comes at each start and says nothing to anybody.
        if line.trim_start().starts_with("Compiling ") || line.starts_with("error") {
            events.emit(Event::Building { line: line.trim().to_owned() });
        }
    })
    .await
}

async fn lines_of(output: Option<impl AsyncRead + Unpin>, mut each: impl FnMut(&str)) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(output) = output else { return lines };
    let mut reader = BufReader::new(output).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        each(&line);
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_inside_a_cargo_does_not_take_over_its_package() {
        // Cargo sets CARGO_PKG_NAME for this very test.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let command = cargo();
        let removed = command.get_envs().any(|(name, value)| name == "CARGO_PKG_NAME" && value.is_none());
        assert!(removed);
        assert!(!is_about_a_package("CARGO_TARGET_DIR") && !is_about_a_package("CARGO_HOME"));
    }

    #[tokio::test]
    async fn finds_the_programs_in_what_cargo_says() {
        let output = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"bulkhead-agent"},"executable":"/t/bulkhead-agent"}
{"reason":"build-finished","success":true}
"#;
        let found = executables(Some(output.as_bytes())).await;
        assert_eq!(found, [("bulkhead-agent".to_owned(), PathBuf::from("/t/bulkhead-agent"))]);
    }

    #[tokio::test]
    async fn a_folder_without_a_workspace_is_an_error_that_shows_what_cargo_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = ask_cargo(folder.path(), &Events::none()).await.unwrap_err().to_string();
        assert!(error.contains("could not find `Cargo.toml`"), "{error}");
    }
}

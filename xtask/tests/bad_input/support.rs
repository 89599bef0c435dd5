//! Runs the program itself, and sees what is left of it.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
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
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
    }

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
    Ended::of(command(arguments, variables).output().unwrap())
}

/// The program, about to run.
pub(crate) fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env_remove("BULKHEAD_NAME").envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
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

    /// What was begun is taken back: nothing runs, and nothing in the state folder says that something does.
    #[track_caller]
    pub(crate) fn assert_nothing_runs(&self, what: &str) {
        for left in ["environment.json", "handover.json", "run", "data", "lease"] {
            assert!(!self.folder().join(left).exists(), "{what}: {left} is left behind");
        }
        let processes = self.processes();
        assert!(processes.is_empty(), "{what}: {processes:?} are left behind");
    }

    /// The services of this environment that run as processes: each has its labels in its environment.
    pub(crate) fn processes(&self) -> Vec<PathBuf> {
        let label = format!("\"io.bulkhead.environment\":\"{}\"", self.text);
        let all = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let is_ours = |process: &PathBuf| {
            std::fs::read(process.join("environ"))
                .is_ok_and(|variables| String::from_utf8_lossy(&variables).contains(&label))
        };
        all.filter(is_ours).collect()
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

/// Whether these programs are here and answer; else says why what needs them cannot be judged. Where CI has an engine,
/// they must.
pub(crate) fn are_here(programs: &[&str]) -> bool {
    let answers = |program: &str| {
        Command::new(program).arg("version").output().is_ok_and(|output| output.status.success())
    };
    let Some(missing) = programs.iter().find(|program| !answers(program)) else { return true };
    let expected =
        std::env::var("CI").is_ok_and(|ci| ci == "true") && Path::new("/var/run/docker.sock").exists();
    assert!(!expected, "this CI machine has an engine, and `{missing} version` fails");
    println!("skipped, this test cannot judge: `{missing} version` fails");
    false
}

/// The Compose that commands find first.
pub(crate) fn compose() -> String {
    std::env::var("BULKHEAD_COMPOSE_V2").unwrap_or_else(|_| "docker-compose".to_owned())
}

/// Writes `text` into a new file.
pub(crate) fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

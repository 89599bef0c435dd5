//! SIGTERM for a command that is made of other commands: they are asked to end, and nothing of them is left.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(120);

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn terminate(child: &mut Child) -> ExitStatus {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    eventually("the end after SIGTERM", || child.try_wait().unwrap())
}

/// The processes that carry the labels of an environment.
fn processes_of(name: &str) -> Vec<PathBuf> {
    let of_environment = |path: &PathBuf| {
        let variables = std::fs::read(path.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&variables).contains(&format!("\"io.bulkhead.environment\":\"{name}\""))
    };
    std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(of_environment).collect()
}

#[test]
fn a_terminated_test_run_takes_its_platform_down() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["test", "--only", "process"]).env_remove("BULKHEAD_NAME").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let name = format!("test-process-{}", child.id());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".bulkhead").join(&name);
    let is_up = || folder.join("environment.json").exists().then_some(());
    eventually("a platform to interrupt", is_up);
    assert!(!processes_of(&name).is_empty());
    let ended = terminate(&mut child);
    let left = processes_of(&name);
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(left, Vec::<PathBuf>::new());
    assert_eq!(ended.code(), Some(5), "nothing was judged");
}

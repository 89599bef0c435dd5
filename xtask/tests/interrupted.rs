//! SIGTERM for a command that is made of other commands: they are asked to end, and nothing of them is left.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

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

fn ended_by(signal: Signal, child: &mut Child) -> ExitStatus {
    kill_process(Pid::from_child(child), signal).unwrap();
    eventually("the end after a signal", || child.try_wait().unwrap())
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
    let ended = ended_by(Signal::TERM, &mut child);
    let left = processes_of(&name);
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(left, Vec::<PathBuf>::new());
    assert_eq!(ended.code(), Some(5), "nothing was judged");
}

#[test]
fn an_interrupted_proof_takes_every_faulty_platform_down() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["prove", "--backend", "process", "--runs", "2", "--only", "broker-monitoring-open"]);
    command.args(["--only", "broker-leaf-nodes-allowed"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".bulkhead");
    let name = |number: u32| format!("prove-{}-{number}", child.id());
    // The first runs of both faults; the next are 2 and 4.
    let names = [name(1), name(3)];
    let folders = names.each_ref().map(|name| root.join(name));
    let are_up = || folders.iter().all(|folder| folder.join("environment.json").exists()).then_some(());
    eventually("two faulty platforms to interrupt", are_up);
    let ended = ended_by(Signal::INT, &mut child);
    let running: Vec<PathBuf> = names.iter().flat_map(|name| processes_of(name)).collect();
    let left: Vec<&PathBuf> = folders.iter().filter(|folder| folder.exists()).collect();
    folders.iter().for_each(|folder| drop(std::fs::remove_dir_all(folder)));
    assert_eq!(running, Vec::<PathBuf>::new());
    assert_eq!(left, Vec::<&PathBuf>::new(), "its keys are in there");
    assert_eq!(ended.code(), Some(5), "not everything was judged");
}

#[test]
fn a_closed_terminal_takes_the_platform_down() {
    let name = format!("typed-hangup-{}", std::process::id());
    // Whoever runs all tests under nohup(1) has them ignore the signal, and so would what they start.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_xtask")]);
    command.args(["dev", "--name", &name, "--backend", "process", "--tenants", "1"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".bulkhead").join(&name);
    eventually("a platform to hang up on", || folder.join("environment.json").exists().then_some(()));
    let ended = ended_by(Signal::HUP, &mut child);
    let left = processes_of(&name);
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(left, Vec::<PathBuf>::new());
    assert_eq!(ended.code(), Some(0), "it ended in order");
}

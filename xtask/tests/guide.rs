//! The lines for stock tools that `status` shows, typed as they stand, in another directory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use support::{Name, OK, are_here, command, xtask};

/// What each tool says when its line works. A line that follows a log has no end.
const TOOLS: [(&str, Works); 5] = [
    ("openssl", Works::Says("Verify return code: 0 (ok)")),
    ("grpcurl", Works::Says("\"available\": true")),
    ("nats", Works::Follows("")),
    ("tail", Works::Follows("{\"timestamp\"")),
    ("docker", Works::Follows("")),
];

#[derive(Clone, Copy)]
enum Works {
    Says(&'static str),
    Follows(&'static str),
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    // The shell is replaced by the tool, so that the tool is what is ended; and what services say on standard error is
    // a log as well. A tool that says nothing is ended, and then the line does not work.
    command.args(["-c", &format!("exec timeout 20 {line} 2>&1")]).current_dir("/").stdin(Stdio::null());
    command.stdout(Stdio::piped());
    command
}

fn is_here(tool: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success()
}

#[track_caller]
fn try_line(line: &str, works: Works) {
    match works {
        Works::Says(word) => {
            let output = shell(line).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains(word), "{line}\n{said}");
        }
        Works::Follows(beginning) => {
            let mut child = shell(line).spawn().unwrap();
            let mut first = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            // NATS has a format of its own.
            let is_log = !first.trim().is_empty() && (first.starts_with(beginning) || first.starts_with('['));
            assert!(is_log, "{line}\n{first}");
        }
    }
}

#[track_caller]
fn every_line_works(name: &Name, backend: &str) {
    let start = ["dev", "--name", name.as_str(), "--tenants", "2", "--backend", backend, "--detach"];
    let ended = xtask(&start, &[]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    let output = command(&["status", "--name", name.as_str()], &[]).output().unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    for (tool, works) in TOOLS {
        let start = format!("{tool} ");
        let lines: Vec<&str> =
            status.lines().map(str::trim).filter(|line| line.starts_with(&start)).collect();
        assert!(!lines.is_empty() || matches!(tool, "tail" | "docker"), "no line for {tool}: {status}");
        if !lines.is_empty() && !is_here(tool) {
            println!("skipped: {} lines for {tool}, which is not on this machine", lines.len());
            continue;
        }
        // What globex publishes is refused to acme, and a subscription says nothing until something is published.
        let lines = lines.into_iter().filter(|line| tool != "nats" || line.contains("admin.results"));
        lines.for_each(|line| try_line(line, works));
    }
}

#[test]
fn on_processes() {
    every_line_works(&Name::new(), "process");
}

#[test]
fn in_containers() {
    if are_here(&["docker"]) {
        every_line_works(&Name::in_engine(), "docker");
    }
}

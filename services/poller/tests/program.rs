//! The program itself: how it starts, ends, and says why it does not start.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use bulkhead_test_support::{Forge, eventually};
use common::{ADMIN, POLLER, agent_of, authority, forge};
use rustix::process::{Pid, Signal, kill_process};

fn write_config(forge: &Forge, identity: &str, more: &str) -> std::path::PathBuf {
    let files = forge.issue(identity);
    let trust = forge.trust_files(&[]);
    let path = forge.directory().join("poller.yaml");
    let text = format!(
        "identity: {{ certificate: {:?}, key: {:?} }}\ntrust: {{ root: {:?}, platform: [{:?}] }}\n\
         listen: 127.0.0.1:0\nnats: {{ address: \"127.0.0.1:1\" }}\n{more}\n",
        files.certificate, files.key, trust.root, trust.platform[0],
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// The running program; it is killed when dropped, so that a test that fails leaves nothing behind.
struct Program(Child);

impl Program {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead-poller"));
        command.arg("--config").arg(config).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    async fn code(&mut self) -> Option<i32> {
        let status = eventually("the end of the program", async || {
            self.0.try_wait().unwrap().ok_or_else(|| "still running".to_owned())
        });
        status.await.code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The exit code and the error output of a program that is expected to end by itself.
async fn ended(config: &Path) -> (Option<i32>, String) {
    let mut program = Program::start(config);
    let code = program.code().await;
    let message = std::io::read_to_string(program.0.stderr.take().unwrap()).unwrap();
    (code, message)
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_also_while_nats_and_agents_are_away() {
    let forge = forge();
    let tenants = format!(
        "tenants: [{{ slug: acme, authorities: [{:?}], agents: [{{ name: {}, address: \"127.0.0.1:1\" }}] }}]",
        authority(&forge, "acme"),
        agent_of("acme"),
    );
    let mut program = Program::start(&write_config(&forge, POLLER, &tenants));
    let mut output = std::io::BufReader::new(program.0.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("poller is listening") {
        let read = std::io::BufRead::read_line(&mut output, &mut seen).unwrap();
        assert_ne!(read, 0, "it ended by itself: {seen}");
    }
    kill_process(Pid::from_child(&program.0), Signal::TERM).unwrap();
    assert_eq!(program.code().await, Some(0));
    for line in seen.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["tenant"].is_string() && line["service"] == POLLER, "{line}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_explained() {
    let forge = forge();
    let acme = authority(&forge, "acme");
    let cases = [
        (POLLER, "tenants: [{ slug: acme }]".to_owned(), "authorities"),
        (POLLER, "tenants: []\ninterval: 3".to_owned(), "interval"),
        (ADMIN, "tenants: []".to_owned(), "admin.platform.serviceradar"),
        (POLLER, format!("tenants: [{{ slug: globex, authorities: [{acme:?}] }}]"), "tenant-acme"),
        (POLLER, "tenants: [{ slug: acme, authorities: [missing.pem] }]".to_owned(), "missing.pem"),
    ];
    for (identity, more, expected) in cases {
        let (code, message) = ended(&write_config(&forge, identity, &more)).await;
        assert_eq!(code, Some(2), "{more}: {message}");
        assert!(message.contains(expected), "{more}: {message}");
        assert!(!message.contains("PRIVATE"), "{message}");
    }
    let (code, message) = ended(Path::new("/nonexistent/poller.yaml")).await;
    assert_eq!(code, Some(2));
    assert!(message.contains("/nonexistent/poller.yaml"), "{message}");
}

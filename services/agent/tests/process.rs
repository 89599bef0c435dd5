//! How the program starts, refuses to start, and ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use common::{AGENT, AgentProcess, POLLER, Setup, command};

fn refused(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        command().arg("--config").arg(config).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[track_caller]
fn assert_told(told: &(Option<i32>, String), code: i32, parts: &[&str]) {
    assert_eq!(told.0, Some(code), "{}", told.1);
    for part in parts {
        assert!(told.1.contains(part), "{part:?} is not in {}", told.1);
    }
}

#[test]
fn a_certificate_of_another_tenant_than_the_configuration_s_ends_the_start() {
    let setup = Setup::alone();
    let config = setup.config("agent-001.p1.globex.serviceradar", "tenant: acme\n");
    let told = refused(&config, &[]);
    let parts =
        ["tenant acme", "tenant globex", "agent-001.p1.globex.serviceradar", "leaf-0.pem", "agent.yaml"];
    assert_told(&told, 2, &parts);
    // A flag is a configuration too.
    let config = setup.config(AGENT, "");
    assert_told(&refused(&config, &["--tenant", "globex"]), 2, &["tenant globex", "tenant acme"]);
}

#[test]
fn a_certificate_that_is_no_agent_s_ends_the_start() {
    let setup = Setup::alone();
    assert_told(&refused(&setup.config(POLLER, ""), &[]), 2, &[POLLER, "no tenant's agent"]);
}

#[test]
fn anchors_of_another_tenant_end_the_start() {
    let setup = Setup::alone();
    let config = setup.config("agent-001.p1.globex.serviceradar", "");
    assert_told(
        &refused(&config, &[]),
        2,
        &["authority of tenant acme", "agent is of tenant globex", "agent.yaml"],
    );
}

#[test]
fn a_key_that_everybody_can_read_ends_the_start() {
    let setup = Setup::alone();
    let config = setup.config(AGENT, "");
    let key = setup.forge.directory().join("leaf-0-key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_told(&refused(&config, &[]), 2, &["leaf-0-key.pem", "chmod 600"]);
}

#[test]
fn what_is_wrong_in_the_file_or_the_flags_is_told_with_code_2() {
    let setup = Setup::alone();
    assert_told(&refused(&setup.config(AGENT, "chekcs: []\n"), &[]), 2, &["chekcs", "agent.yaml"]);
    assert_told(&refused(Path::new("/nonexistent.yaml"), &[]), 2, &["/nonexistent.yaml"]);
    assert_told(&refused(&setup.config(AGENT, ""), &["--listen", "here"]), 2, &["--listen"]);
    assert_told(&refused(&setup.config(AGENT, ""), &["--log-level", "loud"]), 2, &["loud"]);
}

#[test]
fn an_address_that_is_taken_is_named_with_what_to_do() {
    let setup = Setup::alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = refused(&setup.config(AGENT, ""), &["--listen", &address]);
    assert_told(&told, 1, &[&address, "free the port"]);
}

#[tokio::test]
async fn every_line_carries_the_tenant_and_sigterm_ends_cleanly() {
    let setup = Setup::alone();
    let mut agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    setup.dial_as(POLLER, &agent).await;
    assert_eq!(agent.terminate().await.code(), Some(0));
    let lines = agent.lines();
    assert!(lines.iter().any(|line| line["message"] == "ended"), "{lines:?}");
    for line in lines {
        assert_eq!((&line["tenant"], &line["service"]), (&"acme".into(), &AGENT.into()), "{line}");
    }
}

#[tokio::test]
async fn a_caller_that_does_not_hang_up_does_not_keep_the_agent() {
    let setup = Setup::alone();
    let mut agent = AgentProcess::start(&setup.config(AGENT, "")).await;
    let channel = setup.dial_as(POLLER, &agent).await.channel;
    // A call without an end: the agent tells how it is whenever that changes.
    let _held = HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap();
    let _silent = tokio::net::TcpStream::connect(agent.address).await.unwrap();
    assert_eq!(agent.terminate().await.code(), Some(0));
}

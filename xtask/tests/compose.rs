//! The platform by a stock Compose, brought up by hand with the line that `compose` prints, or by `compose --up`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Ended, NOT_STARTED, Name, OK, are_here, compose, xtask};

fn on(command: &str, name: &Name, further: &[&str]) -> Ended {
    let mut line = vec![command, "--name", name.as_str()];
    line.extend(further);
    xtask(&line, &[])
}

/// Writes the override, and returns the line that brings it up.
#[track_caller]
fn written(name: &Name, tenants: &str, output: &Path) -> String {
    let ended = on("compose", name, &["--tenants", tenants, "--output", output.to_str().unwrap()]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    assert!(ended.output.contains(&format!("cargo xtask e2e --name {}", name.as_str())), "{ended:#?}");
    let line = ended.output.lines().find(|line| line.ends_with(" up -d"));
    line.unwrap_or_else(|| panic!("no line to type in {ended:#?}")).trim().to_owned()
}

/// As somebody types it.
#[track_caller]
fn typed(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The environment's container of that service, or all of them.
fn containers(name: &Name, service: Option<&str>) -> String {
    let filter = |label: &str, value: &str| format!("--filter label=io.bulkhead.{label}={value}");
    let service = service.map(|service| filter("service", service)).unwrap_or_default();
    typed(&format!("docker ps --all --quiet --no-trunc {} {service}", filter("environment", name.as_str())))
}

fn record(name: &Name) -> Value {
    let ended = on("status", name, &["--json"]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    serde_json::from_str(&ended.output).unwrap()
}

#[test]
fn what_somebody_brought_up_is_taken_up() {
    if !are_here(&["docker", &compose()]) {
        return;
    }
    let (name, folder) = (Name::in_engine(), tempfile::tempdir().unwrap());
    let output = folder.path().join("override.yml");
    let line = written(&name, "2", &output);

    let nothing_yet =
        ["none of its 4 services runs", "left behind: nothing", &line, "cargo xtask down --name"];
    for command in ["status", "logs", "e2e"] {
        on(command, &name, &[]).assert_refused(command, NOT_STARTED, &nothing_yet);
    }

    typed(&line);
    let already = ["already up (compose backend)", "cargo xtask down --name"];
    on("compose", &name, &["--tenants", "3", "--output", output.to_str().unwrap()]).assert_refused(
        "compose",
        NOT_STARTED,
        &already,
    );
    on("dev", &name, &["--detach"]).assert_refused("dev", NOT_STARTED, &already);

    let ended = on("status", &name, &[]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    assert!(ended.errors.contains("taking up") && ended.output.contains("running 4 services"), "{ended:#?}");
    let ended = on("logs", &name, &["--service", "nats"]);
    assert!(ended.output.contains("Server is ready"), "{ended:#?}");
    let again = on("status", &name, &[]);
    assert!(
        !again.errors.contains("taking up"),
        "what is described and true is not taken up again: {again:#?}"
    );
    // The engine publishes NATS at another port with each start: the description follows.
    let nats = containers(&name, Some("nats"));
    typed(&format!("docker restart --time 1 {nats}"));
    let port = typed(&format!("docker port {nats} 4222/tcp"));
    let record = record(&name);
    let known = record.pointer("/environment/platform/nats/loopback_address").and_then(Value::as_str);
    assert_eq!(known, Some(port.as_str()), "{record:#}");

    let ended = on("down", &name, &[]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    assert_eq!(containers(&name, None), "");
    for left in ["handover.json", "environment.json", "data", "lease"] {
        assert!(!name.folder().join(left).exists(), "{left} is left behind");
    }
}

#[test]
fn a_service_that_does_not_run_is_named_with_its_last_words() {
    if !are_here(&["docker", &compose()]) {
        return;
    }
    let (name, folder) = (Name::in_engine(), tempfile::tempdir().unwrap());
    let line = written(&name, "1", &folder.path().join("override.yml"));
    typed(&line);
    typed(&format!("docker kill {}", containers(&name, Some("poller"))));
    typed(&format!("docker rm --force {}", containers(&name, Some("tenants/acme/agent-001.p1"))));
    let words = [
        "2 of its 3 services do not run",
        "tenants/acme/agent-001.p1 has no container",
        "poller ended with exit code 137",
        "\"service\":\"poller.serviceradar\"",
        "left behind: what Compose made",
        &line,
    ];
    on("status", &name, &[]).assert_refused("status", NOT_STARTED, &words);
    typed(&line);
    record(&name);
}

#[test]
fn containers_of_other_files_are_refused() {
    if !are_here(&["docker", &compose()]) {
        return;
    }
    let (name, folder) = (Name::in_engine(), tempfile::tempdir().unwrap());
    let (first, second) = (folder.path().join("first.yml"), folder.path().join("second.yml"));
    let line = written(&name, "1", &first);
    written(&name, "2", &second);
    typed(&line);
    let words = ["were not made from", "second.yml", "left behind: what Compose made", "cargo xtask compose"];
    on("status", &name, &[]).assert_refused("status", NOT_STARTED, &words);
    assert_eq!(on("down", &name, &[]).code, Some(OK));
    assert_eq!(containers(&name, None), "");
}

#[test]
fn up_brings_it_up_as_well() {
    if !are_here(&["docker", &compose()]) {
        return;
    }
    let (name, folder) = (Name::in_engine(), tempfile::tempdir().unwrap());
    let output = folder.path().join("override.yml");
    let ended = on("compose", &name, &["--up", "--tenants", "1", "--output", output.to_str().unwrap()]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    let record = record(&name);
    assert_eq!(record.pointer("/environment/backend"), Some(&Value::from("compose")), "{record:#}");
}

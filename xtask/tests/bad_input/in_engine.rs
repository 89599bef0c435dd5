//! What goes wrong with an engine that answers: images that nobody has, ports that are taken, more than it carries.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Ended, NO_ENGINE, NOT_STARTED, Name, USAGE, are_here, compose, file, xtask};

fn on(command: &str, name: &Name, further: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut line = vec![command, "--name", name.as_str()];
    line.extend(further);
    xtask(&line, variables)
}

/// Nothing of the environment is in the engine, or says that it is up.
#[track_caller]
fn assert_nothing_left(name: &Name, what: &str) {
    name.assert_nothing_runs(what);
    let filter = format!("label=io.bulkhead.environment={}", name.as_str());
    for things in [&["ps", "--all"][..], &["network", "ls"]] {
        let listed =
            Command::new("docker").args(things).args(["--quiet", "--filter", &filter]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "", "{what}: docker {things:?}");
    }
}

#[test]
fn images_that_nobody_has() {
    if !are_here(&["docker"]) {
        return;
    }
    let name = Name::in_engine();
    let image = "bulkhead-test/does-not-exist:none";
    for component in ["agent", "nats"] {
        let given = format!("{component}={image}");
        let ended = on("dev", &name, &["--detach", "--backend", "docker", "--image", &given], &[]);
        let words =
            [&format!("the {component} image `{image}`"), "pulling it failed", "--image", "left behind"];
        ended.assert_refused(&given, NOT_STARTED, &words);
        assert_nothing_left(&name, &given);
    }
}

#[test]
fn no_nats_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("absent").to_str().unwrap().to_owned();
    let old = script(&folder, "old", "nats-server: v2.9.10");
    let mut backends = vec!["process"];
    if are_here(&["docker"]) {
        backends.push("docker");
    }
    for backend in backends {
        for (program, why) in [(&missing, "cannot be run"), (&old, "is 2.9.10, older than 2.15")] {
            let name = Name::in_engine();
            let variables = [("BULKHEAD_NATS_SERVER", program.as_str())];
            let ended = on("dev", &name, &["--detach", "--backend", backend], &variables);
            let words =
                ["no nats-server 2.15.0 or newer", program, why, "BULKHEAD_NATS_SERVER=FILE", "left behind"];
            ended.assert_refused(backend, NOT_STARTED, &words);
            name.assert_nothing_runs(backend);
        }
    }
}

#[test]
fn a_nats_that_runs_here_and_in_no_container() {
    if !are_here(&["docker"]) {
        return;
    }
    let (name, folder) = (Name::in_engine(), tempfile::tempdir().unwrap());
    let script = script(&folder, "nats-server", "nats-server: v2.15.1");
    let variables = [("BULKHEAD_NATS_SERVER", script.as_str())];
    let ended = on("dev", &name, &["--detach", "--backend", "docker"], &variables);
    ended.assert_refused("dev", NOT_STARTED, &[&script, "is not a Linux program", "--image", "left behind"]);
    assert_nothing_left(&name, "dev");
}

/// A program that says that it is some version of NATS.
fn script(folder: &tempfile::TempDir, name: &str, says: &str) -> String {
    let path = file(folder, name, &format!("#!/bin/sh\necho '{says}'\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_port_that_is_taken() {
    if !are_here(&["docker", &compose()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = |service: &str| {
        let text = format!("name: t\ntenants:\n  - slug: acme\nports:\n  {service}: {port}\n");
        file(&folder, &format!("{service}.yaml"), &text)
    };
    let (of_nats, of_poller) = (spec("nats"), spec("poller"));
    let output = folder.path().join("override.yml").to_str().unwrap().to_owned();
    let cases = [
        ("dev", "nats", vec!["--detach", "--backend", "docker", "--spec", &of_nats]),
        ("compose", "nats", vec!["--up", "--spec", &of_nats, "--output", &output]),
        ("compose", "poller", vec!["--up", "--spec", &of_poller, "--output", &output]),
    ];
    for (command, service, further) in cases {
        let name = Name::in_engine();
        let ended = on(command, &name, &further, &[]);
        let words = [&format!("port {port} for {service} is taken"), "left behind", "leave `ports` out"];
        ended.assert_refused(command, NOT_STARTED, &words);
        assert_nothing_left(&name, command);
    }
    drop(listener);
}

#[test]
fn more_tenants_than_containers_carry() {
    if !are_here(&["docker"]) {
        return;
    }
    let name = Name::in_engine();
    let ended = on("dev", &name, &["--detach", "--backend", "docker", "--tenants", "251"], &[]);
    ended.assert_refused("dev", USAGE, &["251", "250", "--backend process", "left behind"]);
    assert_nothing_left(&name, "dev");
}

#[test]
fn compose_without_an_engine_or_a_compose() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    let output = folder.path().join("override.yml").to_str().unwrap().to_owned();
    let ended = on("compose", &name, &["--compose", "docker-compose", "--output", &output], &[NO_ENGINE]);
    ended.assert_refused("compose", NOT_STARTED, &["no container engine answers at", "left behind: nothing"]);
    name.assert_untouched("compose");
    if !are_here(&["docker"]) {
        return;
    }
    let name = Name::in_engine();
    let further = ["--up", "--tenants", "1", "--compose", "/nonexistent/compose", "--output", &output];
    let words = ["/nonexistent/compose", "No such file", "left behind"];
    on("compose", &name, &further, &[]).assert_refused("compose --up", NOT_STARTED, &words);
    assert_nothing_left(&name, "compose --up");
}

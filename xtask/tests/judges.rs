//! What the judges say of a platform that is well, of one whose broker mixes two tenants up, and of one that is dead.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bulkhead_judges::{Python, on_ci};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Ended, NO_ENGINE, Name, OK, xtask};

const VIOLATED: i32 = 4;
const NOT_JUDGED: i32 = 5;

/// Whether the judges can be run at all.
fn are_here() -> bool {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), Into::into);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(Python::obtain(workspace, &target)) {
        Ok(_) => true,
        Err(error) if on_ci() => panic!("the judges must be run on CI: {error}"),
        Err(error) => {
            println!("skipped, the judges cannot be run: {error}");
            false
        }
    }
}

fn up() -> Name {
    let name = Name::new();
    let up = ["dev", "--detach", "--name", name.as_str(), "--backend", "process", "--tenants", "2"];
    let up = xtask(&up, &[NO_ENGINE]);
    assert_eq!(up.code, Some(OK), "{up:#?}");
    name
}

fn judged_by(judge: &str, name: &Name) -> Ended {
    xtask(&["judges", "--name", name.as_str(), "--only", judge], &[NO_ENGINE])
}

fn record_in(name: &Name) -> PathBuf {
    name.folder().join("environment.json")
}

fn record(name: &Name) -> Value {
    serde_json::from_slice(&std::fs::read(record_in(name)).unwrap()).unwrap()
}

/// Sends a signal to the process that the environment says a service is.
fn signal(name: &Name, service: &str, signal: Signal) {
    let record = record(name);
    let services = record["services"].as_array().unwrap();
    let found = services.iter().find(|found| found["id"] == service).unwrap();
    let process = Pid::from_raw(found["handle"].as_str().unwrap().parse().unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

/// Has NATS take up a configuration that differs in this.
fn reconfigure(name: &Name, change: impl FnOnce(&str) -> String) {
    let path = name.folder().join("services/nats/nats.conf");
    let changed = change(&std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, changed).unwrap();
    signal(name, "nats", Signal::HUP);
    let log = || std::fs::read_to_string(name.folder().join("logs/nats.log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !log().contains("Reloaded server configuration") {
        assert!(Instant::now() < deadline, "NATS has not reloaded: {}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// globex's agent becomes a user of acme's account, with acme's permissions beside its own.
fn in_one_account(configuration: &str) -> String {
    const ACME: &str = r#"      { user: "agent-001.p1.acme.serviceradar""#;
    const GLOBEX: &str = r#"      { user: "agent-001.p1.globex.serviceradar""#;
    let user = |of: &str| {
        let begin = configuration.find(of).unwrap();
        let length = configuration[begin..].find("\n    ]").unwrap();
        &configuration[begin..begin + length]
    };
    let (acme, globex) = (user(ACME), user(GLOBEX));
    let moved = acme.replace(ACME, GLOBEX).replace(r#""acme.>""#, r#""acme.>", "globex.>""#);
    configuration.replace(globex, "").replace(acme, &format!("{acme}\n{moved}"))
}

#[test]
fn two_tenants_in_one_account_are_no_tenants() {
    if !are_here() {
        return;
    }
    let name = up();
    let well = judged_by("nats", &name);
    assert_eq!(well.code, Some(OK), "{well:#?}");
    assert!(well.output.contains("142 as expected, 0 violated, 0 broken, 0 not judged"), "{well:#?}");

    reconfigure(&name, in_one_account);
    let violated = judged_by("nats", &name);
    assert_eq!(violated.code, Some(VIOLATED), "{violated:#?}");
    let deeds =
        ["publish", "subscribe", "join-queue", "request-job", "listen-to-inboxes", "describe", "mirror"];
    for deed in deeds {
        let line = format!("VIOLATED agent-001.p1.globex.serviceradar {deed} acme: allowed");
        assert!(violated.output.contains(&line), "nobody saw {line:?}: {violated:#?}");
    }

    signal(&name, "nats", Signal::KILL);
    let dead = judged_by("nats", &name);
    assert_eq!(dead.code, Some(NOT_JUDGED), "a dead broker refuses nobody: {dead:#?}");
}

#[test]
fn a_credential_that_is_in_the_wrong_hands_is_seen() {
    if !are_here() {
        return;
    }
    let name = up();
    let well = judged_by("grpc", &name);
    assert_eq!(well.code, Some(OK), "{well:#?}");
    assert!(well.output.contains("72 as expected, 0 violated, 0 broken, 0 not judged"), "{well:#?}");

    let mut record = record(&name);
    let admin = record["platform"]["admin"].clone();
    let globex =
        record["tenants"].as_array_mut().unwrap().iter_mut().find(|tenant| tenant["slug"] == "globex");
    let credential = &mut globex.unwrap()["agents"][0]["credential"];
    for file in ["certificate", "key"] {
        credential[file] = admin[file].clone();
    }
    std::fs::write(record_in(&name), record.to_string()).unwrap();
    let violated = judged_by("grpc", &name);
    assert_eq!(violated.code, Some(VIOLATED), "{violated:#?}");
    for deed in ["health", "watch-health", "get-status"] {
        let line = format!("VIOLATED agent-001.p1.globex.serviceradar {deed} acme");
        assert!(violated.output.contains(&line), "nobody saw {line:?}: {violated:#?}");
    }
}

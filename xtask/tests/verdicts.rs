//! What `e2e` says and writes of a platform that is well, of one that is not isolated, and of one that it cannot judge.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Ended, NO_ENGINE, Name, OK, xtask};

const VIOLATED: i32 = 4;
const NOT_JUDGED: i32 = 5;

const SCENARIO: &str = "globex cannot listen to acme's results";

fn judge(name: &Name, reports: &Path) -> Ended {
    let line = ["e2e", "--name", name.as_str(), "--filter", SCENARIO, "--report", reports.to_str().unwrap()];
    xtask(&line, &[NO_ENGINE])
}

fn record(name: &Name) -> Value {
    serde_json::from_slice(&std::fs::read(name.folder().join("environment.json")).unwrap()).unwrap()
}

/// The state of every step of the one scenario, from the Cucumber JSON.
fn steps(reports: &Path) -> Vec<String> {
    let text = std::fs::read(reports.join("cucumber.json")).unwrap();
    let features: Value = serde_json::from_slice(&text).unwrap();
    let elements =
        features.as_array().unwrap().iter().flat_map(|feature| feature["elements"].as_array().unwrap());
    let steps = elements.flat_map(|element| element["steps"].as_array().unwrap());
    steps.map(|step| step["result"]["status"].as_str().unwrap().to_owned()).collect()
}

fn nats(name: &Name) -> Pid {
    let record = record(name);
    let nats = record["services"].as_array().unwrap().iter().find(|service| service["id"] == "nats").unwrap();
    Pid::from_raw(nats["handle"].as_str().unwrap().parse().unwrap()).unwrap()
}

/// Lets globex in on what acme's agents say, as an operator who shares one subject too many does, and has NATS take it
/// up.
fn share_too_much(name: &Name) {
    let path = name.folder().join("services/nats/nats.conf");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let changes = [
        (
            r#"stream: "acme.agents.>", accounts: [PLATFORM]"#,
            r#"stream: "acme.agents.>", accounts: [PLATFORM, T_globex]"#,
        ),
        (
            r#"subject: "svc.globex.>" }, to: "svc.>" }"#,
            r#"subject: "svc.globex.>" }, to: "svc.>" }, { stream: { account: T_acme, subject: "acme.agents.>" } }"#,
        ),
        (r#"subscribe: { allow: ["globex.>","#, r#"subscribe: { allow: ["globex.>", "acme.>","#),
    ];
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        text = text.replace(from, to);
    }
    std::fs::write(&path, text).unwrap();
    kill_process(nats(name), Signal::HUP).unwrap();
    let log = name.folder().join("logs/nats.log");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&log).unwrap().contains("Reloaded server configuration") {
        assert!(
            Instant::now() < deadline,
            "NATS has not reloaded: {}",
            std::fs::read_to_string(&log).unwrap()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn well_and_violated_and_not_judged() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    let up = ["dev", "--detach", "--name", name.as_str(), "--backend", "process", "--tenants", "2"];
    let up = xtask(&up, &[NO_ENGINE]);
    assert_eq!(up.code, Some(OK), "{up:#?}");

    let reports = folder.path().join("well");
    let well = judge(&name, &reports);
    assert_eq!(well.code, Some(OK), "{well:#?}");
    assert!(well.output.contains("1 passed, 0 failed"), "{well:#?}");
    let steps_of_it = steps(&reports);
    assert!(steps_of_it.len() > 1 && steps_of_it.iter().all(|status| status == "passed"), "{steps_of_it:?}");
    let junit = std::fs::read_to_string(reports.join("junit.xml")).unwrap();
    assert!(
        junit.contains("<testsuite") && junit.contains(SCENARIO) && !junit.contains("<failure"),
        "{junit}"
    );

    share_too_much(&name);
    let reports = folder.path().join("violated");
    let violated = judge(&name, &reports);
    assert_eq!(violated.code, Some(VIOLATED), "{violated:#?}");
    let shown = [
        "VIOLATED",
        SCENARIO,
        "certificate of agent-001.p1.globex.serviceradar",
        "the last lines of tenants/globex/agent-001.p1",
        "cargo xtask e2e",
        "0 passed, 1 failed",
    ];
    for word in shown {
        assert!(
            violated.errors.contains(word) || violated.output.contains(word),
            "the failure's story lacks {word:?}: {violated:#?}"
        );
    }
    assert!(steps(&reports).iter().any(|status| status == "failed"), "{:?}", steps(&reports));
    let junit = std::fs::read_to_string(reports.join("junit.xml")).unwrap();
    assert!(junit.contains("<failure"), "{junit}");

    kill_process(nats(&name), Signal::KILL).unwrap();
    let unclear = judge(&name, &folder.path().join("unclear"));
    assert_eq!(unclear.code, Some(NOT_JUDGED), "silence is no denial and no violation: {unclear:#?}");
    assert!(unclear.output.contains("0 passed, 0 failed, 1 could not be judged"), "{unclear:#?}");
}

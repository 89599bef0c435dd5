//! Which platform `e2e` judges: the one that was asked for, or none.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{Ended, NO_ENGINE, Name, OK, USAGE, file, xtask};

/// No scenario has it in its name, so that a run is over when its platform is known.
const NONE: [&str; 2] = ["--filter", "no scenario has this in its name"];
const NOT_JUDGED: i32 = 5;

fn e2e(name: &Name, further: &[&str]) -> Ended {
    let line: Vec<&str> =
        ["e2e", "--name", name.as_str()].iter().chain(&NONE).chain(further).copied().collect();
    xtask(&line, &[NO_ENGINE])
}

fn services(name: &Name) -> Vec<Pid> {
    let record = std::fs::read(name.folder().join("environment.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let services = record["services"].as_array().unwrap().iter();
    services
        .map(|service| Pid::from_raw(service["handle"].as_str().unwrap().parse().unwrap()).unwrap())
        .collect()
}

/// Whether a process has ended, though nobody may have taken note of it yet. A signal is delivered when its process gets its
/// turn, which on a busy machine may be later than the next look.
fn has_ended(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| {
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
    })
}

fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !has_ended(pid) {
        assert!(Instant::now() < deadline, "{pid:?} has not ended");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_platform_that_runs_is_judged_only_when_it_is_the_one_that_was_asked_for() {
    let name = Name::new();
    let line = ["dev", "--detach", "--name", name.as_str(), "--backend", "process", "--tenants", "1"];
    let up = xtask(&line, &[NO_ENGINE]);
    assert_eq!(up.code, Some(OK), "{up:#?}");
    let folder = tempfile::tempdir().unwrap();
    let spec = file(&folder, "platform.yaml", "name: t\ntenants:\n  - slug: globex\n");
    let others: [&[&str]; 5] = [
        &["--tenants", "2"],
        &["--agents", "2"],
        &["--network", "flat"],
        &["--backend", "docker"],
        &["--spec", &spec],
    ];
    for other in others {
        e2e(&name, other).assert_refused(
            other[0],
            USAGE,
            &[other[0], "is running and is another one", "--fresh"],
        );
    }
    let same =
        e2e(&name, &["--tenants", "1", "--agents", "1", "--network", "per-tenant", "--backend", "process"]);
    assert_eq!(same.code, Some(NOT_JUDGED), "{same:#?}");
    assert!(same.errors.contains("which is running (process backend)"), "{same:#?}");

    services(&name).into_iter().for_each(kill);
    let dead = e2e(&name, &["--backend", "process"]);
    assert_eq!(dead.code, Some(NOT_JUDGED), "{dead:#?}");
    assert!(dead.errors.contains("Up 5 services"), "what was killed is not judged: {dead:#?}");
}

#[test]
fn a_specification_s_own_name_is_looked_at() {
    let name = Name::new();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("name: {}\ntenants:\n  - slug: globex\n", name.as_str());
    let spec = file(&folder, "platform.yaml", &text);
    let up = xtask(&["dev", "--detach", "--backend", "process", "--spec", &spec], &[NO_ENGINE]);
    assert_eq!(up.code, Some(OK), "{up:#?}");
    let judged = xtask(&["e2e", "--spec", &spec, NONE[0], NONE[1]], &[NO_ENGINE]);
    assert!(judged.errors.contains(&format!("judging {}, which is running", name.as_str())), "{judged:#?}");
}

//! The scenarios under a fault that lets in, and under a wall in the wrong place: each is red where it is about that.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use serde_json::Value;
use support::{NO_ENGINE, OK, xtask};

/// How a scenario failed under a fault, and at which step.
fn failed<'a>(printed: &'a Value, fault: &str, scenario: &str) -> (&'a str, &'a str) {
    let faults = printed["faults"].as_array().unwrap();
    let row = faults.iter().find(|row| row["fault"] == fault).unwrap();
    let failed = row["failed"].as_array().unwrap();
    let found = failed.iter().find(|failed| failed["scenario"] == scenario);
    let found = found.unwrap_or_else(|| panic!("{scenario} passed under {fault}: {failed:#?}"));
    (found["conclusion"].as_str().unwrap(), found["step"].as_str().unwrap())
}

#[test]
fn scenarios_are_red_at_the_step_that_finds_the_mistake() {
    let faults = ["quotas-missing", "administrator-hears-everything", "agents-may-not-purge"];
    let line = ["prove", "--scenarios", "--backend", "process", "--json", "--only"];
    let line: Vec<&str> = line.iter().chain(&faults).copied().collect();
    let ended = xtask(&line, &[NO_ENGINE]);
    assert_eq!(ended.code, Some(OK), "of a part of the faults nothing is demanded: {ended:#?}");
    let printed: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((&printed["false_alarms"], &printed["all_faults"]), (&Value::from(0), &Value::from(false)));
    for (fault, scenario, conclusion, step) in [
        (
            "quotas-missing",
            "globex cannot reserve more than its share, and acme keeps its own",
            "violated",
            "{peer} is refused because {reason}",
        ),
        (
            "administrator-hears-everything",
            "the administrator cannot listen to acme's results",
            "violated",
            "{peer} receives nothing of {tenant}'s",
        ),
        (
            "agents-may-not-purge",
            "globex purges its own notes of the same name",
            "broken",
            "{peer} is answered",
        ),
    ] {
        assert_eq!(failed(&printed, fault, scenario), (conclusion, step), "{scenario} under {fault}");
    }
    assert!(
        !ended.errors.contains("panicked"),
        "a step that fails is no panic to be told of: {}",
        ended.errors
    );
}

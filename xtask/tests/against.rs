//! `--against`: an environment of ours, described as if somebody else had started it, is judged as it is; and what a file
//! says that is not so, or cannot be read, never ends well.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/secrets.rs"]
mod secrets;
#[path = "bad_input/support.rs"]
mod support;

use std::fs;
use std::path::Path;

use secrets::{assert_carries_none_of, unpacked};
use serde_json::Value;
use support::{Ended, NO_ENGINE, Name, OK, USAGE, are_here, file, xtask};

const NOT_JUDGED: i32 = 5;

fn describe(name: &Name, further: &[&str]) -> String {
    let line: Vec<&str> = ["describe", "--name", name.as_str()].iter().chain(further).copied().collect();
    let described = xtask(&line, &[NO_ENGINE]);
    assert_eq!(described.code, Some(OK), "{described:#?}");
    assert!(!described.output.contains("PRIVATE KEY"), "paths, and no key");
    described.output
}

fn judge(command: &str, file: &str) -> Ended {
    judge_with(command, file, &[])
}

fn judge_with(command: &str, file: &str, further: &[&str]) -> Ended {
    xtask(&[&[command, "--against", file, "--json"][..], further].concat(), &[NO_ENGINE])
}

fn table(ended: &Ended) -> Value {
    serde_json::from_str(&ended.output).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}

/// Everything that is not as predicted.
fn red(table: &Value) -> Vec<&Value> {
    let cells = table["cells"].as_array().unwrap().iter();
    cells.filter(|cell| cell["conclusion"] != "passed").collect()
}

#[test]
fn our_own_environment_described_is_green_with_records_and_without() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    let up = ["dev", "--detach", "--name", name.as_str(), "--backend", "process", "--tenants", "2"];
    let up = xtask(&up, &[NO_ENGINE]);
    assert_eq!(up.code, Some(OK), "{up:#?}");

    let whole = describe(&name, &[]);
    let (whole_file, reports) = (file(&folder, "whole.yaml", &whole), folder.path().join("reports"));
    let recorded = judge_with("e2e", &whole_file, &["--report", reports.to_str().unwrap()]);
    let all = table(&recorded);
    assert_eq!(recorded.code, Some(OK), "{:#?}", red(&all));
    assert!(all["cells"].as_array().unwrap().len() > 1000);
    assert_eq!(described(&all)["without_records"].as_array().unwrap().len(), 0);
    assert_eq!(all["run"]["part"], Value::Null, "it is the whole");
    assert_eq!(all, report(&reports), "what is printed is what is written");
    a_part_says_that_it_is_one(&whole_file, all["cells"].as_array().unwrap().len());

    its_evidence_is_whole(&name, &reports);

    let silent = describe(&name, &["--without-records"]);
    let silent = judge("matrix", &file(&folder, "silent.yaml", &silent));
    let all = table(&silent);
    assert_eq!(silent.code, Some(OK), "{:#?}", red(&all));
    assert_eq!(
        described(&all)["without_records"].as_array().unwrap().len(),
        4,
        "it says whose word is missing"
    );
    let found = |cell: &&Value| cell["found"]["outcome"] == "refused";
    assert!(all["cells"].as_array().unwrap().iter().filter(found).count() > 50);

    // A key that cannot be read, of one tenant alone.
    let key = format!("{}/certs/tenants/acme/components/agent-001.p1-key.pem", name.folder().display());
    assert!(whole.contains(&key));
    let gone = file(&folder, "gone.yaml", &whole.replace(&key, "gone.pem"));
    let gone = judge_with("matrix", &gone, &["--report", reports.to_str().unwrap()]);
    assert_eq!(gone.code, Some(NOT_JUDGED), "{gone:#?}");
    let all = table(&gone);
    let findings = &described(&all)["findings"];
    assert!(findings[0].as_str().unwrap().contains("gone.pem"), "{findings:#?}");
    let about = red(&all);
    let said = about.iter().filter(|cell| cell["found"].to_string().contains("gone.pem")).count();
    assert!(said > 50, "{said} cells say why they are not judged");
    let report = report(&reports);
    assert_eq!(report["verdict"]["word"], "not-judged");
    let findings = report["platform"]["started_by"]["others"]["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|finding| finding.as_str().unwrap().contains("[platform]/gone.pem")),
        "{findings:?}"
    );
    let page = fs::read_to_string(reports.join("report.html")).unwrap();
    assert!(
        page.split_once("What this means").unwrap().0.contains("[platform]/gone.pem"),
        "beside the verdict"
    );
}

/// What is known of a platform that is somebody else's.
fn described(report: &Value) -> &Value {
    &report["platform"]["started_by"]["others"]
}

fn a_part_says_that_it_is_one(file: &str, whole: usize) {
    let filter = "nats.subscribe | agent-001.p1.globex";
    let part = table(&judge_with("e2e", file, &["--filter", filter]));
    let cells = part["cells"].as_array().unwrap().len();
    assert_eq!(part["run"]["part"], serde_json::json!({ "filter": filter, "cells": cells, "of": whole }));
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().to_str().unwrap();
    let line = ["matrix", "--against", file, "--filter", filter, "--report", reports];
    let shown = xtask(&line, &[NO_ENGINE]);
    let says = format!("Filtered to {filter}: {cells} of {whole} cells; nothing is said of the rest");
    assert!(shown.output.contains(&says), "{shown:#?}");
    assert_eq!(shown.code, Some(OK), "{shown:#?}");
    assert_eq!(report(folder.path())["verdict"]["word"], "part-as-predicted");
    let verified = xtask(&["verify-evidence", reports], &[]);
    assert_eq!(verified.code, Some(OK), "{verified:#?}");
    assert!(verified.output.contains("only a part of the table was attempted"), "{verified:#?}");
}

fn report(reports: &Path) -> Value {
    serde_json::from_slice(&fs::read(reports.join("report.json")).unwrap()).unwrap()
}

/// Of a platform that is somebody else's: verified against its description, with its logs, and without a key.
fn its_evidence_is_whole(name: &Name, reports: &Path) {
    let inside = unpacked(&reports.join("evidence.tar.zst"));
    assert_carries_none_of(&name.folder(), &[reports, inside.path()]);
    let evidence = inside.path().join("evidence");
    let chain = "certs/tenants/acme/components/agent-001.p1-chain.pem";
    let parts = [
        "platform.json",
        "certs/root.pem",
        chain,
        "logs/nats.serviceradar.log",
        "logs/poller.serviceradar.log",
    ];
    for part in parts {
        let there = fs::metadata(evidence.join(part)).is_ok_and(|facts| facts.len() > 0);
        assert!(there, "{part} is missing or empty");
    }
    for part in ["spec.yaml", "environment.json"] {
        assert!(!evidence.join(part).exists(), "{part} is known of our own platforms alone");
    }
    let log = fs::read_to_string(evidence.join("logs/nats.serviceradar.log")).unwrap();
    assert!(!log.contains("Server is ready"), "what was written before the run is not the run's");
    let report = report(reports);
    assert_eq!(report["verdict"]["word"], "isolated");
    assert!(report["platform"]["started_by"]["others"]["roles"].as_array().unwrap().len() >= 5);
    for (path, says) in
        [(reports, "by whom it was made"), (&evidence, "predicts for the platform's description")]
    {
        let verified = xtask(&["verify-evidence", path.to_str().unwrap()], &[]);
        assert_eq!(verified.code, Some(OK), "{verified:#?}");
        assert!(verified.output.contains(says), "{verified:#?}");
    }
}

#[test]
fn what_cannot_be_read_is_bad_usage_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let absent = xtask(&["e2e", "--against", "/nowhere/platform.yaml"], &[NO_ENGINE]);
    absent.assert_refused("no file", USAGE, &["/nowhere/platform.yaml"]);
    let text = "schema_version: 1\nname: x\ntrust: { root: r.pem }\nplatform: {}\ntenant: []\n";
    let misspelt = file(&folder, "misspelt.yaml", text);
    let ended = xtask(&["matrix", "--against", &misspelt], &[NO_ENGINE]);
    ended.assert_refused("an unknown key", USAGE, &["tenant", "5", "docs/against.md"]);
    let ended = xtask(&["e2e", "--against", &misspelt, "--backend", "process"], &[NO_ENGINE]);
    ended.assert_refused("two platforms at once", USAGE, &["--against", "--backend"]);
    let text = "schema_version: 1\nname: x\ntrust: { root: r.pem }\nplatform: {}\n";
    let empty = xtask(&["e2e", "--against", &file(&folder, "empty.yaml", text)], &[NO_ENGINE]);
    assert_eq!(empty.code, Some(NOT_JUDGED), "{empty:#?}");
    assert!(empty.output.contains("no tenant"), "{empty:#?}");
}

/// A file that names no tenant, and a broker whose records a container writes.
fn with_records_of(container: &str) -> String {
    format!(
        "schema_version: 1\nname: x\ntrust: {{ root: r.pem }}\nplatform:\n  nats:\n    address: 127.0.0.1:1\n    \
         certificate_name: nats.example\n    records: {{ container: {container} }}\n"
    )
}

#[test]
fn records_that_a_container_writes_are_looked_for_before_anything_is_attempted() {
    let folder = tempfile::tempdir().unwrap();
    let described = file(&folder, "described.yaml", &with_records_of("no-container-is-called-this"));
    let line = ["e2e", "--against", described.as_str()];
    let said = |variables: &[(&str, &str)], words: &[&str]| {
        let ended = xtask(&line, variables);
        assert_eq!(ended.code, Some(NOT_JUDGED), "{ended:#?}");
        for word in words {
            assert!(ended.output.contains(word), "{word}: {ended:#?}");
        }
    };
    let what = "what container no-container-is-called-this writes, cannot be read: ";
    said(&[NO_ENGINE], &[what, "no container engine answers at tcp://127.0.0.1:1", "DOCKER_HOST"]);
    if are_here(&["docker"]) {
        said(&[], &[what, "No such container", "docker ps --all"]);
    }
}

//! Requests that cannot be: wrong flags and wrong specifications. Nothing is begun.

use crate::support::{NO_ENGINE, NOT_STARTED, Name, USAGE, file, xtask};

/// `dev` of a new name, which would come up if the arguments were good.
fn refused_by_dev(arguments: &[&str], code: i32, words: &[&str]) {
    let name = Name::new();
    let mut line = vec!["dev", "--detach", "--name", name.as_str()];
    line.extend(arguments);
    let what = line.join(" ");
    xtask(&line, &[NO_ENGINE]).assert_refused(&what, code, words);
    name.assert_untouched(&what);
}

#[test]
fn counts_that_cannot_be() {
    refused_by_dev(&["--tenants", "0"], USAGE, &["0 tenants", "between 1 and 1000"]);
    refused_by_dev(&["--tenants", "1001"], USAGE, &["1001 tenants", "between 1 and 1000"]);
    refused_by_dev(&["--tenants", "three"], USAGE, &["'three'", "--tenants"]);
    refused_by_dev(&["--tenants", "-1"], USAGE, &["-1"]);
    refused_by_dev(&["--agents", "0"], USAGE, &["0 agents", "between 1 and 100"]);
    refused_by_dev(&["--agents", "101"], USAGE, &["101 agents", "between 1 and 100"]);
}

#[test]
fn images_of_nothing() {
    refused_by_dev(&["--image", "foo=bar"], USAGE, &["--image foo=bar", "\"foo\"", "nats, poller and agent"]);
    for image in ["agent=", "agent"] {
        refused_by_dev(
            &["--image", image],
            USAGE,
            &["--image agent", "component=reference", "agent=my/agent:1.2"],
        );
    }
}

#[test]
fn words_that_are_no_choice() {
    refused_by_dev(&["--backend", "kubernetes"], USAGE, &["'kubernetes'", "auto, docker, process"]);
    refused_by_dev(&["--network", "open"], USAGE, &["'open'", "per-tenant, flat"]);
    refused_by_dev(&["--spec", "platform.yaml", "--tenants", "2"], USAGE, &["--tenants", "--spec"]);
}

#[test]
fn a_name_outside_the_grammar() {
    for name in ["My Environment", "../up", "a--b", "9lives", ""] {
        for command in ["dev", "status", "logs", "down", "e2e", "compose"] {
            let ended = xtask(&[command, "--name", name], &[NO_ENGINE]);
            ended.assert_refused(
                &format!("{command} --name {name:?}"),
                USAGE,
                &["--name", "lower-case letters"],
            );
        }
    }
}

#[test]
fn specifications_that_cannot_be_used() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("bad slug", "name: t\ntenants:\n  - slug: Acme_1\n", &["line 3", "\"Acme_1\"", "not a tenant slug"]),
        ("reserved slug", "name: t\ntenants:\n  - slug: acme\n  - slug: platform\n", &["line 4", "reserved"]),
        (
            "twice",
            "name: t\ntenants:\n  - slug: acme\n  - slug: acme\n",
            &["line 4", "acme is there twice", "remove one"],
        ),
        ("no tenants", "name: t\ntenants: []\n", &["0 tenants", "between 1 and 1000"]),
        ("unknown key", "name: t\ntenants:\n  - slug: acme\nnetwrok: flat\n", &["line 4", "netwrok"]),
        ("wrong type", "name: t\ntenants: 3\n", &["line 2", "a list is expected here"]),
        ("port", "name: t\ntenants:\n  - slug: acme\nports:\n  nats: four\n", &["line 5", "0 to 65535"]),
        ("empty", "", &["ends before anything is said"]),
        ("not YAML", "name: [\n", &["line"]),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (what, text, words) in cases {
        let spec = file(&folder, "platform.yaml", text);
        let mut expected = vec!["platform.yaml cannot be used"];
        expected.extend(*words);
        refused_by_dev(&["--spec", &spec], USAGE, &expected);
        let ended = xtask(&["e2e", "--spec", &spec, "--fresh"], &[NO_ENGINE]);
        ended.assert_refused(&format!("e2e, {what}"), USAGE, &expected);
    }
}

#[test]
fn an_error_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let spec = file(&folder, "platform.yaml", "name: t\ntenants:\n  - slug: platform\n");
    let ended = xtask(&["dev", "--spec", &spec], &[NO_ENGINE]);
    assert_eq!(ended.errors.matches("--> specification").count(), 1, "{}", ended.errors);
}

#[test]
fn a_specification_that_is_not_there() {
    refused_by_dev(
        &["--spec", "/nonexistent/platform.yaml"],
        USAGE,
        &["/nonexistent/platform.yaml", "No such file"],
    );
}

/// Nobody writes there, root neither, and it is there: to make it is no proof.
const CLOSED_FOLDER: &str = "/proc/self";

#[test]
fn a_report_folder_that_cannot_be_written_is_known_before_anything_starts() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    let below_a_file = file(&folder, "file", "") + "/reports";
    let described = "schema_version: 1\nname: x\ntrust: { root: r.pem }\nplatform: {}\n";
    let described = file(&folder, "described.yaml", described);
    for command in ["e2e", "matrix"] {
        for (reports, word) in [(CLOSED_FOLDER, "cannot write into"), (&below_a_file, "cannot make")] {
            let own = ["--name", name.as_str(), "--backend", "process", "--tenants", "2", "--fresh"];
            for whose in [&own[..], &["--against", &described]] {
                let line = [&[command, "--report", reports], whose].concat();
                let ended = xtask(&line, &[NO_ENGINE]);
                ended.assert_refused(&line.join(" "), USAGE, &["--report: ", word, reports]);
            }
        }
    }
    name.assert_untouched("nothing was started");
}

#[test]
fn an_engine_that_is_asked_for_and_does_not_answer() {
    let words =
        ["no container engine answers at tcp://127.0.0.1:1", "left behind: nothing", "--backend process"];
    refused_by_dev(&["--backend", "docker"], NOT_STARTED, &words);
}

#[test]
fn faults_that_nobody_has_written_down() {
    let ended = xtask(&["prove", "--backend", "process", "--only", "netwrok-flat"], &[NO_ENGINE]);
    ended.assert_refused("prove", USAGE, &["--only netwrok-flat", "network-flat", "prove --list"]);
    let ended = xtask(&["prove", "--backend", "process", "--tenants", "1"], &[NO_ENGINE]);
    ended.assert_refused("prove", USAGE, &["--tenants 1", "at least 2 tenants"]);
    let ended = xtask(&["prove", "--only", "agents-may-not-purge"], &[NO_ENGINE]);
    ended.assert_refused("prove", USAGE, &["--only agents-may-not-purge", "add --scenarios"]);
    let ended = xtask(&["prove", "--scenarios", "--runs", "2"], &[NO_ENGINE]);
    ended.assert_refused("prove", USAGE, &["--scenarios", "--runs"]);
    let ended = xtask(&["prove", "--scenarios", "--only", "netwrok-flat"], &[NO_ENGINE]);
    ended.assert_refused("prove", USAGE, &["--only netwrok-flat", "network-flat"]);
    let ended = xtask(&["prove", "--runs", "0"], &[NO_ENGINE]);
    ended.assert_refused("prove", USAGE, &["--runs 0"]);
}

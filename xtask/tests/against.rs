//! `--against`: an environment of ours, described as if somebody else had started it, is judged as it is; and what a file
//! says that is not so, or cannot be read, never ends well.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use serde_json::Value;
use support::{Ended, NO_ENGINE, Name, OK, USAGE, file, xtask};

const NOT_JUDGED: i32 = 5;

fn describe(name: &Name, further: &[&str]) -> String {
    let line: Vec<&str> = ["describe", "--name", name.as_str()].iter().chain(further).copied().collect();
    let described = xtask(&line, &[NO_ENGINE]);
    assert_eq!(described.code, Some(OK), "{described:#?}");
    assert!(!described.output.contains("PRIVATE KEY"), "paths, and no key");
    described.output
}

fn judge(command: &str, file: &str) -> Ended {
    xtask(&[command, "--against", file, "--json"], &[NO_ENGINE])
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
    let recorded = judge("e2e", &file(&folder, "whole.yaml", &whole));
    let all = table(&recorded);
    assert_eq!(recorded.code, Some(OK), "{:#?}", red(&all));
    assert!(all["cells"].as_array().unwrap().len() > 1000);
    assert_eq!(all["without_records"].as_array().unwrap().len(), 0);

    let silent = describe(&name, &["--without-records"]);
    let silent = judge("matrix", &file(&folder, "silent.yaml", &silent));
    let all = table(&silent);
    assert_eq!(silent.code, Some(OK), "{:#?}", red(&all));
    assert_eq!(all["without_records"].as_array().unwrap().len(), 4, "it says whose word is missing");
    let found = |cell: &&Value| cell["found"].as_str().unwrap().starts_with("refused, which may mean");
    assert!(all["cells"].as_array().unwrap().iter().filter(found).count() > 50);

    // A key that cannot be read, of one tenant alone.
    let key = format!("{}/certs/tenants/acme/components/agent-001.p1-key.pem", name.folder().display());
    assert!(whole.contains(&key));
    let gone = judge("e2e", &file(&folder, "gone.yaml", &whole.replace(&key, "gone.pem")));
    assert_eq!(gone.code, Some(NOT_JUDGED), "{gone:#?}");
    let all = table(&gone);
    assert!(all["findings"][0].as_str().unwrap().contains("gone.pem"), "{:#?}", all["findings"]);
    let about = red(&all);
    let said = about.iter().filter(|cell| cell["found"].as_str().unwrap().contains("gone.pem")).count();
    assert!(said > 50, "{said} cells say why they are not judged");
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

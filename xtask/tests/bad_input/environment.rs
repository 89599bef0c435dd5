//! Environments that are not there, are damaged, or are in each other's way.

use std::net::TcpListener;

use crate::support::{Ended, NO_ENGINE, NOT_STARTED, Name, OK, USAGE, file, xtask};

fn on(command: &str, name: &Name, further: &[&str]) -> Ended {
    let mut line = vec![command, "--name", name.as_str()];
    line.extend(further);
    xtask(&line, &[NO_ENGINE])
}

#[test]
fn nothing_runs() {
    let name = Name::new();
    for command in ["status", "logs"] {
        let words = ["no environment is up here", "environment.json", "cargo xtask dev"];
        on(command, &name, &[]).assert_refused(command, NOT_STARTED, &words);
    }
    let ended = on("down", &name, &[]);
    assert_eq!((ended.code, ended.output.as_str()), (Some(OK), "nothing was running\n"), "{ended:#?}");
    name.assert_untouched("asking");
}

#[test]
fn a_damaged_description_is_named_and_can_be_taken_away() {
    for text in ["{", "", "[]", "{\"schema_version\": 99}"] {
        let name = Name::new();
        std::fs::create_dir_all(name.folder()).unwrap();
        let record = name.folder().join("environment.json");
        std::fs::write(&record, text).unwrap();
        for command in ["status", "logs", "dev", "e2e"] {
            let words = [record.to_str().unwrap(), "damaged or of another version", "cargo xtask down"];
            on(command, &name, &[]).assert_refused(&format!("{command} of {text:?}"), NOT_STARTED, &words);
            assert_eq!(std::fs::read_to_string(&record).unwrap(), text, "{command} of {text:?}");
        }
        let ended = on("down", &name, &[]);
        assert_eq!(ended.code, Some(OK), "{ended:#?}");
        assert!(!record.exists(), "{} is left behind", record.display());
    }
}

/// Where no engine answers, processes are taken. What runs then answers for itself and refuses what it does not know.
#[test]
fn without_an_engine_processes_are_taken() {
    let name = Name::new();
    let ended = on("dev", &name, &["--detach", "--tenants", "1"]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    assert!(ended.errors.contains("no container engine answers at tcp://127.0.0.1:1"), "{ended:#?}");
    let record = std::fs::read_to_string(name.folder().join("environment.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record.get("backend").and_then(serde_json::Value::as_str), Some("process"), "{record:#}");

    let again = ["already up", "process backend", "cargo xtask status", "cargo xtask down"];
    on("dev", &name, &["--detach", "--tenants", "1"]).assert_refused("a second dev", NOT_STARTED, &again);
    let unknown = ["--tenant nobody", "this environment has acme"];
    on("logs", &name, &["--tenant", "nobody"]).assert_refused("logs", USAGE, &unknown);
    let unknown = ["--service postgres", "no such service", "cargo xtask status"];
    on("logs", &name, &["--service", "postgres"]).assert_refused("logs", USAGE, &unknown);
    let ended = on("status", &name, &[]);
    assert_eq!(ended.code, Some(OK), "what was refused did no harm: {ended:#?}");
}

#[test]
fn a_port_that_is_taken() {
    let name = Name::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("name: t\ntenants:\n  - slug: acme\nports:\n  nats: {port}\n");
    let spec = file(&folder, "platform.yaml", &text);
    let ended = on("dev", &name, &["--detach", "--backend", "process", "--spec", &spec]);
    let words = [&format!("port {port} for nats is taken"), "left behind", "leave `ports` out"];
    ended.assert_refused("dev", NOT_STARTED, &words);
    name.assert_nothing_runs("dev");
    drop(listener);
}

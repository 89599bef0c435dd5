//! `cargo xtask test`: every test of the project, part by part, with a summary that names what was skipped and why.

mod summary;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;

use crate::cli::{TestArguments, TestPart};
use crate::exit::Outcome;
use crate::tools::{self, Compose};
use bulkhead_runtime::build;
use bulkhead_runtime::nats_binary::NatsBinary;
use summary::{Ending, Line, exit_code};

const PARTS: [TestPart; 5] =
    [TestPart::Cargo, TestPart::Process, TestPart::Docker, TestPart::Flat, TestPart::Compose];

pub(crate) async fn run(arguments: &TestArguments) -> Outcome {
    // The tests link this program anew: its place has to be known before.
    let _ = tools::this_program();
    let nats_server = tools::nats_server().await;
    let wanted = |part: &TestPart| arguments.only.is_empty() || arguments.only.contains(part);
    let mut lines = Vec::new();
    for part in PARTS.into_iter().filter(wanted) {
        match part {
            TestPart::Cargo => lines.push(timed("cargo test", || cargo_test(&nats_server))),
            TestPart::Process => lines.push(timed("scenarios on processes", || scenarios("process", &[]))),
            TestPart::Docker => lines.push(timed("scenarios on containers", || on_engine("docker", &[]))),
            TestPart::Flat => lines.push(timed("scenarios on a flat container network", || {
                on_engine("flat", &["--network", "flat", "--tenants", "2"])
            })),
            TestPart::Compose => lines.extend(compose_parts()),
        }
    }
    println!("\n== summary");
    lines.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::from(exit_code(&lines)))
}

fn timed(name: &str, part: impl FnOnce() -> Ending) -> Line {
    println!("\n== {name}");
    let started = Instant::now();
    let ending = part();
    Line { name: name.to_owned(), ending, took: started.elapsed() }
}

fn cargo_test(nats_server: &anyhow::Result<NatsBinary>) -> Ending {
    let mut command = build::cargo();
    command.args(["test", "--workspace", "--locked"]);
    match nats_server {
        Ok(found) => command.env("BULKHEAD_NATS_SERVER", &found.path),
        Err(error) => return Ending::unjudged(format!("no nats-server for the tests: {error:#}")),
    };
    Ending::of_tests(command.status())
}

/// The scenarios against a platform of their own.
fn scenarios(label: &str, further: &[&str]) -> Ending {
    let backend = if label == "process" { "process" } else { "docker" };
    let report = tools::target_directory().join("e2e").join(label);
    let mut command = tools::this_program();
    command.args(["e2e", "--fresh", "--name", &environment_name(label), "--backend", backend]);
    command.args(further).arg("--report").arg(report);
    Ending::of_command(command.status())
}

fn on_engine(label: &str, further: &[&str]) -> Ending {
    match tools::engine_answers() {
        true => scenarios(label, further),
        false => Ending::Skipped("no container engine answers on this machine".into()),
    }
}

fn compose_parts() -> Vec<Line> {
    if !tools::engine_answers() {
        let skipped = || Ending::Skipped("no container engine answers on this machine".into());
        return vec![timed("scenarios on Compose", skipped)];
    }
    let found = tools::composes();
    if found.is_empty() {
        let skipped = || Ending::Skipped("no Compose found; set BULKHEAD_COMPOSE_V2 or install one".into());
        return vec![timed("scenarios on Compose", skipped)];
    }
    found
        .iter()
        .map(|compose| timed(&format!("scenarios on Compose {}", compose.version), || against(compose)))
        .collect()
}

/// As a person does it: writes the override, types the line that this prints, which is for this very Compose, has it
/// judged, and takes it down whatever came out.
fn against(compose: &Compose) -> Ending {
    let label = format!("compose{}", compose.version.split('.').next().unwrap_or_default());
    let name = environment_name(&label);
    let target = tools::target_directory();
    let output = compose_file(&target, &label);
    let report = target.join("e2e").join(&label);
    let written = tools::this_program()
        .args(["compose", "--tenants", "2", "--name", &name])
        .arg("--output")
        .arg(&output)
        .arg("--compose")
        .arg(&compose.program)
        .stderr(Stdio::inherit())
        .output();
    let judged = match brought_up(written) {
        Ending::Passed => {
            let judge =
                tools::this_program().args(["e2e", "--name", &name]).arg("--report").arg(report).status();
            Ending::of_command(judge)
        }
        failed => failed,
    };
    let down = Ending::of_command(tools::this_program().args(["down", "--name", &name]).status());
    match (judged, down) {
        (Ending::Passed, Ending::Failed { code, reason }) => {
            Ending::Failed { code, reason: format!("down: {reason}") }
        }
        (judged, _) => judged,
    }
}

/// Types the line that `compose` printed.
fn brought_up(written: std::io::Result<Output>) -> Ending {
    let Output { status, stdout, .. } = match written {
        Ok(output) => output,
        Err(error) => return Ending::of_command(Err(error)),
    };
    let said = String::from_utf8_lossy(&stdout);
    print!("{said}");
    match said.lines().find(|line| line.ends_with(" up -d")) {
        Some(line) if status.success() => Ending::of_typed(Command::new("sh").args(["-c", line]).status()),
        _ => match Ending::of_command(Ok(status)) {
            Ending::Passed => Ending::unjudged("compose: it printed no line to bring it up"),
            failed => failed,
        },
    }
}

fn compose_file(target: &Path, label: &str) -> PathBuf {
    target.join("e2e").join(label).join("docker-compose.override.yml")
}

/// A name of this run's own, so that a platform which the developer has running is left alone.
fn environment_name(label: &str) -> String {
    format!("test-{label}-{}", std::process::id())
}

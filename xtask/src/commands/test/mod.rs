//! `cargo xtask test`: every test of the project, part by part, with a summary that names what was skipped and why.

mod compose;
mod summary;

use std::process::{Command, ExitCode};
use std::time::Instant;

use bulkhead_judges::Python;
use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::fault::{Fault, Ground, catalogue};
use bulkhead_runtime::build;
use bulkhead_runtime::nats_binary::NatsBinary;
use bulkhead_world::Disturbance;
use tokio_util::sync::CancellationToken;

use crate::cli::{TestArguments, TestPart};
use crate::exit::{OrExit as _, Outcome};
use crate::{child, platform, say, signals, tools};
use summary::{Ending, Line, exit_code};

const PARTS: [TestPart; 10] = [
    TestPart::Cargo,
    TestPart::Process,
    TestPart::Docker,
    TestPart::Flat,
    TestPart::Compose,
    TestPart::Judges,
    TestPart::Matrix,
    TestPart::Prove,
    TestPart::ProveScenarios,
    TestPart::Disturb,
];

/// The tests of builds that can make mistakes. In the whole workspace as before, so that cargo finds every foreign
/// dependency as it is; and those tests alone, so that no shipped program is built with the mistakes in it.
const SEEDED_FAULTS: [&str; 4] = [
    "--features",
    "bulkhead-seeded/seeded-faults,bulkhead-identity/seeded-faults,bulkhead-kit/seeded-faults",
    "--test",
    "seeded",
];

/// Disturbances that `harness/world/tests/disturbances.rs` makes already, each on processes and for a shorter time: all of them
/// would take more than two minutes.
const DISTURBED_BY_CARGO: [&str; 2] = ["agent-killed", "connection-limit"];

/// What the parts have in common.
struct Run {
    nats_server: anyhow::Result<NatsBinary>,
    cancel: CancellationToken,
}

pub(crate) async fn run(arguments: &TestArguments) -> Outcome {
    // The tests link this program anew: its place has to be known before.
    let _ = tools::this_program();
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let run = Run { nats_server: tools::nats_server().await, cancel };
    let wanted = |part: &TestPart| arguments.only.is_empty() || arguments.only.contains(part);
    let mut lines = Vec::new();
    for part in PARTS.into_iter().filter(wanted) {
        match part {
            TestPart::Cargo => lines.extend(run.cargo_tests().await),
            TestPart::Process => {
                lines.push(run.timed("scenarios on processes", run.scenarios("process", &[])).await);
            }
            TestPart::Docker => {
                lines.push(run.timed("scenarios on containers", run.on_engine("docker", &[])).await);
            }
            TestPart::Flat => {
                let part = run.on_engine("flat", &["--network", "flat", "--tenants", "2"]);
                lines.push(run.timed("scenarios on a flat container network", part).await);
            }
            TestPart::Compose => lines.extend(compose::parts(&run).await),
            TestPart::Matrix => {
                lines.push(run.timed("access matrix on processes", run.matrix("process", &[])).await);
                for (label, title) in [("docker", "containers"), ("flat", "a flat container network")] {
                    let part = run.matrix_on_engine(label);
                    lines.push(run.timed(&format!("access matrix on {title}"), part).await);
                }
            }
            TestPart::Prove => {
                lines.push(run.timed("seeded faults on processes", run.prove(&[])).await);
                let part = run.prove_on_engine();
                lines.push(run.timed("seeded faults that only containers show", part).await);
            }
            TestPart::ProveScenarios => {
                let part = run.prove(&["--scenarios"]);
                lines.push(run.timed("scenarios under seeded faults", part).await);
            }
            TestPart::Disturb => {
                lines.push(run.timed("disturbances on processes", run.disturb()).await);
                let part = run.disturb_on_engine();
                lines.push(run.timed("disturbances that only containers show", part).await);
            }
            TestPart::Judges => lines.push(run.timed("judges of others' making", run.judges()).await),
        }
    }
    say::line("\n== summary");
    lines.iter().for_each(say::line);
    Ok(ExitCode::from(exit_code(&lines)))
}

impl Run {
    async fn timed(&self, name: &str, part: impl Future<Output = Ending>) -> Line {
        let started = Instant::now();
        let ending = if self.cancel.is_cancelled() {
            Ending::unjudged("interrupted before it began")
        } else {
            say::line(format_args!("\n== {name}"));
            part.await
        };
        Line { name: name.to_owned(), ending, took: started.elapsed() }
    }

    /// One of our own commands.
    async fn command(&self, command: Command) -> Ending {
        Ending::of_command(child::ended(command, &self.cancel).await.map(|output| output.status))
    }

    /// Tests of containers pass without a word where no engine answers: the summary has a line of its own for them.
    async fn cargo_tests(&self) -> Vec<Line> {
        let mut lines = vec![self.timed("cargo test", self.cargo_test(&[])).await];
        lines.push(self.timed("cargo test of seeded faults", self.cargo_test(&SEEDED_FAULTS)).await);
        if !tools::engine_answers().await {
            lines.push(self.timed("tests of containers among them", async { no_engine() }).await);
        }
        lines
    }

    async fn cargo_test(&self, further: &[&str]) -> Ending {
        let mut command = build::cargo();
        // One red target must not hide what is in the others.
        command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(further);
        match &self.nats_server {
            Ok(found) => command.env("BULKHEAD_NATS_SERVER", &found.path),
            Err(error) => return Ending::unjudged(format!("no nats-server for the tests: {error:#}")),
        };
        Ending::of_tests(child::ended(command, &self.cancel).await.map(|output| output.status))
    }

    /// The scenarios against a platform of their own.
    async fn scenarios(&self, label: &str, further: &[&str]) -> Ending {
        let backend = if label == "process" { "process" } else { "docker" };
        let report = tools::target_directory().join("e2e").join(label);
        let mut command = tools::this_program();
        let name = environment_name(label);
        command.args(["e2e", "--fresh", "--name", &name, "--backend", backend]);
        command.args(further).arg("--report").arg(report);
        let ending = self.command(command).await;
        forget_after_pass(&ending, &name);
        ending
    }

    /// The access matrix of a platform of its own.
    async fn matrix(&self, label: &str, further: &[&str]) -> Ending {
        let backend = if label == "process" { "process" } else { "docker" };
        let mut command = tools::this_program();
        let name = environment_name(&format!("matrix-{label}"));
        command.args(["matrix", "--fresh", "--name", &name, "--backend", backend]).args(further);
        let ending = self.command(command).await;
        forget_after_pass(&ending, &name);
        ending
    }

    async fn matrix_on_engine(&self, label: &str) -> Ending {
        let further: &[&str] = if label == "flat" { &["--network", "flat", "--tenants", "2"] } else { &[] };
        match tools::engine_answers().await {
            true => self.matrix(label, further).await,
            false => no_engine(),
        }
    }

    async fn prove(&self, further: &[&str]) -> Ending {
        let mut command = tools::this_program();
        command.args(["prove", "--backend", "process"]).args(further);
        self.command(command).await
    }

    async fn prove_on_engine(&self) -> Ending {
        if !tools::engine_answers().await {
            return no_engine();
        }
        let hidden = |fault: &&Fault| fault.not_covered(Ground::of(BackendKind::Process)).is_some();
        let mut command = tools::this_program();
        command.args(["prove", "--backend", "docker", "--only"]);
        command.args(catalogue().filter(hidden).map(Fault::id));
        self.command(command).await
    }

    /// Canaries have bounds on how late they may be: this part runs alone, as all parts do. What processes cannot show is shown as
    /// not covered.
    async fn disturb(&self) -> Ending {
        if let Err(error) = &self.nats_server {
            return Ending::unjudged(format!("no nats-server to disturb: {error:#}"));
        }
        let mut command = tools::this_program();
        command.args(["disturb", "--backend", "process", "--only"]);
        let ids = bulkhead_world::catalogue().iter().map(|disturbance| disturbance.id);
        command.args(ids.filter(|id| !DISTURBED_BY_CARGO.contains(id)));
        self.command(command).await
    }

    async fn disturb_on_engine(&self) -> Ending {
        if !tools::engine_answers().await {
            return no_engine();
        }
        let hidden = |disturbance: &&Disturbance| disturbance.not_covered(BackendKind::Process).is_some();
        let mut command = tools::this_program();
        command.args(["disturb", "--backend", "docker", "--only"]);
        command.args(bulkhead_world::catalogue().iter().filter(hidden).map(|disturbance| disturbance.id));
        self.command(command).await
    }

    /// What the judges are made with is looked for first: without it they have seen nothing, which is no verdict.
    async fn judges(&self) -> Ending {
        match Python::obtain(&tools::checkout(), &tools::target_directory()).await {
            Ok(_) => {
                let mut command = tools::this_program();
                command.arg("judges");
                self.command(command).await
            }
            Err(error) if bulkhead_judges::on_ci() => Ending::unjudged(error.to_string()),
            Err(error) => Ending::Skipped(error.to_string()),
        }
    }

    async fn on_engine(&self, label: &str, further: &[&str]) -> Ending {
        match tools::engine_answers().await {
            true => self.scenarios(label, further).await,
            false => no_engine(),
        }
    }
}

/// What a part that passed leaves are certificates with their keys, which nobody needs; of any other part they are kept, to look at.
fn forget_after_pass(ending: &Ending, name: &str) {
    if let (Ending::Passed, Ok(name)) = (ending, name.parse()) {
        platform::forget(&name);
    }
}

fn no_engine() -> Ending {
    Ending::Skipped("no container engine answers on this machine".to_owned())
}

/// A name of this run's own, so that a platform which the developer has running is left alone.
fn environment_name(label: &str) -> String {
    format!("test-{label}-{}", std::process::id())
}

//! The scenarios against what each installed Compose brings up.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tokio_util::sync::CancellationToken;

use super::summary::{Ending, Line};
use super::{Run, environment_name, forget_after_pass, no_engine};
use crate::tools::{self, Compose};
use crate::{child, say};

/// The releases that must both be judged where nothing may be skipped.
const MAJORS: [&str; 2] = ["1", "2"];

/// One part for each Compose, and one that says which are missing.
pub(super) async fn parts(run: &Run) -> Vec<Line> {
    let all = "scenarios on Compose";
    if !tools::engine_answers().await {
        return vec![run.timed(all, async { no_engine() }).await];
    }
    let found = match tools::composes() {
        Ok(found) => found,
        Err(error) => return vec![run.timed(all, async { Ending::unjudged(format!("{error:#}")) }).await],
    };
    let mut lines = Vec::new();
    for compose in &found {
        let part = format!("{all} {}", compose.version);
        lines.push(run.timed(&part, against(run, compose)).await);
    }
    let on_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    for major in MAJORS.into_iter().filter(|major| found.iter().all(|compose| compose.major() != *major)) {
        let part = format!("{all} {major}.x");
        lines.push(run.timed(&part, async { missing(on_ci) }).await);
    }
    lines
}

fn missing(on_ci: bool) -> Ending {
    let reason = "not found; install it, or name a 2.x with BULKHEAD_COMPOSE_V2";
    if on_ci { Ending::unjudged(reason) } else { Ending::Skipped(reason.to_owned()) }
}

/// As a person does it: writes the override, types the line that this prints, which is for this very Compose, has it
/// judged, and takes it down whatever came out.
async fn against(run: &Run, compose: &Compose) -> Ending {
    let label = format!("compose{}", compose.major());
    let name = environment_name(&label);
    let target = tools::target_directory().join("e2e").join(&label);
    let mut write = tools::this_program();
    write.args(["compose", "--tenants", "2", "--name", &name, "--compose"]).arg(&compose.program);
    write.arg("--output").arg(override_file(&target)).stdout(Stdio::piped());
    let judged = match bring_up(run, child::ended(write, &run.cancel).await).await {
        Ending::Passed => {
            let mut judge = tools::this_program();
            judge.args(["e2e", "--name", &name]).arg("--report").arg(&target);
            run.command(judge).await
        }
        failed => failed,
    };
    // Nobody else would take it down, so this is done even when somebody asks to stop.
    let mut down = tools::this_program();
    down.args(["down", "--name", &name]);
    let down =
        Ending::of_command(child::ended(down, &CancellationToken::new()).await.map(|output| output.status));
    let ending = match (judged, down) {
        (Ending::Passed, Ending::Failed { code, reason }) => {
            Ending::Failed { code, reason: format!("down: {reason}") }
        }
        (judged, _) => judged,
    };
    forget_after_pass(&ending, &name);
    ending
}

/// Types the line that `compose` printed.
async fn bring_up(run: &Run, written: std::io::Result<Output>) -> Ending {
    let Output { status, stdout, .. } = match written {
        Ok(output) => output,
        Err(error) => return Ending::of_command(Err(error)),
    };
    let said = String::from_utf8_lossy(&stdout);
    say::text(&said);
    match said.lines().find(|line| line.ends_with(" up -d")) {
        Some(line) if status.success() => {
            let mut shell = Command::new("sh");
            shell.args(["-c", line]);
            Ending::of_typed(child::ended(shell, &run.cancel).await.map(|output| output.status))
        }
        _ => match Ending::of_command(Ok(status)) {
            Ending::Passed => Ending::unjudged("compose: it printed no line to bring it up"),
            failed => failed,
        },
    }
}

fn override_file(target: &Path) -> PathBuf {
    target.join("docker-compose.override.yml")
}

//! The whole suite, as somebody types it: a platform of its own, every scenario, and down again.

use std::time::Instant;

use anyhow::Context as _;

use super::Findings;
use super::figures::{Bound, Figure};
use super::stage::Stage;
use crate::exit::{Failure, OrExit as _};
use crate::{child, platform, tools};

/// In how many seconds the suite is to be through.
const LIMIT_S: f64 = 60.0;
/// It takes much longer than everything else that is measured, so that it is not run as often.
const RUNS: usize = 3;

pub(super) async fn run(stage: &Stage) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    for backend in ["process", "docker"] {
        if backend == "docker" && !tools::engine_answers().await {
            findings.notes.push("not measured on containers: no engine answers on this machine".to_owned());
            continue;
        }
        let seconds = measure(stage, backend).await;
        let seconds = findings.keep(stage, format!("on the {backend} backend"), seconds)?.unwrap_or_default();
        let figure = Figure::of(format!("cargo xtask e2e --fresh --backend {backend}"), "s", &seconds);
        findings.figures.extend(figure.map(|figure| figure.held_to(Bound::AtMost(LIMIT_S))));
    }
    Ok(findings)
}

async fn measure(stage: &Stage, backend: &str) -> Result<Vec<f64>, Failure> {
    let mut seconds = Vec::new();
    // The first builds whatever is missing and does not count.
    scenarios(stage, backend, &["--filter", "no scenario has this in its name"]).await?;
    for _ in 0..stage.runs.min(RUNS) {
        seconds.push(scenarios(stage, backend, &[]).await?);
    }
    Ok(seconds)
}

/// Seconds of one run. A suite that does not pass has no figure.
async fn scenarios(stage: &Stage, backend: &str, further: &[&str]) -> Result<f64, Failure> {
    stage.go_on()?;
    let name = format!("bench-e2e-{backend}");
    let began = Instant::now();
    let mut command = tools::this_program();
    command.args(["e2e", "--fresh", "--json", "--name", &name, "--backend", backend]).args(further);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let output =
        child::ended(command, &stage.cancel).await.context("run `cargo xtask e2e`").or_not_judged()?;
    let seconds = began.elapsed().as_secs_f64();
    let _ = std::fs::remove_dir_all(platform::state_root().join(&name));
    stage.go_on()?;
    if !output.status.success() && further.is_empty() {
        let error = anyhow::anyhow!(
            "the suite did not pass on the {backend} backend ({}), so that its time says nothing: see `cargo xtask e2e \
             --fresh --backend {backend}`",
            output.status
        );
        return Err(error).or_not_judged();
    }
    Ok(seconds)
}

//! The access matrix of platforms of several sizes, each filled again and again while it runs: how long a whole table
//! takes, and how that grows. And the proof of the suite: every fault, once.

use std::process::Stdio;
use std::time::Instant;

use anyhow::Context as _;
use bulkhead_matrix::{Options, StandIns};
use bulkhead_plan::access::Model;
use bulkhead_plan::matrix::Plan;
use bulkhead_runtime::build::Programs;
use bulkhead_runtime::starter::{BackendChoice, ProgramSource};

use super::Findings;
use super::figures::{Bound, Figure};
use super::stage::{self, Stage, Subject};
use crate::exit::{self, Failure, OrExit as _};
use crate::{child, tools};

/// How many tenants the platforms have.
const SIZES: [usize; 3] = [3, 10, 30];
/// With more tenants than this a table takes minutes, and is filled once.
const REPEATED_TENANTS_MAXIMUM: usize = 10;
/// In how many seconds the table of 3 tenants is to be full.
const PROCESS_LIMIT_S: f64 = 3.0;
const DOCKER_LIMIT_S: f64 = 10.0;
/// How many attempts a second are made at least on processes, controls and all.
const ATTEMPTS_PER_S: f64 = 2_000.0;
/// In how many seconds every fault is to have been noticed on processes.
const PROVE_LIMIT_S: f64 = 300.0;

pub(super) async fn run(stage: &Stage) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let (programs, _) = stage::services(stage).await?;
    for backend in [BackendChoice::Process, BackendChoice::Docker] {
        if backend == BackendChoice::Docker && !tools::engine_answers().await {
            findings.notes.push("not measured on containers: no engine answers on this machine".to_owned());
            continue;
        }
        for tenants in SIZES {
            let figures = of_size(stage, &programs, &backend, tenants).await;
            let what = format!("{tenants} tenants on the {} backend", word(&backend));
            let figures = findings.keep(stage, what, figures)?.unwrap_or_default();
            findings.figures.extend(figures);
        }
    }
    let proved = prove(stage).await;
    let seconds = findings.keep(stage, "every fault".to_owned(), proved)?;
    let figure = Figure::of("cargo xtask prove --backend process", "s", seconds.as_slice());
    findings.figures.extend(figure.map(|figure| figure.held_to(Bound::AtMost(PROVE_LIMIT_S))));
    Ok(findings)
}

fn word(backend: &BackendChoice) -> &'static str {
    if *backend == BackendChoice::Process { "process" } else { "docker" }
}

async fn of_size(
    stage: &Stage,
    programs: &Programs,
    backend: &BackendChoice,
    tenants: usize,
) -> Result<Vec<Figure>, Failure> {
    let subject = Subject {
        label: if *backend == BackendChoice::Process { "matrix-process" } else { "matrix-docker" },
        tenants,
        backend: backend.clone(),
        programs: ProgramSource::Given(programs.clone()),
    };
    let environment = stage.start(&subject).await?.environment;
    let measured = measure(stage, programs, environment.record()).await;
    stage::down(environment).await?;
    subject.forget();
    let (cells, seconds, rates) = measured?;
    let (word, scale) = (word(backend), f64::from(u32::try_from(cells).unwrap_or(u32::MAX)));
    let per_cell: Vec<f64> = seconds.iter().map(|seconds| seconds * 1000.0 / scale).collect();
    let whole = Figure::of(format!("{word}, {tenants} tenants, {cells} cells"), "s", &seconds);
    let limit = if word == "process" { PROCESS_LIMIT_S } else { DOCKER_LIMIT_S };
    let whole = whole.map(|figure| match tenants {
        3 => figure.held_to(Bound::AtMost(limit)),
        _ => figure,
    });
    let rate = Figure::of(format!("{word}, {tenants} tenants, controls and all"), "attempts/s", &rates);
    let rate = rate.map(|figure| match word {
        "process" => figure.held_to(Bound::AtLeast(ATTEMPTS_PER_S)),
        _ => figure,
    });
    let cell = Figure::of(format!("{word}, {tenants} tenants, per cell"), "ms", &per_cell);
    Ok([whole, cell, rate].into_iter().flatten().collect())
}

/// The number of cells, the seconds of each run, and how many attempts it made a second. A table that is not as predicted
/// has no figure.
async fn measure(
    stage: &Stage,
    programs: &Programs,
    record: &bulkhead_plan::EnvironmentRecord,
) -> Result<(usize, Vec<f64>, Vec<f64>), Failure> {
    let plan = Plan::of(&Model::of_record(record));
    let (mut seconds, mut rates) = (Vec::new(), Vec::new());
    // The first one warms up and does not count. What takes minutes is warm soon enough.
    let (unmeasured, measured) = match record.tenants.len() > REPEATED_TENANTS_MAXIMUM {
        true => (0, 1),
        false => (1, stage.runs),
    };
    for number in 0..unmeasured + measured {
        stage.go_on()?;
        let options = Options {
            probe: programs.probe.clone(),
            stand_ins: StandIns::plain(programs.agent.clone(), programs.poller.clone()),
            run: bulkhead_matrix::fresh_run(),
            tell: Box::new(|_| {}),
        };
        let run = bulkhead_matrix::run(record.clone(), &plan, options).await.or_not_judged()?;
        if run.table.exit_code() != exit::OK {
            let red: Vec<String> = run.table.red().take(3).map(ToString::to_string).collect();
            let error =
                anyhow::anyhow!("the table is not as predicted, so that its time says nothing: {red:?}");
            return Err(error).or_not_judged();
        }
        if number >= unmeasured {
            let took = run.took.as_secs_f64();
            seconds.push(took);
            rates.push(f64::from(u32::try_from(run.attempts).unwrap_or(u32::MAX)) / took);
        }
    }
    Ok((plan.cells().len(), seconds, rates))
}

/// Once: it takes much longer than everything else that is measured.
async fn prove(stage: &Stage) -> Result<f64, Failure> {
    stage.go_on()?;
    let mut command = tools::this_program();
    command.args(["prove", "--backend", "process", "--json"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let output =
        child::ended(command, &stage.cancel).await.context("run `cargo xtask prove`").or_not_judged()?;
    let seconds = began.elapsed().as_secs_f64();
    stage.go_on()?;
    if !output.status.success() {
        let error = anyhow::anyhow!("`cargo xtask prove --backend process` ended with {}", output.status);
        return Err(error).or_not_judged();
    }
    Ok(seconds)
}

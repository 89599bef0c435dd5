//! `cargo xtask prove`: realistic mistakes are seeded one by one, and the suite must notice each of them.

mod scenarios;
mod seeding;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::fault::{Fault, Ground, Score, Verdict, catalogue, find, shut};
use bulkhead_runtime::engine::Engine;
use futures::StreamExt as _;
use futures::stream;

use crate::cli::{BackendChoice, ProveArguments};
use crate::exit::{Failure, OrExit as _, Outcome};
use crate::signals;
use seeding::Bench;

/// How many faulty environments are up at once. An environment and its attackers keep two processors busy by themselves, and
/// attempts have deadlines: more would only make the suite unsure.
const CONCURRENCY: usize = 2;
/// Fewer tenants than this have nobody to be kept apart from.
const TENANTS_MINIMUM: usize = 2;

/// What came of one fault, in all its runs.
pub(super) struct Row {
    pub(super) fault: &'static Fault,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

pub(crate) async fn run(arguments: &ProveArguments) -> Outcome {
    let faults = chosen(&arguments.only, arguments.scenarios)?;
    if arguments.list {
        show::list(&faults, arguments.json).or_not_judged()?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.tenants < TENANTS_MINIMUM || arguments.runs == 0 {
        let error = anyhow::anyhow!(
            "--tenants {} --runs {}: at least {TENANTS_MINIMUM} tenants and 1 run prove anything",
            arguments.tenants,
            arguments.runs
        );
        return Err(error).or_usage();
    }
    let backend = settled(arguments.backend).await;
    let ground = if backend == BackendChoice::Process { Ground::Processes } else { Ground::Containers };
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let (covered, uncovered): (Vec<&Fault>, Vec<&Fault>) =
        faults.iter().partition(|fault| fault.not_covered(ground).is_none());
    let bench = Bench::build(arguments.tenants, backend, &covered, &cancel).await?;
    if arguments.scenarios {
        let all = arguments.only.is_empty();
        return scenarios::run(&bench, &covered, ground, all, arguments.json).await;
    }
    let mut controls = Vec::new();
    for _ in 0..arguments.runs {
        let control = bench.control().await?;
        show::control(&control, arguments.json);
        controls.push(control);
    }
    let mut rows: Vec<Row> = Vec::new();
    let seedings = stream::iter(covered.into_iter().enumerate())
        .map(|(number, fault)| seeded(&bench, fault, number, arguments.runs));
    let seedings = seedings.buffer_unordered(CONCURRENCY);
    bench
        .to_the_end(seedings, |row| {
            show::row(&row, arguments.json);
            rows.push(row);
        })
        .await?;
    for fault in uncovered {
        let verdict = Verdict::NotCovered(fault.not_covered(ground).unwrap_or_default());
        let row = Row { fault, verdict, took: Duration::ZERO };
        show::row(&row, arguments.json);
        rows.push(row);
    }
    let score = Score::of(rows.iter().map(|row| &row.verdict), controls.iter().map(|of| &of.control));
    // As reports name it: what `settled` leaves is one of two.
    let backend = match ground {
        Ground::Processes => BackendKind::Process,
        Ground::Containers => BackendKind::Docker,
    };
    show::end(&controls, &rows, &score, arguments.json.then_some(backend)).or_not_judged()?;
    Ok(ExitCode::from(score.exit_code()))
}

/// The faults of these names, each once and in the order of the catalogue; all of them without names. The scenarios meet walls
/// in the wrong place as well.
fn chosen(ids: &[String], scenarios: bool) -> Result<Vec<&'static Fault>, Failure> {
    let further = || shut().filter(|_| scenarios);
    for id in ids.iter().filter(|id| !further().any(|fault| fault.id() == id.as_str())) {
        if shut().any(|fault| fault.id() == id.as_str()) {
            let error = anyhow::anyhow!(
                "--only {id}: it is a wall in the wrong place, which the scenarios alone meet\nwhat to do: add --scenarios"
            );
            return Err(error).or_usage();
        }
        if let Err(near) = find(id) {
            let error = anyhow::anyhow!(
                "--only {id}: there is no such fault; near it: {}\nwhat to do: `cargo xtask prove --list` shows all",
                near.join(", ")
            );
            return Err(error).or_usage();
        }
    }
    let wanted = |fault: &&Fault| ids.is_empty() || ids.iter().any(|id| id == fault.id());
    Ok(catalogue().chain(further()).filter(wanted).collect())
}

/// One fault after the other must meet the same backend.
async fn settled(choice: BackendChoice) -> BackendChoice {
    match choice {
        BackendChoice::Auto if Engine::connect().await.is_ok() => BackendChoice::Docker,
        BackendChoice::Auto => BackendChoice::Process,
        chosen => chosen,
    }
}

async fn seeded(
    bench: &Bench<'_>,
    fault: &'static Fault,
    number: usize,
    runs: usize,
) -> Result<Row, Failure> {
    let began = std::time::Instant::now();
    let mut worst: Option<Verdict> = None;
    for run in 0..runs {
        let verdict = bench.seed(fault, number * runs + run).await?;
        if worst.as_ref().is_none_or(|worst| verdict.badness() > worst.badness()) {
            worst = Some(verdict);
        }
    }
    let verdict = worst.unwrap_or(Verdict::NotJudged("it was never seeded".to_owned()));
    Ok(Row { fault, verdict, took: began.elapsed() })
}

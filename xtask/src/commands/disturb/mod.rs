//! `cargo xtask disturb`: the world is disturbed in one way after the other, and those who have no part in it must notice
//! nothing.

mod show;

use std::process::ExitCode;
use std::time::Duration;

use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::environment::BackendKind;
use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::console;
use bulkhead_runtime::engine::Engine;
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::starter::{Lifetime, ProgramSource, Starter};
use bulkhead_world::verdict::{Judgement, Verdict};
use bulkhead_world::{Disturbance, Options, catalogue, find};
use tokio_util::sync::CancellationToken;

use crate::cli::{BackendChoice, DisturbArguments};
use crate::exit::{Failure, OrExit as _, Outcome};
use crate::{platform, signals, tools};

/// One that disturbs, and one that has no part in it.
const TENANTS_MINIMUM: usize = 2;
/// How long everybody is watched before anything is done.
const CALM: Duration = Duration::from_secs(1);

/// What came of one disturbance.
pub(super) enum Row {
    /// It was made.
    Judged(Box<Judgement>),
    /// It could not be made, and why.
    NotJudged(String),
    /// This backend cannot show it, and why.
    NotCovered(&'static str),
}

impl Row {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Judged(judgement) => judgement.verdict,
            Self::NotJudged(_) => Verdict::NotJudged,
            Self::NotCovered(_) => Verdict::NotCovered,
        }
    }
}

pub(crate) async fn run(arguments: &DisturbArguments) -> Outcome {
    let chosen = chosen(&arguments.only)?;
    if arguments.list {
        show::list_all(&chosen, arguments.json).or_not_judged()?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.tenants < TENANTS_MINIMUM {
        let error = anyhow::anyhow!(
            "--tenants {}: at least {TENANTS_MINIMUM}, one that disturbs and one that has no part in it",
            arguments.tenants
        );
        return Err(error).or_usage();
    }
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let backend = settled(arguments.backend).await;
    let programs = build::programs(&tools::checkout(), &console::on_stderr()).await;
    let programs = programs.map_err(StartError::from)?;
    let mut rows = Vec::new();
    for disturbance in chosen {
        let row = match disturbance.not_covered(kind_of(backend)) {
            Some(why) => Row::NotCovered(why),
            None => one(arguments, disturbance, (backend, &programs), &cancel).await?,
        };
        show::row(disturbance, &row, arguments.json);
        rows.push((disturbance, row));
    }
    show::end(&rows, arguments.json).or_not_judged()?;
    let worst = rows.iter().map(|(_, row)| row.verdict()).max().unwrap_or(Verdict::NotJudged);
    Ok(ExitCode::from(worst.exit_code()))
}

/// Those of these names, each once and in the order of the catalogue; all of them without names.
fn chosen(ids: &[String]) -> Result<Vec<&'static Disturbance>, Failure> {
    if let Some(unknown) = ids.iter().find(|id| find(id).is_none()) {
        let known: Vec<&str> = catalogue().iter().map(|disturbance| disturbance.id).collect();
        let error =
            anyhow::anyhow!("--only {unknown}: there is no such disturbance; there are {}", known.join(", "));
        return Err(error).or_usage();
    }
    let wanted = |disturbance: &&Disturbance| ids.is_empty() || ids.iter().any(|id| id == disturbance.id);
    Ok(catalogue().iter().filter(wanted).collect())
}

/// One disturbance after the other must meet the same backend.
async fn settled(choice: BackendChoice) -> BackendChoice {
    match choice {
        BackendChoice::Auto if Engine::connect().await.is_ok() => BackendChoice::Docker,
        BackendChoice::Auto => BackendChoice::Process,
        chosen => chosen,
    }
}

const fn kind_of(settled: BackendChoice) -> BackendKind {
    match settled {
        BackendChoice::Process => BackendKind::Process,
        BackendChoice::Docker | BackendChoice::Auto => BackendKind::Docker,
    }
}

/// One disturbance in an environment of its own: what it broke for good is in no other's way.
async fn one(
    arguments: &DisturbArguments,
    disturbance: &Disturbance,
    (backend, programs): (BackendChoice, &Programs),
    cancel: &CancellationToken,
) -> Result<Row, Failure> {
    let name = format!("disturb-{}", std::process::id()).parse().or_usage()?;
    let spec = EnvironmentSpec::with_tenants(name, arguments.tenants, 1).or_usage()?;
    let mut options = platform::options(backend, Lifetime::Attached);
    options.programs = ProgramSource::Given(programs.clone());
    let mut environment = Starter::new(spec, options).await?.start(&Events::none(), cancel).await?;
    let options = Options { programs: programs.clone(), calm: CALM, wanted: |_| true };
    let judged = tokio::select! {
        judged = bulkhead_world::run(&mut environment, disturbance, &options) => Some(judged),
        () = cancel.cancelled() => None,
    };
    take_down(environment).await?;
    match judged {
        Some(Ok(judgement)) => Ok(Row::Judged(Box::new(judgement))),
        Some(Err(error)) => Ok(Row::NotJudged(error.to_string())),
        None => Err(anyhow::anyhow!("interrupted before everything was disturbed")).or_not_judged(),
    }
}

async fn take_down(environment: Environment) -> Result<(), Failure> {
    let name = environment.record().name.clone();
    environment.down(&Events::none()).await?;
    platform::forget(&name);
    Ok(())
}

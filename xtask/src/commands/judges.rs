//! `cargo xtask judges`: what programs see that are made with other people's libraries, beside what is expected.

use std::process::ExitCode;

use bulkhead_judges::{Judge, Python};
use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::access::Conclusion;
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::console;
use bulkhead_runtime::starter::{Lifetime, Starter};
use tokio_util::sync::CancellationToken;

use crate::cli::{BackendChoice, JudgeChoice, JudgesArguments, NameArgument};
use crate::exit::{self, Failure, OrExit as _, Outcome};
use crate::{platform, say, signals, tools};

/// As many as it takes to be strangers to each other.
const TENANTS: usize = 2;

pub(crate) async fn run(arguments: &JudgesArguments) -> Outcome {
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let (checkout, target) = (tools::checkout(), tools::target_directory());
    let python = tokio::select! {
        python = Python::obtain(&checkout, &target) => python.or_not_judged()?,
        () = cancel.cancelled() => return Err(interrupted()).or_not_judged(),
    };
    let code = match &arguments.name {
        Some(name) => {
            let name = platform::name(&NameArgument { name: Some(name.clone()) })?;
            let running = platform::attach(&name).await?;
            judge(arguments, &python, running.record(), &cancel).await?
        }
        None => judge_own(arguments, &python, &cancel).await?,
    };
    Ok(ExitCode::from(code))
}

/// Judges a platform that is there for nothing else.
async fn judge_own(
    arguments: &JudgesArguments,
    python: &Python,
    cancel: &CancellationToken,
) -> Result<u8, Failure> {
    let events = console::on_stderr();
    let name = platform::name(&NameArgument { name: Some(format!("judges-{}", std::process::id())) })?;
    let spec = EnvironmentSpec::with_tenants(name.clone(), TENANTS, 1).or_usage()?;
    let starter = Starter::new(spec, platform::options(BackendChoice::Process, Lifetime::Attached)).await?;
    let environment = starter.start(&events, cancel).await?;
    let judged = judge(arguments, python, environment.record(), cancel).await;
    let down = environment.down(&events).await.map_err(Failure::from);
    if down.is_ok() && judged.as_ref().is_ok_and(|code| *code == exit::OK) {
        platform::forget(&name);
    }
    match (judged, down) {
        (Ok(exit::OK), Err(down)) => Err(down),
        (judged, Err(down)) => {
            eprintln!("error: {}", down.error);
            judged
        }
        (judged, Ok(())) => judged,
    }
}

/// Has one judge after the other look at the platform. One that comes to no verdict does not hide another's.
async fn judge(
    arguments: &JudgesArguments,
    python: &Python,
    record: &EnvironmentRecord,
    cancel: &CancellationToken,
) -> Result<u8, Failure> {
    let wanted = |judge: &Judge| arguments.only.is_empty() || arguments.only.contains(&choice(*judge));
    let (mut verdicts, mut codes) = (Vec::new(), Vec::new());
    for judge in Judge::ALL.into_iter().filter(wanted) {
        let verdict = tokio::select! {
            verdict = judge.judge(python, record) => verdict,
            () = cancel.cancelled() => return Err(interrupted()).or_not_judged(),
        };
        match verdict {
            Ok(verdict) => {
                if !arguments.json {
                    say::text(&verdict);
                }
                codes.push(Conclusion::exit_code(verdict.worst()));
                verdicts.push(verdict);
            }
            Err(error) => {
                eprintln!("error: {error}");
                codes.push(exit::NOT_JUDGED);
            }
        }
    }
    if arguments.json {
        say::line(serde_json::to_string_pretty(&verdicts).or_not_judged()?);
    }
    Ok(worst(&codes))
}

/// A violation weighs more than what could not be judged.
fn worst(codes: &[u8]) -> u8 {
    let decisive = [exit::ISOLATION_VIOLATED, exit::NOT_JUDGED];
    decisive.into_iter().find(|decisive| codes.contains(decisive)).unwrap_or(exit::OK)
}

const fn choice(judge: Judge) -> JudgeChoice {
    match judge {
        Judge::Grpc => JudgeChoice::Grpc,
        Judge::Nats => JudgeChoice::Nats,
    }
}

fn interrupted() -> anyhow::Error {
    anyhow::anyhow!("interrupted before every judge had seen everything")
}

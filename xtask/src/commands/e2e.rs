//! `cargo xtask e2e`: the scenarios against the platform that is running, or against one of their own.

use std::process::ExitCode;

use bulkhead_e2e::{Conclusion, Options, Programs, Report, ScenarioReport};
use bulkhead_evidence::bundle;
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::{build, console};
use tokio_util::sync::CancellationToken;

use crate::cli::{E2eArguments, EvidenceArguments, MatrixArguments};
use crate::commands::against;
use crate::exit::{self, Failure, OrExit as _, Outcome};
use crate::paint::Paint;
use crate::request::{Request, both};
use crate::{say, signals, tools};

pub(crate) async fn run(arguments: &E2eArguments) -> Outcome {
    if let Some(file) = &arguments.judged.against {
        return against::run(&as_matrix(arguments), file).await;
    }
    if let Some(folder) = &arguments.report {
        bundle::check_writable(folder).map_err(|error| anyhow::anyhow!("--report: {error}")).or_usage()?;
    }
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let events = console::on_stderr();
    let request = Request::of("e2e", &arguments.judged)?;
    let name = request.name();
    let prepare = async {
        let running = request.running().await?;
        let command = request.command(running.as_ref());
        Ok::<_, Failure>((options(arguments, command, &events).await?, running))
    };
    let (options, running) = tokio::select! {
        prepared = prepare => prepared?,
        () = cancel.cancelled() => return Err(interrupted()).or_not_judged(),
    };
    if let Some(running) = running {
        eprintln!("judging {name}, which is running ({} backend)", running.backend);
        let report = judge(&options, running, &cancel).await?;
        return Ok(ExitCode::from(conclude(arguments, &report)?));
    }
    let environment = request.start(&events, &cancel).await?;
    let judged = judge(&options, environment.record().clone(), &cancel).await;
    let passed = judged.as_ref().is_ok_and(|report| report.exit_code() == exit::OK);
    let down = request.take_down(environment, passed, &events).await;
    let verdict = judged.and_then(|report| conclude(arguments, &report));
    both(verdict, down).map(ExitCode::from)
}

/// The scenarios are about environments of this project's; of somebody else's platform the access matrix is filled.
fn as_matrix(arguments: &E2eArguments) -> MatrixArguments {
    MatrixArguments {
        judged: arguments.judged.clone(),
        filter: arguments.filter.clone(),
        cells: false,
        predict: false,
        json: arguments.json,
        evidence: EvidenceArguments {
            report: arguments.report.clone(),
            sign_key: arguments.sign_key.clone(),
            ..EvidenceArguments::default()
        },
    }
}

async fn options(arguments: &E2eArguments, command: String, events: &Events) -> Result<Options, Failure> {
    let programs = build::programs(&tools::checkout(), events).await.map_err(StartError::from)?;
    let file = |name: &str| arguments.report.as_ref().map(|folder| folder.join(name));
    Ok(Options {
        features: arguments.features.clone().unwrap_or_else(|| tools::checkout().join("features")),
        name: arguments.filter.clone(),
        tag: arguments.tag.clone(),
        concurrency: arguments.concurrency,
        programs: Some(Programs::plain(programs.agent, programs.poller, programs.probe)),
        junit: file("junit.xml"),
        json: file("cucumber.json"),
        command,
    })
}

/// Runs the scenarios, each told as it ends. An interrupted run is no verdict.
async fn judge(
    options: &Options,
    record: EnvironmentRecord,
    cancel: &CancellationToken,
) -> Result<Report, Failure> {
    let paint = Paint::for_stderr();
    let scenarios = bulkhead_e2e::run(options, record, move |scenario| tell(scenario, paint));
    tokio::select! {
        report = scenarios => report.or_not_judged(),
        () = cancel.cancelled() => Err(interrupted()).or_not_judged(),
    }
}

fn interrupted() -> anyhow::Error {
    anyhow::anyhow!("interrupted before every scenario had run")
}

fn tell(scenario: &ScenarioReport, paint: Paint) {
    let ScenarioReport { feature, name, conclusion, why, took_ms, details, .. } = scenario;
    let word = match conclusion {
        Conclusion::Passed => paint.good(&format!("{:>12}", "Passed")),
        Conclusion::Inconclusive => paint.warning(&format!("{:>12}", "Not judged")),
        Conclusion::Broken => paint.bad(&format!("{:>12}", "BROKEN")),
        Conclusion::Violated => paint.bad(&format!("{:>12}", "VIOLATED")),
    };
    let seconds = std::time::Duration::from_millis(u64::try_from(*took_ms).unwrap_or(u64::MAX)).as_secs_f64();
    eprintln!("{word} {feature} › {name} [{seconds:.2}s]");
    if !why.is_empty() {
        eprintln!("{:>12} {}", "", why.replace('\n', "\n             "));
    }
    for detail in details {
        eprintln!("{:>12} {}", "", detail.replace('\n', "\n             "));
    }
}

/// Shows what was found, and gives the exit code.
fn conclude(arguments: &E2eArguments, report: &Report) -> Result<u8, Failure> {
    if arguments.json {
        say::line(serde_json::to_string_pretty(report).or_not_judged()?);
    } else {
        say::text(report);
    }
    Ok(report.exit_code())
}

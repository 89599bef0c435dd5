//! `cargo xtask matrix`: who can do what to whom from where, measured beside what the oracle predicts.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use bulkhead_matrix::{Options, Progress, Run, StandIns};
use bulkhead_plan::Topology;
use bulkhead_plan::access::{Conclusion, Model};
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::foreign::JudgedPlatform;
use bulkhead_plan::matrix::{Column, Entry, Field, Picture, Plan};
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::{build, console};
use tokio_util::sync::CancellationToken;

use crate::cli::{BackendChoice, MatrixArguments};
use crate::commands::against;
use crate::evidence::{self, Evidence, Outside};
use crate::exit::{self, Failure, OrExit as _, Outcome};
use crate::paint::Paint;
use crate::request::{Request, both};
use crate::{say, signals, tools};

/// How many cells that are not as predicted are shown one by one.
const SHOWN_CELLS: usize = 20;
/// How wide a field of the picture is.
const FIELD_WIDTH: usize = 11;

pub(crate) async fn run(arguments: &MatrixArguments) -> Outcome {
    if let Some(file) = &arguments.judged.against {
        return against::run(arguments, file).await;
    }
    let request = Request::of("matrix", &arguments.judged)?;
    if arguments.predict {
        return predict(arguments, &request);
    }
    let asked = (Evidence::of(&arguments.evidence)?, Outside::of(&arguments.evidence)?);
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let events = console::on_stderr();
    let running = tokio::select! {
        running = request.running() => running?,
        () = cancel.cancelled() => return Err(interrupted()).or_not_judged(),
    };
    if let Some(record) = running {
        eprintln!("judging {}, which is running ({} backend)", request.name(), record.backend);
        let run = judge(arguments, record.clone(), &events, &cancel).await?;
        return conclude(arguments, &run, &record, asked).await.map(ExitCode::from);
    }
    let environment = request.start(&events, &cancel).await?;
    let record = environment.record().clone();
    let judged = judge(arguments, record.clone(), &events, &cancel).await;
    let passed = judged.as_ref().is_ok_and(|run| run.exit_code() == exit::OK);
    // While the platform is there: what its services wrote goes with it.
    let verdict = match judged {
        Ok(run) => conclude(arguments, &run, &record, asked).await,
        Err(failure) => Err(failure),
    };
    let down = request.take_down(environment, passed, &events).await;
    both(verdict, down).map(ExitCode::from)
}

pub(crate) fn interrupted() -> anyhow::Error {
    anyhow::anyhow!("interrupted before the table was full")
}

/// The oracle's table alone, of the platform that would be started.
fn predict(arguments: &MatrixArguments, request: &Request<'_>) -> Outcome {
    let backend = match arguments.judged.backend {
        BackendChoice::Process => BackendKind::Process,
        BackendChoice::Auto | BackendChoice::Docker => BackendKind::Docker,
    };
    let topology = Topology::new(&request.spec).or_usage()?;
    show_plan(&narrowed(arguments, Plan::of(&Model::of_topology(&topology, backend)))?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn show_plan(plan: &Plan) {
    for planned in plan.cells() {
        say::line(format_args!("{}: {}", planned.cell.id(), planned.expected));
    }
}

/// The part of a plan that was asked for.
pub(crate) fn narrowed(arguments: &MatrixArguments, plan: Plan) -> Result<Plan, Failure> {
    let Some(text) = &arguments.filter else { return Ok(plan) };
    let plan = plan.only(|cell| cell.id().contains(text.as_str()));
    if plan.cells().is_empty() {
        let error = anyhow::anyhow!(
            "--filter {text}: no cell has this in its name; `cargo xtask matrix --predict` lists them"
        );
        return Err(error).or_usage();
    }
    Ok(plan)
}

async fn judge(
    arguments: &MatrixArguments,
    record: EnvironmentRecord,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Run, Failure> {
    let plan = narrowed(arguments, Plan::of(&Model::of_record(&record)))?;
    attempt(record, &plan, events, cancel).await
}

/// Attempts what is planned on a platform, whoever started it.
pub(crate) async fn attempt(
    platform: impl Into<JudgedPlatform>,
    plan: &Plan,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Run, Failure> {
    let programs = build::programs(&tools::checkout(), events).await.map_err(StartError::from)?;
    let options = Options {
        probe: programs.probe,
        stand_ins: StandIns::plain(programs.agent, programs.poller),
        run: bulkhead_matrix::fresh_run(),
        tell: progress(plan.cells().len()),
    };
    tokio::select! {
        run = bulkhead_matrix::run(platform, plan, options) => run.or_not_judged(),
        () = cancel.cancelled() => Err(interrupted()).or_not_judged(),
    }
}

/// On a terminal one line that counts; elsewhere nothing until the end.
fn progress(cells: usize) -> Progress {
    let on_a_terminal = std::io::stderr().is_terminal();
    Box::new(move |done| {
        if on_a_terminal && (done % 64 == 0 || done == cells) {
            eprint!("\r{:>12} {done} of {cells} cells", "Attempting");
            if done == cells {
                eprintln!();
            }
        }
    })
}

/// Shows what was found, writes it down where that is asked for, and gives the exit code.
async fn conclude(
    arguments: &MatrixArguments,
    run: &Run,
    record: &EnvironmentRecord,
    (evidence, outside): (Option<Evidence>, Outside),
) -> Result<u8, Failure> {
    if !arguments.json {
        show(arguments, run, Paint::for_stdout());
    }
    if !arguments.json && evidence.is_none() {
        return Ok(run.exit_code());
    }
    let report = evidence::report(run, record, arguments.filter.as_deref(), outside).await;
    if arguments.json {
        say::text(report.to_json().or_not_judged()?);
    }
    match evidence {
        Some(evidence) => both(Ok(report.verdict.exit_code), evidence.write(&report, record).await),
        None => Ok(report.verdict.exit_code),
    }
}

pub(crate) fn show(arguments: &MatrixArguments, run: &Run, paint: Paint) {
    let table = &run.table;
    show_picture(&Picture::of(table), paint);
    let red: Vec<&Entry> = table.red().collect();
    if arguments.cells {
        table.entries().iter().for_each(|entry| show_entry(entry, paint));
    } else {
        red.iter().take(SHOWN_CELLS).for_each(|entry| show_entry(entry, paint));
        if let Some(more) = red.len().checked_sub(SHOWN_CELLS).filter(|more| *more > 0) {
            say::line(format_args!(
                "{:>12} {more} more cells that are not as predicted: --json has them all",
                ""
            ));
        }
    }
    for flaw in table.flaws().iter().chain(&run.findings) {
        say::line(format_args!("{} {flaw}", paint.warning(&format!("{:>12}", "Not judged"))));
    }
    for unasked in table.unasked() {
        say::line(format_args!(
            "{} {} cells: {}",
            paint.dim(&format!("{:>12}", "Not covered")),
            unasked.cells,
            unasked.reason
        ));
    }
    for service in &run.without_records {
        say::line(format_args!(
            "{} {service} has no records here: what it refuses is taken at its word alone",
            paint.warning(&format!("{:>12}", "Its own word"))
        ));
    }
    if let Some(part) = table.part() {
        let filter = arguments.filter.as_deref().unwrap_or_default();
        let word = paint.warning(&format!("{:>12}", "Filtered"));
        say::line(format_args!("{word} to {filter}: {part}; nothing is said of the rest"));
    }
    let count = |conclusion| table.count(None, conclusion);
    let summary = format!(
        "{} cells as predicted, {} violated, {} broken, {} not judged ({} attempts in {:.2}s)",
        count(Conclusion::Passed),
        count(Conclusion::Violated),
        count(Conclusion::Broken),
        count(Conclusion::Inconclusive) + table.flaws().len(),
        run.attempts,
        run.took.as_secs_f64()
    );
    let word = format!("{:>12}", "Summary");
    let word = if run.exit_code() == exit::OK { paint.good(&word) } else { paint.bad(&word) };
    say::line(format_args!("{word} {summary}"));
}

fn show_entry(entry: &Entry, paint: Paint) {
    let word = match entry.conclusion {
        Conclusion::Passed => paint.good(&format!("{:>12}", "As predicted")),
        Conclusion::Inconclusive => paint.warning(&format!("{:>12}", "Not judged")),
        Conclusion::Broken => paint.bad(&format!("{:>12}", "BROKEN")),
        Conclusion::Violated => paint.bad(&format!("{:>12}", "VIOLATED")),
    };
    say::line(format_args!("{word} {entry}"));
    for evidence in &entry.measured.evidence {
        say::line(format_args!("{:>12}   {}", "", paint.dim(evidence)));
    }
}

fn show_picture(picture: &Picture, paint: Paint) {
    let columns: Vec<Column> = Column::ALL
        .into_iter()
        .filter(|column| picture.rows().any(|(_, _, fields)| fields.contains_key(column)))
        .collect();
    let headings: String =
        columns.iter().map(|column| format!(" {:<FIELD_WIDTH$}", column.heading())).collect();
    say::line(paint.title(&format!("{:<34}{headings}", "")));
    let mut above = None;
    for (layer, operation, fields) in picture.rows() {
        let label = if above == Some(layer) { String::new() } else { layer.to_string() };
        above = Some(layer);
        let cells: String = columns
            .iter()
            .map(|column| match fields.get(column) {
                Some(field) => format!(" {}", painted(field, paint)),
                None => format!(" {:<FIELD_WIDTH$}", ""),
            })
            .collect();
        say::line(format_args!("{label:<9} {operation:<24}{cells}"));
    }
    say::line(paint.dim(
        "+ possible, as predicted   · refused or out of reach, as predicted   ! VIOLATED   x BROKEN   ? not judged",
    ));
}

fn painted(field: &Field, paint: Paint) -> String {
    let text = format!("{field:<FIELD_WIDTH$}");
    match field.worst() {
        Some(Conclusion::Violated | Conclusion::Broken) => paint.bad(&text),
        Some(Conclusion::Inconclusive) => paint.warning(&text),
        Some(Conclusion::Passed) if field.open > 0 => paint.good(&text),
        _ => text,
    }
}

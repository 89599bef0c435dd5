//! `cargo xtask bench`: how fast things are, as medians with their spread. Bounds are reported, not enforced: machines
//! are shared, and a figure is worth what the load beside it was.

mod death;
mod docker;
mod figures;
mod matrix;
mod pki;
mod process;
mod raw;
mod stage;
mod suite;

use std::process::ExitCode;

use bulkhead_runtime::engine::chain;
use bulkhead_runtime::error::StartError;
use serde::Serialize;

use crate::cli::{BenchArguments, BenchPart};
use crate::exit::{self, Failure, OrExit as _, Outcome};
use crate::{say, signals, tools};
use figures::Figure;
use stage::Stage;

const PARTS: [BenchPart; 5] =
    [BenchPart::Pki, BenchPart::Process, BenchPart::Docker, BenchPart::E2e, BenchPart::Matrix];

/// What a run of this command found.
#[derive(Serialize)]
struct Measured {
    machine: String,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    title: &'static str,
    /// How many processes wanted a processor before it began, over the last minute: on an idle machine 0.
    load_before: String,
    #[serde(flatten)]
    findings: Findings,
}

/// What one part gives.
#[derive(Default, Serialize)]
struct Findings {
    figures: Vec<Figure>,
    /// What could not be measured, and why.
    failures: Vec<String>,
    /// What a reader must know about the figures.
    notes: Vec<String>,
}

impl Findings {
    /// What was measured; or its failure is noted and the rest goes on, unless somebody wants all of it to end.
    fn keep<T>(
        &mut self,
        stage: &Stage,
        what: String,
        result: Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match result {
            Ok(measured) => Ok(Some(measured)),
            Err(failure) if stage.cancel.is_cancelled() => Err(failure),
            Err(failure) => {
                self.failures.push(format!("{what}: {}", chain(failure.error.as_ref())));
                Ok(None)
            }
        }
    }
}

pub(crate) async fn run(arguments: &BenchArguments) -> Outcome {
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let stage = Stage::new(arguments.runs.max(1), cancel);
    let wanted = |part: &BenchPart| arguments.only.is_empty() || arguments.only.contains(part);
    let mut measured = Measured { machine: machine(), parts: Vec::new() };
    if !arguments.json {
        say::line(&measured.machine);
    }
    for part in PARTS.into_iter().filter(wanted) {
        let (title, load_before) = (title(part), load());
        eprintln!("measuring: {title}");
        let part = Part { title, load_before, findings: measure(part, &stage).await? };
        if !arguments.json {
            print(&part);
        }
        measured.parts.push(part);
    }
    if arguments.json {
        say::line(serde_json::to_string_pretty(&measured).or_not_judged()?);
    }
    let complete = measured.parts.iter().all(|part| part.findings.failures.is_empty());
    Ok(ExitCode::from(if complete { exit::OK } else { exit::NOT_JUDGED }))
}

async fn measure(part: BenchPart, stage: &Stage) -> Result<Findings, Failure> {
    match part {
        BenchPart::Pki => {
            // What it starts are programs of its own, which Ctrl-C on the terminal ends as well.
            pki::run(stage.runs).or_not_judged()
        }
        BenchPart::Process => process::run(stage).await,
        BenchPart::Docker if tools::engine_answers().await => docker::run(stage).await,
        BenchPart::Docker => Ok(no_engine()),
        BenchPart::E2e => suite::run(stage).await,
        BenchPart::Matrix => matrix::run(stage).await,
    }
}

fn title(part: BenchPart) -> &'static str {
    match part {
        BenchPart::Pki => "PKI, release build, before files are written",
        BenchPart::Process => "process backend, warm",
        BenchPart::Docker => "docker backend, warm, beside the bare engine and Compose",
        BenchPart::E2e => "the whole suite with a platform of its own, warm build",
        BenchPart::Matrix => "the access matrix of a running platform, and the proof of the suite",
    }
}

fn no_engine() -> Findings {
    Findings {
        notes: vec!["not measured: no container engine answers on this machine".to_owned()],
        ..Findings::default()
    }
}

fn print(part: &Part) {
    say::line(format_args!("\n{} (load before: {})", part.title, part.load_before));
    let Findings { figures, failures, notes } = &part.findings;
    figures.iter().for_each(|figure| say::line(figure.line()));
    failures.iter().for_each(|failure| say::line(format_args!("  NOT MEASURED: {failure}")));
    notes.iter().for_each(|note| say::line(format_args!("  note: {note}")));
}

fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{processors} processors, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The load average of the last minute, where the system tells it.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// An interrupted measurement gives no figures.
fn interrupted() -> Failure {
    Failure::from(StartError::from(bulkhead_runtime::Failure::Cancelled))
}

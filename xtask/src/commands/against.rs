//! `--against FILE`: a platform that this project did not start, judged by what a file says of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bulkhead_matrix::Run;
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_plan::matrix::{Entry, Plan, Table};
use bulkhead_runtime::console;
use serde_json::{Value, json};

use crate::cli::MatrixArguments;
use crate::commands::matrix;
use crate::evidence::{self, Evidence, Outside, Theirs};
use crate::exit::{Failure, OrExit as _, Outcome};
use crate::paint::Paint;
use crate::request::both;
use crate::{platform, say, signals};

pub(crate) async fn run(arguments: &MatrixArguments, file: &Path) -> Outcome {
    let (description, folder) = read(file)?;
    let state = platform::state_root().join(description.name.as_ref());
    let described =
        description.clone().judged(&folder, &state).with_context(|| cannot_use(file)).or_usage()?;
    let plan = Plan::of_platform(&described).with_context(|| cannot_use(file)).or_usage()?;
    let plan = matrix::narrowed(arguments, plan)?;
    if arguments.predict {
        matrix::show_plan(&plan);
        return Ok(ExitCode::SUCCESS);
    }
    let asked = (Evidence::of(&arguments.evidence)?, Outside::of(&arguments.evidence)?);
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let events = console::on_stderr();
    eprintln!("judging {}, as {} describes it", described.name, file.display());
    show_names(&described);
    // Before the first attempt: what was in their logs already is not this run's.
    let theirs = Theirs::new(description, described.clone(), folder);
    let run = matrix::attempt(described, &plan, &events, &cancel).await?;
    if arguments.json {
        say::line(serde_json::to_string_pretty(&as_json(&run, arguments.filter.as_deref())).or_not_judged()?);
    } else {
        matrix::show(arguments, &run, Paint::for_stdout());
    }
    let (Some(evidence), outside) = asked else { return Ok(ExitCode::from(run.exit_code())) };
    let report = evidence::report_of_theirs(&run, &theirs, arguments.filter.as_deref(), outside).await;
    let written = evidence.write_of_theirs(&report, theirs).await;
    both(Ok(report.verdict.exit_code), written).map(ExitCode::from)
}

fn cannot_use(file: &Path) -> String {
    format!("the description {} cannot be used (docs/against.md says what to write)", file.display())
}

/// The description, and the folder that its paths are relative to.
fn read(file: &Path) -> Result<(PlatformDescription, PathBuf), Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("read the description {}", file.display()))
        .or_usage()?;
    let folder = std::path::absolute(file).with_context(|| format!("find {}", file.display())).or_usage()?;
    let description = PlatformDescription::read(&text).with_context(|| cannot_use(file)).or_usage()?;
    Ok((description, folder.parent().unwrap_or(Path::new("/")).to_owned()))
}

/// The table is about roles; whoever looks at it wants to know whose they are.
fn show_names(described: &JudgedPlatform) {
    for role in described.credentials.keys() {
        let name = described.conventions.certificate_name(role);
        if name != role.to_string() {
            eprintln!("{:>12} {role} is {name}", "");
        }
    }
}

fn as_json(run: &Run, filter: Option<&str>) -> Value {
    let table: &Table = &run.table;
    let cell = |entry: &Entry| {
        json!({
            "cell": entry.cell.id(),
            "layer": entry.cell.layer().code(),
            "operation": entry.cell.operation.code(),
            "who": entry.cell.who.to_string(),
            "from": entry.cell.from.to_string(),
            "object": entry.cell.operation.object(),
            "expected": entry.expected.to_string(),
            "found": entry.measured.outcome.to_string(),
            "conclusion": entry.conclusion,
            "evidence": entry.measured.evidence,
            "unrecorded": entry.measured.unrecorded,
        })
    };
    json!({
        "cells": table.entries().iter().map(cell).collect::<Vec<_>>(),
        // Absent of a whole table.
        "part": table.part().map(|part| json!({ "filter": filter, "cells": part.cells, "of": part.of })),
        "flaws": table.flaws(),
        "findings": run.findings,
        "without_records": run.without_records,
        "not_covered": table.unasked().iter().map(|unasked| {
            json!({ "cells": unasked.cells, "reason": unasked.reason })
        }).collect::<Vec<_>>(),
        "took_ms": run.took.as_millis(),
        "exit_code": run.exit_code(),
    })
}

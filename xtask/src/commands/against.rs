//! `--against FILE`: a platform that this project did not start, judged by what a file says of it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bulkhead_matrix::Run;
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_plan::matrix::{Entry, Plan, Table};
use bulkhead_runtime::console;
use serde_json::{Value, json};

use crate::cli::MatrixArguments;
use crate::commands::matrix;
use crate::exit::{Failure, OrExit as _, Outcome};
use crate::paint::Paint;
use crate::{platform, say, signals};

pub(crate) async fn run(arguments: &MatrixArguments, file: &Path) -> Outcome {
    let described = read(file)?;
    let plan = Plan::of_platform(&described).with_context(|| cannot_use(file)).or_usage()?;
    let plan = matrix::narrowed(arguments, plan)?;
    if arguments.predict {
        matrix::show_plan(&plan);
        return Ok(ExitCode::SUCCESS);
    }
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let events = console::on_stderr();
    eprintln!("judging {}, as {} describes it", described.name, file.display());
    show_names(&described);
    let run = matrix::attempt(described, &plan, &events, &cancel).await?;
    if arguments.json {
        say::line(serde_json::to_string_pretty(&as_json(&run)).or_not_judged()?);
    } else {
        matrix::show(arguments, &run, Paint::for_stdout());
    }
    Ok(ExitCode::from(run.exit_code()))
}

fn cannot_use(file: &Path) -> String {
    format!("the description {} cannot be used (docs/against.md says what to write)", file.display())
}

fn read(file: &Path) -> Result<JudgedPlatform, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("read the description {}", file.display()))
        .or_usage()?;
    let folder = std::path::absolute(file).with_context(|| format!("find {}", file.display())).or_usage()?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let description = PlatformDescription::read(&text).with_context(|| cannot_use(file)).or_usage()?;
    let state = platform::state_root().join(description.name.as_ref());
    description.judged(folder, &state).with_context(|| cannot_use(file)).or_usage()
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

fn as_json(run: &Run) -> Value {
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

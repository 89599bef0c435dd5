//! `--against FILE`: a platform that this project did not start, judged by what a file says of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_plan::matrix::Plan;
use bulkhead_runtime::console;

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
    if !arguments.json {
        matrix::show(arguments, &run, Paint::for_stdout());
    }
    let (evidence, outside) = asked;
    if !arguments.json && evidence.is_none() {
        return Ok(ExitCode::from(run.exit_code()));
    }
    let report = evidence::report_of_theirs(&run, &theirs, arguments.filter.as_deref(), outside).await;
    if arguments.json {
        say::text(report.to_json().or_not_judged()?);
    }
    let code = Ok(report.verdict.exit_code);
    match evidence {
        Some(evidence) => both(code, evidence.write_of_theirs(&report, theirs).await),
        None => code,
    }
    .map(ExitCode::from)
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

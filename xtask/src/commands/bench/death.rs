//! How soon a service that dies at its start is reported. A program in an agent's place says when it ends, and ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::event::{Event, Events};
use bulkhead_runtime::starter::{BackendChoice, ProgramSource, Starter};

use super::stage::{Stage, Subject};
use crate::exit::{Failure, OrExit as _};
use crate::tools;

/// The program that the tests of the runtime have in a service's place; it does what its file name says.
const STAND_IN: &str = "bulkhead-test-stand-in";
/// What it says last, before the nanoseconds of Unix time.
const LAST_WORDS: &str = "last words at ";

/// A death as it was told.
struct Reported {
    /// Since the beginning of Unix time.
    at: Duration,
    last_lines: Vec<String>,
}

/// Seconds from the last words of an agent to the report of its death, in each of several starts that end by it.
pub(super) async fn at_start(
    stage: &Stage,
    backend: BackendChoice,
    programs: &Programs,
) -> Result<Vec<f64>, Failure> {
    let folder = tempfile::tempdir().context("make a folder for a program").or_not_judged()?;
    let agent = folder.path().join("crash");
    std::fs::copy(stand_in().or_not_judged()?, &agent).context("copy the stand-in").or_not_judged()?;
    let programs = ProgramSource::Given(Programs { agent, ..programs.clone() });
    let subject = Subject { label: "death", tenants: 1, backend, programs };
    let mut seconds = Vec::new();
    // The first makes the image and does not count.
    for run in 0..=stage.runs {
        let measured = once(stage, &subject).await;
        subject.forget();
        let measured = measured?;
        if run > 0 {
            seconds.push(measured);
        }
    }
    Ok(seconds)
}

async fn once(stage: &Stage, subject: &Subject) -> Result<f64, Failure> {
    stage.go_on()?;
    let reported: Arc<Mutex<Option<Reported>>> = Arc::default();
    let noted = reported.clone();
    let events = Events::new(move |event| {
        if let Event::ServiceDied(death) = event {
            let report =
                Reported { at: UNIX_EPOCH.elapsed().unwrap_or_default(), last_lines: death.last_lines };
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        }
    });
    let starter = Starter::new(subject.spec()?, subject.options()).await?;
    let ended = starter.start(&events, &stage.cancel).await;
    stage.go_on()?;
    let reported = reported.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = ended.map_or_else(|error| error.to_string(), |_| "it is up".to_owned());
    let reported = reported.with_context(|| format!("no death was reported: {ended}")).or_not_judged()?;
    let mut lines = reported.last_lines.iter();
    let spoke_ns = lines.find_map(|line| line.strip_prefix(LAST_WORDS)?.parse::<u64>().ok());
    let spoke = spoke_ns.context("its last words are not in the report").or_not_judged()?;
    Ok(reported.at.saturating_sub(Duration::from_nanos(spoke)).as_secs_f64())
}

/// Built with the same packages as the services, so that no dependency is compiled another way.
fn stand_in() -> anyhow::Result<PathBuf> {
    let packages = ["-p", "bulkhead-agent", "-p", "bulkhead-poller", "-p", "xtask", "-p", "bulkhead-runtime"];
    let mut cargo = build::cargo();
    cargo.args(["build", "--quiet", "--bins"]).args(packages).current_dir(tools::checkout());
    let output = cargo.output().context("have cargo build the stand-in")?;
    anyhow::ensure!(output.status.success(), "cargo: {}", String::from_utf8_lossy(&output.stderr));
    let own =
        std::env::current_exe().context("find this very program, beside which cargo puts the others")?;
    Ok(own.with_file_name(STAND_IN))
}

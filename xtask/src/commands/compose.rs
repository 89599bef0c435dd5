//! `cargo xtask compose`: the same platform for a stock Compose: the override rendered, and brought up when asked.

use std::process::ExitCode;

use anyhow::Context as _;
use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::placement::Placement;
use bulkhead_plan::render::{self, ComposeOptions};
use bulkhead_plan::topology::Topology;
use bulkhead_runtime::backend::compose::ComposeFiles;
use bulkhead_runtime::console;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::starter::{BackendChoice, Lifetime, Starter};

use crate::cli::ComposeArguments;
use crate::exit::{self, Failure, OrExit as _, Outcome};
use crate::{cli, overview, platform, say, signals, tools};

/// The committed example: two tenants, under this name.
const EXAMPLE: &str = "compose/docker-compose.override.yml.example";
const EXAMPLE_NAME: &str = "example";
const EXAMPLE_TENANTS: usize = 2;

pub(crate) async fn run(arguments: &ComposeArguments) -> Outcome {
    if arguments.check {
        return check();
    }
    let spec = platform::spec(&arguments.platform, &arguments.name)?;
    let (name, program) = (spec.name.clone(), program(arguments)?);
    let files = ComposeFiles {
        program,
        base: tools::checkout().join("compose/docker-compose.yml"),
        rendered: std::path::absolute(&arguments.output).or_usage()?,
    };
    let mut options = platform::options(cli::BackendChoice::Docker, Lifetime::Detached);
    options.backend = BackendChoice::Compose(files.clone());
    let (events, cancel) = (console::on_stderr(), signals::cancelled_by_signal().or_not_started()?);
    let starter = Starter::new(spec, options).await?;
    if arguments.up {
        let environment = starter.start(&events, &cancel).await?;
        say::text(overview::ready(environment.record()));
    } else {
        let handover = tokio::select! {
            written = starter.write_only(&events) => written?,
            () = cancel.cancelled() => return Err(StartError::from(bulkhead_runtime::Failure::Cancelled).into()),
        };
        say::line(format_args!("{} is written, and what it mounts; bring it up", files.rendered.display()));
        say::line(format_args!("  {}", handover.bring_up()));
        say::line("and then, as with any other environment");
        say::line(format_args!("  cargo xtask e2e --name {name}      (or status, logs, down)"));
    }
    Ok(ExitCode::from(exit::OK))
}

fn program(arguments: &ComposeArguments) -> Result<std::path::PathBuf, Failure> {
    if let Some(program) = &arguments.compose {
        return Ok(program.clone());
    }
    let first = tools::composes().or_usage()?.into_iter().next().map(|compose| compose.program);
    first.context("no Compose was found: install docker-compose, or name one with --compose").or_usage()
}

/// Whether the committed example is what this program renders.
fn check() -> Outcome {
    let rendered = example().or_usage()?;
    let path = tools::checkout().join(EXAMPLE);
    let committed =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display())).or_usage()?;
    if committed == rendered {
        say::line(format_args!("{EXAMPLE} is current"));
        return Ok(ExitCode::from(exit::OK));
    }
    let line =
        committed.lines().zip(rendered.lines()).position(|(old, new)| old != new).map_or(0, |at| at + 1);
    let error = anyhow::anyhow!(
        "{EXAMPLE} is not what is rendered now: the first difference is in line {line}; update it with \
         `BULKHEAD_UPDATE=1 cargo test -p bulkhead-plan`"
    );
    Err(Failure { code: exit::USAGE, error })
}

fn example() -> anyhow::Result<String> {
    let spec = EnvironmentSpec::with_tenants(EXAMPLE_NAME.parse()?, EXAMPLE_TENANTS, 1)?;
    let topology = Topology::new(&spec)?;
    let placement = Placement::containers(&topology)?;
    let options = ComposeOptions::new("../.bulkhead/compose", "1000:1000");
    Ok(render::compose(&topology, &placement, &options)?)
}

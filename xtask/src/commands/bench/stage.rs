//! What every measured start has in common: names of its own, a clock around it, and nothing left of it.

use std::time::Instant;

use bulkhead_plan::EnvironmentSpec;
use bulkhead_runtime::build;
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::starter::{BackendChoice, Lifetime, ProgramSource, StartOptions, Starter};
use tokio_util::sync::CancellationToken;

use super::interrupted;
use crate::exit::{Failure, OrExit as _};
use crate::{cli, platform, tools};

/// In how many seconds a death at the start is to be reported.
pub(super) const DEATH_S: f64 = 0.1;

/// How often to measure, and when to stop.
pub(super) struct Stage {
    pub(super) runs: usize,
    pub(super) cancel: CancellationToken,
}

/// One environment to start again and again.
pub(super) struct Subject {
    /// Part of its name, which no environment of a developer has.
    pub(super) label: &'static str,
    pub(super) tenants: usize,
    pub(super) backend: BackendChoice,
    pub(super) programs: ProgramSource,
}

/// An environment that is up, and how long that took.
pub(super) struct Started {
    pub(super) environment: Environment,
    pub(super) seconds: f64,
}

impl Stage {
    pub(super) fn new(runs: usize, cancel: CancellationToken) -> Self {
        Self { runs, cancel }
    }

    /// Ends the measurement when somebody asked to.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() { Err(interrupted()) } else { Ok(()) }
    }

    /// Everything from the choice of the backend to the last answer. An environment that does not get there takes
    /// itself down, and so does one whose start is interrupted.
    pub(super) async fn start(&self, subject: &Subject) -> Result<Started, Failure> {
        self.go_on()?;
        let spec = subject.spec()?;
        let began = Instant::now();
        let starter = Starter::new(spec, subject.options()).await?;
        let environment = starter.start(&Events::none(), &self.cancel).await?;
        Ok(Started { environment, seconds: began.elapsed().as_secs_f64() })
    }
}

impl Subject {
    pub(super) fn options(&self) -> StartOptions {
        let mut options = platform::options(cli::BackendChoice::Auto, Lifetime::Attached);
        options.backend = self.backend.clone();
        options.programs = self.programs.clone();
        options
    }

    pub(super) fn spec(&self) -> Result<EnvironmentSpec, Failure> {
        let name = self.name().parse().or_usage()?;
        EnvironmentSpec::with_tenants(name, self.tenants, 1).or_usage()
    }

    fn name(&self) -> String {
        format!("bench-{}-{}", self.label, self.tenants)
    }

    /// Removes the certificates and logs, which an environment leaves for its next start. What cannot be removed is in
    /// nobody's way, and git ignores it.
    pub(super) fn forget(&self) {
        let _ = std::fs::remove_dir_all(platform::state_root().join(self.name()));
    }
}

/// Takes an environment down and says how many seconds that took.
pub(super) async fn down(environment: Environment) -> Result<f64, Failure> {
    let began = Instant::now();
    environment.down(&Events::none()).await.or_not_started()?;
    Ok(began.elapsed().as_secs_f64())
}

/// The services as `dev` builds them, and what it takes cargo to find out that they are built already.
pub(super) async fn services(stage: &Stage) -> Result<(build::Programs, Vec<f64>), Failure> {
    let mut seconds = Vec::new();
    let ask = async || build::ask_cargo(&tools::checkout(), &Events::none()).await;
    let mut programs = ask().await.map_err(StartError::from)?;
    for _ in 0..stage.runs {
        stage.go_on()?;
        let began = Instant::now();
        programs = ask().await.map_err(StartError::from)?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok((programs, seconds))
}

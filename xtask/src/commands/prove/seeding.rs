//! One environment after another: without a fault, then with each.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_e2e::Report;
use bulkhead_identity::TenantSlug;
use bulkhead_matrix::{Options, Run, StandInProgram, StandIns};
use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::access::Model;
use bulkhead_plan::fault::{Control, Fault, Ground, RUN, Red, Verdict, judge};
use bulkhead_plan::matrix::Plan;
use bulkhead_plan::spec::TenantSpec;
use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::console;
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::starter::{Lifetime, ProgramSource, StartOptions, Starter};
use futures::{Stream, StreamExt as _};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::cli::BackendChoice;
use crate::exit::{Failure, OrExit as _};
use crate::{platform, tools};

/// How long a service may take to be ready where the platform is to refuse: it says so at once, or never.
const REFUSAL_LIMIT: Duration = Duration::from_secs(10);
/// How many scenarios run at once in an environment, as `cargo xtask e2e` has it.
const SCENARIOS_AT_ONCE: usize = 8;
/// Names of which the second begins with the first: a comparison by prefix shows.
const SLUGS: [&str; 5] = ["acme", "acme2", "globex", "initech", "umbrella"];

/// What all environments of a run have in common.
pub(super) struct Bench<'a> {
    tenants: usize,
    backend: BackendChoice,
    shipped: Programs,
    seeded: Option<Programs>,
    cancel: &'a CancellationToken,
}

/// The suite's word on an environment without any fault.
pub(super) struct ControlRun {
    pub(super) control: Control,
    pub(super) took: Duration,
}

/// What came of the scenarios in one environment.
pub(super) enum Played {
    /// They ran, and this is how they ended.
    Whole(Report),
    /// The platform itself did not start with the fault, for the reason that is named for it.
    RefusedAtStart,
    /// It could not be judged, and why.
    NotJudged(String),
}

impl<'a> Bench<'a> {
    /// Builds the programs that are needed.
    pub(super) async fn build(
        tenants: usize,
        backend: BackendChoice,
        faults: &[&Fault],
        cancel: &'a CancellationToken,
    ) -> Result<Self, Failure> {
        let (checkout, events) = (tools::checkout(), console::on_stderr());
        let shipped = build::programs(&checkout, &events).await.map_err(StartError::from)?;
        let in_code = faults.iter().any(|fault| fault.in_code() != (false, false));
        let seeded = match in_code {
            true => Some(build::seeded_programs(&checkout, &events).await.map_err(StartError::from)?),
            false => None,
        };
        Ok(Self { tenants, backend, shipped, seeded, cancel })
    }

    /// Tells of each of these, until all have ended or one has failed. Then the others, whose environments are up, are
    /// interrupted and take them down before this ends.
    pub(super) async fn to_the_end<Row>(
        &self,
        work: impl Stream<Item = Result<Row, Failure>>,
        mut tell: impl FnMut(Row),
    ) -> Result<(), Failure> {
        let mut work = std::pin::pin!(work);
        let mut first_failure = None;
        while let Some(ended) = work.next().await {
            match ended {
                Ok(row) => tell(row),
                Err(failure) => {
                    self.cancel.cancel();
                    first_failure.get_or_insert(failure);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// The matrix without a fault.
    pub(super) async fn control(&self) -> Result<ControlRun, Failure> {
        let environment = self.start(None, 0).await?.map_err(Failure::from)?;
        let run = self.attack(&environment, None).await;
        take_down(environment).await?;
        let Run { table, took, .. } = run?;
        Ok(ControlRun { control: Control::of(&table), took })
    }

    /// Seeds a fault, and says what came of it.
    pub(super) async fn seed(&self, fault: &'static Fault, number: usize) -> Result<Verdict, Failure> {
        let environment = match self.start(Some(fault), number + 1).await? {
            Ok(environment) => environment,
            Err(refused) => return Ok(Verdict::of_failed_start(fault, &refused.failure.to_string())),
        };
        let ground = Ground::of(environment.record().backend);
        let run = self.attack(&environment, Some(fault)).await;
        take_down(environment).await?;
        match run {
            Ok(run) => Ok(Verdict::of(fault, &judge(fault, &run.table, ground))),
            Err(failure) if self.cancel.is_cancelled() => Err(failure),
            Err(failure) => Ok(Verdict::NotJudged(failure.error.to_string())),
        }
    }

    /// The scenarios in an environment of their own, with a fault or without.
    pub(super) async fn play(&self, fault: Option<&'static Fault>, number: usize) -> Result<Played, Failure> {
        let environment = match (self.start(fault, number).await?, fault) {
            (Ok(environment), _) => environment,
            (Err(refused), None) => return Err(Failure::from(refused)),
            (Err(refused), Some(fault)) => {
                let verdict = Verdict::of_failed_start(fault, &refused.failure.to_string());
                return Ok(match verdict {
                    Verdict::NotJudged(why) => Played::NotJudged(why),
                    _ => Played::RefusedAtStart,
                });
            }
        };
        let report = self.tell(&environment, fault).await;
        take_down(environment).await?;
        match report {
            Ok(report) => Ok(Played::Whole(report)),
            Err(failure) if fault.is_none() || self.cancel.is_cancelled() => Err(failure),
            Err(failure) => Ok(Played::NotJudged(failure.error.to_string())),
        }
    }

    /// An environment of its own. What does not start is a finding, unless somebody asked to stop.
    async fn start(
        &self,
        fault: Option<&'static Fault>,
        number: usize,
    ) -> Result<Result<Environment, StartError>, Failure> {
        if self.cancel.is_cancelled() {
            return Err(interrupted());
        }
        let mut options: StartOptions = platform::options(self.backend, Lifetime::Attached);
        options.programs = ProgramSource::Given(self.programs(fault));
        options.fault = fault;
        if fault.is_some_and(|fault| matches!(fault.red(), Red::RefusesToStart(_))) {
            options.ready_timeout = REFUSAL_LIMIT;
        }
        let spec = self.spec(number)?;
        let name = spec.name.clone();
        let started = match Starter::new(spec, options).await {
            Ok(starter) => starter.start(&Events::none(), self.cancel).await,
            Err(error) => Err(error),
        };
        if started.is_err() {
            platform::forget(&name);
        }
        if self.cancel.is_cancelled() {
            if let Ok(environment) = started {
                take_down(environment).await?;
            }
            return Err(interrupted());
        }
        Ok(started)
    }

    fn spec(&self, number: usize) -> Result<EnvironmentSpec, Failure> {
        let name = format!("prove-{}-{number}", std::process::id()).parse().or_usage()?;
        let tenants = (0..self.tenants).map(|place| {
            let slug =
                SLUGS.get(place).map_or_else(|| format!("tenant-{:03}", place + 1), ToString::to_string);
            let slug: TenantSlug = slug.parse()?;
            Ok(TenantSpec { slug, agents: vec!["agent-001.p1".parse()?] })
        });
        let tenants = tenants.collect::<Result<Vec<_>, bulkhead_identity::NameError>>().or_usage()?;
        EnvironmentSpec::new(name, tenants).or_usage()
    }

    /// The programs that make the mistake, where it is in code, and the shipped ones for everything else.
    fn programs(&self, fault: Option<&Fault>) -> Programs {
        let mut programs = self.shipped.clone();
        if let (Some((agents, poller)), Some(seeded)) = (fault.map(Fault::in_code), &self.seeded) {
            if agents {
                programs.agent.clone_from(&seeded.agent);
            }
            if poller {
                programs.poller.clone_from(&seeded.poller);
            }
        }
        programs
    }

    async fn attack(&self, environment: &Environment, fault: Option<&Fault>) -> Result<Run, Failure> {
        let record = environment.record().clone();
        let plan = Plan::of(&Model::of_record(&record));
        let (probe, stand_ins) = self.stand_ins(fault);
        // An environment of one run alone: its name may be known to the fault beforehand.
        let options = Options { probe, stand_ins, run: RUN.to_owned(), tell: Box::new(|_| {}) };
        tokio::select! {
            run = bulkhead_matrix::run(record, &plan, options) => run.or_not_judged(),
            () = self.cancel.cancelled() => Err(interrupted()),
        }
    }

    /// What makes attempts, and what stands in where services dial.
    fn stand_ins(&self, fault: Option<&Fault>) -> (PathBuf, StandIns) {
        let Programs { agent, poller, probe } = self.programs(fault);
        let mistaken = fault.map(Fault::in_code).unwrap_or_default();
        let stand_ins = StandIns {
            agent: stand_in(agent, fault.filter(|_| mistaken.0)),
            poller: stand_in(poller, fault.filter(|_| mistaken.1)),
        };
        (probe, stand_ins)
    }

    /// Runs every scenario.
    async fn tell(&self, environment: &Environment, fault: Option<&Fault>) -> Result<Report, Failure> {
        let (probe, stand_ins) = self.stand_ins(fault);
        let options = bulkhead_e2e::Options {
            features: tools::checkout().join("features"),
            name: None,
            tag: None,
            concurrency: SCENARIOS_AT_ONCE,
            programs: Some(bulkhead_e2e::Programs { probe, stand_ins }),
            junit: None,
            json: None,
            command: "cargo xtask prove --scenarios".to_owned(),
        };
        tokio::select! {
            report = bulkhead_e2e::run(&options, environment.record().clone(), |_| {}) => report.or_not_judged(),
            () = self.cancel.cancelled() => Err(interrupted()),
        }
    }
}

/// A stand-in makes the mistake as well, where it is in its code.
fn stand_in(path: PathBuf, fault: Option<&Fault>) -> StandInProgram {
    let mut program = StandInProgram::plain(path);
    if let Some(fault) = fault {
        program.settings.insert("seeded_fault".to_owned(), Value::from(fault.id()));
    }
    program
}

async fn take_down(environment: Environment) -> Result<(), Failure> {
    let name = environment.record().name.clone();
    environment.down(&Events::none()).await?;
    platform::forget(&name);
    Ok(())
}

fn interrupted() -> Failure {
    Failure {
        code: crate::exit::NOT_JUDGED,
        error: anyhow::anyhow!("interrupted before every fault was seeded"),
    }
}

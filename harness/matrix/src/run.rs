//! One run: probes to their places, every planned cell attempted, the two tables compared.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_plan::access::{Conclusion, Operation, Vantage, Who};
use bulkhead_plan::foreign::{JudgedPlatform, Records};
use bulkhead_plan::matrix::{Cell, Plan, Table};
use bulkhead_probe::Nonce;
use bulkhead_runtime::probe::preflight::{Findings, preflight};
use bulkhead_runtime::vantage::{VantageError, Vantages};
use bulkhead_runtime::workdir::{Lock, WorkdirError};

use crate::site::Site;
use crate::{disk, doors, impersonation, network, talk};

/// In an environment's folder: whoever has it locked fills the matrix.
const LOCK_FILE: &str = "matrix.lock";

/// How to run.
pub struct Options {
    /// The probe's program.
    pub probe: PathBuf,
    /// The services' programs, for stand-ins that are led astray.
    pub stand_ins: StandIns,
    /// Is in the name of everything that the run keeps at the broker, so that it is told from other runs' (see
    /// [`fresh_run`]).
    pub run: String,
    /// Told after each cell how many have been attempted.
    pub tell: Progress,
}

/// A name that no other run has.
pub fn fresh_run() -> String {
    Nonce::fresh().to_string()
}

/// The programs of the services that are judged.
#[derive(Debug, Clone)]
pub struct StandIns {
    /// The agent.
    pub agent: StandInProgram,
    /// The poller.
    pub poller: StandInProgram,
}

/// A program, and how it is configured beside what every stand-in needs.
#[derive(Debug, Clone)]
pub struct StandInProgram {
    /// The program.
    pub path: PathBuf,
    /// Further top-level entries of its configuration.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl StandIns {
    /// Programs that are configured as they always are.
    pub fn plain(agent: PathBuf, poller: PathBuf) -> Self {
        Self { agent: StandInProgram::plain(agent), poller: StandInProgram::plain(poller) }
    }
}

impl StandInProgram {
    /// A program that is configured as it always is.
    pub fn plain(path: PathBuf) -> Self {
        Self { path, settings: serde_json::Map::new() }
    }
}

/// Who is told how far a run is.
pub type Progress = Box<dyn Fn(usize) + Send + Sync>;

/// A run that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// A place has no probe.
    #[error("nothing was attempted, since not every place has its probe: {0}")]
    Vantage(#[from] VantageError),
    /// Another run is under way: each would find what the other does.
    #[error(
        "nothing was attempted, since another run fills the matrix of this environment: {0}; wait until it has ended"
    )]
    Busy(WorkdirError),
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// Both tables.
    pub table: Table,
    /// How long the attempts took, all together, probes in their places.
    pub took: Duration,
    /// How many attempts that were, controls and all: connections, handshakes, calls, steps on a connection.
    pub attempts: u64,
    /// What of a platform's description is not so.
    pub findings: Vec<String>,
    /// Services whose records nobody can read: what they refuse is taken at their word.
    pub without_records: Vec<String>,
}

impl Run {
    /// The process's exit code: the table's; and a description that is not so proves nothing, whatever the table says.
    pub fn exit_code(&self) -> u8 {
        let worst = self.table.worst().unwrap_or(Conclusion::Inconclusive);
        let description =
            if self.findings.is_empty() { Conclusion::Passed } else { Conclusion::Inconclusive };
        Conclusion::exit_code(Some(worst.max(description)))
    }
}

/// Attempts every planned cell.
///
/// # Errors
/// Nothing could be attempted at all. A cell that could not be attempted is one that could not be judged.
pub async fn run(
    platform: impl Into<JudgedPlatform>,
    plan: &Plan,
    options: Options,
) -> Result<Run, MatrixError> {
    let platform = platform.into();
    let lock = platform.own.as_ref().map(|record| Lock::take(&record.state_dir.join(LOCK_FILE)));
    let _alone = lock.transpose().map_err(MatrixError::Busy)?;
    let (vantages, findings) = match &platform.own {
        Some(record) => (Vantages::open(record, &places(plan), &options.probe).await?, Findings::default()),
        // What others say of their platform is looked at first: a key that does not fit would look like a wall.
        None => {
            let vantages = Vantages::open_here(&platform.name, &platform.state_dir, &options.probe)?;
            (vantages, preflight(&platform).await)
        }
    };
    let began = Instant::now();
    let silent = platform.services.iter().filter(|(_, service)| service.records == Records::None);
    let without_records = silent.map(|(name, _)| platform.conventions.certificate_name(name)).collect();
    let site = Arc::new(Site::new(platform, vantages, options.tell));
    let cells = Sorted::of(&site, plan, &findings);
    tokio::join!(
        network::attempt(&site, &cells.network),
        doors::attempt(&site, &cells.doors),
        talk::attempt(&site, &cells.talk, &options.run),
        async { disk::attempt(&site, &cells.disk) },
        impersonation::attempt(&site, &options.stand_ins, &cells.impersonation),
    );
    // What uses up a tenant's share, or keeps a door to itself, would be in every other attempt's way.
    doors::hold(&site, &cells.doors).await;
    talk::exhaust(&site, &cells.talk).await;
    let took = began.elapsed();
    let measured = site.take_measured();
    let attempts = site.attempts();
    if let Some(site) = Arc::into_inner(site) {
        site.vantages.close().await;
    }
    Ok(Run {
        table: Table::compare(plan, measured),
        took,
        attempts,
        findings: findings.all().collect(),
        without_records,
    })
}

/// Every place that a planned attempt is made from; the controls are made from this machine.
fn places(plan: &Plan) -> Vec<Vantage> {
    let mut places: Vec<Vantage> = plan.cells().iter().map(|planned| planned.cell.from.clone()).collect();
    places.push(Vantage::Host);
    places.sort();
    places.dedup();
    places
}

/// Why an attempt would say nothing: something is not as the description says, with whoever makes it, with the service, or
/// with whoever shows that the service is well.
fn hindrance(findings: &Findings, cell: &Cell) -> Option<String> {
    let Findings { everywhere, identities, services } = findings;
    let name = match &cell.who {
        Who::Peer(name) | Who::Forged { name, .. } => Some(name),
        Who::Anonymous => None,
    };
    let service = cell.operation.service();
    let of_service = service.as_ref().and_then(|service| services.get(service));
    let found = [name.and_then(|name| identities.get(name)), of_service];
    let found = found.into_iter().flatten().flatten().chain(everywhere);
    let found: Vec<&str> = found.map(String::as_str).collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// The cells by the manner in which they are attempted.
#[derive(Default)]
struct Sorted {
    network: Vec<Cell>,
    doors: Vec<Cell>,
    talk: Vec<Cell>,
    disk: Vec<Cell>,
    impersonation: Vec<Cell>,
}

impl Sorted {
    /// Those that can be attempted; of the others it is filed why they cannot.
    fn of(site: &Site, plan: &Plan, findings: &Findings) -> Self {
        let mut sorted = Self::default();
        for planned in plan.cells() {
            let cell = planned.cell.clone();
            if let Some(why) = hindrance(findings, &cell) {
                site.file_unjudged(&cell, why);
                continue;
            }
            let list = match cell.operation {
                Operation::Reach { .. } | Operation::SideDoor { .. } => &mut sorted.network,
                Operation::Handshake { .. }
                | Operation::Resume { .. }
                | Operation::Knock { .. }
                | Operation::Call { .. }
                | Operation::AskForAnother { .. }
                | Operation::ReportForAnother { .. }
                | Operation::Connect => &mut sorted.doors,
                Operation::ConnectAs { .. }
                | Operation::Broker { .. }
                | Operation::Message { .. }
                | Operation::Storage { .. }
                | Operation::ReadResults { .. }
                | Operation::FileReport { .. }
                | Operation::FilePolled { .. } => &mut sorted.talk,
                Operation::Impersonate { .. } => &mut sorted.impersonation,
                Operation::Find { .. } => &mut sorted.disk,
            };
            list.push(cell);
        }
        sorted
    }
}

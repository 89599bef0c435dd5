//! One disturbance from the calm before it to the green matrix after it.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_matrix::{Run, StandIns};
use bulkhead_plan::access::{Conclusion, Manner, Model, Operation};
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_plan::matrix::{Cell, Plan, Table};
use bulkhead_runtime::build::Programs;
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::vantage::VantageError;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::canary::Nest;
use crate::deed::{self, Ground};
use crate::disturbance::{Deed, Disturbance, Reach};
use crate::stage::Stage;
use crate::trace::{Flock, Moment, Span};
use crate::verdict::{Afterwards, Judgement, Meanwhile, Observed, judge};

/// A matrix that is not full by then hangs.
const MATRIX_LIMIT: Duration = Duration::from_secs(180);
/// A disturbance is over by then, also when the matrix is not full: it keeps this machine busy.
const LASTS_AT_MOST: Duration = Duration::from_secs(60);
/// Between two looks at whether everybody is well again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How to run.
pub struct Options {
    /// The services' programs and the probe's.
    pub programs: Programs,
    /// How long everybody's canaries are watched before anything is done.
    pub calm: Duration,
    /// Which cells are attempted.
    pub wanted: fn(&Cell) -> bool,
    /// Told what is going on now.
    pub tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// A disturbance that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A place has no probe.
    #[error("nothing was disturbed, since not every place has its probe: {0}")]
    Vantage(#[from] VantageError),
    /// Somebody's canaries could not set out.
    #[error("nothing was disturbed, since not everybody's canaries could set out: {0}")]
    Canaries(String),
    /// There is nobody whom it must not hit.
    #[error("a disturbance needs two tenants at least: one that disturbs, and one that has no part in it")]
    Alone,
}

/// Disturbs an environment, and judges what came of it.
///
/// # Errors
/// It could not begin: then nothing was done.
pub async fn run(
    environment: &mut Environment,
    disturbance: &Disturbance,
    options: &Options,
) -> Result<Judgement, WorldError> {
    let record = environment.record().clone();
    let tenants: Vec<String> = record.tenants.iter().map(|tenant| tenant.slug.to_string()).collect();
    if tenants.len() < 2 {
        return Err(WorldError::Alone);
    }
    let stage = Arc::new(Stage::open(record, &options.programs.probe).await?);
    let nest = Nest::settle(&stage).await.map_err(WorldError::Canaries)?;
    let from = stage.now();
    (options.tell)("watching everybody's canaries before anything is done");
    sleep(options.calm).await;
    let calm = Span { from, to: stage.now() };
    let first = stage.first_tenant().map_err(WorldError::Canaries)?;
    let over = CancellationToken::new();
    let during_record = environment.record().clone();
    let meanwhile = async {
        let too_long = async {
            sleep(LASTS_AT_MOST).await;
            over.cancel();
            std::future::pending::<()>().await;
        };
        let (filled, ()) = tokio::select! {
            ended = async { tokio::join!(fill(during_record, options), sleep(disturbance.lasts)) } => ended,
            () = too_long => (Err("nobody waits for ever".to_owned()), ()),
        };
        over.cancel();
        filled.map(|run| classify(&run, disturbance, first.as_ref()))
    };
    (options.tell)("disturbing, and filling the matrix meanwhile");
    let mut ground = Ground { environment, stage: &stage, tenant: first.clone(), over: over.clone() };
    let from = stage.now();
    let deed = async {
        let done = deed::act(disturbance.deed, &mut ground).await;
        (done, stage.now())
    };
    let (meanwhile, (done, to)) = tokio::join!(meanwhile, deed);
    let during = Span { from, to };
    let afterwards = wait_for_green(environment, options, disturbance.bounds.green).await;
    (options.tell)("waiting until everybody is well, and the last canaries are home");
    wait_until_well(&stage, to, disturbance.bounds.recovery).await;
    let kept = nest.bring_home(&stage).await;
    let trace = match Arc::into_inner(stage) {
        Some(stage) => stage.close().await,
        None => return Err(WorldError::Canaries("somebody still holds the stage".to_owned())),
    };
    let (deed, wrong) = match done {
        Ok(done) => (Ok(done.said), done.wrong),
        Err(why) => (Err(why), Vec::new()),
    };
    let observed = Observed { tenants, trace, calm, during, deed, wrong, meanwhile, afterwards, kept };
    Ok(judge(disturbance, observed))
}

/// Fills the matrix once. One that never ends is a finding as well.
async fn fill(record: EnvironmentRecord, options: &Options) -> Result<Run, String> {
    // What takes the first tenant's places takes them from its canaries.
    let wanted = |cell: &Cell| (options.wanted)(cell) && !is_in_manner(cell, Manner::TakeAllPlaces);
    let plan = Plan::of(&Model::of_record(&record)).only(wanted);
    let Programs { agent, poller, probe } = options.programs.clone();
    let matrix = bulkhead_matrix::Options {
        probe,
        stand_ins: StandIns::plain(agent, poller),
        run: bulkhead_matrix::fresh_run(),
        tell: Box::new(|_| {}),
    };
    match timeout(MATRIX_LIMIT, bulkhead_matrix::run(record, &plan, matrix)).await {
        Ok(run) => run.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it was not full after {} s", MATRIX_LIMIT.as_secs())),
    }
}

/// Fills the matrix again and again until it is as predicted, or its time is over.
async fn wait_for_green(environment: &Environment, options: &Options, limit: Duration) -> Afterwards {
    let (began, mut afterwards) = (tokio::time::Instant::now(), Afterwards::default());
    while began.elapsed() <= limit {
        afterwards.runs += 1;
        let red_before = std::mem::take(&mut afterwards.red);
        (options.tell)(&match red_before.first() {
            None => "filling the matrix until it is as predicted again".to_owned(),
            Some(first) => {
                format!("filling it again, {} were not as predicted: {first:.200}", red_before.len())
            }
        });
        afterwards.earlier.extend(red_before);
        match fill(environment.record().clone(), options).await {
            Ok(run) => {
                afterwards.red = red(&run.table);
                afterwards.violated.extend(with(&run.table, Conclusion::Violated));
                if afterwards.red.is_empty() {
                    afterwards.green_after = Some(began.elapsed());
                    break;
                }
            }
            Err(why) => afterwards.red = vec![why],
        }
    }
    afterwards
}

fn red(table: &Table) -> Vec<String> {
    table.red().map(ToString::to_string).chain(table.flaws().iter().cloned()).collect()
}

fn with(table: &Table, conclusion: Conclusion) -> Vec<String> {
    let cells = table.entries().iter().filter(|entry| entry.conclusion == conclusion);
    cells.map(ToString::to_string).collect()
}

/// Waits until everybody's canaries are well again, or their time is over.
async fn wait_until_well(stage: &Stage, end: Moment, limit: Duration) {
    let well = |flock: &Flock| flock.recovered_after(end).is_some();
    while !stage.note(|trace| trace.flocks.values().all(well)) && stage.now() < end + limit {
        sleep(LOOK_EVERY).await;
    }
}

/// What the matrix that was filled meanwhile says.
fn classify(run: &Run, disturbance: &Disturbance, first: &str) -> Meanwhile {
    let mut meanwhile = Meanwhile { took: run.took, ..Meanwhile::default() };
    for entry in run.table.entries() {
        let may_be_hit = disturbance.reach == Reach::Everybody
            || concerns(&entry.cell, first)
            // Of many silent clients the one that has waited longest goes first.
            || disturbance.deed == Deed::StallHandshakes && is_in_manner(&entry.cell, Manner::BeSilent);
        match (entry.conclusion, may_be_hit) {
            (Conclusion::Passed, _) => meanwhile.as_predicted += 1,
            (Conclusion::Violated, _) => meanwhile.violated.push(entry.to_string()),
            (Conclusion::Broken, true) => meanwhile.hindered.push(entry.to_string()),
            (Conclusion::Broken, false) => meanwhile.broken.push(entry.to_string()),
            (Conclusion::Inconclusive, true) => meanwhile.in_the_way += 1,
            (Conclusion::Inconclusive, false) => meanwhile.unjudged.push(entry.to_string()),
        }
    }
    meanwhile
}

fn is_in_manner(cell: &Cell, wanted: Manner) -> bool {
    matches!(&cell.operation, Operation::Knock { manner, .. } if *manner == wanted)
}

/// Whether a tenant acts in a cell, or is acted upon: its slug is a word of the cell's name.
fn concerns(cell: &Cell, tenant: &str) -> bool {
    let of_a_slug = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    cell.id().split(|letter: char| !of_a_slug(letter)).any(|word| word == tenant)
}

#[cfg(test)]
mod tests {
    use bulkhead_plan::access::{Vantage, Who};

    use super::*;

    #[test]
    fn a_cell_concerns_whoever_is_named_in_it_and_nobody_whose_name_only_begins_so() {
        let cell = |who: &str, target: &str| Cell {
            operation: Operation::Handshake { service: target.parse().unwrap() },
            who: Who::Peer(who.parse().unwrap()),
            from: Vantage::Host,
        };
        let own = cell("agent-001.p1.acme.serviceradar", "poller.serviceradar");
        let other = cell("agent-001.p1.globex.serviceradar", "agent-001.p1.acme2.serviceradar");
        assert!(concerns(&own, "acme") && !concerns(&own, "globex"));
        assert!(!concerns(&other, "acme") && concerns(&other, "acme2"));
    }
}

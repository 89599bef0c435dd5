//! `cargo xtask prove --scenarios`: the features under one fault after the other.

mod show;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bulkhead_e2e::{Judging, Silence, Tally};
use bulkhead_plan::fault::{Fault, Ground};
use futures::StreamExt as _;
use futures::stream;

use super::CONCURRENCY;
use super::seeding::{Bench, Played};
use crate::exit::{Failure, NOT_JUDGED, OrExit as _, Outcome};

/// What came of the scenarios under one fault.
struct Row {
    fault: &'static Fault,
    played: Played,
    took: Duration,
}

/// Runs every scenario without a fault, then with each of these. Where they are not `all` that there are, nothing is demanded
/// of a scenario that was never red.
pub(super) async fn run(
    bench: &Bench<'_>,
    faults: &[&'static Fault],
    ground: Ground,
    all: bool,
    json: bool,
) -> Outcome {
    let _silent = Silence::of_steps();
    let began = Instant::now();
    let Played::Whole(control) = bench.play(None, 0).await? else {
        let error = anyhow::anyhow!(
            "the environment without a fault was not judged, which proves nothing of the others"
        );
        return Err(Failure { code: NOT_JUDGED, error });
    };
    let mut tally = Tally::of(&control, &Judging::all());
    show::control(&tally, control.scenarios.len(), began.elapsed(), json);
    let mut rows: Vec<Row> = Vec::new();
    let playing =
        stream::iter(faults.iter().enumerate()).map(|(number, fault)| played(bench, fault, number + 1));
    let playing = playing.buffer_unordered(CONCURRENCY);
    bench
        .to_the_end(playing, |row| {
            if let Played::Whole(report) = &row.played {
                tally.add(row.fault.id(), report);
            }
            show::row(&row, json);
            rows.push(row);
        })
        .await?;
    let proof = tally.proof(ground, all);
    let not_judged = rows.iter().filter(|row| matches!(row.played, Played::NotJudged(_))).count();
    let code = proof.exit_code(not_judged);
    show::end(&tally, &rows, &proof, code, json.then_some(ground)).or_not_judged()?;
    Ok(ExitCode::from(code))
}

async fn played(bench: &Bench<'_>, fault: &'static Fault, number: usize) -> Result<Row, Failure> {
    let began = Instant::now();
    let played = bench.play(Some(fault), number).await?;
    Ok(Row { fault, played, took: began.elapsed() })
}

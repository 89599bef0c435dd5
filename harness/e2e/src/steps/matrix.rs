//! Cells of the access matrix as sentences: how a counterexample of a random topology is repeated.

use bulkhead_matrix::{MatrixError, Options, Run};
use bulkhead_plan::access::{Conclusion, Model};
use bulkhead_plan::matrix::{Entry, Plan};
use cucumber::then;

use crate::scene::{Scene, Step, Unmet};

#[then(expr = "the access matrix is as predicted at {string}")]
async fn is_as_predicted(scene: &mut Scene, cell: String) -> Step {
    let platform = scene.platform()?;
    let plan = Plan::of(&Model::of_record(&platform.record)).only(|planned| planned.id() == cell);
    if plan.cells().is_empty() {
        return scene.unclear(format!("the access matrix of this platform has no cell {cell}"));
    }
    let run = fill(scene, &plan).await?;
    match run.table.entries().first() {
        Some(entry) => judge(scene, entry),
        None => scene.unclear("nothing was attempted"),
    }
}

/// Also where no cell is wrong by itself: an outcome that was never seen, a cell that was not attempted.
#[then(expr = "the whole access matrix is as predicted")]
async fn is_as_predicted_everywhere(scene: &mut Scene) -> Step {
    let plan = Plan::of(&Model::of_record(&scene.platform()?.record));
    let run = fill(scene, &plan).await?;
    if let Some(red) = run.table.red().next() {
        return judge(scene, red);
    }
    match run.table.exit_code() {
        0 => Ok(()),
        _ => scene.unclear(format!("the table is flawed: {:?}", run.table.flaws())),
    }
}

async fn fill(scene: &Scene, plan: &Plan) -> Result<Run, Unmet> {
    let platform = scene.platform()?;
    let programs = platform.programs.clone();
    let programs = programs.ok_or_else(|| Unmet("the place of the programs is not known".to_owned()))?;
    let options = Options {
        probe: programs.probe,
        stand_ins: programs.stand_ins,
        run: bulkhead_matrix::fresh_run(),
        tell: Box::new(|_| {}),
    };
    let run = bulkhead_matrix::run(platform.record.clone(), plan, options).await;
    run.map_err(|error: MatrixError| Unmet(error.to_string()))
}

fn judge(scene: &mut Scene, entry: &Entry) -> Step {
    entry.measured.evidence.iter().for_each(|line| scene.note(line));
    match entry.conclusion {
        Conclusion::Passed => Ok(()),
        Conclusion::Violated => scene.violated(entry.to_string()),
        Conclusion::Broken => scene.broken(entry.to_string()),
        Conclusion::Inconclusive => scene.unclear(entry.to_string()),
    }
}

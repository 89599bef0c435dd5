//! A cell of the access matrix as a sentence: how a counterexample of a random topology is repeated.

use bulkhead_matrix::{MatrixError, Options, StandIns};
use bulkhead_plan::access::{Conclusion, Model};
use bulkhead_plan::matrix::Plan;
use cucumber::then;

use crate::scene::{Scene, Step, Unmet};

#[then(expr = "the access matrix is as predicted at {string}")]
async fn is_as_predicted(scene: &mut Scene, cell: String) -> Step {
    let platform = scene.platform()?;
    let plan = Plan::of(&Model::of_record(&platform.record)).only(|planned| planned.id() == cell);
    if plan.cells().is_empty() {
        return scene.unclear(format!("the access matrix of this platform has no cell {cell}"));
    }
    let folder = platform.binaries.clone();
    let folder = folder.ok_or_else(|| Unmet("the place of the programs is not known".to_owned()))?;
    let options = Options {
        probe: folder.join("bulkhead-probe"),
        stand_ins: StandIns::plain(folder.join("bulkhead-agent"), folder.join("bulkhead-poller")),
        run: bulkhead_matrix::fresh_run(),
        tell: Box::new(|_| {}),
    };
    let run = bulkhead_matrix::run(platform.record.clone(), &plan, options).await;
    let run = run.map_err(|error: MatrixError| Unmet(error.to_string()))?;
    let Some(entry) = run.table.entries().first() else {
        return scene.unclear("nothing was attempted");
    };
    entry.measured.evidence.iter().for_each(|line| scene.note(line));
    match entry.conclusion {
        Conclusion::Passed => Ok(()),
        Conclusion::Violated => scene.violated(entry.to_string()),
        Conclusion::Broken => scene.broken(entry.to_string()),
        Conclusion::Inconclusive => scene.unclear(entry.to_string()),
    }
}

//! A topology in which the measured table is not the predicted one, as files that repeat it.

use std::io;
use std::path::Path;

use bulkhead_plan::EnvironmentSpec;

/// How many cells have a scenario: the first ones say enough.
const CELLS: usize = 20;

/// Writes `counterexample.yaml`, the specification, and beside it `counterexample.feature` with a scenario for each cell, named as
/// [`bulkhead_plan::matrix::Cell::id`] does; where no cell is wrong by itself (a reason that was never seen, a hole), with one for the
/// whole table. Returns the line that runs them.
///
/// # Errors
/// The folder or one of the files cannot be written.
pub fn write_counterexample(folder: &Path, spec: &EnvironmentSpec, cells: &[String]) -> io::Result<String> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("counterexample.yaml"), spec.to_yaml())?;
    std::fs::write(folder.join("counterexample.feature"), feature(cells))?;
    Ok(format!(
        "cargo xtask e2e --fresh --backend process --spec {0}/counterexample.yaml --features {0}",
        folder.display()
    ))
}

fn feature(cells: &[String]) -> String {
    let scenario = |cell: &String| {
        format!("    Scenario: {cell}\n      Then the access matrix is as predicted at \"{cell}\"\n")
    };
    let whole = "    Scenario: the whole table\n      Then the whole access matrix is as predicted\n";
    let scenarios: String = match cells {
        [] => whole.to_owned(),
        cells => cells.iter().take(CELLS).map(scenario).collect(),
    };
    // One run at a time fills the matrix of an environment, and a second one beside it is not judged.
    format!(
        "@serial\nFeature: A counterexample\n\n  Rule: The measured table equals the predicted one\n\n{scenarios}"
    )
}

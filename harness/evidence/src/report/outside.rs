//! What other commands found: `prove --json` and `e2e --json`, taken into a report.

use bulkhead_plan::environment::BackendKind;
use serde::Deserialize;

use super::{Control, FaultOutcome, FaultResult, Proof, Scenarios, Tool};

/// A text that is not what that command prints.
#[derive(Debug, thiserror::Error)]
#[error("not what `cargo xtask {command} --json` prints: {error}")]
pub struct OutsideError {
    command: &'static str,
    error: serde_json::Error,
}

/// As `prove --json` prints it, as far as it is wanted here.
#[derive(Deserialize)]
struct Proven {
    controls: Vec<ProvenControl>,
    faults: Vec<ProvenFault>,
    exit_code: u8,
    // Earlier versions did not say these.
    #[serde(default)]
    tool: Option<Tool>,
    #[serde(default)]
    backend: Option<BackendKind>,
    #[serde(default)]
    catalogue: Option<usize>,
}

#[derive(Deserialize)]
struct ProvenControl {
    cells: usize,
    alarms: Vec<String>,
}

#[derive(Deserialize)]
struct ProvenFault {
    fault: String,
    title: String,
    reference: String,
    verdict: Word,
    #[serde(default)]
    red_cells: Option<usize>,
    #[serde(default)]
    details: Vec<String>,
}

/// Its words for what came of a fault.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Killed,
    RefusedAtStart,
    Survived,
    Spilled,
    NotJudged,
    NotCovered,
}

/// The seeded faults and what was found without one, from what `prove --json` printed.
///
/// # Errors
/// It is something else.
pub fn proof_of(prove: &[u8]) -> Result<Proof, OutsideError> {
    let proven: Proven =
        serde_json::from_slice(prove).map_err(|error| OutsideError { command: "prove", error })?;
    let outcome = |fault: ProvenFault| {
        let (result, note) = match fault.verdict {
            Word::Killed => (FaultResult::Killed, String::new()),
            Word::RefusedAtStart => (FaultResult::Killed, "the platform refused to start with it".to_owned()),
            Word::Survived => (FaultResult::Survived, fault.details.join("; ")),
            Word::Spilled => (FaultResult::Spilled, fault.details.join("; ")),
            Word::NotJudged => (FaultResult::NotJudged, fault.details.join("; ")),
            Word::NotCovered => (FaultResult::NotCovered, fault.details.join("; ")),
        };
        FaultOutcome {
            id: fault.fault,
            title: fault.title,
            reference: fault.reference,
            result,
            red_cells: fault.red_cells.unwrap_or_default(),
            note,
        }
    };
    let Proven { controls, faults, exit_code, tool, backend, catalogue } = proven;
    let control = |ProvenControl { cells, alarms }| Control { cells, alarms };
    Ok(Proof {
        tool,
        backend,
        catalogue,
        controls: controls.into_iter().map(control).collect(),
        exit_code,
        faults: faults.into_iter().map(outcome).collect(),
    })
}

/// The scenarios, from what `e2e --json` printed.
///
/// # Errors
/// It is something else.
pub fn scenarios_of(e2e: &[u8]) -> Result<Scenarios, OutsideError> {
    serde_json::from_slice(e2e).map_err(|error| OutsideError { command: "e2e", error })
}

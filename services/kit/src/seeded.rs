//! The start of a program that makes a mistake: only in builds with the feature `seeded-faults`.

use std::path::Path;

use bulkhead_identity::seeded::{Place, SeededFault, switch_on};

use crate::config::ConfigError;

/// Switches on the fault that the configuration names.
///
/// # Errors
/// The fault can never show in this program, whose own code is at `own`; or there is one on already.
pub fn begin(fault: Option<SeededFault>, own: Place, configuration: &Path) -> Result<(), ConfigError> {
    let unusable = |problem: String| ConfigError::Unusable {
        what: "configuration file",
        path: configuration.to_owned(),
        problem,
        advice: "name one of these faults in `seeded_fault`, or leave it out".to_owned(),
    };
    let Some(fault) = fault else { return Ok(()) };
    let fault = SeededFault::of(fault.id(), own).map_err(|error| unusable(error.to_string()))?;
    switch_on(fault).map_err(|error| unusable(error.to_string()))
}

/// Says loudly what this program is, once its log lines go somewhere.
pub fn announce() {
    if let Some(fault) = bulkhead_identity::seeded::switched_on() {
        tracing::warn!(
            seeded_fault = fault.id(),
            "THIS PROGRAM MAKES A SEEDED MISTAKE: it is for tests of the suite alone"
        );
    }
}

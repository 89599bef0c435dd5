//! What an expectation and an outcome make of each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::oracle::Expectation;
use super::outcome::Outcome;

/// How a comparison ended, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Everything was as the specification says.
    Passed,
    /// Something else than access was in the way: a missing control, a denial for another reason, a probe
    /// that could not be made, a step that is not defined. Nothing is proven.
    Inconclusive,
    /// A valid access was denied.
    Broken,
    /// An access was possible that must not be.
    Violated,
}

impl Conclusion {
    /// Compares.
    pub fn of(expected: &Expectation, found: &Outcome) -> Self {
        match (expected, found) {
            (expected, found) if expected.is_met_by(found) => Self::Passed,
            (Expectation::Denied(_) | Expectation::Unreachable, Outcome::Allowed) => Self::Violated,
            // Whoever speaks through a wall of the network, if only to refuse, is not behind it.
            (Expectation::Unreachable, Outcome::Denied(_) | Outcome::Refused(_)) => Self::Violated,
            (Expectation::Allowed, Outcome::Denied(_) | Outcome::Refused(_)) => Self::Broken,
            _ => Self::Inconclusive,
        }
    }

    /// The process's exit code when this is the worst of a run.
    ///
    /// - 0: everything was as specified.
    /// - 4: the platform is not isolated as specified: something was *allowed* that must be denied, or *denied* that
    ///   must be allowed. Both contradict the specification, and either makes the other's result worthless.
    /// - 5: nothing contradicts the specification, and not everything could be judged. A run with nothing in it is that.
    pub fn exit_code(worst: Option<Self>) -> u8 {
        match worst {
            Some(Self::Violated | Self::Broken) => 4,
            Some(Self::Passed) => 0,
            Some(Self::Inconclusive) | None => 5,
        }
    }
}

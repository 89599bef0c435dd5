//! One cell, as it is reported.

use bulkhead_plan::access::{Conclusion, DenialReason, Expectation, Outcome};
use bulkhead_plan::matrix::{Column, Entry, Layer, Measured};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Hidden;

/// One attempt: who did what to whom from where, what had to come of it, and what did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellReport {
    /// A name that is the cell's alone and the same in every run of the same topology.
    pub id: String,
    /// The wall that it is about.
    pub layer: Layer,
    /// The operation's stable code.
    pub operation: String,
    /// What is done, in words.
    pub does: String,
    /// The kind of caller, seen from whom it is done to.
    pub caller: Column,
    /// Who does it.
    pub who: String,
    /// From where.
    pub from: String,
    /// Whom it is done to.
    pub object: String,
    /// What the oracle predicted.
    pub expected: Expected,
    /// What was found.
    pub found: Outcome,
    /// What both make of each other.
    pub conclusion: Conclusion,
    /// Why the access is not on the server's record, where it has to be.
    #[serde(default)]
    pub unrecorded: Option<String>,
    /// What the attacker saw, what the server recorded, the controls around it.
    pub evidence: Vec<String>,
}

/// What the oracle predicted of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "expectation", content = "reasons")]
pub enum Expected {
    /// It is done.
    Allowed,
    /// It is refused for one of these reasons.
    Denied(Vec<DenialReason>),
    /// No packet comes back.
    Unreachable,
    /// The model does not say. A plan has no such cell; nothing satisfies it.
    Unspecified,
}

impl From<&Expectation> for Expected {
    fn from(expectation: &Expectation) -> Self {
        match expectation {
            Expectation::Allowed => Self::Allowed,
            Expectation::Denied(reasons) => Self::Denied(reasons.clone()),
            Expectation::Unreachable => Self::Unreachable,
            Expectation::Unspecified(_) => Self::Unspecified,
        }
    }
}

impl Expected {
    /// As the oracle has it.
    pub fn to_expectation(&self) -> Expectation {
        match self {
            Self::Allowed => Expectation::Allowed,
            Self::Denied(reasons) => Expectation::Denied(reasons.clone()),
            Self::Unreachable => Expectation::Unreachable,
            Self::Unspecified => Expectation::Unspecified("the report says no more"),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_expectation().fmt(formatter)
    }
}

impl CellReport {
    pub(super) fn of(entry: &Entry, hidden: &Hidden) -> Self {
        let Entry { cell, expected, measured, conclusion } = entry;
        let found = match &measured.outcome {
            Outcome::Inconclusive(why) => Outcome::Inconclusive(hidden.hide(why)),
            other => other.clone(),
        };
        Self {
            id: cell.id(),
            layer: cell.layer(),
            operation: cell.operation.code(),
            does: cell.operation.to_string(),
            caller: Column::of(cell),
            who: cell.who.to_string(),
            from: cell.from.to_string(),
            object: cell.operation.object(),
            expected: expected.into(),
            found,
            conclusion: *conclusion,
            unrecorded: measured.unrecorded.as_deref().map(|why| hidden.hide(why)),
            evidence: measured.evidence.iter().map(|line| hidden.hide(line)).collect(),
        }
    }

    /// What expected and found make of each other, computed again from what is written.
    pub fn concluded(&self) -> Conclusion {
        let measured = Measured {
            outcome: self.found.clone(),
            evidence: Vec::new(),
            unrecorded: self.unrecorded.clone(),
        };
        measured.concluded(&self.expected.to_expectation())
    }
}

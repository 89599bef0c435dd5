//! The predicted and the measured table, side by side.

use std::collections::BTreeMap;
use std::fmt;

use super::cell::{Cell, Layer};
use super::plan::{Part, Plan, Unasked};
use crate::access::{Conclusion, DenialReason, Expectation, Outcome};

/// What a run found in one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// What came of the attempt.
    pub outcome: Outcome,
    /// What the attacker saw, what the server recorded, the controls around it.
    pub evidence: Vec<String>,
    /// Why the access is not on the server's record, where it has to be: an access that leaves no trace is not as
    /// specified, and an access all the same.
    pub unrecorded: Option<String>,
}

impl Measured {
    /// What this makes of an expectation.
    pub fn concluded(&self, expected: &Expectation) -> Conclusion {
        match Conclusion::of(expected, &self.outcome) {
            Conclusion::Passed if self.outcome == Outcome::Allowed && self.unrecorded.is_some() => {
                Conclusion::Inconclusive
            }
            conclusion => conclusion,
        }
    }
}

/// One cell with both its sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub cell: Cell,
    /// What the oracle predicted.
    pub expected: Expectation,
    /// What was found.
    pub measured: Measured,
    /// What both make of each other.
    pub conclusion: Conclusion,
}

/// Both tables, compared cell by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    entries: Vec<Entry>,
    unasked: Vec<Unasked>,
    part: Option<Part>,
    /// What is wrong with the table itself.
    flaws: Vec<String>,
}

impl Table {
    /// Compares. A planned cell that was not measured is a hole, and a measured cell that was not planned belongs to another
    /// table: neither is overlooked.
    pub fn compare(plan: &Plan, mut measured: BTreeMap<Cell, Measured>) -> Self {
        let mut entries = Vec::with_capacity(plan.cells().len());
        for planned in plan.cells() {
            let hole = || Measured {
                outcome: Outcome::Inconclusive("a hole: nothing was measured here".to_owned()),
                evidence: Vec::new(),
                unrecorded: None,
            };
            let found = measured.remove(&planned.cell).unwrap_or_else(hole);
            entries.push(Entry {
                conclusion: found.concluded(&planned.expected),
                cell: planned.cell.clone(),
                expected: planned.expected.clone(),
                measured: found,
            });
        }
        let mut flaws: Vec<String> =
            measured.keys().map(|cell| format!("measured and never planned: {}", cell.id())).collect();
        flaws.extend(unseen(plan, &entries));
        Self { entries, unasked: plan.unasked().to_vec(), part: plan.part(), flaws }
    }

    /// Every cell, in the order of the plan.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was not asked for, and why.
    pub fn unasked(&self) -> &[Unasked] {
        &self.unasked
    }

    /// How much of the whole table this is; nothing when it is the whole.
    pub fn part(&self) -> Option<Part> {
        self.part
    }

    /// What is wrong with the table itself, whatever its cells say.
    pub fn flaws(&self) -> &[String] {
        &self.flaws
    }

    /// The cells that are not as predicted.
    pub fn red(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.conclusion != Conclusion::Passed)
    }

    /// How many cells of a layer, or of all, ended so.
    pub fn count(&self, layer: Option<Layer>, conclusion: Conclusion) -> usize {
        let wanted = |entry: &&Entry| layer.is_none_or(|layer| entry.cell.layer() == layer);
        self.entries.iter().filter(wanted).filter(|entry| entry.conclusion == conclusion).count()
    }

    /// The worst that was found; nothing for an empty table. A table with a flaw cannot be judged.
    pub fn worst(&self) -> Option<Conclusion> {
        let worst = self.entries.iter().map(|entry| entry.conclusion).max()?;
        Some(if self.flaws.is_empty() { worst } else { worst.max(Conclusion::Inconclusive) })
    }

    /// The process's exit code: 0, 4 or 5 (see [`Conclusion::exit_code`]).
    pub fn exit_code(&self) -> u8 {
        Conclusion::exit_code(self.worst())
    }
}

/// The expected reasons that nobody was refused for.
fn unseen(plan: &Plan, entries: &[Entry]) -> Vec<String> {
    let seen = |reason: &DenialReason| {
        entries.iter().any(|entry| match &entry.measured.outcome {
            Outcome::Denied(found) => found == reason,
            Outcome::Refused(possible) => possible.contains(reason),
            _ => false,
        })
    };
    let unseen = plan.reasons().into_iter().filter(|reasons| !reasons.iter().any(seen));
    let words = |reasons: Vec<DenialReason>| {
        let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
        format!("expected, and never seen in the whole run: denied for {}", codes.join(" or "))
    };
    unseen.map(words).collect()
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: expected {}, found {}", self.cell, self.expected, self.measured.outcome)?;
        match &self.measured.unrecorded {
            Some(why) if self.measured.outcome == Outcome::Allowed => write!(formatter, ", and {why}"),
            _ => Ok(()),
        }
    }
}

//! What a run of the suite says about a fault.

use super::{Fault, Ground, Pattern};
use crate::access::Conclusion;
use crate::matrix::{Cell, Entry, Table};

/// What a run of the suite says about one fault that was seeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How many cells were red.
    pub red: usize,
    /// The patterns in which a cell must be red and none was: the suite did not notice.
    pub survivors: Vec<Pattern>,
    /// Red cells that have nothing to do with the fault: the suite accuses the wrong ones.
    pub spills: Vec<Spill>,
}

/// A red cell that the fault does not explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// Which.
    pub cell: Cell,
    /// In which way it is red.
    pub conclusion: Conclusion,
    /// What was expected and found, for people.
    pub text: String,
}

impl Judgement {
    /// Whether the suite noticed the fault, and nothing else.
    pub fn is_killed(&self) -> bool {
        self.survivors.is_empty() && self.spills.is_empty()
    }
}

/// Compares what a run found with what the fault must and may turn red.
pub fn judge(fault: &Fault, table: &Table, ground: Ground) -> Judgement {
    let red: Vec<&Entry> = table.red().collect();
    let meant = |pattern: &Pattern, entry: &Entry| pattern.matches_as(&entry.cell, entry.conclusion);
    let survivors = fault.required(ground).filter(|pattern| !red.iter().any(|entry| meant(pattern, entry)));
    let explained = |entry: &Entry| {
        let mut patterns = fault.required(ground).chain(fault.may());
        patterns.any(|pattern| meant(pattern, entry))
    };
    let spills = red.iter().filter(|entry| !explained(entry)).map(|entry| Spill {
        cell: entry.cell.clone(),
        conclusion: entry.conclusion,
        text: entry.to_string(),
    });
    Judgement { red: red.len(), survivors: survivors.copied().collect(), spills: spills.collect() }
}

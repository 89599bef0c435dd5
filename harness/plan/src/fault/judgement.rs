//! What a run of the suite says about a fault.

use std::collections::BTreeMap;

use super::share::Share;
use super::{Fault, Ground, Pattern};
use crate::access::Conclusion;
use crate::matrix::{Cell, Entry, Table};

/// What a run of the suite says about one fault that was seeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Which cells were red.
    pub red: RedCells,
    /// The shares of patterns in which a cell must be red and none was: the suite did not notice.
    pub survivors: Vec<Share>,
    /// Red cells that have nothing to do with the fault: the suite accuses the wrong ones.
    pub spills: Vec<Spill>,
}

/// How many cells of each operation were red, in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedCells(BTreeMap<String, BTreeMap<Conclusion, usize>>);

impl RedCells {
    /// How many all together.
    pub fn count(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// By the operation's code.
    pub fn by_operation(&self) -> &BTreeMap<String, BTreeMap<Conclusion, usize>> {
        &self.0
    }
}

impl<'a> FromIterator<&'a Entry> for RedCells {
    fn from_iter<I: IntoIterator<Item = &'a Entry>>(red: I) -> Self {
        let mut cells = Self::default();
        for entry in red {
            let operation = cells.0.entry(entry.cell.operation.code()).or_default();
            *operation.entry(entry.conclusion).or_default() += 1;
        }
        cells
    }
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
    let survivors = fault.required(ground).flat_map(|pattern| {
        let shares = Share::of(pattern, table, ground);
        shares.into_iter().filter(|share| !red.iter().any(|entry| share.is_shown_by(entry)))
    });
    let survivors = survivors.collect();
    let explained = |entry: &Entry| {
        let mut patterns = fault.required(ground).chain(fault.may());
        patterns.any(|pattern| meant(pattern, entry))
    };
    let spills = red.iter().filter(|entry| !explained(entry)).map(|entry| Spill {
        cell: entry.cell.clone(),
        conclusion: entry.conclusion,
        text: entry.to_string(),
    });
    let cells = red.iter().copied().collect();
    Judgement { red: cells, survivors, spills: spills.collect() }
}

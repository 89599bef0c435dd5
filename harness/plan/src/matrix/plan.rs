//! The table that the oracle predicts.

use std::collections::BTreeMap;

use super::catalogue;
use super::cell::Cell;
use crate::access::{DenialReason, Expectation, Model};

/// One cell and what is expected in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCell {
    /// Which.
    pub cell: Cell,
    /// What the oracle expects: never [`Expectation::Unspecified`].
    pub expected: Expectation,
}

/// Cells that are not asked for, since the model says nothing of them in this environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unasked {
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub cells: usize,
}

/// The table that the oracle predicts for one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    cells: Vec<PlannedCell>,
    unasked: Vec<Unasked>,
}

impl Plan {
    /// The complete plan.
    pub fn of(model: &Model) -> Self {
        let (mut cells, mut unasked) = (Vec::new(), BTreeMap::new());
        for cell in catalogue::cells(model) {
            match model.predict(&cell) {
                Expectation::Unspecified(reason) => *unasked.entry(reason).or_insert(0) += 1,
                expected => cells.push(PlannedCell { cell, expected }),
            }
        }
        let unasked = unasked.into_iter().map(|(reason, cells)| Unasked { reason, cells });
        Self { cells, unasked: unasked.collect() }
    }

    /// The part of it that `wanted` chooses. Such a run proves a part of the table, and says so.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Cell) -> bool) -> Self {
        self.cells.retain(|planned| wanted(&planned.cell));
        self
    }

    /// The cells, in an order that follows from the model alone.
    pub fn cells(&self) -> &[PlannedCell] {
        &self.cells
    }

    /// What is not asked for, and why.
    pub fn unasked(&self) -> &[Unasked] {
        &self.unasked
    }

    /// The reasons that must be seen at least once: an oracle that expects what never comes is wrong, and a probe that never
    /// sees it would not notice. Of several for one cell, one is enough.
    pub fn reasons(&self) -> Vec<Vec<DenialReason>> {
        let mut reasons: Vec<Vec<DenialReason>> = Vec::new();
        for planned in &self.cells {
            if let Expectation::Denied(expected) = &planned.expected
                && !reasons.contains(expected)
            {
                reasons.push(expected.clone());
            }
        }
        reasons
    }
}

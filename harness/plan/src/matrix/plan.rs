//! The table that the oracle predicts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::catalogue;
use super::cell::Cell;
use crate::access::{DenialReason, Expectation, Model};
use crate::foreign::{DescriptionError, JudgedPlatform, Stated};

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
    pub reason: Cow<'static, str>,
    /// How many.
    pub cells: usize,
}

/// How much of a table a part of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many cells are in the part.
    pub cells: usize,
    /// How many the whole table has.
    pub of: usize,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} cells", self.cells, self.of)
    }
}

/// The table that the oracle predicts for one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    cells: Vec<PlannedCell>,
    unasked: Vec<Unasked>,
    /// How many cells there were before any was left out.
    whole: usize,
}

impl Plan {
    /// The complete plan.
    pub fn of(model: &Model) -> Self {
        Self::stated(model, |_| None)
    }

    /// The complete plan of a platform, with what its owner expects in place of what the model does.
    ///
    /// # Errors
    /// Its owner expects something of cells that there are not.
    pub fn of_platform(platform: &JudgedPlatform) -> Result<Self, DescriptionError> {
        let attempted = |cell: &Cell| platform.model.untried(cell).is_none();
        let ids = catalogue::cells(&platform.model)
            .iter()
            .filter(|cell| attempted(cell))
            .map(Cell::id)
            .collect::<Vec<_>>();
        platform.expectations.all_used(&ids)?;
        Ok(Self::stated(&platform.model, |cell| platform.expectations.about(&cell.id()).cloned()))
    }

    fn stated(model: &Model, stated: impl Fn(&Cell) -> Option<Stated>) -> Self {
        let (mut cells, mut unasked) = (Vec::new(), BTreeMap::new());
        let mut skip = |reason: Cow<'static, str>| *unasked.entry(reason).or_insert(0) += 1;
        for cell in catalogue::cells(model) {
            // What cannot be tried is not made possible by expecting something of it.
            if let Some(why) = model.untried(&cell) {
                skip(Cow::Borrowed(why));
                continue;
            }
            match stated(&cell) {
                Some(Stated::NotCovered(why)) => skip(Cow::Owned(why)),
                Some(Stated::Expect(expected)) => cells.push(PlannedCell { cell, expected }),
                None => match model.predict(&cell) {
                    Expectation::Unspecified(why) => skip(Cow::Borrowed(why)),
                    expected => cells.push(PlannedCell { cell, expected }),
                },
            }
        }
        let unasked = unasked.into_iter().map(|(reason, cells)| Unasked { reason, cells });
        Self { unasked: unasked.collect(), whole: cells.len(), cells }
    }

    /// The part of it that `wanted` chooses. Such a run proves a part of the table, and says so ([`Self::part`]).
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Cell) -> bool) -> Self {
        self.cells.retain(|planned| wanted(&planned.cell));
        self
    }

    /// How much of the whole this is; nothing when no cell was left out.
    pub fn part(&self) -> Option<Part> {
        let (cells, of) = (self.cells.len(), self.whole);
        (cells < of).then_some(Part { cells, of })
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

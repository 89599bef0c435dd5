//! Seeded faults: realistic isolation mistakes, each of which the suite must notice, in the cells that are named for it.
//!
//! A suite is trusted because it was seen to fail. A [`Fault`] is data: what is changed in an environment, whose mistake it
//! was first, which cells of the access matrix it must turn red and which it may. [`judge`] compares that with what a run
//! found: a fault that nobody notices *survived*; one that turns cells red that have nothing to do with it *spilled*, since
//! the suite accuses the wrong cell.
//!
//! What a fault must not do is happen by accident. Only this crate makes values of [`Fault`], the runtime takes one only
//! from `cargo xtask prove`, and the record of the environment names it.

mod catalogue;
mod change;
mod control;
mod edit;
mod judgement;
mod nats;
mod pattern;
mod score;
mod share;

pub use catalogue::{catalogue, find, shut};
pub use change::{Change, ChangeError, Wiring};
pub use control::Control;
pub use edit::{EditError, FileEdit};
pub use judgement::{Judgement, RedCells, Spill, judge};
pub use pattern::{Caller, Ground, Object, Pattern, Place};
pub use score::{Score, Verdict};
pub use share::Share;

/// What the run of the matrix is called that is to notice a fault: some list beforehand what streams there may be.
pub const RUN: &str = "seeded";

/// One realistic mistake.
#[derive(Debug)]
pub struct Fault {
    id: &'static str,
    title: &'static str,
    reference: &'static str,
    change: Change,
    red: Red,
    may: &'static [Pattern],
    covered: Covered,
}

/// What a fault must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Red {
    /// Turn cells red: at least one of each share of each pattern ([`Share`]).
    Cells(&'static [Pattern]),
    /// Keep the environment from starting, with this text in the reason: a lint of the platform's own refuses it.
    RefusesToStart(&'static str),
}

/// Where a fault can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Wherever the platform runs.
    Everywhere,
    /// Where there are containers; the reason why not elsewhere.
    InContainers(&'static str),
}

impl Fault {
    /// The stable name: words joined by hyphens.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// The mistake, in one sentence.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Who has made it, or where it was measured: a CVE, an upstream's own behaviour, a heading of `research/`.
    pub fn reference(&self) -> &'static str {
        self.reference
    }

    /// What is done to the environment.
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// What it must do.
    pub fn red(&self) -> Red {
        self.red
    }

    /// Cells that it may turn red besides: its blast radius.
    pub fn may(&self) -> &'static [Pattern] {
        self.may
    }

    /// The patterns that must have a red cell on this ground.
    pub fn required(&self, ground: Ground) -> impl Iterator<Item = &'static Pattern> {
        let patterns = match self.red {
            Red::Cells(patterns) => patterns,
            Red::RefusesToStart(_) => &[],
        };
        patterns.iter().filter(move |pattern| pattern.applies_on(ground))
    }

    /// Why it cannot be shown on this ground, if it cannot.
    pub fn not_covered(&self, ground: Ground) -> Option<&'static str> {
        match (self.covered, ground) {
            (Covered::InContainers(why), Ground::Processes) => Some(why),
            (Covered::Everywhere, _) | (Covered::InContainers(_), Ground::Containers) => None,
        }
    }

    const fn new(
        id: &'static str,
        title: &'static str,
        reference: &'static str,
        change: Change,
        red: Red,
    ) -> Self {
        Self { id, title, reference, change, red, may: &[], covered: Covered::Everywhere }
    }

    const fn may_also(self, may: &'static [Pattern]) -> Self {
        Self { may, ..self }
    }

    const fn where_covered(self, covered: Covered) -> Self {
        Self { covered, ..self }
    }
}

//! Mistakes that were made on purpose, to see the suite find them.

use bulkhead_plan::environment::BackendKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tool;

/// What a run of `prove` found. What its output does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// With which version of the suite.
    #[serde(default)]
    pub tool: Option<Tool>,
    /// On which backend.
    #[serde(default)]
    pub backend: Option<BackendKind>,
    /// How many mistakes the catalogue has, of which these are all or a part.
    #[serde(default)]
    pub catalogue: Option<usize>,
    /// The same attempts where no mistake was made: whoever always cries finds every mistake.
    pub controls: Vec<Control>,
    /// The exit code that it ended with.
    pub exit_code: u8,
    /// The mistakes.
    pub faults: Vec<FaultOutcome>,
}

/// One run where no mistake was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// How many cells were attempted.
    pub cells: usize,
    /// Those that were red all the same, and what else was found wrong.
    pub alarms: Vec<String>,
}

/// A realistic mistake that was made on purpose, and whether the suite found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultOutcome {
    /// Its stable name.
    pub id: String,
    /// What was done wrong.
    pub title: String,
    /// Where such a mistake was made for real: a CVE, an upstream issue, upstream's own configuration.
    pub reference: String,
    /// What the suite made of it.
    pub result: FaultResult,
    /// How many cells turned red.
    pub red_cells: usize,
    /// What else is to be said.
    #[serde(default)]
    pub note: String,
}

/// What the suite made of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultResult {
    /// It went unseen.
    Survived,
    /// Cells turned red that have nothing to do with it.
    Spilled,
    /// It could not be said.
    NotJudged,
    /// This backend cannot show it.
    NotCovered,
    /// It was found, in the cells that were named for it, or the platform refused to start with it.
    Killed,
}

impl FaultResult {
    /// Whether it casts doubt on everything that the suite did not find.
    pub const fn casts_doubt(self) -> bool {
        matches!(self, Self::Survived | Self::Spilled | Self::NotJudged)
    }
}

impl Proof {
    /// How many mistakes were not found as they have to be.
    pub fn doubtful(&self) -> usize {
        self.faults.iter().filter(|fault| fault.result.casts_doubt()).count()
    }

    /// How many were found.
    pub fn killed(&self) -> usize {
        self.faults.iter().filter(|fault| fault.result == FaultResult::Killed).count()
    }

    /// How many were made.
    pub fn seeded(&self) -> usize {
        self.faults.iter().filter(|fault| fault.result != FaultResult::NotCovered).count()
    }

    /// What was red although no mistake was made.
    pub fn false_alarms(&self) -> impl Iterator<Item = &String> {
        self.controls.iter().flat_map(|control| &control.alarms)
    }

    /// Of how many mistakes these are a part; nothing when they are all of the catalogue, or it does not say.
    pub fn part_of(&self) -> Option<usize> {
        self.catalogue.filter(|all| self.faults.len() < *all)
    }

    /// Whether it casts doubt on what the suite did not find: it overlooked something, cried without cause, was not seen
    /// to stay calm, or ended badly for a reason that is not among these.
    pub fn casts_doubt(&self) -> bool {
        let is_calm = !self.controls.is_empty() && self.false_alarms().next().is_none();
        self.doubtful() > 0 || self.killed() == 0 || !is_calm || self.exit_code != 0
    }
}

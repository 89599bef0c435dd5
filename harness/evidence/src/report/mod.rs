//! `report.json`: everything that a run found, for programs; all other forms are rendered from it.
//!
//! Its schema is published as `docs/schema/report.schema.json`.

mod build;
mod cell;
mod judge;
mod outside;
mod platform;
mod proof;
mod standards;
mod verdict;

use std::fmt;

use bulkhead_plan::access::Conclusion;
use bulkhead_plan::matrix::{Column, Field, Layer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use build::{Facts, Hidden};
pub use cell::{CellReport, Expected};
pub use judge::{counts, picture};
pub use outside::{OutsideError, proof_of, scenarios_of};
pub use platform::{Described, PlatformFacts, Role, StartedBy, TenantFacts};
pub use proof::{Control, FaultOutcome, FaultResult, Proof};
pub use standards::{ProvedBy, RequirementOutcome, RequirementReport, StandardReport, standards};
pub(crate) use verdict::grouped;
pub use verdict::{Verdict, VerdictWord};

/// The version of the format. A reader refuses any other.
pub const SCHEMA_VERSION: u32 = 3;

/// Everything that a run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of this format: 3.
    pub schema_version: u32,
    /// What it all comes to. It follows from the rest, and a verifier computes it again.
    pub verdict: Verdict,
    /// When, how long, and with what.
    pub run: RunFacts,
    /// What was judged.
    pub platform: PlatformFacts,
    /// How the cells of each layer ended.
    pub counts: Vec<LayerCounts>,
    /// What is wrong with the table itself, whatever its cells say.
    pub flaws: Vec<String>,
    /// What was not asked for, and why.
    pub not_covered: Vec<NotCovered>,
    /// The mistakes that were made on purpose, to see the suite find them, when that was tried.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// The scenarios that ran as well, when they did.
    #[serde(default)]
    pub scenarios: Option<Scenarios>,
    /// The cells, gathered by operation and kind of caller.
    pub picture: Vec<PictureRow>,
    /// What the cells are evidence for, in the terms of public standards.
    pub standards: Vec<StandardReport>,
    /// Every attempt, in the order of the plan.
    pub cells: Vec<CellReport>,
}

/// When, how long, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunFacts {
    /// When the attempts began (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub started_at: OffsetDateTime,
    /// How long they took, in milliseconds.
    pub took_ms: u64,
    /// How many steps that were, controls and all: connections, handshakes, calls, steps on a connection.
    pub steps: u64,
    /// What made the attempts and this report.
    pub tool: Tool,
    /// What was running and what it was built with, as far as it says so itself: of somebody else's platform that is little.
    pub components: Vec<Component>,
    /// Which part of the table was attempted; the whole table when absent.
    #[serde(default)]
    pub part: Option<PartFacts>,
}

/// A part of the table, which proves nothing of the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartFacts {
    /// Only cells with this text in their names, if that is what was asked for.
    #[serde(default)]
    pub filter: Option<String>,
    /// How many cells that were.
    pub cells: usize,
    /// How many the whole table has.
    pub of: usize,
}

/// What made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its version.
    pub version: String,
    /// The git revision that it was built from, where that is known.
    #[serde(default)]
    pub revision: Option<String>,
    /// Whether files differed from that revision.
    #[serde(default)]
    pub modified: bool,
}

impl Tool {
    /// Whether the other one is known to be the very same program.
    pub fn is_surely(&self, other: &Self) -> bool {
        self.revision.is_some() && !self.modified && self == other
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bulkhead {}", self.version)?;
        if let Some(revision) = &self.revision {
            write!(formatter, ", revision {revision}")?;
        }
        if self.modified { formatter.write_str(", with local changes") } else { Ok(()) }
    }
}

/// Something that the result depends on, and its version as it states it itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// For example `nats-server`.
    pub name: String,
    /// For example `2.11.0`.
    pub version: String,
}

/// How the cells of one layer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerCounts {
    /// Which.
    pub layer: Layer,
    /// As predicted.
    pub passed: usize,
    /// Possible, and must not be.
    pub violated: usize,
    /// Refused, and should be possible.
    pub broken: usize,
    /// Not judged.
    pub inconclusive: usize,
}

/// Attempts that were not made, since the model says nothing of them in this environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotCovered {
    /// Why.
    pub reason: String,
    /// How many.
    pub cells: usize,
}

/// What the scenarios came to. Read leniently: it is a part of what `e2e --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenarios {
    /// Those that ran.
    pub scenarios: Vec<Scenario>,
    /// Those that this environment cannot show.
    #[serde(default)]
    pub not_covered: Vec<ScenarioNotCovered>,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// The feature.
    pub feature: String,
    /// The guarantee.
    pub rule: String,
    /// The scenario.
    pub name: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// Which step failed and why; empty when it passed.
    pub why: String,
}

/// A scenario that this environment cannot show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioNotCovered {
    /// The feature.
    pub feature: String,
    /// The scenario.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// One operation, by every kind of caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PictureRow {
    /// The wall that it is about.
    pub layer: Layer,
    /// The operation's stable code.
    pub operation: String,
    /// The same in words, with … for whatever differs between its cells.
    pub does: String,
    /// The fields that are not empty.
    pub fields: Vec<PictureField>,
}

/// The cells of one operation and one kind of caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PictureField {
    /// Who acts, seen from whom it is done to.
    pub caller: Column,
    /// How they ended.
    pub counts: Field,
}

impl Report {
    /// As it is written to `report.json`.
    ///
    /// # Errors
    /// Never for a report that was built here.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// How many cells ended so.
    pub fn count(&self, conclusion: Conclusion) -> usize {
        self.cells.iter().filter(|cell| cell.conclusion == conclusion).count()
    }
}

/// The JSON schema of [`Report`], as it is published.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}

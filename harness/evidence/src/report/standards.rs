//! What the attempts are evidence for, in the terms of public standards, and what they are no evidence for.
//!
//! It follows from the cells: a report is built with it, and a verifier computes it again.

mod rows;

use std::collections::BTreeSet;

use bulkhead_plan::access::Conclusion;
use bulkhead_plan::matrix::{Column, Field};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::rows::{Cover, Requirement, Standard};
use super::verdict::casts_doubt;
use super::{Report, picture};

/// A public standard, as far as it is about tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandardReport {
    /// Which.
    pub title: String,
    /// Where it is to be read. Its requirements are told here in other words: its own are what counts.
    pub source: String,
    /// What it asks.
    pub requirements: Vec<RequirementReport>,
}

/// One thing that a standard asks, and what the attempts show of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementReport {
    /// A name that is the requirement's alone and the same in every report.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it asks, in our words.
    pub asks: String,
    /// What its evidence comes to.
    pub outcome: RequirementOutcome,
    /// How the attempts ended that are evidence for it.
    pub counts: Field,
    /// What was attempted that is evidence for it.
    pub proved_by: Vec<ProvedBy>,
    /// What would be evidence and was not attempted in this run: operations by their codes, where `js.*` is all that begin so.
    pub not_attempted: Vec<String>,
    /// What of it no attempt of this tool shows, if there is anything.
    #[serde(default)]
    pub not_covered: Option<String>,
}

/// An operation, attempted by kinds of callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvedBy {
    /// The operation's code.
    pub operation: String,
    /// Whose attempts count, seen from whom it is done to.
    pub callers: Vec<Column>,
}

/// What the evidence for a requirement comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequirementOutcome {
    /// Every attempt that is evidence for it ended as it must.
    Held,
    /// What was attempted ended as it must, and not everything was attempted that is evidence for it.
    PartlyHeld,
    /// An access was possible that must not be.
    Violated,
    /// A valid access was refused, so that the denials prove nothing.
    Broken,
    /// Nothing was attempted, an attempt could not be judged, or something beside the attempts casts doubt on all of them.
    NotJudged,
    /// This tool attempts nothing that would be evidence for it.
    NotCovered,
}

impl RequirementOutcome {
    /// As it is written for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::PartlyHeld => "partly-held",
            Self::Violated => "violated",
            Self::Broken => "broken",
            Self::NotJudged => "not-judged",
            Self::NotCovered => "not-covered",
        }
    }
}

/// What a report's cells are evidence for. What it says of that already is not looked at.
pub fn standards(report: &Report) -> Vec<StandardReport> {
    let seen = Seen::of(report);
    let standard = |standard: &Standard| StandardReport {
        title: standard.title.to_owned(),
        source: standard.source.to_owned(),
        requirements: standard.requirements.iter().map(|requirement| seen.shows(requirement)).collect(),
    };
    rows::STANDARDS.iter().map(standard).collect()
}

/// What was seen, as far as requirements are concerned.
struct Seen {
    /// Every operation by every kind of caller.
    fields: Vec<(String, Column, Field)>,
    is_part: bool,
    /// Something beside the cells is wrong: then nothing is held.
    is_doubtful: bool,
}

impl Seen {
    fn of(report: &Report) -> Self {
        let rows = picture(&report.cells).into_iter();
        let fields = rows.flat_map(|row| {
            let operation = row.operation;
            row.fields.into_iter().map(move |field| (operation.clone(), field.caller, field.counts))
        });
        let mut scenarios = report.scenarios.iter().flat_map(|found| &found.scenarios);
        Self {
            fields: fields.collect(),
            is_part: report.run.part.is_some(),
            is_doubtful: casts_doubt(report) || scenarios.any(|one| one.conclusion != Conclusion::Passed),
        }
    }

    fn shows(&self, requirement: &Requirement) -> RequirementReport {
        let mut counts = Field::default();
        let mut proved_by: Vec<ProvedBy> = Vec::new();
        for (operation, caller, field) in &self.fields {
            if !requirement.is_proved_by(operation, *caller) {
                continue;
            }
            counts.open += field.open;
            counts.closed += field.closed;
            counts.unclear += field.unclear;
            counts.broken += field.broken;
            counts.violated += field.violated;
            match proved_by.last_mut().filter(|last| last.operation == *operation) {
                Some(last) => last.callers.push(*caller),
                None => proved_by.push(ProvedBy { operation: operation.clone(), callers: vec![*caller] }),
            }
        }
        let not_attempted = self.not_attempted(requirement);
        RequirementReport {
            id: requirement.id.to_owned(),
            title: requirement.title.to_owned(),
            asks: requirement.asks.to_owned(),
            outcome: self.outcome(requirement, &counts, not_attempted.is_empty()),
            counts,
            proved_by,
            not_attempted,
            not_covered: match requirement.cover {
                Cover::Whole => None,
                Cover::Partly(gap) | Cover::Nothing(gap) => Some(gap.to_owned()),
            },
        }
    }

    /// The worst decides, and nothing is held beside a doubt.
    fn outcome(&self, requirement: &Requirement, counts: &Field, all_attempted: bool) -> RequirementOutcome {
        if matches!(requirement.cover, Cover::Nothing(_)) {
            return RequirementOutcome::NotCovered;
        }
        match counts.worst() {
            Some(Conclusion::Violated) => RequirementOutcome::Violated,
            Some(Conclusion::Broken) => RequirementOutcome::Broken,
            Some(Conclusion::Inconclusive) | None => RequirementOutcome::NotJudged,
            Some(Conclusion::Passed) if self.is_doubtful => RequirementOutcome::NotJudged,
            Some(Conclusion::Passed) if self.is_part || !all_attempted => RequirementOutcome::PartlyHeld,
            Some(Conclusion::Passed) => RequirementOutcome::Held,
        }
    }

    fn not_attempted(&self, requirement: &Requirement) -> Vec<String> {
        let mut not_attempted: BTreeSet<&str> = BTreeSet::new();
        for (operations, callers) in requirement.evidence {
            let was_attempted = |pattern: &str| {
                self.fields.iter().any(|(operation, caller, _)| {
                    callers.contains(caller) && matches_operation(pattern, operation)
                })
            };
            not_attempted.extend(operations.iter().copied().filter(|pattern| !was_attempted(pattern)));
        }
        not_attempted.into_iter().map(str::to_owned).collect()
    }
}

impl Requirement {
    fn is_proved_by(&self, operation: &str, caller: Column) -> bool {
        self.evidence.iter().any(|(operations, callers)| {
            callers.contains(&caller)
                && operations.iter().any(|pattern| matches_operation(pattern, operation))
        })
    }
}

fn matches_operation(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => operation.starts_with(start),
        None => operation == pattern,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bulkhead_plan::access::Model;
    use bulkhead_plan::environment::BackendKind;
    use bulkhead_plan::matrix::Plan;
    use bulkhead_plan::{EnvironmentSpec, Topology};

    use super::*;

    /// A pattern that no operation has any more would leave a requirement without its evidence, and nobody would see.
    #[test]
    fn every_pattern_names_operations_that_there_are() {
        let spec = EnvironmentSpec::with_tenants("t".parse().unwrap(), 2, 2).unwrap();
        let topology = Topology::new(&spec).unwrap();
        // Behind network walls some calls are not even attempted.
        let plans = [BackendKind::Docker, BackendKind::Process].map(|backend| {
            let plan = Plan::of(&Model::of_topology(&topology, backend));
            let codes = plan.cells().iter();
            codes
                .map(|planned| (planned.cell.operation.code(), Column::of(&planned.cell)))
                .collect::<BTreeSet<_>>()
        });
        let there: BTreeSet<(String, Column)> = plans.into_iter().flatten().collect();
        let mut ids = BTreeSet::new();
        for requirement in rows::STANDARDS.iter().flat_map(|standard| standard.requirements) {
            for (operations, callers) in requirement.evidence {
                for pattern in *operations {
                    let is_there = |(operation, caller): &(String, Column)| {
                        matches_operation(pattern, operation) && callers.contains(caller)
                    };
                    assert!(there.iter().any(is_there), "{}: {pattern} by {callers:?}", requirement.id);
                }
            }
            assert!(ids.insert(requirement.id), "{} is there twice", requirement.id);
            let nothing = matches!(requirement.cover, Cover::Nothing(_));
            assert_eq!(nothing, requirement.evidence.is_empty(), "{}", requirement.id);
        }
    }
}

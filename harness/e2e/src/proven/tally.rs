//! How scenarios ended with one fault after the other.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_plan::fault::Ground;
use serde::Serialize;

use super::exceptions::{Exception, PHRASES, SCENARIOS};
use super::proof::{Part, Proof};
use crate::phrase::Judging;
use crate::report::{Conclusion, Report, ScenarioReport};

/// Under which faults something failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Those under which it accused the platform: violated, or broken.
    pub red_under: BTreeSet<String>,
    /// Those under which it could not be judged, which accuses nobody.
    pub not_judged_under: BTreeSet<String>,
}

impl Seen {
    fn under(&mut self, conclusion: Conclusion, fault: &str) {
        let faults = if is_red(conclusion) { &mut self.red_under } else { &mut self.not_judged_under };
        faults.insert(fault.to_owned());
    }
}

/// All scenarios that can run here and all phrases that judge, with the faults under which each failed.
#[derive(Debug, Clone, Serialize)]
pub struct Tally {
    scenarios: BTreeMap<String, Seen>,
    phrases: BTreeMap<String, Seen>,
    /// The phrases of what scenarios are about.
    #[serde(skip)]
    thens: BTreeSet<String>,
    /// Scenarios that cannot be shown here.
    not_covered: BTreeSet<String>,
    /// Scenarios that were red without any fault.
    alarms: Vec<String>,
    /// Scenarios that could not be judged without any fault.
    doubts: Vec<String>,
    /// How many faults were seeded and met by the scenarios.
    faults: usize,
}

impl Tally {
    /// Begins with what a run without any fault found, and the phrases that are to be shown.
    #[must_use]
    pub fn of(control: &Report, phrases: &Judging) -> Self {
        let named = |wanted: &dyn Fn(Conclusion) -> bool| {
            let failed = control.scenarios.iter().filter(|scenario| wanted(scenario.conclusion));
            failed.map(|scenario| format!("{}: {}", scenario.name, scenario.why)).collect::<Vec<_>>()
        };
        let mut doubts = named(&|conclusion| conclusion == Conclusion::Inconclusive);
        if control.scenarios.is_empty() {
            doubts.push("no scenario ran".to_owned());
        }
        Self {
            scenarios: control.scenarios.iter().map(|one| (one.name.clone(), Seen::default())).collect(),
            phrases: phrases
                .thens
                .iter()
                .chain(&phrases.whens)
                .map(|phrase| (phrase.to_string(), Seen::default()))
                .collect(),
            thens: phrases.thens.iter().map(ToString::to_string).collect(),
            not_covered: control.not_covered.iter().map(|one| one.name.clone()).collect(),
            alarms: named(&is_red),
            doubts,
            faults: 0,
        }
    }

    /// Takes in what a run found with a fault.
    ///
    /// A scenario whose premise is broken says nothing of what it is about: a tenant that can keep no notes is no sign that
    /// anybody would see them read. What is violated is, wherever it shows.
    pub fn add(&mut self, fault: &str, report: &Report) {
        self.faults += 1;
        for scenario in report.scenarios.iter().filter(|scenario| scenario.conclusion != Conclusion::Passed) {
            let phrase = scenario.failed_at.as_ref().map(ToString::to_string).unwrap_or_default();
            if let Some(seen) = self.phrases.get_mut(&phrase) {
                seen.under(scenario.conclusion, fault);
            }
            let premise = scenario.conclusion == Conclusion::Broken && !self.thens.contains(&phrase);
            if let Some(seen) = self.scenarios.get_mut(&scenario.name).filter(|_| !premise) {
                seen.under(scenario.conclusion, fault);
            }
        }
    }

    /// What was red without any fault.
    #[must_use]
    pub fn alarms(&self) -> &[String] {
        &self.alarms
    }

    /// What could not be judged without any fault.
    #[must_use]
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// What all that proves on this ground. Of a part of the faults it is shown only: nothing is demanded.
    #[must_use]
    pub fn proof(&self, ground: Ground, all_faults: bool) -> Proof {
        self.proof_beside(ground, all_faults, SCENARIOS, PHRASES)
    }

    pub(super) fn proof_beside(
        &self,
        ground: Ground,
        all_faults: bool,
        scenarios: &[Exception],
        phrases: &[Exception],
    ) -> Proof {
        Proof {
            scenarios: Part::of(&self.scenarios, &self.not_covered, scenarios, ground),
            phrases: Part::of(&self.phrases, &BTreeSet::new(), phrases, ground),
            false_alarms: self.alarms.len(),
            doubts: self.doubts.len(),
            faults: self.faults,
            all_faults,
        }
    }
}

/// Whether a scenario that ended so accuses the platform.
fn is_red(conclusion: Conclusion) -> bool {
    matches!(conclusion, Conclusion::Violated | Conclusion::Broken)
}

impl Report {
    /// The scenarios that accuse the platform.
    pub fn red(&self) -> impl Iterator<Item = &ScenarioReport> {
        self.scenarios.iter().filter(|scenario| is_red(scenario.conclusion))
    }
}

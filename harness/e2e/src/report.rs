//! What a run found.

use std::fmt;

pub use bulkhead_plan::access::Conclusion;
use serde::Serialize;

use crate::phrase::Phrase;

/// One scenario's result.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioReport {
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
    /// The phrase of the step that failed, as its definition has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Phrase>,
    /// How long it took, in milliseconds.
    pub took_ms: u128,
    /// For a failure: attempts and records, certificates, logs, and the command that repeats it.
    pub details: Vec<String>,
}

/// A scenario that this environment cannot show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCovered {
    /// The feature.
    pub feature: String,
    /// The scenario.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// Something a run left behind that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept(pub String);

/// The whole run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The scenarios that ran, in the order in which they ended.
    pub scenarios: Vec<ScenarioReport>,
    /// The scenarios that this environment cannot show.
    pub not_covered: Vec<NotCovered>,
    /// What earlier runs had left with the tenants, and this one removed before it began.
    pub swept: Vec<String>,
    /// What the run could not clean up.
    pub kept: Vec<Kept>,
}

impl Report {
    /// How many scenarios ended so.
    #[must_use]
    pub fn count(&self, conclusion: Conclusion) -> usize {
        self.scenarios.iter().filter(|scenario| scenario.conclusion == conclusion).count()
    }

    /// The process's exit code, by the worst scenario (see [`Conclusion::exit_code`]): 0 also says that there was at
    /// least one.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        Conclusion::exit_code(self.scenarios.iter().map(|scenario| scenario.conclusion).max())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |conclusion| self.count(conclusion);
        let failed = count(Conclusion::Violated) + count(Conclusion::Broken);
        writeln!(
            formatter,
            "{:>12} {} passed, {failed} failed, {} could not be judged, {} not covered",
            "Summary",
            count(Conclusion::Passed),
            count(Conclusion::Inconclusive),
            self.not_covered.len(),
        )?;
        for NotCovered { feature, name, reason } in &self.not_covered {
            writeln!(formatter, "{:>12} {feature} › {name}: {reason}", "NOT COVERED")?;
        }
        for what in &self.swept {
            writeln!(formatter, "{:>12} {what}, which an earlier run had left", "Removed")?;
        }
        for Kept(what) in &self.kept {
            writeln!(formatter, "{:>12} {what}", "LEFT BEHIND")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_plan::access::{DenialReason, Expectation, Outcome};

    use super::*;

    fn report(conclusions: &[Conclusion]) -> Report {
        let scenario = |conclusion: &Conclusion| ScenarioReport {
            feature: String::new(),
            rule: String::new(),
            name: String::new(),
            conclusion: *conclusion,
            why: String::new(),
            failed_at: None,
            took_ms: 0,
            details: Vec::new(),
        };
        Report { scenarios: conclusions.iter().map(scenario).collect(), ..Report::default() }
    }

    #[test]
    fn the_worst_scenario_decides_the_exit_code() {
        use Conclusion::{Broken, Inconclusive, Passed, Violated};
        assert_eq!(report(&[Passed, Passed]).exit_code(), 0);
        assert_eq!(report(&[Passed, Inconclusive]).exit_code(), 5);
        assert_eq!(report(&[Violated, Inconclusive, Passed]).exit_code(), 4);
        assert_eq!(report(&[Broken, Inconclusive]).exit_code(), 4);
    }

    #[test]
    fn a_run_without_scenarios_proves_nothing() {
        assert_eq!(report(&[]).exit_code(), 5);
    }

    #[test]
    fn a_denial_for_another_reason_is_not_a_pass_and_not_a_leak() {
        let denied = |reason| Expectation::Denied(vec![reason]);
        let expired = denied(DenialReason::Expired);
        let unknown = Outcome::Denied(DenialReason::UnknownIssuer);
        assert_eq!(Conclusion::of(&expired, &unknown), Conclusion::Inconclusive);
        assert_eq!(Conclusion::of(&expired, &Outcome::Unreachable), Conclusion::Inconclusive);
        assert_eq!(Conclusion::of(&expired, &Outcome::Allowed), Conclusion::Violated);
        assert_eq!(Conclusion::of(&Expectation::Allowed, &unknown), Conclusion::Broken);
        assert_eq!(Conclusion::of(&Expectation::Unreachable, &Outcome::Allowed), Conclusion::Violated);
    }
}

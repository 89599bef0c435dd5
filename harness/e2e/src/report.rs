//! What a run found.

use std::fmt;

use bulkhead_plan::access::{Expectation, Outcome};
use serde::Serialize;

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Everything was as the specification says.
    Passed,
    /// Something else than access was in the way: a missing control, a denial for another reason, a probe
    /// that could not be made, a step that is not defined. Nothing is proven.
    Inconclusive,
    /// A valid access was denied.
    Broken,
    /// An access was possible that must not be.
    Violated,
}

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

    /// The process's exit code.
    ///
    /// - 0: every scenario that this environment can show has passed, and there was at least one.
    /// - 4: the platform is not isolated as specified: something was *allowed* that must be denied, or
    ///   *denied* that must be allowed. Both contradict the specification, and either makes the other's
    ///   result worthless.
    /// - 5: nothing contradicts the specification, and not everything could be judged: a denial for another
    ///   reason than the expected one, a missing control or record, silence, an undefined step, no scenario.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.scenarios.iter().map(|scenario| scenario.conclusion).max() {
            Some(Conclusion::Violated | Conclusion::Broken) => 4,
            Some(Conclusion::Passed) => 0,
            Some(Conclusion::Inconclusive) | None => 5,
        }
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

/// What an expectation and a found outcome make of a scenario.
pub(crate) fn conclude(expected: &Expectation, found: &Outcome) -> Conclusion {
    match (expected, found) {
        (expected, found) if expected.is_met_by(found) => Conclusion::Passed,
        (Expectation::Denied(_) | Expectation::Unreachable, Outcome::Allowed) => Conclusion::Violated,
        (Expectation::Allowed, Outcome::Denied(_)) => Conclusion::Broken,
        _ => Conclusion::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_plan::access::DenialReason;

    use super::*;

    fn report(conclusions: &[Conclusion]) -> Report {
        let scenario = |conclusion: &Conclusion| ScenarioReport {
            feature: String::new(),
            rule: String::new(),
            name: String::new(),
            conclusion: *conclusion,
            why: String::new(),
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
        assert_eq!(conclude(&expired, &unknown), Conclusion::Inconclusive);
        assert_eq!(conclude(&expired, &Outcome::Unreachable), Conclusion::Inconclusive);
        assert_eq!(conclude(&expired, &Outcome::Allowed), Conclusion::Violated);
        assert_eq!(conclude(&Expectation::Allowed, &unknown), Conclusion::Broken);
        assert_eq!(conclude(&Expectation::Unreachable, &Outcome::Allowed), Conclusion::Violated);
    }
}

//! From what a judge saw to what it means.
//!
//! The rules are those of the scenarios: an answer is *allowed*; a refusal is *denied* for the reason that the other side's
//! own word or record names; nothing that came is a denial only beside controls that came by the same way; and nothing is
//! concluded unless the controls before and after held.

use std::collections::BTreeSet;
use std::fmt;

use bulkhead_plan::access::{DenialReason, Expectation, Model, Outcome};
use bulkhead_runtime::exit_code;
use serde::Serialize;

use crate::rows::{Cell, Row, Sight};

/// What one row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It ended as the access model expects.
    AsExpected,
    /// An access was possible that must not be.
    Violated,
    /// A valid access was denied.
    Broken,
    /// It cannot be said.
    NotJudged,
}

/// One row, judged.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Which attempt.
    pub cell: Cell,
    /// What the model expects, for people.
    pub expected: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What that means.
    pub finding: Finding,
    /// Everything that says so.
    pub evidence: Vec<String>,
}

/// One judge's table beside the model's.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The library that the judge is made with.
    pub judge: String,
    /// Its rows.
    pub rows: Vec<Judged>,
    /// Attempts that had to be made and were not, and others that were made.
    pub holes: Vec<String>,
}

impl Judged {
    /// Compares what came of a row with what the model expects.
    #[must_use]
    pub fn of(model: &Model, cell: Cell, outcome: Outcome, evidence: Vec<String>) -> Self {
        let expected = cell.expected(model);
        let finding = match (&expected, &outcome) {
            (Some(expected), outcome) if expected.is_met_by(outcome) => Finding::AsExpected,
            (Some(Expectation::Denied(_) | Expectation::Unreachable), Outcome::Allowed) => Finding::Violated,
            (Some(Expectation::Allowed), Outcome::Denied(_)) => Finding::Broken,
            _ => Finding::NotJudged,
        };
        let expected =
            expected.map_or_else(|| "the model has no words for it".to_owned(), |expected| words(&expected));
        Self { cell, expected, outcome, finding, evidence }
    }
}

impl Verdict {
    /// The table of a judge, with what is missing of `required`.
    #[must_use]
    pub fn of(judge: String, rows: Vec<Judged>, required: &BTreeSet<Cell>) -> Self {
        let made: BTreeSet<_> = rows.iter().map(|row| row.cell.clone()).collect();
        let missing = required.difference(&made).map(|cell| format!("not tried: {cell}"));
        let further = made.difference(required).map(|cell| format!("tried, and not asked for: {cell}"));
        let twice = (made.len() != rows.len()).then(|| "an attempt is there twice".to_owned());
        let holes = missing.chain(further).chain(twice).collect();
        Self { judge, rows, holes }
    }

    /// How many rows there are of a kind.
    #[must_use]
    pub fn count(&self, finding: Finding) -> usize {
        self.rows.iter().filter(|row| row.finding == finding).count()
    }

    /// The exit code that says it: a violation weighs more than what could not be judged.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.count(Finding::Violated) + self.count(Finding::Broken) > 0 {
            exit_code::ISOLATION_VIOLATED
        } else if self.count(Finding::NotJudged) + self.holes.len() > 0 || self.rows.is_empty() {
            exit_code::NOT_JUDGED
        } else {
            exit_code::WELL
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows.iter().filter(|row| row.finding != Finding::AsExpected) {
            let word = match row.finding {
                Finding::AsExpected => "Passed",
                Finding::Violated => "VIOLATED",
                Finding::Broken => "BROKEN",
                Finding::NotJudged => "Not judged",
            };
            writeln!(formatter, "{word:>12} {}: {}; expected: {}", row.cell, row.outcome, row.expected)?;
            row.evidence.iter().try_for_each(|line| writeln!(formatter, "{:>12} {line}", ""))?;
        }
        self.holes.iter().try_for_each(|hole| writeln!(formatter, "{:>12} {hole}", "Not judged"))?;
        writeln!(
            formatter,
            "{:>12} {}: {} as expected, {} violated, {} broken, {} not judged",
            "Judge",
            self.judge,
            self.count(Finding::AsExpected),
            self.count(Finding::Violated),
            self.count(Finding::Broken),
            self.count(Finding::NotJudged) + self.holes.len(),
        )
    }
}

fn words(expected: &Expectation) -> String {
    match expected {
        Expectation::Allowed => "allowed".to_owned(),
        Expectation::Denied(reasons) => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
            format!("denied: {}", reasons.join(" or "))
        }
        Expectation::Unreachable => "unreachable".to_owned(),
        Expectation::Unspecified(why) => format!("unspecified: {why}"),
    }
}

/// What a row comes to. `record` is what the service itself has written of it, where it writes of such refusals.
pub(crate) fn outcome(row: &Row, record: Option<Result<DenialReason, String>>) -> Outcome {
    let found = match (row.outcome, record) {
        // An access that was possible needs no control to have been so.
        (Sight::Allowed, _) => return Outcome::Allowed,
        (Sight::Inconclusive, _) => Outcome::Inconclusive(row.evidence.join("; ")),
        (Sight::Silent, _) => Outcome::Denied(DenialReason::OtherAccount),
        (_, Some(Err(why))) => Outcome::Inconclusive(why),
        (Sight::TurnedAway, Some(Ok(reason))) => Outcome::Denied(reason),
        (Sight::TurnedAway, None) => Outcome::Inconclusive("nobody has a record of it".to_owned()),
        (Sight::Denied, record) => said(row, record.and_then(Result::ok)),
    };
    match row.controls.iter().find(|control| !control.held) {
        _ if row.controls.is_empty() => Outcome::Inconclusive("there was no control".to_owned()),
        Some(control) => Outcome::Inconclusive(format!("a control failed: {}", control.what)),
        None => found,
    }
}

/// A refusal in the other side's words, which its record must not contradict.
fn said(row: &Row, record: Option<DenialReason>) -> Outcome {
    let word = row.reason.as_deref().unwrap_or_default();
    match (DenialReason::from_code(word), record) {
        (Some(said), Some(recorded)) if said != recorded => {
            Outcome::Inconclusive(format!("it was told {said}, and recorded is {recorded}"))
        }
        (Some(said), _) => Outcome::Denied(said),
        (None, _) => Outcome::Inconclusive(format!("refused for a reason unknown here: {word:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: &str, reason: &str, controls: &[bool]) -> Row {
        let controls: Vec<_> =
            controls.iter().map(|held| serde_json::json!({"what": "a control", "held": held})).collect();
        let row = serde_json::json!({
            "who": "agent-001.p1.globex.serviceradar", "flaw": null, "operation": "publish", "owner": "acme",
            "target": null, "outcome": outcome, "reason": reason, "evidence": [], "controls": controls, "callers": [],
        });
        serde_json::from_value(row).unwrap()
    }

    fn is_inconclusive(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Inconclusive(_))
    }

    #[test]
    fn silence_is_a_denial_only_beside_controls() {
        assert_eq!(
            outcome(&row("silent", "", &[true, true]), None),
            Outcome::Denied(DenialReason::OtherAccount)
        );
        assert!(is_inconclusive(&outcome(&row("silent", "", &[]), None)));
        assert!(is_inconclusive(&outcome(&row("silent", "", &[true, false]), None)));
    }

    #[test]
    fn who_is_turned_away_was_denied_only_when_the_service_says_so() {
        let turned_away = row("turned-away", "", &[true, true]);
        let recorded = Ok(DenialReason::UnknownIssuer);
        assert_eq!(outcome(&turned_away, Some(recorded)), Outcome::Denied(DenialReason::UnknownIssuer));
        assert!(is_inconclusive(&outcome(&turned_away, Some(Err("no record".to_owned())))));
        assert!(is_inconclusive(&outcome(&turned_away, None)));
    }

    #[test]
    fn a_refusal_is_what_the_other_side_says_and_records() {
        let denied = row("denied", "not-granted", &[true, true]);
        let reason = DenialReason::NotGranted;
        assert_eq!(outcome(&denied, None), Outcome::Denied(reason));
        assert_eq!(outcome(&denied, Some(Ok(reason))), Outcome::Denied(reason));
        assert!(is_inconclusive(&outcome(&denied, Some(Ok(DenialReason::TenantOther)))));
        assert!(is_inconclusive(&outcome(&row("denied", "bad-luck", &[true, true]), None)));
    }

    #[test]
    fn an_access_that_was_possible_stays_so_whatever_the_controls_say() {
        assert_eq!(outcome(&row("allowed", "", &[false]), None), Outcome::Allowed);
    }
}

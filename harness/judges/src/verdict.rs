//! From what a judge saw to what it means.
//!
//! The rules are those of the scenarios: an answer is *allowed*; a refusal is *denied* for the reason that the other side's
//! own word or record names; nothing that came is a denial only beside controls that came by the same way; and nothing is
//! concluded unless the controls before and after held.

use std::collections::BTreeSet;
use std::fmt;

use bulkhead_plan::access::{Conclusion, DenialReason, Model, Outcome};
use serde::Serialize;

use crate::rows::{Cell, Row, Sight};

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
    /// What the two make of each other.
    pub conclusion: Conclusion,
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
        let (conclusion, expected) = match &expected {
            Some(expected) => (Conclusion::of(expected, &outcome), expected.to_string()),
            None => (Conclusion::Inconclusive, "the model has no words for it".to_owned()),
        };
        Self { cell, expected, outcome, conclusion, evidence }
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

    /// How many rows there are of a kind; a hole is one that could not be judged.
    #[must_use]
    pub fn count(&self, conclusion: Conclusion) -> usize {
        let rows = self.rows.iter().filter(|row| row.conclusion == conclusion).count();
        if conclusion == Conclusion::Inconclusive { rows + self.holes.len() } else { rows }
    }

    /// The worst that there is in it; nothing at all when it is empty.
    #[must_use]
    pub fn worst(&self) -> Option<Conclusion> {
        let holes = self.holes.iter().map(|_| Conclusion::Inconclusive);
        self.rows.iter().map(|row| row.conclusion).chain(holes).max()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows.iter().filter(|row| row.conclusion != Conclusion::Passed) {
            let word = match row.conclusion {
                Conclusion::Passed => "Passed",
                Conclusion::Violated => "VIOLATED",
                Conclusion::Broken => "BROKEN",
                Conclusion::Inconclusive => "Not judged",
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
            self.count(Conclusion::Passed),
            self.count(Conclusion::Violated),
            self.count(Conclusion::Broken),
            self.count(Conclusion::Inconclusive),
        )
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

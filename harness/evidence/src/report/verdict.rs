//! What a report comes to.

use bulkhead_plan::access::Conclusion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Proof, Report, Tool};

/// What a report comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// For programs.
    pub word: VerdictWord,
    /// The exit code that the run ended with: 0, 4 or 5.
    pub exit_code: u8,
    /// For people: one sentence.
    pub sentence: String,
    /// What else is to be said in the same breath.
    pub further: Vec<String>,
}

/// The verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictWord {
    /// The whole table was attempted, and everything ended as it must.
    Isolated,
    /// What was attempted ended as it must, and it was a part of the table only: nothing is said of the rest.
    PartAsPredicted,
    /// An access was possible that must not be.
    Violated,
    /// A valid access was refused, so that the denials prove nothing.
    Broken,
    /// Nothing contradicts the model, and not everything could be judged.
    NotJudged,
}

impl VerdictWord {
    /// As it is written for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::PartAsPredicted => "part-as-predicted",
            Self::Violated => "violated",
            Self::Broken => "broken",
            Self::NotJudged => "not-judged",
        }
    }
}

impl Verdict {
    /// Before anything is known.
    pub(super) fn nothing() -> Self {
        Self {
            word: VerdictWord::NotJudged,
            exit_code: Conclusion::exit_code(None),
            sentence: String::new(),
            further: Vec::new(),
        }
    }

    /// What a report's cells, flaws, scenarios and faults come to. The verdict that it has already is not looked at.
    ///
    /// The worst decides. A table without cells, a table with a flaw, a description that is not so, and a suite that did not
    /// see a fault that it was shown, or saw one that was not there, cannot be judged.
    pub fn of(report: &Report) -> Self {
        let scenarios = report.scenarios.iter().flat_map(|found| &found.scenarios);
        let mut worst = report.cells.iter().map(|cell| cell.conclusion).max();
        worst = worst.map(|worst| scenarios.map(|one| one.conclusion).fold(worst, Ord::max));
        if casts_doubt(report) {
            worst = worst.map(|worst| worst.max(Conclusion::Inconclusive));
        }
        let word = match worst {
            Some(Conclusion::Passed) if report.run.part.is_some() => VerdictWord::PartAsPredicted,
            Some(Conclusion::Passed) => VerdictWord::Isolated,
            Some(Conclusion::Violated) => VerdictWord::Violated,
            Some(Conclusion::Broken) => VerdictWord::Broken,
            Some(Conclusion::Inconclusive) | None => VerdictWord::NotJudged,
        };
        let exit_code = Conclusion::exit_code(worst);
        Self { word, exit_code, sentence: sentence(word, report), further: further(word, report) }
    }
}

/// Whether something beside the cells says that they prove nothing.
pub(super) fn casts_doubt(report: &Report) -> bool {
    let is_not_so = !report.flaws.is_empty() || !report.platform.findings().is_empty();
    is_not_so || report.proof.as_ref().is_some_and(Proof::casts_doubt)
}

fn sentence(word: VerdictWord, report: &Report) -> String {
    let attempts = of_them(report.cells.len(), "attempt", "attempts");
    let count = |conclusion| report.count(conclusion);
    let text = match word {
        VerdictWord::Isolated => {
            format!("The tenants are isolated: all {attempts} ended as the isolation model says they must")
        }
        VerdictWord::PartAsPredicted => {
            format!("What was attempted is as predicted; {}", part_of(report).unwrap_or_default())
        }
        VerdictWord::Violated => match count(Conclusion::Violated) {
            0 => "Isolation is violated: a scenario found an access that must not be possible".to_owned(),
            1 => format!("Isolation is violated: 1 of {attempts} reached what it must not reach"),
            cells => {
                format!(
                    "Isolation is violated: {} of {attempts} reached what they must not reach",
                    grouped(cells)
                )
            }
        },
        VerdictWord::Broken => match count(Conclusion::Broken) {
            0 => "The platform does not do what it must: a scenario found a valid access refused".to_owned(),
            cells => format!(
                "The platform does not do what it must, and so its refusals prove nothing: {} refused",
                of_them(cells, "valid access was", "valid accesses were")
            ),
        },
        VerdictWord::NotJudged if report.cells.is_empty() => {
            "Nothing is proven: nothing was attempted".to_owned()
        }
        VerdictWord::NotJudged => match count(Conclusion::Inconclusive) {
            0 => format!("Isolation is not proven, although all {attempts} ended as they must"),
            cells => format!("Isolation is not proven: {} of {attempts} could not be judged", grouped(cells)),
        },
    };
    text + "."
}

/// Whatever a reader of the sentence alone would not know.
fn further(word: VerdictWord, report: &Report) -> Vec<String> {
    let mut further = Vec::new();
    let mut say = |count: usize, one: &str, many: &str| {
        if count > 0 {
            further.push(of_them(count, one, many));
        }
    };
    if word == VerdictWord::Violated {
        let broken = report.count(Conclusion::Broken);
        say(broken, "valid access was refused", "valid accesses were refused");
    }
    if word != VerdictWord::NotJudged {
        let unclear = report.count(Conclusion::Inconclusive);
        say(unclear, "attempt could not be judged", "attempts could not be judged");
    }
    if let Some(proof) = &report.proof {
        say(
            proof.doubtful(),
            "mistake made on purpose was not found",
            "mistakes made on purpose were not found",
        );
        let alarms = proof.false_alarms().count();
        say(alarms, "false alarm where no mistake was made", "false alarms where no mistake was made");
    }
    say(report.flaws.len(), "flaw of the table itself", "flaws of the table itself");
    let findings = report.platform.findings().len();
    say(
        findings,
        "thing in the description of the platform is not so",
        "things in the description of the platform are not so",
    );
    let stated = report.platform.owner_expects().len();
    say(
        stated,
        "expectation is its owner's and not the model's",
        "expectations are its owner's and not the model's",
    );
    let silent = report.platform.without_records().len();
    say(
        silent,
        "service has no records here and is taken at its word",
        "services have no records here and are taken at their word",
    );
    further.extend(report.proof.iter().flat_map(|proof| of_proof(proof, &report.run.tool)));
    // There it is the sentence.
    if word != VerdictWord::PartAsPredicted {
        further.extend(part_of(report));
    }
    further
}

/// What a run of `prove` is not, that one might take it for.
fn of_proof(proof: &Proof, tool: &Tool) -> Vec<String> {
    let mut further = Vec::new();
    if proof.killed() == 0 {
        further.push("no mistake made on purpose was seen to be found".to_owned());
    }
    if proof.controls.is_empty() {
        further.push("the suite was not seen to stay calm where no mistake was made".to_owned());
    }
    if let Some(all) = proof.part_of() {
        let made = grouped(proof.faults.len());
        further.push(format!("only {made} of the {} mistakes of the catalogue were chosen", grouped(all)));
    }
    if proof.tool.as_ref().is_some_and(|other| other != tool) {
        further.push("mistakes were made with another version of the suite than this run".to_owned());
    }
    further
}

/// That it was a part, and how much of one.
fn part_of(report: &Report) -> Option<String> {
    let part = report.run.part.as_ref()?;
    let (cells, of) = (grouped(part.cells), grouped(part.of));
    Some(format!("only a part of the table was attempted ({cells} of {of} cells)"))
}

fn of_them(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// 12345 as `12,345`.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn long_numbers_are_read_in_threes() {
        assert_eq!(
            [0, 999, 1000, 123_456, 1_234_567].map(grouped),
            ["0", "999", "1,000", "123,456", "1,234,567"]
        );
    }
}

//! What a report comes to.

use bulkhead_plan::access::Conclusion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;

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
    /// Everything that was attempted ended as it must.
    Isolated,
    /// An access was possible that must not be.
    Violated,
    /// A valid access was refused, so that the denials prove nothing.
    Broken,
    /// Nothing contradicts the model, and not everything could be judged.
    NotJudged,
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
    /// The worst decides. A table without cells, a table with a flaw, and a suite that did not see a fault that it was
    /// shown cannot be judged.
    pub fn of(report: &Report) -> Self {
        let scenarios = report.scenarios.iter().flat_map(|found| &found.scenarios);
        let mut worst = report.cells.iter().map(|cell| cell.conclusion).max();
        worst = worst.map(|worst| scenarios.map(|one| one.conclusion).fold(worst, Ord::max));
        if !report.flaws.is_empty() || report.faults.iter().any(|fault| fault.result.casts_doubt()) {
            worst = worst.map(|worst| worst.max(Conclusion::Inconclusive));
        }
        let word = match worst {
            Some(Conclusion::Passed) => VerdictWord::Isolated,
            Some(Conclusion::Violated) => VerdictWord::Violated,
            Some(Conclusion::Broken) => VerdictWord::Broken,
            Some(Conclusion::Inconclusive) | None => VerdictWord::NotJudged,
        };
        let exit_code = Conclusion::exit_code(worst);
        Self { word, exit_code, sentence: sentence(word, report), further: further(word, report) }
    }
}

fn sentence(word: VerdictWord, report: &Report) -> String {
    let attempts = of_them(report.cells.len(), "attempt", "attempts");
    let count = |conclusion| report.count(conclusion);
    let text = match word {
        VerdictWord::Isolated => {
            format!("The tenants are isolated: all {attempts} ended as the isolation model says they must")
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
    let survived = report.faults.iter().filter(|fault| fault.result.casts_doubt()).count();
    say(survived, "mistake made on purpose was not found", "mistakes made on purpose were not found");
    say(report.flaws.len(), "flaw of the table itself", "flaws of the table itself");
    if report.run.filter.is_some() {
        further.push("only a part of the table was attempted".to_owned());
    }
    further
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
